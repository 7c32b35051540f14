//! Two sessions on one row: waits, the second look of READ COMMITTED, 40001 of REPEATABLE READ.

use nqdb_txn::Isolation;

use crate::bed::{Bed, Progress, Session};

fn waits(session: &mut Session<'_>, running: &mut crate::bed::Running) {
    match session.advance(running).expect("no error yet") {
        Progress::Waits => {}
        Progress::Done(outcome) => panic!("it did not wait: {outcome:?}"),
    }
}

fn with_rows(session: &mut Session<'_>) {
    session.ok("create table t (id int primary key, a int); insert into t values (1, 10), (2, 20)");
}

#[test]
fn an_update_waits_and_builds_on_the_newest_version() {
    let bed = Bed::new();
    let (mut first, mut second) = (bed.session(), bed.session());
    with_rows(&mut first);
    first.ok("begin; update t set a = a + 1 where id = 1");
    let mut running = second.start("update t set a = a * 2 where id = 1 returning a");
    waits(&mut second, &mut running);
    first.ok("commit");
    assert_eq!(second.resume(&mut running).expect("goes on").rows, ["22"]);
}

#[test]
fn a_row_that_no_longer_passes_is_skipped() {
    let bed = Bed::new();
    let (mut first, mut second) = (bed.session(), bed.session());
    with_rows(&mut first);
    first.ok("begin; update t set a = 99 where id = 1");
    let mut running = second.start("delete from t where id = 1 and a = 10");
    waits(&mut second, &mut running);
    first.ok("commit");
    assert_eq!(second.resume(&mut running).expect("goes on").tag, "DELETE 0");
    first.ok("begin; update t set id = 7 where id = 2");
    let mut running = second.start("update t set a = 0 where id = 2");
    waits(&mut second, &mut running);
    first.ok("commit");
    assert_eq!(second.resume(&mut running).expect("goes on").tag, "UPDATE 0");
    assert_eq!(first.rows("select * from t order by id"), ["1|99", "7|20"]);
}

#[test]
fn a_rollback_lets_the_waiter_change_what_it_saw() {
    let bed = Bed::new();
    let (mut first, mut second) = (bed.session(), bed.session());
    with_rows(&mut first);
    first.ok("begin; delete from t where id = 1");
    let mut running = second.start("update t set a = a + 1 where id = 1 returning a");
    waits(&mut second, &mut running);
    first.ok("rollback");
    assert_eq!(second.resume(&mut running).expect("goes on").rows, ["11"]);
}

#[test]
fn repeatable_read_gives_up_on_a_changed_row() {
    let bed = Bed::new();
    let (mut first, mut second) = (bed.session(), bed.session());
    with_rows(&mut first);
    second.isolation = Isolation::RepeatableRead;
    second.ok("begin; select * from t");
    first.ok("update t set a = 0 where id = 1");
    let error = second.error("update t set a = 1 where id = 1");
    assert_eq!(error.code().as_str(), "40001");
    assert_eq!(error.message(), "could not serialize access due to concurrent update");
}

#[test]
fn an_insert_waits_for_the_owner_of_its_key() {
    let bed = Bed::new();
    let (mut first, mut second) = (bed.session(), bed.session());
    with_rows(&mut first);
    first.ok("begin; insert into t values (3, 30)");
    let mut running = second.start("insert into t values (3, 31)");
    waits(&mut second, &mut running);
    first.ok("rollback");
    assert_eq!(second.resume(&mut running).expect("goes on").tag, "INSERT 0 1");
    first.ok("begin; insert into t values (4, 40)");
    let mut running = second.start("insert into t values (4, 41)");
    waits(&mut second, &mut running);
    first.ok("commit");
    assert_eq!(second.resume(&mut running).expect_err("a duplicate").code().as_str(), "23505");
}

#[test]
fn an_upsert_waits_then_updates_or_inserts() {
    let bed = Bed::new();
    let (mut first, mut second) = (bed.session(), bed.session());
    with_rows(&mut first);
    let upsert = "insert into t values (3, 1) on conflict (id) do update set a = t.a + excluded.a returning a";
    first.ok("begin; insert into t values (3, 30)");
    let mut running = second.start(upsert);
    waits(&mut second, &mut running);
    first.ok("commit");
    assert_eq!(second.resume(&mut running).expect("goes on").rows, ["31"]);
    first.ok("begin; update t set a = 50 where id = 3");
    let mut running = second.start(upsert);
    waits(&mut second, &mut running);
    first.ok("commit");
    assert_eq!(second.resume(&mut running).expect("goes on").rows, ["51"]);
    first.ok("begin; delete from t where id = 3");
    let mut running = second.start(upsert);
    waits(&mut second, &mut running);
    first.ok("commit");
    assert_eq!(second.resume(&mut running).expect("goes on").rows, ["1"]);
}

#[test]
fn do_nothing_of_repeatable_read_refuses_what_it_cannot_see() {
    let bed = Bed::new();
    let (mut first, mut second) = (bed.session(), bed.session());
    with_rows(&mut first);
    second.isolation = Isolation::RepeatableRead;
    second.ok("begin; select * from t");
    first.ok("insert into t values (3, 30)");
    assert_eq!(second.ok("insert into t values (2, 0) on conflict do nothing").tag, "INSERT 0 0");
    let error = second.error("insert into t values (3, 0) on conflict do nothing");
    assert_eq!(error.code().as_str(), "40001");
}
