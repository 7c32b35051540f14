//! Advisory locks: locks on numbers that mean what their users agree on (manual, 13.3.5).
//!
//! A lock is of the session or of the transaction, exclusive or shared; a key is one number of 64 bits or two of 32.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;

use crate::context::{AdvisoryLock, LockScope};
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &LOCK_ONE,
    &LOCK_SHARED_ONE,
    &TRY_LOCK_ONE,
    &TRY_LOCK_SHARED_ONE,
    &UNLOCK_ONE,
    &UNLOCK_SHARED_ONE,
    &LOCK_PAIR,
    &LOCK_SHARED_PAIR,
    &TRY_LOCK_PAIR,
    &TRY_LOCK_SHARED_PAIR,
    &UNLOCK_PAIR,
    &UNLOCK_SHARED_PAIR,
    &LOCK_XACT_ONE,
    &LOCK_XACT_SHARED_ONE,
    &TRY_LOCK_XACT_ONE,
    &TRY_LOCK_XACT_SHARED_ONE,
    &LOCK_XACT_PAIR,
    &LOCK_XACT_SHARED_PAIR,
    &TRY_LOCK_XACT_PAIR,
    &TRY_LOCK_XACT_SHARED_PAIR,
    &UNLOCK_ALL,
];

/// The key of one number.
fn one(key: i64, scope: LockScope, is_shared: bool) -> AdvisoryLock {
    let [high, low] = [(key >> 32) as u32, key as u32];
    AdvisoryLock { high, low, is_pair: false, scope, is_shared }
}

/// The key of two numbers.
fn pair(high: i32, low: i32, scope: LockScope, is_shared: bool) -> AdvisoryLock {
    AdvisoryLock { high: high as u32, low: low as u32, is_pair: true, scope, is_shared }
}

#[sql_function("pg_advisory_lock(int8) -> void", oid = 2880, volatile)]
fn lock_one(context: &mut FunctionContext<'_>, key: i64) -> SqlResult<()> {
    context.session.advisory_lock(one(key, LockScope::Session, false))
}

#[sql_function("pg_advisory_lock_shared(int8) -> void", oid = 2881, volatile)]
fn lock_shared_one(context: &mut FunctionContext<'_>, key: i64) -> SqlResult<()> {
    context.session.advisory_lock(one(key, LockScope::Session, true))
}

#[sql_function("pg_try_advisory_lock(int8) -> bool", oid = 2882, volatile)]
fn try_lock_one(context: &mut FunctionContext<'_>, key: i64) -> SqlResult<bool> {
    context.session.try_advisory_lock(one(key, LockScope::Session, false))
}

#[sql_function("pg_try_advisory_lock_shared(int8) -> bool", oid = 2883, volatile)]
fn try_lock_shared_one(context: &mut FunctionContext<'_>, key: i64) -> SqlResult<bool> {
    context.session.try_advisory_lock(one(key, LockScope::Session, true))
}

#[sql_function("pg_advisory_unlock(int8) -> bool", oid = 2884, volatile)]
fn unlock_one(context: &mut FunctionContext<'_>, key: i64) -> SqlResult<bool> {
    context.session.advisory_unlock(one(key, LockScope::Session, false))
}

#[sql_function("pg_advisory_unlock_shared(int8) -> bool", oid = 2885, volatile)]
fn unlock_shared_one(context: &mut FunctionContext<'_>, key: i64) -> SqlResult<bool> {
    context.session.advisory_unlock(one(key, LockScope::Session, true))
}

#[sql_function("pg_advisory_lock(int4, int4) -> void", oid = 2886, volatile)]
fn lock_pair(context: &mut FunctionContext<'_>, high: i32, low: i32) -> SqlResult<()> {
    context.session.advisory_lock(pair(high, low, LockScope::Session, false))
}

#[sql_function("pg_advisory_lock_shared(int4, int4) -> void", oid = 2887, volatile)]
fn lock_shared_pair(context: &mut FunctionContext<'_>, high: i32, low: i32) -> SqlResult<()> {
    context.session.advisory_lock(pair(high, low, LockScope::Session, true))
}

