//! Cast functions between bool, numbers and the string types; those of dates are with the dates.

mod number;
mod string;

use crate::Function;

/// The tables of the modules below.
pub(crate) static TABLES: &[&[&[Function]]] = &[number::FUNCTIONS, string::FUNCTIONS];
