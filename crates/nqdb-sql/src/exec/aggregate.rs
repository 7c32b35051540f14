//! GROUP BY and aggregates, by hash: one pass over the input, then one row for each group in order of arrival.
//!
//! Without keys there is exactly one group, even over no rows. FILTER and DISTINCT are done here: an accumulator
//! sees only what counts.

use nqdb_functions::{Accumulator, Aggregate};
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Oid};

use super::expression::{Eval, Slot};
use super::key_table::KeyTable;
use super::operator::{PlanNode, Pull, State};
use super::runtime::Runtime;

#[derive(Clone, Debug)]
pub(crate) struct Aggregation {
    pub input: PlanNode,
    pub keys: Box<[(Slot, Eval)]>,
    pub key_types: Box<[Oid]>,
    pub calls: Box<[Call]>,
}

/// One aggregate call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub slot: Slot,
    pub aggregate: &'static Aggregate,
    pub args: Box<[Eval]>,
    pub arg_types: Box<[Oid]>,
    pub distinct: bool,
    pub filter: Option<Eval>,
}

pub(crate) struct AggregationState {
    input: State,
    groups: KeyTable,
    /// Group-major: the accumulators of group 0, of group 1, ...
    accumulators: Vec<Group>,
    /// The next group to give out; none while rows come in.
    position: Option<usize>,
    key: Vec<Datum>,
    args: Vec<Datum>,
    charged_bytes: usize,
}

/// One aggregate of one group.
struct Group {
    accumulator: Box<dyn Accumulator>,
    seen: Option<Box<KeyTable>>,
    charged_bytes: usize,
}

impl Aggregation {
    pub fn new_state(&self) -> AggregationState {
        AggregationState {
            input: self.input.new_state(),
            groups: KeyTable::new(self.key_types.clone()),
            accumulators: Vec::new(),
            position: None,
            key: Vec::new(),
            args: Vec::new(),
            charged_bytes: 0,
        }
    }

    pub fn open(&self, state: &mut AggregationState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        for group in &mut state.accumulators {
            if let Some(seen) = &mut group.seen {
                seen.clear(rt);
            }
        }
        state.accumulators.clear();
        state.groups.clear(rt);
        rt.release(std::mem::take(&mut state.charged_bytes));
        state.position = None;
        self.input.open(&mut state.input, rt)
    }

    pub fn next(&self, state: &mut AggregationState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        let position = match state.position {
            Some(position) => position,
            None => {
                if !self.collect(state, rt)? {
                    return Ok(Pull::Yield);
                }
                0
            }
        };
        if position >= state.groups.len() {
            state.position = Some(position);
            return Ok(Pull::End);
        }
        state.position = Some(position + 1);
        for ((slot, _), value) in self.keys.iter().zip(state.groups.row(position)) {
            rt.frame.slots[*slot].clone_from(value);
        }
        let width = self.calls.len();
        let groups = &mut state.accumulators[position * width..(position + 1) * width];
        for (call, group) in self.calls.iter().zip(groups) {
            rt.frame.slots[call.slot] = group.accumulator.finish()?;
        }
        Ok(Pull::Row)
    }

    /// Reads the input to its end; false when the slice is over before that.
    fn collect(&self, state: &mut AggregationState, rt: &mut Runtime<'_, '_>) -> SqlResult<bool> {
        if self.keys.is_empty() && state.groups.is_empty() {
            self.add_group(state, rt)?;
        }
        loop {
            match self.input.next(&mut state.input, rt)? {
                Pull::Row => {
                    let group = if self.keys.is_empty() { 0 } else { self.find_group(state, rt)? };
                    self.accumulate(state, group, rt)?;
                }
                Pull::End => return Ok(true),
                Pull::Yield => return Ok(false),
            }
        }
    }

    fn find_group(&self, state: &mut AggregationState, rt: &mut Runtime<'_, '_>) -> SqlResult<usize> {
        state.key.clear();
        for (_, key) in &self.keys {
            let value = key.eval(rt)?;
            state.key.push(value);
        }
        match state.groups.find(&state.key) {
            Some(group) => Ok(group),
            None => self.add_group(state, rt),
        }
    }

    /// Opens the group of `state.key`.
    fn add_group(&self, state: &mut AggregationState, rt: &mut Runtime<'_, '_>) -> SqlResult<usize> {
        let (group, _) = state.groups.insert(&state.key, rt)?;
        for call in &self.calls {
            let mut accumulator = (call.aggregate.state)();
            accumulator.set_argument_types(&call.arg_types);
            let bytes = size_of::<Group>() + accumulator.size_bytes();
            rt.charge(bytes)?;
            state.charged_bytes += bytes;
            let seen = call.distinct.then(|| Box::new(KeyTable::new(call.arg_types.clone())));
            state.accumulators.push(Group { charged_bytes: accumulator.size_bytes(), accumulator, seen });
        }
        Ok(group)
    }

    fn accumulate(&self, state: &mut AggregationState, group: usize, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let first = group * self.calls.len();
        for (number, call) in self.calls.iter().enumerate() {
            if let Some(filter) = &call.filter
                && !filter.passes(rt)?
            {
                continue;
            }
            state.args.clear();
            for arg in &call.args {
                let value = arg.eval(rt)?;
                state.args.push(value);
            }
            let group = &mut state.accumulators[first + number];
            if let Some(seen) = &mut group.seen
                && !seen.insert(&state.args, rt)?.1
            {
                continue;
            }
            group.accumulator.accumulate(&state.args)?;
            let size_bytes = group.accumulator.size_bytes();
            if size_bytes > group.charged_bytes {
                let bytes = size_bytes - group.charged_bytes;
                rt.charge(bytes)?;
                group.charged_bytes = size_bytes;
                state.charged_bytes += bytes;
            }
        }
        Ok(())
    }
}
