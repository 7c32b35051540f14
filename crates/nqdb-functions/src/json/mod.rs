//! Functions and operators of json and jsonb (manual 9.16).
//!
//! | file | what it does |
//! |---|---|
//! | `encode` | SQL values as JSON: to_json, row_to_json, json_build_object and the like |
//! | `path` | parts of a value: `->`, `->>`, `#>`, `#>>` |
//! | `rows` | a value's parts as rows |
//! | `inspect` | what a value is and what it contains |
//! | `change` | other values made out of a jsonb |
//! | `path_query` | jsonpath: `@?`, `@@`, jsonb_path_query and its kin |
//! | `path_run`, `path_datetime`, `path_ids` | a path, run |
//! | `convert` | jsonb as numbers and truth values, comparisons |
//! | `populate` | objects as records: json_populate_record, json_to_record and their like |
//! | `assign` | assignments to subscripts of a jsonb |
//!
//! A `json` is its text, of which functions give pieces as they stand; a `jsonb` is a value.

mod assign;
mod change;
mod convert;
mod encode;
mod inspect;
mod path;
mod path_datetime;
mod path_ids;
mod path_query;
mod path_run;
mod populate;
mod rows;

use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, SqlError};
use nqdb_types::json::{JsonNode, JsonText, JsonValue};
use nqdb_types::{Datum, Json};

use crate::Function;
pub use assign::assign_json;
pub use encode::row_as_json;
pub(crate) use encode::{json_of, json_text_of};

pub(crate) static TABLES: &[&[&[Function]]] = &[
    change::FUNCTIONS,
    convert::FUNCTIONS,
    encode::FUNCTIONS,
    inspect::FUNCTIONS,
    path::FUNCTIONS,
    path_query::FUNCTIONS,
    populate::FUNCTIONS,
    rows::FUNCTIONS,
];

/// 22023, as most misuses of these functions are.
fn invalid(message: impl Into<String>) -> SqlError {
    SqlError::new(INVALID_PARAMETER_VALUE, message)
}

/// A jsonb value as text: strings without their quotes, NULL for null.
fn text_of_json(json: &Json) -> Datum {
    match json {
        Json::Null => Datum::Null,
        Json::String(text) => Datum::Text(text.clone()),
        other => Datum::text(other.to_text()),
    }
}

/// A value within a json as text: strings without their quotes, NULL for null.
fn text_of_node(text: &JsonText<'_>, node: &JsonNode<'_>) -> Datum {
    match &node.value {
        JsonValue::Null => Datum::Null,
        JsonValue::String(value) => Datum::text(&**value),
        _ => Datum::text(text.source(node)),
    }
}
