//! Parts of strings: substring, left, right, overlay, split_part.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, SUBSTRING_ERROR, SqlError, SqlResult};

use crate::Function;

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &SUBSTRING_FROM,
    &SUBSTRING_FROM_FOR,
    &SUBSTRING_BYTES_FROM,
    &SUBSTRING_BYTES_FROM_FOR,
    &LEFT,
    &RIGHT,
    &OVERLAY,
    &OVERLAY_FOR,
    &OVERLAY_BYTES,
    &OVERLAY_BYTES_FOR,
    &SPLIT_PART,
];

/// The zero-based span of elements that `FROM start FOR length` means; start counts from 1 and may lie before it.
fn span(start: i32, length: Option<i32>) -> SqlResult<(usize, Option<usize>)> {
    let from = usize::try_from(i64::from(start) - 1).unwrap_or(0);
    let Some(length) = length else { return Ok((from, None)) };
    if length < 0 {
        return Err(SqlError::new(SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let end = i64::from(start) - 1 + i64::from(length);
    Ok((from, Some(usize::try_from(end).unwrap_or(0).saturating_sub(from))))
}

/// Byte offset of the character with that number, or the end.
fn offset_of(value: &str, character: usize) -> usize {
    value.char_indices().nth(character).map_or(value.len(), |(offset, _)| offset)
}

fn substring(value: &str, start: i32, length: Option<i32>) -> SqlResult<&str> {
    let (from, count) = span(start, length)?;
    let rest = &value[offset_of(value, from)..];
    Ok(match count {
        Some(count) => &rest[..offset_of(rest, count)],
        None => rest,
    })
}

#[sql_function("substring(text, int4) -> text", oid = 937, alias("substr", oid = 883))]
fn substring_from(value: &str, start: i32) -> SqlResult<&str> {
    substring(value, start, None)
}

#[sql_function("substring(text, int4, int4) -> text", oid = 936, alias("substr", oid = 877))]
fn substring_from_for(value: &str, start: i32, length: i32) -> SqlResult<&str> {
    substring(value, start, Some(length))
}

fn substring_bytes(value: &[u8], start: i32, length: Option<i32>) -> SqlResult<&[u8]> {
    let (from, count) = span(start, length)?;
    let rest = value.get(from..).unwrap_or(&[]);
    Ok(count.and_then(|count| rest.get(..count)).unwrap_or(rest))
}

#[sql_function("substring(bytea, int4) -> bytea", oid = 2013, alias("substr", oid = 2086))]
fn substring_bytes_from(value: &[u8], start: i32) -> SqlResult<&[u8]> {
    substring_bytes(value, start, None)
}

#[sql_function("substring(bytea, int4, int4) -> bytea", oid = 2012, alias("substr", oid = 2085))]
fn substring_bytes_from_for(value: &[u8], start: i32, length: i32) -> SqlResult<&[u8]> {
    substring_bytes(value, start, Some(length))
}

/// Byte offset after `count` characters; of a negative count, before the last `-count` ones.
fn offset_from_either_end(value: &str, count: i32) -> usize {
    if count >= 0 {
        return offset_of(value, count as usize);
    }
    offset_of(value, value.chars().count().saturating_sub(count.unsigned_abs() as usize))
}

#[sql_function("left(text, int4) -> text", oid = 3060)]
fn left(value: &str, count: i32) -> &str {
    &value[..offset_from_either_end(value, count)]
}

#[sql_function("right(text, int4) -> text", oid = 3061)]
fn right(value: &str, count: i32) -> &str {
    match count.checked_neg() {
        // Nothing has so many characters to leave out; PostgreSQL leaves out none.
        None => value,
        Some(0) => "",
        Some(from_start) => &value[offset_from_either_end(value, from_start)..],
    }
}

/// The place behind the replaced part; both it and the start count from 1.
fn behind_overlay(start: i32, length: i32) -> SqlResult<i32> {
    if start <= 0 {
        return Err(SqlError::new(SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    start.checked_add(length).ok_or_else(|| crate::arithmetic::out_of_range("integer"))
}

fn overlaid(value: &str, replacement: &str, start: i32, length: i32) -> SqlResult<String> {
    let after = behind_overlay(start, length)?;
    let before = substring(value, 1, Some(start - 1))?;
    Ok(format!("{before}{replacement}{}", substring(value, after, None)?))
}

#[sql_function("overlay(text, text, int4) -> text", oid = 1405)]
fn overlay(value: &str, replacement: &str, start: i32) -> SqlResult<String> {
    overlaid(value, replacement, start, super::length::to_int4(replacement.chars().count())?)
}

#[sql_function("overlay(text, text, int4, int4) -> text", oid = 1404)]
fn overlay_for(value: &str, replacement: &str, start: i32, length: i32) -> SqlResult<String> {
    overlaid(value, replacement, start, length)
}

fn overlaid_bytes(value: &[u8], replacement: &[u8], start: i32, length: i32) -> SqlResult<Vec<u8>> {
    let after = behind_overlay(start, length)?;
    let before = substring_bytes(value, 1, Some(start - 1))?;
    Ok([before, replacement, substring_bytes(value, after, None)?].concat())
}

#[sql_function("overlay(bytea, bytea, int4) -> bytea", oid = 752)]
fn overlay_bytes(value: &[u8], replacement: &[u8], start: i32) -> SqlResult<Vec<u8>> {
    overlaid_bytes(value, replacement, start, super::length::to_int4(replacement.len())?)
}

#[sql_function("overlay(bytea, bytea, int4, int4) -> bytea", oid = 749)]
fn overlay_bytes_for(value: &[u8], replacement: &[u8], start: i32, length: i32) -> SqlResult<Vec<u8>> {
    overlaid_bytes(value, replacement, start, length)
}

/// The n-th part between delimiters, counted from 1, or from the end by negative numbers.
#[sql_function("split_part(text, text, int4) -> text", oid = 2088)]
fn split_part<'a>(value: &'a str, delimiter: &str, number: i32) -> SqlResult<&'a str> {
    if number == 0 {
        return Err(SqlError::new(INVALID_PARAMETER_VALUE, "field position must not be zero"));
    }
    if delimiter.is_empty() {
        return Ok(if number.unsigned_abs() == 1 { value } else { "" });
    }
    let index = number.unsigned_abs() as usize - 1;
    let part = if number > 0 { value.split(delimiter).nth(index) } else { value.rsplit(delimiter).nth(index) };
    Ok(part.unwrap_or(""))
}
