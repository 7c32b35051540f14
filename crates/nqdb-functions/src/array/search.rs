//! Where an element stands, or would stand: array_position, array_positions, width_bucket.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{NULL_VALUE_NOT_ALLOWED, SqlError, SqlResult};
use nqdb_types::{Array, Datum, oid};

use super::{require_equality, require_one_dimension, subscript_error};
use crate::Function;

pub(super) static FUNCTIONS: &[&[Function]] = &[&POSITION, &POSITION_FROM, &POSITIONS, &WIDTH_BUCKET];

/// The subscripts at which an element stands; NULL is found as NULL.
fn subscripts<'a>(array: &'a Array, searched: &'a Datum) -> SqlResult<impl Iterator<Item = i32> + 'a> {
    require_one_dimension(array, "searching for elements in")?;
    require_equality(array.element_type())?;
    let lower = array.dimensions().first().map_or(1, |dimension| dimension.lower);
    let is_searched = |element: &Datum| match (element.is_null(), searched.is_null()) {
        (false, false) => element.compare_as(searched, array.element_type()).is_eq(),
        (a, b) => a && b,
    };
    let elements = array.elements().iter().enumerate();
    Ok(elements.filter(move |(_, element)| is_searched(element)).map(move |(at, _)| lower + at as i32))
}

#[sql_function("array_position(anycompatiblearray, anycompatible) -> int4", oid = 3277, called_on_null)]
fn position(array: Option<&Array>, searched: &Datum) -> SqlResult<Option<i32>> {
    let Some(array) = array else { return Ok(None) };
    Ok(subscripts(array, searched)?.next())
}

#[sql_function("array_position(anycompatiblearray, anycompatible, int4) -> int4", oid = 3278, called_on_null)]
fn position_from(array: Option<&Array>, searched: &Datum, start: Option<i32>) -> SqlResult<Option<i32>> {
    let Some(array) = array else { return Ok(None) };
    require_one_dimension(array, "searching for elements in")?;
    // Nothing can be found, so the place to begin at does not matter.
    if array.elements().is_empty() || (searched.is_null() && !array.elements().iter().any(Datum::is_null)) {
        return Ok(None);
    }
    let Some(start) = start else {
        return Err(SqlError::new(NULL_VALUE_NOT_ALLOWED, "initial position must not be null"));
    };
    Ok(subscripts(array, searched)?.find(|at| *at >= start))
}

#[sql_function("array_positions(anycompatiblearray, anycompatible) -> int4_array", oid = 3279, called_on_null)]
fn positions(array: Option<&Array>, searched: &Datum) -> SqlResult<Datum> {
    let Some(array) = array else { return Ok(Datum::Null) };
    let found = subscripts(array, searched)?.map(Datum::Int4).collect();
    Array::from_elements(oid::INT4, found).map(Datum::array)
}

/// How many of the thresholds, which ascend, are not above the value.
#[sql_function("width_bucket(anycompatible, anycompatiblearray) -> int4", oid = 3218)]
fn width_bucket(value: &Datum, thresholds: &Array) -> SqlResult<i32> {
    if thresholds.dimensions().len() > 1 {
        return Err(subscript_error("thresholds must be one-dimensional array"));
    }
    if thresholds.elements().iter().any(Datum::is_null) {
        return Err(SqlError::new(NULL_VALUE_NOT_ALLOWED, "thresholds array must not contain NULLs"));
    }
    let type_oid = thresholds.element_type();
    Ok(thresholds.elements().partition_point(|threshold| threshold.compare_as(value, type_oid).is_le()) as i32)
}
