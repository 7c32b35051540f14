//! The whole of it: one engine, its transactions, their commits in order.
//!
//! Commits are put in order by one short mutex: append the record, take the csn, publish it, run the hooks, queue the
//! undo for purge. Whoever holds it waits for nothing. The log thread's word that something is synced comes in through
//! [`Timeline`], which the engine's checkpoints ask too.

use crate::definitions::Definitions;
use crate::directory::Directory;
use crate::durable::{Durability, Durable};
use crate::error::{Result, TxnError};
use crate::feed::FeedRoom;
use crate::ids::{Csn, OwnerId, Xid};
use crate::key_lock::KeyLocks;
use crate::key_sort::{self, SortMemory};
use crate::prepared::{self, PreparedTransactions};
use crate::publication::Publications;
use crate::purge::Purge;
use crate::record;
use crate::recovery::{self, Found, Recovered};
use crate::relation_lock::{AdvisoryKey, LockFacts, LockTarget, RelationLock, RelationLocks};
use crate::row_lock::RowLocks;
use crate::row_queue::RowQueues;
use crate::sequence::{SEQUENCES, Sequences};
use crate::serial::{ReadFacts, Serial};
use crate::snapshot::{Snapshot, Snapshots};
use crate::table::TableStore;
use crate::transaction::{Commit, CommitHooks, Isolation, MarkedAgain, Transaction};
use crate::undo::{UndoChunks, UndoStore};
use crate::view::{ReadView, Registered, RowHeader};
use crate::wait::{LockTables, Running, WaitGraph};
use crate::xids::{XidStatus, XidTable};
use nqdb_storage::disk::Disk;
use nqdb_storage::tree::Tree;
use nqdb_storage::{ClientCheckpoint, Engine, LogClient, Lsn, Need, Options, PageId, Reservation, TreeId};
use parking_lot::{Mutex, RwLock};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{SystemTime, UNIX_EPOCH};

const ACTIVE_SHARD_COUNT: u64 = 64;

/// The trees that a new database has: the states of sequences, and four for the catalog above.
pub const SYSTEM_TREES: [TreeId; 5] = [SEQUENCES, TreeId(10), TreeId(11), TreeId(12), TreeId(13)];

/// PostgreSQL's epoch, 2000-01-01, in seconds after Unix's.
const POSTGRES_EPOCH_SECONDS: i64 = 946_684_800;

/// What a caller chooses about transactions.
#[derive(Clone, Debug)]
pub struct TxnOptions {
    /// Memory for undo; what is above it spills to a file.
    pub undo_memory_bytes: usize,
    /// Memory for sorting the keys of new indexes, all that are built at once together; what is above it spills to files.
    pub sort_memory_bytes: usize,
    /// Locks on relations, and again locks on rows, that may be held at once; more is 53200.
    pub locks_max: usize,
    /// µs since 2000-01-01 UTC; goes into commit records.
    pub wall_clock_micros: fn() -> i64,
    /// Rules broken on purpose, so that tests can prove that they would notice.
    #[doc(hidden)]
    pub sabotage: TxnSabotage,
}

/// One rule to break. Each is a bug that the crash tests must find.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxnSabotage {
    /// All rules hold.
    None,
    /// R1: undo steps log no compensation record.
    NoClr,
    /// R2: the end of an abort is not logged.
    NoAbortEnd,
    /// R3: recovery does not roll back what it found unfinished.
    NoRecoveryUndo,
    /// R4: checkpoints do not say which log is still needed.
    NoFloor,
    /// R5: nothing is looked for after a crash that purge still owes.
    NoSweep,
    /// R6: commits become visible, and are acknowledged, before they are synced.
    VisibleBeforeSync,
    /// R7: recovery rolls back what it found prepared.
    ForgetPrepared,
}

impl Default for TxnOptions {
    fn default() -> TxnOptions {
        TxnOptions {
            undo_memory_bytes: 64 << 20,
            sort_memory_bytes: 32 << 20,
            locks_max: 1_000_000,
            wall_clock_micros: system_clock_micros,
            sabotage: TxnSabotage::None,
        }
    }
}

