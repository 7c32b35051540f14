//! Power cuts at any write, sync, rename or allocation of a random workload, and of the recovery after it.
//!
//! After each: what was acknowledged is there, what is there is the state after some commit, what was prepared and not
//! ended is prepared and can be ended, index and rows agree, and after purge nothing is left over. Each recovery rule, broken on purpose, is noticed by the same campaign.

use crate::bed::*;
use crate::model::{Mix, Model, Outcome, Prepared, State, state_after};
use nqdb_storage::Options;
use nqdb_storage::disk::{Call, CrashMode, Fault, SimDisk};
use nqdb_txn::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

const STEPS: usize = 500;

fn options() -> Options {
    Options {
        frames: 96,
        log_segment_bytes: 256 << 10,
        log_budget_bytes: 512 << 10,
        log_buffer_bytes: 256 << 10,
        background_threads: false,
        ..Options::default()
    }
}

const MIX: Mix = Mix { ids: 40, large_one_in: 25, writes_back: true };

/// What may be found after a power cut.
struct Expected {
    commits: Vec<State>,
    /// The newest state that was acknowledged.
    acknowledged: usize,
    prepared: Vec<Prepared>,
    /// The log was known to be durable up to here.
    durable: Lsn,
}

/// Runs a workload until the disk fails at its `n`-th change (or to the end).
fn run_until(disk: &Arc<SimDisk>, seed: u64, n: Option<u64>, sabotage: TxnSabotage) -> Expected {
    let bed = Bed::on(disk.clone(), options(), TxnOptions { sabotage, ..txn_options() });
    if let Some(n) = n {
        disk.fail_at(Call::Change, disk.calls(Call::Change) + n, Fault::CrashHere);
    }
    let mut model = Model::new(bed, seed, MIX);
    for _ in 0..STEPS {
        if model.step().is_err() {
            break;
        }
    }
    model.note_synced();
    let durable = model.bed.system.engine().flushed_lsn();
    let (commits, prepared) = (std::mem::take(&mut model.commits), std::mem::take(&mut model.prepared));
    Expected { commits, acknowledged: model.synced, prepared, durable }
}

impl Expected {
    /// Checks which transactions are prepared when the table is in the state with this number, and ends them. Gives the
    /// state after that.
    fn end_prepared(&self, bed: &Bed, position: usize, rng: &mut StdRng) -> State {
        let found: Vec<String> = bed.system.prepared_transactions().into_iter().map(|facts| facts.label.gid).collect();
        let mut state = self.commits[position].clone();
        for prepared in &self.prepared {
            let has_ended = match prepared.outcome {
                Outcome::Pending => Some(false),
                Outcome::Committed(Some(number), _) => Some(number <= position),
                Outcome::Committed(None, end) | Outcome::RolledBack(end) => (end <= self.durable).then_some(true),
            };
            let may_be_absent = prepared.end > self.durable || has_ended != Some(false);
            let is_found = found.contains(&prepared.gid);
            assert!(is_found || may_be_absent, "transaction {} is not prepared any more", prepared.gid);
            assert!(!is_found || has_ended != Some(true), "transaction {} is prepared again", prepared.gid);
            if is_found {
                let txn = bed.system.resume_prepared(&prepared.gid, |_| Ok(())).expect("it is prepared");
                if rng.random_bool(0.5) {
                    bed.commit(txn);
                    state = state_after(&state, 0, &prepared.log);
                } else {
                    txn.rollback_prepared().expect("the disk is sound");
                }
            }
        }
        assert!(found.iter().all(|gid| self.prepared.iter().any(|prepared| prepared.gid == *gid)), "{found:?}");
        state
    }
}

/// Whether the table holds this.
fn is_found(state: &State, found: &[(RowId, Row)]) -> bool {
    state.len() == found.len()
        && state.iter().zip(found).all(|((id, (_, row)), found)| (id, row) == (&found.0, &found.1))
}

fn mode(rng: &mut StdRng) -> CrashMode {
    match rng.random_range(0..4) {
        0 => CrashMode::OnlySynced,
        1 => CrashMode::AllWrites,
        2 => CrashMode::RandomSubset(rng.random()),
        _ => CrashMode::Torn512(rng.random()),
    }
}

