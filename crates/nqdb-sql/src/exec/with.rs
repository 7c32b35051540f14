//! WITH queries: each is evaluated once and kept, as far as somebody reads it.
//!
//! ```text
//! With         forgets the rows of those WITH queries that depend on the row around them, then runs its input
//! WithScan     reads kept rows; at their end it asks the WITH query for one more, which all its readers see from then on
//! Recursion    seed rows, then round after round; the rows of a round are what the next one reads
//! WorkTable    reads the rows of the last round
//! ```
//!
//! Rows that memory has no room for are kept in a file (`spill::store`); what UNION compares with is not.
//!
//! What always holds:
//! 1. A WITH query runs no further than its readers ask, so an endless recursion under a LIMIT ends.
//! 2. A WITH query that does not depend on anything around it runs once in a statement, however often it is started.

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::{Datum, Oid};

use super::expression::Slot;
use super::key_table::KeyTable;
use super::operator::{PlanNode, Pull, State};
use super::runtime::Runtime;
use super::spill::ChargedRows;

/// A WITH query.
#[derive(Clone, Debug)]
pub(crate) struct WithPlan {
    pub name: String,
    /// None for one that changes rows: those of its RETURNING are there before anybody reads.
    pub root: Option<PlanNode>,
    /// The slots of its output columns.
    pub slots: Box<[Slot]>,
}

/// What an execution keeps of a WITH query.
#[derive(Default)]
pub(crate) struct WithState {
    state: Option<Box<State>>,
    rows: ChargedRows,
    ended: bool,
}

/// Starts WITH queries over.
#[derive(Clone, Debug)]
pub(crate) struct With {
    /// Those that depend on the row around them.
    pub restarted: Box<[usize]>,
    pub input: Box<PlanNode>,
}

/// Reads a WITH query or the rows of a recursion's last round.
#[derive(Clone, Debug)]
pub(crate) struct WithScan {
    pub source: usize,
    /// Which column goes where.
    pub columns: Box<[(usize, Slot)]>,
}

#[derive(Clone, Debug)]
pub(crate) struct Recursion {
    pub seed: PlanNode,
    pub step: PlanNode,
    pub seed_slots: Box<[Slot]>,
    pub step_slots: Box<[Slot]>,
    pub slots: Box<[Slot]>,
    pub types: Box<[Oid]>,
    pub all: bool,
    pub work_table: usize,
}

pub(crate) struct RecursionState {
    seed: State,
    step: State,
    in_seed: bool,
    /// The rows of the round at hand.
    round: ChargedRows,
    seen: KeyTable,
    row: Vec<Datum>,
}

impl WithState {
    /// Gives a WITH query that changes rows the rows of its RETURNING.
    pub fn fill(&mut self, rows: ChargedRows) {
        self.rows = rows;
        self.ended = true;
    }
}

impl With {
    pub fn open(&self, state: &mut State, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        for source in &self.restarted {
            let kept = std::mem::take(&mut rt.frame.with[*source]);
            let mut rows = kept.rows;
            rows.clear(rt);
            rt.frame.with[*source].rows = rows;
        }
        self.input.open(state, rt)
    }
}

impl WithScan {
    /// The next row of a WITH query; `next` counts them.
    pub fn next(&self, next: &mut usize, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        if rt.slice_is_over()? {
            return Ok(Pull::Yield);
        }
        while *next >= rt.frame.with[self.source].rows.len() {
            if rt.frame.with[self.source].ended {
                return Ok(Pull::End);
            }
            if rt.pull_with(self.source)? == Pull::Yield {
                return Ok(Pull::Yield);
            }
        }
        let frame = &mut *rt.frame;
        let row = frame.with[self.source].rows.row(*next)?;
        for (column, slot) in &self.columns {
            frame.slots[*slot].clone_from(&row[*column]);
        }
        *next += 1;
        Ok(Pull::Row)
    }

    /// The next row of a recursion's last round.
    pub fn next_of_round(&self, next: &mut usize, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        if rt.slice_is_over()? {
            return Ok(Pull::Yield);
        }
        let frame = &mut *rt.frame;
        let rows = &mut frame.work_tables[self.source];
        if *next >= rows.len() {
            return Ok(Pull::End);
        }
        let row = rows.row(*next)?;
        for (column, slot) in &self.columns {
            frame.slots[*slot].clone_from(&row[*column]);
        }
        *next += 1;
        Ok(Pull::Row)
    }
}

impl Runtime<'_, '_> {
    /// Asks a WITH query for one more row.
    pub fn pull_with(&mut self, source: usize) -> SqlResult<Pull> {
        let plan = &self.with[source];
        let root = plan.root.as_ref().ok_or_else(|| SqlError::internal("a WITH query has not run"))?;
        let mut state = match self.frame.with[source].state.take() {
            Some(state) => state,
            None => {
                let mut state = Box::new(root.new_state());
                root.open(&mut state, self)?;
                state
            }
        };
        let pull = root.next(&mut state, self)?;
        match pull {
            Pull::Row => {
                let mut rows = std::mem::take(&mut self.frame.with[source].rows);
                let pushed = rows.push_slots(&plan.slots, self);
                self.frame.with[source].rows = rows;
                pushed?;
            }
            Pull::End => self.frame.with[source].ended = true,
            Pull::Yield => {}
        }
        self.frame.with[source].state = Some(state);
        Ok(pull)
    }
}

impl Recursion {
    pub fn new_state(&self) -> RecursionState {
        RecursionState {
            seed: self.seed.new_state(),
            step: self.step.new_state(),
            in_seed: true,
            round: ChargedRows::default(),
            seen: KeyTable::new(self.types.clone()),
            row: Vec::new(),
        }
    }

    pub fn open(&self, state: &mut RecursionState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        state.in_seed = true;
        state.round.clear(rt);
        state.seen.clear(rt);
        self.seed.open(&mut state.seed, rt)
    }

    pub fn next(&self, state: &mut RecursionState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        loop {
            let (pull, slots) = if state.in_seed {
                (self.seed.next(&mut state.seed, rt)?, &self.seed_slots)
            } else {
                (self.step.next(&mut state.step, rt)?, &self.step_slots)
            };
            match pull {
                Pull::Yield => return Ok(Pull::Yield),
                Pull::End if state.round.len() == 0 => return Ok(Pull::End),
                Pull::End => {
                    let round = std::mem::take(&mut state.round);
                    let mut before = std::mem::replace(&mut rt.frame.work_tables[self.work_table], round);
                    before.clear(rt);
                    state.round = before;
                    state.in_seed = false;
                    self.step.open(&mut state.step, rt)?;
                }
                Pull::Row => {
                    state.row.clear();
                    state.row.extend(slots.iter().map(|slot| rt.frame.slots[*slot].clone()));
                    if self.all || state.seen.insert(&state.row, rt)?.1 {
                        rt.load(&self.slots, &state.row);
                        state.round.push(&state.row, rt)?;
                        return Ok(Pull::Row);
                    }
                }
            }
        }
    }
}
