//! Statements that need more memory than there is: the same answers with the help of temporary files.

use nqdb_storage::disk::{Call, Fault};

use crate::bed::{Bed, Session};

const LITTLE: usize = 64 << 10;
const MUCH: usize = 1 << 30;

/// `big` has 6,000 rows in no order, `other` 3,000 of which a third have a partner; `k` of both is the same in most rows.
fn with_tables(session: &mut Session<'_>) {
    session
        .run(
            "create table big (id int4 primary key, g int4, k int4, t text, n numeric);
             insert into big select (i * 7919) % 6000, i % 700, case when i % 10 = 0 then i end,
                 repeat(chr(97 + i % 26), i % 50) || i, i / 7.0 from generate_series(1, 6000) i;
             create table other (id int4, g int4, t text);
             insert into other select case when i % 97 = 0 then null else i * 3 % 9000 end, 5, md5(i::text)
                 from generate_series(1, 3000) i",
        )
        .expect("the tables are new");
}

/// The rows of a query with little memory and with much, and whether they had to be the same as they came.
fn compare(bed: &Bed, session: &mut Session<'_>, query: &str, in_order: bool) {
    let before = bed.temporary_use();
    (session.work_memory_bytes, session.memory_limit_bytes) = (MUCH, MUCH);
    let mut expected = session.rows(query);
    assert_eq!(bed.temporary_use(), before, "{query}: there was memory enough");
    session.work_memory_bytes = LITTLE;
    let mut rows = session.rows(query);
    let after = bed.temporary_use();
    assert!(after.files > before.files && after.bytes > before.bytes, "{query}: no file was written");
    assert_eq!((after.open_files, after.open_bytes), (0, 0), "{query}: a file is left");
    if !in_order {
        expected.sort();
        rows.sort();
    }
    assert_eq!(rows.len(), expected.len(), "{query}");
    let different = rows.iter().zip(&expected).find(|(row, expected)| row != expected);
    assert_eq!(different, None, "{query}");
}

fn compare_all(queries: &[impl AsRef<str>], in_order: bool) {
    let bed = Bed::new();
    let mut session = bed.session();
    with_tables(&mut session);
    for query in queries {
        compare(&bed, &mut session, query.as_ref(), in_order);
    }
}

#[test]
fn sorts_merge_what_they_wrote() {
    compare_all(
        &[
            "select * from big order by id + 0",
            "select * from big order by k desc nulls last, t, id",
            "select g, t from big order by g desc",
            "select * from big order by t, id offset 10 limit 4000",
            "select id from big order by n + 1 desc, id limit 3000",
            "select * from (select * from big order by g, id) s where g % 3 = 1",
        ],
        true,
    );
}

#[test]
fn joins_divide_both_sides() {
    compare_all(
        &[
            "select * from other o join big b on b.id = o.id",
            "select * from other o left join big b on b.id = o.id and b.n > 100",
            "select * from big b right join other o on b.id = o.id and b.n > 100",
            "select * from other o full join big b on b.id = o.id",
            "select * from big b full join big c on b.k = c.id",
            "select * from other o where exists (select 1 from big b where b.id = o.id and b.t > o.t)",
            "select * from other o where not exists (select 1 from big b where b.id = o.id and b.t > o.t)",
            "select count(*), sum(a.id), max(b.t) from big a join big b on a.g = b.g and a.t < b.t where a.id < 3000",
            "select * from big b join other o on b.id = o.id join big c on c.k = o.id",
            "select a.id, b.id from big a join big b on a.t = b.t and a.n = b.n where a.g > 5",
        ],
        false,
    );
}

#[test]
fn one_key_for_all_rows_comes_in_portions() {
    compare_all(
        &[
            "select count(*), sum(o.id), min(b.t) from few o join many b on b.five = o.g",
            "select o.id, o.t from few o where not exists (select 1 from many b where b.five = o.g and b.id = o.id + 1)",
            "select o.id, o.t from few o where exists (select 1 from many b where b.five = o.g and b.id = o.id + 1)",
            "select o.id, b.t from few o left join many b on b.five = o.g and b.id = o.id + 1",
            "select o.id, b.t from few o full join many b on b.five = o.g and b.t like o.t || '%'",
            "select count(*), count(b.id) from few o left join many b on b.n between o.id and o.id + 1",
        ]
        .map(|query| {
            format!(
                "with few as not materialized (select * from other where id < 1200), \
                 many as not materialized (select g * 0 + 5 as five, id, t, n from big where id < 1000) {query}"
            )
        }),
        false,
    );
}

#[test]
fn the_order_of_the_left_side_outlives_files() {
    let bed = Bed::new();
    let mut session = bed.session();
    with_tables(&mut session);
    let query = "select b.id, o.t from big b left join other o on b.id = o.id order by b.id";
    let plan = session.rows(&format!("explain (costs off) {query}")).join("\n");
    assert!(!plan.contains("Sort") && plan.contains("Hash Left Join"), "{plan}");
    compare(&bed, &mut session, query, true);
    compare(
        &bed,
        &mut session,
        "select b.id from big b where not exists (select 1 from other o where o.id = b.id) order by b.id",
        true,
    );
    compare(&bed, &mut session, "select distinct on (g) g, id, t from big order by g, id", true);
    compare(&bed, &mut session, "select distinct on (t) t, id from big order by t, id desc", true);
}

