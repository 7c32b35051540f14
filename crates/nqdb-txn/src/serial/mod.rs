//! SERIALIZABLE: snapshot isolation that watches who reads what others write.
//!
//! A serializable transaction reads from one snapshot, as REPEATABLE READ does. Beside that it leaves a record of what it
//! read ([`reads`]), and each time it turns out that a transaction R has not seen what a concurrent transaction W wrote,
//! an edge R -> W ("R comes before W") is entered ([`conflict`]). Any history that no serial order explains has two such
//! edges in a row, `T1 -> T2 -> T3`, where T3 was the first of the three to commit; so whenever that shape comes up, one
//! of the three is told to try again with 40001. T1 and T3 may be one transaction.
//!
//! ```text
//!   reader  1. records the range it is about to read        writer  1. writes the row, then the index entries
//!           2. reads; what its snapshot hides: an edge              2. looks for records of reads that hold them: an edge
//! ```
//!
//! What always holds:
//!
//! 1. A record of a read is there before the first page is read for it, and a writer looks for records after its last
//!    page is written: one of the two meets the other, whatever happens between.
//! 2. One mutex guards records, edges and ends. A serializable commit takes its csn under it, so the order of csns is the
//!    order in which commits were judged. It is taken after latches of keys, before the registry of snapshots and the
//!    mutex of commits; nobody waits, or reads a page, while holding it.
//! 3. What a committed transaction read and whom it conflicts with is kept as long as a transaction runs, or may still
//!    begin, whose snapshot does not see its commit. Beyond [`KEPT_MAX`] of them the oldest are summarised: what they read
//!    counts by the table, and that they had edges is remembered by those at the other end.
//! 4. Only what is forgotten makes somebody fail without need; nobody fails because a table of this module is full.
//! 5. A transaction that rolls back is forgotten at once. What it read before a savepoint it went back to counts on.
//! 6. A prepared transaction was judged when it was prepared, and counts as committed then where that makes others fail; it never
//!    fails itself. After a restart its edges are gone: it counts as having some on both sides, so that who meets its
//!    writes fails, and as having read all of the tables that it has read of.
//! 7. Transactions of other levels are not known here: they neither leave records nor look for them.
//!
//! Sources: Cahill, Röhm, Fekete, "Serializable Isolation for Snapshot Databases" (SIGMOD 2008); Ports, Grittner,
//! "Serializable Snapshot Isolation in PostgreSQL" (VLDB 2012), for the commit-order and read-only rules.

mod conflict;
mod reads;
mod safety;

use self::reads::{Reads, Stored};
use crate::error::{Result, TxnError};
use crate::ids::{Csn, Xid};
use crate::prepared::SerialState;
use crate::system::TxnSystem;
use crate::view::Registered;
use crate::wait::Running;
use nqdb_storage::TreeId;
use parking_lot::{Mutex, MutexGuard};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use self::reads::ReadFacts;
pub(crate) use self::reads::{Extent, Predicate, RangeMark};
pub(crate) use self::safety::Safety;

/// Committed transactions that are kept whole.
const KEPT_MAX: usize = 1024;

/// Numbers of summarised writers that are kept apart; older ones are told from each other no longer.
const SUMMARISED_XIDS_MAX: usize = 100_000;

/// A serializable transaction among all that there were.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct SerialId(u64);

/// A serializable transaction as it and its views know it.
pub(crate) struct Tracked {
    id: SerialId,
    /// Not any longer, once it has a snapshot in which nothing can go wrong.
    is_tracked: AtomicBool,
}

impl Tracked {
    pub(crate) fn is_tracked(&self) -> bool {
        self.is_tracked.load(Ordering::Relaxed)
    }
}

/// All serializable transactions that matter.
#[derive(Default)]
pub(crate) struct Serial {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    txns: HashMap<SerialId, Member>,
    by_xid: HashMap<Xid, SerialId>,
    /// Snapshots of those that run.
    active: BTreeSet<(Csn, SerialId)>,
    /// Those that committed, in the order of their csns.
    finished: VecDeque<(Csn, SerialId)>,
    reads: Reads,
    summary: Summary,
    /// The commits up to which summaries are forgotten.
    horizon: Csn,
}

