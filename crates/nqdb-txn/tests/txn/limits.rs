//! Sequences, indexes built later, dropped trees, large transactions, full disks.

use crate::bed::*;
use nqdb_sqlstate::SqlError;
use nqdb_storage::disk::SimDisk;
use nqdb_storage::tree::Direction;
use nqdb_txn::*;
use nqdb_types::Datum;
use nqdb_types::Type;
use nqdb_types::key::KeyColumn;
use std::ops::ControlFlow;
use std::sync::Arc;

fn sequence(cycle: bool) -> Sequence {
    Sequence { id: 77, increment: 3, min: 1, max: 100, start: 1, cycle }
}

#[test]
fn a_sequence_neither_rolls_back_nor_repeats_after_a_crash() {
    let disk = Arc::new(SimDisk::new());
    let bed = Bed::on(disk.clone(), engine_options(), txn_options());
    let mut txn = bed.begin();
    sequence(false).create(&mut txn).expect("create");
    assert_eq!(sequence(false).next(&mut txn, 3).expect("next"), [1, 4, 7]);
    bed.commit(txn);
    let mut txn = bed.begin();
    assert_eq!(sequence(false).next(&mut txn, 1).expect("next"), [10]);
    txn.rollback().expect("rollback");
    let mut txn = bed.begin();
    assert_eq!(sequence(false).next(&mut txn, 1).expect("next"), [13]);
    assert_eq!(sequence(false).state(&bed.system).expect("state"), SequenceState { last_value: 13, is_called: true });
    bed.commit(txn);
    let disk = Arc::new(disk.crash(nqdb_storage::disk::CrashMode::OnlySynced));
    let bed = Bed::open(disk, engine_options(), txn_options()).expect("opens");
    let mut txn = bed.begin();
    let after = sequence(false).next(&mut txn, 1);
    // Everything up to the maximum was logged ahead: the values in between are lost, none is given out twice.
    assert!(
        matches!(after, Err(TxnError::Sql(ref error)) if error.code() == nqdb_sqlstate::SEQUENCE_GENERATOR_LIMIT_EXCEEDED)
    );
    sequence(false).set(&mut txn, 96, true).expect("set");
    assert_eq!(sequence(true).next(&mut txn, 4).expect("cycles"), [99, 1, 4, 7]);
}

