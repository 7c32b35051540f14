//! Type names: from what was written to a [`Type`], or a refusal.

use nqdb_catalog::{NamedType, referenced_type};
use nqdb_sqlstate::{
    INVALID_PARAMETER_VALUE, INVALID_SCHEMA_NAME, SYNTAX_ERROR, SqlError, SqlResult, UNDEFINED_OBJECT,
};
use nqdb_types::array::{array_type, element_type};
use nqdb_types::bits::LENGTH_MODIFIER_MAX;
use nqdb_types::{Oid, Type, interval_typmod, is_domain, oid, type_by_name, type_info};
use sqlparser::ast::{
    ArrayElemTypeDef, CharacterLength, DataType, DateTimeField, ExactNumberInfo, IntervalFields, ObjectName,
    ObjectNamePart, TimezoneInfo,
};

use super::{BindContext, Binder, span_position};
use crate::names::name_of;

/// What a name that is no built-in type's means: a user's type, with its schema if one was written.
type Lookup<'a> = dyn FnMut(Option<&str>, &str) -> SqlResult<Option<Type>> + 'a;

/// The type that a type name means.
///
/// Fails with 42704 (no such type), 0A000 (PostgreSQL's, not ours) or 22023 (a bad modifier).
pub fn data_type(written: &DataType, cx: &BindContext<'_>) -> SqlResult<Type> {
    type_with(written, &mut |schema, name| find_type(schema, name, cx)?.map(|oid| type_of_number(oid, cx)).transpose())
}

/// As [`data_type`], where only built-in types make sense.
pub fn built_in_type(written: &DataType) -> SqlResult<Type> {
    type_with(written, &mut |_, _| Ok(None))
}

/// A user's type by its name. Errors: 3F000 when the schema does not exist.
fn find_type(schema: Option<&str>, name: &str, cx: &BindContext<'_>) -> SqlResult<Option<Oid>> {
    if let (None, Some(referenced)) = (schema, referenced_type(name)) {
        return Ok(cx.format.types.type_name(referenced).map(|_| referenced));
    }
    if let Some(schema) = schema
        && schema != "pg_temp"
        && cx.catalog.schema(schema).is_none()
    {
        return Err(SqlError::new(INVALID_SCHEMA_NAME, format!("schema \"{schema}\" does not exist")));
    }
    Ok(cx.catalog.resolve_type(cx.search_path, schema, name))
}

/// A user's type by its number.
fn type_of_number(type_oid: Oid, cx: &BindContext<'_>) -> SqlResult<Type> {
    if !is_domain(element_type(type_oid).unwrap_or(type_oid)) {
        return Ok(Type::new(type_oid));
    }
    let found = cx.format.types.domain_type(type_oid);
    found.ok_or_else(|| SqlError::unsupported("an array over a domain over an array"))
}

impl Binder<'_> {
    /// The type that a type name means; in a stored query what it meant when that was stored.
    pub(super) fn data_type(&mut self, written: &DataType) -> SqlResult<Type> {
        if let Some(record) = anonymous_record(written) {
            return Ok(record);
        }
        type_with(written, &mut |schema, name| {
            if let Some(stored) = &self.stored
                && let Some(found) = stored.type_named(schema, name)
            {
                return type_of_number(found, self.cx).map(Some);
            }
            let found = find_type(schema, name, self.cx)?;
            if let (Some(types), Some(oid)) = (&mut self.recorded_types, found) {
                let named = NamedType { schema: schema.map(str::to_owned), name: name.to_owned(), oid };
                if !types.contains(&named) {
                    types.push(named);
                }
            }
            found.map(|found| type_of_number(found, self.cx)).transpose()
        })
    }
}

/// `record` and `record[]`, which expressions may name and columns may not be of.
fn anonymous_record(written: &DataType) -> Option<Type> {
    match written {
        DataType::Custom(name, modifiers) if modifiers.is_empty() => match name.0.as_slice() {
            [ObjectNamePart::Identifier(name)] if name_of(name) == "record" => Some(Type::RECORD),
            _ => None,
        },
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, _)) => {
            anonymous_record(element).map(|_| Type::new(oid::RECORD_ARRAY))
        }
        _ => None,
    }
}

