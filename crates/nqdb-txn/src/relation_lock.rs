//! Locks on whole relations, and advisory locks: PostgreSQL's eight modes, its conflict table, first come first served.
//!
//! A sharded, bounded table: relation or advisory key -> holders and queue. A request is granted when it conflicts with no other
//! holder and with nobody who queued before it; who holds a lock on the relation already does not queue behind those
//! who wait for it. Locks on relations are held until the transaction ends or rolls back to a savepoint before them;
//! advisory locks until their session gives them back, which counts how often it took them.
//!
//! Source of the modes and conflicts: PostgreSQL manual, "Explicit Locking", table-level locks.

use crate::error::{Result, TxnError};
use crate::ids::OwnerId;
use crate::wait::{RelationWait, Wait};
use event_listener::Event;
use parking_lot::{Mutex, MutexGuard};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const SHARD_COUNT: u32 = 64;

/// A mode of lock on a relation, weakest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum RelationLock {
    /// SELECT.
    AccessShare,
    /// SELECT FOR UPDATE and the like.
    RowShare,
    /// INSERT, UPDATE, DELETE.
    RowExclusive,
    /// VACUUM, ANALYZE, CREATE INDEX CONCURRENTLY.
    ShareUpdateExclusive,
    /// CREATE INDEX.
    Share,
    /// CREATE TRIGGER.
    ShareRowExclusive,
    /// Refresh of a materialized view, concurrently.
    Exclusive,
    /// DROP, TRUNCATE, most of ALTER TABLE, LOCK TABLE.
    AccessExclusive,
}

use RelationLock::*;

/// What a lock is on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LockTarget {
    Relation(u32),
    Advisory(AdvisoryKey),
}

/// The key of an advisory lock: one number of 64 bits, or two of 32. The two kinds do not meet, nor do databases.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AdvisoryKey {
    pub database: u32,
    /// The first number, or the upper half of the only one.
    pub high: u32,
    pub low: u32,
    pub is_pair: bool,
}

impl AdvisoryKey {
    /// As `pg_locks.objsubid` tells the kinds apart.
    pub fn kind(self) -> i16 {
        if self.is_pair { 2 } else { 1 }
    }
}

impl LockTarget {
    fn shard(self) -> usize {
        let number = match self {
            LockTarget::Relation(relation) => relation,
            LockTarget::Advisory(key) => key.high ^ key.low,
        };
        (number % SHARD_COUNT) as usize
    }
}

impl std::fmt::Display for LockTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LockTarget::Relation(relation) => write!(f, "relation {relation}"),
            LockTarget::Advisory(key) => {
                write!(f, "advisory lock [{},{},{},{}]", key.database, key.high, key.low, key.kind())
            }
        }
    }
}

/// A lock that is held or waited for, for `pg_locks`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LockFacts {
    pub target: LockTarget,
    pub owner: OwnerId,
    pub mode: RelationLock,
    pub granted: bool,
}

impl RelationLock {
    /// PostgreSQL's name, as in `pg_locks.mode`.
    pub fn name(self) -> &'static str {
        match self {
            AccessShare => "AccessShareLock",
            RowShare => "RowShareLock",
            RowExclusive => "RowExclusiveLock",
            ShareUpdateExclusive => "ShareUpdateExclusiveLock",
            Share => "ShareLock",
            ShareRowExclusive => "ShareRowExclusiveLock",
            Exclusive => "ExclusiveLock",
            AccessExclusive => "AccessExclusiveLock",
        }
    }

    /// Whether two owners cannot hold these at once.
    pub fn conflicts_with(self, other: RelationLock) -> bool {
        self.conflicts() & other.bit() != 0
    }

    /// Whether nobody else writes to a relation that is locked like this.
    pub(crate) fn keeps_writers_out(self) -> bool {
        self.conflicts_with(RowExclusive)
    }

    pub(crate) fn bit(self) -> u8 {
        1 << self as u8
    }

    /// All modes, weakest first: at the place of its number each.
    const ALL: [RelationLock; 8] = [
        AccessShare,
        RowShare,
        RowExclusive,
        ShareUpdateExclusive,
        Share,
        ShareRowExclusive,
        Exclusive,
        AccessExclusive,
    ];

    /// The mode with this number.
    pub(crate) fn from_number(number: u8) -> Option<RelationLock> {
        RelationLock::ALL.get(usize::from(number)).copied()
    }

    /// The modes that conflict, as bits.
    const fn conflicts(self) -> u8 {
        match self {
            AccessShare => 0b1000_0000,
            RowShare => 0b1100_0000,
            RowExclusive => 0b1111_0000,
            ShareUpdateExclusive => 0b1111_1000,
            Share => 0b1110_1100,
            ShareRowExclusive => 0b1111_1100,
            Exclusive => 0b1111_1110,
            AccessExclusive => 0b1111_1111,
        }
    }
}

