//! The pool: memory limit, eviction under many threads, damaged and torn pages.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nqdb_storage::disk::{Call, CrashMode, Fault, OsDisk, OverlayDisk, SimDisk};
use nqdb_storage::page::op::PageOp;
use nqdb_storage::{Engine, Lsn, Need, NoLogClient, NoLogReplay, Options, PageId, Result, StorageError};

const VALUE_AT: usize = 1000;

fn options(background_threads: bool) -> Options {
    Options {
        frames: 64,
        log_segment_bytes: 1 << 20,
        log_budget_bytes: 4 << 20,
        log_buffer_bytes: 256 << 10,
        background_threads,
        system_id: Some(7),
        ..Options::default()
    }
}

fn allocate(engine: &Engine, count: usize) -> Vec<PageId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let mut mtr = engine.mtr(engine.reserve(Need { log_bytes: 1_000, new_pages: 1 }).unwrap());
        let page = mtr.allocate_page().unwrap();
        mtr.apply(page, &PageOp::Bytes { offset: 4, bytes: &[0; 200] });
        ids.push(mtr.page_id(page));
        mtr.commit();
    }
    ids
}

fn increment(engine: &Engine, id: PageId) {
    try_increment(engine, id).unwrap();
}

/// Adds one to the page's value.
fn try_increment(engine: &Engine, id: PageId) -> Result<Lsn> {
    let pin = engine.fetch(id)?;
    let mut mtr = engine.mtr(engine.reserve(Need::record(20))?);
    let page = mtr.latch(pin);
    let value = mtr.page(page).u64_at(VALUE_AT) + 1;
    mtr.apply(page, &PageOp::Bytes { offset: VALUE_AT as u16, bytes: &value.to_le_bytes() });
    Ok(mtr.commit())
}

fn value(engine: &Engine, id: PageId) -> u64 {
    engine.fetch(id).unwrap().read().u64_at(VALUE_AT)
}

#[test]
fn many_threads_share_few_frames_and_lose_nothing() {
    const THREADS: u64 = 8;
    const STEPS: u64 = 2_000;
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::create(Arc::new(OsDisk::new(dir.path())), options(true)).unwrap();
    engine.set_log_client(Arc::new(NoLogClient));
    let ids = allocate(&engine, 300);
    let frames_seen = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (engine, ids, frames_seen) = (&engine, &ids, &frames_seen);
            scope.spawn(move || {
                for step in 0..STEPS {
                    let id = ids[(step * 7919 + thread * 104_729) as usize % ids.len()];
                    if step % 3 == 0 {
                        increment(engine, id)
                    } else {
                        drop(engine.fetch_scan(id).unwrap())
                    }
                    frames_seen.fetch_max(engine.stats().used_frames, Ordering::Relaxed);
                }
            });
        }
    });
    let total: u64 = ids.iter().map(|&id| value(&engine, id)).sum();
    assert_eq!(total, THREADS * STEPS.div_ceil(3));
    assert!(frames_seen.load(Ordering::Relaxed) <= 64);
    let stats = engine.stats();
    assert!(stats.evictions > 1_000 && stats.page_reads > 1_000, "{stats:?}");
    engine.close().unwrap();
    drop(engine);
    let engine = Engine::open(Arc::new(OsDisk::new(dir.path())), options(true), &mut NoLogReplay).unwrap();
    assert_eq!(ids.iter().map(|&id| value(&engine, id)).sum::<u64>(), total);
}

#[test]
fn recovery_gets_by_with_fewer_frames_than_changed_pages() {
    for background_threads in [false, true] {
        let disk = SimDisk::new();
        let engine = Engine::create(Arc::new(disk.clone()), options(background_threads)).unwrap();
        let ids = allocate(&engine, 300);
        ids.iter().for_each(|&id| increment(&engine, id));
        engine.flush_log().unwrap();
        let disk = disk.crash(CrashMode::OnlySynced);
        let engine = Engine::open(Arc::new(disk), options(background_threads), &mut NoLogReplay).unwrap();
        assert!(ids.iter().all(|&id| value(&engine, id) == 1));
    }
}

