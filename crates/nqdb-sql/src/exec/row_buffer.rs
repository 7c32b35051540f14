//! Rows that an operator keeps: the values of some slots, one row after the other in one vector.

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

impl RowBuffer {
    /// Rows that are charged already.
    pub fn from_rows(rows: Vec<Vec<Datum>>) -> RowBuffer {
        RowBuffer { rows: rows.len(), values: rows.into_iter().flatten().collect(), charged_bytes: 0 }
    }

    pub fn len(&self) -> usize {
        self.rows
    }

    /// One row; `width` is the number of slots that were kept.
    pub fn row(&self, number: usize, width: usize) -> &[Datum] {
        &self.values[number * width..(number + 1) * width]
    }

    /// Keeps the current row's slots.
    pub fn push(&mut self, slots: &[Slot], rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let mut bytes = slots.len() * size_of::<Datum>() + size_of::<usize>();
        for slot in slots {
            bytes += rt.frame.slots[*slot].heap_size();
        }
        rt.charge(bytes)?;
        self.charged_bytes += bytes;
        self.values.extend(slots.iter().map(|slot| rt.frame.slots[*slot].clone()));
        self.rows += 1;
        Ok(())
    }

    /// Keeps only the named rows, in that order.
    pub fn retain(&mut self, order: &[usize], width: usize, rt: &mut Runtime<'_, '_>) -> SqlResult<()> {
        let values: Vec<Datum> = order.iter().flat_map(|number| self.row(*number, width).to_vec()).collect();
        rt.release(std::mem::take(&mut self.charged_bytes));
        let heap: usize = values.iter().map(Datum::heap_size).sum();
        let bytes = heap + size_of_val(values.as_slice()) + size_of_val(order);
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
