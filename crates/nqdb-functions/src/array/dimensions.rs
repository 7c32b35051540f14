//! What an array's dimensions are.

use nqdb_functions_macros::sql_function;
use nqdb_types::{Array, Dimension};

use crate::Function;

pub(super) static FUNCTIONS: &[&[Function]] = &[&DIMS, &NDIMS, &LENGTH, &LOWER, &UPPER, &CARDINALITY];

fn dimension(array: &Array, number: i32) -> Option<Dimension> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    array.dimensions().get(index).copied()
}

/// `[1:2][1:3]`.
#[sql_function("array_dims(anyarray) -> text", oid = 747)]
fn dims(array: &Array) -> Option<String> {
    let bounds = array.dimensions().iter().map(|dimension| format!("[{}:{}]", dimension.lower, dimension.upper()));
    (!array.dimensions().is_empty()).then(|| bounds.collect())
}

#[sql_function("array_ndims(anyarray) -> int4", oid = 748)]
fn ndims(array: &Array) -> Option<i32> {
    i32::try_from(array.dimensions().len()).ok().filter(|count| *count > 0)
}

#[sql_function("array_length(anyarray, int4) -> int4", oid = 2176)]
fn length(array: &Array, number: i32) -> Option<i32> {
    dimension(array, number).map(|dimension| dimension.len)
}

#[sql_function("array_lower(anyarray, int4) -> int4", oid = 2091)]
fn lower(array: &Array, number: i32) -> Option<i32> {
    dimension(array, number).map(|dimension| dimension.lower)
}

#[sql_function("array_upper(anyarray, int4) -> int4", oid = 2092)]
fn upper(array: &Array, number: i32) -> Option<i32> {
    dimension(array, number).map(Dimension::upper)
}

#[sql_function("cardinality(anyarray) -> int4", oid = 3179)]
fn cardinality(array: &Array) -> i32 {
    array.elements().len() as i32
}
