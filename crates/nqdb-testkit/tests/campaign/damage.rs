//! What `nqdb check` must notice: a flipped bit in any kind of page, a page in another's place, a missing index entry,
//! damage to the log that the next start needs.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use nqdb_storage::PageId;
use nqdb_storage::disk::{CrashMode, Disk, OpenMode, SimDisk};
use nqdb_storage::page::PageType;
use nqdb_storage::tree::{Direction, EditNeed};

use crate::server::{Broken, Server};

const DATA_FILE: &str = "base.nqdb";
const PAGE_BYTES: u64 = nqdb_storage::PAGE_SIZE as u64;

/// A closed database with pages of all kinds, and an example of each.
fn database() -> (SimDisk, BTreeMap<&'static str, PageId>) {
    let disk = SimDisk::new();
    let server = Server::open(&disk, Broken::NOTHING).expect("a new database");
    let mut client = server.client();
    let statements = [
        "CREATE TABLE t (id bigint PRIMARY KEY, k int, v text)",
        "CREATE INDEX t_k ON t (k)",
        "CREATE TABLE gone (id bigint PRIMARY KEY, v text)",
        "INSERT INTO t SELECT g, g % 100, repeat('a', 300) || g FROM generate_series(1, 2000) g",
        "INSERT INTO gone SELECT g, repeat('b', 300) || g FROM generate_series(1, 500) g",
        "DROP TABLE gone",
    ];
    for sql in statements {
        server.query(&mut client, sql).expect("a sound server");
    }
    let large: String =
        (0..20_000u32).map(|n| char::from(b'a' + (n.wrapping_mul(2_654_435_761) >> 27) as u8 % 26)).collect();
    server.query(&mut client, &format!("INSERT INTO t VALUES (5000, 1, '{large}')")).expect("a sound server");
    drop(client);
    server.purge_all().expect("purge");
    let kinds = kinds(&server);
    server.system.close().expect("it closes");
    // Damage to a page of the newest batch would be healed from its copy.
    disk.remove("nqdb.doublewrite").expect("the copies of the newest batch");
    disk.sync_dir("").expect("a sync");
    (disk, kinds)
}

fn kinds(server: &Server) -> BTreeMap<&'static str, PageId> {
    let catalog = server.catalog.committed();
    let table = catalog.tables().find(|table| table.name == "t").expect("it was made");
    let (rows, overflow) = (table.store.rows.id(), table.store.overflow.id());
    let indexes: Vec<_> = table.store.indexes.iter().map(|index| index.tree.id()).collect();
    let engine = server.system.engine();
    let mut kinds = BTreeMap::new();
    for number in 0..engine.page_count() {
        let id = PageId(number);
        let pin = engine.fetch(id).expect("a sound page");
        let page = pin.read();
        let kind = match page.page_type() {
            Some(PageType::Meta) => "meta page",
            Some(PageType::Free) => "free page",
            Some(PageType::Inner) => "inner page",
            Some(PageType::Leaf) if page.tree() == rows => "leaf of rows",
            Some(PageType::Leaf) if page.tree() == overflow => "leaf of large values",
            Some(PageType::Leaf) if indexes.contains(&page.tree()) => "leaf of an index",
            _ => "another page",
        };
        kinds.insert(kind, id);
    }
    kinds
}

fn check(disk: &SimDisk) -> Vec<String> {
    nqdb_server::check_disk(Arc::new(disk.clone()), 64 << 20).expect("the check runs")
}

#[test]
fn a_sound_database_passes_and_is_not_touched() {
    let (disk, kinds) = database();
    assert_eq!(kinds.len(), 7, "{kinds:?}");
    let before = disk.content(DATA_FILE).expect("the data file");
    assert_eq!(check(&disk), Vec::<String>::new());
    assert_eq!(disk.content(DATA_FILE), Some(before));
}

#[test]
fn a_crashed_database_passes_and_stays_as_it_was() {
    let disk = SimDisk::new();
    let server = Server::open(&disk, Broken::NOTHING).expect("a new database");
    let mut client = server.client();
    server.query(&mut client, "CREATE TABLE t (id bigint PRIMARY KEY)").expect("a sound server");
    server.query(&mut client, "BEGIN").expect("a sound server");
    server.query(&mut client, "INSERT INTO t SELECT generate_series(1, 1000)").expect("a sound server");
    server.flush_log();
    let crashed = disk.crash(CrashMode::OnlySynced);
    let before = crashed.content(DATA_FILE).expect("the data file");
    assert_eq!(check(&crashed), Vec::<String>::new());
    assert_eq!(crashed.content(DATA_FILE), Some(before));
}

#[test]
fn a_flipped_bit_in_any_kind_of_page_is_reported() {
    let (disk, kinds) = database();
    for (kind, page) in &kinds {
        for offset in [0, 17, 100, 4000, PAGE_BYTES - 1] {
            let damaged = disk.crash(CrashMode::AllWrites);
            assert!(damaged.flip_bit(DATA_FILE, page.0 * PAGE_BYTES + offset, 3));
            assert_ne!(check(&damaged), Vec::<String>::new(), "byte {offset} of page {page:?}, a {kind}");
        }
    }
}

