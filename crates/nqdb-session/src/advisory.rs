//! The advisory locks of a session: how often it took each, by itself and on behalf of its transaction.
//!
//! What always holds:
//! 1. The lock table holds a lock as long as either count is above zero; session and transaction are one owner there, so
//!    they never wait for each other.
//! 2. The transaction's locks are given back at its end, and those since a savepoint when it is rolled back to; the
//!    session's outlive any rollback.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use nqdb_functions::{AdvisoryLock, LockScope};
use nqdb_sqlstate::SqlResult;
use nqdb_txn::{AdvisoryKey, OwnerId, RelationLock, TxnError, TxnSystem, Wait};

/// A key and how it is locked.
type Held = (AdvisoryKey, RelationLock);

/// What a session holds.
pub(crate) struct AdvisoryLocks {
    system: Arc<TxnSystem>,
    owner: OwnerId,
    database: u32,
    /// How often the session took each.
    session: HashMap<Held, u32>,
    /// Those of the transaction, in the order in which they were taken.
    transaction: Vec<Held>,
    /// Some were granted since [`AdvisoryLocks::take_granted`] was called last.
    granted: bool,
}

/// The times that end a wait.
#[derive(Clone, Copy)]
pub(crate) struct WaitLimits {
    pub deadlock_timeout: Duration,
    pub lock_timeout: Option<Duration>,
}

pub(crate) fn held(database: u32, lock: AdvisoryLock) -> Held {
    let key = AdvisoryKey { database, high: lock.high, low: lock.low, is_pair: lock.is_pair };
    (key, if lock.is_shared { RelationLock::Share } else { RelationLock::Exclusive })
}

impl AdvisoryLocks {
    pub fn new(system: Arc<TxnSystem>, owner: OwnerId, database: u32) -> AdvisoryLocks {
        AdvisoryLocks { system, owner, database, session: HashMap::new(), transaction: Vec::new(), granted: false }
    }

    pub fn owner(&self) -> OwnerId {
        self.owner
    }

    fn has(&self, held: Held) -> bool {
        self.session.contains_key(&held) || self.transaction.contains(&held)
    }

    /// Whether locks were granted since the last call: the next snapshot is to see what their holders before committed.
    pub fn take_granted(&mut self) -> bool {
        std::mem::take(&mut self.granted)
    }

    fn note(&mut self, held: Held, scope: LockScope) {
        self.granted = true;
        match scope {
            LockScope::Session => *self.session.entry(held).or_default() += 1,
            LockScope::Transaction => self.transaction.push(held),
        }
    }

    /// Takes a lock, or says what to wait for before the next try.
    pub fn lock(&mut self, lock: AdvisoryLock) -> SqlResult<Option<Wait>> {
        let (key, mode) = held(self.database, lock);
        if !self.has((key, mode)) {
            match self.system.lock_advisory(self.owner, key, mode) {
                Ok(()) => {}
                Err(TxnError::Wait(wait)) => return Ok(Some(wait)),
                Err(error) => return Err(error.into()),
            }
        }
        self.note((key, mode), lock.scope);
        Ok(None)
    }

    /// Takes a lock if nobody is in the way.
    pub fn try_lock(&mut self, lock: AdvisoryLock) -> SqlResult<bool> {
        let (key, mode) = held(self.database, lock);
        if !self.has((key, mode)) && !self.system.try_lock_advisory(self.owner, key, mode)? {
            return Ok(false);
        }
        self.note((key, mode), lock.scope);
        Ok(true)
    }

    /// Gives a lock of the session back; false when there is none.
    pub fn unlock(&mut self, lock: AdvisoryLock) -> bool {
        let held = held(self.database, lock);
        let Some(count) = self.session.get_mut(&held) else { return false };
        *count -= 1;
        if *count == 0 {
            self.session.remove(&held);
            self.release_unless_held(held);
        }
        true
    }

    /// Gives all locks of the session back.
    pub fn unlock_all(&mut self) {
        for (held, _) in std::mem::take(&mut self.session) {
            self.release_unless_held(held);
        }
    }

    /// The transaction's locks, for a transaction that is prepared; `None` when the session holds one on the same key.
    pub fn of_transaction(&self) -> Option<Vec<Held>> {
        let mut held = self.transaction.clone();
        held.sort_unstable();
        held.dedup();
        let is_shared = |(key, _): &Held| self.session.keys().any(|(own, _)| own == key);
        (!held.iter().any(is_shared)).then_some(held)
    }

    /// The transaction's locks are a prepared transaction's from now on.
    pub fn forget_transaction(&mut self) {
        self.transaction.clear();
    }

    /// A place for [`AdvisoryLocks::rollback_to`].
    pub fn mark(&self) -> usize {
        self.transaction.len()
    }

    /// Gives the transaction's locks since a mark back; since 0 at its end.
    pub fn rollback_to(&mut self, mark: usize) {
        if self.transaction.len() > mark {
            for held in self.transaction.split_off(mark) {
                self.release_unless_held(held);
            }
        }
    }

    fn release_unless_held(&self, (key, mode): Held) {
        if !self.has((key, mode)) {
            self.system.unlock_advisory(self.owner, key, mode);
        }
    }
}

impl Drop for AdvisoryLocks {
    fn drop(&mut self) {
        self.unlock_all();
        self.rollback_to(0);
    }
}

/// Waits for a lock that was asked for; an error gives the place in its queue up.
pub(crate) async fn wait_for(
    wait: Wait,
    system: Arc<TxnSystem>,
    owner: OwnerId,
    process_id: i32,
    limits: WaitLimits,
) -> Result<(), TxnError> {
    wait.wait_as(&system, owner, process_id, limits.deadlock_timeout, limits.lock_timeout).await
}