/// One serializable transaction.
struct Member {
    running: Arc<Running>,
    snapshot: Csn,
    xid: Option<Xid>,
    /// It began as READ ONLY.
    declared_read_only: bool,
    has_written: bool,
    /// It has to fail: another one has found that it is in the middle of a dangerous structure.
    is_doomed: bool,
    committed: Option<Csn>,
    /// The newest csn when it was prepared.
    prepared: Option<Csn>,
    /// Of a committed one: the first commit among those that it has an edge to and that committed before it.
    earliest_out: Option<Csn>,
    /// Who has not seen what this one wrote.
    readers: BTreeSet<SerialId>,
    /// Whose writes this one has not seen.
    writers: BTreeSet<SerialId>,
    /// As `readers` and `writers`, of summarised ones.
    has_old_reader: bool,
    has_old_writer: bool,
    /// Of a READ ONLY one: writers that may still spoil its snapshot. Of others: whose snapshots those are.
    watched: BTreeSet<SerialId>,
    is_unsafe: bool,
    /// Tables with records of what it read.
    tables: BTreeSet<u32>,
}

impl Member {
    fn new(running: Arc<Running>, snapshot: Csn, read_only: bool) -> Member {
        Member {
            running,
            snapshot,
            xid: None,
            declared_read_only: read_only,
            has_written: false,
            is_doomed: false,
            committed: None,
            prepared: None,
            earliest_out: None,
            readers: BTreeSet::new(),
            writers: BTreeSet::new(),
            has_old_reader: false,
            has_old_writer: false,
            watched: BTreeSet::new(),
            is_unsafe: false,
            tables: BTreeSet::new(),
        }
    }

    /// From when on its commit is certain, if it is.
    fn settled(&self) -> Option<Csn> {
        self.prepared.or(self.committed)
    }

    /// It writes nothing: it was declared so, or has committed without having written.
    fn is_read_only(&self) -> bool {
        self.declared_read_only || (self.committed.is_some() && !self.has_written)
    }
}

/// What is left of committed transactions beyond [`KEPT_MAX`].
#[derive(Default)]
struct Summary {
    /// Writers: their csn, and the first commit that they had an edge to.
    writers: BTreeMap<Xid, OldWriter>,
    /// What is known of all writers with lower numbers together.
    below: Option<(Xid, OldWriter)>,
}

#[derive(Clone, Copy)]
struct OldWriter {
    csn: Csn,
    earliest_out: Option<Csn>,
}

impl Serial {
    /// Takes a snapshot for a transaction that begins. Nobody commits in between.
    pub(crate) fn begin(
        &self,
        system: &Arc<TxnSystem>,
        running: &Arc<Running>,
        read_only: bool,
    ) -> (Arc<Registered>, Arc<Tracked>) {
        let mut state = self.state.lock();
        state.forget_old(system.snapshots().newest_synced());
        let registered = Registered::take(system);
        let snapshot = registered.snapshot().csn;
        state.next += 1;
        let id = SerialId(state.next);
        let mut member = Member::new(running.clone(), snapshot, read_only);
        if read_only {
            state.watch_writers(id, &mut member);
        }
        let is_tracked = !(read_only && member.watched.is_empty() && !member.is_unsafe);
        if is_tracked {
            state.txns.insert(id, member);
            state.active.insert((snapshot, id));
        }
        (registered, Arc::new(Tracked { id, is_tracked: AtomicBool::new(is_tracked) }))
    }

    /// The transaction has got a number: from here on what it writes can be known by it.
    pub(crate) fn number_given(&self, tracked: &Tracked, xid: Xid) {
        let mut state = self.state.lock();
        if let Some(member) = state.txns.get_mut(&tracked.id) {
            member.xid = Some(xid);
            state.by_xid.insert(xid, tracked.id);
        }
    }

    /// Records that the transaction is about to read what `predicate` describes of a table. The answer is for
    /// [`Serial::close_range`].
    pub(crate) fn reads(&self, tracked: &Tracked, table: u32, predicate: Predicate) -> Result<Option<RangeMark>> {
        let mut state = self.state.lock();
        if !state.goes_on_reading(tracked)? {
            return Ok(None);
        }
        if let Some(member) = state.txns.get_mut(&tracked.id) {
            member.tables.insert(table);
        }
        Ok(state.reads.add(tracked.id, table, predicate))
    }

    /// Says how far a range was read in the end.
    pub(crate) fn close_range(&self, tracked: &Tracked, table: u32, mark: RangeMark, extent: Extent) {
        self.state.lock().reads.close(tracked.id, table, mark, extent);
    }

    /// The transaction has met a version by `writer` that its snapshot hides.
    pub(crate) fn misses(&self, tracked: &Tracked, writer: Xid) -> Result<()> {
        let mut state = self.state.lock();
        if !state.goes_on_reading(tracked)? {
            return Ok(());
        }
        state.note_unseen_write(tracked.id, writer)
    }

