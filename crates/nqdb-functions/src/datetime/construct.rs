//! Dates, times and intervals out of their parts.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, SqlError, SqlResult};
use nqdb_types::calendar::{
    MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, UNIX_EPOCH_MICROS, date_from_civil, is_timestamp_in_range,
    timestamp_from_days,
};
use nqdb_types::{Interval, TimeZone, numeric_zone};

use super::field_overflow;
use super::zone::zone_by_name;
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] =
    &[&MAKE_DATE, &MAKE_TIME, &MAKE_TIMESTAMP, &MAKE_ZONED, &MAKE_IN_ZONE, &MAKE_INTERVAL, &FROM_UNIX_TIME];

/// A negative year is BC; there is no year 0.
fn date(year: i32, month: i32, day: i32) -> SqlResult<i32> {
    let astronomical = if year < 0 { year.checked_add(1) } else { Some(year) };
    astronomical
        .filter(|_| year != 0)
        .and_then(|year| date_from_civil(year, month, day))
        .ok_or_else(|| field_overflow(&format!("date field value out of range: {year}-{month:02}-{day:02}")))
}

/// 24:00:00 and a 60th second are allowed.
fn time(hour: i32, minute: i32, seconds: f64) -> SqlResult<i64> {
    let fits = (0..=24).contains(&hour) && (0..60).contains(&minute) && (0.0..=60.0).contains(&seconds);
    let micros = i64::from(hour) * MICROS_PER_HOUR
        + i64::from(minute) * MICROS_PER_MINUTE
        + (seconds * 1_000_000.0).round_ties_even() as i64;
    if !fits || micros > 24 * MICROS_PER_HOUR {
        let message = format!("time field value out of range: {hour}:{minute:02}:{}", two_digits(seconds));
        return Err(field_overflow(&message));
    }
    Ok(micros)
}

/// Seconds with at least two characters, as C's `%02g` writes small ones.
fn two_digits(seconds: f64) -> String {
    let text = seconds.to_string();
    if text.len() < 2 { format!("0{text}") } else { text }
}

#[sql_function("make_date(year int4, month int4, day int4) -> date", oid = 3846)]
fn make_date(year: i32, month: i32, day: i32) -> SqlResult<i32> {
    date(year, month, day)
}

#[sql_function("make_time(hour int4, min int4, sec float8) -> time", oid = 3847)]
fn make_time(hour: i32, minute: i32, seconds: f64) -> SqlResult<i64> {
    time(hour, minute, seconds)
}

#[sql_function(
    "make_timestamp(year int4, month int4, mday int4, hour int4, min int4, sec float8) -> timestamp",
    oid = 3461
)]
fn make_timestamp(year: i32, month: i32, day: i32, hour: i32, minute: i32, seconds: f64) -> SqlResult<i64> {
    let (days, micros) = (date(year, month, day)?, time(hour, minute, seconds)?);
    timestamp_from_days(days.into(), micros).ok_or_else(|| {
        let seconds = two_digits(seconds);
        field_overflow(&format!("timestamp out of range: {year}-{month:02}-{day:02} {hour}:{minute:02}:{seconds}"))
    })
}

fn make_in(zone: &TimeZone, local: i64) -> SqlResult<i64> {
    let utc = zone.local_to_utc(local);
    if is_timestamp_in_range(utc) { Ok(utc) } else { Err(field_overflow("timestamp out of range")) }
}

#[sql_function(
    "make_timestamptz(year int4, month int4, mday int4, hour int4, min int4, sec float8) -> timestamptz",
    oid = 3462,
    stable
)]
fn make_zoned(
    context: &mut FunctionContext<'_>,
    year: i32,
    month: i32,
    day: i32,
    hour: i32,
    minute: i32,
    seconds: f64,
) -> SqlResult<i64> {
    make_in(&context.format.time_zone, make_timestamp(year, month, day, hour, minute, seconds)?)
}

#[sql_function(
    "make_timestamptz(year int4, month int4, mday int4, hour int4, min int4, sec float8, timezone text) -> timestamptz",
    oid = 3463,
    stable
)]
fn make_in_zone(year: i32, month: i32, day: i32, hour: i32, minute: i32, seconds: f64, zone: &str) -> SqlResult<i64> {
    let local = make_timestamp(year, month, day, hour, minute, seconds)?;
    if zone.starts_with(|first: char| first.is_ascii_digit()) {
        let message = format!("invalid input syntax for type numeric time zone: \"{zone}\"");
        return Err(SqlError::new(INVALID_PARAMETER_VALUE, message)
            .with_hint("Numeric time zones must have \"-\" or \"+\" as first character."));
    }
    // Here a number counts as in timestamps, east of Greenwich.
    let zone = match numeric_zone(zone)? {
        Some(seconds_east) => TimeZone::fixed(seconds_east).ok_or_else(|| field_overflow("timestamp out of range"))?,
        None => zone_by_name(zone)?,
    };
    make_in(&zone, local)
}

#[sql_function(
    "make_interval(years int4 = '0', months int4 = '0', weeks int4 = '0', days int4 = '0', hours int4 = '0', mins int4 = '0', secs float8 = '0.0') -> interval",
    oid = 3464
)]
fn make_interval(
    years: i32,
    months: i32,
    weeks: i32,
    days: i32,
    hours: i32,
    minutes: i32,
    seconds: f64,
) -> SqlResult<Interval> {
    let fields = || {
        let micros = (seconds * 1_000_000.0).round_ties_even();
        if !(-9.2e18..9.2e18).contains(&micros) {
            return None;
        }
        let whole = i64::from(hours) * MICROS_PER_HOUR + i64::from(minutes) * MICROS_PER_MINUTE;
        Some(Interval::new(
            years.checked_mul(12)?.checked_add(months)?,
            weeks.checked_mul(7)?.checked_add(days)?,
            whole.checked_add(micros as i64)?,
        ))
    };
    fields().ok_or_else(|| field_overflow("interval out of range"))
}

/// Seconds since 1970-01-01 UTC.
#[sql_function("to_timestamp(float8) -> timestamptz", oid = 1158)]
fn from_unix_time(seconds: f64) -> SqlResult<i64> {
    let fail = || field_overflow(&format!("timestamp out of range: \"{seconds}\""));
    if seconds.is_infinite() {
        return Ok(if seconds > 0.0 { i64::MAX } else { i64::MIN });
    }
    if seconds.is_nan() {
        return Err(field_overflow("timestamp cannot be NaN"));
    }
    let epoch_seconds = (UNIX_EPOCH_MICROS / MICROS_PER_SECOND) as f64;
    let micros = ((seconds + epoch_seconds) * 1_000_000.0).round_ties_even();
    if !(-9.3e18..9.3e18).contains(&micros) || !is_timestamp_in_range(micros as i64) {
        return Err(fail());
    }
    Ok(micros as i64)
}
