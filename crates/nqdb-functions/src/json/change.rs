//! Other values made out of a jsonb: `||`, `-`, `#-`, jsonb_set, jsonb_insert, strip_nulls.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{INVALID_TEXT_REPRESENTATION, NULL_VALUE_NOT_ALLOWED, SqlError, SqlResult};
use nqdb_types::json::{JsonNode, JsonText, JsonValue, Object, write_json_string};
use nqdb_types::{Array, Datum, Json};

use super::invalid;
use super::path::{place, subscript};
use crate::Function;

pub(super) static FUNCTIONS: &[&[Function]] = &[
    &CONCAT,
    &DELETE_KEY,
    &DELETE_ELEMENT,
    &DELETE_KEYS,
    &DELETE_PATH,
    &SET,
    &SET_LAX,
    &INSERT,
    &STRIP_NULLS,
    &STRIP_NULLS_B,
];

#[sql_function("jsonb_concat(jsonb, jsonb) -> jsonb", oid = 3301)]
fn concat(left: &Json, right: &Json) -> Json {
    if let (Json::Object(left), Json::Object(right)) = (left, right) {
        let members = left.members().iter().chain(right.members()).cloned().collect();
        return Json::Object(Object::from_members(members));
    }
    let items = |json: &Json| match json {
        Json::Array(items) => items.clone(),
        other => vec![other.clone()],
    };
    Json::Array(items(left).into_iter().chain(items(right)).collect())
}

#[sql_function("jsonb_delete(jsonb, text) -> jsonb", oid = 3302)]
fn delete_key(json: &Json, key: &str) -> SqlResult<Json> {
    without(json, &[key])
}

#[sql_function("jsonb_delete(from_json jsonb, variadic path_elems text_array) -> jsonb", oid = 3343)]
fn delete_keys(json: &Json, keys: &Array) -> SqlResult<Json> {
    let keys: Vec<&str> = keys.elements().iter().filter_map(Datum::as_text).collect();
    without(json, &keys)
}

/// An object without some members, an array without the strings that are equal to them.
fn without(json: &Json, keys: &[&str]) -> SqlResult<Json> {
    match json {
        Json::Object(object) => {
            let kept = object.members().iter().filter(|(key, _)| !keys.contains(&&**key)).cloned().collect();
            Ok(Json::Object(Object::from_members(kept)))
        }
        Json::Array(items) => {
            let is_kept = |item: &&Json| !matches!(item, Json::String(text) if keys.contains(&&**text));
            Ok(Json::Array(items.iter().filter(is_kept).cloned().collect()))
        }
        _ => Err(invalid("cannot delete from scalar")),
    }
}

#[sql_function("jsonb_delete(jsonb, int4) -> jsonb", oid = 3303)]
fn delete_element(json: &Json, subscript: i32) -> SqlResult<Json> {
    match json {
        Json::Array(items) => {
            let mut items = items.clone();
            if let Some(at) = place(i64::from(subscript), items.len()) {
                items.remove(at);
            }
            Ok(Json::Array(items))
        }
        Json::Object(_) => Err(invalid("cannot delete from object using integer index")),
        _ => Err(invalid("cannot delete from scalar")),
    }
}

/// What is to happen at the end of a path.
enum Change<'a> {
    Delete,
    /// Replace what is there; `create` adds what is not.
    Set {
        value: &'a Json,
        create: bool,
    },
    /// Put a new item before or behind the one that is there; a new member only where there is none.
    Insert {
        value: &'a Json,
        after: bool,
    },
}

#[sql_function("jsonb_delete_path(jsonb, text_array) -> jsonb", oid = 3304)]
fn delete_path(json: &Json, path: &Array) -> SqlResult<Json> {
    let steps = steps(path)?;
    if !json.is_container() {
        return Err(invalid("cannot delete path in scalar"));
    }
    changed(json, &steps, &Change::Delete)
}

#[sql_function(
    "jsonb_set(jsonb_in jsonb, path text_array, replacement jsonb, create_if_missing bool = 'true') -> jsonb",
    oid = 3305
)]
fn set(json: &Json, path: &Array, value: &Json, create: bool) -> SqlResult<Json> {
    let steps = steps(path)?;
    if !json.is_container() {
        return Err(invalid("cannot set path in scalar"));
    }
    changed(json, &steps, &Change::Set { value, create })
}

#[sql_function(
    "jsonb_insert(jsonb_in jsonb, path text_array, replacement jsonb, insert_after bool = 'false') -> jsonb",
    oid = 3579
)]
fn insert(json: &Json, path: &Array, value: &Json, after: bool) -> SqlResult<Json> {
    let steps = steps(path)?;
    if !json.is_container() {
        return Err(invalid("cannot set path in scalar"));
    }
    changed(json, &steps, &Change::Insert { value, after })
}

#[sql_function(
    "jsonb_set_lax(jsonb_in jsonb, path text_array, replacement jsonb, create_if_missing bool = 'true', null_value_treatment text = 'use_json_null') -> jsonb",
    oid = 5054,
    called_on_null
)]
fn set_lax(
    json: Option<&Json>,
    path: Option<&Array>,
    value: Option<&Json>,
    create: Option<bool>,
    treatment: Option<&str>,
) -> SqlResult<Option<Json>> {
    let (Some(json), Some(path), Some(create)) = (json, path, create) else { return Ok(None) };
    let Some(treatment) = treatment else { return Err(wrong_treatment()) };
    if let Some(value) = value {
        return set(json, path, value, create).map(Some);
    }
    match treatment {
        "raise_exception" => Err(SqlError::new(NULL_VALUE_NOT_ALLOWED, "JSON value must not be null")
            .with_detail("Exception was raised because null_value_treatment is \"raise_exception\".")
            .with_hint(
                "To avoid, either change the null_value_treatment argument or ensure that an SQL NULL is not passed.",
            )),
        "use_json_null" => set(json, path, &Json::Null, create).map(Some),
        "delete_key" => delete_path(json, path).map(Some),
        "return_target" => Ok(Some(json.clone())),
        _ => Err(wrong_treatment()),
    }
}

