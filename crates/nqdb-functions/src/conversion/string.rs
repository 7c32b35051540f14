//! Casts among the string types, and bool to text.

use std::borrow::Cow;

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{NUMERIC_VALUE_OUT_OF_RANGE, SqlError, SqlResult};

use nqdb_types::oid;

use crate::coerce::resolve_object;
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &BOOL_TEXT,
    &BPCHAR_TEXT,
    &NAME_TEXT,
    &CHAR_TEXT,
    &TEXT_NAME,
    &VARCHAR_NAME,
    &BPCHAR_NAME,
    &NAME_BPCHAR,
    &NAME_VARCHAR,
    &TEXT_CHAR,
    &CHAR_BPCHAR,
    &CHAR_INT4,
    &INT4_CHAR,
    &TEXT_REGCLASS,
];

/// Bytes that a `name` holds at most.
const NAME_LEN_MAX: usize = 63;

#[sql_function("text(bool) -> text", oid = 2971)]
fn bool_text(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

#[sql_function("text(bpchar) -> text", oid = 401)]
fn bpchar_text(value: &str) -> &str {
    value.trim_end_matches(' ')
}

#[sql_function("text(name) -> text", oid = 406)]
fn name_text(value: &str) -> &str {
    value
}

#[sql_function("text(char) -> text", oid = 946)]
fn char_text(value: &str) -> &str {
    value
}

/// Cut to what a name holds, between characters.
fn truncated(value: &str) -> &str {
    let end = (0..=value.len().min(NAME_LEN_MAX)).rev().find(|&end| value.is_char_boundary(end));
    &value[..end.unwrap_or(0)]
}

#[sql_function("name(text) -> name", oid = 407)]
fn text_name(value: &str) -> &str {
    truncated(value)
}

#[sql_function("name(varchar) -> name", oid = 1400)]
fn varchar_name(value: &str) -> &str {
    truncated(value)
}

#[sql_function("name(bpchar) -> name", oid = 409)]
fn bpchar_name(value: &str) -> &str {
    truncated(value).trim_end_matches(' ')
}

#[sql_function("bpchar(name) -> bpchar", oid = 408)]
fn name_bpchar(value: &str) -> &str {
    value
}

#[sql_function("varchar(name) -> varchar", oid = 1401)]
fn name_varchar(value: &str) -> &str {
    value
}

/// The first byte; one that starts a longer character cannot stand alone in UTF-8.
#[sql_function("char(text) -> char", oid = 944)]
fn text_char(value: &str) -> SqlResult<Cow<'_, str>> {
    match value.as_bytes().first() {
        None => Ok(Cow::Borrowed("")),
        Some(byte) if byte.is_ascii() => Ok(Cow::Borrowed(&value[..1])),
        Some(_) => Err(SqlError::unsupported("a \"char\" outside ASCII")),
    }
}

#[sql_function("bpchar(char) -> bpchar", oid = 860)]
fn char_bpchar(value: &str) -> &str {
    value
}

#[sql_function("int4(char) -> int4", oid = 77)]
fn char_int4(value: &str) -> i32 {
    value.as_bytes().first().map_or(0, |&byte| i32::from(byte.cast_signed()))
}

#[sql_function("char(int4) -> char", oid = 78)]
fn int4_char(value: i32) -> SqlResult<String> {
    match i8::try_from(value) {
        Ok(0) => Ok(String::new()),
        Ok(code @ 1..) => Ok(char::from(code.cast_unsigned()).to_string()),
        Ok(_) => Err(SqlError::unsupported("a \"char\" outside ASCII")),
        Err(_) => Err(SqlError::new(NUMERIC_VALUE_OUT_OF_RANGE, "\"char\" out of range")),
    }
}

#[sql_function("regclass(text) -> regclass", oid = 1079, stable)]
fn text_regclass(context: &mut FunctionContext<'_>, name: &str) -> SqlResult<u32> {
    resolve_object(oid::REGCLASS, name, context)
}
