//! The storage form of a single value. Its length is known from outside.
//!
//! ```text
//! bool                    1 byte, 0 or 1
//! int2 int4 int8          little-endian
//! float4 float8           IEEE 754 bits, little-endian
//! text types              UTF-8
//! bytea, uuid             as they are
//! date                    i32        time, timestamp(tz)   i64
//! interval                micros i64 | days i32 | months i32
//! oid and reg types       u32
//! arrays and records      see the `nested` file
//! enums                   the order of the label, u64
//! jsonb                   see `json::stored`
//! timetz                  micros i64 | seconds west i32
//! bit, varbit             length u32 | bytes
//! jsonpath                its text
//! xid8, pg_lsn            u64
//! pg_snapshot             xmin, xmax and the running ones, u64 each
//! numeric                 head | scale u16, only if the head says so | magnitude, little-endian, no zero at its end
//!
//! head of a numeric:      bits 0..3 kind: 0 NaN, 1 infinity, 2 -infinity, 3 positive or zero, 4 negative
//!                         bits 3..8 scale, 31: it follows in two bytes
//! ```
//!
//! A numeric keeps its scale; zero has no magnitude. Every value has exactly one form.

use num_bigint::{BigInt, Sign};

use super::{Corrupt, nested};
use crate::array::element_type;
use crate::json;
use crate::numeric::SCALE_MAX;
use crate::sql_type::is_oid_like;
use crate::{
    Bits, Datum, EnumValue, Interval, JsonPath, Numeric, TimeTz, TransactionSnapshot, Type, is_composite, is_enum, oid,
};

const KIND_NAN: u8 = 0;
const KIND_INFINITY: u8 = 1;
const KIND_NEGATIVE_INFINITY: u8 = 2;
const KIND_POSITIVE: u8 = 3;
const KIND_NEGATIVE: u8 = 4;
const KIND_BITS: u32 = 3;
const KIND_MASK: u8 = (1 << KIND_BITS) - 1;
/// The scale in the head that says that the scale follows.
const SCALE_FOLLOWS: u8 = 31;

/// Appends a value's storage form; NULL has none and appends nothing.
pub fn encode_value(out: &mut Vec<u8>, datum: &Datum) {
    match datum {
        Datum::Null => {}
        Datum::Bool(value) => out.push(u8::from(*value)),
        Datum::Int2(value) => out.extend_from_slice(&value.to_le_bytes()),
        Datum::Int4(value) | Datum::Date(value) => out.extend_from_slice(&value.to_le_bytes()),
        Datum::Int8(value) | Datum::Time(value) | Datum::Timestamp(value) | Datum::TimestampTz(value) => {
            out.extend_from_slice(&value.to_le_bytes());
        }
        Datum::Float4(value) => out.extend_from_slice(&value.to_le_bytes()),
        Datum::Float8(value) => out.extend_from_slice(&value.to_le_bytes()),
        Datum::Numeric(value) => encode_numeric(out, value),
        Datum::Text(value) => out.extend_from_slice(value.as_bytes()),
        Datum::Bytea(value) => out.extend_from_slice(value),
        Datum::Interval(value) => {
            out.extend_from_slice(&value.micros.to_le_bytes());
            out.extend_from_slice(&value.days.to_le_bytes());
            out.extend_from_slice(&value.months.to_le_bytes());
        }
        Datum::Uuid(value) => out.extend_from_slice(value),
        Datum::Oid(value) => out.extend_from_slice(&value.to_le_bytes()),
        Datum::Array(value) => nested::encode_array(out, value),
        Datum::Record(value) => nested::encode_record(out, value),
        Datum::Jsonb(value) => json::encode(out, value),
        Datum::Enum(value) => out.extend_from_slice(&value.order.to_le_bytes()),
        Datum::TimeTz(value) => {
            out.extend_from_slice(&value.micros.to_le_bytes());
            out.extend_from_slice(&value.seconds_west.to_le_bytes());
        }
        Datum::Bits(value) => {
            out.extend_from_slice(&(value.len() as u32).to_le_bytes());
            out.extend_from_slice(value.bytes());
        }
        Datum::JsonPath(value) => value.write_to(out),
        Datum::Tid(value) => {
            out.extend_from_slice(&value.block.to_le_bytes());
            out.extend_from_slice(&value.offset.to_le_bytes());
        }
        Datum::Unsigned8(value) => out.extend_from_slice(&value.to_le_bytes()),
        Datum::Snapshot(value) => value.encode(out),
    }
}

/// Reads a value's storage form.
pub fn decode_value(bytes: &[u8], ty: Type) -> Result<Datum, Corrupt> {
    decode_nested_value(bytes, ty, 0)
}

