//! One partition of a scan at work.
//!
//! Of each visible row of a leaf only the wanted columns are decoded, straight from the page into Arrow builders, under one
//! latch. A segment gives one batch, or several where its texts are long.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::ArrayRef;
use arrow::compute::BatchCoalescer;
use arrow::record_batch::RecordBatch;
use nqdb_sqlstate::SqlError;
use nqdb_txn::{LeafScan, RowId, SEGMENT_ROWS, TxnError};
use nqdb_types::row::{Field as StoredField, RowView, ValueRef, decode_value};
use nqdb_types::{Datum, Type};

use super::admit::Columns;
use super::{BATCH_BYTES_MAX, BATCH_ROWS, ROW_ID, Shared, id_value};
use crate::cache::{Packed, ReadSegment};
use crate::column::ColumnBuilder;
use crate::failure::Outcome;
use crate::shape::Shape;

/// A batch of at least so many rows goes on as it is; smaller ones are put together.
const ROWS_TO_GO_ON: usize = BATCH_ROWS / 2;

pub(super) struct Reader {
    shared: Arc<Shared>,
    /// Puts what little passes of many rows together to batches of some size. Not there for rows without columns.
    passed: Option<BatchCoalescer>,
    builders: Vec<ColumnBuilder>,
    rows: usize,
    /// The segment that is read from the tree.
    morsel: Option<Morsel>,
    /// Values of the current leaf that lie in the overflow tree.
    outside: Vec<Outside>,
}

/// A segment on its way from the tree.
struct Morsel {
    segment: u64,
    /// From before the reading; `None` where the segment will not be kept.
    mark: Option<u64>,
    scan: LeafScan,
}

/// What reading one batch gave.
pub(super) enum Step {
    Batch(RecordBatch),
    /// No row passed, or too few to be given on.
    Nothing,
    End,
}

/// A row that has values in the overflow tree waits for them outside of the latch.
struct Outside {
    values: Vec<Fetched>,
}

/// A column of such a row.
enum Fetched {
    Here(Datum),
    There(ValueRef),
}

impl Reader {
    pub fn new(shared: Arc<Shared>) -> Reader {
        let builders = shared.columns.iter().map(|(_, shape)| ColumnBuilder::new(*shape, 0)).collect();
        let passed = (!shared.output.is_empty()).then(|| BatchCoalescer::new(shared.schema.clone(), BATCH_ROWS));
        Reader { shared, passed, builders, rows: 0, morsel: None, outside: Vec::new() }
    }

    /// Reads one batch.
    pub fn step(&mut self) -> Outcome<Step> {
        self.shared.cx.stop.check()?;
        if let Some(batch) = self.passed.as_mut().and_then(BatchCoalescer::next_completed_batch) {
            return Ok(Step::Batch(batch));
        }
        let mut more = true;
        let admitted = if self.morsel.is_some() {
            self.read_from_tree()?
        } else if let Some(segment) = self.shared.take_segment() {
            self.read_segment(segment)?
        } else {
            more = false;
            None
        };
        Ok(match self.put_together(admitted, more)? {
            Some(batch) => Step::Batch(batch),
            None if more => Step::Nothing,
            None => Step::End,
        })
    }

    /// Small batches wait for others.
    fn put_together(&mut self, admitted: Option<RecordBatch>, more: bool) -> Outcome<Option<RecordBatch>> {
        let Some(passed) = &mut self.passed else { return Ok(admitted) };
        if let Some(batch) = admitted {
            if batch.num_rows() >= ROWS_TO_GO_ON && passed.is_empty() {
                return Ok(Some(batch));
            }
            passed.push_batch(batch)?;
        }
        if !more {
            passed.finish_buffered_batch()?;
        }
        Ok(passed.next_completed_batch())
    }

    /// The rows of a segment that pass: all of them from the cache, or the first from the tree.
    fn read_segment(&mut self, segment: u64) -> Outcome<Option<RecordBatch>> {
        let shared = &self.shared;
        let is_cached = !shared.columns.is_empty();
        if is_cached && let Some(found) = shared.cache.find(&shared.table, &shared.view, segment, &shared.keys) {
            if shared.is_pruned(&found.columns) || shared.has_no_partners(&found.columns) {
                return Ok(None);
            }
            return shared.admit(&Columns::Packed(found.columns), found.rows);
        }
        // Bytes of a row in the cache are not known before it is packed; eight for a column are an ordinary guess.
        let bytes = SEGMENT_ROWS as usize * shared.columns.len() * 8;
        let is_cached = is_cached && shared.cache.has_room(bytes, shared.began);
        let mark = is_cached.then(|| shared.table.segment_mark(segment));
        // To the segment's end even if no row has got so far: what is kept must be all of it.
        let rows = RowId(segment * SEGMENT_ROWS)..RowId((segment + 1) * SEGMENT_ROWS);
        let scan = shared.table.leaf_scan(shared.view.clone(), rows);
        self.morsel = Some(Morsel { segment, mark, scan });
        self.read_from_tree()
    }

