//! Parts of a value: `->`, `->>`, `#>`, `#>>` and their functions. What is not there is NULL.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;
use nqdb_types::json::{JsonNode, JsonText, JsonValue};
use nqdb_types::{Array, Datum, Json};

use super::{text_of_json, text_of_node};
use crate::Function;

pub(super) static FUNCTIONS: &[&[Function]] = &[
    &FIELD,
    &FIELD_TEXT,
    &ELEMENT_JSON,
    &ELEMENT_TEXT,
    &PATH,
    &PATH_TEXT,
    &FIELD_B,
    &FIELD_TEXT_B,
    &ELEMENT_B,
    &ELEMENT_TEXT_B,
    &PATH_B,
    &PATH_TEXT_B,
];

/// The place of a subscript that may count from the end.
pub(super) fn place(subscript: i64, len: usize) -> Option<usize> {
    let from_end = || usize::try_from(subscript.unsigned_abs()).ok().and_then(|back| len.checked_sub(back));
    if subscript < 0 { from_end() } else { usize::try_from(subscript).ok().filter(|at| *at < len) }
}

/// A step of a path as an array's subscript.
pub(super) fn subscript(step: &str) -> Option<i64> {
    let trimmed = step.trim_start_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
    let digits = trimmed.strip_prefix('+').unwrap_or(trimmed);
    digits.parse::<i32>().ok().map(i64::from)
}

fn member<'n, 'a>(node: &'n JsonNode<'a>, key: &str) -> Option<&'n JsonNode<'a>> {
    match &node.value {
        JsonValue::Object(members) => members.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value),
        _ => None,
    }
}

fn element<'n, 'a>(node: &'n JsonNode<'a>, subscript: i64) -> Option<&'n JsonNode<'a>> {
    match &node.value {
        JsonValue::Array(items) => items.get(place(subscript, items.len())?),
        _ => None,
    }
}

/// Applies `step` to the root of a json and spells what it finds.
fn piece<'t>(
    text: &'t str,
    as_text: bool,
    step: impl for<'n> FnOnce(&'n JsonNode<'t>) -> Option<&'n JsonNode<'t>>,
) -> SqlResult<Datum> {
    let text = JsonText::parse(text)?;
    Ok(match step(text.root()) {
        None => Datum::Null,
        Some(node) if as_text => text_of_node(&text, node),
        Some(node) => Datum::text(text.source(node)),
    })
}

/// The steps of a path; `None` when one of them is NULL.
fn steps(path: &Array) -> Option<Vec<&str>> {
    path.elements().iter().map(Datum::as_text).collect()
}

fn piece_at(text: &str, path: &Array, as_text: bool) -> SqlResult<Datum> {
    let Some(steps) = steps(path) else { return Ok(Datum::Null) };
    piece(text, as_text, |root| {
        steps.iter().try_fold(root, |node, step| match node.value {
            JsonValue::Object(_) => member(node, step),
            JsonValue::Array(_) => element(node, subscript(step)?),
            _ => None,
        })
    })
}

#[sql_function("json_object_field(from_json json, field_name text) -> json", oid = 3947)]
fn field(text: &str, key: &str) -> SqlResult<Datum> {
    piece(text, false, |root| member(root, key))
}

#[sql_function("json_object_field_text(from_json json, field_name text) -> text", oid = 3948)]
fn field_text(text: &str, key: &str) -> SqlResult<Datum> {
    piece(text, true, |root| member(root, key))
}

#[sql_function("json_array_element(from_json json, element_index int4) -> json", oid = 3949)]
fn element_json(text: &str, subscript: i32) -> SqlResult<Datum> {
    piece(text, false, |root| element(root, i64::from(subscript)))
}

#[sql_function("json_array_element_text(from_json json, element_index int4) -> text", oid = 3950)]
fn element_text(text: &str, subscript: i32) -> SqlResult<Datum> {
    piece(text, true, |root| element(root, i64::from(subscript)))
}

#[sql_function("json_extract_path(from_json json, variadic path_elems text_array) -> json", oid = 3951)]
fn path(text: &str, path: &Array) -> SqlResult<Datum> {
    piece_at(text, path, false)
}

#[sql_function("json_extract_path_text(from_json json, variadic path_elems text_array) -> text", oid = 3953)]
fn path_text(text: &str, path: &Array) -> SqlResult<Datum> {
    piece_at(text, path, true)
}

fn member_b<'j>(json: &'j Json, key: &str) -> Option<&'j Json> {
    match json {
        Json::Object(object) => object.get(key),
        _ => None,
    }
}

fn element_of(json: &Json, subscript: i64) -> Option<&Json> {
    match json {
        Json::Array(items) => items.get(place(subscript, items.len())?),
        _ => None,
    }
}

/// As [`element_of`]; a whole value that is a scalar counts as an array of one item, as it does in PostgreSQL.
fn element_of_whole(json: &Json, subscript: i64) -> Option<&Json> {
    if json.is_container() { element_of(json, subscript) } else { place(subscript, 1).map(|_| json) }
}

/// The value at a path; the whole value for an empty one.
pub(super) fn at_path<'j>(json: &'j Json, path: &Array) -> Option<&'j Json> {
    steps(path)?.iter().try_fold(json, |json, step| match json {
        Json::Object(_) => member_b(json, step),
        Json::Array(_) => element_of(json, subscript(step)?),
        _ => None,
    })
}

#[sql_function("jsonb_object_field(from_json jsonb, field_name text) -> jsonb", oid = 3478)]
fn field_b(json: &Json, key: &str) -> Option<Json> {
    member_b(json, key).cloned()
}

#[sql_function("jsonb_object_field_text(from_json jsonb, field_name text) -> text", oid = 3214)]
fn field_text_b(json: &Json, key: &str) -> Datum {
    member_b(json, key).map_or(Datum::Null, text_of_json)
}

#[sql_function("jsonb_array_element(from_json jsonb, element_index int4) -> jsonb", oid = 3215)]
fn element_b(json: &Json, subscript: i32) -> Option<Json> {
    element_of_whole(json, i64::from(subscript)).cloned()
}

#[sql_function("jsonb_array_element_text(from_json jsonb, element_index int4) -> text", oid = 3216)]
fn element_text_b(json: &Json, subscript: i32) -> Datum {
    element_of_whole(json, i64::from(subscript)).map_or(Datum::Null, text_of_json)
}

#[sql_function("jsonb_extract_path(from_json jsonb, variadic path_elems text_array) -> jsonb", oid = 3217)]
fn path_b(json: &Json, path: &Array) -> Option<Json> {
    at_path(json, path).cloned()
}

#[sql_function("jsonb_extract_path_text(from_json jsonb, variadic path_elems text_array) -> text", oid = 3940)]
fn path_text_b(json: &Json, path: &Array) -> Datum {
    at_path(json, path).map_or(Datum::Null, text_of_json)
}
