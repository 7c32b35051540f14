//! Rows that are asked for by their number, in memory as far as there is room.
//!
//! ```text
//! 0 ........... in_file-1 | in_file ....... len-1
//!   blocks of a file      |  in memory
//! ```
//!
//! What always holds:
//!
//! 1. Rows move to the file in their order, all that are in memory at once; so one number tells where a row is.
//! 2. Of the blocks of the file, the [`BLOCKS_KEPT`] that were used last are in memory too: readers that go on row by row, a few
//!    of them at different places, read each block once.

use std::sync::Arc;

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::Datum;

use super::run::{Run, read_block};
use crate::exec::expression::Slot;
use crate::exec::runtime::Runtime;
use crate::temporary_files::{TemporaryFile, TemporarySpace};

/// Blocks that were read and are kept.
const BLOCKS_KEPT: usize = 4;

/// Rows of equal width.
#[derive(Default)]
pub struct RowStore {
    width: usize,
    len: usize,
    /// Rows that are in the file.
    in_file: usize,
    /// The others.
    values: Vec<Datum>,
    /// What the others hold.
    held_bytes: usize,
    filed: Option<Box<Filed>>,
}

/// The part of the rows that is in the file.
struct Filed {
    file: TemporaryFile,
    run: Run,
    /// The number of the first row of each block.
    first_rows: Vec<usize>,
    /// The one that was used last comes first.
    kept: Vec<KeptBlock>,
}

struct KeptBlock {
    number: usize,
    values: Vec<Datum>,
}

/// What a row holds in memory.
fn row_bytes<'d>(row: impl IntoIterator<Item = &'d Datum>) -> usize {
    row.into_iter().map(|datum| size_of::<Datum>() + datum.heap_size()).sum::<usize>() + size_of::<usize>()
}

impl RowStore {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What the rows in memory hold.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Bytes of the file, if there is one.
    pub fn file_bytes(&self) -> Option<u64> {
        self.filed.as_ref().map(|filed| filed.file.bytes())
    }

    /// Keeps a row in memory.
    pub fn push(&mut self, row: &[Datum]) {
        self.width = row.len();
        self.held_bytes += row_bytes(row);
        self.values.extend_from_slice(row);
        self.len += 1;
    }

    /// Moves what is in memory to the file.
    pub fn spill(&mut self, space: &Arc<TemporarySpace>) -> SqlResult<()> {
        if self.width == 0 {
            // Rows without values take no memory worth a file.
            return Ok(());
        }
        let filed = match &mut self.filed {
            Some(filed) => filed,
            None => self.filed.insert(Box::new(Filed {
                file: space.create()?,
                run: Run::default(),
                first_rows: Vec::new(),
                kept: Vec::new(),
            })),
        };
        filed.append(&self.values, self.width, self.in_file)?;
        self.in_file = self.len;
        self.values.clear();
        self.held_bytes = 0;
        Ok(())
    }

    /// One row.
    pub fn row(&mut self, number: usize) -> SqlResult<&[Datum]> {
        let missing = || SqlError::internal("a kept row is not there");
        let width = self.width;
        if let Some(at) = number.checked_sub(self.in_file) {
            return self.values.get(at * width..(at + 1) * width).ok_or_else(missing);
        }
        let filed = self.filed.as_mut().ok_or_else(missing)?;
        filed.row(number, width)?.ok_or_else(missing)
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        self.values.clear();
        self.filed = None;
        (self.len, self.in_file, self.held_bytes) = (0, 0, 0);
    }
}

impl Filed {
    fn append(&mut self, values: &[Datum], width: usize, mut first: usize) -> SqlResult<()> {
        for row in values.chunks_exact(width) {
            self.run.push(row, &mut self.file)?;
        }
        self.run.finish(&mut self.file)?;
        for block in self.run.blocks.iter().skip(self.first_rows.len()) {
            self.first_rows.push(first);
            first += block.rows as usize;
        }
        Ok(())
    }

    fn row(&mut self, number: usize, width: usize) -> SqlResult<Option<&[Datum]>> {
        let block = self.first_rows.partition_point(|first| *first <= number).saturating_sub(1);
        let (Some(first), Some(extent)) = (self.first_rows.get(block), self.run.blocks.get(block)) else {
            return Ok(None);
        };
        match self.kept.iter().position(|kept| kept.number == block) {
            Some(0) => {}
            Some(at) => self.kept.get_mut(..=at).unwrap_or_default().rotate_right(1),
            None => {
                let oldest = if self.kept.len() < BLOCKS_KEPT { None } else { self.kept.pop() };
                let mut values = oldest.map(|oldest| oldest.values).unwrap_or_default();
                read_block(*extent, width, &self.file, &mut values)?;
                self.kept.insert(0, KeptBlock { number: block, values });
            }
        }
        let at = number - first;
        Ok(self.kept.first().and_then(|kept| kept.values.get(at * width..(at + 1) * width)))
    }
}

/// A store whose rows are charged to a statement.
#[derive(Default)]
pub(crate) struct ChargedRows {
    rows: RowStore,
    scratch: Vec<Datum>,
    charged_bytes: usize,
}

impl ChargedRows {
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Keeps the values of the slots.
    pub fn push_slots(&mut self, slots: &[Slot], rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let mut row = std::mem::take(&mut self.scratch);
        row.clear();
        row.extend(slots.iter().map(|slot| rt.frame.slots[*slot].clone()));
        let pushed = self.push(&row, rt);
        self.scratch = row;
        pushed
    }

    /// One row.
    pub fn row(&mut self, number: usize) -> SqlResult<&[Datum]> {
        self.rows.row(number)
    }

    /// Keeps a row; what is in memory goes to the file first when there is no room beside it.
    pub fn push(&mut self, row: &[Datum], rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let bytes = row_bytes(row);
        if !rt.charge_or_spill(bytes, self.charged_bytes)? {
            self.rows.spill(rt.cx.temporary)?;
            rt.release(std::mem::take(&mut self.charged_bytes));
            rt.charge(bytes)?;
        }
        self.charged_bytes += bytes;
        self.rows.push(row);
        Ok(())
    }

    /// Forgets all rows and gives their memory back to the account.
    pub fn clear(&mut self, rt: &mut Runtime<'_, '_>) {
        self.rows.clear();
        rt.release(std::mem::take(&mut self.charged_bytes));
    }
}
