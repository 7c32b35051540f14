//! SQL values as JSON.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{ARRAY_SUBSCRIPT_ERROR, NULL_VALUE_NOT_ALLOWED, SqlResult};
use nqdb_types::json::write_json_string;
use nqdb_types::{Array, DateStyleFormat, Datum, Json, Record, Type, oid, write_text};

use super::invalid;
use crate::coerce::text_of;
use crate::{Function, FunctionContext};

pub(super) static FUNCTIONS: &[&[Function]] = &[
    &TO_JSON,
    &TO_JSONB,
    &ARRAY_TO_JSON,
    &ARRAY_TO_JSON_LINES,
    &ROW_TO_JSON,
    &ROW_TO_JSON_LINES,
    &BUILD_ARRAY,
    &BUILD_EMPTY_ARRAY,
    &BUILD_OBJECT,
    &BUILD_EMPTY_OBJECT,
    &BUILD_ARRAY_B,
    &BUILD_EMPTY_ARRAY_B,
    &BUILD_OBJECT_B,
    &BUILD_EMPTY_OBJECT_B,
    &OBJECT_OF_PAIRS,
    &OBJECT_OF_KEYS,
    &OBJECT_OF_PAIRS_B,
    &OBJECT_OF_KEYS_B,
];

/// A value as the text of a JSON value, without blanks.
pub(crate) fn json_text_of(datum: &Datum, ty: Type, context: &FunctionContext<'_>) -> SqlResult<String> {
    let mut out = Vec::new();
    write_value(&mut out, datum, ty, context, "")?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// A row as a JSON object, without blanks: for each column its name, its type and its value.
pub fn row_as_json<'r>(
    columns: impl IntoIterator<Item = (&'r str, Type, &'r Datum)>,
    context: &FunctionContext<'_>,
) -> SqlResult<String> {
    let mut out = vec![b'{'];
    for (name, ty, value) in columns {
        if out.len() > 1 {
            out.push(b',');
        }
        write_json_string(&mut out, name);
        out.push(b':');
        write_value(&mut out, value, ty, context, "")?;
    }
    out.push(b'}');
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// A value as jsonb.
pub(crate) fn json_of(datum: &Datum, ty: Type, context: &FunctionContext<'_>) -> SqlResult<Json> {
    match datum {
        Datum::Null => Ok(Json::Null),
        Datum::Bool(value) => Ok(Json::Bool(*value)),
        Datum::Jsonb(value) => Ok(Json::clone(value)),
        Datum::Text(text) if ty.oid != oid::JSON => Ok(Json::String(text.clone())),
        _ => Json::parse(&json_text_of(datum, ty, context)?),
    }
}

/// Appends a value; `line` stands behind the commas between the items of an array or record.
fn write_value(out: &mut Vec<u8>, datum: &Datum, ty: Type, context: &FunctionContext<'_>, line: &str) -> SqlResult<()> {
    match datum {
        Datum::Null => out.extend_from_slice(b"null"),
        Datum::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Datum::Int2(_) | Datum::Int4(_) | Datum::Int8(_) => write_text(out, datum, ty, context.format),
        Datum::Float4(value) if !value.is_finite() => write_quoted(out, datum, ty, context),
        Datum::Float8(value) if !value.is_finite() => write_quoted(out, datum, ty, context),
        Datum::Numeric(value) if !value.is_finite() => write_quoted(out, datum, ty, context),
        Datum::Float4(_) | Datum::Float8(_) | Datum::Numeric(_) => write_text(out, datum, ty, context.format),
        Datum::Date(_) | Datum::Timestamp(_) | Datum::TimestampTz(_) => write_moment(out, datum, ty, context),
        Datum::Text(text) if ty.oid == oid::JSON => out.extend_from_slice(text.as_bytes()),
        Datum::Text(text) => write_json_string(out, text),
        Datum::Jsonb(value) => value.write_to(out),
        Datum::Array(array) => write_array(out, array, context, line)?,
        Datum::Record(record) => write_record(out, record, context, line)?,
        other => write_json_string(out, &text_of(other, ty, context)?),
    }
    Ok(())
}

fn write_quoted(out: &mut Vec<u8>, datum: &Datum, ty: Type, context: &FunctionContext<'_>) {
    out.push(b'"');
    write_text(out, datum, ty, context.format);
    out.push(b'"');
}

/// A date or timestamp in the spelling of ISO 8601, whatever the session's style.
fn write_moment(out: &mut Vec<u8>, datum: &Datum, ty: Type, context: &FunctionContext<'_>) {
    let mut format = context.format.clone();
    format.date_style.format = DateStyleFormat::Iso;
    let start = out.len();
    out.push(b'"');
    write_text(out, datum, ty, &format);
    let Some(spelled) = out.get_mut(start..) else { return };
    if !matches!(datum, Datum::Date(_))
        && let Some(blank) = spelled.iter().position(|byte| *byte == b' ')
        && spelled.get(blank + 1).is_some_and(u8::is_ascii_digit)
    {
        spelled[blank] = b'T';
        if matches!(datum, Datum::TimestampTz(_)) {
            complete_offset(out, start + blank);
        }
    }
    out.push(b'"');
}

/// Gives an offset of hours its minutes: `+02` becomes `+02:00`.
fn complete_offset(out: &mut Vec<u8>, time_at: usize) {
    let Some(time) = out.get(time_at..) else { return };
    let Some(sign) = time.iter().rposition(|byte| matches!(byte, b'+' | b'-')) else { return };
    let end = time.iter().position(|byte| *byte == b' ').unwrap_or(time.len());
    if !time.get(sign..end).unwrap_or_default().contains(&b':') {
        out.splice(time_at + end..time_at + end, *b":00");
    }
}

/// The items of an array; those of the outermost dimension are divided by `line`.
fn write_array(out: &mut Vec<u8>, array: &Array, context: &FunctionContext<'_>, line: &str) -> SqlResult<()> {
    if array.dimensions().is_empty() {
        out.extend_from_slice(b"[]");
        return Ok(());
    }
    let lens: Vec<usize> = array.dimensions().iter().map(|dimension| dimension.len.unsigned_abs() as usize).collect();
    let element_type = Type::new(array.element_type());
    let mut elements = array.elements().iter();
    write_dimension(out, &lens, &mut elements, element_type, context, line)
}

fn write_dimension(
    out: &mut Vec<u8>,
    lens: &[usize],
    elements: &mut std::slice::Iter<'_, Datum>,
    element_type: Type,
    context: &FunctionContext<'_>,
    line: &str,
) -> SqlResult<()> {
    let Some((len, inner)) = lens.split_first() else {
        return write_value(out, elements.next().unwrap_or(&Datum::Null), element_type, context, "");
    };
    out.push(b'[');
    for at in 0..*len {
        if at > 0 {
            out.push(b',');
            out.extend_from_slice(line.as_bytes());
        }
        write_dimension(out, inner, elements, element_type, context, "")?;
    }
    out.push(b']');
    Ok(())
}

fn write_record(out: &mut Vec<u8>, record: &Record, context: &FunctionContext<'_>, line: &str) -> SqlResult<()> {
    out.push(b'{');
    for (at, (value, field)) in record.values().iter().zip(&record.shape().fields).enumerate() {
        if at > 0 {
            out.push(b',');
            out.extend_from_slice(line.as_bytes());
        }
        write_json_string(out, &field.name);
        out.push(b':');
        write_value(out, value, field.ty, context, "")?;
    }
    out.push(b'}');
    Ok(())
}

/// What divides lines of the pretty forms: a line break and one blank.
const LINE: &str = "\n ";

fn argument_type(context: &FunctionContext<'_>, argument: usize) -> Type {
    context.argument_type(argument).unwrap_or(Type::TEXT)
}

#[sql_function("to_json(anyelement) -> json", oid = 3176, stable)]
fn to_json(context: &mut FunctionContext<'_>, value: &Datum) -> SqlResult<String> {
    json_text_of(value, argument_type(context, 0), context)
}

#[sql_function("to_jsonb(anyelement) -> jsonb", oid = 3787, stable)]
fn to_jsonb(context: &mut FunctionContext<'_>, value: &Datum) -> SqlResult<Json> {
    json_of(value, argument_type(context, 0), context)
}

#[sql_function("array_to_json(anyarray) -> json", oid = 3153, stable)]
fn array_to_json(context: &mut FunctionContext<'_>, array: &Array) -> SqlResult<String> {
    array_to_json_lines(context, array, false)
}

#[sql_function("array_to_json(anyarray, bool) -> json", oid = 3154, stable)]
fn array_to_json_lines(context: &mut FunctionContext<'_>, array: &Array, lines: bool) -> SqlResult<String> {
    let mut out = Vec::new();
    write_array(&mut out, array, context, if lines { LINE } else { "" })?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

#[sql_function("row_to_json(record) -> json", oid = 3155, stable)]
fn row_to_json(context: &mut FunctionContext<'_>, record: &Record) -> SqlResult<String> {
    row_to_json_lines(context, record, false)
}

#[sql_function("row_to_json(record, bool) -> json", oid = 3156, stable)]
fn row_to_json_lines(context: &mut FunctionContext<'_>, record: &Record, lines: bool) -> SqlResult<String> {
    let mut out = Vec::new();
    write_record(&mut out, record, context, if lines { LINE } else { "" })?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

#[sql_function("json_build_array(variadic any) -> json", oid = 3198, stable, called_on_null)]
fn build_array(context: &mut FunctionContext<'_>, items: &[Datum]) -> SqlResult<String> {
    let mut out = vec![b'['];
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.extend_from_slice(b", ");
        }
        write_value(&mut out, item, argument_type(context, at), context, "")?;
    }
    out.push(b']');
    Ok(String::from_utf8_lossy(&out).into_owned())
}

#[sql_function("json_build_array() -> json", oid = 3199, stable, called_on_null)]
fn build_empty_array() -> &'static str {
    "[]"
}

