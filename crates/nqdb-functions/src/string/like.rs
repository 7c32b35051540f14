//! LIKE and ILIKE: `%` stands for any text, `_` for one character, `\` takes the next one as it is.

use memchr::memchr3;
use memchr::memmem::Finder;
use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{INVALID_ESCAPE_SEQUENCE, SqlError, SqlResult};

use crate::{Function, FunctionContext};

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
    &LIKE_ESCAPE_BYTES,
    &LIKE_FUNCTION,
    &NOT_LIKE_FUNCTION,
    &LIKE_NAME_FUNCTION,
    &NOT_LIKE_NAME_FUNCTION,
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

/// Steps between two looks at whether the statement may go on.
const STEPS_UNCHECKED: u32 = 1 << 14;

/// Where a match goes on that fails behind a `%`.
struct Resume<'p> {
    /// The pattern behind the `%`.
    in_pattern: usize,
    /// The value from which that has been tried.
    tried: usize,
    /// What the value must hold there at least: the literal start of the pattern behind the `%`.
    literal: Finder<'p>,
    /// The literal is all that is left of the pattern.
    is_last: bool,
}

impl<'p> Resume<'p> {
    fn new(pattern: &'p [u8], in_pattern: usize, at: usize) -> Resume<'p> {
        let rest = pattern.get(in_pattern..).unwrap_or_default();
        let literal_len = memchr3(b'%', b'_', b'\\', rest).unwrap_or(rest.len());
        let is_last = literal_len == rest.len();
        Resume { in_pattern, tried: at, literal: Finder::new(&rest[..literal_len]), is_last }
    }

    /// The next place where the rest of the pattern can match.
    fn seek(&mut self, value: &[u8]) -> Option<usize> {
        let rest = value.get(self.tried..)?;
        let literal = self.literal.needle();
        self.tried += match self.is_last {
            true => rest.ends_with(literal).then(|| rest.len() - literal.len())?,
            false => self.literal.find(rest)?,
        };
        Some(self.tried)
    }
}

/// Whether the value matches. Goes on from the last `%` where a match fails. Text behind a `%` is searched for in linear
/// time; only `_` behind a `%` can make it the product of both lengths. 22025 when the pattern ends in an escape
/// character that is reached.
fn matches(
    context: &FunctionContext<'_>,
    value: &[u8],
    pattern: &[u8],
    character_len: CharacterLen,
) -> SqlResult<bool> {
    let (mut at, mut in_pattern) = (0, 0);
    let mut resume: Option<Resume<'_>> = None;
    let mut steps = 0;
    loop {
        steps += 1;
        if steps == STEPS_UNCHECKED {
            context.check_interruption()?;
            steps = 0;
        }
        let step = match (pattern.get(in_pattern), value.get(at)) {
            (Some(b'%'), _) => {
                in_pattern += 1;
                let mut behind = Resume::new(pattern, in_pattern, at);
                match behind.seek(value) {
                    Some(found) => at = found,
                    None => return Ok(false),
                }
                resume = Some(behind);
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
            (None, Some(behind)) => {
                let Some(first) = value.get(behind.tried) else { return Ok(false) };
                behind.tried += character_len(*first);
                let Some(found) = behind.seek(value) else { return Ok(false) };
                (in_pattern, at) = (behind.in_pattern, found);
            }
            (None, None) => return Ok(false),
        }
    }
}

fn like(context: &FunctionContext<'_>, value: &str, pattern: &str) -> SqlResult<bool> {
    matches(context, value.as_bytes(), pattern.as_bytes(), utf8_len)
}

fn ilike(context: &FunctionContext<'_>, value: &str, pattern: &str) -> SqlResult<bool> {
    like(context, &value.to_ascii_lowercase(), &pattern.to_ascii_lowercase())
}

macro_rules! like_family {
    ($module:ident; $like:literal $like_oid:literal, $not_like:literal $not_like_oid:literal,
     $ilike:literal $ilike_oid:literal, $not_ilike:literal $not_ilike_oid:literal $(,)?) => {
        mod $module {
            use super::*;

            #[sql_function($like, oid = $like_oid)]
            fn like(context: &mut FunctionContext<'_>, value: &str, pattern: &str) -> SqlResult<bool> {
                super::like(context, value, pattern)
            }
            #[sql_function($not_like, oid = $not_like_oid)]
            fn not_like(context: &mut FunctionContext<'_>, value: &str, pattern: &str) -> SqlResult<bool> {
                Ok(!super::like(context, value, pattern)?)
            }
            #[sql_function($ilike, oid = $ilike_oid)]
            fn ilike(context: &mut FunctionContext<'_>, value: &str, pattern: &str) -> SqlResult<bool> {
                super::ilike(context, value, pattern)
            }
            #[sql_function($not_ilike, oid = $not_ilike_oid)]
            fn not_ilike(context: &mut FunctionContext<'_>, value: &str, pattern: &str) -> SqlResult<bool> {
                Ok(!super::ilike(context, value, pattern)?)
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
fn bytea_like(context: &mut FunctionContext<'_>, value: &[u8], pattern: &[u8]) -> SqlResult<bool> {
    matches(context, value, pattern, one)
}

#[sql_function("byteanlike(bytea, bytea) -> bool", oid = 2006, alias("notlike", oid = 2008))]
fn bytea_not_like(context: &mut FunctionContext<'_>, value: &[u8], pattern: &[u8]) -> SqlResult<bool> {
    Ok(!matches(context, value, pattern, one)?)
}

#[sql_function("like(text, text) -> bool", oid = 1569)]
fn like_function(context: &mut FunctionContext<'_>, value: &str, pattern: &str) -> SqlResult<bool> {
    like(context, value, pattern)
}

#[sql_function("notlike(text, text) -> bool", oid = 1570)]
fn not_like_function(context: &mut FunctionContext<'_>, value: &str, pattern: &str) -> SqlResult<bool> {
    Ok(!like(context, value, pattern)?)
}

#[sql_function("like(name, text) -> bool", oid = 1571)]
fn like_name_function(context: &mut FunctionContext<'_>, value: &str, pattern: &str) -> SqlResult<bool> {
    like(context, value, pattern)
}

#[sql_function("notlike(name, text) -> bool", oid = 1572)]
fn not_like_name_function(context: &mut FunctionContext<'_>, value: &str, pattern: &str) -> SqlResult<bool> {
    Ok(!like(context, value, pattern)?)
}

/// The pattern of `LIKE pattern ESCAPE escape` with the standard escape character.
#[sql_function("like_escape(text, text) -> text", oid = 1637)]
fn like_escape(pattern: &str, escape: &str) -> SqlResult<String> {
    let out = with_standard_escape(pattern.chars(), escape.chars(), '\\')?;
    Ok(out.into_iter().collect())
}

#[sql_function("like_escape(bytea, bytea) -> bytea", oid = 2009)]
fn like_escape_bytes(pattern: &[u8], escape: &[u8]) -> SqlResult<Vec<u8>> {
    with_standard_escape(pattern.iter().copied(), escape.iter().copied(), b'\\')
}

/// The elements of a pattern with `standard` in the place of its own escape character, which may be none.
fn with_standard_escape<T: Copy + PartialEq>(
    pattern: impl Iterator<Item = T>,
    mut escape: impl Iterator<Item = T>,
    standard: T,
) -> SqlResult<Vec<T>> {
    let escape_character = escape.next();
    if escape.next().is_some() {
        return Err(SqlError::new(INVALID_ESCAPE_SEQUENCE, "invalid escape string")
            .with_hint("Escape string must be empty or one character."));
    }
    let mut out = Vec::with_capacity(pattern.size_hint().0);
    let mut is_escaped = false;
    for element in pattern {
        if Some(element) == escape_character && !is_escaped {
            out.push(standard);
            is_escaped = true;
            continue;
        }
        if element == standard && escape_character != Some(standard) && !is_escaped {
            out.push(standard);
        }
        out.push(element);
        is_escaped = false;
    }
    Ok(out)
}
