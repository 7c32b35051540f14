//! json[b]_populate_record(set) and json[b]_to_record(set): objects as records, member by member (manual 9.16).
//!
//! What always holds:
//! 1. A field takes the member of its name: composite types objects, arrays JSON arrays, everything else the text of the
//!    value through its input function. A string may stand for any of them: it is read as that type's text.
//! 2. A field without a member keeps what the base record has, and is NULL without one.
//!
//! The rules of domains are asked by whoever calls: fields come out as values of base types.

use std::sync::Arc;

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{DATATYPE_MISMATCH, FEATURE_NOT_SUPPORTED, INVALID_TEXT_REPRESENTATION, SqlError, SqlResult};
use nqdb_types::array::{Dimension, element_type};
use nqdb_types::json::{JsonNode, JsonText, JsonValue};
use nqdb_types::{Array, Datum, Json, Oid, Record, RecordShape, Type, apply_typmod, is_composite, oid};

use super::invalid;
use crate::coerce::apply_cast;
use crate::{CastMethod, Function, FunctionContext, Records, Rows};

pub(super) static FUNCTIONS: &[&[Function]] = &[
    &POPULATE_RECORD,
    &POPULATE_RECORD_B,
    &POPULATE_SET,
    &POPULATE_SET_B,
    &TO_RECORD,
    &TO_RECORD_B,
    &TO_RECORD_SET,
    &TO_RECORD_SET_B,
];

/// A value within a json, or a jsonb.
#[derive(Clone, Copy)]
enum Source<'a> {
    Text(&'a JsonText<'a>, &'a JsonNode<'a>),
    Value(&'a Json),
}

impl<'a> Source<'a> {
    fn is_null(self) -> bool {
        match self {
            Source::Text(_, node) => matches!(node.value, JsonValue::Null),
            Source::Value(json) => matches!(json, Json::Null),
        }
    }

    /// The characters of a string.
    fn string(self) -> Option<&'a str> {
        match self {
            Source::Text(_, node) => match &node.value {
                JsonValue::String(text) => Some(text),
                _ => None,
            },
            Source::Value(Json::String(text)) => Some(text),
            Source::Value(_) => None,
        }
    }

    fn is_object(self) -> bool {
        match self {
            Source::Text(_, node) => matches!(node.value, JsonValue::Object(_)),
            Source::Value(json) => matches!(json, Json::Object(_)),
        }
    }

    fn is_empty_object(self) -> bool {
        match self {
            Source::Text(_, node) => matches!(&node.value, JsonValue::Object(members) if members.is_empty()),
            Source::Value(json) => matches!(json, Json::Object(object) if object.members().is_empty()),
        }
    }

    /// The items of an array.
    fn items(self) -> Option<Vec<Source<'a>>> {
        match self {
            Source::Text(text, node) => match &node.value {
                JsonValue::Array(items) => Some(items.iter().map(|item| Source::Text(text, item)).collect()),
                _ => None,
            },
            Source::Value(Json::Array(items)) => Some(items.iter().map(Source::Value).collect()),
            Source::Value(_) => None,
        }
    }

    /// A member of an object; of several with one key the last one.
    fn member(self, key: &str) -> Option<Source<'a>> {
        match self {
            Source::Text(text, node) => match &node.value {
                JsonValue::Object(members) => {
                    let found = members.iter().rev().find(|(name, _)| name == key);
                    found.map(|(_, value)| Source::Text(text, value))
                }
                _ => None,
            },
            Source::Value(Json::Object(object)) => object.get(key).map(Source::Value),
            Source::Value(_) => None,
        }
    }

    /// The text that an input function reads.
    fn input_text(self, target: Oid) -> String {
        let for_json = matches!(target, oid::JSON | oid::JSONB);
        match (self.string().filter(|_| !for_json), self) {
            (Some(text), _) => text.to_owned(),
            (None, Source::Text(text, node)) => text.source(node).to_owned(),
            (None, Source::Value(json)) => json.to_text(),
        }
    }
}

