//! Indexes over expressions and partial indexes: what plans use them for, and that they hold what their rows say.

use crate::bed::{Bed, Session};

fn shape(session: &mut Session<'_>, query: &str) -> Vec<String> {
    let lines = session.rows(&format!("explain (costs off) {query}"));
    lines.into_iter().filter(|line| !line.starts_with("Executor")).map(|line| line.trim().to_string()).collect()
}

fn with_people(session: &mut Session<'_>) {
    session.ok("create table people (id int primary key, name text, age int, live bool)");
    session.ok("insert into people select g, 'Name' || g, g % 90, g % 10 = 0 from generate_series(1, 500) g");
    session.ok("create index people_name on people (lower(name))");
    session.ok("create unique index people_live on people (name) where live and age > 10");
    session.ok("create index people_sum on people ((id + age) desc, id)");
    session.ok("analyze people");
}

/// What the tables and their indexes say about each other.
fn problems(bed: &Bed) -> Vec<String> {
    let system = bed.catalog.system();
    while system.purge_step().expect("purge runs") {}
    let committed = bed.catalog.committed();
    let check = |table: &std::sync::Arc<nqdb_catalog::TableDef>| {
        nqdb_txn::check_table(system, &table.store).expect("a table is checked").problems
    };
    committed.tables().flat_map(check).collect()
}

#[test]
fn conditions_and_orders_over_an_expression_use_its_index() {
    let bed = Bed::new();
    let mut session = bed.session();
    with_people(&mut session);
    assert_eq!(
        shape(&mut session, "select id from people where lower(name) = 'name7'"),
        ["Index Scan using people_name on people", "Index Cond: (lower(name) = 'name7'::text)"]
    );
    assert_eq!(
        shape(&mut session, "select id from people where 'name7' < lower(name) and lower(name) <= 'name8'")[0],
        "Index Scan using people_name on people"
    );
    assert_eq!(
        shape(&mut session, "select id from people order by lower(name) limit 2"),
        ["Limit", "->  Index Scan using people_name on people"]
    );
    assert_eq!(
        shape(&mut session, "select id from people order by id + age, id desc limit 2"),
        ["Limit", "->  Index Scan Backward using people_sum on people"]
    );
    assert_eq!(shape(&mut session, "select id from people where upper(name) = 'NAME7'")[0], "Seq Scan on people");
    assert_eq!(session.rows("select id from people where lower(name) = 'name7'"), ["7"]);
    assert_eq!(session.rows("select id from people order by lower(name) limit 3"), ["1", "10", "100"]);
}

#[test]
fn a_partial_index_serves_what_implies_its_condition() {
    let bed = Bed::new();
    let mut session = bed.session();
    with_people(&mut session);
    let uses = |session: &mut Session<'_>, condition: &str| {
        let query = format!("select id from people where {condition}");
        shape(session, &query)[0].contains("people_live")
    };
    for condition in [
        "name = 'Name20' and live and age > 10",
        "name = 'Name20' and live and age > 20",
        "name = 'Name20' and age = 11 and live",
        "name = 'Name20' and live and age in (11, 12)",
        "name = 'Name20' and live and (age > 12 or age = 11)",
    ] {
        assert!(uses(&mut session, condition), "{condition}");
    }
    for condition in [
        "name = 'Name20'",
        "name = 'Name20' and live",
        "name = 'Name20' and live and age > 9",
        "name = 'Name20' and live and age in (10, 11)",
        "name = 'Name20' and (live or age > 20)",
    ] {
        assert!(!uses(&mut session, condition), "{condition}");
    }
    assert_eq!(
        shape(&mut session, "select id from people where name = 'Name20' and live and age > 10"),
        ["Index Scan using people_live on people", "Index Cond: (name = 'Name20'::text)"]
    );
    assert_eq!(session.rows("select id from people where name = 'Name20' and live and age > 10"), ["20"]);
}

#[test]
fn entries_follow_the_rows_through_every_write() {
    let bed = Bed::new();
    let mut session = bed.session();
    with_people(&mut session);
    session.ok("update people set age = 5 where id = 20");
    session.ok("update people set age = 50, name = upper(name) where id = 30");
    session.ok("update people set live = true where id between 41 and 45");
    session.ok("delete from people where id between 100 and 120");
    session.ok("insert into people values (600, 'Name20', 5, true), (601, 'Name20', 60, true)");
    let error = session.error("insert into people values (602, 'Name20', 61, true)");
    assert_eq!(error.code(), nqdb_sqlstate::UNIQUE_VIOLATION);
    assert_eq!(error.detail(), Some("Key (name)=(Name20) already exists."));
    session.ok(
        "insert into people values (602, 'Name20', 61, true) on conflict (name) where live and age > 10 do nothing",
    );
    session.ok("begin");
    session.ok("update people set name = name || 'x', live = not live");
    session.ok("delete from people where lower(name) > 'name3'");
    session.ok("rollback");
    assert_eq!(problems(&bed), Vec::<String>::new());
    assert_eq!(session.rows("select id from people where lower(name) = 'name30'"), ["30"]);
    assert_eq!(session.rows("select id from people where name = 'Name20' and live and age > 10"), ["601"]);
    session.ok("reindex table people");
    assert_eq!(problems(&bed), Vec::<String>::new());
    assert_eq!(
        session.rows("select count(*) from people where lower(name) >= 'name' and lower(name) < 'namf'"),
        ["481"]
    );
}

/// Versions from before an index was built may be such that its expression fails for them.
#[test]
fn purge_passes_versions_that_an_index_was_never_built_for() {
    let bed = Bed::new();
    let mut session = bed.session();
    session.ok("create table t (a int, b int)");
    session.ok("insert into t values (0, 1), (0, 2), (3, 3)");
    session.ok("update t set a = 1 where b = 1");
    session.ok("delete from t where b = 2");
    session.ok("create index t_a on t ((12 / a))");
    assert_eq!(session.error("insert into t values (0, 4)").code(), nqdb_sqlstate::DIVISION_BY_ZERO);
    session.ok("update t set a = 2 where b = 1");
    assert_eq!(problems(&bed), Vec::<String>::new());
    assert_eq!(session.rows("select b from t where 12 / a = 6"), ["1"]);
}
