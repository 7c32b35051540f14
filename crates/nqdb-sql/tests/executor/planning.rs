//! Access paths: which index is read, and that the rows are right whichever it is.

use crate::bed::{Bed, Session};

fn with_indexes(session: &mut Session<'_>) {
    session.ok("create table t (id int primary key, a int, b int, c text)");
    session.ok("create index t_a_b on t (a, b desc)");
    session.ok("create index t_c on t (c)");
    session.ok("insert into t select g, g % 10, g % 7, 'c' || g % 50 from generate_series(1, 500) g");
    session.ok("insert into t values (1000, null, 1, null), (1001, 3, null, 'c1')");
    session.ok("analyze t");
}

fn shape(session: &mut Session<'_>, query: &str) -> Vec<String> {
    let lines = session.rows(&format!("explain (costs off) {query}"));
    lines.into_iter().filter(|line| !line.starts_with("Executor")).map(|line| line.trim().to_string()).collect()
}

#[test]
fn equalities_and_a_range_use_the_longest_prefix() {
    let bed = Bed::new();
    let mut session = bed.session();
    with_indexes(&mut session);
    assert_eq!(
        shape(&mut session, "select id from t where a = 3 and b > 2 and b <= 5"),
        ["Index Scan using t_a_b on t", "Index Cond: ((a = 3) AND (b > 2) AND (b <= 5))"]
    );
    assert_eq!(
        shape(&mut session, "select id from t where id in (3, 1, 2)"),
        ["Index Scan using t_pkey on t", "Index Cond: (id IN (3, 1, 2))"]
    );
    assert_eq!(
        shape(&mut session, "select id from t where id = any('{3,1}')"),
        ["Index Scan using t_pkey on t", "Index Cond: (id = ANY ('{3,1}'::integer[]))"]
    );
    assert_eq!(session.rows("select id from t where id = any('{3,1,3,null,9999}') order by id"), ["1", "3"]);
    assert_eq!(shape(&mut session, "select c from t where c = 'c7'")[0], "Index Scan using t_c on t");
    assert_eq!(shape(&mut session, "select id from t where b = 3")[0], "Seq Scan on t");
}

#[test]
fn an_index_gives_the_order_in_both_directions() {
    let bed = Bed::new();
    let mut session = bed.session();
    with_indexes(&mut session);
    let forward = shape(&mut session, "select id from t order by id limit 3");
    assert_eq!(forward, ["Limit", "->  Index Scan using t_pkey on t"]);
    let backward = shape(&mut session, "select id from t order by id desc limit 3");
    assert_eq!(backward, ["Limit", "->  Index Scan Backward using t_pkey on t"]);
    let mixed = shape(&mut session, "select id from t where a = 3 order by b desc limit 3");
    assert_eq!(mixed[1], "->  Index Scan using t_a_b on t");
    assert_eq!(session.rows("select id from t order by id desc limit 3"), ["1001", "1000", "500"]);
    assert_eq!(session.rows("select id from t order by a desc nulls last, b limit 1"), ["49"]);
}

/// Whatever the access path, the rows are those of the full scan.
#[test]
fn every_path_finds_the_same_rows() {
    let bed = Bed::new();
    let mut session = bed.session();
    with_indexes(&mut session);
    session.ok("create table plain (id int, a int, b int, c text)");
    session.ok("insert into plain select * from t");
    let conditions = [
        "a = 3",
        "a = 3 and b > 2",
        "a = 3 and b < 2",
        "a = 3 and b >= 2 and b < 6",
        "a = 3 and b is null",
        "a is null",
        "a > 7",
        "a <= 1",
        "a < 0",
        "a in (1, 9, 5, 1) and b = 3",
        "a in (1, null)",
        "a in (null)",
        "c = 'c1'",
        "c > 'c40'",
        "c >= 'c4' and c < 'c5'",
        "id between 10 and 20",
        "id > 5 and id > 490",
        "3 = a and 2 < b",
        "id = null",
        "a = 3 and a = 4",
        "a = 9223372036854775807",
        "a < 9223372036854775807",
    ];
    for condition in conditions {
        for order in ["id", "id desc", "a, b desc, id", "a desc, b, id", "b, id"] {
            let tail = format!("where {condition} order by {order}");
            let expected = session.rows(&format!("select id, a, b, c from plain {tail}"));
            let found = session.rows(&format!("select id, a, b, c from t {tail}"));
            assert_eq!(found, expected, "{tail}");
            let limited = session.rows(&format!("select id from t {tail} limit 3"));
            let expected: Vec<&str> =
                expected.iter().take(3).map(|row| row.split('|').next().expect("a column")).collect();
            assert_eq!(limited, expected, "{tail} limit 3");
        }
    }
}

#[test]
fn a_join_looks_up_the_inner_side_by_its_index() {
    let bed = Bed::new();
    let mut session = bed.session();
    with_indexes(&mut session);
    session.ok("create table small (k int); insert into small values (3), (4), (null)");
    let lines = shape(&mut session, "select t.id from small join t on t.id = small.k");
    assert_eq!(
        lines,
        ["Nested Loop", "->  Seq Scan on small", "->  Index Scan using t_pkey on t", "Index Cond: (t.id = small.k)"]
    );
    assert_eq!(session.rows("select t.id from small join t on t.id = small.k order by 1"), ["3", "4"]);
    assert_eq!(session.rows("select k, t.id from small left join t on t.id = k order by 1"), ["3|3", "4|4", "<>|<>"]);
    let hashed = shape(&mut session, "select count(*) from t x join t y on x.b = y.b");
    assert!(hashed.iter().any(|line| line.contains("Hash Join")), "{hashed:?}");
    assert_eq!(session.rows("select count(*) from t x join t y on x.b = y.b and x.id = y.id"), ["501"]);
}
