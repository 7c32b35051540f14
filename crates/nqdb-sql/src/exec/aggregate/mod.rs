//! GROUP BY and aggregates, by hash: one pass over the input, then one row for each group in order of arrival.
//!
//! Groups that come when memory has no more room are made later: their rows go to the parts of a file (`filed`).
//!
//! What always holds:
//! 1. Each grouping set has a table of groups of its own; plain GROUP BY is one set of all keys.
//! 2. A set without keys has exactly one group, even over no rows.
//! 3. FILTER, DISTINCT and ORDER BY are done here: an accumulator sees only what counts, in the order that was asked
//!    for. Rows that must be sorted are kept until their group is given out (`sorted`).

mod filed;
mod sorted;

use nqdb_functions::{Accumulator, Aggregate};
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Oid};

use super::expression::{Eval, Slot};
use super::key_table::{Inserted, KeyTable};
use super::operator::{PlanNode, Pull, State, WorkFacts};
use super::runtime::Runtime;
use filed::Filed;
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
    groups: Vec<Place>,
    args: Vec<Datum>,
    /// What the calls of a group are charged for at its start.
    group_bytes: usize,
    charged_bytes: usize,
    peak_bytes: usize,
    filed: Option<Box<Filed>>,
}

/// Where a row's group is.
#[derive(Clone, Copy)]
enum Place {
    /// Its number in memory.
    Group(usize),
    /// It has none; the hash of its key.
    File(u64),
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
            groups: vec![Place::Group(0); self.sets.len()],
            args: Vec::new(),
            group_bytes: self.calls.iter().map(|call| size_of::<Group>() + call.fresh().size_bytes()).sum(),
            charged_bytes: 0,
            peak_bytes: 0,
            filed: None,
        }
    }

    pub fn open(&self, state: &mut AggregationState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        state.clear_groups(rt);
        state.filed = None;
        state.position = None;
        self.input.open(&mut state.input, rt)
    }

    pub fn next(&self, id: usize, state: &mut AggregationState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        loop {
            let (mut number, mut group) = match state.position {
                Some(position) => position,
                None => {
                    if !self.collect(state, rt)? {
                        return Ok(Pull::Yield);
                    }
                    self.note_work(id, state, rt);
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
            if !self.load_part(state, rt)? {
                return Ok(Pull::End);
            }
            self.note_work(id, state, rt);
        }
    }

    /// What EXPLAIN ANALYZE says of the groups.
    fn note_work(&self, id: usize, state: &mut AggregationState, rt: &mut Runtime<'_, '_>) {
        if !self.keys.is_empty() && rt.notes_work() {
            state.peak_bytes = state.peak_bytes.max(state.held_bytes());
            let (batches, file_bytes) = state.filed.as_ref().map_or((1, 0), |filed| filed.work());
            rt.note_work(id, WorkFacts::Groups { batches, memory_bytes: state.peak_bytes, file_bytes });
        }
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
                rt.charge(state.group_bytes)?;
                state.charged_bytes += state.group_bytes;
                set_state.groups.insert(&[], rt)?;
                self.open_group(set_state);
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
        for (number, set) in self.sets.iter().enumerate() {
            state.key.clear();
            state.key.extend(set.positions.iter().map(|position| state.keys[*position].clone()));
            state.groups[number] = self.place(number, state, rt)?;
        }
        Ok(())
    }

    /// The group of `key` in a set; opens it if there is room.
    fn place(&self, number: usize, state: &mut AggregationState, rt: &mut Runtime<'_, '_>) -> SqlResult<Place> {
        let others = state.held_bytes() - state.sets[number].groups.charged_bytes();
        let AggregationState { sets, key, filed, group_bytes, .. } = state;
        let set = &mut sets[number];
        if let Some(filed) = filed
            && filed.is_full(number)
        {
            // No more groups: rows of one group are all in memory or all in the file.
            let group = set.groups.find(key).map(Place::Group);
            return Ok(group.unwrap_or_else(|| Place::File(set.groups.hash(key))));
        }
        match set.groups.try_insert(key, *group_bytes, others, rt)? {
            Inserted::Known(group) => Ok(Place::Group(group)),
            Inserted::New(group) => {
                self.open_group(set);
                Ok(Place::Group(group))
            }
            Inserted::NoRoom { hash } => Ok(Place::File(hash)),
        }
    }

    /// The calls of a group that was entered.
    fn open_group(&self, state: &mut SetState) {
        for call in &self.calls {
            let accumulator = call.fresh();
            state.calls.push(Group {
                charged_bytes: accumulator.size_bytes(),
                accumulator,
                seen: call.distinct.then(|| Box::new(KeyTable::new(call.arg_types.clone()))),
                sorted: call.sorts.then(Box::default),
            });
        }
    }

    fn accumulate(&self, state: &mut AggregationState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let goes_to_file = state.groups.iter().any(|place| matches!(place, Place::File(_)));
        if goes_to_file {
            self.begin_record(state, rt)?;
        }
        for (number, call) in self.calls.iter().enumerate() {
            let passes = match &call.filter {
                Some(filter) => filter.passes(rt)?,
                None => true,
            };
            state.args.clear();
            if passes {
                call.evaluate(&mut state.args, rt)?;
                self.take_in(number, state, rt)?;
            }
            if goes_to_file {
                state.extend_record(call, passes);
            }
        }
        if goes_to_file { self.file_record(state) } else { Ok(()) }
    }

    /// The arguments of a call at hand are taken in by the row's groups in memory.
    fn take_in(&self, number: usize, state: &mut AggregationState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let width = self.calls[number].args.len();
        for (set, place) in state.sets.iter_mut().zip(&state.groups) {
            if let Place::Group(group) = place {
                let group = &mut set.calls[group * self.calls.len() + number];
                state.charged_bytes += group.take_in(&state.args, width, rt)?;
            }
        }
        Ok(())
    }
}

impl AggregationState {
    /// What groups and calls hold, of all sets.
    fn held_bytes(&self) -> usize {
        self.charged_bytes + self.sets.iter().map(|set| set.groups.charged_bytes()).sum::<usize>()
    }

    /// Forgets all groups.
    fn clear_groups(&mut self, rt: &mut Runtime<'_, '_>) {
        for set in &mut self.sets {
            for group in &mut set.calls {
                if let Some(seen) = &mut group.seen {
                    seen.clear(rt);
                }
            }
            set.calls.clear();
            set.groups.clear(rt);
        }
        rt.release(std::mem::take(&mut self.charged_bytes));
    }
}

impl Call {
    /// The accumulator of a new group.
    fn fresh(&self) -> Box<dyn Accumulator> {
        let mut accumulator = (self.aggregate.state)();
        accumulator.set_argument_types(&self.arg_types);
        accumulator
    }

    /// The values that a row is taken in by: arguments, then sort keys.
    fn evaluate(&self, args: &mut Vec<Datum>, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        for arg in &self.args {
            args.push(arg.eval(rt)?);
        }
        if self.sorts {
            for key in &self.order {
                args.push(key.value.eval(rt)?);
            }
        }
        Ok(())
    }

    /// How many values that are.
    fn width(&self) -> usize {
        self.args.len() + if self.sorts { self.order.len() } else { 0 }
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
