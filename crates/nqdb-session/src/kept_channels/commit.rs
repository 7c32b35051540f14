//! What a commit does to channels whose messages are kept: its messages go to their tables, and channels that it has made, changed
//! or dropped are told so, as are who follows tables that it publishes no longer.

use std::sync::Arc;
use std::time::Duration;

use nqdb_catalog::{Snapshot, TableDef};
use nqdb_pubsub::{ChannelName, Hub, Publication, StoredStream};
use nqdb_sqlstate::SqlResult;
use nqdb_txn::{Isolation, PublishHook, TxnError};

use super::{Author, KeptMessages, NewMessage, stream_of};
use crate::instance::Instance;
use crate::notifications::full_queue_of;
use crate::session::Session;
use crate::table_changes::ChangeMessage;

/// How long a publisher over HTTP waits for who changes the channel's definition.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// What a commit changes of a channel.
#[derive(Clone, Debug)]
pub(crate) enum ChannelChange {
    /// Its messages are kept from now on, or within other limits.
    Kept(StoredStream),
    KeptNoLonger(Arc<str>),
    /// The table whose changes went there is gone, or not published any more.
    Over(Arc<str>),
}

impl ChannelChange {
    /// Before the messages of the commit go out.
    pub(crate) fn begin(&self, hub: &Hub, database: u32, now_millis: u64) {
        match self {
            ChannelChange::Kept(stream) => hub.open_stored(database, stream, now_millis),
            ChannelChange::KeptNoLonger(_) | ChannelChange::Over(_) => {}
        }
    }

    /// After they have gone out.
    pub(crate) fn end(&self, hub: &Hub, database: u32, now_millis: u64) {
        let named = |name: &Arc<str>| ChannelName { database, name: name.clone() };
        match self {
            ChannelChange::Kept(_) => {}
            ChannelChange::KeptNoLonger(name) => hub.close_stored(&named(name), now_millis),
            ChannelChange::Over(name) => hub.close(&named(name), now_millis),
        }
    }
}

/// What a transaction tells at its commit, beside what NOTIFY said.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) table_changes: Vec<ChangeMessage>,
    pub(crate) channel_changes: Vec<ChannelChange>,
    /// Where the messages stand that have been written to tables.
    pub(crate) streams: Vec<StoredStream>,
}

impl Session {
    /// Gathers what the transaction at hand tells at its commit, and writes the messages that are kept. Waits for others who
    /// publish to the same channels.
    pub(crate) async fn prepare_publication(&mut self) -> SqlResult<Told> {
        let mut told = Told { table_changes: self.take_table_changes(), ..Told::default() };
        self.note_channel_changes(&mut told)?;
        if told.table_changes.is_empty() && !self.surroundings.notifications.borrow().says_something() {
            return Ok(told);
        }
        told.streams = self.keep_messages(&told.table_changes).await?;
        Ok(told)
    }

