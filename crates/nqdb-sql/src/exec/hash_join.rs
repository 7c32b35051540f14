//! A join that keeps its right side in memory, chained by the hash of its keys.
//!
//! ```text
//! heads: hash of keys -> first and last row     chain[row] -> the next row with the same hash
//! ```
//!
//! With no keys at all every row is in one chain: that is the nested loop over a materialized right side, for
//! joins on other conditions. Right and full joins remember which right rows matched and give the others out at
//! the end. Semi and anti joins give out the left row alone: a chain is left at its first match. A key that is NULL
//! matches nothing.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Oid};
use std::collections::HashMap;

use super::expression::{Eval, Slot};
use super::nested_loop::HalfJoin;
use super::operator::{PlanNode, Pull, State};
use super::row_buffer::RowBuffer;
use super::runtime::Runtime;

/// Bytes of a row's place in a chain and in the table of heads.
const CHAIN_BYTES: usize = 40;

#[derive(Clone, Debug)]
pub(crate) struct HashJoin {
    pub left: PlanNode,
    pub right: PlanNode,
    pub keys: Box<[JoinKey]>,
    /// The rest of the condition.
    pub on: Option<Eval>,
    /// Left rows without a match go out with NULLs.
    pub keep_left: bool,
    /// Right rows without a match go out with NULLs.
    pub keep_right: bool,
    /// A semi or anti join: only the left row goes out, once.
    pub half: Option<HalfJoin>,
    pub left_slots: Box<[Slot]>,
    pub right_slots: Box<[Slot]>,
}

/// An equality between the sides.
#[derive(Clone, Debug)]
pub(crate) struct JoinKey {
    pub left: Eval,
    pub right: Eval,
    pub type_oid: Oid,
}

pub(crate) struct HashJoinState {
    left: State,
    right: State,
    rows: RowBuffer,
    keys: Vec<Datum>,
    /// First and last row of each chain, plus one: partners come in the order in which the right side gave them.
    heads: HashMap<u64, (u32, u32), RandomState>,
    /// The next row, plus one; 0 ends a chain.
    chain: Vec<u32>,
    matched: Vec<bool>,
    phase: Phase,
    left_key: Vec<Datum>,
    charged_bytes: usize,
}

#[derive(Clone, Copy)]
enum Phase {
    Build,
    NeedLeft,
    /// Looking through a chain: the next row plus one.
    InChain {
        next: u32,
        matched: bool,
    },
    /// Right rows without a match.
    Unmatched {
        next: usize,
    },
}

impl HashJoin {
    pub fn new_state(&self) -> HashJoinState {
        HashJoinState {
            left: self.left.new_state(),
            right: self.right.new_state(),
            rows: RowBuffer::default(),
            keys: Vec::new(),
            heads: HashMap::default(),
            chain: Vec::new(),
            matched: Vec::new(),
            phase: Phase::Build,
            left_key: Vec::new(),
            charged_bytes: 0,
        }
    }

    pub fn open(&self, state: &mut HashJoinState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        state.rows.clear(rt);
        rt.release(std::mem::take(&mut state.charged_bytes));
        state.keys.clear();
        state.heads.clear();
        state.chain.clear();
        state.matched.clear();
        state.phase = Phase::Build;
        self.right.open(&mut state.right, rt)?;
        self.left.open(&mut state.left, rt)
    }

    pub fn next(&self, state: &mut HashJoinState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        loop {
            match state.phase {
                Phase::Build => {
                    if !self.build(state, rt)? {
                        return Ok(Pull::Yield);
                    }
                    state.phase = Phase::NeedLeft;
                }
                Phase::NeedLeft => match self.left.next(&mut state.left, rt)? {
                    Pull::Row => {
                        let next = self.find_chain(state, rt)?;
                        state.phase = Phase::InChain { next, matched: false };
                    }
                    Pull::Yield => return Ok(Pull::Yield),
                    Pull::End if self.keep_right => state.phase = Phase::Unmatched { next: 0 },
                    Pull::End => return Ok(Pull::End),
                },
                Phase::InChain { next, matched } => {
                    if let Some(pull) = self.next_in_chain(state, next, matched, rt)? {
                        return Ok(pull);
                    }
                }
                Phase::Unmatched { next } => {
                    let Some(found) = (next..state.matched.len()).find(|row| !state.matched[*row]) else {
                        return Ok(Pull::End);
                    };
                    state.phase = Phase::Unmatched { next: found + 1 };
                    rt.set_null(&self.left_slots);
                    rt.load(&self.right_slots, state.rows.row(found, self.right_slots.len()));
                    return Ok(Pull::Row);
                }
            }
        }
    }

