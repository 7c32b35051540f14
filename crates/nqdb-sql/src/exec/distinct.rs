//! DISTINCT and DISTINCT ON: the first row of each combination, in the order of the input.

use nqdb_sqlstate::SqlResult;
use nqdb_types::Oid;

use super::distinct_rows::{Admission, DistinctRows};
use super::expression::Slot;
use super::operator::{PlanNode, Pull, State};
use super::runtime::Runtime;

#[derive(Clone, Debug)]
pub(crate) struct Distinct {
    pub input: Box<PlanNode>,
    /// The slots of a row, first those of `types`, which tell rows apart.
    pub slots: Box<[Slot]>,
    pub types: Box<[Oid]>,
}

pub(crate) struct DistinctState {
    input: State,
    rows: DistinctRows,
    input_ended: bool,
}

impl Distinct {
    pub fn new_state(&self) -> DistinctState {
        let rows = DistinctRows::new(self.types.clone(), self.slots.len());
        DistinctState { input: self.input.new_state(), rows, input_ended: false }
    }

    pub fn open(&self, state: &mut DistinctState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        state.rows.clear(rt);
        state.input_ended = false;
        self.input.open(&mut state.input, rt)
    }

    pub fn next(&self, state: &mut DistinctState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        while !state.input_ended {
            match self.input.next(&mut state.input, rt)? {
                Pull::Row => {
                    if state.rows.admit(&self.slots, rt)? == Admission::First {
                        return Ok(Pull::Row);
                    }
                }
                Pull::Yield => return Ok(Pull::Yield),
                Pull::End => state.input_ended = true,
            }
        }
        state.rows.next_from_file(&self.slots, rt)
    }
}
