//! `date_trunc` and `date_bin`.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, SqlError, SqlResult};
use nqdb_types::calendar::{
    MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, civil_from_days, day_of_week,
    days_from_civil, is_timestamp_finite, is_timestamp_in_range, split_days,
};
use nqdb_types::{Interval, TimeZone, oid};

use super::arithmetic::timestamp_out_of_range;
use super::field_overflow;
use super::unit::{Unit, unsupported};
use super::zone::zone_by_name;
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] =
    &[&TRUNCATE_TIMESTAMP, &TRUNCATE_ZONED, &TRUNCATE_IN_ZONE, &TRUNCATE_INTERVAL, &BIN_TIMESTAMP, &BIN_ZONED];

/// The start of the year, decade, century or millennium of a year; there is no year 0 among people, there is here.
fn first_year(year: i32, unit: Unit) -> i32 {
    let span = match unit {
        Unit::Decade => return if year > 0 { year / 10 * 10 } else { -((8 - (year - 1)) / 10) * 10 },
        Unit::Century => 100,
        Unit::Millennium => 1000,
        _ => return year,
    };
    if year > 0 { (year + span - 1) / span * span - (span - 1) } else { -((span - 1 - (year - 1)) / span) * span + 1 }
}

/// The local time at which the unit began; `None` if timestamps have no such unit.
fn truncate(local: i64, unit: Unit) -> Option<i64> {
    let (days, time) = split_days(local);
    let within = |unit_micros: i64| days * MICROS_PER_DAY + (time - time % unit_micros);
    let date = civil_from_days(days);
    let first_day = match unit {
        Unit::Microseconds => return Some(local),
        Unit::Milliseconds => return Some(within(1000)),
        Unit::Second => return Some(within(MICROS_PER_SECOND)),
        Unit::Minute => return Some(within(MICROS_PER_MINUTE)),
        Unit::Hour => return Some(within(MICROS_PER_HOUR)),
        Unit::Day => days,
        Unit::Week => days - i64::from((day_of_week(days) + 6) % 7),
        Unit::Month => days_from_civil(date.year, date.month, 1),
        Unit::Quarter => days_from_civil(date.year, (date.month - 1) / 3 * 3 + 1, 1),
        Unit::Year | Unit::Decade | Unit::Century | Unit::Millennium => {
            days_from_civil(first_year(date.year, unit), 1, 1)
        }
        _ => return None,
    };
    Some(first_day * MICROS_PER_DAY)
}

fn checked(timestamp: i64) -> SqlResult<i64> {
    if is_timestamp_in_range(timestamp) { Ok(timestamp) } else { Err(timestamp_out_of_range()) }
}

#[sql_function("date_trunc(text, timestamp) -> timestamp", oid = 2020)]
fn truncate_timestamp(name: &str, timestamp: i64) -> SqlResult<i64> {
    if !is_timestamp_finite(timestamp) {
        return Ok(timestamp);
    }
    let unit = Unit::parse_span(name, oid::TIMESTAMP)?;
    checked(truncate(timestamp, unit).ok_or_else(|| unsupported(name, oid::TIMESTAMP))?)
}

fn truncate_in(zone: &TimeZone, name: &str, timestamp: i64) -> SqlResult<i64> {
    if !is_timestamp_finite(timestamp) {
        return Ok(timestamp);
    }
    let unit = Unit::parse_span(name, oid::TIMESTAMPTZ)?;
    let local = zone.utc_to_local(timestamp);
    let truncated = truncate(local, unit).ok_or_else(|| unsupported(name, oid::TIMESTAMPTZ))?;
    // Within a day the offset stays, so that a repeated hour is not mistaken for the other one.
    checked(match unit {
        Unit::Microseconds | Unit::Milliseconds | Unit::Second | Unit::Minute | Unit::Hour => {
            truncated - (local - timestamp)
        }
        _ => zone.local_to_utc(truncated),
    })
}

#[sql_function("date_trunc(text, timestamptz) -> timestamptz", oid = 1217, stable)]
fn truncate_zoned(context: &mut FunctionContext<'_>, name: &str, timestamp: i64) -> SqlResult<i64> {
    truncate_in(&context.format.time_zone, name, timestamp)
}

#[sql_function("date_trunc(text, timestamptz, text) -> timestamptz", oid = 1284, stable)]
fn truncate_in_zone(name: &str, timestamp: i64, zone: &str) -> SqlResult<i64> {
    if !is_timestamp_finite(timestamp) {
        return Ok(timestamp);
    }
    truncate_in(&zone_by_name(zone)?, name, timestamp)
}

#[sql_function("date_trunc(text, interval) -> interval", oid = 1218)]
fn truncate_interval(name: &str, interval: Interval) -> SqlResult<Interval> {
    let unit = Unit::parse_span(name, oid::INTERVAL)?;
    let time = |unit_micros: i64| Interval { micros: interval.micros - interval.micros % unit_micros, ..interval };
    let months = |unit_months: i32| Interval::new(interval.months - interval.months % unit_months, 0, 0);
    Ok(match unit {
        Unit::Microseconds => interval,
        Unit::Milliseconds => time(1000),
        Unit::Second => time(MICROS_PER_SECOND),
        Unit::Minute => time(MICROS_PER_MINUTE),
        Unit::Hour => time(MICROS_PER_HOUR),
        Unit::Day => Interval { micros: 0, ..interval },
        Unit::Month => months(1),
        Unit::Quarter => months(3),
        Unit::Year => months(12),
        Unit::Decade => months(120),
        Unit::Century => months(1200),
        Unit::Millennium => months(12_000),
        Unit::Week => {
            return Err(unsupported(name, oid::INTERVAL).with_detail("Months usually have fractional weeks."));
        }
        _ => return Err(unsupported(name, oid::INTERVAL)),
    })
}

/// The start of the bin of that width, counted from an origin, in which the timestamp lies.
fn bin(stride: Interval, timestamp: i64, origin: i64) -> SqlResult<i64> {
    if !is_timestamp_finite(timestamp) {
        return Ok(timestamp);
    }
    if !is_timestamp_finite(origin) {
        return Err(field_overflow("origin out of range"));
    }
    if stride.months != 0 {
        let message = "timestamps cannot be binned into intervals containing months or years";
        return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message));
    }
    let width = i64::from(stride.days).checked_mul(MICROS_PER_DAY).and_then(|days| days.checked_add(stride.micros));
    let width = width.ok_or_else(|| field_overflow("interval out of range"))?;
    if width <= 0 {
        return Err(field_overflow("stride must be greater than zero"));
    }
    let distance = timestamp.checked_sub(origin).ok_or_else(|| field_overflow("interval out of range"))?;
    let start = distance.div_euclid(width).checked_mul(width).and_then(|offset| origin.checked_add(offset));
    checked(start.ok_or_else(timestamp_out_of_range)?)
}

#[sql_function("date_bin(interval, timestamp, timestamp) -> timestamp", oid = 6177)]
fn bin_timestamp(stride: Interval, timestamp: i64, origin: i64) -> SqlResult<i64> {
    bin(stride, timestamp, origin)
}

#[sql_function("date_bin(interval, timestamptz, timestamptz) -> timestamptz", oid = 6178)]
fn bin_zoned(stride: Interval, timestamp: i64, origin: i64) -> SqlResult<i64> {
    bin(stride, timestamp, origin)
}
