//! Values of system relations, by the type of their column.

use nqdb_types::{Array, Datum, Dimension, Oid, oid as types};

/// `name` and `text`.
pub(super) fn text(value: &str) -> Datum {
    Datum::text(value)
}

/// `text` that may be missing.
pub(super) fn optional_text(value: Option<&str>) -> Datum {
    value.map_or(Datum::Null, Datum::text)
}

/// `"char"`.
pub(super) fn letter(value: char) -> Datum {
    Datum::text(value.encode_utf8(&mut [0; 4]) as &str)
}

/// `"char"` that is empty: its one byte is zero.
pub(super) fn no_letter() -> Datum {
    Datum::text("")
}

/// `oid` and the reg types.
pub(super) fn oid(value: Oid) -> Datum {
    Datum::Oid(value)
}

pub(super) fn boolean(value: bool) -> Datum {
    Datum::Bool(value)
}

/// `int2`, cut off at its bounds.
pub(super) fn int2(value: usize) -> Datum {
    Datum::Int2(i16::try_from(value).unwrap_or(i16::MAX))
}

pub(super) fn int8(value: u64) -> Datum {
    Datum::Int8(i64::try_from(value).unwrap_or(i64::MAX))
}

pub(super) fn int4(value: i32) -> Datum {
    Datum::Int4(value)
}

/// A one-dimensional array; NULL when it could not be one.
fn array(element_type: Oid, lower: i32, elements: Vec<Datum>) -> Datum {
    let len = i32::try_from(elements.len()).unwrap_or(0);
    let made = Array::new(element_type, vec![Dimension { lower, len }], elements);
    made.map_or(Datum::Null, Datum::array)
}

/// `oidvector`: an array whose first subscript is 0.
pub(super) fn oid_vector(values: impl IntoIterator<Item = Oid>) -> Datum {
    array(types::OID, 0, values.into_iter().map(Datum::Oid).collect())
}

/// `int2vector`.
pub(super) fn int2_vector(values: impl IntoIterator<Item = i16>) -> Datum {
    array(types::INT2, 0, values.into_iter().map(Datum::Int2).collect())
}

/// `int2[]`.
pub(super) fn int2_array(values: impl IntoIterator<Item = i16>) -> Datum {
    array(types::INT2, 1, values.into_iter().map(Datum::Int2).collect())
}

/// `oid[]`.
pub(super) fn oid_array(values: impl IntoIterator<Item = Oid>) -> Datum {
    array(types::OID, 1, values.into_iter().map(Datum::Oid).collect())
}

/// `"char"[]`.
pub(super) fn type_array(values: impl IntoIterator<Item = Oid>) -> Datum {
    array(types::REGTYPE, 1, values.into_iter().map(Datum::Oid).collect())
}

pub(super) fn letter_array(values: impl IntoIterator<Item = char>) -> Datum {
    array(types::CHAR_INTERNAL, 1, values.into_iter().map(letter).collect())
}

/// `text[]`.
pub(super) fn text_array<'a>(values: impl IntoIterator<Item = &'a str>) -> Datum {
    array(types::TEXT, 1, values.into_iter().map(Datum::text).collect())
}