#[test]
fn a_page_in_the_place_of_another_is_reported() {
    let (disk, kinds) = database();
    for (kind, page) in &kinds {
        let damaged = disk.crash(CrashMode::AllWrites);
        let file = damaged.open(DATA_FILE, OpenMode::Existing).expect("the data file");
        let mut other = vec![0; PAGE_BYTES as usize];
        // The page before is as sound as this one, but has another number.
        let source = if page.0 == 0 { 1 } else { page.0 - 1 };
        file.read_exact_at(&mut other, source * PAGE_BYTES).expect("a page");
        file.write_all_at(&other, page.0 * PAGE_BYTES).expect("a page");
        file.sync_data().expect("a sync");
        drop(file);
        assert_ne!(check(&damaged), Vec::<String>::new(), "page {source} over page {page:?}, a {kind}");
    }
}

#[test]
fn an_index_entry_that_is_missing_is_reported() {
    let (disk, _) = database();
    for position in 0..2 {
        let damaged = disk.crash(CrashMode::AllWrites);
        let server = Server::open(&damaged, Broken::NOTHING).expect("it opens");
        let catalog = server.catalog.committed();
        let table = catalog.tables().find(|table| table.name == "t").expect("it was made");
        let tree = &table.store.indexes[position].tree;
        let mut keys = Vec::new();
        let mut scan = tree.scan(Bound::Unbounded, Bound::Unbounded, Direction::Forward);
        while scan
            .next_leaf(&mut |key, _, _| {
                keys.push(key.to_vec());
                ControlFlow::Continue(())
            })
            .expect("the index reads")
        {}
        tree.edit(&keys[keys.len() / 2], EditNeed::default(), None, |edit| edit.remove()).expect("an edit");
        server.system.close().expect("it closes");
        drop(server);
        let damage = check(&damaged);
        assert!(damage.iter().any(|line| line.contains("is missing in index")), "{damage:?}");
    }
}

/// What a client finds in the tables of [`killed`]; the error when the server does not start.
fn found(disk: &SimDisk) -> Result<Vec<crate::sink::Row>, String> {
    let server = Server::open(disk, Broken::NOTHING)?;
    let mut client = server.client();
    let sql = "SELECT count(*), sum(t.id), (SELECT count(*) FROM u) FROM t";
    Ok(server.query(&mut client, sql)?.rows().to_vec())
}

/// A database whose process was killed, or stopped cleanly, after a few short transactions.
fn killed(is_clean: bool) -> SimDisk {
    let disk = SimDisk::new();
    let server = Server::open(&disk, Broken::NOTHING).expect("a new database");
    let mut client = server.client();
    for sql in [
        "CREATE TABLE t (id bigint PRIMARY KEY, v text)",
        "INSERT INTO t SELECT g, repeat('a', 100) FROM generate_series(1, 100) g",
        "CREATE TABLE u (id bigint PRIMARY KEY)",
        "INSERT INTO u VALUES (1), (2)",
        "DELETE FROM t WHERE id % 7 = 0",
    ] {
        server.query(&mut client, sql).expect("a sound server");
    }
    drop(client);
    if is_clean {
        server.system.close().expect("it closes");
    }
    disk.crash(CrashMode::AllWrites)
}

#[test]
fn damage_to_the_log_is_reported_or_harms_nothing() {
    const PATH: &str = "wal/0000000000000001";
    let mut reported = 0;
    for is_clean in [false, true] {
        let disk = killed(is_clean);
        let sound = found(&disk.crash(CrashMode::AllWrites)).expect("it opens");
        let log = disk.content(PATH).expect("the first segment");
        let used = log.iter().rposition(|byte| *byte != 0).expect("a log") + 1;
        for block in [4096, 8192] {
            for (first, second) in (0..used.div_ceil(block)).flat_map(|at| [(at, at + 1), (0, at + 1), (at, 30)]) {
                let damaged = disk.crash(CrashMode::AllWrites);
                let file = damaged.open(PATH, OpenMode::Existing).expect("the first segment");
                let blocks = [first, second].map(|at| (at * block) as u64);
                for (from, to) in [(blocks[0], blocks[1]), (blocks[1], blocks[0])] {
                    let bytes = &log[from as usize..from as usize + block];
                    file.write_all_at(bytes, to).expect("a write");
                }
                file.sync_data().expect("a sync");
                drop(file);
                let what = format!("blocks {first} and {second} of {block} bytes swapped, stopped cleanly: {is_clean}");
                let damage = check(&damaged);
                match found(&damaged) {
                    Ok(rows) => assert_eq!((&damage, &rows), (&Vec::new(), &sound), "{what}"),
                    Err(error) => {
                        assert!(error.contains("data is damaged"), "{what}: {error}");
                        assert!(damage.iter().any(|line| line.contains("log")), "{what}: {damage:?}");
                        reported += 1;
                    }
                }
            }
        }
    }
    assert!(reported > 5, "{reported}");
}
