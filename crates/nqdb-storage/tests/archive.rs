//! The log's archive: every finished segment reaches it as it is, a failing archive keeps segments from being reused and
//! stops nobody, and no interruption leaves half a segment under a segment's name.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod pages;

use std::sync::Arc;

use nqdb_storage::disk::{Call, CrashMode, Disk, Fault, OpenMode, SimDisk};
use nqdb_storage::{LogArchive, Options, Sabotage, StorageError};
use pages::{Model, Random, Run, options};

const FOLDER: &str = "0000000000000007";

fn with_archive(archive: &SimDisk) -> Options {
    Options { log_archive: Some(LogArchive(Arc::new(archive.clone()))), ..options(Sabotage::None) }
}

fn archive_all(run: &Run) -> Result<u64, StorageError> {
    let mut count = 0;
    while run.engine.archive_step()? {
        count += 1;
    }
    Ok(count)
}

fn work(run: &mut Run, model: &mut Model, random: &mut Random, steps: u64) {
    for step in 0..steps {
        run.step(model, random, step).unwrap();
    }
}

/// The numbers of archived segments, each checked to be whole.
fn archived(archive: &SimDisk) -> Vec<u64> {
    let names = archive.list(FOLDER).unwrap();
    let numbers = names.iter().filter_map(|name| u64::from_str_radix(name, 16).ok());
    numbers
        .inspect(|number| {
            let content = archive.content(&format!("{FOLDER}/{number:016x}")).unwrap();
            assert_eq!(content.len(), 256 << 10);
            assert_eq!((&content[..8], &content[24..32]), (&b"nqdb-wal"[..], &number.to_le_bytes()[..]));
        })
        .collect()
}

#[test]
fn a_failing_archive_keeps_the_log_and_stops_nobody() {
    let (disk, archive, mut model, mut random) = (SimDisk::new(), SimDisk::new(), Model::default(), Random(1));
    let mut run = Run::create_with(&disk, with_archive(&archive), &mut model).unwrap();
    archive.set_capacity(Some(0));
    work(&mut run, &mut model, &mut random, 500);
    run.engine.flush_log().unwrap();
    assert!(run.engine.archive_step().is_err());
    let segments = disk.list("wal").unwrap().len();
    assert!(segments > 8, "{segments} segments are kept");
    let stats = run.engine.stats();
    assert!(stats.log_archive_failures > 0 && stats.unarchived_log_bytes > 7 * (256 << 10), "{stats:?}");

    archive.set_capacity(None);
    let count = archive_all(&run).unwrap();
    assert!(count > 7, "{count} segments are archived");
    let numbers = archived(&archive);
    assert_eq!(numbers, (1..=count).collect::<Vec<_>>());
    for number in numbers {
        let path = format!("wal/{number:016x}");
        assert_eq!(disk.content(&path), archive.content(&format!("{FOLDER}/{number:016x}")));
    }
    assert_eq!(run.engine.stats().unarchived_log_bytes, 0);
    // Now they may be used again.
    run.engine.checkpoint().unwrap();
    let before = disk.list("wal").unwrap().len();
    work(&mut run, &mut model, &mut random, 200);
    assert!(disk.list("wal").unwrap().len() <= before);
    run.verify(&model).unwrap();
}

#[test]
fn a_segment_is_archived_when_nothing_can_be_written_to_it_any_more() {
    let (disk, archive, mut model) = (SimDisk::new(), SimDisk::new(), Model::default());
    let mut run = Run::create_with(&disk, with_archive(&archive), &mut model).unwrap();
    work(&mut run, &mut model, &mut Random(2), 10);
    run.engine.flush_log().unwrap();
    assert_eq!(archive_all(&run).unwrap(), 0);
    let end = run.engine.log_end();
    assert_eq!(run.engine.switch_log().unwrap(), end);
    assert_eq!(archive_all(&run).unwrap(), 1);
    let again = run.engine.log_end();
    assert_eq!(run.engine.switch_log().unwrap(), again);
    assert_eq!(run.engine.log_end(), again, "the log has just been switched");
    assert_eq!(archive_all(&run).unwrap(), 0);
    // The promises of room hold after a switch.
    for _ in 0..20 {
        work(&mut run, &mut model, &mut Random(3), 10);
        run.engine.switch_log().unwrap();
    }
    run.verify(&model).unwrap();
    run.note_durable(&mut model);
    drop(run);
    Run::open(&disk.crash(CrashMode::OnlySynced), Sabotage::None, &mut model).unwrap().verify(&model).unwrap();
}