#[sql_function("json_build_object(variadic any) -> json", oid = 3200, stable, called_on_null)]
fn build_object(context: &mut FunctionContext<'_>, items: &[Datum]) -> SqlResult<String> {
    if !items.len().is_multiple_of(2) {
        return Err(odd_arguments("json_build_object()"));
    }
    let mut out = vec![b'{'];
    for (at, pair) in items.chunks(2).enumerate() {
        let [key, value] = pair else { continue };
        if at > 0 {
            out.extend_from_slice(b", ");
        }
        let key = match key {
            Datum::Null => {
                let message = format!("argument {} cannot be null", at * 2 + 1);
                return Err(invalid(message).with_hint("Object keys should be text."));
            }
            key => key_text(key, argument_type(context, at * 2), context)?,
        };
        write_json_string(&mut out, &key);
        out.extend_from_slice(b" : ");
        write_value(&mut out, value, argument_type(context, at * 2 + 1), context, "")?;
    }
    out.push(b'}');
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn odd_arguments(name: &str) -> nqdb_sqlstate::SqlError {
    invalid("argument list must have even number of elements")
        .with_hint(format!("The arguments of {name} must consist of alternating keys and values."))
}

/// The text of an object's key, which must be a single value.
fn key_text(key: &Datum, ty: Type, context: &FunctionContext<'_>) -> SqlResult<String> {
    let is_json = ty.oid == oid::JSON || matches!(key, Datum::Jsonb(_));
    if is_json || matches!(key, Datum::Array(_) | Datum::Record(_)) {
        return Err(invalid("key value must be scalar, not array, composite, or json"));
    }
    text_of(key, ty, context)
}

#[sql_function("json_build_object() -> json", oid = 3201, stable, called_on_null)]
fn build_empty_object() -> &'static str {
    "{}"
}