/// All locked relations.
pub(crate) struct RelationLocks {
    shards: Vec<Mutex<HashMap<LockTarget, Lock, foldhash::fast::FixedState>>>,
    held: AtomicUsize,
    held_max: usize,
}

#[derive(Default)]
struct Lock {
    holders: Vec<(OwnerId, u8)>,
    queue: VecDeque<(OwnerId, RelationLock)>,
    changed: Option<Arc<Event>>,
}

impl Lock {
    fn blockers(&self, owner: OwnerId, mode: RelationLock) -> Vec<OwnerId> {
        let conflicts = mode.conflicts();
        let mut blockers: Vec<OwnerId> = self
            .holders
            .iter()
            .filter(|(holder, held)| *holder != owner && held & conflicts != 0)
            .map(|h| h.0)
            .collect();
        if !self.holders.iter().any(|(holder, _)| *holder == owner) {
            let before = self.queue.iter().take_while(|(waiter, _)| *waiter != owner);
            blockers.extend(before.filter(|(_, wanted)| wanted.conflicts_with(mode)).map(|w| w.0));
        }
        blockers
    }

    /// Whether somebody in the queue waits for what this owner holds, and holds what this request waits for.
    fn closes_ring(&self, owner: OwnerId, mode: RelationLock) -> bool {
        let held_by =
            |who: OwnerId| self.holders.iter().find(|(holder, _)| *holder == who).map_or(0, |(_, held)| *held);
        let own = held_by(owner);
        let others = self.queue.iter().filter(|(waiter, _)| *waiter != owner);
        own != 0
            && others
                .into_iter()
                .any(|(waiter, wanted)| wanted.conflicts() & own != 0 && mode.conflicts() & held_by(*waiter) != 0)
    }

    fn wake(&self) {
        if let Some(changed) = &self.changed {
            changed.notify(usize::MAX);
        }
    }
}

impl RelationLocks {
    pub(crate) fn new(held_max: usize) -> RelationLocks {
        RelationLocks {
            shards: (0..SHARD_COUNT).map(|_| Mutex::default()).collect(),
            held: AtomicUsize::new(0),
            held_max,
        }
    }

    /// Grants the lock, or says what to wait for. A refused owner keeps a place in the queue until it is granted or
    /// calls [`RelationLocks::leave_queue`]. Answers whether the owner had to queue.
    pub(crate) fn lock(&self, owner: OwnerId, target: LockTarget, mode: RelationLock) -> Result<bool> {
        let mut shard = self.shard(target);
        let lock = shard.entry(target).or_default();
        if !lock.blockers(owner, mode).is_empty() {
            if !lock.queue.contains(&(owner, mode)) {
                lock.queue.push_back((owner, mode));
            }
            let closes_ring = lock.closes_ring(owner, mode);
            let changed = lock.changed.get_or_insert_default().listen();
            return Err(TxnError::Wait(Wait::Relation(RelationWait { target, mode, changed, closes_ring })));
        }
        let requests = lock.queue.len();
        lock.queue.retain(|(waiter, _)| *waiter != owner);
        let has_queued = lock.queue.len() < requests;
        self.grant(lock, owner, mode)?;
        Ok(has_queued)
    }

