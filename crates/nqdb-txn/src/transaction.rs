//! One transaction: snapshots, savepoints, locks, and its end.
//!
//! ```text
//! begin -> begin_statement -> (insert, update, ... lock_relation, savepoint, rollback_to)* -> commit | rollback
//!             ^______________________________________________|
//! ```
//!
//! What always holds:
//!
//! 1. A number ([`Xid`]) is given at the first write, or when it is asked for; who only reads leaves no trace in the log.
//! 2. Before each change, undo room and the log space for undoing it have been taken, so that a rollback needs neither
//!    memory nor disk.
//! 3. At a commit: record appended, csn published, hooks run, then locks fall, then the session waits for the sync. At a
//!    rollback: everything put back, end logged (R2), then locks fall.
//! 4. A prepared transaction that is resumed ends by its commit or rollback, or stays prepared ([`two_phase`]).
//! 5. What was learnt from a commit that is not synced yet is a dependency: it is waited for before the next snapshot,
//!    before the end is reported, and before an error that is owed to it.

mod two_phase;

pub(crate) use two_phase::{Suspended, state_parts};

use crate::definitions::Definition;
use crate::error::{Result, TxnError};
use crate::feed::{ChangeFeed, RowChange};
use crate::growth::Growth;
use crate::ids::{Csn, OwnerId, RowId, UndoPosition, Xid};
use crate::publication::PublishHook;
use crate::record::{self, CHANGE_OVERHEAD_BYTES, Change, ChangeKind};
use crate::relation_lock::{AdvisoryKey, LockTarget, RelationLock};
use crate::row_lock::RowLock;
use crate::serial::{Safety, Tracked};
use crate::snapshot::Snapshot;
use crate::system::TxnSystem;
use crate::table::TableStore;
use crate::undo::UndoWriter;
use crate::view::{HEADER_BYTES, ReadView, Registered};
use crate::wait::{Running, TxnWait, Wait};
use nqdb_storage::tree::{EditNeed, Tree};
use nqdb_storage::{Lsn, Need, PageId, Reservation, StorageError, TreeId};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a statement sees of others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Isolation {
    /// Each statement sees what was committed when it began.
    ReadCommitted,
    /// Every statement sees what was committed when the first one began; the first updater of a row wins.
    RepeatableRead,
    /// As REPEATABLE READ; and whoever commits could have run alone, one after the other, in some order.
    Serializable,
}

impl Isolation {
    /// Whether all statements of a transaction see the same.
    pub fn keeps_its_snapshot(self) -> bool {
        self != Isolation::ReadCommitted
    }
}

/// Log space is taken for a transaction's rollback in pieces of at least this size.
const CREDIT_PIECE_BYTES: usize = 16 * 1024;

/// A running transaction. Dropping it rolls it back.
pub struct Transaction {
    system: Arc<TxnSystem>,
    running: Arc<Running>,
    isolation: Isolation,
    read_only: bool,
    deferrable: bool,
    finished: bool,
    xid: Option<Xid>,
    pub(crate) undo: UndoWriter,
    /// Log and file space for the rollback.
    credit: Option<Reservation>,
    /// Log space for the record of the end; there as soon as there is a number.
    end_credit: Option<Reservation>,
    /// How much of the credit is promised to changes made so far.
    credit_promised: usize,
    /// Rows that the rollback makes longer: promised beside that.
    growth: Growth,
    registered: Option<Arc<Registered>>,
    /// What SERIALIZABLE knows of this transaction, from its snapshot on.
    tracked: Option<Arc<Tracked>>,
    /// A snapshot of which it is not known yet whether it is safe.
    awaited: Option<(Arc<Registered>, Arc<Tracked>)>,
    seen_up_to: UndoPosition,
    depends_on: AtomicU64,
    /// As `depends_on`, but only the end has to wait for it.
    end_depends_on: AtomicU64,
    held_relations: Vec<(u32, RelationLock)>,
    held_rows: Vec<(u32, RowId, RowLock)>,
    /// Of a prepared transaction; others' are their sessions'.
    held_advisory: Vec<(AdvisoryKey, RelationLock)>,
    /// The identifier of a prepared transaction.
    prepared: Option<String>,
    /// Rows whose key in a deferrable index another row may have, until they are asked for.
    doubts: Vec<(u32, RowId)>,
    /// The relation in whose queue this transaction has a place.
    queued: Option<u32>,
    /// What was said about tables, in order.
    definitions: Vec<Definition>,
    /// What has changed in tables that are followed.
    feed: Option<ChangeFeed>,
    on_commit: Vec<Box<dyn FnOnce(Csn) + Send>>,
    on_rollback: Vec<Box<dyn FnOnce() + Send>>,
    /// Index entries that undoing has marked again: for purge to look at after the end.
    pub(crate) marked_again: Vec<MarkedAgain>,
}

