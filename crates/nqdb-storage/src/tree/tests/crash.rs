//! The power goes at any write, sync or rename while a tree splits, merges or is destroyed. What recovery brings back is
//! the tree after some number of edits, not fewer than were durable, sound, and fit to go on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::harness::{Random, TREE, all};
use crate::checkpoint::{ClientCheckpoint, LogClient};
use crate::disk::{Call, CrashMode, Fault, SimDisk};
use crate::engine::Engine;
use crate::error::Result;
use crate::ids::{Lsn, PageId};
use crate::options::Options;
use crate::recovery::LogReplay;
use crate::reservation::Need;
use crate::tree::{Direction, EditNeed, Tree};
use crate::verify::verify_file;

/// The first page of a new file.
const ROOT: PageId = PageId(1);
/// Opaque record of the n-th edit; the creation of the tree is number 0.
const EDIT: u8 = 40;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn options() -> Options {
    Options {
        frames: 64,
        log_segment_bytes: 256 << 10,
        log_budget_bytes: 512 << 10,
        log_buffer_bytes: 64 << 10,
        background_threads: false,
        system_id: Some(3),
        ..Options::default()
    }
}

/// The layer above: it knows how many edits there were, plus one for the tree's creation.
#[derive(Default)]
struct Counter {
    edits: Arc<AtomicU64>,
}

impl LogClient for Counter {
    fn checkpoint(&self) -> ClientCheckpoint {
        let payload = self.edits.load(Ordering::Relaxed).to_le_bytes().to_vec();
        ClientCheckpoint { floor: Lsn::MAX, payload }
    }
}

impl LogReplay for Counter {
    fn checkpoint(&mut self, payload: &[u8]) -> Result<()> {
        let edits = payload.try_into().map_or(0, u64::from_le_bytes);
        self.edits.store(edits, Ordering::Relaxed);
        Ok(())
    }

    fn record(&mut self, _: Lsn, kind: u8, payload: &[u8]) -> Result<()> {
        assert_eq!(kind, EDIT);
        let edit = u64::from_le_bytes(payload.try_into().unwrap());
        self.edits.fetch_max(edit + 1, Ordering::Relaxed);
        Ok(())
    }
}

/// The n-th edit of every run: a key, and a value or a removal. Growth and decline take turns.
fn edit(number: u64) -> (Vec<u8>, Option<Vec<u8>>) {
    let mut random = Random::new(number + 1);
    let grows = (number / 250).is_multiple_of(2);
    let key = format!("shared prefix/{:05}", random.below(260)).into_bytes();
    let stays = random.below(10) < if grows { 9 } else { 1 };
    (key, stays.then(|| vec![number as u8; random.below(1200)]))
}

fn model_after(edits: u64) -> Model {
    let mut model = Model::new();
    for number in 1..edits {
        match edit(number) {
            (key, Some(value)) => drop(model.insert(key, value)),
            (key, None) => drop(model.remove(&key)),
        }
    }
    model
}

struct Run {
    engine: Arc<Engine>,
    tree: Tree,
    edits: Arc<AtomicU64>,
    /// Edits that a crash must not lose.
    durable: u64,
}

impl Run {
    fn create(disk: &SimDisk) -> Result<Run> {
        let engine = Engine::create(Arc::new(disk.clone()), options())?;
        let edits = Arc::new(AtomicU64::new(0));
        engine.set_log_client(Arc::new(Counter { edits: Arc::clone(&edits) }));
        let records = |root| {
            assert_eq!(root, ROOT);
            vec![(EDIT, 0_u64.to_le_bytes().to_vec())]
        };
        let tree = Tree::create(&engine, TREE, Need::record_bytes(8), records)?;
        edits.store(1, Ordering::Relaxed);
        Ok(Run { engine, tree, edits, durable: 0 })
    }

    /// `None` when the creation of the tree was not durable.
    fn open(disk: &SimDisk) -> Option<Run> {
        let mut replay = Counter::default();
        let edits = Arc::clone(&replay.edits);
        let engine = Engine::open(Arc::new(disk.clone()), options(), &mut replay).ok()?;
        engine.set_log_client(Arc::new(replay));
        let durable = edits.load(Ordering::Relaxed);
        let tree = Tree::open(Arc::clone(&engine), TREE, ROOT);
        (durable > 0).then_some(Run { engine, tree, edits, durable })
    }

