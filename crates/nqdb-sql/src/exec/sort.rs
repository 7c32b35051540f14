//! ORDER BY: collects its input, then gives it out in order.
//!
//! What memory has no room for is sorted piece by piece; the pieces are runs in a temporary file, which are merged at the
//! end. Under a LIMIT only the best rows are kept: whenever twice as many have come, the worse half is dropped.
//! The sort is stable, so rows that compare equal stay in the order of their arrival.

use std::cmp::Ordering;

use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Oid};

use super::expression::Slot;
use super::limit::Bounds;
use super::operator::{PlanNode, Pull, State, WorkFacts};
use super::row_buffer::RowBuffer;
use super::runtime::Runtime;
use super::spill::{Merge, Run};
use crate::temporary_files::TemporaryFile;

/// Below this many rows nothing is dropped early.
const PRUNE_ROWS_MIN: usize = 256;
/// Rows that are sorted between two looks at the cancel flag.
const RUN_ROWS: usize = 8_192;

#[derive(Clone, Debug)]
pub(crate) struct Sort {
    pub input: PlanNode,
    /// The slots that are kept.
    pub slots: Box<[Slot]>,
    pub keys: Box<[SortColumn]>,
    /// The LIMIT above.
    pub bounds: Option<Bounds>,
}

/// One key: a position among the kept slots.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SortColumn {
    pub position: usize,
    pub type_oid: Oid,
    pub descending: bool,
    pub nulls_first: bool,
}

impl SortColumn {
    /// How two kept rows stand in this key.
    pub fn compare(&self, left: &[Datum], right: &[Datum]) -> Ordering {
        let (left, right) = (&left[self.position], &right[self.position]);
        match (left.is_null(), right.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) => {
                if self.nulls_first {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            (false, true) => {
                if self.nulls_first {
                    Ordering::Greater
                } else {
                    Ordering::Less
                }
            }
            (false, false) => {
                let ordering = left.compare_as(right, self.type_oid);
                if self.descending { ordering.reverse() } else { ordering }
            }
        }
    }
}

/// How two rows stand in all keys.
pub(crate) fn compare_rows(keys: &[SortColumn], left: &[Datum], right: &[Datum]) -> Ordering {
    let differences = keys.iter().map(|key| key.compare(left, right));
    differences.into_iter().find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
}

pub(crate) struct SortState {
    input: State,
    rows: RowBuffer,
    order: Vec<usize>,
    phase: Phase,
    /// Rows that can be asked for.
    rows_max: Option<usize>,
    spilled: Option<Box<Spilled>>,
    /// The most that was held.
    peak_bytes: usize,
}

#[derive(Clone, Copy)]
enum Phase {
    Collect,
    /// The next position of `order` to give out.
    FromMemory(usize),
    FromFile,
}

/// Sorted runs, then their merge.
struct Spilled {
    file: TemporaryFile,
    runs: Vec<Run>,
    merge: Option<Merge>,
}

impl Sort {
    pub fn new_state(&self) -> SortState {
        SortState {
            input: self.input.new_state(),
            rows: RowBuffer::default(),
            order: Vec::new(),
            phase: Phase::Collect,
            rows_max: None,
            spilled: None,
            peak_bytes: 0,
        }
    }

    pub fn open(&self, state: &mut SortState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        state.rows.clear(rt);
        state.order.clear();
        if let Some(merge) = state.spilled.take().and_then(|spilled| spilled.merge) {
            merge.end(rt);
        }
        state.phase = Phase::Collect;
        state.rows_max = match &self.bounds {
            Some(bounds) => bounds.rows_max(rt)?,
            None => None,
        };
        self.input.open(&mut state.input, rt)
    }

    pub fn next(&self, id: usize, state: &mut SortState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        loop {
            match state.phase {
                Phase::Collect => {
                    if !self.collect(state, rt)? {
                        return Ok(Pull::Yield);
                    }
                    self.finish(state, rt)?;
                    rt.note_work(id, state.work());
                }
                Phase::FromMemory(position) => {
                    let Some(number) = state.order.get(position) else { return Ok(Pull::End) };
                    rt.load(&self.slots, state.rows.row(*number, self.slots.len()));
                    state.phase = Phase::FromMemory(position + 1);
                    return Ok(Pull::Row);
                }
                Phase::FromFile => {
                    if rt.slice_is_over()? {
                        return Ok(Pull::Yield);
                    }
                    let Some(Spilled { file, merge: Some(merge), .. }) = state.spilled.as_deref_mut() else {
                        return Ok(Pull::End);
                    };
                    let Some(row) = merge.next(&self.keys, file)? else { return Ok(Pull::End) };
                    rt.load(&self.slots, row);
                    return Ok(Pull::Row);
                }
            }
        }
    }