fn system_clock_micros() -> i64 {
    let since_unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since_unix.as_micros() as i64 - POSTGRES_EPOCH_SECONDS * 1_000_000
}

/// Figures for monitoring.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TxnStats {
    /// Transactions with a number that have not ended (or whose commit is not synced yet).
    pub active: usize,
    /// Age of the oldest registered snapshot.
    pub oldest_snapshot_seconds: f64,
    pub undo_bytes: usize,
    /// Ended transactions whose undo is still kept.
    pub purge_backlog: usize,
    pub commits: u64,
    pub rollbacks: u64,
    pub deadlocks: u64,
}

/// What the log thread and checkpoints need to know; outlives neither the engine nor the system.
pub(crate) struct Timeline {
    pub(crate) snapshots: Snapshots,
    pub(crate) durability: Durability,
    next_csn: AtomicU64,
    next_tree: AtomicU64,
    /// Where the log of the oldest transaction begins that recovery has not rolled back yet; the largest number when
    /// there is none.
    recovery_floor: AtomicU64,
    /// Nothing is owed to purge: the next start need not look for marks.
    pub(crate) purged: AtomicBool,
    sabotage: TxnSabotage,
}

impl LogClient for Timeline {
    fn checkpoint(&self) -> ClientCheckpoint {
        let (floor, next_xid) = self.snapshots.floor();
        let recovery_floor = Lsn(self.recovery_floor.load(Ordering::Acquire));
        let floor = floor.unwrap_or(Lsn::MAX).min(recovery_floor);
        let floor = if self.sabotage == TxnSabotage::NoFloor { Lsn::MAX } else { floor };
        let found = Found {
            next_xid,
            next_csn: Csn(self.next_csn.load(Ordering::Acquire)),
            next_tree: self.next_tree.load(Ordering::Acquire),
            purged: self.purged.load(Ordering::Acquire),
        };
        ClientCheckpoint { floor, payload: found.encode() }
    }
}

/// Everything about transactions in one database cluster.
pub struct TxnSystem {
    engine: Arc<Engine>,
    /// The engine flushes its log itself.
    background_threads: bool,
    timeline: Arc<Timeline>,
    options: TxnOptions,
    xids: XidTable,
    undo: Arc<UndoStore>,
    sort_memory: Arc<SortMemory>,
    next_owner: AtomicU64,
    active: Vec<RwLock<HashMap<Xid, Arc<Running>, foldhash::fast::FixedState>>>,
    /// Held from taking a csn to having published it.
    commit_order: Mutex<CommitOrder>,
    directory: Directory,
    definitions: Definitions,
    sequences: Sequences,
    key_locks: KeyLocks,
    relation_locks: RelationLocks,
    row_locks: RowLocks,
    row_queues: RowQueues,
    wait_graph: WaitGraph,
    publications: Publications,
    prepared: PreparedTransactions,
    feed_room: Arc<FeedRoom>,
    purge: Purge,
    serial: Serial,
    commits: AtomicU64,
    rollbacks: AtomicU64,
}

struct CommitOrder {
    newest: Lsn,
    /// The wall clock of the newest commit's record: later ones are not earlier, so that a moment is a place in the log.
    wall_clock_micros: i64,
    /// Commits that were not synced when they were last looked at, oldest first.
    unsynced: VecDeque<(Xid, Lsn)>,
}

impl CommitOrder {
    fn new() -> CommitOrder {
        CommitOrder { newest: Lsn::ZERO, wall_clock_micros: i64::MIN, unsynced: VecDeque::new() }
    }
}

/// What holds memory up to a limit, and uses files beyond it.
struct Spilling {
    undo: Arc<UndoStore>,
    sort_memory: Arc<SortMemory>,
}

impl Spilling {
    fn new(disk: &Arc<dyn Disk>, options: &TxnOptions) -> Spilling {
        Spilling {
            undo: Arc::new(UndoStore::new(disk.clone(), options.undo_memory_bytes)),
            sort_memory: SortMemory::new(disk.clone(), options.sort_memory_bytes),
        }
    }
}