fn type_with(written: &DataType, lookup: &mut Lookup<'_>) -> SqlResult<Type> {
    let plain = |oid: Oid| Ok(Type::new(oid));
    match written {
        DataType::Character(length) | DataType::Char(length) => character(oid::BPCHAR, length.as_ref(), 1),
        DataType::CharacterVarying(length) | DataType::CharVarying(length) | DataType::Varchar(length) => {
            character(oid::VARCHAR, length.as_ref(), -1)
        }
        DataType::Uuid => plain(oid::UUID),
        DataType::Numeric(info) | DataType::Decimal(info) | DataType::Dec(info) => numeric(*info),
        DataType::Float(info) => match info {
            ExactNumberInfo::None => plain(oid::FLOAT8),
            ExactNumberInfo::Precision(0) => Err(invalid("precision for type float must be at least 1 bit")),
            ExactNumberInfo::Precision(bits) if *bits <= 24 => plain(oid::FLOAT4),
            ExactNumberInfo::Precision(bits) if *bits <= 53 => plain(oid::FLOAT8),
            ExactNumberInfo::Precision(_) => Err(invalid("precision for type float must be less than 54 bits")),
            ExactNumberInfo::PrecisionAndScale(..) => Err(no_modifier("float")),
        },
        DataType::Int2(None) | DataType::SmallInt(None) => plain(oid::INT2),
        DataType::Int(None) | DataType::Int4(None) | DataType::Integer(None) => plain(oid::INT4),
        DataType::Int8(None) | DataType::BigInt(None) => plain(oid::INT8),
        DataType::Float4 | DataType::Real => plain(oid::FLOAT4),
        DataType::Float8 | DataType::DoublePrecision | DataType::Double(ExactNumberInfo::None) => plain(oid::FLOAT8),
        DataType::Bool | DataType::Boolean => plain(oid::BOOL),
        DataType::Date => plain(oid::DATE),
        DataType::Time(precision, zone) => match zone {
            TimezoneInfo::None | TimezoneInfo::WithoutTimeZone => seconds(oid::TIME, *precision),
            TimezoneInfo::WithTimeZone | TimezoneInfo::Tz => seconds(oid::TIMETZ, *precision),
        },
        DataType::Timestamp(precision, zone) => match zone {
            TimezoneInfo::None | TimezoneInfo::WithoutTimeZone => seconds(oid::TIMESTAMP, *precision),
            TimezoneInfo::WithTimeZone | TimezoneInfo::Tz => seconds(oid::TIMESTAMPTZ, *precision),
        },
        DataType::Interval { fields, precision } => Ok(interval(fields.as_ref().map(interval_fields), *precision)),
        DataType::Regclass => plain(oid::REGCLASS),
        DataType::Text => plain(oid::TEXT),
        DataType::Bytea => plain(oid::BYTEA),
        DataType::Custom(name, modifiers) => named(name, modifiers, lookup),
        DataType::JSON => plain(oid::JSON),
        DataType::JSONB => plain(oid::JSONB),
        DataType::TsVector => Err(SqlError::unsupported("type tsvector")),
        DataType::TsQuery => Err(SqlError::unsupported("type tsquery")),
        DataType::Bit(length) => bits(oid::BIT, Some(length.unwrap_or(1))),
        DataType::BitVarying(length) | DataType::VarBit(length) => bits(oid::VARBIT, *length),
        DataType::Array(element) => array(element, lookup),
        DataType::GeometricType(_) => Err(SqlError::unsupported("a geometric type")),
        DataType::Trigger => Err(SqlError::unsupported("type trigger")),
        // A word that means a type elsewhere; here a user may have made one of the name.
        other => {
            let name = other.to_string().to_ascii_lowercase();
            match lookup(None, &name)? {
                Some(found) => Ok(found),
                None => Err(unknown_type(&name, None)),
            }
        }
    }
}

/// An array type: dimensions and sizes that a type's name tells mean nothing (manual 8.15.1).
fn array(element: &ArrayElemTypeDef, lookup: &mut Lookup<'_>) -> SqlResult<Type> {
    let written = match element {
        ArrayElemTypeDef::SquareBracket(element, _) | ArrayElemTypeDef::Qualified(element, _) => element,
        ArrayElemTypeDef::None | ArrayElemTypeDef::AngleBracket(_) | ArrayElemTypeDef::Parenthesis(_) => {
            return Err(unknown_type("array", None));
        }
    };
    let element = type_with(written, lookup)?;
    if matches!(**written, DataType::Array(_)) {
        return Ok(element);
    }
    let array = Type::with_typmod(super::array::array_over(element.oid, None)?, element.typmod);
    Ok(array.as_domain(array_type(element.domain).unwrap_or(oid::INVALID)))
}

fn invalid(message: impl Into<String>) -> SqlError {
    SqlError::new(INVALID_PARAMETER_VALUE, message)
}

fn no_modifier(name: &str) -> SqlError {
    SqlError::new(SYNTAX_ERROR, format!("type modifier is not allowed for type \"{name}\""))
}

fn unknown_type(name: &str, position: Option<u32>) -> SqlError {
    SqlError::new(UNDEFINED_OBJECT, format!("type \"{name}\" does not exist")).or_position(position)
}

/// The most characters that `varchar(n)` may declare.
const CHARACTERS_MAX: u64 = 10_485_760;

