//! Backups of a database that is at work, and what is restored from them: it must be exactly the state after those changes
//! that end before the position in the log that was asked for, whatever went on while the backup was taken, and wherever a
//! backup or a restore was cut off.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod pages;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use nqdb_storage::backup::{
    BackupLink, BackupRequest, LaidOut, Manifest, RestoreSource, Until, complete, lay_out, open_link, renew_log, verify,
};
use nqdb_storage::disk::{Call, CrashMode, Disk, Fault, OpenMode, SimDisk};
use nqdb_storage::{Engine, LogArchive, Lsn, Options, Result, Sabotage, StorageError};
use pages::{Counter, Model, Random, Replay, Run, options};

/// A database with an archive, its changes, and where a workload is.
struct Bed {
    run: Run,
    model: Model,
    random: Random,
    steps: u64,
    archive: SimDisk,
}

fn with_archive(sabotage: Sabotage, archive: &SimDisk) -> Options {
    Options { log_archive: Some(LogArchive(Arc::new(archive.clone()))), ..options(sabotage) }
}

impl Bed {
    fn new(seed: u64, sabotage: Sabotage) -> Bed {
        let (archive, mut model) = (SimDisk::new(), Model::default());
        let run = Run::create_with(&SimDisk::new(), with_archive(sabotage, &archive), &mut model).unwrap();
        Bed { run, model, random: Random(seed), steps: 0, archive }
    }

    fn work(&mut self, steps: u64) {
        for _ in 0..steps {
            self.run.step(&mut self.model, &mut self.random, self.steps).unwrap();
            self.steps += 1;
            if self.steps.is_multiple_of(7) {
                self.run.engine.archive_step().unwrap();
            }
        }
    }

    /// A backup with `steps` of work between any two of its reads.
    fn backup(&mut self, target: &SimDisk, base: Option<&BackupLink>, steps: u64) -> Result<Manifest> {
        let engine = Arc::clone(&self.run.engine);
        engine.backup(BackupRequest {
            target,
            base: base.map(|link| (&link.manifest, "/backups/base".to_owned())),
            clock_micros: &|| 17,
            pace: &mut |progress| {
                assert!(progress.done_bytes > 0);
                self.work(steps);
                Ok(())
            },
        })
    }
}

fn link(disk: &SimDisk) -> BackupLink {
    open_link(Arc::new(disk.clone())).unwrap()
}

fn restore(chain: &[BackupLink], archives: &[&SimDisk], until: Until<'_>, target: &SimDisk) -> Result<LaidOut> {
    let archives: Vec<Arc<dyn Disk>> = archives.iter().map(|&disk| Arc::new(disk.clone()) as _).collect();
    let disk: Arc<dyn Disk> = Arc::new(target.clone());
    let laid_out = lay_out(RestoreSource { chain, archives: &archives }, until, &disk)?;
    let mut replay = Replay::default();
    let engine = Engine::open_restored(Arc::clone(&disk), options(Sabotage::None), &mut replay)?;
    engine.set_log_client(Arc::new(Counter(AtomicU64::new(replay.count))));
    engine.close()?;
    drop(engine);
    renew_log(&disk, Some(8))?;
    complete(&disk)?;
    Ok(laid_out)
}

/// The restored database is the state after `count` changes, and goes on from there.
fn check_restored(target: &SimDisk, model: &Model, count: usize) -> std::result::Result<(), String> {
    let mut model = model.after(count);
    let mut run = Run::open(target, Sabotage::None, &mut model)?;
    run.verify(&model)?;
    run.work_little(&mut model, 3)?;
    run.note_durable(&mut model);
    drop(run);
    let crashed = target.crash(CrashMode::OnlySynced);
    Run::open(&crashed, Sabotage::None, &mut model)?.verify(&model)
}

/// What goes wrong with a backup that is taken during work.
fn backup_during_work(seed: u64, sabotage: Sabotage) -> std::result::Result<(), String> {
    let mut bed = Bed::new(seed, sabotage);
    bed.work(50 + seed * 13 % 300);
    let backup = SimDisk::new();
    let manifest = bed.backup(&backup, None, 1 + seed % 40).map_err(|error| error.to_string())?;
    bed.work(5);
    let chain = [link(&backup)];
    verify(&chain).map_err(|error| error.to_string())?;
    let target = SimDisk::new();
    restore(&chain, &[], Until::Latest, &target).map_err(|error| error.to_string())?;
    check_restored(&target, &bed.model, bed.model.count_before(manifest.end))
}

