//! DISTINCT and DISTINCT ON: the first row of each combination, in the order of the input.

use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Oid};

use super::expression::Slot;
use super::key_table::KeyTable;
use super::operator::{PlanNode, Pull, State};
use super::runtime::Runtime;

#[derive(Clone, Debug)]
pub(crate) struct Distinct {
    pub input: Box<PlanNode>,
    pub on: Box<[Slot]>,
    pub types: Box<[Oid]>,
}

pub(crate) struct DistinctState {
    input: State,
    seen: KeyTable,
    key: Vec<Datum>,
}

impl Distinct {
    pub fn new_state(&self) -> DistinctState {
        DistinctState { input: self.input.new_state(), seen: KeyTable::new(self.types.clone()), key: Vec::new() }
    }

    pub fn open(&self, state: &mut DistinctState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        state.seen.clear(rt);
        self.input.open(&mut state.input, rt)
    }

    pub fn next(&self, state: &mut DistinctState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        loop {
            let pull = self.input.next(&mut state.input, rt)?;
            if pull != Pull::Row {
                return Ok(pull);
            }
            state.key.clear();
            state.key.extend(self.on.iter().map(|slot| rt.frame.slots[*slot].clone()));
            let (_, new) = state.seen.insert(&state.key, rt)?;
            if new {
                return Ok(Pull::Row);
            }
        }
    }
}