/// An index entry that a rollback left as a candidate for purge; or, without a key, a tree whose creation was undone.
pub(crate) struct MarkedAgain {
    pub(crate) table: u32,
    pub(crate) tree: TreeId,
    pub(crate) key: Vec<u8>,
}

/// A place to roll back to.
#[derive(Clone, Copy, Debug)]
pub struct SavepointMark {
    undo: UndoPosition,
    relations: usize,
    rows: usize,
    definitions: usize,
    feed: usize,
    on_commit: usize,
    on_rollback: usize,
}

/// What a commit sets off.
pub(crate) struct CommitHooks {
    /// Run under the commit latch.
    pub(crate) hooks: Vec<Box<dyn FnOnce(Csn) + Send>>,
    /// Runs when the commit is synced, behind those of the commits before.
    pub(crate) publish: Option<PublishHook>,
}

/// How a commit went.
#[derive(Clone, Copy, Debug)]
pub struct Commit {
    /// The commit's number, if it took one.
    pub csn: Option<Csn>,
    /// What must be synced before the client may be told; `None`: nothing.
    pub durable_lsn: Option<Lsn>,
}

impl Transaction {
    pub(crate) fn begin(
        system: &Arc<TxnSystem>,
        running: Arc<Running>,
        isolation: Isolation,
        read_only: bool,
    ) -> Transaction {
        Transaction {
            system: system.clone(),
            running,
            isolation,
            read_only,
            deferrable: false,
            finished: false,
            xid: None,
            undo: UndoWriter::new(system.undo().clone()),
            credit: None,
            end_credit: None,
            credit_promised: 0,
            growth: Growth::default(),
            registered: None,
            tracked: None,
            awaited: None,
            seen_up_to: UndoPosition::NONE,
            depends_on: AtomicU64::new(0),
            end_depends_on: AtomicU64::new(0),
            held_relations: Vec::new(),
            held_rows: Vec::new(),
            held_advisory: Vec::new(),
            prepared: None,
            doubts: Vec::new(),
            queued: None,
            definitions: Vec::new(),
            feed: None,
            on_commit: Vec::new(),
            on_rollback: Vec::new(),
            marked_again: Vec::new(),
        }
    }

    /// The system this transaction runs in.
    pub fn system(&self) -> &Arc<TxnSystem> {
        &self.system
    }

    pub(crate) fn running(&self) -> &Arc<Running> {
        &self.running
    }

    /// The owner of this transaction's locks.
    pub fn owner(&self) -> OwnerId {
        self.running.owner
    }

    /// The session's process number, which deadlock reports show.
    pub fn set_process_id(&mut self, process_id: i32) {
        self.running.process_id.store(process_id, Ordering::Relaxed);
    }

    /// The transaction's number; `None` until the first write or [`Transaction::number`].
    pub fn xid(&self) -> Option<Xid> {
        self.xid
    }

    /// The transaction's number, given now if nothing was written yet: for who wants to know it. Its end is logged then.
    pub fn number(&mut self) -> Result<Xid> {
        match self.xid {
            Some(xid) => Ok(xid),
            None => self.assign_xid(),
        }
    }

    /// Whether it has a number: something was written, or the number was asked for.
    pub fn has_written(&self) -> bool {
        self.xid.is_some()
    }

