//! Waiting for other transactions, for locks and for the log; and what happens when everybody waits for everybody.
//!
//! A call that cannot go on returns a [`Wait`] and has written nothing. The session waits (`wait` on a runtime, `block`
//! on a thread) and makes the same call again, which may meet the same or another obstacle. While somebody waits, the
//! graph of waits holds whom for. After `deadlock_timeout` the waiter looks for a cycle through itself; if there is one
//! it gives up with `40P01`, so that the last to close a cycle is the one to be sacrificed, as in PostgreSQL. Dropping
//! the future (cancel, statement timeout) takes it out of the graph.
//!
//! Who waits for a row queues up for it first ([`crate::row_queue`]).

use crate::error::{Result, TxnError};
use crate::ids::{OwnerId, Xid};
use crate::relation_lock::{LockTarget, RelationLock, RelationLocks};
use crate::row_queue::{TurnWait, WantedRow};
use crate::system::TxnSystem;
use crate::transaction::Transaction;
use event_listener::{Event, EventListener, Listener};
use nqdb_storage::Lsn;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What others may know of a running transaction. Lives on while anybody waits for it.
pub(crate) struct Running {
    pub(crate) owner: OwnerId,
    /// The session's process number, for reports.
    pub(crate) process_id: AtomicI32,
    /// 0 until the first write.
    xid: AtomicU64,
    ended: AtomicBool,
    /// How many times a part of it was rolled back: rows written after a savepoint are free then.
    rollbacks: AtomicU64,
    released: Event,
    /// It may have a place in the queue for a row.
    queues: AtomicBool,
}

impl Running {
    pub(crate) fn new(owner: OwnerId) -> Running {
        Running {
            owner,
            process_id: AtomicI32::new(owner.0 as i32),
            xid: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            rollbacks: AtomicU64::new(0),
            released: Event::new(),
            queues: AtomicBool::new(false),
        }
    }

    pub(crate) fn xid(&self) -> Option<Xid> {
        Some(Xid(self.xid.load(Ordering::Acquire))).filter(|xid| xid.0 != 0)
    }

    pub(crate) fn set_xid(&self, xid: Xid) {
        self.xid.store(xid.0, Ordering::Release);
    }

    /// Its locks have fallen: wakes everybody who waits for it.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.released.notify(usize::MAX);
    }

    /// Whether it may have a place in the queue for a row; asking takes the mark away.
    pub(crate) fn take_queues(&self) -> bool {
        self.may_queue() && self.queues.swap(false, Ordering::Relaxed)
    }

    /// Whether it may have a place in the queue for a row.
    pub(crate) fn may_queue(&self) -> bool {
        self.queues.load(Ordering::Relaxed)
    }

    /// A part of it was rolled back: wakes everybody who waits for it, to look again.
    pub(crate) fn rolled_back_partly(&self) {
        self.rollbacks.fetch_add(1, Ordering::AcqRel);
        self.released.notify(usize::MAX);
    }
}

/// What must happen before a call can succeed.
#[derive(Debug)]
pub enum Wait {
    /// Other transactions hold a row or a key.
    Txn(TxnWait),
    /// Others came before, for a row that is held.
    Turn(TurnWait),
    /// Other transactions hold a relation.
    Relation(RelationWait),
    /// What this transaction built on, or is about to answer from, must be synced first.
    Log(Lsn),
    /// SERIALIZABLE READ ONLY DEFERRABLE: how these transactions end decides whether the snapshot is safe.
    SafeSnapshot(TxnWait),
}

/// Waits until one of some transactions ends or rolls back a part.
pub struct TxnWait {
    others: Vec<(Arc<Running>, u64)>,
    /// What they hold, if it is a row.
    row: Option<WantedRow>,
}

/// Waits until the locks on a relation, or on an advisory key, change. Its place in the queue is kept by the transaction.
pub struct RelationWait {
    pub(crate) target: LockTarget,
    pub(crate) mode: RelationLock,
    pub(crate) changed: EventListener,
    /// The other side waits already: no need to let `deadlock_timeout` pass before the search.
    pub(crate) closes_ring: bool,
}

