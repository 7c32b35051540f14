//! GROUP BY and aggregates, by hash: one pass over the input, then one row for each group in order of arrival.
//!
//! What always holds:
//! 1. Each grouping set has a table of groups of its own; plain GROUP BY is one set of all keys.
//! 2. A set without keys has exactly one group, even over no rows.
//! 3. FILTER, DISTINCT and ORDER BY are done here: an accumulator sees only what counts, in the order that was asked
//!    for. Rows that must be sorted are kept until their group is given out (`sorted`).

mod sorted;

use nqdb_functions::{Accumulator, Aggregate};
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Oid};

use super::expression::{Eval, Slot};
use super::key_table::KeyTable;
use super::operator::{PlanNode, Pull, State};
use super::runtime::Runtime;
pub(crate) use sorted::OrderKey;
use sorted::SortedRows;

#[derive(Clone, Debug)]
pub(crate) struct Aggregation {
    pub input: PlanNode,
    pub keys: Box<[(Slot, Eval)]>,
    /// At least one.
    pub sets: Box<[KeySet]>,
    pub calls: Box<[Call]>,
}

/// A grouping set.
#[derive(Clone, Debug)]
pub(crate) struct KeySet {
    /// The keys that it has, as positions among all keys, and their types.
    pub positions: Box<[usize]>,
    pub types: Box<[Oid]>,
    /// The keys that it lacks.
    pub missing: Box<[Slot]>,
    /// What GROUPING is for its groups.
    pub groupings: Box<[(Slot, i32)]>,
}

/// One aggregate call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub slot: Slot,
    pub aggregate: &'static Aggregate,
    pub args: Box<[Eval]>,
    pub arg_types: Box<[Oid]>,
    pub distinct: bool,
    /// Rows are kept and sorted by `order`, and with `distinct` by the arguments after that.
    pub sorts: bool,
    pub order: Box<[OrderKey]>,
    /// The direct arguments of an ordered-set aggregate.
    pub direct: Box<[Eval]>,
    pub filter: Option<Eval>,
}

pub(crate) struct AggregationState {
    input: State,
    sets: Vec<SetState>,
    /// The next set and group to give out; none while rows come in.
    position: Option<(usize, usize)>,
    /// All keys of the row at hand, those of one set, and the row's group in each set.
    keys: Vec<Datum>,
    key: Vec<Datum>,
    groups: Vec<usize>,
    args: Vec<Datum>,
    charged_bytes: usize,
}

struct SetState {
    groups: KeyTable,
    /// Group-major: the calls of group 0, of group 1, ...
    calls: Vec<Group>,
}

/// One aggregate of one group.
struct Group {
    accumulator: Box<dyn Accumulator>,
    seen: Option<Box<KeyTable>>,
    sorted: Option<Box<SortedRows>>,
    charged_bytes: usize,
}

impl Aggregation {
    pub fn new_state(&self) -> AggregationState {
        let set = |set: &KeySet| SetState { groups: KeyTable::new(set.types.clone()), calls: Vec::new() };
        AggregationState {
            input: self.input.new_state(),
            sets: self.sets.iter().map(set).collect(),
            position: None,
            keys: Vec::new(),
            key: Vec::new(),
            groups: vec![0; self.sets.len()],
            args: Vec::new(),
            charged_bytes: 0,
        }
    }

    pub fn open(&self, state: &mut AggregationState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        for set in &mut state.sets {
            for group in &mut set.calls {
                if let Some(seen) = &mut group.seen {
                    seen.clear(rt);
                }
            }
            set.calls.clear();
            set.groups.clear(rt);
        }
        rt.release(std::mem::take(&mut state.charged_bytes));
        state.position = None;
        self.input.open(&mut state.input, rt)
    }

    pub fn next(&self, state: &mut AggregationState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        let (mut number, mut group) = match state.position {
            Some(position) => position,
            None => {
                if !self.collect(state, rt)? {
                    return Ok(Pull::Yield);
                }
                (0, 0)
            }
        };
        while let (Some(set), Some(set_state)) = (self.sets.get(number), state.sets.get_mut(number)) {
            if group < set_state.groups.len() {
                state.position = Some((number, group + 1));
                self.give_out(set, set_state, group, rt)?;
                return Ok(Pull::Row);
            }
            (number, group) = (number + 1, 0);
        }
        state.position = Some((number, group));
        Ok(Pull::End)
    }

