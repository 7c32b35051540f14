//! `timezone(zone, value)`, which is what AT TIME ZONE means.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, SqlError, SqlResult};
use nqdb_types::calendar::{MICROS_PER_SECOND, is_timestamp_finite, is_timestamp_in_range};
use nqdb_types::{Interval, TimeZone};

use super::arithmetic::timestamp_out_of_range;
use crate::Function;

pub(crate) static FUNCTIONS: &[&[Function]] = &[&TEXT_TIMESTAMP, &TEXT_ZONED, &INTERVAL_TIMESTAMP, &INTERVAL_ZONED];

/// The zone of that name, abbreviation or POSIX specification; 22023 if there is none.
pub(super) fn zone_by_name(name: &str) -> SqlResult<TimeZone> {
    TimeZone::from_abbreviation_or_name(name)
        .ok_or_else(|| SqlError::new(INVALID_PARAMETER_VALUE, format!("time zone \"{name}\" not recognized")))
}

fn zone_by_offset(interval: &Interval) -> SqlResult<TimeZone> {
    if interval.months != 0 || interval.days != 0 {
        return Err(SqlError::new(INVALID_PARAMETER_VALUE, "interval time zone must not include months or days"));
    }
    i32::try_from(interval.micros / MICROS_PER_SECOND).ok().and_then(TimeZone::fixed).ok_or_else(timestamp_out_of_range)
}

fn to_utc(zone: &TimeZone, local: i64) -> SqlResult<i64> {
    if !is_timestamp_finite(local) {
        return Ok(local);
    }
    Some(zone.local_to_utc(local)).filter(|utc| is_timestamp_in_range(*utc)).ok_or_else(timestamp_out_of_range)
}

fn to_local(zone: &TimeZone, utc: i64) -> SqlResult<i64> {
    if !is_timestamp_finite(utc) {
        return Ok(utc);
    }
    Some(zone.utc_to_local(utc)).filter(|local| is_timestamp_in_range(*local)).ok_or_else(timestamp_out_of_range)
}

#[sql_function("timezone(text, timestamp) -> timestamptz", oid = 2069)]
fn text_timestamp(zone: &str, local: i64) -> SqlResult<i64> {
    if !is_timestamp_finite(local) {
        return Ok(local);
    }
    to_utc(&zone_by_name(zone)?, local)
}

#[sql_function("timezone(text, timestamptz) -> timestamp", oid = 1159)]
fn text_zoned(zone: &str, utc: i64) -> SqlResult<i64> {
    if !is_timestamp_finite(utc) {
        return Ok(utc);
    }
    to_local(&zone_by_name(zone)?, utc)
}

#[sql_function("timezone(interval, timestamp) -> timestamptz", oid = 2070)]
fn interval_timestamp(offset: Interval, local: i64) -> SqlResult<i64> {
    if !is_timestamp_finite(local) {
        return Ok(local);
    }
    to_utc(&zone_by_offset(&offset)?, local)
}

#[sql_function("timezone(interval, timestamptz) -> timestamp", oid = 1026)]
fn interval_zoned(offset: Interval, utc: i64) -> SqlResult<i64> {
    if !is_timestamp_finite(utc) {
        return Ok(utc);
    }
    to_local(&zone_by_offset(&offset)?, utc)
}