    /// Whether the session asked for a read-only transaction. Refusing writes with PostgreSQL's wording is its part.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    pub fn set_read_only(&mut self, read_only: bool) {
        self.read_only = read_only;
    }

    /// Whether SERIALIZABLE READ ONLY waits for a snapshot in which it cannot fail. Only before the first statement.
    pub fn set_deferrable(&mut self, deferrable: bool) {
        self.deferrable = deferrable;
    }

    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// Changes the isolation level; only before the first statement.
    pub fn set_isolation(&mut self, isolation: Isolation) {
        debug_assert!(self.registered.is_none(), "the first snapshot has been taken");
        self.isolation = isolation;
    }

    /// Starts a statement: under READ COMMITTED with a new snapshot. `Wait::Log` when something this transaction built
    /// on is not synced yet; `Wait::SafeSnapshot` for SERIALIZABLE READ ONLY DEFERRABLE.
    pub fn begin_statement(&mut self) -> Result<()> {
        self.leave_row_queue();
        if self.registered.is_none() || self.isolation == Isolation::ReadCommitted {
            if let Some(lsn) = self.depends_on() {
                return Err(TxnError::Wait(Wait::Log(lsn)));
            }
            match self.isolation {
                Isolation::Serializable if self.read_only && self.deferrable => self.take_safe_snapshot()?,
                _ => self.take_snapshot(),
            }
        }
        self.seen_up_to = self.undo.seen_up_to();
        Ok(())
    }

    fn take_snapshot(&mut self) {
        if self.isolation == Isolation::Serializable {
            let (registered, tracked) = self.system.serial().begin(&self.system, &self.running, self.read_only);
            (self.registered, self.tracked) = (Some(registered), Some(tracked));
        } else {
            self.registered = Some(Registered::take(&self.system));
        }
    }

    /// Takes snapshots until one is safe.
    fn take_safe_snapshot(&mut self) -> Result<()> {
        loop {
            let (registered, tracked) = match self.awaited.take() {
                Some(awaited) => awaited,
                None => self.system.serial().begin(&self.system, &self.running, true),
            };
            match self.system.serial().safety(&tracked) {
                Safety::Safe => {
                    (self.registered, self.tracked) = (Some(registered), Some(tracked));
                    return Ok(());
                }
                Safety::Depends(writers) => {
                    self.awaited = Some((registered, tracked));
                    return Err(TxnError::Wait(Wait::SafeSnapshot(TxnWait::new(writers))));
                }
                Safety::Unsafe => {
                    // A snapshot that shows the commit that spoiled this one may be safe.
                    self.system.serial().aborts(&tracked);
                    self.depend_on_all_commits();
                    if let Some(lsn) = self.depends_on() {
                        return Err(TxnError::Wait(Wait::Log(lsn)));
                    }
                }
            }
        }
    }

    pub(crate) fn tracked(&self) -> Option<&Tracked> {
        self.tracked.as_deref()
    }

    /// Lets the statement go on over what it has written so far, under the same snapshot: for statements that are made
    /// of several steps, as definitions are. Takes no snapshot, so it never waits.
    pub fn continue_statement(&mut self) {
        self.seen_up_to = self.undo.seen_up_to();
    }

    /// What the current statement sees. The view may outlive the statement and the transaction.
    pub fn view(&self) -> ReadView {
        let registered = match &self.registered {
            Some(registered) => registered.clone(),
            None => Registered::take(&self.system),
        };
        ReadView::new(registered, Some(self.running.clone()), self.seen_up_to).tracked_for(self.tracked.clone())
    }

    /// The snapshot of the current statement; none outside of one.
    pub fn snapshot(&self) -> Option<Snapshot> {
        self.registered.as_ref().map(|registered| registered.snapshot())
    }

    /// A view that also sees what the current statement has written so far (for triggers' and constraints' checks).
    pub fn view_with_own_writes(&self) -> ReadView {
        let registered = match &self.registered {
            Some(registered) => registered.clone(),
            None => Registered::take(&self.system),
        };
        let view = ReadView::new(registered, Some(self.running.clone()), self.undo.seen_up_to());
        view.tracked_for(self.tracked.clone())
    }

    /// What is committed and synced now, whatever the isolation level, and all that this transaction has written: for
    /// a definition that looks at every row of a table under a lock that keeps writers out.
    pub fn newest_view(&self) -> ReadView {
        ReadView::new(Registered::take(&self.system), Some(self.running.clone()), self.undo.seen_up_to())
    }

    /// Everything that has been committed by now, synced or not, and all that this transaction has written: for checks of
    /// constraints, which must not miss the rows of who gave them the lock that let them in.
    ///
    /// The record of this transaction's commit stands behind theirs, so its end owes them nothing more. An error that is
    /// told of what is seen here does ([`Transaction::depend_on_all_commits`]).
    pub fn appended_view(&self) -> ReadView {
        let registered = Registered::take_appended(&self.system);
        ReadView::new(registered, Some(self.running.clone()), self.undo.seen_up_to())
    }

    /// Own writes at or after this position belong to the current statement.
    pub(crate) fn statement_start(&self) -> UndoPosition {
        self.seen_up_to
    }

    /// The position of the newest commit that this transaction has built on or answered from and that is not synced yet.
    pub fn depends_on(&self) -> Option<Lsn> {
        let lsn = Lsn(self.depends_on.load(Ordering::Relaxed));
        (lsn.0 != 0 && !self.system.durability().is_durable(lsn)).then_some(lsn)
    }

    /// Notes that what comes next is owed to log that may not be synced yet.
    pub fn add_dependency(&self, lsn: Lsn) {
        self.depends_on.fetch_max(lsn.0, Ordering::Relaxed);
    }

    /// Notes that the end of this transaction, but no statement before it, has to wait for some log.
    pub fn add_end_dependency(&self, lsn: Lsn) {
        self.end_depends_on.fetch_max(lsn.0, Ordering::Relaxed);
    }

    /// What the end has to wait for besides its own record.
    fn end_dependency(&self) -> Option<Lsn> {
        let lsn = Lsn(self.end_depends_on.load(Ordering::Relaxed).max(self.depends_on.load(Ordering::Relaxed)));
        (lsn.0 != 0 && !self.system.durability().is_durable(lsn)).then_some(lsn)
    }

    /// Makes sure that undo this transaction may read is kept.
    pub(crate) fn ensure_registered(&mut self) {
        if self.registered.is_none() {
            self.take_snapshot();
        }
    }

    /// Puts back what the current call has done since `mark`, because the call has to be made again.
    pub(crate) fn withdraw(&mut self, mark: UndoPosition) -> Result<()> {
        self.undo_until(mark)
    }

    /// Notes that a version by `xid`, which has committed, was looked at outside the snapshot.
    pub(crate) fn depend_on_commit_of(&self, xid: Xid) {
        if let Some(lsn) = self.system.unsynced_commit_of(xid) {
            self.add_dependency(lsn);
        }
    }

    /// Notes that the next snapshot is to see every commit that has been appended by now: those before it have let this
    /// transaction have a lock.
    pub fn depend_on_all_commits(&self) {
        self.add_dependency(self.system.newest_commit_end());
    }

    /// Takes what a change needs before any latch: a number, undo room for `count` records with at most `image_bytes_max`
    /// of image each, and log space for undoing them.
    pub(crate) fn prepare(&mut self, count: usize, key_bytes: usize, image_bytes_max: usize) -> Result<Xid> {
        let rollback_bytes = count * undo_log_bytes(key_bytes, image_bytes_max + HEADER_BYTES);
        self.prepare_room(count, count * (key_bytes + image_bytes_max), rollback_bytes)
    }

    /// Whether rows were made shorter, so that the next one may be too.
    pub(crate) fn shortens_rows(&self) -> bool {
        self.growth.is_expected()
    }

    /// As [`Transaction::prepare`], for one change that may make its row shorter.
    pub(crate) fn prepare_shortening(&mut self, key_bytes: usize, image_bytes_max: usize) -> Result<Xid> {
        let xid = self.prepare(1, key_bytes, image_bytes_max)?;
        let (log_bytes, pages) = self.growth.one_more();
        self.take_credit(undo_log_bytes(key_bytes, image_bytes_max + HEADER_BYTES) + log_bytes, pages)?;
        Ok(xid)
    }

    /// Takes a number, undo room for `count` records with `undo_bytes` of keys and images, and `rollback_bytes` of log.
    pub(crate) fn prepare_room(&mut self, count: usize, undo_bytes: usize, rollback_bytes: usize) -> Result<Xid> {
        let xid = match self.xid {
            Some(xid) => xid,
            None => self.assign_xid()?,
        };
        self.undo.prepare(count, undo_bytes)?;
        self.take_credit(rollback_bytes, 0)?;
        Ok(xid)
    }

    /// Takes log and file space for the rollback of one more change, beyond what is promised.
    fn take_credit(&mut self, log_bytes: usize, pages: u32) -> Result<()> {
        let (growth_log_bytes, growth_pages) = self.growth.promised();
        let need = self.credit_promised + growth_log_bytes + log_bytes;
        let (have, have_pages) = self.credit.as_ref().map_or((0, 0), |credit| (credit.log_bytes(), credit.new_pages()));
        let missing_pages = (growth_pages + pages).saturating_sub(have_pages);
        if need > have || missing_pages > 0 {
            let missing = if need > have { (need - have).max(CREDIT_PIECE_BYTES) } else { 0 };
            let more = self.system.engine().reserve_credit(missing, missing_pages)?;
            match &mut self.credit {
                Some(credit) => credit.merge(more),
                None => self.credit = Some(more),
            }
        }
        Ok(())
    }

    fn assign_xid(&mut self) -> Result<Xid> {
        self.ensure_registered();
        let end_bytes = Need::group_bytes(record::encode_commit(Xid(0), Csn(0), 0).len());
        self.end_credit = Some(self.system.engine().reserve_credit(end_bytes, 0)?);
        let xid = self.system.start_xid(&self.running);
        self.xid = Some(xid);
        if let Some(tracked) = &self.tracked {
            self.system.serial().number_given(tracked, xid);
        }
        Ok(xid)
    }

    /// Enters a change into the undo; `payload` receives what the log has to say about it. Room must have been prepared.
    pub(crate) fn note_change(&mut self, xid: Xid, change: &Change<'_>, payload: &mut Vec<u8>) -> UndoPosition {
        payload.clear();
        change.encode(xid, payload);
        self.credit_promised += rollback_log_bytes(change);
        self.undo.append(change)
    }

    /// The row that was just changed, in `leaf`, is shorter than before by `bytes`: undoing it may need a split.
    pub(crate) fn note_shortened(&mut self, leaf: PageId, bytes: usize) {
        self.growth.note(leaf, bytes);
    }

    /// Marks a place to roll back to. It stays usable until it is rolled back over.
    pub fn savepoint(&mut self) -> SavepointMark {
        SavepointMark {
            undo: self.undo.last(),
            relations: self.held_relations.len(),
            rows: self.held_rows.len(),
            definitions: self.definitions.len(),
            feed: self.feed.as_ref().map_or(0, ChangeFeed::mark),
            on_commit: self.on_commit.len(),
            on_rollback: self.on_rollback.len(),
        }
    }

    /// Puts back everything done since `mark`, gives back the locks taken since, and wakes those who wait for them.
    pub fn rollback_to(&mut self, mark: SavepointMark) -> Result<()> {
        self.leave_queue();
        self.leave_row_queue();
        self.rollback_changes_to(mark)?;
        self.release_locks(mark.relations, mark.rows);
        self.running.rolled_back_partly();
        Ok(())
    }

    /// As [`Transaction::rollback_to`], but keeps the locks and the place in a lock's queue: for a call of several steps
    /// that met a wait and will be made again when that is over. (Giving a lock back wakes everybody in the queue, the
    /// owner of the wait among them: it would never sleep.)
    pub fn rollback_changes_to(&mut self, mark: SavepointMark) -> Result<()> {
        let has_changed = self.undo.last() != mark.undo;
        self.undo_until(mark.undo)?;
        self.withdraw_definitions(mark.definitions);
        if let Some(feed) = &mut self.feed {
            feed.truncate(mark.feed);
        }
        self.on_commit.truncate(mark.on_commit);
        for hook in self.on_rollback.split_off(mark.on_rollback) {
            hook();
        }
        self.seen_up_to = self.undo.seen_up_to();
        if has_changed {
            self.running.rolled_back_partly();
        }
        Ok(())
    }

    fn undo_until(&mut self, mark: UndoPosition) -> Result<()> {
        let Some(xid) = self.xid else { return Ok(()) };
        while self.undo.last() != mark {
            let step = self.system.undo().read(self.undo.last(), |record| {
                let change = record.change;
                (record.previous, rollback_log_bytes(&change))
            })?;
            let (previous, promised_bytes) = step;
            let position = self.undo.last();
            let credit = self.credit.as_mut();
            match crate::rollback::undo_step(&self.system, xid, position, credit, &mut self.marked_again) {
                Err(TxnError::Storage(StorageError::DiskFull { .. })) => {
                    // More pages have to be split than room was taken for (see `growth`). What others have given back may do.
                    self.credit = None;
                    crate::rollback::undo_step(&self.system, xid, position, None, &mut self.marked_again)?;
                }
                other => other?,
            }
            self.credit_promised = self.credit_promised.saturating_sub(promised_bytes);
            self.undo.undone(previous);
        }
        Ok(())
    }

    /// Makes a table's new definition known to purge: for good if this transaction commits. Before the first change that
    /// the definition before it does not cover.
    pub fn define_table(&mut self, table: Arc<TableStore>) {
        self.system.definitions().add(table.clone());
        self.definitions.push(Definition::Newest(table));
    }

    /// Lets purge forget a table that this transaction drops, once it has committed.
    pub fn forget_table(&mut self, id: u32) {
        self.definitions.push(Definition::Gone(id));
    }

    /// Notes a change of a table that is followed.
    pub fn note_change_of(&mut self, table: u32, change: RowChange) {
        let room = self.system.feed_room();
        self.feed.get_or_insert_with(|| ChangeFeed::new(room.clone())).note(table, change);
    }

    /// The changes of tables that are followed, made so far and not taken back; for whoever commits.
    pub fn take_changes(&mut self) -> Option<ChangeFeed> {
        self.feed.take().filter(|feed| !feed.is_empty())
    }

    /// Takes changes back that nobody was told of after all.
    pub fn keep_changes(&mut self, feed: Option<ChangeFeed>) {
        self.feed = feed;
    }

    /// The relations that this transaction has locked, in whatever mode.
    pub fn locked_relations(&self) -> impl Iterator<Item = u32> + '_ {
        self.held_relations.iter().map(|(relation, _)| *relation)
    }

    /// The relations that this transaction may have changed: those that it has locked as who writes to them does.
    pub fn written_relations(&self) -> Vec<u32> {
        if self.xid.is_none() {
            return Vec::new();
        }
        let written = self.held_relations.iter().filter(|(_, mode)| *mode >= RelationLock::RowExclusive);
        let mut relations: Vec<u32> = written.map(|(relation, _)| *relation).collect();
        relations.sort_unstable();
        relations.dedup();
        relations
    }

    fn withdraw_definitions(&mut self, kept: usize) {
        self.system.definitions().withdraw(&self.definitions.split_off(kept));
    }

    /// Runs `hook` when this transaction commits, under the commit latch, before its locks fall.
    pub fn on_commit(&mut self, hook: Box<dyn FnOnce(Csn) + Send>) {
        self.on_commit.push(hook);
    }

    /// Runs `hook` when this transaction, or the part since a savepoint before now, has been rolled back.
    pub fn on_rollback(&mut self, hook: Box<dyn FnOnce() + Send>) {
        self.on_rollback.push(hook);
    }

    /// Commits. On return the commit is appended and its locks have fallen; tell nobody before `durable_lsn` is synced.
    /// 40001 under SERIALIZABLE, and all was rolled back, when no serial order would have room for the commit.
    pub fn commit(self) -> Result<Commit> {
        self.commit_and_publish(None)
    }

    /// As [`Transaction::commit`], with something to tell once the commit is synced, in the order of the commits: call
    /// [`TxnSystem::publish_synced`] then. Such a transaction has its place in that order even if it wrote nothing.
    pub fn commit_and_publish(mut self, publish: Option<PublishHook>) -> Result<Commit> {
        if self.xid.is_some() && self.system.engine().log_failed() {
            return Err(StorageError::LogFailed.into());
        }
        let system = self.system.clone();
        let serial = self.tracked.clone().filter(|tracked| tracked.is_tracked());
        let serial = match (&self.prepared, serial) {
            (Some(_), Some(tracked)) => Some(system.serial().commit_judged(&tracked)),
            (None, Some(tracked)) => Some(system.serial().judge_commit(&tracked)?),
            (_, None) => None,
        };
        self.finished = true;
        let mut hooks = std::mem::take(&mut self.on_commit);
        if !self.definitions.is_empty() {
            let (system, definitions) = (self.system.clone(), std::mem::take(&mut self.definitions));
            hooks.insert(0, Box::new(move |csn| system.definitions().commit(definitions, csn)));
        }
        let commit = match self.xid {
            None if hooks.is_empty() && publish.is_none() => Commit { csn: None, durable_lsn: self.end_dependency() },
            None => self.system.commit_unlogged(CommitHooks { hooks, publish }, self.end_dependency()),
            Some(xid) => {
                let credit = self.end_credit.take().expect("taken with the number");
                let undo = std::mem::replace(&mut self.undo, UndoWriter::new(self.system.undo().clone())).finish();
                let marked_again = std::mem::take(&mut self.marked_again);
                self.system.commit_logged(xid, credit, undo, marked_again, CommitHooks { hooks, publish })
            }
        };
        if let Some(serial) = serial {
            // Who has written nothing commits behind all that have.
            let csn = commit.csn.unwrap_or_else(|| system.newest_csn());
            serial.committed(csn, system.snapshots().newest_synced());
        }
        self.prepared_ended(commit.durable_lsn);
        self.end();
        Ok(commit)
    }

    /// Puts everything back and ends.
    pub fn rollback(mut self) -> Result<()> {
        self.roll_back_all()
    }

    fn roll_back_all(&mut self) -> Result<()> {
        if self.finished {
            return Ok(());
        }
        self.finished = true;
        self.leave_queue();
        if let Some(tracked) = &self.tracked {
            self.system.serial().aborts(tracked);
        }
        self.undo_until(UndoPosition::NONE)?;
        self.withdraw_definitions(0);
        if let Some(xid) = self.xid {
            let credit = self.end_credit.take().expect("taken with the number");
            let undo = std::mem::replace(&mut self.undo, UndoWriter::new(self.system.undo().clone())).finish();
            let marked_again = std::mem::take(&mut self.marked_again);
            let end = self.system.abort_end(xid, credit, undo, marked_again);
            self.prepared_ended(Some(end));
        }
        self.on_commit.clear();
        for hook in std::mem::take(&mut self.on_rollback) {
            hook();
        }
        self.end();
        Ok(())
    }

    /// Its end is in the log: the identifier is free once that is synced.
    fn prepared_ended(&mut self, end: Option<Lsn>) {
        if let Some(gid) = self.prepared.take() {
            self.system.prepared().ended(&gid, end.unwrap_or(Lsn::ZERO));
        }
    }

    /// Locks fall, those who wait wake up.
    fn end(&mut self) {
        self.leave_queue();
        self.release_locks(0, 0);
        self.release_advisory();
        self.leave_row_queue();
        if let Some((_, tracked)) = self.awaited.take() {
            self.system.serial().aborts(&tracked);
        }
        self.registered = None;
        self.system.ended(self.xid);
        self.running.end();
    }

    /// Takes a lock on a relation, held to the end of the transaction. `Wait::Relation` leaves a place in the queue.
    ///
    /// Locks fall when a commit is appended. Who queued for one, or keeps writers out with it, is to see what those before
    /// it have committed: the next snapshot waits for that to be synced.
    pub fn lock_relation(&mut self, relation: u32, mode: RelationLock) -> Result<()> {
        if self.holds_relation(relation, mode) {
            return Ok(());
        }
        if self.queued.is_some_and(|queued| queued != relation) {
            self.leave_queue();
        }
        let granted = self.system.relation_locks().lock(self.owner(), LockTarget::Relation(relation), mode);
        match granted {
            Ok(has_queued) => {
                self.queued = None;
                self.held_relations.push((relation, mode));
                if has_queued || mode.keeps_writers_out() {
                    self.depend_on_all_commits();
                }
                return Ok(());
            }
            Err(TxnError::Wait(_)) => self.queued = Some(relation),
            Err(_) => self.leave_queue(),
        }
        granted.map(|_| ())
    }

    /// As [`Transaction::lock_relation`], but answers `false` instead of waiting (NOWAIT).
    pub fn try_lock_relation(&mut self, relation: u32, mode: RelationLock) -> Result<bool> {
        if self.holds_relation(relation, mode) {
            return Ok(true);
        }
        let granted = self.system.relation_locks().try_lock(self.owner(), LockTarget::Relation(relation), mode)?;
        if granted {
            self.held_relations.push((relation, mode));
            if mode.keeps_writers_out() {
                self.depend_on_all_commits();
            }
        }
        Ok(granted)
    }

    /// Whether this transaction holds exactly this mode.
    pub fn holds_relation(&self, relation: u32, mode: RelationLock) -> bool {
        self.held_relations.contains(&(relation, mode))
    }

    /// Notes that another row may have the key of a row in the deferrable index with this number.
    pub(crate) fn note_doubt(&mut self, index: u32, row: RowId) {
        self.doubts.push((index, row));
    }

    /// The rows, with the numbers of indexes, whose keys are in doubt since the last call. Some may not have been written.
    pub fn take_doubts(&mut self) -> Vec<(u32, RowId)> {
        std::mem::take(&mut self.doubts)
    }

    /// Remembers a row lock that was taken, for the end.
    pub(crate) fn note_row_lock(&mut self, table: u32, row: RowId, mode: RowLock) {
        self.held_rows.push((table, row, mode));
    }

    fn release_locks(&mut self, relations_kept: usize, rows_kept: usize) {
        let owner = self.owner();
        for (relation, mode) in self.held_relations.drain(relations_kept..).rev() {
            self.system.relation_locks().unlock(owner, LockTarget::Relation(relation), mode);
        }
        for (table, row, mode) in self.held_rows.drain(rows_kept..).rev() {
            self.system.row_locks().unlock(owner, table, row, mode);
        }
    }

    fn release_advisory(&mut self) {
        let owner = self.owner();
        for (key, mode) in self.held_advisory.drain(..) {
            self.system.relation_locks().unlock(owner, LockTarget::Advisory(key), mode);
        }
    }

    /// It has got the row that it has waited for, or wants it no more: the next one's turn. For who gives a row up.
    pub fn leave_row_queue(&self) {
        if self.running.take_queues() {
            self.system.row_queues().leave(self.owner());
        }
    }

    fn leave_queue(&mut self) {
        if let Some(relation) = self.queued.take() {
            self.system.relation_locks().leave_queue(self.owner(), LockTarget::Relation(relation));
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.put_back() {
            return;
        }
        if let Err(error) = self.roll_back_all() {
            tracing::error!(%error, owner = %self.running.owner, "a transaction could not be rolled back; the next start will");
        }
    }
}

