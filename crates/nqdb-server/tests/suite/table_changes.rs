//! Changes of published tables, as a session hears them that listens to their channel.

use std::net::SocketAddr;

use tokio::task::JoinSet;

use crate::support::raw::{Raw, Send};
use crate::support::web::{CONNECT, Socket, ask, http_address, read_until};
use crate::support::{Server, configuration, connect};

use Send::Query;

/// The payload of a NotificationResponse.
fn payload(body: &[u8]) -> String {
    let text = body[4..].split(|byte| *byte == 0).nth(1).expect("a payload");
    String::from_utf8(text.to_vec()).unwrap()
}

/// The payload without the number of the commit.
fn without_csn(payload: &str) -> String {
    let (before, after) = payload.split_once(",\"csn\":").expect("a number");
    format!("{before}{}", after.trim_start_matches(|byte: char| byte.is_ascii_digit()))
}

/// Runs statements in one session; what it heard of tables, and the errors.
async fn hear(raw: &mut Raw, statements: &[&'static str]) -> Vec<String> {
    let mut heard = Vec::new();
    for statement in statements {
        raw.write(&Query(statement).encode()).await;
        loop {
            let (tag, body) = raw.read().await.expect("the connection stands");
            match tag {
                b'A' => heard.push(without_csn(&payload(&body))),
                b'E' => heard.push(crate::support::raw::render(tag, &body)),
                b'Z' => break,
                _ => {}
            }
        }
    }
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_of_changing_rows_is_told() {
    let server = Server::start().await;
    let mut raw = Raw::connect(server.address()).await;
    let setup = [
        "create table parent (id int primary key)",
        "create table child (id int primary key, parent int references parent on delete cascade on update cascade)",
        "create table plain (a int, b text)",
        "select nqdb_publish_table('child'), nqdb_publish_table(tbl => 'plain')",
        "listen \"table:child\"",
        "listen \"table:plain\"",
    ];
    assert_eq!(hear(&mut raw, &setup).await, [""; 0]);
    let heard = hear(
        &mut raw,
        &[
            "insert into parent values (1), (2)",
            "insert into child values (10, 1), (20, 2)",
            "update parent set id = 3 where id = 1",
            "delete from parent where id = 2",
            "insert into child values (10, 3) on conflict (id) do update set parent = null",
            "insert into child values (10, 3) on conflict do nothing",
            "merge into child using (values (10), (30)) as v (id) on child.id = v.id \
             when matched then delete when not matched then insert values (v.id, 3)",
            "with gone as (delete from child returning id) insert into plain select id, 'moved' from gone",
            "update plain set b = repeat('x', 3)",
            "truncate plain",
            "insert into plain values (1, repeat('y', 100000)); update plain set a = 2",
        ],
    )
    .await;
    let long = "y".repeat(100_000);
    let wanted = [
        r#"{"op":"insert","table":"child","key":{"id":10},"row":{"id":10,"parent":1}}"#,
        r#"{"op":"insert","table":"child","key":{"id":20},"row":{"id":20,"parent":2}}"#,
        r#"{"op":"update","table":"child","key":{"id":10},"row":{"id":10,"parent":3}}"#,
        r#"{"op":"delete","table":"child","key":{"id":20}}"#,
        r#"{"op":"update","table":"child","key":{"id":10},"row":{"id":10,"parent":null}}"#,
        r#"{"op":"delete","table":"child","key":{"id":10}}"#,
        r#"{"op":"insert","table":"child","key":{"id":30},"row":{"id":30,"parent":3}}"#,
        r#"{"op":"delete","table":"child","key":{"id":30}}"#,
        r#"{"op":"insert","table":"plain","key":{"a":30,"b":"moved"},"row":{"a":30,"b":"moved"}}"#,
        r#"{"op":"update","table":"plain","key":{"a":30,"b":"xxx"},"old_key":{"a":30,"b":"moved"},"row":{"a":30,"b":"xxx"}}"#,
        r#"{"op":"truncate","table":"plain"}"#,
        &format!(r#"{{"op":"insert","table":"plain","key":{{"a":1,"b":"{long}"}},"row":{{"a":1,"b":"{long}"}}}}"#),
        &format!(
            r#"{{"op":"update","table":"plain","key":{{"a":2,"b":"{long}"}},"old_key":{{"a":1,"b":"{long}"}},"row":{{"a":2,"b":"{long}"}}}}"#
        ),
    ];
    for (number, (heard, wanted)) in heard.iter().zip(&wanted).enumerate() {
        assert_eq!(heard, wanted, "{number}");
    }
    assert_eq!(heard.len(), wanted.len());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_prepared_is_told_when_it_commits() {
    let server = Server::start().await;
    let (mut raw, mut other) = (Raw::connect(server.address()).await, Raw::connect(server.address()).await);
    let setup = ["create table t (id int primary key)", "select nqdb_publish_table('t')", "listen \"table:t\""];
    assert_eq!(hear(&mut raw, &setup).await, [""; 0]);
    let prepare = [
        "begin; insert into t values (1); prepare transaction 'kept'",
        "begin; insert into t values (2); prepare transaction 'lost'",
    ];
    assert_eq!(hear(&mut other, &prepare).await, [""; 0]);
    assert_eq!(hear(&mut raw, &["insert into t values (3)"]).await.len(), 1, "only its own");
    assert_eq!(hear(&mut other, &["rollback prepared 'lost'"]).await, [""; 0]);
    let heard = hear(&mut raw, &["commit prepared 'kept'", "select 1"]).await;
    assert_eq!(heard, [r#"{"op":"insert","table":"t","key":{"id":1},"row":{"id":1}}"#]);

    // A durable channel keeps what is said before it is told.
    let heard = hear(&mut other, &["begin; insert into t values (5); prepare transaction 'early'"]).await;
    assert_eq!(heard, [""; 0]);
    assert_eq!(hear(&mut other, &["select nqdb_create_channel('table:t')"]).await, [""; 0]);
    let heard = hear(
        &mut other,
        &[
            "begin; insert into t values (6); prepare transaction 'late'",
            "commit prepared 'early'",
            "rollback prepared 'late'",
        ],
    )
    .await;
    let [late, early, gone] = heard.as_slice() else { panic!("{heard:?}") };
    assert!(late.contains("0A000") && late.contains("cannot PREPARE a transaction"), "{late}");
    assert!(early.contains("0A000") && early.contains("cannot COMMIT a transaction"), "{early}");
    assert!(gone.contains("42704"), "{gone}");
    assert_eq!(hear(&mut other, &["select nqdb_drop_channel('table:t')"]).await, [""; 0]);
    assert_eq!(hear(&mut other, &["commit prepared 'early'"]).await, [""; 0]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rolled_back_or_unpublished_is_not_told() {
    let server = Server::start().await;
    let mut raw = Raw::connect(server.address()).await;
    let heard = hear(
        &mut raw,
        &[
            "create schema s; create table s.t (id int primary key)",
            "begin; select nqdb_publish_table('s.t'); rollback",
            "listen \"table:s.t\"",
            "insert into s.t values (1)",
            "begin; select nqdb_publish_table('s.t'); insert into s.t values (2); commit",
            "begin; insert into s.t values (3); savepoint a; insert into s.t values (4); rollback to a; commit",
            "begin; insert into s.t values (5); rollback",
            "insert into s.t values (6); select 1/0",
            "alter table s.t rename to u",
            "insert into s.t values (7)",
            "listen \"table:s.u\"; insert into s.u values (8)",
            "begin; delete from s.u; select nqdb_unpublish_table('s.u'); commit",
            "insert into s.u values (9)",
        ],
    )
    .await;
    let wanted = [
        r#"{"op":"insert","table":"s.t","key":{"id":2},"row":{"id":2}}"#,
        r#"{"op":"insert","table":"s.t","key":{"id":3},"row":{"id":3}}"#,
        "E S=ERROR C=22012 M=division by zero",
        r#"{"op":"end","table":"s.t"}"#,
        "E S=ERROR C=42P01 M=relation \"s.t\" does not exist P=13",
        r#"{"op":"insert","table":"s.u","key":{"id":8},"row":{"id":8}}"#,
        r#"{"op":"end","table":"s.u"}"#,
    ];
    assert_eq!(heard, wanted);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_published_is_refused() {
    let server = Server::start().await;
    let mut raw = Raw::connect(server.address()).await;
    let refused = hear(
        &mut raw,
        &[
            "create table t (id int primary key, a int, \"on\" boolean); create view v as select 1 as a",
            "create temp table own (a int); create role app",
            "select nqdb_publish_table(null)",
            "select nqdb_publish_table('v')",
            "select nqdb_publish_table('own')",
            "select nqdb_publish_table('pg_class')",
            "select nqdb_publish_table('t', columns => '{id,b}')",
            "select nqdb_publish_table('t', columns => '{a}')",
            "select nqdb_publish_table('t', columns => '{id,id}')",
            "select nqdb_publish_table('t', filter => 'a')",
            "select nqdb_publish_table('t', filter => 'a > random()')",
            "select nqdb_publish_table('t', filter => 'a > (select 1)')",
            "select nqdb_publish_table('t', filter => 'a >')",
            "begin read only",
            "select nqdb_publish_table('t')",
            "rollback",
            "notify \"table:t\"",
            "select pg_notify('table:none', '')",
            "set role app",
            "select nqdb_publish_table('t')",
            "listen \"table:t\"",
            "listen \"table:none\"",
        ],
    )
    .await;
    let codes: Vec<&str> = refused.iter().map(|line| &line[12..17]).collect();
    let wanted = [
        "22004", "42809", "42809", "42809", "42703", "42P10", "42710", "42804", "42P17", "0A000", "42601", "25006",
        "42939", "42939", "42501", "42501", "42P01",
    ];
    assert_eq!(codes, wanted, "{refused:#?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_the_right_hears_no_more() {
    let server = Server::start().await;
    let mut raw = Raw::connect(server.address()).await;
    let heard = hear(
        &mut raw,
        &[
            "create table t (id int primary key, a int); create role app; grant select on t to app",
            "select nqdb_publish_table('t')",
            "set role app; listen \"table:t\"; reset role",
            "insert into t values (1)",
            "create table other (id int)",
            "insert into t values (2)",
            "revoke select on t from app",
            "insert into t values (3)",
            "grant select (id) on t to app; set role app",
            "listen \"table:t\"",
            "reset role; select nqdb_publish_table('t', columns => '{id}')",
            "set role app; listen \"table:t\"; reset role",
            "insert into t values (4)",
            "drop table t; create table t (id int primary key); select nqdb_publish_table('t')",
            "insert into t values (5)",
        ],
    )
    .await;
    let wanted = [
        r#"{"op":"insert","table":"t","key":{"id":1},"row":{"id":1,"a":null}}"#,
        r#"{"op":"insert","table":"t","key":{"id":2},"row":{"id":2,"a":null}}"#,
        "E S=ERROR C=42501 M=permission denied for table t",
        r#"{"op":"insert","table":"t","key":{"id":4},"row":{"id":4}}"#,
        // The table of that name that comes next is another one.
        r#"{"op":"end","table":"t"}"#,
    ];
    assert_eq!(heard, wanted);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_keep_what_is_published_true() {
    let server = Server::start().await;
    let mut raw = Raw::connect(server.address()).await;
    let heard = hear(
        &mut raw,
        &[
            "create table t (id int primary key, a int, b int)",
            "select nqdb_publish_table('t', columns => '{id,a}', filter => 'b > 0')",
            "listen \"table:t\"",
            "alter table t drop column a",
            "alter table t drop column b",
            "alter table t alter column b type bigint",
            "alter table t rename column b to c",
            "alter table t rename column a to \"A b\"",
            "alter table t add column d int default 5",
            "insert into t values (1, 2, 3), (2, 3, 0)",
            "alter table t alter column \"A b\" type text",
            "update t set c = -c where id = 1",
            "alter table t drop column c cascade",
            "insert into t values (3)",
        ],
    )
    .await;
    assert!(heard[0].starts_with("E S=ERROR C=2BP01 M=cannot drop column a of table t"), "{heard:?}");
    assert!(heard[1].starts_with("E S=ERROR C=2BP01 M=cannot drop column b of table t"), "{heard:?}");
    assert!(heard[2].starts_with("E S=ERROR C=0A000 M=cannot alter type of a column"), "{heard:?}");
    let told = [
        r#"{"op":"insert","table":"t","key":{"id":1},"row":{"id":1,"A b":2}}"#,
        r#"{"op":"resync","table":"t"}"#,
        r#"{"op":"leave","table":"t","key":{"id":1}}"#,
        r#"{"op":"end","table":"t"}"#,
    ];
    assert_eq!(heard[3..], told);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_changes_too_much_is_told_as_a_gap() {
    let server = Server::start_with(|configuration| configuration.notify_queue_bytes = 1 << 20).await;
    let mut raw = Raw::connect(server.address()).await;
    let heard = hear(
        &mut raw,
        &[
            "create table t (id int); create table u (id int)",
            "select nqdb_publish_table('t'), nqdb_publish_table('u')",
            "listen \"table:t\"",
            "begin; insert into t values (0); savepoint s; insert into t select generate_series(1, 100000)",
            "rollback to s; insert into t values (1); commit",
            "listen \"table:u\"; unlisten \"table:t\"",
            "begin; insert into t select generate_series(1, 100000); insert into u values (2); commit",
            "insert into u values (3)",
        ],
    )
    .await;
    let told = [
        r#"{"op":"insert","table":"t","key":{"id":0},"row":{"id":0}}"#,
        r#"{"op":"insert","table":"t","key":{"id":1},"row":{"id":1}}"#,
        r#"{"op":"resync","table":"u"}"#,
        r#"{"op":"insert","table":"u","key":{"id":3},"row":{"id":3}}"#,
    ];
    assert_eq!(heard, told);
    assert_eq!(server.instance().system.feed_bytes(), 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_outlives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let configuration = configuration(directory.path());
    let first = nqdb_server::start(&configuration).await.unwrap();
    let mut raw = Raw::connect(first.postgres_address()).await;
    let setup = ["create table t (id int, a int)", "select nqdb_publish_table('t', filter => 'a > 1')"];
    assert_eq!(hear(&mut raw, &setup).await, [""; 0]);
    drop(raw);
    first.stop().await.unwrap();
    let second = nqdb_server::start(&configuration).await.unwrap();
    let mut raw = Raw::connect(second.postgres_address()).await;
    let heard = hear(&mut raw, &["listen \"table:t\"", "insert into t values (1, 1), (2, 2)"]).await;
    assert_eq!(heard, [r#"{"op":"insert","table":"t","key":{"id":2,"a":2},"row":{"id":2,"a":2}}"#]);
    second.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_is_told_when_a_table_is_told_of_no_longer() {
    let server = Server::start_with(|configuration| {
        configuration.http_listen = nqdb_server::HttpListen::At("127.0.0.1:0".to_owned());
    })
    .await;
    let address = http_address(&server);
    let sql = server.client().await;
    sql.batch_execute("create role ada login").await.unwrap();
    for (table, listen, ends) in [
        ("dropped", "listen \"table:s.dropped\"", "drop table s.dropped"),
        (
            "taken_along",
            "listen \"table:s.taken_along\"",
            "insert into s.taken_along values (1); drop schema s cascade",
        ),
        ("renamed", "listen \"table:s.renamed\"", "alter table s.renamed rename to other"),
        ("unpublished", "listen \"table:s.unpublished\"", "select nqdb_unpublish_table('s.unpublished')"),
    ] {
        let setup = format!(
            "create schema if not exists s; grant usage on schema s to ada; create table s.{table} (id int);
             grant select on s.{table} to ada; select nqdb_publish_table('s.{table}')"
        );
        sql.batch_execute(&setup).await.unwrap();
        let channel = format!("table:s.{table}");
        let mut raw = Raw::connect(server.address()).await;
        assert_eq!(hear(&mut raw, &[listen]).await, [""; 0]);
        let mut socket = Socket::open(address, "/connection/websocket").await;
        socket.ask(&CONNECT.replace("\"user\":\"postgres\"", "\"user\":\"ada\"")).await;
        let subscribe = format!("{{\"id\":2,\"subscribe\":{{\"channel\":\"{channel}\"}}}}");
        assert!(socket.ask(&subscribe).await.contains("epoch"));
        let mut bare = Socket::open(address, &format!("/listen/{channel}?user=ada&database=postgres")).await;
        let mut events = ask(address, &format!("/sse?channel={channel}&user=ada&database=postgres"), "").await;
        assert!(read_until(&mut events, "\r\n\r\n").await.starts_with("HTTP/1.1 200"));
        sql.batch_execute(&format!("begin; {ends}; rollback")).await.unwrap();
        sql.batch_execute(ends).await.unwrap();
        let told = format!(r#"{{"op":"end","table":"s.{table}""#);
        let (tag, body) = raw.read().await.expect("the connection stands");
        assert_eq!(tag, b'A');
        assert!(payload(&body).starts_with(&told), "{}", payload(&body));
        assert!(socket.next().await.unwrap().contains(&told), "{ends}");
        assert!(socket.next().await.unwrap().contains(r#""unsubscribe":{"code":2000"#), "{ends}");
        assert!(bare.next().await.unwrap().starts_with(&told));
        assert_eq!(bare.close_code().await, 1008);
        // The end of the event, and of the answer.
        let answer = read_until(&mut events, "0\r\n\r\n").await;
        assert!(answer.contains(&format!("data: {told}")), "{answer}");
    }
    // Other columns end nothing.
    sql.batch_execute("create table kept (id int, a int); select nqdb_publish_table('kept')").await.unwrap();
    let mut raw = Raw::connect(server.address()).await;
    let statements = [
        "listen \"table:kept\"",
        "select nqdb_publish_table('kept', columns => '{id}')",
        "insert into kept values (1, 2)",
    ];
    let heard = hear(&mut raw, &statements).await;
    assert_eq!(heard, [r#"{"op":"insert","table":"kept","key":{"id":1},"row":{"id":1}}"#]);
    server.stop().await;
}

const WRITERS: u64 = 8;
const TRANSACTIONS: u64 = 60;

/// Changes rows, some of which others change too; rolls back and goes back to savepoints now and then.
async fn write(address: SocketAddr, writer: u64) {
    let parameters = format!("host=127.0.0.1 port={} user=postgres dbname=postgres", address.port());
    let client = connect(&parameters).await.unwrap();
    for number in 0..TRANSACTIONS {
        let (own, shared) = (writer * 1_000 + number % 7, number % 5);
        let block = match (writer + number) % 6 {
            0 => format!("insert into t values ({own}, {number}) on conflict (id) do update set a = excluded.a"),
            1 => format!("update t set a = a + 1 where id = {shared}"),
            2 => format!("begin; update t set a = -1 where id = {shared}; rollback"),
            3 => format!(
                "begin; update t set a = a + 1 where id = {shared}; savepoint s; delete from t; rollback to s; commit"
            ),
            4 => format!("delete from t where id = {own}"),
            _ => format!("insert into t values ({shared}, {number}) on conflict (id) do update set a = t.a + 1"),
        };
        if let Err(error) = client.batch_execute(&block).await {
            // Two that delete each other's rows.
            assert_eq!(error.code(), Some(&tokio_postgres::error::SqlState::T_R_DEADLOCK_DETECTED));
            client.batch_execute("rollback").await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_repeats_the_changes_has_the_table() {
    let server = Server::start().await;
    let client = server.client().await;
    client.batch_execute("create table t (id int primary key, a int)").await.unwrap();
    client.batch_execute("select nqdb_publish_table('t')").await.unwrap();
    let mut listener = Raw::connect(server.address()).await;
    assert_eq!(hear(&mut listener, &["listen \"table:t\""]).await, [""; 0]);
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(write(server.address(), writer));
    }
    writers.join_all().await;
    client.batch_execute("insert into t values (-1, 0)").await.unwrap();
    let mut payloads = Vec::new();
    while !payloads.last().is_some_and(|last: &String| last.contains("\"id\":-1")) {
        let (tag, body) = listener.read().await.expect("the connection stands");
        assert_eq!(tag, b'A');
        payloads.push(payload(&body));
    }
    client.batch_execute("create table heard (n serial, change json)").await.unwrap();
    for payload in &payloads {
        client.execute("insert into heard (change) values ($1::text::json)", &[payload]).await.unwrap();
    }
    // The newest change of each row says what the row is, and the numbers of the commits only grow.
    let difference = "with newest as (
            select distinct on ((change -> 'key' ->> 'id')::int) change from heard
            order by (change -> 'key' ->> 'id')::int, n desc),
        repeated as (
            select (change -> 'row' ->> 'id')::int as id, (change -> 'row' ->> 'a')::int as a
            from newest where change ->> 'op' <> 'delete'),
        apart as ((table repeated except table t) union all (table t except table repeated))
        select count(*) from apart";
    let apart: i64 = client.query_one(difference, &[]).await.unwrap().get(0);
    let disordered = "select count(*) from (select (change ->> 'csn')::bigint as csn,
        lag((change ->> 'csn')::bigint) over (order by n) as before from heard) as pairs where csn < before";
    let disordered: i64 = client.query_one(disordered, &[]).await.unwrap().get(0);
    assert_eq!((apart, disordered), (0, 0));
    server.stop().await;
}