impl TxnSystem {
    /// Makes a new database on an empty disk: the directory of trees and the [`SYSTEM_TREES`], all empty. A crash at any
    /// point leaves either no database, and this can be called again, or a whole one.
    pub fn create(disk: Arc<dyn Disk>, engine: Options, options: TxnOptions) -> Result<Arc<TxnSystem>> {
        let background_threads = engine.background_threads;
        let mut directory = None;
        let engine = Engine::create_with(disk.clone(), engine, |engine| {
            let made = directory.insert(Directory::create(engine)?);
            SYSTEM_TREES.into_iter().try_for_each(|id| made.create_system_tree(engine, id).map(drop))
        })?;
        let directory = directory.ok_or_else(|| TxnError::corrupt("the tree directory was not made"))?;
        let found = Found { next_xid: Xid(1), next_csn: Csn(1), next_tree: TreeId::FIRST_ORDINARY.0, purged: true };
        let spilling = Spilling::new(&disk, &options);
        let recovered = Recovered { found, floor: Lsn::MAX, prepared: Vec::new() };
        Ok(TxnSystem::assemble(spilling, engine, background_threads, options, directory, &recovered))
    }

    /// Opens a database: repeats what the data file lacks, then rolls back what a crash cut off.
    pub fn open(disk: Arc<dyn Disk>, engine: Options, options: TxnOptions) -> Result<Arc<TxnSystem>> {
        TxnSystem::open_by(disk, engine, options, |disk, options, replay| Engine::open(disk, options, replay))
    }

    /// As [`TxnSystem::open`], with the engine opened by the caller.
    pub(crate) fn open_by(
        disk: Arc<dyn Disk>,
        engine: Options,
        options: TxnOptions,
        open: impl FnOnce(Arc<dyn Disk>, Options, &mut recovery::Replay) -> nqdb_storage::Result<Arc<Engine>>,
    ) -> Result<Arc<TxnSystem>> {
        let spilling = Spilling::new(&disk, &options);
        let mut replay = recovery::Replay::new(spilling.undo.clone());
        let background_threads = engine.background_threads;
        let engine = open(disk.clone(), engine, &mut replay)?;
        key_sort::remove_left_files(&*disk)?;
        let (mut recovered, mut unfinished) = replay.finish()?;
        if options.sabotage == TxnSabotage::ForgetPrepared {
            unfinished.extend(recovered.prepared.drain(..).map(|found| (found.xid, found.undo)));
        }
        let directory = Directory::open(&engine)?;
        let system = TxnSystem::assemble(spilling, engine, background_threads, options, directory, &recovered);
        if system.options.sabotage != TxnSabotage::NoRecoveryUndo {
            recovery::roll_back(&system, unfinished)?;
        }
        recovered.prepared.into_iter().try_for_each(|found| prepared::recovery::revive(&system, found))?;
        system.timeline.recovery_floor.store(u64::MAX, Ordering::Release);
        system.purge.mark_dropped_trees(&system)?;
        Ok(system)
    }

