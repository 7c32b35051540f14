//! INSERT, UPDATE, DELETE: what they store, and PostgreSQL's words when they must not.

use crate::bed::{Bed, Session};

fn with_table(session: &mut Session<'_>) {
    session.ok(
        "create table t (id int primary key, a int not null default 7, b text, constraint a_small check (a < 100))",
    );
}

#[test]
fn rows_go_in_change_and_go_out() {
    let bed = Bed::new();
    let mut session = bed.session();
    with_table(&mut session);
    assert_eq!(session.ok("insert into t values (1, 1, 'x'), (2, 2, 'y')").tag, "INSERT 0 2");
    assert_eq!(session.ok("insert into t (id) values (3)").tag, "INSERT 0 1");
    assert_eq!(session.ok("update t set a = a + 1 where id >= 2").tag, "UPDATE 2");
    assert_eq!(session.ok("delete from t where id = 1").tag, "DELETE 1");
    assert_eq!(session.rows("select * from t order by id"), ["2|3|y", "3|8|<>"]);
    assert_eq!(session.rows("insert into t select id + 10, a, b from t returning id, a * 2"), ["12|6", "13|16"]);
    assert_eq!(session.rows("update t set id = id + 100 where id > 10 returning id, b"), ["112|y", "113|<>"]);
    assert_eq!(session.rows("delete from t where id = 112 returning *"), ["112|3|y"]);
    assert_eq!(session.rows("select id from t order by id"), ["2", "3", "113"]);
}

#[test]
fn an_update_of_its_own_key_meets_no_row_twice() {
    let bed = Bed::new();
    let mut session = bed.session();
    session.ok("create table k (id int); create index on k (id)");
    session.ok("insert into k select g from generate_series(1, 1000) g");
    assert_eq!(session.ok("update k set id = id + 500 where id > 0").tag, "UPDATE 1000");
    assert_eq!(session.rows("select min(id), max(id), count(*) from k"), ["501|1500|1000"]);
}

#[test]
fn violations_are_told_in_postgresqls_words() {
    let bed = Bed::new();
    let mut session = bed.session();
    with_table(&mut session);
    session.ok("insert into t values (1, 1, 'x')");
    let error = session.error("insert into t values (2, null, 'y')");
    assert_eq!(error.code().as_str(), "23502");
    assert_eq!(error.message(), "null value in column \"a\" of relation \"t\" violates not-null constraint");
    assert_eq!(error.detail(), Some("Failing row contains (2, null, y)."));
    assert_eq!((error.table(), error.column()), (Some("t"), Some("a")));
    let error = session.error("insert into t values (1, 2, 'y')");
    assert_eq!(error.code().as_str(), "23505");
    assert_eq!(error.message(), "duplicate key value violates unique constraint \"t_pkey\"");
    assert_eq!(error.detail(), Some("Key (id)=(1) already exists."));
    assert_eq!(error.constraint(), Some("t_pkey"));
    let error = session.error("update t set a = 100");
    assert_eq!(error.code().as_str(), "23514");
    assert_eq!(error.message(), "new row for relation \"t\" violates check constraint \"a_small\"");
    assert_eq!(error.detail(), Some("Failing row contains (1, 100, x)."));
    assert_eq!(session.rows("select * from t"), ["1|1|x"]);
}

#[test]
fn on_conflict_does_nothing_or_updates() {
    let bed = Bed::new();
    let mut session = bed.session();
    with_table(&mut session);
    session.ok("insert into t values (1, 1, 'x')");
    assert_eq!(session.ok("insert into t values (1, 2, 'y'), (2, 2, 'y') on conflict do nothing").tag, "INSERT 0 1");
    let upsert = "insert into t values (1, 5, 'n'), (3, 5, 'n') on conflict (id) do update set a = t.a + excluded.a returning id, a, b";
    assert_eq!(session.rows(upsert), ["1|6|x", "3|5|n"]);
    let skipped = "insert into t values (1, 5, 'n') on conflict (id) do update set a = 0 where t.a > 50";
    assert_eq!(session.ok(skipped).tag, "INSERT 0 0");
    let twice = session.error("insert into t values (9, 1, 'x'), (9, 2, 'y') on conflict (id) do update set a = 3");
    assert_eq!(twice.code().as_str(), "21000");
    assert_eq!(twice.message(), "ON CONFLICT DO UPDATE command cannot affect row a second time");
    let nothing_twice = "insert into t values (9, 1, 'x'), (9, 2, 'y') on conflict do nothing";
    assert_eq!(session.ok(nothing_twice).tag, "INSERT 0 1");
    let check = session.error("insert into t values (1, 1, 'x') on conflict (id) do update set a = 100");
    assert_eq!(check.code().as_str(), "23514");
    assert_eq!(session.rows("select id, a from t order by id"), ["1|6", "2|2", "3|5", "9|1"]);
}

#[test]
fn a_conflict_elsewhere_than_in_the_arbiter_is_an_error_unless_both_conflict() {
    let bed = Bed::new();
    let mut session = bed.session();
    session.ok("create table m (a int primary key, b int unique)");
    session.ok("insert into m values (1, 1)");
    assert_eq!(session.error("insert into m values (2, 1) on conflict (a) do nothing").code().as_str(), "23505");
    assert_eq!(session.error("insert into m values (1, 2) on conflict (b) do nothing").code().as_str(), "23505");
    assert_eq!(session.ok("insert into m values (1, 1) on conflict (b) do nothing").tag, "INSERT 0 0");
    assert_eq!(session.ok("insert into m values (1, 1) on conflict (a) do nothing").tag, "INSERT 0 0");
}

#[test]
fn subqueries_in_changes_see_the_state_before_the_statement() {
    let bed = Bed::new();
    let mut session = bed.session();
    with_table(&mut session);
    session.ok("insert into t values (1, 1, 'x'), (2, 2, 'y'), (3, 3, 'z')");
    session.ok("update t set a = (select max(a) from t) where id in (select id from t where a < 3)");
    assert_eq!(session.rows("select id, a from t order by id"), ["1|3", "2|3", "3|3"]);
    session.ok("delete from t where id > (select min(id) from t)");
    assert_eq!(session.rows("select id from t"), ["1"]);
}

#[test]
fn many_rows_yield_and_go_on() {
    let bed = Bed::new();
    let mut session = bed.session();
    with_table(&mut session);
    assert_eq!(session.ok("insert into t (id) select g from generate_series(1, 5000) g").tag, "INSERT 0 5000");
    assert_eq!(session.ok("update t set a = 1 where id % 2 = 0").tag, "UPDATE 2500");
    assert_eq!(session.rows("select a, count(*) from t group by a order by a"), ["1|2500", "7|2500"]);
}
