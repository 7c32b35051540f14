//! NOTIFY as a function, and what a session may ask about notifications (manual, 9.26.1 and NOTIFY).

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::SqlResult;
use nqdb_types::Datum;

use crate::{Function, FunctionContext, Rows};

pub(crate) static FUNCTIONS: &[&[Function]] = &[&NOTIFY, &LISTENING_CHANNELS, &QUEUE_USAGE];

/// A channel that is NULL is one without a name; a payload that is NULL is empty.
#[sql_function("pg_notify(text, text) -> void", oid = 3036, volatile, called_on_null)]
fn notify(context: &mut FunctionContext<'_>, channel: Option<&str>, payload: Option<&str>) -> SqlResult<()> {
    context.session.notify(channel.unwrap_or_default(), payload.unwrap_or_default())
}

#[sql_function("pg_listening_channels() -> setof text", oid = 3035, stable)]
fn listening_channels(context: &mut FunctionContext<'_>) -> SqlResult<Rows> {
    let channels = context.session.listening_channels();
    Ok(Box::new(channels.into_iter().map(|name| Ok(Datum::text(name)))))
}

#[sql_function("pg_notification_queue_usage() -> float8", oid = 3296, volatile)]
fn queue_usage(context: &mut FunctionContext<'_>) -> f64 {
    context.session.notification_queue_usage()
}
