//! The clock: of the transaction, of the statement, and the real one.
//!
//! SQL's CURRENT_DATE and the like are syntax: the binder casts `now()`.

use nqdb_functions_macros::sql_function;
use nqdb_types::calendar::civil_from_micros;

use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[&TRANSACTION_TIME, &STATEMENT_TIME, &CLOCK_TIME, &TIME_OF_DAY];

#[sql_function("now() -> timestamptz", oid = 1299, alias("transaction_timestamp", oid = 2647), stable)]
fn transaction_time(context: &mut FunctionContext<'_>) -> i64 {
    context.transaction_time_micros
}

#[sql_function("statement_timestamp() -> timestamptz", oid = 2648, stable)]
fn statement_time(context: &mut FunctionContext<'_>) -> i64 {
    context.statement_time_micros
}

#[sql_function("clock_timestamp() -> timestamptz", oid = 2649, volatile)]
fn clock_time(context: &mut FunctionContext<'_>) -> i64 {
    context.session.clock_micros()
}

/// The real time as text, such as `Wed Jan 01 12:00:00.123456 2025 CET`.
#[sql_function("timeofday() -> text", oid = 274, volatile)]
fn time_of_day(context: &mut FunctionContext<'_>) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let utc = context.session.clock_micros();
    let zone = &context.format.time_zone;
    let local = zone.utc_to_local(utc);
    let civil = civil_from_micros(local);
    let weekday = nqdb_types::calendar::day_of_week(nqdb_types::calendar::split_days(local).0);
    format!(
        "{} {} {:02} {:02}:{:02}:{:02}.{:06} {} {}",
        DAYS.get(weekday as usize).unwrap_or(&""),
        MONTHS.get((civil.date.month - 1) as usize).unwrap_or(&""),
        civil.date.day,
        civil.hour,
        civil.minute,
        civil.second,
        civil.micros,
        civil.date.year,
        zone.offset_at_utc(utc).abbreviation
    )
}
