//! Random operations on a tree and on a `BTreeMap`: every answer and every scan is the same.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use super::harness::{Random, all, collect, get, put, put_run, remove, remove_range, tree};
use crate::error::StorageError;
use crate::tree::{Direction, ENTRY_LEN_MAX, EditNeed, KEY_LEN_MAX, Tree};

type Model = BTreeMap<Vec<u8>, (Vec<u8>, bool)>;

/// How the keys of a run look.
#[derive(Clone, Copy, Debug)]
enum Keys {
    RowIds,
    SharedPrefixes,
    /// Up to the longest key, many of them alike for hundreds of bytes.
    Long,
    /// One to three bytes of a small alphabet with zeros, where one key is often the start of another.
    Tiny,
}

impl Keys {
    fn draw(self, random: &mut Random) -> Vec<u8> {
        match self {
            Keys::RowIds => (random.below(5000) as u64).to_be_bytes().to_vec(),
            Keys::SharedPrefixes => {
                let group = random.below(20);
                format!("tenant/{group:04}/customer/{:06}", random.below(400)).into_bytes()
            }
            Keys::Long => {
                let mut key = vec![b'a' + random.below(3) as u8; random.below(KEY_LEN_MAX - 3)];
                key.extend_from_slice(&[random.below(4) as u8, random.below(256) as u8]);
                key
            }
            Keys::Tiny => (0..random.below(4)).map(|_| [0, 1, b'a', 255][random.below(4)]).collect(),
        }
    }

    fn value_len_max(self) -> usize {
        match self {
            Keys::RowIds => 300,
            Keys::SharedPrefixes => 40,
            Keys::Long => 20,
            Keys::Tiny => 3000,
        }
    }
}

fn check(tree: &Tree, model: &Model) {
    let mut seen = Vec::new();
    let report =
        tree.verify(&mut |key, entry| seen.push((key.to_vec(), (entry.value.to_vec(), entry.marked)))).unwrap();
    assert!(seen.iter().map(|(key, value)| (key, value)).eq(model.iter()), "verify visits what the model holds");
    assert_eq!(report.entries as usize, model.len());
    assert_eq!(report.marked as usize, model.values().filter(|(_, marked)| *marked).count());
    let expected: Vec<_> = model.iter().map(|(key, (value, _))| (key.clone(), value.clone())).collect();
    assert_eq!(all(tree, Direction::Forward), expected);
    assert!(all(tree, Direction::Backward).into_iter().rev().eq(expected));
    assert_eq!(tree.first_key().unwrap().as_ref(), model.keys().next());
    assert_eq!(tree.last_key().unwrap().as_ref(), model.keys().next_back());
}

fn check_ranges(tree: &Tree, model: &Model, keys: Keys, random: &mut Random) {
    for _ in 0..40 {
        let bound = |random: &mut Random| match random.below(5) {
            0 => Bound::Unbounded,
            1 | 2 => Bound::Included(keys.draw(random)),
            _ => Bound::Excluded(keys.draw(random)),
        };
        let (lower, upper) = (bound(random), bound(random));
        let in_range = |key: &Vec<u8>| {
            (match &lower {
                Bound::Unbounded => true,
                Bound::Included(lower) => key >= lower,
                Bound::Excluded(lower) => key > lower,
            }) && (match &upper {
                Bound::Unbounded => true,
                Bound::Included(upper) => key <= upper,
                Bound::Excluded(upper) => key < upper,
            })
        };
        let expected: Vec<_> = model
            .iter()
            .filter(|(key, _)| in_range(key))
            .map(|(key, (value, _))| (key.clone(), value.clone()))
            .collect();
        let scan =
            |direction| tree.scan(lower.as_ref().map(Vec::as_slice), upper.as_ref().map(Vec::as_slice), direction);
        let step = 1 + random.below(30);
        assert_eq!(collect(scan(Direction::Forward), step), expected, "{lower:?} to {upper:?}");
        let mut backward = collect(scan(Direction::Backward), step);
        backward.reverse();
        assert_eq!(backward, expected, "{lower:?} to {upper:?}, backward");
    }
}

/// Enters a run of new keys, or takes out all keys between two.
fn step_with_run(tree: &Tree, model: &mut Model, keys: Keys, removes: bool, random: &mut Random) {
    if removes {
        let (a, b) = (keys.draw(random), keys.draw(random));
        let (low, high) = if a <= b { (a, b) } else { (b, a) };
        let inside: Vec<Vec<u8>> =
            model.range(low.clone()..=high.clone()).map(|(key, _)| key.clone()).take(200).collect();
        let high = if inside.len() == 200 { inside[199].clone() } else { high };
        assert_eq!(remove_range(tree, &low, &high, inside.len()), inside.len());
        for key in inside {
            model.remove(&key);
        }
        return;
    }
    let mut run = Model::new();
    for _ in 0..random.below(100) {
        let value = vec![random.next() as u8; random.below(keys.value_len_max() + 1)];
        run.insert(keys.draw(random), (value, false));
    }
    run.retain(|key, _| !model.contains_key(key));
    let entries: Vec<_> = run.iter().map(|(key, (value, _))| (key.clone(), value.clone())).collect();
    put_run(tree, &entries);
    model.extend(run);
}

