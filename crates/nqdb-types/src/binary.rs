//! PostgreSQL's binary wire form: big-endian, as its `send` and `recv` functions have it.
//!
//! ```text
//! bool 1 byte        int2 int4 int8 oid float4 float8 date time timestamp(tz)  big-endian
//! interval           micros i64 | days i32 | months i32
//! arrays             see `array::binary`    records               see `record`
//! jsonb              1, its text            json                  its text
//! enums              their labels
//! timetz             micros i64 | seconds west i32           bit, varbit           see `bits`
//! jsonpath           1, its text
//! xid8, pg_lsn       u64             pg_snapshot           see `transaction_id`
//! text types, bytea  as they are             uuid 16 bytes         numeric  see `numeric::wire`
//! ```

use nqdb_sqlstate::{
    CHARACTER_NOT_IN_REPERTOIRE, DATETIME_FIELD_OVERFLOW, FEATURE_NOT_SUPPORTED, INVALID_BINARY_REPRESENTATION,
    INVALID_TIME_ZONE_DISPLACEMENT_VALUE, PROTOCOL_VIOLATION, SqlError, SqlResult,
};

use crate::array::{element_type, read_array, write_array};
use crate::calendar::{self, DATE_END, DATE_MIN, MICROS_PER_DAY};
use crate::json::JsonText;
use crate::record::{composite_shape, read_record, write_record};
use crate::sql_type::is_oid_like;
use crate::text::enumeration;
use crate::time_tz::OFFSET_SECONDS_END;
use crate::{
    Bits, Datum, FormatContext, Interval, Json, JsonPath, Numeric, Sink, TimeTz, TransactionSnapshot, Type,
    apply_typmod, is_composite, is_enum, oid,
};

/// Appends a value's binary form, without a length. NULL writes nothing.
pub fn write_binary<S: Sink>(out: &mut S, datum: &Datum, ty: Type, cx: &FormatContext) {
    match datum {
        Datum::Null => {}
        Datum::Bool(value) => out.put_byte(u8::from(*value)),
        Datum::Int2(value) => out.put(&value.to_be_bytes()),
        Datum::Int4(value) | Datum::Date(value) => out.put(&value.to_be_bytes()),
        Datum::Int8(value) | Datum::Time(value) | Datum::Timestamp(value) | Datum::TimestampTz(value) => {
            out.put(&value.to_be_bytes());
        }
        Datum::Float4(value) => out.put(&value.to_be_bytes()),
        Datum::Float8(value) => out.put(&value.to_be_bytes()),
        Datum::Numeric(value) => value.write_binary(out),
        // The empty "char" is a zero byte.
        Datum::Text(value) if ty.oid == oid::CHAR_INTERNAL => out.put_byte(value.bytes().next().unwrap_or(0)),
        Datum::Text(value) => out.put(value.as_bytes()),
        Datum::Bytea(value) => out.put(value),
        Datum::Interval(value) => {
            out.put(&value.micros.to_be_bytes());
            out.put(&value.days.to_be_bytes());
            out.put(&value.months.to_be_bytes());
        }
        Datum::Uuid(value) => out.put(value),
        Datum::Oid(value) => out.put(&value.to_be_bytes()),
        Datum::Array(value) => write_array(out, value, cx),
        Datum::Record(value) => write_record(out, value, cx),
        Datum::Jsonb(value) => {
            out.put_byte(JSONB_VERSION);
            value.write_to(out);
        }
        Datum::Enum(value) => enumeration::write(out, *value, cx),
        Datum::TimeTz(value) => {
            out.put(&value.micros.to_be_bytes());
            out.put(&value.seconds_west.to_be_bytes());
        }
        Datum::Bits(value) => value.write_binary(out),
        Datum::Unsigned8(value) => out.put(&value.to_be_bytes()),
        Datum::Snapshot(value) => value.write_binary(out),
        Datum::JsonPath(value) => {
            out.put_byte(JSONPATH_VERSION);
            value.write_to(out);
        }
        Datum::Tid(value) => {
            out.put(&value.block.to_be_bytes());
            out.put(&value.offset.to_be_bytes());
        }
    }
}

/// What stands before a jsonb's text.
const JSONB_VERSION: u8 = 1;
/// What stands before a jsonpath's text.
const JSONPATH_VERSION: u8 = 1;

