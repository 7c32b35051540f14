//! LIKE and ILIKE: `%` stands for any text, `_` for one character, `\` takes the next one as it is.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{INVALID_ESCAPE_SEQUENCE, SqlError, SqlResult};

use crate::Function;

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &text::LIKE,
    &text::NOT_LIKE,
    &text::ILIKE,
    &text::NOT_ILIKE,
    &bpchar::LIKE,
    &bpchar::NOT_LIKE,
    &bpchar::ILIKE,
    &bpchar::NOT_ILIKE,
    &name::LIKE,
    &name::NOT_LIKE,
    &name::ILIKE,
    &name::NOT_ILIKE,
    &BYTEA_LIKE,
    &BYTEA_NOT_LIKE,
    &LIKE_ESCAPE,
    &LIKE_FUNCTION,
];

/// How long a character is that starts with this byte.
type CharacterLen = fn(u8) -> usize;

fn utf8_len(first: u8) -> usize {
    match first {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0.. => 4,
        _ => 1,
    }
}

fn one(_: u8) -> usize {
    1
}

/// Whether the value matches. Goes on from the last `%` where a match fails, so that the time is at most the
/// product of both lengths. 22025 when the pattern ends in an escape character that is reached.
fn matches(value: &[u8], pattern: &[u8], character_len: CharacterLen) -> SqlResult<bool> {
    let (mut at, mut in_pattern) = (0, 0);
    // Where to go on: the pattern after the last `%`, and the value from which it has been tried.
    let mut resume: Option<(usize, usize)> = None;
    loop {
        let step = match (pattern.get(in_pattern), value.get(at)) {
            (Some(b'%'), _) => {
                in_pattern += 1;
                resume = Some((in_pattern, at));
                continue;
            }
            (None, None) => return Ok(true),
            (_, None) => return Ok(false),
            (Some(b'_'), Some(first)) => Some((1, character_len(*first))),
            (Some(b'\\'), Some(byte)) => match pattern.get(in_pattern + 1) {
                Some(literal) => (literal == byte).then_some((2, 1)),
                None => {
                    return Err(SqlError::new(
                        INVALID_ESCAPE_SEQUENCE,
                        "LIKE pattern must not end with escape character",
                    ));
                }
            },
            (Some(literal), Some(byte)) => (literal == byte).then_some((1, 1)),
            (None, Some(_)) => None,
        };
        match (step, &mut resume) {
            (Some((pattern_step, value_step)), _) => {
                in_pattern += pattern_step;
                at += value_step;
            }
            (None, Some((after_percent, tried))) => {
                let Some(first) = value.get(*tried) else { return Ok(false) };
                *tried += character_len(*first);
                (in_pattern, at) = (*after_percent, *tried);
            }
            (None, None) => return Ok(false),
        }
    }
}

fn like(value: &str, pattern: &str) -> SqlResult<bool> {
    matches(value.as_bytes(), pattern.as_bytes(), utf8_len)
}

fn ilike(value: &str, pattern: &str) -> SqlResult<bool> {
    like(&value.to_ascii_lowercase(), &pattern.to_ascii_lowercase())
}

macro_rules! like_family {
    ($module:ident; $like:literal $like_oid:literal, $not_like:literal $not_like_oid:literal,
     $ilike:literal $ilike_oid:literal, $not_ilike:literal $not_ilike_oid:literal $(,)?) => {
        mod $module {
            use super::*;

            #[sql_function($like, oid = $like_oid)]
            fn like(value: &str, pattern: &str) -> SqlResult<bool> {
                super::like(value, pattern)
            }
            #[sql_function($not_like, oid = $not_like_oid)]
            fn not_like(value: &str, pattern: &str) -> SqlResult<bool> {
                Ok(!super::like(value, pattern)?)
            }
            #[sql_function($ilike, oid = $ilike_oid)]
            fn ilike(value: &str, pattern: &str) -> SqlResult<bool> {
                super::ilike(value, pattern)
            }
            #[sql_function($not_ilike, oid = $not_ilike_oid)]
            fn not_ilike(value: &str, pattern: &str) -> SqlResult<bool> {
                Ok(!super::ilike(value, pattern)?)
            }
        }
    };
}

like_family! { text;
    "textlike(text, text) -> bool" 850, "textnlike(text, text) -> bool" 851,
    "texticlike(text, text) -> bool" 1633, "texticnlike(text, text) -> bool" 1634,
}
like_family! { bpchar;
    "bpcharlike(bpchar, text) -> bool" 1631, "bpcharnlike(bpchar, text) -> bool" 1632,
    "bpchariclike(bpchar, text) -> bool" 1660, "bpcharicnlike(bpchar, text) -> bool" 1661,
}
like_family! { name;
    "namelike(name, text) -> bool" 858, "namenlike(name, text) -> bool" 859,
    "nameiclike(name, text) -> bool" 1635, "nameicnlike(name, text) -> bool" 1636,
}

#[sql_function("bytealike(bytea, bytea) -> bool", oid = 2005, alias("like", oid = 2007))]
fn bytea_like(value: &[u8], pattern: &[u8]) -> SqlResult<bool> {
    matches(value, pattern, one)
}

#[sql_function("byteanlike(bytea, bytea) -> bool", oid = 2006, alias("notlike", oid = 2008))]
fn bytea_not_like(value: &[u8], pattern: &[u8]) -> SqlResult<bool> {
    Ok(!matches(value, pattern, one)?)
}

#[sql_function("like(text, text) -> bool", oid = 1569)]
fn like_function(value: &str, pattern: &str) -> SqlResult<bool> {
    like(value, pattern)
}

/// The pattern of `LIKE pattern ESCAPE escape` with the standard escape character.
#[sql_function("like_escape(text, text) -> text", oid = 1637)]
fn like_escape(pattern: &str, escape: &str) -> SqlResult<String> {
    let mut characters = escape.chars();
    let escape = characters.next();
    if characters.next().is_some() {
        return Err(SqlError::new(INVALID_ESCAPE_SEQUENCE, "invalid escape string")
            .with_hint("Escape string must be empty or one character."));
    }
    let mut out = String::with_capacity(pattern.len());
    let mut is_escaped = false;
    for character in pattern.chars() {
        if Some(character) == escape && !is_escaped {
            out.push('\\');
            is_escaped = true;
            continue;
        }
        if character == '\\' && escape != Some('\\') && !is_escaped {
            out.push('\\');
        }
        out.push(character);
        is_escaped = false;
    }
    Ok(out)
}