    /// Grants the lock or leaves everything as it was.
    pub(crate) fn try_lock(&self, owner: OwnerId, target: LockTarget, mode: RelationLock) -> Result<bool> {
        let mut shard = self.shard(target);
        let lock = shard.entry(target).or_default();
        if !lock.blockers(owner, mode).is_empty() {
            return Ok(false);
        }
        self.grant(lock, owner, mode)?;
        Ok(true)
    }

    fn grant(&self, lock: &mut Lock, owner: OwnerId, mode: RelationLock) -> Result<()> {
        if self.held.fetch_add(1, Ordering::Relaxed) >= self.held_max {
            self.held.fetch_sub(1, Ordering::Relaxed);
            return Err(TxnError::LockTableFull);
        }
        match lock.holders.iter_mut().find(|(holder, _)| *holder == owner) {
            Some((_, held)) => *held |= mode.bit(),
            None => lock.holders.push((owner, mode.bit())),
        }
        // Who queued behind a weaker request of this owner may be free to go now.
        if !lock.queue.is_empty() {
            lock.wake();
        }
        Ok(())
    }

    /// Gives one mode back and wakes those who wait.
    pub(crate) fn unlock(&self, owner: OwnerId, target: LockTarget, mode: RelationLock) {
        let mut shard = self.shard(target);
        let Some(lock) = shard.get_mut(&target) else { return };
        let Some(index) = lock.holders.iter().position(|(holder, _)| *holder == owner) else { return };
        if lock.holders[index].1 & mode.bit() == 0 {
            return;
        }
        lock.holders[index].1 &= !mode.bit();
        self.held.fetch_sub(1, Ordering::Relaxed);
        if lock.holders[index].1 == 0 {
            lock.holders.swap_remove(index);
        }
        lock.wake();
        if lock.holders.is_empty() && lock.queue.is_empty() {
            shard.remove(&target);
        }
    }

    /// Makes another owner the holder of one mode. Nobody can come in between.
    pub(crate) fn hand_over(&self, from: OwnerId, to: OwnerId, target: LockTarget, mode: RelationLock) {
        let mut shard = self.shard(target);
        let Some(lock) = shard.get_mut(&target) else { return };
        let Some(index) = lock.holders.iter().position(|(holder, _)| *holder == from) else { return };
        if lock.holders[index].1 & mode.bit() == 0 {
            return;
        }
        lock.holders[index].1 &= !mode.bit();
        if lock.holders[index].1 == 0 {
            lock.holders.swap_remove(index);
        }
        match lock.holders.iter_mut().find(|(holder, _)| *holder == to) {
            Some((_, held)) => *held |= mode.bit(),
            None => lock.holders.push((to, mode.bit())),
        }
    }

    /// Gives up a place in the queue.
    pub(crate) fn leave_queue(&self, owner: OwnerId, target: LockTarget) {
        let mut shard = self.shard(target);
        let Some(lock) = shard.get_mut(&target) else { return };
        lock.queue.retain(|(waiter, _)| *waiter != owner);
        lock.wake();
        if lock.holders.is_empty() && lock.queue.is_empty() {
            shard.remove(&target);
        }
    }

    /// Whom a request waits for now.
    pub(crate) fn blockers(&self, owner: OwnerId, target: LockTarget, mode: RelationLock) -> Vec<OwnerId> {
        self.shard(target).get(&target).map(|lock| lock.blockers(owner, mode)).unwrap_or_default()
    }

    /// All locks that are held or waited for.
    pub(crate) fn all(&self) -> Vec<LockFacts> {
        let modes = RelationLock::ALL;
        let mut all = Vec::new();
        for shard in &self.shards {
            for (target, lock) in &*shard.lock() {
                let facts = |owner, mode, granted| LockFacts { target: *target, owner, mode, granted };
                for (owner, mask) in &lock.holders {
                    all.extend(
                        modes.iter().filter(|mode| mask & mode.bit() != 0).map(|mode| facts(*owner, *mode, true)),
                    );
                }
                all.extend(lock.queue.iter().map(|(owner, mode)| facts(*owner, *mode, false)));
            }
        }
        all
    }

