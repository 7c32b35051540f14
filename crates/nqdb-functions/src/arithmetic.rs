//! Arithmetic on numbers: operators and mathematical functions. Overflow is 22003, division by zero 22012.

pub(crate) mod float;
mod float_degrees;
mod float_functions;
mod float_hyperbolic;
mod integer;
mod integer_functions;
mod log_position;
mod numeric;

use nqdb_sqlstate::{DIVISION_BY_ZERO, NUMERIC_VALUE_OUT_OF_RANGE, SqlError};

use crate::Function;

/// The tables of the modules below.
pub(crate) static TABLES: &[&[&[Function]]] = &[
    integer::FUNCTIONS,
    integer_functions::FUNCTIONS,
    float::FUNCTIONS,
    float_degrees::FUNCTIONS,
    float_functions::FUNCTIONS,
    float_hyperbolic::FUNCTIONS,
    numeric::FUNCTIONS,
    log_position::FUNCTIONS,
];

/// "{type} out of range" (22003).
#[cold]
pub(crate) fn out_of_range(type_name: &str) -> SqlError {
    SqlError::new(NUMERIC_VALUE_OUT_OF_RANGE, format!("{type_name} out of range"))
}

/// "division by zero" (22012).
#[cold]
pub(crate) fn division_by_zero() -> SqlError {
    SqlError::new(DIVISION_BY_ZERO, "division by zero")
}
