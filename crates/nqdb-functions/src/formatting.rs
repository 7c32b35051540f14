//! `to_char`, `to_date`, `to_timestamp`, `to_number` (manual section 9.8).

mod date_fields;
mod date_input;
mod date_output;
mod date_template;
mod number;
mod number_scientific;

pub(crate) use date_input::{Reading, date_of, local_of, read, utc_of};

use crate::Function;

/// The tables of the modules below.
pub(crate) static TABLES: &[&[&[Function]]] = &[date_input::FUNCTIONS, date_output::FUNCTIONS, number::FUNCTIONS];
