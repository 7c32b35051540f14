//! Values of system relations, by the type of their column.

use nqdb_types::{Datum, Oid};

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

pub(super) fn int4(value: i32) -> Datum {
    Datum::Int4(value)
}