fn run(keys: Keys, seed: u64, operations: usize) {
    let mut random = Random::new(seed);
    let (tree, mut model) = (tree(), Model::new());
    for phase in 0..6 {
        // Phases that grow, shrink, and empty the tree.
        let removals_of_10 = [2, 5, 8, 3, 8, 10][phase];
        for _ in 0..operations {
            if random.below(200) == 0 {
                let removes = random.below(10) < removals_of_10;
                step_with_run(&tree, &mut model, keys, removes, &mut random);
            }
            let key = keys.draw(&mut random);
            assert_eq!(get(&tree, &key), model.get(&key).cloned());
            if random.below(10) < removals_of_10 {
                assert_eq!(remove(&tree, &key), model.remove(&key).is_some());
            } else {
                let value = vec![random.next() as u8; random.below(keys.value_len_max() + 1)];
                let marked = random.below(8) == 0;
                put(&tree, &key, &value, marked);
                model.insert(key, (value, marked));
            }
        }
        check(&tree, &model);
        check_ranges(&tree, &model, keys, &mut random);
    }
    for key in std::mem::take(&mut model).into_keys() {
        assert!(remove(&tree, &key));
    }
    check(&tree, &model);
    let leaf_pages = tree.verify(&mut |_, _| ()).unwrap().leaf_pages;
    assert!(leaf_pages <= 3, "an empty tree keeps {leaf_pages} leaves");
}

#[test]
fn a_tree_of_row_ids_answers_as_a_map_does() {
    run(Keys::RowIds, 1, 4000);
}

#[test]
fn a_tree_of_keys_with_shared_prefixes_answers_as_a_map_does() {
    run(Keys::SharedPrefixes, 2, 6000);
}

#[test]
fn a_tree_of_the_longest_keys_answers_as_a_map_does() {
    run(Keys::Long, 3, 1500);
    run(Keys::Long, 4, 1500);
}

#[test]
fn a_tree_of_keys_that_start_one_another_answers_as_a_map_does() {
    run(Keys::Tiny, 5, 1000);
}

#[test]
fn ascending_inserts_leave_full_leaves() {
    let tree = tree();
    for id in 0..20_000_u64 {
        put(&tree, &id.to_be_bytes(), &[7; 24], false);
    }
    let report = tree.verify(&mut |_, _| ()).unwrap();
    assert_eq!(report.entries, 20_000);
    // 42 bytes each while the page's end is open; the prefix is cut once it is closed.
    assert!(report.leaf_pages <= 20_000 / (8136 / 42) + 1, "{} leaves", report.leaf_pages);
}

#[test]
fn descending_inserts_leave_full_leaves() {
    let tree = tree();
    for id in (0..20_000_u64).rev() {
        put(&tree, &id.to_be_bytes(), &[7; 24], false);
    }
    let report = tree.verify(&mut |_, _| ()).unwrap();
    assert!(report.leaf_pages <= 20_000 / (8136 / 42) + 1, "{} leaves", report.leaf_pages);
}

#[test]
fn keys_and_entries_at_the_limit_are_taken_and_longer_ones_refused() {
    let tree = tree();
    for first in 0..40 {
        put(&tree, &[&[first][..], &[0xff; KEY_LEN_MAX - 1]].concat(), &[1; 8], false);
    }
    assert_eq!(tree.verify(&mut |_, _| ()).unwrap().entries, 40);
    let refused = tree.edit(&[1; KEY_LEN_MAX + 1], EditNeed::default(), None, |_| ());
    assert!(matches!(refused, Err(StorageError::KeyTooLong { len: 2001, max: KEY_LEN_MAX })));

    let rows = self::tree();
    for id in 0..100_u64 {
        put(&rows, &(id * 7919 % 100).to_be_bytes(), &[id as u8; ENTRY_LEN_MAX - 8], false);
    }
    assert_eq!(rows.verify(&mut |_, _| ()).unwrap().entries, 100);
    let too_long = EditNeed { value_bytes_max: ENTRY_LEN_MAX - 7, log_bytes: 0 };
    let refused = rows.edit(&[0; 8], too_long, None, |_| ());
    assert!(matches!(refused, Err(StorageError::EntryTooLarge { .. })));
}

