//! SERIALIZABLE: the anomalies that snapshots alone let through, who fails for them, and who does not.

use crate::bed::*;
use nqdb_txn::*;
use nqdb_types::Datum;
use std::ops::{Bound, ControlFlow};
use std::time::Duration;

fn bed_with(rows: &[Row]) -> Bed {
    let bed = Bed::new();
    let mut setup = bed.begin();
    for row in rows {
        bed.insert(&mut setup, row).expect("insert");
    }
    bed.commit(setup);
    bed
}

fn two_rows() -> Bed {
    bed_with(&[row(1, 0, "a"), row(2, 0, "b")])
}

fn serializable(bed: &Bed) -> Transaction {
    bed.start(Isolation::Serializable)
}

fn read_only(bed: &Bed) -> Transaction {
    let mut txn = bed.system.begin(Isolation::Serializable, true);
    txn.begin_statement().expect("a first statement");
    txn
}

/// Reads `a` of one row by its key.
fn value(bed: &Bed, txn: &mut Transaction, id: i64) -> Result<Option<i32>> {
    bed.statement(txn);
    let prefix = bed.table.indexes[0].key_prefix(&[Datum::Int8(id)]);
    let end = IndexStore::prefix_end(&prefix);
    let mut scan = bed.table.index_scan(0, txn.view(), Bound::Included(prefix), end, Direction::Forward);
    let mut found = None;
    while scan.next_batch(&mut |_, _, image| {
        found = row_of(&image).1;
        ControlFlow::Continue(())
    })? {}
    Ok(found)
}

/// Counts rows with `a` from `low` on, below `high`, through the index; `limit` of them at most.
fn count(bed: &Bed, txn: &mut Transaction, low: i32, high: i32, limit: usize) -> Result<usize> {
    bed.statement(txn);
    let key = |a| bed.table.indexes[1].key_prefix(&[Datum::Int4(a)]);
    let (low, high) = (Bound::Included(key(low)), Bound::Excluded(key(high)));
    let mut scan = bed.table.index_scan(1, txn.view(), low, high, Direction::Forward);
    let mut found = 0;
    while scan.next_batch(&mut |_, _, _| {
        found += 1;
        if found == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })? && found < limit
    {}
    Ok(found)
}

fn reason<T: std::fmt::Debug>(result: Result<T>) -> String {
    match result {
        Err(TxnError::Unserializable { reason }) => reason,
        other => panic!("expected a serialization failure, not {other:?}"),
    }
}

