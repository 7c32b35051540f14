//! What a value is and what it contains.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;
use nqdb_types::json::{JsonText, JsonValue, write_pretty};
use nqdb_types::{Array, Datum, Json};

use super::invalid;
use crate::Function;

pub(super) static FUNCTIONS: &[&[Function]] =
    &[&TYPE_NAME, &TYPE_NAME_B, &LENGTH, &LENGTH_B, &EXISTS, &EXISTS_ANY, &EXISTS_ALL, &CONTAINS, &CONTAINED, &PRETTY];

#[sql_function("json_typeof(json) -> text", oid = 3968)]
fn type_name(text: &str) -> SqlResult<&'static str> {
    Ok(JsonText::parse(text)?.root().type_name())
}

#[sql_function("jsonb_typeof(jsonb) -> text", oid = 3210)]
fn type_name_b(json: &Json) -> &'static str {
    json.type_name()
}

#[sql_function("json_array_length(json) -> int4", oid = 3956)]
fn length(text: &str) -> SqlResult<i32> {
    match &JsonText::parse(text)?.root().value {
        JsonValue::Array(items) => Ok(items.len() as i32),
        JsonValue::Object(_) => Err(invalid("cannot get array length of a non-array")),
        _ => Err(invalid("cannot get array length of a scalar")),
    }
}

#[sql_function("jsonb_array_length(jsonb) -> int4", oid = 3207)]
fn length_b(json: &Json) -> SqlResult<i32> {
    match json {
        Json::Array(items) => Ok(items.len() as i32),
        Json::Object(_) => Err(invalid("cannot get array length of a non-array")),
        _ => Err(invalid("cannot get array length of a scalar")),
    }
}

/// Whether a string is a key of an object, an item of an array, or the value itself.
fn has(json: &Json, key: &str) -> bool {
    let is_key = |json: &Json| matches!(json, Json::String(text) if &**text == key);
    match json {
        Json::Object(object) => object.get(key).is_some(),
        Json::Array(items) => items.iter().any(is_key),
        scalar => is_key(scalar),
    }
}

#[sql_function("jsonb_exists(jsonb, text) -> bool", oid = 4047)]
fn exists(json: &Json, key: &str) -> bool {
    has(json, key)
}

#[sql_function("jsonb_exists_any(jsonb, text_array) -> bool", oid = 4048)]
fn exists_any(json: &Json, keys: &Array) -> bool {
    keys.elements().iter().filter_map(Datum::as_text).any(|key| has(json, key))
}

#[sql_function("jsonb_exists_all(jsonb, text_array) -> bool", oid = 4049)]
fn exists_all(json: &Json, keys: &Array) -> bool {
    keys.elements().iter().filter_map(Datum::as_text).all(|key| has(json, key))
}

/// Whether `whole` contains `part` (manual 8.14.3): objects member by member, arrays item by item in any order and
/// number, scalars if they are equal. A whole array may also contain a whole scalar as an item.
fn contains_value(whole: &Json, part: &Json, outermost: bool) -> bool {
    match (whole, part) {
        (Json::Object(whole), Json::Object(part)) => part
            .members()
            .iter()
            .all(|(key, part)| whole.get(key).is_some_and(|whole| contains_value(whole, part, false))),
        (Json::Array(whole), Json::Array(part)) => {
            part.iter().all(|part| whole.iter().any(|whole| contains_value(whole, part, false)))
        }
        (Json::Array(whole), part) if outermost && !part.is_container() => whole.iter().any(|item| item == part),
        (whole, part) => !whole.is_container() && !part.is_container() && whole == part,
    }
}

#[sql_function("jsonb_contains(jsonb, jsonb) -> bool", oid = 4046)]
fn contains(whole: &Json, part: &Json) -> bool {
    contains_value(whole, part, true)
}

#[sql_function("jsonb_contained(jsonb, jsonb) -> bool", oid = 4050)]
fn contained(part: &Json, whole: &Json) -> bool {
    contains_value(whole, part, true)
}

#[sql_function("jsonb_pretty(jsonb) -> text", oid = 3306)]
fn pretty(json: &Json) -> String {
    let mut out = Vec::new();
    write_pretty(&mut out, json);
    String::from_utf8_lossy(&out).into_owned()
}
