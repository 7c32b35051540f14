//! Assignments to parts of a jsonb: `j['a'][1] = value` (manual 8.14.5).
//!
//! What a path leads through is made where it is missing: objects for texts, arrays for integers. An array grows up to the
//! subscript, with nulls in the gap.

use std::sync::Arc;

use nqdb_sqlstate::{INVALID_TEXT_REPRESENTATION, PROGRAM_LIMIT_EXCEEDED, SqlError, SqlResult};
use nqdb_types::Json;
use nqdb_types::json::Object;

use super::invalid;

/// The most nulls that one step may put into an array: `j[1000000000] = 1` would make gigabytes of them.
const GAP_MAX: usize = 10_000_000;

/// The value with another one at the end of the path; `starts_as_array` says what comes into being where there is none.
///
/// Errors: 22023 for a path through a scalar and for a negative subscript beyond the start, 22P02 for a subscript of an
/// array that is no integer, 54000 for an array that would grow too much.
pub fn assign_json(json: Option<&Json>, path: &[Arc<str>], starts_as_array: bool, value: Json) -> SqlResult<Json> {
    let empty = if starts_as_array { Json::Array(Vec::new()) } else { Json::Object(Object::default()) };
    let result = assign_at(json.unwrap_or(&empty), path, 0, value)?;
    result.check_nesting()?;
    Ok(result)
}

fn assign_at(json: &Json, path: &[Arc<str>], depth: usize, value: Json) -> SqlResult<Json> {
    let Some(step) = path.get(depth) else { return Ok(value) };
    match json {
        Json::Object(object) => {
            let mut object = object.clone();
            let inner = match object.get(step) {
                Some(inner) => assign_at(inner, path, depth + 1, value)?,
                None => nested(path.get(depth + 1..).unwrap_or_default(), value)?,
            };
            object.set(step, Some(inner));
            Ok(Json::Object(object))
        }
        Json::Array(items) => {
            let at = place_of(step, depth, items.len())?;
            let mut items = items.clone();
            match items.get_mut(at) {
                Some(item) => *item = assign_at(item, path, depth + 1, value)?,
                None => {
                    fill(&mut items, at)?;
                    items.push(nested(path.get(depth + 1..).unwrap_or_default(), value)?);
                }
            }
            Ok(Json::Array(items))
        }
        _ => Err(invalid("cannot replace existing key")
            .with_detail("The path assumes key is a composite object, but it is a scalar value.")),
    }
}

/// Where a subscript leads in an array of that many items; from its end where it is negative.
fn place_of(step: &str, depth: usize, len: usize) -> SqlResult<usize> {
    let subscript: i32 = step.trim_start().parse().map_err(|_| {
        let message = format!("path element at position {} is not an integer: \"{step}\"", depth + 1);
        SqlError::new(INVALID_TEXT_REPRESENTATION, message)
    })?;
    let from_start = if subscript < 0 { i64::from(subscript) + len as i64 } else { i64::from(subscript) };
    usize::try_from(from_start)
        .map_err(|_| invalid(format!("path element at position {} is out of range: {subscript}", depth + 1)))
}

/// Nulls up to a place.
fn fill(items: &mut Vec<Json>, at: usize) -> SqlResult<()> {
    if at - items.len().min(at) > GAP_MAX {
        let message = format!("an assignment cannot make an array more than {GAP_MAX} elements longer");
        return Err(SqlError::new(PROGRAM_LIMIT_EXCEEDED, message));
    }
    if at > items.len() {
        items.resize(at, Json::Null);
    }
    Ok(())
}

/// A value at the end of a path of which nothing is there.
fn nested(path: &[Arc<str>], value: Json) -> SqlResult<Json> {
    let mut result = value;
    for step in path.iter().rev() {
        result = match step.trim_start().parse::<i32>() {
            Ok(subscript) => {
                let mut items = Vec::new();
                fill(&mut items, usize::try_from(subscript).unwrap_or(0))?;
                items.push(result);
                Json::Array(items)
            }
            Err(_) => Json::Object(Object::from_members(vec![(Arc::clone(step), result)])),
        };
    }
    Ok(result)
}