#[test]
fn a_crash_under_load_loses_nothing_durable() {
    const THREADS: usize = 4;
    for cut in [60, 97, 150, 220, 300, 401] {
        let disk = SimDisk::new();
        let engine = Engine::create(Arc::new(disk.clone()), options(true)).unwrap();
        engine.set_log_client(Arc::new(NoLogClient));
        let ids = allocate(&engine, 120);
        let issued: Vec<_> = ids.iter().map(|_| AtomicU64::new(0)).collect();
        let durable: Vec<_> = ids.iter().map(|_| AtomicU64::new(0)).collect();
        disk.fail_at(Call::Change, disk.calls(Call::Change) + cut, Fault::CrashHere);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (engine, ids, issued, durable) = (&engine, &ids, &issued, &durable);
                scope.spawn(move || {
                    for step in 0.. {
                        let index = (step * 31 % (ids.len() / THREADS)) * THREADS + thread;
                        let count = issued[index].fetch_add(1, Ordering::SeqCst) + 1;
                        let Ok(end) = try_increment(engine, ids[index]) else { break };
                        if step % 5 == 0 && engine.wait_flushed(end).is_err() {
                            break;
                        }
                        if step % 5 == 0 {
                            durable[index].store(count, Ordering::SeqCst);
                        }
                    }
                });
            }
        });
        drop(engine);
        for mode in [CrashMode::OnlySynced, CrashMode::AllWrites, CrashMode::Torn512(cut)] {
            let disk = Arc::new(disk.crash(mode));
            let engine = Engine::open(disk, options(true), &mut NoLogReplay).unwrap();
            for (index, &id) in ids.iter().enumerate() {
                let (least, most) = (durable[index].load(Ordering::SeqCst), issued[index].load(Ordering::SeqCst));
                // A page whose allocation was not durable was never durably changed.
                let found = if id.0 < engine.page_count() { value(&engine, id) } else { 0 };
                assert!((least..=most).contains(&found), "{id}: {found}, durable {least} of {most}, {mode:?}");
            }
        }
    }
}

#[test]
fn a_pool_of_pinned_pages_says_so() {
    let engine = Engine::create(Arc::new(SimDisk::new()), options(false)).unwrap();
    let ids = allocate(&engine, 80);
    let mut pins = Vec::new();
    let error = loop {
        match engine.fetch(ids[pins.len()]) {
            Ok(pin) => pins.push(pin),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StorageError::OutOfFrames { frames: 64 }), "{error:?}");
    assert_eq!(pins.len(), 63, "all but the meta page's frame");
    let missing = ids[pins.len()];
    pins.pop();
    assert_eq!(engine.fetch(missing).unwrap().id(), missing);
}

#[test]
fn scans_do_not_push_out_what_others_use() {
    let disk = SimDisk::new();
    let engine = Engine::create(Arc::new(disk.clone()), options(false)).unwrap();
    engine.set_log_client(Arc::new(NoLogClient));
    let ids = allocate(&engine, 300);
    engine.checkpoint().unwrap();
    let (hot, cold) = ids.split_at(30);
    for _ in 0..3 {
        hot.iter().for_each(|&id| drop(engine.fetch(id).unwrap()));
        cold.iter().for_each(|&id| drop(engine.fetch_scan(id).unwrap()));
    }
    hot.iter().for_each(|&id| drop(engine.fetch(id).unwrap()));
    cold.iter().take(34).for_each(|&id| drop(engine.fetch_scan(id).unwrap()));
    let resident = hot.iter().filter(|&&id| engine.fetch_resident(id).is_some()).count();
    assert!(resident >= 28, "only {resident} of {} pages in use stayed", hot.len());
}