#[test]
fn a_run_of_lookups_finds_what_single_ones_find() {
    let tree = tree();
    for id in (0..4_000_u64).filter(|id| id % 7 != 0) {
        put(&tree, &id.to_be_bytes(), &[id as u8; 40], id % 5 == 0);
    }
    let ascending: Vec<u64> = (3_000..3_200).collect();
    let descending: Vec<u64> = (3_000..3_200).rev().collect();
    let scattered: Vec<u64> = (0..200).map(|n| n * 7_919 % 5_000).collect();
    for ids in [ascending, descending, scattered] {
        let keys: Vec<[u8; 8]> = ids.iter().map(|id| id.to_be_bytes()).collect();
        let (mut found, mut runs) = (Vec::new(), 0);
        while found.len() < keys.len() {
            let keys = keys[found.len()..].iter().map(|key| &key[..]);
            let before = found.len();
            let count = tree.get_run(keys, |entry, _| {
                found.push(entry.map(|entry| (entry.value.to_vec(), entry.marked)));
                // Every other run is ended early.
                if runs % 2 == 0 && found.len() == before + 3 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            assert_eq!(count.unwrap(), found.len() - before);
            runs += 1;
        }
        let single = |key: &[u8; 8]| tree.get(key, |entry, _| entry.map(|entry| (entry.value.to_vec(), entry.marked)));
        let expected: Vec<_> = keys.iter().map(|key| single(key).unwrap()).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn an_edit_that_changes_nothing_writes_no_log() {
    let tree = tree();
    let (found, lsn) = tree.edit(b"key", EditNeed::default(), None, |edit| edit.entry().is_some()).unwrap();
    assert_eq!((found, lsn), (false, None));
}

#[test]
fn a_leaf_tells_its_newest_writer_and_its_marks() {
    let tree = tree();
    let need = EditNeed { value_bytes_max: 1, log_bytes: 0 };
    tree.edit(b"a", need, None, |edit| edit.insert(b"1", false, 90)).unwrap();
    tree.edit(b"b", need, None, |edit| edit.insert(b"2", true, 80)).unwrap();
    let info = tree.get(b"zzz", |entry, info| (entry.is_none(), info.newest_xid, info.marks)).unwrap();
    assert_eq!(info, (true, 90, 1));
    tree.edit(b"b", need, None, |edit| edit.set_mark(false, 95)).unwrap();
    assert_eq!(tree.get(b"b", |_, info| (info.newest_xid, info.marks)).unwrap(), (95, 0));
}

#[test]
fn marked_leaves_shows_exactly_the_marked_entries() {
    let tree = tree();
    for id in 0..5000_u64 {
        put(&tree, &id.to_be_bytes(), &[0; 50], (1000..1003).contains(&id) || id == 4500);
    }
    let mut marked = Vec::new();
    let mut leaves = tree.marked_leaves(Some(&1000_u64.to_be_bytes()));
    while leaves.next_leaf(&mut |key, entry| marked.push((key.to_vec(), entry.marked))).unwrap() {}
    let expected = [1001_u64, 1002, 4500].map(|id| (id.to_be_bytes().to_vec(), true));
    assert_eq!(marked, expected);
}

#[test]
fn a_scan_neither_loses_nor_repeats_what_stands_while_the_tree_changes_around_it() {
    let tree = tree();
    let key = |id: u64| id.to_be_bytes();
    for id in (0..6000).step_by(2) {
        put(&tree, &key(id), &[1; 100], false);
    }
    for direction in [Direction::Forward, Direction::Backward] {
        let mut scan = tree.scan(Bound::Unbounded, Bound::Unbounded, direction);
        let (mut seen, mut random) = (Vec::new(), Random::new(9));
        loop {
            let mut left = 37;
            let more = scan.next_leaf(&mut |key, _, _| {
                seen.push(u64::from_be_bytes(key.try_into().unwrap()));
                left -= 1;
                if left == 0 { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
            });
            for _ in 0..60 {
                let odd = 2 * random.below(3000) as u64 + 1;
                if random.below(2) == 0 {
                    put(&tree, &key(odd), &[2; 300], false)
                } else {
                    remove(&tree, &key(odd));
                }
            }
            if !more.unwrap() {
                break;
            }
        }
        seen.retain(|id| id % 2 == 0);
        if direction == Direction::Backward {
            seen.reverse();
        }
        assert!(seen.into_iter().eq((0..6000).step_by(2)));
    }
}

#[test]
fn a_destroyed_tree_gives_all_pages_back_in_small_steps() {
    let tree = tree();
    for id in 0..3000_u64 {
        put(&tree, &(id * 7919 % 3000).to_be_bytes(), &[3; 200], false);
    }
    let mut steps = 0;
    while !tree.destroy_step(10).unwrap() {
        steps += 1;
        assert!(tree.verify(&mut |_, _| ()).unwrap().is_destroying);
        assert!(steps < 100);
    }
    assert!(steps > 5, "{steps}");
    assert!(tree.destroy_step(10).unwrap(), "a destroyed tree stays destroyed");
    assert!(tree.get(b"key", |_, _| ()).is_err());
}

#[test]
fn an_ascending_run_fills_its_leaves() {
    let tree = tree();
    let entries: Vec<_> = (0..2000_u64).map(|n| (n.to_be_bytes().to_vec(), vec![7; 50])).collect();
    let leaves = put_run(&tree, &entries);
    let report = tree.verify(&mut |_, _| ()).unwrap();
    assert_eq!(report.entries, 2000);
    assert_eq!(report.leaf_pages as usize, leaves, "one latch for each leaf");
    assert!(leaves <= 2000 * 70 / 8000 + 2, "{leaves} leaves for 2,000 entries of 68 bytes");
}
