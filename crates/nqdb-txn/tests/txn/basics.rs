//! One transaction at a time, and two that meet.

use crate::bed::*;
use nqdb_txn::*;
use std::time::Duration;

#[test]
fn what_is_committed_is_seen_and_what_is_rolled_back_is_not() {
    let bed = Bed::new();
    let mut txn = bed.begin();
    bed.insert(&mut txn, &row(1, 10, "one")).expect("insert");
    bed.insert(&mut txn, &row(2, 20, "two")).expect("insert");
    assert_eq!(bed.committed(), vec![]);
    bed.commit(txn);
    assert_eq!(bed.committed(), vec![row(1, 10, "one"), row(2, 20, "two")]);

    let mut txn = bed.begin();
    bed.insert(&mut txn, &row(3, 30, "three")).expect("insert");
    assert_eq!(bed.update(&mut txn, 1, &row(1, 11, "one again")).expect("update"), Modified::Done);
    assert_eq!(bed.delete(&mut txn, 2).expect("delete"), Modified::Done);
    bed.statement(&mut txn);
    let mut own = bed.rows(&txn.view());
    own.sort();
    assert_eq!(own, vec![row(1, 11, "one again"), row(3, 30, "three")]);
    txn.rollback().expect("rollback");
    assert_eq!(bed.committed(), vec![row(1, 10, "one"), row(2, 20, "two")]);
    assert_eq!(bed.check_nothing_leaked().rows, 2);
}

#[test]
fn an_old_view_keeps_seeing_old_versions() {
    let bed = Bed::new();
    let mut txn = bed.begin();
    bed.insert(&mut txn, &row(1, 10, "v1")).expect("insert");
    bed.insert(&mut txn, &row(2, 10, "gone later")).expect("insert");
    bed.commit(txn);
    let old = bed.system.latest_view();
    for version in 2..6 {
        let mut txn = bed.begin();
        bed.update(&mut txn, 1, &row(1, 10 * version, &format!("v{version}"))).expect("update");
        if version == 3 {
            bed.delete(&mut txn, 2).expect("delete");
        }
        bed.commit(txn);
        bed.purge();
        assert_eq!(bed.rows(&old), vec![row(1, 10, "v1"), row(2, 10, "gone later")]);
        let mut by_a = Vec::new();
        bed.by_key(&old, 1, nqdb_types::Datum::Int4(10), &mut |_, _, row| by_a.push(row.2));
        assert_eq!(by_a, ["v1", "gone later"]);
    }
    assert_eq!(bed.committed(), vec![row(1, 50, "v5")]);
    drop(old);
    assert_eq!(bed.check_nothing_leaked().rows, 1);
}

#[test]
fn a_second_writer_waits_and_then_builds_on_the_first() {
    let bed = Bed::new();
    let mut setup = bed.begin();
    let row_id = bed.insert(&mut setup, &row(1, 10, "v1")).expect("insert");
    bed.commit(setup);
    let (mut first, mut second) = (bed.begin(), bed.begin());
    bed.update(&mut first, 1, &row(1, 11, "first")).expect("update");
    let wait = is_wait(bed.update(&mut second, 1, &row(1, 12, "second")));
    let commit = first.commit().expect("commit");
    wait.block(&mut second, Duration::from_secs(1), None).expect("the first has ended");
    // Nothing is synced yet, and still the second sees what it has to build on, and depends on it.
    let seen = bed.find(&second.view(), 1).expect("still there").1;
    assert_eq!(
        bed.table.update(&mut second, row_id, seen, &datums(&row(1, 12, "second"))).expect("retry"),
        Modified::Changed
    );
    let newest = bed.table.read_newest(&second, row_id, |image, version| (row_of(&image), version)).expect("read");
    let Newest::Row((newest, version)) = newest else { panic!("the row is there") };
    assert_eq!(newest, row(1, 11, "first"));
    assert_eq!(second.depends_on(), commit.durable_lsn);
    assert_eq!(
        bed.table.update(&mut second, row_id, version, &datums(&row(1, 12, "second"))).expect("update"),
        Modified::Done
    );
    assert!(matches!(second.begin_statement(), Err(TxnError::Wait(Wait::Log(_)))));
    bed.commit(second);
    assert_eq!(bed.committed(), vec![row(1, 12, "second")]);
}