    /// Puts a group's keys and results into their slots.
    fn give_out(&self, set: &KeySet, state: &mut SetState, group: usize, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        for (position, value) in set.positions.iter().zip(state.groups.row(group)) {
            rt.frame.slots[self.keys[*position].0].clone_from(value);
        }
        rt.set_null(&set.missing);
        for (slot, grouping) in &set.groupings {
            rt.frame.slots[*slot] = Datum::Int4(*grouping);
        }
        let width = self.calls.len();
        let calls = &mut state.calls[group * width..(group + 1) * width];
        for (call, group) in self.calls.iter().zip(calls) {
            rt.frame.slots[call.slot] = match &group.sorted {
                Some(rows) => rows.finish(call, group.accumulator.as_mut(), rt)?,
                None => group.accumulator.finish()?,
            };
        }
        Ok(())
    }

    /// Reads the input to its end; false when the slice is over before that.
    fn collect(&self, state: &mut AggregationState, rt: &mut Runtime<'_, '_>) -> SqlResult<bool> {
        for (set, set_state) in self.sets.iter().zip(&mut state.sets) {
            if set.positions.is_empty() && set_state.groups.is_empty() {
                state.key.clear();
                state.charged_bytes += self.add_group(set_state, &state.key, rt)?;
            }
        }
        loop {
            match self.input.next(&mut state.input, rt)? {
                Pull::Row => {
                    self.find_groups(state, rt)?;
                    self.accumulate(state, rt)?;
                }
                Pull::End => return Ok(true),
                Pull::Yield => return Ok(false),
            }
        }
    }

    /// Finds the row's group in each set, or opens it.
    fn find_groups(&self, state: &mut AggregationState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        if self.keys.is_empty() {
            return Ok(());
        }
        state.keys.clear();
        for (_, key) in &self.keys {
            let value = key.eval(rt)?;
            state.keys.push(value);
        }
        for (number, (set, set_state)) in self.sets.iter().zip(&mut state.sets).enumerate() {
            state.key.clear();
            state.key.extend(set.positions.iter().map(|position| state.keys[*position].clone()));
            state.groups[number] = match set_state.groups.find(&state.key) {
                Some(group) => group,
                None => {
                    state.charged_bytes += self.add_group(set_state, &state.key, rt)?;
                    set_state.groups.len() - 1
                }
            };
        }
        Ok(())
    }

    /// Opens a group; gives the bytes that were charged for it.
    fn add_group(&self, state: &mut SetState, key: &[Datum], rt: &mut Runtime<'_, '_>) -> SqlResult<usize> {
        state.groups.insert(key, rt)?;
        let mut charged_bytes = 0;
        for call in &self.calls {
            let mut accumulator = (call.aggregate.state)();
            accumulator.set_argument_types(&call.arg_types);
            let bytes = size_of::<Group>() + accumulator.size_bytes();
            rt.charge(bytes)?;
            charged_bytes += bytes;
            state.calls.push(Group {
                charged_bytes: accumulator.size_bytes(),
                accumulator,
                seen: call.distinct.then(|| Box::new(KeyTable::new(call.arg_types.clone()))),
                sorted: call.sorts.then(Box::default),
            });
        }
        Ok(charged_bytes)
    }

    fn accumulate(&self, state: &mut AggregationState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
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
            if call.sorts {
                for key in &call.order {
                    let value = key.value.eval(rt)?;
                    state.args.push(value);
                }
            }
            for (set, group) in state.sets.iter_mut().zip(&state.groups) {
                let group = &mut set.calls[group * self.calls.len() + number];
                state.charged_bytes += group.take_in(&state.args, call.args.len(), rt)?;
            }
        }
        Ok(())
    }
}

impl Group {
    /// Takes in a row's arguments, of which the first `width` are the aggregate's; gives the bytes that were charged.
    fn take_in(&mut self, args: &[Datum], width: usize, rt: &mut Runtime<'_, '_>) -> SqlResult<usize> {
        if let Some(seen) = &mut self.seen
            && !seen.insert(&args[..width], rt)?.1
        {
            return Ok(0);
        }
        if let Some(sorted) = &mut self.sorted {
            return sorted.push(args, rt);
        }
        self.accumulator.accumulate_in(&rt.cx.functions, args)?;
        let size_bytes = self.accumulator.size_bytes();
        let grown = size_bytes.saturating_sub(self.charged_bytes);
        if grown > 0 {
            rt.charge(grown)?;
            self.charged_bytes = size_bytes;
        }
        Ok(grown)
    }
}
