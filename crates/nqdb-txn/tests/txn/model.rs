//! Random interleavings of many transactions, compared at each step with a multi-version map.
//!
//! The model keeps the whole table after each commit. A transaction sees one of these states, overlaid with what it
//! has written itself. From that follows what every read must give and what every change must answer.

use crate::bed::*;
use nqdb_storage::{StorageError, disk::SimDisk};
use nqdb_txn::*;
use nqdb_types::Datum;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A committed table: for each row the commit that wrote its version, and the version.
pub type State = BTreeMap<RowId, (usize, Row)>;

const SLOT_COUNT: usize = 6;

/// How the workload is mixed.
#[derive(Clone, Copy)]
pub struct Mix {
    /// Different values of the unique column: fewer, more conflicts.
    pub ids: i64,
    /// One in so many values is large.
    pub large_one_in: u32,
    /// Whether checkpoints and the background writer run in between.
    pub writes_back: bool,
}

pub struct Model {
    pub bed: Bed,
    rng: StdRng,
    mix: Mix,
    slots: Vec<Option<Slot>>,
    /// The table after each commit; the first is empty.
    pub commits: Vec<State>,
    /// Where each commit's record ends.
    ends: Vec<Lsn>,
    /// The newest state that is known to be synced, hence acknowledged.
    pub synced: usize,
    old_views: Vec<(ReadView, Vec<(RowId, Row)>)>,
    /// Transactions that were prepared, ended or not.
    pub prepared: Vec<Prepared>,
}

/// A transaction that was prepared.
#[derive(Clone)]
pub struct Prepared {
    pub gid: String,
    pub log: Vec<(RowId, Option<Row>)>,
    /// Where its state ends in the log.
    pub end: Lsn,
    pub outcome: Outcome,
}

/// What became of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Pending,
    /// By the commit with this number, if it has changed anything; the log says so from the position on.
    Committed(Option<usize>, Lsn),
    RolledBack(Lsn),
}

/// The table after the commit with this number, of a transaction that has written so.
pub fn state_after(before: &State, number: usize, log: &[(RowId, Option<Row>)]) -> State {
    let mut state = before.clone();
    for (row_id, row) in log {
        match row {
            Some(row) => state.insert(*row_id, (number, row.clone())),
            None => state.remove(row_id),
        };
    }
    state
}

struct Slot {
    txn: Transaction,
    /// The state that the current snapshot shows; `None` before the first statement.
    base: Option<usize>,
    /// Own writes in order; `None` is a deletion.
    log: Vec<(RowId, Option<Row>)>,
    savepoints: Vec<(SavepointMark, usize)>,
}

impl Slot {
    fn own(&self, row_id: RowId) -> Option<&Option<Row>> {
        self.log.iter().rev().find(|(id, _)| *id == row_id).map(|(_, row)| row)
    }

    fn sees(&self, commits: &[State]) -> BTreeMap<RowId, Row> {
        let base = &commits[self.base.expect("a statement has begun")];
        let mut seen: BTreeMap<RowId, Row> = base.iter().map(|(id, (_, row))| (*id, row.clone())).collect();
        for (row_id, row) in &self.log {
            match row {
                Some(row) => seen.insert(*row_id, row.clone()),
                None => seen.remove(row_id),
            };
        }
        seen
    }
}

impl Model {
    pub fn new(bed: Bed, seed: u64, mix: Mix) -> Model {
        let slots = (0..SLOT_COUNT).map(|_| None).collect();
        let rng = StdRng::seed_from_u64(seed);
        Model {
            bed,
            rng,
            mix,
            slots,
            commits: vec![State::new()],
            ends: vec![Lsn(0)],
            synced: 0,
            old_views: Vec::new(),
            prepared: Vec::new(),
        }
    }

    /// Goes on with a table that holds `state`, all of it synced.
    pub fn resume(bed: Bed, seed: u64, mix: Mix, state: State) -> Model {
        let mut model = Model::new(bed, seed, mix);
        model.commits = vec![state.into_iter().map(|(row_id, (_, row))| (row_id, (0, row))).collect()];
        model
    }

