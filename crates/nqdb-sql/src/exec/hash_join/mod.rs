//! A join that keeps its right side in memory, chained by the hash of its keys.
//!
//! A right side that memory has no room for goes to a file, and then the left one too, both divided by the hash of their keys
//! (`parts`). Each part is joined as a small join of its own.
//!
//! ```text
//! heads: hash of keys -> first and last row     chain[row] -> the next row with the same hash
//! ```
//!
//! With no keys at all every row is in one chain: that is the nested loop over a materialized right side, for
//! joins on other conditions. Right and full joins remember which right rows matched and give the others out at
//! the end. Semi and anti joins give out the left row alone: a chain is left at its first match. A key that is NULL
//! matches nothing.

mod parts;

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Oid};
use std::collections::HashMap;

use super::expression::{Eval, Slot};
use super::nested_loop::HalfJoin;
use super::operator::{PlanNode, Pull, State, WorkFacts};
use super::row_buffer::RowBuffer;
use super::runtime::Runtime;
use parts::{Parted, UnmatchedLeft};

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
    /// Somebody above relies on the order of the left side.
    pub keeps_order: bool,
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
    table: Table,
    phase: Phase,
    left_key: Vec<Datum>,
    /// Both sides, once they are in a file.
    parted: Option<Box<Parted>>,
}

/// The right rows in memory.
struct Table {
    rows: RowBuffer,
    keys: Vec<Datum>,
    /// First and last row of each chain, plus one: partners come in the order in which the right side gave them.
    heads: HashMap<u64, (u32, u32), RandomState>,
    /// The next row, plus one; 0 ends a chain.
    chain: Vec<u32>,
    matched: Vec<bool>,
    /// The keys of the row that is being added.
    key: Vec<Datum>,
    peak_bytes: usize,
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
    /// The left side goes to the file too.
    PartLeft,
    /// The next rows of a part go into memory.
    LoadPart,
    End,
}

impl Table {
    fn new() -> Table {
        Table {
            rows: RowBuffer::default(),
            keys: Vec::new(),
            heads: HashMap::default(),
            chain: Vec::new(),
            matched: Vec::new(),
            key: Vec::new(),
            peak_bytes: 0,
        }
    }

    fn clear(&mut self, rt: &mut Runtime<'_, '_>) {
        self.peak_bytes = self.peak_bytes.max(self.rows.charged_bytes());
        self.rows.clear(rt);
        self.keys.clear();
        self.heads.clear();
        self.chain.clear();
        self.matched.clear();
    }

    /// What the row whose keys are in `key` holds beside its values.
    fn entry_bytes(&self) -> usize {
        CHAIN_BYTES + self.key.iter().map(|datum| size_of::<Datum>() + datum.heap_size()).sum::<usize>()
    }

    /// Enters the row that was kept last, whose keys are in `key`; without a hash nothing finds it.
    fn enter(&mut self, hash: Option<u64>) {
        self.keys.append(&mut self.key);
        self.matched.push(false);
        self.chain.push(0);
        let Some(hash) = hash else { return };
        let number = self.chain.len() as u32;
        let (_, last) = self.heads.entry(hash).or_insert((number, number));
        let before = std::mem::replace(last, number);
        if before != number {
            self.chain[before as usize - 1] = number;
        }
    }

    /// The rows' keys and values.
    fn row(&self, number: usize, key_width: usize, width: usize) -> impl Iterator<Item = &Datum> {
        self.keys[number * key_width..(number + 1) * key_width].iter().chain(self.rows.row(number, width))
    }
}

impl HashJoin {
    pub fn new_state(&self) -> HashJoinState {
        HashJoinState {
            left: self.left.new_state(),
            right: self.right.new_state(),
            table: Table::new(),
            phase: Phase::Build,
            left_key: Vec::new(),
            parted: None,
        }
    }

    pub fn open(&self, state: &mut HashJoinState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        state.table.clear(rt);
        if let Some(parted) = state.parted.take() {
            parted.end(rt);
        }
        state.phase = Phase::Build;
        self.right.open(&mut state.right, rt)?;
        self.left.open(&mut state.left, rt)
    }

    pub fn next(&self, id: usize, state: &mut HashJoinState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        if self.keeps_order && state.parted.is_some() {
            return self.next_in_order(id, state, rt);
        }
        let pull = self.next_as_it_comes(id, state, rt)?;
        if self.keeps_order && state.parted.is_some() {
            // It went to the file on the way to its first row.
            return self.begin_in_order(id, pull, state, rt);
        }
        Ok(pull)
    }

