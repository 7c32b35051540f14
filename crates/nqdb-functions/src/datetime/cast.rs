//! Casts between dates, times, timestamps and intervals.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;
use nqdb_types::Interval;
use nqdb_types::calendar::{
    DATE_INFINITY, DATE_NEGATIVE_INFINITY, MICROS_PER_DAY, TIMESTAMP_INFINITY, TIMESTAMP_NEGATIVE_INFINITY,
    is_timestamp_finite, is_timestamp_in_range, timestamp_from_days,
};

use super::arithmetic::timestamp_out_of_range;
use super::field_overflow;
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &DATE_TIMESTAMP,
    &DATE_ZONED,
    &TIMESTAMP_DATE,
    &TIMESTAMP_TIME,
    &TIMESTAMP_ZONED,
    &ZONED_DATE,
    &ZONED_TIME,
    &ZONED_TIMESTAMP,
    &TIME_INTERVAL,
    &INTERVAL_TIME,
];

/// Midnight of a day; 22008 where timestamps do not reach.
pub(crate) fn date_to_timestamp(date: i32) -> SqlResult<i64> {
    match date {
        DATE_INFINITY => Ok(TIMESTAMP_INFINITY),
        DATE_NEGATIVE_INFINITY => Ok(TIMESTAMP_NEGATIVE_INFINITY),
        days => timestamp_from_days(days.into(), 0).ok_or_else(|| field_overflow("date out of range for timestamp")),
    }
}

/// The day of a local timestamp.
pub(super) fn timestamp_to_date(timestamp: i64) -> i32 {
    match timestamp {
        TIMESTAMP_INFINITY => DATE_INFINITY,
        TIMESTAMP_NEGATIVE_INFINITY => DATE_NEGATIVE_INFINITY,
        micros => micros.div_euclid(MICROS_PER_DAY) as i32,
    }
}

/// A local timestamp in the session's zone as UTC.
pub(super) fn to_utc(context: &FunctionContext<'_>, local: i64) -> SqlResult<i64> {
    if !is_timestamp_finite(local) {
        return Ok(local);
    }
    let utc = context.format.time_zone.local_to_utc(local);
    if is_timestamp_in_range(utc) { Ok(utc) } else { Err(timestamp_out_of_range()) }
}

/// A UTC timestamp as a local one of the session's zone.
pub(super) fn to_local(context: &FunctionContext<'_>, utc: i64) -> SqlResult<i64> {
    if !is_timestamp_finite(utc) {
        return Ok(utc);
    }
    let local = context.format.time_zone.utc_to_local(utc);
    if is_timestamp_in_range(local) { Ok(local) } else { Err(timestamp_out_of_range()) }
}

#[sql_function("timestamp(date) -> timestamp", oid = 2024)]
fn date_timestamp(date: i32) -> SqlResult<i64> {
    date_to_timestamp(date)
}

#[sql_function("timestamptz(date) -> timestamptz", oid = 1174, stable)]
fn date_zoned(context: &mut FunctionContext<'_>, date: i32) -> SqlResult<i64> {
    to_utc(context, date_to_timestamp(date)?).map_err(|_| field_overflow("date out of range for timestamp"))
}

#[sql_function("date(timestamp) -> date", oid = 2029)]
fn timestamp_date(timestamp: i64) -> i32 {
    timestamp_to_date(timestamp)
}

/// The time of day; infinities have none.
#[sql_function("time(timestamp) -> time", oid = 1316)]
fn timestamp_time(timestamp: i64) -> Option<i64> {
    is_timestamp_finite(timestamp).then(|| timestamp.rem_euclid(MICROS_PER_DAY))
}

#[sql_function("timestamptz(timestamp) -> timestamptz", oid = 2028, stable)]
fn timestamp_zoned(context: &mut FunctionContext<'_>, timestamp: i64) -> SqlResult<i64> {
    to_utc(context, timestamp)
}

#[sql_function("date(timestamptz) -> date", oid = 1178, stable)]
fn zoned_date(context: &mut FunctionContext<'_>, timestamp: i64) -> SqlResult<i32> {
    Ok(timestamp_to_date(to_local(context, timestamp)?))
}

#[sql_function("time(timestamptz) -> time", oid = 2019, stable)]
fn zoned_time(context: &mut FunctionContext<'_>, timestamp: i64) -> SqlResult<Option<i64>> {
    Ok(timestamp_time(to_local(context, timestamp)?))
}

#[sql_function("timestamp(timestamptz) -> timestamp", oid = 2027, stable)]
fn zoned_timestamp(context: &mut FunctionContext<'_>, timestamp: i64) -> SqlResult<i64> {
    to_local(context, timestamp)
}

#[sql_function("interval(time) -> interval", oid = 1370)]
fn time_interval(time: i64) -> Interval {
    Interval::new(0, 0, time)
}

/// The time within the day; whole days, days and months are left out.
#[sql_function("time(interval) -> time", oid = 1419)]
fn interval_time(interval: Interval) -> i64 {
    interval.micros.rem_euclid(MICROS_PER_DAY)
}
