//! Filling and trimming at the ends, repeating, reversing.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;

use super::{LEN_MAX, too_long};
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &PAD_LEFT,
    &PAD_LEFT_BLANKS,
    &PAD_RIGHT,
    &PAD_RIGHT_BLANKS,
    &TRIM_BOTH,
    &TRIM_BOTH_BLANKS,
    &TRIM_LEFT,
    &TRIM_LEFT_BLANKS,
    &TRIM_RIGHT,
    &TRIM_RIGHT_BLANKS,
    &REPEAT,
    &REVERSE,
];

/// The filling and the value cut to `length` characters in all.
fn pad<'a>(context: &FunctionContext<'_>, value: &'a str, length: i32, fill: &str) -> SqlResult<(String, &'a str)> {
    let length = usize::try_from(length).unwrap_or(0);
    if !fill.is_empty() && length.saturating_mul(4) > LEN_MAX {
        return Err(too_long());
    }
    let end = value.char_indices().nth(length).map_or(value.len(), |(offset, _)| offset);
    let kept = &value[..end];
    let missing = length - kept.chars().count();
    let fill_len = fill.chars().count();
    if fill_len == 0 {
        return Ok((String::new(), kept));
    }
    let (whole, rest) = (missing / fill_len, missing % fill_len);
    context.admit_bytes(fill.len() * (whole + 1))?;
    let mut filling = fill.repeat(whole);
    filling.extend(fill.chars().take(rest));
    Ok((filling, kept))
}

#[sql_function("lpad(text, int4, text) -> text", oid = 873)]
fn pad_left(context: &mut FunctionContext<'_>, value: &str, length: i32, fill: &str) -> SqlResult<String> {
    let (mut padded, kept) = pad(context, value, length, fill)?;
    padded.push_str(kept);
    Ok(padded)
}

#[sql_function("lpad(text, int4) -> text", oid = 879)]
fn pad_left_blanks(context: &mut FunctionContext<'_>, value: &str, length: i32) -> SqlResult<String> {
    pad_left(context, value, length, " ")
}

#[sql_function("rpad(text, int4, text) -> text", oid = 874)]
fn pad_right(context: &mut FunctionContext<'_>, value: &str, length: i32, fill: &str) -> SqlResult<String> {
    let (filling, kept) = pad(context, value, length, fill)?;
    Ok(format!("{kept}{filling}"))
}

#[sql_function("rpad(text, int4) -> text", oid = 880)]
fn pad_right_blanks(context: &mut FunctionContext<'_>, value: &str, length: i32) -> SqlResult<String> {
    pad_right(context, value, length, " ")
}

#[sql_function("btrim(text, text) -> text", oid = 884)]
fn trim_both<'a>(value: &'a str, characters: &str) -> &'a str {
    value.trim_matches(|character| characters.contains(character))
}

#[sql_function("btrim(text) -> text", oid = 885)]
fn trim_both_blanks(value: &str) -> &str {
    value.trim_matches(' ')
}

#[sql_function("ltrim(text, text) -> text", oid = 875)]
fn trim_left<'a>(value: &'a str, characters: &str) -> &'a str {
    value.trim_start_matches(|character| characters.contains(character))
}

#[sql_function("ltrim(text) -> text", oid = 881)]
fn trim_left_blanks(value: &str) -> &str {
    value.trim_start_matches(' ')
}

#[sql_function("rtrim(text, text) -> text", oid = 876)]
fn trim_right<'a>(value: &'a str, characters: &str) -> &'a str {
    value.trim_end_matches(|character| characters.contains(character))
}

#[sql_function("rtrim(text) -> text", oid = 882)]
fn trim_right_blanks(value: &str) -> &str {
    value.trim_end_matches(' ')
}

#[sql_function("repeat(text, int4) -> text", oid = 1622)]
fn repeat(context: &mut FunctionContext<'_>, value: &str, count: i32) -> SqlResult<String> {
    let count = usize::try_from(count).unwrap_or(0);
    if value.len().saturating_mul(count) > LEN_MAX {
        return Err(too_long());
    }
    context.admit_bytes(value.len() * count)?;
    Ok(value.repeat(count))
}

#[sql_function("reverse(text) -> text", oid = 3062)]
fn reverse(value: &str) -> String {
    value.chars().rev().collect()
}
