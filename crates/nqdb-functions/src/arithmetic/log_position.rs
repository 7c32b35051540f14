//! `pg_lsn`: distances between places in the log, and places at a distance, both as numerics (manual 8.20).

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, INVALID_PARAMETER_VALUE, SqlError, SqlResult};
use nqdb_types::Numeric;

use crate::Function;

pub(crate) static FUNCTIONS: &[&[Function]] =
    &[&DISTANCE, &DISTANCE_FUNCTION, &FORWARD, &FORWARD_FROM_NUMERIC, &BACK, &OF_NUMERIC, &LARGER, &SMALLER];

fn numeric_of(position: u64) -> SqlResult<Numeric> {
    Numeric::from_bigint(position.into(), 0)
}

#[sql_function("pg_lsn_mi(pg_lsn, pg_lsn) -> numeric", oid = 3237)]
fn distance(a: u64, b: u64) -> SqlResult<Numeric> {
    numeric_of(a)?.sub(&numeric_of(b)?)
}

#[sql_function("pg_wal_lsn_diff(pg_lsn, pg_lsn) -> numeric", oid = 3165)]
fn distance_function(a: u64, b: u64) -> SqlResult<Numeric> {
    distance(a, b)
}

#[sql_function("pg_lsn_pli(pg_lsn, numeric) -> pg_lsn", oid = 5022)]
fn forward(position: u64, bytes: &Numeric) -> SqlResult<u64> {
    if bytes.is_nan() {
        return Err(SqlError::new(FEATURE_NOT_SUPPORTED, "cannot add NaN to pg_lsn"));
    }
    of_numeric(&numeric_of(position)?.add(bytes)?)
}

#[sql_function("numeric_pl_pg_lsn(numeric, pg_lsn) -> pg_lsn", oid = 5023)]
fn forward_from_numeric(bytes: &Numeric, position: u64) -> SqlResult<u64> {
    forward(position, bytes)
}

#[sql_function("pg_lsn_mii(pg_lsn, numeric) -> pg_lsn", oid = 5024)]
fn back(position: u64, bytes: &Numeric) -> SqlResult<u64> {
    if bytes.is_nan() {
        return Err(SqlError::new(FEATURE_NOT_SUPPORTED, "cannot subtract NaN from pg_lsn"));
    }
    of_numeric(&numeric_of(position)?.sub(bytes)?)
}

/// The place that a number is, rounded.
#[sql_function("pg_lsn(numeric) -> pg_lsn", oid = 6103)]
fn of_numeric(value: &Numeric) -> SqlResult<u64> {
    if !value.is_finite() {
        let what = if value.is_nan() { "NaN" } else { "infinity" };
        return Err(SqlError::new(FEATURE_NOT_SUPPORTED, format!("cannot convert {what} to pg_lsn")));
    }
    let number = value.round(0)?.to_scaled_bigint().and_then(|(number, _)| u64::try_from(number).ok());
    number.ok_or_else(|| SqlError::new(INVALID_PARAMETER_VALUE, "pg_lsn out of range"))
}

#[sql_function("pg_lsn_larger(pg_lsn, pg_lsn) -> pg_lsn", oid = 4187)]
fn larger(a: u64, b: u64) -> u64 {
    a.max(b)
}

#[sql_function("pg_lsn_smaller(pg_lsn, pg_lsn) -> pg_lsn", oid = 4188)]
fn smaller(a: u64, b: u64) -> u64 {
    a.min(b)
}