impl TxnWait {
    /// A wait for any of `others`. Create it before, or under the latch of, the look that found them in the way.
    pub(crate) fn new(others: impl IntoIterator<Item = Arc<Running>>) -> TxnWait {
        let others = others.into_iter().map(|other| {
            let seen = other.rollbacks.load(Ordering::Acquire);
            (other, seen)
        });
        TxnWait { others: others.collect(), row: None }
    }

    /// The same, for a row.
    pub(crate) fn for_row(self, row: WantedRow) -> TxnWait {
        TxnWait { row: Some(row), ..self }
    }

    fn is_over(&self) -> bool {
        let over = |(other, seen): &(Arc<Running>, u64)| {
            other.ended.load(Ordering::Acquire) || other.rollbacks.load(Ordering::Acquire) != *seen
        };
        self.others.is_empty() || self.others.iter().any(over)
    }

    /// The transaction that is waited for first.
    pub fn xid(&self) -> Option<Xid> {
        self.others.first().and_then(|(other, _)| other.xid())
    }
}

impl fmt::Debug for TxnWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.others.iter().map(|(other, _)| (other.owner, other.xid()))).finish()
    }
}

impl fmt::Debug for RelationWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.mode.name(), self.target)
    }
}

impl Wait {
    /// Queues up, if it is a row that is waited for: behind others it is their turn that is waited for first. What comes
    /// back stays as it is in further calls.
    pub fn queued(self, txn: &Transaction) -> Wait {
        match self {
            Wait::Txn(TxnWait { row: Some(wanted), others }) => {
                txn.running().queues.store(true, Ordering::Relaxed);
                match txn.system().row_queues().join(txn.running(), wanted) {
                    Some(turn) => Wait::Turn(turn),
                    None => Wait::Txn(TxnWait { row: Some(wanted), others }),
                }
            }
            Wait::Turn(_) | Wait::Log(_) => self,
            Wait::Txn(_) | Wait::Relation(_) | Wait::SafeSnapshot(_) => {
                txn.leave_row_queue();
                self
            }
        }
    }

    /// Waits on a tokio runtime with its timer. `Ok` means: make the call again. `lock_timeout` is what is left of it.
    pub async fn wait(
        self,
        txn: &mut Transaction,
        deadlock_timeout: Duration,
        lock_timeout: Option<Duration>,
    ) -> Result<()> {
        let process_id = txn.running().process_id.load(Ordering::Relaxed);
        let (system, owner) = (txn.system().clone(), txn.owner());
        self.queued(txn).wait_as(&system, owner, process_id, deadlock_timeout, lock_timeout).await
    }

    /// As [`Wait::wait`], for an owner whose transaction is not at hand.
    pub async fn wait_as(
        self,
        system: &Arc<TxnSystem>,
        owner: OwnerId,
        process_id: i32,
        deadlock_timeout: Duration,
        lock_timeout: Option<Duration>,
    ) -> Result<()> {
        if let Wait::Log(lsn) = self {
            return system.durable(lsn).await;
        }
        let begun = Waiting::begin(self, system, owner, process_id, deadlock_timeout, lock_timeout);
        let Some((mut waiting, mut listener)) = begun else { return Ok(()) };
        while let Some(deadline) = waiting.deadline() {
            if tokio::time::timeout_at(deadline.into(), &mut listener).await.is_ok() {
                return Ok(());
            }
            waiting.timed_out()?;
        }
        listener.await;
        Ok(())
    }

    /// As [`Wait::wait`], on the calling thread.
    pub fn block(
        self,
        txn: &mut Transaction,
        deadlock_timeout: Duration,
        lock_timeout: Option<Duration>,
    ) -> Result<()> {
        if let Wait::Log(lsn) = self {
            return txn.system().wait_durable_blocking(lsn);
        }
        let process_id = txn.running().process_id.load(Ordering::Relaxed);
        let wait = self.queued(txn);
        let begun = Waiting::begin(wait, txn.system(), txn.owner(), process_id, deadlock_timeout, lock_timeout);
        let Some((mut waiting, listener)) = begun else { return Ok(()) };
        let Some(deadline) = waiting.deadline() else {
            listener.wait();
            return Ok(());
        };
        if listener.wait_deadline(deadline).is_none() {
            // The listener is gone, so something may be missed from here on: the caller looks again.
            waiting.timed_out()?;
        }
        Ok(())
    }