    fn assemble(
        spilling: Spilling,
        engine: Arc<Engine>,
        background_threads: bool,
        options: TxnOptions,
        directory: Directory,
        recovered: &Recovered,
    ) -> Arc<TxnSystem> {
        let flushed = engine.flushed_lsn();
        let found = &recovered.found;
        let prepared = || recovered.prepared.iter();
        let begins = prepared().map(|found| (found.xid, found.begin));
        let timeline = Arc::new(Timeline {
            snapshots: Snapshots::new(found.next_xid, Csn(found.next_csn.0 - 1), begins),
            durability: Durability::new(flushed),
            next_csn: AtomicU64::new(found.next_csn.0),
            next_tree: AtomicU64::new(found.next_tree),
            recovery_floor: AtomicU64::new(recovered.floor.0),
            purged: AtomicBool::new(false),
            sabotage: options.sabotage,
        });
        engine.set_log_client(timeline.clone());
        let told = timeline.clone();
        let weak_engine = Arc::downgrade(&engine);
        engine.on_flush(Box::new(move |lsn| {
            let failed = weak_engine.upgrade().is_none_or(|engine| engine.log_failed());
            told.durability.flushed(lsn, failed, &told.snapshots);
        }));
        Arc::new(TxnSystem {
            xids: XidTable::new(found.next_xid, prepared().map(|found| found.xid)),
            undo: spilling.undo,
            sort_memory: spilling.sort_memory,
            next_owner: AtomicU64::new(1),
            active: (0..ACTIVE_SHARD_COUNT).map(|_| RwLock::default()).collect(),
            commit_order: Mutex::new(CommitOrder::new()),
            directory,
            definitions: Definitions::default(),
            sequences: Sequences::default(),
            key_locks: KeyLocks::new(),
            relation_locks: RelationLocks::new(options.locks_max),
            row_locks: RowLocks::new(options.locks_max),
            row_queues: RowQueues::default(),
            wait_graph: WaitGraph::default(),
            publications: Publications::default(),
            prepared: PreparedTransactions::default(),
            feed_room: Arc::default(),
            purge: Purge::new(!found.purged && options.sabotage != TxnSabotage::NoSweep),
            serial: Serial::default(),
            commits: AtomicU64::new(0),
            rollbacks: AtomicU64::new(0),
            engine,
            background_threads,
            timeline,
            options,
        })
    }

    pub(crate) fn sort_memory(&self) -> &Arc<SortMemory> {
        &self.sort_memory
    }

    /// The engine below.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Purges what can be purged, writes everything out and marks the database as cleanly closed. All transactions must
    /// have ended, but for those that are prepared.
    pub fn close(&self) -> Result<()> {
        while self.purge_step()? {}
        self.timeline.purged.store(self.purge.is_done(), Ordering::Release);
        self.engine.close()?;
        Ok(())
    }

    /// Starts a transaction. Nothing is taken yet: the first statement takes the snapshot, the first write the number.
    pub fn begin(self: &Arc<Self>, isolation: Isolation, read_only: bool) -> Transaction {
        self.begin_as(self.new_owner(), isolation, read_only)
    }

    /// A number for whoever holds locks beyond one transaction: a session.
    pub fn new_owner(&self) -> OwnerId {
        OwnerId(self.next_owner.fetch_add(1, Ordering::Relaxed))
    }

    /// As [`TxnSystem::begin`], for an owner that has no other transaction at the same time. It does not conflict with
    /// the advisory locks that it holds.
    pub fn begin_as(self: &Arc<Self>, owner: OwnerId, isolation: Isolation, read_only: bool) -> Transaction {
        Transaction::begin(self, Arc::new(Running::new(owner)), isolation, read_only)
    }

    /// The numbers that a snapshot does not see although lower ones have ended, in order, and the next number that will be
    /// given out. The snapshot is registered, so that nothing about its numbers is forgotten.
    pub fn unseen(&self, snapshot: Snapshot) -> (Vec<Xid>, Xid) {
        let (_, next) = self.timeline.snapshots.floor();
        let is_unseen = |xid: &Xid| match self.xids.status(*xid) {
            XidStatus::Active => true,
            XidStatus::Committed(csn) => csn > snapshot.csn,
            XidStatus::RolledBack => false,
        };
        ((snapshot.oldest_active.0..next.0).map(Xid).filter(is_unseen).collect(), next)
    }

    /// What has become of a transaction; `None` when it ended so long ago that nobody knows any longer how. The number must
    /// have been given out.
    pub fn status(&self, xid: Xid) -> Option<XidStatus> {
        match self.xids.status(xid) {
            XidStatus::Committed(Csn(0)) => None,
            status => Some(status),
        }
    }

    /// The next transaction number that will be given out.
    pub fn next_xid(&self) -> Xid {
        self.timeline.snapshots.floor().1
    }

