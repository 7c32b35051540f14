//! Prepared transactions: they outlive their session, a stop and a power cut, with their changes and locks.

use crate::bed::*;
use nqdb_storage::backup::{BackupRequest, RestoreSource, open_link};
use nqdb_storage::disk::{Call, CrashMode, Disk, Fault, SimDisk};
use nqdb_txn::*;
use nqdb_types::Datum;
use std::sync::Arc;

/// How a database comes to its next start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Restart {
    Stop,
    PowerCut,
}

const RESTARTS: [Restart; 2] = [Restart::Stop, Restart::PowerCut];

fn new_bed() -> (Arc<SimDisk>, Bed) {
    let disk = Arc::new(SimDisk::new());
    (disk.clone(), Bed::on(disk, engine_options(), txn_options()))
}

fn restart(disk: &Arc<SimDisk>, bed: Bed, how: Restart) -> (Arc<SimDisk>, Bed) {
    let mode = match how {
        Restart::Stop => {
            bed.system.close().expect("closes");
            CrashMode::AllWrites
        }
        Restart::PowerCut => CrashMode::OnlySynced,
    };
    drop(bed);
    let disk = Arc::new(disk.crash(mode));
    let bed = Bed::open(disk.clone(), engine_options(), txn_options()).expect("it opens");
    (disk, bed)
}

fn label(gid: &str) -> PreparedLabel {
    PreparedLabel { gid: gid.to_owned(), database: 5, role: 10, prepared_micros: 17 }
}

/// Prepares and waits for the sync.
fn prepare(bed: &Bed, txn: Transaction, gid: &str) {
    let lsn = txn.prepare_transaction(label(gid), Vec::new(), 10).expect("it is prepared");
    bed.system.wait_durable_blocking(lsn).expect("synced");
}

fn resume(bed: &Bed, gid: &str) -> Transaction {
    bed.system.resume_prepared(gid, |_| Ok(())).expect("it is prepared")
}

fn commit_prepared(bed: &Bed, gid: &str) {
    bed.commit(resume(bed, gid));
}

fn rollback_prepared(bed: &Bed, gid: &str) {
    let lsn = resume(bed, gid).rollback_prepared().expect("a rollback");
    bed.system.wait_durable_blocking(lsn).expect("synced");
}

fn gids(bed: &Bed) -> Vec<String> {
    bed.system.prepared_transactions().into_iter().map(|facts| facts.label.gid).collect()
}

fn fill(bed: &Bed, rows: &[Row]) {
    let mut txn = bed.begin();
    for row in rows {
        bed.insert(&mut txn, row).expect("insert");
    }
    bed.commit(txn);
}

/// What a prepared transaction of many kinds of changes leaves of `before`: see `change_much`.
fn before() -> Vec<Row> {
    (0..40).map(|id| row(id, (id % 3) as i32, "before")).collect()
}

/// Changes rows in every way, some several times. Gives what the table holds when that commits, sorted.
fn change_much(bed: &Bed, txn: &mut Transaction) -> Vec<Row> {
    let large = "large ".repeat(2_000);
    let mut rows = before();
    for round in 0..3 {
        for id in 0..10 {
            let new = row(id, 70 + round, if round == 1 { &large } else { "changed" });
            assert_eq!(bed.update(txn, id, &new).expect("update"), Modified::Done);
            rows[id as usize] = new;
        }
    }
    for id in 10..14 {
        assert_eq!(bed.delete(txn, id).expect("delete"), Modified::Done);
    }
    // A key that changes, and one that is used again by another row.
    assert_eq!(bed.update(txn, 20, &row(120, 1, "moved")).expect("update"), Modified::Done);
    rows[20] = row(120, 1, "moved");
    bed.insert(txn, &row(20, 2, "in its place")).expect("insert");
    rows.push(row(20, 2, "in its place"));
    let batch: Vec<Row> = (200..260).map(|id| row(id, 5, "batch")).collect();
    bed.statement(txn);
    bed.table.insert_batch(txn, &batch.iter().map(datums).collect::<Vec<_>>()).expect("insert").expect("a batch");
    rows.extend(batch);
    assert_eq!(bed.update(txn, 230, &row(230, 6, "again")).expect("update"), Modified::Done);
    let at = rows.iter().position(|row| row.0 == 230).expect("it is there");
    rows[at] = row(230, 6, "again");
    let undone = txn.savepoint();
    bed.insert(txn, &row(999, 9, "undone")).expect("insert");
    txn.rollback_to(undone).expect("rollback");
    rows.retain(|row| !(10..14).contains(&row.0));
    rows.sort();
    rows
}

