//! A value's parts as rows: json_each, json_array_elements, json_object_keys and their like.

use std::borrow::Cow;

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;
use nqdb_types::json::{JsonNode, JsonText, JsonValue};
use nqdb_types::{Datum, Json};

use super::{invalid, text_of_json, text_of_node};
use crate::{Function, Records, Rows};

pub(super) static FUNCTIONS: &[&[Function]] = &[
    &EACH,
    &EACH_TEXT,
    &ELEMENTS,
    &ELEMENTS_TEXT,
    &KEYS,
    &EACH_B,
    &EACH_TEXT_B,
    &ELEMENTS_B,
    &ELEMENTS_TEXT_B,
    &KEYS_B,
];

fn members<'n, 'a>(root: &'n JsonNode<'a>) -> SqlResult<&'n [(Cow<'a, str>, JsonNode<'a>)]> {
    match &root.value {
        JsonValue::Object(members) => Ok(members),
        JsonValue::Array(_) => Err(invalid("cannot deconstruct an array as an object")),
        _ => Err(invalid("cannot deconstruct a scalar")),
    }
}

fn each_row(text: &str, as_text: bool) -> SqlResult<Records> {
    let text = JsonText::parse(text)?;
    let row = |(key, node): &(Cow<'_, str>, JsonNode<'_>)| {
        let value = if as_text { text_of_node(&text, node) } else { Datum::text(text.source(node)) };
        Ok(vec![Datum::text(&**key), value])
    };
    let rows: Vec<SqlResult<Vec<Datum>>> = members(text.root())?.iter().map(row).collect();
    Ok(Box::new(rows.into_iter()))
}

#[sql_function("json_each(from_json json, out key text, out value json) -> setof record", oid = 3958)]
fn each(text: &str) -> SqlResult<Records> {
    each_row(text, false)
}

#[sql_function("json_each_text(from_json json, out key text, out value text) -> setof record", oid = 3959)]
fn each_text(text: &str) -> SqlResult<Records> {
    each_row(text, true)
}

fn element_rows(text: &str, name: &str, as_text: bool) -> SqlResult<Rows> {
    let text = JsonText::parse(text)?;
    let items = match &text.root().value {
        JsonValue::Array(items) => items,
        JsonValue::Object(_) => return Err(invalid(format!("cannot call {name} on a non-array"))),
        _ => return Err(invalid(format!("cannot call {name} on a scalar"))),
    };
    let row = |node| Ok(if as_text { text_of_node(&text, node) } else { Datum::text(text.source(node)) });
    let rows: Vec<SqlResult<Datum>> = items.iter().map(row).collect();
    Ok(Box::new(rows.into_iter()))
}

#[sql_function("json_array_elements(from_json json, out value json) -> setof json", oid = 3955)]
fn elements(text: &str) -> SqlResult<Rows> {
    element_rows(text, "json_array_elements", false)
}

#[sql_function("json_array_elements_text(from_json json, out value text) -> setof text", oid = 3969)]
fn elements_text(text: &str) -> SqlResult<Rows> {
    element_rows(text, "json_array_elements_text", true)
}

#[sql_function("json_object_keys(json) -> setof text", oid = 3957)]
fn keys(text: &str) -> SqlResult<Rows> {
    let text = JsonText::parse(text)?;
    let members = match &text.root().value {
        JsonValue::Object(members) => members,
        JsonValue::Array(_) => return Err(invalid("cannot call json_object_keys on an array")),
        _ => return Err(invalid("cannot call json_object_keys on a scalar")),
    };
    let keys: Vec<SqlResult<Datum>> = members.iter().map(|(key, _)| Ok(Datum::text(&**key))).collect();
    Ok(Box::new(keys.into_iter()))
}

fn each_row_b(json: &Json, name: &str, value: fn(&Json) -> Datum) -> SqlResult<Records> {
    let Json::Object(object) = json else { return Err(invalid(format!("cannot call {name} on a non-object"))) };
    let row = |(key, json): &(std::sync::Arc<str>, Json)| Ok(vec![Datum::Text(key.clone()), value(json)]);
    let rows: Vec<SqlResult<Vec<Datum>>> = object.members().iter().map(row).collect();
    Ok(Box::new(rows.into_iter()))
}

fn as_jsonb(json: &Json) -> Datum {
    Datum::jsonb(json.clone())
}

#[sql_function("jsonb_each(from_json jsonb, out key text, out value jsonb) -> setof record", oid = 3208)]
fn each_b(json: &Json) -> SqlResult<Records> {
    each_row_b(json, "jsonb_each", as_jsonb)
}

#[sql_function("jsonb_each_text(from_json jsonb, out key text, out value text) -> setof record", oid = 3932)]
fn each_text_b(json: &Json) -> SqlResult<Records> {
    each_row_b(json, "jsonb_each_text", text_of_json)
}

fn element_rows_b(json: &Json, value: fn(&Json) -> Datum) -> SqlResult<Rows> {
    let items = match json {
        Json::Array(items) => items,
        Json::Object(_) => return Err(invalid("cannot extract elements from an object")),
        _ => return Err(invalid("cannot extract elements from a scalar")),
    };
    let rows: Vec<SqlResult<Datum>> = items.iter().map(|item| Ok(value(item))).collect();
    Ok(Box::new(rows.into_iter()))
}

#[sql_function("jsonb_array_elements(from_json jsonb, out value jsonb) -> setof jsonb", oid = 3219)]
fn elements_b(json: &Json) -> SqlResult<Rows> {
    element_rows_b(json, as_jsonb)
}

#[sql_function("jsonb_array_elements_text(from_json jsonb, out value text) -> setof text", oid = 3465)]
fn elements_text_b(json: &Json) -> SqlResult<Rows> {
    element_rows_b(json, text_of_json)
}

#[sql_function("jsonb_object_keys(jsonb) -> setof text", oid = 3931)]
fn keys_b(json: &Json) -> SqlResult<Rows> {
    let object = match json {
        Json::Object(object) => object,
        Json::Array(_) => return Err(invalid("cannot call jsonb_object_keys on an array")),
        _ => return Err(invalid("cannot call jsonb_object_keys on a scalar")),
    };
    let keys: Vec<SqlResult<Datum>> = object.members().iter().map(|(key, _)| Ok(Datum::Text(key.clone()))).collect();
    Ok(Box::new(keys.into_iter()))
}
