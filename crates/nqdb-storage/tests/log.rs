//! The log: what a torn end, damage in the middle, recycled segments, a full disk and failed syncs do to it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nqdb_storage::disk::{Call, CrashMode, Disk, Fault, OsDisk, SimDisk};
use nqdb_storage::{
    ClientCheckpoint, Engine, LogClient, LogReplay, Lsn, Need, NoLogClient, NoLogReplay, Options, Result, StorageError,
};

const SEGMENT_BYTES: u64 = 256 << 10;

fn options() -> Options {
    Options {
        frames: 64,
        log_segment_bytes: SEGMENT_BYTES,
        log_budget_bytes: 2 * SEGMENT_BYTES,
        log_buffer_bytes: 64 << 10,
        background_threads: false,
        system_id: Some(7),
        ..Options::default()
    }
}

/// Collects what comes back from the log.
#[derive(Default)]
struct Collect {
    records: Vec<(Lsn, u8, Vec<u8>)>,
}

impl LogReplay for Collect {
    fn checkpoint(&mut self, _payload: &[u8]) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, lsn: Lsn, kind: u8, payload: &[u8]) -> Result<()> {
        self.records.push((lsn, kind, payload.to_vec()));
        Ok(())
    }
}

fn append(engine: &Engine, kind: u8, payload: &[u8]) -> Result<Lsn> {
    Ok(engine.append(kind, payload, engine.reserve(Need::record(payload.len()))?))
}

fn open(disk: &SimDisk) -> Result<(Arc<Engine>, Collect)> {
    let mut collect = Collect::default();
    let engine = Engine::open(Arc::new(disk.clone()), options(), &mut collect)?;
    Ok((engine, collect))
}

/// A database with `count` records of 100 bytes, each made durable by itself, and the ends of their groups.
fn with_records(count: u8) -> (SimDisk, Vec<Lsn>) {
    let disk = SimDisk::new();
    let engine = Engine::create(Arc::new(disk.clone()), options()).unwrap();
    let mut ends = Vec::new();
    for kind in 0..count {
        ends.push(append(&engine, kind, &[kind; 100]).unwrap());
        engine.flush_log().unwrap();
    }
    (disk, ends)
}

fn segment_path(number: u64) -> String {
    format!("wal/{number:016x}")
}

#[test]
fn records_come_back_in_order_with_their_positions() {
    let (disk, ends) = with_records(20);
    let (_engine, collect) = open(&disk.crash(CrashMode::OnlySynced)).unwrap();
    assert_eq!(collect.records.len(), 20);
    for (index, (lsn, kind, payload)) in collect.records.iter().enumerate() {
        assert_eq!((usize::from(*kind), payload.len()), (index, 100));
        assert!(*lsn < ends[index] && (index == 0 || *lsn >= ends[index - 1]));
    }
}

#[test]
fn a_torn_end_is_cut_off_and_the_log_goes_on_there() {
    let disk = SimDisk::new();
    let engine = Engine::create(Arc::new(disk.clone()), options()).unwrap();
    for kind in 0..4 {
        append(&engine, kind, &[kind; 100]).unwrap();
        engine.flush_log().unwrap();
    }
    // The power goes while the last group is synced: of its sectors some are written and some are not.
    let end = append(&engine, 4, &[4; 100]).unwrap();
    disk.fail_at(Call::Sync, disk.calls(Call::Sync) + 1, Fault::CrashHere);
    engine.flush_log().unwrap_err();
    let disk = disk.crash(CrashMode::AllWrites);
    assert!(disk.flip_bit(&segment_path(1), end.0 - SEGMENT_BYTES - 20, 3));
    let (engine, collect) = open(&disk).unwrap();
    assert_eq!(collect.records.len(), 4);
    append(&engine, 77, b"goes on").unwrap();
    engine.flush_log().unwrap();
    let (_engine, collect) = open(&disk.crash(CrashMode::OnlySynced)).unwrap();
    assert_eq!(collect.records.last().map(|(_, kind, payload)| (*kind, &payload[..])), Some((77, &b"goes on"[..])));
    assert_eq!(collect.records.len(), 5);
}

#[test]
fn damage_in_the_middle_is_no_end() {
    for victim in 0..6 {
        let (disk, ends) = with_records(6);
        disk.flip_bit(&segment_path(1), ends[victim].0 - SEGMENT_BYTES - 20, 3);
        let error = open(&disk.crash(CrashMode::AllWrites)).err();
        assert!(matches!(error, Some(StorageError::Corrupt { .. })), "record {victim}: {error:?}");
    }
}

