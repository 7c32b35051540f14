//! Channels whose messages are kept in tables, so that their streams outlive the server (docs/realtime.md).
//!
//! ```text
//! commit of who publishes:  lock the channel --> rows with the next offsets --> commit record --> sync --> hub, in the commits' order
//! who comes back:           place in the hub --> what the hub's memory has passed is read from the table
//! ```
//!
//! What always holds:
//! 1. A message that anybody was told of is in its channel's table, at its offset, and what the table has after a restart are the
//!    messages of all commits that were acknowledged, without a gap.
//! 2. Offsets follow the order of the commits: who takes them holds the channel's lock ([`LOCK`]) from then until its commit is
//!    in the log, and no longer. So commits to one channel share their syncs. It is the last lock that a transaction takes, and
//!    several channels are locked in the order of their numbers: nobody waits in a ring for them.
//! 3. The hub is told in the order of the commits, and a subscriber takes its place there before it reads the table: what it reads
//!    ends where that begins.

mod commit;
mod read;
mod trim;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use nqdb_catalog::channel::{ChannelLimits, channel_column};
use nqdb_catalog::{Snapshot, TableDef};
use nqdb_pubsub::{
    ChannelName, HistoryLimits, HistoryPart, Member, Missed, StoredStream, Subscribed, Subscriber, Subscription,
};
use nqdb_sqlstate::{PROGRAM_LIMIT_EXCEEDED, SqlError, SqlResult};
use nqdb_txn::{Direction, ReadView, RelationLock, RowId, Transaction, TxnError};
use nqdb_types::Datum;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::instance::Instance;

pub(crate) use commit::Told;

/// What who publishes holds of a channel's table: one at a time, beside readers and who trims it.
const LOCK: RelationLock = RelationLock::ShareRowExclusive;

/// Tables that are read at the same time for those who come back.
const READERS_MAX: usize = 2;

/// Any row of a table.
const ALL_ROWS: std::ops::Range<RowId> = RowId(0)..RowId(u64::MAX);

/// What the server remembers of the tables of channels, by their numbers.
pub(crate) struct KeptChannels {
    tallies: Mutex<HashMap<u32, Arc<Tally>, foldhash::fast::RandomState>>,
    readers: Semaphore,
}

impl Default for KeptChannels {
    fn default() -> KeptChannels {
        KeptChannels { tallies: Mutex::default(), readers: Semaphore::new(READERS_MAX) }
    }
}

/// What one table has. Read from the table by the first who writes to it.
#[derive(Default)]
pub(crate) struct Tally {
    contents: Mutex<Option<Contents>>,
    trims: std::sync::atomic::AtomicBool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Contents {
    next_offset: u64,
    count: u64,
    /// Bytes of payloads.
    bytes: u64,
}

/// A message on its way to its table.
#[derive(Clone, Debug)]
pub(crate) struct NewMessage {
    pub(crate) payload: Arc<str>,
    /// What stands behind the number of the commit, where the payload is what stands before it.
    pub(crate) rest: Option<String>,
}

impl NewMessage {
    fn bytes(&self) -> u64 {
        (self.payload.len() + self.rest.as_ref().map_or(0, String::len)) as u64
    }
}

/// What a transaction publishes to channels whose messages are kept, by the numbers of their tables.
pub(crate) type KeptMessages = BTreeMap<u32, (Arc<TableDef>, Vec<NewMessage>)>;

/// Who publishes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Author {
    /// The process number of a session.
    pub(crate) sender: i32,
    /// A client over HTTP.
    pub(crate) publisher: Option<Arc<Member>>,
}

impl KeptChannels {
    fn tally(&self, table: u32) -> Arc<Tally> {
        self.tallies.lock().entry(table).or_default().clone()
    }

    /// Forgets tables that are gone.
    fn retain(&self, is_there: impl Fn(u32) -> bool) {
        self.tallies.lock().retain(|table, _| is_there(*table));
    }
}

impl Tally {
    /// What the table has, for who holds its lock.
    fn contents(&self, table: &Arc<TableDef>, txn: &Transaction) -> Result<Contents, TxnError> {
        let mut contents = self.contents.lock();
        if let Some(known) = *contents {
            return Ok(known);
        }
        let mut counted = Contents { next_offset: 1, ..Contents::default() };
        read::each(table, txn.appended_view(), Direction::Forward, |_, _, row| {
            counted.next_offset = row.offset + 1;
            counted.count += 1;
            counted.bytes += row.bytes();
            true
        })?;
        *contents = Some(counted);
        Ok(counted)
    }
}