    /// Looks for a deadlock at once, as if `deadlock_timeout` had passed; used where nothing can sleep.
    pub fn check_deadlock(&self, txn: &Transaction) -> Result<()> {
        let system = txn.system();
        let edge = Edge::of(self, txn.running().process_id.load(Ordering::Relaxed));
        system.wait_graph().search(txn.owner(), Some(&edge), system.relation_locks())
    }
}

/// One wait in progress; in the graph until dropped.
struct Waiting {
    system: Arc<TxnSystem>,
    owner: OwnerId,
    deadlock_at: Option<Instant>,
    give_up_at: Option<Instant>,
}

impl Waiting {
    /// Enters the graph; `None` when there is nothing to wait for any more.
    fn begin(
        wait: Wait,
        system: &Arc<TxnSystem>,
        owner: OwnerId,
        process_id: i32,
        deadlock_timeout: Duration,
        lock_timeout: Option<Duration>,
    ) -> Option<(Waiting, EventListener)> {
        let now = Instant::now();
        let edge = Edge::of(&wait, process_id);
        let search_at_once = matches!(&wait, Wait::Relation(wait) if wait.closes_ring);
        let is_for_lock = !matches!(wait, Wait::SafeSnapshot(_));
        let listener = match wait {
            Wait::Txn(wait) | Wait::SafeSnapshot(wait) => {
                // One of them is listened to: whoever holds the row together with it is met again by the next call.
                let listener = wait.others.first()?.0.released.listen();
                if wait.is_over() {
                    return None;
                }
                listener
            }
            Wait::Turn(wait) => wait.is_first,
            Wait::Relation(wait) => wait.changed,
            Wait::Log(_) => return None,
        };
        let waiting = Waiting {
            system: system.clone(),
            owner,
            deadlock_at: Some(if search_at_once { now } else { now + deadlock_timeout }),
            give_up_at: lock_timeout.filter(|_| is_for_lock).map(|timeout| now + timeout),
        };
        waiting.system.wait_graph().waits.lock().insert(waiting.owner, edge);
        Some((waiting, listener))
    }

