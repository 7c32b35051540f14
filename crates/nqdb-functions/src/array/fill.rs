//! Arrays of given dimensions (array_fill) and arrays made shorter (trim_array, array_remove, array_replace).

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{NULL_VALUE_NOT_ALLOWED, PROGRAM_LIMIT_EXCEEDED, SqlError, SqlResult};
use nqdb_types::array::{DIMENSION_COUNT_MAX, array_type, check_dimensions, too_many_dimensions};
use nqdb_types::{Array, Datum, Dimension, Oid, Type, oid};

use super::{require_equality, require_one_dimension, subscript_error};
use crate::{Function, FunctionContext};

pub(super) static FUNCTIONS: &[&[Function]] = &[&FILL, &FILL_BOUNDS, &TRIM, &REMOVE, &REPLACE];

/// The most elements that array_fill makes; each takes 24 bytes and more.
const FILL_COUNT_MAX: usize = 10_000_000;

#[sql_function("array_fill(anyelement, int4_array) -> anyarray", oid = 1193, called_on_null)]
fn fill(context: &mut FunctionContext<'_>, element: &Datum, lens: Option<&Array>) -> SqlResult<Datum> {
    let lower_bounds = lens.map(|lens| Array::from_elements(oid::INT4, vec![Datum::Int4(1); lens.elements().len()]));
    filled(context, element, lens, lower_bounds.transpose()?.as_ref())
}

#[sql_function("array_fill(anyelement, int4_array, int4_array) -> anyarray", oid = 1286, called_on_null)]
fn fill_bounds(
    context: &mut FunctionContext<'_>,
    element: &Datum,
    lens: Option<&Array>,
    lower_bounds: Option<&Array>,
) -> SqlResult<Datum> {
    filled(context, element, lens, lower_bounds)
}

fn filled(
    context: &FunctionContext<'_>,
    element: &Datum,
    lens: Option<&Array>,
    lower_bounds: Option<&Array>,
) -> SqlResult<Datum> {
    let element_type = fill_type(context)?;
    let null = || SqlError::new(NULL_VALUE_NOT_ALLOWED, "dimension array or low bound array cannot be null");
    let (lens, lower_bounds) = (lens.ok_or_else(null)?, lower_bounds.ok_or_else(null)?);
    let (lens, lowers) = (integers(lens)?, integers(lower_bounds)?);
    if lens.len() > DIMENSION_COUNT_MAX {
        return Err(too_many_dimensions(lens.len()));
    }
    if lowers.len() != lens.len() {
        return Err(subscript_error("wrong number of array subscripts")
            .with_detail("Low bound array has different size than dimensions array."));
    }
    let dimensions: Vec<Dimension> =
        lens.iter().zip(lowers).map(|(len, lower)| Dimension { len: *len, lower }).collect();
    let count = check_dimensions(&dimensions)?;
    if count > FILL_COUNT_MAX {
        let message = format!("array_fill makes at most {FILL_COUNT_MAX} elements");
        return Err(SqlError::new(PROGRAM_LIMIT_EXCEEDED, message));
    }
    context.admit_bytes(count.saturating_mul(size_of::<Datum>()))?;
    Array::new(element_type, dimensions, vec![element.clone(); count]).map(Datum::array)
}

fn fill_type(context: &FunctionContext<'_>) -> SqlResult<Oid> {
    let ty = context.argument_type(0).unwrap_or(Type::UNKNOWN).oid;
    array_type(ty).map(|_| ty).ok_or_else(|| SqlError::internal("array_fill was called without a type"))
}

fn integers(array: &Array) -> SqlResult<Vec<i32>> {
    if array.dimensions().len() > 1 {
        return Err(
            subscript_error("wrong number of array subscripts").with_detail("Dimension array must be one dimensional.")
        );
    }
    let integer = |element: &Datum| match element {
        Datum::Int4(value) => Ok(*value),
        _ => Err(SqlError::new(NULL_VALUE_NOT_ALLOWED, "dimension values cannot be null")),
    };
    array.elements().iter().map(integer).collect()
}

/// Without the last so many of the first dimension; the result starts at 1.
#[sql_function("trim_array(anyarray, int4) -> anyarray", oid = 6172)]
fn trim(array: &Array, count: i32) -> SqlResult<Datum> {
    let len = array.dimensions().first().map_or(0, |dimension| dimension.len);
    if count < 0 || count > len {
        return Err(subscript_error(format!("number of elements to trim must be between 0 and {len}")));
    }
    let inner = array.dimensions().get(1..).unwrap_or_default();
    let row_len: usize = inner.iter().map(|dimension| dimension.len as usize).product();
    let kept = array.elements().get(..(len - count) as usize * row_len).unwrap_or_default();
    let lens = std::iter::once(len - count).chain(inner.iter().map(|dimension| dimension.len));
    let dimensions = lens.map(|len| Dimension { lower: 1, len }).collect();
    if kept.is_empty() {
        return Ok(Datum::array(Array::empty(array.element_type())));
    }
    Array::new(array.element_type(), dimensions, kept.to_vec()).map(Datum::array)
}

/// Whether an element is the one that is looked for; NULL is found as NULL.
fn is_searched(element: &Datum, searched: &Datum, element_type: Oid) -> bool {
    match (element.is_null(), searched.is_null()) {
        (false, false) => element.compare_as(searched, element_type).is_eq(),
        (a, b) => a && b,
    }
}

#[sql_function("array_remove(anycompatiblearray, anycompatible) -> anycompatiblearray", oid = 3167, called_on_null)]
fn remove(array: Option<&Array>, searched: &Datum) -> SqlResult<Datum> {
    let Some(array) = array else { return Ok(Datum::Null) };
    require_one_dimension(array, "removing elements from")?;
    let element_type = array.element_type();
    require_equality(element_type)?;
    let kept: Vec<Datum> =
        array.elements().iter().filter(|element| !is_searched(element, searched, element_type)).cloned().collect();
    let len = kept.len() as i32;
    let dimensions = array.dimensions().iter().map(|dimension| Dimension { lower: dimension.lower, len }).collect();
    Array::new(element_type, dimensions, kept).map(Datum::array)
}

#[sql_function(
    "array_replace(anycompatiblearray, anycompatible, anycompatible) -> anycompatiblearray",
    oid = 3168,
    called_on_null
)]
fn replace(array: Option<&Array>, searched: &Datum, replacement: &Datum) -> SqlResult<Datum> {
    let Some(array) = array else { return Ok(Datum::Null) };
    let element_type = array.element_type();
    require_equality(element_type)?;
    let replaced = array.elements().iter().map(|element| match is_searched(element, searched, element_type) {
        true => replacement.clone(),
        false => element.clone(),
    });
    Array::new(element_type, array.dimensions().to_vec(), replaced.collect()).map(Datum::array)
}
