//! Dates, times and intervals: arithmetic, parts, truncation, zones, construction, casts and the clock.
//!
//! Dates are days and timestamps µs since 2000-01-01; the two ends of their ranges are the infinities, which
//! pass through arithmetic unchanged.

mod arithmetic;
mod cast;
mod construct;
mod interval;
mod now;
mod overlaps;
mod part;
mod time_tz;
mod truncate;
mod unit;
mod zone;
mod zones;

pub(crate) use arithmetic::add_interval;
pub(crate) use cast::date_to_timestamp;
pub(crate) use interval::{divide_interval, multiply_interval};
pub(crate) use part::iso_week;

use nqdb_sqlstate::{DATETIME_FIELD_OVERFLOW, SqlError};

use crate::Function;

/// The tables of the modules below.
pub(crate) static TABLES: &[&[&[Function]]] = &[
    arithmetic::FUNCTIONS,
    cast::FUNCTIONS,
    construct::FUNCTIONS,
    interval::FUNCTIONS,
    now::FUNCTIONS,
    overlaps::FUNCTIONS,
    part::FUNCTIONS,
    time_tz::FUNCTIONS,
    truncate::FUNCTIONS,
    zone::FUNCTIONS,
    zones::FUNCTIONS,
];

/// 22008 with PostgreSQL's words, such as "timestamp out of range".
#[cold]
pub(crate) fn field_overflow(message: &str) -> SqlError {
    SqlError::new(DATETIME_FIELD_OVERFLOW, message)
}
