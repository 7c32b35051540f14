//! Statements that are made to do harm: what they ask for is refused or bounded, and nobody else notices.

use std::fmt::Write as _;

use tokio_postgres::Client;

use crate::support::Server;

/// Runs a test on workers as the program has them.
fn on_workers(test: impl Future<Output = ()>) {
    nqdb_server::runtime().unwrap().block_on(test);
}

/// What a statement ends with: nothing, or the code of its error.
async fn outcome(client: &Client, sql: &str) -> Option<String> {
    let error = client.simple_query(sql).await.err()?;
    Some(error.code().unwrap_or_else(|| panic!("not from the server: {error:?}")).code().to_owned())
}

/// `first`, then `count` times what `part` makes of a number and the one before.
fn chain(first: &str, count: usize, part: impl Fn(usize, usize) -> String) -> String {
    let mut sql = first.to_owned();
    for number in 1..=count {
        write!(sql, " {}", part(number, number - 1)).unwrap();
    }
    sql
}

fn crossed(count: usize) -> String {
    chain("select count(*) from (values (1)) a0(x)", count, |at, _| format!(", (values (1)) a{at}(x)"))
}

fn left_joined(count: usize) -> String {
    chain("select count(*) from (values (1)) a0(x)", count, |at, _| format!("left join (values (1)) a{at}(x) on true"))
}

fn joined(count: usize) -> String {
    chain("select count(*) from (values (1)) a0(x)", count, |at, before| {
        format!("join (values (1)) a{at}(x) on a{before}.x = a{at}.x")
    })
}

fn naturally_joined(count: usize) -> String {
    chain("select count(*) from (values (1)) a0(x)", count, |at, _| format!("natural left join (values (1)) a{at}(x)"))
}

fn united(count: usize) -> String {
    chain("select 1", count, |_, _| "union all values (1)".to_owned())
}

fn in_turn(count: usize) -> String {
    let queries =
        chain("with a0(x) as (select 1)", count, |at, before| format!(", a{at}(x) as (select x from a{before})"));
    format!("{queries} select * from a{count}")
}

#[test]
fn long_chains_run_and_longer_ones_are_refused() {
    on_workers(async {
        let server = Server::start().await;
        let client = server.client().await;
        for sql in [left_joined(1000), united(1000)] {
            assert_eq!(outcome(&client, &sql).await, None, "{}", &sql[..80]);
        }
        let longer =
            [crossed(20_000), left_joined(5000), joined(5000), naturally_joined(5000), united(50_000), in_turn(9000)];
        for sql in longer {
            assert_eq!(outcome(&client, &sql).await.as_deref(), Some("54001"), "{}", &sql[..80]);
        }
        drop(client);
        server.stop().await;
    });
}

#[test]
fn the_longest_chains_have_room_on_the_stack() {
    on_workers(async {
        let server = Server::start().await;
        let client = server.client().await;
        let limited = |count| united(count * 8) + " limit 1";
        let chains: [&dyn Fn(usize) -> String; 4] = [&crossed, &joined, &limited, &in_turn];
        for chained in chains {
            // The bounds lie between these: each is planned, run and dropped, or refused.
            let outcomes = [outcome(&client, &chained(1400)).await, outcome(&client, &chained(1600)).await];
            assert_eq!(outcomes, [None, Some("54001".to_owned())], "{}", &chained(2)[..60]);
        }
        drop(client);
        server.stop().await;
    });
}

#[test]
fn temporary_tables_are_their_sessions_own() {
    on_workers(async {
        let server = Server::start().await;
        let (owner, other) = (server.client().await, server.client().await);
        owner.batch_execute("create temp table mine (a int); insert into mine values (1)").await.unwrap();
        let row = owner.query_one("select pg_my_temp_schema()::regnamespace::text", &[]).await.unwrap();
        let schema: String = row.get(0);
        let statements = [
            format!("select * from {schema}.mine"),
            format!("insert into {schema}.mine values (2)"),
            "select * from mine".to_owned(),
            "insert into mine values (3)".to_owned(),
            "update mine set a = 4".to_owned(),
            "delete from mine".to_owned(),
            "copy mine to stdout".to_owned(),
        ];
        other.batch_execute(&format!("set search_path = {schema}")).await.unwrap();
        for sql in &statements {
            assert_eq!(outcome(&other, sql).await.as_deref(), Some("0A000"), "{sql}");
        }
        assert_eq!(outcome(&other, "create table foreign_one (a int)").await.as_deref(), Some("42P16"));
        let rows = owner.query("select a from mine", &[]).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.get::<_, i32>(0)).collect::<Vec<_>>(), [1]);
        assert_eq!(outcome(&other, "drop table mine").await, None, "as in PostgreSQL");
        drop((owner, other));
        server.stop().await;
    });
}

#[test]
fn a_string_of_very_many_statements_is_taken_apart_at_once() {
    on_workers(async {
        let server = Server::start().await;
        let client = server.client().await;
        let sql = "set local search_path to public;".repeat(20_000) + "selec";
        assert_eq!(outcome(&client, &sql).await.as_deref(), Some("42601"), "none of them runs");
        client.batch_execute(&"reset search_path;".repeat(2_000)).await.unwrap();
        drop(client);
        server.stop().await;
    });
}
