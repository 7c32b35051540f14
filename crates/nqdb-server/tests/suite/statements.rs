//! Statements beside PostgreSQL's answers that take a session with its state: read-only transactions, isolation levels,
//! numbers of transactions, names of relations in results.

use crate::support::Server;
use crate::support::postgres::Postgres;
use crate::support::raw::{Raw, Send};

use Send::{Bind, CloseStatement, DescribeStatement, Execute, Parse, Query, Sync};

/// Replays scripts on both servers and shows every line that differs.
pub async fn compare(setup: &[Send], scripts: &[(&str, Vec<Send>)]) {
    let server = Server::start().await;
    let postgres = Postgres::start();
    let mut differences = Vec::new();
    for (name, script) in scripts {
        let mut ours = Raw::connect(server.address()).await;
        let mut theirs = Raw::connect(postgres.address()).await;
        ours.replay(setup).await;
        theirs.replay(setup).await;
        let (got, wanted) = (ours.replay(script).await, theirs.replay(script).await);
        let (got, wanted) = (without_promises(got), without_promises(wanted));
        if got != wanted {
            differences.push(format!("== {name}\n  postgres {wanted:?}\n  nqdb     {got:?}"));
        }
    }
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
    server.stop().await;
}

/// Without a BindComplete, or the columns of a result, that an error follows: PostgreSQL computes constants before it
/// sends them.
fn without_promises(lines: Vec<String>) -> Vec<String> {
    let is_promise = |at: usize| {
        (lines[at].starts_with("T ") || lines[at] == "2")
            && lines.get(at + 1).is_some_and(|next| next.starts_with("E "))
    };
    (0..lines.len()).filter(|at| !is_promise(*at)).map(|at| lines[at].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_transaction_refuses_every_way_of_writing() {
    let writes = [
        "insert into t values (2, 'b')",
        "update t set name = 'c'",
        "delete from t",
        "explain analyze insert into t values (2, 'b')",
        "explain (analyze, costs off) update t set name = 'c'",
        "explain analyze delete from t",
        "with w as (select 3) insert into t select * from w",
        "/* a comment */ insert into t values (4, 'd')",
        "copy (insert into t values (2, 'b') returning id) to stdout",
        "copy t from stdin",
        "create table u (id int)",
        "drop table t",
        "select nextval('s')",
    ];
    let scripts: Vec<(&str, Vec<Send>)> = writes
        .iter()
        .map(|write| {
            (
                *write,
                vec![Query("begin read only"), Query(write), Query("rollback"), Query("select * from t order by id")],
            )
        })
        .collect();
    let setup = [
        Query("drop table if exists t; drop sequence if exists s"),
        Query("create table t (id int, name text); create sequence s"),
        Query("insert into t values (1, 'a')"),
    ];
    compare(&setup, &scripts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_without_analyze_writes_nothing_and_is_read_only() {
    let server = Server::start().await;
    let client = server.client().await;
    client.batch_execute("create table t (id int); begin read only; explain delete from t; commit").await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_has_a_number_as_soon_as_it_asks() {
    let server = Server::start().await;
    let client = server.client().await;
    let number = async || client.query_one("select txid_current()", &[]).await.unwrap().get::<_, i64>(0);
    client.batch_execute("create table t (x bigint default txid_current(), y int)").await.unwrap();
    let first = number().await;
    assert!(number().await > first, "each transaction has its own");
    client.batch_execute("begin read only").await.unwrap();
    let inside = number().await;
    assert_eq!(number().await, inside);
    client.batch_execute("commit; begin; insert into t (y) values (1)").await.unwrap();
    let row = client.query_one("select x = txid_current() from t", &[]).await.unwrap();
    assert!(row.get::<_, bool>(0));
    client.batch_execute("rollback; explain select txid_current()").await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn relations_are_named_in_results() {
    let setup = [
        Query("drop schema if exists s cascade; drop table if exists t, \"Odd name\""),
        Query(
            "create schema s; create table t (id int); create table s.u (id int); create table \"Odd name\" (id int)",
        ),
    ];
    let scripts = [(
        "regclass",
        vec![
            Query(
                "select 't'::regclass, 's.u'::regclass, '\"Odd name\"'::regclass, 0::regclass, null::regclass, 999999::regclass",
            ),
            Query("set search_path = s; select 'public.t'::regclass, 'u'::regclass"),
            Query("select 't'::regclass::text || '!', count(*) from (values (1)) v group by 1"),
        ],
    )];
    compare(&setup, &scripts[..1]).await;
}

/// A statement and, one after the other, values for its one parameter.
fn with_values(sql: &'static str, values: &[&'static [&'static str]]) -> Vec<Send> {
    let mut script = vec![Parse("s", sql), DescribeStatement("s"), Sync];
    for value in values {
        script.extend([Bind("", "s", value), Execute("", 0), Sync]);
    }
    script.extend([CloseStatement("s"), Sync]);
    script
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_may_name_objects_and_say_which_is_wrong() {
    let setup = [
        Query("drop schema if exists shop cascade; drop sequence if exists counter; drop role if exists clerk"),
        Query("create schema shop; create table shop.orders (id int); create sequence counter; create role clerk"),
    ];
    let scripts = [
        ("nextval", with_values("select nextval($1)", &[&["counter"], &["nosuch"], &["shop.orders"], &["a.b.c.d"]])),
        (
            "regclass",
            with_values("select $1::regclass::text", &[&["shop.orders"], &["-"], &["0"], &["orders"], &["\"x"]]),
        ),
        ("regtype", with_values("select $1::regtype", &[&["integer"], &["numeric(5,2)[]"], &["nosuch"]])),
        ("regproc", with_values("select $1::regproc::text", &[&["now"], &["abs"], &["nosuch"]])),
        ("regnamespace", with_values("select $1::regnamespace", &[&["shop"], &["nosuch"]])),
        ("regrole", with_values("select $1::regrole", &[&["clerk"], &["nosuch"]])),
        ("array", with_values("select $1::regclass[]", &[&["{shop.orders,counter}"], &["{nosuch}"]])),
        (
            "values",
            with_values(
                "select $1::int, $2::text",
                &[&["1", "a"], &["x", "a"], &["", "a"], &["99999999999", "a"], &["1", "a\0b"]],
            ),
        ),
        ("json", with_values("select $1::jsonb", &[&["{\"a\": 1}"], &["{\"a\": "], &["[1, x]"]])),
        (
            "a named portal",
            vec![Query("begin"), Parse("", "select $1::date"), Bind("p", "", &["soon"]), Sync, Query("rollback")],
        ),
    ];
    compare(&setup, &scripts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_definitions_say_where_and_which() {
    let setup = [
        Query("create table d (a int, b text)"),
        Query("insert into d values (1, 'x'), (1, 'x')"),
        Query("create schema s"),
        Query("create table s.t (a int)"),
        Query("create sequence s.q"),
        Query("create sequence m maxvalue 1"),
    ];
    let places = [
        "create table t1(a int check (nope > 1))",
        "create table t1(a int default nope)",
        "create table t1(a int default nope not null)",
        "create table t1(a int, b int default a)",
        "create table t1(a varchar(0))",
        "create table t1(a nosuch)",
        "create table t1(a int primary key, b int, primary key(b))",
        "create table t1(a int primary key, b int primary key)",
        "create table t1(a int, unique(b))",
        "create table t1(a int, constraint x unique(b))",
        "create table t1(a int, check (b > 1))",
        "select 1 limit 1,2",
        "create role r unencrypted password 'x'",
    ];
    let keys = [
        "create unique index on d (a, b)",
        "alter table d add primary key (a)",
        "drop schema s",
        "select nextval('m')",
        "select nextval('m')",
    ];
    let names = [
        "select 1 as abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij",
        "select 'abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij' as x",
        "select 1 as \"ABcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij\"",
    ];
    compare(
        &setup,
        &[
            ("places", places.map(Query).to_vec()),
            ("keys and names of objects", keys.map(Query).to_vec()),
            ("names that are cut", names.map(Query).to_vec()),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_prepared_again_follows_definitions_settings_and_declared_types() {
    let server = Server::start().await;
    let client = server.client().await;
    client
        .batch_execute("create table kept (id int primary key, day date); insert into kept values (1, '2024-02-03')")
        .await
        .unwrap();
    for _ in 0..4 {
        let statement = client.prepare("select * from kept where id = $1").await.unwrap();
        assert_eq!(statement.columns().len(), 2);
        assert_eq!(client.query(&statement, &[&1_i32]).await.unwrap().len(), 1);
    }
    client.batch_execute("alter table kept add column more text").await.unwrap();
    let statement = client.prepare("select * from kept where id = $1").await.unwrap();
    assert_eq!(statement.columns().len(), 3);
    client.batch_execute("alter table kept alter column id type bigint").await.unwrap();
    let statement = client.prepare("select * from kept where id = $1").await.unwrap();
    assert_eq!(statement.params(), [tokio_postgres::types::Type::INT8]);

    for style in ["ISO, MDY", "ISO, DMY"] {
        client.batch_execute(&format!("set datestyle = '{style}'")).await.unwrap();
        let expected = if style.ends_with("MDY") { 1 } else { 0 };
        for _ in 0..3 {
            let rows = client.query("select id from kept where day = '02/03/2024'", &[]).await.unwrap();
            assert_eq!(rows.len(), expected, "{style}");
        }
    }
    for _ in 0..3 {
        use tokio_postgres::types::Type;
        let untyped = client.prepare("select $1 || '!'").await.unwrap();
        assert_eq!(untyped.params(), [Type::TEXT]);
        let typed = client.prepare_typed("select $1 || '!'", &[Type::INT4]).await.unwrap();
        assert_eq!(typed.params(), [Type::INT4]);
    }
    client.batch_execute("drop table kept").await.unwrap();
    let error = client.prepare("select * from kept where id = $1").await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "42P01");
    server.stop().await;
}
