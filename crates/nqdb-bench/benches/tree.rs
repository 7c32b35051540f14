//! One tree beside SQLite and redb, in one run on one disk: a million inserts in random and in ascending order, point
//! lookups, range scans of 10,000 entries. Keys are 8 bytes, values 100.
//!
//! `cargo bench -p nqdb-bench --bench tree [-- <entries>]`
//!
//! Each engine makes the inserts durable once, at the end: nqdb by one sync of the log, the others by one transaction.
//! (nqdb logs every insert as an atomic group of its own all the same.) All data fits the caches. Every phase is timed
//! once, from one thread, by the clock and by the processor time of that thread (which a busy machine does not change);
//! two lines show nqdb's own scaling over two threads, whose processor time is not counted.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nqdb_storage::disk::OsDisk;
use nqdb_storage::tree::{Direction, EditNeed, Tree};
use nqdb_storage::{Engine, NoLogClient, Options, TreeId};
use redb::{ReadableDatabase, TableDefinition};

const VALUE: [u8; 100] = [7; 100];
const SCAN_LEN: usize = 10_000;
const SCANS: usize = 200;
const CACHE_BYTES: usize = 512 << 20;
const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");

/// What is measured of an engine.
trait Contender {
    /// Inserts all keys in this order, durable on return.
    fn insert_all(&mut self, keys: &[u64]);
    /// Looks all keys up; the number found.
    fn get_all(&self, keys: &[u64]) -> usize;
    /// Reads `SCAN_LEN` entries from a key on; the sum of their values' first bytes.
    fn scan(&self, from: u64) -> usize;
}

struct Nqdb {
    engine: Arc<Engine>,
    tree: Tree,
}

impl Nqdb {
    fn new(dir: &std::path::Path) -> Nqdb {
        let disk = OsDisk::new(dir);
        let options = Options { frames: Options::frames_from_memory_bytes(CACHE_BYTES), ..Options::default() };
        let engine = Engine::create(Arc::new(disk), options).expect("the disk works");
        engine.set_log_client(Arc::new(NoLogClient));
        let tree = Tree::create(&engine, TreeId(1000), 0, |_| Vec::new()).expect("the disk works");
        Nqdb { engine, tree }
    }

    fn insert(&self, key: u64) {
        let need = EditNeed { value_bytes_max: VALUE.len(), log_bytes: 0 };
        let insert = self.tree.edit(&key.to_be_bytes(), need, None, |edit| edit.insert(&VALUE, false, 1));
        insert.expect("the disk works");
    }
}

impl Contender for Nqdb {
    fn insert_all(&mut self, keys: &[u64]) {
        for &key in keys {
            self.insert(key);
        }
        self.engine.wait_flushed(self.engine.log_end()).expect("the disk works");
    }

    fn get_all(&self, keys: &[u64]) -> usize {
        let found = |key: &&u64| self.tree.get(&key.to_be_bytes(), |entry, _| entry.is_some()).expect("the disk works");
        keys.iter().filter(found).count()
    }

    fn scan(&self, from: u64) -> usize {
        let from = from.to_be_bytes();
        let mut scan = self.tree.scan(Bound::Included(&from), Bound::Unbounded, Direction::Forward);
        let (mut left, mut sum) = (SCAN_LEN, 0);
        while left > 0
            && scan
                .next_leaf(&mut |_, entry, _| {
                    sum += usize::from(entry.value[0]);
                    left -= 1;
                    if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                })
                .expect("the disk works")
        {}
        sum
    }
}

struct Sqlite(rusqlite::Connection);

impl Sqlite {
    fn new(dir: &std::path::Path) -> Sqlite {
        let connection = rusqlite::Connection::open(dir.join("sqlite.db")).expect("the disk works");
        connection
            .execute_batch(&format!(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -{};
                 CREATE TABLE entries (key INTEGER PRIMARY KEY, value BLOB NOT NULL);",
                CACHE_BYTES >> 10
            ))
            .expect("the statements are sound");
        Sqlite(connection)
    }
}

impl Contender for Sqlite {
    fn insert_all(&mut self, keys: &[u64]) {
        let transaction = self.0.transaction().expect("no other transaction is open");
        {
            let mut insert = transaction.prepare("INSERT INTO entries VALUES (?1, ?2)").expect("sound");
            for &key in keys {
                insert.execute((key as i64, VALUE.as_slice())).expect("keys are distinct");
            }
        }
        transaction.commit().expect("the disk works");
    }

    fn get_all(&self, keys: &[u64]) -> usize {
        let mut get = self.0.prepare("SELECT value FROM entries WHERE key = ?1").expect("sound");
        keys.iter().filter(|&&key| get.exists([key as i64]).expect("the disk works")).count()
    }

    fn scan(&self, from: u64) -> usize {
        let mut scan = self.0.prepare_cached("SELECT value FROM entries WHERE key >= ?1 LIMIT ?2").expect("sound");
        let mut rows = scan.query([from as i64, SCAN_LEN as i64]).expect("the disk works");
        let mut sum = 0;
        while let Some(row) = rows.next().expect("the disk works") {
            sum += usize::from(row.get_ref(0).and_then(|value| Ok(value.as_blob()?[0])).expect("values are blobs"));
        }
        sum
    }
}