#[test]
fn a_duplicate_key_is_refused_and_an_unfinished_one_is_waited_for() {
    let bed = Bed::new();
    let mut setup = bed.begin();
    let row_id = bed.insert(&mut setup, &row(1, 10, "there")).expect("insert");
    bed.commit(setup);
    let mut txn = bed.begin();
    match bed.insert(&mut txn, &row(1, 99, "again")) {
        Err(TxnError::UniqueViolation { index: 0, row_id: other }) => assert_eq!(other, row_id),
        other => panic!("{other:?}"),
    }
    let mut other = bed.begin();
    bed.insert(&mut other, &row(2, 20, "unfinished")).expect("insert");
    let wait = is_wait(bed.insert(&mut txn, &row(2, 21, "too")));
    other.rollback().expect("rollback");
    wait.block(&mut txn, Duration::from_secs(1), None).expect("it has ended");
    bed.insert(&mut txn, &row(2, 21, "too")).expect("free now");
    let mut deleting = bed.begin();
    bed.delete(&mut deleting, 1).expect("delete");
    let _wait = is_wait(bed.insert(&mut txn, &row(1, 22, "perhaps")));
    bed.commit(deleting);
    bed.insert(&mut txn, &row(1, 22, "now")).expect("deleted");
    bed.commit(txn);
    assert_eq!(bed.committed(), vec![row(1, 22, "now"), row(2, 21, "too")]);
    assert_eq!(bed.check_nothing_leaked().rows, 2);
}

#[test]
fn rolling_back_to_a_savepoint_undoes_a_part_and_wakes_who_waits_for_it() {
    let bed = Bed::new();
    let mut setup = bed.begin();
    bed.insert(&mut setup, &row(1, 10, "a")).expect("insert");
    bed.insert(&mut setup, &row(2, 20, "b")).expect("insert");
    bed.commit(setup);
    let mut txn = bed.begin();
    bed.update(&mut txn, 1, &row(1, 11, "kept")).expect("update");
    let mark = txn.savepoint();
    bed.update(&mut txn, 2, &row(2, 21, "undone")).expect("update");
    bed.update(&mut txn, 1, &row(5, 12, "undone")).expect("update");
    let mut other = bed.begin();
    let wait = is_wait(bed.update(&mut other, 2, &row(2, 29, "other")));
    txn.rollback_to(mark).expect("rollback to");
    wait.block(&mut other, Duration::from_secs(1), None).expect("woken by the partial rollback");
    assert_eq!(bed.update(&mut other, 2, &row(2, 29, "other")).expect("update"), Modified::Done);
    bed.commit(other);
    bed.commit(txn);
    assert_eq!(bed.committed(), vec![row(1, 11, "kept"), row(2, 29, "other")]);
    assert_eq!(bed.check_nothing_leaked().rows, 2);
}

#[test]
fn large_values_live_and_die_with_their_versions() {
    let bed = Bed::new();
    let long: String =
        (0..50_000_u32).map(|n| char::from(b'a' + (n.wrapping_mul(2_654_435_761) >> 27) as u8 % 26)).collect();
    let mut txn = bed.begin();
    bed.insert(&mut txn, &row(1, 10, &long)).expect("insert");
    bed.commit(txn);
    assert_eq!(bed.committed(), vec![row(1, 10, &long)]);
    let old = bed.system.latest_view();
    let mut txn = bed.begin();
    bed.update(&mut txn, 1, &row(1, 11, &long[1..])).expect("update");
    txn.rollback().expect("rollback");
    bed.purge();
    assert_eq!(bed.check().values, 1);
    let mut txn = bed.begin();
    bed.update(&mut txn, 1, &row(1, 11, "short")).expect("update");
    bed.commit(txn);
    bed.purge();
    assert_eq!(bed.rows(&old), vec![row(1, 10, &long)]);
    drop(old);
    assert_eq!(bed.check_nothing_leaked().values, 0);
    let mut txn = bed.begin();
    bed.update(&mut txn, 1, &row(1, 11, &long)).expect("update");
    bed.commit(txn);
    let mut txn = bed.begin();
    bed.delete(&mut txn, 1).expect("delete");
    bed.commit(txn);
    let report = bed.check_nothing_leaked();
    assert_eq!((report.rows, report.values), (0, 0));
}
