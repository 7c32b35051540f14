//! The keys that a join's built side has, for the scans that it probes with: a row of theirs that has none of the keys
//! need not be read any further.
//!
//! ```text
//! least, greatest, and bits:   bit (key - least), where the keys lie close together
//!                              bit of a hash of the key, 16 bits for each key, where they do not
//! ```
//!
//! What always holds:
//!
//! 1. A key of the built side is in the set. Others may be: the join is exact, the set is not.
//! 2. Keys are numbers as they lie in their arrays; what is wider than 64 bits makes no set.

mod collect;

use std::ops::RangeInclusive;
use std::sync::OnceLock;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, Decimal128Type, Int16Type, Int32Type, Int64Type, UInt32Type};

pub(crate) use collect::CollectKeysExec;

/// Keys that are looked at, at most; a larger built side gives no set.
const KEYS_MAX: usize = 4 << 20;
/// Bits that a key may take, on the average, where each number has its own.
const BITS_PER_KEY_MAX: u64 = 128;
/// Bits that are not worth saving.
const BITS_FREE: u64 = 1 << 16;
/// Bits for a key in a set of hashes.
const HASH_BITS_PER_KEY: u64 = 16;

/// The keys of a built side, once they are known; `None` when they make no set.
#[derive(Debug, Default)]
pub(crate) struct JoinKeys(OnceLock<Option<KeySet>>);

impl JoinKeys {
    pub fn get(&self) -> Option<&KeySet> {
        self.0.get()?.as_ref()
    }

    fn set(&self, keys: Option<KeySet>) {
        // Set once only: a plan runs once.
        let _ = self.0.set(keys);
    }
}

#[derive(Debug)]
pub(crate) struct KeySet {
    /// Empty, `1..=0`, when there are no keys.
    range: RangeInclusive<i64>,
    bits: Box<[u64]>,
    /// For hashes: how far one is shifted to be the number of a bit.
    shift: Option<u32>,
}

impl KeySet {
    fn of(keys: &[i64]) -> KeySet {
        let (Some(least), Some(greatest)) = (keys.iter().min(), keys.iter().max()) else {
            return KeySet { range: RangeInclusive::new(1, 0), bits: Box::default(), shift: None };
        };
        let (least, greatest) = (*least, *greatest);
        let count = keys.len() as u64;
        let span = greatest.abs_diff(least);
        let (bits, shift) = if span < BITS_FREE.max(count.saturating_mul(BITS_PER_KEY_MAX)) {
            (span + 1, None)
        } else {
            let bits = (count * HASH_BITS_PER_KEY).next_power_of_two().max(u64::from(u64::BITS));
            (bits, Some(u64::BITS - bits.trailing_zeros()))
        };
        let words = usize::try_from(bits.div_ceil(64)).unwrap_or(usize::MAX);
        let mut set = KeySet { range: least..=greatest, bits: vec![0; words].into(), shift };
        for key in keys {
            let bit = set.bit(*key);
            if let Some(word) = set.bits.get_mut((bit / 64) as usize) {
                *word |= 1 << (bit % 64);
            }
        }
        set
    }

    /// The number of a key's bit; for keys within the range.
    fn bit(&self, key: i64) -> u64 {
        let offset = key.wrapping_sub(*self.range.start()) as u64;
        match self.shift {
            None => offset,
            // Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4).
            Some(shift) => offset.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> shift,
        }
    }

    /// Whether a key may be in the set; false only if it is not.
    pub fn may_have(&self, key: i64) -> bool {
        if !self.range.contains(&key) {
            return false;
        }
        let bit = self.bit(key);
        self.bits.get((bit / 64) as usize).is_some_and(|word| word >> (bit % 64) & 1 == 1)
    }

    /// Whether no number of a range is in the set.
    pub fn are_all_outside(&self, values: &RangeInclusive<i64>) -> bool {
        self.range.is_empty() || values.end() < self.range.start() || self.range.end() < values.start()
    }

    /// Which rows of `mask` (all where there is none) may have a key of the set.
    pub fn test<N: Copy + Into<i64>>(&self, values: &[N], mask: Option<&BooleanArray>) -> BooleanArray {
        let test = |row: usize| values.get(row).is_some_and(|value| self.may_have((*value).into()));
        let Some(mask) = mask else {
            return BooleanArray::new(BooleanBuffer::collect_bool(values.len(), test), None);
        };
        let mut passes = vec![false; values.len()];
        for row in mask.values().set_indices() {
            if let Some(place) = passes.get_mut(row) {
                *place = test(row);
            }
        }
        BooleanArray::from(passes)
    }

