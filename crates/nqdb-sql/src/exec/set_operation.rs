//! UNION, INTERSECT and EXCEPT, with and without ALL.
//!
//! UNION gives out the left side, then the right side, and without ALL keeps what it has given out. The other two
//! count the right side's rows first, then let the left side pass through that count. NULLs are equal here.

use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Oid};

use super::expression::Slot;
use super::key_table::KeyTable;
use super::operator::{PlanNode, Pull, State};
use super::runtime::Runtime;
use crate::ir::SetKind;

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
    seen: KeyTable,
    counts: Vec<Count>,
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
            seen: KeyTable::new(self.types.clone()),
            counts: Vec::new(),
            phase: Phase::Left,
            row: Vec::new(),
        }
    }

    pub fn open(&self, state: &mut SetOperationState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        state.seen.clear(rt);
        state.counts.clear();
        state.phase = if self.kind == SetKind::Union { Phase::Left } else { Phase::CountRight };
        self.left.open(&mut state.left, rt)?;
        self.right.open(&mut state.right, rt)
    }

    pub fn next(&self, state: &mut SetOperationState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        loop {
            let (pull, slots) = match state.phase {
                Phase::Left => (self.left.next(&mut state.left, rt)?, &self.left_slots),
                _ => (self.right.next(&mut state.right, rt)?, &self.right_slots),
            };
            match (pull, state.phase) {
                (Pull::Yield, _) => return Ok(Pull::Yield),
                (Pull::End, Phase::CountRight) => state.phase = Phase::Left,
                (Pull::End, Phase::Left) if self.kind == SetKind::Union => state.phase = Phase::Right,
                (Pull::End, _) => return Ok(Pull::End),
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

    /// Whether the row goes out.
    fn admit(&self, state: &mut SetOperationState, phase: Phase, rt: &mut Runtime<'_, '_>) -> SqlResult<bool> {
        if self.kind == SetKind::Union {
            return if self.all { Ok(true) } else { Ok(state.seen.insert(&state.row, rt)?.1) };
        }
        if phase == Phase::CountRight {
            let number = self.number(state, rt)?;
            state.counts[number].right += 1;
            return Ok(false);
        }
        let number = match (self.kind, state.seen.find(&state.row)) {
            (_, Some(number)) => number,
            (SetKind::Intersect, None) => return Ok(false),
            (_, None) if self.all => return Ok(true),
            (_, None) => self.number(state, rt)?,
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

    fn number(&self, state: &mut SetOperationState, rt: &mut Runtime<'_, '_>) -> SqlResult<usize> {
        let (number, new) = state.seen.insert(&state.row, rt)?;
        if new {
            state.counts.push(Count::default());
        }
        Ok(number)
    }
}