/// A record of a shape out of an object. Errors: 22023 for anything but an object, and those of the fields.
fn populate(
    source: Source<'_>,
    shape: &Arc<RecordShape>,
    base: Option<&Arc<Record>>,
    context: &mut FunctionContext<'_>,
) -> SqlResult<Datum> {
    if !source.is_object() {
        let what = if source.items().is_some() { "an array" } else { "a scalar" };
        return Err(invalid(format!("cannot call populate_composite on {what}")));
    }
    if let Some(base) = base.filter(|_| source.is_empty_object()) {
        return Ok(Datum::Record(Arc::clone(base)));
    }
    let mut values = Vec::with_capacity(shape.fields.len());
    for (at, field) in shape.fields.iter().enumerate() {
        let kept = base.and_then(|base| base.values().get(at));
        values.push(match (source.member(&field.name), kept) {
            (None, Some(kept)) => kept.clone(),
            (None, None) => Datum::Null,
            (Some(member), kept) => populate_field(member, field.ty, Some(&field.name), kept, context)?,
        });
    }
    Record::new(Arc::clone(shape), values).map(Datum::record)
}

fn populate_field(
    source: Source<'_>,
    ty: Type,
    name: Option<&str>,
    base: Option<&Datum>,
    context: &mut FunctionContext<'_>,
) -> SqlResult<Datum> {
    if source.is_null() {
        return Ok(Datum::Null);
    }
    let is_string = source.string().is_some();
    if is_composite(ty.oid) && !is_string {
        let shape = composite_shape(ty.oid, context)?;
        return populate(source, &shape, base.and_then(Datum::as_record), context);
    }
    let element = element_type(ty.oid).filter(|_| !matches!(ty.oid, oid::INT2VECTOR | oid::OIDVECTOR | oid::NAME));
    if let Some(element) = element.filter(|_| !is_string) {
        return populate_array(source, Type::with_typmod(element, ty.typmod), name, context);
    }
    if let (oid::JSONB, Source::Value(json)) = (ty.oid, source) {
        return Ok(Datum::jsonb(json.clone()));
    }
    let text = Datum::text(source.input_text(ty.oid));
    let value = apply_cast(CastMethod::ViaText, &text, Type::TEXT, ty.base(), context)?;
    if ty.typmod < 0 { Ok(value) } else { apply_typmod(value, ty, false) }
}

/// An array that is being filled; its number of dimensions is known once the first item is seen that is no array.
struct ArrayFiller<'c, 'x> {
    element: Type,
    name: Option<&'c str>,
    context: &'c mut FunctionContext<'x>,
    elements: Vec<Datum>,
    /// The length of each dimension; `None` as long as none of it has ended.
    lengths: Vec<Option<i32>>,
    /// How many items each dimension has so far.
    counts: Vec<i32>,
}

fn populate_array(
    source: Source<'_>,
    element: Type,
    name: Option<&str>,
    context: &mut FunctionContext<'_>,
) -> SqlResult<Datum> {
    let mut filler =
        ArrayFiller { element, name, context, elements: Vec::new(), lengths: Vec::new(), counts: Vec::new() };
    filler.fill(source, 1)?;
    let ArrayFiller { elements, mut lengths, counts, .. } = filler;
    if let (Some(length), Some(count)) = (lengths.first_mut(), counts.first()) {
        *length = Some(*count);
    }
    let dimensions = lengths.into_iter().map(|len| Dimension { lower: 1, len: len.unwrap_or(0) }).collect();
    Array::new(element.oid, dimensions, elements).map(Datum::array)
}

impl ArrayFiller<'_, '_> {
    /// Takes in one array, the `depth`th around its items.
    fn fill(&mut self, source: Source<'_>, depth: usize) -> SqlResult<()> {
        let Some(items) = source.items() else { return Err(self.expected_array(depth - 1)) };
        let ends_here = items.first().is_none_or(|first| first.items().is_none());
        if self.lengths.is_empty() && ends_here {
            self.lengths = vec![None; depth];
            self.counts = vec![0; depth];
        }
        for item in items {
            if !self.lengths.is_empty() && depth >= self.lengths.len() {
                let value = populate_field(item, self.element, None, None, self.context)?;
                self.elements.push(value);
                self.count(depth - 1);
            } else {
                self.fill(item, depth + 1)?;
                self.end_dimension(depth)?;
            }
        }
        Ok(())
    }

    fn count(&mut self, dimension: usize) {
        if let Some(count) = self.counts.get_mut(dimension) {
            *count += 1;
        }
    }

