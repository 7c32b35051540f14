//! How fast the engine's basic steps are on this machine, on one and on two threads.
//!
//! `cargo run --release -p nqdb-storage --example storage_speed [directory]`: without a directory on a disk in memory.

use std::sync::Arc;
use std::time::Instant;

use nqdb_storage::disk::{Disk, OsDisk, SimDisk};
use nqdb_storage::page::op::PageOp;
use nqdb_storage::{Engine, Need, NoLogClient, Options, PageId, Result};

const PAGES: usize = 1_000;
const STEPS: u64 = 1_000_000;

fn main() -> Result<()> {
    let disk: Arc<dyn Disk> = match std::env::args().nth(1) {
        Some(dir) => Arc::new(OsDisk::new(dir)),
        None => Arc::new(SimDisk::new()),
    };
    let engine = Engine::create(disk, Options::default())?;
    engine.set_log_client(Arc::new(NoLogClient));
    let mut ids = Vec::new();
    for _ in 0..PAGES {
        let mut mtr = engine.mtr(engine.reserve(Need { log_bytes: 200, new_pages: 1 })?);
        let page = mtr.allocate_page()?;
        mtr.apply(page, &PageOp::Bytes { offset: 4, bytes: &[0; 60] });
        ids.push(mtr.page_id(page));
        mtr.commit();
    }
    for threads in [1, 2] {
        measure("fetch + shared latch", threads, |step| {
            std::hint::black_box(engine.fetch(pick(&ids, step))?.read().u64_at(1000));
            Ok(())
        })?;
        measure("reserve, latch, change 60 bytes, commit", threads, |step| {
            let pin = engine.fetch(pick(&ids, step))?;
            let mut mtr = engine.mtr(engine.reserve(Need::record(80))?);
            let page = mtr.latch(pin);
            mtr.apply(page, &PageOp::Bytes { offset: 2_000, bytes: &[step as u8; 60] });
            mtr.commit();
            Ok(())
        })?;
    }
    let start = Instant::now();
    for _ in 0..2_000 {
        let end = engine.append(1, &[0; 60], engine.reserve(Need::record(60))?);
        engine.wait_flushed(end)?;
    }
    println!("append and wait for the sync: {:.1} us each", start.elapsed().as_secs_f64() * 1e6 / 2_000.0);
    println!("{:?}", engine.stats());
    engine.close()
}

fn pick(ids: &[PageId], step: u64) -> PageId {
    ids[(step.wrapping_mul(0x9e37_79b9) >> 7) as usize % ids.len()]
}

fn measure(what: &str, threads: u64, step: impl Fn(u64) -> Result<()> + Sync) -> Result<()> {
    let start = Instant::now();
    std::thread::scope(|scope| {
        let step = &step;
        let workers: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || (0..STEPS).try_for_each(|index| step(index * threads + thread))))
            .collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))
    })?;
    let nanoseconds = start.elapsed().as_secs_f64() * 1e9 / STEPS as f64;
    println!("{what}, {threads} thread(s): {nanoseconds:.0} ns per step and thread");
    Ok(())
}
