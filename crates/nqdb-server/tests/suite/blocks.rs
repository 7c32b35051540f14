//! The transaction block and the extended protocol, message by message, against PostgreSQL 15.
//!
//! Each script is sent to both servers over one connection each; every answer must be the same line.

use crate::support::Server;
use crate::support::postgres::Postgres;
use crate::support::raw::{Raw, Send};

use Send::{
    Bind, ClosePortal, CloseStatement, CopyData, CopyDone, CopyFail, DescribePortal, DescribeStatement, Execute, Flush,
    Parse, Query, Sync,
};

/// Sets up what the scripts use, before each of them.
const SETUP: &[Send] = &[
    Query("drop table if exists t"),
    Query("create table t (id int primary key, name varchar(10))"),
    Query("insert into t values (1, 'one'), (2, 'two'), (3, 'three')"),
];

fn scripts() -> Vec<(&'static str, Vec<Send>)> {
    vec![
        ("warnings outside a block", vec![Query("commit"), Query("rollback"), Query("end"), Query("abort")]),
        (
            "begin twice",
            vec![Query("begin"), Query("begin"), Query("commit"), Query("start transaction"), Query("rollback")],
        ),
        (
            "an error fails the block",
            vec![
                Query("begin"),
                Query("insert into t values (4, 'four')"),
                Query("select 1/(id-id) from t"),
                Query("select 1"),
                Query("savepoint a"),
                Query("commit"),
                Query("select count(*) from t"),
            ],
        ),
        (
            "syntax and empty statements in a failed block",
            vec![
                Query("begin"),
                Query("select 1/(id-id) from t"),
                Query("selec"),
                Query(""),
                Query(";"),
                Query("rollback"),
            ],
        ),
        (
            "savepoints",
            vec![
                Query("begin"),
                Query("savepoint a"),
                Query("insert into t values (4, 'four')"),
                Query("savepoint b"),
                Query("insert into t values (5, 'five')"),
                Query("select 1/(id-id) from t"),
                Query("select 1"),
                Query("rollback to b"),
                Query("select count(*) from t"),
                Query("rollback to savepoint a"),
                Query("select count(*) from t"),
                Query("release b"),
                Query("rollback to a"),
                Query("release savepoint a"),
                Query("select count(*) from t"),
                Query("commit"),
            ],
        ),
        (
            "savepoints of one name",
            vec![
                Query("begin"),
                Query("savepoint a"),
                Query("insert into t values (4, 'four')"),
                Query("savepoint a"),
                Query("insert into t values (5, 'five')"),
                Query("rollback to a"),
                Query("select count(*) from t"),
                Query("release a"),
                Query("rollback to a"),
                Query("select count(*) from t"),
                Query("commit"),
            ],
        ),
        (
            "savepoints outside a block",
            vec![Query("savepoint a"), Query("release a"), Query("rollback to a"), Query("select 1; savepoint a")],
        ),
        (
            "an unknown savepoint fails the block and keeps it failed",
            vec![
                Query("begin"),
                Query("rollback to nowhere"),
                Query("rollback to nowhere"),
                Query("select 1"),
                Query("rollback"),
            ],
        ),
        (
            "several statements are one transaction",
            vec![
                Query("insert into t values (4, 'four'); select 1/(id-id) from t; insert into t values (5, 'five')"),
                Query("select count(*) from t"),
                Query("insert into t values (6, 'six'); select count(*) from t"),
                Query("select count(*) from t"),
            ],
        ),
        (
            "begin and commit inside a string",
            vec![
                Query("insert into t values (4, 'four'); begin; insert into t values (5, 'five')"),
                Query("rollback"),
                Query("select count(*) from t"),
                Query("begin; insert into t values (6, 'six'); commit; select 1/(id-id) from t"),
                Query("select count(*) from t"),
                Query("insert into t values (7, 'seven'); commit; select 1/(id-id) from t"),
                Query("select count(*) from t"),
                Query("insert into t values (8, 'eight'); rollback; select 1"),
                Query("select count(*) from t"),
            ],
        ),
        (
            "chains",
            vec![
                Query("commit and chain"),
                Query("rollback and chain"),
                Query("begin isolation level repeatable read"),
                Query("commit and chain"),
                Query("show transaction_isolation"),
                Query("rollback and chain"),
                Query("show transaction_isolation"),
                Query("select 1/(id-id) from t"),
                Query("rollback and chain"),
                Query("select 1"),
                Query("commit"),
            ],
        ),
        (
            "characteristics",
            vec![
                Query("set transaction isolation level repeatable read"),
                Query("begin"),
                Query("set transaction isolation level repeatable read"),
                Query("show transaction_isolation"),
                Query("select 1"),
                Query("set transaction isolation level read committed"),
                Query("rollback"),
                Query("begin read only"),
                Query("insert into t values (9, 'nine')"),
                Query("rollback"),
                Query("begin read only"),
                Query("create table u (a int)"),
                Query("rollback"),
                Query("set session characteristics as transaction read only"),
                Query("show transaction_read_only"),
                Query("show default_transaction_read_only"),
                Query("set default_transaction_read_only = off"),
            ],
        ),
        (
            "settings and rollback",
            vec![
                Query("set local application_name = 'x'"),
                Query("begin"),
                Query("set application_name = 'first'"),
                Query("savepoint a"),
                Query("set local application_name = 'second'"),
                Query("show application_name"),
                Query("rollback to a"),
                Query("show application_name"),
                Query("rollback"),
                Query("show application_name"),
                Query("set application_name = 'stays'"),
                Query("show application_name"),
                Query("reset application_name"),
                Query("set no_such_setting = 1"),
                Query("set server_version = '1'"),
                Query("set port = 1"),
                Query("set statement_timeout = 'x'"),
                Query("set statement_timeout = -1"),
                Query("set work_mem = '1 furlong'"),
                Query("set bytea_output = 'x'"),
                Query("set datestyle = 'German'"),
                Query("show datestyle"),
                Query("reset datestyle"),
                Query("set a.b = 'c'"),
                Query("show a.b"),
                Query("show no_such_setting"),
                Query("set jit = 7"),
                Query("set timezone = 'Nowhere/Land'"),
                Query("set search_path = public, \"Mixed Case\""),
                Query("show search_path"),
                Query("reset search_path"),
            ],
        ),
        (
            "the extended protocol commits at Sync",
            vec![
                Parse("", "insert into t values ($1, $2)"),
                DescribeStatement(""),
                Bind("", "", &["4", "four"]),
                DescribePortal(""),
                Execute("", 0),
                Sync,
                Query("select count(*) from t"),
            ],
        ),
        (
            "an error skips to Sync and takes the pipeline back",
            vec![
                Parse("", "insert into t values (4, 'four')"),
                Bind("", "", &[]),
                Execute("", 0),
                Parse("", "select 1/(id-id) from t"),
                Bind("", "", &[]),
                Execute("", 0),
                Parse("", "insert into t values (5, 'five')"),
                Bind("", "", &[]),
                Execute("", 0),
                Sync,
                Query("select count(*) from t"),
            ],
        ),
        (
            "blocks over the extended protocol",
            vec![
                Parse("b", "begin"),
                Parse("c", "commit"),
                Bind("", "b", &[]),
                Execute("", 0),
                Parse("i", "insert into t values ($1, 'x')"),
                Bind("", "i", &["4"]),
                Execute("", 0),
                Sync,
                Bind("", "i", &["4"]),
                Execute("", 0),
                Sync,
                Bind("", "i", &["5"]),
                Sync,
                Parse("", "select 1"),
                Sync,
                DescribeStatement("i"),
                Sync,
                Bind("", "c", &[]),
                Execute("", 0),
                Sync,
                Query("select count(*) from t"),
                CloseStatement("b"),
                CloseStatement("c"),
                CloseStatement("i"),
                CloseStatement("never was"),
                Sync,
            ],
        ),
        (
            "portals with row limits",
            vec![
                Query("begin"),
                Parse("s", "select id, name from t order by id"),
                Bind("p", "s", &[]),
                DescribePortal("p"),
                Execute("p", 2),
                Execute("p", 1),
                Execute("p", 1),
                Execute("p", 1),
                Execute("p", 0),
                Sync,
                Bind("p", "s", &[]),
                Sync,
                Query("rollback"),
                Execute("p", 0),
                Sync,
                CloseStatement("s"),
                Sync,
            ],
        ),
        (
            "portals with RETURNING change all rows before the first is seen",
            vec![
                Query("begin"),
                Parse("", "update t set name = 'new' where id > 1 returning id"),
                Bind("p", "", &[]),
                Execute("p", 1),
                Sync,
                Query("select count(*) from t where name = 'new'"),
                Execute("p", 0),
                Execute("p", 0),
                ClosePortal("p"),
                Sync,
                Query("commit"),
            ],
        ),
        (
            "a command's portal runs once",
            vec![
                Query("begin"),
                Parse("", "insert into t values (4, 'four')"),
                Bind("p", "", &[]),
                Execute("p", 0),
                Execute("p", 0),
                Sync,
                Query("rollback"),
            ],
        ),
        (
            "names of statements and portals",
            vec![
                Parse("s", "select 1"),
                Parse("s", "select 2"),
                Sync,
                Bind("", "nothing", &[]),
                Sync,
                Execute("nothing", 0),
                Sync,
                DescribeStatement("nothing"),
                Sync,
                DescribePortal("nothing"),
                Sync,
                Bind("p", "s", &[]),
                Bind("p", "s", &[]),
                Sync,
                CloseStatement("s"),
                ClosePortal("p"),
                Sync,
                DescribeStatement(""),
                Sync,
            ],
        ),
        (
            "wrong numbers of parameters",
            vec![
                Parse("s", "select $1::int + $2::int"),
                Bind("", "s", &["1"]),
                Sync,
                Bind("", "s", &["1", "2", "3"]),
                Sync,
                Bind("", "s", &["1", "x"]),
                Sync,
                Bind("", "s", &["1", "2"]),
                Execute("", 0),
                Sync,
                CloseStatement("s"),
                Sync,
            ],
        ),
        (
            "a simple query drops the unnamed statement",
            vec![Parse("", "select 1"), Sync, Query("select 2"), Bind("", "", &[]), Sync],
        ),
        (
            "empty and multiple statements",
            vec![
                Parse("", ""),
                DescribeStatement(""),
                Bind("", "", &[]),
                Execute("", 0),
                Sync,
                Parse("", "select 1; select 2"),
                Sync,
                Query(""),
                Query("select 1;;select 2;"),
            ],
        ),
        (
            "flush answers without ending the transaction",
            vec![
                Parse("", "insert into t values (4, 'four')"),
                Bind("", "", &[]),
                Execute("", 0),
                Flush,
                Parse("", "rollback"),
                Bind("", "", &[]),
                Execute("", 0),
                Sync,
                Query("select count(*) from t"),
            ],
        ),
        (
            "prepare and execute",
            vec![
                Query("prepare p(int) as select name from t where id = $1"),
                Query("execute p(1 + 1)"),
                Query("execute p"),
                Query("execute p(1, 2)"),
                Query("execute nothing"),
                Query("prepare p as select 1"),
                DescribeStatement("p"),
                Bind("", "p", &["3"]),
                Execute("", 0),
                Sync,
                Query("deallocate p"),
                Query("deallocate p"),
                Query("prepare q as insert into t values (10, 'ten')"),
                Query("execute q"),
                Query("deallocate all"),
                Query("select count(*) from t"),
            ],
        ),
        (
            "a plan outlives its table's change",
            vec![
                Parse("s", "select * from t where id = 1"),
                Bind("", "s", &[]),
                Execute("", 0),
                Sync,
                Query("create index t_name on t (name)"),
                Bind("", "s", &[]),
                Execute("", 0),
                Sync,
                Query("alter table t add column more int"),
                Bind("", "s", &[]),
                Sync,
                DescribeStatement("s"),
                Sync,
                CloseStatement("s"),
                Sync,
            ],
        ),
        (
            "data definition rolls back",
            vec![
                Query("begin"),
                Query("create table u (a int)"),
                Query("insert into u values (1)"),
                Query("savepoint a"),
                Query("drop table t"),
                Query("rollback to a"),
                Query("select count(*) from t"),
                Query("rollback"),
                Query("select * from u"),
            ],
        ),
        (
            "copy from the client",
            vec![
                Query("copy t from stdin; select count(*) from t"),
                CopyData("4\tfour\n5\t"),
                CopyData("\\N\n"),
                CopyDone,
                Query("copy t (id) from stdin"),
                CopyData("6\nseven\n"),
                CopyDone,
                Query("copy t from stdin"),
                CopyData("8\teight\n"),
                CopyFail("changed my mind"),
                Query("begin"),
                Query("copy t from stdin"),
                CopyData("1\ttwice\n"),
                CopyDone,
                Query("rollback"),
                Query("select count(*) from t"),
            ],
        ),
        (
            "copy to the client",
            vec![
                Query("copy (select id, name from t order by id) to stdout"),
                Query("copy (select id, name from t order by id) to stdout (format csv, header)"),
                Query("copy nowhere to stdout"),
                Parse("", "copy (select 1) to stdout"),
                DescribeStatement(""),
                Bind("", "", &[]),
                Execute("", 0),
                Sync,
            ],
        ),
        (
            "discard and vacuum",
            vec![
                Query("discard plans"),
                Query("discard all"),
                Query("begin"),
                Query("discard all"),
                Query("rollback"),
                Query("begin"),
                Query("vacuum"),
                Query("rollback"),
                Query("select 1; vacuum"),
                Query("unlisten *"),
            ],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_is_answered_as_postgresql_answers_it() {
    let server = Server::start().await;
    let postgres = Postgres::start();
    let mut differences = Vec::new();
    for (name, script) in scripts() {
        let mut ours = Raw::connect(server.address()).await;
        let mut theirs = Raw::connect(postgres.address()).await;
        ours.replay(SETUP).await;
        theirs.replay(SETUP).await;
        let (got, wanted) = (ours.replay(&script).await, theirs.replay(&script).await);
        if got != wanted {
            differences.push(format!("== {name}\n{}", side_by_side(&wanted, &got)));
        }
    }
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
    server.stop().await;
}

/// The lines around the first difference and everything that differs after it.
fn side_by_side(wanted: &[String], got: &[String]) -> String {
    let mut text = String::new();
    for at in 0..wanted.len().max(got.len()) {
        let (wanted, got) = (wanted.get(at), got.get(at));
        match (wanted, got) {
            (Some(wanted), Some(got)) if wanted == got => text.push_str(&format!("   {wanted}\n")),
            _ => text.push_str(&format!(
                "  postgres {}\n  nqdb     {}\n",
                wanted.map_or("-", String::as_str),
                got.map_or("-", String::as_str)
            )),
        }
    }
    text
}
