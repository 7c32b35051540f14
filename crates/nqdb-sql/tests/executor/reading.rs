//! SELECT: expressions, operators, subqueries. Expected rows are PostgreSQL 15's.

use nqdb_types::Datum;

use crate::bed::{Bed, Session};

fn with_numbers(session: &mut Session<'_>) {
    session.ok("create table t (id int primary key, a int, b text)");
    session.ok("insert into t values (1, 10, 'x'), (2, 20, 'y'), (3, 20, null), (4, null, 'x'), (5, 50, 'z')");
    session.ok("create table u (id int primary key, t_id int, c text)");
    session.ok("insert into u values (1, 1, 'one'), (2, 1, 'uno'), (3, 2, 'two'), (4, 9, 'nine'), (5, null, 'none')");
}

#[test]
fn expressions_without_a_table() {
    let bed = Bed::new();
    let mut session = bed.session();
    assert_eq!(session.rows("select 1, 'a', null, 1 + 2 * 3, true and null, false and null"), ["1|a|<>|7|<>|f"]);
    assert_eq!(session.rows("select coalesce(null, 2, 1/0), case when true then 1 else 1/0 end"), ["2|1"]);
    assert_eq!(
        session.rows("select case 2 when 1 then 'a' when 2 then 'b' end, nullif(1, 1), nullif(1, 2)"),
        ["b|<>|1"]
    );
    assert_eq!(session.rows("select greatest(1, null, 3), least(2, 1), 1 in (2, null), 1 in (1, null)"), ["3|1|<>|t"]);
    assert_eq!(
        session.rows("select null is distinct from 1, 1 is not distinct from 1, (1 = null) is unknown"),
        ["t|t|t"]
    );
    assert_eq!(session.error("select 1/0").code().as_str(), "22012");
}

#[test]
fn the_left_side_of_and_protects_the_right_one() {
    let bed = Bed::new();
    let mut session = bed.session();
    session.ok("create table d (a int, b int); insert into d values (4, 2), (4, 0)");
    assert_eq!(session.rows("select a from d where b <> 0 and a / b > 1"), ["4"]);
}

#[test]
fn filters_sorts_and_limits() {
    let bed = Bed::new();
    let mut session = bed.session();
    with_numbers(&mut session);
    assert_eq!(session.rows("select id from t where a = 20 order by id desc"), ["3", "2"]);
    assert_eq!(session.rows("select id, a from t order by a desc, id"), ["4|<>", "5|50", "2|20", "3|20", "1|10"]);
    assert_eq!(session.rows("select id from t order by a nulls first, id limit 2 offset 1"), ["1", "2"]);
    assert_eq!(session.rows("select id from t order by id limit 0"), Vec::<String>::new());
    assert_eq!(session.rows("select id from t where id in (5, 1, 5, 7) order by id"), ["1", "5"]);
    assert_eq!(session.rows("select id from t where id > 1 and id <= 3 order by id"), ["2", "3"]);
    assert_eq!(session.rows("select id from t where a is null"), ["4"]);
    assert_eq!(session.error("select id from t limit -1").code().as_str(), "2201W");
}

#[test]
fn keys_compare_across_integer_widths() {
    let bed = Bed::new();
    let mut session = bed.session();
    with_numbers(&mut session);
    assert_eq!(session.rows("select id from t where id = 3000000000"), Vec::<String>::new());
    assert_eq!(session.rows("select count(*) from t where id < 3000000000"), ["5"]);
    assert_eq!(session.rows("select count(*) from t where id > 3000000000"), ["0"]);
    assert_eq!(session.rows("select count(*) from t where id > -3000000000"), ["5"]);
    assert_eq!(session.rows("select id from t where id = 2::int8"), ["2"]);
    let outcome = session.run_with("select id from t where id = $1", &[Datum::Int8(4)]).expect("runs");
    assert_eq!(outcome.rows, ["4"]);
    let outcome = session.run_with("select id from t where id = $1::int", &[Datum::Null]).expect("runs");
    assert_eq!(outcome.rows, Vec::<String>::new());
}

#[test]
fn joins_of_every_kind() {
    let bed = Bed::new();
    let mut session = bed.session();
    with_numbers(&mut session);
    let inner = "select t.id, u.c from t join u on u.t_id = t.id order by u.id";
    assert_eq!(session.rows(inner), ["1|one", "1|uno", "2|two"]);
    let left = "select t.id, u.c from t left join u on u.t_id = t.id and u.c <> 'uno' order by t.id";
    assert_eq!(session.rows(left), ["1|one", "2|two", "3|<>", "4|<>", "5|<>"]);
    let right = "select t.id, u.c from t right join u on u.t_id = t.id order by u.id";
    assert_eq!(session.rows(right), ["1|one", "1|uno", "2|two", "<>|nine", "<>|none"]);
    let full = "select t.id, u.id from t full join u on u.t_id = t.id order by t.id, u.id";
    assert_eq!(session.rows(full), ["1|1", "1|2", "2|3", "3|<>", "4|<>", "5|<>", "<>|4", "<>|5"]);
    assert_eq!(session.rows("select count(*) from t, u"), ["25"]);
    assert_eq!(session.rows("select count(*) from t join u on t.id < u.id"), ["10"]);
    let where_right = "select t.id from t left join u on u.t_id = t.id where u.id is null order by t.id";
    assert_eq!(session.rows(where_right), ["3", "4", "5"]);
    let three = "select a.id, b.id, c.id from t a join t b on b.id = a.id + 1 join t c on c.id = b.id + 1 order by 1";
    assert_eq!(session.rows(three), ["1|2|3", "2|3|4", "3|4|5"]);
}