struct Redb(redb::Database);

impl Redb {
    fn new(dir: &std::path::Path) -> Redb {
        let mut builder = redb::Builder::new();
        builder.set_cache_size(CACHE_BYTES);
        Redb(builder.create(dir.join("redb.db")).expect("the disk works"))
    }
}

impl Contender for Redb {
    fn insert_all(&mut self, keys: &[u64]) {
        let transaction = self.0.begin_write().expect("the disk works");
        {
            let mut table = transaction.open_table(TABLE).expect("the table is ours");
            for &key in keys {
                table.insert(key, VALUE.as_slice()).expect("the disk works");
            }
        }
        transaction.commit().expect("the disk works");
    }

    fn get_all(&self, keys: &[u64]) -> usize {
        let transaction = self.0.begin_read().expect("the disk works");
        let table = transaction.open_table(TABLE).expect("the table is there");
        keys.iter().filter(|&&key| table.get(key).expect("the disk works").is_some()).count()
    }

    fn scan(&self, from: u64) -> usize {
        let transaction = self.0.begin_read().expect("the disk works");
        let table = transaction.open_table(TABLE).expect("the table is there");
        let range = table.range(from..).expect("the disk works");
        range.take(SCAN_LEN).map(|entry| usize::from(entry.expect("the disk works").1.value()[0])).sum()
    }
}

/// 0 to `count - 1` in an order without pattern, the same in every run.
fn shuffled(count: u64) -> Vec<u64> {
    let mut keys: Vec<u64> = (0..count).collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for index in (1..keys.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        keys.swap(index, (state % (index as u64 + 1)) as usize);
    }
    keys
}

/// Time by the clock, and on a processor (this thread's alone; Linux tells it).
#[derive(Clone, Copy)]
struct Time {
    elapsed: Duration,
    on_processor: Option<Duration>,
}

fn time_on_processor() -> Option<Duration> {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    schedstat.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

fn timed<T>(run: impl FnOnce() -> T) -> (Time, T) {
    let (start, processor_start) = (Instant::now(), time_on_processor());
    let result = run();
    let on_processor = time_on_processor().zip(processor_start).map(|(end, start)| end.saturating_sub(start));
    (Time { elapsed: start.elapsed(), on_processor }, result)
}

fn line(name: &str, what: &str, operations: usize, time: Time) {
    let on_processor = match time.on_processor {
        Some(time) => format!("{:>9.0} ns of processor each", time.as_nanos() as f64 / operations as f64),
        None => String::new(),
    };
    let nanoseconds = time.elapsed.as_nanos() as f64 / operations as f64;
    let seconds = time.elapsed.as_secs_f64();
    println!("{name:<8} {what:<26} {seconds:>8.3} s {nanoseconds:>10.0} ns each {on_processor}");
}

fn measure(name: &str, make: impl Fn(&std::path::Path) -> Box<dyn Contender>, ascending: &[u64], random: &[u64]) {
    for (order, keys) in [("ascending", ascending), ("random", random)] {
        let dir = tempfile::tempdir().expect("the disk works");
        let mut contender = make(dir.path());
        let (time, ()) = timed(|| contender.insert_all(keys));
        line(name, &format!("insert, {order}"), keys.len(), time);
        if order == "ascending" {
            continue;
        }
        let (time, found) = timed(|| contender.get_all(random));
        assert_eq!(found, random.len());
        line(name, "point lookup, random", random.len(), time);
        let starts: Vec<u64> = random.iter().take(SCANS).map(|key| key % (random.len() - SCAN_LEN) as u64).collect();
        let (time, sum) = timed(|| starts.iter().map(|&from| contender.scan(from)).sum::<usize>());
        assert_eq!(sum, SCANS * SCAN_LEN * usize::from(VALUE[0]));
        line(name, "range scan of 10,000", SCANS, time);
    }
}

fn measure_two_threads(random: &[u64]) {
    let dir = tempfile::tempdir().expect("the disk works");
    let nqdb = Nqdb::new(dir.path());
    let halves = || random.chunks(random.len().div_ceil(2));
    let (time, ()) = timed(|| {
        std::thread::scope(|scope| {
            for half in halves() {
                scope.spawn(|| half.iter().for_each(|&key| nqdb.insert(key)));
            }
        });
        nqdb.engine.wait_flushed(nqdb.engine.log_end()).expect("the disk works");
    });
    line("nqdb", "insert, random, 2 threads", random.len(), Time { on_processor: None, ..time });
    let (time, ()) = timed(|| {
        std::thread::scope(|scope| {
            for half in halves() {
                scope.spawn(|| assert_eq!(nqdb.get_all(half), half.len()));
            }
        });
    });
    line("nqdb", "point lookup, 2 threads", random.len(), Time { on_processor: None, ..time });
}

fn main() {
    let entries = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000_u64);
    let (ascending, random) = ((0..entries).collect::<Vec<_>>(), shuffled(entries));
    measure("nqdb", |dir| Box::new(Nqdb::new(dir)), &ascending, &random);
    measure_two_threads(&random);
    measure("redb", |dir| Box::new(Redb::new(dir)), &ascending, &random);
    measure("sqlite", |dir| Box::new(Sqlite::new(dir)), &ascending, &random);
}