#[test]
fn damage_before_a_later_segment_is_no_end() {
    let disk = SimDisk::new();
    let engine = Engine::create(Arc::new(disk.clone()), options()).unwrap();
    let mut last_in_first = Lsn::ZERO;
    loop {
        let end = append(&engine, 1, &[1; 10_000]).unwrap();
        if end.0 > 2 * SEGMENT_BYTES {
            break;
        }
        last_in_first = end;
    }
    // Everything in one flush: no group says that the log was durable before it. Nor does the mark.
    engine.flush_log().unwrap();
    disk.flip_bit("nqdb.super", 8192, 0);
    disk.flip_bit(&segment_path(1), last_in_first.0 - SEGMENT_BYTES - 100, 0);
    assert!(matches!(open(&disk.crash(CrashMode::AllWrites)), Err(StorageError::Corrupt { .. })));
}

#[test]
fn a_damaged_segment_header_is_no_end() {
    let disk = SimDisk::new();
    let engine = Engine::create(Arc::new(disk.clone()), options()).unwrap();
    while engine.log_end().0 < 2 * SEGMENT_BYTES + 60_000 {
        append(&engine, 1, &[1; 10_000]).unwrap();
        engine.flush_log().unwrap();
    }
    for number in [1, 2] {
        let disk = disk.crash(CrashMode::AllWrites);
        disk.flip_bit(&segment_path(number), 20, 0);
        assert!(matches!(open(&disk), Err(StorageError::Corrupt { .. })), "segment {number}");
    }
}

#[test]
fn segments_are_recycled_and_the_log_stays_within_its_budget() {
    let disk = SimDisk::new();
    let engine = Engine::create(Arc::new(disk.clone()), options()).unwrap();
    engine.set_log_client(Arc::new(NoLogClient));
    for _ in 0..2_000 {
        append(&engine, 1, &[7; 3_000]).unwrap();
        engine.background_step().unwrap();
    }
    assert!(engine.log_end().0 > 20 * SEGMENT_BYTES);
    assert!(disk.list("wal").unwrap().len() <= 6, "{:?}", disk.list("wal"));
    engine.flush_log().unwrap();
    let (_engine, collect) = open(&disk.crash(CrashMode::OnlySynced)).unwrap();
    assert!(collect.records.iter().all(|(_, kind, payload)| *kind == 1 && payload == &[7; 3_000]));
    let replayed: u64 = collect.records.iter().map(|(_, _, payload)| payload.len() as u64).sum();
    assert!((1..=2 * SEGMENT_BYTES).contains(&replayed), "{replayed} bytes came back");
}

#[test]
fn groups_may_end_anywhere_at_a_segments_end() {
    // A group header takes 32 bytes: less than that is left unmarked, none at all is the exact fit.
    for left in [0, 8, 16, 24, 32, 40, 1_000] {
        let disk = SimDisk::new();
        let engine = Engine::create(Arc::new(disk.clone()), options()).unwrap();
        let mut appended = 0;
        let room = |engine: &Engine| SEGMENT_BYTES - engine.log_end().0 % SEGMENT_BYTES;
        while room(&engine) > 30_000 {
            append(&engine, 1, &[1; 10_000]).unwrap();
            appended += 1;
        }
        // Group header 32 bytes, record header 5 with a three-byte length.
        append(&engine, 2, &vec![2; (room(&engine) - left - 32 - 5) as usize]).unwrap();
        appended += 1;
        assert_eq!(engine.log_end().0, 2 * SEGMENT_BYTES - left);
        engine.flush_log().unwrap();
        let disk = disk.crash(CrashMode::OnlySynced);
        for round in 0..3 {
            let (engine, collect) = open(&disk).unwrap();
            assert_eq!(collect.records.len(), appended + round, "{left} bytes left");
            append(&engine, 3, &[3; 100]).unwrap();
            engine.flush_log().unwrap();
        }
    }
}

/// A layer above that needs everything from a given position on.
struct Floor(AtomicU64);

impl LogClient for Floor {
    fn checkpoint(&self) -> ClientCheckpoint {
        ClientCheckpoint { floor: Lsn(self.0.load(Ordering::SeqCst)), payload: vec![1] }
    }
}

