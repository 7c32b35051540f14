//! Casts between numbers. Floats round to the nearest, ties to even; numerics round half away from zero.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{NUMERIC_VALUE_OUT_OF_RANGE, SqlError, SqlResult};
use nqdb_types::Numeric;

use crate::Function;
use crate::arithmetic::float::{overflow, underflow};
use crate::arithmetic::out_of_range;

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &INT2_INT4,
    &INT2_INT8,
    &INT4_INT2,
    &INT4_INT8,
    &INT8_INT2,
    &INT8_INT4,
    &INT2_FLOAT4,
    &INT2_FLOAT8,
    &INT4_FLOAT4,
    &INT4_FLOAT8,
    &INT8_FLOAT4,
    &INT8_FLOAT8,
    &FLOAT4_INT2,
    &FLOAT4_INT4,
    &FLOAT4_INT8,
    &FLOAT8_INT2,
    &FLOAT8_INT4,
    &FLOAT8_INT8,
    &FLOAT4_FLOAT8,
    &FLOAT8_FLOAT4,
    &INT2_NUMERIC,
    &INT4_NUMERIC,
    &INT8_NUMERIC,
    &FLOAT4_NUMERIC,
    &FLOAT8_NUMERIC,
    &NUMERIC_INT2,
    &NUMERIC_INT4,
    &NUMERIC_INT8,
    &NUMERIC_FLOAT4,
    &NUMERIC_FLOAT8,
    &BOOL_INT4,
    &INT4_BOOL,
    &INT8_OID,
    &OID_INT8,
];

#[sql_function("int4(int2) -> int4", oid = 313)]
fn int2_int4(value: i16) -> i32 {
    value.into()
}

#[sql_function("int8(int2) -> int8", oid = 754)]
fn int2_int8(value: i16) -> i64 {
    value.into()
}

#[sql_function("int2(int4) -> int2", oid = 314)]
fn int4_int2(value: i32) -> SqlResult<i16> {
    value.try_into().map_err(|_| out_of_range("smallint"))
}

#[sql_function("int8(int4) -> int8", oid = 481)]
fn int4_int8(value: i32) -> i64 {
    value.into()
}

#[sql_function("int2(int8) -> int2", oid = 714)]
fn int8_int2(value: i64) -> SqlResult<i16> {
    value.try_into().map_err(|_| out_of_range("smallint"))
}

#[sql_function("int4(int8) -> int4", oid = 480)]
fn int8_int4(value: i64) -> SqlResult<i32> {
    value.try_into().map_err(|_| out_of_range("integer"))
}

#[sql_function("float4(int2) -> float4", oid = 236)]
fn int2_float4(value: i16) -> f32 {
    value.into()
}

#[sql_function("float8(int2) -> float8", oid = 235)]
fn int2_float8(value: i16) -> f64 {
    value.into()
}

#[sql_function("float4(int4) -> float4", oid = 318)]
fn int4_float4(value: i32) -> f32 {
    value as f32
}

#[sql_function("float8(int4) -> float8", oid = 316)]
fn int4_float8(value: i32) -> f64 {
    value.into()
}

#[sql_function("float4(int8) -> float4", oid = 652)]
fn int8_float4(value: i64) -> f32 {
    value as f32
}

#[sql_function("float8(int8) -> float8", oid = 482)]
fn int8_float8(value: i64) -> f64 {
    value as f64
}

/// Rounds to an integer within `low..high`; NaN lies in no range.
fn rounded(value: f64, low: f64, high: f64, type_name: &str) -> SqlResult<i64> {
    let value = value.round_ties_even();
    if (low..high).contains(&value) { Ok(value as i64) } else { Err(out_of_range(type_name)) }
}

fn float_int2(value: f64) -> SqlResult<i16> {
    Ok(rounded(value, -32_768.0, 32_768.0, "smallint")? as i16)
}

fn float_int4(value: f64) -> SqlResult<i32> {
    Ok(rounded(value, -2_147_483_648.0, 2_147_483_648.0, "integer")? as i32)
}

