//! The values of one column of a segment, in little room.
//!
//! ```text
//! integers, dates, times, oids,     the narrowest of i8 i16 i32 i64 that holds all of them, with their least and
//! decimals of one scale             greatest one
//! texts of few different values     one byte each, which chooses from an array of the values
//! all others                        their array
//! ```
//!
//! What always holds:
//!
//! 1. [`Packed::array`] gives the array that was packed: the same type, values and NULLs.
//! 2. `bounds` are those of all values that are not NULL; they are there only if a value is.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray, StringViewArray, UInt32Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::{filter, take};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Decimal128Type, Int16Type, Int32Type, Int64Type, UInt32Type};
use foldhash::fast::RandomState;

use crate::expression::Comparison;
use crate::failure::{Failure, Outcome};
use crate::join_keys::{KeySet, without_nulls};

/// Different texts of a column that are told apart by one byte.
const DICTIONARY_LEN_MAX: usize = 256;

/// A column's values.
pub(crate) struct Packed {
    values: Values,
    nulls: Option<NullBuffer>,
    data_type: DataType,
    bounds: Option<RangeInclusive<i64>>,
}

enum Values {
    Bytes(Box<[i8]>),
    Shorts(Box<[i16]>),
    Words(Box<[i32]>),
    Longs(Box<[i64]>),
    /// Numbers of values in the dictionary.
    Dictionary(Box<[u8]>, ArrayRef),
    Array(ArrayRef),
}

impl Packed {
    pub fn new(array: &ArrayRef) -> Packed {
        let values = match array.data_type() {
            DataType::Int16 => numbers::<Int16Type>(array),
            DataType::Int32 => numbers::<Int32Type>(array),
            DataType::Int64 => numbers::<Int64Type>(array),
            DataType::UInt32 => numbers::<UInt32Type>(array),
            DataType::Decimal128(..) => numbers::<Decimal128Type>(array),
            DataType::Utf8View => dictionary(array).map(|values| (values, None)),
            _ => None,
        };
        let (values, bounds) = values.unwrap_or_else(|| (Values::Array(array.clone()), None));
        Packed { values, nulls: array.nulls().cloned(), data_type: array.data_type().clone(), bounds }
    }

    /// The least and the greatest value, as the numbers that lie in the array. `None` where that is not known.
    pub fn bounds(&self) -> Option<&RangeInclusive<i64>> {
        self.bounds.as_ref()
    }

    /// Bytes that it holds.
    pub fn size_bytes(&self) -> usize {
        let values = match &self.values {
            Values::Bytes(values) => values.len(),
            Values::Shorts(values) => values.len() * 2,
            Values::Words(values) => values.len() * 4,
            Values::Longs(values) => values.len() * 8,
            Values::Dictionary(places, texts) => places.len() + texts.get_array_memory_size(),
            Values::Array(array) => array.get_array_memory_size(),
        };
        size_of::<Packed>() + values + self.nulls.as_ref().map_or(0, |nulls| nulls.buffer().len())
    }

    /// The array that was packed.
    pub fn array(&self) -> Outcome<ArrayRef> {
        match &self.values {
            Values::Bytes(values) => self.widened(values),
            Values::Shorts(values) => self.widened(values),
            Values::Words(values) => self.widened(values),
            Values::Longs(values) => self.widened(values),
            Values::Dictionary(places, texts) => {
                let places = places.iter().map(|place| u32::from(*place)).collect();
                let places = UInt32Array::new(places, self.nulls.clone());
                take(texts, &places, None).map_err(Failure::from)
            }
            Values::Array(array) => Ok(array.clone()),
        }
    }

    /// The values of some rows, as [`Packed::array`] has them.
    pub fn chosen(&self, mask: &BooleanArray) -> Outcome<ArrayRef> {
        match &self.values {
            Values::Bytes(values) => self.widened_where(values, mask),
            Values::Shorts(values) => self.widened_where(values, mask),
            Values::Words(values) => self.widened_where(values, mask),
            Values::Longs(values) => self.widened_where(values, mask),
            Values::Dictionary(places, texts) => {
                let chosen = mask.values().set_indices().filter_map(|row| places.get(row));
                let chosen: Vec<u32> = chosen.map(|place| u32::from(*place)).collect();
                let places = UInt32Array::new(chosen.into(), self.chosen_nulls(mask)?);
                take(texts, &places, None).map_err(Failure::from)
            }
            Values::Array(array) => filter(array, mask).map_err(Failure::from),
        }
    }

