//! `to_date` and `to_timestamp(text, text)`.
//!
//! Blanks and separators in the template match any number of them in the text. Templates that mix ISO weeks
//! with months, or name a field that cannot be read (`DAY` names are skipped), follow PostgreSQL's errors
//! where there is one and 0A000 where this reader does not go.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{DATETIME_FIELD_OVERFLOW, INVALID_DATETIME_FORMAT, SqlError, SqlResult};
use nqdb_types::calendar::{
    MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, date_from_civil, days_from_civil, is_timestamp_in_range,
    timestamp_from_days,
};

use super::date_output::MONTHS;
use super::date_template::{Field, Piece, parse};
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[&TO_DATE, &TO_TIMESTAMP];

/// What a text said, field by field.
#[derive(Default)]
struct Reading {
    year: Option<i64>,
    is_bc: bool,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    julian: Option<i64>,
    hour: i64,
    is_12_hour: bool,
    is_afternoon: Option<bool>,
    minute: i64,
    second: i64,
    micros: i64,
    second_of_day: Option<i64>,
    offset_seconds: Option<i64>,
}

fn mismatch(value: &str, field: &str) -> SqlError {
    SqlError::new(INVALID_DATETIME_FORMAT, format!("invalid value \"{value}\" for \"{field}\""))
        .with_detail("Value must be an integer.")
}

fn out_of_range(text: &str) -> SqlError {
    SqlError::new(DATETIME_FIELD_OVERFLOW, format!("date/time field value out of range: \"{text}\""))
}

const FIXED_WIDTH_HINT: &str = "If your source string is not fixed-width, try using the \"FM\" modifier.";

/// Whether the field is written in digits, so that only its place says where the one before it ends.
fn is_number(field: Field) -> bool {
    !matches!(
        field,
        Field::Era { .. }
            | Field::Meridiem { .. }
            | Field::DayName
            | Field::DayNameShort
            | Field::MonthName
            | Field::MonthNameShort
            | Field::RomanMonth
            | Field::ZoneName
            | Field::Offset
            | Field::Exact
    )
}

struct Reader<'a> {
    rest: &'a str,
    reading: Reading,
}

