//! The accumulator of `sum(numeric)` and `avg(numeric)`.
//!
//! Money columns have one scale and small coefficients: those are summed in an `i128`, which 10^20 of them
//! cannot overflow. What does not fit goes to a `BigInt`. Specials are counted, not summed, so that a
//! moving window can take values out again.

use std::cmp::Ordering;

use nqdb_sqlstate::SqlResult;
use num_bigint::BigInt;

use super::{Numeric, Parts, digits};

/// A running sum.
#[derive(Clone, Debug, Default)]
pub struct NumericSum {
    /// Values that are in it, NaN and infinities too.
    count: i64,
    /// Sum of what was small, at `small_scale`.
    small: i128,
    small_scale: u16,
    /// Sum of everything else, at `large_scale`.
    large: Option<BigInt>,
    large_scale: u16,
    nan_count: i64,
    infinity_count: i64,
    negative_infinity_count: i64,
    /// The largest scale of any value, which the sum shows, and how many have it.
    scale_max: u16,
    scale_max_count: i64,
}

impl NumericSum {
    pub fn new() -> NumericSum {
        NumericSum::default()
    }

    /// Adds a value.
    pub fn add(&mut self, value: &Numeric) {
        self.count += 1;
        if let Some(scale) = value.scale() {
            self.note_scale(scale, 1);
        }
        self.apply(value, 1);
    }

    /// Takes out a value that was added before.
    ///
    /// `false` when the sum has to be computed anew: the value was the last one of the largest scale, and
    /// which scale is the next one is not known.
    #[must_use]
    pub fn remove(&mut self, value: &Numeric) -> bool {
        if value.scale().is_some_and(|scale| scale == self.scale_max) {
            if self.scale_max_count == 1 && self.scale_max > 0 && self.count > 1 {
                return false;
            }
            self.scale_max_count -= 1;
        }
        self.count -= 1;
        if self.count == 0 {
            *self = NumericSum::new();
        } else {
            self.apply(value, -1);
        }
        true
    }

    /// Adds what another accumulator has seen.
    pub fn merge(&mut self, other: &NumericSum) {
        self.count += other.count;
        self.nan_count += other.nan_count;
        self.infinity_count += other.infinity_count;
        self.negative_infinity_count += other.negative_infinity_count;
        self.note_scale(other.scale_max, other.scale_max_count);
        self.apply_small(other.small, other.small_scale);
        if let Some(large) = &other.large {
            self.add_large(large.clone(), other.large_scale);
        }
    }

    /// Values in the sum.
    pub fn count(&self) -> i64 {
        self.count
    }

    /// The sum, `None` of no values; 22003 when it is too long.
    pub fn sum(&self) -> SqlResult<Option<Numeric>> {
        if self.count == 0 {
            return Ok(None);
        }
        if self.nan_count > 0 || (self.infinity_count > 0 && self.negative_infinity_count > 0) {
            return Ok(Some(Numeric::NAN));
        }
        if self.infinity_count > 0 {
            return Ok(Some(Numeric::INFINITY));
        }
        if self.negative_infinity_count > 0 {
            return Ok(Some(Numeric::NEGATIVE_INFINITY));
        }
        let scale = i64::from(self.scale_max);
        let small = digits::rescale(BigInt::from(self.small), i64::from(self.small_scale), scale);
        let total = match &self.large {
            Some(large) => small + digits::rescale(large.clone(), i64::from(self.large_scale), scale),
            None => small,
        };
        Numeric::from_bigint(total, u32::from(self.scale_max)).map(Some)
    }

    /// The mean with the digits of a division, `None` of no values; 22003 when it is too long.
    pub fn average(&self) -> SqlResult<Option<Numeric>> {
        match self.sum()? {
            Some(sum) => sum.div(&Numeric::from(self.count)).map(Some),
            None => Ok(None),
        }
    }

    fn note_scale(&mut self, scale: u16, count: i64) {
        match scale.cmp(&self.scale_max) {
            Ordering::Greater => (self.scale_max, self.scale_max_count) = (scale, count),
            Ordering::Equal => self.scale_max_count += count,
            Ordering::Less => {}
        }
    }