    /// Reads leaves of the segment at hand until a batch is full, or the segment at its end.
    fn read_from_tree(&mut self) -> Outcome<Option<RecordBatch>> {
        let is_at_end = self.fill()?;
        let rows = std::mem::take(&mut self.rows);
        let columns: Vec<ArrayRef> = self.builders.iter_mut().map(ColumnBuilder::finish).collect();
        if is_at_end {
            if let Some(morsel) = self.morsel.take() {
                self.keep(&morsel, rows, &columns);
            }
        } else if let Some(morsel) = &mut self.morsel {
            // Only whole segments are kept.
            morsel.mark = None;
        }
        if rows == 0 { Ok(None) } else { self.shared.admit(&Columns::Arrays(columns), rows) }
    }

    fn keep(&self, morsel: &Morsel, rows: usize, columns: &[ArrayRef]) {
        let shared = &self.shared;
        let (Some(mark), Some(settled)) = (morsel.mark, morsel.scan.settled()) else { return };
        if shared.table.segment_mark(morsel.segment) != mark {
            return;
        }
        let columns = columns.iter().map(|column| Arc::new(Packed::new(column))).collect();
        let read = ReadSegment { segment: morsel.segment, mark, settled, rows, columns };
        shared.cache.keep(&shared.table, &shared.keys, read, shared.began);
    }

    /// Whether the segment is at its end; it is not when its texts fill a batch before. Its rows never do.
    fn fill(&mut self) -> Outcome<bool> {
        while self.long_bytes() < BATCH_BYTES_MAX {
            let Some(morsel) = &mut self.morsel else { return Ok(true) };
            let (shared, builders, outside) = (&*self.shared, &mut self.builders, &mut self.outside);
            let mut count = 0;
            let mut failure = None;
            let more = morsel.scan.next_leaf(&mut |id, row| {
                match shared.take_row(id, &row, builders, outside) {
                    Ok(true) => count += 1,
                    Ok(false) => {}
                    Err(error) => {
                        failure = Some(error);
                        return Err(TxnError::Corrupt(String::new()));
                    }
                }
                Ok(())
            });
            if let Some(failure) = failure {
                return Err(failure);
            }
            let more = more?;
            self.rows += count;
            if !self.outside.is_empty() {
                // Their rows are not where they are when other columns are read.
                morsel.mark = None;
                self.load_outside()?;
            }
            if !more {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn long_bytes(&self) -> usize {
        self.builders.iter().map(ColumnBuilder::long_bytes).sum()
    }

    /// Rows with values in the overflow tree, now that no latch is held.
    fn load_outside(&mut self) -> Outcome<()> {
        for row in std::mem::take(&mut self.outside) {
            for (index, value) in row.values.into_iter().enumerate() {
                let (Some(builder), Some((position, _))) =
                    (self.builders.get_mut(index), self.shared.columns.get(index))
                else {
                    continue;
                };
                match value {
                    Fetched::Here(datum) => builder.push(&datum)?,
                    Fetched::There(reference) => {
                        let bytes = self.shared.table.load_value(reference)?;
                        let ty = self.shared.column_type(*position)?;
                        builder.push(&decode_value(&bytes, ty)?)?;
                    }
                }
            }
            self.rows += 1;
        }
        Ok(())
    }
}

impl Shared {
    /// The next segment that nobody has taken.
    fn take_segment(&self) -> Option<u64> {
        let segment = self.next_segment.fetch_add(1, Ordering::Relaxed);
        (segment * SEGMENT_ROWS < self.end_row).then_some(segment)
    }

    fn column_type(&self, position: usize) -> Outcome<Type> {
        let ty = self.table.columns.get(position).copied();
        ty.ok_or_else(|| SqlError::internal("a scan reads a column that its table does not have").into())
    }

    /// Appends a row to the builders. One with values elsewhere is kept for later: false.
    fn take_row(
        &self,
        id: RowId,
        row: &RowView<'_>,
        builders: &mut [ColumnBuilder],
        outside: &mut Vec<Outside>,
    ) -> Outcome<bool> {
        let is_outside = |(position, _): &(usize, Shape)| matches!(row.field(*position), StoredField::External(_));
        if self.columns.iter().any(is_outside) {
            outside.push(self.set_aside(id, row)?);
            return Ok(false);
        }
        for ((position, _), builder) in self.columns.iter().zip(builders) {
            match row.field(*position) {
                _ if *position == ROW_ID => builder.push(&id_value(id))?,
                StoredField::Inline(bytes) => builder.push_stored(bytes)?,
                StoredField::Missing => match self.table.missing.get(*position) {
                    Some(default) => builder.push(default)?,
                    None => builder.push_null(),
                },
                StoredField::Null | StoredField::External(_) => builder.push_null(),
            }
        }
        Ok(true)
    }

    fn set_aside(&self, id: RowId, row: &RowView<'_>) -> Outcome<Outside> {
        let mut values = Vec::with_capacity(self.columns.len());
        for (position, _) in &self.columns {
            values.push(match row.field(*position) {
                _ if *position == ROW_ID => Fetched::Here(id_value(id)),
                StoredField::External(reference) => Fetched::There(reference),
                StoredField::Inline(bytes) => Fetched::Here(decode_value(bytes, self.column_type(*position)?)?),
                StoredField::Null => Fetched::Here(Datum::Null),
                StoredField::Missing => {
                    Fetched::Here(self.table.missing.get(*position).cloned().unwrap_or(Datum::Null))
                }
            });
        }
        Ok(Outside { values })
    }
}