#[test]
fn the_log_is_kept_from_the_floor_on() {
    let disk = SimDisk::new();
    let engine = Engine::create(Arc::new(disk.clone()), options()).unwrap();
    append(&engine, 1, b"not needed").unwrap();
    engine.set_log_client(Arc::new(Floor(AtomicU64::new(engine.log_end().0))));
    append(&engine, 2, b"needed").unwrap();
    for _ in 0..200 {
        append(&engine, 3, &[0; 10_000]).unwrap();
        engine.background_step().unwrap();
    }
    engine.checkpoint().unwrap();
    let (_engine, collect) = open(&disk.crash(CrashMode::OnlySynced)).unwrap();
    assert_eq!(collect.records.len(), 201);
    assert_eq!(collect.records[0].1, 2);
}

#[test]
fn a_full_disk_refuses_reservations_and_changes_nothing() {
    let disk = SimDisk::new();
    let engine = Engine::create(Arc::new(disk.clone()), options()).unwrap();
    disk.set_capacity(Some(disk.used_bytes() + 100_000));
    let mut appended = 0;
    let error = loop {
        match append(&engine, 1, &[1; 5_000]) {
            Ok(_) => appended += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StorageError::DiskFull { .. }), "{error:?}");
    let end = engine.log_end();
    assert!(matches!(append(&engine, 1, &[1; 5_000]), Err(StorageError::DiskFull { .. })));
    assert_eq!(engine.log_end(), end);
    assert!(!engine.log_failed());
    engine.flush_log().unwrap();
    disk.set_capacity(None);
    append(&engine, 1, &[1; 5_000]).unwrap();
    engine.flush_log().unwrap();
    let (_engine, collect) = open(&disk.crash(CrashMode::OnlySynced)).unwrap();
    assert_eq!(collect.records.len(), appended + 1);
}

#[test]
fn a_full_disk_refuses_pages_and_changes_nothing() {
    let disk = SimDisk::new();
    let engine = Engine::create(Arc::new(disk.clone()), options()).unwrap();
    disk.set_capacity(Some(disk.used_bytes() + 26 * 8192));
    let need = |new_pages| Need { log_bytes: 1_000, new_pages };
    let pages = engine.page_count();
    assert!(matches!(engine.reserve(need(11)), Err(StorageError::DiskFull { .. })));
    // What fits is still given out, but for the last 16 pages.
    let held = engine.reserve(need(10)).unwrap();
    assert!(matches!(engine.reserve(need(1)), Err(StorageError::DiskFull { .. })));
    let last = engine.reserve_last(need(16)).unwrap();
    assert!(matches!(engine.reserve_last(need(1)), Err(StorageError::DiskFull { .. })));
    drop((held, last));
    engine.reserve(need(10)).unwrap();
    assert_eq!(engine.page_count(), pages);
    disk.set_capacity(None);
    engine.reserve(need(20)).unwrap();
}

#[test]
fn reservations_give_back_what_was_not_used() {
    let disk = SimDisk::new();
    let engine = Engine::create(Arc::new(disk.clone()), options()).unwrap();
    let files = disk.list("wal").unwrap().len();
    for _ in 0..100 {
        let mut credit = engine.reserve_credit(50_000, 0).unwrap();
        let part = credit.take(20_000);
        assert_eq!((credit.log_bytes(), part.log_bytes()), (30_000, 20_000));
        credit.merge(part);
        assert_eq!(credit.log_bytes(), 50_000);
    }
    assert_eq!(disk.list("wal").unwrap().len(), files);
}

#[test]
fn a_failed_sync_is_final() {
    let disk = SimDisk::new();
    let engine = Engine::create(Arc::new(disk.clone()), options()).unwrap();
    let told = Arc::new(AtomicU64::new(0));
    let listener = Arc::clone(&told);
    engine.on_flush(Box::new(move |_| {
        listener.fetch_add(1, Ordering::SeqCst);
    }));
    let first = append(&engine, 1, b"durable").unwrap();
    engine.flush_log().unwrap();
    let second = append(&engine, 2, b"lost").unwrap();
    disk.fail_at(Call::Sync, disk.calls(Call::Sync) + 1, Fault::Eio);
    assert!(engine.flush_log().is_err());
    // The disk works again, but what it holds of the second record is unknown.
    assert!(matches!(engine.flush_log(), Err(StorageError::LogFailed)));
    assert!(matches!(engine.wait_flushed(second), Err(StorageError::LogFailed)));
    assert!(matches!(engine.reserve(Need::record(10)).map(drop), Err(StorageError::LogFailed)));
    assert!(matches!(engine.background_step(), Err(StorageError::LogFailed)));
    assert!(engine.wait_flushed(first).is_ok());
    assert!(engine.log_failed());
    assert_eq!((engine.flushed_lsn(), told.load(Ordering::SeqCst)), (first, 2));
}

