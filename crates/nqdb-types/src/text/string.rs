//! Booleans, text, bytes and UUIDs as text.

use nqdb_sqlstate::{
    CHARACTER_NOT_IN_REPERTOIRE, INVALID_PARAMETER_VALUE, INVALID_TEXT_REPRESENTATION, SqlError, SqlResult,
};

use super::{invalid_syntax, trim};
use crate::{ByteaOutput, Sink};

/// Bytes of a `name` without its terminator.
pub(crate) const NAME_LEN_MAX: usize = 63;

const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Reads a boolean: any prefix of true, false, yes, no; on, off and at least `of`; 1, 0. In any case.
pub(super) fn parse_bool(text: &str) -> SqlResult<bool> {
    let word = trim(text).to_ascii_lowercase();
    let begins = |whole: &str, len_min: usize| word.len() >= len_min && whole.starts_with(word.as_str());
    if begins("true", 1) || begins("yes", 1) || word == "on" || word == "1" {
        Ok(true)
    } else if begins("false", 1) || begins("no", 1) || begins("off", 2) || word == "0" {
        Ok(false)
    } else {
        Err(invalid_syntax("boolean", text))
    }
}

/// Refuses a NUL (22021), which PostgreSQL's text cannot hold.
pub(super) fn check_text(text: &str) -> SqlResult<&str> {
    if text.as_bytes().contains(&0) { Err(nul_in_text()) } else { Ok(text) }
}

/// `invalid byte sequence for encoding "UTF8": 0x00` (22021).
pub(crate) fn nul_in_text() -> SqlError {
    SqlError::new(CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\": 0x00")
}

/// The longest beginning that fits a `name`, cut between characters.
pub(crate) fn truncate_name(text: &str) -> &str {
    let end = (0..=NAME_LEN_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or(text)
}

/// The first byte, which is all that `"char"` holds. One beyond ASCII is refused: alone it is no text.
pub(super) fn parse_char(text: &str) -> SqlResult<&str> {
    match text.chars().next() {
        None | Some('\0') => Ok(""),
        Some(first) if first.is_ascii() => Ok(text.get(..1).unwrap_or("")),
        Some(_) => Err(SqlError::unsupported("a \"char\" beyond ASCII")),
    }
}

/// Appends `\x` and hexadecimal digits, or the escape form.
pub(super) fn write_bytea<S: Sink>(out: &mut S, bytes: &[u8], format: ByteaOutput) {
    match format {
        ByteaOutput::Hex => {
            out.put(b"\\x");
            bytes.iter().for_each(|byte| put_hex(out, *byte));
        }
        ByteaOutput::Escape => {
            for &byte in bytes {
                match byte {
                    b'\\' => out.put(b"\\\\"),
                    0x20..=0x7e => out.put_byte(byte),
                    _ => out.put(&[b'\\', b'0' + (byte >> 6), b'0' + (byte >> 3 & 7), b'0' + (byte & 7)]),
                }
            }
        }
    }
}

/// Reads either form of bytea; 22023 for bad hexadecimal digits, 22P02 for bad escapes.
pub(super) fn parse_bytea(text: &str) -> SqlResult<Vec<u8>> {
    match text.strip_prefix("\\x") {
        Some(digits) => parse_hex(digits),
        None => parse_escapes(text.as_bytes()),
    }
}

fn parse_hex(digits: &str) -> SqlResult<Vec<u8>> {
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    let mut rest = digits.chars();
    while let Some(high) = rest.next() {
        if matches!(high, ' ' | '\n' | '\t' | '\r') {
            continue;
        }
        let high = hex_value(high)?;
        let low = rest
            .next()
            .ok_or_else(|| SqlError::new(INVALID_PARAMETER_VALUE, "invalid hexadecimal data: odd number of digits"))?;
        bytes.push(high << 4 | hex_value(low)?);
    }
    Ok(bytes)
}

fn hex_value(digit: char) -> SqlResult<u8> {
    let value = digit
        .to_digit(16)
        .ok_or_else(|| SqlError::new(INVALID_PARAMETER_VALUE, format!("invalid hexadecimal digit: \"{digit}\"")))?;
    Ok(value as u8)
}

fn parse_escapes(text: &[u8]) -> SqlResult<Vec<u8>> {
    let malformed = || SqlError::new(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type bytea");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return Ok(bytes),
            [b'\\', b'\\', tail @ ..] => {
                bytes.push(b'\\');
                tail
            }
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                tail
            }
            [b'\\', ..] => return Err(malformed()),
            [byte, tail @ ..] => {
                bytes.push(*byte);
                tail
            }
        };
    }
}

/// Appends a UUID in groups of 8, 4, 4, 4 and 12 digits.
pub(super) fn write_uuid<S: Sink>(out: &mut S, bytes: &[u8; 16]) {
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.put_byte(b'-');
        }
        put_hex(out, *byte);
    }
}

/// Reads a UUID: 32 digits, a hyphen after any group of four, braces around it if one likes.
pub(super) fn parse_uuid(text: &str) -> SqlResult<[u8; 16]> {
    uuid_digits(text).ok_or_else(|| invalid_syntax("uuid", text))
}

fn uuid_digits(text: &str) -> Option<[u8; 16]> {
    let inner = match text.strip_prefix('{') {
        Some(inner) => inner.strip_suffix('}')?,
        None => text,
    };
    let mut uuid = [0; 16];
    let mut rest = inner.as_bytes();
    for (index, byte) in uuid.iter_mut().enumerate() {
        let [high, low, tail @ ..] = rest else { return None };
        *byte = (char::from(*high).to_digit(16)? << 4 | char::from(*low).to_digit(16)?) as u8;
        rest = match tail {
            [b'-', tail @ ..] if index % 2 == 1 && index < 15 => tail,
            tail => tail,
        };
    }
    rest.is_empty().then_some(uuid)
}

fn put_hex<S: Sink>(out: &mut S, byte: u8) {
    let digit = |value: u8| HEX_DIGITS.get(usize::from(value)).copied().unwrap_or(b'0');
    out.put(&[digit(byte >> 4), digit(byte & 15)]);
}