/// The limits of a channel's history in memory.
fn history_limits(limits: ChannelLimits) -> HistoryLimits {
    HistoryLimits {
        count: limits.history as usize,
        bytes: usize::try_from(limits.history_bytes).unwrap_or(usize::MAX),
        age_millis: match limits.history_seconds {
            0 => u64::MAX,
            seconds => seconds.saturating_mul(1_000),
        },
    }
}

/// The stream of a channel's table.
fn stream_of(table: &TableDef, next_offset: u64) -> StoredStream {
    let channel = table.channel.as_deref();
    let limits = channel.map_or(ChannelLimits { history: 1, history_bytes: 0, history_seconds: 0 }, |kept| kept.limits);
    StoredStream {
        channel: table.name.as_str().into(),
        epoch: channel.map_or("", |kept| kept.epoch.as_str()).into(),
        limits: history_limits(limits),
        next_offset,
    }
}

impl Instance {
    /// Takes the locks of channels. `Wait`: call again.
    pub(crate) fn lock_channels(txn: &mut Transaction, messages: &KeptMessages) -> Result<(), TxnError> {
        messages.keys().try_for_each(|table| txn.lock_relation(*table, LOCK))
    }

    /// Writes messages to the tables of channels whose locks are held, and gives the places that they have in their streams.
    /// `Wait`: go back to before the call, and call again.
    pub(crate) fn write_messages(
        &self,
        txn: &mut Transaction,
        messages: &KeptMessages,
        author: &Author,
    ) -> Result<Vec<StoredStream>, TxnError> {
        // All commits that are told on these channels before this one have lower numbers, and it will not.
        let commit_floor = self.system.newest_csn().0 + 1;
        let published_micros = self.now_micros();
        let mut streams = Vec::with_capacity(messages.len());
        for (table, messages) in messages.values() {
            let tally = self.kept_channels.tally(table.oid);
            let mut contents = tally.contents(table, txn)?;
            streams.push(stream_of(table, contents.next_offset));
            for message in messages {
                let row = row_of(message, contents.next_offset, commit_floor, published_micros, author);
                table.store.insert(txn, &row)?;
                contents.next_offset += 1;
                contents.count += 1;
                contents.bytes += message.bytes();
            }
            let (added, bytes) = (messages.len() as u64, messages.iter().map(NewMessage::bytes).sum::<u64>());
            txn.on_commit(Box::new(move |_| {
                if let Some(contents) = &mut *tally.contents.lock() {
                    contents.next_offset += added;
                    contents.count += added;
                    contents.bytes += bytes;
                }
            }));
        }
        Ok(streams)
    }

    /// Makes the hub know a channel whose messages are kept, if it does not yet.
    fn open_channel(&self, name: &ChannelName) -> SqlResult<()> {
        let Some((view, table)) = self.readable_channel(name) else { return Ok(()) };
        let newest = read::newest_offset(&table, view)?;
        self.hub.open_stored(name.database, &stream_of(&table, newest + 1), self.uptime_millis());
        Ok(())
    }

    /// A channel's table, to be read without a lock: the view is older than what is found in the catalog, so that the trees of a
    /// table that is dropped after it stay as long as it does.
    fn readable_channel(&self, name: &ChannelName) -> Option<(ReadView, Arc<TableDef>)> {
        let view = self.system.latest_view();
        Some((view, self.kept_channel(name)?))
    }

    /// The table of a channel, if its messages are kept.
    fn kept_channel(&self, name: &ChannelName) -> Option<Arc<TableDef>> {
        self.cluster.catalog(name.database)?.committed().channel(&name.name).cloned()
    }