    /// An array within another one has ended: all of its kind have the same length.
    fn end_dimension(&mut self, dimension: usize) -> SqlResult<()> {
        let count = self.counts.get_mut(dimension).map(std::mem::take).unwrap_or(0);
        match self.lengths.get_mut(dimension) {
            Some(Some(length)) if *length != count => {
                return Err(SqlError::new(INVALID_TEXT_REPRESENTATION, "malformed JSON array")
                    .with_detail("Multidimensional arrays must have sub-arrays with matching dimensions."));
            }
            Some(length) => *length = Some(count),
            None => {}
        }
        self.count(dimension - 1);
        Ok(())
    }

    /// 22P02, with the place of what is no array.
    fn expected_array(&self, depth: usize) -> SqlError {
        let error = SqlError::new(INVALID_TEXT_REPRESENTATION, "expected JSON array");
        let indices: String = self.counts.iter().take(depth).map(|count| format!("[{count}]")).collect();
        match (depth, self.name) {
            (0, Some(name)) => error.with_hint(format!("See the value of key \"{name}\".")),
            (0, None) => error,
            (_, Some(name)) => error.with_hint(format!("See the array element {indices} of key \"{name}\".")),
            (_, None) => error.with_hint(format!("See the array element {indices}.")),
        }
    }
}

fn composite_shape(type_oid: Oid, context: &FunctionContext<'_>) -> SqlResult<Arc<RecordShape>> {
    let found = context.format.types.composite_shape(type_oid);
    found.ok_or_else(|| SqlError::internal(format!("cache lookup failed for type {type_oid}")))
}

/// 0A000 for a record of which nobody says what it looks like.
fn unknown_shape(function: &str) -> SqlError {
    let message = format!("could not determine row type for result of {function}");
    SqlError::new(FEATURE_NOT_SUPPORTED, message).with_hint(
        "Provide a non-null record argument, or call the function in the FROM clause using a column definition list.",
    )
}

/// The shape that the first argument asks for, and the record, if it is one.
fn base_of<'d>(
    base: &'d Datum,
    function: &str,
    context: &FunctionContext<'_>,
) -> SqlResult<(Arc<RecordShape>, Option<&'d Arc<Record>>)> {
    let ty = context.argument_type(0).unwrap_or(Type::TEXT);
    if is_composite(ty.oid) {
        return Ok((composite_shape(ty.oid, context)?, base.as_record()));
    }
    if ty.oid != oid::RECORD {
        let message = format!("first argument of {function} must be a row type");
        return Err(SqlError::new(DATATYPE_MISMATCH, message));
    }
    match base.as_record() {
        Some(record) => Ok((Arc::clone(record.shape()), Some(record))),
        None => Err(unknown_shape(function)),
    }
}

/// One record: that of the first argument when there is no JSON.
fn populate_one(name: &str, args: &[Datum], context: &mut FunctionContext<'_>) -> SqlResult<Datum> {
    let [base, json, ..] = args else { return Err(crate::argument::wrong_count(name)) };
    let (shape, base) = base_of(base, name, context)?;
    match json {
        Datum::Null => Ok(base.map_or(Datum::Null, |base| Datum::Record(Arc::clone(base)))),
        Datum::Jsonb(json) => populate(Source::Value(json), &shape, base, context),
        other => {
            let text = JsonText::parse(crate::argument::text(other)?)?;
            populate(Source::Text(&text, text.root()), &shape, base, context)
        }
    }
}

/// A record for each object of an array.
fn populate_all(
    name: &str,
    json: &Datum,
    shape: &Arc<RecordShape>,
    base: Option<&Arc<Record>>,
    context: &mut FunctionContext<'_>,
) -> SqlResult<Vec<Datum>> {
    match json {
        Datum::Null => Ok(Vec::new()),
        Datum::Jsonb(json) => {
            let json = Source::Value(json);
            let items = json.items().ok_or_else(|| invalid(format!("cannot call {name} on a non-array")))?;
            populate_items(name, items, shape, base, context)
        }
        other => {
            let text = JsonText::parse(crate::argument::text(other)?)?;
            let root = Source::Text(&text, text.root());
            let what = if root.is_object() { "an object" } else { "a scalar" };
            let items = root.items().ok_or_else(|| invalid(format!("cannot call {name} on {what}")))?;
            populate_items(name, items, shape, base, context)
        }
    }
}