/// One power cut, perhaps another during recovery, and what is found then.
fn crash_once(seed: u64, sabotage: TxnSabotage) {
    let mut rng = StdRng::seed_from_u64(seed);
    let disk = Arc::new(SimDisk::new());
    let n = rng.random_range(1..400);
    let expected = run_until(&disk, seed, Some(n), sabotage);
    let mut disk = Arc::new(disk.crash(mode(&mut rng)));
    let with = TxnOptions { sabotage, ..txn_options() };
    for _ in 0..rng.random_range(0..3) {
        disk.fail_at(Call::Change, rng.random_range(1..60), Fault::CrashHere);
        if let Ok(bed) = Bed::open(disk.clone(), options(), with.clone()) {
            let _ = bed.system.engine().flush_log();
            for _ in 0..rng.random_range(0..30) {
                let _ = bed.system.purge_step();
                let _ = bed.system.engine().background_step();
            }
        }
        disk = Arc::new(disk.crash(mode(&mut rng)));
    }
    let bed = Bed::open(disk, options(), with).expect("a crashed database opens");
    let found: Vec<(RowId, Row)> = bed.rows_with_ids(&bed.system.latest_view());
    let position = expected.commits.iter().rposition(|state| is_found(state, &found));
    let position =
        position.unwrap_or_else(|| panic!("what was recovered is not the state after any commit: {found:?}"));
    let acknowledged = expected.acknowledged;
    assert!(position >= acknowledged, "state {position} was recovered, {acknowledged} was acknowledged");
    bed.check();
    let state = expected.end_prepared(&bed, position, &mut rng);
    bed.system.engine().flush_log().expect("the disk is sound");
    let found = bed.rows_with_ids(&bed.system.latest_view());
    assert!(is_found(&state, &found), "what was prepared is not what was to be: {found:?}");
    bed.check_nothing_leaked();
    let mut model = Model::resume(bed, seed ^ 1, MIX, state);
    for _ in 0..60 {
        model.step().expect("the disk is sound");
    }
    model.finish().expect("the disk is sound");
}

#[test]
fn a_power_cut_anywhere_loses_nothing_that_was_acknowledged() {
    for seed in 0..150 {
        let result = catch_unwind(AssertUnwindSafe(|| crash_once(seed, TxnSabotage::None)));
        assert!(result.is_ok(), "seed {seed}");
    }
}

/// How many of the first power cuts the campaign needs to notice a broken rule.
fn noticed(sabotage: TxnSabotage) -> bool {
    (0..150).any(|seed| catch_unwind(AssertUnwindSafe(|| crash_once(seed, sabotage))).is_err())
}

#[test]
fn each_broken_rule_is_noticed() {
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let rules = [
        TxnSabotage::NoClr,
        TxnSabotage::NoAbortEnd,
        TxnSabotage::NoRecoveryUndo,
        TxnSabotage::NoFloor,
        TxnSabotage::NoSweep,
        TxnSabotage::VisibleBeforeSync,
        TxnSabotage::ForgetPrepared,
    ];
    let missed: Vec<TxnSabotage> = rules.into_iter().filter(|rule| !noticed(*rule)).collect();
    std::panic::set_hook(quiet);
    assert_eq!(missed, []);
}

#[test]
fn a_clean_stop_leaves_nothing_to_do() {
    let disk = Arc::new(SimDisk::new());
    let bed = Bed::on(disk.clone(), options(), txn_options());
    let mut txn = bed.begin();
    for id in 0..300 {
        bed.insert(&mut txn, &row(id, (id % 7) as i32, "some text")).expect("insert");
    }
    bed.commit(txn);
    let mut txn = bed.begin();
    for id in 0..100 {
        bed.delete(&mut txn, id).expect("delete");
    }
    bed.commit(txn);
    let before = bed.committed();
    bed.system.close().expect("closes");
    drop(bed);
    let bed = Bed::open(disk, options(), txn_options()).expect("opens");
    assert_eq!(bed.committed(), before);
    let report = bed.check();
    assert_eq!((report.rows, report.deleted_rows, report.marked_entries), (200, 0, 0));
}

#[test]
fn a_checkpoint_during_recovery_keeps_the_log_of_what_is_not_rolled_back_yet() {
    // So many rows that rolling them back dirties more pages than there are frames: checkpoints come in between.
    let disk = Arc::new(SimDisk::new());
    let options = || Options { frames: 64, ..options() };
    let bed = Bed::on(disk.clone(), options(), txn_options());
    let mut unfinished: Vec<Transaction> = (0..3).map(|_| bed.begin()).collect();
    for id in 0..1200 {
        let txn = &mut unfinished[id as usize % 3];
        bed.insert(txn, &row(id, 7, &"long ".repeat(60))).expect("insert");
    }
    bed.system.engine().flush_log().expect("the log");
    let crashed = disk.crash(CrashMode::AllWrites);
    let calls = |disk: &SimDisk| disk.calls(Call::Change);
    let whole = Arc::new(crashed.crash(CrashMode::AllWrites));
    drop(Bed::open(whole.clone(), options(), txn_options()).expect("it opens"));
    assert!(calls(&whole) > 40, "recovery makes only {} calls", calls(&whole));
    for at in 1..=calls(&whole) {
        let first = Arc::new(crashed.crash(CrashMode::AllWrites));
        first.fail_at(Call::Change, at, Fault::CrashHere);
        drop(Bed::open(first.clone(), options(), txn_options()));
        let second = Arc::new(first.crash(CrashMode::OnlySynced));
        let bed = Bed::open(second, options(), txn_options()).expect("it opens after the second power cut");
        assert_eq!(bed.committed(), [], "power cut at call {at} of recovery");
    }
}
