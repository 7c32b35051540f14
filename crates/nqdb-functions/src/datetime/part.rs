//! `extract` (numeric) and `date_part` (double precision): one field of a date, time or interval.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;
use nqdb_types::calendar::{
    CivilTime, JULIAN_DAY_OF_EPOCH, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND,
    MONTHS_PER_YEAR, SECONDS_PER_DAY, UNIX_EPOCH_DAYS, UNIX_EPOCH_MICROS, civil_from_days, civil_from_time,
    day_of_week, days_from_civil, is_date_finite, is_timestamp_finite, split_days,
};
use nqdb_types::{Interval, Numeric, TimeTz, oid};

use super::cast::date_to_timestamp;
use super::unit::{Unit, unsupported};
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &EXTRACT_TIMESTAMP,
    &EXTRACT_ZONED,
    &EXTRACT_DATE,
    &EXTRACT_TIME,
    &EXTRACT_TIME_TZ,
    &EXTRACT_INTERVAL,
    &PART_OF_TIMESTAMP,
    &PART_OF_ZONED,
    &PART_OF_DATE,
    &PART_OF_TIME,
    &PART_OF_TIME_TZ,
    &PART_OF_INTERVAL,
];

/// A field's value before it is known whether it shall be numeric or float.
enum Part {
    Integer(i64),
    /// `value / 10^scale`, with that many digits shown.
    Scaled(i128, u16),
    /// Days, and µs into the day.
    Days(i64, i64),
    /// What an infinite date has in a field that grows without bound.
    Infinite {
        negative: bool,
    },
    /// What an infinite date has in a field that goes round, such as the hour.
    Null,
}

impl Part {
    fn numeric(self) -> SqlResult<Option<Numeric>> {
        Ok(Some(match self {
            Part::Integer(value) => Numeric::from(value),
            Part::Scaled(value, scale) => Numeric::from_scaled_i128(value, scale),
            Part::Days(days, micros) => {
                Numeric::from(days).add(&Numeric::from(micros).div(&Numeric::from(MICROS_PER_DAY))?)?
            }
            Part::Infinite { negative: true } => Numeric::NEGATIVE_INFINITY,
            Part::Infinite { negative: false } => Numeric::INFINITY,
            Part::Null => return Ok(None),
        }))
    }

    fn float(self) -> Option<f64> {
        Some(match self {
            Part::Integer(value) => value as f64,
            Part::Scaled(value, scale) => value as f64 / 10f64.powi(i32::from(scale)),
            Part::Days(days, micros) => days as f64 + micros as f64 / MICROS_PER_DAY as f64,
            Part::Infinite { negative: true } => f64::NEG_INFINITY,
            Part::Infinite { negative: false } => f64::INFINITY,
            Part::Null => return None,
        })
    }
}

fn seconds(micros: i64) -> Part {
    Part::Scaled(micros.into(), 6)
}

/// The parts that a time of day has.
fn clock_part(clock: &CivilTime, unit: Unit) -> Option<Part> {
    let micros = i64::from(clock.second) * MICROS_PER_SECOND + i64::from(clock.micros);
    Some(match unit {
        Unit::Microseconds => Part::Integer(micros),
        Unit::Milliseconds => Part::Scaled(micros.into(), 3),
        Unit::Second => seconds(micros),
        Unit::Minute => Part::Integer(clock.minute.into()),
        Unit::Hour => Part::Integer(clock.hour.into()),
        _ => return None,
    })
}

/// The parts that a day has. Years before 1 are counted as people do, without a year 0.
fn day_part(days: i64, unit: Unit) -> Option<Part> {
    let date = civil_from_days(days);
    let year = i64::from(date.year);
    Some(Part::Integer(match unit {
        Unit::Day => date.day.into(),
        Unit::Month => date.month.into(),
        Unit::Quarter => i64::from((date.month - 1) / 3 + 1),
        Unit::Week => iso_week(days).1,
        Unit::Year if year > 0 => year,
        Unit::Year => year - 1,
        Unit::Decade if year >= 0 => year / 10,
        Unit::Decade => -((8 - (year - 1)) / 10),
        Unit::Century if year > 0 => (year + 99) / 100,
        Unit::Century => -((99 - (year - 1)) / 100),
        Unit::Millennium if year > 0 => (year + 999) / 1000,
        Unit::Millennium => -((999 - (year - 1)) / 1000),
        Unit::IsoYear => match iso_week(days).0 {
            year if year <= 0 => year - 1,
            year => year,
        },
        Unit::DayOfWeek => day_of_week(days).into(),
        Unit::IsoDayOfWeek => i64::from((day_of_week(days) + 6) % 7 + 1),
        Unit::DayOfYear => days - days_from_civil(date.year, 1, 1) + 1,
        _ => return None,
    }))
}

