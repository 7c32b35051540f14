//! The first rows of all combinations of some values, by a hash table.
//!
//! Rows whose combination is not in the table when there is no more room go to the parts of a file (`spill::parts`). Once the
//! input is over each part is done as the input was, so that with each pass the table takes some combinations, and rows of
//! others remain for parts of the next level.
//!
//! What always holds: rows go out in the order in which they came. Those from the file are numbered, and put back into that
//! order at the end.

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::{Datum, Oid};

use super::expression::Slot;
use super::key_table::{Inserted, KeyTable};
use super::operator::Pull;
use super::runtime::Runtime;
use super::spill::{InOrder, Part, Parts, RunReader};
use crate::temporary_files::TemporaryFile;

/// Distinct rows as they are found.
pub(crate) struct DistinctRows {
    seen: KeyTable,
    /// Values that tell rows apart: the first of a row.
    key_width: usize,
    width: usize,
    row: Vec<Datum>,
    filed: Option<Box<Filed>>,
}

/// Rows in the file.
struct Filed {
    file: TemporaryFile,
    /// What finds no room now goes here.
    parts: Option<Parts>,
    next_number: i64,
    /// Parts that are to be done, the next one last, and how far the first of them is.
    waiting: Vec<Part>,
    reader: RunReader,
    in_order: InOrder,
}

/// What is known of a row.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Admission {
    /// It is the first of its combination.
    First,
    /// It is another one, or it is in the file.
    Later,
}

impl DistinctRows {
    /// For rows of `width` values, of which the first ones, of these types, tell rows apart.
    pub fn new(types: Box<[Oid]>, width: usize) -> DistinctRows {
        let key_width = types.len();
        DistinctRows { seen: KeyTable::new(types), key_width, width, row: Vec::new(), filed: None }
    }

    /// Forgets all rows.
    pub fn clear(&mut self, rt: &mut Runtime<'_, '_>) {
        self.seen.clear(rt);
        if let Some(filed) = self.filed.take() {
            filed.in_order.end(rt);
        }
    }

    /// Takes the row in the slots in.
    pub fn admit(&mut self, slots: &[Slot], rt: &mut Runtime<'_, '_>) -> SqlResult<Admission> {
        self.row.clear();
        self.row.extend(slots.iter().take(self.key_width).map(|slot| rt.frame.slots[*slot].clone()));
        if self.filed.is_some() {
            if self.seen.find(&self.row).is_some() {
                return Ok(Admission::Later);
            }
            let hash = self.seen.hash(&self.row);
            return self.file_row(hash, slots, rt);
        }
        match self.seen.try_insert(&self.row, 0, 0, rt)? {
            Inserted::New(_) => Ok(Admission::First),
            Inserted::Known(_) => Ok(Admission::Later),
            Inserted::NoRoom { hash } => self.file_row(hash, slots, rt),
        }
    }

    /// Sends the row in the slots to the file.
    fn file_row(&mut self, hash: u64, slots: &[Slot], rt: &mut Runtime<'_, '_>) -> SqlResult<Admission> {
        let filed = match &mut self.filed {
            Some(filed) => filed,
            None => self.filed.insert(Box::new(Filed {
                file: rt.cx.temporary.create()?,
                parts: Some(Parts::new(0)),
                next_number: 0,
                waiting: Vec::new(),
                reader: RunReader::default(),
                in_order: InOrder::default(),
            })),
        };
        let number = Datum::Int8(filed.next_number);
        filed.next_number += 1;
        let row = slots.iter().map(|slot| &rt.frame.slots[*slot]);
        let parts = filed.parts.as_mut().ok_or_else(lost)?;
        parts.push(hash, std::iter::once(&number).chain(row), &mut filed.file)?;
        Ok(Admission::Later)
    }

    /// The input is over: the next row from the file, in the slots.
    pub fn next_from_file(&mut self, slots: &[Slot], rt: &mut Runtime<'_, '_>) -> SqlResult<Pull> {
        if self.filed.is_none() {
            return Ok(Pull::End);
        }
        if rt.slice_is_over()? {
            return Ok(Pull::Yield);
        }
        self.finish_parts(rt)?;
        let filed = self.filed.as_deref_mut().ok_or_else(lost)?;
        let Some(row) = filed.in_order.next(&filed.file)? else { return Ok(Pull::End) };
        rt.load(slots, row);
        Ok(Pull::Row)
    }

    /// Does the parts, if they are not done.
    fn finish_parts(&mut self, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let DistinctRows { seen, key_width, width, row, filed: Some(filed) } = self else { return Ok(()) };
        let Filed { file, parts, waiting, reader, in_order, .. } = &mut **filed;
        while !in_order.is_complete() {
            if let Some(divided) = parts.take() {
                seen.clear(rt);
                // Parts of the next level first: the fewer rows wait, the fewer parts there are.
                waiting.extend(divided.finish(file)?);
            }
            let Some(part) = waiting.last() else {
                seen.clear(rt);
                in_order.complete(*width, file, rt)?;
                return Ok(());
            };
            let mut rest = Parts::new(part.level + 1);
            let mut has_rest = false;
            while reader.next(&part.run, *width + 1, file, row)? {
                let key = row.get(1..=*key_width).unwrap_or_default();
                let inserted = if has_rest {
                    match seen.find(key) {
                        Some(number) => Inserted::Known(number),
                        None => Inserted::NoRoom { hash: seen.hash(key) },
                    }
                } else {
                    seen.try_insert(key, 0, 0, rt)?
                };
                match inserted {
                    Inserted::Known(_) => {}
                    Inserted::New(_) => {
                        let number = row.first().and_then(Datum::as_integer).ok_or_else(lost)?;
                        in_order.push(number, row.get(1..).unwrap_or_default(), file)?;
                    }
                    Inserted::NoRoom { hash } => {
                        has_rest = true;
                        rest.push(hash, row.iter(), file)?;
                    }
                }
                rt.count_uninterrupted()?;
            }
            waiting.pop();
            reader.rewind();
            *parts = has_rest.then_some(rest);
            seen.clear(rt);
        }
        Ok(())
    }
}

fn lost() -> SqlError {
    SqlError::internal("distinct rows have lost their file")
}
