//! Which subqueries become joins, where conditions go, which joins come first; and what must stay as it is written.

use crate::bed::{Bed, Session};

fn tables(session: &mut Session<'_>) {
    session.ok("create table t (id int primary key, a int not null, b int, c text)");
    session.ok("create table u (id int primary key, a int not null, b int, c text)");
    session.ok("create table big (id int primary key, t_id int not null, x int)");
    session.ok("insert into t select g, g % 10, nullif(g % 7, 0), 'c' || g % 5 from generate_series(1, 100) g");
    session.ok("insert into u select g, g % 10, nullif(g % 7, 0), 'c' || g % 5 from generate_series(1, 300) g");
    session.ok("insert into big select g, g % 100, g % 3 from generate_series(1, 3000) g");
    session.ok("analyze");
}

/// The plan, one line for each node and condition.
fn plan(session: &mut Session<'_>, query: &str) -> String {
    session.rows(&format!("explain (costs off) {query}")).join("\n")
}

fn has(session: &mut Session<'_>, word: &str, queries: &[&str]) {
    for query in queries {
        let plan = plan(session, query);
        assert!(plan.contains(word), "{query}\n{plan}");
    }
}

fn has_not(session: &mut Session<'_>, word: &str, queries: &[&str]) {
    for query in queries {
        let plan = plan(session, query);
        assert!(!plan.contains(word), "{query}\n{plan}");
    }
}

#[test]
fn whole_conditions_on_subqueries_become_joins() {
    let bed = Bed::new();
    let mut session = bed.session();
    tables(&mut session);
    has(
        &mut session,
        "Semi Join",
        &[
            "select * from t where exists (select 1 from u where u.a = t.b)",
            "select * from t where b in (select b from u)",
            "select * from t where b = any (select b from u where u.c = t.c)",
            "select * from t where exists (select 1 from u where u.a = t.b order by u.id limit 3)",
            "select a, count(*) from t group by a having a in (select b from u)",
        ],
    );
    has(
        &mut session,
        "Anti Join",
        &[
            "select * from t where not exists (select 1 from u where u.a = t.b)",
            "select * from t where a not in (select a from u)",
            "select * from t where a not in (select b from u where b is not null)",
            "select * from t where b is not null and b not in (select a from u)",
            "select * from t where a <> all (select a from u)",
        ],
    );
}

#[test]
fn subqueries_whose_join_would_differ_stay() {
    let bed = Bed::new();
    let mut session = bed.session();
    tables(&mut session);
    // NULL on either side of NOT IN, a subquery that runs once, one under OR, one whose rows depend on the outer row in
    // another way than by a condition, one that is volatile, one that can fail.
    has(
        &mut session,
        "Plan",
        &[
            "select * from t where b not in (select a from u)",
            "select * from t where a not in (select b from u)",
            "select * from t where exists (select 1 from u)",
            "select * from t where a = 1 or exists (select 1 from u where u.a = t.a)",
            "select * from t where exists (select 1 from u where u.a = t.a limit 0)",
            "select * from t where exists (select 1 from u where u.a = t.a offset 2)",
            "select * from t where exists (select count(*) from u where u.a = t.a)",
            "select * from t where a in (select id from u where u.a = t.a order by id limit 1)",
            "select * from t where exists (select 1 from u where u.a = t.a and random() < 2)",
            "select * from t where exists (select 1 from u where u.a = t.a and 10 / u.b > 1)",
            "select * from t where exists (select 1 from u left join t t2 on t2.id = t.id where u.id = t2.id)",
            "select a in (select b from u) from t",
        ],
    );
}