#[test]
fn a_flipped_bit_is_noticed_and_stays_an_error() {
    let disk = SimDisk::new();
    let engine = Engine::create(Arc::new(disk.clone()), options(false)).unwrap();
    engine.set_log_client(Arc::new(NoLogClient));
    let ids = allocate(&engine, 3);
    engine.checkpoint().unwrap();
    // A later batch, so that the doublewrite file has no copy any more.
    allocate(&engine, 3);
    engine.close().unwrap();
    assert!(disk.flip_bit("base.nqdb", ids[1].offset() + 5_000, 2));
    drop(engine);
    let engine = Engine::open(Arc::new(disk), options(false), &mut NoLogReplay).unwrap();
    for _ in 0..2 {
        let error = engine.fetch(ids[1]).map(drop);
        assert!(matches!(error, Err(StorageError::Corrupt { page: Some(id), .. }) if id == ids[1]), "{error:?}");
    }
    assert!(engine.fetch(ids[0]).is_ok() && engine.fetch(ids[2]).is_ok());
}

#[test]
fn a_failed_read_leaves_the_page_for_another_try() {
    let disk = SimDisk::new();
    let engine = Engine::create(Arc::new(disk.clone()), options(false)).unwrap();
    engine.set_log_client(Arc::new(NoLogClient));
    let ids = allocate(&engine, 100);
    engine.checkpoint().unwrap();
    let missing = *ids.iter().find(|&&id| engine.fetch_resident(id).is_none()).unwrap();
    disk.fail_at(Call::Read, disk.calls(Call::Read) + 1, Fault::Eio);
    assert!(matches!(engine.fetch(missing).map(drop), Err(StorageError::Io { .. })));
    assert_eq!(engine.fetch(missing).unwrap().id(), missing);
}

#[test]
fn a_page_torn_in_place_is_restored() {
    let disk = SimDisk::new();
    let engine = Engine::create(Arc::new(disk.clone()), options(false)).unwrap();
    engine.set_log_client(Arc::new(NoLogClient));
    let ids = allocate(&engine, 10);
    engine.checkpoint().unwrap();
    ids.iter().for_each(|&id| increment(&engine, id));
    // The power goes while the data file is synced: after the doublewrite file, before the superblock.
    engine.flush_log().unwrap();
    disk.fail_at(Call::Sync, disk.calls(Call::Sync) + 2, Fault::CrashHere);
    assert!(engine.checkpoint().is_err());
    let torn = disk.crash(CrashMode::OnlySynced);
    let before = torn.content("base.nqdb").unwrap();
    for id in &ids {
        // Half of the page's new image, half of the old one.
        assert!(torn.flip_bit("base.nqdb", id.offset() + 600, 1));
    }
    assert_ne!(torn.content("base.nqdb").unwrap(), before);
    let engine = Engine::open(Arc::new(torn), options(false), &mut NoLogReplay).unwrap();
    assert!(ids.iter().all(|&id| value(&engine, id) == 1));
}

#[test]
fn a_crashed_database_can_be_looked_at_without_touching_it() {
    let disk = SimDisk::new();
    let engine = Engine::create(Arc::new(disk.clone()), options(false)).unwrap();
    let ids = allocate(&engine, 200);
    ids.iter().for_each(|&id| increment(&engine, id));
    engine.flush_log().unwrap();
    let crashed = disk.crash(CrashMode::OnlySynced);
    for _ in 0..2 {
        let overlay = OverlayDisk::new(Arc::new(crashed.clone()));
        let engine = Engine::open(Arc::new(overlay), options(false), &mut NoLogReplay).unwrap();
        assert!(ids.iter().all(|&id| value(&engine, id) == 1));
    }
    assert_eq!(crashed.calls(Call::Change), 0);
}

#[test]
fn freed_pages_are_used_again() {
    let engine = Engine::create(Arc::new(SimDisk::new()), options(false)).unwrap();
    let ids = allocate(&engine, 10);
    for &id in &ids[2..7] {
        let pin = engine.fetch(id).unwrap();
        let need = Need { log_bytes: Need::FREE_PAGE_BYTES, new_pages: 0 };
        let mut mtr = engine.mtr(engine.reserve(need).unwrap());
        let page = mtr.latch(pin);
        mtr.free_page(page);
        mtr.commit();
    }
    let pages = engine.page_count();
    assert_eq!(engine.free_list().unwrap().1, 5);
    let mut again = allocate(&engine, 5);
    again.sort();
    assert_eq!(again, &ids[2..7]);
    assert_eq!((engine.page_count(), engine.free_list().unwrap().1), (pages, 0));
}
