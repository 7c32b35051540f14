//! Sizes of relations and values, and how people read and write them.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{INVALID_CATALOG_NAME, INVALID_PARAMETER_VALUE, SqlError, SqlResult, UNDEFINED_OBJECT};
use nqdb_types::{Datum, Numeric, row};

use crate::{Function, FunctionContext, StorageKind};

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &TABLE_SIZE,
    &RELATION_SIZE,
    &FORK_SIZE,
    &INDEXES_SIZE,
    &TOTAL_SIZE,
    &DATABASE_SIZE,
    &DATABASE_SIZE_BY_NAME,
    &TABLESPACE_SIZE,
    &TABLESPACE_SIZE_BY_NAME,
    &COLUMN_SIZE,
    &PRETTY_INT8,
    &PRETTY_NUMERIC,
    &BYTES_OF_PRETTY,
];

#[sql_function("pg_table_size(regclass) -> int8", oid = 2997, volatile)]
fn table_size(context: &mut FunctionContext<'_>, relation: u32) -> SqlResult<Option<i64>> {
    context.session.relation_size(relation, false)
}

#[sql_function("pg_relation_size(regclass) -> int8", oid = 2325, volatile)]
fn relation_size(context: &mut FunctionContext<'_>, relation: u32) -> SqlResult<Option<i64>> {
    context.session.relation_size(relation, false)
}

/// All of a relation is its main fork.
#[sql_function("pg_relation_size(regclass, text) -> int8", oid = 2332, volatile)]
fn fork_size(context: &mut FunctionContext<'_>, relation: u32, fork: &str) -> SqlResult<Option<i64>> {
    let size = context.session.relation_size(relation, false)?;
    match fork {
        "main" => Ok(size),
        "fsm" | "vm" | "init" => Ok(size.map(|_| 0)),
        _ => Err(SqlError::new(INVALID_PARAMETER_VALUE, "invalid fork name")
            .with_hint("Valid fork names are \"main\", \"fsm\", \"vm\", and \"init\".")),
    }
}

#[sql_function("pg_indexes_size(regclass) -> int8", oid = 2998, volatile)]
fn indexes_size(context: &mut FunctionContext<'_>, relation: u32) -> SqlResult<Option<i64>> {
    let total = context.session.relation_size(relation, true)?;
    let own = context.session.relation_size(relation, false)?;
    Ok(total.zip(own).map(|(total, own)| total - own))
}

#[sql_function("pg_total_relation_size(regclass) -> int8", oid = 2286, volatile)]
fn total_size(context: &mut FunctionContext<'_>, relation: u32) -> SqlResult<Option<i64>> {
    context.session.relation_size(relation, true)
}

#[sql_function("pg_database_size(oid) -> int8", oid = 2324, volatile)]
fn database_size(context: &mut FunctionContext<'_>, database: u32) -> SqlResult<Option<i64>> {
    context.session.storage_size(StorageKind::Database, database)
}

#[sql_function("pg_database_size(name) -> int8", oid = 2168, volatile)]
fn database_size_by_name(context: &mut FunctionContext<'_>, database: &str) -> SqlResult<Option<i64>> {
    let missing = || SqlError::new(INVALID_CATALOG_NAME, format!("database \"{database}\" does not exist"));
    let number = context.session.storage_number(StorageKind::Database, database).ok_or_else(missing)?;
    context.session.storage_size(StorageKind::Database, number)
}

#[sql_function("pg_tablespace_size(oid) -> int8", oid = 2322, volatile)]
fn tablespace_size(context: &mut FunctionContext<'_>, tablespace: u32) -> SqlResult<Option<i64>> {
    context.session.storage_size(StorageKind::Tablespace, tablespace)
}

#[sql_function("pg_tablespace_size(name) -> int8", oid = 2323, volatile)]
fn tablespace_size_by_name(context: &mut FunctionContext<'_>, tablespace: &str) -> SqlResult<Option<i64>> {
    let missing = || SqlError::new(UNDEFINED_OBJECT, format!("tablespace \"{tablespace}\" does not exist"));
    let number = context.session.storage_number(StorageKind::Tablespace, tablespace).ok_or_else(missing)?;
    context.session.storage_size(StorageKind::Tablespace, number)
}