    /// Takes an advisory lock. `Wait::Relation` leaves a place in the queue: wait with [`crate::Wait::wait_as`] and call
    /// again, or give the place up with [`TxnSystem::leave_advisory_queue`].
    ///
    /// Once it is granted, [`Transaction::depend_on_all_commits`] lets the next snapshot see what the holders before have
    /// committed.
    pub fn lock_advisory(&self, owner: OwnerId, key: AdvisoryKey, mode: RelationLock) -> Result<()> {
        self.relation_locks.lock(owner, LockTarget::Advisory(key), mode).map(|_| ())
    }

    /// As [`TxnSystem::lock_advisory`], but answers `false` instead of waiting.
    pub fn try_lock_advisory(&self, owner: OwnerId, key: AdvisoryKey, mode: RelationLock) -> Result<bool> {
        self.relation_locks.try_lock(owner, LockTarget::Advisory(key), mode)
    }

    /// Gives an advisory lock back and wakes those who wait.
    pub fn unlock_advisory(&self, owner: OwnerId, key: AdvisoryKey, mode: RelationLock) {
        self.relation_locks.unlock(owner, LockTarget::Advisory(key), mode);
    }

    /// Gives up a place in the queue of an advisory lock.
    pub fn leave_advisory_queue(&self, owner: OwnerId, key: AdvisoryKey) {
        self.relation_locks.leave_queue(owner, LockTarget::Advisory(key));
    }

    /// What is committed and synced now, seen from outside any transaction.
    pub fn latest_view(self: &Arc<Self>) -> ReadView {
        ReadView::new(Registered::take(self), None, Default::default())
    }

    /// Figures for monitoring.
    pub fn stats(&self) -> TxnStats {
        let (active, oldest_snapshot_seconds) = self.timeline.snapshots.activity();
        TxnStats {
            active,
            oldest_snapshot_seconds,
            undo_bytes: self.undo.bytes(),
            purge_backlog: self.purge.backlog(),
            commits: self.commits.load(Ordering::Relaxed),
            rollbacks: self.rollbacks.load(Ordering::Relaxed),
            deadlocks: self.wait_graph.deadlocks(),
        }
    }

    /// All locks on relations and advisory locks that are held or waited for.
    pub fn locks(&self) -> Vec<LockFacts> {
        self.relation_locks.all()
    }

    /// What serializable transactions have read, as far as it still matters.
    pub fn recorded_reads(&self) -> Vec<ReadFacts> {
        self.serial.facts(self.timeline.snapshots.newest_synced())
    }

    /// On whose ends it depends whether the snapshot that `waiter` waits for is safe.
    pub fn safe_snapshot_blockers_of(&self, waiter: OwnerId) -> Vec<OwnerId> {
        self.wait_graph.safe_snapshot_blockers_of(waiter)
    }

    /// Who waits for the end of which transactions: process number of the waiter, numbers of the others.
    pub fn transaction_waits(&self) -> Vec<(i32, Vec<Xid>)> {
        self.wait_graph.transaction_waits(self.lock_tables())
    }

    /// Whom an owner waits for at the moment, for a row, a key or a lock.
    pub fn blockers_of(&self, waiter: OwnerId) -> Vec<OwnerId> {
        self.wait_graph.blockers_of(waiter, self.lock_tables())
    }

    /// Ready when the log is synced up to `lsn`; an error when it never will be.
    pub fn durable(self: &Arc<Self>, lsn: Lsn) -> Durable {
        self.engine.request_flush(lsn);
        Durable::new(self.clone(), lsn)
    }

    /// As [`TxnSystem::durable`], on the calling thread. Without background threads it flushes the log itself.
    pub fn wait_durable_blocking(self: &Arc<Self>, lsn: Lsn) -> Result<()> {
        struct Unpark(std::thread::Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        if self.timeline.durability.is_durable(lsn) {
            return Ok(());
        }
        if !self.background_threads {
            self.engine.flush_log()?;
        }
        let mut durable = std::pin::pin!(self.durable(lsn));
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        loop {
            match durable.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(result) => return result,
                Poll::Pending => std::thread::park(),
            }
        }
    }

