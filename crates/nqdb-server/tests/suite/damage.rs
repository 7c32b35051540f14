//! What goes wrong beneath and inside the server: a full disk, a damaged page, a panic. Who is concerned gets an error
//! with its code; others go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nqdb_catalog::Cluster;
use nqdb_server::check_disk;
use nqdb_session::{Instance, InstanceOptions};
use nqdb_sql::temporary_files::TemporaryFolder;
use nqdb_storage::disk::{CrashMode, Disk, OpenMode, SimDisk};
use nqdb_txn::{TxnOptions, TxnSystem};
use nqdb_wire::{Listeners, WireOptions};
use tokio_postgres::Client;

use crate::support::raw::{Raw, Send};
use crate::support::{MEMORY_BYTES, Server};

use Send::Query;

const MIB: u64 = 1 << 20;
/// A row of this many bytes is stored in its own page or two.
const ROW_BYTES: usize = 4000;

fn code(error: &tokio_postgres::Error) -> String {
    error.code().unwrap_or_else(|| panic!("not from the server: {error:?}")).code().to_owned()
}

async fn count(client: &Client, table: &str) -> i64 {
    client.query_one(&format!("select count(*) from {table}"), &[]).await.unwrap().get(0)
}

/// Text that cannot be compressed.
fn body(seed: i64) -> String {
    let mut state = seed as u64;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'0' + (state >> 57) as u8 % 75)
    };
    (0..ROW_BYTES).map(|_| letter()).collect()
}

/// Inserts rows, each committed for itself, until one fails; gives how many were acknowledged and the failure's code.
async fn fill(client: &Client, from: i64) -> (i64, String) {
    for id in from.. {
        if let Err(error) = client.execute("insert into t values ($1, $2)", &[&id, &body(id)]).await {
            return (id, code(&error));
        }
    }
    unreachable!("the disk gets full")
}

