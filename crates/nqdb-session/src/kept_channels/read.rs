//! Reading the table of a channel: always from its newest row back, as far as the channel's limits let anybody see.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use nqdb_catalog::TableDef;
use nqdb_catalog::channel::channel_column;
use nqdb_pubsub::{ChannelName, Member, StoredMessage};
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_txn::{Direction, ReadView, RowId, RowImage, RowVersion, TxnError};
use nqdb_types::Datum;

use super::ALL_ROWS;
use crate::instance::Instance;

/// One row, as far as all readers need it.
pub(super) struct Row<'a> {
    pub(super) offset: u64,
    image: RowImage<'a>,
    payload: Datum,
    rest: Datum,
}

impl<'a> Row<'a> {
    fn read(image: RowImage<'a>) -> Result<Row<'a>, TxnError> {
        let (payload, rest) = (image.datum(channel_column::PAYLOAD)?, image.datum(channel_column::REST)?);
        Ok(Row { offset: number(&image, channel_column::OFFSET)?, image, payload, rest })
    }

    /// Bytes of the payload.
    pub(super) fn bytes(&self) -> u64 {
        (text(&self.payload).len() + text(&self.rest).len()) as u64
    }

    /// µs since 2000-01-01 UTC.
    pub(super) fn published_micros(&self) -> Result<i64, TxnError> {
        match self.image.datum(channel_column::PUBLISHED)? {
            Datum::TimestampTz(micros) => Ok(micros),
            _ => Err(damaged()),
        }
    }

    fn commit_floor(&self) -> Result<u64, TxnError> {
        number(&self.image, channel_column::COMMIT_FLOOR)
    }

    /// The message; `csn` is what it says of its commit, if it says something.
    fn message(&self, csn: u64) -> Result<StoredMessage, TxnError> {
        let sender = match self.image.datum(channel_column::SENDER)? {
            Datum::Int4(sender) => sender,
            _ => return Err(damaged()),
        };
        let client = self.image.datum(channel_column::CLIENT)?;
        let user = self.image.datum(channel_column::USER)?;
        let publisher =
            (!client.is_null()).then(|| Arc::new(Member { client: text(&client).into(), user: text(&user).into() }));
        let payload = match &self.rest {
            Datum::Null => text(&self.payload).into(),
            rest => format!("{}{csn}{}", text(&self.payload), text(rest)).into(),
        };
        Ok(StoredMessage { offset: self.offset, sender, publisher, payload })
    }
}

fn damaged() -> TxnError {
    SqlError::new(nqdb_sqlstate::DATA_CORRUPTED, "a message of a channel is damaged").into()
}

fn number(image: &RowImage<'_>, column: usize) -> Result<u64, TxnError> {
    match image.datum(column)? {
        Datum::Int8(value) => u64::try_from(value).map_err(|_| damaged()),
        _ => Err(damaged()),
    }
}

fn text(value: &Datum) -> &str {
    match value {
        Datum::Text(text) => text,
        _ => "",
    }
}

/// Gives rows to `f` until it says that it has enough.
pub(super) fn each(
    table: &Arc<TableDef>,
    view: ReadView,
    direction: Direction,
    mut f: impl FnMut(RowId, RowVersion, &Row<'_>) -> bool,
) -> Result<(), TxnError> {
    try_each(table, view, direction, |row_id, version, row| Ok(f(row_id, version, row)))
}

fn try_each(
    table: &Arc<TableDef>,
    view: ReadView,
    direction: Direction,
    mut f: impl FnMut(RowId, RowVersion, &Row<'_>) -> Result<bool, TxnError>,
) -> Result<(), TxnError> {
    let mut scan = table.store.scan(view, ALL_ROWS, direction);
    let mut ended = Ok(true);
    while matches!(ended, Ok(true)) {
        let more = scan.next_batch(&mut |row_id, version, image| {
            ended = Row::read(image).and_then(|row| f(row_id, version, &row));
            if matches!(ended, Ok(true)) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        if !more {
            break;
        }
    }
    ended.map(|_| ())
}

/// The offset of the newest message; 0 before the first.
pub(super) fn newest_offset(table: &Arc<TableDef>, view: ReadView) -> Result<u64, TxnError> {
    let mut newest = 0;
    each(table, view, Direction::Backward, |_, _, row| {
        newest = row.offset;
        false
    })?;
    Ok(newest)
}

/// The messages with certain offsets, as far as they are there and may be seen, oldest first.
fn messages(
    table: &Arc<TableDef>,
    view: ReadView,
    wanted: Range<u64>,
    now_micros: i64,
) -> Result<Vec<StoredMessage>, TxnError> {
    let Some(limits) = table.channel.as_ref().map(|kept| kept.limits) else { return Ok(Vec::new()) };
    let max_age_micros = i64::try_from(limits.history_seconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
    let mut found = Vec::new();
    let (mut count, mut bytes) = (0, 0);
    // The numbers that the commit of the rows at hand may have: from its own floor to what is below that of the next.
    let (mut floor, mut highest_csn) = (None, view.snapshot().csn.0);
    try_each(table, view, Direction::Backward, |_, _, row| {
        (count, bytes) = (count + 1, bytes + row.bytes());
        let is_old = limits.history_seconds > 0 && now_micros.saturating_sub(row.published_micros()?) > max_age_micros;
        if is_old || count > limits.history || bytes > limits.history_bytes || row.offset < wanted.start {
            return Ok(false);
        }
        let own_floor = row.commit_floor()?;
        if let Some(newer) = floor.replace(own_floor).filter(|newer| *newer != own_floor) {
            highest_csn = newer - 1;
        }
        if row.offset < wanted.end {
            found.push(row.message(highest_csn)?);
        }
        Ok(true)
    })?;
    found.reverse();
    Ok(found)
}

impl Instance {
    /// The messages of a channel with certain offsets, as far as they are there and may be seen, oldest first.
    pub(super) async fn read_messages(
        self: &Arc<Instance>,
        channel: &ChannelName,
        wanted: Range<u64>,
    ) -> SqlResult<Vec<StoredMessage>> {
        let turn = self.kept_channels.readers.acquire().await;
        let _turn = turn.map_err(|_| SqlError::internal("the readers of channels are gone"))?;
        let (instance, channel) = (self.clone(), channel.clone());
        let read = tokio::task::spawn_blocking(move || match instance.readable_channel(&channel) {
            Some((view, table)) => messages(&table, view, wanted, instance.now_micros()),
            None => Ok(Vec::new()),
        });
        let read = read.await;
        Ok(read.map_err(|error| SqlError::internal(format!("a channel could not be read: {error}")))??)
    }

    /// The offset of the oldest message of a channel that its count lets be seen; where there is none the one that the first will
    /// have.
    pub(super) fn oldest_offset(&self, channel: &ChannelName) -> SqlResult<u64> {
        let Some((view, table)) = self.readable_channel(channel) else { return Ok(1) };
        let mut oldest = 1;
        each(&table, view.clone(), Direction::Forward, |_, _, row| {
            oldest = row.offset;
            false
        })?;
        let count = table.channel.as_ref().map_or(1, |kept| u64::from(kept.limits.history));
        Ok(oldest.max((newest_offset(&table, view)? + 1).saturating_sub(count)))
    }
}
