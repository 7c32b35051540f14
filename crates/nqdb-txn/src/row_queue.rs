//! First come, first served, where several transactions wait for one row.
//!
//! Who finds a row taken queues up for it. The first in the queue waits for those who have the row, the others wait for the
//! first to leave, so that one is woken at a time and the row goes from hand to hand in order: what PostgreSQL does with its lock
//! on a tuple. Who comes anew while the row is free takes it, queue or not, as there.
//!
//! What always holds:
//!
//! 1. A transaction has one place at most, in one queue. It keeps the place from call to call while it wants the same row, also
//!    when it learns that the row has changed and reads it again; it leaves when it has got the row, or given it up, or has to
//!    wait for something else, and before its next statement at the latest.
//! 2. Whoever becomes the first is woken, once, after that.
//! 3. Rows that nobody waits for cost nothing here.

use crate::ids::{OwnerId, RowId};
use crate::row_lock::RowLock;
use crate::wait::Running;
use event_listener::{Event, EventListener};
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

/// A row that is waited for, and what for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct WantedRow {
    pub(crate) table: u32,
    pub(crate) row: RowId,
    pub(crate) mode: RowLock,
}

/// What a queue is for: a table's row.
type Key = (u32, RowId);

/// A wait for those who came before.
pub struct TurnWait {
    pub(crate) wanted: WantedRow,
    pub(crate) ahead: Vec<Arc<Running>>,
    pub(crate) is_first: EventListener,
}

struct Place {
    owner: Arc<Running>,
    is_first: Event,
}

#[derive(Default)]
struct Queues {
    queues: HashMap<Key, VecDeque<Place>>,
    places: HashMap<OwnerId, Key>,
}

/// All queues for rows.
#[derive(Default)]
pub(crate) struct RowQueues {
    state: Mutex<Queues>,
}

impl WantedRow {
    fn key(&self) -> Key {
        (self.table, self.row)
    }
}

impl fmt::Display for WantedRow {
    /// As PostgreSQL names the lock: the row by its ctid.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            RowLock::KeyShare => "AccessShareLock",
            RowLock::Share => "RowShareLock",
            RowLock::NoKeyUpdate => "ExclusiveLock",
            RowLock::Update => "AccessExclusiveLock",
        };
        write!(f, "{mode} on row {} of relation {}", self.row, self.table)
    }
}

impl fmt::Debug for TurnWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} behind {} others", self.wanted, self.ahead.len())
    }
}

impl RowQueues {
    /// Takes a place, or keeps the one there is. `None`: it is the first.
    pub(crate) fn join(&self, owner: &Arc<Running>, wanted: WantedRow) -> Option<TurnWait> {
        let mut state = self.state.lock();
        let key = wanted.key();
        let before = state.places.insert(owner.owner, key);
        if before != Some(key) {
            let place = Place { owner: owner.clone(), is_first: Event::new() };
            state.queues.entry(key).or_default().push_back(place);
        }
        if let Some(before) = before.filter(|before| *before != key) {
            state.take_out(owner.owner, before);
        }
        let queue = state.queues.get(&key)?;
        let position = queue.iter().position(|place| place.owner.owner == owner.owner).filter(|at| *at > 0)?;
        let ahead = queue.iter().take(position).map(|place| place.owner.clone()).collect();
        let is_first = queue.get(position)?.is_first.listen();
        Some(TurnWait { wanted, ahead, is_first })
    }

    /// Whether a transaction that queues for a row has others before it, whom it is not to overtake while they wake up.
    pub(crate) fn is_behind_others(&self, owner: &Running, row: (u32, RowId)) -> bool {
        if !owner.may_queue() {
            return false;
        }
        let state = self.state.lock();
        let queues_here = state.places.get(&owner.owner) == Some(&row);
        let first = state.queues.get(&row).and_then(VecDeque::front);
        queues_here && first.is_some_and(|first| first.owner.owner != owner.owner)
    }

    pub(crate) fn leave(&self, owner: OwnerId) {
        let mut state = self.state.lock();
        if let Some(key) = state.places.remove(&owner) {
            state.take_out(owner, key);
        }
    }
}

impl Queues {
    /// Ends a place, and tells who is the first now.
    fn take_out(&mut self, owner: OwnerId, key: Key) {
        let Some(queue) = self.queues.get_mut(&key) else { return };
        let was_first = queue.front().is_some_and(|place| place.owner.owner == owner);
        queue.retain(|place| place.owner.owner != owner);
        match queue.front() {
            None => drop(self.queues.remove(&key)),
            Some(first) if was_first => drop(first.is_first.notify(usize::MAX)),
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use event_listener::Listener;
    use std::time::Duration;

    fn wanted(row: u64) -> WantedRow {
        WantedRow { table: 1, row: RowId(row), mode: RowLock::NoKeyUpdate }
    }

    fn owners() -> Vec<Arc<Running>> {
        (1..=3).map(|n| Arc::new(Running::new(OwnerId(n)))).collect()
    }

    fn ahead(turn: &Option<TurnWait>) -> Vec<u64> {
        turn.iter().flat_map(|turn| &turn.ahead).map(|owner| owner.owner.0).collect()
    }

    #[test]
    fn places_are_in_the_order_of_coming_and_are_kept() {
        let (queues, owners) = (RowQueues::default(), owners());
        assert!(queues.join(&owners[0], wanted(1)).is_none());
        assert_eq!(ahead(&queues.join(&owners[1], wanted(1))), [1]);
        assert_eq!(ahead(&queues.join(&owners[2], wanted(1))), [1, 2]);
        assert!(queues.join(&owners[0], wanted(1)).is_none());
        assert_eq!(ahead(&queues.join(&owners[1], wanted(1))), [1]);
    }

    #[test]
    fn the_next_is_told_when_the_first_leaves_or_goes_to_another_row() {
        let (queues, owners) = (RowQueues::default(), owners());
        queues.join(&owners[0], wanted(1));
        let second = queues.join(&owners[1], wanted(1)).expect("it is behind the first");
        let third = queues.join(&owners[2], wanted(1)).expect("it is behind the second");
        assert!(queues.join(&owners[0], wanted(2)).is_none());
        assert!(second.is_first.wait_timeout(Duration::from_secs(10)).is_some());
        queues.leave(OwnerId(2));
        assert!(third.is_first.wait_timeout(Duration::from_secs(10)).is_some());
        assert_eq!(ahead(&queues.join(&owners[2], wanted(2))), [1]);
        queues.leave(OwnerId(1));
        queues.leave(OwnerId(3));
        assert!(queues.state.lock().queues.is_empty() && queues.state.lock().places.is_empty());
    }

    #[test]
    fn nobody_is_told_when_one_in_the_midst_leaves() {
        let (queues, owners) = (RowQueues::default(), owners());
        queues.join(&owners[0], wanted(1));
        queues.join(&owners[1], wanted(1));
        let third = queues.join(&owners[2], wanted(1)).expect("it is behind the second");
        queues.leave(OwnerId(2));
        assert!(third.is_first.wait_timeout(Duration::from_millis(10)).is_none());
        assert_eq!(ahead(&queues.join(&owners[2], wanted(1))), [1]);
    }
}