    /// When to stop sleeping; `None`: never.
    fn deadline(&self) -> Option<Instant> {
        match (self.deadlock_at, self.give_up_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    fn timed_out(&mut self) -> Result<()> {
        let now = Instant::now();
        if self.give_up_at.is_some_and(|at| at <= now) {
            return Err(TxnError::LockTimeout);
        }
        if self.deadlock_at.is_some_and(|at| at <= now) {
            self.deadlock_at = None;
            self.system.wait_graph().search(self.owner, None, self.system.relation_locks())?;
        }
        Ok(())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.system.wait_graph().waits.lock().remove(&self.owner);
    }
}

/// Who waits for whom.
#[derive(Default)]
pub(crate) struct WaitGraph {
    waits: Mutex<HashMap<OwnerId, Edge>>,
    found: AtomicU64,
}

#[derive(Clone)]
struct Edge {
    process_id: i32,
    wanted: Wanted,
}

#[derive(Clone)]
enum Wanted {
    Txns(Vec<Arc<Running>>),
    /// Those who came before for a row.
    Turn(Vec<Arc<Running>>, WantedRow),
    Relation(LockTarget, RelationLock),
    /// The ends of transactions, for a safe snapshot.
    Ends(Vec<Arc<Running>>),
}

impl Edge {
    fn of(wait: &Wait, process_id: i32) -> Edge {
        let wanted = match wait {
            Wait::Txn(wait) => Wanted::Txns(wait.others.iter().map(|(other, _)| other.clone()).collect()),
            Wait::Turn(wait) => Wanted::Turn(wait.ahead.clone(), wait.wanted),
            Wait::Relation(wait) => Wanted::Relation(wait.target, wait.mode),
            Wait::SafeSnapshot(wait) => Wanted::Ends(wait.others.iter().map(|(other, _)| other.clone()).collect()),
            Wait::Log(_) => Wanted::Txns(Vec::new()),
        };
        Edge { process_id, wanted }
    }

    fn blockers(&self, waiter: OwnerId, locks: &RelationLocks) -> Vec<OwnerId> {
        match &self.wanted {
            Wanted::Txns(others) | Wanted::Turn(others, _) | Wanted::Ends(others) => {
                others.iter().map(|other| other.owner).collect()
            }
            Wanted::Relation(target, mode) => locks.blockers(waiter, *target, *mode),
        }
    }

    /// "ShareLock on transaction 731", as PostgreSQL names what is waited for.
    fn describe(&self, blocker: OwnerId) -> String {
        match &self.wanted {
            Wanted::Relation(target, mode) => format!("{} on {target}", mode.name()),
            Wanted::Turn(_, row) => row.to_string(),
            Wanted::Txns(others) | Wanted::Ends(others) => {
                let xid = others.iter().find(|other| other.owner == blocker).and_then(|other| other.xid());
                match xid {
                    Some(xid) => format!("ShareLock on transaction {xid}"),
                    None => format!("ShareLock on virtual transaction {blocker}"),
                }
            }
        }
    }
}

impl WaitGraph {
    /// Cycles found so far.
    pub(crate) fn deadlocks(&self) -> u64 {
        self.found.load(Ordering::Relaxed)
    }

    /// Who waits for the end of which transactions.
    pub(crate) fn transaction_waits(&self) -> Vec<(i32, Vec<Xid>)> {
        let waits = self.waits.lock();
        let of_transactions = waits.values().filter_map(|edge| match &edge.wanted {
            Wanted::Txns(others) | Wanted::Turn(others, _) if !others.is_empty() => {
                Some((edge.process_id, others.iter().filter_map(|other| other.xid()).collect()))
            }
            _ => None,
        });
        of_transactions.collect()
    }

    /// Whose locks an owner waits for now.
    pub(crate) fn blockers_of(&self, waiter: OwnerId, locks: &RelationLocks) -> Vec<OwnerId> {
        let edge = self.edge_of(waiter).filter(|edge| !matches!(edge.wanted, Wanted::Ends(_)));
        edge.map(|edge| edge.blockers(waiter, locks)).unwrap_or_default()
    }

    /// Whose ends an owner waits for now, for a safe snapshot.
    pub(crate) fn safe_snapshot_blockers_of(&self, waiter: OwnerId) -> Vec<OwnerId> {
        match self.edge_of(waiter).map(|edge| edge.wanted) {
            Some(Wanted::Ends(others)) => others.iter().map(|other| other.owner).collect(),
            _ => Vec::new(),
        }
    }

    fn edge_of(&self, waiter: OwnerId) -> Option<Edge> {
        self.waits.lock().get(&waiter).cloned()
    }

    /// Looks for a cycle through `start`, whose own wait is `edge` when it is not in the graph yet.
    fn search(&self, start: OwnerId, edge: Option<&Edge>, locks: &RelationLocks) -> Result<()> {
        let mut waits = self.waits.lock().clone();
        if let Some(edge) = edge {
            waits.insert(start, edge.clone());
        }
        let mut path = Vec::new();
        let mut visited = std::collections::HashSet::new();
        if !find_cycle(start, start, &waits, locks, &mut visited, &mut path) {
            return Ok(());
        }
        self.found.fetch_add(1, Ordering::Relaxed);
        path.reverse();
        let lines = path.iter().map(|(waiter, blocker)| {
            let edge = &waits[waiter];
            let process_of = |owner: &OwnerId| waits.get(owner).map_or(owner.0 as i32, |edge| edge.process_id);
            let (what, by) = (edge.describe(*blocker), process_of(blocker));
            format!("Process {} waits for {what}; blocked by process {by}.", edge.process_id)
        });
        let detail = lines.collect::<Vec<_>>().join("\n");
        let processes = path.iter().filter_map(|(waiter, _)| waits.get(waiter)).map(|edge| edge.process_id).collect();
        Err(TxnError::Deadlock { detail, processes })
    }
}

/// Depth-first from `at` back to `start`; on success `path` has the cycle's edges, last one first.
fn find_cycle(
    at: OwnerId,
    start: OwnerId,
    waits: &HashMap<OwnerId, Edge>,
    locks: &RelationLocks,
    visited: &mut std::collections::HashSet<OwnerId>,
    path: &mut Vec<(OwnerId, OwnerId)>,
) -> bool {
    let Some(edge) = waits.get(&at) else { return false };
    for blocker in edge.blockers(at, locks) {
        if blocker == start || (visited.insert(blocker) && find_cycle(blocker, start, waits, locks, visited, path)) {
            path.push((at, blocker));
            return true;
        }
    }
    false
}
