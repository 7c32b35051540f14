//! EXPLAIN: the layout that people and tools read.

use crate::bed::Bed;

#[test]
fn text_without_costs() {
    let bed = Bed::new();
    let mut session = bed.session();
    session.ok("create table t (id int primary key, a int, b text)");
    assert_eq!(
        session.rows("explain (costs off) select b from t where id = 1 and a > 2"),
        ["Index Scan using t_pkey on t", "  Index Cond: (id = 1)", "  Filter: (a > 2)"]
    );
    assert_eq!(
        session.rows("explain (costs off) select a, count(*) from t where b = 'x' group by a order by a desc limit 3"),
        [
            "Limit",
            "  ->  Sort",
            "        Sort Key: a DESC",
            "        ->  HashAggregate",
            "              Group Key: a",
            "              ->  Seq Scan on t",
            "                    Filter: (b = 'x'::text)",
        ]
    );
    assert_eq!(
        session.rows("explain (costs off) update t set a = 1 where id = 3"),
        ["Update on t", "  ->  Index Scan using t_pkey on t", "        Index Cond: (id = 3)"]
    );
}

#[test]
fn conditions_that_no_row_has_a_part_in_stand_at_a_node_of_their_own() {
    let bed = Bed::new();
    let mut session = bed.session();
    session.ok("create table t (id int primary key, a int)");
    let never = ["Result", "  One-Time Filter: false"];
    assert_eq!(session.rows("explain (costs off) select * from t where a = 3 and 1 = 2"), never);
    assert_eq!(session.rows("explain (costs off) select * from t join t u on t.id = u.a and false"), never);
    assert_eq!(
        session.rows("explain (costs off) update t set a = 1 where null"),
        ["Update on t", "  ->  Result", "        One-Time Filter: false"]
    );
    assert_eq!(
        session.rows("explain (costs off) select * from t where current_setting('search_path') = 'x' and a = 3"),
        [
            "Result",
            "  One-Time Filter: (current_setting('search_path'::text) = 'x'::text)",
            "  ->  Seq Scan on t",
            "        Filter: (a = 3)",
        ]
    );
}

#[test]
fn analyze_counts_rows_and_json_is_one_document() {
    let bed = Bed::new();
    let mut session = bed.session();
    session.ok("create table t (id int primary key, a int); insert into t values (1, 1), (2, 2), (3, 3)");
    let rows = session.rows("explain (analyze, costs off, timing off, summary off) select * from t where a > 1");
    assert_eq!(rows, ["Seq Scan on t (actual rows=2 loops=1)", "  Filter: (a > 1)", "  Rows Removed by Filter: 1"]);
    session.ok("explain analyze delete from t where id = 1");
    assert_eq!(session.rows("select count(*) from t"), ["2"]);
    let json = session.rows("explain (format json) select * from t where id = 1");
    assert_eq!(json.len(), 1);
    assert!(json[0].starts_with("[\n  {\n    \"Plan\": {\n      \"Node Type\": \"Index Scan\""), "{}", json[0]);
    assert!(json[0].contains("\"Index Cond\": \"(id = 1)\""), "{}", json[0]);
}
