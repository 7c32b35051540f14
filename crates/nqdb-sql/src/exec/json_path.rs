//! Assignments to subscripts of a jsonb.

use std::sync::Arc;

use nqdb_functions::assign_json;
use nqdb_sqlstate::{NULL_VALUE_NOT_ALLOWED, SqlError, SqlResult};
use nqdb_types::{Datum, Json};

use super::evaluation::Evaluation;
use super::expression::Eval;

/// The jsonb with a value at the end of a path; a NULL value is a null, and a NULL jsonb an empty one.
pub(super) fn assign(
    json: &Eval,
    path: &[Eval],
    starts_as_array: bool,
    value: &Eval,
    rt: &mut impl Evaluation,
) -> SqlResult<Datum> {
    let json = json.eval(rt)?;
    let mut steps: Vec<Arc<str>> = Vec::with_capacity(path.len());
    for step in path {
        steps.push(match step.eval(rt)? {
            Datum::Text(text) => text,
            Datum::Int4(number) => number.to_string().into(),
            Datum::Null => {
                let message = "jsonb subscript in assignment must not be null";
                return Err(SqlError::new(NULL_VALUE_NOT_ALLOWED, message));
            }
            other => return Err(SqlError::internal(format!("a subscript is {other:?}"))),
        });
    }
    let value = match value.eval(rt)? {
        Datum::Null => Json::Null,
        Datum::Jsonb(value) => Json::clone(&value),
        other => return Err(SqlError::internal(format!("an assignment of {other:?} within a jsonb"))),
    };
    assign_json(json.as_jsonb().map(|json| &**json), &steps, starts_as_array, value).map(Datum::jsonb)
}