    /// Subscribes to a channel, and finds what the subscriber has missed since it was there. `None`: it is there already.
    ///
    /// Errors: 54000 for too many subscriptions, and those of reading a table.
    pub async fn subscribe(
        self: &Arc<Instance>,
        subscriber: &Subscriber,
        channel: &ChannelName,
        subscription: Subscription,
    ) -> SqlResult<Option<Subscribed>> {
        if subscription.keeps_history {
            self.open_channel(channel)?;
        }
        let told = subscriber
            .subscribe(channel, subscription, self.uptime_millis())
            .map_err(|error| SqlError::new(PROGRAM_LIMIT_EXCEEDED, error.to_string()))?;
        let Some(mut told) = told else { return Ok(None) };
        if let Some(Missed::Stored { after, until }) = told.missed {
            let found = self.read_messages(channel, after + 1..until + 1).await?;
            let is_whole = found.first().is_some_and(|first| first.offset == after + 1)
                && found.last().is_some_and(|last| last.offset == until);
            told.missed = Some(match is_whole {
                true => Missed::All(self.hub.stored_part(channel, found, self.uptime_millis())),
                false => {
                    self.hub.note_gap(channel);
                    Missed::Unknown
                }
            });
        }
        Ok(Some(told))
    }

    /// Part of what a channel keeps, as [`nqdb_pubsub::Hub::history`]; `None` where nothing is kept.
    pub async fn channel_history(
        self: &Arc<Instance>,
        channel: &ChannelName,
        since: Option<u64>,
        backward: bool,
        limit: usize,
    ) -> SqlResult<Option<HistoryPart>> {
        self.open_channel(channel)?;
        let part = self.hub.history(channel, since, backward, limit, self.uptime_millis());
        let Some(mut part) = part else { return Ok(None) };
        if !part.is_stored {
            return Ok(Some(part));
        }
        let (top, limit) = (part.position.offset, limit as u64);
        let wanted = match (since, backward) {
            (Some(since), false) => since + 1..(since + 1).saturating_add(limit).min(top + 1),
            (None, false) => {
                let oldest = self.oldest_offset(channel)?;
                oldest..oldest.saturating_add(limit).min(top + 1)
            }
            (since, true) => {
                let until = since.unwrap_or(top + 1).min(top + 1);
                until.saturating_sub(limit).max(1)..until
            }
        };
        if wanted.start < part.first_offset && !wanted.is_empty() {
            let found = self.read_messages(channel, wanted).await?;
            part.part = self.hub.stored_part(channel, found, self.uptime_millis());
        }
        Ok(Some(part))
    }

    /// Forgets channels that nobody comes back for, and what was remembered of tables that are gone. To be called now and then.
    pub fn sweep_channels(&self) {
        let now_millis = self.uptime_millis();
        self.hub.sweep(now_millis);
        for name in self.hub.stored_channels() {
            if self.kept_channel(&name).is_none() {
                self.hub.close_stored(&name, now_millis);
            }
        }
        let catalogs: Vec<Arc<Snapshot>> = self.cluster.catalogs().iter().map(|catalog| catalog.committed()).collect();
        self.kept_channels.retain(|table| catalogs.iter().any(|catalog| catalog.table_by_oid(table).is_some()));
    }

    /// What the tables of channels have, as far as limits let it be seen: the newest offset, and how many messages.
    pub(crate) fn kept_facts(&self, name: &ChannelName) -> SqlResult<(u64, u64)> {
        let Some((view, table)) = self.readable_channel(name) else { return Ok((0, 0)) };
        let newest = read::newest_offset(&table, view)?;
        Ok((newest, (newest + 1).saturating_sub(self.oldest_offset(name)?)))
    }
}

fn row_of(message: &NewMessage, offset: u64, commit_floor: u64, published_micros: i64, author: &Author) -> Vec<Datum> {
    let integer = |value: u64| Datum::Int8(i64::try_from(value).unwrap_or(i64::MAX));
    let optional = |value: Option<&str>| value.map_or(Datum::Null, Datum::text);
    let mut row = vec![Datum::Null; channel_column::USER + 1];
    let mut set = |column: usize, value: Datum| {
        if let Some(place) = row.get_mut(column) {
            *place = value;
        }
    };
    set(channel_column::OFFSET, integer(offset));
    set(channel_column::PAYLOAD, Datum::text(&*message.payload));
    set(channel_column::REST, optional(message.rest.as_deref()));
    set(channel_column::COMMIT_FLOOR, integer(commit_floor));
    set(channel_column::PUBLISHED, Datum::TimestampTz(published_micros));
    set(channel_column::SENDER, Datum::Int4(author.sender));
    set(channel_column::CLIENT, optional(author.publisher.as_deref().map(|member| &*member.client)));
    set(channel_column::USER, optional(author.publisher.as_deref().map(|member| &*member.user)));
    row
}
