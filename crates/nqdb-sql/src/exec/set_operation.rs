//! UNION, INTERSECT and EXCEPT, with and without ALL.
//!
//! UNION gives out the left side, then the right side, and without ALL keeps what it has given out. The other two
//! count the right side's rows first, then let the left side pass through that count. NULLs are equal here.
//!
//! Counts that memory has no room for go to the parts of a file (`spill::parts`), and so do the left rows that come after:
//!
//! ```text
//! part of counts: [row | left over in the right side | whether it was given out], several of a row add up
//! part of left rows: [row], in the order of their arrival
//! ```

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::{Datum, Oid};

use super::distinct_rows::{Admission, DistinctRows};
use super::expression::Slot;
use super::key_table::{Inserted, KeyTable};
use super::operator::{PlanNode, Pull, State};
use super::runtime::Runtime;
use super::spill::{LEVEL_MAX, Parts, Run, RunReader};
use crate::ir::SetKind;
use crate::temporary_files::TemporaryFile;

#[derive(Clone, Debug)]
pub(crate) struct SetOperation {
    pub kind: SetKind,
    pub all: bool,
    pub left: PlanNode,
    pub right: PlanNode,
    pub left_slots: Box<[Slot]>,
    pub right_slots: Box<[Slot]>,
    pub slots: Box<[Slot]>,
    pub types: Box<[Oid]>,
}

pub(crate) struct SetOperationState {
    left: State,
    right: State,
    /// Of UNION without ALL.
    distinct: DistinctRows,
    /// Of INTERSECT and EXCEPT.
    seen: KeyTable,
    counts: Vec<Count>,
    filed: Option<Box<Filed>>,
    phase: Phase,
    row: Vec<Datum>,
}

/// What is known of one distinct row.
#[derive(Clone, Copy, Default)]
struct Count {
    /// Right rows that no left row has used up.
    right: u64,
    /// A left row went out.
    given: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    CountRight,
    Left,
    /// UNION only.
    Right,
    /// The sides are over: what is in the file.
    Filed,
}

/// Counts and left rows in a file.
struct Filed {
    file: TemporaryFile,
    counts: Option<Parts>,
    rows: Option<Parts>,
    /// Parts that are to be done, the next one last.
    waiting: Vec<Pair>,
    /// The part whose counts are in memory.
    current: Option<Pair>,
    reader: RunReader,
}

struct Pair {
    counts: Run,
    rows: Run,
    level: u32,
}

impl SetOperation {
    /// Whether it is UNION ALL: one side behind the other.
    pub fn is_append(&self) -> bool {
        self.kind == SetKind::Union && self.all
    }

    pub fn new_state(&self) -> SetOperationState {
        SetOperationState {
            left: self.left.new_state(),
            right: self.right.new_state(),
            distinct: DistinctRows::new(self.types.clone(), self.types.len()),
            seen: KeyTable::new(self.types.clone()),
            counts: Vec::new(),
            filed: None,
            phase: Phase::Left,
            row: Vec::new(),
        }
    }

    pub fn open(&self, state: &mut SetOperationState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        state.distinct.clear(rt);
        state.seen.clear(rt);
        state.counts.clear();
        state.filed = None;
        state.phase = if self.kind == SetKind::Union { Phase::Left } else { Phase::CountRight };
        self.left.open(&mut state.left, rt)?;
        self.right.open(&mut state.right, rt)
    }

    pub fn next(&self, state: &mut SetOperationState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        loop {
            let (pull, slots) = match state.phase {
                Phase::Filed if self.kind == SetKind::Union => return state.distinct.next_from_file(&self.slots, rt),
                Phase::Filed => return self.next_from_file(state, rt),
                Phase::Left => (self.left.next(&mut state.left, rt)?, &self.left_slots),
                _ => (self.right.next(&mut state.right, rt)?, &self.right_slots),
            };
            match (pull, state.phase) {
                (Pull::Yield, _) => return Ok(Pull::Yield),
                (Pull::End, Phase::CountRight) => state.phase = Phase::Left,
                (Pull::End, Phase::Left) if self.kind == SetKind::Union => state.phase = Phase::Right,
                (Pull::End, _) => state.phase = Phase::Filed,
                (Pull::Row, phase) => {
                    state.row.clear();
                    state.row.extend(slots.iter().map(|slot| rt.frame.slots[*slot].clone()));
                    if self.admit(state, phase, rt)? {
                        rt.load(&self.slots, &state.row);
                        return Ok(Pull::Row);
                    }
                }
            }
        }
    }