#[test]
fn a_prepared_transaction_survives_and_commits() {
    for how in RESTARTS {
        let (disk, bed) = new_bed();
        fill(&bed, &before());
        let mut txn = bed.begin();
        let after = change_much(&bed, &mut txn);
        prepare(&bed, txn, "one");
        assert_eq!(bed.committed(), before(), "its changes are seen by nobody");
        let (disk, bed) = restart(&disk, bed, how);
        assert_eq!(bed.committed(), before(), "{how:?}");
        assert_eq!(gids(&bed), ["one"]);
        bed.purge();
        bed.check();
        let (disk, bed) = restart(&disk, bed, how);
        let old = bed.system.latest_view();
        commit_prepared(&bed, "one");
        assert_eq!(bed.committed(), after, "{how:?}");
        let mut seen_before = bed.rows(&old);
        seen_before.sort();
        assert_eq!(seen_before, before(), "an older view sees what it saw");
        drop(old);
        assert_eq!(gids(&bed), [""; 0]);
        bed.check_nothing_leaked();
        let (_, bed) = restart(&disk, bed, how);
        assert_eq!(bed.committed(), after);
        assert_eq!(gids(&bed), [""; 0]);
        bed.check_nothing_leaked();
    }
}

#[test]
fn a_prepared_transaction_survives_and_is_rolled_back() {
    for how in RESTARTS {
        let (disk, bed) = new_bed();
        fill(&bed, &before());
        let mut txn = bed.begin();
        change_much(&bed, &mut txn);
        prepare(&bed, txn, "one");
        let (disk, bed) = restart(&disk, bed, how);
        rollback_prepared(&bed, "one");
        assert_eq!(bed.committed(), before(), "{how:?}");
        bed.check_nothing_leaked();
        let (_, bed) = restart(&disk, bed, how);
        assert_eq!((bed.committed(), gids(&bed)), (before(), Vec::new()));
        bed.check_nothing_leaked();
    }
}

#[test]
fn what_is_not_synced_was_not_prepared() {
    let (disk, bed) = new_bed();
    let mut txn = bed.begin();
    bed.insert(&mut txn, &row(1, 1, "a")).expect("insert");
    txn.prepare_transaction(label("one"), Vec::new(), 10).expect("it is prepared");
    assert_eq!(gids(&bed), [""; 0], "nobody is told before the sync");
    assert!(bed.system.resume_prepared("one", |_| Ok(())).is_err());
    let (_, bed) = restart(&disk, bed, Restart::PowerCut);
    assert_eq!(gids(&bed), [""; 0]);
    assert_eq!(bed.committed(), []);
    bed.check_nothing_leaked();
}

#[test]
fn its_rows_keys_and_locks_are_waited_for_also_after_a_restart() {
    for how in [None, Some(Restart::Stop), Some(Restart::PowerCut)] {
        let (mut disk, mut bed) = new_bed();
        fill(&bed, &[row(1, 1, "a"), row(2, 1, "b"), row(3, 1, "c")]);
        let key = AdvisoryKey { database: 5, high: 0, low: 7, is_pair: false };
        let mut txn = bed.begin();
        assert_eq!(bed.update(&mut txn, 1, &row(1, 5, "prepared")).expect("update"), Modified::Done);
        bed.insert(&mut txn, &row(9, 1, "its key")).expect("insert");
        let (locked, version) = bed.find(&txn.view(), 2).expect("a row");
        assert!(bed.table.lock_row(&mut txn, locked, version, RowLock::Share).is_ok());
        txn.lock_relation(TABLE, RelationLock::RowExclusive).expect("a lock");
        txn.lock_relation(77, RelationLock::AccessExclusive).expect("a lock");
        bed.system.lock_advisory(txn.owner(), key, RelationLock::Exclusive).expect("a lock");
        let owner = txn.owner();
        let lsn =
            txn.prepare_transaction(label("one"), vec![(key, RelationLock::Exclusive)], 10).expect("it is prepared");
        bed.system.wait_durable_blocking(lsn).expect("synced");
        if let Some(how) = how {
            (disk, bed) = restart(&disk, bed, how);
        }
        // Also for the owner that it was prepared by, who goes on with the next transaction.
        let mut other = bed.system.begin_as(owner, Isolation::ReadCommitted, false);
        is_wait(bed.update(&mut other, 1, &row(1, 6, "other")));
        is_wait(bed.insert(&mut other, &row(9, 2, "the same key")));
        is_wait(bed.update(&mut other, 2, &row(2, 6, "locked")));
        assert_eq!(bed.update(&mut other, 3, &row(3, 6, "free")).expect("update"), Modified::Done);
        is_wait(other.lock_relation(TABLE, RelationLock::Share));
        assert!(!other.try_lock_relation(77, RelationLock::AccessShare).expect("an answer"));
        assert!(!bed.system.try_lock_advisory(owner, key, RelationLock::Share).expect("an answer"));
        let waits = is_wait(bed.update(&mut other, 1, &row(1, 6, "other")));
        waits.check_deadlock(&other).expect("a prepared transaction waits for nobody");
        rollback_prepared(&bed, "one");
        assert_eq!(bed.update(&mut other, 1, &row(1, 6, "other")).expect("update"), Modified::Done);
        bed.insert(&mut other, &row(9, 2, "the same key")).expect("insert");
        assert_eq!(bed.update(&mut other, 2, &row(2, 6, "locked")).expect("update"), Modified::Done);
        assert!(other.try_lock_relation(77, RelationLock::AccessShare).expect("an answer"));
        assert!(bed.system.try_lock_advisory(owner, key, RelationLock::Share).expect("an answer"));
        bed.commit(other);
        drop(disk);
    }
}