    async fn keep_messages(&mut self, table_changes: &[ChangeMessage]) -> SqlResult<Vec<StoredStream>> {
        let mut kept = self.kept_messages(table_changes);
        if kept.is_empty() {
            return Ok(Vec::new());
        }
        self.ensure_transaction()?;
        loop {
            self.with_waits(|txn| Instance::lock_channels(txn, &kept)).await?;
            // Definitions may have changed before the locks were there.
            let now = self.kept_messages(table_changes);
            let is_same = now.keys().eq(kept.keys());
            kept = now;
            if is_same {
                break;
            }
        }
        let author = Author { sender: self.surroundings.backend.pid(), publisher: None };
        loop {
            let instance = self.surroundings.instance.clone();
            let open = self.ensure_transaction()?;
            let savepoint = open.txn.savepoint();
            match instance.write_messages(&mut open.txn, &kept, &author) {
                Ok(streams) => return Ok(streams),
                Err(TxnError::Wait(wait)) => {
                    open.txn.rollback_changes_to(savepoint)?;
                    self.wait(wait).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The messages of the transaction that are kept, by the tables in which they are.
    fn kept_messages(&mut self, table_changes: &[ChangeMessage]) -> KeptMessages {
        let catalog = self.catalog_view();
        let mut kept = KeptMessages::new();
        if catalog.channels().next().is_none() {
            return kept;
        }
        let mut add = |channel: &str, message: &dyn Fn() -> NewMessage| {
            if let Some(table) = catalog.channel(channel) {
                kept.entry(table.oid).or_insert_with(|| (table.clone(), Vec::new())).1.push(message());
            }
        };
        for change in table_changes {
            add(change.channel(), &|| change.kept());
        }
        for message in self.surroundings.notifications.borrow().messages() {
            add(&message.channel, &|| NewMessage { payload: message.payload.clone(), rest: None });
        }
        kept
    }

    /// Compares the tables that the transaction has changed with what everybody else sees of them.
    fn note_channel_changes(&mut self, told: &mut Told) -> SqlResult<()> {
        let changed = self.open.as_ref().map(|open| open.draft.changed_tables()).unwrap_or_default();
        if changed.is_empty() {
            return Ok(());
        }
        let (before, now) = (self.surroundings.database.committed(), self.catalog_view());
        for table in changed {
            let (old, new) = (before.table_by_oid(table), now.table_by_oid(table));
            told.channel_changes.extend(channel_change(old, new));
            if let Some(old) = old.filter(|old| old.published.is_some() && !is_told_as_before(old, &now)) {
                told.table_changes.push(ChangeMessage::end_of(old));
                told.channel_changes.push(ChannelChange::Over(old.change_channel().into()));
            }
        }
        Ok(())
    }

    /// After the commit: tables of channels that have too much now are trimmed.
    pub(crate) fn trim_channels(&self, channels: &[Arc<str>]) {
        let database = self.surroundings.database.database();
        channels.iter().for_each(|channel| self.surroundings.instance.trim_channel(database, channel));
    }
}

fn channel_change(old: Option<&Arc<TableDef>>, new: Option<&Arc<TableDef>>) -> Option<ChannelChange> {
    let kept = |table: Option<&Arc<TableDef>>| table.and_then(|table| table.channel.clone());
    match (kept(old), kept(new), old, new) {
        (None, Some(_), _, Some(table)) => Some(ChannelChange::Kept(stream_of(table, 1))),
        (Some(_), None, Some(table), _) => Some(ChannelChange::KeptNoLonger(table.name.as_str().into())),
        _ => None,
    }
}

/// Whether the changes of a table still go where they went.
fn is_told_as_before(old: &TableDef, now: &Snapshot) -> bool {
    now.table_by_oid(old.oid).is_some_and(|new| new.published.is_some() && new.change_channel() == old.change_channel())
}

impl Instance {
    /// Publishes from outside of any session, in a transaction of its own: in the order of the commits, and when all of those
    /// before it are synced. To a channel whose messages are kept it writes one.
    ///
    /// Errors: 54000 when a queue that refuses is full; 55P03 when the channel's definition is being changed for too long.
    pub async fn publish(self: &Arc<Instance>, mut publication: Publication) -> SqlResult<()> {
        let reservation = self.hub.reserve(&publication).map_err(full_queue_of)?;
        let mut txn = self.system.begin(Isolation::ReadCommitted, false);
        let author = Author { sender: publication.sender, publisher: publication.publisher.clone() };
        let deadlock_timeout = self.defaults.effective().deadlock_timeout;
        publication.stored = loop {
            let savepoint = txn.savepoint();
            let kept = self.kept_of(&publication);
            let written = Instance::lock_channels(&mut txn, &kept).and_then(|()| {
                // What was dropped before the lock was there is not in the catalog any more.
                let kept = self.kept_of(&publication);
                self.write_messages(&mut txn, &kept, &author)
            });
            match written {
                Ok(streams) => break streams,
                Err(TxnError::Wait(wait)) => {
                    txn.rollback_changes_to(savepoint)?;
                    wait.wait(&mut txn, deadlock_timeout, Some(LOCK_TIMEOUT)).await?;
                }
                Err(error) => return Err(error.into()),
            }
        };
        let channels: Vec<Arc<str>> = publication.stored.iter().map(|stream| stream.channel.clone()).collect();
        let (instance, database) = (self.clone(), publication.database);
        let publish: PublishHook = Box::new(move |csn: nqdb_txn::Csn| {
            instance.hub.publish(&publication, csn.0, instance.uptime_millis());
            drop(reservation);
        });
        let commit = txn.commit_and_publish(Some(publish))?;
        if let Some(lsn) = commit.durable_lsn {
            self.system.durable(lsn).await?;
        }
        self.system.publish_synced();
        channels.iter().for_each(|channel| self.trim_channel(database, channel));
        Ok(())
    }

    fn kept_of(&self, publication: &Publication) -> KeptMessages {
        let mut kept = KeptMessages::new();
        for message in &publication.messages {
            let name = ChannelName { database: publication.database, name: message.channel.clone() };
            if let Some(table) = self.kept_channel(&name) {
                let message = NewMessage { payload: message.payload.clone(), rest: None };
                kept.entry(table.oid).or_insert_with(|| (table, Vec::new())).1.push(message);
            }
        }
        kept
    }
}