#[test]
fn a_failed_page_write_is_final() {
    let disk = SimDisk::new();
    let engine = Engine::create(Arc::new(disk.clone()), options()).unwrap();
    let mut mtr = engine.mtr(engine.reserve(Need { log_bytes: 1_000, new_pages: 1 }).unwrap());
    let page = mtr.allocate_page().unwrap();
    mtr.apply(page, &nqdb_storage::page::op::PageOp::Bytes { offset: 4, bytes: &[3; 100] });
    mtr.commit();
    engine.set_log_client(Arc::new(NoLogClient));
    disk.fail_at(Call::Write, disk.calls(Call::Write) + 2, Fault::Eio);
    assert!(engine.checkpoint().is_err());
    assert!(engine.log_failed());
}

#[test]
fn a_group_beyond_the_limit_is_refused() {
    let engine = Engine::create(Arc::new(SimDisk::new()), options()).unwrap();
    let max = engine.group_bytes_max();
    assert!(append(&engine, 1, &vec![0; max - 100]).is_ok());
    assert!(matches!(append(&engine, 1, &vec![0; max]), Err(StorageError::GroupTooLarge { .. })));
}

#[test]
fn waiting_threads_share_syncs() {
    let disk = SimDisk::new();
    let options = Options { background_threads: true, ..options() };
    let engine = Engine::create(Arc::new(disk.clone()), options).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let end = append(&engine, 1, &[0; 50]).unwrap();
                    engine.wait_flushed(end).unwrap();
                    assert!(engine.flushed_lsn() >= end);
                }
            });
        }
    });
    let stats = engine.stats();
    assert_eq!(stats.log_groups, 1600);
    assert!(stats.log_syncs < stats.log_groups, "{stats:?}");
    engine.set_log_client(Arc::new(NoLogClient));
    engine.close().unwrap();
    assert!(matches!(engine.reserve(Need::record(1)).map(drop), Err(StorageError::LogFailed)));
}

#[test]
fn a_directory_is_opened_once_and_only_if_it_holds_a_database() {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(OsDisk::new(dir.path().join("data")));
    let open = || Engine::open(Arc::clone(&disk), options(), &mut NoLogReplay);
    assert!(matches!(open().map(drop), Err(StorageError::NoDatabase)));
    let engine = Engine::create(Arc::clone(&disk), options()).unwrap();
    assert!(matches!(open().map(drop), Err(StorageError::InUse)));
    assert!(matches!(Engine::create(Arc::clone(&disk), options()).map(drop), Err(StorageError::InUse)));
    drop(engine);
    assert!(matches!(Engine::create(Arc::clone(&disk), options()).map(drop), Err(StorageError::AlreadyExists { .. })));
    open().unwrap();
}

#[test]
fn a_newer_format_is_refused() {
    let disk = SimDisk::new();
    drop(Engine::create(Arc::new(disk.clone()), options()).unwrap());
    for copy in [0, 4096] {
        let file = disk.open("nqdb.super", nqdb_storage::disk::OpenMode::Existing).unwrap();
        let mut bytes = [0; 512];
        file.read_exact_at(&mut bytes, copy).unwrap();
        bytes[8] += 1;
        let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        file.write_all_at(&bytes, copy).unwrap();
    }
    let error = open(&disk).err();
    assert!(matches!(error, Some(StorageError::OtherFormat { found: 3, supported: 2 })), "{error:?}");
}

#[test]
fn a_clean_stop_leaves_nothing_to_repeat() {
    let disk = SimDisk::new();
    let engine = Engine::create(Arc::new(disk.clone()), options()).unwrap();
    engine.set_log_client(Arc::new(NoLogClient));
    append(&engine, 1, b"done").unwrap();
    engine.close().unwrap();
    let (engine, collect) = open(&disk.crash(CrashMode::OnlySynced)).unwrap();
    assert_eq!(collect.records, []);
    assert_eq!(engine.stats().page_reads, 1);
}