#[test]
fn groups_and_distinct_rows_wait_in_files() {
    compare_all(
        &[
            "select t, count(*), sum(n), max(id) from big group by t",
            "select id % 5000, sum(n), count(*) filter (where g > 300), avg(g) from big group by 1",
            "select g, t, count(*), grouping(g, t) from big group by grouping sets ((g), (t), (g, t), ())",
            "select id % 3000, count(distinct g), string_agg(t, ',' order by t desc) from big group by 1",
            "select k, array_agg(id order by id) from (select id % 2500 as k, id from big) s group by k having count(*) > 1",
            "select distinct t, g from big",
            "select distinct k, g, n from big",
            "select t from big union select t from other",
            "select id, t from big intersect select id, t from big where g > 100",
            "select id % 4000 from big intersect all select id % 3000 from big",
            "select id, t from big except select id, t from big where g > 300",
            "select id % 4000 from big except all select id % 3000 from big where g < 350",
            "select t from other except select t from big",
        ],
        false,
    );
}

#[test]
fn kept_rows_are_read_from_files() {
    compare_all(
        &[
            "with w as materialized (select * from big) select a.id, b.t from w a join w b on a.id = b.id + 1 order by 1",
            "with recursive r(n, t) as (select id, t from big union all select n + 10000, t from r where n < 20000)
             select n, t from r order by n, t",
            "with recursive r(n) as (select id from big union all select n + 1 from (select n from r) s where n < 0)
             select count(*), sum(n) from r a",
        ],
        true,
    );
}

#[test]
fn windows_look_into_files() {
    compare_all(
        &[
            "select id, row_number() over (order by id), lag(t, 2, 'none') over (order by id), lead(t, 700) over (order by id),
                 sum(n) over (order by id rows between 3 preceding and 1 following) from big order by id",
            "select id, rank() over (order by g), dense_rank() over (order by g), ntile(7) over (order by g, id),
                 first_value(t) over (order by g, id), nth_value(t, 3000) over (order by g, id),
                 last_value(t) over (order by g, id range between unbounded preceding and unbounded following)
             from big order by id",
            "select id, count(*) over (), min(n) over (order by g rows between 100 preceding and current row),
                 sum(g) filter (where id % 2 = 0) over (order by g range between 5 preceding and 5 following),
                 string_agg(t, '') over (order by id rows between 1 preceding and current row exclude current row),
                 cume_dist() over (order by g), percent_rank() over (order by g)
             from big order by id",
            "select id, sum(n) over (partition by id % 2 order by id), max(t) over (partition by id % 2) from big order by id",
        ],
        true,
    );
}

#[test]
fn values_of_all_types_come_back_from_files() {
    let bed = Bed::new();
    let mut session = bed.session();
    compare(
        &bed,
        &mut session,
        "select i, i::int2, i::int8 * 10000000000, i / 7.0::float4, sqrt(i), i::numeric / 3, 'NaN'::numeric, i % 2 = 0,
             repeat('x', i % 9), ('\\x' || lpad(to_hex(i), 8, '0'))::bytea, date '2020-01-01' + i,
             time '00:00' + i * interval '1 s', timestamp '2020-01-01' + i * interval '1 h',
             timestamptz '2020-01-01 00:00+00' + i * interval '1 h', i * interval '1 day 2 s',
             ('12:00:00+0' || i % 9)::timetz, i::oid, md5(i::text)::uuid, array[i, null, i + 1], array[[i, 2], [3, 4]]::int8[],
             array[i::text, 'a'], row(i, 'b', null), json_build_object('a', i),
             jsonb_build_object('b', array[i]), i::bit(20), B'101'::varbit,
             '$.a'::jsonpath, case when i % 3 > 0 then i end, 'abc'::char(7), 'n'::name
         from generate_series(1, 3000) i order by 1 desc",
        true,
    );
}

#[test]
fn a_full_disk_ends_the_statement_alone() {
    let bed = Bed::new();
    let mut session = bed.session();
    with_tables(&mut session);
    session.work_memory_bytes = LITTLE;
    for query in [
        "select * from big order by t",
        "select * from other o join big b on b.id = o.id",
        "select t, count(*) from big group by t",
        "select distinct t from big",
        "with w as materialized (select * from big) select count(*) from w a, w b where a.id = b.id",
    ] {
        let calls = bed.temporary_disk().calls(Call::Write);
        bed.temporary_disk().fail_at(Call::Write, calls + 3, Fault::Enospc);
        let error = session.error(query);
        assert_eq!(error.code().as_str(), "53100", "{query}");
        assert!(error.message().contains("No space left on device"), "{query}: {}", error.message());
        assert_eq!(bed.temporary_use().open_files, 0, "{query}");
        assert!(!session.rows(query).is_empty(), "{query} works again");
    }
}

#[test]
fn explain_analyze_tells_of_files() {
    let bed = Bed::new();
    let mut session = bed.session();
    with_tables(&mut session);
    let mut explain = |work_memory_bytes, query: &str| {
        session.work_memory_bytes = work_memory_bytes;
        session.rows(&format!("explain (analyze, costs off, timing off, summary off) {query}")).join("\n")
    };
    let sort = "select * from big order by t";
    assert!(explain(MUCH, sort).contains("Sort Method: quicksort  Memory: "));
    assert!(explain(LITTLE, sort).contains("Sort Method: external merge  Disk: "));
    assert!(explain(MUCH, "select * from big order by t limit 3").contains("Sort Method: top-N heapsort  Memory: "));
    let join = "select * from other o join big b on b.id = o.id";
    let (much, little) = (explain(MUCH, join), explain(LITTLE, join));
    assert!(much.contains("Batches: 1  Memory Usage: "), "{much}");
    assert!(little.contains("Batches: ") && !little.contains("Batches: 1 "), "{little}");
    let groups = explain(LITTLE, "select t, count(*) from big group by t");
    assert!(groups.contains("Disk Usage: "), "{groups}");
}