fn character(type_oid: Oid, length: Option<&CharacterLength>, default: i32) -> SqlResult<Type> {
    let make =
        |characters: i32| if type_oid == oid::BPCHAR { Type::bpchar(characters) } else { Type::varchar(characters) };
    match length {
        None if default < 0 => Ok(Type::new(type_oid)),
        None => Ok(make(default)),
        Some(CharacterLength::IntegerLength { length, unit: None }) => characters(type_oid, *length).map(make),
        Some(CharacterLength::IntegerLength { unit: Some(_), .. } | CharacterLength::Max) => {
            Err(SqlError::unsupported("a length unit"))
        }
    }
}

fn characters(type_oid: Oid, length: u64) -> SqlResult<i32> {
    let name = if type_oid == oid::BPCHAR { "char" } else { "varchar" };
    if length == 0 {
        return Err(invalid(format!("length for type {name} must be at least 1")));
    }
    if length > CHARACTERS_MAX {
        return Err(invalid(format!("length for type {name} cannot exceed {CHARACTERS_MAX}")));
    }
    Ok(length as i32)
}

/// `bit(n)`, or `bit varying(n)`, which may have no length.
fn bits(type_oid: Oid, length: Option<u64>) -> SqlResult<Type> {
    let Some(length) = length else { return Ok(Type::new(type_oid)) };
    let name = if type_oid == oid::BIT { "bit" } else { "varbit" };
    if length == 0 {
        return Err(invalid(format!("length for type {name} must be at least 1")));
    }
    match i32::try_from(length) {
        Ok(length) if length <= LENGTH_MODIFIER_MAX => Ok(Type::with_typmod(type_oid, length)),
        _ => Err(invalid(format!("length for type {name} cannot exceed {LENGTH_MODIFIER_MAX}"))),
    }
}

fn numeric(info: ExactNumberInfo) -> SqlResult<Type> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => return Ok(Type::NUMERIC),
        ExactNumberInfo::Precision(precision) => (precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (precision, scale),
    };
    if !(1..=1000).contains(&precision) {
        return Err(invalid(format!("NUMERIC precision {precision} must be between 1 and 1000")));
    }
    if !(-1000..=1000).contains(&scale) {
        return Err(invalid(format!("NUMERIC scale {scale} must be between -1000 and 1000")));
    }
    Ok(Type::numeric(precision as i32, scale as i32))
}

/// The most digits of a second.
const SECOND_DIGITS_MAX: u64 = 6;

/// A precision above the maximum is cut down to it, as PostgreSQL does (with a warning).
fn seconds(type_oid: Oid, precision: Option<u64>) -> SqlResult<Type> {
    Ok(match precision {
        None => Type::new(type_oid),
        Some(precision) => Type::with_typmod(type_oid, precision.min(SECOND_DIGITS_MAX) as i32),
    })
}

/// `interval`, with the mask of its fields and the digits of its seconds.
pub(super) fn interval(fields: Option<i32>, precision: Option<u64>) -> Type {
    if fields.is_none() && precision.is_none() {
        return Type::INTERVAL;
    }
    let digits = precision.map_or(interval_typmod::FULL_PRECISION, |digits| digits.min(SECOND_DIGITS_MAX) as i32);
    Type::with_typmod(oid::INTERVAL, interval_typmod::pack(digits, fields.unwrap_or(interval_typmod::FULL_RANGE)))
}

fn interval_fields(fields: &IntervalFields) -> i32 {
    use interval_typmod::{DAY, HOUR, MINUTE, MONTH, SECOND, YEAR};
    match fields {
        IntervalFields::Year => YEAR,
        IntervalFields::Month => MONTH,
        IntervalFields::Day => DAY,
        IntervalFields::Hour => HOUR,
        IntervalFields::Minute => MINUTE,
        IntervalFields::Second => SECOND,
        IntervalFields::YearToMonth => YEAR | MONTH,
        IntervalFields::DayToHour => DAY | HOUR,
        IntervalFields::DayToMinute => DAY | HOUR | MINUTE,
        IntervalFields::DayToSecond => DAY | HOUR | MINUTE | SECOND,
        IntervalFields::HourToMinute => HOUR | MINUTE,
        IntervalFields::HourToSecond => HOUR | MINUTE | SECOND,
        IntervalFields::MinuteToSecond => MINUTE | SECOND,
    }
}