    /// Makes a tree that is gone again if `txn` rolls back.
    pub fn create_tree(&self, txn: &mut Transaction) -> Result<Tree> {
        let id = TreeId(self.timeline.next_tree.fetch_add(1, Ordering::AcqRel));
        self.directory.create_tree(&self.engine, txn, id)
    }

    /// The tree with this number.
    pub fn open_tree(&self, id: TreeId) -> Result<Tree> {
        self.directory.tree(&self.engine, id)
    }

    /// All trees but the directory itself: number, root page, and whether the tree is waiting for its destruction.
    pub fn trees(&self) -> Result<Vec<(TreeId, PageId, bool)>> {
        self.directory.all()
    }

    /// The numbers of all sequences that have a state.
    pub fn sequence_ids(&self) -> Result<Vec<u32>> {
        self.sequences.ids(self)
    }

    /// Marks a tree for destruction. It goes when `txn` has committed and no snapshot is older than that.
    pub fn drop_tree(&self, txn: &mut Transaction, id: TreeId) -> Result<()> {
        self.directory.drop_tree(txn, id)
    }

    /// Makes the definition of a table that was there at the start known to purge, which finds keys through it. What
    /// transactions define goes through [`Transaction::define_table`].
    pub fn register_table(&self, table: Arc<TableStore>) {
        let id = table.id;
        if self.definitions.register(table) {
            self.purge.table_seen(id);
        }
    }

    /// Does a small piece of cleaning up. True when more can be done at once.
    pub fn purge_step(&self) -> Result<bool> {
        self.purge.step(self)
    }

    /// The newest transaction number given out.
    pub(crate) fn newest_xid(&self) -> u64 {
        self.timeline.snapshots.floor().1.0 - 1
    }

    /// Where the newest commit's record ends in the log, synced or not.
    pub(crate) fn newest_commit_end(&self) -> Lsn {
        self.commit_order.lock().newest
    }

    /// The newest csn given out, synced or not.
    /// The number of the newest commit; those to come have higher ones.
    pub fn newest_csn(&self) -> Csn {
        Csn(self.timeline.next_csn.load(Ordering::Acquire) - 1)
    }

    pub(crate) fn definitions(&self) -> &Definitions {
        &self.definitions
    }

    pub(crate) fn snapshots(&self) -> &Snapshots {
        &self.timeline.snapshots
    }

    pub(crate) fn durability(&self) -> &Durability {
        &self.timeline.durability
    }

    pub(crate) fn xids(&self) -> &XidTable {
        &self.xids
    }

    pub(crate) fn undo(&self) -> &Arc<UndoStore> {
        &self.undo
    }

    pub(crate) fn key_locks(&self) -> &KeyLocks {
        &self.key_locks
    }

    pub(crate) fn relation_locks(&self) -> &RelationLocks {
        &self.relation_locks
    }

    pub(crate) fn row_locks(&self) -> &RowLocks {
        &self.row_locks
    }