    /// Whether the row goes out now.
    fn admit(&self, state: &mut SetOperationState, phase: Phase, rt: &mut Runtime<'_, '_>) -> SqlResult<bool> {
        if self.is_append() {
            return Ok(true);
        }
        if self.kind == SetKind::Union {
            rt.load(&self.slots, &state.row);
            return Ok(state.distinct.admit(&self.slots, rt)? == Admission::First);
        }
        if phase == Phase::CountRight {
            self.count_right(state, Count { right: 1, given: false }, rt)?;
            return Ok(false);
        }
        if let Some(filed) = &mut state.filed {
            let hash = state.seen.hash(&state.row);
            filed.push_row(hash, &state.row)?;
            return Ok(false);
        }
        self.pass_left(state, rt)
    }

    /// Adds to the count of the row at hand.
    fn count_right(&self, state: &mut SetOperationState, more: Count, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let number = match state.seen.try_insert(&state.row, size_of::<Count>(), 0, rt)? {
            Inserted::Known(number) => number,
            Inserted::New(number) => {
                state.counts.push(Count::default());
                number
            }
            Inserted::NoRoom { .. } => {
                self.file_counts(state, rt)?;
                return self.count_right(state, more, rt);
            }
        };
        let count = &mut state.counts[number];
        count.right += more.right;
        count.given |= more.given;
        Ok(())
    }

    /// Whether the left row at hand goes out; it is among those in the file afterwards if there is no room to count it.
    fn pass_left(&self, state: &mut SetOperationState, rt: &mut Runtime<'_, '_>) -> SqlResult<bool> {
        let number = match (self.kind, state.seen.find(&state.row)) {
            (_, Some(number)) => number,
            (SetKind::Intersect, None) => return Ok(false),
            (_, None) if self.all => return Ok(true),
            (_, None) => match state.seen.try_insert(&state.row, size_of::<Count>(), 0, rt)? {
                Inserted::Known(number) => number,
                Inserted::New(number) => {
                    state.counts.push(Count::default());
                    number
                }
                Inserted::NoRoom { hash } => {
                    self.file_counts(state, rt)?;
                    state.filed.as_mut().ok_or_else(lost)?.push_row(hash, &state.row)?;
                    return Ok(false);
                }
            },
        };
        let count = &mut state.counts[number];
        let in_right = count.right > 0;
        if self.all {
            count.right = count.right.saturating_sub(1);
            return Ok(in_right == (self.kind == SetKind::Intersect));
        }
        let first = !std::mem::replace(&mut count.given, true);
        Ok(first && in_right == (self.kind == SetKind::Intersect))
    }

    /// Moves all counts from memory to the parts of the file.
    fn file_counts(&self, state: &mut SetOperationState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let filed = match &mut state.filed {
            Some(filed) => filed,
            None => state.filed.insert(Box::new(Filed {
                file: rt.cx.temporary.create()?,
                counts: Some(Parts::new(0)),
                rows: Some(Parts::new(0)),
                waiting: Vec::new(),
                current: None,
                reader: RunReader::default(),
            })),
        };
        let level = filed.current.as_ref().map_or(0, |pair| pair.level + 1);
        let parts = filed.counts.get_or_insert_with(|| Parts::new(level));
        for (number, count) in state.counts.drain(..).enumerate() {
            let facts = [Datum::Int8(count.right as i64), Datum::Bool(count.given)];
            let row = state.seen.row(number).iter().chain(&facts);
            parts.push(state.seen.hash_of(number), row, &mut filed.file)?;
        }
        state.seen.clear(rt);
        Ok(())
    }