impl Reader<'_> {
    fn run(&mut self, template: &str) -> SqlResult<()> {
        let pieces = parse(template);
        for (index, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Literal(literal) if literal.is_ascii_punctuation() || *literal == ' ' => self.skip_separators(),
                Piece::Literal(_) => self.skip_character(),
                Piece::Pattern { field, fill, ordinal, .. } => {
                    self.rest = self.rest.trim_start_matches(' ');
                    if self.rest.is_empty() {
                        return Ok(());
                    }
                    let next_is_number = !fill
                        && ordinal.is_none()
                        && match pieces.get(index + 1) {
                            Some(Piece::Pattern { field, .. }) => is_number(*field),
                            Some(Piece::Literal(literal)) => literal.is_ascii_digit(),
                            None => false,
                        };
                    self.field(*field, next_is_number)?;
                }
            }
        }
        Ok(())
    }

    fn skip_character(&mut self) {
        let mut characters = self.rest.chars();
        characters.next();
        self.rest = characters.as_str();
    }

    fn skip_separators(&mut self) {
        let is_separator = |character: char| character == ' ' || character.is_ascii_punctuation();
        let trimmed = self.rest.trim_start_matches(' ');
        self.rest = match trimmed.strip_prefix(|first| is_separator(first) && first != '-' && first != '+') {
            Some(after) => after,
            None => trimmed.strip_prefix(['-', '+']).unwrap_or(trimmed),
        };
    }

    /// A number of exactly so many digits where another number follows at once, of any number otherwise.
    fn number(&mut self, digits_exact: usize, next_is_number: bool, name: &str) -> SqlResult<i64> {
        let rest = self.rest;
        let shown = || rest.char_indices().nth(digits_exact).map_or(rest, |(end, _)| &rest[..end]);
        if next_is_number && rest.len() < digits_exact {
            let detail = format!("Field requires {digits_exact} characters, but only {} remain.", rest.len());
            let message = format!("source string too short for \"{name}\" formatting field");
            return Err(SqlError::new(INVALID_DATETIME_FORMAT, message)
                .with_detail(detail)
                .with_hint(FIXED_WIDTH_HINT));
        }
        let limit = if next_is_number { digits_exact } else { usize::MAX };
        let sign_len = usize::from(rest.starts_with(['-', '+']));
        let digits = rest.bytes().take(limit).skip(sign_len).take_while(u8::is_ascii_digit).count();
        let (number, behind) = rest.split_at(sign_len + digits);
        if next_is_number && digits > 0 && number.len() < digits_exact {
            let detail =
                format!("Field requires {digits_exact} characters, but only {} could be parsed.", number.len());
            let message = format!("invalid value \"{}\" for \"{name}\"", shown());
            return Err(SqlError::new(INVALID_DATETIME_FORMAT, message)
                .with_detail(detail)
                .with_hint(FIXED_WIDTH_HINT));
        }
        let value = number.parse().map_err(|_| mismatch(shown(), name))?;
        self.rest = behind;
        Ok(value)
    }

    fn fraction(&mut self, digits: usize, name: &str) -> SqlResult<i64> {
        let len = self.rest.bytes().take(digits).take_while(u8::is_ascii_digit).count();
        let value = self.number(len.max(1), true, name)?;
        Ok(value * 10i64.pow(6u32.saturating_sub(len as u32)))
    }

    fn name<'n>(&mut self, names: impl Iterator<Item = &'n str>, field: &str) -> SqlResult<usize> {
        for (index, name) in names.enumerate() {
            if self.rest.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name)) {
                self.rest = self.rest.get(name.len()..).unwrap_or("");
                return Ok(index);
            }
        }
        Err(SqlError::new(INVALID_DATETIME_FORMAT, format!("invalid value \"{}\" for \"{field}\"", self.rest))
            .with_detail("The given value did not match any of the allowed values for this field."))
    }

    fn field(&mut self, field: Field, next: bool) -> SqlResult<()> {
        match field {
            Field::Exact => {}
            Field::Year(4) => self.reading.year = Some(self.number(4, next, "YYYY")?),
            Field::Year(digits) => {
                let before = self.rest.len();
                let year = self.number(digits as usize, next, &"YYYY"[..digits as usize])?;
                // Four digits are a whole year, whatever the template says.
                let is_partial = before - self.rest.len() < 4;
                self.reading.year = Some(match year {
                    _ if !is_partial => year,
                    0..=69 => year + 2000,
                    70..=99 => year + 1900,
                    100..=519 => year + 2000,
                    520..=999 => year + 1000,
                    _ => year,
                });
            }
            Field::YearWithComma => {
                let thousands = self.number(3, false, "Y,YYY")?;
                self.rest = self.rest.strip_prefix(',').unwrap_or(self.rest);
                self.reading.year = Some(thousands * 1000 + self.number(3, next, "Y,YYY")?);
            }
            Field::Era { .. } => {
                let index = self.name(["B.C.", "BC", "A.D.", "AD"].into_iter(), "BC")?;
                self.reading.is_bc = index < 2;
            }
            Field::Month => self.reading.month = Some(self.number(2, next, "MM")?),
            Field::MonthName => {
                self.reading.month = Some(self.name(MONTHS.into_iter(), "MONTH")? as i64 + 1);
            }
            Field::MonthNameShort => {
                let names = MONTHS.iter().map(|name| name.get(..3).unwrap_or(name));
                self.reading.month = Some(self.name(names, "MON")? as i64 + 1);
            }
            Field::DayOfMonth => self.reading.day = Some(self.number(2, next, "DD")?),
            Field::DayOfYear => self.reading.day_of_year = Some(self.number(3, next, "DDD")?),
            Field::Julian => self.reading.julian = Some(self.number(10, false, "J")?),
            Field::DayName | Field::DayNameShort => {
                self.rest = self.rest.trim_start_matches(|letter: char| letter.is_ascii_alphabetic());
            }
            Field::Hour24 => self.reading.hour = self.number(2, next, "HH24")?,
            Field::Hour12 => {
                self.reading.hour = self.number(2, next, "HH12")?;
                self.reading.is_12_hour = true;
            }
            Field::Minute => self.reading.minute = self.number(2, next, "MI")?,
            Field::Second => self.reading.second = self.number(2, next, "SS")?,
            Field::SecondOfDay => self.reading.second_of_day = Some(self.number(5, next, "SSSS")?),
            Field::Milliseconds => self.reading.micros = self.fraction(3, "MS")?,
            Field::Microseconds => self.reading.micros = self.fraction(6, "US")?,
            Field::Fraction(digits) => self.reading.micros = self.fraction(digits as usize, "FF")?,
            Field::Meridiem { .. } => {
                let index = self.name(["P.M.", "PM", "A.M.", "AM"].into_iter(), "AM")?;
                self.reading.is_afternoon = Some(index < 2);
                self.reading.is_12_hour = true;
            }
            Field::OffsetHours => {
                let sign = if self.rest.starts_with('-') { -1 } else { 1 };
                let hours = self.number(3, next, "TZH")?;
                self.reading.offset_seconds = Some(sign * hours.abs() * 3600);
            }
            Field::OffsetMinutes => {
                let hours = self.reading.offset_seconds.unwrap_or(0);
                let minutes = self.number(2, next, "TZM")? * 60;
                self.reading.offset_seconds = Some(if hours < 0 { hours - minutes } else { hours + minutes });
            }
            _ => return Err(SqlError::unsupported("this pattern in a template for reading dates")),
        }
        Ok(())
    }
}

