//! jsonb as numbers and truth values, and its comparisons.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Json, Numeric, Type, oid};
use std::cmp::Ordering;

use super::invalid;
use crate::coerce::cast_value;
use crate::{Function, FunctionContext};

pub(super) static FUNCTIONS: &[&[Function]] = &[
    &BOOLEAN,
    &NUMERIC,
    &SMALLINT,
    &INTEGER,
    &BIGINT,
    &REAL,
    &DOUBLE,
    &EQUAL,
    &NOT_EQUAL,
    &LESS,
    &LESS_OR_EQUAL,
    &GREATER,
    &GREATER_OR_EQUAL,
    &COMPARE,
];

fn cannot_cast(json: &Json, target: &str) -> nqdb_sqlstate::SqlError {
    let what = match json {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "numeric",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    };
    invalid(format!("cannot cast jsonb {what} to type {target}"))
}

#[sql_function("bool(jsonb) -> bool", oid = 3556)]
fn boolean(json: &Json) -> SqlResult<bool> {
    match json {
        Json::Bool(value) => Ok(*value),
        other => Err(cannot_cast(other, "boolean")),
    }
}

fn number<'j>(json: &'j Json, target: &str) -> SqlResult<&'j Numeric> {
    match json {
        Json::Number(value) => Ok(value),
        other => Err(cannot_cast(other, target)),
    }
}

#[sql_function("numeric(jsonb) -> numeric", oid = 3449)]
fn numeric(json: &Json) -> SqlResult<Numeric> {
    number(json, "numeric").cloned()
}

/// A number as numeric's own cast gives it.
fn converted(context: &mut FunctionContext<'_>, json: &Json, target: Type) -> SqlResult<Datum> {
    let value = Datum::Numeric(number(json, &target.name())?.clone());
    cast_value(&value, Type::new(oid::NUMERIC), target, context)
}

macro_rules! conversions {
    ($($function:ident $signature:literal $oid:literal $target:ident;)*) => {
        $(
            #[sql_function($signature, oid = $oid)]
            fn $function(context: &mut FunctionContext<'_>, json: &Json) -> SqlResult<Datum> {
                converted(context, json, Type::$target)
            }
        )*
    };
}

conversions! {
    smallint "int2(jsonb) -> int2" 3450 INT2;
    integer "int4(jsonb) -> int4" 3451 INT4;
    bigint "int8(jsonb) -> int8" 3452 INT8;
    real "float4(jsonb) -> float4" 3453 FLOAT4;
    double "float8(jsonb) -> float8" 2580 FLOAT8;
}

macro_rules! comparisons {
    ($($function:ident $signature:literal $oid:literal $test:ident;)*) => {
        $(
            #[sql_function($signature, oid = $oid)]
            fn $function(a: &Json, b: &Json) -> bool {
                a.compare(b).$test()
            }
        )*
    };
}

comparisons! {
    equal "jsonb_eq(jsonb, jsonb) -> bool" 4043 is_eq;
    not_equal "jsonb_ne(jsonb, jsonb) -> bool" 4038 is_ne;
    less "jsonb_lt(jsonb, jsonb) -> bool" 4039 is_lt;
    less_or_equal "jsonb_le(jsonb, jsonb) -> bool" 4041 is_le;
    greater "jsonb_gt(jsonb, jsonb) -> bool" 4040 is_gt;
    greater_or_equal "jsonb_ge(jsonb, jsonb) -> bool" 4042 is_ge;
}

#[sql_function("jsonb_cmp(jsonb, jsonb) -> int4", oid = 4044)]
fn compare(a: &Json, b: &Json) -> i32 {
    match a.compare(b) {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    }
}