#[test]
fn a_backup_of_a_database_at_work_is_its_state_at_the_backups_end() {
    for seed in 0..40 {
        assert_eq!(backup_during_work(seed, Sabotage::None), Ok(()), "seed {seed}");
    }
}

#[test]
fn a_backup_that_ends_before_its_pages_is_noticed() {
    assert!((0..40).any(|seed| backup_during_work(seed, Sabotage::EarlyBackupEnd).is_err()));
}

#[test]
fn a_backup_whose_log_is_reused_is_noticed() {
    let noticed = |seed| {
        let mut bed = Bed::new(seed, Sabotage::NoHold);
        bed.work(100);
        bed.backup(&SimDisk::new(), None, 100).is_err()
    };
    assert!((0..5).any(noticed));
}

#[test]
fn a_database_is_restored_to_any_position_that_the_archive_leads_to() {
    let mut bed = Bed::new(5, Sabotage::None);
    bed.work(60);
    let backup = SimDisk::new();
    let manifest = bed.backup(&backup, None, 2).unwrap();
    bed.work(350);
    bed.run.close().unwrap();
    let chain = [link(&backup)];
    let first = bed.model.count_before(manifest.end);
    for count in (first..=bed.model.len()).step_by(23) {
        let target = SimDisk::new();
        let end = bed.model.end_of(count);
        let until = if count == first { Until::Lsn(manifest.end) } else { Until::Lsn(end) };
        assert!(restore(&chain, &[&bed.archive], until, &target).unwrap().end <= end.max(manifest.end));
        assert_eq!(check_restored(&target, &bed.model, count), Ok(()), "change {count}");
    }
    let target = SimDisk::new();
    restore(&chain, &[&bed.archive], Until::Latest, &target).unwrap();
    assert_eq!(check_restored(&target, &bed.model, bed.model.len()), Ok(()), "a clean stop archives everything");

    let refused = |until, archives: &[&SimDisk]| {
        let target = SimDisk::new();
        let error = restore(&chain, archives, until, &target).unwrap_err();
        assert_eq!(target.calls(Call::Change), 0, "nothing was written");
        error.to_string()
    };
    let early = refused(Until::Lsn(bed.model.end_of(first - 2)), &[&bed.archive]);
    assert!(early.contains("an older backup is needed"), "{early}");
    let late = refused(Until::Lsn(Lsn(1 << 40)), &[&bed.archive]);
    assert!(late.contains("before what is to be restored"), "{late}");
    let without = refused(Until::Lsn(bed.model.end_of(bed.model.len())), &[]);
    assert!(without.contains("before what is to be restored"), "{without}");
}

#[test]
fn a_gap_in_the_archive_is_told() {
    let mut bed = Bed::new(6, Sabotage::None);
    bed.work(60);
    let backup = SimDisk::new();
    bed.backup(&backup, None, 0).unwrap();
    bed.work(350);
    bed.run.close().unwrap();
    let names = bed.archive.list("0000000000000007").unwrap();
    assert!(names.len() > 4, "{names:?}");
    bed.archive.remove(&format!("0000000000000007/{}", names[names.len() - 2])).unwrap();
    let error = restore(&[link(&backup)], &[&bed.archive], Until::Latest, &SimDisk::new()).unwrap_err();
    assert!(error.to_string().contains("although it goes on at"), "{error}");
}