/// Reads a value's storage form, `nesting` levels within another value.
pub(super) fn decode_nested_value(bytes: &[u8], ty: Type, nesting: u16) -> Result<Datum, Corrupt> {
    Ok(match ty.oid {
        oid::BOOL => match bytes {
            [0] => Datum::Bool(false),
            [1] => Datum::Bool(true),
            _ => return Err(Corrupt::new("a stored boolean is neither 0 nor 1")),
        },
        oid::INT2 => Datum::Int2(i16::from_le_bytes(exact(bytes)?)),
        oid::INT4 => Datum::Int4(i32::from_le_bytes(exact(bytes)?)),
        oid::INT8 => Datum::Int8(i64::from_le_bytes(exact(bytes)?)),
        oid::FLOAT4 => Datum::Float4(f32::from_le_bytes(exact(bytes)?)),
        oid::FLOAT8 => Datum::Float8(f64::from_le_bytes(exact(bytes)?)),
        oid::NUMERIC => Datum::Numeric(decode_numeric(bytes)?),
        oid::BYTEA => Datum::bytea(bytes),
        oid::DATE => Datum::Date(i32::from_le_bytes(exact(bytes)?)),
        oid::TIME => Datum::Time(i64::from_le_bytes(exact(bytes)?)),
        oid::TIMESTAMP => Datum::Timestamp(i64::from_le_bytes(exact(bytes)?)),
        oid::TIMESTAMPTZ => Datum::TimestampTz(i64::from_le_bytes(exact(bytes)?)),
        oid::INTERVAL => {
            let [m0, m1, m2, m3, m4, m5, m6, m7, d0, d1, d2, d3, o0, o1, o2, o3] = exact(bytes)?;
            Datum::Interval(Interval {
                micros: i64::from_le_bytes([m0, m1, m2, m3, m4, m5, m6, m7]),
                days: i32::from_le_bytes([d0, d1, d2, d3]),
                months: i32::from_le_bytes([o0, o1, o2, o3]),
            })
        }
        oid::UUID => Datum::Uuid(exact(bytes)?),
        oid::TIMETZ => {
            let [m0, m1, m2, m3, m4, m5, m6, m7, z0, z1, z2, z3] = exact(bytes)?;
            Datum::TimeTz(TimeTz {
                micros: i64::from_le_bytes([m0, m1, m2, m3, m4, m5, m6, m7]),
                seconds_west: i32::from_le_bytes([z0, z1, z2, z3]),
            })
        }
        oid::TID => {
            let [b0, b1, b2, b3, o0, o1] = exact(bytes)?;
            Datum::Tid(crate::Tid { block: u32::from_le_bytes([b0, b1, b2, b3]), offset: u16::from_le_bytes([o0, o1]) })
        }
        oid::BIT | oid::VARBIT => Datum::bits(decode_bits(bytes)?),
        oid::JSONPATH => decode_json_path(bytes)?,
        oid::XID8 | oid::PG_LSN => Datum::Unsigned8(u64::from_le_bytes(exact(bytes)?)),
        oid::PG_SNAPSHOT | oid::TXID_SNAPSHOT => Datum::snapshot(TransactionSnapshot::decode(bytes)?),
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME => decode_text(bytes)?,
        oid::RECORD => Datum::record(nested::decode_record(bytes, nesting)?),
        oid::JSONB => Datum::jsonb(json::decode(bytes)?),
        type_oid if is_enum(type_oid) => Datum::Enum(EnumValue { type_oid, order: u64::from_le_bytes(exact(bytes)?) }),
        type_oid if is_composite(type_oid) => Datum::record(nested::decode_record(bytes, nesting)?),
        _ if is_oid_like(ty.oid) => Datum::Oid(u32::from_le_bytes(exact(bytes)?)),
        _ if element_type(ty.oid).is_some() => Datum::array(nested::decode_array(bytes, nesting)?),
        _ => decode_text(bytes)?,
    })
}

fn decode_bits(bytes: &[u8]) -> Result<Bits, Corrupt> {
    let (len, bytes) = bytes.split_first_chunk::<4>().ok_or(Corrupt::new("a stored bit string has no length"))?;
    let len = u32::from_le_bytes(*len) as usize;
    if len.div_ceil(8) != bytes.len() {
        return Err(Corrupt::new("a stored bit string does not have its length"));
    }
    Ok(Bits::from_bytes(bytes.to_vec(), len))
}

fn decode_json_path(bytes: &[u8]) -> Result<Datum, Corrupt> {
    let text = std::str::from_utf8(bytes).map_err(|_| Corrupt::new("a stored jsonpath is not UTF-8"))?;
    JsonPath::parse(text).map(Datum::json_path).map_err(|_| Corrupt::new("a stored jsonpath is none"))
}

fn decode_text(bytes: &[u8]) -> Result<Datum, Corrupt> {
    std::str::from_utf8(bytes).map(Datum::text).map_err(|_| Corrupt::new("a stored text is not UTF-8"))
}

fn exact<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Corrupt> {
    bytes.try_into().map_err(|_| Corrupt::new("a stored value does not have its type's length"))
}

