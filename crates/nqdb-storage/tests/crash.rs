//! The crash campaign: a workload of small page changes is cut off at every write, sync, set_len, rename and so on, in
//! every crash mode; recovery is cut off as well; what comes back must be exactly the state after some prefix of the
//! changes, no shorter than what was reported as durable. Then the same with each recovery rule broken on purpose:
//! the campaign has to notice.

mod pages;

use nqdb_storage::Sabotage;
use nqdb_storage::disk::{Call, CrashMode, Fault, SimDisk};
use pages::{Model, Run};

/// The changing calls of one undisturbed run.
fn calls_of_a_run(sabotage: Sabotage) -> u64 {
    let disk = SimDisk::new();
    let mut model = Model::default();
    Run::create(&disk, sabotage, &mut model)
        .and_then(|mut run| run.work(&mut model, 1))
        .expect("nothing disturbs this run");
    disk.calls(Call::Change)
}

fn modes(seed: u64) -> [CrashMode; 4] {
    [CrashMode::OnlySynced, CrashMode::AllWrites, CrashMode::RandomSubset(seed), CrashMode::Torn512(seed)]
}

/// Runs until the power goes at the `at`-th changing call; `None` when creation had not finished.
fn run_until(at: u64, sabotage: Sabotage) -> (SimDisk, Model) {
    let disk = SimDisk::new();
    disk.fail_at(Call::Change, at, Fault::CrashHere);
    let mut model = Model::default();
    if let Ok(mut run) = Run::create(&disk, sabotage, &mut model) {
        let outcome = run.work(&mut model, 1);
        run.note_durable(&mut model);
        assert_eq!(outcome.is_err(), disk.has_crashed());
    }
    (disk, model)
}

/// What one crash leaves must be recoverable, also when recovery is cut off, and the engine must go on from there.
fn check_crash(disk: &SimDisk, model: &Model, mode: CrashMode, at: u64, sabotage: Sabotage) -> Result<(), String> {
    let mut disk = disk.crash(mode);
    let mut model = model.clone();
    // Recovery loses power too, at one call after the other as `at` moves on.
    let first_try = disk.crash(CrashMode::AllWrites);
    first_try.fail_at(Call::Change, at % 17 + 1, Fault::CrashHere);
    let recovered = Run::open(&first_try, sabotage, &mut model.clone());
    if first_try.has_crashed() {
        drop(recovered);
        disk = first_try.crash(mode);
    }
    for round in 0..2 {
        let mut run = Run::open_or_create(&disk, sabotage, &mut model)?;
        run.verify(&model).map_err(|what| format!("round {round}: {what}"))?;
        run.work_little(&mut model, at + round)?;
        run.note_durable(&mut model);
        drop(run);
        disk = disk.crash(CrashMode::OnlySynced);
    }
    let mut run = Run::open(&disk, sabotage, &mut model)?;
    run.verify(&model)?;
    run.close()?;
    drop(run);
    if at.is_multiple_of(4) { Run::open(&disk, sabotage, &mut model)?.verify(&model) } else { Ok(()) }
}

/// The first crash that is not survived, among the calls `first`, `first + step` and so on.
fn campaign(sabotage: Sabotage, first: u64, step: u64) -> Option<String> {
    let calls = calls_of_a_run(sabotage);
    assert!(calls > 200, "the workload makes only {calls} calls");
    (first..=calls).step_by(step as usize).find_map(|at| {
        let (disk, model) = run_until(at, sabotage);
        modes(at).into_iter().find_map(|mode| {
            let what = check_crash(&disk, &model, mode, at, sabotage).err()?;
            Some(format!("power cut at call {at} of {calls}, {mode:?}: {what}"))
        })
    })
}

#[test]
fn every_crash_at_an_odd_call_is_survived() {
    assert_eq!(campaign(Sabotage::None, 1, 2), None);
}

#[test]
fn every_crash_at_an_even_call_is_survived() {
    assert_eq!(campaign(Sabotage::None, 2, 2), None);
}

fn assert_noticed(sabotage: Sabotage) {
    assert!(campaign(sabotage, 1, 1).is_some(), "{sabotage:?} goes unnoticed");
}

#[test]
fn writing_pages_without_doublewrite_is_noticed() {
    assert_noticed(Sabotage::NoDoublewrite);
}

#[test]
fn writing_pages_before_their_log_is_noticed() {
    assert_noticed(Sabotage::FlushBeforeLog);
}

#[test]
fn unsynced_directories_are_noticed() {
    assert_noticed(Sabotage::NoDirSync);
}

#[test]
fn reporting_before_the_sync_is_noticed() {
    assert_noticed(Sabotage::AckBeforeSync);
}

#[test]
fn cutting_the_log_before_pages_are_synced_is_noticed() {
    assert_noticed(Sabotage::NoDataSync);
}

#[test]
fn taking_old_groups_for_new_is_noticed() {
    assert_noticed(Sabotage::IgnoreIncarnation);
}

#[test]
fn forgetting_dirty_pages_is_noticed() {
    assert_noticed(Sabotage::ForgetDirtyPages);
}
