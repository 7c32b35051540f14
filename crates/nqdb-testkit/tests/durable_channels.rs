//! Channels whose messages are kept: who comes back after the server was killed gets what it missed, once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use nqdb_testkit::NqdbServer;
use nqdb_testkit::channel_client::{ChannelClient, Place, Subscribed};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

async fn connect(server: &NqdbServer, user: &str) -> Client {
    let target = server.target().replace("user=postgres", &format!("user={user}"));
    let (client, connection) = tokio_postgres::connect(&target, NoTls).await.expect("the server takes the connection");
    tokio::spawn(connection);
    client
}

/// Runs statements; gives the first column of the rows, or the code of the error.
async fn answers(client: &Client, sql: &str) -> Vec<String> {
    match client.simple_query(sql).await {
        Ok(messages) => messages
            .iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("NULL").to_owned()),
                _ => None,
            })
            .collect(),
        Err(error) => vec![error.code().map_or_else(|| error.to_string(), |code| code.code().to_owned())],
    }
}

fn restart(server: &mut NqdbServer) {
    server.kill();
    server.launch().expect("the server starts again");
}

fn data(told: &Subscribed) -> Vec<Value> {
    told.publications.iter().map(|publication| publication.data.clone()).collect()
}

fn offsets(told: &Subscribed) -> Vec<u64> {
    told.publications.iter().map(|publication| publication.offset).collect()
}

#[tokio::test]
async fn what_was_missed_comes_after_a_kill() {
    let mut server = NqdbServer::start();
    let sql = connect(&server, "postgres").await;
    assert_eq!(answers(&sql, "SELECT nqdb_create_channel('orders', history => 100)").await, ["orders"]);
    let mut client = ChannelClient::connect(server.http_port()).await.expect("a client");
    let first = client.subscribe("orders", None).await.expect("a subscription").place;
    assert_eq!(first.offset, 0);
    for said in ["NOTIFY orders, '1'", "BEGIN; NOTIFY orders, 'no'; ROLLBACK"] {
        sql.batch_execute(said).await.expect("said");
    }
    let in_parts = "BEGIN; NOTIFY orders, '2'; SAVEPOINT s; NOTIFY orders, 'no'; ROLLBACK TO s; NOTIFY orders, '\"three\"'; COMMIT";
    sql.batch_execute(in_parts).await.expect("said");
    client.command("publish", json!({ "channel": "orders", "data": { "n": 4 } })).await.expect("published");
    for (offset, wanted) in [(1, json!(1)), (2, json!(2)), (3, json!("three")), (4, json!({ "n": 4 }))] {
        let publication = client.publication().await.expect("a publication");
        assert_eq!((publication.offset, publication.data), (offset, wanted));
    }
    restart(&mut server);
    let sql = connect(&server, "postgres").await;
    sql.batch_execute("NOTIFY orders, '5'").await.expect("said");
    let mut back = ChannelClient::connect(server.http_port()).await.expect("a client");
    let told = back.subscribe("orders", Some(&Place { offset: 2, ..first.clone() })).await.expect("a subscription");
    assert!(told.was_recovering && told.recovered, "{told:?}");
    assert_eq!(data(&told), [json!("three"), json!({ "n": 4 }), json!(5)]);
    assert_eq!(offsets(&told), [3, 4, 5]);
    assert_eq!(told.place, Place { offset: 5, ..first.clone() });
    // The history has it too, from both ends.
    let ask = |reverse: bool| json!({ "channel": "orders", "limit": 2, "reverse": reverse });
    for (reverse, wanted) in [(false, [1, 2]), (true, [5, 4])] {
        let part = back.command("history", ask(reverse)).await.expect("a history");
        let found = part["publications"].as_array().cloned().unwrap_or_default();
        assert_eq!(found.iter().map(|one| one["offset"].as_u64().unwrap_or(0)).collect::<Vec<_>>(), wanted, "{part}");
    }
    sql.batch_execute("NOTIFY orders, '6'").await.expect("said");
    assert_eq!(back.publication().await.expect("a publication").offset, 6);
    // A place of another stream, and one that nobody had yet, are answered with a gap.
    for place in [Place { epoch: "other".to_owned(), offset: 2 }, Place { offset: 9, ..first.clone() }] {
        let mut lost = ChannelClient::connect(server.http_port()).await.expect("a client");
        let told = lost.subscribe("orders", Some(&place)).await.expect("a subscription");
        assert!(told.was_recovering && !told.recovered && told.publications.is_empty(), "{told:?}");
    }
    let view = "SELECT concat_ws(' ', name, durable, owner, newest_offset, history, history_max) FROM nqdb_channels";
    assert_eq!(answers(&sql, view).await, ["orders t postgres 6 6 100"]);
}

