//! An index says which snapshots find everything in it.

use nqdb_txn::Isolation;
use nqdb_types::Datum;

use crate::bed::{Bed, Session, ids_by_index, index_on_a, rows};

/// Gives the row with the id 7 another `a`.
fn update_seventh(bed: &Bed, session: &mut Session, table: u32, a: i32) {
    let store = bed.store(table);
    session.statement();
    let (row_id, version, id) = rows(&store, session.txn.view())[7];
    store.update(&mut session.txn, row_id, version, &[Datum::Int8(id), Datum::Int4(a)]).expect("an update");
}

#[test]
fn a_snapshot_that_sees_older_rows_than_the_index_does_not_use_it() {
    let bed = Bed::new();
    let table = bed.table_of(10, false);
    let old = bed.start(Isolation::RepeatableRead);
    let mut session = bed.begin();
    update_seventh(&bed, &mut session, table, 70);
    session.commit();
    let mut session = bed.begin();
    session.define(|writer| writer.create_index(&index_on_a(table))).expect("an index");
    session.commit();
    let store = bed.store(table);
    assert_eq!(ids_by_index(&store, 0, 7, old.txn.view()), Vec::<i64>::new(), "the old version has no entry");
    assert!(!store.indexes[0].usable_by(&old.txn.view()));
    let new = bed.begin();
    assert!(store.indexes[0].usable_by(&new.txn.view()));
    assert_eq!(ids_by_index(&store, 0, 70, new.txn.view()), [7]);
}

#[test]
fn changes_by_the_transaction_that_makes_the_index_count_from_its_commit_on() {
    let bed = Bed::new();
    let table = bed.table_of(10, false);
    let mut session = bed.begin();
    update_seventh(&bed, &mut session, table, 70);
    session.define(|writer| writer.create_index(&index_on_a(table))).expect("an index");
    session.statement();
    let own = session.draft.snapshot().table_by_oid(table).expect("there").store.clone();
    assert!(own.indexes[0].usable_by(&session.txn.view()), "its maker sees its own changes");
    let between = bed.start(Isolation::RepeatableRead);
    session.commit();
    let store = bed.store(table);
    assert!(!store.indexes[0].usable_by(&between.txn.view()), "the row as it was has no entry");
    assert!(store.indexes[0].usable_by(&bed.begin().txn.view()));
}

#[test]
fn an_index_over_rows_that_everybody_sees_is_for_everybody() {
    let bed = Bed::new();
    let table = bed.table_of(10, false);
    let old = bed.start(Isolation::RepeatableRead);
    let mut session = bed.begin();
    session.create_table("another");
    session.commit();
    let mut session = bed.begin();
    session.define(|writer| writer.create_index(&index_on_a(table))).expect("an index");
    session.commit();
    assert!(bed.store(table).indexes[0].usable_by(&old.txn.view()));
}

#[test]
fn a_table_that_was_emptied_begins_with_indexes_for_everybody() {
    let bed = Bed::new();
    let table = bed.table_of(10, false);
    let old = bed.start(Isolation::RepeatableRead);
    let mut session = bed.begin();
    update_seventh(&bed, &mut session, table, 70);
    session.commit();
    let mut session = bed.begin();
    session.define(|writer| writer.create_index(&index_on_a(table))).expect("an index");
    session.define(|writer| writer.truncate(table, false)).expect("a truncate");
    session.commit();
    assert!(bed.store(table).indexes[0].usable_by(&old.txn.view()));
}