#[test]
fn aggregates_groups_and_distinct() {
    let bed = Bed::new();
    let mut session = bed.session();
    with_numbers(&mut session);
    assert_eq!(session.rows("select count(*), count(a), sum(a), min(b), max(a) from t"), ["5|4|100|x|50"]);
    assert_eq!(session.rows("select count(*), sum(a) from t where id > 99"), ["0|<>"]);
    assert_eq!(session.rows("select b, count(*) from t group by b order by b"), ["x|2", "y|1", "z|1", "<>|1"]);
    assert_eq!(session.rows("select a from t group by a having count(*) > 1"), ["20"]);
    assert_eq!(session.rows("select count(distinct a), sum(a) filter (where id < 3) from t"), ["3|30"]);
    assert_eq!(session.rows("select distinct a from t order by a"), ["10", "20", "50", "<>"]);
    assert_eq!(session.rows("select distinct on (b) b, id from t order by b, id desc"), ["x|4", "y|2", "z|5", "<>|3"]);
    assert_eq!(session.rows("select id from t where id > 99 group by id"), Vec::<String>::new());
}

#[test]
fn subqueries_correlated_and_not() {
    let bed = Bed::new();
    let mut session = bed.session();
    with_numbers(&mut session);
    assert_eq!(session.rows("select (select max(a) from t), (select a from t where id = 99)"), ["50|<>"]);
    let correlated = "select id, (select count(*) from u where u.t_id = t.id) from t order by id limit 2";
    assert_eq!(session.rows(correlated), ["1|2", "2|1"]);
    assert_eq!(
        session.rows("select id from t where exists (select 1 from u where t_id = t.id) order by 1"),
        ["1", "2"]
    );
    assert_eq!(session.rows("select id from t where id in (select t_id from u) order by 1"), ["1", "2"]);
    // A NULL among the values: nothing is known not to be in there.
    assert_eq!(session.rows("select id from t where id not in (select t_id from u)"), Vec::<String>::new());
    assert_eq!(session.rows("select id from t where id not in (select t_id from u) or id = 1"), ["1"]);
    assert_eq!(session.rows("select id from t where a >= all (select a from t where a is not null)"), ["5"]);
    assert_eq!(session.rows("select 1 where 1 > all (select id from t where false)"), ["1"]);
    let error = session.error("select (select id from t)");
    assert_eq!(error.code().as_str(), "21000");
    assert_eq!(error.message(), "more than one row returned by a subquery used as an expression");
    let derived = "select s.n from (select b, count(*) as n from t group by b) s where s.b = 'x'";
    assert_eq!(session.rows(derived), ["2"]);
}

#[test]
fn set_operations_treat_nulls_as_equal() {
    let bed = Bed::new();
    let mut session = bed.session();
    with_numbers(&mut session);
    assert_eq!(
        session.rows("select a from t union select t_id from u order by 1"),
        ["1", "2", "9", "10", "20", "50", "<>"]
    );
    assert_eq!(session.rows("select count(*) from (select a from t union all select t_id from u) s"), ["10"]);
    assert_eq!(session.rows("select a from t intersect select t_id from u"), ["<>"]);
    assert_eq!(session.rows("select t_id from u except select 1 order by 1"), ["2", "9", "<>"]);
    assert_eq!(session.rows("select t_id from u except all select 1 order by 1"), ["1", "2", "9", "<>"]);
    assert_eq!(session.rows("values (1), (1), (2) intersect all values (1), (1), (1)"), ["1", "1"]);
}

#[test]
fn series_and_values() {
    let bed = Bed::new();
    let mut session = bed.session();
    assert_eq!(session.rows("select * from generate_series(1, 7, 3)"), ["1", "4", "7"]);
    assert_eq!(session.rows("select sum(g) from generate_series(1, 100000) g"), ["5000050000"]);
    assert_eq!(session.rows("select column2 from (values (1, 'a'), (2, 'b')) v where column1 = 2"), ["b"]);
    assert_eq!(session.rows("with w as (select 1 as x) select x + 1 from w"), ["2"]);
}

#[test]
fn memory_has_a_limit() {
    let bed = Bed::new();
    let mut session = bed.session();
    session.memory_limit_bytes = 1 << 20;
    for query in [
        "select g from generate_series(1, 100000) g order by g",
        "select g from generate_series(1, 100000) g group by g",
        "select distinct g from generate_series(1, 100000) g",
        "select a from generate_series(1, 100000) a join generate_series(1, 100000) b on a = b",
    ] {
        assert_eq!(session.rows(query).len(), 100_000, "{query} goes on with files");
    }
    // One group, and one array, are in memory or nowhere.
    for query in [
        "select length(string_agg(g::text, ',')) from generate_series(1, 300000) g",
        "select array(select g from generate_series(1, 100000) g) is null",
    ] {
        assert_eq!(session.error(query).code().as_str(), "53200", "{query}");
    }
    // Only the best rows are kept.
    assert_eq!(session.rows("select g from generate_series(1, 100000) g order by g desc limit 2"), ["100000", "99999"]);
}

#[test]
fn a_portal_gives_out_rows_in_portions() {
    let bed = Bed::new();
    let mut session = bed.session();
    with_numbers(&mut session);
    assert_eq!(session.portions("select id from t", 2), [2, 2, 1]);
    assert_eq!(session.portions("select id from t", 5), [5, 0]);
    // All rows are changed before the first is given out.
    assert_eq!(session.portions("update t set a = 0 returning id", 2), [2, 2, 1]);
    assert_eq!(session.rows("select count(*) from t where a = 0"), ["5"]);
}
