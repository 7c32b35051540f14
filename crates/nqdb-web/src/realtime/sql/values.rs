//! Values as JSON, and JSON as parameters.
//!
//! | type | JSON |
//! |---|---|
//! | boolean | `true`, `false` |
//! | smallint, integer, oid, real, double precision | a number; `"NaN"`, `"Infinity"`, `"-Infinity"` |
//! | bigint | a number, or a string where JavaScript's numbers cannot hold it (beyond 2^53 - 1) |
//! | json, jsonb | itself |
//! | arrays | arrays, one in the other for each dimension |
//! | all others, numeric among them | a string: PostgreSQL's text |
//!
//! In the format `text` every value is a string as psql shows it, and NULL is `null` in both.

use nqdb_types::json::write_json_string;
use nqdb_types::{Array, Datum, FormatContext, Oid, Type, oid, write_text};
use serde::Deserialize;
use serde_json::Value;

/// The greatest of the integers that JavaScript's numbers all hold.
const INTEGER_MAX: u64 = (1 << 53) - 1;

/// How values are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueFormat {
    #[default]
    Json,
    Text,
}

/// Appends a value.
pub fn write_value(out: &mut Vec<u8>, value: &Datum, ty: Type, how: ValueFormat, format: &FormatContext) {
    if value.is_null() {
        return out.extend_from_slice(b"null");
    }
    if how == ValueFormat::Text {
        return write_as_string(out, value, ty, format);
    }
    match value {
        Datum::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Datum::Int2(_) | Datum::Int4(_) => write_text(out, value, ty, format),
        Datum::Int8(number) if number.unsigned_abs() <= INTEGER_MAX => write_text(out, value, ty, format),
        Datum::Oid(_) if matches!(ty.oid, oid::OID | oid::XID | oid::CID) => write_text(out, value, ty, format),
        Datum::Float4(number) if number.is_finite() => write_text(out, value, ty, format),
        Datum::Float8(number) if number.is_finite() => write_text(out, value, ty, format),
        Datum::Jsonb(json) => json.write_to(out),
        // Line breaks are between the parts of a JSON text, never in them; here they would end the message.
        Datum::Text(text) if ty.oid == oid::JSON => {
            out.extend(text.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
        }
        Datum::Array(array) => write_array(out, array, how, format),
        _ => write_as_string(out, value, ty, format),
    }
}

fn write_as_string(out: &mut Vec<u8>, value: &Datum, ty: Type, format: &FormatContext) {
    if let (Datum::Text(text), false) = (value, ty.oid == oid::CHAR_INTERNAL) {
        return write_json_string(out, text);
    }
    let mut text = Vec::new();
    write_text(&mut text, value, ty, format);
    write_json_string(out, &String::from_utf8_lossy(&text));
}

/// An array as arrays in arrays. Lower bounds other than 1 are not told.
fn write_array(out: &mut Vec<u8>, array: &Array, how: ValueFormat, format: &FormatContext) {
    let lengths: Vec<usize> =
        array.dimensions().iter().map(|dimension| usize::try_from(dimension.len).unwrap_or(0)).collect();
    let element = Type::new(array.element_type());
    let mut elements = array.elements().iter();
    if lengths.is_empty() {
        return out.extend_from_slice(b"[]");
    }
    write_dimension(out, &lengths, &mut elements, element, how, format);
}

fn write_dimension(
    out: &mut Vec<u8>,
    lengths: &[usize],
    elements: &mut std::slice::Iter<'_, Datum>,
    element: Type,
    how: ValueFormat,
    format: &FormatContext,
) {
    let Some((length, inner)) = lengths.split_first() else {
        let value = elements.next().unwrap_or(&Datum::Null);
        return write_value(out, value, element, how, format);
    };
    out.push(b'[');
    for at in 0..*length {
        if at > 0 {
            out.push(b',');
        }
        write_dimension(out, inner, elements, element, how, format);
    }
    out.push(b']');
}

/// A parameter as the text that PostgreSQL reads; `None` is NULL. An object is JSON; an array is an array of SQL, or JSON where
/// the parameter is one.
pub fn parameter_text(value: &Value, ty: Oid) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(items) if !matches!(ty, oid::JSON | oid::JSONB) => {
            let mut text = String::new();
            write_array_literal(&mut text, items);
            Some(text)
        }
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Some(value.to_string()),
    }
}

