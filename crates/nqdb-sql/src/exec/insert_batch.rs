//! Rows on their way into a table together: what COPY and INSERT gather and store in batches.
//!
//! ```text
//! gathered --> stored at once
//!         \--> one by one: stored --> in the way of an unfinished transaction: wait, then go on with this row
//!                                 \-> error, with the row it belongs to
//! ```
//!
//! What always holds: rows are stored in the order in which they came, and an error is that of the first row that has one.

use nqdb_sqlstate::SqlError;
use nqdb_txn::{BATCH_ROWS_MAX, TxnError, Wait};
use nqdb_types::Datum;

use super::constraint::write_error;
use super::insert::InsertTarget;
use super::runtime::Runtime;

/// Bytes of values that are gathered before they are stored.
const BATCH_BYTES_MAX: usize = 256 * 1024;

/// Rows that were computed and checked, and are not stored yet.
#[derive(Default)]
pub(crate) struct InsertBatch {
    rows: Vec<Vec<Datum>>,
    /// Rows without values, to be filled again.
    spare: Vec<Vec<Datum>>,
    bytes: usize,
    /// The row to go on with, once the batch turned out to need single inserts.
    one_by_one: Option<usize>,
}

/// How storing a batch ended.
pub(crate) enum Flushed {
    /// So many rows are in the table, and the batch is empty.
    Done(usize),
    Wait(Wait),
}

impl InsertBatch {
    /// Takes a row and leaves an empty one in its place.
    pub fn push(&mut self, row: &mut Vec<Datum>) {
        self.bytes += row.iter().map(|datum| size_of::<Datum>() + datum.heap_size()).sum::<usize>();
        let empty = self.spare.pop().unwrap_or_default();
        self.rows.push(std::mem::replace(row, empty));
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.rows.len() >= BATCH_ROWS_MAX || self.bytes >= BATCH_BYTES_MAX
    }

    fn clear(&mut self) -> Flushed {
        let count = self.rows.len();
        self.spare.extend(self.rows.drain(..).map(|mut row| {
            row.clear();
            row
        }));
        (self.bytes, self.one_by_one) = (0, None);
        Flushed::Done(count)
    }
}

impl InsertTarget {
    /// Stores the rows of a batch; after a wait it is called again. An error comes with the position of its row.
    pub fn flush(&self, batch: &mut InsertBatch, rt: &mut Runtime<'_, '_>) -> Result<Flushed, (usize, SqlError)> {
        let store = &self.table.store;
        let describe = |row: &[Datum], error, rt: &Runtime<'_, '_>| write_error(&self.table, row, error, rt.cx);
        let mut next = match batch.one_by_one {
            Some(next) => next,
            None if batch.is_empty() => return Ok(batch.clear()),
            // A batch takes more preparation than it saves for a row alone.
            None if batch.rows.len() == 1 => 0,
            None => match store.insert_batch(rt.cx.txn, &batch.rows) {
                Ok(Some(first)) => {
                    if let Some(watch) = &self.watch {
                        watch.inserted(first, batch.rows.len() as u64, rt);
                    }
                    return Ok(batch.clear());
                }
                Ok(None) => 0,
                Err(error) => return Err((0, describe(&batch.rows[0], error, rt))),
            },
        };
        while let Some(row) = batch.rows.get(next) {
            match store.insert(rt.cx.txn, row) {
                Ok(row_id) => {
                    next += 1;
                    if let Some(watch) = &self.watch {
                        watch.inserted(row_id, 1, rt);
                    }
                }
                Err(TxnError::Wait(wait)) => {
                    batch.one_by_one = Some(next);
                    return Ok(Flushed::Wait(wait));
                }
                Err(error) => return Err((next, describe(row, error, rt))),
            }
        }
        Ok(batch.clear())
    }
}
