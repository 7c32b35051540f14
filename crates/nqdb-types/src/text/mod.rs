//! PostgreSQL's spelling of values, in both directions.
//!
//! | file | types |
//! |---|---|
//! | `integer` | int2, int4, int8, oid |
//! | `float` | float4, float8 |
//! | `enumeration` | enums |
//! | `string` | bool, text types, bytea, uuid |
//! | `crate::datetime` | date, time, timestamp, interval |
//! | `crate::numeric` | numeric |
//! | `crate::bits`, `crate::jsonpath` | bit, varbit, jsonpath |
//! | `crate::transaction_id` | xid, xid8, pg_lsn, pg_snapshot |
//! | `crate::array`, `crate::record` | arrays and records |

pub(crate) mod enumeration;
pub(crate) mod float;
mod integer;
mod string;

pub use enumeration::usable as enum_label_value;
pub(crate) use string::{nul_in_text, truncate_name};

use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, INVALID_TEXT_REPRESENTATION, SqlError, SqlResult};

use crate::array::{element_type, parse_array_with, parse_vector, write_array_text};
use crate::json::JsonText;
use crate::record::{composite_shape, parse_record_with, write_record_text};
use crate::sql_type::is_oid_like;
use crate::transaction_id::{parse_lsn, parse_xid, parse_xid8, write_lsn};
use crate::{
    Bits, Datum, FormatContext, Json, JsonPath, Numeric, Sink, TransactionSnapshot, Type, apply_typmod, datetime,
    is_composite, is_enum, is_user_type, oid, type_info,
};

/// Writes a value in PostgreSQL's spelling. NULL writes nothing: the protocol marks it outside the value.
///
/// A regtype is written by its type's name, the other reg types as the number they hold: who has a catalog writes
/// their names instead.
pub fn write_text<S: Sink>(out: &mut S, datum: &Datum, ty: Type, cx: &FormatContext) {
    match datum {
        Datum::Null => {}
        Datum::Bool(value) => out.put(if *value { b"t" } else { b"f" }),
        Datum::Int2(value) => integer::write(out, *value),
        Datum::Int4(value) => integer::write(out, *value),
        Datum::Int8(value) => integer::write(out, *value),
        Datum::Oid(0) if is_oid_like(ty.oid) && !shows_zero(ty.oid) => out.put(b"-"),
        Datum::Oid(value) if ty.oid == oid::REGTYPE && (type_info(*value).is_some() || is_user_type(*value)) => {
            out.put(cx.type_name(Type::new(*value)).as_bytes());
        }
        Datum::Oid(value) => integer::write(out, *value),
        Datum::Float4(value) => float::write_f32(out, *value, cx.extra_float_digits),
        Datum::Float8(value) => float::write_f64(out, *value, cx.extra_float_digits),
        Datum::Numeric(value) => value.write_to(out),
        Datum::Text(value) => out.put(value.as_bytes()),
        Datum::Bytea(value) => string::write_bytea(out, value, cx.bytea_output),
        Datum::Uuid(value) => string::write_uuid(out, value),
        Datum::Date(value) => datetime::write_date(out, *value, cx),
        Datum::Time(value) => datetime::write_time(out, *value),
        Datum::Timestamp(value) => datetime::write_timestamp(out, *value, cx),
        Datum::TimestampTz(value) => datetime::write_timestamp_tz(out, *value, cx),
        Datum::Interval(value) => datetime::write_interval(out, value, cx.interval_style),
        Datum::Array(value) => write_array_text(out, value, ty, cx),
        Datum::Record(value) => write_record_text(out, value, cx),
        Datum::Jsonb(value) => value.write_to(out),
        Datum::Enum(value) => enumeration::write(out, *value, cx),
        Datum::TimeTz(value) => datetime::write_time_tz(out, *value),
        Datum::Bits(value) => value.write_to(out),
        Datum::JsonPath(value) => value.write_to(out),
        Datum::Tid(value) => out.put(value.to_string().as_bytes()),
        Datum::Unsigned8(value) if ty.oid == oid::PG_LSN => write_lsn(out, *value),
        Datum::Unsigned8(value) => integer::write(out, *value),
        Datum::Snapshot(value) => value.write_to(out),
    }
}

/// Whether "none" is written as the number that it is: plain numbers, and the two types of operators.
fn shows_zero(type_oid: crate::Oid) -> bool {
    matches!(type_oid, oid::OID | oid::XID | oid::CID | oid::REGOPER | oid::REGOPERATOR)
}