/// Year and week by ISO 8601: a week belongs to the year of its Thursday.
pub(crate) fn iso_week(days: i64) -> (i64, i64) {
    let thursday = days - i64::from((day_of_week(days) + 6) % 7) + 3;
    let year = civil_from_days(thursday).year;
    (year.into(), (thursday - days_from_civil(year, 1, 1)) / 7 + 1)
}

/// The part of an infinite date or timestamp; `None` for a unit it does not have.
fn infinite_part(unit: Unit, negative: bool) -> Part {
    match unit {
        Unit::Year | Unit::Decade | Unit::Century | Unit::Millennium | Unit::Julian | Unit::IsoYear | Unit::Epoch => {
            Part::Infinite { negative }
        }
        _ => Part::Null,
    }
}

fn timestamp_part(name: &str, timestamp: i64) -> SqlResult<Part> {
    let unit = Unit::parse(name, oid::TIMESTAMP)?;
    if !is_timestamp_finite(timestamp) {
        return Ok(infinite_part(unit, timestamp < 0));
    }
    let (days, time) = split_days(timestamp);
    let part = match unit {
        Unit::Julian => Some(Part::Days(days + i64::from(JULIAN_DAY_OF_EPOCH), time)),
        Unit::Epoch => Some(Part::Scaled(i128::from(timestamp) - i128::from(UNIX_EPOCH_MICROS), 6)),
        _ => clock_part(&civil_from_time(time), unit).or_else(|| day_part(days, unit)),
    };
    part.ok_or_else(|| unsupported(name, oid::TIMESTAMP))
}

fn zoned_part(context: &FunctionContext<'_>, name: &str, timestamp: i64) -> SqlResult<Part> {
    let unit = Unit::parse(name, oid::TIMESTAMPTZ)?;
    if !is_timestamp_finite(timestamp) {
        return Ok(infinite_part(unit, timestamp < 0));
    }
    let east_seconds = i64::from(context.format.time_zone.seconds_east_at_utc(timestamp));
    let local = timestamp.saturating_add(east_seconds * MICROS_PER_SECOND);
    Ok(match unit {
        Unit::TimeZone => Part::Integer(east_seconds),
        Unit::TimeZoneHour => Part::Integer(east_seconds / 3600),
        Unit::TimeZoneMinute => Part::Integer(east_seconds / 60 % 60),
        Unit::Epoch => Part::Scaled(i128::from(timestamp) - i128::from(UNIX_EPOCH_MICROS), 6),
        _ => timestamp_part(name, local)?,
    })
}

fn date_part(name: &str, date: i32) -> SqlResult<Part> {
    let unit = Unit::parse(name, oid::DATE)?;
    let days = i64::from(date);
    let part = match unit {
        Unit::Julian => Some(Part::Integer(days + i64::from(JULIAN_DAY_OF_EPOCH))),
        Unit::Epoch => Some(Part::Integer((days - i64::from(UNIX_EPOCH_DAYS)) * SECONDS_PER_DAY)),
        _ => day_part(days, unit),
    };
    let part = part.ok_or_else(|| unsupported(name, oid::DATE))?;
    Ok(if is_date_finite(date) { part } else { infinite_part(unit, date < 0) })
}

fn time_part(name: &str, time: i64) -> SqlResult<Part> {
    let unit = Unit::parse(name, oid::TIME)?;
    match unit {
        Unit::Epoch => Ok(seconds(time)),
        _ => clock_part(&civil_from_time(time), unit).ok_or_else(|| unsupported(name, oid::TIME)),
    }
}

fn time_tz_part(name: &str, time: TimeTz) -> SqlResult<Part> {
    let unit = Unit::parse(name, oid::TIMETZ)?;
    let east_seconds = -i64::from(time.seconds_west);
    Ok(match unit {
        Unit::TimeZone => Part::Integer(east_seconds),
        Unit::TimeZoneHour => Part::Integer(east_seconds / 3600),
        Unit::TimeZoneMinute => Part::Integer(east_seconds / 60 % 60),
        Unit::Epoch => seconds(time.utc_micros()),
        _ => clock_part(&civil_from_time(time.micros), unit).ok_or_else(|| unsupported(name, oid::TIMETZ))?,
    })
}