    fn chosen_nulls(&self, mask: &BooleanArray) -> Outcome<Option<NullBuffer>> {
        let Some(nulls) = &self.nulls else { return Ok(None) };
        let valid = filter(&BooleanArray::new(nulls.inner().clone(), None), mask)?;
        Ok(Some(NullBuffer::new(valid.as_boolean().values().clone())))
    }

    /// Which values compare so with a number; NULL does not. `None` where the column does not hold narrow numbers.
    pub fn compare(&self, comparison: Comparison, constant: i128) -> Option<BooleanArray> {
        let passes = match &self.values {
            Values::Bytes(values) => compared(values, comparison, constant),
            Values::Shorts(values) => compared(values, comparison, constant),
            Values::Words(values) => compared(values, comparison, constant),
            Values::Longs(values) => compared(values, comparison, constant),
            Values::Dictionary(..) | Values::Array(_) => return None,
        };
        Some(without_nulls(passes, self.nulls.as_ref()))
    }

    /// Which rows of `mask` may have a key of a join; `None` where the column does not hold numbers.
    pub fn among(&self, keys: &KeySet, mask: Option<&BooleanArray>) -> Option<BooleanArray> {
        let passes = match &self.values {
            Values::Bytes(values) => keys.test(values, mask),
            Values::Shorts(values) => keys.test(values, mask),
            Values::Words(values) => keys.test(values, mask),
            Values::Longs(values) => keys.test(values, mask),
            Values::Dictionary(..) | Values::Array(_) => return None,
        };
        Some(without_nulls(passes, self.nulls.as_ref()))
    }

    /// The different texts of a column that has few of them, and no NULL.
    pub fn different_values(&self) -> Option<&ArrayRef> {
        match &self.values {
            Values::Dictionary(_, texts) if self.nulls.is_none() => Some(texts),
            _ => None,
        }
    }

    /// The rows whose value is one of those [`Packed::different_values`] that are chosen.
    pub fn where_value(&self, chosen: &BooleanArray) -> Option<BooleanArray> {
        let Values::Dictionary(places, _) = &self.values else { return None };
        let mut passes = [false; DICTIONARY_LEN_MAX];
        for (place, chosen) in passes.iter_mut().zip(chosen.values()) {
            *place = chosen;
        }
        let test = |row: usize| places.get(row).is_some_and(|place| passes[usize::from(*place)]);
        Some(BooleanArray::new(BooleanBuffer::collect_bool(places.len(), test), None))
    }

    fn widened_where<N: Copy + Into<i64>>(&self, values: &[N], mask: &BooleanArray) -> Outcome<ArrayRef> {
        let chosen = mask.values().set_indices().filter_map(|row| values.get(row).copied());
        self.wide(chosen, self.chosen_nulls(mask)?)
    }

    fn widened<N: Copy + Into<i64>>(&self, values: &[N]) -> Outcome<ArrayRef> {
        self.wide(values.iter().copied(), self.nulls.clone())
    }

    fn wide<N: Into<i64>>(&self, values: impl Iterator<Item = N>, nulls: Option<NullBuffer>) -> Outcome<ArrayRef> {
        // What was narrowed from a type fits it again.
        let wide = values.map(Into::into);
        let array: ArrayRef = match &self.data_type {
            DataType::Int16 => self.primitive::<Int16Type>(wide.map(|value: i64| value as i16).collect(), nulls),
            DataType::Int32 => self.primitive::<Int32Type>(wide.map(|value: i64| value as i32).collect(), nulls),
            DataType::UInt32 => self.primitive::<UInt32Type>(wide.map(|value: i64| value as u32).collect(), nulls),
            DataType::Int64 => self.primitive::<Int64Type>(wide.collect(), nulls),
            _ => self.primitive::<Decimal128Type>(wide.map(i128::from).collect(), nulls),
        };
        Ok(array)
    }

