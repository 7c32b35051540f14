//! A text cut into the fields that a date template names.
//!
//! Outside of fixed-width mode blanks before fields do not count, and a separator of the template matches one of the
//! text or none; what was gone over beyond the template stands in for characters of it later. A number ends where its
//! digits end, unless another number follows at once: then it has as many characters as its pattern has letters.

use nqdb_sqlstate::{DATETIME_FIELD_OVERFLOW, INVALID_DATETIME_FORMAT, SqlError, SqlResult};

use super::date_input::only_written;
use super::date_output::{DAYS, MONTHS};
use super::date_template::{Case, Field, Piece};

/// What a text said; 0 says nothing.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub year: i32,
    /// Letters of the pattern that gave the year.
    pub year_digits: u32,
    pub century: i32,
    pub is_bc: bool,
    pub month: i32,
    pub day: i32,
    pub day_of_year: i32,
    /// Of the year, or of the ISO year.
    pub week: i32,
    pub week_of_month: i32,
    /// From 1, Sunday.
    pub day_of_week: i32,
    pub julian: i32,
    pub hour: i32,
    pub minute: i32,
    pub second: i32,
    pub millisecond: i32,
    pub microsecond: i32,
    pub second_of_day: i32,
    pub is_12_hour: bool,
    pub is_afternoon: bool,
    pub offset_sign: i32,
    pub offset_hours: i32,
    pub offset_minutes: i32,
    /// Digits of `FFn`.
    pub digits: Option<u32>,
    /// Whether the template speaks of ISO weeks; none when it speaks of neither these nor months.
    pub is_iso: Option<bool>,
    era: i32,
    meridiem: i32,
}

const FIXED_WIDTH_HINT: &str = "If your source string is not fixed-width, try using the \"FM\" modifier.";

fn malformed(message: impl Into<String>) -> SqlError {
    SqlError::new(INVALID_DATETIME_FORMAT, message)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    is_strict: bool,
    is_fixed: bool,
    /// Characters gone over beyond those of the template.
    extra: i32,
    fields: Fields,
}

/// A pattern of the template and its surroundings.
struct Pattern {
    name: String,
    fill: bool,
    has_ordinal: bool,
    /// No digits follow in the template.
    ends_freely: bool,
}

impl Fields {
    /// Reads a text; 22007 where it does not go with the template.
    pub fn read(text: &str, pieces: &[Piece], is_strict: bool) -> SqlResult<Fields> {
        let mut reader = Reader { text, at: 0, is_strict, is_fixed: is_strict, extra: 0, fields: Fields::default() };
        let mut rest = pieces;
        while let Some((piece, behind)) = rest.split_first().filter(|_| !reader.rest().is_empty()) {
            if !reader.is_fixed && (matches!(piece, Piece::Pattern { .. }) || rest.len() == pieces.len()) {
                reader.skip_blanks();
            }
            match piece {
                Piece::Literal(literal) if is_separator(*literal) || literal.is_ascii_whitespace() => {
                    reader.separator(*literal)?;
                }
                Piece::Literal(literal) | Piece::Quoted(literal) => reader.character(*literal)?,
                Piece::Pattern { field, case, fill, ordinal } => {
                    let pattern = Pattern {
                        name: match case {
                            Case::Lower => field.name().to_ascii_lowercase(),
                            _ => field.name().to_string(),
                        },
                        fill: *fill,
                        has_ordinal: ordinal.is_some(),
                        ends_freely: ordinal.is_some() || ends_freely(behind),
                    };
                    reader.set_convention(*field)?;
                    reader.field(*field, &pattern)?;
                    if !reader.is_fixed {
                        reader.extra = 0;
                        reader.skip_blanks();
                    }
                }
            }
            rest = behind;
        }
        if is_strict {
            if !rest.is_empty() {
                return Err(malformed("input string is too short for datetime format"));
            }
            if !reader.rest().trim_start().is_empty() {
                return Err(malformed("trailing characters remain in input string after datetime format"));
            }
        }
        Ok(reader.fields)
    }
}

/// Whether a character of a template or text is punctuation.
fn is_separator(character: char) -> bool {
    character.is_ascii_punctuation()
}

