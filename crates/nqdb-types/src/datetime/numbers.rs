//! What a number means in a date or time: decided by its length and by the fields that are still missing.

use super::Refusal;
use super::decode::{Fields, Mask};
use super::keywords::{self, DateWord};
use crate::DateOrder;

/// Digits at the start of a text as a number, and what follows; 22008 when it does not fit.
pub(super) fn leading_integer(text: &str) -> Result<(i64, &str), Refusal> {
    let sign_len = usize::from(text.starts_with(['-', '+']));
    let digits_end = text
        .bytes()
        .enumerate()
        .skip(sign_len)
        .find(|(_, byte)| !byte.is_ascii_digit())
        .map_or(text.len(), |(index, _)| index);
    let (number, rest) = text.split_at(digits_end);
    if digits_end == sign_len {
        return Ok((0, text));
    }
    let value = number.parse().map_err(|_| Refusal::FieldOverflow)?;
    Ok((value, rest))
}

/// As [`leading_integer`], within an `i32`.
pub(super) fn leading_i32(text: &str) -> Result<(i32, &str), Refusal> {
    let (value, rest) = leading_integer(text)?;
    Ok((i32::try_from(value).map_err(|_| Refusal::FieldOverflow)?, rest))
}

/// `.25` as a fraction; a lone point is 0.
pub(super) fn parse_fraction(text: &str) -> Result<f64, Refusal> {
    match text.strip_prefix('.') {
        Some("") => Ok(0.0),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().map_err(|_| Refusal::BadFormat)
        }
        _ => Err(Refusal::BadFormat),
    }
}

/// `.25` as 250,000 µs; rounding may give a whole second.
pub(super) fn parse_fraction_micros(text: &str) -> Result<i64, Refusal> {
    Ok((parse_fraction(text)? * 1_000_000.0).round_ties_even() as i64)
}

/// A clock time: hours, minutes, seconds and µs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    pub hour: i64,
    pub minute: i32,
    pub second: i32,
    pub micros: i64,
}

/// Reads `h:m`, `h:m:s`, `h:m:s.f` or `m:s.f`; two parts are minutes and seconds if the caller says so.
pub(super) fn parse_clock(text: &str, minute_to_second: bool) -> Result<Clock, Refusal> {
    let (first, rest) = leading_integer(text)?;
    let rest = rest.strip_prefix(':').ok_or(Refusal::BadFormat)?;
    let (second, rest) = leading_i32(rest)?;
    let as_minutes = |first: i64| i32::try_from(first).map_err(|_| Refusal::FieldOverflow);
    let clock = if rest.is_empty() {
        if minute_to_second {
            Clock { hour: 0, minute: as_minutes(first)?, second, micros: 0 }
        } else {
            Clock { hour: first, minute: second, second: 0, micros: 0 }
        }
    } else if rest.starts_with('.') {
        Clock { hour: 0, minute: as_minutes(first)?, second, micros: parse_fraction_micros(rest)? }
    } else {
        let rest = rest.strip_prefix(':').ok_or(Refusal::BadFormat)?;
        let (third, rest) = leading_i32(rest)?;
        let micros = if rest.is_empty() { 0 } else { parse_fraction_micros(rest)? };
        Clock { hour: first, minute: second, second: third, micros }
    };
    let in_range = clock.hour >= 0
        && (0..=59).contains(&clock.minute)
        && (0..=60).contains(&clock.second)
        && (0..=1_000_000).contains(&clock.micros);
    if in_range { Ok(clock) } else { Err(Refusal::FieldOverflow) }
}

/// `+02`, `-08:30`, `+0530`, `+00:53:28`: seconds east of Greenwich.
pub(super) fn parse_offset(text: &str) -> Result<i32, Refusal> {
    /// The largest hour of an offset that input takes.
    const HOUR_MAX: i32 = 15;
    let negative = match text.as_bytes().first() {
        Some(b'+') => false,
        Some(b'-') => true,
        _ => return Err(Refusal::BadFormat),
    };
    let overflow = |_| Refusal::ZoneOverflow;
    let (mut hour, mut rest) = leading_i32(text.get(1..).unwrap_or_default()).map_err(overflow)?;
    let (mut minute, mut second) = (0, 0);
    if let Some(minutes) = rest.strip_prefix(':') {
        (minute, rest) = leading_i32(minutes).map_err(overflow)?;
        if let Some(seconds) = rest.strip_prefix(':') {
            (second, rest) = leading_i32(seconds).map_err(overflow)?;
        }
    } else if rest.is_empty() && text.len() > 3 {
        (hour, minute) = (hour / 100, hour % 100);
    }
    if !(0..=HOUR_MAX).contains(&hour) || !(0..60).contains(&minute) || !(0..60).contains(&second) {
        return Err(Refusal::ZoneOverflow);
    }
    if !rest.is_empty() {
        return Err(Refusal::BadFormat);
    }
    let seconds = (hour * 60 + minute) * 60 + second;
    Ok(if negative { -seconds } else { seconds })
}

