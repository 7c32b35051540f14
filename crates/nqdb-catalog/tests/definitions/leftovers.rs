//! Purge beside definitions: it serves what lasts, whatever becomes of the transaction, and touches nothing that is gone.

use nqdb_storage::disk::{CrashMode, SimDisk};

use crate::bed::{Bed, index_on_a};

#[test]
fn an_index_that_was_rolled_back_is_not_purged() {
    let bed = Bed::new();
    let table = bed.table_of(50, false);
    let mut session = bed.begin();
    session.define(|writer| writer.create_index(&index_on_a(table))).expect("an index");
    session.rollback();
    bed.purge();
    bed.delete_below(table, 20);
    assert_eq!(bed.check_nothing_leaked(table).rows, 30);
}

#[test]
fn an_index_that_was_rolled_back_to_a_savepoint_is_not_purged() {
    let bed = Bed::new();
    let table = bed.table_of(50, false);
    let mut session = bed.begin();
    let before = session.savepoint();
    session.define(|writer| writer.create_index(&index_on_a(table))).expect("an index");
    session.rollback_to(&before);
    session.commit();
    bed.purge();
    bed.delete_below(table, 20);
    assert_eq!(bed.check_nothing_leaked(table).rows, 30);
}

#[test]
fn a_drop_of_an_index_that_is_rolled_back_leaves_no_entry_behind() {
    let bed = Bed::new();
    let table = bed.table_of(50, true);
    bed.delete_below(table, 20);
    let index = bed.catalog.committed().table_by_oid(table).expect("there").indexes[0].oid;
    let mut session = bed.begin();
    session.define(|writer| writer.drop_index(table, index)).expect("a drop");
    bed.purge();
    session.rollback();
    assert_eq!(bed.check_nothing_leaked(table).rows, 30);
}

#[test]
fn a_truncate_that_is_rolled_back_leaves_nothing_behind() {
    let bed = Bed::new();
    let table = bed.table_of(50, true);
    bed.delete_below(table, 20);
    let mut session = bed.begin();
    let before = session.savepoint();
    session.define(|writer| writer.truncate(table, false)).expect("a truncate");
    bed.purge();
    session.rollback_to(&before);
    session.define(|writer| writer.truncate(table, false)).expect("a truncate");
    bed.purge();
    session.rollback();
    assert_eq!(bed.check_nothing_leaked(table).rows, 30);
    bed.delete_below(table, 40);
    assert_eq!(bed.check_nothing_leaked(table).rows, 10);
}

#[test]
fn rows_deleted_beside_a_definition_of_the_same_transaction_are_purged() {
    let bed = Bed::new();
    let table = bed.table_of(50, false);
    let mut session = bed.begin();
    session.define(|writer| writer.create_index(&index_on_a(table))).expect("an index");
    let store = session.draft.snapshot().table_by_oid(table).expect("there").store.clone();
    session.delete_below(&store, 20);
    session.commit();
    assert_eq!(bed.check_nothing_leaked(table).rows, 30);
}

#[test]
fn a_table_that_is_dropped_while_a_sweep_after_a_crash_is_at_it_leaves_nothing_behind() {
    let disk = SimDisk::new();
    let table;
    {
        let bed = Bed::on(disk.clone());
        table = bed.table_of(500, true);
        bed.delete_below(table, 400);
    }
    let bed = Bed::open(disk.crash(CrashMode::OnlySynced));
    let trees_before = bed.system().trees().expect("trees").len();
    assert!(bed.system().purge_step().expect("a first step"), "the sweep has begun");
    let mut session = bed.begin();
    session.define(|writer| writer.drop_table(table)).expect("a drop");
    session.commit();
    bed.purge();
    assert_eq!(bed.system().trees().expect("trees").len(), trees_before - 3, "its trees are destroyed");
}