#[test]
fn incremental_backups_build_on_each_other() {
    for seed in 0..8 {
        let mut bed = Bed::new(seed, Sabotage::None);
        bed.work(150);
        let mut chain: Vec<BackupLink> = Vec::new();
        for _ in 0..3 {
            let disk = SimDisk::new();
            bed.backup(&disk, chain.last().cloned().as_ref(), 1 + seed).unwrap();
            chain.push(link(&disk));
            bed.work(10);
        }
        let counts: Vec<usize> = chain.iter().map(|link| bed.model.count_before(link.end())).collect();
        for length in 1..=3 {
            verify(&chain[..length]).unwrap();
            let target = SimDisk::new();
            restore(&chain[..length], &[], Until::Latest, &target).unwrap();
            assert_eq!(
                check_restored(&target, &bed.model, counts[length - 1]),
                Ok(()),
                "seed {seed}, {length} backups"
            );
        }
        for (wrong, what) in [(&chain[1..], "needs the backup"), (&[chain[0].clone(), chain[2].clone()][..], "needs")] {
            let target = SimDisk::new();
            let error = restore(wrong, &[], Until::Latest, &target).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
            assert_eq!(target.calls(Call::Change), 0);
        }
    }
}

#[test]
fn an_incremental_backup_has_only_what_changed() {
    let mut bed = Bed::new(9, Sabotage::None);
    bed.work(200);
    let (full, changed) = (SimDisk::new(), SimDisk::new());
    bed.backup(&full, None, 0).unwrap();
    bed.work(2);
    bed.backup(&changed, Some(&link(&full)), 0).unwrap();
    let (all, some) = (full.content("base.nqdb").unwrap().len(), changed.content("changed.pages").unwrap().len());
    assert!(some > 0 && some * 4 < all, "{some} of {all} bytes");

    let mut other = Bed::new(9, Sabotage::None);
    other.run.close().unwrap();
    let foreign = Options { system_id: Some(99), ..options(Sabotage::None) };
    other.run = Run::create_with(&SimDisk::new(), foreign, &mut Model::default()).unwrap();
    let error = other.backup(&SimDisk::new(), Some(&link(&full)), 0).unwrap_err();
    assert!(error.to_string().contains("another database"), "{error}");
}

#[test]
fn a_backup_goes_into_an_empty_directory_only() {
    let mut bed = Bed::new(1, Sabotage::None);
    bed.work(20);
    let target = SimDisk::new();
    bed.backup(&target, None, 0).unwrap();
    let before = target.content("manifest");
    assert!(matches!(bed.backup(&target, None, 0), Err(StorageError::Refused { .. })));
    assert_eq!(target.content("manifest"), before);
}

#[test]
fn a_backup_that_was_cut_off_is_none() {
    let mut whole = 0;
    for at in 1.. {
        let mut bed = Bed::new(2, Sabotage::None);
        bed.work(60);
        let target = SimDisk::new();
        target.fail_at(Call::Change, at, Fault::CrashHere);
        let taken = bed.backup(&target, None, 1);
        assert_eq!(taken.is_err(), target.has_crashed());
        for mode in [CrashMode::OnlySynced, CrashMode::AllWrites, CrashMode::RandomSubset(at), CrashMode::Torn512(at)] {
            let left = Arc::new(target.crash(mode));
            match open_link(left) {
                Ok(link) => {
                    verify(&[link]).unwrap_or_else(|error| panic!("call {at}, {mode:?}: {error}"));
                    whole += 1;
                }
                Err(StorageError::Refused { .. }) => assert!(taken.is_err(), "call {at}, {mode:?}"),
                Err(error) => panic!("call {at}, {mode:?}: {error}"),
            }
        }
        if taken.is_ok() {
            assert!(whole >= 4 && at > 8, "{whole} whole backups, {at} calls");
            // The database has noticed nothing.
            bed.work(20);
            bed.run.verify(&bed.model).unwrap();
            return;
        }
    }
}

