//! Between a [`Datum`] and the Rust value that a typed function takes and gives. Called by the code that
//! `#[sql_function]` generates: one reader and one writer per representation.

use std::sync::Arc;

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::{Array, Bits, Datum, Interval, Json, JsonPath, Numeric, Record, Tid, TimeTz, TransactionSnapshot};

/// A call with the wrong number of arguments: a fault of the binder.
#[cold]
pub(crate) fn wrong_count(name: &str) -> SqlError {
    SqlError::internal(format!("function {name} was called with the wrong number of arguments"))
}

#[cold]
fn wrong_type(expected: &str, found: &Datum) -> SqlError {
    SqlError::internal(format!("expected an argument of type {expected}, found {found:?}"))
}

macro_rules! by_value {
    ($($reader:ident $writer:ident $variant:ident $rust:ty),* $(,)?) => {
        $(
            #[inline]
            pub(crate) fn $reader(datum: &Datum) -> SqlResult<$rust> {
                match datum {
                    Datum::$variant(value) => Ok(*value),
                    other => Err(wrong_type(stringify!($reader), other)),
                }
            }

            #[inline]
            pub(crate) fn $writer(value: $rust) -> Datum {
                Datum::$variant(value)
            }
        )*
    };
}

by_value! {
    bool bool_result Bool bool,
    int2 int2_result Int2 i16,
    int4 int4_result Int4 i32,
    int8 int8_result Int8 i64,
    float4 float4_result Float4 f32,
    float8 float8_result Float8 f64,
    date date_result Date i32,
    time time_result Time i64,
    timetz timetz_result TimeTz TimeTz,
    tid tid_result Tid Tid,
    timestamp timestamp_result Timestamp i64,
    timestamptz timestamptz_result TimestampTz i64,
    interval interval_result Interval Interval,
    uuid uuid_result Uuid [u8; 16],
    oid oid_result Oid u32,
    unsigned8 unsigned8_result Unsigned8 u64,
}

#[inline]
pub(crate) fn snapshot(datum: &Datum) -> SqlResult<&TransactionSnapshot> {
    match datum {
        Datum::Snapshot(value) => Ok(value),
        other => Err(wrong_type("pg_snapshot", other)),
    }
}

#[inline]
pub(crate) fn snapshot_result(value: TransactionSnapshot) -> Datum {
    Datum::snapshot(value)
}

#[inline]
pub(crate) fn numeric(datum: &Datum) -> SqlResult<&Numeric> {
    match datum {
        Datum::Numeric(value) => Ok(value),
        other => Err(wrong_type("numeric", other)),
    }
}

#[inline]
pub(crate) fn numeric_result(value: Numeric) -> Datum {
    Datum::Numeric(value)
}

#[inline]
pub(crate) fn text(datum: &Datum) -> SqlResult<&str> {
    match datum {
        Datum::Text(value) => Ok(value),
        other => Err(wrong_type("text", other)),
    }
}

#[inline]
pub(crate) fn text_result(value: impl Into<Arc<str>>) -> Datum {
    Datum::Text(value.into())
}

#[inline]
pub(crate) fn bytea(datum: &Datum) -> SqlResult<&[u8]> {
    match datum {
        Datum::Bytea(value) => Ok(value),
        other => Err(wrong_type("bytea", other)),
    }
}

#[inline]
pub(crate) fn bytea_result(value: impl Into<Arc<[u8]>>) -> Datum {
    Datum::Bytea(value.into())
}

#[inline]
pub(crate) fn array(datum: &Datum) -> SqlResult<&Arc<Array>> {
    datum.as_array().ok_or_else(|| wrong_type("array", datum))
}

#[inline]
pub(crate) fn record(datum: &Datum) -> SqlResult<&Arc<Record>> {
    datum.as_record().ok_or_else(|| wrong_type("record", datum))
}

#[inline]
pub(crate) fn jsonb(datum: &Datum) -> SqlResult<&Json> {
    datum.as_jsonb().map(|json| &**json).ok_or_else(|| wrong_type("jsonb", datum))
}

#[inline]
pub(crate) fn jsonb_result(value: Json) -> Datum {
    Datum::jsonb(value)
}

#[inline]
pub(crate) fn bits(datum: &Datum) -> SqlResult<&Bits> {
    datum.as_bits().map(|bits| &**bits).ok_or_else(|| wrong_type("bit", datum))
}

#[inline]
pub(crate) fn bits_result(value: Bits) -> Datum {
    Datum::bits(value)
}

#[inline]
pub(crate) fn jsonpath(datum: &Datum) -> SqlResult<&JsonPath> {
    datum.as_json_path().map(|path| &**path).ok_or_else(|| wrong_type("jsonpath", datum))
}

/// An argument of a pseudo-type, as it is.
#[inline]
pub(crate) fn datum(datum: &Datum) -> SqlResult<&Datum> {
    Ok(datum)
}
