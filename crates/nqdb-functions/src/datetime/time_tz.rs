//! `time with time zone`: arithmetic, casts, zones.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, SqlError, SqlResult};
use nqdb_types::calendar::{
    MICROS_PER_DAY, MICROS_PER_SECOND, TIMESTAMP_INFINITY, TIMESTAMP_NEGATIVE_INFINITY, is_date_finite,
    is_timestamp_finite, is_timestamp_in_range,
};
use nqdb_types::{Interval, TimeTz};

use super::cast::date_to_timestamp;
use super::field_overflow;
use super::zone::zone_by_name;
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &PLUS_INTERVAL,
    &INTERVAL_PLUS,
    &MINUS_INTERVAL,
    &DATE_PLUS,
    &PLUS_DATE,
    &OF_TIME,
    &OF_TIMESTAMPTZ,
    &TO_TIME,
    &SCALED,
    &IN_ZONE,
    &AT_OFFSET,
    &COMPARE,
    &LARGER,
    &SMALLER,
];

fn moved(time: TimeTz, micros: i64) -> TimeTz {
    TimeTz { micros: (time.micros + micros % MICROS_PER_DAY).rem_euclid(MICROS_PER_DAY), ..time }
}

#[sql_function("timetz_pl_interval(timetz, interval) -> timetz", oid = 1749)]
fn plus_interval(time: TimeTz, interval: Interval) -> TimeTz {
    moved(time, interval.micros)
}

#[sql_function("interval_pl_timetz(interval, timetz) -> timetz", oid = 2547)]
fn interval_plus(interval: Interval, time: TimeTz) -> TimeTz {
    moved(time, interval.micros)
}

#[sql_function("timetz_mi_interval(timetz, interval) -> timetz", oid = 1750)]
fn minus_interval(time: TimeTz, interval: Interval) -> TimeTz {
    moved(time, -(interval.micros % MICROS_PER_DAY))
}

/// The moment of a day at which clocks at the offset show the time.
fn at_time(date: i32, time: TimeTz) -> SqlResult<i64> {
    if !is_date_finite(date) {
        return Ok(if date < 0 { TIMESTAMP_NEGATIVE_INFINITY } else { TIMESTAMP_INFINITY });
    }
    let midnight = date_to_timestamp(date)?;
    let utc = midnight.checked_add(time.utc_micros()).filter(|utc| is_timestamp_in_range(*utc));
    utc.ok_or_else(|| field_overflow("date out of range for timestamp"))
}

#[sql_function("datetimetz_pl(date, timetz) -> timestamptz", oid = 1297, alias("timestamptz", oid = 1359))]
fn date_plus(date: i32, time: TimeTz) -> SqlResult<i64> {
    at_time(date, time)
}

#[sql_function("timetzdate_pl(timetz, date) -> timestamptz", oid = 1298)]
fn plus_date(time: TimeTz, date: i32) -> SqlResult<i64> {
    at_time(date, time)
}

/// With the offset that the session's zone has today at that time.
#[sql_function("timetz(time) -> timetz", oid = 2047, stable)]
fn of_time(context: &mut FunctionContext<'_>, time: i64) -> TimeTz {
    let zone = &context.format.time_zone;
    let today = zone.utc_to_local(context.transaction_time_micros).div_euclid(MICROS_PER_DAY) * MICROS_PER_DAY;
    TimeTz { micros: time, seconds_west: -zone.seconds_east_at_local(today + time) }
}

/// The session's clock at that moment; infinities have none.
#[sql_function("timetz(timestamptz) -> timetz", oid = 1388, stable)]
fn of_timestamptz(context: &mut FunctionContext<'_>, timestamp: i64) -> Option<TimeTz> {
    if !is_timestamp_finite(timestamp) {
        return None;
    }
    let seconds_east = context.format.time_zone.seconds_east_at_utc(timestamp);
    let local = timestamp.saturating_add(i64::from(seconds_east) * MICROS_PER_SECOND);
    Some(TimeTz { micros: local.rem_euclid(MICROS_PER_DAY), seconds_west: -seconds_east })
}

#[sql_function("time(timetz) -> time", oid = 2046)]
fn to_time(time: TimeTz) -> i64 {
    time.micros
}

/// What rounds a time to its type's precision.
#[sql_function("timetz(timetz, int4) -> timetz", oid = 1969)]
fn scaled(time: TimeTz, digits: i32) -> SqlResult<TimeTz> {
    let ty = nqdb_types::Type::with_typmod(nqdb_types::oid::TIMETZ, digits);
    match nqdb_types::apply_typmod(nqdb_types::Datum::TimeTz(time), ty, true)? {
        nqdb_types::Datum::TimeTz(rounded) => Ok(rounded),
        other => Err(SqlError::internal(format!("{other:?} is no time with time zone"))),
    }
}

/// The same moment by the clocks of a zone, as they are now.
#[sql_function("timezone(text, timetz) -> timetz", oid = 2037, stable)]
fn in_zone(context: &mut FunctionContext<'_>, zone: &str, time: TimeTz) -> SqlResult<TimeTz> {
    let zone = zone_by_name(zone)?;
    Ok(time.at_offset(-zone.seconds_east_at_utc(context.transaction_time_micros)))
}

#[sql_function("timezone(interval, timetz) -> timetz", oid = 2038)]
fn at_offset(offset: Interval, time: TimeTz) -> SqlResult<TimeTz> {
    if offset.months != 0 || offset.days != 0 {
        let message = "interval time zone must not include months or days";
        return Err(SqlError::new(INVALID_PARAMETER_VALUE, message));
    }
    let seconds_east = i32::try_from(offset.micros / MICROS_PER_SECOND)
        .map_err(|_| SqlError::new(INVALID_PARAMETER_VALUE, "interval time zone is out of range"))?;
    Ok(time.at_offset(-seconds_east))
}

#[sql_function("timetz_cmp(timetz, timetz) -> int4", oid = 1358)]
fn compare(a: TimeTz, b: TimeTz) -> i32 {
    a.compare(b) as i32
}

#[sql_function("timetz_larger(timetz, timetz) -> timetz", oid = 1379)]
fn larger(a: TimeTz, b: TimeTz) -> TimeTz {
    if a.compare(b).is_gt() { a } else { b }
}

#[sql_function("timetz_smaller(timetz, timetz) -> timetz", oid = 1380)]
fn smaller(a: TimeTz, b: TimeTz) -> TimeTz {
    if a.compare(b).is_lt() { a } else { b }
}