/// Days since 2000-01-01, µs of the day, and the offset if the text has one.
fn read(text: &str, template: &str) -> SqlResult<(i32, i64, Option<i64>)> {
    let mut reader = Reader { rest: text, reading: Reading::default() };
    reader.run(template)?;
    let reading = reader.reading;
    let has_year = reading.is_bc || reading.year.is_some_and(|year| year != 0);
    if reading.day_of_year.is_some_and(|day| day != 0) && reading.julian.is_none() && !has_year {
        let message = "cannot calculate day of year without year information";
        return Err(SqlError::new(INVALID_DATETIME_FORMAT, message));
    }
    let days = days_of(&reading).ok_or_else(|| out_of_range(text))?;
    let mut hour = reading.hour;
    if reading.is_12_hour {
        if !(1..=12).contains(&hour) {
            return Err(SqlError::new(
                INVALID_DATETIME_FORMAT,
                format!("hour \"{hour}\" is invalid for the 12-hour clock"),
            )
            .with_hint("Use the 24-hour clock, or give an hour between 1 and 12."));
        }
        hour = match reading.is_afternoon {
            Some(true) if hour < 12 => hour + 12,
            Some(false) | None if hour == 12 => 0,
            _ => hour,
        };
    }
    let fits = (0..24).contains(&hour) && (0..60).contains(&reading.minute) && (0..60).contains(&reading.second);
    if !fits || reading.second_of_day.is_some_and(|second| !(0..86_400).contains(&second)) {
        return Err(out_of_range(text));
    }
    let whole = match reading.second_of_day {
        Some(second) => second * MICROS_PER_SECOND,
        None => hour * MICROS_PER_HOUR + reading.minute * MICROS_PER_MINUTE + reading.second * MICROS_PER_SECOND,
    };
    Ok((days, whole + reading.micros, reading.offset_seconds))
}

fn days_of(reading: &Reading) -> Option<i32> {
    if let Some(julian) = reading.julian {
        return i32::try_from(julian - i64::from(nqdb_types::calendar::JULIAN_DAY_OF_EPOCH)).ok();
    }
    // Without a year it is 1 BC, as with PostgreSQL.
    let year = match reading.year {
        Some(year) if reading.is_bc => 1 - year,
        Some(year) if year < 0 => year + 1,
        Some(year) => year,
        None => 0,
    };
    let year = i32::try_from(year).ok()?;
    if let Some(day_of_year) = reading.day_of_year {
        let days_in_year = days_from_civil(year + 1, 1, 1) - days_from_civil(year, 1, 1);
        if !(1..=days_in_year).contains(&day_of_year) {
            return None;
        }
        return i32::try_from(days_from_civil(year, 1, 1) + day_of_year - 1).ok();
    }
    // A zero says nothing.
    let or_first = |field: Option<i64>| i32::try_from(field.filter(|&value| value != 0).unwrap_or(1)).ok();
    date_from_civil(year, or_first(reading.month)?, or_first(reading.day)?)
}

#[sql_function("to_date(text, text) -> date", oid = 1780, stable)]
fn to_date(text: &str, template: &str) -> SqlResult<i32> {
    Ok(read(text, template)?.0)
}

#[sql_function("to_timestamp(text, text) -> timestamptz", oid = 1778, stable)]
fn to_timestamp(context: &mut FunctionContext<'_>, text: &str, template: &str) -> SqlResult<i64> {
    let (days, time, offset) = read(text, template)?;
    let local = timestamp_from_days(days.into(), time);
    let utc = local.map(|local| match offset {
        Some(seconds) => local - seconds * MICROS_PER_SECOND,
        None => context.format.time_zone.local_to_utc(local),
    });
    utc.filter(|utc| is_timestamp_in_range(*utc))
        .ok_or_else(|| SqlError::new(DATETIME_FIELD_OVERFLOW, "timestamp out of range"))
}
