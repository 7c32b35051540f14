//! A time of day with an offset from UTC.

use std::cmp::Ordering;

use crate::calendar::{MICROS_PER_DAY, MICROS_PER_SECOND};

/// The offsets that PostgreSQL takes are smaller than this.
pub const OFFSET_SECONDS_END: i32 = 16 * 3600;

/// A value of `time with time zone`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimeTz {
    /// µs since midnight, 0 to 24 hours inclusive, as clocks there show it.
    pub micros: i64,
    /// As the wire form has it: what has to be added to get UTC.
    pub seconds_west: i32,
}

impl TimeTz {
    /// µs since midnight UTC, which may be below zero or beyond a day.
    pub fn utc_micros(self) -> i64 {
        self.micros + i64::from(self.seconds_west) * MICROS_PER_SECOND
    }

    /// The same moment with another offset.
    pub fn at_offset(self, seconds_west: i32) -> TimeTz {
        let micros = self.utc_micros() - i64::from(seconds_west) * MICROS_PER_SECOND;
        TimeTz { micros: micros.rem_euclid(MICROS_PER_DAY), seconds_west }
    }

    /// PostgreSQL's order: by the moment, then by the offset.
    pub fn compare(self, other: TimeTz) -> Ordering {
        self.utc_micros().cmp(&other.utc_micros()).then(self.seconds_west.cmp(&other.seconds_west))
    }
}
