//! Keys whose bytes sort as their values do, version 1.
//!
//! ```text
//! key     = column, column, ...                         whatever the caller appends, such as a row id
//! column  = marker, payload
//! marker  = 00 NULL that sorts first | 01 a value | 02 NULL that sorts last        never inverted
//! payload = one of the forms below; every byte inverted when the column is descending
//!
//! bool                         00 | 01
//! int2 int4 int8, date, time,  big-endian, sign bit flipped
//! timestamp, timestamptz
//! oid, reg types, xid8, pg_lsn big-endian
//! tid                          block, then offset: big-endian
//! uuid                         its 16 bytes
//! timetz                       µs since midnight UTC, then seconds west: big-endian, sign bits flipped
//! bit, varbit                  its bytes as those of a bytea, then the length in 4 bytes, big-endian
//! float4 float8                big-endian bits: sign flipped if positive, all inverted if negative
//! interval                     comparison value in µs: 10 bytes, big-endian, sign bit flipped
//! text types, bytea            00 becomes 00 FF; ends with 00 00
//! numeric                      see the `numeric` file
//! arrays and records           see the `nested` file
//! enums                        the order of the label, big-endian
//! jsonb                        see the `json` file
//! ```
//!
//! What always holds, for keys of the same columns:
//!
//! 1. Byte order is PostgreSQL's btree order: column by column, in each column's direction, NULLs where it
//!    says. Values that SQL holds equal have the same bytes: -0 is 0, all NaNs are one, a `bpchar` has no
//!    blanks at its end, a numeric no zeros.
//! 2. No encoded column is a proper prefix of another one of its type. So what follows a column decides only
//!    when the columns are equal.

mod json;
mod nested;
mod numeric;

use crate::array::element_type;
use crate::calendar::MICROS_PER_SECOND;
use crate::datum::without_trailing_blanks;
use crate::row::Corrupt;
use crate::{Bits, Datum, EnumValue, Interval, Oid, TimeTz, Type, is_composite, is_enum, oid};

const MARKER_NULL_FIRST: u8 = 0x00;
const MARKER_VALUE: u8 = 0x01;
const MARKER_NULL_LAST: u8 = 0x02;

/// What a zero byte within a text or bytea is followed by; above it nothing sorts.
const ESCAPED_ZERO: u8 = 0xff;
/// What ends a text or bytea, after a zero byte; below it nothing sorts.
const END_OF_STRING: u8 = 0x00;

const INTERVAL_LEN: usize = 10;

/// Positions from here on stand for values that are computed from a row, counted from 0: a row has at most 1,600 columns.
pub const COMPUTED_FROM: usize = 1 << 16;

/// One column of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyColumn {
    /// Position of the column in its row, or from [`COMPUTED_FROM`] on which computed value it is. The codec does not
    /// look at it.
    pub column: usize,
    pub ty: Type,
    pub descending: bool,
    /// PostgreSQL's default is the direction: NULLs last ascending, first descending.
    pub nulls_first: bool,
}

impl KeyColumn {
    /// Which of the values that are computed from the row it is; `None` for a column of the row.
    pub const fn computed(&self) -> Option<usize> {
        self.column.checked_sub(COMPUTED_FROM)
    }

    /// An ascending column with NULLs last.
    pub const fn ascending(column: usize, ty: Type) -> KeyColumn {
        KeyColumn { column, ty, descending: false, nulls_first: false }
    }

    /// A descending column with NULLs first.
    pub const fn descending(column: usize, ty: Type) -> KeyColumn {
        KeyColumn { column, ty, descending: true, nulls_first: true }
    }
}

/// Appends a value's key bytes.
pub fn encode(out: &mut Vec<u8>, datum: &Datum, column: &KeyColumn) {
    if datum.is_null() {
        out.push(if column.nulls_first { MARKER_NULL_FIRST } else { MARKER_NULL_LAST });
        return;
    }
    out.push(MARKER_VALUE);
    let start = out.len();
    encode_ascending(out, datum, column.ty.oid);
    if column.descending {
        invert(out.get_mut(start..).unwrap_or_default());
    }
}

/// Appends the key bytes of several columns. Gives `false` when any of the values is NULL, which is what a
/// unique index asks.
pub fn encode_all<'a>(out: &mut Vec<u8>, columns: &[KeyColumn], datums: impl IntoIterator<Item = &'a Datum>) -> bool {
    let mut all_present = true;
    for (column, datum) in columns.iter().zip(datums) {
        all_present &= !datum.is_null();
        encode(out, datum, column);
    }
    all_present
}

