//! Functions and operators of arrays (manual 9.19).
//!
//! Elements are compared by the btree order of their type, NULL as unknown where SQL's `=` is meant and as equal to
//! itself where arrays are compared as wholes.

mod compare;
mod concatenate;
mod dimensions;
mod fill;
mod rows;
mod search;
mod text;

use nqdb_sqlstate::{ARRAY_SUBSCRIPT_ERROR, FEATURE_NOT_SUPPORTED, SqlError, SqlResult, UNDEFINED_FUNCTION};
use nqdb_types::{Array, Oid, Type, oid};

use crate::{Function, FunctionContext};

pub(crate) static TABLES: &[&[&[Function]]] = &[
    compare::FUNCTIONS,
    concatenate::FUNCTIONS,
    dimensions::FUNCTIONS,
    fill::FUNCTIONS,
    rows::FUNCTIONS,
    search::FUNCTIONS,
    text::FUNCTIONS,
];

/// 2202E, as all wrong subscripts and dimensions are.
fn subscript_error(message: impl Into<String>) -> SqlError {
    SqlError::new(ARRAY_SUBSCRIPT_ERROR, message)
}

/// The element type of a call's argument that is an array, where the array itself may be NULL.
fn element_type_of(context: &FunctionContext<'_>, argument: usize) -> SqlResult<Oid> {
    context
        .argument_type(argument)
        .and_then(|ty| nqdb_types::array::element_type(ty.oid))
        .ok_or_else(|| SqlError::internal("an array function was called without the types of its arguments"))
}

/// 42883 for elements that have no `=`.
fn require_equality(element_type: Oid) -> SqlResult<()> {
    if !matches!(element_type, oid::JSON | oid::XML | oid::POINT) {
        return Ok(());
    }
    let message = format!("could not identify an equality operator for type {}", Type::new(element_type).name());
    Err(SqlError::new(UNDEFINED_FUNCTION, message))
}

/// 0A000 for what only works on arrays of one dimension at most.
fn require_one_dimension(array: &Array, what: &str) -> SqlResult<()> {
    if array.dimensions().len() <= 1 {
        return Ok(());
    }
    Err(SqlError::new(FEATURE_NOT_SUPPORTED, format!("{what} multidimensional arrays is not supported")))
}