/// Reads a value's binary form; the modifier is applied as in an assignment.
///
/// Errors: 22P03 for bytes too many, 08P01 for too few, 22021 for text that is not UTF-8 or holds a NUL,
/// 22008 for dates out of range, and those of [`apply_typmod`].
pub fn read_binary(bytes: &[u8], ty: Type, cx: &FormatContext) -> SqlResult<Datum> {
    let datum = match ty.oid {
        oid::BOOL => Datum::Bool(exact::<1>(bytes)? != [0]),
        oid::INT2 => Datum::Int2(i16::from_be_bytes(exact(bytes)?)),
        oid::INT4 => Datum::Int4(i32::from_be_bytes(exact(bytes)?)),
        oid::INT8 => Datum::Int8(i64::from_be_bytes(exact(bytes)?)),
        oid::FLOAT4 => Datum::Float4(f32::from_be_bytes(exact(bytes)?)),
        oid::FLOAT8 => Datum::Float8(f64::from_be_bytes(exact(bytes)?)),
        oid::NUMERIC => Datum::Numeric(Numeric::read_binary(bytes)?),
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::UNKNOWN => Datum::Text(text_of_bytes(bytes)?.into()),
        oid::NAME => Datum::Text(read_name(bytes)?.into()),
        oid::CHAR_INTERNAL => match exact::<1>(bytes)? {
            [0] => Datum::text(""),
            [byte] if byte.is_ascii() => Datum::text(char::from(byte).to_string()),
            _ => return Err(SqlError::unsupported("a \"char\" beyond ASCII")),
        },
        oid::JSON => {
            let text = text_of_bytes(bytes)?;
            JsonText::check(text)?;
            Datum::text(text)
        }
        oid::JSONB => match bytes.split_first() {
            Some((&JSONB_VERSION, text)) => Datum::jsonb(Json::parse(text_of_bytes(text)?)?),
            Some((version, _)) => {
                return Err(SqlError::internal(format!("unsupported jsonb version number {version}")));
            }
            None => return Err(SqlError::new(PROTOCOL_VIOLATION, "no data left in message")),
        },
        oid::JSONPATH => match bytes.split_first() {
            Some((&JSONPATH_VERSION, text)) => Datum::json_path(JsonPath::parse(text_of_bytes(text)?)?),
            Some((version, _)) => {
                return Err(SqlError::internal(format!("unsupported jsonpath version number: {version}")));
            }
            None => return Err(SqlError::new(PROTOCOL_VIOLATION, "no data left in message")),
        },
        oid::BIT | oid::VARBIT => Datum::bits(Bits::read_binary(bytes)?),
        oid::XID8 | oid::PG_LSN => Datum::Unsigned8(u64::from_be_bytes(exact(bytes)?)),
        oid::PG_SNAPSHOT | oid::TXID_SNAPSHOT => Datum::snapshot(TransactionSnapshot::read_binary(bytes)?),
        oid::TIMETZ => Datum::TimeTz(read_time_tz(bytes)?),
        oid::TID => {
            let [b0, b1, b2, b3, o0, o1] = exact(bytes)?;
            Datum::Tid(crate::Tid { block: u32::from_be_bytes([b0, b1, b2, b3]), offset: u16::from_be_bytes([o0, o1]) })
        }
        oid::BYTEA => Datum::bytea(bytes),
        oid::UUID => Datum::Uuid(exact(bytes)?),
        oid::DATE => Datum::Date(check_date(i32::from_be_bytes(exact(bytes)?))?),
        oid::TIME => Datum::Time(check_time(i64::from_be_bytes(exact(bytes)?))?),
        oid::TIMESTAMP => Datum::Timestamp(check_timestamp(i64::from_be_bytes(exact(bytes)?))?),
        oid::TIMESTAMPTZ => Datum::TimestampTz(check_timestamp(i64::from_be_bytes(exact(bytes)?))?),
        oid::INTERVAL => {
            let [m0, m1, m2, m3, m4, m5, m6, m7, d0, d1, d2, d3, o0, o1, o2, o3] = exact(bytes)?;
            Datum::Interval(Interval {
                micros: i64::from_be_bytes([m0, m1, m2, m3, m4, m5, m6, m7]),
                days: i32::from_be_bytes([d0, d1, d2, d3]),
                months: i32::from_be_bytes([o0, o1, o2, o3]),
            })
        }
        oid::VOID => Datum::text(""),
        other if is_oid_like(other) => Datum::Oid(u32::from_be_bytes(exact(bytes)?)),
        oid::RECORD => {
            let message = "input of anonymous composite types is not implemented";
            return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message));
        }
        other if is_enum(other) => enumeration::parse(text_of_bytes(bytes)?, other, cx)?,
        other if is_composite(other) => Datum::record(read_record(bytes, &composite_shape(other, cx)?, cx)?),
        other => match element_type(other) {
            // The modifier is the elements': it is applied as they are read.
            Some(element) => return Ok(Datum::array(read_array(bytes, Type::with_typmod(element, ty.typmod), cx)?)),
            None => return Err(SqlError::unsupported(format!("binary input of type {}", cx.type_name(ty)))),
        },
    };
    if ty.typmod < 0 { Ok(datum) } else { apply_typmod(datum, ty, false) }
}