fn encode_ascending(out: &mut Vec<u8>, datum: &Datum, type_oid: Oid) {
    match datum {
        Datum::Null => {}
        Datum::Bool(value) => out.push(u8::from(*value)),
        Datum::Int2(value) => out.extend_from_slice(&(value.cast_unsigned() ^ 1 << 15).to_be_bytes()),
        Datum::Int4(value) | Datum::Date(value) => {
            out.extend_from_slice(&(value.cast_unsigned() ^ 1 << 31).to_be_bytes())
        }
        Datum::Int8(value) | Datum::Time(value) | Datum::Timestamp(value) | Datum::TimestampTz(value) => {
            out.extend_from_slice(&(value.cast_unsigned() ^ 1 << 63).to_be_bytes());
        }
        Datum::Float4(value) => out.extend_from_slice(&sortable_f32(*value).to_be_bytes()),
        Datum::Float8(value) => out.extend_from_slice(&sortable_f64(*value).to_be_bytes()),
        Datum::Numeric(value) => numeric::encode(out, value),
        Datum::Text(value) if type_oid == oid::BPCHAR => encode_bytes(out, without_trailing_blanks(value).as_bytes()),
        Datum::Text(value) => encode_bytes(out, value.as_bytes()),
        Datum::Bytea(value) => encode_bytes(out, value),
        Datum::Interval(value) => out.extend_from_slice(&sortable_interval(value)),
        Datum::Uuid(value) => out.extend_from_slice(value),
        Datum::Oid(value) => out.extend_from_slice(&value.to_be_bytes()),
        Datum::Array(value) => nested::encode_array(out, value),
        Datum::Record(value) => nested::encode_record(out, value),
        Datum::Jsonb(value) => json::encode(out, value),
        Datum::Enum(value) => out.extend_from_slice(&value.order.to_be_bytes()),
        Datum::TimeTz(value) => {
            out.extend_from_slice(&(value.utc_micros().cast_unsigned() ^ 1 << 63).to_be_bytes());
            out.extend_from_slice(&(value.seconds_west.cast_unsigned() ^ 1 << 31).to_be_bytes());
        }
        Datum::Bits(value) => {
            encode_bytes(out, value.bytes());
            out.extend_from_slice(&(value.len() as u32).to_be_bytes());
        }
        Datum::Unsigned8(value) => out.extend_from_slice(&value.to_be_bytes()),
        // No operator class orders snapshots and paths, so no index has them; some bytes of theirs keep the codec total.
        Datum::JsonPath(value) => encode_bytes(out, value.to_text().as_bytes()),
        Datum::Tid(value) => {
            out.extend_from_slice(&value.block.to_be_bytes());
            out.extend_from_slice(&value.offset.to_be_bytes());
        }
        Datum::Snapshot(value) => {
            let mut stored = Vec::new();
            value.encode(&mut stored);
            encode_bytes(out, &stored);
        }
    }
}

/// Bits whose unsigned order is PostgreSQL's order of floats.
fn sortable_f64(value: f64) -> u64 {
    let bits = if value.is_nan() {
        f64::NAN.to_bits() & !(1 << 63)
    } else if value == 0.0 {
        0
    } else {
        value.to_bits()
    };
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

/// Bits whose unsigned order is PostgreSQL's order of floats.
fn sortable_f32(value: f32) -> u32 {
    let bits = if value.is_nan() {
        f32::NAN.to_bits() & !(1 << 31)
    } else if value == 0.0 {
        0
    } else {
        value.to_bits()
    };
    if bits >> 31 == 0 { bits | 1 << 31 } else { !bits }
}

/// The comparison value is below 2^73 in magnitude, so that ten bytes hold it.
fn sortable_interval(value: &Interval) -> [u8; INTERVAL_LEN] {
    let biased = (value.comparison_value() + (1i128 << 79)) as u128;
    let [_, _, _, _, _, _, bytes @ ..] = biased.to_be_bytes();
    bytes
}

fn encode_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    for (index, part) in bytes.split(|byte| *byte == 0).enumerate() {
        if index > 0 {
            out.extend_from_slice(&[0, ESCAPED_ZERO]);
        }
        out.extend_from_slice(part);
    }
    out.extend_from_slice(&[0, END_OF_STRING]);
}

fn invert(bytes: &mut [u8]) {
    for byte in bytes {
        *byte = !*byte;
    }
}

/// What a key says of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoded {
    /// The value, NULL included, just as it stood in the row.
    Exact(Datum),
    /// The key does not hold all of the value: numeric loses its scale, float the sign of zero, `bpchar` its
    /// blanks, interval its fields.
    Inexact,
}

/// Takes the next column off a key.
pub fn decode(input: &mut &[u8], column: &KeyColumn) -> Result<Decoded, Corrupt> {
    match take::<1>(input, false)? {
        [MARKER_NULL_FIRST] if column.nulls_first => return Ok(Decoded::Exact(Datum::Null)),
        [MARKER_NULL_LAST] if !column.nulls_first => return Ok(Decoded::Exact(Datum::Null)),
        [MARKER_VALUE] => {}
        _ => return Err(Corrupt::new("a key column has no valid marker")),
    }
    decode_value(input, column, 0)
}

