//! Integers and object numbers as text.

use nqdb_sqlstate::{NUMERIC_VALUE_OUT_OF_RANGE, SqlError, SqlResult};

use super::{invalid_syntax, is_space, trim};
use crate::Sink;

/// Appends the decimal digits.
pub(super) fn write<S: Sink>(out: &mut S, value: impl itoa::Integer) {
    out.put(itoa::Buffer::new().format(value).as_bytes());
}

/// Reads a signed decimal number with blanks around it; 22P02 when it is none, 22003 out of range.
pub(super) fn parse<T: TryFrom<i64>>(text: &str, type_name: &str) -> SqlResult<T> {
    let out_of_range = || out_of_range(text, type_name);
    let rest = text.trim_start_matches(is_space);
    let (negative, digits) = match rest.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    // Below zero, where the range is larger by one. A number too long is out of range whatever follows it.
    let mut value = 0i64;
    let mut digit_count = 0;
    for digit in digits.iter().take_while(|byte| byte.is_ascii_digit()) {
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_sub(i64::from(digit - b'0')))
            .ok_or_else(out_of_range)?;
        digit_count += 1;
        if digit_count > 4 && T::try_from(value).is_err() && T::try_from(value + 1).is_err() {
            return Err(out_of_range());
        }
    }
    let tail = digits.get(digit_count..).unwrap_or_default();
    if digit_count == 0 || !tail.iter().all(|byte| is_space(char::from(*byte))) {
        return Err(invalid_syntax(type_name, text));
    }
    let value = if negative { value } else { value.checked_neg().ok_or_else(out_of_range)? };
    T::try_from(value).map_err(|_| out_of_range())
}

/// Reads an object number: 0 to 4294967295, or a negative number that stands for its 32 bits.
pub(super) fn parse_oid(text: &str, type_name: &str) -> SqlResult<u32> {
    let digits = trim(text);
    let unsigned = digits.strip_prefix(['-', '+']).unwrap_or(digits);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid_syntax(type_name, text));
    }
    let value: i64 = digits.parse().map_err(|_| out_of_range(text, type_name))?;
    u32::try_from(value)
        .or_else(|_| i32::try_from(value).map(i32::cast_unsigned))
        .map_err(|_| out_of_range(text, type_name))
}

fn out_of_range(text: &str, type_name: &str) -> SqlError {
    SqlError::new(NUMERIC_VALUE_OUT_OF_RANGE, format!("value \"{text}\" is out of range for type {type_name}"))
}