#[sql_function("jsonb_build_array(variadic any) -> jsonb", oid = 3271, stable, called_on_null)]
fn build_array_b(context: &mut FunctionContext<'_>, items: &[Datum]) -> SqlResult<Json> {
    let item = |(at, item)| json_of(item, argument_type(context, at), context);
    Ok(Json::Array(items.iter().enumerate().map(item).collect::<SqlResult<_>>()?))
}

#[sql_function("jsonb_build_array() -> jsonb", oid = 3272, stable, called_on_null)]
fn build_empty_array_b() -> Json {
    Json::Array(Vec::new())
}

#[sql_function("jsonb_build_object(variadic any) -> jsonb", oid = 3273, stable, called_on_null)]
fn build_object_b(context: &mut FunctionContext<'_>, items: &[Datum]) -> SqlResult<Json> {
    if !items.len().is_multiple_of(2) {
        return Err(odd_arguments("jsonb_build_object()"));
    }
    let mut members = Vec::with_capacity(items.len() / 2);
    for (at, pair) in items.chunks(2).enumerate() {
        let [key, value] = pair else { continue };
        if key.is_null() {
            return Err(invalid(format!("argument {}: key must not be null", at * 2 + 1)));
        }
        let key = key_text(key, argument_type(context, at * 2), context)?;
        members.push((key.into(), json_of(value, argument_type(context, at * 2 + 1), context)?));
    }
    Ok(Json::Object(nqdb_types::json::Object::from_members(members)))
}

