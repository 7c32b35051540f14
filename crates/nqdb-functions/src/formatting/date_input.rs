//! `to_date` and `to_timestamp(text, text)`: what a text says, field by field, and the moment that the fields make.
//!
//! A template that names ISO weeks may not name months, and the other way round. What a field says twice must be the same.
//! In strict mode, which is that of jsonpath's `datetime()`, separators must be those of the template and nothing may be
//! left over.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{DATETIME_FIELD_OVERFLOW, FEATURE_NOT_SUPPORTED, INVALID_DATETIME_FORMAT, SqlError, SqlResult};
use nqdb_types::calendar::{
    JULIAN_DAY_OF_EPOCH, MICROS_PER_DAY, MICROS_PER_SECOND, civil_from_days, day_of_week, days_from_civil,
    days_in_month, is_date_finite, is_timestamp_in_range, time_of_day,
};
use nqdb_types::{Datum, Type, apply_typmod, oid};

use super::date_fields::Fields;
use super::date_template::{Piece, parse};
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[&TO_DATE, &TO_TIMESTAMP];

/// Hours that an offset may have.
const OFFSET_HOURS_MAX: i32 = 15;

/// A moment as a text tells it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    /// Days since 2000-01-01; beyond the range of dates where the text is.
    pub days: i64,
    /// µs of the day.
    pub micros: i64,
    pub seconds_east: Option<i32>,
    /// Digits of a second that the template asks for.
    pub digits: Option<u32>,
    pub has_date: bool,
    pub has_time: bool,
    /// The template asks for an offset.
    pub has_zone: bool,
}

/// What stands for a date before it is checked.
struct Civil {
    year: i32,
    month: i32,
    day: i32,
    has_year: bool,
    has_month: bool,
    has_day: bool,
}

fn malformed(message: impl Into<String>) -> SqlError {
    SqlError::new(INVALID_DATETIME_FORMAT, message)
}

fn out_of_range(text: &str) -> SqlError {
    SqlError::new(DATETIME_FIELD_OVERFLOW, format!("date/time field value out of range: \"{text}\""))
}

/// Reads a text by a template.
pub(crate) fn read(text: &str, template: &str, is_strict: bool) -> SqlResult<Reading> {
    let pieces = parse(template);
    if is_strict {
        check_separators(&pieces)?;
    }
    let fields = Fields::read(text, &pieces, is_strict)?;
    let civil = civil_of(&fields)?;
    if !is_valid(&civil) {
        return Err(out_of_range(text));
    }
    let micros = clock_of(&fields, text)?;
    let seconds_east = offset_of(&fields, text)?;
    let kinds = |is_kind: fn(&Piece) -> bool| pieces.iter().any(is_kind);
    Ok(Reading {
        days: days_from_civil(civil.year, civil.month.clamp(1, 12), 1) + i64::from(civil.day) - 1,
        micros,
        seconds_east,
        digits: fields.digits,
        has_date: kinds(Piece::is_of_date),
        has_time: kinds(Piece::is_of_time),
        has_zone: kinds(Piece::is_of_zone),
    })
}

/// Outside of quotes a strict template has few characters that are no patterns.
fn check_separators(pieces: &[Piece]) -> SqlResult<()> {
    let unknown = pieces.iter().find_map(|piece| match piece {
        Piece::Literal(literal) if !"-./,':; ".contains(*literal) => Some(literal),
        _ => None,
    });
    match unknown {
        Some(literal) => Err(malformed(format!("invalid datetime format separator: \"{literal}\""))),
        None => Ok(()),
    }
}