/// Reads a value in PostgreSQL's spelling.
///
/// The modifier is applied as PostgreSQL's input functions do, that is as in an assignment: `varchar(n)` that
/// is too long is 22001. A malformed value is 22P02 or 22007, one out of range 22003 or 22008. The reg types
/// take numbers only: their names are the catalog's.
pub fn parse_text(text: &str, ty: Type, cx: &FormatContext) -> SqlResult<Datum> {
    let datum = match ty.oid {
        oid::BOOL => Datum::Bool(string::parse_bool(text)?),
        oid::INT2 => Datum::Int2(integer::parse(text, "smallint")?),
        oid::INT4 => Datum::Int4(integer::parse(text, "integer")?),
        oid::INT8 => Datum::Int8(integer::parse(text, "bigint")?),
        oid::FLOAT4 => Datum::Float4(float::parse_f32(text)?),
        oid::FLOAT8 => Datum::Float8(float::parse_f64(text)?),
        oid::NUMERIC => Datum::Numeric(Numeric::parse(text)?),
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::UNKNOWN | oid::CSTRING => {
            Datum::Text(string::check_text(text)?.into())
        }
        oid::NAME => Datum::Text(string::truncate_name(string::check_text(text)?).into()),
        oid::CHAR_INTERNAL => Datum::Text(string::parse_char(text)?.into()),
        oid::BYTEA => Datum::bytea(string::parse_bytea(text)?),
        oid::UUID => Datum::Uuid(string::parse_uuid(text)?),
        oid::DATE => Datum::Date(datetime::parse_date(text, cx)?),
        oid::TIME => Datum::Time(datetime::parse_time(text, cx)?),
        oid::TIMETZ => Datum::TimeTz(datetime::parse_time_tz(text, cx)?),
        oid::TID => Datum::Tid(crate::Tid::parse(text)?),
        oid::TIMESTAMP => Datum::Timestamp(datetime::parse_timestamp(text, cx)?),
        oid::TIMESTAMPTZ => Datum::TimestampTz(datetime::parse_timestamp_tz(text, cx)?),
        oid::INTERVAL => Datum::Interval(datetime::parse_interval(text, ty.typmod, cx.interval_style)?),
        oid::XID => Datum::Oid(parse_xid(text)),
        oid::CID | oid::OID => Datum::Oid(integer::parse_oid(text, &ty.name())?),
        oid::XID8 => Datum::Unsigned8(parse_xid8(text)),
        oid::PG_LSN => Datum::Unsigned8(parse_lsn(text)?),
        oid::PG_SNAPSHOT | oid::TXID_SNAPSHOT => Datum::snapshot(TransactionSnapshot::parse(text)?),
        // A tuple of no columns is all that void has.
        oid::VOID => Datum::text(""),
        other if is_oid_like(other) => match text {
            "-" => Datum::Oid(0),
            _ => Datum::Oid(integer::parse_oid(text, &ty.name())?),
        },
        oid::JSON => {
            JsonText::check(text)?;
            Datum::text(text)
        }
        oid::JSONB => Datum::jsonb(Json::parse(text)?),
        oid::BIT | oid::VARBIT => Datum::bits(Bits::parse(text)?),
        oid::JSONPATH => Datum::json_path(JsonPath::parse(text)?),
        oid::INT2VECTOR | oid::OIDVECTOR => {
            let element = Type::new(element_type(ty.oid).unwrap_or(oid::INVALID));
            Datum::array(parse_vector(text, element.oid, |text| parse_text(text, element, cx))?)
        }
        oid::RECORD => {
            let message = "input of anonymous composite types is not implemented";
            return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message));
        }
        other if is_enum(other) => enumeration::parse(text, other, cx)?,
        other if is_composite(other) => {
            let shape = composite_shape(other, cx)?;
            Datum::record(parse_record_with(text, &shape, |text, ty| parse_text(text, ty, cx))?)
        }
        other => match element_type(other) {
            // The modifier is the elements': it is applied as they are read.
            Some(element) => {
                let element = Type::with_typmod(element, ty.typmod);
                let array = parse_array_with(text, element.oid, |text| parse_text(text, element, cx))?;
                return Ok(Datum::array(array));
            }
            None => return Err(SqlError::unsupported(format!("input of type {}", cx.type_name(ty)))),
        },
    };
    if ty.typmod < 0 { Ok(datum) } else { apply_typmod(datum, ty, false) }
}

/// `invalid input syntax for type integer: "x"` (22P02).
pub(crate) fn invalid_syntax(type_name: &str, text: &str) -> SqlError {
    SqlError::new(INVALID_TEXT_REPRESENTATION, format!("invalid input syntax for type {type_name}: \"{text}\""))
}

/// Without the blanks around it that C's `isspace` knows.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

pub(crate) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r')
}

#[cfg(test)]
mod tests;
