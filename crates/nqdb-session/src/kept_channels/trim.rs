//! Deleting what a channel keeps no longer: in transactions of their own, after the commits that have made it too much. Readers
//! look at the limits themselves, so that nobody sees how far this has come.
//!
//! The newest message always stays: where the stream goes on is read from it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use nqdb_catalog::TableDef;
use nqdb_catalog::channel::ChannelLimits;
use nqdb_pubsub::ChannelName;
use nqdb_sqlstate::SqlResult;
use nqdb_txn::{Direction, Isolation, Modified, RelationLock, RowId, RowVersion, TxnError};

use super::{Contents, Tally, read};
use crate::instance::Instance;

/// Rows that one transaction deletes.
const ROWS_MAX: usize = 1_000;

/// Keeps a table from being dropped, and nobody from publishing.
const LOCK: RelationLock = RelationLock::RowShare;

/// How much more than its limits say a table may have before it is trimmed.
fn with_slack(limit: u64) -> u64 {
    limit + limit / 4 + 16
}

fn is_too_much(contents: Contents, limits: ChannelLimits) -> bool {
    contents.count > with_slack(u64::from(limits.history)) || contents.bytes > with_slack(limits.history_bytes)
}

/// Lets another begin when it is dropped.
struct Turn(Arc<Tally>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.trims.store(false, Ordering::Release);
    }
}

impl Instance {
    /// After a commit to a channel: sees to it that its table has not too much.
    pub(crate) fn trim_channel(self: &Arc<Instance>, database: u32, channel: &Arc<str>) {
        let name = ChannelName { database, name: channel.clone() };
        let Some(table) = self.kept_channel(&name) else { return };
        let Some(limits) = table.channel.as_ref().map(|kept| kept.limits) else { return };
        let tally = self.kept_channels.tally(table.oid);
        let Some(contents) = *tally.contents.lock() else { return };
        // What is too old is looked for now and then.
        let is_due = limits.history_seconds > 0 && contents.next_offset.is_multiple_of(64);
        if !(is_due || is_too_much(contents, limits)) || tally.trims.swap(true, Ordering::AcqRel) {
            return;
        }
        let (instance, turn) = (self.clone(), Turn(tally));
        tokio::spawn(async move {
            if let Err(error) = instance.trim(&name, &table, limits, &turn.0).await {
                tracing::warn!(channel = table.name, %error, "messages of a channel that are kept no longer were not deleted");
            }
        });
    }

    async fn trim(
        &self,
        name: &ChannelName,
        table: &Arc<TableDef>,
        limits: ChannelLimits,
        tally: &Arc<Tally>,
    ) -> SqlResult<()> {
        loop {
            let deleted = self.trim_once(name, table, limits, tally).await?;
            if deleted < ROWS_MAX {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }

    async fn trim_once(
        &self,
        name: &ChannelName,
        table: &Arc<TableDef>,
        limits: ChannelLimits,
        tally: &Arc<Tally>,
    ) -> SqlResult<usize> {
        let deadlock_timeout = self.defaults.effective().deadlock_timeout;
        let mut txn = self.system.begin(Isolation::ReadCommitted, false);
        loop {
            let savepoint = txn.savepoint();
            let deleted = txn.lock_relation(table.oid, LOCK).and_then(|()| {
                // Under the lock: a table that was dropped before it has no trees any more.
                if self.kept_channel(name).is_none_or(|now| now.oid != table.oid) {
                    return Ok((0, 0));
                }
                let doomed = self.doomed(table, limits, tally)?;
                let mut bytes = 0;
                for (row_id, version, row_bytes) in &doomed {
                    match table.store.delete(&mut txn, *row_id, *version)? {
                        Modified::Done => bytes += row_bytes,
                        other => return Err(unexpected(other)),
                    }
                }
                Ok((doomed.len(), bytes))
            });
            match deleted {
                Ok((count, bytes)) => {
                    let tally = tally.clone();
                    txn.on_commit(Box::new(move |_| {
                        if let Some(contents) = &mut *tally.contents.lock() {
                            contents.count = contents.count.saturating_sub(count as u64);
                            contents.bytes = contents.bytes.saturating_sub(bytes);
                        }
                    }));
                    // Nobody is told of it: it need not be on disk.
                    txn.commit()?;
                    return Ok(count);
                }
                Err(TxnError::Wait(wait)) => {
                    txn.rollback_changes_to(savepoint)?;
                    wait.wait(&mut txn, deadlock_timeout, None).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The oldest rows that are too many, with their bytes: of those that are synced.
    fn doomed(
        &self,
        table: &Arc<TableDef>,
        limits: ChannelLimits,
        tally: &Tally,
    ) -> Result<Vec<(RowId, RowVersion, u64)>, TxnError> {
        let Some(mut left) = *tally.contents.lock() else { return Ok(Vec::new()) };
        let max_age_micros = i64::try_from(limits.history_seconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
        let now_micros = self.now_micros();
        let view = self.system.latest_view();
        let newest = read::newest_offset(table, view.clone())?;
        let mut doomed = Vec::new();
        let mut failure = Ok(());
        read::each(table, view, Direction::Forward, |row_id, version, row| {
            let is_old = match row.published_micros() {
                Ok(published) => limits.history_seconds > 0 && now_micros.saturating_sub(published) > max_age_micros,
                Err(error) => {
                    failure = Err(error);
                    return false;
                }
            };
            let is_over = left.count > u64::from(limits.history) || left.bytes > limits.history_bytes;
            if row.offset >= newest || doomed.len() >= ROWS_MAX || !(is_old || is_over) {
                return false;
            }
            left.count = left.count.saturating_sub(1);
            left.bytes = left.bytes.saturating_sub(row.bytes());
            doomed.push((row_id, version, row.bytes()));
            true
        })?;
        failure.map(|()| doomed)
    }
}

fn unexpected(modified: Modified) -> TxnError {
    nqdb_sqlstate::SqlError::internal(format!("a message of a channel could not be deleted: {modified:?}")).into()
}
