//! ORDER BY in memory: collects its input, then gives it out in order.
//!
//! Under a LIMIT only the best rows are kept: whenever twice as many have come, the worse half is dropped.
//! The sort is stable, so rows that compare equal stay in the order of their arrival.

use std::cmp::Ordering;

use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Oid};

use super::expression::Slot;
use super::limit::Bounds;
use super::operator::{PlanNode, Pull, State};
use super::row_buffer::RowBuffer;
use super::runtime::Runtime;

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

pub(crate) struct SortState {
    input: State,
    rows: RowBuffer,
    order: Vec<usize>,
    /// The next position of `order` to give out; none while rows are collected.
    position: Option<usize>,
    /// Rows that can be asked for.
    rows_max: Option<usize>,
}

impl Sort {
    pub fn new_state(&self) -> SortState {
        let input = self.input.new_state();
        SortState { input, rows: RowBuffer::default(), order: Vec::new(), position: None, rows_max: None }
    }

    pub fn open(&self, state: &mut SortState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        state.rows.clear(rt);
        state.order.clear();
        state.position = None;
        state.rows_max = match &self.bounds {
            Some(bounds) => bounds.rows_max(rt)?,
            None => None,
        };
        self.input.open(&mut state.input, rt)
    }

    pub fn next(&self, state: &mut SortState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        let position = match state.position {
            Some(position) => position,
            None => {
                if !self.collect(state, rt)? {
                    return Ok(Pull::Yield);
                }
                self.sort(state, rt)?;
                0
            }
        };
        let Some(number) = state.order.get(position) else { return Ok(Pull::End) };
        rt.load(&self.slots, state.rows.row(*number, self.slots.len()));
        state.position = Some(position + 1);
        Ok(Pull::Row)
    }

    /// Reads the input to its end; false when the slice is over before that.
    fn collect(&self, state: &mut SortState, rt: &mut Runtime<'_, '_>) -> SqlResult<bool> {
        loop {
            match self.input.next(&mut state.input, rt)? {
                Pull::Row => {
                    state.rows.push(&self.slots, rt)?;
                    if let Some(rows_max) = state.rows_max
                        && state.rows.len() >= PRUNE_ROWS_MIN.max(rows_max.saturating_mul(2))
                    {
                        self.sort(state, rt)?;
                        state.order.truncate(rows_max);
                        state.rows.retain(&state.order, self.slots.len(), rt)?;
                    }
                }
                Pull::End => return Ok(true),
                Pull::Yield => return Ok(false),
            }
        }
    }

    fn sort(&self, state: &mut SortState, rt: &Runtime<'_, '_>) -> SqlResult<()> {
        let width = self.slots.len();
        let rows = &state.rows;
        state.order.clear();
        state.order.extend(0..rows.len());
        let compare = |left: &usize, right: &usize| {
            let (left, right) = (rows.row(*left, width), rows.row(*right, width));
            self.keys
                .iter()
                .map(|key| key.compare(left, right))
                .find(|ordering| ordering.is_ne())
                .unwrap_or(Ordering::Equal)
        };
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
