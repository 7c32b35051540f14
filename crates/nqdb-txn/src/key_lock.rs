//! Short locks that make two steps one: a unique check with its insert, and a change of a row's keys against purge.
//!
//! A fixed array of mutexes, chosen by hash. Held for microseconds, never while anybody waits for a transaction; a set
//! is always taken in ascending order, so that two callers cannot block each other.

use parking_lot::{Mutex, MutexGuard};
use std::hash::{BuildHasher, Hasher};

const SLOT_COUNT: usize = 512;

/// The array of locks.
pub(crate) struct KeyLocks {
    slots: Vec<Mutex<()>>,
    hasher: foldhash::fast::FixedState,
}

/// Locks that are held until this is dropped.
pub(crate) struct KeyGuard<'a> {
    _held: Vec<MutexGuard<'a, ()>>,
}

impl KeyLocks {
    pub(crate) fn new() -> KeyLocks {
        KeyLocks {
            slots: (0..SLOT_COUNT).map(|_| Mutex::new(())).collect(),
            hasher: foldhash::fast::FixedState::with_seed(0x6b65_796c),
        }
    }

    /// The slot of a key in a space (a tree's or a table's number).
    pub(crate) fn slot(&self, space: u64, key: &[u8]) -> usize {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u64(space);
        hasher.write(key);
        (hasher.finish() % SLOT_COUNT as u64) as usize
    }

    /// Takes all of `slots`, which it sorts.
    pub(crate) fn lock(&self, slots: &mut Vec<usize>) -> KeyGuard<'_> {
        slots.sort_unstable();
        slots.dedup();
        KeyGuard { _held: slots.iter().map(|slot| self.slots[*slot].lock()).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_for_each_key_and_no_two_callers_block_each_other() {
        let locks = KeyLocks::new();
        let counter = Mutex::new((0_u64, false));
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let (locks, counter) = (&locks, &counter);
                scope.spawn(move || {
                    for round in 0..500_u64 {
                        let mut slots: Vec<usize> =
                            (0..5).map(|n| locks.slot(1, &(round * thread + n).to_le_bytes())).collect();
                        slots.push(locks.slot(7, b"same"));
                        slots.push(locks.slot(7, b"same"));
                        let guard = locks.lock(&mut slots);
                        assert!(!std::mem::replace(&mut counter.lock().1, true), "two holders of one key");
                        std::thread::yield_now();
                        let mut state = counter.lock();
                        *state = (state.0 + 1, false);
                        drop(state);
                        drop(guard);
                    }
                });
            }
        });
        assert_eq!(counter.lock().0, 2000);
    }
}