/// All the bytes, which must be so many.
fn exact<const N: usize>(bytes: &[u8]) -> SqlResult<[u8; N]> {
    bytes.try_into().map_err(|_| {
        if bytes.len() < N {
            SqlError::new(PROTOCOL_VIOLATION, "insufficient data left in message")
        } else {
            SqlError::new(INVALID_BINARY_REPRESENTATION, "incorrect binary data format")
        }
    })
}

/// Bytes as text: 22021 for what is not UTF-8 and for a zero byte.
pub fn text_of_bytes(bytes: &[u8]) -> SqlResult<&str> {
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to()))?;
    if bytes.contains(&0) { Err(crate::text::nul_in_text()) } else { Ok(text) }
}

/// `invalid byte sequence for encoding "UTF8": 0xc3 0x28` (22021).
fn not_utf8(bytes: &[u8], valid_up_to: usize) -> SqlError {
    /// As many bytes as the first one announces, as far as there are any.
    fn announced_len(first: u8) -> usize {
        match first {
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf7 => 4,
            _ => 1,
        }
    }
    let rest = bytes.get(valid_up_to..).unwrap_or_default();
    let len = rest.first().map_or(0, |first| announced_len(*first));
    let sequence: Vec<String> = rest.iter().take(len).map(|byte| format!("0x{byte:02x}")).collect();
    let message = format!("invalid byte sequence for encoding \"UTF8\": {}", sequence.join(" "));
    SqlError::new(CHARACTER_NOT_IN_REPERTOIRE, message)
}

fn read_name(bytes: &[u8]) -> SqlResult<&str> {
    text_of_bytes(bytes).map(crate::text::truncate_name)
}

fn check_date(days: i32) -> SqlResult<i32> {
    if !calendar::is_date_finite(days) || (DATE_MIN..DATE_END).contains(&days) {
        return Ok(days);
    }
    Err(SqlError::new(DATETIME_FIELD_OVERFLOW, "date out of range"))
}

fn check_time(micros: i64) -> SqlResult<i64> {
    if (0..=MICROS_PER_DAY).contains(&micros) {
        return Ok(micros);
    }
    Err(SqlError::new(DATETIME_FIELD_OVERFLOW, "time out of range"))
}

fn read_time_tz(bytes: &[u8]) -> SqlResult<TimeTz> {
    let [m0, m1, m2, m3, m4, m5, m6, m7, z0, z1, z2, z3] = exact(bytes)?;
    let micros = check_time(i64::from_be_bytes([m0, m1, m2, m3, m4, m5, m6, m7]))?;
    let seconds_west = i32::from_be_bytes([z0, z1, z2, z3]);
    if seconds_west <= -OFFSET_SECONDS_END || seconds_west >= OFFSET_SECONDS_END {
        return Err(SqlError::new(INVALID_TIME_ZONE_DISPLACEMENT_VALUE, "time zone displacement out of range"));
    }
    Ok(TimeTz { micros, seconds_west })
}

fn check_timestamp(micros: i64) -> SqlResult<i64> {
    if !calendar::is_timestamp_finite(micros) || calendar::is_timestamp_in_range(micros) {
        return Ok(micros);
    }
    Err(SqlError::new(DATETIME_FIELD_OVERFLOW, "timestamp out of range"))
}
