//! A join that starts its right side again for every row of the left one.
//!
//! It pays when the right side finds its few rows by an index over the left row's values, which it reads from
//! their slots. Inner, left, semi and anti joins only: the other kinds must remember what the right side matched, which
//! is [`super::hash_join`]'s. A semi or anti join leaves the right side at its first match.

use nqdb_sqlstate::SqlResult;

use super::expression::{Eval, Slot};
use super::operator::{PlanNode, Pull, State};
use super::runtime::Runtime;

#[derive(Clone, Debug)]
pub(crate) struct NestedLoop {
    pub left: PlanNode,
    pub right: PlanNode,
    /// What the right side does not check itself.
    pub on: Option<Eval>,
    /// A left join: the slots to set to NULL when nothing matches.
    pub null_slots: Option<Box<[Slot]>>,
    /// A semi or anti join: only the left row goes out, once.
    pub half: Option<HalfJoin>,
}

/// A join that shows its left side only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HalfJoin {
    /// Rows with a partner.
    Semi,
    /// Rows without one.
    Anti,
}

pub(crate) struct NestedLoopState {
    left: State,
    right: State,
    phase: Phase,
}

/// Where a join stands.
enum Phase {
    NeedLeft,
    /// The right side is open; whether it matched the left row.
    InRight {
        matched: bool,
    },
}

impl NestedLoop {
    pub fn new_state(&self) -> NestedLoopState {
        NestedLoopState { left: self.left.new_state(), right: self.right.new_state(), phase: Phase::NeedLeft }
    }

    pub fn open(&self, state: &mut NestedLoopState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        state.phase = Phase::NeedLeft;
        self.left.open(&mut state.left, rt)
    }

    pub fn next(&self, state: &mut NestedLoopState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        loop {
            match &mut state.phase {
                Phase::NeedLeft => {
                    let pull = self.left.next(&mut state.left, rt)?;
                    if pull != Pull::Row {
                        return Ok(pull);
                    }
                    self.right.open(&mut state.right, rt)?;
                    state.phase = Phase::InRight { matched: false };
                }
                Phase::InRight { matched } => match self.right.next(&mut state.right, rt)? {
                    Pull::Row => {
                        let passes = match &self.on {
                            Some(on) => on.passes(rt)?,
                            None => true,
                        };
                        match (passes, self.half) {
                            (false, _) => {}
                            (true, None) => {
                                *matched = true;
                                return Ok(Pull::Row);
                            }
                            (true, Some(HalfJoin::Semi)) => {
                                state.phase = Phase::NeedLeft;
                                return Ok(Pull::Row);
                            }
                            (true, Some(HalfJoin::Anti)) => state.phase = Phase::NeedLeft,
                        }
                    }
                    Pull::Yield => return Ok(Pull::Yield),
                    Pull::End => {
                        let matched = *matched;
                        state.phase = Phase::NeedLeft;
                        if self.half == Some(HalfJoin::Anti) {
                            return Ok(Pull::Row);
                        }
                        if let Some(slots) = &self.null_slots
                            && !matched
                        {
                            rt.set_null(slots);
                            return Ok(Pull::Row);
                        }
                    }
                },
            }
        }
    }
}
