//! The column cache is never seen: under any snapshot the analytical executor gives what the row executor gives, which
//! knows no cache, while other sessions write, roll back, and change the table's columns, and purge goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_postgres::{Client, SimpleQueryMessage};

use crate::support::Server;

/// Rows at the start: four segments, of which the last has room.
const ROWS: u64 = 30_000;

/// Numbers from a seed (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

async fn fill(client: &Client) {
    let fill = format!(
        "create table t (id int8 primary key, a int4, b numeric(12,2), c varchar(40), d date);
         insert into t select n, n % 1000 - 500, n / 7.0, case when n % 11 = 0 then null else 'text ' || n % 50 end,
             date '2020-01-01' + n::int4 % 700 from generate_series(1, {ROWS}) n"
    );
    client.batch_execute(&fill).await.unwrap();
}

/// The rows of a query as texts; `None` when it failed, as a query of a column may that is just being dropped.
async fn rows(client: &Client, sql: &str) -> Option<Vec<Vec<Option<String>>>> {
    let messages = client.simple_query(sql).await.ok()?;
    let rows = messages.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect()),
        _ => None,
    });
    Some(rows.collect())
}

/// What a snapshot is asked. Each is compared between the executors.
const QUESTIONS: [&str; 6] = [
    "select count(*), sum(a), sum(b), min(c), max(c), min(d), max(d), sum(id) from t",
    "select a, count(*), sum(b), sum(id) from t where b > 100 and a between -20 and 20 group by a order by a",
    "select c, count(*), max(d) from t group by c order by c",
    "select id, a, b, c, d from t where id > 29000 order by id",
    "select d, sum(a * id) from t where d < date '2020-02-01' group by d order by d",
    "select count(*), count(extra), sum(extra), min(extra) from t",
];

/// Compares all answers under the snapshot of the open transaction; gives the number of comparisons.
async fn compare(client: &Client) -> usize {
    let mut compared = 0;
    for question in QUESTIONS {
        client.batch_execute("savepoint asked").await.unwrap();
        client.batch_execute("set local nqdb.executor = analytical").await.unwrap();
        let analytical = rows(client, question).await;
        client.batch_execute("rollback to asked; savepoint asked; set local nqdb.executor = row").await.unwrap();
        let by_rows = rows(client, question).await;
        client.batch_execute("rollback to asked; release asked").await.unwrap();
        if let (Some(analytical), Some(by_rows)) = (&analytical, &by_rows) {
            assert_eq!(analytical, by_rows, "{question}");
            compared += 1;
        }
    }
    compared
}

async fn write(client: Client, seed: u64, stop: Arc<AtomicBool>) {
    let mut numbers = Numbers(seed);
    let mut next_id = seed << 32;
    while !stop.load(Ordering::Relaxed) {
        let mut sql = "begin;".to_owned();
        for _ in 0..=numbers.below(3) {
            let (at, value) = (1 + numbers.below(ROWS), numbers.below(100_000));
            sql += &match numbers.below(7) {
                0 => format!("update t set a = {value} where id = {at};"),
                1 => format!("update t set b = {value} / 100.0, c = 'changed' where id between {at} and {};", at + 20),
                2 => format!("delete from t where id = {at};"),
                3 => {
                    next_id += 30;
                    format!("insert into t select {next_id} + n, n, n, 'new', null from generate_series(0, 29) n;")
                }
                4 => format!("savepoint s; update t set c = null where id > {at} and id < {at} + 9000; rollback to s;"),
                5 => format!("update t set c = repeat('long ', 8) where id = {at};"),
                _ => format!("savepoint s; delete from t where id = {at}; release s;"),
            };
        }
        sql += if numbers.below(3) == 0 { "rollback" } else { "commit" };
        if client.batch_execute(&sql).await.is_err() {
            // A deadlock, or a column that is gone.
            client.batch_execute("rollback").await.unwrap();
        }
        tokio::time::sleep(std::time::Duration::from_millis(numbers.below(400))).await;
    }
}

