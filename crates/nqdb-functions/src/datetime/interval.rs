//! Operators and functions of intervals alone.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;
use nqdb_types::Interval;
use nqdb_types::calendar::{DAYS_PER_MONTH, MICROS_PER_DAY};

use super::field_overflow;
use crate::Function;
use crate::arithmetic::division_by_zero;

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &ADD,
    &SUBTRACT,
    &NEGATE,
    &MULTIPLY,
    &MULTIPLY_REVERSED,
    &DIVIDE,
    &JUSTIFY_HOURS,
    &JUSTIFY_DAYS,
    &JUSTIFY_BOTH,
    &IS_FINITE,
];

fn out_of_range() -> nqdb_sqlstate::SqlError {
    field_overflow("interval out of range")
}

#[sql_function("interval_pl(interval, interval) -> interval", oid = 1169)]
fn add(a: Interval, b: Interval) -> SqlResult<Interval> {
    a.checked_add(&b)
}

#[sql_function("interval_mi(interval, interval) -> interval", oid = 1170)]
fn subtract(a: Interval, b: Interval) -> SqlResult<Interval> {
    a.checked_sub(&b)
}

#[sql_function("interval_um(interval) -> interval", oid = 1168)]
fn negate(a: Interval) -> SqlResult<Interval> {
    a.checked_neg()
}

#[sql_function("interval_mul(interval, float8) -> interval", oid = 1618)]
fn multiply(interval: Interval, factor: f64) -> SqlResult<Interval> {
    multiply_interval(interval, factor)
}

/// An interval times a number.
pub(crate) fn multiply_interval(interval: Interval, factor: f64) -> SqlResult<Interval> {
    scale(interval, |field| field * factor)
}

#[sql_function("mul_d_interval(float8, interval) -> interval", oid = 1624)]
fn multiply_reversed(factor: f64, interval: Interval) -> SqlResult<Interval> {
    multiply(interval, factor)
}

#[sql_function("interval_div(interval, float8) -> interval", oid = 1326)]
fn divide(interval: Interval, divisor: f64) -> SqlResult<Interval> {
    divide_interval(interval, divisor)
}

/// An interval over a number; 22012 for zero.
pub(crate) fn divide_interval(interval: Interval, divisor: f64) -> SqlResult<Interval> {
    if divisor == 0.0 {
        return Err(division_by_zero());
    }
    scale(interval, |field| field / divisor)
}

/// Scales each field. What is left of months goes down to days (30 a month), what is left of days to seconds.
fn scale(interval: Interval, by: impl Fn(f64) -> f64) -> SqlResult<Interval> {
    const SECONDS_PER_DAY: f64 = 86_400.0;
    let months = by(interval.months.into());
    let days = by(interval.days.into());
    let mut result = Interval::new(to_i32(months)?, to_i32(days)?, 0);
    let days_left = round_to_micros((months - f64::from(result.months)) * f64::from(DAYS_PER_MONTH));
    let day_fraction = days - f64::from(result.days) + days_left - days_left.trunc();
    let mut seconds_left = round_to_micros(day_fraction * SECONDS_PER_DAY);
    if seconds_left.abs() >= SECONDS_PER_DAY {
        let whole_days = (seconds_left / SECONDS_PER_DAY).trunc();
        result.days = result.days.checked_add(to_i32(whole_days)?).ok_or_else(out_of_range)?;
        seconds_left -= whole_days * SECONDS_PER_DAY;
    }
    result.days = result.days.checked_add(to_i32(days_left)?).ok_or_else(out_of_range)?;
    let micros = (by(interval.micros as f64) + seconds_left * 1_000_000.0).round_ties_even();
    if !(-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&micros) {
        return Err(out_of_range());
    }
    result.micros = micros as i64;
    Ok(result)
}

fn to_i32(value: f64) -> SqlResult<i32> {
    let whole = value.trunc();
    if (-2_147_483_648.0..2_147_483_648.0).contains(&whole) { Ok(whole as i32) } else { Err(out_of_range()) }
}

fn round_to_micros(seconds: f64) -> f64 {
    (seconds * 1_000_000.0).round_ties_even() / 1_000_000.0
}

/// Moves whole days of 24 hours out of the time; both have the same sign then.
#[sql_function("justify_hours(interval) -> interval", oid = 1175)]
pub(super) fn justify_hours(interval: Interval) -> SqlResult<Interval> {
    let mut result = interval;
    let whole_days = (interval.micros / MICROS_PER_DAY) as i32;
    result.micros = interval.micros % MICROS_PER_DAY;
    result.days = interval.days.checked_add(whole_days).ok_or_else(out_of_range)?;
    balance_days(&mut result);
    Ok(result)
}

fn balance_days(interval: &mut Interval) {
    if interval.days > 0 && interval.micros < 0 {
        interval.micros += MICROS_PER_DAY;
        interval.days -= 1;
    } else if interval.days < 0 && interval.micros > 0 {
        interval.micros -= MICROS_PER_DAY;
        interval.days += 1;
    }
}

fn move_days_to_months(interval: &mut Interval) -> SqlResult<()> {
    interval.months = interval.months.checked_add(interval.days / DAYS_PER_MONTH).ok_or_else(out_of_range)?;
    interval.days %= DAYS_PER_MONTH;
    Ok(())
}

/// Moves whole months of 30 days out of the days.
#[sql_function("justify_days(interval) -> interval", oid = 1295)]
fn justify_days(interval: Interval) -> SqlResult<Interval> {
    let mut result = interval;
    move_days_to_months(&mut result)?;
    if result.months > 0 && result.days < 0 {
        result.days += DAYS_PER_MONTH;
        result.months -= 1;
    } else if result.months < 0 && result.days > 0 {
        result.days -= DAYS_PER_MONTH;
        result.months += 1;
    }
    Ok(result)
}

/// Both of the above, and one sign for all fields.
#[sql_function("justify_interval(interval) -> interval", oid = 2711)]
fn justify_both(interval: Interval) -> SqlResult<Interval> {
    let mut result = interval;
    if (result.days > 0 && result.micros > 0) || (result.days < 0 && result.micros < 0) {
        // Now rather than later, so that the days below cannot overflow.
        move_days_to_months(&mut result)?;
    }
    let whole_days = (result.micros / MICROS_PER_DAY) as i32;
    result.micros %= MICROS_PER_DAY;
    result.days = result.days.checked_add(whole_days).ok_or_else(out_of_range)?;
    move_days_to_months(&mut result)?;
    if result.months > 0 && (result.days < 0 || (result.days == 0 && result.micros < 0)) {
        result.days += DAYS_PER_MONTH;
        result.months -= 1;
    } else if result.months < 0 && (result.days > 0 || (result.days == 0 && result.micros > 0)) {
        result.days -= DAYS_PER_MONTH;
        result.months += 1;
    }
    balance_days(&mut result);
    Ok(result)
}

#[sql_function("isfinite(interval) -> bool", oid = 1390)]
fn is_finite(_interval: Interval) -> bool {
    true
}
