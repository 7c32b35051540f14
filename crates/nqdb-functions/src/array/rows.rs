//! Arrays as rows: unnest and generate_subscripts.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Array, Datum};
use std::sync::Arc;

use crate::{Function, FunctionContext, Rows};

pub(super) static FUNCTIONS: &[&[Function]] = &[&UNNEST, &SUBSCRIPTS, &SUBSCRIPTS_REVERSED];

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