fn encode_numeric(out: &mut Vec<u8>, value: &Numeric) {
    if let Some((coefficient, scale)) = value.as_scaled_i64() {
        encode_numeric_head(out, if coefficient < 0 { KIND_NEGATIVE } else { KIND_POSITIVE }, scale);
        let magnitude = coefficient.unsigned_abs().to_le_bytes();
        let len = 8 - coefficient.unsigned_abs().leading_zeros() as usize / 8;
        out.extend_from_slice(magnitude.get(..len).unwrap_or_default());
    } else if let Some((coefficient, scale)) = value.to_scaled_bigint() {
        let (sign, magnitude) = coefficient.to_bytes_le();
        encode_numeric_head(out, if sign == Sign::Minus { KIND_NEGATIVE } else { KIND_POSITIVE }, scale);
        out.extend_from_slice(&magnitude);
    } else if value.is_nan() {
        out.push(KIND_NAN);
    } else {
        out.push(if value.is_negative() { KIND_NEGATIVE_INFINITY } else { KIND_INFINITY });
    }
}

fn encode_numeric_head(out: &mut Vec<u8>, kind: u8, scale: u16) {
    match u8::try_from(scale) {
        Ok(short) if short < SCALE_FOLLOWS => out.push(kind | (short << KIND_BITS)),
        _ => {
            out.push(kind | (SCALE_FOLLOWS << KIND_BITS));
            out.extend_from_slice(&scale.to_le_bytes());
        }
    }
}

fn decode_numeric(bytes: &[u8]) -> Result<Numeric, Corrupt> {
    let (&head, rest) = bytes.split_first().ok_or(Corrupt::new("a stored numeric is empty"))?;
    let negative = match head & KIND_MASK {
        KIND_POSITIVE => false,
        KIND_NEGATIVE => true,
        _ => return decode_special_numeric(head, rest),
    };
    let (scale, magnitude) = split_scale(head, rest)?;
    if magnitude.len() < 8 {
        let mut word = [0; 8];
        word.iter_mut().zip(magnitude).for_each(|(to, from)| *to = *from);
        let coefficient = i64::from_le_bytes(word);
        return Ok(Numeric::from_scaled(if negative { -coefficient } else { coefficient }, scale));
    }
    let coefficient = BigInt::from_bytes_le(if negative { Sign::Minus } else { Sign::Plus }, magnitude);
    Numeric::from_bigint(coefficient, u32::from(scale)).map_err(|_| Corrupt::new("a stored numeric is too long"))
}

/// What a stored numeric is, as far as 128 bits tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScaledNumeric {
    /// `coefficient * 10^-scale`.
    Finite {
        coefficient: i128,
        scale: u16,
    },
    NotANumber,
    /// An infinity, or a number of more digits.
    Other,
}

/// Reads a numeric's storage form without making a [`Numeric`]: what a scan of many rows does.
pub fn decode_scaled_numeric(bytes: &[u8]) -> Result<ScaledNumeric, Corrupt> {
    let (&head, rest) = bytes.split_first().ok_or(Corrupt::new("a stored numeric is empty"))?;
    let negative = match head & KIND_MASK {
        KIND_POSITIVE => false,
        KIND_NEGATIVE => true,
        KIND_NAN => return Ok(ScaledNumeric::NotANumber),
        _ => return Ok(ScaledNumeric::Other),
    };
    let (scale, magnitude) = split_scale(head, rest)?;
    let is_wide = magnitude.len() > 16 || magnitude.get(15).is_some_and(|top| *top >= 0x80);
    if is_wide {
        return Ok(ScaledNumeric::Other);
    }
    let mut word = [0; 16];
    word.iter_mut().zip(magnitude).for_each(|(to, from)| *to = *from);
    let coefficient = i128::from_le_bytes(word);
    Ok(ScaledNumeric::Finite { coefficient: if negative { -coefficient } else { coefficient }, scale })
}

/// The scale of a finite numeric, and the bytes of its magnitude.
fn split_scale(head: u8, rest: &[u8]) -> Result<(u16, &[u8]), Corrupt> {
    let (scale, magnitude) = match head >> KIND_BITS {
        SCALE_FOLLOWS => match rest {
            [low, high, magnitude @ ..] => (u16::from_le_bytes([*low, *high]), magnitude),
            _ => return Err(Corrupt::new("a stored numeric ends within its scale")),
        },
        short => (u16::from(short), rest),
    };
    if i32::from(scale) > SCALE_MAX || magnitude.last() == Some(&0) {
        return Err(Corrupt::new("a stored numeric has no valid scale or magnitude"));
    }
    Ok((scale, magnitude))
}

fn decode_special_numeric(head: u8, rest: &[u8]) -> Result<Numeric, Corrupt> {
    match (head, rest) {
        (KIND_NAN, []) => Ok(Numeric::NAN),
        (KIND_INFINITY, []) => Ok(Numeric::INFINITY),
        (KIND_NEGATIVE_INFINITY, []) => Ok(Numeric::NEGATIVE_INFINITY),
        _ => Err(Corrupt::new("a stored numeric has no valid kind")),
    }
}
