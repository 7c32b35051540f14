//! Lengths in characters, bytes and bits.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;

use crate::Function;
use crate::arithmetic::out_of_range;

pub(crate) static FUNCTIONS: &[&[Function]] =
    &[&LENGTH_TEXT, &LENGTH_BPCHAR, &LENGTH_BYTEA, &OCTETS_TEXT, &OCTETS_BPCHAR, &BITS_TEXT, &BITS_BYTEA];

pub(super) fn to_int4(count: usize) -> SqlResult<i32> {
    i32::try_from(count).map_err(|_| out_of_range("integer"))
}

#[sql_function(
    "length(text) -> int4",
    oid = 1317,
    alias("char_length", oid = 1381),
    alias("character_length", oid = 1369)
)]
fn length_text(value: &str) -> SqlResult<i32> {
    to_int4(value.chars().count())
}

/// Trailing blanks are padding.
#[sql_function(
    "length(bpchar) -> int4",
    oid = 1318,
    alias("char_length", oid = 1372),
    alias("character_length", oid = 1367)
)]
fn length_bpchar(value: &str) -> SqlResult<i32> {
    to_int4(value.trim_end_matches(' ').chars().count())
}

#[sql_function("length(bytea) -> int4", oid = 2010, alias("octet_length", oid = 720))]
fn length_bytea(value: &[u8]) -> SqlResult<i32> {
    to_int4(value.len())
}

#[sql_function("octet_length(text) -> int4", oid = 1374)]
fn octets_text(value: &str) -> SqlResult<i32> {
    to_int4(value.len())
}

#[sql_function("octet_length(bpchar) -> int4", oid = 1375)]
fn octets_bpchar(value: &str) -> SqlResult<i32> {
    to_int4(value.len())
}

#[sql_function("bit_length(text) -> int4", oid = 1811)]
fn bits_text(value: &str) -> SqlResult<i32> {
    to_int4(value.len().saturating_mul(8))
}

#[sql_function("bit_length(bytea) -> int4", oid = 1810)]
fn bits_bytea(value: &[u8]) -> SqlResult<i32> {
    to_int4(value.len().saturating_mul(8))
}