#[test]
fn a_start_goes_on_with_the_archive_where_it_was_left() {
    let (disk, archive, mut model, mut random) = (SimDisk::new(), SimDisk::new(), Model::default(), Random(4));
    let mut run = Run::create_with(&disk, with_archive(&archive), &mut model).unwrap();
    for round in 0..6 {
        work(&mut run, &mut model, &mut random, 120);
        if round % 2 == 0 {
            archive_all(&run).unwrap();
        }
        run.engine.flush_log().unwrap();
        run.note_durable(&mut model);
        drop(run);
        run = Run::open_with(&disk, with_archive(&archive), &mut model).unwrap();
    }
    run.close().unwrap();
    let numbers = archived(&archive);
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "none is missing");
    // A stop after nothing but a start archives nothing.
    drop(run);
    let mut run = Run::open_with(&disk, with_archive(&archive), &mut model).unwrap();
    run.close().unwrap();
    assert_eq!(archived(&archive), numbers);
}

#[test]
fn a_log_of_another_history_is_not_mixed_in() {
    let (disk, archive, mut model) = (SimDisk::new(), SimDisk::new(), Model::default());
    let mut run = Run::create_with(&disk, with_archive(&archive), &mut model).unwrap();
    work(&mut run, &mut model, &mut Random(5), 10);
    run.engine.flush_log().unwrap();
    run.note_durable(&mut model);
    let (twin, mut twins) = (disk.crash(CrashMode::AllWrites), model.clone());
    work(&mut run, &mut model, &mut Random(6), 150);
    archive_all(&run).unwrap();
    let before = archive.content(&format!("{FOLDER}/0000000000000001"));

    let mut run = Run::open_with(&twin, with_archive(&archive), &mut twins).unwrap();
    work(&mut run, &mut twins, &mut Random(7), 150);
    let error = run.engine.archive_step().unwrap_err();
    assert!(error.to_string().contains("another history"), "{error}");
    assert_eq!(archive.content(&format!("{FOLDER}/0000000000000001")), before);
}

#[test]
fn what_has_a_segments_name_in_the_archive_is_whole() {
    for at in 1.. {
        let (disk, archive, mut model) = (SimDisk::new(), SimDisk::new(), Model::default());
        let mut run = Run::create_with(&disk, with_archive(&archive), &mut model).unwrap();
        work(&mut run, &mut model, &mut Random(8), 150);
        archive.fail_at(Call::Change, at, Fault::CrashHere);
        let outcome = archive_all(&run);
        assert_eq!(outcome.is_err(), archive.has_crashed());
        for mode in [CrashMode::OnlySynced, CrashMode::AllWrites, CrashMode::RandomSubset(at), CrashMode::Torn512(at)] {
            let left = archive.crash(mode);
            archived(&left);
            if let Ok(count) = outcome {
                assert_eq!(archived(&left).len() as u64, count, "{mode:?}");
            }
        }
        // Another start completes what was begun.
        let left = archive.crash(CrashMode::RandomSubset(at));
        run.note_durable(&mut model);
        drop(run);
        let run = Run::open_with(&disk, with_archive(&left), &mut model).unwrap();
        archive_all(&run).unwrap();
        let numbers = archived(&left);
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
        assert!(numbers.len() > 2);
        if outcome.is_ok() {
            assert!(at > 8, "only {at} calls");
            return;
        }
    }
}

#[test]
fn an_archive_may_lie_anywhere_that_can_be_read() {
    let archive = SimDisk::new();
    assert!(archive.open("x", OpenMode::ReadOnly).is_err());
    archive.open("x", OpenMode::Create).unwrap();
    assert!(archive.open("x", OpenMode::ReadOnly).is_ok());
}