    /// One random step of one random transaction. An error is the disk's.
    pub fn step(&mut self) -> Result<()> {
        let slot = self.rng.random_range(0..SLOT_COUNT);
        if self.slots[slot].is_none() {
            let isolation =
                if self.rng.random_bool(0.5) { Isolation::ReadCommitted } else { Isolation::RepeatableRead };
            let txn = self.bed.system.begin(isolation, false);
            self.slots[slot] = Some(Slot { txn, base: None, log: Vec::new(), savepoints: Vec::new() });
        }
        match self.rng.random_range(0..100) {
            0..20 => self.insert(slot),
            20..25 => self.insert_batch(slot),
            25..50 => self.update(slot),
            50..60 => self.delete(slot),
            60..68 => self.read(slot),
            68..73 => self.savepoint(slot),
            73..77 => self.rollback_to(slot),
            77..83 => self.commit(slot),
            83..86 => self.prepare(slot),
            86..88 => self.end_prepared(),
            88..90 => self.rollback(slot),
            90..93 => self.flush(),
            93..95 => self.old_view(),
            95..98 => {
                for _ in 0..self.rng.random_range(1..20) {
                    self.bed.system.purge_step()?;
                }
                Ok(())
            }
            _ if self.mix.writes_back => {
                match self.rng.random_bool(0.3) {
                    true => self.bed.system.engine().checkpoint().map(|_| ())?,
                    false => self.bed.system.engine().background_step().map(|_| ())?,
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub fn flush(&mut self) -> Result<()> {
        self.bed.system.engine().flush_log()?;
        self.note_synced();
        assert_eq!(self.synced, self.commits.len() - 1);
        Ok(())
    }

    /// The log may have been flushed for other reasons than ours.
    pub fn note_synced(&mut self) {
        let flushed = self.bed.system.engine().flushed_lsn();
        while self.ends.get(self.synced + 1).is_some_and(|end| *end <= flushed) {
            self.synced += 1;
        }
    }

    /// Begins a statement; the log is flushed when the transaction depends on it.
    fn statement(&mut self, slot: usize) -> Result<()> {
        loop {
            self.note_synced();
            let synced = self.synced;
            let it = self.slots[slot].as_mut().expect("running");
            match it.txn.begin_statement() {
                Ok(()) => {
                    if it.base.is_none() || it.txn.isolation() == Isolation::ReadCommitted {
                        it.base = Some(synced);
                    }
                    return Ok(());
                }
                Err(TxnError::Wait(Wait::Log(_))) => self.flush()?,
                Err(error) => return Err(error),
            }
        }
    }

    fn random_row(&mut self) -> Row {
        let id = self.rng.random_range(0..self.mix.ids);
        let a = (!self.rng.random_bool(0.1)).then(|| self.rng.random_range(0..5));
        let large = self.rng.random_range(0..self.mix.large_one_in) == 0;
        let len = if large { self.rng.random_range(3_000..15_000) } else { self.rng.random_range(0..120) };
        let text = (0..len).map(|_| char::from(self.rng.random_range(b'!'..=b'~'))).collect();
        (id, a, text)
    }

    /// Whether another row has, or may come to have, the unique key `id`: (must wait, is refused).
    fn conflicts(&self, slot: usize, own_row: Option<RowId>, id: i64) -> (bool, bool) {
        let newest = self.commits.last().expect("never empty");
        let (mut may_wait, mut refused) = (false, false);
        let mut row_ids: Vec<RowId> = newest.keys().copied().collect();
        row_ids.extend(self.writers().flat_map(|writer| self.log_of(writer).iter().map(|(row_id, _)| *row_id)));
        for row_id in row_ids {
            if Some(row_id) == own_row {
                continue;
            }
            let committed = newest.get(&row_id).map(|(_, row)| row);
            match self.writer_of(row_id) {
                Some(writer) if writer != slot => {
                    let log = self.log_of(writer).iter();
                    let own = log.filter(|(other, _)| *other == row_id).filter_map(|(_, row)| row.as_ref());
                    may_wait |= own.chain(committed).any(|row| row.0 == id);
                }
                Some(_) => {
                    let own = self.slots[slot].as_ref().and_then(|it| it.own(row_id)).expect("it wrote the row");
                    refused |= own.as_ref().is_some_and(|row| row.0 == id);
                }
                None => refused |= committed.is_some_and(|row| row.0 == id),
            }
        }
        (may_wait, refused)
    }

    fn writer_of(&self, row_id: RowId) -> Option<usize> {
        self.writers().find(|writer| self.log_of(*writer).iter().any(|(id, _)| *id == row_id))
    }

    /// Those who may have written: the slots, and behind them the prepared transactions.
    fn writers(&self) -> std::ops::Range<usize> {
        0..SLOT_COUNT + self.prepared.len()
    }

    /// What an unfinished transaction has written.
    fn log_of(&self, writer: usize) -> &[(RowId, Option<Row>)] {
        match writer.checked_sub(SLOT_COUNT).map(|at| &self.prepared[at]) {
            Some(prepared) if prepared.outcome == Outcome::Pending => &prepared.log,
            Some(_) => &[],
            None => self.slots[writer].as_ref().map_or(&[], |slot| &slot.log),
        }
    }

    fn insert(&mut self, slot: usize) -> Result<()> {
        self.statement(slot)?;
        let row = self.random_row();
        let (may_wait, refused) = self.conflicts(slot, None, row.0);
        let it = self.slots[slot].as_mut().expect("running");
        match self.bed.table.insert(&mut it.txn, &datums(&row)) {
            Ok(row_id) => {
                assert!(!may_wait && !refused, "{row:?} was inserted beside another with its key");
                it.log.push((row_id, Some(row)));
            }
            Err(TxnError::Wait(_)) => assert!(may_wait, "waits for nobody"),
            Err(TxnError::UniqueViolation { .. }) => assert!(refused, "refused without reason"),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Many rows at once: all of them, or none when a single one could not be inserted just so.
    fn insert_batch(&mut self, slot: usize) -> Result<()> {
        self.statement(slot)?;
        let count = self.rng.random_range(1..=BATCH_ROWS_MAX.min(self.mix.ids as usize / 4));
        let rows: Vec<Row> = (0..count).map(|_| self.random_row()).collect();
        let mut ids: Vec<i64> = rows.iter().map(|row| row.0).collect();
        ids.sort_unstable();
        let longest = rows.iter().map(|row| row.2.len()).max().unwrap_or(0);
        let free = ids.windows(2).all(|pair| pair[0] != pair[1])
            && rows.iter().all(|row| self.conflicts(slot, None, row.0) == (false, false));
        let it = self.slots[slot].as_mut().expect("running");
        let values: Vec<Vec<Datum>> = rows.iter().map(datums).collect();
        match self.bed.table.insert_batch(&mut it.txn, &values)? {
            Some(first) => {
                assert!(free && longest < 4000, "{ids:?} were inserted beside others with their keys");
                it.log.extend(rows.into_iter().zip(first.0..).map(|(row, id)| (RowId(id), Some(row))));
            }
            None => assert!(!free || longest > 3900, "{ids:?} could have been inserted"),
        }
        Ok(())
    }

    /// A row that the slot's statement sees, and its version.
    fn pick(&mut self, slot: usize) -> Result<Option<(RowId, RowVersion, Row)>> {
        self.statement(slot)?;
        let it = self.slots[slot].as_ref().expect("running");
        let seen = it.sees(&self.commits);
        if seen.is_empty() {
            return Ok(None);
        }
        let (row_id, row) = seen.iter().nth(self.rng.random_range(0..seen.len())).expect("in range");
        let found = self.bed.table.fetch(&it.txn.view(), *row_id, |image, version| (row_of(&image), version))?;
        let (stored, version) = found.expect("the view sees the row");
        assert_eq!(&stored, row);
        Ok(Some((*row_id, version, stored)))
    }

    /// What a change of a row must answer: `None` when it may be done, `Err` for a wait.
    fn expected(&self, slot: usize, row_id: RowId) -> std::result::Result<Option<Modified>, ()> {
        match self.writer_of(row_id) {
            Some(writer) if writer != slot => return Err(()),
            Some(_) => return Ok(None),
            None => {}
        }
        let base = self.slots[slot].as_ref().and_then(|it| it.base).expect("a statement has begun");
        let seen = self.commits[base].get(&row_id).map(|(commit, _)| *commit);
        match self.commits.last().expect("never empty").get(&row_id) {
            None => Ok(Some(Modified::Gone)),
            Some((commit, _)) if Some(*commit) != seen => Ok(Some(Modified::Changed)),
            Some(_) => Ok(None),
        }
    }

    fn update(&mut self, slot: usize) -> Result<()> {
        let Some((row_id, version, old)) = self.pick(slot)? else { return Ok(()) };
        let mut new = self.random_row();
        if self.rng.random_bool(0.6) {
            new = (old.0, old.1, new.2);
        }
        let expected = self.expected(slot, row_id);
        let (may_wait, refused) = match new.0 == old.0 {
            true => (false, false),
            false => self.conflicts(slot, Some(row_id), new.0),
        };
        let it = self.slots[slot].as_mut().expect("running");
        match self.bed.table.update(&mut it.txn, row_id, version, &datums(&new)) {
            Ok(Modified::Done) => {
                assert_eq!(expected, Ok(None));
                assert!(!may_wait && !refused, "{new:?} took another's key");
                it.log.push((row_id, Some(new)));
            }
            Err(TxnError::UniqueViolation { .. }) => assert!(refused && expected == Ok(None)),
            Err(TxnError::Wait(_)) => assert!(expected == Err(()) || may_wait, "waits for nobody"),
            other => return self.refused(slot, other, expected),
        }
        Ok(())
    }

    fn delete(&mut self, slot: usize) -> Result<()> {
        let Some((row_id, version, _)) = self.pick(slot)? else { return Ok(()) };
        let expected = self.expected(slot, row_id);
        let it = self.slots[slot].as_mut().expect("running");
        match self.bed.table.delete(&mut it.txn, row_id, version) {
            Ok(Modified::Done) => {
                assert_eq!(expected, Ok(None));
                it.log.push((row_id, None));
            }
            Err(TxnError::Wait(_)) => assert_eq!(expected, Err(())),
            other => return self.refused(slot, other, expected),
        }
        Ok(())
    }

    fn refused(
        &mut self,
        slot: usize,
        answer: Result<Modified>,
        expected: std::result::Result<Option<Modified>, ()>,
    ) -> Result<()> {
        let isolation = self.slots[slot].as_ref().expect("running").txn.isolation();
        match answer {
            Ok(modified) => {
                assert_eq!((Ok(Some(modified)), isolation), (expected, Isolation::ReadCommitted));
                Ok(())
            }
            Err(TxnError::SerializationFailure { deleted }) => {
                let why = if deleted { Modified::Gone } else { Modified::Changed };
                assert_eq!((Ok(Some(why)), isolation), (expected, Isolation::RepeatableRead));
                self.rollback(slot)
            }
            Err(error) => Err(error),
        }
    }

    fn read(&mut self, slot: usize) -> Result<()> {
        self.statement(slot)?;
        let it = self.slots[slot].as_ref().expect("running");
        let (view, seen) = (it.txn.view(), it.sees(&self.commits));
        let expected: Vec<(RowId, Row)> = seen.iter().map(|(id, row)| (*id, row.clone())).collect();
        assert_eq!(self.bed.rows_with_ids(&view), expected);
        let a = self.rng.random_range(0..5);
        let mut by_a: Vec<RowId> = Vec::new();
        self.bed.by_key(&view, 1, Datum::Int4(a), &mut |row_id, _, _| by_a.push(row_id));
        let expected: Vec<RowId> = seen.iter().filter(|(_, row)| row.1 == Some(a)).map(|(id, _)| *id).collect();
        assert_eq!(by_a, expected, "rows by a = {a}");
        let id = self.rng.random_range(0..self.mix.ids);
        // Under REPEATABLE READ an own row may stand beside an old one whose key was freed after the snapshot.
        let expected: Vec<RowId> = seen.iter().filter(|(_, row)| row.0 == id).map(|(row_id, _)| *row_id).collect();
        let mut by_id: Vec<RowId> = Vec::new();
        self.bed.by_key(&view, 0, Datum::Int8(id), &mut |row_id, _, _| by_id.push(row_id));
        assert_eq!(by_id, expected, "rows with id {id}");
        Ok(())
    }

    fn savepoint(&mut self, slot: usize) -> Result<()> {
        let it = self.slots[slot].as_mut().expect("running");
        let mark = it.txn.savepoint();
        it.savepoints.push((mark, it.log.len()));
        Ok(())
    }

    fn rollback_to(&mut self, slot: usize) -> Result<()> {
        let it = self.slots[slot].as_mut().expect("running");
        if it.savepoints.is_empty() {
            return Ok(());
        }
        let chosen = self.rng.random_range(0..it.savepoints.len());
        it.savepoints.truncate(chosen + 1);
        let (mark, len) = it.savepoints[chosen];
        it.txn.rollback_to(mark)?;
        it.log.truncate(len);
        Ok(())
    }

    fn commit(&mut self, slot: usize) -> Result<()> {
        let it = self.slots[slot].take().expect("running");
        let commit = it.txn.commit()?;
        if !it.log.is_empty() {
            self.note_commit(&it.log, commit.durable_lsn.expect("rows were written"));
        }
        Ok(())
    }

    fn note_commit(&mut self, log: &[(RowId, Option<Row>)], end: Lsn) {
        let state = state_after(self.commits.last().expect("never empty"), self.commits.len(), log);
        self.commits.push(state);
        self.ends.push(end);
    }

    fn prepare(&mut self, slot: usize) -> Result<()> {
        let it = self.slots[slot].take().expect("running");
        let gid = format!("{}", self.prepared.len());
        let label = PreparedLabel { gid: gid.clone(), database: 5, role: 10, prepared_micros: 0 };
        let end = it.txn.prepare_transaction(label, Vec::new(), 1_000_000)?;
        self.prepared.push(Prepared { gid, log: it.log, end, outcome: Outcome::Pending });
        Ok(())
    }

    /// Ends a prepared transaction one way or the other.
    fn end_prepared(&mut self) -> Result<()> {
        let pending = (0..self.prepared.len()).filter(|at| self.prepared[*at].outcome == Outcome::Pending);
        let pending: Vec<usize> = pending.collect();
        if pending.is_empty() {
            return Ok(());
        }
        let at = pending[self.rng.random_range(0..pending.len())];
        if self.prepared[at].end > self.bed.system.engine().flushed_lsn() {
            self.flush()?;
        }
        let txn = self.bed.system.resume_prepared(&self.prepared[at].gid, |_| Ok(()))?;
        let outcome = if self.rng.random_bool(0.6) {
            let commit = txn.commit()?;
            let end = commit.durable_lsn.expect("it has a number");
            let log = self.prepared[at].log.clone();
            if !log.is_empty() {
                self.note_commit(&log, end);
            }
            Outcome::Committed((!log.is_empty()).then_some(self.commits.len() - 1), end)
        } else {
            Outcome::RolledBack(txn.rollback_prepared()?)
        };
        self.prepared[at].outcome = outcome;
        Ok(())
    }

    fn rollback(&mut self, slot: usize) -> Result<()> {
        self.slots[slot].take().expect("running").txn.rollback()
    }

    /// Opens a view that stays, or compares one that was opened earlier.
    fn old_view(&mut self) -> Result<()> {
        self.note_synced();
        if self.old_views.len() < 3 && self.rng.random_bool(0.5) {
            let state = &self.commits[self.synced];
            let expected = state.iter().map(|(row_id, (_, row))| (*row_id, row.clone())).collect();
            self.old_views.push((self.bed.system.latest_view(), expected));
        } else if !self.old_views.is_empty() {
            let index = self.rng.random_range(0..self.old_views.len());
            let (view, expected) = &self.old_views[index];
            assert_eq!(&self.bed.rows_with_ids(view), expected, "an old view changed");
            if self.rng.random_bool(0.5) {
                self.old_views.swap_remove(index);
            }
        }
        Ok(())
    }

    /// Ends everything and checks what is left.
    pub fn finish(mut self) -> Result<()> {
        for slot in 0..SLOT_COUNT {
            if self.slots[slot].is_some() {
                self.rollback(slot)?;
            }
        }
        self.old_views.clear();
        while self.prepared.iter().any(|prepared| prepared.outcome == Outcome::Pending) {
            self.end_prepared()?;
        }
        self.flush()?;
        let expected: Vec<(RowId, Row)> =
            self.commits[self.synced].iter().map(|(row_id, (_, row))| (*row_id, row.clone())).collect();
        assert_eq!(self.bed.rows_with_ids(&self.bed.system.latest_view()), expected);
        self.bed.check_nothing_leaked();
        assert_eq!(self.bed.system.stats().purge_backlog, 0);
        Ok(())
    }
}

fn run(seed: u64, mix: Mix, steps: usize) -> std::result::Result<(), StorageError> {
    let bed = Bed::on(Arc::new(SimDisk::new()), engine_options(), txn_options());
    let mut model = Model::new(bed, seed, mix);
    for _ in 0..steps {
        model.step().expect("the disk is sound");
    }
    model.finish().expect("the disk is sound");
    Ok(())
}

#[test]
fn many_transactions_over_few_keys_agree_with_a_multi_version_map() {
    for seed in 0..12 {
        run(seed, Mix { ids: 8, large_one_in: 20, writes_back: false }, 1500).expect("sound");
    }
}

#[test]
fn many_transactions_over_many_keys_agree_with_a_multi_version_map() {
    for seed in 100..106 {
        run(seed, Mix { ids: 500, large_one_in: 50, writes_back: true }, 3000).expect("sound");
    }
}
