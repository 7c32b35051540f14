//! Rows that are read only if a condition holds that no row can change: PostgreSQL's one-time filter.

use nqdb_sqlstate::SqlResult;

use super::expression::Eval;
use super::operator::{PlanNode, Pull, State};
use super::runtime::Runtime;

/// A condition over constants, parameters and the query around, tested once for each reading of the input.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    pub input: Box<PlanNode>,
    pub predicate: Eval,
    /// The condition is `false`, so that nobody ever looks at the input.
    pub is_shut: bool,
}

pub(crate) struct GateState {
    input: State,
    is_open: bool,
}

impl Gate {
    pub fn new_state(&self) -> GateState {
        GateState { input: self.input.new_state(), is_open: false }
    }

    pub fn open(&self, state: &mut GateState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        state.is_open = !self.is_shut && self.predicate.passes(rt)?;
        if state.is_open { self.input.open(&mut state.input, rt) } else { Ok(()) }
    }

    pub fn next(&self, state: &mut GateState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        if state.is_open { self.input.next(&mut state.input, rt) } else { Ok(Pull::End) }
    }
}
