//! `interval`: months, days and microseconds that are kept apart.
//!
//! They are kept apart because a month has no fixed number of days and a day, across a clock change, no
//! fixed number of hours. Only comparison needs one number: there a month is 30 days and a day 24 hours,
//! so `1 month` equals `30 days` though the two differ when added to a date.

use std::cmp::Ordering;

use nqdb_sqlstate::{DATETIME_FIELD_OVERFLOW, SqlError, SqlResult};

use crate::calendar::{DAYS_PER_MONTH, MICROS_PER_DAY};

/// A span of time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Interval {
    pub months: i32,
    pub days: i32,
    /// Microseconds.
    pub micros: i64,
}

impl Interval {
    pub const ZERO: Interval = Interval::new(0, 0, 0);

    pub const fn new(months: i32, days: i32, micros: i64) -> Interval {
        Interval { months, days, micros }
    }

    /// The length in microseconds that comparison uses: 30 days a month, 24 hours a day.
    pub fn comparison_value(&self) -> i128 {
        let days = i128::from(self.months) * i128::from(DAYS_PER_MONTH) + i128::from(self.days);
        days * i128::from(MICROS_PER_DAY) + i128::from(self.micros)
    }

    /// Whether all three fields are the same, which is stricter than equality: `1 month` is not `30 days`.
    pub fn is_identical(&self, other: &Interval) -> bool {
        (self.months, self.days, self.micros) == (other.months, other.days, other.micros)
    }

    /// Field by field; 22008 when one overflows.
    pub fn checked_add(&self, other: &Interval) -> SqlResult<Interval> {
        let sum = || {
            Some(Interval {
                months: self.months.checked_add(other.months)?,
                days: self.days.checked_add(other.days)?,
                micros: self.micros.checked_add(other.micros)?,
            })
        };
        sum().ok_or_else(out_of_range)
    }

    /// Field by field; 22008 when one overflows.
    pub fn checked_sub(&self, other: &Interval) -> SqlResult<Interval> {
        let difference = || {
            Some(Interval {
                months: self.months.checked_sub(other.months)?,
                days: self.days.checked_sub(other.days)?,
                micros: self.micros.checked_sub(other.micros)?,
            })
        };
        difference().ok_or_else(out_of_range)
    }

    /// Field by field; 22008 when one overflows.
    pub fn checked_neg(&self) -> SqlResult<Interval> {
        Interval::ZERO.checked_sub(self)
    }
}

/// "interval out of range" (22008).
pub(crate) fn out_of_range() -> SqlError {
    SqlError::new(DATETIME_FIELD_OVERFLOW, "interval out of range")
}

impl Ord for Interval {
    fn cmp(&self, other: &Interval) -> Ordering {
        self.comparison_value().cmp(&other.comparison_value())
    }
}

impl PartialOrd for Interval {
    fn partial_cmp(&self, other: &Interval) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Interval {
    fn eq(&self, other: &Interval) -> bool {
        self.comparison_value() == other.comparison_value()
    }
}

impl Eq for Interval {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_equals_thirty_days_but_is_not_identical() {
        let month = Interval::new(1, 0, 0);
        let days = Interval::new(0, 30, 0);
        assert_eq!(month, days);
        assert!(!month.is_identical(&days));
        assert!(Interval::new(0, 29, 23 * 3_600_000_000) < month);
    }

    #[test]
    fn the_extremes_compare_without_overflow() {
        let largest = Interval::new(i32::MAX, i32::MAX, i64::MAX);
        let smallest = Interval::new(i32::MIN, i32::MIN, i64::MIN);
        assert!(smallest < largest);
        assert_eq!(
            largest.checked_add(&Interval::new(1, 0, 0)).map_err(|error| error.code()),
            Err(DATETIME_FIELD_OVERFLOW)
        );
    }
}
