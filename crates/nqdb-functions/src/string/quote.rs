//! Quoting of identifiers and literals.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;
use nqdb_types::Datum;

use super::concat::output;
use crate::tables::keywords::QUOTED_KEYWORDS;
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] =
    &[&QUOTE_IDENT, &QUOTE_LITERAL, &QUOTE_LITERAL_ANY, &QUOTE_NULLABLE, &QUOTE_NULLABLE_ANY];

/// The name in double quotes if it needs them: it is a keyword, or more than lower-case letters, digits, `_`.
pub fn quote_identifier(name: &str) -> String {
    let mut bytes = name.bytes();
    let is_plain = bytes.next().is_some_and(|first| first.is_ascii_lowercase() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if is_plain && QUOTED_KEYWORDS.binary_search(&name).is_err() {
        name.to_string()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// The text as a SQL literal; with backslashes in it as an `E''` literal.
pub(super) fn literal(value: &str) -> String {
    let prefix = if value.contains('\\') { "E" } else { "" };
    format!("{prefix}'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

#[sql_function("quote_ident(text) -> text", oid = 1282)]
fn quote_ident(value: &str) -> String {
    quote_identifier(value)
}

/// As [`literal`]; asks for the room that twice the text takes.
fn admitted_literal(context: &FunctionContext<'_>, value: &str) -> SqlResult<String> {
    context.admit_bytes(value.len().saturating_mul(2))?;
    Ok(literal(value))
}

#[sql_function("quote_literal(text) -> text", oid = 1283)]
fn quote_literal(context: &mut FunctionContext<'_>, value: &str) -> SqlResult<String> {
    admitted_literal(context, value)
}

#[sql_function("quote_literal(anyelement) -> text", oid = 1285, stable)]
fn quote_literal_any(context: &mut FunctionContext<'_>, value: &Datum) -> SqlResult<String> {
    let text = output(context, 0, value)?;
    admitted_literal(context, &text)
}

#[sql_function("quote_nullable(text) -> text", oid = 1289, called_on_null)]
fn quote_nullable(context: &mut FunctionContext<'_>, value: Option<&str>) -> SqlResult<String> {
    value.map_or_else(|| Ok("NULL".to_string()), |value| admitted_literal(context, value))
}

#[sql_function("quote_nullable(anyelement) -> text", oid = 1290, stable, called_on_null)]
fn quote_nullable_any(context: &mut FunctionContext<'_>, value: Option<&Datum>) -> SqlResult<String> {
    match value {
        Some(value) => {
            let text = output(context, 0, value)?;
            admitted_literal(context, &text)
        }
        None => Ok("NULL".to_string()),
    }
}
