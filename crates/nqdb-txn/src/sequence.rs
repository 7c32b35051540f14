//! Sequences: numbers that never block and never roll back.
//!
//! A sequence's state is an entry of a system tree, written ahead: what the entry says has been given out is up to 32
//! values further than what really has (as in PostgreSQL), so that most calls touch no page. After a crash the values in
//! between are skipped. Nothing here is undone; the creation of a sequence is, by the transaction's hook.
//!
//! ```text
//! key    sequence number u32, big-endian
//! value  last value i64 | is called u8          little-endian
//! ```

use crate::error::{Result, TxnError};
use crate::system::TxnSystem;
use crate::transaction::Transaction;
use nqdb_sqlstate::{SEQUENCE_GENERATOR_LIMIT_EXCEEDED, SqlError};
use nqdb_storage::tree::{Direction, EditNeed, Tree};
use nqdb_storage::{Lsn, TreeId};
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

/// The tree of all states.
pub(crate) const SEQUENCES: TreeId = TreeId(2);
const VALUE_BYTES: usize = 9;

/// Values that are logged ahead.
const AHEAD_COUNT: u32 = 32;

/// A sequence's definition, as the catalog keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The number of its state.
    pub id: u32,
    /// Not 0.
    pub increment: i64,
    pub min: i64,
    pub max: i64,
    pub start: i64,
    /// Begin again at the other end instead of failing.
    pub cycle: bool,
}

/// Where a sequence stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceState {
    pub last_value: i64,
    /// Whether `last_value` has been given out.
    pub is_called: bool,
}

struct Cached {
    state: SequenceState,
    /// Values that may be given out before the entry has to be written again.
    ahead: u32,
}

/// The states in use.
#[derive(Default)]
pub(crate) struct Sequences {
    tree: RwLock<Option<Tree>>,
    cached: RwLock<HashMap<u32, Arc<Mutex<Cached>>>>,
}

impl Sequences {
    fn tree(&self, system: &TxnSystem) -> Result<Tree> {
        if let Some(tree) = &*self.tree.read() {
            return Ok(tree.clone());
        }
        let tree = system.open_tree(SEQUENCES)?;
        Ok(self.tree.write().insert(tree).clone())
    }

    fn cached(&self, system: &TxnSystem, id: u32) -> Result<Arc<Mutex<Cached>>> {
        if let Some(cached) = self.cached.read().get(&id) {
            return Ok(cached.clone());
        }
        let stored = self.tree(system)?.get(&id.to_be_bytes(), |entry, _| entry.map(|entry| decode(entry.value)))?;
        let state = stored.ok_or_else(|| TxnError::corrupt(format!("sequence {id} has no state")))??;
        let cached = Arc::new(Mutex::new(Cached { state, ahead: 0 }));
        Ok(self.cached.write().entry(id).or_insert(cached).clone())
    }

    /// The numbers of all sequences that have a state.
    pub(crate) fn ids(&self, system: &TxnSystem) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        let mut problem = None;
        let mut scan = self.tree(system)?.scan(Bound::Unbounded, Bound::Unbounded, Direction::Forward);
        while scan.next_leaf(&mut |key, _, _| {
            match key.try_into() {
                Ok(bytes) => ids.push(u32::from_be_bytes(bytes)),
                Err(_) => problem = Some(TxnError::corrupt("a sequence's key has a wrong length")),
            }
            ControlFlow::Continue(())
        })? {}
        problem.map_or(Ok(ids), Err)
    }

    fn write(&self, system: &TxnSystem, id: u32, state: SequenceState) -> Result<Option<Lsn>> {
        let mut value = state.last_value.to_le_bytes().to_vec();
        value.push(u8::from(state.is_called));
        let need = EditNeed { value_bytes_max: VALUE_BYTES, log_bytes: 0 };
        let (_, lsn) = self.tree(system)?.edit(&id.to_be_bytes(), need, None, |edit| match edit.entry() {
            Some(_) => edit.replace(&value, false, 0),
            None => edit.insert(&value, false, 0),
        })?;
        Ok(lsn)
    }

    fn remove(&self, system: &TxnSystem, id: u32) -> Result<()> {
        self.tree(system)?.edit(&id.to_be_bytes(), EditNeed::default(), None, |edit| {
            if edit.entry().is_some() {
                edit.remove();
            }
        })?;
        self.cached.write().remove(&id);
        Ok(())
    }
}