fn float_int8(value: f64) -> SqlResult<i64> {
    rounded(value, -9_223_372_036_854_775_808.0, 9_223_372_036_854_775_808.0, "bigint")
}

#[sql_function("int2(float4) -> int2", oid = 238)]
fn float4_int2(value: f32) -> SqlResult<i16> {
    float_int2(value.into())
}

#[sql_function("int4(float4) -> int4", oid = 319)]
fn float4_int4(value: f32) -> SqlResult<i32> {
    float_int4(value.into())
}

#[sql_function("int8(float4) -> int8", oid = 653)]
fn float4_int8(value: f32) -> SqlResult<i64> {
    float_int8(value.into())
}

#[sql_function("int2(float8) -> int2", oid = 237)]
fn float8_int2(value: f64) -> SqlResult<i16> {
    float_int2(value)
}

#[sql_function("int4(float8) -> int4", oid = 317)]
fn float8_int4(value: f64) -> SqlResult<i32> {
    float_int4(value)
}

#[sql_function("int8(float8) -> int8", oid = 483)]
fn float8_int8(value: f64) -> SqlResult<i64> {
    float_int8(value)
}

#[sql_function("float8(float4) -> float8", oid = 311)]
fn float4_float8(value: f32) -> f64 {
    value.into()
}

#[sql_function("float4(float8) -> float4", oid = 312)]
fn float8_float4(value: f64) -> SqlResult<f32> {
    let narrow = value as f32;
    if narrow.is_infinite() && !value.is_infinite() {
        return Err(overflow());
    }
    if narrow == 0.0 && value != 0.0 {
        return Err(underflow());
    }
    Ok(narrow)
}

#[sql_function("numeric(int2) -> numeric", oid = 1782)]
fn int2_numeric(value: i16) -> Numeric {
    Numeric::from(value)
}

#[sql_function("numeric(int4) -> numeric", oid = 1740)]
fn int4_numeric(value: i32) -> Numeric {
    Numeric::from(value)
}

#[sql_function("numeric(int8) -> numeric", oid = 1781)]
fn int8_numeric(value: i64) -> Numeric {
    Numeric::from(value)
}

#[sql_function("numeric(float4) -> numeric", oid = 1742)]
fn float4_numeric(value: f32) -> Numeric {
    Numeric::from_f32(value)
}

#[sql_function("numeric(float8) -> numeric", oid = 1743)]
fn float8_numeric(value: f64) -> Numeric {
    Numeric::from_f64(value)
}

#[sql_function("int2(numeric) -> int2", oid = 1783)]
fn numeric_int2(value: &Numeric) -> SqlResult<i16> {
    value.to_i16()
}

#[sql_function("int4(numeric) -> int4", oid = 1744)]
fn numeric_int4(value: &Numeric) -> SqlResult<i32> {
    value.to_i32()
}

#[sql_function("int8(numeric) -> int8", oid = 1779)]
fn numeric_int8(value: &Numeric) -> SqlResult<i64> {
    value.to_i64()
}

#[sql_function("float4(numeric) -> float4", oid = 1745)]
fn numeric_float4(value: &Numeric) -> SqlResult<f32> {
    value.to_f32()
}

#[sql_function("float8(numeric) -> float8", oid = 1746)]
fn numeric_float8(value: &Numeric) -> SqlResult<f64> {
    value.to_f64()
}

#[sql_function("int4(bool) -> int4", oid = 2558)]
fn bool_int4(value: bool) -> i32 {
    value.into()
}

#[sql_function("bool(int4) -> bool", oid = 2557)]
fn int4_bool(value: i32) -> bool {
    value != 0
}

#[sql_function("oid(int8) -> oid", oid = 1287)]
fn int8_oid(value: i64) -> SqlResult<u32> {
    value.try_into().map_err(|_| SqlError::new(NUMERIC_VALUE_OUT_OF_RANGE, "OID out of range"))
}

#[sql_function("int8(oid) -> int8", oid = 1288)]
fn oid_int8(value: u32) -> i64 {
    value.into()
}
