//! Rows of groups that memory has no room for, in the parts of a file.
//!
//! ```text
//! row    [all keys | call: whether it takes the row in, its values | next call ..]
//! ```
//!
//! What always holds:
//!
//! 1. Once a set of groups has had no room for one, it opens no other: the rows of a group are all in memory or all in the file.
//! 2. A part is done as the input was. What finds no room then goes to parts of the next level; so each pass makes at least one
//!    group, however little memory there is.
//! 3. What is written was computed: no expression is evaluated twice for a row.

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::Datum;

use super::{Aggregation, AggregationState, Call, Place};
use crate::exec::runtime::Runtime;
use crate::exec::spill::{Part, Parts, RunReader};
use crate::temporary_files::TemporaryFile;

pub(super) struct Filed {
    file: TemporaryFile,
    /// For each set, where its rows go now; none while it has room.
    parts: Vec<Option<Parts>>,
    /// Parts of sets that are to be done, the next one last.
    waiting: Vec<(usize, Part)>,
    record: Vec<Datum>,
    part_count: usize,
}

impl Filed {
    /// Whether a set opens no more groups.
    pub fn is_full(&self, set: usize) -> bool {
        self.parts.get(set).is_some_and(Option::is_some)
    }

    /// Parts and bytes.
    pub fn work(&self) -> (usize, u64) {
        (self.part_count + 1, self.file.bytes())
    }

    /// What went to the file is to be done.
    fn wait_for_parts(&mut self) -> SqlResult<()> {
        for (set, parts) in self.parts.iter_mut().enumerate() {
            let Some(parts) = parts.take() else { continue };
            let parts = parts.finish(&mut self.file)?.into_iter().filter(|part| !part.run.is_empty());
            let before = self.waiting.len();
            self.waiting.extend(parts.map(|part| (set, part)));
            self.part_count += self.waiting.len() - before;
        }
        Ok(())
    }

    /// Sends the record at hand to a part of a set.
    fn push(&mut self, set: usize, level: u32, hash: u64) -> SqlResult<()> {
        let parts = self.parts.get_mut(set).ok_or_else(lost)?;
        parts.get_or_insert_with(|| Parts::new(level)).push(hash, &self.record, &mut self.file)
    }
}

impl Aggregation {
    /// Begins the record of the row at hand with its keys.
    pub(super) fn begin_record(&self, state: &mut AggregationState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let filed = match &mut state.filed {
            Some(filed) => filed,
            None => state.filed.insert(Box::new(Filed {
                file: rt.cx.temporary.create()?,
                parts: self.sets.iter().map(|_| None).collect(),
                waiting: Vec::new(),
                record: Vec::new(),
                part_count: 0,
            })),
        };
        filed.record.clear();
        filed.record.extend_from_slice(&state.keys);
        Ok(())
    }

    /// Sends the record to the file, for each set that has no group for it.
    pub(super) fn file_record(&self, state: &mut AggregationState) -> SqlResult<()> {
        let AggregationState { groups, filed: Some(filed), .. } = state else { return Err(lost()) };
        for (set, place) in groups.iter().enumerate() {
            if let Place::File(hash) = place {
                filed.push(set, 0, *hash)?;
            }
        }
        Ok(())
    }

    /// All groups in memory were given out: makes those of the next part; false when there is none.
    pub(super) fn load_part(&self, state: &mut AggregationState, rt: &mut Runtime<'_, '_>) -> SqlResult<bool> {
        let Some(filed) = &mut state.filed else { return Ok(false) };
        filed.wait_for_parts()?;
        let next = filed.waiting.pop();
        state.peak_bytes = state.peak_bytes.max(state.held_bytes());
        state.clear_groups(rt);
        let Some((set, part)) = next else { return Ok(false) };
        let width = self.keys.len() + self.calls.iter().map(|call| 1 + call.width()).sum::<usize>();
        // Its rows are of this set alone.
        state.groups.fill(Place::File(0));
        let mut reader = RunReader::default();
        loop {
            rt.count_uninterrupted()?;
            let filed = state.filed.as_deref_mut().ok_or_else(lost)?;
            if !reader.next(&part.run, width, &filed.file, &mut filed.record)? {
                break;
            }
            self.read_key(set, state);
            match self.place(set, state, rt)? {
                Place::File(hash) => state.filed.as_deref_mut().ok_or_else(lost)?.push(set, part.level + 1, hash)?,
                place => {
                    state.groups[set] = place;
                    self.take_in_record(state, rt)?;
                }
            }
        }
        state.position = Some((0, 0));
        Ok(true)
    }

    /// The key of the record at hand in a set.
    fn read_key(&self, set: usize, state: &mut AggregationState) {
        let AggregationState { key, filed, .. } = state;
        key.clear();
        if let (Some(set), Some(filed)) = (self.sets.get(set), filed) {
            key.extend(set.positions.iter().filter_map(|position| filed.record.get(*position)).cloned());
        }
    }

    /// Lets the calls take in the record at hand.
    fn take_in_record(&self, state: &mut AggregationState, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let mut at = self.keys.len();
        for (number, call) in self.calls.iter().enumerate() {
            let AggregationState { args, filed: Some(filed), .. } = &mut *state else { return Err(lost()) };
            let end = at + 1 + call.width();
            let [passes, values @ ..] = filed.record.get(at..end).unwrap_or_default() else { return Err(lost()) };
            at = end;
            if *passes == Datum::Bool(true) {
                args.clear();
                args.extend_from_slice(values);
                self.take_in(number, state, rt)?;
            }
        }
        Ok(())
    }
}

impl AggregationState {
    /// Adds a call's part to the record: its values are in `args` if it takes the row in.
    pub(super) fn extend_record(&mut self, call: &Call, passes: bool) {
        if let Some(filed) = &mut self.filed {
            filed.record.push(Datum::Bool(passes));
            let values = self.args.iter().cloned().chain(std::iter::repeat(Datum::Null));
            filed.record.extend(values.take(call.width()));
        }
    }
}

fn lost() -> SqlError {
    SqlError::internal("groups have lost their file")
}