/// The length of the value's storage form.
#[sql_function("pg_column_size(any) -> int4", oid = 1269, stable)]
fn column_size(value: &Datum) -> SqlResult<i32> {
    let mut stored = Vec::new();
    row::encode_value(&mut stored, value);
    i32::try_from(stored.len()).map_err(|_| crate::arithmetic::out_of_range("integer"))
}

/// Each unit, up to which size it is used, and how many bits it stands above the one before.
const UNITS: [(&str, i64, u32); 6] = [
    ("bytes", 10 * 1024, 0),
    ("kB", 20 * 1024 - 1, 9),
    ("MB", 20 * 1024 - 1, 10),
    ("GB", 20 * 1024 - 1, 10),
    ("TB", 20 * 1024 - 1, 10),
    ("PB", i64::MAX, 10),
];

/// Between units the size carries one more bit, so that the last step can round half up.
#[sql_function("pg_size_pretty(int8) -> text", oid = 2288)]
fn pretty_int8(size: i64) -> String {
    let mut size = i128::from(size);
    for (index, (name, limit, bits)) in UNITS.iter().enumerate() {
        size /= 1 << bits;
        if size.abs() < i128::from(*limit) || index + 1 == UNITS.len() {
            let shown = if index == 0 { size } else { (size + size.signum()) / 2 };
            return format!("{shown} {name}");
        }
    }
    size.to_string()
}

#[sql_function("pg_size_pretty(numeric) -> text", oid = 3166)]
fn pretty_numeric(size: &Numeric) -> SqlResult<String> {
    let mut size = size.clone();
    for (index, (name, limit, bits)) in UNITS.iter().enumerate() {
        if index > 0 {
            size = size.div_trunc(&Numeric::from(1i64 << bits))?;
        }
        if size.abs() < Numeric::from(*limit) || index + 1 == UNITS.len() {
            let shown = if index == 0 { size } else { size.add(&size.sign())?.div_trunc(&Numeric::from(2i64))? };
            return Ok(format!("{shown} {name}"));
        }
    }
    Ok(size.to_string())
}

/// A size as [`pretty_int8`] writes it, and with fractions and exponents.
#[sql_function("pg_size_bytes(text) -> int8", oid = 3334)]
fn bytes_of_pretty(size: &str) -> SqlResult<i64> {
    let invalid = || SqlError::new(INVALID_PARAMETER_VALUE, format!("invalid size: \"{size}\""));
    let is_space = |character: char| character.is_ascii_whitespace() || character == '\x0b';
    let trimmed = size.trim_matches(is_space);
    let (number, unit) = trimmed.split_at(number_len(trimmed).ok_or_else(invalid)?);
    let number = Numeric::parse(number)?;
    let unit = unit.trim_start_matches(is_space);
    if unit.is_empty() {
        return number.to_i64();
    }
    let Some(power) = UNITS.iter().position(|(name, _, _)| name.eq_ignore_ascii_case(unit)) else {
        return Err(invalid()
            .with_detail(format!("Invalid size unit: \"{unit}\"."))
            .with_hint("Valid units are \"bytes\", \"kB\", \"MB\", \"GB\", \"TB\", and \"PB\"."));
    };
    number.mul(&Numeric::from(1i64 << (10 * power)))?.to_i64()
}

/// How many bytes at the start are a number: a sign, digits around a point, an exponent if it is whole.
fn number_len(text: &str) -> Option<usize> {
    fn digits_len(text: &str) -> usize {
        text.len() - text.trim_start_matches(|character: char| character.is_ascii_digit()).len()
    }
    fn after_sign(text: &str) -> &str {
        text.strip_prefix(['+', '-']).unwrap_or(text)
    }
    let unsigned = after_sign(text);
    let whole = digits_len(unsigned);
    let mut rest = unsigned.get(whole..)?;
    let mut digits = whole;
    if let Some(behind_point) = rest.strip_prefix('.') {
        let fraction = digits_len(behind_point);
        digits += fraction;
        rest = behind_point.get(fraction..)?;
    }
    if digits == 0 {
        return None;
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']).map(after_sign) {
        let exponent_len = digits_len(exponent);
        if exponent_len > 0 {
            rest = exponent.get(exponent_len..)?;
        }
    }
    Some(text.len() - rest.len())
}