#[sql_function("jsonb_build_object() -> jsonb", oid = 3274, stable, called_on_null)]
fn build_empty_object_b() -> Json {
    Json::Object(nqdb_types::json::Object::default())
}

/// The keys and values of `json_object` with one argument: pairs one after the other, or in two columns.
fn pairs(array: &Array) -> SqlResult<Vec<(&Datum, &Datum)>> {
    let fail = |message: &str| Err(nqdb_sqlstate::SqlError::new(ARRAY_SUBSCRIPT_ERROR, message));
    match array.dimensions() {
        [] => return Ok(Vec::new()),
        [dimension] if dimension.len % 2 != 0 => return fail("array must have even number of elements"),
        [_] => {}
        [_, columns] if columns.len != 2 => return fail("array must have two columns"),
        [_, _] => {}
        _ => return fail("wrong number of array subscripts"),
    }
    Ok(array.elements().chunks_exact(2).map(|pair| (&pair[0], &pair[1])).collect())
}

fn keys_and_values<'a>(keys: &'a Array, values: &'a Array) -> SqlResult<Vec<(&'a Datum, &'a Datum)>> {
    let fail = |message: &str| Err(nqdb_sqlstate::SqlError::new(ARRAY_SUBSCRIPT_ERROR, message));
    if keys.dimensions().len() > 1 || values.dimensions().len() > 1 {
        return fail("wrong number of array subscripts");
    }
    if keys.elements().len() != values.elements().len() {
        return fail("mismatched array dimensions");
    }
    Ok(keys.elements().iter().zip(values.elements()).collect())
}

fn key_of(key: &Datum) -> SqlResult<&str> {
    key.as_text()
        .ok_or_else(|| nqdb_sqlstate::SqlError::new(NULL_VALUE_NOT_ALLOWED, "null value not allowed for object key"))
}

fn object_text(pairs: Vec<(&Datum, &Datum)>) -> SqlResult<String> {
    let mut out = vec![b'{'];
    for (at, (key, value)) in pairs.into_iter().enumerate() {
        if at > 0 {
            out.extend_from_slice(b", ");
        }
        write_json_string(&mut out, key_of(key)?);
        out.extend_from_slice(b" : ");
        match value.as_text() {
            Some(text) => write_json_string(&mut out, text),
            None => out.extend_from_slice(b"null"),
        }
    }
    out.push(b'}');
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn object(pairs: Vec<(&Datum, &Datum)>) -> SqlResult<Json> {
    let member =
        |(key, value): (&Datum, &Datum)| Ok((key_of(key)?.into(), value.as_text().map_or(Json::Null, Json::string)));
    let members = pairs.into_iter().map(member).collect::<SqlResult<_>>()?;
    Ok(Json::Object(nqdb_types::json::Object::from_members(members)))
}

#[sql_function("json_object(text_array) -> json", oid = 3202)]
fn object_of_pairs(array: &Array) -> SqlResult<String> {
    object_text(pairs(array)?)
}

#[sql_function("json_object(text_array, text_array) -> json", oid = 3203)]
fn object_of_keys(keys: &Array, values: &Array) -> SqlResult<String> {
    object_text(keys_and_values(keys, values)?)
}

#[sql_function("jsonb_object(text_array) -> jsonb", oid = 3263)]
fn object_of_pairs_b(array: &Array) -> SqlResult<Json> {
    object(pairs(array)?)
}

#[sql_function("jsonb_object(text_array, text_array) -> jsonb", oid = 3264)]
fn object_of_keys_b(keys: &Array, values: &Array) -> SqlResult<Json> {
    object(keys_and_values(keys, values)?)
}
