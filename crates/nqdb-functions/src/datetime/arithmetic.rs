//! `+` and `-` between dates, times, timestamps and intervals; `age`; `isfinite`.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::calendar::{
    CivilTime, DATE_END, DATE_MIN, MICROS_PER_DAY, civil_from_days, civil_from_micros, days_from_civil, days_in_month,
    is_date_finite, is_timestamp_finite, is_timestamp_in_range, split_days,
};
use nqdb_types::{Interval, TimeZone};

use super::cast::date_to_timestamp;
use super::field_overflow;
use super::interval::justify_hours;
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &DATE_PLUS_DAYS,
    &DAYS_PLUS_DATE,
    &DATE_MINUS_DAYS,
    &DATE_MINUS_DATE,
    &DATE_PLUS_INTERVAL,
    &INTERVAL_PLUS_DATE,
    &DATE_MINUS_INTERVAL,
    &DATE_PLUS_TIME,
    &TIME_PLUS_DATE,
    &TIMESTAMP_PLUS_INTERVAL,
    &INTERVAL_PLUS_TIMESTAMP,
    &TIMESTAMP_MINUS_INTERVAL,
    &TIMESTAMP_MINUS_TIMESTAMP,
    &ZONED_PLUS_INTERVAL,
    &INTERVAL_PLUS_ZONED,
    &ZONED_MINUS_INTERVAL,
    &ZONED_MINUS_ZONED,
    &TIME_PLUS_INTERVAL,
    &INTERVAL_PLUS_TIME,
    &TIME_MINUS_INTERVAL,
    &TIME_MINUS_TIME,
    &AGE_BETWEEN,
    &AGE_BETWEEN_ZONED,
    &AGE,
    &AGE_ZONED,
    &IS_DATE_FINITE_FUNCTION,
    &IS_TIMESTAMP_FINITE_FUNCTION,
    &IS_ZONED_FINITE_FUNCTION,
];

pub(super) fn timestamp_out_of_range() -> SqlError {
    field_overflow("timestamp out of range")
}

fn checked_date(days: i64) -> SqlResult<i32> {
    i32::try_from(days)
        .ok()
        .filter(|days| (DATE_MIN..DATE_END).contains(days))
        .ok_or_else(|| field_overflow("date out of range"))
}

#[sql_function("date_pli(date, int4) -> date", oid = 1141)]
fn date_plus_days(date: i32, days: i32) -> SqlResult<i32> {
    if is_date_finite(date) { checked_date(i64::from(date) + i64::from(days)) } else { Ok(date) }
}

#[sql_function("integer_pl_date(int4, date) -> date", oid = 2550)]
fn days_plus_date(days: i32, date: i32) -> SqlResult<i32> {
    date_plus_days(date, days)
}

#[sql_function("date_mii(date, int4) -> date", oid = 1142)]
fn date_minus_days(date: i32, days: i32) -> SqlResult<i32> {
    if is_date_finite(date) { checked_date(i64::from(date) - i64::from(days)) } else { Ok(date) }
}

#[sql_function("date_mi(date, date) -> int4", oid = 1140)]
fn date_minus_date(a: i32, b: i32) -> SqlResult<i32> {
    if !is_date_finite(a) || !is_date_finite(b) {
        return Err(field_overflow("cannot subtract infinite dates"));
    }
    // Dates span less than 2^31 days on either side of each other only above -2_451_545.
    Ok(a.wrapping_sub(b))
}

#[sql_function("date_pl_interval(date, interval) -> timestamp", oid = 2071)]
fn date_plus_interval(date: i32, interval: Interval) -> SqlResult<i64> {
    add_interval(date_to_timestamp(date)?, &interval, None)
}

#[sql_function("interval_pl_date(interval, date) -> timestamp", oid = 2546)]
fn interval_plus_date(interval: Interval, date: i32) -> SqlResult<i64> {
    date_plus_interval(date, interval)
}

#[sql_function("date_mi_interval(date, interval) -> timestamp", oid = 2072)]
fn date_minus_interval(date: i32, interval: Interval) -> SqlResult<i64> {
    add_interval(date_to_timestamp(date)?, &interval.checked_neg()?, None)
}

#[sql_function("datetime_pl(date, time) -> timestamp", oid = 1272)]
fn date_plus_time(date: i32, time: i64) -> SqlResult<i64> {
    let midnight = date_to_timestamp(date)?;
    if !is_timestamp_finite(midnight) {
        return Ok(midnight);
    }
    let timestamp = midnight.saturating_add(time);
    if is_timestamp_in_range(timestamp) { Ok(timestamp) } else { Err(timestamp_out_of_range()) }
}