/// Tries until it works; the server needs a moment to write pages back and to cut the log.
async fn eventually(client: &Client, sql: &str) {
    let started = Instant::now();
    loop {
        match client.batch_execute(sql).await {
            Ok(()) => return,
            Err(error) if code(&error) == "53100" && started.elapsed() < Duration::from_secs(30) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => panic!("{sql}: {error:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_writers_only_and_only_until_there_is_room() {
    let disk = SimDisk::new();
    let server = Server::start_over(disk.clone()).await;
    let (writer, reader) = (server.client().await, server.client().await);
    writer
        .batch_execute("create table t (id bigint primary key, body text); create table spare (body text)")
        .await
        .unwrap();
    writer
        .simple_query(
            "insert into spare select string_agg(md5((a * 1000 + b)::text), '')
             from generate_series(1, 1000) a, generate_series(1, 125) b group by a",
        )
        .await
        .unwrap();
    writer.batch_execute("checkpoint").await.unwrap();
    disk.set_capacity(Some(disk.used_bytes() + 6 * MIB));
    let (mut first, failure) = fill(&writer, 0).await;
    assert_eq!(failure, "53100");
    assert!(first > 100, "{first} rows found room");

    // Reads go on, in this session and others; so do writes refused once more, blocks and rollbacks.
    assert_eq!(count(&writer, "t").await, first);
    assert_eq!(count(&reader, "t").await, first);
    for _ in 0..3 {
        let (now, failure) = fill(&writer, first).await;
        assert_eq!(failure, "53100");
        first = now;
    }
    writer.batch_execute("begin").await.unwrap();
    assert_eq!(fill(&writer, first).await.1, "53100");
    assert_eq!(code(&writer.batch_execute("select 1").await.unwrap_err()), "25P02");
    writer.batch_execute("rollback").await.unwrap();
    let copied = writer.batch_execute("update t set body = body || repeat('z', 4000)").await.unwrap_err();
    assert_eq!(code(&copied), "53100");
    let changed = reader.query_one("select count(*) from t where length(body) > 4000", &[]).await.unwrap();
    assert_eq!(changed.get::<_, i64>(0), 0, "a refused statement changes nothing");
    let late = server.client().await;
    assert_eq!(count(&late, "spare").await, 1000);

    // Cleaning up is possible on a full disk.
    eventually(&writer, "truncate spare").await;
    assert_eq!(count(&reader, "spare").await, 0);

    // Room from outside.
    disk.set_capacity(Some(disk.used_bytes() + 80 * MIB));
    for id in first..first + 200 {
        writer.execute("insert into t values ($1, $2)", &[&id, &body(id)]).await.unwrap();
    }
    assert_eq!(count(&reader, "t").await, first + 200);

    // Nothing acknowledged is lost, by a power cut here or by a clean stop.
    let after_power_cut = disk.crash(CrashMode::OnlySynced);
    drop((writer, reader, late));
    server.stop().await;
    for disk in [after_power_cut, disk] {
        disk.set_capacity(None);
        let damage = check_disk(Arc::new(disk.clone()), MEMORY_BYTES).unwrap();
        assert!(damage.is_empty(), "{damage:?}");
        let server = Server::start_over(disk).await;
        let client = server.client().await;
        let row = client.query_one("select count(*), max(id), min(length(body)), max(length(body)) from t", &[]).await;
        let row = row.unwrap();
        let found: (i64, i64, i32, i32) = (row.get(0), row.get(1), row.get(2), row.get(3));
        assert_eq!(found, (first + 200, first + 199, ROW_BYTES as i32, ROW_BYTES as i32));
        drop(client);
        server.stop().await;
    }
}

/// Where some bytes are on the disk, each as file and offset.
fn find(disk: &SimDisk, wanted: &[u8]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for directory in ["", "data", "base"] {
        for name in disk.list(directory).unwrap() {
            let path = if directory.is_empty() { name } else { format!("{directory}/{name}") };
            let content = disk.content(&path).unwrap_or_default();
            found.extend(
                content
                    .windows(wanted.len())
                    .enumerate()
                    .filter(|(_, window)| *window == wanted)
                    .map(|(at, _)| (path.clone(), at)),
            );
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_page_is_xx001_with_its_number_and_the_rest_is_served() {
    let disk = SimDisk::new();
    let server = Server::start_over(disk.clone()).await;
    let client = server.client().await;
    client
        .batch_execute(
            "create table t (id int primary key, body text); create table other (id int);
             insert into t select id, repeat('x', 1000) from generate_series(1, 500) id;
             update t set body = 'DAMAGE-' || 'ME-' || body where id = 250; insert into other values (1), (2)",
        )
        .await
        .unwrap();
    drop(client);
    server.stop().await;
    // The copies of the pages that were written last are no longer needed, and would repair the damage.
    disk.open("nqdb.doublewrite", OpenMode::Existing).unwrap().set_len(0).unwrap();
    let places = find(&disk, b"DAMAGE-ME-");
    let pages: Vec<_> = places.iter().filter(|(path, _)| !path.contains("wal") && !path.contains("log")).collect();
    assert!(!pages.is_empty(), "{places:?}");
    for (path, offset) in pages {
        assert!(disk.flip_bit(path, *offset as u64, 3));
    }

    let server = Server::start_over(disk.clone()).await;
    let client = server.client().await;
    for sql in [
        "select sum(length(body)) from t",
        "select body from t where id = 250",
        "update t set body = 'x' where id = 250",
    ] {
        let error = client.batch_execute(sql).await.unwrap_err();
        let error = error.as_db_error().unwrap_or_else(|| panic!("{sql}: {error:?}"));
        assert_eq!(error.code().code(), "XX001", "{sql}: {error:?}");
        let number = error.message().split_once("on page ").expect("names the page").1;
        assert!(number.starts_with(|letter: char| letter.is_ascii_digit()), "{}", error.message());
    }
    client.batch_execute("select body from t where id = 1; update t set body = 'y' where id = 500").await.unwrap();
    client.batch_execute("insert into other values (3)").await.unwrap();
    assert_eq!(count(&server.client().await, "other").await, 3);
    assert_eq!(server.instance().metrics.panics.get(), 0);
    drop(client);
    server.stop().await;
    let damage = check_disk(Arc::new(disk), MEMORY_BYTES).unwrap();
    assert!(!damage.is_empty(), "a check finds it too");
}

static CLOCK_IS_BROKEN: AtomicBool = AtomicBool::new(false);

/// A clock that fails once when it is told to: sessions read it as each message arrives.
fn clock_micros() -> i64 {
    assert!(!CLOCK_IS_BROKEN.swap(false, Ordering::SeqCst), "the clock is broken");
    0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_ends_its_session_with_xx000_and_no_other() {
    let engine = nqdb_storage::Options { frames: 2000, ..nqdb_storage::Options::default() };
    let system = TxnSystem::create(Arc::new(SimDisk::new()), engine, TxnOptions::default()).unwrap();
    let cluster = Cluster::open(system.clone(), Arc::new(nqdb_sql::IndexExpressions)).unwrap();
    let temporary = TemporaryFolder::open(Arc::new(SimDisk::new())).unwrap();
    let options = InstanceOptions::plain(10, MEMORY_BYTES as usize, temporary);
    let mut instance = Instance::new(system.clone(), cluster, options).unwrap();
    Arc::get_mut(&mut instance).expect("nobody else has it yet").clock_micros = clock_micros;
    let listeners = Listeners::bind(WireOptions {
        listen: "127.0.0.1:0".to_owned(),
        unix_socket_dir: None,
        tls: None,
        message_bytes_max: 1 << 20,
        logins_max: 10,
    })
    .await
    .unwrap();
    let address = listeners.address();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let listener = tokio::spawn(listeners.run(instance.clone(), stopped, Duration::from_secs(5)));

    let (mut other, mut victim) = (Raw::connect(address).await, Raw::connect(address).await);
    other.replay(&[Query("create table t (id int primary key)")]).await;
    victim.replay(&[Query("begin"), Query("insert into t values (1)")]).await;
    CLOCK_IS_BROKEN.store(true, Ordering::SeqCst);
    let lines = victim.replay(&[Query("insert into t values (2)")]).await;
    assert!(lines[0].starts_with("E S=FATAL C=XX000"), "{lines:?}");
    assert_eq!(lines.last().map(String::as_str), Some("closed"));
    assert_eq!(instance.metrics.panics.get(), 1);
    // Its transaction is rolled back, its locks are gone, its place is free.
    let lines = other.replay(&[Query("insert into t values (1)"), Query("select count(*) from t")]).await;
    assert_eq!(lines[0], "C INSERT 0 1");
    assert!(lines.contains(&"D [1]".to_owned()), "{lines:?}");
    assert_eq!(instance.registry.count(), 1);

    stop.send(true).unwrap();
    listener.await.unwrap();
    drop(instance);
    system.close().unwrap();
}

/// A killed server's disk: two tables with indexes and large values, a checkpoint in the middle, a transaction open.
async fn killed_server() -> SimDisk {
    let disk = SimDisk::new();
    let server = Server::start_over(disk.clone()).await;
    let client = server.client().await;
    client
        .batch_execute(
            "create table t (id int primary key, n int, body text); create index on t (n);
             insert into t select id, id % 7, repeat('x', id % 900) from generate_series(1, 2000) id;
             create table large (id serial primary key, body text);
             insert into large (body) select repeat(md5(id::text), 600) from generate_series(1, 20) id;
             checkpoint;
             update t set n = n + 1, body = body || 'y' where id % 3 = 0; delete from t where id % 5 = 0;
             insert into t select id, 1, repeat('z', 300) from generate_series(3000, 3500) id;
             begin; update t set n = 0 where id % 11 = 0; insert into large (body) values (repeat('w', 30000))",
        )
        .await
        .unwrap();
    let killed = disk.crash(CrashMode::AllWrites);
    drop(client);
    server.stop().await;
    killed.open("nqdb.doublewrite", OpenMode::Existing).unwrap().set_len(0).unwrap();
    killed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_of_a_killed_server_is_reported_and_never_a_panic() {
    const PAGE_BYTES: usize = 8192;
    let killed = killed_server().await;
    assert_eq!(check_disk(Arc::new(killed.clone()), MEMORY_BYTES).unwrap(), Vec::<String>::new());
    let content = killed.content("base.nqdb").unwrap();
    let pages = content.len() / PAGE_BYTES;
    let mut found = 0;
    for round in 0..24 {
        let (page, other) = (round * pages / 24, (round * 7 + 5) * pages / 180 % pages);
        let (at, other_at) = (page * PAGE_BYTES, other * PAGE_BYTES);
        let disk = killed.crash(CrashMode::AllWrites);
        let file = disk.open("base.nqdb", OpenMode::Existing).unwrap();
        match round % 3 {
            0 => file.set_len(at as u64 + 100).unwrap(),
            1 => file.write_all_at(&[0; PAGE_BYTES], at as u64).unwrap(),
            _ => {
                file.write_all_at(&content[at..at + PAGE_BYTES], other_at as u64).unwrap();
                file.write_all_at(&content[other_at..other_at + PAGE_BYTES], at as u64).unwrap();
            }
        }
        // A panic would fail the test; a start that fails says that the data is damaged.
        match check_disk(Arc::new(disk), MEMORY_BYTES) {
            Ok(damage) => found += usize::from(!damage.is_empty()),
            Err(error) => panic!("round {round}: {error}"),
        }
    }
    assert!(found >= 8, "{found} damages found");
}
