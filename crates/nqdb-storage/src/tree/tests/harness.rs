//! A tree on a simulated disk, and the operations that tests make of `edit`.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::disk::SimDisk;
use crate::engine::Engine;
use crate::ids::TreeId;
use crate::options::Options;
use crate::tree::{Direction, EditNeed, KeyRange, RunEntry, Scan, Tree};

pub(super) const TREE: TreeId = TreeId(7);

/// Enough frames for the whole tree, and threads of its own: pages come and go in the crash tests.
pub(super) fn engine() -> Arc<Engine> {
    let options = Options { frames: 8192, log_segment_bytes: 1 << 20, ..Options::default() };
    Engine::create(Arc::new(SimDisk::new()), options).unwrap()
}

pub(super) fn tree() -> Tree {
    Tree::create(&engine(), TREE, 0, |_| Vec::new()).unwrap()
}

/// A reproducible stream of numbers (xorshift).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.next() >> 11) as usize % end
    }
}

/// Stores the value under the key, whether it was there or not.
pub(super) fn put(tree: &Tree, key: &[u8], value: &[u8], marked: bool) {
    let need = EditNeed { value_bytes_max: value.len(), log_bytes: 0 };
    tree.edit(key, need, None, |edit| match edit.entry() {
        None => edit.insert(value, marked, 5),
        Some(_) => edit.replace(value, marked, 5),
    })
    .unwrap();
}

/// Takes the key out; false when it was not there.
pub(super) fn remove(tree: &Tree, key: &[u8]) -> bool {
    let removal = tree.edit(key, EditNeed::default(), None, |edit| {
        let found = edit.entry().is_some();
        if found {
            edit.remove();
        }
        found
    });
    removal.unwrap().0
}

/// Enters ascending keys that are not there, a leaf at a time; the number of leaves.
pub(super) fn put_run(tree: &Tree, entries: &[(Vec<u8>, Vec<u8>)]) -> usize {
    let run: Vec<RunEntry<'_>> =
        entries.iter().map(|(key, value)| RunEntry { key, value_bytes: value.len() }).collect();
    let (mut done, mut leaves) = (0, 0);
    while done < run.len() {
        let (count, ()) = tree
            .insert_run(&run[done..], 0, |edit| {
                for (_, value) in &entries[done..done + edit.len()] {
                    edit.insert(value, 5);
                }
            })
            .unwrap();
        done += count;
        leaves += 1;
    }
    leaves
}

/// Takes `count` keys, those from `low` to `high`, out; the number of entries that were there.
pub(super) fn remove_range(tree: &Tree, low: &[u8], high: &[u8], count: usize) -> usize {
    let (mut low, mut removed, mut ends) = (low.to_vec(), 0, 0);
    loop {
        let range = KeyRange { low: &low, high, count_max: count - removed };
        let step = tree.remove_range(range, 0, None, &mut |_| ends += 1).unwrap();
        removed += step.count;
        match step.rest {
            Some(rest) => low = rest,
            None => {
                assert_eq!(ends, 1, "the end is said once");
                return removed;
            }
        }
    }
}

pub(super) fn get(tree: &Tree, key: &[u8]) -> Option<(Vec<u8>, bool)> {
    tree.get(key, |entry, _| entry.map(|entry| (entry.value.to_vec(), entry.marked))).unwrap()
}

/// All that the rest of a scan visits, breaking off after every `step` entries.
pub(super) fn collect(mut scan: Scan, step: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut all = Vec::new();
    loop {
        let mut left = step;
        let more = scan.next_leaf(&mut |key, entry, _| {
            all.push((key.to_vec(), entry.value.to_vec()));
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if !more.unwrap() {
            return all;
        }
    }
}

pub(super) fn all(tree: &Tree, direction: Direction) -> Vec<(Vec<u8>, Vec<u8>)> {
    use std::ops::Bound::Unbounded;
    collect(tree.scan(Unbounded, Unbounded, direction), usize::MAX)
}
