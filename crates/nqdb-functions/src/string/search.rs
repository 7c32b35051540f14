//! Finding and replacing plain text; characters and their codes.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, PROGRAM_LIMIT_EXCEEDED, SqlError, SqlResult};

use super::length::to_int4;
use super::{LEN_MAX, too_long};
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[&POSITION, &STARTS_WITH, &REPLACE, &TRANSLATE, &ASCII, &CHARACTER];

/// The place of the first occurrence, counted from 1; 0 if there is none.
#[sql_function("position(text, text) -> int4", oid = 849, alias("strpos", oid = 868))]
fn position(value: &str, searched: &str) -> SqlResult<i32> {
    match value.find(searched) {
        Some(offset) => to_int4(value[..offset].chars().count() + 1),
        None => Ok(0),
    }
}

#[sql_function("starts_with(text, text) -> bool", oid = 3696)]
fn starts_with(value: &str, prefix: &str) -> bool {
    value.starts_with(prefix)
}

#[sql_function("replace(text, text, text) -> text", oid = 2087)]
fn replace(context: &mut FunctionContext<'_>, value: &str, from: &str, to: &str) -> SqlResult<String> {
    if from.is_empty() {
        return Ok(value.to_string());
    }
    let longest = value.len().saturating_add((value.len() / from.len()).saturating_mul(to.len()));
    if longest > value.len().saturating_mul(2) {
        let exact = value.len().saturating_add(value.matches(from).count().saturating_mul(to.len()));
        if exact > LEN_MAX {
            return Err(too_long());
        }
        context.admit_bytes(exact)?;
    }
    Ok(value.replace(from, to))
}

/// Each character of `from` becomes the one at the same place in `to`, or goes if there is none.
#[sql_function("translate(text, text, text) -> text", oid = 878)]
fn translate(value: &str, from: &str, to: &str) -> String {
    value
        .chars()
        .filter_map(|character| match from.chars().position(|searched| searched == character) {
            Some(index) => to.chars().nth(index),
            None => Some(character),
        })
        .collect()
}

/// The code point of the first character, 0 of an empty text.
#[sql_function("ascii(text) -> int4", oid = 1620)]
fn ascii(value: &str) -> i32 {
    value.chars().next().map_or(0, |character| u32::from(character).cast_signed())
}

#[sql_function("chr(int4) -> text", oid = 1621)]
fn character(code: i32) -> SqlResult<String> {
    let fail = |message: String| Err(SqlError::new(PROGRAM_LIMIT_EXCEEDED, message));
    let Ok(unsigned) = u32::try_from(code) else {
        return Err(SqlError::new(INVALID_PARAMETER_VALUE, "character number must be positive"));
    };
    match char::from_u32(unsigned) {
        Some('\0') => fail("null character not permitted".to_string()),
        Some(character) => Ok(character.to_string()),
        None if unsigned > 0x10_ffff => fail(format!("requested character too large for encoding: {code}")),
        None => fail(format!("requested character not valid for encoding: {code}")),
    }
}