/// Log bytes that undoing a change takes at most.
pub(crate) fn rollback_log_bytes(change: &Change<'_>) -> usize {
    match change.kind {
        ChangeKind::RowInsertRun => run_undo_log_bytes(change.run_len() as usize),
        ChangeKind::IndexInsertRun => change.run_keys().map(|key| undo_log_bytes(key.len(), HEADER_BYTES)).sum(),
        _ => undo_log_bytes(change.key.len(), change.stored_image_len() + HEADER_BYTES),
    }
}

/// The fewest rows that a leaf holds once it is split no further.
const ROWS_OF_A_LEAF_MIN: usize = 2;

/// Log bytes that taking out a run of rows needs at most. They came into one leaf, and may have grown and been spread
/// over several since.
pub(crate) fn run_undo_log_bytes(rows: usize) -> usize {
    let clr = Need::record_bytes(record::encode_clr(Xid(0), 0).len());
    Tree::remove_range_log_bytes(rows, 1 + rows / ROWS_OF_A_LEAF_MIN, clr)
}

/// Log bytes that undoing one change takes at most, its group included.
pub(crate) fn undo_log_bytes(key_bytes: usize, image_bytes: usize) -> usize {
    let need =
        EditNeed { value_bytes_max: image_bytes, log_bytes: Need::record_bytes(record::encode_clr(Xid(0), 0).len()) };
    Tree::edit_log_bytes(key_bytes, need)
}

/// Log bytes of a change's own record.
pub(crate) fn change_log_bytes(key_bytes: usize, image_bytes: usize) -> usize {
    Need::record_bytes(CHANGE_OVERHEAD_BYTES + key_bytes + image_bytes)
}