#[test]
fn a_restore_that_was_cut_off_leaves_no_database() {
    let mut bed = Bed::new(3, Sabotage::None);
    bed.work(80);
    let backup = SimDisk::new();
    let manifest = bed.backup(&backup, None, 1).unwrap();
    let (chain, count) = ([link(&backup)], bed.model.count_before(manifest.end));
    for at in 1.. {
        let target = SimDisk::new();
        target.fail_at(Call::Change, at, Fault::CrashHere);
        let done = restore(&chain, &[], Until::Latest, &target);
        assert_eq!(done.is_err(), target.has_crashed());
        for mode in [CrashMode::OnlySynced, CrashMode::AllWrites, CrashMode::RandomSubset(at), CrashMode::Torn512(at)] {
            let left = target.crash(mode);
            if Engine::exists(&left).unwrap() {
                assert_eq!(check_restored(&left, &bed.model, count), Ok(()), "call {at}, {mode:?}");
                continue;
            }
            assert!(done.is_err(), "call {at}, {mode:?}");
            if !left.list("").unwrap().iter().all(|name| name == "nqdb.lock") {
                let refused = Engine::create(Arc::new(left.clone()), options(Sabotage::None)).map(drop);
                assert!(matches!(refused, Err(StorageError::AlreadyExists { .. })), "call {at}, {mode:?}: {refused:?}");
            }
        }
        if done.is_ok() {
            assert!(at > 20, "only {at} calls");
            return;
        }
    }
}

#[test]
fn damage_anywhere_in_a_backup_is_found() {
    let mut bed = Bed::new(4, Sabotage::None);
    bed.work(120);
    let backup = SimDisk::new();
    let manifest = bed.backup(&backup, None, 3).unwrap();
    for file in &manifest.files {
        for part in 0..9 {
            let damaged = backup.crash(CrashMode::AllWrites);
            assert!(damaged.flip_bit(&file.path, (file.bytes - 1) * part / 8, part as u8));
            assert!(verify(&[link(&damaged)]).is_err(), "{} at {part}/8", file.path);
            let pages = file.path == "base.nqdb";
            let until = Until::Latest;
            let restored = restore(&[link(&damaged)], &[], until, &SimDisk::new());
            assert!(restored.is_err() || !pages, "{} at {part}/8 is restored", file.path);
        }
        let cut = backup.crash(CrashMode::AllWrites);
        cut.open(&file.path, OpenMode::Existing).unwrap().set_len(file.bytes - 1).unwrap();
        assert!(verify(&[link(&cut)]).is_err(), "{} is cut", file.path);
        let without = backup.crash(CrashMode::AllWrites);
        without.remove(&file.path).unwrap();
        assert!(verify(&[link(&without)]).is_err(), "{} is missing", file.path);
    }
}

#[test]
fn a_page_that_is_damaged_in_the_data_file_fails_the_backup() {
    let (disk, mut model) = (SimDisk::new(), Model::default());
    let mut run = Run::create_with(&disk, options(Sabotage::None), &mut model).unwrap();
    run.work(&mut model, 1).unwrap();
    run.engine.checkpoint().unwrap();
    drop(run);
    disk.flip_bit("base.nqdb", 40 * 8192 + 4000, 1);
    disk.remove("nqdb.doublewrite").unwrap();
    let Ok(run) = Run::open(&disk, Sabotage::None, &mut model) else { panic!("recovery does not need the page") };
    let target = SimDisk::new();
    let pace = &mut |_| Ok(());
    let request = BackupRequest { target: &target, base: None, clock_micros: &|| 0, pace };
    let error = run.engine.backup(request).unwrap_err();
    assert!(matches!(error, StorageError::Corrupt { page: Some(page), .. } if page.0 == 40), "{error}");
    assert!(matches!(open_link(Arc::new(target)), Err(StorageError::Refused { .. })));
}

#[test]
fn a_restored_database_does_not_write_into_the_archive_of_its_origin() {
    let mut bed = Bed::new(7, Sabotage::None);
    bed.work(100);
    let backup = SimDisk::new();
    bed.backup(&backup, None, 0).unwrap();
    bed.work(100);
    let target = SimDisk::new();
    restore(&[link(&backup)], &[], Until::Latest, &target).unwrap();
    let count = bed.model.count_before(link(&backup).end());
    let mut model = bed.model.after(count);
    let names = bed.archive.list("0000000000000007").unwrap();
    let mut run = Run::open_with(&target, with_archive(Sabotage::None, &bed.archive), &mut model).unwrap();
    run.work(&mut model, 9).unwrap();
    run.close().unwrap();
    assert_eq!(bed.archive.list("0000000000000007").unwrap(), names);
    assert!(bed.archive.list("0000000000000008").unwrap().len() > 2);
}