/// Takes a value's payload off a key, `nesting` levels within another value.
fn decode_value(input: &mut &[u8], column: &KeyColumn, nesting: u16) -> Result<Decoded, Corrupt> {
    let inverted = column.descending;
    let datum = match column.ty.oid {
        oid::BOOL => match take::<1>(input, inverted)? {
            [0] => Datum::Bool(false),
            [1] => Datum::Bool(true),
            _ => return Err(Corrupt::new("a boolean in a key is neither 0 nor 1")),
        },
        oid::INT2 => Datum::Int2((u16::from_be_bytes(take(input, inverted)?) ^ 1 << 15).cast_signed()),
        oid::INT4 => Datum::Int4(take_i32(input, inverted)?),
        oid::INT8 => Datum::Int8(take_i64(input, inverted)?),
        oid::DATE => Datum::Date(take_i32(input, inverted)?),
        oid::TIME => Datum::Time(take_i64(input, inverted)?),
        oid::TIMESTAMP => Datum::Timestamp(take_i64(input, inverted)?),
        oid::TIMESTAMPTZ => Datum::TimestampTz(take_i64(input, inverted)?),
        oid::UUID => Datum::Uuid(take(input, inverted)?),
        oid::TID => {
            let block = u32::from_be_bytes(take(input, inverted)?);
            Datum::Tid(crate::Tid { block, offset: u16::from_be_bytes(take(input, inverted)?) })
        }
        oid::TIMETZ => {
            let utc_micros = take_i64(input, inverted)?;
            let seconds_west = take_i32(input, inverted)?;
            let micros = utc_micros.wrapping_sub(i64::from(seconds_west).wrapping_mul(MICROS_PER_SECOND));
            Datum::TimeTz(TimeTz { micros, seconds_west })
        }
        oid::BIT | oid::VARBIT => {
            let bytes = take_bytes(input, inverted)?;
            let len = u32::from_be_bytes(take(input, inverted)?) as usize;
            if len.div_ceil(8) != bytes.len() {
                return Err(Corrupt::new("a bit string in a key does not have its length"));
            }
            Datum::bits(Bits::from_bytes(bytes, len))
        }
        oid::XID8 | oid::PG_LSN => Datum::Unsigned8(u64::from_be_bytes(take(input, inverted)?)),
        oid::JSONPATH | oid::PG_SNAPSHOT | oid::TXID_SNAPSHOT => {
            take_bytes(input, inverted)?;
            return Ok(Decoded::Inexact);
        }
        oid::BYTEA => Datum::bytea(take_bytes(input, inverted)?),
        oid::FLOAT4 => {
            take::<4>(input, inverted)?;
            return Ok(Decoded::Inexact);
        }
        oid::FLOAT8 => {
            take::<8>(input, inverted)?;
            return Ok(Decoded::Inexact);
        }
        oid::INTERVAL => {
            take::<INTERVAL_LEN>(input, inverted)?;
            return Ok(Decoded::Inexact);
        }
        oid::NUMERIC => {
            numeric::skip(input, inverted)?;
            return Ok(Decoded::Inexact);
        }
        oid::BPCHAR => {
            take_bytes(input, inverted)?;
            return Ok(Decoded::Inexact);
        }
        oid::RECORD => return nested::skip_record(input, inverted, nesting),
        oid::JSONB => return json::skip(input, inverted),
        type_oid if is_enum(type_oid) => {
            Datum::Enum(EnumValue { type_oid, order: u64::from_be_bytes(take(input, inverted)?) })
        }
        type_oid if is_composite(type_oid) => return nested::skip_record(input, inverted, nesting),
        _ if crate::sql_type::is_oid_like(column.ty.oid) => Datum::Oid(u32::from_be_bytes(take(input, inverted)?)),
        other if let Some(element) = element_type(other) => {
            return nested::decode_array(input, element, inverted, nesting);
        }
        _ => {
            let bytes = take_bytes(input, inverted)?;
            Datum::text(String::from_utf8(bytes).map_err(|_| Corrupt::new("a text in a key is not UTF-8"))?)
        }
    };
    Ok(Decoded::Exact(datum))
}

fn take_i32(input: &mut &[u8], inverted: bool) -> Result<i32, Corrupt> {
    Ok((u32::from_be_bytes(take(input, inverted)?) ^ 1 << 31).cast_signed())
}

fn take_i64(input: &mut &[u8], inverted: bool) -> Result<i64, Corrupt> {
    Ok((u64::from_be_bytes(take(input, inverted)?) ^ 1 << 63).cast_signed())
}

fn take<const N: usize>(input: &mut &[u8], inverted: bool) -> Result<[u8; N], Corrupt> {
    let (bytes, rest) = input.split_first_chunk::<N>().ok_or(Corrupt::new("a key ends within a column"))?;
    *input = rest;
    Ok(if inverted { bytes.map(|byte| !byte) } else { *bytes })
}

fn take_bytes(input: &mut &[u8], inverted: bool) -> Result<Vec<u8>, Corrupt> {
    let mut bytes = Vec::new();
    loop {
        match take::<1>(input, inverted)? {
            [0] => match take::<1>(input, inverted)? {
                [ESCAPED_ZERO] => bytes.push(0),
                [END_OF_STRING] => return Ok(bytes),
                _ => return Err(Corrupt::new("a zero byte in a key is followed by an unknown one")),
            },
            [byte] => bytes.push(byte),
        }
    }
}

#[cfg(test)]
mod tests;
