//! Intervals in the two formats of ISO 8601.
//!
//! ```text
//! with designators   P1Y2M3DT4H5M6.7S   P2W
//! alternative        P0001-02-03T04:05:06   P00010203T040506
//! ```

use super::Refusal;
use super::interval_input::Parts;
use super::keywords::Unit;

/// Numbers beyond are refused, as a float would not hold them exactly (PostgreSQL's limit).
const NUMBER_MAX: f64 = 1.0e15;

/// Reads an interval in either format.
pub(super) fn decode(text: &str) -> Result<Parts, Refusal> {
    let mut rest = text.strip_prefix('P').filter(|rest| !rest.is_empty()).ok_or(Refusal::BadFormat)?;
    let mut parts = Parts::default();
    let mut in_date = true;
    let mut have_field = false;
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix('T') {
            (rest, in_date, have_field) = (time, false, false);
            continue;
        }
        let number = take_number(rest)?;
        let designator = number.rest.chars().next();
        let unit = match (in_date, designator) {
            (true, Some('Y')) => Unit::Year,
            (true, Some('M')) => Unit::Month,
            (true, Some('W')) => Unit::Week,
            (true, Some('D')) => Unit::Day,
            (false, Some('H')) => Unit::Hour,
            (false, Some('M')) => Unit::Minute,
            (false, Some('S')) => Unit::Second,
            (true, None | Some('T' | '-')) => {
                rest = decode_alternative_date(&mut parts, &number, have_field)?;
                continue;
            }
            (false, None | Some(':')) => {
                decode_alternative_time(&mut parts, &number, have_field)?;
                return Ok(parts);
            }
            _ => return Err(Refusal::BadFormat),
        };
        parts.add(unit, number.whole, number.fraction)?;
        rest = number.rest.get(1..).unwrap_or_default();
        have_field = true;
    }
    Ok(parts)
}

/// `00010203` or `0001-02-03`; gives what follows, which is nothing or begins with `T`.
fn decode_alternative_date<'a>(parts: &mut Parts, number: &Number<'a>, have_field: bool) -> Result<&'a str, Refusal> {
    if number.integer_digits == 8 && !have_field && !number.rest.starts_with('-') {
        parts.add(Unit::Year, number.whole / 10_000, 0.0)?;
        parts.add(Unit::Month, number.whole / 100 % 100, 0.0)?;
        parts.add(Unit::Day, number.whole % 100, number.fraction)?;
        return Ok(number.rest);
    }
    if have_field {
        return Err(Refusal::BadFormat);
    }
    parts.add(Unit::Year, number.whole, number.fraction)?;
    let mut rest = number.rest;
    for unit in [Unit::Month, Unit::Day] {
        let Some(next) = rest.strip_prefix('-') else { break };
        let number = take_number(next)?;
        parts.add(unit, number.whole, number.fraction)?;
        rest = number.rest;
    }
    if rest.is_empty() || rest.starts_with('T') { Ok(rest) } else { Err(Refusal::BadFormat) }
}

/// `040506` or `04:05:06`, to the end.
fn decode_alternative_time(parts: &mut Parts, number: &Number<'_>, have_field: bool) -> Result<(), Refusal> {
    if have_field {
        return Err(Refusal::BadFormat);
    }
    if number.integer_digits == 6 && number.rest.is_empty() {
        parts.add(Unit::Hour, number.whole / 10_000, 0.0)?;
        parts.add(Unit::Minute, number.whole / 100 % 100, 0.0)?;
        parts.add(Unit::Second, number.whole % 100, 0.0)?;
        return parts.add(Unit::Microsecond, 0, number.fraction);
    }
    parts.add(Unit::Hour, number.whole, number.fraction)?;
    let mut rest = number.rest;
    for unit in [Unit::Minute, Unit::Second] {
        let Some(next) = rest.strip_prefix(':') else { break };
        let number = take_number(next)?;
        parts.add(unit, number.whole, number.fraction)?;
        rest = number.rest;
    }
    if rest.is_empty() { Ok(()) } else { Err(Refusal::BadFormat) }
}

struct Number<'a> {
    whole: i64,
    fraction: f64,
    /// Digits before the point.
    integer_digits: usize,
    rest: &'a str,
}

fn take_number(text: &str) -> Result<Number<'_>, Refusal> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let integer_digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let after_integer = unsigned.get(integer_digits..).unwrap_or_default();
    let fraction_len = match after_integer.strip_prefix('.') {
        Some(digits) => 1 + digits.bytes().take_while(u8::is_ascii_digit).count(),
        None => 0,
    };
    let len = text.len() - unsigned.len() + integer_digits + fraction_len;
    let (number, rest) = text.split_at(len);
    let value: f64 = number.parse().map_err(|_| Refusal::BadFormat)?;
    if value.abs() > NUMBER_MAX {
        return Err(Refusal::FieldOverflow);
    }
    Ok(Number { whole: value.trunc() as i64, fraction: value.fract(), integer_digits, rest })
}
