//! Random histories of a few transactions over a few keys, looked through for cycles.
//!
//! Of each transaction that committed it is known what it has asked for (a key, there or not; a range of an index; all
//! rows), what it has written (key, value before, value after), what its snapshot showed, and when it committed. From that
//! follows who must have come before whom. At SERIALIZABLE there is no cycle; the same histories have cycles at REPEATABLE
//! READ.

use crate::bed::*;
use nqdb_storage::Options;
use nqdb_storage::disk::SimDisk;
use nqdb_txn::*;
use nqdb_types::Datum;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const SLOT_COUNT: usize = 4;
const STEPS: usize = 400;
const IDS: i64 = 8;
const VALUES: i32 = 6;

#[derive(Clone, Copy, Debug)]
enum Asked {
    Id(i64),
    Values { low: i32, high: i32 },
    All,
}

#[derive(Clone, Copy, Debug)]
struct Written {
    id: i64,
    before: Option<i32>,
    after: Option<i32>,
}

impl Asked {
    fn is_about(self, written: &Written) -> bool {
        match self {
            Asked::Id(id) => id == written.id,
            Asked::Values { low, high } => {
                [written.before, written.after].into_iter().flatten().any(|value| (low..high).contains(&value))
            }
            Asked::All => true,
        }
    }
}

#[derive(Default, Debug)]
struct Done {
    asked: Vec<Asked>,
    written: Vec<Written>,
    /// What was visible.
    snapshot: Csn,
    /// The commit; who has written nothing needs none.
    csn: Option<Csn>,
}

impl Done {
    fn sees(&self, other: &Done) -> bool {
        other.csn.is_some_and(|csn| csn <= self.snapshot)
    }

    fn asked_for(&self, other: &Done) -> bool {
        other.written.iter().any(|written| self.asked.iter().any(|asked| asked.is_about(written)))
    }

    fn wrote_over(&self, other: &Done) -> bool {
        other.written.iter().any(|written| self.written.iter().any(|own| own.id == written.id))
    }

    /// Whether this one came before the other in every serial order.
    fn precedes(&self, other: &Done) -> bool {
        let was_missed = !self.sees(other) && self.asked_for(other);
        let was_seen = other.sees(self) && (other.asked_for(self) || other.wrote_over(self));
        was_missed || was_seen
    }
}

/// A cycle among the transactions that committed, if there is one.
fn find_cycle(done: &[Done]) -> Option<Vec<usize>> {
    fn visit(at: usize, edges: &[Vec<usize>], marks: &mut [u8], path: &mut Vec<usize>) -> bool {
        marks[at] = 1;
        path.push(at);
        for next in &edges[at] {
            if marks[*next] == 1 {
                path.push(*next);
                return true;
            }
            if marks[*next] == 0 && visit(*next, edges, marks, path) {
                return true;
            }
        }
        marks[at] = 2;
        path.pop();
        false
    }
    let edges: Vec<Vec<usize>> = (0..done.len())
        .map(|one| (0..done.len()).filter(|other| *other != one && done[one].precedes(&done[*other])).collect())
        .collect();
    let mut marks = vec![0; done.len()];
    let mut path = Vec::new();
    (0..done.len()).find(|start| marks[*start] == 0 && visit(*start, &edges, &mut marks, &mut path))?;
    Some(path)
}

struct Slot {
    txn: Transaction,
    done: Done,
}

struct History {
    bed: Bed,
    rng: StdRng,
    isolation: Isolation,
    slots: Vec<Option<Slot>>,
    done: Vec<Done>,
    failures: usize,
}

impl History {
    fn new(seed: u64, isolation: Isolation) -> History {
        let bed = Bed::new();
        let mut setup = bed.begin();
        for id in 0..IDS / 2 {
            bed.insert(&mut setup, &row(id, id as i32 % VALUES, "r")).expect("insert");
        }
        bed.commit(setup);
        let slots = (0..SLOT_COUNT).map(|_| None).collect();
        History { bed, rng: StdRng::seed_from_u64(seed), isolation, slots, done: Vec::new(), failures: 0 }
    }

    fn run(mut self) -> (Vec<Done>, usize) {
        for _ in 0..STEPS {
            let at = self.rng.random_range(0..SLOT_COUNT);
            let slot = match self.slots[at].take() {
                Some(slot) => slot,
                None => match self.begin() {
                    Some(slot) => slot,
                    None => continue,
                },
            };
            self.slots[at] = self.step(slot);
        }
        (self.done, self.failures)
    }

