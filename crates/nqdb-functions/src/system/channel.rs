//! Channels whose messages are kept in a table of their own (docs/realtime.md). As with `publication`, the session does what is
//! asked for at the end of the statement.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{NULL_VALUE_NOT_ALLOWED, SqlError, SqlResult};

use crate::context::{PublicationChange, WantedLimits};
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[&CREATE_CHANNEL, &ALTER_CHANNEL, &DROP_CHANNEL];

/// Gives the channel. Without `history_seconds` messages are kept as long as the other limits let them.
#[sql_function(
    "nqdb_create_channel(name text, history int8 = '1000', history_bytes int8 = '1048576', history_seconds int8 = '0', durable bool = 'true') -> text",
    oid = 9803,
    volatile,
    called_on_null
)]
fn create_channel(
    context: &mut FunctionContext<'_>,
    name: Option<&str>,
    history: Option<i64>,
    history_bytes: Option<i64>,
    history_seconds: Option<i64>,
    durable: Option<bool>,
) -> SqlResult<String> {
    let name = given(name)?.to_owned();
    if durable != Some(true) {
        return Err(SqlError::unsupported("a channel that is created and not durable")
            .with_hint("Every channel keeps its newest messages in memory without being created."));
    }
    let limits = WantedLimits { history, history_bytes, history_seconds };
    context.session.change_publication(PublicationChange::CreateChannel { name: name.clone(), limits })?;
    Ok(name)
}

/// Gives the channel. What is NULL, or -1, stays as it is.
#[sql_function(
    "nqdb_alter_channel(name text, history int8 = '-1', history_bytes int8 = '-1', history_seconds int8 = '-1') -> text",
    oid = 9804,
    volatile,
    called_on_null
)]
fn alter_channel(
    context: &mut FunctionContext<'_>,
    name: Option<&str>,
    history: Option<i64>,
    history_bytes: Option<i64>,
    history_seconds: Option<i64>,
) -> SqlResult<String> {
    let name = given(name)?.to_owned();
    let said = |value: Option<i64>| value.filter(|value| *value != -1);
    let limits = WantedLimits {
        history: said(history),
        history_bytes: said(history_bytes),
        history_seconds: said(history_seconds),
    };
    context.session.change_publication(PublicationChange::AlterChannel { name: name.clone(), limits })?;
    Ok(name)
}

/// Gives the channel whose messages are kept no longer.
#[sql_function("nqdb_drop_channel(name text) -> text", oid = 9805, volatile, called_on_null)]
fn drop_channel(context: &mut FunctionContext<'_>, name: Option<&str>) -> SqlResult<String> {
    let name = given(name)?.to_owned();
    context.session.change_publication(PublicationChange::DropChannel { name: name.clone() })?;
    Ok(name)
}

fn given(name: Option<&str>) -> SqlResult<&str> {
    name.ok_or_else(|| SqlError::new(NULL_VALUE_NOT_ALLOWED, "the name of the channel must not be null"))
}