fn write_array_literal(out: &mut String, items: &[Value]) {
    out.push('{');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        let text = match item {
            Value::Null => {
                out.push_str("NULL");
                continue;
            }
            Value::Array(items) => {
                write_array_literal(out, items);
                continue;
            }
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        out.push('"');
        for character in text.chars() {
            if matches!(character, '"' | '\\') {
                out.push('\\');
            }
            out.push(character);
        }
        out.push('"');
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use nqdb_types::{Dimension, parse_text};
    use serde_json::json;

    fn written(value: &Datum, ty: Oid, how: ValueFormat) -> String {
        let mut out = Vec::new();
        write_value(&mut out, value, Type::new(ty), how, &FormatContext::default());
        String::from_utf8(out).unwrap()
    }

    fn of_text(text: &str, ty: Oid) -> String {
        let value = parse_text(text, Type::new(ty), &FormatContext::default()).unwrap();
        written(&value, ty, ValueFormat::Json)
    }

    #[test]
    fn numbers_are_numbers_where_nothing_is_lost() {
        assert_eq!(of_text("9007199254740991", oid::INT8), "9007199254740991");
        assert_eq!(of_text("9007199254740992", oid::INT8), "\"9007199254740992\"");
        assert_eq!(of_text("-9223372036854775808", oid::INT8), "\"-9223372036854775808\"");
        assert_eq!(of_text("1.10", oid::NUMERIC), "\"1.10\"");
        assert_eq!(of_text("1e-7", oid::FLOAT8), "1e-07");
        assert_eq!(of_text("NaN", oid::FLOAT8), "\"NaN\"");
        assert_eq!(of_text("-Infinity", oid::FLOAT4), "\"-Infinity\"");
    }

    #[test]
    fn what_json_has_is_json_and_the_rest_is_text() {
        assert_eq!(of_text("{\"a\":\n[1,null]}", oid::JSON), "{\"a\": [1,null]}");
        assert_eq!(of_text("{\"a\": [1, null]}", oid::JSONB), "{\"a\": [1, null]}");
        assert_eq!(of_text("t", oid::BOOL), "true");
        assert_eq!(of_text("2024-02-29", oid::DATE), "\"2024-02-29\"");
        assert_eq!(of_text("a\"b\nc", oid::TEXT), "\"a\\\"b\\nc\"");
        assert_eq!(written(&Datum::Bool(true), oid::BOOL, ValueFormat::Text), "\"t\"");
        assert_eq!(written(&Datum::Null, oid::INT4, ValueFormat::Text), "null");
    }

    #[test]
    fn arrays_nest() {
        let elements = [1, 2, 3, 4].map(Datum::Int4).to_vec();
        let two = vec![Dimension { lower: 1, len: 2 }; 2];
        let array = Datum::array(Array::new(oid::INT4, two, elements).unwrap());
        assert_eq!(written(&array, oid::INT4_ARRAY, ValueFormat::Json), "[[1,2],[3,4]]");
        assert_eq!(written(&array, oid::INT4_ARRAY, ValueFormat::Text), "\"{{1,2},{3,4}}\"");
        let empty = Datum::array(Array::empty(oid::TEXT));
        assert_eq!(written(&empty, oid::TEXT_ARRAY, ValueFormat::Json), "[]");
    }

    #[test]
    fn parameters_become_text() {
        let text = |value: Value, ty| parameter_text(&value, ty);
        assert_eq!(text(json!(null), oid::INT4), None);
        assert_eq!(text(json!(17), oid::INT4).as_deref(), Some("17"));
        assert_eq!(text(json!(1.5), oid::NUMERIC).as_deref(), Some("1.5"));
        assert_eq!(text(json!(true), oid::BOOL).as_deref(), Some("true"));
        assert_eq!(text(json!("it's"), oid::TEXT).as_deref(), Some("it's"));
        assert_eq!(text(json!({"a": 1}), oid::JSONB).as_deref(), Some("{\"a\":1}"));
        assert_eq!(text(json!([1, "a\"\\", null, [2]]), oid::JSONB).as_deref(), Some("[1,\"a\\\"\\\\\",null,[2]]"));
        assert_eq!(
            text(json!(["a\"\\", null, "NULL", 3]), oid::TEXT_ARRAY).as_deref(),
            Some("{\"a\\\"\\\\\",NULL,\"NULL\",\"3\"}")
        );
        assert_eq!(text(json!([[1], [2]]), oid::INT4_ARRAY).as_deref(), Some("{{\"1\"},{\"2\"}}"));
    }
}
