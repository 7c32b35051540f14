//! Damage to the log, tried systematically: blocks swapped, zeroed and moved, bits flipped, segments cut, exchanged, put
//! back from older content or removed. Whatever it is, the database either refuses to open, or everything that was
//! reported as durable is there.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::sync::Arc;

use nqdb_storage::disk::{CrashMode, Disk, OpenMode, SimDisk};
use nqdb_storage::{ClientCheckpoint, Engine, LogClient, LogReplay, Lsn, Need, Options, Result, StorageError};

const SEGMENT_BYTES: usize = 256 << 10;

fn options() -> Options {
    Options {
        frames: 64,
        log_segment_bytes: SEGMENT_BYTES as u64,
        log_budget_bytes: 4 * SEGMENT_BYTES as u64,
        log_buffer_bytes: 64 << 10,
        background_threads: false,
        system_id: Some(7),
        ..Options::default()
    }
}

/// The payloads of all records that come back.
#[derive(Default)]
struct Collect(Vec<Vec<u8>>);

impl LogReplay for Collect {
    fn checkpoint(&mut self, _payload: &[u8]) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, _lsn: Lsn, _kind: u8, payload: &[u8]) -> Result<()> {
        self.0.push(payload.to_vec());
        Ok(())
    }
}

/// A layer above that needs all records from a position on.
struct KeepFrom(Lsn);

impl LogClient for KeepFrom {
    fn checkpoint(&self) -> ClientCheckpoint {
        ClientCheckpoint { floor: self.0, payload: Vec::new() }
    }
}

/// One way to get a log.
#[derive(Clone, Copy, Debug)]
struct History {
    records: usize,
    record_bytes: usize,
    /// Records between two syncs.
    batch: usize,
    /// A checkpoint after this many records.
    checkpoint: Option<usize>,
    /// Power goes off and on again after this many records.
    reopened: Option<usize>,
    is_clean: bool,
}

impl History {
    fn run(self) -> SimDisk {
        let mut disk = SimDisk::new();
        let mut engine = Engine::create(Arc::new(disk.clone()), options()).unwrap();
        for number in 0..self.records {
            let payload = vec![number as u8; self.record_bytes];
            engine.append(1, &payload, engine.reserve(Need::record(payload.len())).unwrap());
            if (number + 1) % self.batch == 0 {
                engine.flush_log().unwrap();
            }
            if self.checkpoint == Some(number) {
                engine.set_log_client(Arc::new(KeepFrom(engine.log_end())));
                engine.checkpoint().unwrap();
            }
            if self.reopened == Some(number) {
                engine.flush_log().unwrap();
                drop(engine);
                disk = disk.crash(CrashMode::AllWrites);
                engine = Engine::open(Arc::new(disk.clone()), options(), &mut Collect::default()).unwrap();
            }
        }
        engine.flush_log().unwrap();
        if self.is_clean {
            engine.set_log_client(Arc::new(KeepFrom(Lsn::MAX)));
            engine.close().unwrap();
        }
        drop(engine);
        // The process is killed: the operating system still writes everything.
        disk.crash(CrashMode::AllWrites)
    }
}

fn histories() -> Vec<History> {
    let small = History { records: 30, record_bytes: 700, batch: 1, checkpoint: None, reopened: None, is_clean: false };
    let large = History { records: 60, record_bytes: 12_000, batch: 3, ..small };
    let mut all = Vec::new();
    for base in [small, History { batch: 30, ..small }, large, History { batch: 60, ..large }] {
        for checkpoint in [None, Some(base.records / 2)] {
            for reopened in [None, Some(base.records * 3 / 4)] {
                for is_clean in [false, true] {
                    all.push(History { checkpoint, reopened, is_clean, ..base });
                }
            }
        }
    }
    all
}

type Files = BTreeMap<String, Vec<u8>>;

fn segments(disk: &SimDisk) -> Files {
    let names = disk.list("wal").unwrap().into_iter().map(|name| format!("wal/{name}"));
    names.map(|path| (path.clone(), disk.content(&path).unwrap())).collect()
}

/// The disk with other log segments.
fn with_segments(disk: &SimDisk, files: &Files) -> SimDisk {
    let disk = disk.crash(CrashMode::AllWrites);
    for name in disk.list("wal").unwrap() {
        let path = format!("wal/{name}");
        match files.get(&path) {
            None => disk.remove(&path).unwrap(),
            Some(bytes) => {
                let file = disk.open(&path, OpenMode::Existing).unwrap();
                file.set_len(bytes.len() as u64).unwrap();
                file.write_all_at(bytes, 0).unwrap();
                file.sync_data().unwrap();
            }
        }
    }
    disk
}

fn open(disk: &SimDisk) -> Result<Vec<Vec<u8>>> {
    let mut collect = Collect::default();
    Engine::open(Arc::new(disk.clone()), options(), &mut collect)?;
    Ok(collect.0)
}

