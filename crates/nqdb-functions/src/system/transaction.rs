//! Numbers of transactions, and snapshots of them (manual 9.27.10): `pg_current_xact_id` and its like with `xid8` and
//! `pg_snapshot`, and the older `txid_...` with `int8` and `txid_snapshot`.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::{Datum, TransactionSnapshot};

use crate::{Function, FunctionContext, Rows};

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &TRANSACTION_ID,
    &CURRENT_ID,
    &CURRENT_ID_IF_ASSIGNED,
    &TRANSACTION_ID_IF_ASSIGNED,
    &CURRENT_SNAPSHOT,
    &OLD_CURRENT_SNAPSHOT,
    &SNAPSHOT_XMIN,
    &OLD_SNAPSHOT_XMIN,
    &SNAPSHOT_XMAX,
    &OLD_SNAPSHOT_XMAX,
    &SNAPSHOT_XIP,
    &OLD_SNAPSHOT_XIP,
    &IS_VISIBLE,
    &OLD_IS_VISIBLE,
    &STATUS,
    &OLD_STATUS,
    &TO_XID,
    &COMPARE,
    &LARGER,
    &SMALLER,
    &XID_EQUAL,
    &XID_EQUAL_INT4,
    &XID_NOT_EQUAL,
    &XID_NOT_EQUAL_INT4,
];

fn as_int8(number: u64) -> SqlResult<i64> {
    i64::try_from(number).map_err(|_| SqlError::internal("a transaction number beyond 63 bits"))
}

#[sql_function("txid_current() -> int8", oid = 2943, stable)]
fn transaction_id(context: &mut FunctionContext<'_>) -> SqlResult<i64> {
    context.session.transaction_id()
}

#[sql_function("pg_current_xact_id() -> xid8", oid = 5059, stable)]
fn current_id(context: &mut FunctionContext<'_>) -> SqlResult<u64> {
    context.session.transaction_id().map(i64::cast_unsigned)
}

#[sql_function("pg_current_xact_id_if_assigned() -> xid8", oid = 5060, stable)]
fn current_id_if_assigned(context: &mut FunctionContext<'_>) -> Option<u64> {
    context.session.assigned_transaction_id()
}

#[sql_function("txid_current_if_assigned() -> int8", oid = 3348, stable)]
fn transaction_id_if_assigned(context: &mut FunctionContext<'_>) -> SqlResult<Option<i64>> {
    context.session.assigned_transaction_id().map(as_int8).transpose()
}

#[sql_function("pg_current_snapshot() -> pg_snapshot", oid = 5061, stable)]
fn current_snapshot(context: &mut FunctionContext<'_>) -> SqlResult<TransactionSnapshot> {
    context.session.transaction_snapshot()
}

#[sql_function("txid_current_snapshot() -> txid_snapshot", oid = 2944, stable)]
fn old_current_snapshot(context: &mut FunctionContext<'_>) -> SqlResult<TransactionSnapshot> {
    context.session.transaction_snapshot()
}

#[sql_function("pg_snapshot_xmin(pg_snapshot) -> xid8", oid = 5062)]
fn snapshot_xmin(snapshot: &TransactionSnapshot) -> u64 {
    snapshot.xmin()
}

#[sql_function("txid_snapshot_xmin(txid_snapshot) -> int8", oid = 2945)]
fn old_snapshot_xmin(snapshot: &TransactionSnapshot) -> i64 {
    snapshot.xmin().cast_signed()
}

#[sql_function("pg_snapshot_xmax(pg_snapshot) -> xid8", oid = 5063)]
fn snapshot_xmax(snapshot: &TransactionSnapshot) -> u64 {
    snapshot.xmax()
}

#[sql_function("txid_snapshot_xmax(txid_snapshot) -> int8", oid = 2946)]
fn old_snapshot_xmax(snapshot: &TransactionSnapshot) -> i64 {
    snapshot.xmax().cast_signed()
}

#[sql_function("pg_snapshot_xip(pg_snapshot) -> setof xid8", oid = 5064)]
fn snapshot_xip(snapshot: &TransactionSnapshot) -> SqlResult<Rows> {
    Ok(Box::new(snapshot.running().to_vec().into_iter().map(|number| Ok(Datum::Unsigned8(number)))))
}

#[sql_function("txid_snapshot_xip(txid_snapshot) -> setof int8", oid = 2947)]
fn old_snapshot_xip(snapshot: &TransactionSnapshot) -> SqlResult<Rows> {
    Ok(Box::new(snapshot.running().to_vec().into_iter().map(|number| Ok(Datum::Int8(number.cast_signed())))))
}

#[sql_function("pg_visible_in_snapshot(xid8, pg_snapshot) -> bool", oid = 5065)]
fn is_visible(number: u64, snapshot: &TransactionSnapshot) -> bool {
    snapshot.sees(number)
}

#[sql_function("txid_visible_in_snapshot(int8, txid_snapshot) -> bool", oid = 2948)]
fn old_is_visible(number: i64, snapshot: &TransactionSnapshot) -> bool {
    snapshot.sees(number.cast_unsigned())
}

#[sql_function("pg_xact_status(xid8) -> text", oid = 5066, volatile)]
fn status(context: &mut FunctionContext<'_>, number: u64) -> SqlResult<Option<&'static str>> {
    context.session.transaction_status(number)
}

#[sql_function("txid_status(int8) -> text", oid = 3360, volatile)]
fn old_status(context: &mut FunctionContext<'_>, number: i64) -> SqlResult<Option<&'static str>> {
    context.session.transaction_status(number.cast_unsigned())
}

/// The low half.
#[sql_function("xid(xid8) -> xid", oid = 5071)]
fn to_xid(number: u64) -> u32 {
    number as u32
}

#[sql_function("xid8cmp(xid8, xid8) -> int4", oid = 5096)]
fn compare(a: u64, b: u64) -> i32 {
    a.cmp(&b) as i32
}

#[sql_function("xid8_larger(xid8, xid8) -> xid8", oid = 5097)]
fn larger(a: u64, b: u64) -> u64 {
    a.max(b)
}

#[sql_function("xid8_smaller(xid8, xid8) -> xid8", oid = 5098)]
fn smaller(a: u64, b: u64) -> u64 {
    a.min(b)
}

/// Numbers of transactions that have wrapped around have no order, but are equal or not.
#[sql_function("xideq(xid, xid) -> bool", oid = 68)]
fn xid_equal(a: u32, b: u32) -> bool {
    a == b
}

#[sql_function("xideqint4(xid, int4) -> bool", oid = 1319)]
fn xid_equal_int4(a: u32, b: i32) -> bool {
    a == b.cast_unsigned()
}

#[sql_function("xidneq(xid, xid) -> bool", oid = 3308)]
fn xid_not_equal(a: u32, b: u32) -> bool {
    a != b
}

#[sql_function("xidneqint4(xid, int4) -> bool", oid = 3309)]
fn xid_not_equal_int4(a: u32, b: i32) -> bool {
    a != b.cast_unsigned()
}