    /// Notes that the transaction writes to a table, and gives the trees of which others have read ranges, if anybody has
    /// read anything of the table.
    pub(crate) fn trees_read_by_others(&self, tracked: &Tracked, table: u32) -> Result<Option<Vec<TreeId>>> {
        let mut state = self.state.lock();
        let Some(member) = state.txns.get_mut(&tracked.id).filter(|member| !member.declared_read_only) else {
            return Ok(None);
        };
        member.has_written = true;
        if member.is_doomed {
            return Err(failure("identification as a pivot, during conflict in checking"));
        }
        Ok(state.reads.trees_read_by_others(tracked.id, table))
    }

    /// The transaction has written at these keys of a table's trees: everybody who has read there comes before it. Ranges
    /// of trees that the table has no longer count as read of the whole table. `over` is who wrote the version before.
    pub(crate) fn wrote(
        &self,
        tracked: &Tracked,
        table: u32,
        over: Option<Xid>,
        touched: &[(TreeId, Vec<u8>)],
        has_tree: &dyn Fn(TreeId) -> bool,
    ) -> Result<()> {
        let is_hit = |range: &Stored| {
            !has_tree(range.tree) || touched.iter().any(|(tree, key)| *tree == range.tree && range.contains(key))
        };
        self.state.lock().note_write(tracked.id, table, over, &is_hit)
    }

    /// As [`Serial::wrote`], for a change of all there is in a table.
    pub(crate) fn wrote_everything(&self, tracked: &Tracked, table: u32) -> Result<()> {
        self.state.lock().note_write(tracked.id, table, None, &|_| true)
    }

    /// Judges whether the transaction may commit. What it gives must be kept until the commit has its csn.
    pub(crate) fn judge_commit(&self, tracked: &Tracked) -> Result<Committing<'_>> {
        let mut state = self.state.lock();
        state.judge_commit(tracked.id)?;
        Ok(Committing { state, id: tracked.id })
    }

    /// As [`Serial::judge_commit`], for one that was judged when it was prepared.
    pub(crate) fn commit_judged(&self, tracked: &Tracked) -> Committing<'_> {
        Committing { state: self.state.lock(), id: tracked.id }
    }

    /// What a prepared transaction's state has to say of it; `None` when it is not tracked.
    pub(crate) fn state_of(&self, tracked: &Tracked) -> Option<SerialState> {
        let state = self.state.lock();
        let member = state.txns.get(&tracked.id)?;
        let tables = member.tables.iter().copied().collect();
        Some(SerialState { read_only: member.declared_read_only, has_written: member.has_written, tables })
    }

    /// A prepared transaction goes on under another owner.
    pub(crate) fn hand_over(&self, tracked: &Tracked, heir: &Arc<Running>) {
        if let Some(member) = self.state.lock().txns.get_mut(&tracked.id) {
            member.running = heir.clone();
        }
    }

    /// Enters a transaction that was prepared before the start, before any other begins.
    pub(crate) fn revive(&self, running: &Arc<Running>, xid: Xid, known: &SerialState) -> Arc<Tracked> {
        let mut state = self.state.lock();
        state.next += 1;
        let id = SerialId(state.next);
        let mut member = Member::new(running.clone(), Csn(0), known.read_only);
        member.xid = Some(xid);
        member.has_written = known.has_written;
        member.prepared = Some(Csn(0));
        (member.has_old_reader, member.has_old_writer) = (true, !known.read_only);
        member.tables = known.tables.iter().copied().collect();
        for table in &known.tables {
            state.reads.add(id, *table, Predicate::Whole);
        }
        state.by_xid.insert(xid, id);
        state.active.insert((member.snapshot, id));
        state.txns.insert(id, member);
        Arc::new(Tracked { id, is_tracked: AtomicBool::new(true) })
    }

    /// The transaction is going to roll back: nothing it did counts any longer.
    pub(crate) fn aborts(&self, tracked: &Tracked) {
        let mut state = self.state.lock();
        state.stop_watching(tracked.id, None);
        state.forget(tracked.id);
    }

    /// What the transaction can still meet that makes its snapshot unsafe.
    pub(crate) fn safety(&self, tracked: &Tracked) -> Safety {
        self.state.lock().safety(tracked)
    }

    /// All records of reads.
    pub(crate) fn facts(&self, synced: Csn) -> Vec<ReadFacts> {
        let mut state = self.state.lock();
        state.forget_old(synced);
        let process = |id: SerialId| {
            let process = state.txns.get(&id).map(|member| member.running.process_id.load(Ordering::Relaxed));
            process.filter(|process| *process != 0)
        };
        state.reads.facts(&process)
    }
}

/// A commit that was allowed and has no csn yet. Nobody else is judged meanwhile.
pub(crate) struct Committing<'a> {
    state: MutexGuard<'a, State>,
    id: SerialId,
}