fn commits(bed: &Bed, txn: Transaction) -> bool {
    match txn.commit() {
        Ok(commit) => {
            let synced = commit.durable_lsn.map_or(Ok(()), |lsn| bed.system.wait_durable_blocking(lsn));
            synced.expect("synced");
            true
        }
        Err(TxnError::Unserializable { .. }) => false,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn write_skew_fails_for_one_of_the_two() {
    let bed = two_rows();
    let (mut first, mut second) = (serializable(&bed), serializable(&bed));
    assert_eq!((bed.rows(&first.view()).len(), bed.rows(&second.view()).len()), (2, 2));
    bed.update(&mut first, 1, &row(1, -1, "a")).expect("update");
    bed.update(&mut second, 2, &row(2, -1, "b")).expect("update");
    assert!(commits(&bed, first));
    assert_eq!(reason(second.commit()), "identification as a pivot, during commit attempt");
    assert_eq!(bed.committed(), vec![row(1, -1, "a"), row(2, 0, "b")]);
}

#[test]
fn the_error_is_worded_as_in_postgresql() {
    let bed = two_rows();
    let (mut first, mut second) = (serializable(&bed), serializable(&bed));
    value(&bed, &mut first, 1).expect("read");
    value(&bed, &mut second, 2).expect("read");
    bed.update(&mut first, 2, &row(2, 1, "b")).expect("update");
    assert!(commits(&bed, first));
    let error = bed.update(&mut second, 1, &row(1, 1, "a")).expect_err("a pivot");
    let error = nqdb_sqlstate::SqlError::from(error);
    assert_eq!(error.code().to_string(), "40001");
    assert_eq!(error.message(), "could not serialize access due to read/write dependencies among transactions");
    assert_eq!(error.detail(), Some("Reason code: Canceled on identification as a pivot, during write."));
    assert_eq!(error.hint(), Some("The transaction might succeed if retried."));
}

#[test]
fn a_lone_writer_and_those_who_meet_nobody_commit() {
    let bed = two_rows();
    let (mut first, mut second) = (serializable(&bed), serializable(&bed));
    value(&bed, &mut first, 1).expect("read");
    value(&bed, &mut second, 2).expect("read");
    bed.update(&mut first, 1, &row(1, 5, "a")).expect("update");
    bed.update(&mut second, 2, &row(2, 6, "b")).expect("update");
    bed.insert(&mut first, &row(3, 7, "c")).expect("insert");
    bed.insert(&mut second, &row(4, 8, "d")).expect("insert");
    assert!(commits(&bed, first) && commits(&bed, second));
    assert!(bed.system.recorded_reads().is_empty(), "nobody is left who could be concerned");
}

#[test]
fn a_transaction_that_only_reads_can_make_others_fail() {
    for with_reader in [false, true] {
        let bed = two_rows();
        let mut withdraws = serializable(&bed);
        value(&bed, &mut withdraws, 1).expect("read");
        value(&bed, &mut withdraws, 2).expect("read");
        let mut deposits = serializable(&bed);
        value(&bed, &mut deposits, 2).expect("read");
        bed.update(&mut deposits, 2, &row(2, 20, "b")).expect("update");
        assert!(commits(&bed, deposits));
        if with_reader {
            let mut reader = serializable(&bed);
            assert_eq!(value(&bed, &mut reader, 1).expect("read"), Some(0));
            assert_eq!(value(&bed, &mut reader, 2).expect("read"), Some(20));
            assert!(commits(&bed, reader));
        }
        let done = bed.update(&mut withdraws, 1, &row(1, -11, "a")).map(|_| commits(&bed, withdraws));
        assert_eq!(matches!(done, Ok(true)), !with_reader, "{done:?}");
    }
}

#[test]
fn a_report_of_a_closed_batch_stays_true() {
    // Row 0 holds the number of the open batch; the others are receipts of the batch in `a`.
    for with_report in [false, true] {
        let bed = bed_with(&[row(0, 1, "batch"), row(1, 1, "receipt")]);
        let mut receipt = serializable(&bed);
        let batch = value(&bed, &mut receipt, 0).expect("read").expect("there");
        let mut closing = serializable(&bed);
        bed.update(&mut closing, 0, &row(0, 2, "batch")).expect("update");
        assert!(commits(&bed, closing));
        if with_report {
            let mut report = read_only(&bed);
            assert_eq!(value(&bed, &mut report, 0).expect("read"), Some(2));
            assert_eq!(count(&bed, &mut report, 1, 2, 100).expect("read"), 1);
            assert!(commits(&bed, report));
        }
        let done = bed.insert(&mut receipt, &row(2, batch, "receipt")).map(|_| commits(&bed, receipt));
        assert_eq!(matches!(done, Ok(true)), !with_report, "{done:?}");
    }
}

#[test]
fn a_row_that_appears_in_a_range_that_was_read_conflicts() {
    for (low, may_commit) in [(10, false), (1000, true)] {
        let bed = bed_with(&[row(1, 15, "a"), row(2, 16, "b")]);
        let (mut first, mut second) = (serializable(&bed), serializable(&bed));
        assert_eq!(count(&bed, &mut first, low, low + 10, 100).ok(), count(&bed, &mut second, low, low + 10, 100).ok());
        bed.insert(&mut first, &row(3, 12, "c")).expect("insert");
        bed.insert(&mut second, &row(4, 13, "d")).expect("insert");
        assert!(commits(&bed, first));
        assert_eq!(commits(&bed, second), may_commit);
    }
}

#[test]
fn a_row_that_moves_into_or_out_of_a_range_conflicts() {
    for moves_in in [true, false] {
        let (from, to) = if moves_in { (50, 12) } else { (12, 50) };
        let bed = bed_with(&[row(1, from, "a"), row(2, from, "b")]);
        let (mut first, mut second) = (serializable(&bed), serializable(&bed));
        for txn in [&mut first, &mut second] {
            count(&bed, txn, 10, 20, 100).expect("read");
        }
        bed.update(&mut first, 1, &row(1, to, "a")).expect("update");
        bed.update(&mut second, 2, &row(2, to, "b")).expect("update");
        assert!(commits(&bed, first));
        assert!(!commits(&bed, second));
    }
}

#[test]
fn an_absent_key_that_was_looked_for_conflicts_with_its_insert() {
    let bed = two_rows();
    let (mut first, mut second) = (serializable(&bed), serializable(&bed));
    assert_eq!(value(&bed, &mut first, 10).expect("read"), None);
    assert_eq!(value(&bed, &mut second, 11).expect("read"), None);
    bed.insert(&mut first, &row(11, 0, "c")).expect("insert");
    bed.insert(&mut second, &row(10, 0, "d")).expect("insert");
    assert!(commits(&bed, first));
    assert!(!commits(&bed, second));
}

#[test]
fn a_deletion_conflicts_with_whoever_has_read_the_row() {
    let bed = two_rows();
    let (mut first, mut second) = (serializable(&bed), serializable(&bed));
    value(&bed, &mut first, 1).expect("read");
    value(&bed, &mut second, 2).expect("read");
    bed.delete(&mut first, 2).expect("delete");
    bed.delete(&mut second, 1).expect("delete");
    assert!(commits(&bed, first));
    assert!(!commits(&bed, second));
}

#[test]
fn who_writes_over_a_version_that_a_reader_has_missed_comes_after_its_writer() {
    let bed = bed_with(&[row(1, 0, "x"), row(2, 0, "y"), row(3, 0, "z")]);
    let mut first = serializable(&bed);
    value(&bed, &mut first, 1).expect("read");
    let mut second = serializable(&bed);
    bed.update(&mut second, 1, &row(1, 1, "x")).expect("update");
    assert!(commits(&bed, second));
    let mut third = serializable(&bed);
    bed.update(&mut third, 1, &row(1, 2, "x")).expect("update");
    value(&bed, &mut third, 2).expect("read");
    let mut fourth = serializable(&bed);
    bed.update(&mut fourth, 2, &row(2, 1, "y")).expect("update");
    value(&bed, &mut fourth, 3).expect("read");
    assert!(commits(&bed, fourth) && commits(&bed, third));
    assert_eq!(reason(bed.update(&mut first, 3, &row(3, 1, "z"))), "identification as a pivot, during write");
}

#[test]
fn rows_inserted_in_a_batch_conflict_too() {
    let bed = two_rows();
    let (mut first, mut second) = (serializable(&bed), serializable(&bed));
    for txn in [&mut first, &mut second] {
        count(&bed, txn, 10, 20, 100).expect("read");
    }
    for (txn, id) in [(&mut first, 3), (&mut second, 5)] {
        let rows = [datums(&row(id, 11, "x")), datums(&row(id + 1, 12, "y"))];
        bed.table.insert_batch(txn, &rows).expect("inserted").expect("as a batch");
    }
    assert!(commits(&bed, first));
    assert!(!commits(&bed, second));
}

#[test]
fn a_scan_that_ends_early_leaves_the_rest_free() {
    let rows: Vec<Row> = (0..10).map(|id| row(id, id as i32 * 10, "r")).collect();
    let bed = bed_with(&rows);
    let (mut first, mut second) = (serializable(&bed), serializable(&bed));
    for txn in [&mut first, &mut second] {
        assert_eq!(count(&bed, txn, 0, 1000, 3).expect("read"), 3, "up to 20");
    }
    bed.insert(&mut first, &row(20, 35, "x")).expect("insert");
    bed.insert(&mut second, &row(21, 36, "y")).expect("insert");
    assert!(commits(&bed, first) && commits(&bed, second));
    let (mut first, mut second) = (serializable(&bed), serializable(&bed));
    for txn in [&mut first, &mut second] {
        assert_eq!(count(&bed, txn, 0, 1000, 3).expect("read"), 3);
    }
    bed.insert(&mut first, &row(22, 15, "x")).expect("insert");
    bed.insert(&mut second, &row(23, 16, "y")).expect("insert");
    assert!(commits(&bed, first));
    assert!(!commits(&bed, second));
}

#[test]
fn a_duplicate_key_is_a_serialization_failure_for_who_has_read_that_it_is_free() {
    for reads_first in [false, true] {
        let bed = two_rows();
        let (mut first, mut second) = (serializable(&bed), serializable(&bed));
        if reads_first {
            for txn in [&mut first, &mut second] {
                assert_eq!(value(&bed, txn, 42).expect("read"), None);
            }
        }
        bed.insert(&mut first, &row(42, 0, "first")).expect("insert");
        assert!(commits(&bed, first));
        match bed.insert(&mut second, &row(42, 0, "second")) {
            Err(TxnError::UniqueViolation { .. }) if !reads_first => {}
            Err(TxnError::Unserializable { .. }) if reads_first => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_was_read_before_a_savepoint_was_rolled_back_counts_on() {
    let bed = two_rows();
    let (mut first, mut second) = (serializable(&bed), serializable(&bed));
    let mark = second.savepoint();
    value(&bed, &mut second, 1).expect("read");
    second.rollback_to(mark).expect("rolled back");
    value(&bed, &mut first, 2).expect("read");
    bed.update(&mut first, 1, &row(1, 1, "a")).expect("update");
    bed.update(&mut second, 2, &row(2, 1, "b")).expect("update");
    assert!(commits(&bed, first));
    assert!(!commits(&bed, second));
}

#[test]
fn who_rolls_back_hinders_nobody() {
    let bed = two_rows();
    let (mut first, mut second) = (serializable(&bed), serializable(&bed));
    for txn in [&mut first, &mut second] {
        count(&bed, txn, 0, 100, 100).expect("read");
    }
    bed.update(&mut first, 1, &row(1, 1, "a")).expect("update");
    bed.update(&mut second, 2, &row(2, 1, "b")).expect("update");
    first.rollback().expect("rolled back");
    assert!(commits(&bed, second));
}

#[test]
fn other_levels_leave_no_record() {
    let bed = two_rows();
    let mut serial = serializable(&bed);
    value(&bed, &mut serial, 1).expect("read");
    let mut other = bed.start(Isolation::RepeatableRead);
    assert_eq!(bed.rows(&other.view()).len(), 2);
    assert_eq!(bed.system.recorded_reads().len(), 1);
    bed.update(&mut other, 1, &row(1, 1, "a")).expect("update");
    bed.commit(other);
    bed.update(&mut serial, 2, &row(2, 1, "b")).expect("update");
    assert!(commits(&bed, serial));
}

#[test]
fn a_commit_that_is_not_synced_yet_counts_as_concurrent() {
    let bed = two_rows();
    let mut first = serializable(&bed);
    value(&bed, &mut first, 2).expect("read");
    bed.update(&mut first, 1, &row(1, 1, "a")).expect("update");
    let unsynced = first.commit().expect("commit").durable_lsn.expect("written");
    let mut second = serializable(&bed);
    assert_eq!(value(&bed, &mut second, 1).expect("read"), Some(0), "what a crash could take back is not seen");
    let done = bed.update(&mut second, 2, &row(2, 1, "b")).map(|_| commits(&bed, second));
    assert!(!matches!(done, Ok(true)), "{done:?}");
    bed.system.wait_durable_blocking(unsynced).expect("synced");
    let mut third = serializable(&bed);
    assert_eq!(value(&bed, &mut third, 1).expect("read"), Some(1));
    bed.update(&mut third, 2, &row(2, 1, "b")).expect("update");
    assert!(commits(&bed, third));
}

#[test]
fn conflicts_outlive_the_details_of_those_who_had_them() {
    for reads_late in [false, true] {
        let bed = two_rows();
        let mut long = serializable(&bed);
        if !reads_late {
            value(&bed, &mut long, 1).expect("read");
        }
        let mut short = serializable(&bed);
        value(&bed, &mut short, 2).expect("read");
        bed.update(&mut short, 1, &row(1, 1, "a")).expect("update");
        assert!(commits(&bed, short));
        for id in 10..1300 {
            let mut filler = serializable(&bed);
            bed.insert(&mut filler, &row(id, 500, "filler")).expect("insert");
            assert!(commits(&bed, filler));
        }
        if reads_late {
            assert_eq!(value(&bed, &mut long, 1).expect("read"), Some(0));
        }
        let done = bed.update(&mut long, 2, &row(2, 1, "b"));
        assert_eq!(reason(done), "identification as a pivot, during write");
    }
}

#[test]
fn a_safe_snapshot_is_told_at_once_when_nobody_writes() {
    let bed = two_rows();
    let mut reader = read_only(&bed);
    value(&bed, &mut reader, 1).expect("read");
    assert!(bed.system.recorded_reads().is_empty(), "nothing can go wrong, so nothing is recorded");
    let mut writer = serializable(&bed);
    bed.update(&mut writer, 1, &row(1, 1, "a")).expect("update");
    let mut late = read_only(&bed);
    value(&bed, &mut late, 1).expect("read");
    assert_eq!(bed.system.recorded_reads().len(), 1 + usize::from(!bed.system.recorded_reads().is_empty()));
    assert!(commits(&bed, writer));
    value(&bed, &mut late, 2).expect("read");
    assert!(bed.system.recorded_reads().is_empty(), "the writer ended well");
}

#[test]
fn deferrable_waits_until_its_snapshot_is_safe() {
    let bed = two_rows();
    let deferrable = |bed: &Bed| {
        let mut txn = bed.system.begin(Isolation::Serializable, true);
        txn.set_deferrable(true);
        txn
    };
    // Nobody writes.
    assert!(deferrable(&bed).begin_statement().is_ok());
    // Somebody does, and ends well.
    let mut writer = serializable(&bed);
    bed.update(&mut writer, 1, &row(1, 1, "a")).expect("update");
    let mut reader = deferrable(&bed);
    let wait = is_wait(reader.begin_statement());
    assert!(matches!(wait, Wait::SafeSnapshot(_)), "{wait:?}");
    assert!(commits(&bed, writer));
    wait.block(&mut reader, Duration::from_secs(60), Some(Duration::ZERO)).expect("over");
    reader.begin_statement().expect("safe");
    assert_eq!(value(&bed, &mut reader, 1).expect("read"), Some(0), "the snapshot from before the wait");
    drop(reader);
    // Somebody has not seen what committed before the reader came: the first snapshot is not safe, the second one is.
    let mut writer = serializable(&bed);
    value(&bed, &mut writer, 2).expect("read");
    let mut other = serializable(&bed);
    bed.update(&mut other, 2, &row(2, 7, "b")).expect("update");
    assert!(commits(&bed, other));
    let mut reader = deferrable(&bed);
    let wait = is_wait(reader.begin_statement());
    bed.update(&mut writer, 1, &row(1, 9, "a")).expect("update");
    assert!(commits(&bed, writer));
    wait.block(&mut reader, Duration::from_secs(60), None).expect("over");
    bed.statement(&mut reader);
    assert_eq!(value(&bed, &mut reader, 1).expect("read"), Some(9), "a snapshot from behind the wait");
}

#[test]
fn a_deferrable_that_gives_up_is_forgotten() {
    let bed = two_rows();
    let mut writer = serializable(&bed);
    bed.update(&mut writer, 1, &row(1, 1, "a")).expect("update");
    let mut reader = bed.system.begin(Isolation::Serializable, true);
    reader.set_deferrable(true);
    is_wait(reader.begin_statement());
    reader.rollback().expect("rolled back");
    assert!(commits(&bed, writer));
    assert!(bed.system.recorded_reads().is_empty());
}