    fn primitive<T: ArrowPrimitiveType>(&self, values: Vec<T::Native>, nulls: Option<NullBuffer>) -> ArrayRef {
        let array = PrimitiveArray::<T>::new(values.into(), nulls);
        Arc::new(array.with_data_type(self.data_type.clone()))
    }
}

/// Compares narrow numbers with one that may be wider than they can be.
fn compared<N: Copy + PartialOrd + TryFrom<i128>>(
    values: &[N],
    comparison: Comparison,
    constant: i128,
) -> BooleanArray {
    let Ok(constant) = N::try_from(constant) else {
        // It is beyond all of them, on the same side as of 0.
        let passes = comparison.holds(0, constant);
        return BooleanArray::from(vec![passes; values.len()]);
    };
    let passes = match comparison {
        Comparison::Less => collected(values, |value| value < constant),
        Comparison::LessEqual => collected(values, |value| value <= constant),
        Comparison::Equal => collected(values, |value| value == constant),
        Comparison::NotEqual => collected(values, |value| value != constant),
        Comparison::GreaterEqual => collected(values, |value| value >= constant),
        Comparison::Greater => collected(values, |value| value > constant),
    };
    BooleanArray::new(passes, None)
}

fn collected<N: Copy>(values: &[N], test: impl Fn(N) -> bool) -> BooleanBuffer {
    BooleanBuffer::collect_bool(values.len(), |row| values.get(row).is_some_and(|value| test(*value)))
}

/// Numbers in the narrowest form that holds them all; `None` where one needs more than 64 bits.
fn numbers<T: ArrowPrimitiveType>(array: &ArrayRef) -> Option<(Values, Option<RangeInclusive<i64>>)>
where
    T::Native: TryInto<i64>,
{
    let array = array.as_primitive::<T>();
    let mut longs = Vec::with_capacity(array.len());
    let (mut least, mut greatest) = (i64::MAX, i64::MIN);
    for (row, value) in array.values().iter().enumerate() {
        if array.is_null(row) {
            longs.push(0);
            continue;
        }
        let value: i64 = (*value).try_into().ok()?;
        (least, greatest) = (least.min(value), greatest.max(value));
        longs.push(value);
    }
    let bounds = (least <= greatest).then_some(least..=greatest);
    // A NULL's place holds 0.
    let (least, greatest) = if array.null_count() > 0 { (least.min(0), greatest.max(0)) } else { (least, greatest) };
    let fits = |low: i64, high: i64| low <= least && greatest <= high;
    let values = if fits(i8::MIN.into(), i8::MAX.into()) {
        Values::Bytes(longs.into_iter().map(|value| value as i8).collect())
    } else if fits(i16::MIN.into(), i16::MAX.into()) {
        Values::Shorts(longs.into_iter().map(|value| value as i16).collect())
    } else if fits(i32::MIN.into(), i32::MAX.into()) {
        Values::Words(longs.into_iter().map(|value| value as i32).collect())
    } else {
        Values::Longs(longs.into())
    };
    Some((values, bounds))
}