/// Tries one damage; whether it was refused.
fn try_damage(disk: &SimDisk, sound: &[Vec<u8>], files: &Files, what: &dyn Fn() -> String) -> bool {
    match open(&with_segments(disk, files)) {
        Ok(records) => {
            assert_eq!(records.len(), sound.len(), "{}: records are lost without an error", what());
            assert!(records == sound, "{}: other records come back", what());
            false
        }
        Err(StorageError::Corrupt { .. }) => true,
        Err(error) => panic!("{}: {error}", what()),
    }
}

/// Where the bytes of a segment end that are not zero.
fn used(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1)
}

/// Damages within one segment, each with a name.
fn damaged_segments(sound: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for block in [4096, 8192] {
        let count = sound.len() / block;
        let blocks = used(sound).div_ceil(block);
        // Not all of them: a log has many blocks that are alike.
        let some = |count: usize| (0..count).step_by(count / 8 + 1);
        let pairs = some(blocks)
            .flat_map(|first| [(first, first + 1), (0, first), (first, blocks.saturating_sub(1)), (first, count - 1)]);
        for (first, second) in pairs.filter(|(first, second)| first < second && *second < count) {
            let mut bytes = sound.to_vec();
            let (low, high) = bytes.split_at_mut(second * block);
            low[first * block..(first + 1) * block].swap_with_slice(&mut high[..block]);
            all.push((format!("blocks {first} and {second} of {block} bytes swapped"), bytes));
        }
        for at in some(blocks) {
            let mut bytes = sound.to_vec();
            bytes[at * block..(at + 1) * block].fill(0);
            all.push((format!("block {at} of {block} bytes zeroed"), bytes));
        }
    }
    for at in (0..used(sound)).step_by(used(sound) / 12 + 1) {
        let mut bytes = sound.to_vec();
        bytes[at] ^= 1 << (at % 8);
        all.push((format!("a bit of byte {at} flipped"), bytes));
    }
    for len in [0, 63, 64, used(sound) / 2, used(sound).saturating_sub(1), sound.len() - 1] {
        all.push((format!("cut to {len} bytes"), sound[..len].to_vec()));
        let mut bytes = sound.to_vec();
        bytes[len..].fill(0);
        all.push((format!("zeros from byte {len} on"), bytes));
    }
    all
}

#[test]
fn damage_to_the_log_never_loses_what_was_durable_in_silence() {
    let (mut tried, mut refused) = (0, 0);
    let mut count = |is_refused: bool| {
        tried += 1;
        refused += u32::from(is_refused);
    };
    for history in histories() {
        let disk = history.run();
        let sound = open(&disk.crash(CrashMode::AllWrites)).unwrap();
        let files = segments(&disk);
        for (path, bytes) in &files {
            for (damage, damaged) in damaged_segments(bytes) {
                let mut files = files.clone();
                files.insert(path.clone(), damaged);
                count(try_damage(&disk, &sound, &files, &|| format!("{history:?}, {path}: {damage}")));
            }
            let mut without = files.clone();
            without.remove(path);
            count(try_damage(&disk, &sound, &without, &|| format!("{history:?}, {path} removed")));
            for (other, content) in files.iter().filter(|(other, _)| *other != path) {
                let mut replaced = files.clone();
                replaced.insert(path.clone(), content.clone());
                count(try_damage(&disk, &sound, &replaced, &|| format!("{history:?}, {path} replaced by {other}")));
                replaced.insert(other.clone(), bytes.clone());
                count(try_damage(&disk, &sound, &replaced, &|| format!("{history:?}, {path} and {other} swapped")));
            }
        }
    }
    // Much of it meets what nobody needs any more; much does not.
    assert!(tried > 2000 && refused > 500, "{refused} of {tried} refused");
}

#[test]
fn a_log_put_back_from_an_earlier_time_is_refused() {
    let history =
        |records| History { records, record_bytes: 700, batch: 1, checkpoint: None, reopened: None, is_clean: false };
    let (older, newer) = (history(10).run(), history(30).run());
    let error = open(&with_segments(&newer, &segments(&older))).err();
    assert!(matches!(&error, Some(StorageError::Corrupt { what, .. }) if what.contains("durable up to")), "{error:?}");
}

/// A power cut may lose the mark, which is not synced with each commit. Then what was durable before the newest sync is
/// still proved by the groups behind it.
#[test]
fn without_a_mark_damage_before_the_newest_sync_is_refused() {
    let history =
        History { records: 30, record_bytes: 700, batch: 3, checkpoint: None, reopened: None, is_clean: false };
    let disk = history.run();
    assert!(disk.flip_bit("nqdb.super", 8192, 0));
    let sound = open(&disk.crash(CrashMode::AllWrites)).unwrap();
    let path = "wal/0000000000000001";
    let bytes = disk.content(path).unwrap();
    let newest = used(&bytes) - 3 * 740;
    for at in (64..newest).step_by(97) {
        let damaged = disk.crash(CrashMode::AllWrites);
        damaged.flip_bit(path, at as u64, 5);
        match open(&damaged) {
            Ok(records) => assert!(records == sound, "byte {at}: {} of {}", records.len(), sound.len()),
            Err(error) => assert!(matches!(error, StorageError::Corrupt { .. }), "byte {at}: {error}"),
        }
    }
}
