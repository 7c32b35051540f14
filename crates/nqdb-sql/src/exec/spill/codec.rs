//! A value as bytes that say themselves what it is.
//!
//! ```text
//! tag u8 | NULL, false, true: nothing | numbers: their bytes | others: length u32 | storage form
//! ```
//!
//! The bytes live as long as the statement that wrote them, so the tags may change at any time.

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::row::{decode_value, encode_value};
use nqdb_types::{Datum, EnumValue, Oid, Type, oid};

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT2: u8 = 3;
const INT4: u8 = 4;
const INT8: u8 = 5;
const FLOAT4: u8 = 6;
const FLOAT8: u8 = 7;
const DATE: u8 = 8;
const TIME: u8 = 9;
const TIMESTAMP: u8 = 10;
const TIMESTAMP_TZ: u8 = 11;
const OID: u8 = 12;
const ENUM: u8 = 13;
const UNSIGNED8: u8 = 14;
const TEXT: u8 = 15;
const BYTEA: u8 = 16;
/// What the storage form of values of other kinds is read as; the tag is a position in here, counted from [`STORED`].
const STORED_TYPES: [Oid; 12] = [
    oid::NUMERIC,
    oid::TIMETZ,
    oid::INTERVAL,
    oid::UUID,
    oid::INT4_ARRAY,
    oid::RECORD,
    oid::JSONB,
    oid::VARBIT,
    oid::JSONPATH,
    oid::TID,
    oid::PG_SNAPSHOT,
    oid::VARCHAR,
];
const STORED: u8 = 32;

/// Appends a value.
pub(super) fn encode(out: &mut Vec<u8>, datum: &Datum) {
    match datum {
        Datum::Null => out.push(NULL),
        Datum::Bool(value) => out.push(if *value { TRUE } else { FALSE }),
        Datum::Int2(value) => tagged(out, INT2, value.to_le_bytes()),
        Datum::Int4(value) => tagged(out, INT4, value.to_le_bytes()),
        Datum::Int8(value) => tagged(out, INT8, value.to_le_bytes()),
        Datum::Float4(value) => tagged(out, FLOAT4, value.to_le_bytes()),
        Datum::Float8(value) => tagged(out, FLOAT8, value.to_le_bytes()),
        Datum::Date(value) => tagged(out, DATE, value.to_le_bytes()),
        Datum::Time(value) => tagged(out, TIME, value.to_le_bytes()),
        Datum::Timestamp(value) => tagged(out, TIMESTAMP, value.to_le_bytes()),
        Datum::TimestampTz(value) => tagged(out, TIMESTAMP_TZ, value.to_le_bytes()),
        Datum::Oid(value) => tagged(out, OID, value.to_le_bytes()),
        Datum::Unsigned8(value) => tagged(out, UNSIGNED8, value.to_le_bytes()),
        Datum::Enum(value) => {
            tagged(out, ENUM, value.type_oid.to_le_bytes());
            out.extend_from_slice(&value.order.to_le_bytes());
        }
        Datum::Text(value) => with_length(out, TEXT, |out| out.extend_from_slice(value.as_bytes())),
        Datum::Bytea(value) => with_length(out, BYTEA, |out| out.extend_from_slice(value)),
        Datum::Numeric(_) => stored(out, 0, datum),
        Datum::TimeTz(_) => stored(out, 1, datum),
        Datum::Interval(_) => stored(out, 2, datum),
        Datum::Uuid(_) => stored(out, 3, datum),
        Datum::Array(_) => stored(out, 4, datum),
        Datum::Record(_) => stored(out, 5, datum),
        Datum::Jsonb(_) => stored(out, 6, datum),
        Datum::Bits(_) => stored(out, 7, datum),
        Datum::JsonPath(_) => stored(out, 8, datum),
        Datum::Tid(_) => stored(out, 9, datum),
        Datum::Snapshot(_) => stored(out, 10, datum),
    }
}

fn tagged<const N: usize>(out: &mut Vec<u8>, tag: u8, bytes: [u8; N]) {
    out.push(tag);
    out.extend_from_slice(&bytes);
}

fn stored(out: &mut Vec<u8>, kind: u8, datum: &Datum) {
    with_length(out, STORED + kind, |out| encode_value(out, datum));
}

/// The tag, and what is written after it behind its length.
fn with_length(out: &mut Vec<u8>, tag: u8, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let len = (out.len() - at - 4) as u32;
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&len.to_le_bytes());
    }
}

/// Reads the value at the beginning of `bytes`, and moves them behind it.
pub(super) fn decode(bytes: &mut &[u8]) -> SqlResult<Datum> {
    let [tag] = take(bytes)?;
    Ok(match tag {
        NULL => Datum::Null,
        FALSE => Datum::Bool(false),
        TRUE => Datum::Bool(true),
        INT2 => Datum::Int2(i16::from_le_bytes(take(bytes)?)),
        INT4 => Datum::Int4(i32::from_le_bytes(take(bytes)?)),
        INT8 => Datum::Int8(i64::from_le_bytes(take(bytes)?)),
        FLOAT4 => Datum::Float4(f32::from_le_bytes(take(bytes)?)),
        FLOAT8 => Datum::Float8(f64::from_le_bytes(take(bytes)?)),
        DATE => Datum::Date(i32::from_le_bytes(take(bytes)?)),
        TIME => Datum::Time(i64::from_le_bytes(take(bytes)?)),
        TIMESTAMP => Datum::Timestamp(i64::from_le_bytes(take(bytes)?)),
        TIMESTAMP_TZ => Datum::TimestampTz(i64::from_le_bytes(take(bytes)?)),
        OID => Datum::Oid(u32::from_le_bytes(take(bytes)?)),
        UNSIGNED8 => Datum::Unsigned8(u64::from_le_bytes(take(bytes)?)),
        ENUM => {
            let type_oid = u32::from_le_bytes(take(bytes)?);
            Datum::Enum(EnumValue { type_oid, order: u64::from_le_bytes(take(bytes)?) })
        }
        TEXT => Datum::text(std::str::from_utf8(take_long(bytes)?).map_err(|_| damaged())?),
        BYTEA => Datum::bytea(take_long(bytes)?),
        tag => {
            let kind = tag.checked_sub(STORED).and_then(|kind| STORED_TYPES.get(usize::from(kind)));
            decode_value(take_long(bytes)?, Type::new(*kind.ok_or_else(damaged)?))?
        }
    })
}

fn take<const N: usize>(bytes: &mut &[u8]) -> SqlResult<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk::<N>().ok_or_else(damaged)?;
    *bytes = rest;
    Ok(*first)
}

fn take_long<'b>(bytes: &mut &'b [u8]) -> SqlResult<&'b [u8]> {
    let len = u32::from_le_bytes(take(bytes)?) as usize;
    let (value, rest) = bytes.split_at_checked(len).ok_or_else(damaged)?;
    *bytes = rest;
    Ok(value)
}

/// Nobody else writes these bytes, and they never left this process.
fn damaged() -> SqlError {
    SqlError::new(nqdb_sqlstate::DATA_CORRUPTED, "a temporary file does not hold what was written to it")
}