    fn begin(&mut self) -> Option<Slot> {
        let mut txn = self.bed.system.begin(self.isolation, self.rng.random_bool(0.15));
        txn.set_deferrable(self.rng.random_bool(0.3));
        match txn.begin_statement() {
            Ok(()) => {}
            Err(TxnError::Wait(_)) => return None,
            Err(other) => panic!("{other}"),
        }
        let snapshot = txn.snapshot().expect("a statement has begun").csn;
        Some(Slot { txn, done: Done { snapshot, ..Done::default() } })
    }

    fn step(&mut self, mut slot: Slot) -> Option<Slot> {
        if self.rng.random_bool(0.05) {
            self.bed.system.engine().flush_log().expect("flushed");
        }
        let done = match self.rng.random_range(0..10) {
            0 | 1 => return self.commit(slot),
            2..=5 => self.read(&mut slot),
            _ if slot.txn.is_read_only() => self.read(&mut slot),
            _ => self.write(&mut slot),
        };
        match done {
            Ok(()) => Some(slot),
            Err(
                TxnError::Wait(_)
                | TxnError::SerializationFailure { .. }
                | TxnError::Unserializable { .. }
                | TxnError::UniqueViolation { .. },
            ) => {
                self.failures += 1;
                slot.txn.rollback().expect("rolled back");
                None
            }
            Err(other) => panic!("{other}"),
        }
    }

    fn commit(&mut self, slot: Slot) -> Option<Slot> {
        let Slot { txn, mut done } = slot;
        match txn.commit() {
            Ok(commit) => {
                if self.rng.random_bool(0.7) {
                    let synced = commit.durable_lsn.map_or(Ok(()), |lsn| self.bed.system.wait_durable_blocking(lsn));
                    synced.expect("synced");
                }
                done.csn = commit.csn;
                self.done.push(done);
            }
            Err(TxnError::Unserializable { .. }) => self.failures += 1,
            Err(other) => panic!("{other}"),
        }
        None
    }

    fn read(&mut self, slot: &mut Slot) -> Result<()> {
        slot.txn.continue_statement();
        let asked = match self.rng.random_range(0..8) {
            0 => Asked::All,
            1..=4 => Asked::Id(self.rng.random_range(0..IDS)),
            _ => {
                let low = self.rng.random_range(0..VALUES);
                Asked::Values { low, high: low + self.rng.random_range(1..3) }
            }
        };
        slot.done.asked.push(asked);
        read(&self.bed, &slot.txn, asked).map(|_| ())
    }

    fn write(&mut self, slot: &mut Slot) -> Result<()> {
        slot.txn.continue_statement();
        let id = self.rng.random_range(0..IDS);
        let value = self.rng.random_range(0..VALUES);
        slot.done.asked.push(Asked::Id(id));
        let Some((row_id, version, before)) = read(&self.bed, &slot.txn, Asked::Id(id))? else {
            self.bed.table.insert(&mut slot.txn, &datums(&row(id, value, "r")))?;
            slot.done.written.push(Written { id, before: None, after: Some(value) });
            return Ok(());
        };
        let after = if self.rng.random_bool(0.3) { None } else { Some(value) };
        let modified = match after {
            Some(value) => self.bed.table.update(&mut slot.txn, row_id, version, &datums(&row(id, value, "r")))?,
            None => self.bed.table.delete(&mut slot.txn, row_id, version)?,
        };
        assert_eq!(modified, Modified::Done);
        slot.done.written.push(Written { id, before: Some(before), after });
        Ok(())
    }
}

/// The last row found.
fn read(bed: &Bed, txn: &Transaction, asked: Asked) -> Result<Option<(RowId, RowVersion, i32)>> {
    let mut found = None;
    let mut visit = |row_id, version, image: RowImage<'_>| {
        found = Some((row_id, version, row_of(&image).1.expect("not null")));
        ControlFlow::Continue(())
    };
    let (index, lower, upper) = match asked {
        Asked::All => {
            let mut scan = bed.table.scan(txn.view(), RowId(0)..RowId(u64::MAX), Direction::Forward);
            while scan.next_batch(&mut visit)? {}
            return Ok(found);
        }
        Asked::Id(id) => {
            let prefix = bed.table.indexes[0].key_prefix(&[Datum::Int8(id)]);
            (0, prefix.clone(), IndexStore::prefix_end(&prefix))
        }
        Asked::Values { low, high } => {
            let key = |value| bed.table.indexes[1].key_prefix(&[Datum::Int4(value)]);
            (1, key(low), Bound::Excluded(key(high)))
        }
    };
    let mut scan = bed.table.index_scan(index, txn.view(), Bound::Included(lower), upper, Direction::Forward);
    while scan.next_batch(&mut visit)? {}
    Ok(found)
}

