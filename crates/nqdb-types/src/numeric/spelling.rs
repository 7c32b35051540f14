//! Numbers as text: plain digits out; digits, an exponent, `NaN` or `Infinity` in.

use std::fmt;
use std::str::FromStr;

use nqdb_sqlstate::{INVALID_TEXT_REPRESENTATION, SqlError, SqlResult};
use num_bigint::{BigInt, Sign};
use num_traits::Zero;

use super::digits::{pow10, pow10_i64};
use super::{INTEGER_DIGITS_MAX, Numeric, Repr, SCALE_MAX, overflow};
use crate::Sink;

/// Exponents beyond are an overflow before anything is computed (PostgreSQL: half the range of an int).
const EXPONENT_MAX: i64 = (i32::MAX / 2) as i64;

impl Numeric {
    /// Reads a number, blanks around it allowed; 22P02 when it is none, 22003 when it is too long.
    pub fn parse(text: &str) -> SqlResult<Numeric> {
        let trimmed = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
        match parse_trimmed(trimmed) {
            Ok(value) => Ok(value),
            Err(Refusal::Overflow) => Err(overflow()),
            Err(Refusal::Syntax) => Err(SqlError::new(
                INVALID_TEXT_REPRESENTATION,
                format!("invalid input syntax for type numeric: \"{text}\""),
            )),
        }
    }

    /// Appends the digits, as many behind the point as the scale says.
    pub fn write_to<S: Sink>(&self, out: &mut S) {
        match &self.0 {
            Repr::Small { coefficient, scale } => {
                let mut buffer = itoa::Buffer::new();
                write_digits(out, *coefficient < 0, buffer.format(coefficient.unsigned_abs()), usize::from(*scale));
            }
            Repr::Large(large) => {
                let negative = large.coefficient.sign() == Sign::Minus;
                write_digits(out, negative, &large.coefficient.magnitude().to_string(), usize::from(large.scale));
            }
            Repr::NotANumber => out.put(b"NaN"),
            Repr::Infinity => out.put(b"Infinity"),
            Repr::NegativeInfinity => out.put(b"-Infinity"),
        }
    }
}

enum Refusal {
    Syntax,
    Overflow,
}

fn parse_trimmed(text: &str) -> Result<Numeric, Refusal> {
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return parse_special(text, unsigned, negative);
    }
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], parse_exponent(&unsigned[at + 1..])?),
        None => (unsigned, 0),
    };
    let (before, behind) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(before) || !all_digits(behind) || before.len() + behind.len() == 0 {
        return Err(Refusal::Syntax);
    }
    let scale = behind.len() as i64 - exponent;
    // Before any digit is converted: what is too long costs nothing.
    let integer_digits = before.trim_start_matches('0').len() as i64;
    if scale > i64::from(SCALE_MAX) || (integer_digits > 0 && integer_digits + exponent > INTEGER_DIGITS_MAX) {
        return Err(Refusal::Overflow);
    }
    if before.len() + behind.len() <= 18 {
        let digits =
            before.bytes().chain(behind.bytes()).fold(0i64, |value, digit| value * 10 + i64::from(digit - b'0'));
        let coefficient = if negative { -digits } else { digits };
        if let Ok(scale) = u16::try_from(scale) {
            return Ok(Numeric::from_scaled(coefficient, scale));
        }
        return raise(BigInt::from(coefficient), -scale);
    }
    let coefficient = BigInt::parse_bytes(format!("{before}{behind}").as_bytes(), 10).ok_or(Refusal::Syntax)?;
    let coefficient = if negative { -coefficient } else { coefficient };
    match u32::try_from(scale) {
        Ok(scale) => Numeric::from_bigint(coefficient, scale).map_err(|_| Refusal::Overflow),
        Err(_) => raise(coefficient, -scale),
    }
}

/// `coefficient * 10^exponent` for an exponent above 0.
fn raise(coefficient: BigInt, exponent: i64) -> Result<Numeric, Refusal> {
    if coefficient.is_zero() {
        return Ok(Numeric::ZERO);
    }
    if exponent > INTEGER_DIGITS_MAX {
        return Err(Refusal::Overflow);
    }
    if let (Ok(small), Some(power)) = (i64::try_from(&coefficient), pow10_i64(exponent as u32)) {
        return Ok(Numeric::from_scaled_i128(i128::from(small) * i128::from(power), 0));
    }
    Numeric::from_bigint(coefficient * pow10(exponent as u32), 0).map_err(|_| Refusal::Overflow)
}

fn parse_special(text: &str, unsigned: &str, negative: bool) -> Result<Numeric, Refusal> {
    if text.eq_ignore_ascii_case("nan") {
        return Ok(Numeric::NAN);
    }
    if unsigned.eq_ignore_ascii_case("infinity") || unsigned.eq_ignore_ascii_case("inf") {
        return Ok(if negative { Numeric::NEGATIVE_INFINITY } else { Numeric::INFINITY });
    }
    Err(Refusal::Syntax)
}

fn parse_exponent(text: &str) -> Result<i64, Refusal> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::Syntax);
    }
    match text.parse::<i64>() {
        Ok(exponent) if exponent.abs() < EXPONENT_MAX => Ok(exponent),
        _ => Err(Refusal::Overflow),
    }
}

fn write_digits<S: Sink>(out: &mut S, negative: bool, digits: &str, scale: usize) {
    if negative {
        out.put_byte(b'-');
    }
    let digits = digits.as_bytes();
    if scale == 0 {
        out.put(digits);
        return;
    }
    match digits.len().checked_sub(scale) {
        None | Some(0) => {
            out.put(b"0.");
            for _ in digits.len()..scale {
                out.put_byte(b'0');
            }
            out.put(digits);
        }
        Some(point) => {
            let (before, behind) = digits.split_at(point);
            out.put(before);
            out.put_byte(b'.');
            out.put(behind);
        }
    }
}

impl fmt::Display for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(24);
        self.write_to(&mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

impl fmt::Debug for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Numeric {
    type Err = SqlError;

    fn from_str(text: &str) -> SqlResult<Numeric> {
        Numeric::parse(text)
    }
}