    /// Reads the right side to its end; false when the slice is over before that.
    fn build(&self, state: &mut HashJoinState, rt: &mut Runtime<'_, '_>) -> SqlResult<bool> {
        loop {
            match self.right.next(&mut state.right, rt)? {
                Pull::Row => self.keep_row(state, rt)?,
                Pull::End => return Ok(true),
                Pull::Yield => return Ok(false),
            }
        }
    }

    fn keep_row(&self, state: &mut HashJoinState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let start = state.keys.len();
        let mut has_null = false;
        let mut bytes = CHAIN_BYTES;
        for key in &self.keys {
            let datum = key.right.eval(rt)?;
            has_null |= datum.is_null();
            bytes += size_of::<Datum>() + datum.heap_size();
            state.keys.push(datum);
        }
        if has_null && !self.keep_right {
            state.keys.truncate(start);
            return Ok(());
        }
        rt.charge(bytes)?;
        state.charged_bytes += bytes;
        state.rows.push(&self.right_slots, rt)?;
        state.matched.push(false);
        if has_null {
            state.chain.push(0);
        } else {
            let hash = self.hash(&state.keys[start..], state.heads.hasher());
            let number = state.chain.len() as u32 + 1;
            state.chain.push(0);
            let (_, last) = state.heads.entry(hash).or_insert((number, number));
            let before = std::mem::replace(last, number);
            if before != number {
                state.chain[before as usize - 1] = number;
            }
        }
        Ok(())
    }

    /// The first row to compare with the current left row, plus one.
    fn find_chain(&self, state: &mut HashJoinState, rt: &mut Runtime<'_, '_>) -> SqlResult<u32> {
        state.left_key.clear();
        for key in &self.keys {
            let datum = key.left.eval(rt)?;
            if datum.is_null() {
                return Ok(0);
            }
            state.left_key.push(datum);
        }
        let hash = self.hash(&state.left_key, state.heads.hasher());
        Ok(state.heads.get(&hash).map_or(0, |(first, _)| *first))
    }

    /// Compares one row of the chain; `None` when that was no match and the phase went on.
    fn next_in_chain(
        &self,
        state: &mut HashJoinState,
        next: u32,
        matched: bool,
        rt: &mut Runtime<'_, '_>,
    ) -> SqlResult<Option<Pull>> {
        if rt.slice_is_over()? {
            return Ok(Some(Pull::Yield));
        }
        let Some(number) = next.checked_sub(1).map(|number| number as usize) else {
            state.phase = Phase::NeedLeft;
            if self.keep_left && !matched {
                rt.set_null(&self.right_slots);
                return Ok(Some(Pull::Row));
            }
            return Ok((self.half == Some(HalfJoin::Anti)).then_some(Pull::Row));
        };
        let after = state.chain[number];
        state.phase = Phase::InChain { next: after, matched };
        let width = self.keys.len();
        let right_key = &state.keys[number * width..(number + 1) * width];
        let equal = self
            .keys
            .iter()
            .zip(state.left_key.iter().zip(right_key))
            .all(|(key, (left, right))| left.compare_as(right, key.type_oid).is_eq());
        if !equal {
            return Ok(None);
        }
        rt.load(&self.right_slots, state.rows.row(number, self.right_slots.len()));
        if let Some(on) = &self.on
            && !on.passes(rt)?
        {
            return Ok(None);
        }
        if let Some(half) = self.half {
            state.phase = Phase::NeedLeft;
            return Ok((half == HalfJoin::Semi).then_some(Pull::Row));
        }
        state.matched[number] = true;
        state.phase = Phase::InChain { next: after, matched: true };
        Ok(Some(Pull::Row))
    }

    fn hash(&self, key: &[Datum], hasher: &RandomState) -> u64 {
        let mut state = hasher.build_hasher();
        for (datum, column) in key.iter().zip(&self.keys) {
            datum.hash_as(&mut state, column.type_oid);
        }
        state.finish()
    }
}
