//! What a TPC-B style transaction and a point read cost in this crate and below, on one thread and a disk in memory: CPU time.
//!
//! `cargo bench -p nqdb-txn`. The flush of the log is measured apart: it is the log thread's work in a server.

use nqdb_storage::Options;
use nqdb_storage::disk::SimDisk;
use nqdb_txn::*;
use nqdb_types::key::KeyColumn;
use nqdb_types::{Datum, Type};
use rustix::time::{ClockId, clock_gettime};
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::time::Duration;

/// CPU time of this process, so that a busy machine does not blur the figures.
#[derive(Clone, Copy)]
struct CpuInstant(Duration);

impl CpuInstant {
    fn now() -> CpuInstant {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        CpuInstant(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
    }

    fn elapsed(self) -> Duration {
        CpuInstant::now().0 - self.0
    }
}

const INT4: u32 = 23;
const TEXT: u32 = 25;
const ACCOUNTS: i32 = 100_000;
const ROUNDS: u32 = 50_000;

fn table(system: &Arc<TxnSystem>, txn: &mut Transaction, id: u32, types: &[u32], keyed: bool) -> Arc<TableStore> {
    let columns: Vec<Type> = types.iter().map(|oid| Type::new(*oid)).collect();
    let mut tree = || system.create_tree(txn).expect("a tree");
    let (rows, overflow) = (tree(), tree());
    let indexes = keyed.then(|| {
        let key = vec![KeyColumn::ascending(0, columns[0])];
        Arc::new(IndexStore::over_columns(id + 1, tree(), true, key))
    });
    let counters = TableCounters::open(&rows, &overflow).expect("empty");
    let (missing, indexes) = (vec![Datum::Null; columns.len()], indexes.into_iter().collect());
    Arc::new(TableStore { id, rows, overflow, columns, missing, indexes, followed: false, counters })
}

fn find(table: &Arc<TableStore>, view: &ReadView, id: i32) -> (RowId, RowVersion, i32) {
    let prefix = table.indexes[0].key_prefix(&[Datum::Int4(id)]);
    let end = IndexStore::prefix_end(&prefix);
    let mut scan = table.index_scan(0, view.clone(), Bound::Included(prefix), end, Direction::Forward);
    let mut found = None;
    while scan
        .next_batch(&mut |row_id, version, image| {
            let Ok(Datum::Int4(balance)) = image.datum(2) else { panic!("a balance") };
            found = Some((row_id, version, balance));
            ControlFlow::Continue(())
        })
        .expect("reads")
    {}
    found.expect("the row is there")
}

fn add(table: &Arc<TableStore>, txn: &mut Transaction, id: i32, filler: &Datum) {
    txn.begin_statement().expect("no dependency");
    let (row_id, version, balance) = find(table, &txn.view(), id);
    let new = [Datum::Int4(id), Datum::Int4(1), Datum::Int4(balance + 1), filler.clone()];
    assert_eq!(table.update(txn, row_id, version, &new).expect("update"), Modified::Done);
}

fn main() {
    let options = Options {
        frames: 16_384,
        log_segment_bytes: 64 << 20,
        log_budget_bytes: 1 << 30,
        log_buffer_bytes: 16 << 20,
        background_threads: false,
        ..Options::default()
    };
    let system = TxnSystem::create(Arc::new(SimDisk::new()), options, TxnOptions::default()).expect("created");
    let mut txn = system.begin(Isolation::ReadCommitted, false);
    let with_balance = [INT4, INT4, INT4, TEXT];
    let accounts = table(&system, &mut txn, 100, &with_balance, true);
    let tellers = table(&system, &mut txn, 110, &with_balance, true);
    let branches = table(&system, &mut txn, 120, &with_balance, true);
    let history = table(&system, &mut txn, 130, &[INT4, INT4, INT4, INT4, TEXT], false);
    let filler = Datum::Text(" ".repeat(84).into());
    let started = CpuInstant::now();
    for (table, count) in [(&accounts, ACCOUNTS), (&tellers, 10), (&branches, 1)] {
        for id in 0..count {
            let row = [Datum::Int4(id), Datum::Int4(1), Datum::Int4(0), filler.clone()];
            table.insert(&mut txn, &row).expect("insert");
        }
    }
    txn.commit().expect("commit");
    println!("insert with a unique key: {:.2} µs", started.elapsed().as_secs_f64() * 1e6 / f64::from(ACCOUNTS));
    let engine = system.engine().clone();
    let flush = || {
        let started = CpuInstant::now();
        engine.flush_log().expect("flushed");
        started.elapsed()
    };
    flush();
    while system.purge_step().expect("purge") {}

    let (mut flushing, mut purging) = (Duration::ZERO, Duration::ZERO);
    let started = CpuInstant::now();
    for round in 0..ROUNDS {
        let id = (round.wrapping_mul(2_654_435_761) % ACCOUNTS as u32) as i32;
        let mut txn = system.begin(Isolation::ReadCommitted, false);
        add(&accounts, &mut txn, id, &filler);
        txn.begin_statement().expect("no dependency");
        find(&accounts, &txn.view(), id);
        add(&tellers, &mut txn, id % 10, &filler);
        add(&branches, &mut txn, 0, &filler);
        txn.begin_statement().expect("no dependency");
        let row = [Datum::Int4(id), Datum::Int4(1), Datum::Int4(1), Datum::Int4(7), filler.clone()];
        history.insert(&mut txn, &row).expect("insert");
        txn.commit().expect("commit");
        flushing += flush();
        let purge_started = CpuInstant::now();
        if round % 256 == 0 {
            while system.purge_step().expect("purge") {}
        }
        purging += purge_started.elapsed();
    }
    let per_round = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(ROUNDS);
    println!(
        "TPC-B style transaction: {:.2} µs (log flush {:.2} µs and purge {:.2} µs beside it)",
        per_round(started.elapsed() - flushing - purging),
        per_round(flushing),
        per_round(purging)
    );

    let view = system.latest_view();
    let started = CpuInstant::now();
    let mut sum = 0;
    for round in 0..4 * ROUNDS {
        let id = (round.wrapping_mul(2_654_435_761) % ACCOUNTS as u32) as i32;
        sum += find(&accounts, &view, id).2;
    }
    println!("point read by unique key: {:.3} µs (sum {sum})", per_round(started.elapsed()) / 4.0);
    let started = CpuInstant::now();
    for round in 0..4 * ROUNDS {
        let row_id = RowId(u64::from(round.wrapping_mul(2_654_435_761) % ACCOUNTS as u32) + 1);
        sum += accounts.fetch(&view, row_id, |image, _| i32::from(image.is_null(2))).expect("reads").expect("there");
    }
    println!("fetch by row id: {:.3} µs (sum {sum})", per_round(started.elapsed()) / 4.0);
    let started = CpuInstant::now();
    let mut rows = 0;
    let mut scan = accounts.scan(view, RowId(0)..RowId(u64::MAX), Direction::Forward);
    while scan
        .next_batch(&mut |_, _, image| {
            rows += usize::from(!image.is_null(2));
            ControlFlow::Continue(())
        })
        .expect("reads")
    {}
    println!("scan: {:.1} ns a row over {rows} rows", started.elapsed().as_secs_f64() * 1e9 / rows as f64);
}
