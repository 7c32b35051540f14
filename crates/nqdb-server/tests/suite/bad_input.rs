//! Wrong input of every kind, beside PostgreSQL's answers where both say the same: it is answered, changes nothing, and
//! the session goes on.

use crate::statements::compare;
use crate::support::Server;
use crate::support::raw::{Raw, Send, message};
use tokio::io::AsyncWriteExt;

use Send::{Bind, Execute, Parse, Query, Sync};

const SETUP: &[Send] = &[
    Query("drop table if exists t"),
    Query(
        "create table t (id int primary key, name varchar(5) not null, small smallint, n numeric(5, 2), check (small < 1000))",
    ),
    Query("insert into t values (1, 'one', 1, 1.5)"),
];

/// Fails, and the table is as it was.
fn fails(sql: &'static str) -> (&'static str, Vec<Send>) {
    (sql, vec![Query(sql), Query("select * from t order by id")])
}

/// A statement with one parameter, in the extended protocol.
fn bound(sql: &'static str, value: &'static [&'static str]) -> (&'static str, Vec<Send>) {
    (sql, vec![Parse("", sql), Bind("", "", value), Execute("", 0), Sync, Query("select * from t order by id")])
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_statements_are_answered_as_postgresql_answers_them() {
    let mut scripts: Vec<(&str, Vec<Send>)> = [
        // Unknown names.
        "select * from nowhere",
        "select nothing from t",
        "select t.nothing from t",
        "select u.id from t",
        "select nosuch(1)",
        "select length(1, 2)",
        "select 'x'::nosuch",
        "insert into nowhere values (1)",
        "insert into t (id, nothing) values (2, 2)",
        "update t set nothing = 1",
        "delete from nowhere",
        "drop table nowhere",
        "select * from noschema.t",
        "alter table t drop column nothing",
        "set no_such_setting = 1",
        // Types.
        "select 'abc'::int",
        "select 1 + 'abc'",
        "select 1 || 2",
        "select true + 1",
        "insert into t values ('x', 'two')",
        "insert into t values (2, 'two', 'x')",
        "update t set id = 'x'",
        "select '2020-02-30'::date",
        "select '25:00'::time",
        "select 'maybe'::bool",
        "select '\\xzz'::bytea",
        "select 'no'::uuid",
        "select case when 1 then 2 end",
        "select id from t where name",
        "select id from t union select name from t",
        // Ranges.
        "select 2147483647 + 1",
        "select 9223372036854775807 + 1",
        "select -(-2147483648)::int",
        "select 32767::smallint + 1::smallint",
        "select 40000::smallint",
        "select '99999999999'::int",
        "select 1e400::float8",
        "select exp(1000.0::float8)",
        "insert into t values (2, 'two', 40000)",
        "insert into t values (2, 'two', 1, 1000)",
        "update t set n = n * 1000",
        "select sum(x) from (values (9223372036854775807), (1)) v(x) having sum(x)::bigint > 0",
        // Division.
        "select 1 / 0",
        "select 1 % 0",
        "select 1.5 / 0",
        "select 1::float8 / 0",
        "update t set small = small / 0",
        // Constraints.
        "insert into t values (1, 'again')",
        "insert into t values (2, 'two'), (2, 'deux')",
        "insert into t values (2, null)",
        "insert into t (id) values (2)",
        "update t set name = null",
        "insert into t values (2, 'two', 5000)",
        "insert into t values (null, 'two')",
        // Lengths.
        "insert into t values (2, 'much too long')",
        "update t set name = 'much too long'",
        // Shapes.
        "insert into t (id, id) values (2, 2)",
        "insert into t (id, name) values (2)",
        "insert into t (id) values (2, 'two')",
        "select id, count(*) from t",
        "select count(*) from t where count(*) > 1",
        "select (select id, name from t)",
        "select * from t limit -1",
        "create table t (id int)",
        "create table u (a int, a int)",
        "select 1 order by 2",
    ]
    .into_iter()
    .map(fails)
    .collect();
    scripts.extend([
        bound("insert into t values ($1::int, 'two')", &["x"]),
        bound("insert into t values ($1::int, 'two')", &["99999999999"]),
        bound("insert into t values ($1::int, 'two')", &[]),
        bound("insert into t values (2, $1)", &["much too long"]),
        bound("select 1 / $1::int", &["0"]),
        bound("select $1", &["text is fine"]),
        bound("select $2::int", &["1"]),
    ]);
    scripts.push((
        "a statement in a failed block",
        vec![
            Query("begin"),
            Query("insert into t values (2, 'two')"),
            Query("select 1 / 0"),
            Query("select 1"),
            Query("insert into t values (3, 'three')"),
            Query("copy t from stdin"),
            Query("set work_mem = '1MB'"),
            Query("create table u (id int)"),
            Parse("", "select 1"),
            Sync,
            Query("commit"),
            Query("select * from t order by id"),
        ],
    ));
    compare(SETUP, &scripts).await;
}

/// The first error of an answer: `C=<SQLSTATE> M=<message>`.
fn error_of(lines: &[String]) -> &str {
    let error = lines.iter().find(|line| line.starts_with('E')).unwrap_or_else(|| panic!("no error: {lines:?}"));
    error.split_once("C=").map_or("", |(_, rest)| rest)
}

async fn query(raw: &mut Raw, sql: &str) -> Vec<String> {
    raw.write(&message(b'Q', &[sql.as_bytes(), b"\0"].concat())).await;
    raw.answers().await
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_that_is_no_sql_is_refused() {
    let server = Server::start().await;
    let mut raw = Raw::connect(server.address()).await;
    for sql in [
        "selec 1",
        "select from where",
        "select 1 from",
        "insert t",
        "update set",
        "(",
        ")",
        "select ((1)",
        "'",
        "select 'open",
        "select \"open",
        "/* open",
        "select $$open",
        "create",
        "drop",
        "select 1 2 3 4",
        "\u{1F980}",
        "--\n!",
        "select * from t where",
        "begin begin",
        "select 1,,2",
        "values",
        "explain",
        "copy",
        "select \u{0}1",
    ] {
        let lines = query(&mut raw, sql).await;
        let code = error_of(&lines).split(' ').next().unwrap_or_default().to_owned();
        assert!(matches!(code.as_str(), "42601" | "0A000" | "42P01" | "08P01"), "{sql}: {lines:?}");
        if sql.contains('\0') {
            // A string of the protocol ends at its first NUL: the rest is one byte too many.
            assert_eq!(code, "08P01");
        }
        assert_eq!(lines.last().map(String::as_str), Some("Z I"), "{sql}");
    }
    assert_eq!(server.instance().metrics.panics.get(), 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_no_database_holds_is_22021() {
    let server = Server::start().await;
    let mut raw = Raw::connect(server.address()).await;
    query(&mut raw, "create table t (name text)").await;
    for wrong in [&b"\xff"[..], b"\xc3", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\xc0\x80"] {
        raw.write(&message(b'Q', &[b"insert into t values ('", wrong, b"')\0"].concat())).await;
        assert!(error_of(&raw.answers().await).starts_with("22021 M=invalid byte sequence for encoding \"UTF8\": 0x"));
        raw.write(&Parse("", "insert into t values ($1)").encode()).await;
        let mut bind = b"\0\0\0\0\0\x01".to_vec();
        bind.extend_from_slice(&(wrong.len() as u32).to_be_bytes());
        bind.extend_from_slice(wrong);
        bind.extend_from_slice(b"\0\0");
        raw.write(&message(b'B', &bind)).await;
        raw.write(&[Execute("", 0).encode(), Sync.encode()].concat()).await;
        assert!(error_of(&raw.answers().await).starts_with("22021 "));
        query(&mut raw, "copy t from stdin").await;
        raw.write(&[message(b'd', &[wrong, b"\n"].concat()), message(b'c', b"")].concat()).await;
        assert!(error_of(&raw.answers().await).starts_with("22021 "));
    }
    query(&mut raw, "copy t from stdin").await;
    raw.write(&[message(b'd', b"a\0b\n"), message(b'c', b"")].concat()).await;
    assert!(error_of(&raw.answers().await).starts_with("22021 "));
    assert!(error_of(&query(&mut raw, "select chr(0)").await).starts_with("54000 "));
    assert!(query(&mut raw, "select count(*) from t").await.contains(&"D [0]".to_owned()));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nesting_beyond_the_limit_is_54001() {
    let server = Server::start().await;
    let mut raw = Raw::connect(server.address()).await;
    let nested = |depth: usize| format!("select {}1{}", "(".repeat(depth), ")".repeat(depth));
    let lines = query(&mut raw, &nested(50)).await;
    assert!(lines.contains(&"D [1]".to_owned()), "{lines:?}");
    let deep = 5000;
    for sql in [
        nested(deep),
        format!("select {}1", "- ".repeat(deep)),
        format!("select {}true", "not ".repeat(deep)),
        format!("{}select 1{}", "select (".repeat(deep), ")".repeat(deep)),
        format!("select * from {}t{}", "(select * from ".repeat(deep), ") x".repeat(deep)),
        format!("select {}1{}", "abs(".repeat(deep), ")".repeat(deep)),
        format!("select {}1{}", "case when true then ".repeat(deep), " end".repeat(deep)),
    ] {
        let lines = query(&mut raw, &sql).await;
        assert!(error_of(&lines).starts_with("54001 "), "{}...: {lines:?}", &sql[..40]);
    }
    // Long, not deep: this has to work.
    for sql in [
        format!("select 1{}", " + 1".repeat(deep)),
        format!("select true{}", " and true".repeat(deep)),
        format!("select 1 in (1{})", ", 1".repeat(deep)),
        format!("values (1){}", ", (1)".repeat(deep)),
    ] {
        let lines = query(&mut raw, &sql).await;
        let is_fine = lines.iter().any(|line| line.starts_with('D')) || error_of(&lines).starts_with("54001 ");
        assert!(is_fine, "{}...: {:?}", &sql[..40], lines.last());
    }
    assert_eq!(server.instance().metrics.panics.get(), 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_messages_and_hang_ups_leave_nothing_behind() {
    let server = Server::start().await;
    let client = server.client().await;
    client.batch_execute("create table t (id int primary key)").await.unwrap();
    let frames = [
        Query("insert into t values (1)").encode(),
        Parse("s", "insert into t values (1)").encode(),
        [Parse("", "insert into t values (1)").encode(), Bind("", "", &[]).encode(), Execute("", 0).encode()].concat(),
        [Query("begin; insert into t values (1)").encode(), Query("select 1").encode()].concat(),
        [Query("copy t from stdin").encode(), Send::CopyData("1\n2\n").encode(), Send::CopyDone.encode()].concat(),
    ];
    for frame in &frames {
        for kept in [1, 3, 5, frame.len() / 2, frame.len() - 1] {
            let mut raw = Raw::connect(server.address()).await;
            raw.write(&frame[..kept]).await;
            let _ = raw.stream.shutdown().await;
            while raw.read().await.is_some() {}
        }
    }
    // Without a Sync or a COMMIT nothing is there, and no lock is left.
    client.batch_execute("set statement_timeout = '10s'; insert into t values (1); truncate t").await.unwrap();
    assert_eq!(server.instance().metrics.panics.get(), 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_misbehaves_does_not_disturb_another() {
    let server = Server::start().await;
    let good = server.client().await;
    good.batch_execute("create table t (id int primary key, n int)").await.unwrap();
    let address = server.address();
    let misbehave = async {
        for round in 0..40 {
            let mut raw = Raw::connect(address).await;
            for sql in ["begin", "insert into t values (-1, 0)", "select 1/0", "nonsense", "select * from nowhere"] {
                query(&mut raw, sql).await;
            }
            match round % 4 {
                0 => raw.write(b"Q\xff\xff\xff\xff").await,
                1 => raw.write(b"Q\0\0\x01\0sel").await,
                2 => raw.write(&message(b'B', b"\0")).await,
                _ => raw.write(&message(b'z', b"")).await,
            }
        }
    };
    let work = async {
        for id in 0..200 {
            good.execute("insert into t values ($1, $1)", &[&id]).await.unwrap();
        }
    };
    tokio::join!(misbehave, work);
    let count = good.query_one("select count(*), sum(n) from t", &[]).await.unwrap();
    assert_eq!((count.get::<_, i64>(0), count.get::<_, i64>(1)), (200, 19_900));
    assert_eq!(server.instance().metrics.panics.get(), 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_and_its_neighbour_is_not() {
    let server = Server::start().await;
    let mut raw = Raw::connect(server.address()).await;
    query(&mut raw, "create table k (key text primary key); create table wide (a text, b text)").await;
    let lines = query(&mut raw, "insert into k values (repeat('x', 1900))").await;
    assert!(lines.contains(&"C INSERT 0 1".to_owned()), "{lines:?}");
    for length in [3_000, 100_000, 10_000_000] {
        let lines = query(&mut raw, &format!("insert into k values (repeat('x', {length}))")).await;
        assert!(error_of(&lines).starts_with("54000 "), "{length}: {lines:?}");
    }
    let lines = query(&mut raw, "insert into wide values (repeat('x', 1000000), repeat('y', 1000000))").await;
    assert!(lines.contains(&"C INSERT 0 1".to_owned()), "{lines:?}");
    let lines = query(&mut raw, "select repeat('x', 2000000000)").await;
    assert!(matches!(&error_of(&lines)[..5], "54000" | "53200"), "{lines:?}");
    let lines = query(&mut raw, "insert into wide values (repeat('x', 1100000000), 'y')").await;
    assert!(matches!(&error_of(&lines)[..5], "54000" | "53200"), "{lines:?}");
    let columns: Vec<String> = (0..2000).map(|number| format!("c{number} int")).collect();
    let lines = query(&mut raw, &format!("create table many ({})", columns.join(", "))).await;
    assert!(error_of(&lines).starts_with("54011 "), "{lines:?}");
    let lines = query(&mut raw, &format!("select {}1", "1,".repeat(1663))).await;
    assert!(lines.contains(&"C SELECT 1".to_owned()), "{:?}", lines.last());
    let lines = query(&mut raw, &format!("select {}1", "1,".repeat(1664))).await;
    assert_eq!(error_of(&lines), "54011 M=target lists can have at most 1664 entries");
    let lines = query(&mut raw, &format!("select set_config('application_name', '{}', false)", "n".repeat(70))).await;
    assert!(lines.contains(&format!("S application_name {}", "n".repeat(63))), "{lines:?}");
    let lines = query(&mut raw, "select count(*), sum(length(a)) from wide").await;
    assert!(lines.contains(&"D [1] [1000000]".to_owned()), "{lines:?}");
    assert_eq!(server.instance().metrics.panics.get(), 0);
    server.stop().await;
}
