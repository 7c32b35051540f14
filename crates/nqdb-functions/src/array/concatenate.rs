//! Arrays made longer: `||`, array_append, array_prepend, array_cat.

use std::sync::Arc;

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{DATA_EXCEPTION, NUMERIC_VALUE_OUT_OF_RANGE, SqlError, SqlResult};
use nqdb_types::array::check_dimensions;
use nqdb_types::{Array, Datum, Dimension};

use super::{element_type_of, subscript_error};
use crate::{Function, FunctionContext};

pub(super) static FUNCTIONS: &[&[Function]] = &[&APPEND, &PREPEND, &CAT];

#[sql_function("array_append(anycompatiblearray, anycompatible) -> anycompatiblearray", oid = 378, called_on_null)]
fn append(context: &mut FunctionContext<'_>, array: Option<&Array>, element: &Datum) -> SqlResult<Datum> {
    let (dimension, mut elements, element_type) = open(context, array, 0)?;
    if dimension.upper() == i32::MAX {
        return Err(SqlError::new(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"));
    }
    elements.push(element.clone());
    close(element_type, dimension, elements)
}

/// The first subscript stays what it was.
#[sql_function("array_prepend(anycompatible, anycompatiblearray) -> anycompatiblearray", oid = 379, called_on_null)]
fn prepend(context: &mut FunctionContext<'_>, element: &Datum, array: Option<&Array>) -> SqlResult<Datum> {
    let (dimension, elements, element_type) = open(context, array, 1)?;
    if dimension.lower == i32::MIN {
        return Err(SqlError::new(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"));
    }
    let mut longer = Vec::with_capacity(elements.len() + 1);
    longer.push(element.clone());
    longer.extend(elements);
    close(element_type, dimension, longer)
}

/// The parts of an array of one dimension or none; of NULL those of an empty one.
fn open(
    context: &FunctionContext<'_>,
    array: Option<&Array>,
    argument: usize,
) -> SqlResult<(Dimension, Vec<Datum>, u32)> {
    let first = Dimension { lower: 1, len: 0 };
    let Some(array) = array else { return Ok((first, Vec::new(), element_type_of(context, argument)?)) };
    match array.dimensions() {
        [] => Ok((first, Vec::new(), array.element_type())),
        [dimension] => Ok((*dimension, array.elements().to_vec(), array.element_type())),
        _ => Err(SqlError::new(DATA_EXCEPTION, "argument must be empty or one-dimensional array")),
    }
}

fn close(element_type: u32, dimension: Dimension, elements: Vec<Datum>) -> SqlResult<Datum> {
    let dimension = Dimension { lower: dimension.lower, len: dimension.len.saturating_add(1) };
    Array::new(element_type, vec![dimension], elements).map(Datum::array)
}

#[sql_function("array_cat(anycompatiblearray, anycompatiblearray) -> anycompatiblearray", oid = 383, called_on_null)]
fn cat(left: Option<&Arc<Array>>, right: Option<&Arc<Array>>) -> SqlResult<Datum> {
    let (Some(a), Some(b)) = (left, right) else {
        return Ok(left.or(right).map_or(Datum::Null, |array| Datum::Array(Arc::clone(array))));
    };
    if a.dimensions().is_empty() {
        return Ok(Datum::Array(Arc::clone(b)));
    }
    if b.dimensions().is_empty() {
        return Ok(Datum::Array(Arc::clone(a)));
    }
    let dimensions = joined_dimensions(a.dimensions(), b.dimensions())?;
    check_dimensions(&dimensions)?;
    let elements = a.elements().iter().chain(b.elements()).cloned().collect();
    Array::new(a.element_type(), dimensions, elements).map(Datum::array)
}

/// The dimensions of two arrays end to end: of equal depth, or one of them an element of the other.
fn joined_dimensions(a: &[Dimension], b: &[Dimension]) -> SqlResult<Vec<Dimension>> {
    let incompatible = |detail: String| subscript_error("cannot concatenate incompatible arrays").with_detail(detail);
    let differing = "Arrays with differing dimensions are not compatible for concatenation.";
    let (a_first, a_inner) = (a.first().copied(), a.get(1..).unwrap_or_default());
    let (b_first, b_inner) = (b.first().copied(), b.get(1..).unwrap_or_default());
    let (Some(a_first), Some(b_first)) = (a_first, b_first) else { return Ok(Vec::new()) };
    let (lower, len, inner) = if a.len() == b.len() {
        if a_inner != b_inner {
            let detail = "Arrays with differing element dimensions are not compatible for concatenation.";
            return Err(incompatible(detail.to_string()));
        }
        (a_first.lower, a_first.len.checked_add(b_first.len), a_inner)
    } else if a.len() + 1 == b.len() {
        if a != b_inner {
            return Err(incompatible(differing.to_string()));
        }
        (b_first.lower, b_first.len.checked_add(1), b_inner)
    } else if a.len() == b.len() + 1 {
        if a_inner != b {
            return Err(incompatible(differing.to_string()));
        }
        (a_first.lower, a_first.len.checked_add(1), a_inner)
    } else {
        return Err(incompatible(format!(
            "Arrays of {} and {} dimensions are not compatible for concatenation.",
            a.len(),
            b.len()
        )));
    };
    let first = Dimension { lower, len: len.unwrap_or(-1) };
    Ok(std::iter::once(first).chain(inner.iter().copied()).collect())
}