fn civil_of(fields: &Fields) -> SqlResult<Civil> {
    let mut civil = Civil { year: 0, month: 1, day: 1, has_year: false, has_month: false, has_day: false };
    if let Some(year) = year_of(fields) {
        (civil.year, civil.has_year) = (year, true);
    }
    if fields.julian != 0 {
        civil.set(i64::from(fields.julian) - i64::from(JULIAN_DAY_OF_EPOCH));
    }
    let mut day_of_year = fields.day_of_year;
    if fields.week != 0 {
        if fields.is_iso == Some(true) {
            let monday = first_monday(civil.year) + i64::from(fields.week - 1) * 7;
            // Days of the week are counted from Sunday here.
            civil.set(monday + if fields.day_of_week == 0 { 0 } else { i64::from((fields.day_of_week + 5) % 7) });
        } else {
            day_of_year = (fields.week - 1).wrapping_mul(7).wrapping_add(1);
        }
    }
    let day = if fields.week_of_month == 0 { fields.day } else { (fields.week_of_month - 1).wrapping_mul(7) + 1 };
    if day != 0 {
        (civil.day, civil.has_day) = (day, true);
    }
    if fields.month != 0 {
        (civil.month, civil.has_month) = (fields.month, true);
    }
    if day_of_year != 0 && (civil.month <= 1 || civil.day <= 1) {
        if civil.year == 0 && !fields.is_bc {
            return Err(malformed("cannot calculate day of year without year information"));
        }
        civil.set_day_of_year(day_of_year, fields.is_iso == Some(true));
    }
    Ok(civil)
}

impl Civil {
    fn set(&mut self, days: i64) {
        let date = civil_from_days(days);
        *self =
            Civil { year: date.year, month: date.month, day: date.day, has_year: true, has_month: true, has_day: true };
    }

    fn set_day_of_year(&mut self, day_of_year: i32, is_iso: bool) {
        if is_iso {
            return self.set(first_monday(self.year) + i64::from(day_of_year) - 1);
        }
        let (mut month, mut day) = (1, day_of_year);
        while month < 13 && day > days_in_month(self.year, month.min(12)) {
            day -= days_in_month(self.year, month);
            month += 1;
        }
        if self.month <= 1 {
            self.month = month;
        }
        if self.day <= 1 {
            self.day = day;
        }
        (self.has_month, self.has_day) = (true, true);
    }
}

/// The Monday of the first week of a year by ISO 8601.
fn first_monday(year: i32) -> i64 {
    let fourth = days_from_civil(year, 1, 4);
    fourth - i64::from((day_of_week(fourth) + 6) % 7)
}

/// The year that year, century and era make, with a year 0.
fn year_of(fields: &Fields) -> Option<i32> {
    let century = if fields.is_bc { -fields.century } else { fields.century };
    if fields.year == 0 {
        let first = |century: i32| if century >= 0 { (century - 1) * 100 + 1 } else { century * 100 + 1 };
        return (century != 0).then(|| first(century));
    }
    if century != 0 && fields.year_digits <= 2 {
        let year = fields.year % 100;
        return Some(match (year, century >= 0) {
            (0, true) => century * 100,
            (0, false) => century * 100 + 1,
            (year, true) => year + (century - 1) * 100,
            (year, false) => (century + 1) * 100 - year + 1,
        });
    }
    let year = if fields.is_bc { fields.year.wrapping_neg() } else { fields.year };
    Some(if year < 0 { year + 1 } else { year })
}

/// Whether what is known of a date fits together.
fn is_valid(civil: &Civil) -> bool {
    let month_fits = !civil.has_month || (1..=12).contains(&civil.month);
    let day_fits = !civil.has_day || (1..=31).contains(&civil.day);
    let is_whole = civil.has_year && civil.has_month && civil.has_day;
    month_fits && day_fits && (!is_whole || civil.day <= days_in_month(civil.year, civil.month))
}