#[test]
fn correlated_aggregates_become_joins_unless_that_could_differ() {
    let bed = Bed::new();
    let mut session = bed.session();
    tables(&mut session);
    has_not(
        &mut session,
        "Plan",
        &[
            "select * from t where b < (select avg(b) from u where u.c = t.c)",
            "select id, (select count(*) from u where u.c = t.c) from t",
            "select id, (select 2 * sum(b) from u where t.c = u.c and u.b = t.b and t.a > 3) from t",
        ],
    );
    has(
        &mut session,
        "SubPlan",
        &[
            "select id, (select count(*) from u where u.b < t.b) from t",
            "select id, (select sum(u.b / u.a) from u where u.c = t.c) from t",
            "select id, (select sum(u.b + t.b) from u where u.c = t.c) from t",
            "select id, (select count(*) from u where u.c = t.c having count(*) > 1) from t",
            "select id, (select count(*) from u where u.c = t.c group by u.b limit 1) from t",
            "select id, (select max(random()) from u where u.c = t.c) from t",
            "select id, (select c from u where u.id = t.id) from t",
        ],
    );
}

#[test]
fn conditions_reach_the_scans_and_guards_stay_guards() {
    let bed = Bed::new();
    let mut session = bed.session();
    tables(&mut session);
    has(
        &mut session,
        "Index Cond: (t.id = 7)",
        &[
            "select * from t join big on big.t_id = t.id where big.t_id = 7",
            "select * from big left join t on t.id = big.t_id where big.t_id = 7",
            "select * from (select id, a from t union all select id, a from u) q where id = 7 and a in (select a from t)",
            "select * from (select distinct id, a from t) q join u on u.id = q.a where q.id = 7",
        ],
    );
    has_not(&mut session, "Left Join", &["select * from t left join u on u.id = t.a where u.b = 1"]);
    has(
        &mut session,
        "Left Join",
        &[
            "select * from t left join u on u.id = t.a where u.b is null",
            "select * from t left join u on u.id = t.a where coalesce(u.b, 1) = 1",
            "select * from t left join u on u.id = t.a where u.b = 1 or t.b = 1",
        ],
    );
    let guarded = plan(&mut session, "select 1 from t join u on u.id = t.a where u.c = 'c1' and 10 / t.b > 1");
    let (above, below) = guarded.split_once("Seq Scan on t").expect("a scan of t");
    assert!(above.contains("(10 / t.b) > 1") && !below.contains("10 / t.b"), "{guarded}");
}

#[test]
fn small_sides_come_first_and_products_last() {
    let bed = Bed::new();
    let mut session = bed.session();
    tables(&mut session);
    let chain =
        plan(&mut session, "select count(*) from big, u, t where big.t_id = t.id and t.a = u.id and u.c = 'c1'");
    assert!(!chain.contains("Nested Loop\n"), "{chain}");
    let by_key = plan(&mut session, "select big.x from big, t where t.id = big.t_id and big.id = 5");
    assert!(by_key.contains("Index Scan using t_pkey on t") && by_key.contains("big_pkey"), "{by_key}");
    // More relations than are searched in full.
    let names: Vec<String> = (0..14).map(|n| format!("t t{n}")).collect();
    let conditions: Vec<String> = (1..14).map(|n| format!("t{}.id = t{n}.id", n - 1)).collect();
    let many = format!("select count(*) from {} where {}", names.join(", "), conditions.join(" and "));
    assert_eq!(session.rows(&many), ["100"]);
    let more: Vec<String> = (0..70).map(|n| format!("t t{n}")).collect();
    let conditions: Vec<String> = (1..70).map(|n| format!("t{}.id = t{n}.id", n - 1)).collect();
    let many = format!("select count(*) from {} where {}", more.join(", "), conditions.join(" and "));
    assert_eq!(session.rows(&many), ["100"]);
}

#[test]
fn a_memo_never_costs_a_statement_its_memory() {
    let bed = Bed::new();
    let mut session = bed.session();
    tables(&mut session);
    session.memory_limit_bytes = 20_000;
    let sum = session
        .rows("select sum((select count(*) from u where u.id < big.id and u.b < 3)) from big where big.id < 400");
    session.memory_limit_bytes = 1 << 24;
    let again = session
        .rows("select sum((select count(*) from u where u.id < big.id and u.b < 3)) from big where big.id < 400");
    assert_eq!(sum, again);
}