    fn apply(&mut self, value: &Numeric, direction: i64) {
        match value.parts() {
            Parts::Small(coefficient, scale) => {
                self.apply_small(i128::from(coefficient) * i128::from(direction), scale);
            }
            Parts::Large(coefficient, scale) => self.add_large(coefficient * direction, scale),
            Parts::NotANumber => self.nan_count += direction,
            Parts::Infinity => self.infinity_count += direction,
            Parts::NegativeInfinity => self.negative_infinity_count += direction,
        }
    }

    fn apply_small(&mut self, coefficient: i128, scale: u16) {
        if scale != self.small_scale && !self.align_small(scale) {
            self.add_large(BigInt::from(coefficient), scale);
            return;
        }
        let widened = digits::pow10_i128(u32::from(self.small_scale - scale))
            .and_then(|power| coefficient.checked_mul(power))
            .and_then(|widened| self.small.checked_add(widened));
        match widened {
            Some(sum) => self.small = sum,
            None => self.add_large(BigInt::from(coefficient), scale),
        }
    }

    /// Raises the scale of the small sum to at least the given one; `false` if the sum would not fit.
    fn align_small(&mut self, scale: u16) -> bool {
        if scale <= self.small_scale {
            return true;
        }
        let raised =
            digits::pow10_i128(u32::from(scale - self.small_scale)).and_then(|power| self.small.checked_mul(power));
        match raised {
            Some(small) => {
                self.small = small;
                self.small_scale = scale;
                true
            }
            None => false,
        }
    }

    fn add_large(&mut self, coefficient: BigInt, scale: u16) {
        let (sum, sum_scale) = match self.large.take() {
            Some(large) => {
                let common = i64::from(scale.max(self.large_scale));
                let sum = digits::rescale(large, i64::from(self.large_scale), common)
                    + digits::rescale(coefficient, i64::from(scale), common);
                (sum, common as u16)
            }
            None => (coefficient, scale),
        };
        self.large = Some(sum);
        self.large_scale = sum_scale;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numeric(text: &str) -> Numeric {
        text.parse().expect("a number")
    }

    fn sum_of(texts: &[&str]) -> NumericSum {
        let mut sum = NumericSum::new();
        texts.iter().for_each(|text| sum.add(&numeric(text)));
        sum
    }

    fn shown(sum: &NumericSum) -> Option<String> {
        sum.sum().expect("fits").map(|value| value.to_string())
    }

    #[test]
    fn a_sum_has_the_largest_scale_and_any_size() {
        assert_eq!(shown(&sum_of(&[])), None);
        assert_eq!(shown(&sum_of(&["1.5", "2.250", "-3"])).as_deref(), Some("0.750"));
        assert_eq!(shown(&sum_of(&["9223372036854775807"; 3])).as_deref(), Some("27670116110564327421"));
        assert_eq!(
            shown(&sum_of(&["1e100", "0.00000000000000000000000000000000000000000001", "-1e100"])).as_deref(),
            Some("0.00000000000000000000000000000000000000000001")
        );
        assert_eq!(
            sum_of(&["1", "2"]).average().expect("fits").map(|value| value.to_string()).as_deref(),
            Some("1.5000000000000000")
        );
    }

    #[test]
    fn specials_decide_and_can_leave_again() {
        let mut sum = sum_of(&["1", "Infinity", "-Infinity"]);
        assert_eq!(shown(&sum).as_deref(), Some("NaN"));
        assert!(sum.remove(&numeric("-Infinity")));
        assert_eq!(shown(&sum).as_deref(), Some("Infinity"));
        assert!(sum.remove(&numeric("Infinity")));
        assert_eq!(shown(&sum).as_deref(), Some("1"));
    }

    #[test]
    fn the_last_value_of_the_largest_scale_cannot_leave() {
        let mut sum = sum_of(&["1.25", "1.5"]);
        assert!(!sum.remove(&numeric("1.25")));
        assert_eq!(shown(&sum).as_deref(), Some("2.75"));
        assert!(sum.remove(&numeric("1.5")));
        assert!(sum.remove(&numeric("1.25")));
        assert_eq!(shown(&sum), None);
    }

    #[test]
    fn parts_merge_into_the_same_sum() {
        let mut left = sum_of(&["0.1", "1e30"]);
        left.merge(&sum_of(&["0.20", "-1e30", "NaN"]));
        assert_eq!(left.count(), 5);
        assert_eq!(shown(&left).as_deref(), Some("NaN"));
        assert!(left.remove(&Numeric::NAN));
        assert_eq!(shown(&left).as_deref(), Some("0.30"));
    }
}