#[sql_function("timedate_pl(time, date) -> timestamp", oid = 1296)]
fn time_plus_date(time: i64, date: i32) -> SqlResult<i64> {
    date_plus_time(date, time)
}

/// Adds months, then days, then time. With a zone, months and days are those of its calendar and clocks.
pub(crate) fn add_interval(timestamp: i64, interval: &Interval, zone: Option<&TimeZone>) -> SqlResult<i64> {
    if !is_timestamp_finite(timestamp) {
        return Ok(timestamp);
    }
    let mut result = timestamp;
    if interval.months != 0 || interval.days != 0 {
        let local = zone.map_or(timestamp, |zone| zone.utc_to_local(timestamp));
        let (mut days, time) = split_days(local);
        if interval.months != 0 {
            days = add_months(days, interval.months);
        }
        days += i64::from(interval.days);
        let moved = days.checked_mul(MICROS_PER_DAY).and_then(|midnight| midnight.checked_add(time));
        let moved = moved.ok_or_else(timestamp_out_of_range)?;
        result = zone.map_or(moved, |zone| zone.local_to_utc(moved));
    }
    let result = result.checked_add(interval.micros).ok_or_else(timestamp_out_of_range)?;
    if is_timestamp_in_range(result) { Ok(result) } else { Err(timestamp_out_of_range()) }
}

/// The same day so many months later, or the month's last day where it has no such day.
fn add_months(days: i64, months: i32) -> i64 {
    let date = civil_from_days(days);
    let month_index = i64::from(date.year) * 12 + i64::from(date.month) - 1 + i64::from(months);
    let (year, month) = (month_index.div_euclid(12) as i32, month_index.rem_euclid(12) as i32 + 1);
    days_from_civil(year, month, date.day.min(days_in_month(year, month)))
}

#[sql_function("timestamp_pl_interval(timestamp, interval) -> timestamp", oid = 2032)]
fn timestamp_plus_interval(timestamp: i64, interval: Interval) -> SqlResult<i64> {
    add_interval(timestamp, &interval, None)
}

#[sql_function("interval_pl_timestamp(interval, timestamp) -> timestamp", oid = 2548)]
fn interval_plus_timestamp(interval: Interval, timestamp: i64) -> SqlResult<i64> {
    add_interval(timestamp, &interval, None)
}

#[sql_function("timestamp_mi_interval(timestamp, interval) -> timestamp", oid = 2033)]
fn timestamp_minus_interval(timestamp: i64, interval: Interval) -> SqlResult<i64> {
    add_interval(timestamp, &interval.checked_neg()?, None)
}

#[sql_function("timestamptz_pl_interval(timestamptz, interval) -> timestamptz", oid = 1189, stable)]
fn zoned_plus_interval(context: &mut FunctionContext<'_>, timestamp: i64, interval: Interval) -> SqlResult<i64> {
    add_interval(timestamp, &interval, Some(&context.format.time_zone))
}

#[sql_function("interval_pl_timestamptz(interval, timestamptz) -> timestamptz", oid = 2549, stable)]
fn interval_plus_zoned(context: &mut FunctionContext<'_>, interval: Interval, timestamp: i64) -> SqlResult<i64> {
    add_interval(timestamp, &interval, Some(&context.format.time_zone))
}

#[sql_function("timestamptz_mi_interval(timestamptz, interval) -> timestamptz", oid = 1190, stable)]
fn zoned_minus_interval(context: &mut FunctionContext<'_>, timestamp: i64, interval: Interval) -> SqlResult<i64> {
    add_interval(timestamp, &interval.checked_neg()?, Some(&context.format.time_zone))
}

fn difference(a: i64, b: i64) -> SqlResult<Interval> {
    if !is_timestamp_finite(a) || !is_timestamp_finite(b) {
        return Err(field_overflow("cannot subtract infinite timestamps"));
    }
    let micros = a.checked_sub(b).ok_or_else(|| field_overflow("interval out of range"))?;
    justify_hours(Interval::new(0, 0, micros))
}

#[sql_function("timestamp_mi(timestamp, timestamp) -> interval", oid = 2031)]
fn timestamp_minus_timestamp(a: i64, b: i64) -> SqlResult<Interval> {
    difference(a, b)
}

