//! Locks on rows that nobody writes: FOR UPDATE, FOR NO KEY UPDATE, FOR SHARE, FOR KEY SHARE.
//!
//! A writer in the row's header is itself a lock; the others are in this sharded, bounded table and dirty no page. Both
//! are read under the row's leaf latch: who locks holds it shared, who writes holds it exclusively, so neither misses
//! the other. Source of the modes and conflicts: PostgreSQL manual, "Explicit Locking", row-level locks.

use crate::error::{Result, TxnError};
use crate::ids::{OwnerId, RowId};
use crate::wait::Running;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const SHARD_COUNT: u64 = 64;

/// A mode of lock on a row, weakest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum RowLock {
    /// FOR KEY SHARE: what a foreign key's check takes.
    KeyShare,
    /// FOR SHARE.
    Share,
    /// FOR NO KEY UPDATE: what an UPDATE that changes no unique key takes.
    NoKeyUpdate,
    /// FOR UPDATE: what DELETE and an UPDATE of a unique key take.
    Update,
}

impl RowLock {
    /// The mode with this number.
    pub(crate) fn from_number(number: u8) -> Option<RowLock> {
        [RowLock::KeyShare, RowLock::Share, RowLock::NoKeyUpdate, RowLock::Update].get(usize::from(number)).copied()
    }

    /// Whether two owners cannot hold these at once.
    pub fn conflicts_with(self, other: RowLock) -> bool {
        use RowLock::*;
        match self {
            KeyShare => other == Update,
            Share => other >= NoKeyUpdate,
            NoKeyUpdate => other >= Share,
            Update => true,
        }
    }
}

type Shard = HashMap<(u32, RowId), Vec<(Arc<Running>, RowLock)>, foldhash::fast::FixedState>;

/// All locked rows.
pub(crate) struct RowLocks {
    shards: Vec<Mutex<Shard>>,
    held: AtomicUsize,
    held_max: usize,
}

impl RowLocks {
    pub(crate) fn new(held_max: usize) -> RowLocks {
        RowLocks { shards: (0..SHARD_COUNT).map(|_| Mutex::default()).collect(), held: AtomicUsize::new(0), held_max }
    }

    /// The other owners who hold a conflicting lock. Called under the row's latch.
    pub(crate) fn blockers(&self, owner: OwnerId, table: u32, row: RowId, mode: RowLock) -> Vec<Arc<Running>> {
        if self.held.load(Ordering::Acquire) == 0 {
            return Vec::new();
        }
        let shard = self.shard(row).lock();
        let Some(holders) = shard.get(&(table, row)) else { return Vec::new() };
        let blocks = |(holder, held): &&(Arc<Running>, RowLock)| holder.owner != owner && held.conflicts_with(mode);
        holders.iter().filter(blocks).map(|(holder, _)| holder.clone()).collect()
    }

    /// Whether an owner has a lock of any mode on a row.
    pub(crate) fn is_held_by(&self, owner: OwnerId, table: u32, row: RowId) -> bool {
        let shard = self.shard(row).lock();
        shard.get(&(table, row)).is_some_and(|holders| holders.iter().any(|(holder, _)| holder.owner == owner))
    }

    /// Takes a lock that nothing stands against. `Ok(false)`: the owner has it already. Called under the row's latch.
    pub(crate) fn lock(&self, owner: &Arc<Running>, table: u32, row: RowId, mode: RowLock) -> Result<bool> {
        let mut shard = self.shard(row).lock();
        let holders = shard.entry((table, row)).or_default();
        if holders.iter().any(|(holder, held)| holder.owner == owner.owner && *held >= mode) {
            return Ok(false);
        }
        if self.held.fetch_add(1, Ordering::AcqRel) >= self.held_max {
            self.held.fetch_sub(1, Ordering::AcqRel);
            if holders.is_empty() {
                shard.remove(&(table, row));
            }
            return Err(TxnError::LockTableFull);
        }
        holders.push((owner.clone(), mode));
        Ok(true)
    }

    /// Makes another transaction the holder. Nobody can come in between.
    pub(crate) fn hand_over(&self, from: OwnerId, to: &Arc<Running>, table: u32, row: RowId, mode: RowLock) {
        let mut shard = self.shard(row).lock();
        let holders = shard.get_mut(&(table, row));
        if let Some(held) =
            holders.and_then(|holders| holders.iter_mut().find(|held| held.0.owner == from && held.1 == mode))
        {
            held.0 = to.clone();
        }
    }

    /// Gives a lock back. Waking those who wait is the owner's doing.
    pub(crate) fn unlock(&self, owner: OwnerId, table: u32, row: RowId, mode: RowLock) {
        let mut shard = self.shard(row).lock();
        let Some(holders) = shard.get_mut(&(table, row)) else { return };
        if let Some(index) = holders.iter().position(|(holder, held)| holder.owner == owner && *held == mode) {
            holders.swap_remove(index);
            self.held.fetch_sub(1, Ordering::AcqRel);
        }
        if holders.is_empty() {
            shard.remove(&(table, row));
        }
    }

    fn shard(&self, row: RowId) -> &Mutex<Shard> {
        &self.shards[(row.0 % SHARD_COUNT) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RowLock::*;

    #[test]
    fn conflicts_are_those_of_the_manual() {
        let table = [(KeyShare, "...x"), (Share, "..xx"), (NoKeyUpdate, ".xxx"), (Update, "xxxx")];
        for (requested, row) in table {
            for (held, cell) in [KeyShare, Share, NoKeyUpdate, Update].into_iter().zip(row.chars()) {
                assert_eq!(requested.conflicts_with(held), cell == 'x', "{requested:?} {held:?}");
            }
        }
    }

    #[test]
    fn shared_locks_are_held_together_and_bounded() {
        let locks = RowLocks::new(3);
        let owners: Vec<Arc<Running>> = (1..=4).map(|n| Arc::new(Running::new(OwnerId(n)))).collect();
        for owner in &owners[..3] {
            assert!(locks.blockers(owner.owner, 1, RowId(7), Share).is_empty());
            assert!(locks.lock(owner, 1, RowId(7), Share).expect("room"));
        }
        assert!(!locks.lock(&owners[0], 1, RowId(7), KeyShare).expect("held already"));
        assert!(matches!(locks.lock(&owners[3], 1, RowId(8), Share), Err(TxnError::LockTableFull)));
        assert_eq!(locks.blockers(owners[3].owner, 1, RowId(7), Update).len(), 3);
        locks.hand_over(owners[2].owner, &owners[3], 1, RowId(7), Share);
        assert!(!locks.is_held_by(owners[2].owner, 1, RowId(7)));
        for owner in [&owners[0], &owners[1], &owners[3]] {
            locks.unlock(owner.owner, 1, RowId(7), Share);
        }
        assert!(locks.blockers(owners[3].owner, 1, RowId(7), Update).is_empty());
    }
}
