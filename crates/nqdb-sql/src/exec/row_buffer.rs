//! Rows that an operator keeps in memory: the values of some slots, one row after the other in one vector.

use nqdb_sqlstate::SqlResult;
use nqdb_types::Datum;

use super::expression::Slot;
use super::runtime::Runtime;

/// Kept rows of equal width, charged to the statement's account.
#[derive(Default)]
pub(crate) struct RowBuffer {
    values: Vec<Datum>,
    rows: usize,
    charged_bytes: usize,
}

/// What a kept row holds, from what its values hold beside themselves.
fn bytes_of(width: usize, heap_bytes: usize) -> usize {
    width * size_of::<Datum>() + size_of::<usize>() + heap_bytes
}

impl RowBuffer {
    pub fn len(&self) -> usize {
        self.rows
    }

    /// What the rows were charged.
    pub fn charged_bytes(&self) -> usize {
        self.charged_bytes
    }

    /// One row; `width` is the number of slots that were kept.
    pub fn row(&self, number: usize, width: usize) -> &[Datum] {
        &self.values[number * width..(number + 1) * width]
    }

    /// Keeps the current row's slots; false when what is kept is to go to a file first. `more` is charged with the row,
    /// and is part of what was charged already.
    pub fn try_push(&mut self, slots: &[Slot], more: usize, rt: &mut Runtime<'_, '_>) -> SqlResult<bool> {
        let heap_bytes: usize = slots.iter().map(|slot| rt.frame.slots[*slot].heap_size()).sum();
        let bytes = bytes_of(slots.len(), heap_bytes) + more;
        if !rt.charge_or_spill(bytes, self.charged_bytes)? {
            return Ok(false);
        }
        self.charged_bytes += bytes;
        self.values.extend(slots.iter().map(|slot| rt.frame.slots[*slot].clone()));
        self.rows += 1;
        Ok(true)
    }

    /// As [`RowBuffer::try_push`], for a row that comes from a file.
    pub fn try_push_row(&mut self, row: &[Datum], more: usize, rt: &mut Runtime<'_, '_>) -> SqlResult<bool> {
        let bytes = bytes_of(row.len(), row.iter().map(Datum::heap_size).sum()) + more;
        if !rt.charge_or_spill(bytes, self.charged_bytes)? {
            return Ok(false);
        }
        self.charged_bytes += bytes;
        self.values.extend_from_slice(row);
        self.rows += 1;
        Ok(true)
    }

    /// Keeps only the named rows, in that order.
    pub fn retain(&mut self, order: &[usize], width: usize, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let values: Vec<Datum> = order.iter().flat_map(|number| self.row(*number, width).to_vec()).collect();
        rt.release(std::mem::take(&mut self.charged_bytes));
        let bytes = values.iter().map(Datum::heap_size).sum::<usize>() + order.len() * bytes_of(width, 0);
        rt.charge(bytes)?;
        self.charged_bytes = bytes;
        self.rows = order.len();
        self.values = values;
        Ok(())
    }

    /// Forgets all rows and gives their memory back to the account.
    pub fn clear(&mut self, rt: &mut Runtime<'_, '_>) {
        self.values.clear();
        self.rows = 0;
        rt.release(std::mem::take(&mut self.charged_bytes));
    }
}