async fn change_columns(client: Client, stop: Arc<AtomicBool>) {
    let mut numbers = Numbers(99);
    while !stop.load(Ordering::Relaxed) {
        let default = numbers.below(1000);
        for (sql, end) in [
            (format!("alter table t add column extra int4 default {default}"), numbers.below(2)),
            (format!("update t set extra = {default} + 1 where id < 100"), 0),
            ("alter table t drop column extra".to_owned(), numbers.below(3)),
            (format!("alter table t add column extra text default 'x{default}'"), 1),
        ] {
            let question = "set local nqdb.executor = analytical; select count(extra), sum(a) from t";
            let end = if end == 0 { "commit" } else { "rollback" };
            if client.batch_execute(&format!("begin; {sql}; {question}; {end}")).await.is_err() {
                client.batch_execute("rollback").await.unwrap();
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    }
}

/// Snapshots of all ages, some with changes of their own.
async fn read(client: Client, seed: u64, rounds: usize) -> usize {
    let mut numbers = Numbers(seed);
    let mut compared = 0;
    for round in 0..rounds {
        client.batch_execute("begin isolation level repeatable read").await.unwrap();
        compared += compare(&client).await;
        if round % 3 == 0 {
            let change = format!("savepoint own; update t set a = 77 where id = {}", 1 + numbers.below(ROWS));
            if client.batch_execute(&change).await.is_err() {
                client.batch_execute("rollback to own").await.unwrap();
            }
            compared += compare(&client).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(numbers.below(100))).await;
        compared += compare(&client).await;
        client.batch_execute(if round % 2 == 0 { "commit" } else { "rollback" }).await.unwrap();
    }
    compared
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_snapshot_sees_the_cache() {
    let server = Server::start().await;
    fill(&server.client().await).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut others = Vec::new();
    for seed in 1..4 {
        others.push(tokio::spawn(write(server.client().await, seed, stop.clone())));
    }
    others.push(tokio::spawn(change_columns(server.client().await, stop.clone())));
    let readers =
        [tokio::spawn(read(server.client().await, 11, 12)), tokio::spawn(read(server.client().await, 12, 12))];
    let mut compared = 0;
    for reader in readers {
        compared += reader.await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    for other in others {
        other.await.unwrap();
    }
    assert!(compared > 100, "{compared} comparisons");

    // Now that all stands still, it is the cache that answers.
    let client = server.client().await;
    let kept = server.instance().column_cache_stats().hits;
    for _ in 0..2 {
        client.batch_execute("begin isolation level repeatable read").await.unwrap();
        assert!(compare(&client).await >= 5);
        client.batch_execute("commit").await.unwrap();
    }
    assert!(server.instance().column_cache_stats().hits > kept);
    drop(client);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_still_is_read_once() {
    let server = Server::start().await;
    let client = server.client().await;
    fill(&client).await;
    client.batch_execute("set nqdb.executor = analytical").await.unwrap();
    let question = "select count(*), sum(b), min(c) from t where d > date '2020-05-01'";
    let first = rows(&client, question).await.unwrap();
    let read = server.instance().column_cache_stats();
    assert_eq!((read.hits, read.misses), (0, 4));
    assert!(read.held_bytes > 0);
    assert_eq!(rows(&client, question).await.unwrap(), first);
    let again = server.instance().column_cache_stats();
    assert_eq!((again.hits, again.misses), (4, 4));

    // A change sends its segment's readers to the tree, and when it is settled it is kept again.
    client.batch_execute("update t set b = 0 where id = 10").await.unwrap();
    assert_eq!(rows(&client, question).await.unwrap().len(), 1);
    assert_eq!(rows(&client, question).await.unwrap().len(), 1);
    let changed = server.instance().column_cache_stats();
    assert_eq!((changed.hits, changed.misses), (4 + 3 + 4, 4 + 1));

    // Statements need not fail for the cache's sake.
    let pool = server.instance().statement_memory.clone();
    let rest = pool.limit_bytes() - pool.held_bytes();
    pool.take(rest + 1).unwrap();
    assert!(server.instance().column_cache_stats().held_bytes < changed.held_bytes);
    pool.release(rest + 1);
    drop(client);
    server.stop().await;
}