/// The field mask of `interval '..' FIRST [TO LAST]`; `None` for a pair that PostgreSQL does not know.
pub(super) fn interval_range(first: &DateTimeField, last: Option<&DateTimeField>) -> Option<i32> {
    let fields = match (first, last) {
        (DateTimeField::Year, None) => IntervalFields::Year,
        (DateTimeField::Month, None) => IntervalFields::Month,
        (DateTimeField::Day, None) => IntervalFields::Day,
        (DateTimeField::Hour, None) => IntervalFields::Hour,
        (DateTimeField::Minute, None) => IntervalFields::Minute,
        (DateTimeField::Second, None) => IntervalFields::Second,
        (DateTimeField::Year, Some(DateTimeField::Month)) => IntervalFields::YearToMonth,
        (DateTimeField::Day, Some(DateTimeField::Hour)) => IntervalFields::DayToHour,
        (DateTimeField::Day, Some(DateTimeField::Minute)) => IntervalFields::DayToMinute,
        (DateTimeField::Day, Some(DateTimeField::Second)) => IntervalFields::DayToSecond,
        (DateTimeField::Hour, Some(DateTimeField::Minute)) => IntervalFields::HourToMinute,
        (DateTimeField::Hour, Some(DateTimeField::Second)) => IntervalFields::HourToSecond,
        (DateTimeField::Minute, Some(DateTimeField::Second)) => IntervalFields::MinuteToSecond,
        _ => return None,
    };
    Some(interval_fields(&fields))
}

/// A type by its name in the catalog, such as `oid`, `bpchar(3)`, `pg_catalog.int4`.
fn named(name: &ObjectName, modifiers: &[String], lookup: &mut Lookup<'_>) -> SqlResult<Type> {
    let mut parts = Vec::new();
    for part in &name.0 {
        match part {
            ObjectNamePart::Identifier(identifier) => parts.push(identifier),
            ObjectNamePart::Function(_) => return Err(SqlError::unsupported("a computed type name")),
        }
    }
    let (Some(last), qualifiers) = (parts.last(), parts.len().saturating_sub(1)) else {
        return Err(unknown_type("", None));
    };
    let position = parts.first().and_then(|part| span_position(part.span));
    let simple = name_of(last);
    let written = parts.iter().map(|part| name_of(part)).collect::<Vec<_>>().join(".");
    if qualifiers > 1 {
        return Err(unknown_type(&written, position));
    }
    let schema = parts.first().filter(|_| qualifiers == 1).map(|schema| name_of(schema));
    // `"char"` in quotes is the one-byte type; type_by_name knows the SQL spellings of unquoted names.
    let quoted = last.quote_style.is_some();
    let built_in = match schema.as_deref() {
        None | Some("pg_catalog") if quoted => by_catalog_name(&simple),
        None | Some("pg_catalog") => type_by_name(&simple),
        Some(_) => None,
    };
    let Some(found) = built_in else {
        let found = lookup(schema.as_deref(), &simple).map_err(|error| error.or_position(position))?;
        let found = found.ok_or_else(|| unknown_type(&written, position))?;
        if !modifiers.is_empty() {
            return Err(no_modifier(&simple).or_position(position));
        }
        return Ok(found);
    };
    let supported = type_info(found).is_some_and(|info| info.supported && info.category != 'P');
    if !supported {
        return Err(SqlError::unsupported(format!("type {}", Type::new(found).name())).or_position(position));
    }
    if modifiers.is_empty() {
        return Ok(Type::new(found));
    }
    with_modifiers(found, &simple, modifiers).map_err(|error| error.or_position(position))
}

fn by_catalog_name(name: &str) -> Option<Oid> {
    nqdb_types::all_types().iter().find(|info| info.name == name).map(|info| info.oid)
}

fn with_modifiers(found: Oid, name: &str, modifiers: &[String]) -> SqlResult<Type> {
    let mut numbers = Vec::new();
    for modifier in modifiers {
        let number: i64 = modifier
            .trim()
            .parse()
            .map_err(|_| SqlError::new(SYNTAX_ERROR, "type modifiers must be simple constants or identifiers"))?;
        numbers.push(number);
    }
    match (found, numbers.as_slice()) {
        (oid::BPCHAR | oid::VARCHAR, [length]) => {
            let length = characters(found, (*length).max(0) as u64)?;
            Ok(if found == oid::BPCHAR { Type::bpchar(length) } else { Type::varchar(length) })
        }
        (oid::NUMERIC, [precision]) => numeric(ExactNumberInfo::Precision((*precision).max(0) as u64)),
        (oid::NUMERIC, [precision, scale]) => {
            numeric(ExactNumberInfo::PrecisionAndScale((*precision).max(0) as u64, *scale))
        }
        (oid::TIME | oid::TIMESTAMP | oid::TIMESTAMPTZ, [digits]) => seconds(found, Some((*digits).max(0) as u64)),
        (oid::INTERVAL, [digits]) => Ok(interval(None, Some((*digits).max(0) as u64))),
        (oid::BPCHAR | oid::VARCHAR | oid::NUMERIC | oid::TIME | oid::TIMESTAMP | oid::TIMESTAMPTZ, _) => {
            Err(invalid(format!("invalid type modifier for type {name}")))
        }
        _ => Err(no_modifier(name)),
    }
}
