//! Unicode: escapes by number (`unistr`).

use std::str::Chars;

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, SYNTAX_ERROR, SqlError, SqlResult};

use crate::Function;

pub(crate) static FUNCTIONS: &[&[Function]] = &[&UNESCAPE];

fn invalid_escape() -> SqlError {
    SqlError::new(SYNTAX_ERROR, "invalid Unicode escape")
        .with_hint("Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.")
}

fn invalid_pair() -> SqlError {
    SqlError::new(SYNTAX_ERROR, "invalid Unicode surrogate pair")
}

/// The number that the characters behind a backslash stand for; `rest` moves behind them.
fn escaped_number(rest: &mut Chars<'_>) -> SqlResult<u32> {
    let (prefix_len, digits) = match rest.as_str().as_bytes().first() {
        Some(b'+') => (1, 6),
        Some(b'u') => (1, 4),
        Some(b'U') => (1, 8),
        _ => (0, 4),
    };
    let spelled = rest.as_str().get(prefix_len..prefix_len + digits).ok_or_else(invalid_escape)?;
    if !spelled.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(invalid_escape());
    }
    let number = u32::from_str_radix(spelled, 16).map_err(|_| invalid_escape())?;
    *rest = rest.as_str().get(prefix_len + digits..).unwrap_or("").chars();
    if number == 0 || number > u32::from(char::MAX) {
        let message = format!("invalid Unicode code point: {number:04X}");
        return Err(SqlError::new(INVALID_PARAMETER_VALUE, message));
    }
    Ok(number)
}

/// The text with its Unicode escapes evaluated; two escaped surrogates are one character.
#[sql_function("unistr(text) -> text", oid = 6198)]
fn unescape(text: &str) -> SqlResult<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    let mut first_half: Option<u32> = None;
    while let Some(character) = rest.next() {
        let number = match character {
            '\\' if rest.as_str().starts_with('\\') => {
                rest.next();
                u32::from(character)
            }
            '\\' => escaped_number(&mut rest)?,
            other => u32::from(other),
        };
        let number = match (first_half.take(), number) {
            (None, 0xd800..=0xdbff) => {
                first_half = Some(number);
                continue;
            }
            (Some(high), 0xdc00..=0xdfff) => 0x10000 + ((high & 0x3ff) << 10 | number & 0x3ff),
            (Some(_), _) => return Err(invalid_pair()),
            (None, number) => number,
        };
        out.push(char::from_u32(number).ok_or_else(invalid_pair)?);
    }
    if first_half.is_some() { Err(invalid_pair()) } else { Ok(out) }
}