    /// The next row of the parts in the file.
    fn next_from_file(&self, state: &mut SetOperationState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        if state.filed.is_none() {
            return Ok(Pull::End);
        }
        self.finish_filing(state, rt)?;
        loop {
            let filed = state.filed.as_deref_mut().ok_or_else(lost)?;
            let Some(pair) = &filed.current else {
                if !self.load_counts(state, rt)? {
                    return Ok(Pull::End);
                }
                continue;
            };
            if rt.slice_is_over()? {
                return Ok(Pull::Yield);
            }
            if !filed.reader.next(&pair.rows, self.types.len(), &filed.file, &mut state.row)? {
                filed.current = None;
                continue;
            }
            if self.pass_left(state, rt)? {
                rt.load(&self.slots, &state.row);
                return Ok(Pull::Row);
            }
            self.divide_again(state, rt)?;
        }
    }

    /// The sides are over: what of the counts is in memory goes to the others.
    fn finish_filing(&self, state: &mut SetOperationState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let is_filing = state.filed.as_ref().is_some_and(|filed| filed.rows.is_some() && filed.current.is_none());
        if is_filing {
            self.file_counts(state, rt)?;
            state.filed.as_mut().ok_or_else(lost)?.wait_for_parts()?;
        }
        Ok(())
    }

    /// Puts the counts of the next part into memory; false when there is none. A part that is too large is divided.
    fn load_counts(&self, state: &mut SetOperationState, rt: &mut Runtime<'_, '_>) -> SqlResult<bool> {
        let width = self.types.len() + 2;
        state.seen.clear(rt);
        state.counts.clear();
        let mut reader = RunReader::default();
        let filed = state.filed.as_deref_mut().ok_or_else(lost)?;
        let Some(pair) = filed.waiting.pop() else { return Ok(false) };
        filed.current = Some(pair);
        filed.reader.rewind();
        loop {
            let Some(Filed { current: Some(pair), file, .. }) = state.filed.as_deref_mut() else { return Err(lost()) };
            if !reader.next(&pair.counts, width, file, &mut state.row)? {
                break;
            }
            rt.count_uninterrupted()?;
            let (Some(Datum::Bool(given)), Some(Datum::Int8(right))) = (state.row.pop(), state.row.pop()) else {
                return Err(lost());
            };
            self.count_right(state, Count { right: right as u64, given }, rt)?;
        }
        self.divide_again(state, rt)?;
        Ok(true)
    }

    /// The part at hand has turned out too large: its counts, and the left rows that are still to come, are divided.
    fn divide_again(&self, state: &mut SetOperationState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        if state.filed.as_ref().is_none_or(|filed| filed.counts.is_none()) {
            return Ok(());
        }
        self.file_counts(state, rt)?;
        let filed = state.filed.as_deref_mut().ok_or_else(lost)?;
        let pair = filed.current.take().ok_or_else(lost)?;
        let level = pair.level + 1;
        let mut rows = filed.rows.take().unwrap_or_else(|| Parts::new(level));
        while filed.reader.next(&pair.rows, self.types.len(), &filed.file, &mut state.row)? {
            rt.count_uninterrupted()?;
            rows.push(state.seen.hash(&state.row), &state.row, &mut filed.file)?;
        }
        filed.rows = Some(rows);
        filed.wait_for_parts()
    }
}

impl Filed {
    /// Adds a left row.
    fn push_row(&mut self, hash: u64, row: &[Datum]) -> SqlResult<()> {
        let level = self.current.as_ref().map_or(0, |pair| pair.level + 1);
        self.rows.get_or_insert_with(|| Parts::new(level)).push(hash, row, &mut self.file)
    }

    /// All that belongs to the parts is in them: they are to be done.
    fn wait_for_parts(&mut self) -> SqlResult<()> {
        let (Some(counts), Some(rows)) = (self.counts.take(), self.rows.take()) else { return Err(lost()) };
        let (counts, rows) = (counts.finish(&mut self.file)?, rows.finish(&mut self.file)?);
        for (counts, rows) in counts.into_iter().zip(rows) {
            if counts.level > LEVEL_MAX + LEVEL_MAX {
                return Err(SqlError::internal("rows of a set operation cannot be divided any further"));
            }
            if !rows.run.is_empty() {
                self.waiting.push(Pair { counts: counts.run, rows: rows.run, level: counts.level });
            }
        }
        Ok(())
    }
}

fn lost() -> SqlError {
    SqlError::internal("a set operation has lost its file")
}