    fn next_as_it_comes(&self, id: usize, state: &mut HashJoinState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        loop {
            match state.phase {
                Phase::Build => {
                    if !self.build(state, rt)? {
                        return Ok(Pull::Yield);
                    }
                    state.phase = if state.parted.is_some() { Phase::PartLeft } else { Phase::NeedLeft };
                    self.note_work(id, state, rt);
                }
                Phase::PartLeft => {
                    if !self.part_left(state, rt)? {
                        return Ok(Pull::Yield);
                    }
                    state.phase = Phase::LoadPart;
                }
                Phase::LoadPart => {
                    state.phase = if self.load_part(state, rt)? { Phase::NeedLeft } else { Phase::End };
                    self.note_work(id, state, rt);
                }
                Phase::NeedLeft => match self.next_left(state, rt)? {
                    Pull::Row => {
                        let next = self.find_chain(state);
                        state.phase = Phase::InChain { next, matched: false };
                    }
                    Pull::Yield => return Ok(Pull::Yield),
                    Pull::End if self.keep_right => state.phase = Phase::Unmatched { next: 0 },
                    Pull::End => state.phase = state.phase_after_left(),
                },
                Phase::InChain { next, matched } => {
                    if let Some(pull) = self.next_in_chain(state, next, matched, rt)? {
                        return Ok(pull);
                    }
                }
                Phase::Unmatched { next } => {
                    let table = &state.table;
                    let Some(found) = (next..table.matched.len()).find(|row| !table.matched[*row]) else {
                        state.phase = state.phase_after_left();
                        continue;
                    };
                    rt.set_null(&self.left_slots);
                    rt.load(&self.right_slots, table.rows.row(found, self.right_slots.len()));
                    state.phase = Phase::Unmatched { next: found + 1 };
                    return Ok(Pull::Row);
                }
                Phase::End => return Ok(Pull::End),
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
        let table = &mut state.table;
        table.key.clear();
        let mut has_null = false;
        for key in &self.keys {
            let datum = key.right.eval(rt)?;
            has_null |= datum.is_null();
            table.key.push(datum);
        }
        if has_null && !self.keep_right {
            return Ok(());
        }
        let hash = self.hash(&table.key, table.heads.hasher());
        if state.parted.is_none() {
            let bytes = table.entry_bytes();
            if table.rows.try_push(&self.right_slots, bytes, rt)? {
                table.enter((!has_null).then_some(hash));
                return Ok(());
            }
            self.begin_parts(state, rt)?;
        }
        let HashJoinState { table, parted: Some(parted), .. } = state else { return Ok(()) };
        let slots = &rt.frame.slots;
        parted.push_right(hash, table.key.iter().chain(self.right_slots.iter().map(|slot| &slots[*slot])))
    }

    /// Puts the next left row into its slots, and its keys into `left_key`.
    fn next_left(&self, state: &mut HashJoinState, rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        if let Some(parted) = &mut state.parted {
            return parted.next_left(self, &mut state.left_key, rt);
        }
        let pull = self.left.next(&mut state.left, rt)?;
        if pull == Pull::Row {
            self.evaluate_left_key(&mut state.left_key, rt)?;
        }
        Ok(pull)
    }

    fn evaluate_left_key(&self, left_key: &mut Vec<Datum>, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        left_key.clear();
        for key in &self.keys {
            let datum = key.left.eval(rt)?;
            let is_null = datum.is_null();
            left_key.push(datum);
            if is_null {
                break;
            }
        }
        Ok(())
    }

    /// The first row to compare with the current left row, plus one.
    fn find_chain(&self, state: &HashJoinState) -> u32 {
        if state.left_key.iter().any(Datum::is_null) {
            return 0;
        }
        let heads = &state.table.heads;
        heads.get(&self.hash(&state.left_key, heads.hasher())).map_or(0, |(first, _)| *first)
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
            return Ok(self.end_of_chain(state, matched, rt));
        };
        let table = &mut state.table;
        let after = table.chain[number];
        state.phase = Phase::InChain { next: after, matched };
        let width = self.keys.len();
        let right_key = &table.keys[number * width..(number + 1) * width];
        let equal = self
            .keys
            .iter()
            .zip(state.left_key.iter().zip(right_key))
            .all(|(key, (left, right))| left.compare_as(right, key.type_oid).is_eq());
        if !equal {
            return Ok(None);
        }
        rt.load(&self.right_slots, table.rows.row(number, self.right_slots.len()));
        if let Some(on) = &self.on
            && !on.passes(rt)?
        {
            return Ok(None);
        }
        if let Some(parted) = &mut state.parted {
            parted.note_match();
        }
        if let Some(half) = self.half {
            state.phase = Phase::NeedLeft;
            return Ok((half == HalfJoin::Semi).then_some(Pull::Row));
        }
        table.matched[number] = true;
        state.phase = Phase::InChain { next: after, matched: true };
        Ok(Some(Pull::Row))
    }

    /// The current left row has met all rows in memory.
    fn end_of_chain(&self, state: &mut HashJoinState, matched: bool, rt: &mut Runtime<'_, '_>) -> Option<Pull> {
        let unmatched = match &mut state.parted {
            Some(parted) => parted.unmatched_left(matched),
            None if matched => UnmatchedLeft::No,
            None => UnmatchedLeft::Yes,
        };
        if unmatched == UnmatchedLeft::No {
            return None;
        }
        if self.keep_left {
            rt.set_null(&self.right_slots);
            return Some(Pull::Row);
        }
        (self.half == Some(HalfJoin::Anti)).then_some(Pull::Row)
    }

    fn hash(&self, key: &[Datum], hasher: &RandomState) -> u64 {
        let mut state = hasher.build_hasher();
        for (datum, column) in key.iter().zip(&self.keys) {
            datum.hash_as(&mut state, column.type_oid);
        }
        state.finish()
    }

    /// What EXPLAIN ANALYZE says of the table.
    fn note_work(&self, id: usize, state: &HashJoinState, rt: &mut Runtime<'_, '_>) {
        if rt.notes_work() {
            let table = &state.table;
            rt.note_work(
                id,
                WorkFacts::Hash {
                    buckets: table.heads.len().next_power_of_two().max(1024),
                    batches: state.parted.as_ref().map_or(1, |parted| parted.part_count()),
                    memory_bytes: table.peak_bytes.max(table.rows.charged_bytes()),
                },
            );
        }
    }
}

impl HashJoinState {
    /// What comes when the left side has met the rows in memory.
    fn phase_after_left(&self) -> Phase {
        if self.parted.is_some() { Phase::LoadPart } else { Phase::End }
    }
}