#[test]
fn who_waits_for_it_is_woken_by_its_end_not_by_its_preparation() {
    let (_, bed) = new_bed();
    fill(&bed, &[row(1, 1, "a")]);
    let mut txn = bed.begin();
    assert_eq!(bed.update(&mut txn, 1, &row(1, 2, "prepared")).expect("update"), Modified::Done);
    let mut waiter = bed.begin();
    let wait = is_wait(bed.update(&mut waiter, 1, &row(1, 3, "waiter")));
    prepare(&bed, txn, "one");
    // The one that it waited for is gone; the call meets the prepared one.
    wait.block(&mut waiter, std::time::Duration::from_secs(60), None).expect("it looks again");
    is_wait(bed.update(&mut waiter, 1, &row(1, 3, "waiter")));
    let holder = bed.system.prepared_transactions()[0].xid;
    assert_eq!(bed.system.status(holder), Some(XidStatus::Active));
    commit_prepared(&bed, "one");
    assert_eq!(bed.update(&mut waiter, 1, &row(1, 3, "waiter")).expect("update"), Modified::Done);
    bed.commit(waiter);
    assert_eq!(bed.committed(), [row(1, 3, "waiter")]);
}

#[test]
fn identifiers_are_unique_limited_and_free_again() {
    let (_, bed) = new_bed();
    let code = |result: Result<Lsn>| match result {
        Err(TxnError::Sql(error)) => error.code().to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(code(bed.begin().prepare_transaction(label("a"), Vec::new(), 0)), "55000");
    prepare(&bed, bed.begin(), "a");
    assert_eq!(code(bed.begin().prepare_transaction(label("a"), Vec::new(), 2)), "42710");
    prepare(&bed, bed.begin(), "b");
    assert_eq!(code(bed.begin().prepare_transaction(label("c"), Vec::new(), 2)), "53200");
    assert_eq!(gids(&bed), ["a", "b"]);
    assert!(
        matches!(bed.system.resume_prepared("c", |_| Ok(())), Err(TxnError::Sql(error)) if error.code().to_string() == "42704")
    );
    let taken = resume(&bed, "a");
    assert!(
        matches!(bed.system.resume_prepared("a", |_| Ok(())), Err(TxnError::Sql(error)) if error.code().to_string() == "55000")
    );
    drop(taken);
    commit_prepared(&bed, "a");
    prepare(&bed, bed.begin(), "a");
    assert_eq!(gids(&bed), ["a", "b"]);
}

#[test]
fn an_identifier_is_in_use_until_its_end_is_synced() {
    let (disk, bed) = new_bed();
    let mut txn = bed.begin();
    bed.insert(&mut txn, &row(1, 1, "a")).expect("insert");
    prepare(&bed, txn, "one");
    resume(&bed, "one").commit().expect("a commit");
    assert_eq!(gids(&bed), ["one"]);
    assert!(bed.begin().prepare_transaction(label("one"), Vec::new(), 10).is_err());
    // The end was not synced: it is prepared again.
    let (_, bed) = restart(&disk, bed, Restart::PowerCut);
    assert_eq!(gids(&bed), ["one"]);
    commit_prepared(&bed, "one");
    assert_eq!(bed.committed(), [row(1, 1, "a")]);
}

#[test]
fn what_is_dropped_stays_prepared() {
    let (_, bed) = new_bed();
    let mut txn = bed.begin();
    bed.insert(&mut txn, &row(1, 1, "a")).expect("insert");
    prepare(&bed, txn, "one");
    drop(resume(&bed, "one"));
    assert_eq!((gids(&bed), bed.committed()), (vec!["one".to_owned()], Vec::new()));
    let refused = bed.system.resume_prepared("one", |facts| {
        assert_eq!((facts.label.database, facts.label.role, facts.label.prepared_micros), (5, 10, 17));
        Err(nqdb_sqlstate::SqlError::internal("no"))
    });
    assert!(refused.is_err());
    commit_prepared(&bed, "one");
    assert_eq!(bed.committed(), [row(1, 1, "a")]);
}

/// More log than a segment holds, and a checkpoint behind it.
fn write_log(bed: &Bed, first_id: i64) {
    for id in first_id..first_id + 400 {
        let mut txn = bed.begin();
        bed.insert(&mut txn, &row(id, 3, &"x".repeat(3_000))).expect("insert");
        bed.commit(txn);
    }
    bed.purge();
    bed.system.engine().checkpoint().expect("a checkpoint");
}

#[test]
fn its_log_is_kept_however_much_follows_and_no_longer() {
    let segments = |disk: &SimDisk| disk.list("wal").expect("a folder").len();
    let (mut disk, mut bed) = new_bed();
    fill(&bed, &[row(1, 1, "a")]);
    let mut txn = bed.begin();
    assert_eq!(bed.update(&mut txn, 1, &row(1, 2, "prepared")).expect("update"), Modified::Done);
    prepare(&bed, txn, "one");
    for round in 0..3 {
        write_log(&bed, 1_000 * (round + 1));
        (disk, bed) = restart(&disk, bed, RESTARTS[round as usize % 2]);
        assert_eq!(gids(&bed), ["one"]);
    }
    let kept = segments(&disk);
    assert!(kept > 3, "{kept} segments have been kept");
    commit_prepared(&bed, "one");
    assert!(bed.committed().contains(&row(1, 2, "prepared")));
    (4..8).for_each(|round| write_log(&bed, 1_000 * round));
    assert!(segments(&disk) <= kept + 1, "its end lets the log go");
}

#[test]
fn a_rollback_that_was_cut_off_goes_on() {
    let mut outcomes = Vec::new();
    for seed in 0..24 {
        let (disk, bed) = new_bed();
        fill(&bed, &before());
        let mut txn = bed.begin();
        change_much(&bed, &mut txn);
        prepare(&bed, txn, "one");
        resume(&bed, "one").rollback_prepared().expect("a rollback");
        // Of the one write that the rollback's log takes, sectors are kept at random: it ends with the first that is missing.
        disk.fail_at(Call::Change, disk.calls(Call::Change) + 1, Fault::CrashHere);
        assert!(bed.system.engine().flush_log().is_err());
        let bed = Bed::open(Arc::new(disk.crash(CrashMode::Torn512(seed))), engine_options(), txn_options());
        let bed = bed.expect("it opens");
        assert_eq!(bed.committed(), before(), "seed {seed}");
        let is_prepared = gids(&bed) == ["one"];
        outcomes.push(is_prepared);
        if is_prepared {
            rollback_prepared(&bed, "one");
        }
        assert_eq!((bed.committed(), gids(&bed)), (before(), Vec::new()), "seed {seed}");
        bed.check_nothing_leaked();
    }
    assert!(outcomes.contains(&true) && outcomes.contains(&false), "{outcomes:?}");
}

#[test]
fn one_without_changes_keeps_its_locks() {
    for how in RESTARTS {
        let (disk, bed) = new_bed();
        let mut txn = bed.begin();
        txn.lock_relation(77, RelationLock::Exclusive).expect("a lock");
        prepare(&bed, txn, "");
        let (disk, bed) = restart(&disk, bed, how);
        assert_eq!(gids(&bed), [""]);
        let mut other = bed.begin();
        assert!(!other.try_lock_relation(77, RelationLock::RowShare).expect("an answer"));
        drop(other);
        commit_prepared(&bed, "");
        let (_, bed) = restart(&disk, bed, how);
        assert_eq!(gids(&bed).len(), 0);
    }
}

#[test]
fn more_locks_than_a_record_holds_come_back() {
    let (disk, bed) = new_bed();
    let rows: Vec<Row> = (0..8_000).map(|id| row(id, 0, "")).collect();
    fill(&bed, &rows);
    let mut txn = bed.begin();
    for (row_id, _) in bed.rows_with_ids(&txn.view()) {
        let (_, version) =
            bed.table.fetch(&txn.view(), row_id, |_, version| ((), version)).expect("read").expect("a row");
        assert!(bed.table.lock_row(&mut txn, row_id, version, RowLock::KeyShare).is_ok());
    }
    prepare(&bed, txn, "one");
    let (_, bed) = restart(&disk, bed, Restart::PowerCut);
    let mut other = bed.begin();
    for id in [0, 4_000, 7_999] {
        is_wait(bed.delete(&mut other, id));
        assert_eq!(bed.update(&mut other, id, &row(id, 1, "no key")).expect("update"), Modified::Done);
    }
}

#[test]
fn others_work_around_it() {
    let (disk, bed) = new_bed();
    fill(&bed, &before());
    let mut txn = bed.begin();
    change_much(&bed, &mut txn);
    prepare(&bed, txn, "one");
    let (disk, bed) = restart(&disk, bed, Restart::PowerCut);
    let mut other = bed.begin();
    for id in 30..35 {
        assert_eq!(bed.update(&mut other, id, &row(id, 99, "other")).expect("update"), Modified::Done);
    }
    bed.commit(other);
    let mut second = bed.begin();
    assert_eq!(bed.delete(&mut second, 36).expect("delete"), Modified::Done);
    prepare(&bed, second, "two");
    bed.purge();
    let (_, bed) = restart(&disk, bed, Restart::PowerCut);
    assert_eq!(gids(&bed), ["one", "two"]);
    assert!(bed.committed().contains(&row(30, 99, "other")));
    rollback_prepared(&bed, "one");
    commit_prepared(&bed, "two");
    let mut expected: Vec<Row> = before().into_iter().filter(|row| row.0 != 36).collect();
    expected[30..35].iter_mut().for_each(|row| (row.1, row.2) = (Some(99), "other".to_owned()));
    assert_eq!(bed.committed(), expected);
    bed.check_nothing_leaked();
}

#[test]
fn definitions_are_not_prepared() {
    let (_, bed) = new_bed();
    let mut txn = bed.begin();
    txn.on_commit(Box::new(|_| {}));
    let refused = txn.prepare_transaction(label("one"), Vec::new(), 10);
    assert!(matches!(refused, Err(TxnError::Sql(error)) if error.code().to_string() == "0A000"));
    assert_eq!(gids(&bed), [""; 0]);
}

#[test]
fn a_restore_keeps_what_was_prepared() {
    let (_, bed) = new_bed();
    fill(&bed, &before());
    let mut txn = bed.begin();
    let after = change_much(&bed, &mut txn);
    prepare(&bed, txn, "one");
    let to = Arc::new(SimDisk::new());
    back_up(&bed, &to);
    let restored = Arc::new(SimDisk::new());
    restore_from(&to, &restored);
    for is_committed in [true, false] {
        let copy = Arc::new(restored.crash(CrashMode::OnlySynced));
        let bed = Bed::open(copy.clone(), engine_options(), txn_options()).expect("it opens");
        assert_eq!((bed.committed(), gids(&bed)), (before(), vec!["one".to_owned()]));
        let (_, bed) = restart(&copy, bed, Restart::PowerCut);
        match is_committed {
            true => commit_prepared(&bed, "one"),
            false => rollback_prepared(&bed, "one"),
        }
        assert_eq!(bed.committed(), if is_committed { after.clone() } else { before() });
        bed.check_nothing_leaked();
    }
}

fn back_up(bed: &Bed, to: &Arc<SimDisk>) {
    let request = BackupRequest { target: &**to, base: None, clock_micros: &|| 0, pace: &mut |_| Ok(()) };
    bed.system.engine().backup(request).expect("a backup");
}

fn restore_from(backup: &Arc<SimDisk>, target: &Arc<SimDisk>) {
    let link = open_link(backup.clone()).expect("a backup");
    let source = RestoreSource { chain: &[link], archives: &[] };
    restore(source, RestoreTarget::Latest, target.clone(), engine_options(), txn_options()).expect("a restore");
}

#[test]
fn serializable_never_chooses_a_prepared_transaction() {
    // Write skew: each reads what the other writes.
    let (_, bed) = new_bed();
    fill(&bed, &[row(1, 1, "a"), row(2, 1, "b")]);
    let mut one = bed.start(Isolation::Serializable);
    let mut two = bed.start(Isolation::Serializable);
    assert!(bed.find(&one.view(), 2).is_some() && bed.find(&two.view(), 1).is_some());
    assert_eq!(bed.update(&mut one, 1, &row(1, 2, "one")).expect("update"), Modified::Done);
    assert_eq!(bed.update(&mut two, 2, &row(2, 2, "two")).expect("update"), Modified::Done);
    prepare(&bed, one, "one");
    assert!(matches!(two.commit(), Err(TxnError::Unserializable { .. })));
    commit_prepared(&bed, "one");
}

#[test]
fn serializable_fails_whom_a_prepared_transaction_would_make_a_pivot() {
    // first -> second -> prepared, where the prepared one counts as committed.
    let (_, bed) = new_bed();
    fill(&bed, &[row(1, 1, "a"), row(2, 1, "b")]);
    let mut first = bed.start(Isolation::Serializable);
    let mut second = bed.start(Isolation::Serializable);
    let mut third = bed.start(Isolation::Serializable);
    assert!(bed.find(&first.view(), 1).is_some());
    assert_eq!(bed.update(&mut third, 2, &row(2, 2, "third")).expect("update"), Modified::Done);
    prepare(&bed, third, "third");
    assert_eq!(bed.update(&mut second, 1, &row(1, 2, "second")).expect("update"), Modified::Done);
    let view = second.view();
    let mut scan = bed.table.scan(view, RowId(0)..RowId(u64::MAX), Direction::Forward);
    let mut read = Ok(true);
    while matches!(read, Ok(true)) {
        read = scan.next_batch(&mut |_, _, _| std::ops::ControlFlow::Continue(()));
    }
    assert!(matches!(read, Err(TxnError::Unserializable { .. })) || second.commit().is_err());
    commit_prepared(&bed, "third");
    bed.insert(&mut first, &row(3, 1, "c")).expect("insert");
    bed.commit(first);
}

#[test]
fn serializable_fails_who_reads_around_a_prepared_transaction_after_a_restart() {
    for how in RESTARTS {
        let (disk, bed) = new_bed();
        fill(&bed, &[row(1, 1, "a"), row(2, 1, "b")]);
        let mut one = bed.start(Isolation::Serializable);
        assert!(bed.find(&one.view(), 2).is_some());
        assert_eq!(bed.update(&mut one, 1, &row(1, 2, "one")).expect("update"), Modified::Done);
        prepare(&bed, one, "one");
        let (_, bed) = restart(&disk, bed, how);
        let two = bed.start(Isolation::Serializable);
        let mut scan = bed.table.scan(two.view(), RowId(0)..RowId(u64::MAX), Direction::Forward);
        let mut read = Ok(true);
        while matches!(read, Ok(true)) {
            read = scan.next_batch(&mut |_, _, _| std::ops::ControlFlow::Continue(()));
        }
        assert!(matches!(read, Err(TxnError::Unserializable { .. })), "{read:?}");
        drop(scan);
        drop(two);
        commit_prepared(&bed, "one");
        let three = bed.start(Isolation::Serializable);
        assert_eq!(bed.rows(&three.view()), [row(1, 2, "one"), row(2, 1, "b")]);
        bed.commit(three);
    }
}

#[test]
fn a_value_that_a_prepared_transaction_reads_by_key_is_found() {
    let (disk, bed) = new_bed();
    fill(&bed, &[row(1, 1, "a")]);
    let mut txn = bed.begin();
    assert_eq!(bed.update(&mut txn, 1, &row(1, 4, "b")).expect("update"), Modified::Done);
    prepare(&bed, txn, "one");
    let (_, bed) = restart(&disk, bed, Restart::PowerCut);
    let by_a = |a: i32| {
        let mut found = Vec::new();
        bed.by_key(&bed.system.latest_view(), 1, Datum::Int4(a), &mut |_, _, row| found.push(row));
        found
    };
    assert_eq!((by_a(1), by_a(4)), (vec![row(1, 1, "a")], Vec::new()));
    commit_prepared(&bed, "one");
    assert_eq!((by_a(1), by_a(4)), (Vec::new(), vec![row(1, 4, "b")]));
}