fn clock_of(fields: &Fields, text: &str) -> SqlResult<i64> {
    let (mut hour, mut minute, mut second) = (0, 0, 0);
    if fields.second_of_day != 0 {
        (hour, minute, second) =
            (fields.second_of_day / 3600, fields.second_of_day / 60 % 60, fields.second_of_day % 60);
    }
    let set = |field: &mut i32, value: i32| {
        if value != 0 {
            *field = value;
        }
    };
    set(&mut second, fields.second);
    set(&mut minute, fields.minute);
    set(&mut hour, fields.hour);
    if fields.is_12_hour {
        if !(1..=12).contains(&hour) {
            return Err(malformed(format!("hour \"{hour}\" is invalid for the 12-hour clock"))
                .with_hint("Use the 24-hour clock, or give an hour between 1 and 12."));
        }
        hour = match (fields.is_afternoon, hour) {
            (true, 1..12) => hour + 12,
            (false, 12) => 0,
            _ => hour,
        };
    }
    let micros = i64::from(fields.millisecond) * 1000 + i64::from(fields.microsecond);
    let fits = (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..60).contains(&second)
        && (0..MICROS_PER_SECOND).contains(&micros);
    if fits { Ok(time_of_day(hour, minute, second, micros)) } else { Err(out_of_range(text)) }
}

fn offset_of(fields: &Fields, text: &str) -> SqlResult<Option<i32>> {
    if fields.offset_sign == 0 {
        return Ok(None);
    }
    let fits = (0..=OFFSET_HOURS_MAX).contains(&fields.offset_hours) && (0..60).contains(&fields.offset_minutes);
    if !fits {
        return Err(out_of_range(text));
    }
    Ok(Some(fields.offset_sign * (fields.offset_hours * 3600 + fields.offset_minutes * 60)))
}

#[sql_function("to_date(text, text) -> date", oid = 1780, stable)]
fn to_date(text: &str, template: &str) -> SqlResult<i32> {
    let reading = read(text, template, false)?;
    date_of(&reading, text)
}

/// The date that was read; 22008 beyond the range of dates.
pub(crate) fn date_of(reading: &Reading, text: &str) -> SqlResult<i32> {
    let date = i32::try_from(reading.days).ok().filter(|days| {
        is_date_finite(*days) && (nqdb_types::calendar::DATE_MIN..nqdb_types::calendar::DATE_END).contains(days)
    });
    date.ok_or_else(|| SqlError::new(DATETIME_FIELD_OVERFLOW, format!("date out of range: \"{text}\"")))
}

/// The local µs that were read.
pub(crate) fn local_of(reading: &Reading) -> SqlResult<i64> {
    let local = reading.days.checked_mul(MICROS_PER_DAY).and_then(|midnight| midnight.checked_add(reading.micros));
    local.ok_or_else(|| SqlError::new(DATETIME_FIELD_OVERFLOW, "timestamp out of range"))
}

/// The UTC µs that were read, by the offset in the text or else by the session's zone.
pub(crate) fn utc_of(context: &FunctionContext<'_>, reading: &Reading) -> SqlResult<i64> {
    let local = local_of(reading)?;
    let utc = match reading.seconds_east {
        Some(seconds) => local - i64::from(seconds) * MICROS_PER_SECOND,
        None => context.format.time_zone.local_to_utc(local),
    };
    match is_timestamp_in_range(utc) {
        true => Ok(utc),
        false => Err(SqlError::new(DATETIME_FIELD_OVERFLOW, "timestamp out of range")),
    }
}

#[sql_function("to_timestamp(text, text) -> timestamptz", oid = 1778, stable)]
fn to_timestamp(context: &mut FunctionContext<'_>, text: &str, template: &str) -> SqlResult<Datum> {
    let reading = read(text, template, false)?;
    let utc = Datum::TimestampTz(utc_of(context, &reading)?);
    match reading.digits {
        Some(digits) => apply_typmod(utc, Type::with_typmod(oid::TIMESTAMPTZ, digits as i32), true),
        None => Ok(utc),
    }
}

/// What a pattern that can only be written is refused with.
pub(super) fn only_written(name: &str) -> SqlError {
    let message = format!("formatting field \"{name}\" is only supported in to_char");
    SqlError::new(FEATURE_NOT_SUPPORTED, message)
}