    pub(crate) fn lock_tables(&self) -> LockTables<'_> {
        LockTables { relations: &self.relation_locks, rows: &self.row_queues }
    }

    pub(crate) fn row_queues(&self) -> &RowQueues {
        &self.row_queues
    }

    /// This layer's part of a checkpoint taken now.
    pub(crate) fn checkpoint_payload(&self) -> Vec<u8> {
        self.timeline.checkpoint().payload
    }

    pub(crate) fn prepared(&self) -> &PreparedTransactions {
        &self.prepared
    }

    pub(crate) fn feed_room(&self) -> &Arc<FeedRoom> {
        &self.feed_room
    }

    /// Sets what the changes of followed tables may hold until they are told of, for all transactions together.
    pub fn set_feed_limit(&self, bytes: usize) {
        self.feed_room.set_limit(bytes);
    }

    /// What they hold now, bytes.
    pub fn feed_bytes(&self) -> usize {
        self.feed_room.used_bytes()
    }

    pub(crate) fn serial(&self) -> &Serial {
        &self.serial
    }

    pub(crate) fn wait_graph(&self) -> &WaitGraph {
        &self.wait_graph
    }

    pub(crate) fn sequences(&self) -> &Sequences {
        &self.sequences
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    pub(crate) fn sabotage(&self) -> TxnSabotage {
        self.options.sabotage
    }

    pub(crate) fn wall_clock_micros(&self) -> i64 {
        (self.options.wall_clock_micros)()
    }

    fn active_shard(&self, xid: Xid) -> &RwLock<HashMap<Xid, Arc<Running>, foldhash::fast::FixedState>> {
        &self.active[(xid.0 % ACTIVE_SHARD_COUNT) as usize]
    }

    /// Who runs under `xid`; `None` when it has ended.
    pub(crate) fn running(&self, xid: Xid) -> Option<Arc<Running>> {
        self.active_shard(xid).read().get(&xid).cloned()
    }

    /// Enters who others meet under `xid`.
    pub(crate) fn enter_running(&self, xid: Xid, running: &Arc<Running>) {
        self.active_shard(xid).write().insert(xid, running.clone());
    }

    /// Gives the transaction its number.
    pub(crate) fn start_xid(&self, running: &Arc<Running>) -> Xid {
        // A purge that is done is done no longer once somebody writes.
        self.timeline.purged.store(false, Ordering::Release);
        self.timeline.snapshots.start(
            || self.engine.log_end(),
            |xid| {
                self.xids.start(xid);
                running.set_xid(xid);
                self.active_shard(xid).write().insert(xid, running.clone());
            },
        )
    }

    /// The version before the one with `header`; `image` holds the newer image and receives the older one.
    pub(crate) fn older_version(&self, header: RowHeader, image: &mut Vec<u8>) -> Result<Option<RowHeader>> {
        self.undo.read(header.undo, |record| {
            let change = &record.change;
            match change.kind {
                record::ChangeKind::RowInsert | record::ChangeKind::RowInsertRun => None,
                record::ChangeKind::RowDelete => Some(RowHeader::from_words(change.header)),
                _ => {
                    image.clear();
                    image.extend_from_slice(change.image);
                    Some(RowHeader::from_words(change.header))
                }
            }
        })
    }

    /// The log position that must be synced before the commit of `xid` may be told to anybody.
    pub(crate) fn unsynced_commit_of(&self, xid: Xid) -> Option<Lsn> {
        let order = self.commit_order.lock();
        let lsn = order.unsynced.iter().rev().find(|(commit, _)| *commit == xid)?.1;
        (!self.timeline.durability.is_durable(lsn)).then_some(lsn)
    }

    /// Appends a commit and makes it known to everybody but those who must wait for its sync.
    pub(crate) fn commit_logged(
        &self,
        xid: Xid,
        credit: Reservation,
        undo: UndoChunks,
        marked_again: Vec<MarkedAgain>,
        hooks: CommitHooks,
    ) -> Commit {
        let mut order = self.commit_order.lock();
        let wall_clock = self.wall_clock_micros().max(order.wall_clock_micros);
        order.wall_clock_micros = wall_clock;
        let csn = Csn(self.timeline.next_csn.fetch_add(1, Ordering::AcqRel));
        let end = self.engine.append(record::COMMIT, &record::encode_commit(xid, csn, wall_clock), credit);
        order.newest = end;
        while order.unsynced.front().is_some_and(|(_, lsn)| self.timeline.durability.is_durable(*lsn)) {
            order.unsynced.pop_front();
        }
        order.unsynced.push_back((xid, end));
        self.xids.committed(xid, csn);
        self.xids.prepared_ended(xid, XidStatus::Committed(csn));
        self.timeline.snapshots.committed(Some(xid), csn, end);
        self.run_hooks(hooks, csn, end);
        self.purge.push(csn, undo, marked_again);
        drop(order);
        self.after_end(end);
        self.commits.fetch_add(1, Ordering::Relaxed);
        Commit { csn: Some(csn), durable_lsn: Some(end) }
    }

    /// A commit without a record (hooks only): takes its place behind the commits before it.
    pub(crate) fn commit_unlogged(&self, hooks: CommitHooks, depends_on: Option<Lsn>) -> Commit {
        let order = self.commit_order.lock();
        let csn = Csn(self.timeline.next_csn.fetch_add(1, Ordering::AcqRel));
        let end = depends_on.map_or(order.newest, |lsn| lsn.max(order.newest));
        self.timeline.snapshots.committed(None, csn, end);
        self.run_hooks(hooks, csn, end);
        drop(order);
        self.timeline.durability.catch_up(end, &self.timeline.snapshots);
        self.commits.fetch_add(1, Ordering::Relaxed);
        let durable_lsn = (!self.timeline.durability.is_durable(end)).then_some(end);
        Commit { csn: Some(csn), durable_lsn }
    }

    /// What a commit sets off, under the mutex of the commit order.
    fn run_hooks(&self, hooks: CommitHooks, csn: Csn, end: Lsn) {
        for hook in hooks.hooks {
            hook(csn);
        }
        if let Some(publish) = hooks.publish {
            // Who is told of the commit is to see it, though its record may have been synced before it was entered.
            self.timeline.durability.catch_up(end, &self.timeline.snapshots);
            self.publications.push(end, csn, publish);
        }
    }

    /// Runs what was handed over at commits that are synced by now, in their order. To be called by whoever has waited for
    /// the sync of such a commit.
    pub fn publish_synced(&self) {
        self.publications.run(|end| self.timeline.durability.is_durable(end));
    }

    /// Logs the end of an abort whose changes have all been put back (R2).
    pub(crate) fn abort_end(
        &self,
        xid: Xid,
        credit: Reservation,
        undo: UndoChunks,
        marked_again: Vec<MarkedAgain>,
    ) -> Lsn {
        let order = self.commit_order.lock();
        let csn = Csn(self.timeline.next_csn.fetch_add(1, Ordering::AcqRel));
        let end = if self.options.sabotage == TxnSabotage::NoAbortEnd {
            drop(credit);
            self.engine.log_end()
        } else {
            self.engine.append(record::ABORT_END, &record::encode_abort_end(xid, csn), credit)
        };
        self.xids.rolled_back(xid);
        self.xids.prepared_ended(xid, XidStatus::RolledBack);
        self.timeline.snapshots.rolled_back(xid, csn, end);
        self.purge.push(csn, undo, marked_again);
        drop(order);
        self.timeline.durability.catch_up(end, &self.timeline.snapshots);
        self.rollbacks.fetch_add(1, Ordering::Relaxed);
        end
    }

    /// As [`TxnSystem::abort_end`], for a transaction that a crash cut off and that is undone now.
    pub(crate) fn abort_end_of_recovered(&self, xid: Xid) -> Result<()> {
        let reservation = self.engine.reserve(Need::record(record::encode_abort_end(xid, Csn(0)).len()))?;
        let csn = Csn(self.timeline.next_csn.fetch_add(1, Ordering::AcqRel));
        let end = self.engine.append(record::ABORT_END, &record::encode_abort_end(xid, csn), reservation);
        self.timeline.snapshots.committed(None, csn, end);
        self.timeline.durability.catch_up(end, &self.timeline.snapshots);
        Ok(())
    }

    fn after_end(&self, end: Lsn) {
        if self.options.sabotage == TxnSabotage::VisibleBeforeSync {
            self.timeline.durability.flushed(end, false, &self.timeline.snapshots);
        }
        self.timeline.durability.catch_up(end, &self.timeline.snapshots);
        self.engine.request_flush(end);
    }

    /// The transaction's locks have fallen.
    pub(crate) fn ended(&self, xid: Option<Xid>) {
        if let Some(xid) = xid {
            self.active_shard(xid).write().remove(&xid);
        }
    }
}