    /// Reads the input to its end; false when the slice is over before that.
    fn collect(&self, state: &mut SortState, rt: &mut Runtime<'_, '_>) -> SqlResult<bool> {
        loop {
            match self.input.next(&mut state.input, rt)? {
                Pull::Row => {
                    if !state.rows.try_push(&self.slots, 0, rt)? {
                        self.make_room(state, rt)?;
                        state.rows.try_push(&self.slots, 0, rt)?;
                    }
                    if let Some(rows_max) = state.rows_max
                        && state.rows.len() >= PRUNE_ROWS_MIN.max(rows_max.saturating_mul(2))
                    {
                        self.prune(state, rows_max, rt)?;
                    }
                }
                Pull::End => return Ok(true),
                Pull::Yield => return Ok(false),
            }
        }
    }

    /// Keeps the best rows only.
    fn prune(&self, state: &mut SortState, rows_max: usize, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        self.sort(state, rt)?;
        state.order.truncate(rows_max);
        state.peak_bytes = state.peak_bytes.max(state.rows.charged_bytes());
        state.rows.retain(&state.order, self.slots.len(), rt)
    }

    /// Writes the rows in memory as a run.
    fn make_room(&self, state: &mut SortState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        self.sort(state, rt)?;
        if let Some(rows_max) = state.rows_max {
            state.order.truncate(rows_max);
        }
        let spilled = match &mut state.spilled {
            Some(spilled) => spilled,
            None => state.spilled.insert(Box::new(Spilled {
                file: rt.cx.temporary.create()?,
                runs: Vec::new(),
                merge: None,
            })),
        };
        let mut run = Run::default();
        for number in &state.order {
            run.push(state.rows.row(*number, self.slots.len()), &mut spilled.file)?;
        }
        run.finish(&mut spilled.file)?;
        spilled.runs.push(run);
        state.peak_bytes = state.peak_bytes.max(state.rows.charged_bytes());
        state.order.clear();
        state.rows.clear(rt);
        Ok(())
    }

    /// The input is over: puts the rows in memory into their order, or begins to merge the runs.
    fn finish(&self, state: &mut SortState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        state.peak_bytes = state.peak_bytes.max(state.rows.charged_bytes());
        if state.spilled.is_none() {
            self.sort(state, rt)?;
            state.phase = Phase::FromMemory(0);
            return Ok(());
        }
        if state.rows.len() > 0 {
            self.make_room(state, rt)?;
        }
        if let Some(spilled) = &mut state.spilled {
            let runs = std::mem::take(&mut spilled.runs);
            spilled.merge = Some(Merge::new(runs, self.slots.len(), &self.keys, &mut spilled.file, rt)?);
        }
        state.phase = Phase::FromFile;
        Ok(())
    }

    fn sort(&self, state: &mut SortState, rt: &Runtime<'_, '_>) -> SqlResult<()> {
        let width = self.slots.len();
        let rows = &state.rows;
        state.order.clear();
        state.order.extend(0..rows.len());
        let compare =
            |left: &usize, right: &usize| compare_rows(&self.keys, rows.row(*left, width), rows.row(*right, width));
        // Runs first, with looks at the cancel flag; the last sort finds the runs and only merges them.
        if rows.len() > RUN_ROWS {
            for run in state.order.chunks_mut(RUN_ROWS) {
                rt.cx.functions.session.check_interruption()?;
                run.sort_by(compare);
            }
        }
        state.order.sort_by(compare);
        Ok(())
    }
}

impl SortState {
    /// PostgreSQL's names of the methods.
    fn work(&self) -> WorkFacts {
        let file_bytes = self.spilled.as_ref().map(|spilled| spilled.file.bytes());
        let method = match (file_bytes, self.rows_max) {
            (Some(_), _) => "external merge",
            (None, Some(_)) => "top-N heapsort",
            (None, None) => "quicksort",
        };
        WorkFacts::Sort { method, memory_bytes: self.peak_bytes, file_bytes }
    }
}
