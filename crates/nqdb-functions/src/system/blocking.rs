//! Who waits for whom, among the sessions.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::{Array, Datum, oid};

use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[&BLOCKING_PIDS, &SAFE_SNAPSHOT_BLOCKING_PIDS, &IS_BLOCKED];

/// The sessions whose locks, or whose earlier requests for one, another session waits for.
#[sql_function("pg_blocking_pids(int4) -> int4_array", oid = 2561, volatile)]
fn blocking_pids(context: &mut FunctionContext<'_>, pid: i32) -> SqlResult<Datum> {
    let blockers = context.session.blocking_pids(pid);
    Array::from_elements(oid::INT4, blockers.into_iter().map(Datum::Int4).collect()).map(Datum::array)
}

/// The sessions whose transactions a SERIALIZABLE READ ONLY DEFERRABLE transaction waits for.
#[sql_function("pg_safe_snapshot_blocking_pids(int4) -> int4_array", oid = 3376, volatile)]
fn safe_snapshot_blocking_pids(context: &mut FunctionContext<'_>, pid: i32) -> SqlResult<Datum> {
    let blockers = context.session.safe_snapshot_blocking_pids(pid);
    Array::from_elements(oid::INT4, blockers.into_iter().map(Datum::Int4).collect()).map(Datum::array)
}

/// Whether a session waits for one of some others: what PostgreSQL's tester of isolation levels asks.
#[sql_function("pg_isolation_test_session_is_blocked(int4, int4_array) -> bool", oid = 3378, volatile)]
fn is_blocked(context: &mut FunctionContext<'_>, pid: i32, others: &Array) -> SqlResult<bool> {
    if others.elements().iter().any(Datum::is_null) {
        return Err(SqlError::internal("array must not contain nulls"));
    }
    let mut blockers = context.session.blocking_pids(pid);
    blockers.extend(context.session.safe_snapshot_blocking_pids(pid));
    Ok(others.elements().iter().any(|other| matches!(other, Datum::Int4(other) if blockers.contains(other))))
}
