//! Functions of bytea alone.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{SqlError, SqlResult, SqlState};

use super::length::to_int4;
use crate::Function;

pub(crate) static FUNCTIONS: &[&[Function]] =
    &[&CONCATENATE, &POSITION, &TRIM_BOTH, &TRIM_LEFT, &TRIM_RIGHT, &GET_BYTE, &SET_BYTE];

#[sql_function("byteacat(bytea, bytea) -> bytea", oid = 2011)]
fn concatenate(a: &[u8], b: &[u8]) -> Vec<u8> {
    [a, b].concat()
}

/// The place of the first occurrence, counted from 1; 0 if there is none.
#[sql_function("position(bytea, bytea) -> int4", oid = 2014)]
fn position(value: &[u8], searched: &[u8]) -> SqlResult<i32> {
    if searched.is_empty() {
        return Ok(1);
    }
    match value.windows(searched.len()).position(|window| window == searched) {
        Some(offset) => to_int4(offset + 1),
        None => Ok(0),
    }
}

#[sql_function("btrim(bytea, bytea) -> bytea", oid = 2015)]
fn trim_both<'a>(value: &'a [u8], bytes: &[u8]) -> &'a [u8] {
    trim_right(trim_left(value, bytes), bytes)
}

#[sql_function("ltrim(bytea, bytea) -> bytea", oid = 6195)]
fn trim_left<'a>(value: &'a [u8], bytes: &[u8]) -> &'a [u8] {
    let start = value.iter().position(|byte| !bytes.contains(byte)).unwrap_or(value.len());
    value.get(start..).unwrap_or(&[])
}

#[sql_function("rtrim(bytea, bytea) -> bytea", oid = 6196)]
fn trim_right<'a>(value: &'a [u8], bytes: &[u8]) -> &'a [u8] {
    let end = value.iter().rposition(|byte| !bytes.contains(byte)).map_or(0, |last| last + 1);
    value.get(..end).unwrap_or(&[])
}

const ARRAY_SUBSCRIPT_ERROR: SqlState = SqlState::new("2202E");

fn index_error(index: i32, len: usize) -> SqlError {
    let message = format!("index {index} out of valid range, 0..{}", len as i64 - 1);
    SqlError::new(ARRAY_SUBSCRIPT_ERROR, message)
}

#[sql_function("get_byte(bytea, int4) -> int4", oid = 721)]
fn get_byte(value: &[u8], index: i32) -> SqlResult<i32> {
    let byte = usize::try_from(index).ok().and_then(|index| value.get(index));
    byte.map(|byte| i32::from(*byte)).ok_or_else(|| index_error(index, value.len()))
}

#[sql_function("set_byte(bytea, int4, int4) -> bytea", oid = 722)]
fn set_byte(value: &[u8], index: i32, byte: i32) -> SqlResult<Vec<u8>> {
    let mut changed = value.to_vec();
    let place = usize::try_from(index).ok().and_then(|index| changed.get_mut(index));
    *place.ok_or_else(|| index_error(index, value.len()))? = byte as u8;
    Ok(changed)
}