    fn work(&mut self, edits: u64) -> Result<()> {
        for _ in 0..edits {
            let number = self.edits.load(Ordering::Relaxed);
            let (key, value) = edit(number);
            let value_bytes_max = value.as_ref().map_or(0, Vec::len);
            let need = EditNeed { value_bytes_max, log_bytes: Need::record_bytes(8) };
            self.tree.edit(&key, need, None, |edit| {
                match (&value, edit.entry().is_some()) {
                    (Some(value), true) => edit.replace(value, false, number),
                    (Some(value), false) => edit.insert(value, false, number),
                    (None, true) => edit.remove(),
                    (None, false) => {}
                }
                edit.log(EDIT, &number.to_le_bytes());
                self.edits.store(number + 1, Ordering::Relaxed);
            })?;
            if number.is_multiple_of(5) {
                self.engine.flush_log()?;
                self.durable = number + 1;
            }
            if number.is_multiple_of(40) {
                self.engine.background_step()?;
            }
        }
        Ok(())
    }

    fn check(&self, at: &str) {
        let edits = self.edits.load(Ordering::Relaxed);
        let report = verify_file(&self.engine, &[(TREE, ROOT)], &mut |_, _, _| ());
        let report = report.unwrap_or_else(|error| panic!("{at}: {error}"));
        let model = model_after(edits);
        assert!(all(&self.tree, Direction::Forward).into_iter().eq(model), "{at}: the tree after {edits} edits");
        assert_eq!(report.trees.len(), 1);
    }
}

fn modes(seed: u64) -> [CrashMode; 3] {
    [CrashMode::OnlySynced, CrashMode::RandomSubset(seed), CrashMode::Torn512(seed)]
}

const EDITS: u64 = 1800;

#[test]
fn a_crash_at_any_call_leaves_a_sound_tree() {
    let undisturbed = SimDisk::new();
    let mut run = Run::create(&undisturbed).unwrap();
    run.work(EDITS).unwrap();
    let stats = run.engine.stats();
    assert!(stats.splits > 40 && stats.merges > 20, "{} splits, {} merges", stats.splits, stats.merges);
    let calls = undisturbed.calls(Call::Change);
    let mut recovered = 0;
    for at in (1..calls).step_by((calls / 90).max(1) as usize) {
        let disk = SimDisk::new();
        disk.fail_at(Call::Change, at, Fault::CrashHere);
        let mut durable = 0;
        if let Ok(mut run) = Run::create(&disk) {
            let outcome = run.work(EDITS);
            assert_eq!(outcome.is_err(), disk.has_crashed());
            durable = run.durable;
        }
        let mode = modes(at)[at as usize % 3];
        let Some(mut run) = Run::open(&disk.crash(mode)) else {
            assert_eq!(durable, 0, "at call {at}: a durable tree is gone");
            continue;
        };
        recovered += 1;
        assert!(run.durable >= durable, "at call {at}: {} edits of {durable} are left", run.durable);
        run.check(&format!("at call {at}, {mode:?}"));
        run.work(150).unwrap();
        run.check(&format!("at call {at}, {mode:?}, and on"));
    }
    assert!(recovered > 50, "{recovered}");
}

#[test]
fn a_destruction_cut_off_anywhere_is_finished_later_and_leaks_nothing() {
    let build = |disk: &SimDisk| -> Run {
        let mut run = Run::create(disk).unwrap();
        run.work(240).unwrap();
        run.engine.flush_log().unwrap();
        run
    };
    let destroy = |run: &Run, pages_max| -> Result<()> {
        while !run.tree.destroy_step(pages_max)? {
            run.engine.flush_log()?;
            run.engine.background_step()?;
        }
        run.engine.flush_log().map(drop)
    };
    let undisturbed = SimDisk::new();
    let run = build(&undisturbed);
    let before = undisturbed.calls(Call::Change);
    destroy(&run, 3).unwrap();
    let after = undisturbed.calls(Call::Change);
    assert!(after > before + 10);
    for at in before + 1..=after {
        let disk = SimDisk::new();
        disk.fail_at(Call::Change, at, Fault::CrashHere);
        let run = build(&disk);
        assert!(destroy(&run, 3).is_err());
        drop(run);
        let run = Run::open(&disk.crash(modes(at)[at as usize % 3])).unwrap();
        if run.engine.fetch(ROOT).unwrap().read().page_type() != Some(crate::page::PageType::Free) {
            verify_file(&run.engine, &[(TREE, ROOT)], &mut |_, _, _| ()).unwrap();
        }
        destroy(&run, 5).unwrap();
        let report = verify_file(&run.engine, &[], &mut |_, _, _| ()).unwrap();
        assert_eq!(report.free_pages + 1, report.pages, "all pages but the meta page are free");
    }
}

#[test]
fn freed_pages_are_used_again() {
    let disk = SimDisk::new();
    let mut run = Run::create(&disk).unwrap();
    run.work(2000).unwrap();
    let pages = run.engine.page_count();
    run.work(4000).unwrap();
    assert!(run.engine.page_count() <= pages + pages / 4, "{pages} pages became {}", run.engine.page_count());
    run.check("after many rounds");
}