#[tokio::test]
async fn changes_of_tables_are_kept_too() {
    let mut server = NqdbServer::start();
    let sql = connect(&server, "postgres").await;
    let setup = "CREATE TABLE t (id int PRIMARY KEY, a numeric); SELECT nqdb_publish_table('t'), nqdb_create_channel('table:t')";
    sql.batch_execute(setup).await.expect("a table");
    let mut client = ChannelClient::connect(server.http_port()).await.expect("a client");
    let first = client.subscribe("table:t", None).await.expect("a subscription").place;
    sql.batch_execute("INSERT INTO t VALUES (1, 1.50), (2, 2)").await.expect("rows");
    sql.batch_execute("UPDATE t SET a = a + 1 WHERE id = 1").await.expect("a change");
    let mut heard = Vec::new();
    for _ in 0..3 {
        heard.push(client.publication().await.expect("a publication").data);
    }
    restart(&mut server);
    let sql = connect(&server, "postgres").await;
    sql.batch_execute("DELETE FROM t WHERE id = 2").await.expect("a change");
    let mut back = ChannelClient::connect(server.http_port()).await.expect("a client");
    let told = back.subscribe("table:t", Some(&first)).await.expect("a subscription");
    assert!(told.recovered, "{told:?}");
    let without_csn = |change: &Value| {
        let mut change = change.clone();
        change.as_object_mut().expect("an object").remove("csn");
        change
    };
    let told = data(&told);
    let wanted: Vec<Value> = heard.iter().map(without_csn).collect();
    assert_eq!(told.iter().take(3).map(without_csn).collect::<Vec<_>>(), wanted);
    assert_eq!(told[3]["op"], "delete");
    // Numbers of commits tell the transactions apart, grow, and are not below those that they had.
    let csn = |change: &Value| change["csn"].as_u64().expect("a number");
    assert_eq!(csn(&told[0]), csn(&told[1]));
    assert!(csn(&told[1]) < csn(&told[2]) && csn(&told[2]) < csn(&told[3]), "{told:?}");
    assert!(heard.iter().zip(&told).all(|(before, after)| csn(before) <= csn(after)), "{heard:?} {told:?}");
}