fn decode(value: &[u8]) -> Result<SequenceState> {
    let (last, called) =
        value.split_at_checked(8).ok_or_else(|| TxnError::corrupt("a sequence's state is too short"))?;
    let last = last.try_into().map_err(|_| TxnError::corrupt("a sequence's state is too short"))?;
    Ok(SequenceState { last_value: i64::from_le_bytes(last), is_called: called == [1] })
}

impl Sequence {
    /// Enters a new sequence; it is gone again if `txn` rolls back.
    pub fn create(&self, txn: &mut Transaction) -> Result<()> {
        let system = txn.system().clone();
        let state = SequenceState { last_value: self.start, is_called: false };
        if let Some(lsn) = system.sequences().write(&system, self.id, state)? {
            txn.add_end_dependency(lsn);
        }
        system.sequences().cached.write().remove(&self.id);
        let id = self.id;
        txn.on_rollback(Box::new(move || {
            if let Err(error) = system.sequences().remove(&system, id) {
                tracing::warn!(%error, id, "a sequence that was not created could not be removed");
            }
        }));
        Ok(())
    }

    /// Takes a dropped sequence out; call it once the drop has committed.
    pub fn drop(&self, system: &TxnSystem) -> Result<()> {
        system.sequences().remove(system, self.id)
    }

    /// The next `count` values. `2200H` when a limit is reached; then none is taken.
    pub fn next(&self, txn: &mut Transaction, count: u32) -> Result<Vec<i64>> {
        let system = txn.system().clone();
        let cached = system.sequences().cached(&system, self.id)?;
        let mut cached = cached.lock();
        let mut values = Vec::with_capacity(count as usize);
        let mut state = cached.state;
        for _ in 0..count {
            state = SequenceState { last_value: self.after(state)?, is_called: true };
            values.push(state.last_value);
        }
        if cached.ahead < count {
            let mut written = state;
            let mut ahead = 0;
            while ahead < AHEAD_COUNT {
                let Ok(next) = self.after(written) else { break };
                written.last_value = next;
                ahead += 1;
            }
            if let Some(lsn) = system.sequences().write(&system, self.id, written)? {
                txn.add_end_dependency(lsn);
            }
            cached.ahead = ahead;
        } else {
            cached.ahead -= count;
        }
        cached.state = state;
        Ok(values)
    }

    /// `setval`: the next value is `value`, or the one after it if it counts as called. The caller has checked the limits.
    pub fn set(&self, txn: &mut Transaction, value: i64, is_called: bool) -> Result<()> {
        let system = txn.system().clone();
        let cached = system.sequences().cached(&system, self.id)?;
        let mut cached = cached.lock();
        let state = SequenceState { last_value: value, is_called };
        if let Some(lsn) = system.sequences().write(&system, self.id, state)? {
            txn.add_end_dependency(lsn);
        }
        *cached = Cached { state, ahead: 0 };
        Ok(())
    }

    /// Where the sequence stands now.
    pub fn state(&self, system: &TxnSystem) -> Result<SequenceState> {
        Ok(system.sequences().cached(system, self.id)?.lock().state)
    }

    fn after(&self, state: SequenceState) -> Result<i64> {
        if !state.is_called {
            return Ok(state.last_value);
        }
        let next = state.last_value.checked_add(self.increment);
        match next.filter(|next| (self.min..=self.max).contains(next)) {
            Some(next) => Ok(next),
            None if self.cycle => Ok(if self.increment > 0 { self.min } else { self.max }),
            None => Err(self.exhausted()),
        }
    }

    fn exhausted(&self) -> TxnError {
        let (what, limit) = if self.increment > 0 { ("maximum", self.max) } else { ("minimum", self.min) };
        let message = format!("nextval: reached {what} value of sequence ({limit})");
        SqlError::new(SEQUENCE_GENERATOR_LIMIT_EXCEEDED, message).into()
    }
}