impl Fields {
    /// A date in one field: `2020-01-02`, `2-jan-2020`, `1/2/2020`. Gives what it set.
    pub(super) fn decode_date(&mut self, text: &str, known: Mask, order: DateOrder) -> Result<Mask, Refusal> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            rest = rest.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
            let end = match rest.chars().next() {
                None => return Err(Refusal::BadFormat),
                Some(first) if first.is_ascii_digit() => rest.find(|c: char| !c.is_ascii_digit()),
                Some(_) => rest.find(|c: char| !c.is_ascii_alphabetic()),
            };
            let (part, tail) = rest.split_at(end.unwrap_or(rest.len()));
            parts.push(part);
            // Whatever separates two parts is one character here; more are skipped above.
            rest = tail.get(1..).unwrap_or_default();
        }
        let mut known = known;
        let mut set = Mask::NONE;
        let mut have_text_month = false;
        for word in parts.iter().filter(|part| part.starts_with(|c: char| c.is_ascii_alphabetic())) {
            match keywords::date_word(word) {
                Some(DateWord::Filler) => {}
                Some(DateWord::Month(month)) if !known.intersects(Mask::MONTH) => {
                    self.month = month;
                    have_text_month = true;
                    known |= Mask::MONTH;
                    set |= Mask::MONTH;
                }
                _ => return Err(Refusal::BadFormat),
            }
        }
        for number in parts.iter().filter(|part| part.starts_with(|c: char| c.is_ascii_digit())) {
            let mask = self.decode_number(number, have_text_month, known, order)?;
            if known.intersects(mask) {
                return Err(Refusal::BadFormat);
            }
            known |= mask;
            set |= mask;
        }
        if known.without(Mask::DAY_OF_YEAR | Mask::ZONE) == Mask::DATE { Ok(set) } else { Err(Refusal::BadFormat) }
    }

    /// A number on its own: the next of year, month and day in the order that `DateStyle` gives, or a time.
    pub(super) fn decode_number(
        &mut self,
        text: &str,
        have_text_month: bool,
        known: Mask,
        order: DateOrder,
    ) -> Result<Mask, Refusal> {
        let (value, rest) = leading_i32(text)?;
        let digit_count = text.len() - rest.len();
        if digit_count == 0 {
            return Err(Refusal::BadFormat);
        }
        if rest.starts_with('.') {
            if digit_count > 2 {
                return self.decode_run_together(text, known | Mask::DATE);
            }
            self.micros = parse_fraction_micros(rest)?;
        } else if !rest.is_empty() {
            return Err(Refusal::BadFormat);
        }
        let date_known = known.of_date();
        if text.len() == 3 && date_known == Mask::YEAR && (1..=366).contains(&value) {
            self.day_of_year = value;
            return Ok(Mask::DAY_OF_YEAR | Mask::MONTH | Mask::DAY);
        }
        let long = text.len() >= 3;
        let part = if date_known == Mask::NONE {
            match order {
                _ if long => Mask::YEAR,
                DateOrder::Ymd => Mask::YEAR,
                DateOrder::Dmy => Mask::DAY,
                DateOrder::Mdy => Mask::MONTH,
            }
        } else if date_known == Mask::YEAR || date_known == Mask::DAY {
            Mask::MONTH
        } else if date_known == Mask::MONTH {
            if have_text_month && (long || order == DateOrder::Ymd) { Mask::YEAR } else { Mask::DAY }
        } else if date_known == Mask::YEAR | Mask::MONTH {
            if have_text_month && long && self.is_short_year {
                // What was taken for a year of two digits was the day.
                self.day = self.year;
                self.year = value;
                self.is_short_year = false;
                return Ok(Mask::DAY);
            }
            Mask::DAY
        } else if date_known == Mask::MONTH | Mask::DAY {
            Mask::YEAR
        } else if date_known == Mask::DATE {
            return self.decode_run_together(text, known);
        } else {
            return Err(Refusal::BadFormat);
        };
        if part == Mask::YEAR {
            self.year = value;
            self.is_short_year = text.len() <= 2;
        } else if part == Mask::MONTH {
            self.month = value;
        } else {
            self.day = value;
        }
        Ok(part)
    }

    /// Digits without separators: `20200102`, `200102`, `030405`, `0304`, `030405.5`.
    pub(super) fn decode_run_together(&mut self, text: &str, known: Mask) -> Result<Mask, Refusal> {
        let digits = match text.split_once('.') {
            Some((digits, _)) => {
                self.micros = parse_fraction_micros(text.get(digits.len()..).unwrap_or_default())?;
                digits
            }
            None => text,
        };
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Refusal::BadFormat);
        }
        let number = |part: Option<&str>| -> Result<i32, Refusal> {
            part.and_then(|part| part.parse().ok()).ok_or(Refusal::FieldOverflow)
        };
        let len = digits.len();
        if digits.len() == text.len() && known.of_date() != Mask::DATE && len >= 6 {
            self.day = number(digits.get(len - 2..))?;
            self.month = number(digits.get(len - 4..len - 2))?;
            self.year = number(digits.get(..len - 4))?;
            self.is_short_year |= len == 6;
            return Ok(Mask::DATE);
        }
        if known.of_time() != Mask::TIME && (len == 6 || len == 4) {
            self.hour = i64::from(number(digits.get(..2))?);
            self.minute = number(digits.get(2..4))?;
            self.second = if len == 6 { number(digits.get(4..))? } else { 0 };
            return Ok(Mask::TIME);
        }
        Err(Refusal::BadFormat)
    }
}