fn interval_part(name: &str, interval: &Interval) -> SqlResult<Part> {
    let unit = Unit::parse(name, oid::INTERVAL)?;
    let (years, months) = (interval.months / MONTHS_PER_YEAR, interval.months % MONTHS_PER_YEAR);
    let minute_micros = interval.micros % MICROS_PER_MINUTE;
    Ok(match unit {
        Unit::Microseconds => Part::Integer(minute_micros),
        Unit::Milliseconds => Part::Scaled(minute_micros.into(), 3),
        Unit::Second => seconds(minute_micros),
        Unit::Minute => Part::Integer(interval.micros % MICROS_PER_HOUR / MICROS_PER_MINUTE),
        Unit::Hour => Part::Integer(interval.micros / MICROS_PER_HOUR),
        Unit::Day => Part::Integer(interval.days.into()),
        Unit::Month => Part::Integer(months.into()),
        Unit::Quarter => Part::Integer(i64::from(months / 3 + 1)),
        Unit::Year => Part::Integer(years.into()),
        Unit::Decade => Part::Integer(i64::from(years / 10)),
        Unit::Century => Part::Integer(i64::from(years / 100)),
        Unit::Millennium => Part::Integer(i64::from(years / 1000)),
        Unit::Epoch => Part::Scaled(epoch_micros(interval), 6),
        _ => return Err(unsupported(name, oid::INTERVAL)),
    })
}

/// Microseconds of an interval, a year being 365.25 days and a month 30.
fn epoch_micros(interval: &Interval) -> i128 {
    let (years, months) = (interval.months / MONTHS_PER_YEAR, interval.months % MONTHS_PER_YEAR);
    let quarter_days = i128::from(years) * 1461 + i128::from(months) * 120 + i128::from(interval.days) * 4;
    quarter_days * i128::from(MICROS_PER_DAY / 4) + i128::from(interval.micros)
}

#[sql_function("extract(text, timestamp) -> numeric", oid = 6202)]
fn extract_timestamp(name: &str, timestamp: i64) -> SqlResult<Option<Numeric>> {
    timestamp_part(name, timestamp)?.numeric()
}

#[sql_function("extract(text, timestamptz) -> numeric", oid = 6203, stable)]
fn extract_zoned(context: &mut FunctionContext<'_>, name: &str, timestamp: i64) -> SqlResult<Option<Numeric>> {
    zoned_part(context, name, timestamp)?.numeric()
}

#[sql_function("extract(text, date) -> numeric", oid = 6199)]
fn extract_date(name: &str, date: i32) -> SqlResult<Option<Numeric>> {
    date_part(name, date)?.numeric()
}

#[sql_function("extract(text, time) -> numeric", oid = 6200)]
fn extract_time(name: &str, time: i64) -> SqlResult<Option<Numeric>> {
    time_part(name, time)?.numeric()
}

#[sql_function("extract(text, timetz) -> numeric", oid = 6201)]
fn extract_time_tz(name: &str, time: TimeTz) -> SqlResult<Option<Numeric>> {
    time_tz_part(name, time)?.numeric()
}

#[sql_function("extract(text, interval) -> numeric", oid = 6204)]
fn extract_interval(name: &str, interval: Interval) -> SqlResult<Option<Numeric>> {
    interval_part(name, &interval)?.numeric()
}

#[sql_function("date_part(text, timestamp) -> float8", oid = 2021)]
fn part_of_timestamp(name: &str, timestamp: i64) -> SqlResult<Option<f64>> {
    Ok(timestamp_part(name, timestamp)?.float())
}

#[sql_function("date_part(text, timestamptz) -> float8", oid = 1171, stable)]
fn part_of_zoned(context: &mut FunctionContext<'_>, name: &str, timestamp: i64) -> SqlResult<Option<f64>> {
    Ok(zoned_part(context, name, timestamp)?.float())
}

#[sql_function("date_part(text, date) -> float8", oid = 1384)]
fn part_of_date(name: &str, date: i32) -> SqlResult<Option<f64>> {
    Ok(timestamp_part(name, date_to_timestamp(date)?)?.float())
}

#[sql_function("date_part(text, time) -> float8", oid = 1385)]
fn part_of_time(name: &str, time: i64) -> SqlResult<Option<f64>> {
    Ok(time_part(name, time)?.float())
}

#[sql_function("date_part(text, timetz) -> float8", oid = 1273)]
fn part_of_time_tz(name: &str, time: TimeTz) -> SqlResult<Option<f64>> {
    Ok(time_tz_part(name, time)?.float())
}

#[sql_function("date_part(text, interval) -> float8", oid = 1172)]
fn part_of_interval(name: &str, interval: Interval) -> SqlResult<Option<f64>> {
    Ok(interval_part(name, &interval)?.float())
}
