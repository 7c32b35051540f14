//! What each isolation level lets through and what it stops, as PostgreSQL's manual ("Transaction Isolation") says.

use crate::bed::*;
use nqdb_txn::*;

fn with_two_rows() -> Bed {
    let bed = Bed::new();
    let mut setup = bed.begin();
    bed.insert(&mut setup, &row(1, 10, "a")).expect("insert");
    bed.insert(&mut setup, &row(2, 20, "b")).expect("insert");
    bed.commit(setup);
    bed
}

/// What a transaction reads before and after another one changes a row and adds one.
fn reads_around_a_commit(isolation: Isolation) -> (usize, usize, Vec<Row>) {
    let bed = with_two_rows();
    let mut reader = bed.start(isolation);
    let before = bed.rows(&reader.view()).len();
    let mut writer = bed.begin();
    bed.update(&mut writer, 1, &row(1, 11, "changed")).expect("update");
    bed.insert(&mut writer, &row(3, 30, "new")).expect("insert");
    bed.statement(&mut reader);
    let during = bed.rows(&reader.view()).len();
    bed.commit(writer);
    bed.statement(&mut reader);
    let mut after = bed.rows(&reader.view());
    after.sort();
    (before, during, after)
}

#[test]
fn read_committed_sees_each_commit_and_repeatable_read_sees_none() {
    let (before, during, after) = reads_around_a_commit(Isolation::ReadCommitted);
    assert_eq!((before, during), (2, 2), "nothing is seen before it is committed");
    assert_eq!(after, vec![row(1, 11, "changed"), row(2, 20, "b"), row(3, 30, "new")]);
    let (before, during, after) = reads_around_a_commit(Isolation::RepeatableRead);
    assert_eq!((before, during), (2, 2));
    assert_eq!(after, vec![row(1, 10, "a"), row(2, 20, "b")]);
}

#[test]
fn repeatable_read_loses_no_update_and_no_delete() {
    for delete in [false, true] {
        let bed = with_two_rows();
        let mut slow = bed.start(Isolation::RepeatableRead);
        let mut fast = bed.begin();
        match delete {
            true => bed.delete(&mut fast, 1).expect("delete"),
            false => bed.update(&mut fast, 1, &row(1, 15, "fast")).expect("update"),
        };
        bed.commit(fast);
        match bed.update(&mut slow, 1, &row(1, 11, "slow")) {
            Err(TxnError::SerializationFailure { deleted }) => assert_eq!(deleted, delete),
            other => panic!("{other:?}"),
        }
        slow.rollback().expect("rollback");
        let expected = if delete { vec![row(2, 20, "b")] } else { vec![row(1, 15, "fast"), row(2, 20, "b")] };
        assert_eq!(bed.committed(), expected);
    }
}

#[test]
fn an_error_owed_to_an_unsynced_commit_waits_for_its_sync() {
    let bed = with_two_rows();
    let mut slow = bed.start(Isolation::RepeatableRead);
    let mut fast = bed.begin();
    bed.update(&mut fast, 1, &row(1, 15, "fast")).expect("update");
    let commit = fast.commit().expect("commit");
    assert!(matches!(bed.update(&mut slow, 1, &row(1, 11, "slow")), Err(TxnError::SerializationFailure { .. })));
    assert_eq!(slow.depends_on(), commit.durable_lsn, "a crash could still take back what the error speaks of");
    bed.system.engine().flush_log().expect("flushed");
    assert_eq!(slow.depends_on(), None);
}

#[test]
fn repeatable_read_lets_write_skew_through() {
    let bed = with_two_rows();
    let (mut first, mut second) = (bed.start(Isolation::RepeatableRead), bed.start(Isolation::RepeatableRead));
    let sum = |txn: &Transaction| bed.rows(&txn.view()).iter().filter_map(|row| row.1).sum::<i32>();
    assert_eq!((sum(&first), sum(&second)), (30, 30));
    bed.update(&mut first, 1, &row(1, -10, "a")).expect("update");
    bed.update(&mut second, 2, &row(2, -10, "b")).expect("update");
    bed.commit(first);
    bed.commit(second);
    assert_eq!(bed.committed(), vec![row(1, -10, "a"), row(2, -10, "b")]);
}

#[test]
fn a_lock_on_the_relation_shows_the_commits_that_let_it_go() {
    let bed = Bed::new();
    let (mut writer, mut queued) = (bed.begin(), bed.begin());
    writer.lock_relation(TABLE, RelationLock::RowExclusive).expect("free");
    bed.insert(&mut writer, &row(1, 10, "a")).expect("insert");
    assert!(matches!(queued.lock_relation(TABLE, RelationLock::Share), Err(TxnError::Wait(_))));
    let commit = writer.commit().expect("commit");
    queued.lock_relation(TABLE, RelationLock::Share).expect("the commit let it go");
    let mut late = bed.begin();
    assert!(late.try_lock_relation(TABLE, RelationLock::Share).expect("an answer"));
    let mut reader = bed.begin();
    reader.lock_relation(TABLE, RelationLock::AccessShare).expect("free");
    assert!(reader.begin_statement().is_ok(), "who keeps no writer out need not wait");
    for txn in [&mut queued, &mut late] {
        assert_eq!(txn.depends_on(), commit.durable_lsn, "a snapshot before the sync would miss the row");
        assert!(matches!(txn.begin_statement(), Err(TxnError::Wait(Wait::Log(_)))));
    }
    bed.system.wait_durable_blocking(commit.durable_lsn.expect("written")).expect("synced");
    assert!(queued.begin_statement().is_ok());
}
