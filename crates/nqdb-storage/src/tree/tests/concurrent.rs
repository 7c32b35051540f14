//! Many threads on one tree.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::atomic::{AtomicBool, Ordering};

use super::harness::{Random, all, get, put, remove, tree};
use crate::tree::Direction;

const THREADS: u64 = 4;

fn key(id: u64) -> [u8; 8] {
    id.to_be_bytes()
}

/// Each thread owns the keys that leave its number as remainder, so it knows what it must find; all keys of all threads
/// lie in the same leaves.
#[test]
fn threads_that_insert_and_remove_side_by_side_each_find_their_own() {
    let tree = tree();
    let models: Vec<BTreeMap<u64, Vec<u8>>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let tree = &tree;
                scope.spawn(move || {
                    let (mut random, mut model) = (Random::new(thread + 1), BTreeMap::new());
                    for round in 0..30_000_u64 {
                        let id = random.below(3000) as u64 * THREADS + thread;
                        assert_eq!(get(tree, &key(id)).map(|(value, _)| value), model.get(&id).cloned());
                        // Waves of growth and decline, so that pages split and merge all the time.
                        if random.below(10) < if round / 5000 % 2 == 0 { 8 } else { 2 } {
                            let value = vec![thread as u8; random.below(200)];
                            put(tree, &key(id), &value, false);
                            model.insert(id, value);
                        } else {
                            assert_eq!(remove(tree, &key(id)), model.remove(&id).is_some());
                        }
                    }
                    model
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let mut expected: Vec<_> = models.into_iter().flatten().map(|(id, value)| (key(id).to_vec(), value)).collect();
    expected.sort();
    tree.verify(&mut |_, _| ()).unwrap();
    assert_eq!(all(&tree, Direction::Forward), expected);
}

#[test]
fn scans_see_every_key_that_stands_while_writers_split_and_merge() {
    let tree = tree();
    for id in (0..8000).step_by(4) {
        put(&tree, &key(id), &[0; 40], false);
    }
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 1..3 {
            let (tree, is_over) = (&tree, &is_over);
            scope.spawn(move || {
                let mut random = Random::new(thread);
                while !is_over.load(Ordering::Relaxed) {
                    let start = random.below(1800) as u64;
                    for id in start..start + 200 {
                        put(tree, &key(id * 4 + thread), &[1; 150], false);
                    }
                    for id in start..start + 200 {
                        remove(tree, &key(id * 4 + thread));
                    }
                }
            });
        }
        for round in 0..30 {
            let direction = if round % 2 == 0 { Direction::Forward } else { Direction::Backward };
            let mut scan = tree.scan(Bound::Unbounded, Bound::Unbounded, direction);
            let mut seen = Vec::new();
            while scan
                .next_leaf(&mut |key, _, _| {
                    seen.push(u64::from_be_bytes(key.try_into().unwrap()));
                    ControlFlow::Continue(())
                })
                .unwrap()
            {}
            if direction == Direction::Backward {
                seen.reverse();
            }
            assert!(seen.is_sorted_by(|a, b| a < b), "keys come in order, each once");
            seen.retain(|id| id % 4 == 0);
            assert!(seen.into_iter().eq((0..8000).step_by(4)));
        }
        is_over.store(true, Ordering::Relaxed);
    });
    tree.verify(&mut |_, _| ()).unwrap();
}

/// Every thread appends at the right edge, where all of them meet.
#[test]
fn threads_that_append_at_the_same_edge_lose_nothing() {
    let tree = tree();
    let next = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let id = next.fetch_add(1, Ordering::Relaxed);
                    if id >= 40_000 {
                        break;
                    }
                    put(&tree, &key(id), &id.to_le_bytes(), false);
                }
            });
        }
    });
    let report = tree.verify(&mut |_, _| ()).unwrap();
    assert_eq!(report.entries, 40_000);
}
