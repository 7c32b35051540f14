//! The table of reads and its bounds.

use super::reads::{Extent, Predicate, RANGES_OF_A_TABLE_MAX, Reads};
use super::{Csn, SerialId};
use nqdb_storage::TreeId;
use nqdb_storage::tree::Direction;
use std::collections::BTreeSet;
use std::ops::Bound;

const TABLE: u32 = 20_000;
const TREE: TreeId = TreeId(100);

fn range(lower: &[u8], upper: &[u8]) -> Predicate {
    let (lower, upper) = (Bound::Included(lower.to_vec()), Bound::Excluded(upper.to_vec()));
    Predicate::Range { tree: TREE, relation: 20_001, lower, upper }
}

fn readers_of(reads: &Reads, key: &[u8]) -> Vec<u64> {
    let readers = reads.readers(TABLE, &|range| range.tree == TREE && range.contains(key));
    readers.into_iter().map(|reader| reader.0).collect()
}

#[test]
fn a_range_holds_its_keys_whether_they_are_there_or_not() {
    let mut reads = Reads::default();
    let mark = reads.add(SerialId(1), TABLE, range(b"b", b"d")).expect("a range of its own");
    reads.close(SerialId(1), TABLE, mark, Extent::All);
    assert_eq!(readers_of(&reads, b"a"), Vec::<u64>::new());
    assert_eq!(readers_of(&reads, b"b"), vec![1]);
    assert_eq!(readers_of(&reads, b"cz"), vec![1]);
    assert_eq!(readers_of(&reads, b"d"), Vec::<u64>::new());
    assert!(reads.add(SerialId(1), TABLE, range(b"c", b"d")).is_none(), "it is covered");
    assert_eq!(reads.counts(), (1, 1));
    reads.forget(SerialId(1), &BTreeSet::from([TABLE]));
    assert_eq!(reads.counts(), (0, 0));
}

#[test]
fn a_scan_that_ends_early_has_read_up_to_where_it_came() {
    let mut reads = Reads::default();
    for (reader, direction) in [(1, Direction::Forward), (2, Direction::Backward)] {
        let mark = reads.add(SerialId(reader), TABLE, range(b"b", b"x")).expect("a range of its own");
        reads.close(SerialId(reader), TABLE, mark, Extent::UpTo(b"m".to_vec(), direction));
    }
    assert_eq!(readers_of(&reads, b"c"), vec![1]);
    assert_eq!(readers_of(&reads, b"m"), vec![1, 2]);
    assert_eq!(readers_of(&reads, b"n"), vec![2]);
}

#[test]
fn two_scans_of_a_range_do_not_cut_each_other() {
    let mut reads = Reads::default();
    let first = reads.add(SerialId(1), TABLE, range(b"b", b"x")).expect("a range");
    let second = reads.add(SerialId(1), TABLE, range(b"b", b"x")).expect("another range");
    reads.close(SerialId(1), TABLE, first, Extent::All);
    reads.close(SerialId(1), TABLE, second, Extent::UpTo(b"c".to_vec(), Direction::Forward));
    assert_eq!(readers_of(&reads, b"w"), vec![1]);
    assert_eq!(reads.counts(), (1, 1));
}

#[test]
fn too_many_ranges_are_the_whole_table() {
    let mut reads = Reads::default();
    for number in 0..RANGES_OF_A_TABLE_MAX as u8 {
        assert!(reads.add(SerialId(1), TABLE, range(&[number], &[number, 1])).is_some());
    }
    assert_eq!(readers_of(&reads, &[200]), Vec::<u64>::new());
    assert!(reads.add(SerialId(1), TABLE, range(&[100], &[101])).is_none());
    assert_eq!(readers_of(&reads, &[200]), vec![1]);
    assert_eq!(reads.counts(), (1, 0));
}

#[test]
fn long_bounds_are_cut_to_a_wider_range() {
    let mut reads = Reads::default();
    let long = |last: u8| [vec![5; 1000], vec![last]].concat();
    let mark = reads.add(SerialId(1), TABLE, range(&long(3), &long(4))).expect("a range");
    reads.close(SerialId(1), TABLE, mark, Extent::All);
    assert_eq!(readers_of(&reads, &long(3)), vec![1]);
    assert_eq!(readers_of(&reads, &long(200)), vec![1], "wider than it was");
    assert_eq!(readers_of(&reads, &[6]), Vec::<u64>::new());
}

#[test]
fn a_summary_counts_by_the_table_until_everybody_sees_the_commit() {
    let mut reads = Reads::default();
    let tables = BTreeSet::from([TABLE]);
    reads.add(SerialId(1), TABLE, range(b"b", b"d"));
    reads.summarise(&tables, Csn(7));
    reads.forget(SerialId(1), &tables);
    assert_eq!((reads.summarised(TABLE), reads.counts()), (Some(Csn(7)), (1, 0)));
    reads.forget_summaries(Csn(6));
    assert_eq!(reads.summarised(TABLE), Some(Csn(7)));
    reads.forget_summaries(Csn(7));
    assert_eq!((reads.summarised(TABLE), reads.counts()), (None, (0, 0)));
}