#[test]
fn an_index_built_later_finds_every_row_or_says_which_is_double() {
    let bed = Bed::new();
    let mut txn = bed.begin();
    for id in 0..500 {
        bed.insert(&mut txn, &row(id, (id % 100) as i32, &format!("text {id}"))).expect("insert");
    }
    bed.commit(txn);
    let mut txn = bed.begin();
    let build = |txn: &mut Transaction, column: usize, ty| {
        let tree = bed.system.create_tree(txn).expect("a tree");
        let key = vec![KeyColumn::ascending(column, Type::new(ty))];
        let index = Arc::new(IndexStore::over_columns(9, tree, true, key));
        let old = &bed.table;
        let mut indexes = old.indexes.clone();
        indexes.push(index);
        let table = Arc::new(TableStore {
            id: old.id,
            rows: old.rows.clone(),
            overflow: old.overflow.clone(),
            columns: old.columns.clone(),
            missing: old.missing.clone(),
            indexes,
            followed: false,
            counters: old.counters.clone(),
        });
        let built = table.build_index(txn, 2);
        (table, built)
    };
    assert!(matches!(build(&mut txn, 1, 23).1, Err(TxnError::UniqueViolation { index: 2, .. })));
    txn.rollback().expect("rollback");
    bed.purge();
    assert_eq!(
        bed.system.trees().expect("trees").len(),
        SYSTEM_TREES.len() + 4,
        "the tree that was not kept is destroyed"
    );

    let mut txn = bed.begin();
    let (table, built) = build(&mut txn, 2, 25);
    built.expect("texts differ");
    bed.commit(txn);
    bed.system.register_table(table.clone());
    let report = check_table(&bed.system, &table).expect("check");
    assert_eq!((report.rows, report.entries, report.problems), (500, 1500, vec![]));
    let mut texts = Vec::new();
    let view = bed.system.latest_view();
    let unbounded = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
    let mut scan = table.index_scan(2, view, unbounded.0, unbounded.1, Direction::Backward);
    while scan
        .next_batch(&mut |_, _, image| {
            texts.push(row_of(&image).2);
            if texts.len() % 3 == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .expect("reads")
    {}
    let mut expected: Vec<String> = (0..500).map(|id| format!("text {id}")).collect();
    expected.sort();
    expected.reverse();
    assert_eq!(texts, expected);
}

#[test]
fn a_dropped_tree_stays_until_nobody_can_look_and_a_rolled_back_drop_keeps_it() {
    let bed = Bed::new();
    let mut txn = bed.begin();
    let tree = bed.system.create_tree(&mut txn).expect("a tree");
    bed.commit(txn);
    let mut txn = bed.begin();
    bed.system.drop_tree(&mut txn, tree.id()).expect("drop");
    txn.rollback().expect("rollback");
    bed.purge();
    assert_eq!(bed.system.trees().expect("trees").len(), SYSTEM_TREES.len() + 5);
    let view = bed.system.latest_view();
    let mut txn = bed.begin();
    bed.system.drop_tree(&mut txn, tree.id()).expect("drop");
    bed.commit(txn);
    bed.purge();
    assert_eq!(bed.system.trees().expect("trees").len(), SYSTEM_TREES.len() + 5, "an older view may still look");
    drop(view);
    bed.purge();
    assert_eq!(bed.system.trees().expect("trees").len(), SYSTEM_TREES.len() + 4);
}

#[test]
fn a_transaction_larger_than_its_memory_spills_and_rolls_back() {
    let bed = Bed::on(
        Arc::new(SimDisk::new()),
        engine_options(),
        TxnOptions { undo_memory_bytes: 256 << 10, ..txn_options() },
    );
    let mut txn = bed.begin();
    let text = "x".repeat(700);
    for id in 0..1500 {
        bed.insert(&mut txn, &row(id, 1, &text)).expect("insert");
    }
    bed.commit(txn);
    let view = bed.system.latest_view();
    let before = bed.rows(&view);
    let mut txn = bed.begin();
    for id in 0..1500 {
        bed.update(&mut txn, id, &row(id, 2, "short")).expect("update");
    }
    assert!(bed.system.stats().undo_bytes > 1 << 20, "{:?}", bed.system.stats());
    assert_eq!(bed.rows(&view), before, "older versions are read from the file");
    txn.rollback().expect("rollback");
    drop(view);
    assert_eq!(bed.committed(), before);
    assert_eq!(bed.check_nothing_leaked().rows, 1500);
}

#[test]
fn a_full_disk_refuses_changes_and_still_rolls_back() {
    let disk = Arc::new(SimDisk::new());
    let bed = Bed::on(disk.clone(), engine_options(), txn_options());
    fill_some(&bed);
    let before = bed.committed();
    let mut txn = bed.begin();
    disk.set_capacity(Some(disk.used_bytes() + (64 << 10)));
    let mut refused = None;
    for id in 0..200 {
        if let Err(error) = bed.update(&mut txn, id, &row(id, 1, "z")) {
            refused = Some(error);
            break;
        }
    }
    for id in 1000..20_000 {
        if refused.is_some() {
            break;
        }
        refused = bed.insert(&mut txn, &row(id, 1, &"z".repeat(900))).err();
    }
    match refused {
        Some(TxnError::Storage(nqdb_storage::StorageError::DiskFull { .. })) => {}
        other => panic!("{other:?}"),
    }
    txn.rollback().expect("rollback needs no more disk");
    assert_eq!(bed.committed(), before);
    disk.set_capacity(None);
    assert_eq!(bed.check_nothing_leaked().rows, 200);
}

fn is_disk_full<T>(outcome: &Result<T>) -> bool {
    matches!(outcome, Err(TxnError::Storage(nqdb_storage::StorageError::DiskFull { .. })))
}

/// Inserts rows of 900 bytes in transactions of ten until the disk is full; how many rows were committed.
fn fill(bed: &Bed, first_id: i64) -> i64 {
    for id in (first_id..).step_by(10) {
        let mut txn = bed.begin();
        let text = "f".repeat(900);
        let outcome = (id..id + 10).try_for_each(|id| bed.insert(&mut txn, &row(id, 1, &text)).map(drop));
        if outcome.is_err() {
            assert!(is_disk_full(&outcome), "{outcome:?}");
            txn.rollback().expect("rollback needs no more disk");
            return id - first_id;
        }
        bed.commit(txn);
        // The log is kept short, so that it is the data file that has no room.
        bed.system.engine().checkpoint().expect("a checkpoint");
    }
    unreachable!("ids do not end")
}

#[test]
fn what_is_deleted_on_a_full_disk_makes_room_for_new_rows() {
    let disk = Arc::new(SimDisk::new());
    let bed = Bed::on(disk.clone(), engine_options(), txn_options());
    fill_some(&bed);
    write_segments_of_log(&bed);
    disk.set_capacity(Some(disk.used_bytes() + (512 << 10)));
    let filled = fill(&bed, 1000);
    assert!(filled >= 150, "{filled}");
    assert_eq!(fill(&bed, 100_000), 0, "the disk is full");
    for round in 0..3 {
        for ids in (1000..1000 + filled).collect::<Vec<_>>().chunks(10) {
            let mut txn = bed.begin();
            for id in ids {
                bed.delete(&mut txn, *id).expect("a full disk lets rows be deleted");
            }
            bed.commit(txn);
            bed.purge();
            bed.system.engine().checkpoint().expect("a checkpoint");
        }
        let pages = bed.system.engine().page_count();
        let again = fill(&bed, 1000);
        assert!(again * 10 >= filled * 9, "round {round}: {again} rows of {filled} fit");
        assert!(bed.system.engine().page_count() <= pages + 32, "round {round}: freed pages are used again");
        if again < filled {
            assert_eq!(fill(&bed, 100_000), 0);
        }
        let mut txn = bed.begin();
        for id in 1000 + again..1000 + filled {
            bed.insert(&mut txn, &row(id, 1, "little")).expect("there is some room");
        }
        bed.commit(txn);
    }
    assert_eq!(bed.check_nothing_leaked().rows, 200 + filled as u64);
}

/// Writes more log than one segment holds, so that there are old ones to use again: a disk that is full before has no room
/// for the second.
fn write_segments_of_log(bed: &Bed) {
    for round in 0..40 {
        let mut txn = bed.begin();
        for id in 0..200 {
            assert_eq!(bed.update(&mut txn, id, &row(id, round, &"y".repeat(300))).expect("update"), Modified::Done);
        }
        bed.commit(txn);
        bed.purge();
        bed.system.engine().checkpoint().expect("a checkpoint");
    }
}

fn fill_some(bed: &Bed) {
    let mut txn = bed.begin();
    for id in 0..200 {
        bed.insert(&mut txn, &row(id, 1, &"y".repeat(300))).expect("insert");
    }
    bed.commit(txn);
}

#[test]
fn rows_get_their_length_back_on_a_full_disk_although_others_have_taken_the_room() {
    let disk = Arc::new(SimDisk::new());
    let bed = Bed::on(disk.clone(), engine_options(), txn_options());
    fill_some(&bed);
    let mut shortening = bed.begin();
    for id in (0..200).step_by(2) {
        bed.update(&mut shortening, id, &row(id, 1, "z")).expect("update");
    }
    let mut lengthening = bed.begin();
    for id in (1..200).step_by(2) {
        bed.update(&mut lengthening, id, &row(id, 1, &"w".repeat(590))).expect("update");
    }
    bed.commit(lengthening);
    // Everything that is left is taken: log and pages.
    disk.set_capacity(Some(disk.used_bytes()));
    let engine = bed.system.engine();
    let mut taken = Vec::new();
    for (log_bytes, pages) in [(50_000, 0), (500, 0), (0, 8), (0, 1)] {
        while let Ok(more) = engine.reserve_credit(log_bytes, pages) {
            taken.push(more);
        }
    }
    let splits = engine.stats().splits;
    shortening.rollback().expect("rollback needs no more disk");
    assert!(engine.stats().splits > splits + 5, "leaves had to be split");
    let expected: Vec<_> =
        (0..200).map(|id| row(id, 1, &if id % 2 == 0 { "y".repeat(300) } else { "w".repeat(590) })).collect();
    assert_eq!(bed.committed(), expected);
    drop(taken);
    disk.set_capacity(None);
    assert_eq!(bed.check_nothing_leaked().rows, 200);
}

#[test]
fn keys_and_rows_have_limits() {
    let bed = Bed::new();
    let mut txn = bed.begin();
    let tree = bed.system.create_tree(&mut txn).expect("a tree");
    let key = vec![KeyColumn::ascending(2, Type::new(25))];
    let index = Arc::new(IndexStore::over_columns(9, tree, false, key));
    let old = &bed.table;
    let table = TableStore {
        id: old.id,
        rows: old.rows.clone(),
        overflow: old.overflow.clone(),
        columns: old.columns.clone(),
        missing: old.missing.clone(),
        indexes: vec![index],
        followed: false,
        counters: old.counters.clone(),
    };
    let values = |len: usize| vec![Datum::Int8(1), Datum::Null, Datum::Text("k".repeat(len).into())];
    table.insert(&mut txn, &values(1900)).expect("a long key");
    match table.insert(&mut txn, &values(2100)) {
        Err(TxnError::KeyTooLong { index: 0, size, max }) => assert!(size > max),
        other => panic!("{other:?}"),
    }
}

#[test]
fn drawing_from_a_sequence_holds_up_the_end_but_no_statement() {
    let bed = Bed::new();
    let mut txn = bed.begin();
    sequence(false).create(&mut txn).expect("create");
    bed.commit(txn);
    let mut txn = bed.begin();
    sequence(false).next(&mut txn, 1).expect("next");
    txn.begin_statement().expect("the next statement waits for nothing");
    let commit = txn.commit().expect("commit");
    assert!(commit.durable_lsn.is_some(), "a crash must not give the value out again");
}

#[test]
fn storage_failures_have_postgres_codes() {
    let code = |error: nqdb_storage::StorageError| SqlError::from(TxnError::from(error)).code().to_string();
    use nqdb_storage::StorageError;
    assert_eq!(code(StorageError::LogFailed), "58030");
    assert_eq!(code(StorageError::internal("a broken promise")), "XX000");
    assert_eq!(code(StorageError::InUse), "55006");
    assert_eq!(code(StorageError::DiskFull { what: "the log" }), "53100");
    assert_eq!(code(StorageError::corrupt("bytes")), "XX001");
}
