//! LIMIT and OFFSET, and WITH TIES.

use nqdb_sqlstate::{
    INVALID_ROW_COUNT_IN_LIMIT_CLAUSE, INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE, SqlError, SqlResult,
};

use nqdb_types::{Datum, Oid};

use super::expression::{Eval, Slot};
use super::operator::{PlanNode, Pull, State};
use super::runtime::Runtime;

#[derive(Clone, Debug)]
pub(crate) struct Limit {
    pub input: Box<PlanNode>,
    pub bounds: Bounds,
    /// Rows that equal the last one in these go out as well.
    pub ties: Box<[(Slot, Oid)]>,
}

/// The two expressions; NULL is no limit, and an offset of 0.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    pub limit: Option<Eval>,
    pub offset: Option<Eval>,
}

pub(crate) struct LimitState {
    input: State,
    skip: u64,
    /// Rows that may still go out; none when there is no limit.
    left: Option<u64>,
    /// What the last row had in `ties`, once it is out.
    last: Vec<Datum>,
}

impl Bounds {
    /// Rows to skip, and rows to give out.
    fn evaluate(&self, rt: &mut Runtime<'_, '_>) -> SqlResult<(u64, Option<u64>)> {
        let offset = match &self.offset {
            Some(offset) => offset.eval(rt)?.as_integer().unwrap_or(0),
            None => 0,
        };
        let limit = match &self.limit {
            Some(limit) => limit.eval(rt)?.as_integer(),
            None => None,
        };
        let offset = u64::try_from(offset)
            .map_err(|_| SqlError::new(INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE, "OFFSET must not be negative"))?;
        let limit = limit
            .map(u64::try_from)
            .transpose()
            .map_err(|_| SqlError::new(INVALID_ROW_COUNT_IN_LIMIT_CLAUSE, "LIMIT must not be negative"))?;
        Ok((offset, limit))
    }

    /// The most rows that can be asked of the input.
    pub fn rows_max(&self, rt: &mut Runtime<'_, '_>) -> SqlResult<Option<usize>> {
        let (offset, limit) = self.evaluate(rt)?;
        Ok(limit.and_then(|limit| usize::try_from(limit.saturating_add(offset)).ok()))
    }
}

impl Limit {
    pub fn new_state(&self) -> LimitState {
        LimitState { input: self.input.new_state(), skip: 0, left: None, last: Vec::new() }
    }

    pub fn open(&self, state: &mut LimitState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        (state.skip, state.left) = self.bounds.evaluate(rt)?;
        state.last.clear();
        self.input.open(&mut state.input, rt)
    }

    pub fn next(&self, state: &mut LimitState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        if state.left == Some(0) {
            return self.next_tie(state, rt);
        }
        while state.skip > 0 {
            match self.input.next(&mut state.input, rt)? {
                Pull::Row => state.skip -= 1,
                other => return Ok(other),
            }
        }
        let pull = self.input.next(&mut state.input, rt)?;
        if pull == Pull::Row
            && let Some(left) = &mut state.left
        {
            *left -= 1;
            if *left == 0 {
                state.last.extend(self.ties.iter().map(|(slot, _)| rt.frame.slots[*slot].clone()));
            }
        }
        Ok(pull)
    }

    /// Another row that equals the last one.
    fn next_tie(&self, state: &mut LimitState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        if state.last.is_empty() {
            return Ok(Pull::End);
        }
        let pull = self.input.next(&mut state.input, rt)?;
        let mut ties = self.ties.iter().zip(&state.last);
        if pull == Pull::Row
            && !ties.all(|((slot, type_oid), last)| rt.frame.slots[*slot].compare_as(last, *type_oid).is_eq())
        {
            state.last.clear();
            return Ok(Pull::End);
        }
        Ok(pull)
    }
}