fn populate_items(
    name: &str,
    items: Vec<Source<'_>>,
    shape: &Arc<RecordShape>,
    base: Option<&Arc<Record>>,
    context: &mut FunctionContext<'_>,
) -> SqlResult<Vec<Datum>> {
    let mut rows = Vec::with_capacity(items.len());
    for item in items {
        if !item.is_object() {
            return Err(invalid(format!("argument of {name} must be an array of objects")));
        }
        rows.push(populate(item, shape, base, context)?);
    }
    Ok(rows)
}

fn populate_set_of(name: &str, args: &[Datum], context: &mut FunctionContext<'_>) -> SqlResult<Rows> {
    let [base, json, ..] = args else { return Err(crate::argument::wrong_count(name)) };
    let (shape, base) = base_of(base, name, context)?;
    let rows = populate_all(name, json, &shape, base, context)?;
    Ok(Box::new(rows.into_iter().map(Ok)))
}

/// The shape that the caller's column definition list says.
fn defined_shape(function: &str, context: &FunctionContext<'_>) -> SqlResult<Arc<RecordShape>> {
    if context.result_columns.is_empty() {
        return Err(unknown_shape(function));
    }
    let columns = context.result_columns.iter().map(|(name, ty)| (name.as_str(), *ty));
    Ok(Arc::new(RecordShape::named(oid::RECORD, columns)))
}

fn defined_rows(name: &str, args: &[Datum], context: &mut FunctionContext<'_>) -> SqlResult<Records> {
    let [json] = args else { return Err(crate::argument::wrong_count(name)) };
    let shape = defined_shape(name, context)?;
    let rows = populate_all(name, json, &shape, None, context)?;
    Ok(Box::new(rows.into_iter().map(|row| Ok(fields(&row)))))
}

fn fields(row: &Datum) -> Vec<Datum> {
    row.as_record().map_or_else(Vec::new, |record| record.values().to_vec())
}

#[sql_function(
    "json_populate_record(base anyelement, from_json json, use_json_as_text bool = 'false') -> anyelement",
    oid = 3960,
    stable,
    called_on_null
)]
fn populate_record(context: &mut FunctionContext<'_>, args: &[Datum]) -> SqlResult<Datum> {
    populate_one("json_populate_record", args, context)
}

#[sql_function("jsonb_populate_record(anyelement, jsonb) -> anyelement", oid = 3209, stable, called_on_null)]
fn populate_record_b(context: &mut FunctionContext<'_>, args: &[Datum]) -> SqlResult<Datum> {
    populate_one("jsonb_populate_record", args, context)
}

#[sql_function(
    "json_populate_recordset(base anyelement, from_json json, use_json_as_text bool = 'false') -> setof anyelement",
    oid = 3961,
    stable,
    called_on_null
)]
fn populate_set(context: &mut FunctionContext<'_>, args: &[Datum]) -> SqlResult<Rows> {
    populate_set_of("json_populate_recordset", args, context)
}

#[sql_function("jsonb_populate_recordset(anyelement, jsonb) -> setof anyelement", oid = 3475, stable, called_on_null)]
fn populate_set_b(context: &mut FunctionContext<'_>, args: &[Datum]) -> SqlResult<Rows> {
    populate_set_of("jsonb_populate_recordset", args, context)
}

#[sql_function("json_to_record(json) -> record", oid = 3204, stable)]
fn to_record(context: &mut FunctionContext<'_>, json: &str) -> SqlResult<Vec<Datum>> {
    let shape = defined_shape("json_to_record", context)?;
    let text = JsonText::parse(json)?;
    populate(Source::Text(&text, text.root()), &shape, None, context).map(|row| fields(&row))
}

#[sql_function("jsonb_to_record(jsonb) -> record", oid = 3490, stable)]
fn to_record_b(context: &mut FunctionContext<'_>, json: &Json) -> SqlResult<Vec<Datum>> {
    let shape = defined_shape("jsonb_to_record", context)?;
    populate(Source::Value(json), &shape, None, context).map(|row| fields(&row))
}

#[sql_function("json_to_recordset(json) -> setof record", oid = 3205, stable, called_on_null)]
fn to_record_set(context: &mut FunctionContext<'_>, args: &[Datum]) -> SqlResult<Records> {
    defined_rows("json_to_recordset", args, context)
}

#[sql_function("jsonb_to_recordset(jsonb) -> setof record", oid = 3491, stable, called_on_null)]
fn to_record_set_b(context: &mut FunctionContext<'_>, args: &[Datum]) -> SqlResult<Records> {
    defined_rows("jsonb_to_recordset", args, context)
}