    fn shard(&self, target: LockTarget) -> MutexGuard<'_, HashMap<LockTarget, Lock, foldhash::fast::FixedState>> {
        self.shards[target.shard()].lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [RelationLock; 8] = RelationLock::ALL;

    #[test]
    fn conflicts_are_those_of_the_manual() {
        // One row for each requested mode, in the manual's order; x = conflict.
        let table = [".......x", "......xx", "....xxxx", "...xxxxx", "..xx.xxx", "..xxxxxx", ".xxxxxxx", "xxxxxxxx"];
        for (requested, row) in ALL.iter().zip(table) {
            for (held, cell) in ALL.iter().zip(row.chars()) {
                assert_eq!(requested.conflicts_with(*held), cell == 'x', "{} {}", requested.name(), held.name());
            }
        }
    }

    fn granted(result: Result<bool>) -> bool {
        match result {
            Ok(_) => true,
            Err(TxnError::Wait(_)) => false,
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_strong_request_is_not_overtaken_by_later_weak_ones() {
        let locks = RelationLocks::new(100);
        let (a, b, c) = (OwnerId(1), OwnerId(2), OwnerId(3));
        assert!(granted(locks.lock(a, LockTarget::Relation(5), AccessShare)));
        assert!(!granted(locks.lock(b, LockTarget::Relation(5), AccessExclusive)));
        assert!(!granted(locks.lock(c, LockTarget::Relation(5), AccessShare)), "queues behind b");
        assert!(
            granted(locks.lock(a, LockTarget::Relation(5), RowExclusive)),
            "a holder does not queue behind its own waiter"
        );
        locks.unlock(a, LockTarget::Relation(5), AccessShare);
        assert!(!granted(locks.lock(b, LockTarget::Relation(5), AccessExclusive)));
        locks.unlock(a, LockTarget::Relation(5), RowExclusive);
        assert!(!granted(locks.lock(c, LockTarget::Relation(5), AccessShare)));
        assert!(granted(locks.lock(b, LockTarget::Relation(5), AccessExclusive)));
        locks.unlock(b, LockTarget::Relation(5), AccessExclusive);
        assert!(granted(locks.lock(c, LockTarget::Relation(5), AccessShare)));
    }

    #[test]
    fn who_gives_up_frees_those_behind() {
        let locks = RelationLocks::new(100);
        assert!(granted(locks.lock(OwnerId(1), LockTarget::Relation(5), AccessShare)));
        assert!(!granted(locks.lock(OwnerId(2), LockTarget::Relation(5), AccessExclusive)));
        locks.leave_queue(OwnerId(2), LockTarget::Relation(5));
        assert!(granted(locks.lock(OwnerId(3), LockTarget::Relation(5), AccessShare)));
    }

    #[test]
    fn a_lock_that_is_handed_over_stands_in_the_way_of_who_had_it() {
        let locks = RelationLocks::new(3);
        let (a, b) = (OwnerId(1), OwnerId(2));
        let target = LockTarget::Relation(5);
        assert!(granted(locks.lock(a, target, RowExclusive)));
        assert!(granted(locks.lock(a, target, AccessExclusive)));
        locks.hand_over(a, b, target, AccessExclusive);
        locks.hand_over(a, b, target, RowExclusive);
        assert!(!granted(locks.lock(a, target, AccessShare)));
        locks.unlock(b, target, AccessExclusive);
        assert!(granted(locks.lock(a, target, AccessShare)));
        locks.unlock(b, target, RowExclusive);
        assert!(granted(locks.lock(a, target, AccessExclusive)));
    }

    #[test]
    fn the_table_is_bounded() {
        let locks = RelationLocks::new(3);
        for relation in 0..3 {
            assert!(granted(locks.lock(OwnerId(1), LockTarget::Relation(relation), AccessShare)));
        }
        assert!(matches!(locks.lock(OwnerId(1), LockTarget::Relation(9), AccessShare), Err(TxnError::LockTableFull)));
        locks.unlock(OwnerId(1), LockTarget::Relation(0), AccessShare);
        assert!(granted(locks.lock(OwnerId(1), LockTarget::Relation(9), AccessShare)));
    }
}