/// Texts as places in an array of their different values; `None` where these are too many.
fn dictionary(array: &ArrayRef) -> Option<Values> {
    let texts = array.as_string_view();
    let mut places: HashMap<&str, u8, RandomState> = HashMap::default();
    let mut different: Vec<&str> = Vec::new();
    let mut numbers = Vec::with_capacity(texts.len());
    for text in texts {
        let Some(text) = text else {
            numbers.push(0);
            continue;
        };
        let place = match places.get(text) {
            Some(place) => *place,
            None if different.len() < DICTIONARY_LEN_MAX => {
                let place = different.len() as u8;
                different.push(text);
                places.insert(text, place);
                place
            }
            None => return None,
        };
        numbers.push(place);
    }
    if different.is_empty() {
        // All NULL: places need an array to point into.
        different.push("");
    }
    let mut values = StringViewArray::from_iter_values(different);
    values = values.gc();
    Some(Values::Dictionary(numbers.into(), Arc::new(values)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{BooleanArray, Decimal128Array, Int16Array, Int32Array, Int64Array};

    fn packed(array: impl Array + 'static) -> Packed {
        let array: ArrayRef = Arc::new(array);
        let packed = Packed::new(&array);
        assert_eq!(&packed.array().unwrap(), &array);
        let mask = BooleanArray::from((0..array.len()).map(|row| row % 2 == 1).collect::<Vec<bool>>());
        assert_eq!(&packed.chosen(&mask).unwrap(), &filter(&array, &mask).unwrap());
        packed
    }

    #[test]
    fn packed_numbers_compare_with_any_number() {
        let values = vec![Some(-5), None, Some(0), Some(7)];
        let packed = packed(Int64Array::from(values.clone()));
        let all = [
            Comparison::Less,
            Comparison::LessEqual,
            Comparison::Equal,
            Comparison::NotEqual,
            Comparison::GreaterEqual,
            Comparison::Greater,
        ];
        for comparison in all {
            for constant in [-1_000_000, -6, -5, 0, 3, 7, 8, 200, i128::MAX, i128::MIN] {
                let passes = packed.compare(comparison, constant).unwrap();
                let expected: Vec<bool> = values
                    .iter()
                    .map(|value| value.is_some_and(|value: i64| comparison.holds(i128::from(value), constant)))
                    .collect();
                assert_eq!(passes, BooleanArray::from(expected), "{comparison:?} {constant}");
            }
        }
    }

    #[test]
    fn a_test_of_different_texts_is_one_of_all_rows() {
        let packed = packed(StringViewArray::from(vec!["a", "b", "a", "c"]));
        let texts = packed.different_values().unwrap().as_string_view().clone();
        let chosen = BooleanArray::from(texts.iter().map(|text| text != Some("b")).collect::<Vec<bool>>());
        assert_eq!(packed.where_value(&chosen), Some(BooleanArray::from(vec![true, false, true, true])));
    }

    #[test]
    fn arrays_come_back_as_they_were() {
        packed(Int16Array::from(vec![Some(i16::MIN), None, Some(i16::MAX)]));
        packed(Int32Array::from(vec![Some(5), None]));
        packed(Int32Array::from(vec![i32::MIN, i32::MAX]));
        packed(Int64Array::from(vec![i64::MIN, 0, i64::MAX]));
        packed(UInt32Array::from(vec![0, u32::MAX]));
        packed(Int64Array::from(Vec::<Option<i64>>::from([None, None])));
        packed(Int64Array::from(Vec::<i64>::new()));
        packed(BooleanArray::from(vec![Some(true), None, Some(false)]));
        packed(StringViewArray::from(vec![Some("a"), None, Some("a text of more than twelve bytes"), Some("")]));
        packed(StringViewArray::from(vec![None::<&str>, None]));
        packed(StringViewArray::from_iter_values((0..300).map(|number| number.to_string())));
        let decimals =
            |values: Vec<Option<i128>>| Decimal128Array::from(values).with_precision_and_scale(38, 2).unwrap();
        packed(decimals(vec![Some(-5), None, Some(70_000)]));
        packed(decimals(vec![Some(crate::shape::DECIMAL_NAN), Some(1), None]));
    }

    #[test]
    fn numbers_take_as_much_room_as_they_need() {
        let size = |greatest: i64| packed(Int64Array::from(vec![greatest; 1000])).size_bytes();
        let base = size_of::<Packed>();
        assert_eq!([100, 1000, 100_000, 1 << 40].map(size), [base + 1000, base + 2000, base + 4000, base + 8000]);
    }

    #[test]
    fn bounds_leave_nulls_out() {
        assert_eq!(packed(Int32Array::from(vec![Some(7), None, Some(9)])).bounds(), Some(&(7..=9)));
        assert_eq!(packed(Int32Array::from(vec![None::<i32>, None])).bounds(), None);
        assert_eq!(packed(StringViewArray::from(vec!["a"])).bounds(), None);
    }
}
