//! Channels whose messages are kept: what `nqdb_create_channel`, `nqdb_alter_channel` and `nqdb_drop_channel` ask for
//! (docs/realtime.md).

use nqdb_catalog::channel::{ChannelLimits, KeptChannel};
use nqdb_catalog::{CHANGE_CHANNEL_PREFIX, NAME_BYTES_MAX};
use nqdb_functions::WantedLimits;
use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, SqlError, SqlResult, UNDEFINED_TABLE};
use nqdb_txn::TxnError;

use super::{DdlContext, in_one_step};
use crate::exec::{CommandTag, Step};

/// What a channel keeps unless it is said.
const DEFAULTS: ChannelLimits = ChannelLimits { history: 1_000, history_bytes: 1 << 20, history_seconds: 0 };
/// Messages that a channel may keep: somebody who comes back is given all that it missed in one answer.
const HISTORY_MAX: u32 = 100_000;
/// Bytes that a channel may keep.
const HISTORY_BYTES_MAX: u64 = 16 << 20;
/// How long a channel may keep messages: a hundred years.
const HISTORY_SECONDS_MAX: u64 = 100 * 366 * 24 * 3600;

/// Keeps the messages of a channel from the commit on. `epoch` names the stream.
///
/// Errors: 42501 without the CREATE privilege on the database, or, for the changes of a table, for who does not own it; 42710
/// when they are kept already; 22023 for a name or limits that cannot be.
pub fn create_channel(name: &str, limits: WantedLimits, epoch: &str, cx: &mut DdlContext<'_, '_>) -> SqlResult<Step> {
    in_one_step(cx, |cx| {
        expect_name(name)?;
        expect_may_create(name, cx)?;
        let channel = KeptChannel { epoch: epoch.to_owned(), limits: limits_of(limits, DEFAULTS)? };
        cx.writer().create_channel(name, channel)?;
        Ok(CommandTag::Other("SELECT"))
    })
}

/// Changes what a channel keeps. Errors: 42704 when it keeps nothing yet, 42501 for who does not own it, 22023.
pub fn alter_channel(name: &str, limits: WantedLimits, cx: &mut DdlContext<'_, '_>) -> SqlResult<Step> {
    in_one_step(cx, |cx| {
        let table = cx.writer().lock_channel(name)?;
        cx.expect_owner(table.owner, "channel", name)?;
        let before = table.channel.as_ref().map_or(DEFAULTS, |channel| channel.limits);
        cx.writer().set_channel_limits(&table, limits_of(limits, before)?)?;
        Ok(CommandTag::Other("SELECT"))
    })
}

/// Forgets the messages of a channel, and keeps none from the commit on. Errors: 42704, 42501.
pub fn drop_channel(name: &str, cx: &mut DdlContext<'_, '_>) -> SqlResult<Step> {
    in_one_step(cx, |cx| {
        let table = cx.writer().lock_channel(name)?;
        cx.expect_owner(table.owner, "channel", name)?;
        cx.writer().drop_channel(&table)?;
        Ok(CommandTag::Other("SELECT"))
    })
}

fn invalid(message: impl Into<String>) -> SqlError {
    SqlError::new(INVALID_PARAMETER_VALUE, message.into())
}

fn expect_name(name: &str) -> SqlResult<()> {
    if name.is_empty() {
        return Err(invalid("channel name cannot be empty"));
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(invalid("channel name too long"));
    }
    if name.ends_with('*') || name.starts_with("live:") {
        return Err(invalid(format!("\"{name}\" is not the name of a channel that messages can be published to")));
    }
    Ok(())
}

fn expect_may_create(name: &str, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    let Some(table) = name.strip_prefix(CHANGE_CHANNEL_PREFIX) else { return Ok(cx.expect_may_create_schema()?) };
    let snapshot = cx.draft.snapshot();
    let found = snapshot.table_of_channel(table);
    let found = found.ok_or_else(|| SqlError::new(UNDEFINED_TABLE, format!("relation \"{table}\" does not exist")))?;
    Ok(cx.expect_owner(found.owner, "table", &found.name)?)
}

fn limits_of(wanted: WantedLimits, before: ChannelLimits) -> SqlResult<ChannelLimits> {
    let within = |value: Option<i64>, before: u64, min: u64, max: u64, name: &str| match value {
        None => Ok(before),
        Some(value) => u64::try_from(value).ok().filter(|value| (min..=max).contains(value)).ok_or_else(|| {
            invalid(format!("{value} is outside the valid range for parameter \"{name}\" ({min} .. {max})"))
        }),
    };
    let history = within(wanted.history, before.history.into(), 1, HISTORY_MAX.into(), "history")?;
    let seconds = within(wanted.history_seconds, before.history_seconds, 0, HISTORY_SECONDS_MAX, "history_seconds")?;
    let bytes = within(wanted.history_bytes, before.history_bytes, 1_024, HISTORY_BYTES_MAX, "history_bytes")?;
    let history = u32::try_from(history).unwrap_or(HISTORY_MAX);
    Ok(ChannelLimits { history, history_bytes: bytes, history_seconds: seconds })
}
