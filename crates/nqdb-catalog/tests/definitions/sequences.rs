//! Restarting a sequence is a definition: it rolls back, also to a savepoint and after a crash.

use nqdb_catalog::request::SequenceOptions;
use nqdb_catalog::{PUBLIC_SCHEMA_OID, request};
use nqdb_storage::disk::{CrashMode, SimDisk};
use nqdb_types::Oid;

use crate::bed::{Bed, Session, two_columns};

/// A table with an identity column, and its sequence.
fn table_with_identity(bed: &Bed) -> (Oid, Oid) {
    let mut new = two_columns("t");
    new.columns[0].sequence = Some(request::NewColumnSequence {
        kind: request::ColumnSequenceKind::Identity { always: false },
        options: SequenceOptions::default(),
        place: None,
    });
    let mut session = bed.begin();
    let table = session.define(|writer| writer.create_table(&new)).expect("a table");
    session.commit();
    let sequence = bed.catalog.committed().relation(PUBLIC_SCHEMA_OID, "t_id_seq").expect("made with it").oid();
    (table, sequence)
}

/// nextval, in a transaction of its own.
fn next(bed: &Bed, sequence: Oid) -> i64 {
    let counter = bed.catalog.committed().sequence_by_oid(sequence).expect("there").counter();
    let mut session = bed.begin();
    let values = counter.next(&mut session.txn, 1).expect("a value");
    session.commit();
    values[0]
}

fn next_within(session: &mut Session, sequence: Oid) -> i64 {
    let counter = session.draft.snapshot().sequence_by_oid(sequence).expect("there").counter();
    counter.next(&mut session.txn, 1).expect("a value")[0]
}

#[test]
fn a_restart_comes_with_the_commit() {
    let bed = Bed::new();
    let (table, sequence) = table_with_identity(&bed);
    assert_eq!((next(&bed, sequence), next(&bed, sequence)), (1, 2));
    let mut session = bed.begin();
    session.define(|writer| writer.truncate(table, true)).expect("a truncate");
    assert_eq!(next_within(&mut session, sequence), 1);
    assert_eq!(next(&bed, sequence), 3, "others go on until the commit");
    session.commit();
    assert_eq!(next(&bed, sequence), 2);
}

#[test]
fn a_restart_goes_with_a_rollback() {
    let bed = Bed::new();
    let (table, sequence) = table_with_identity(&bed);
    assert_eq!(next(&bed, sequence), 1);
    let mut session = bed.begin();
    session.define(|writer| writer.truncate(table, true)).expect("a truncate");
    session.rollback();
    assert_eq!(next(&bed, sequence), 2);

    let mut session = bed.begin();
    let before = session.savepoint();
    session.define(|writer| writer.truncate(table, true)).expect("a truncate");
    session.rollback_to(&before);
    assert_eq!(next_within(&mut session, sequence), 3);
    session
        .define(|writer| writer.alter_sequence(sequence, &SequenceOptions::default(), Some(Some(50))))
        .expect("fits");
    session.rollback();
    assert_eq!(next(&bed, sequence), 4);
}

#[test]
fn a_crash_takes_a_restart_back_and_its_counter_goes_with_the_next_start() {
    let disk = SimDisk::new();
    let (table, sequence) = {
        let bed = Bed::on(disk.clone());
        let (table, sequence) = table_with_identity(&bed);
        assert_eq!(next(&bed, sequence), 1);
        let mut session = bed.begin();
        session.define(|writer| writer.truncate(table, true)).expect("a truncate");
        bed.system().engine().flush_log().expect("flushed");
        std::mem::forget(session);
        (table, sequence)
    };
    let bed = Bed::open(disk.crash(CrashMode::AllWrites));
    assert!(next(&bed, sequence) > 1, "the value was not taken back");
    assert_eq!(bed.system().sequence_ids().expect("ids").len(), 2, "the object numbers' and the table's");
    let mut session = bed.begin();
    session.define(|writer| writer.truncate(table, true)).expect("a truncate");
    session.commit();
    assert_eq!(next(&bed, sequence), 1);
}