fn wrong_treatment() -> SqlError {
    invalid("null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\"")
}

/// The steps of a path; NULLs are met when the path is followed.
fn steps(path: &Array) -> SqlResult<Vec<Option<&str>>> {
    if path.dimensions().len() > 1 {
        return Err(SqlError::new(nqdb_sqlstate::ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts"));
    }
    Ok(path.elements().iter().map(Datum::as_text).collect())
}

fn changed(json: &Json, steps: &[Option<&str>], change: &Change<'_>) -> SqlResult<Json> {
    let result = change_at(json, steps, 0, change)?;
    result.check_nesting()?;
    Ok(result)
}

fn change_at(json: &Json, steps: &[Option<&str>], depth: usize, change: &Change<'_>) -> SqlResult<Json> {
    let Some(step) = steps.get(depth).filter(|_| json.is_container()) else { return Ok(json.clone()) };
    let step = step.ok_or_else(|| {
        let message = format!("path element at position {} is null", depth + 1);
        SqlError::new(NULL_VALUE_NOT_ALLOWED, message)
    })?;
    let is_last = depth + 1 == steps.len();
    match json {
        Json::Object(object) => {
            change_member(object, step, is_last, change, |inner| change_at(inner, steps, depth + 1, change))
        }
        Json::Array(items) => {
            let Some(subscript) = subscript(step) else {
                let message = format!("path element at position {} is not an integer: \"{step}\"", depth + 1);
                return Err(SqlError::new(INVALID_TEXT_REPRESENTATION, message));
            };
            change_item(items, subscript, is_last, change, |inner| change_at(inner, steps, depth + 1, change))
        }
        scalar => Ok(scalar.clone()),
    }
}

fn change_member(
    object: &Object,
    key: &str,
    is_last: bool,
    change: &Change<'_>,
    within: impl FnOnce(&Json) -> SqlResult<Json>,
) -> SqlResult<Json> {
    let mut object = object.clone();
    let found = object.get(key).cloned();
    match (found, change) {
        (Some(inner), _) if !is_last => object.set(key, Some(within(&inner)?)),
        (None, _) if !is_last => {}
        (_, Change::Delete) => object.set(key, None),
        (Some(_), Change::Set { value, .. }) => object.set(key, Some(Json::clone(value))),
        (None, Change::Set { value, create: true } | Change::Insert { value, .. }) => {
            object.set(key, Some(Json::clone(value)));
        }
        (None, Change::Set { create: false, .. }) => {}
        (Some(_), Change::Insert { .. }) => {
            return Err(invalid("cannot replace existing key")
                .with_hint("Try using the function jsonb_set to replace key value."));
        }
    }
    Ok(Json::Object(object))
}

fn change_item(
    items: &[Json],
    subscript: i64,
    is_last: bool,
    change: &Change<'_>,
    within: impl FnOnce(&Json) -> SqlResult<Json>,
) -> SqlResult<Json> {
    let mut items = items.to_vec();
    match (place(subscript, items.len()), change) {
        (Some(at), _) if !is_last => items[at] = within(&items[at])?,
        (None, _) if !is_last => {}
        (Some(at), Change::Delete) => drop(items.remove(at)),
        (None, Change::Delete) => {}
        (Some(at), Change::Set { value, .. }) => items[at] = Json::clone(value),
        (Some(at), Change::Insert { value, after }) => items.insert(at + usize::from(*after), Json::clone(value)),
        (None, Change::Set { value, create: true } | Change::Insert { value, .. }) => {
            // Beyond an end the new item becomes the first or the last one.
            let at = if subscript < 0 { 0 } else { items.len() };
            items.insert(at, Json::clone(value));
        }
        (None, Change::Set { create: false, .. }) => {}
    }
    Ok(Json::Array(items))
}

#[sql_function("jsonb_strip_nulls(jsonb) -> jsonb", oid = 3262)]
fn strip_nulls_b(json: &Json) -> Json {
    match json {
        Json::Object(object) => {
            let kept = object.members().iter().filter(|(_, value)| !matches!(value, Json::Null));
            let kept = kept.map(|(key, value)| (key.clone(), strip_nulls_b(value))).collect();
            Json::Object(Object::from_members(kept))
        }
        Json::Array(items) => Json::Array(items.iter().map(strip_nulls_b).collect()),
        scalar => scalar.clone(),
    }
}

#[sql_function("json_strip_nulls(json) -> json", oid = 3261)]
fn strip_nulls(text: &str) -> SqlResult<String> {
    let text = JsonText::parse(text)?;
    let mut out = Vec::new();
    write_stripped(&mut out, &text, text.root());
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// Writes a value without blanks and without members that are null.
fn write_stripped(out: &mut Vec<u8>, text: &JsonText<'_>, node: &JsonNode<'_>) {
    match &node.value {
        JsonValue::Object(members) => {
            out.push(b'{');
            let kept = members.iter().filter(|(_, value)| !matches!(value.value, JsonValue::Null));
            for (at, (key, value)) in kept.enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_json_string(out, key);
                out.push(b':');
                write_stripped(out, text, value);
            }
            out.push(b'}');
        }
        JsonValue::Array(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_stripped(out, text, item);
            }
            out.push(b']');
        }
        JsonValue::String(value) => write_json_string(out, value),
        _ => out.extend_from_slice(text.source(node).as_bytes()),
    }
}
