//! The server: version, processes, transactions, waiting, random identifiers.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;
use nqdb_types::Interval;

use crate::datetime::add_interval;
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[
    &VERSION,
    &CURRENT_QUERY,
    &BACKEND_PID,
    &SLEEP,
    &SLEEP_FOR,
    &SLEEP_UNTIL,
    &CANCEL_BACKEND,
    &TERMINATE_BACKEND,
    &IS_IN_RECOVERY,
    &START_TIME,
    &SETTINGS_TIME,
    &TRIGGER_DEPTH,
    &JIT_AVAILABLE,
    &RANDOM_UUID,
];

#[sql_function("version() -> text", oid = 89, stable)]
fn version(context: &mut FunctionContext<'_>) -> String {
    context.session.version()
}

#[sql_function("current_query() -> text", oid = 817, volatile, called_on_null)]
fn current_query(context: &mut FunctionContext<'_>) -> String {
    context.session.current_query()
}

#[sql_function("pg_backend_pid() -> int4", oid = 2026, stable)]
fn backend_pid(context: &mut FunctionContext<'_>) -> i32 {
    context.session.backend_pid()
}

/// Nothing, after so many seconds.
#[sql_function("pg_sleep(float8) -> void", oid = 2626, volatile)]
fn sleep(context: &mut FunctionContext<'_>, seconds: f64) -> SqlResult<()> {
    let micros = (seconds * 1_000_000.0).ceil();
    if micros > 0.0 { context.session.sleep(micros as i64) } else { Ok(()) }
}

/// Nothing, when the interval has been added to now.
#[sql_function("pg_sleep_for(interval) -> void", oid = 3935, volatile)]
fn sleep_for(context: &mut FunctionContext<'_>, interval: Interval) -> SqlResult<()> {
    let now = context.session.clock_micros();
    let end = add_interval(now, &interval, Some(&context.format.time_zone))?;
    sleep_between(context, now, end)
}

/// Nothing, at that time.
#[sql_function("pg_sleep_until(timestamptz) -> void", oid = 3936, volatile)]
fn sleep_until(context: &mut FunctionContext<'_>, end: i64) -> SqlResult<()> {
    let now = context.session.clock_micros();
    sleep_between(context, now, end)
}

fn sleep_between(context: &FunctionContext<'_>, now: i64, end: i64) -> SqlResult<()> {
    let micros = end.saturating_sub(now);
    if micros > 0 { context.session.sleep(micros) } else { Ok(()) }
}

/// When the settings were read, which happens at the start.
#[sql_function("pg_conf_load_time() -> timestamptz", oid = 2034, stable)]
fn settings_time(context: &mut FunctionContext<'_>) -> i64 {
    start_time(context)
}

/// There are no triggers to be in.
#[sql_function("pg_trigger_depth() -> int4", oid = 3163, stable)]
fn trigger_depth() -> i32 {
    0
}

#[sql_function("pg_jit_available() -> bool", oid = 315, volatile)]
fn jit_available() -> bool {
    false
}

#[sql_function("pg_cancel_backend(int4) -> bool", oid = 2171, volatile)]
fn cancel_backend(context: &mut FunctionContext<'_>, pid: i32) -> SqlResult<bool> {
    context.session.cancel_backend(pid)
}

#[sql_function("pg_terminate_backend(pid int4, timeout int8 = '0') -> bool", oid = 2096, volatile)]
fn terminate_backend(context: &mut FunctionContext<'_>, pid: i32, timeout_ms: i64) -> SqlResult<bool> {
    if timeout_ms != 0 {
        return Err(nqdb_sqlstate::SqlError::unsupported("a timeout of pg_terminate_backend"));
    }
    context.session.terminate_backend(pid)
}

#[sql_function("pg_is_in_recovery() -> bool", oid = 3810, volatile)]
fn is_in_recovery(context: &mut FunctionContext<'_>) -> bool {
    context.session.is_in_recovery()
}

#[sql_function("pg_postmaster_start_time() -> timestamptz", oid = 2560, stable)]
fn start_time(context: &mut FunctionContext<'_>) -> i64 {
    context.session.postmaster_start_micros()
}

/// RFC 9562, version 4.
#[sql_function("gen_random_uuid() -> uuid", oid = 3432, volatile)]
fn random_uuid(context: &mut FunctionContext<'_>) -> [u8; 16] {
    let mut bytes = context.session.random_bytes();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}
