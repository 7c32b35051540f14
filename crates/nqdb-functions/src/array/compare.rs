//! Comparisons of arrays as wholes, and whether one contains another.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{DATATYPE_MISMATCH, SqlError, SqlResult};
use nqdb_types::{Array, Datum};
use std::cmp::Ordering;

use super::require_equality;
use crate::Function;

pub(super) static FUNCTIONS: &[&[Function]] = &[
    &EQUAL,
    &NOT_EQUAL,
    &LESS,
    &LESS_OR_EQUAL,
    &GREATER,
    &GREATER_OR_EQUAL,
    &COMPARE,
    &LARGER,
    &SMALLER,
    &CONTAINS,
    &CONTAINED,
    &OVERLAP,
    &VECTOR_EQUAL,
    &VECTOR_NOT_EQUAL,
    &VECTOR_LESS,
    &VECTOR_LESS_OR_EQUAL,
    &VECTOR_GREATER,
    &VECTOR_GREATER_OR_EQUAL,
    &VECTOR_COMPARE,
];

fn order(a: &Array, b: &Array) -> SqlResult<Ordering> {
    require_same(a, b)?;
    Ok(a.compare(b))
}

fn require_same(a: &Array, b: &Array) -> SqlResult<()> {
    if a.element_type() != b.element_type() {
        return Err(SqlError::new(DATATYPE_MISMATCH, "cannot compare arrays of different element types"));
    }
    require_equality(a.element_type())
}

macro_rules! comparisons {
    ($($function:ident $signature:literal $oid:literal $test:ident;)*) => {
        $(
            #[sql_function($signature, oid = $oid)]
            fn $function(a: &Array, b: &Array) -> SqlResult<bool> {
                Ok(order(a, b)?.$test())
            }
        )*
    };
}

comparisons! {
    equal "array_eq(anyarray, anyarray) -> bool" 744 is_eq;
    not_equal "array_ne(anyarray, anyarray) -> bool" 390 is_ne;
    less "array_lt(anyarray, anyarray) -> bool" 391 is_lt;
    less_or_equal "array_le(anyarray, anyarray) -> bool" 393 is_le;
    greater "array_gt(anyarray, anyarray) -> bool" 392 is_gt;
    greater_or_equal "array_ge(anyarray, anyarray) -> bool" 396 is_ge;
    vector_equal "oidvectoreq(oidvector, oidvector) -> bool" 679 is_eq;
    vector_not_equal "oidvectorne(oidvector, oidvector) -> bool" 619 is_ne;
    vector_less "oidvectorlt(oidvector, oidvector) -> bool" 677 is_lt;
    vector_less_or_equal "oidvectorle(oidvector, oidvector) -> bool" 678 is_le;
    vector_greater "oidvectorgt(oidvector, oidvector) -> bool" 681 is_gt;
    vector_greater_or_equal "oidvectorge(oidvector, oidvector) -> bool" 680 is_ge;
}

#[sql_function("btarraycmp(anyarray, anyarray) -> int4", oid = 382)]
fn compare(a: &Array, b: &Array) -> SqlResult<i32> {
    Ok(order(a, b)? as i32)
}

#[sql_function("btoidvectorcmp(oidvector, oidvector) -> int4", oid = 404)]
fn vector_compare(a: &Array, b: &Array) -> SqlResult<i32> {
    Ok(order(a, b)? as i32)
}

#[sql_function("array_larger(anyarray, anyarray) -> anyarray", oid = 515)]
fn larger(a: &Array, b: &Array) -> SqlResult<Datum> {
    Ok(Datum::array(if order(a, b)?.is_gt() { a.clone() } else { b.clone() }))
}

#[sql_function("array_smaller(anyarray, anyarray) -> anyarray", oid = 516)]
fn smaller(a: &Array, b: &Array) -> SqlResult<Datum> {
    Ok(Datum::array(if order(a, b)?.is_lt() { a.clone() } else { b.clone() }))
}

/// Above this many elements on both sides a sorted copy is searched.
const SORTED_FROM: usize = 16;

/// How many of the elements, if all or any, stand in the other array too. NULL is in none.
fn found(elements: &Array, within: &Array, all: bool) -> SqlResult<bool> {
    require_same(elements, within)?;
    let type_oid = elements.element_type();
    let mut sorted: Vec<&Datum> = within.elements().iter().filter(|element| !element.is_null()).collect();
    let searches = sorted.len() > SORTED_FROM && elements.elements().len() > SORTED_FROM;
    if searches {
        sorted.sort_by(|a, b| a.compare_as(b, type_oid));
    }
    for element in elements.elements() {
        let is_within = !element.is_null()
            && if searches {
                sorted.binary_search_by(|other| other.compare_as(element, type_oid)).is_ok()
            } else {
                sorted.iter().any(|other| other.compare_as(element, type_oid).is_eq())
            };
        if is_within != all {
            return Ok(!all);
        }
    }
    Ok(all)
}

#[sql_function("arraycontains(anyarray, anyarray) -> bool", oid = 2748)]
fn contains(a: &Array, b: &Array) -> SqlResult<bool> {
    found(b, a, true)
}

#[sql_function("arraycontained(anyarray, anyarray) -> bool", oid = 2749)]
fn contained(a: &Array, b: &Array) -> SqlResult<bool> {
    found(a, b, true)
}

#[sql_function("arrayoverlap(anyarray, anyarray) -> bool", oid = 2747)]
fn overlap(a: &Array, b: &Array) -> SqlResult<bool> {
    found(a, b, false)
}