impl Committing<'_> {
    /// Its commit is certain from now on; `newest` is the newest csn.
    pub(crate) fn prepared(mut self, newest: Csn) {
        if let Some(member) = self.state.txns.get_mut(&self.id) {
            member.prepared = Some(newest);
        }
    }

    pub(crate) fn committed(mut self, csn: Csn, synced: Csn) {
        self.state.committed(self.id, csn);
        self.state.forget_old(synced);
        while self.state.finished.len() > KEPT_MAX {
            self.state.summarise_oldest();
        }
    }
}

impl State {
    /// Whether reads still have to be recorded.
    fn goes_on_reading(&mut self, tracked: &Tracked) -> Result<bool> {
        let Some(member) = self.txns.get(&tracked.id).filter(|member| member.committed.is_none()) else {
            return Ok(false);
        };
        if member.is_doomed {
            return Err(failure("identification as a pivot, during conflict out checking"));
        }
        if member.declared_read_only && member.watched.is_empty() && !member.is_unsafe {
            self.forget(tracked.id);
            tracked.is_tracked.store(false, Ordering::Relaxed);
            return Ok(false);
        }
        Ok(true)
    }

    /// Takes a transaction out, with its edges and records.
    fn forget(&mut self, id: SerialId) {
        let Some(member) = self.txns.remove(&id) else { return };
        self.active.remove(&(member.snapshot, id));
        if let Some(xid) = member.xid {
            self.by_xid.remove(&xid);
        }
        for reader in &member.readers {
            if let Some(reader) = self.txns.get_mut(reader) {
                reader.writers.remove(&id);
            }
        }
        for writer in &member.writers {
            if let Some(writer) = self.txns.get_mut(writer) {
                writer.readers.remove(&id);
            }
        }
        for watched in &member.watched {
            if let Some(watched) = self.txns.get_mut(watched) {
                watched.watched.remove(&id);
            }
        }
        self.reads.forget(id, &member.tables);
    }

    /// Forgets the committed ones that no running transaction is concurrent with, nor one that begins now.
    fn forget_old(&mut self, synced: Csn) {
        let horizon = self.active.first().map_or(synced, |(oldest, _)| synced.min(*oldest));
        while let Some((csn, id)) = self.finished.front().copied()
            && csn <= horizon
        {
            self.finished.pop_front();
            self.forget(id);
        }
        if horizon <= self.horizon {
            return;
        }
        self.horizon = horizon;
        self.summary.writers.retain(|_, writer| writer.csn > horizon);
        self.summary.below = self.summary.below.filter(|(_, writer)| writer.csn > horizon);
        self.reads.forget_summaries(horizon);
    }

    /// Makes the oldest committed one part of the summary.
    fn summarise_oldest(&mut self) {
        let Some((csn, id)) = self.finished.pop_front() else { return };
        let Some(member) = self.txns.get(&id) else { return };
        if let Some(xid) = member.xid.filter(|_| member.has_written) {
            self.summary.add(xid, OldWriter { csn, earliest_out: member.earliest_out });
        }
        self.reads.summarise(&member.tables, csn);
        let (readers, writers) = (member.readers.clone(), member.writers.clone());
        for reader in readers {
            if let Some(reader) = self.txns.get_mut(&reader) {
                reader.has_old_writer = true;
            }
        }
        for writer in writers {
            if let Some(writer) = self.txns.get_mut(&writer) {
                writer.has_old_reader = true;
            }
        }
        self.forget(id);
    }
}

impl Summary {
    fn add(&mut self, xid: Xid, writer: OldWriter) {
        self.writers.insert(xid, writer);
        if self.writers.len() > SUMMARISED_XIDS_MAX
            && let Some((xid, writer)) = self.writers.pop_first()
        {
            let joined = self.below.map_or(writer, |(_, below)| OldWriter {
                csn: below.csn.max(writer.csn),
                earliest_out: match (below.earliest_out, writer.earliest_out) {
                    (Some(one), Some(other)) => Some(one.min(other)),
                    (one, other) => one.or(other),
                },
            });
            self.below = Some((xid, joined));
        }
    }

    /// What is known of a writer that is kept no longer. One among those that are told from each other no longer may have been
    /// of another isolation level.
    fn get(&self, xid: Xid) -> Option<OldWriter> {
        let known = self.writers.get(&xid).copied();
        known.or_else(|| self.below.filter(|(last, _)| xid <= *last).map(|(_, writer)| writer))
    }
}

/// 40001, with PostgreSQL's reason.
fn failure(reason: impl Into<String>) -> TxnError {
    TxnError::Unserializable { reason: reason.into() }
}

#[cfg(test)]
mod tests;