#[tokio::test]
async fn a_table_has_no_more_than_its_limits_say() {
    let mut server = NqdbServer::start();
    let sql = connect(&server, "postgres").await;
    let setup = "SELECT nqdb_create_channel('few', history => 10), nqdb_create_channel('short', history_bytes => 1024)";
    sql.batch_execute(setup).await.expect("channels");
    let mut client = ChannelClient::connect(server.http_port()).await.expect("a client");
    let few = client.subscribe("few", None).await.expect("a subscription").place;
    let short = client.subscribe("short", None).await.expect("a subscription").place;
    for number in 1..=200 {
        let said = format!("NOTIFY few, '{number}'; NOTIFY short, '\"{}\"'", "x".repeat(100 + number % 2));
        sql.batch_execute(&said).await.expect("said");
    }
    // What is too much goes a moment after the commits.
    let mut left = Vec::new();
    for _ in 0..200 {
        left = answers(&sql, "SELECT count(*) FROM pg_nqdb.few UNION ALL SELECT count(*) FROM pg_nqdb.short").await;
        if left.iter().all(|count| count.parse::<u32>().is_ok_and(|count| count <= 30)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(left.iter().all(|count| count.parse::<u32>().is_ok_and(|count| (9..=30).contains(&count))), "{left:?}");
    restart(&mut server);
    for (channel, first, oldest, before) in [("few", few, 191, 189), ("short", short, 192, 180)] {
        let mut back = ChannelClient::connect(server.http_port()).await.expect("a client");
        let told = back.subscribe(channel, Some(&Place { offset: oldest - 1, ..first.clone() })).await.expect("told");
        assert!(told.recovered, "{channel} {told:?}");
        assert_eq!(offsets(&told), (oldest..=200).collect::<Vec<_>>());
        let mut lost = ChannelClient::connect(server.http_port()).await.expect("a client");
        let told = lost.subscribe(channel, Some(&Place { offset: before, ..first })).await.expect("told");
        assert!(!told.recovered && told.place.offset == 200, "{channel} {told:?}");
    }
    let sql = connect(&server, "postgres").await;
    sql.batch_execute("SELECT nqdb_alter_channel('few', history => 3)").await.expect("other limits");
    sql.batch_execute("NOTIFY few, '201'").await.expect("said");
    let mut client = ChannelClient::connect(server.http_port()).await.expect("a client");
    let part = client.command("history", json!({ "channel": "few", "limit": 100 })).await.expect("a history");
    assert_eq!(part["publications"].as_array().map(Vec::len), Some(3), "{part}");
}

#[tokio::test]
async fn channels_are_made_and_dropped_by_who_may() {
    let server = NqdbServer::start();
    let sql = connect(&server, "postgres").await;
    let setup = "CREATE ROLE ada LOGIN; CREATE ROLE bob LOGIN; GRANT CREATE ON DATABASE postgres TO bob;
                 CREATE TABLE t (id int); GRANT SELECT ON t TO PUBLIC";
    sql.batch_execute(setup).await.expect("roles");
    let (ada, bob) = (connect(&server, "ada").await, connect(&server, "bob").await);
    let create = "SELECT nqdb_create_channel('c')";
    for (client, statement, wanted) in [
        (&ada, create, "42501"),
        (&bob, create, "c"),
        (&sql, create, "42710"),
        (&ada, "SELECT nqdb_drop_channel('c')", "42501"),
        (&ada, "SELECT nqdb_alter_channel('c', history => 5)", "42501"),
        (&bob, "SELECT nqdb_create_channel('table:t')", "42501"),
        (&sql, "SELECT nqdb_create_channel('table:none')", "42P01"),
        (&sql, "SELECT nqdb_create_channel('')", "22023"),
        (&sql, "SELECT nqdb_create_channel(repeat('x', 64))", "22023"),
        (&sql, "SELECT nqdb_create_channel('d*')", "22023"),
        (&sql, "SELECT nqdb_create_channel(NULL)", "22004"),
        (&sql, "SELECT nqdb_create_channel('d', history => 0)", "22023"),
        (&sql, "SELECT nqdb_create_channel('d', history => 100001)", "22023"),
        (&sql, "SELECT nqdb_create_channel('d', history_bytes => 1)", "22023"),
        (&sql, "SELECT nqdb_create_channel('d', durable => false)", "0A000"),
        (&sql, "SELECT nqdb_alter_channel('d')", "42704"),
        (&sql, "SELECT nqdb_drop_channel('d')", "42704"),
        (&sql, "BEGIN READ ONLY; SELECT nqdb_create_channel('d')", "25006"),
        (&sql, "ROLLBACK; INSERT INTO pg_nqdb.c VALUES (1, 'x', NULL, 1, now(), 1)", "42501"),
        (&sql, "UPDATE pg_nqdb.c SET payload = 'x'", "42501"),
        (&sql, "DELETE FROM pg_nqdb.c", "42501"),
        (&sql, "TRUNCATE pg_nqdb.c", "42501"),
        (&sql, "COPY pg_nqdb.c FROM STDIN", "42501"),
        (&sql, "DROP TABLE pg_nqdb.c", "42501"),
        (&sql, "ALTER TABLE pg_nqdb.c DROP COLUMN payload", "42501"),
        (&sql, "CREATE INDEX ON pg_nqdb.c (payload)", "42501"),
        (&sql, "DROP SCHEMA pg_nqdb CASCADE", "42501"),
        (&sql, "CREATE TABLE pg_nqdb.d (a int)", "42501"),
        (&sql, "DROP ROLE bob", "2BP01"),
        (&bob, "SELECT nqdb_alter_channel('c', history => 5, history_seconds => 60)", "c"),
    ] {
        assert_eq!(answers(client, statement).await, [wanted], "{statement}");
    }
    let view =
        "SELECT concat_ws(' ', name, owner, history_max, history_bytes_max, history_seconds_max) FROM nqdb_channels";
    assert_eq!(answers(&sql, view).await, ["c bob 5 1048576 60"]);
    assert_eq!(answers(&sql, "BEGIN; SELECT nqdb_drop_channel('c'); ROLLBACK").await, ["c"]);
    // Who is subscribed when a channel is dropped, or made, is let go to come back: places mean something else now.
    let mut client = ChannelClient::connect(server.http_port()).await.expect("a client");
    let kept = client.subscribe("c", None).await.expect("a subscription").place;
    assert_eq!(answers(&bob, "SELECT nqdb_drop_channel('c')").await, ["c"]);
    let push = client.push().await.expect("a push");
    assert_eq!((&push["channel"], &push["unsubscribe"]["code"]), (&json!("c"), &json!(2500)), "{push}");
    let told = client.subscribe("c", Some(&kept)).await.expect("a subscription");
    assert!(!told.recovered && told.place.epoch != kept.epoch, "{told:?}");
    assert_eq!(answers(&bob, create).await, ["c"]);
    assert_eq!(client.push().await.expect("a push")["unsubscribe"]["code"], 2500);
    assert_eq!(answers(&sql, "DROP OWNED BY bob; SELECT count(*) FROM nqdb_channels WHERE durable").await, ["0"]);
}

const WRITERS: u64 = 8;

/// What writers have said: by writer, the numbers that were acknowledged, and the one whose fate is unknown.
type Said = BTreeMap<u64, u64>;

async fn write(server: Arc<str>, writer: u64, next: Arc<AtomicU64>, stop: Arc<AtomicBool>) -> u64 {
    let Ok((client, connection)) = tokio_postgres::connect(&server, NoTls).await else {
        return next.load(Ordering::Relaxed);
    };
    tokio::spawn(connection);
    while !stop.load(Ordering::Relaxed) {
        let number = next.load(Ordering::Relaxed);
        let rolled_back = number.is_multiple_of(5);
        let end = if rolled_back { "ROLLBACK" } else { "COMMIT" };
        let said = format!("BEGIN; NOTIFY c, '[{writer},{number}]'; NOTIFY c, '[{writer},{number},2]'; {end}");
        if client.batch_execute(&said).await.is_err() {
            break;
        }
        next.fetch_add(1, Ordering::Relaxed);
    }
    next.load(Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_through_kills_under_load() {
    let mut server = NqdbServer::start();
    let sql = connect(&server, "postgres").await;
    sql.batch_execute("SELECT nqdb_create_channel('c', history => 100000, history_bytes => 16777216)")
        .await
        .expect("made");
    let mut client = ChannelClient::connect(server.http_port()).await.expect("a client");
    let mut place = client.subscribe("c", None).await.expect("a subscription").place;
    let mut heard: Vec<(u64, Value)> = Vec::new();
    let next: Vec<Arc<AtomicU64>> = (0..WRITERS).map(|_| Arc::new(AtomicU64::new(1))).collect();
    // The numbers that were on their way when the server was killed may be there or not.
    let mut in_doubt: Vec<(u64, u64)> = Vec::new();
    for _ in 0..4 {
        let stop = Arc::new(AtomicBool::new(false));
        let mut writers = JoinSet::new();
        let target: Arc<str> = server.target().into();
        for (writer, next) in (0..).zip(&next) {
            writers.spawn(write(target.clone(), writer, next.clone(), stop.clone()));
        }
        let until = heard.len() + 400;
        while heard.len() < until {
            let publication = client.publication().await.expect("a publication");
            heard.push((publication.offset, publication.data));
        }
        server.kill();
        stop.store(true, Ordering::Relaxed);
        writers.join_all().await;
        for (writer, next) in (0..).zip(&next) {
            in_doubt.push((writer, next.fetch_add(1, Ordering::Relaxed)));
        }
        // What the dead server had sent still comes; the place is that of the last message.
        while let Ok(publication) = client.publication().await {
            heard.push((publication.offset, publication.data));
        }
        place.offset = heard.last().map_or(0, |(offset, _)| *offset);
        server.launch().expect("the server starts again");
        client = ChannelClient::connect(server.http_port()).await.expect("a client");
        let told = client.subscribe("c", Some(&place)).await.expect("a subscription");
        assert!(told.recovered, "{:?} {:?}", place, told.place);
        assert_eq!(told.place.epoch, place.epoch);
        heard.extend(told.publications.into_iter().map(|publication| (publication.offset, publication.data)));
    }
    let offsets: Vec<u64> = heard.iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets, (1..=heard.len() as u64).collect::<Vec<_>>(), "one after the other");
    let mut said = Said::new();
    for pair in heard.chunks(2) {
        let numbers: Vec<u64> =
            pair.iter().flat_map(|(_, data)| data.as_array().expect("a list")).filter_map(Value::as_u64).collect();
        let [writer, number, again, same, 2] = numbers[..] else { panic!("{pair:?}") };
        assert_eq!((writer, number), (again, same), "both messages of a transaction stand together");
        let before = said.insert(writer, number).unwrap_or(0);
        assert!(number > before && !number.is_multiple_of(5), "{writer}: {number} after {before}");
        for skipped in before + 1..number {
            assert!(skipped.is_multiple_of(5) || in_doubt.contains(&(writer, skipped)), "{writer}: {skipped} is lost");
        }
    }
    for (writer, next) in (0..).zip(&next) {
        let last = said.get(&writer).copied().unwrap_or(0);
        for missing in last + 1..next.load(Ordering::Relaxed) {
            assert!(missing.is_multiple_of(5) || in_doubt.contains(&(writer, missing)), "{writer}: {missing} is lost");
        }
    }
}