#[sql_function("pg_try_advisory_lock(int4, int4) -> bool", oid = 2888, volatile)]
fn try_lock_pair(context: &mut FunctionContext<'_>, high: i32, low: i32) -> SqlResult<bool> {
    context.session.try_advisory_lock(pair(high, low, LockScope::Session, false))
}

#[sql_function("pg_try_advisory_lock_shared(int4, int4) -> bool", oid = 2889, volatile)]
fn try_lock_shared_pair(context: &mut FunctionContext<'_>, high: i32, low: i32) -> SqlResult<bool> {
    context.session.try_advisory_lock(pair(high, low, LockScope::Session, true))
}

#[sql_function("pg_advisory_unlock(int4, int4) -> bool", oid = 2890, volatile)]
fn unlock_pair(context: &mut FunctionContext<'_>, high: i32, low: i32) -> SqlResult<bool> {
    context.session.advisory_unlock(pair(high, low, LockScope::Session, false))
}

#[sql_function("pg_advisory_unlock_shared(int4, int4) -> bool", oid = 2891, volatile)]
fn unlock_shared_pair(context: &mut FunctionContext<'_>, high: i32, low: i32) -> SqlResult<bool> {
    context.session.advisory_unlock(pair(high, low, LockScope::Session, true))
}

#[sql_function("pg_advisory_xact_lock(int8) -> void", oid = 3089, volatile)]
fn lock_xact_one(context: &mut FunctionContext<'_>, key: i64) -> SqlResult<()> {
    context.session.advisory_lock(one(key, LockScope::Transaction, false))
}

#[sql_function("pg_advisory_xact_lock_shared(int8) -> void", oid = 3090, volatile)]
fn lock_xact_shared_one(context: &mut FunctionContext<'_>, key: i64) -> SqlResult<()> {
    context.session.advisory_lock(one(key, LockScope::Transaction, true))
}

#[sql_function("pg_try_advisory_xact_lock(int8) -> bool", oid = 3091, volatile)]
fn try_lock_xact_one(context: &mut FunctionContext<'_>, key: i64) -> SqlResult<bool> {
    context.session.try_advisory_lock(one(key, LockScope::Transaction, false))
}

#[sql_function("pg_try_advisory_xact_lock_shared(int8) -> bool", oid = 3092, volatile)]
fn try_lock_xact_shared_one(context: &mut FunctionContext<'_>, key: i64) -> SqlResult<bool> {
    context.session.try_advisory_lock(one(key, LockScope::Transaction, true))
}

#[sql_function("pg_advisory_xact_lock(int4, int4) -> void", oid = 3093, volatile)]
fn lock_xact_pair(context: &mut FunctionContext<'_>, high: i32, low: i32) -> SqlResult<()> {
    context.session.advisory_lock(pair(high, low, LockScope::Transaction, false))
}

#[sql_function("pg_advisory_xact_lock_shared(int4, int4) -> void", oid = 3094, volatile)]
fn lock_xact_shared_pair(context: &mut FunctionContext<'_>, high: i32, low: i32) -> SqlResult<()> {
    context.session.advisory_lock(pair(high, low, LockScope::Transaction, true))
}

#[sql_function("pg_try_advisory_xact_lock(int4, int4) -> bool", oid = 3095, volatile)]
fn try_lock_xact_pair(context: &mut FunctionContext<'_>, high: i32, low: i32) -> SqlResult<bool> {
    context.session.try_advisory_lock(pair(high, low, LockScope::Transaction, false))
}

#[sql_function("pg_try_advisory_xact_lock_shared(int4, int4) -> bool", oid = 3096, volatile)]
fn try_lock_xact_shared_pair(context: &mut FunctionContext<'_>, high: i32, low: i32) -> SqlResult<bool> {
    context.session.try_advisory_lock(pair(high, low, LockScope::Transaction, true))
}

/// Gives all locks of the session back.
#[sql_function("pg_advisory_unlock_all() -> void", oid = 2892, volatile)]
fn unlock_all(context: &mut FunctionContext<'_>) {
    context.session.advisory_unlock_all();
}
