//! `to_char` of timestamps and intervals.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{INVALID_DATETIME_FORMAT, SqlError, SqlResult};
use nqdb_types::Interval;
use nqdb_types::calendar::{
    DAYS_PER_MONTH, JULIAN_DAY_OF_EPOCH, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, civil_from_days,
    day_of_week, days_from_civil, is_timestamp_finite, split_days,
};

use super::date_template::{Case, Field, Piece, parse};
use crate::datetime::iso_week;
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[&TIMESTAMP, &ZONED, &INTERVAL];

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const ROMAN_MONTHS: [&str; 12] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

/// A date and time taken apart, or an interval: then there is no weekday, and the fields may be negative.
struct Moment {
    year: i64,
    month: i64,
    day: i64,
    day_of_year: i64,
    /// Days since 2000-01-01.
    days: i64,
    hour: i64,
    minute: i64,
    second: i64,
    micros: i64,
    offset_seconds: i64,
    zone: String,
    is_interval: bool,
}

impl Moment {
    fn of_timestamp(local: i64) -> Moment {
        let (days, time) = split_days(local);
        let date = civil_from_days(days);
        let mut moment = Moment::of_time(time);
        moment.year = date.year.into();
        moment.month = date.month.into();
        moment.day = date.day.into();
        moment.day_of_year = days - days_from_civil(date.year, 1, 1) + 1;
        moment.days = days;
        moment
    }

    fn of_interval(interval: &Interval) -> Moment {
        let mut moment = Moment::of_time(interval.micros);
        moment.year = i64::from(interval.months / 12);
        moment.month = i64::from(interval.months % 12);
        moment.day = interval.days.into();
        moment.day_of_year = i64::from(interval.months) * i64::from(DAYS_PER_MONTH) + i64::from(interval.days);
        moment.is_interval = true;
        moment
    }

    fn of_time(micros: i64) -> Moment {
        Moment {
            year: 0,
            month: 0,
            day: 0,
            day_of_year: 0,
            days: 0,
            hour: micros / MICROS_PER_HOUR,
            minute: micros / MICROS_PER_MINUTE % 60,
            second: micros / MICROS_PER_SECOND % 60,
            micros: micros % MICROS_PER_SECOND,
            offset_seconds: 0,
            zone: String::new(),
            is_interval: false,
        }
    }

    /// The year without its era.
    fn shown_year(&self, year: i64) -> i64 {
        if year <= 0 && !self.is_interval { 1 - year } else { year }
    }

    fn format(&self, template: &str) -> SqlResult<String> {
        let mut out = String::new();
        for piece in parse(template) {
            match piece {
                Piece::Literal(literal) | Piece::Quoted(literal) => out.push(literal),
                Piece::Pattern { field, case, fill, ordinal } => {
                    let text = self.field(field, case, fill)?;
                    out.push_str(&text);
                    if let Some(ordinal) = ordinal.filter(|_| text.ends_with(|last: char| last.is_ascii_digit())) {
                        out.push_str(&ordinal.apply(ordinal_suffix(&text)));
                    }
                }
            }
        }
        Ok(out)
    }

    fn field(&self, field: Field, case: Case, fill: bool) -> SqlResult<String> {
        let number = |value: i64, width: usize| Ok(padded(value, if fill { 0 } else { width }));
        // Where PostgreSQL gives the sign a place of its own.
        let signed = |value: i64, width: usize| number(value, width + usize::from(value < 0));
        let name = |name: &str, width: usize| {
            Ok(if fill { case.apply(name) } else { format!("{:<width$}", case.apply(name)) })
        };
        let month_index = usize::try_from(self.month - 1).unwrap_or(0);
        let month = || MONTHS.get(month_index).copied().unwrap_or("");
        let weekday = || DAYS.get(day_of_week(self.days) as usize).copied().unwrap_or("");
        let short = |name: &'static str| name.get(..3).unwrap_or(name);
        match field {
            Field::Exact => Ok(String::new()),
            Field::Hour24 => signed(self.hour, 2),
            Field::Hour12 => {
                let hour = if self.hour % 12 == 0 { 12 } else { self.hour % 12 };
                number(hour, 2 + usize::from(self.hour < 0))
            }
            Field::Minute => signed(self.minute, 2),
            Field::Second => signed(self.second, 2),
            Field::SecondOfDay => Ok((self.hour * 3600 + self.minute * 60 + self.second).to_string()),
            Field::Milliseconds => Ok(padded(self.micros / 1000, 3)),
            Field::Microseconds => Ok(padded(self.micros, 6)),
            Field::Fraction(digits) => Ok(padded(self.micros / 10i64.pow(6 - digits), digits as usize)),
            Field::Meridiem { dots } => {
                let is_afternoon = self.hour % 24 >= 12;
                Ok(dotted(if is_afternoon { "PM" } else { "AM" }, dots, case))
            }
            Field::WeekOfYear => number((self.day_of_year - 1) / 7 + 1, 2),
            Field::DayOfYear => number(self.day_of_year, 3),
            Field::DayOfMonth => number(self.day, 2),
            Field::Month => signed(self.month, 2),
            Field::WeekOfMonth => Ok(((self.day - 1) / 7 + 1).to_string()),
            Field::Quarter if self.month == 0 => Ok(String::new()),
            Field::Quarter => Ok(((self.month - 1) / 3 + 1).to_string()),
            Field::RomanMonth if self.month == 0 && self.year == 0 => Ok(String::new()),
            Field::RomanMonth if self.month <= 0 => {
                // Of an interval, counted back from December.
                let index = match self.month {
                    0 if self.year >= 0 => 11,
                    0 => 0,
                    month => (month + 12).max(0) as usize,
                };
                name(ROMAN_MONTHS.get(index).copied().unwrap_or(""), 4)
            }
            Field::RomanMonth => name(ROMAN_MONTHS.get(month_index).copied().unwrap_or(""), 4),
            Field::Julian if self.is_interval => Ok(julian_of_fields(self.year, self.month, self.day).to_string()),
            Field::Julian => Ok((self.days + i64::from(JULIAN_DAY_OF_EPOCH)).to_string()),
            Field::Century => {
                let century = match self.year {
                    year if self.is_interval => year / 100,
                    year if year > 0 => (year - 1) / 100 + 1,
                    year => year / 100 - 1,
                };
                signed(century, 2)
            }
            Field::YearWithComma => {
                let year = self.shown_year(self.year);
                Ok(format!("{},{:03}", year / 1000, year % 1000))
            }
            Field::Year(digits) => Ok(self.year_digits(self.year, digits, fill)),
            _ if self.is_interval => {
                Err(SqlError::new(INVALID_DATETIME_FORMAT, "invalid format specification for an interval value")
                    .with_hint("Intervals are not tied to specific calendar dates."))
            }
            Field::Era { dots } => Ok(dotted(if self.year <= 0 { "BC" } else { "AD" }, dots, case)),
            Field::MonthName => name(month(), 9),
            Field::MonthNameShort => Ok(case.apply(short(month()))),
            Field::DayName => name(weekday(), 9),
            Field::DayNameShort => Ok(case.apply(short(weekday()))),
            Field::DayOfWeek => Ok((day_of_week(self.days) + 1).to_string()),
            Field::IsoDayOfWeek => Ok(((day_of_week(self.days) + 6) % 7 + 1).to_string()),
            Field::IsoWeek => number(iso_week(self.days).1, 2),
            Field::IsoDayOfYear => {
                let weekday = i64::from((day_of_week(self.days) + 6) % 7 + 1);
                number((iso_week(self.days).1 - 1) * 7 + weekday, 3)
            }
            Field::IsoYear(digits) => Ok(self.year_digits(iso_week(self.days).0, digits, fill)),
            Field::ZoneName => Ok(if case == Case::Lower { self.zone.to_lowercase() } else { self.zone.clone() }),
            Field::OffsetHours => Ok(self.offset_hours()),
            Field::OffsetMinutes => Ok(padded(self.offset_seconds.abs() / 60 % 60, 2)),
            Field::Offset => Ok(match self.offset_seconds.abs() / 60 % 60 {
                0 => self.offset_hours(),
                minutes => format!("{}:{minutes:02}", self.offset_hours()),
            }),
        }
    }

