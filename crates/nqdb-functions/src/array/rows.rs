//! Arrays as rows: unnest, generate_subscripts, and information_schema's way to number elements.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Array, Datum};
use std::sync::Arc;

use crate::{Function, FunctionContext, Records, Rows};

pub(super) static FUNCTIONS: &[&[Function]] = &[&UNNEST, &SUBSCRIPTS, &SUBSCRIPTS_REVERSED, &EXPANDED];

/// The elements in the order in which they stand, whatever the dimensions.
#[sql_function("unnest(anyarray) -> setof anyelement", oid = 2331)]
fn unnest(_context: &mut FunctionContext<'_>, array: &Arc<Array>) -> SqlResult<Rows> {
    let array = Arc::clone(array);
    let mut next = 0;
    Ok(Box::new(std::iter::from_fn(move || {
        let element: Option<Datum> = array.elements().get(next).cloned();
        next += 1;
        element.map(Ok)
    })))
}

#[sql_function("generate_subscripts(anyarray, int4) -> setof int4", oid = 1192)]
fn subscripts(array: &Array, dimension: i32) -> SqlResult<Rows> {
    subscripts_reversed(array, dimension, false)
}

#[sql_function("generate_subscripts(anyarray, int4, bool) -> setof int4", oid = 1191)]
fn subscripts_reversed(array: &Array, dimension: i32, reversed: bool) -> SqlResult<Rows> {
    let index = usize::try_from(dimension).ok().and_then(|number| number.checked_sub(1));
    let Some(dimension) = index.and_then(|index| array.dimensions().get(index)) else {
        return Ok(Box::new(std::iter::empty()));
    };
    let range = dimension.lower..=dimension.upper();
    let datum = |subscript: i32| Ok(Datum::Int4(subscript));
    Ok(if reversed { Box::new(range.rev().map(datum)) } else { Box::new(range.map(datum)) })
}

/// The elements of a one-dimensional array with their places, counted from 1 whatever its lower bound.
#[sql_function(
    "information_schema._pg_expandarray(anyarray, out x anyelement, out n int4) -> setof record",
    oid = 13208
)]
fn expanded(_context: &mut FunctionContext<'_>, arguments: &[Datum]) -> SqlResult<Records> {
    let array = arguments.first().and_then(Datum::as_array).cloned();
    let elements = array.map_or_else(Vec::new, |array| array.elements().to_vec());
    Ok(Box::new((1..).zip(elements).map(|(place, element)| Ok(vec![element, Datum::Int4(place)]))))
}