#[test]
fn serializable_histories_have_no_cycle() {
    let (mut committed, mut failed) = (0, 0);
    for seed in 0..150 {
        let (done, failures) = History::new(seed, Isolation::Serializable).run();
        if let Some(cycle) = find_cycle(&done) {
            let members: Vec<&Done> = cycle.iter().map(|at| &done[*at]).collect();
            panic!("seed {seed}: {cycle:?} {members:#?}");
        }
        committed += done.len();
        failed += failures;
    }
    assert!(committed > failed, "{committed} committed, {failed} failed: too many fail without need");
}

#[test]
fn the_same_histories_have_cycles_at_repeatable_read() {
    let with_cycle = |seed: &u64| find_cycle(&History::new(*seed, Isolation::RepeatableRead).run().0).is_some();
    let found = (0..20).filter(with_cycle).count();
    assert!(found > 10, "{found} of 20 histories have a cycle");
}

/// Four are on call, each on a thread of its own; one may leave as long as another one stays.
#[test]
fn with_threads_somebody_always_stays_on_call() {
    const PEOPLE: i64 = 4;
    const ON_CALL: i32 = 1;
    let options = Options { background_threads: true, frames: 512, ..engine_options() };
    let bed = Bed::on(Arc::new(SimDisk::new()), options, txn_options());
    let mut setup = bed.begin();
    for id in 0..PEOPLE {
        bed.insert(&mut setup, &row(id, ON_CALL, "person")).expect("insert");
    }
    bed.commit(setup);
    let (left, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let turn = |id: i64, txn: &mut Transaction| -> Result<bool> {
        while let Err(error) = txn.begin_statement() {
            error.into_wait()?.block(txn, Duration::from_secs(10), None)?;
        }
        let prefix = bed.table.indexes[1].key_prefix(&[Datum::Int4(ON_CALL)]);
        let end = IndexStore::prefix_end(&prefix);
        let mut scan = bed.table.index_scan(1, txn.view(), Bound::Included(prefix), end, Direction::Forward);
        let mut on_call = BTreeMap::new();
        while scan.next_batch(&mut |row_id, version, image| {
            on_call.insert(row_of(&image).0, (row_id, version));
            ControlFlow::Continue(())
        })? {}
        drop(scan);
        assert!(!on_call.is_empty(), "nobody is on call");
        let (own, new) = match on_call.get(&id) {
            Some(own) if on_call.len() > 1 => (*own, 0),
            Some(_) => return Ok(false),
            None => {
                let (row_id, version, _) = read(&bed, txn, Asked::Id(id))?.expect("people stay");
                ((row_id, version), ON_CALL)
            }
        };
        match bed.table.update(txn, own.0, own.1, &datums(&row(id, new, "person")))? {
            Modified::Done => Ok(new != ON_CALL),
            other => panic!("{other:?}"),
        }
    };
    std::thread::scope(|scope| {
        for id in 0..PEOPLE {
            let (bed, turn, left, failed) = (&bed, &turn, &left, &failed);
            scope.spawn(move || {
                for _ in 0..150 {
                    let mut txn = bed.system.begin(Isolation::Serializable, false);
                    match turn(id, &mut txn).and_then(|has_left| txn.commit().map(|commit| (has_left, commit))) {
                        Ok((has_left, commit)) => {
                            left.fetch_add(usize::from(has_left), Ordering::Relaxed);
                            if let Some(lsn) = commit.durable_lsn {
                                bed.system.wait_durable_blocking(lsn).expect("synced");
                            }
                        }
                        Err(TxnError::Unserializable { .. }) => {
                            failed.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
    });
    assert!(left.load(Ordering::Relaxed) > 0, "somebody has left");
    assert!(bed.committed().iter().any(|row| row.1 == Some(ON_CALL)));
}