    /// The same for an array; `None` where its numbers may be wider than 64 bits, or there are none.
    pub fn test_array(&self, array: &ArrayRef, mask: Option<&BooleanArray>) -> Option<BooleanArray> {
        let passes = match array.data_type() {
            DataType::Int16 => self.test(array.as_primitive::<Int16Type>().values(), mask),
            DataType::Int32 => self.test(array.as_primitive::<Int32Type>().values(), mask),
            DataType::Int64 => self.test(array.as_primitive::<Int64Type>().values(), mask),
            DataType::UInt32 => self.test(array.as_primitive::<UInt32Type>().values(), mask),
            _ => return None,
        };
        Some(without_nulls(passes, array.logical_nulls().as_ref()))
    }
}

/// A NULL has no partner.
pub(crate) fn without_nulls(passes: BooleanArray, nulls: Option<&arrow::buffer::NullBuffer>) -> BooleanArray {
    match nulls {
        Some(nulls) => BooleanArray::new(passes.values() & nulls.inner(), None),
        None => passes,
    }
}

/// Whether an array's values can be keys of a set.
pub(crate) fn makes_keys(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::UInt32 | DataType::Decimal128(..)
    )
}

/// Appends the values of an array that are not NULL; false when one is wider than 64 bits.
fn append(array: &ArrayRef, keys: &mut Vec<i64>) -> bool {
    match array.data_type() {
        DataType::Int16 => keys.extend(array.as_primitive::<Int16Type>().iter().flatten().map(i64::from)),
        DataType::Int32 => keys.extend(array.as_primitive::<Int32Type>().iter().flatten().map(i64::from)),
        DataType::Int64 => keys.extend(array.as_primitive::<Int64Type>().iter().flatten()),
        DataType::UInt32 => keys.extend(array.as_primitive::<UInt32Type>().iter().flatten().map(i64::from)),
        DataType::Decimal128(..) => {
            for value in array.as_primitive::<Decimal128Type>().iter().flatten() {
                let Ok(value) = i64::try_from(value) else { return false };
                keys.push(value);
            }
        }
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Int32Array;
    use std::sync::Arc;

    fn assert_has(keys: &[i64]) -> KeySet {
        let set = KeySet::of(keys);
        assert!(keys.iter().all(|key| set.may_have(*key)), "{keys:?}");
        set
    }

    #[test]
    fn numbers_that_lie_close_together_are_told_apart() {
        let set = assert_has(&[-3, 5, 70_000]);
        assert!(set.shift.is_some() == (70_003 >= BITS_FREE));
        let set = assert_has(&[-3, 5, 60_000]);
        assert!((-10..60_010).all(|key| set.may_have(key) == [-3, 5, 60_000].contains(&key)));
    }

    #[test]
    fn numbers_that_lie_far_apart_are_hashed() {
        let keys: Vec<i64> = (0..10_000).map(|key: i64| key.wrapping_mul(0x1234_5678_9ABC_DEF1)).collect();
        let set = assert_has(&keys);
        let strangers = (0..10_000).filter(|key: &i64| set.may_have(key.wrapping_mul(0x0FED_CBA9_8765_4321))).count();
        assert!(strangers < 2_000, "{strangers}");
        assert_has(&[i64::MIN, i64::MAX]);
        assert_has(&[i64::MAX]);
    }

    #[test]
    fn no_keys_have_no_partners() {
        let set = KeySet::of(&[]);
        assert!(!set.may_have(0) && set.are_all_outside(&(i64::MIN..=i64::MAX)));
        let set = KeySet::of(&[4, 9]);
        assert!(set.are_all_outside(&(10..=12)) && set.are_all_outside(&(0..=3)) && !set.are_all_outside(&(3..=4)));
    }

    #[test]
    fn rows_that_are_out_or_null_do_not_pass() {
        let set = KeySet::of(&[0, 1, 2]);
        let array: ArrayRef = Arc::new(Int32Array::from(vec![Some(0), None, Some(2), Some(3)]));
        let passes = |mask: Option<Vec<bool>>| {
            let mask = mask.map(BooleanArray::from);
            let passes = set.test_array(&array, mask.as_ref()).unwrap();
            passes.values().iter().collect::<Vec<bool>>()
        };
        assert_eq!(passes(None), [true, false, true, false]);
        assert_eq!(passes(Some(vec![false, true, true, true])), [false, false, true, false]);
    }
}