    fn year_digits(&self, year: i64, digits: u32, fill: bool) -> String {
        let year = self.shown_year(year);
        let year = if digits < 4 { year % 10i64.pow(digits) } else { year };
        let width = digits as usize + usize::from(digits == 4 && year < 0);
        padded(year, if fill { 0 } else { width })
    }

    fn offset_hours(&self) -> String {
        let sign = if self.offset_seconds >= 0 { '+' } else { '-' };
        format!("{sign}{:02}", self.offset_seconds.abs() / 3600)
    }
}

/// At least so many characters, of which a minus sign is one.
fn padded(value: i64, width: usize) -> String {
    format!("{value:0width$}")
}

/// The Julian day of an interval's fields, as PostgreSQL computes it for want of a date.
fn julian_of_fields(year: i64, month: i64, day: i64) -> i64 {
    let (month, year) = if month > 2 { (month + 1, year + 4800) } else { (month + 13, year + 4799) };
    let century = year / 100;
    year * 365 - 32_167 + year / 4 - century + century / 4 + 7834 * month / 256 + day
}

fn dotted(letters: &str, dots: bool, case: Case) -> String {
    let text = if dots { letters.chars().flat_map(|letter| [letter, '.']).collect() } else { letters.to_string() };
    if case == Case::Lower { text.to_ascii_lowercase() } else { text }
}

/// `st`, `nd`, `rd` or `th` for a number's digits.
pub(super) fn ordinal_suffix(digits: &str) -> &'static str {
    let mut last = digits.bytes().rev();
    match (last.next(), last.next()) {
        (_, Some(b'1')) => "th",
        (Some(b'1'), _) => "st",
        (Some(b'2'), _) => "nd",
        (Some(b'3'), _) => "rd",
        _ => "th",
    }
}

#[sql_function("to_char(timestamp, text) -> text", oid = 2049, stable)]
fn timestamp(timestamp: i64, template: &str) -> SqlResult<Option<String>> {
    if template.is_empty() || !is_timestamp_finite(timestamp) {
        return Ok(None);
    }
    Moment::of_timestamp(timestamp).format(template).map(Some)
}

#[sql_function("to_char(timestamptz, text) -> text", oid = 1770, stable)]
fn zoned(context: &mut FunctionContext<'_>, timestamp: i64, template: &str) -> SqlResult<Option<String>> {
    if template.is_empty() || !is_timestamp_finite(timestamp) {
        return Ok(None);
    }
    let zone = context.format.time_zone.offset_at_utc(timestamp);
    let local = timestamp.saturating_add(i64::from(zone.seconds_east) * MICROS_PER_SECOND);
    let moment =
        Moment { offset_seconds: zone.seconds_east.into(), zone: zone.abbreviation, ..Moment::of_timestamp(local) };
    moment.format(template).map(Some)
}

#[sql_function("to_char(interval, text) -> text", oid = 1768, stable)]
fn interval(interval: Interval, template: &str) -> SqlResult<Option<String>> {
    if template.is_empty() {
        return Ok(None);
    }
    Moment::of_interval(&interval).format(template).map(Some)
}