#[sql_function("timestamptz_mi(timestamptz, timestamptz) -> interval", oid = 1188)]
fn zoned_minus_zoned(a: i64, b: i64) -> SqlResult<Interval> {
    difference(a, b)
}

/// Time of day wraps around midnight; days and months of the interval do not count.
#[sql_function("time_pl_interval(time, interval) -> time", oid = 1747)]
pub(super) fn time_plus_interval(time: i64, interval: Interval) -> i64 {
    (time + interval.micros % MICROS_PER_DAY).rem_euclid(MICROS_PER_DAY)
}

#[sql_function("interval_pl_time(interval, time) -> time", oid = 1848)]
fn interval_plus_time(interval: Interval, time: i64) -> i64 {
    time_plus_interval(time, interval)
}

#[sql_function("time_mi_interval(time, interval) -> time", oid = 1748)]
fn time_minus_interval(time: i64, interval: Interval) -> i64 {
    (time - interval.micros % MICROS_PER_DAY).rem_euclid(MICROS_PER_DAY)
}

#[sql_function("time_mi_time(time, time) -> interval", oid = 1690)]
fn time_minus_time(a: i64, b: i64) -> Interval {
    Interval::new(0, 0, a - b)
}

/// The difference in years, months, days and time as people count, from the earlier to the later.
fn age_between_local(a: i64, b: i64, negative: bool) -> SqlResult<Interval> {
    let (earlier, later) = if negative { (a, b) } else { (b, a) };
    let (start, end) = (civil_from_micros(earlier), civil_from_micros(later));
    let clock = |at: &CivilTime| nqdb_types::calendar::time_of_day(at.hour, at.minute, at.second, i64::from(at.micros));
    let mut micros = clock(&end) - clock(&start);
    let mut days = end.date.day - start.date.day;
    let mut months = (end.date.year - start.date.year) * 12 + end.date.month - start.date.month;
    if micros < 0 {
        micros += MICROS_PER_DAY;
        days -= 1;
    }
    while days < 0 {
        days += days_in_month(start.date.year, start.date.month);
        months -= 1;
    }
    let interval = Interval::new(months, days, micros);
    if negative { interval.checked_neg() } else { Ok(interval) }
}

#[sql_function("age(timestamp, timestamp) -> interval", oid = 2058)]
fn age_between(a: i64, b: i64) -> SqlResult<Interval> {
    if !is_timestamp_finite(a) || !is_timestamp_finite(b) {
        return Err(timestamp_out_of_range());
    }
    age_between_local(a, b, a < b)
}

#[sql_function("age(timestamptz, timestamptz) -> interval", oid = 1199)]
fn age_between_zoned(context: &mut FunctionContext<'_>, a: i64, b: i64) -> SqlResult<Interval> {
    if !is_timestamp_finite(a) || !is_timestamp_finite(b) {
        return Err(timestamp_out_of_range());
    }
    let zone = &context.format.time_zone;
    age_between_local(zone.utc_to_local(a), zone.utc_to_local(b), a < b)
}

/// Midnight today by the session's clocks, local.
fn today(context: &FunctionContext<'_>) -> i64 {
    let local = context.format.time_zone.utc_to_local(context.transaction_time_micros);
    local - local.rem_euclid(MICROS_PER_DAY)
}

#[sql_function("age(timestamp) -> interval", oid = 2059, stable)]
fn age(context: &mut FunctionContext<'_>, since: i64) -> SqlResult<Interval> {
    age_between(today(context), since)
}

#[sql_function("age(timestamptz) -> interval", oid = 1386, stable)]
fn age_zoned(context: &mut FunctionContext<'_>, since: i64) -> SqlResult<Interval> {
    let midnight = context.format.time_zone.local_to_utc(today(context));
    age_between_zoned(context, midnight, since)
}

#[sql_function("isfinite(date) -> bool", oid = 1373)]
fn is_date_finite_function(date: i32) -> bool {
    is_date_finite(date)
}

#[sql_function("isfinite(timestamp) -> bool", oid = 2048)]
fn is_timestamp_finite_function(timestamp: i64) -> bool {
    is_timestamp_finite(timestamp)
}

#[sql_function("isfinite(timestamptz) -> bool", oid = 1389)]
fn is_zoned_finite_function(timestamp: i64) -> bool {
    is_timestamp_finite(timestamp)
}