/// Whether what follows in the template does not begin with a digit.
fn ends_freely(behind: &[Piece]) -> bool {
    match behind.first() {
        None => true,
        Some(Piece::Pattern { field, .. }) => !field.is_digits(),
        Some(Piece::Literal(literal) | Piece::Quoted(literal)) => !literal.is_ascii_digit(),
    }
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn skip(&mut self) {
        self.at += self.rest().chars().next().map_or(0, char::len_utf8);
    }

    fn skip_blanks(&mut self) {
        while self.rest().starts_with(|next: char| next.is_ascii_whitespace() || next == '\x0b') {
            self.skip();
            self.extra += 1;
        }
    }

    fn separator(&mut self, literal: char) -> SqlResult<()> {
        if self.is_strict {
            if !self.rest().starts_with(literal) {
                return Err(malformed(format!("unmatched format separator \"{literal}\"")));
            }
            self.skip();
        } else if self.is_fixed {
            self.skip();
        } else {
            self.extra -= 1;
            if self.rest().starts_with(|next: char| next.is_ascii_whitespace() || is_separator(next)) {
                self.skip();
                self.extra += 1;
            }
        }
        Ok(())
    }

    /// A character of the template that is no separator goes over one of the text, whatever it is.
    fn character(&mut self, literal: char) -> SqlResult<()> {
        if !self.is_fixed && self.extra > 0 {
            self.extra -= 1;
            return Ok(());
        }
        if self.is_strict && !self.rest().starts_with(literal) {
            return Err(malformed(format!("unmatched format character \"{literal}\"")));
        }
        self.skip();
        Ok(())
    }

    fn set_convention(&mut self, field: Field) -> SqlResult<()> {
        let Some(is_iso) = field.is_iso() else { return Ok(()) };
        if self.fields.is_iso.is_some_and(|before| before != is_iso) {
            return Err(malformed("invalid combination of date conventions")
                .with_hint("Do not mix Gregorian and ISO week date conventions in a formatting template."));
        }
        self.fields.is_iso = Some(is_iso);
        Ok(())
    }

    /// A number, and how many characters it took with the blanks before it. Its width counts where a number follows.
    fn number(&mut self, width: usize, pattern: &Pattern) -> SqlResult<(i32, usize)> {
        let start = self.at;
        let trimmed = self.rest().trim_start_matches(|next: char| next.is_ascii_whitespace());
        let from = self.text.len() - trimmed.len();
        let shown: String = trimmed.chars().take(width).collect();
        let limit = if pattern.fill || pattern.ends_freely { usize::MAX } else { width };
        if limit == width && trimmed.len() < width {
            let message = format!("source string too short for \"{}\" formatting field", pattern.name);
            let detail = format!("Field requires {width} characters, but only {} remain.", trimmed.len());
            return Err(malformed(message).with_detail(detail).with_hint(FIXED_WIDTH_HINT));
        }
        let len = number_len(trimmed.get(..limit).unwrap_or(trimmed));
        let (number, _) = trimmed.split_at(len);
        if len == 0 {
            let message = format!("invalid value \"{shown}\" for \"{}\"", pattern.name);
            return Err(malformed(message).with_detail("Value must be an integer."));
        }
        if limit == width && len < width {
            let message = format!("invalid value \"{shown}\" for \"{}\"", pattern.name);
            let detail = format!("Field requires {width} characters, but only {len} could be parsed.");
            return Err(malformed(message).with_detail(detail).with_hint(FIXED_WIDTH_HINT));
        }
        let value = number.parse().map_err(|_| {
            let message = format!("value for \"{}\" in source string is out of range", pattern.name);
            SqlError::new(DATETIME_FIELD_OVERFLOW, message).with_detail(format!(
                "Value must be in the range {} to {}.",
                i32::MIN,
                i32::MAX
            ))
        })?;
        self.at = from + len;
        Ok((value, self.at - start))
    }

    /// Reads a number into a field.
    fn set(&mut self, width: usize, pattern: &Pattern, field: fn(&mut Fields) -> &mut i32) -> SqlResult<usize> {
        let (value, len) = self.number(width, pattern)?;
        self.set_value(value, pattern, field)?;
        if pattern.has_ordinal {
            self.skip();
            self.skip();
        }
        Ok(len)
    }

    fn set_value(&mut self, value: i32, pattern: &Pattern, field: fn(&mut Fields) -> &mut i32) -> SqlResult<()> {
        let field = field(&mut self.fields);
        if *field != 0 && *field != value {
            let message = format!("conflicting values for \"{}\" field in formatting string", pattern.name);
            return Err(
                malformed(message).with_detail("This value contradicts a previous setting for the same field type.")
            );
        }
        *field = value;
        Ok(())
    }

    /// The index of the name that stands here.
    fn name<'n>(&mut self, names: impl IntoIterator<Item = &'n str>, pattern: &Pattern) -> SqlResult<i32> {
        for (index, name) in names.into_iter().enumerate() {
            if self.rest().get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name)) {
                self.at += name.len();
                return Ok(index as i32);
            }
        }
        let word = self.rest().split(|next: char| next.is_ascii_whitespace()).next().unwrap_or("");
        Err(malformed(format!("invalid value \"{word}\" for \"{}\"", pattern.name))
            .with_detail("The given value did not match any of the allowed values for this field."))
    }

    fn field(&mut self, field: Field, pattern: &Pattern) -> SqlResult<()> {
        match field {
            Field::Exact => self.is_fixed = true,
            Field::Meridiem { dots } => {
                let names = if dots { ["a.m.", "p.m."] } else { ["am", "pm"] };
                let index = self.name(names, pattern)?;
                self.set_value(index, pattern, |fields| &mut fields.meridiem)?;
                self.fields.is_afternoon = index == 1;
                self.fields.is_12_hour = true;
            }
            Field::Era { dots } => {
                let names = if dots { ["a.d.", "b.c."] } else { ["ad", "bc"] };
                let index = self.name(names, pattern)?;
                self.set_value(index, pattern, |fields| &mut fields.era)?;
                self.fields.is_bc = index == 1;
            }
            Field::Hour12 => {
                self.set(2, pattern, |fields| &mut fields.hour)?;
                self.fields.is_12_hour = true;
            }
            Field::Hour24 => drop(self.set(2, pattern, |fields| &mut fields.hour)?),
            Field::Minute => drop(self.set(2, pattern, |fields| &mut fields.minute)?),
            Field::Second => drop(self.set(2, pattern, |fields| &mut fields.second)?),
            Field::SecondOfDay => drop(self.set(pattern.name.len(), pattern, |fields| &mut fields.second_of_day)?),
            Field::Milliseconds => {
                let len = self.set(3, pattern, |fields| &mut fields.millisecond)?;
                self.fields.millisecond = scaled(self.fields.millisecond, 3, len);
            }
            Field::Microseconds => self.fraction(6, pattern)?,
            Field::Fraction(digits) => {
                self.fields.digits = Some(digits);
                self.fraction(digits as usize, pattern)?;
            }
            Field::ZoneName | Field::Offset => return Err(only_written(&pattern.name)),
            Field::OffsetHours => self.offset_hours(pattern)?,
            Field::OffsetMinutes => {
                if self.fields.offset_sign == 0 {
                    self.fields.offset_sign = 1;
                }
                self.set(2, pattern, |fields| &mut fields.offset_minutes)?;
            }
            other => self.date_field(other, pattern)?,
        }
        Ok(())
    }

    fn fraction(&mut self, digits: usize, pattern: &Pattern) -> SqlResult<()> {
        let len = self.set(digits, pattern, |fields| &mut fields.microsecond)?;
        self.fields.microsecond = scaled(self.fields.microsecond, 6, len);
        Ok(())
    }

    /// A sign that was taken for a separator still counts.
    fn offset_hours(&mut self, pattern: &Pattern) -> SqlResult<()> {
        let sign = self.rest().chars().next().filter(|next| matches!(next, '+' | '-' | ' '));
        let swallowed = self.text.get(..self.at).is_some_and(|before| before.ends_with('-')) && self.extra > 0;
        self.fields.offset_sign = if sign == Some('-') || (sign.is_none() && swallowed) { -1 } else { 1 };
        if sign.is_some() {
            self.skip();
        }
        self.set(2, pattern, |fields| &mut fields.offset_hours)?;
        Ok(())
    }

    fn date_field(&mut self, field: Field, pattern: &Pattern) -> SqlResult<()> {
        match field {
            Field::MonthName => {
                let month = self.name(MONTHS, pattern)? + 1;
                self.set_value(month, pattern, |fields| &mut fields.month)?;
            }
            Field::MonthNameShort => {
                let month = self.name(MONTHS.map(|name| name.get(..3).unwrap_or(name)), pattern)? + 1;
                self.set_value(month, pattern, |fields| &mut fields.month)?;
            }
            Field::RomanMonth => {
                // The longer ones first: they begin like the shorter ones.
                const NUMERALS: [&str; 12] = ["XII", "XI", "X", "IX", "VIII", "VII", "VI", "V", "IV", "III", "II", "I"];
                let month = 12 - self.name(NUMERALS, pattern)?;
                self.set_value(month, pattern, |fields| &mut fields.month)?;
            }
            Field::DayName => {
                let day = self.name(DAYS, pattern)?;
                self.set_value(day, pattern, |fields| &mut fields.day_of_week)?;
                self.fields.day_of_week += 1;
            }
            Field::DayNameShort => {
                let day = self.name(DAYS.map(|name| name.get(..3).unwrap_or(name)), pattern)?;
                self.set_value(day, pattern, |fields| &mut fields.day_of_week)?;
                self.fields.day_of_week += 1;
            }
            Field::Month => drop(self.set(2, pattern, |fields| &mut fields.month)?),
            Field::DayOfMonth => drop(self.set(2, pattern, |fields| &mut fields.day)?),
            Field::DayOfYear | Field::IsoDayOfYear => drop(self.set(3, pattern, |fields| &mut fields.day_of_year)?),
            Field::DayOfWeek => drop(self.set(1, pattern, |fields| &mut fields.day_of_week)?),
            Field::IsoDayOfWeek => {
                self.set(1, pattern, |fields| &mut fields.day_of_week)?;
                self.fields.day_of_week = if self.fields.day_of_week >= 7 { 1 } else { self.fields.day_of_week + 1 };
            }
            Field::WeekOfYear | Field::IsoWeek => drop(self.set(2, pattern, |fields| &mut fields.week)?),
            Field::WeekOfMonth => drop(self.set(1, pattern, |fields| &mut fields.week_of_month)?),
            // Which day of a quarter is meant nobody knows: it is read and left.
            Field::Quarter => {
                self.number(1, pattern)?;
                if pattern.has_ordinal {
                    self.skip();
                    self.skip();
                }
            }
            Field::Century => drop(self.set(2, pattern, |fields| &mut fields.century)?),
            Field::Julian => drop(self.set(1, pattern, |fields| &mut fields.julian)?),
            Field::YearWithComma => self.year_with_comma(pattern)?,
            Field::Year(digits) | Field::IsoYear(digits) => {
                let len = self.set(digits as usize, pattern, |fields| &mut fields.year)?;
                // Four digits are a whole year, whatever the template says.
                if digits < 4 && len < 4 {
                    self.fields.year = near_2020(self.fields.year);
                }
                self.fields.year_digits = digits;
            }
            _ => {}
        }
        Ok(())
    }

    fn year_with_comma(&mut self, pattern: &Pattern) -> SqlResult<()> {
        let rest = self.rest().trim_start_matches(|next: char| next.is_ascii_whitespace());
        let start = self.text.len() - rest.len();
        let thousands_len = number_len(rest);
        let behind = rest.get(thousands_len..).and_then(|rest| rest.strip_prefix(','));
        let years = behind.map(|rest| rest.get(..number_len(rest).min(3)).unwrap_or(""));
        let parsed = years.and_then(|years| {
            let thousands: i32 = rest.get(..thousands_len)?.parse().ok()?;
            thousands.checked_mul(1000)?.checked_add(years.parse().ok()?)
        });
        let Some(year) = parsed else { return Err(malformed("invalid input string for \"Y,YYY\"")) };
        self.set_value(year, pattern, |fields| &mut fields.year)?;
        self.fields.year_digits = 4;
        self.at = start + thousands_len + 1 + years.map_or(0, str::len);
        if pattern.has_ordinal {
            self.skip();
            self.skip();
        }
        Ok(())
    }
}

/// Characters of the number that a text begins with, its sign included; 0 when there is none.
fn number_len(text: &str) -> usize {
    let sign_len = usize::from(text.starts_with(['-', '+']));
    match text.bytes().skip(sign_len).take_while(u8::is_ascii_digit).count() {
        0 => 0,
        digits => sign_len + digits,
    }
}

/// A fraction of `len` digits in units of `places` digits: 25 hundredths are 250 thousandths.
fn scaled(value: i32, places: usize, len: usize) -> i32 {
    value.saturating_mul(10i32.pow(places.saturating_sub(len.max(1)) as u32))
}

/// The year of one to three digits that is nearest to 2020.
fn near_2020(year: i32) -> i32 {
    match year {
        0..70 => year + 2000,
        70..100 => year + 1900,
        100..520 => year + 2000,
        520..1000 => year + 1000,
        other => other,
    }
}
