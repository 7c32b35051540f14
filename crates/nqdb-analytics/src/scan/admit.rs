//! The rows that pass the conditions, and of them the columns that are wanted.
//!
//! Conditions are tested one after the other: a later one that can fail sees only the rows that passed the earlier ones.
//! Columns of the cache that no condition reads are unpacked only if a row passes.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::compute;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use nqdb_sqlstate::SqlError;

use super::Shared;
use crate::cache::Packed;
use crate::expression::{Rows, holding};
use crate::failure::{Failure, Outcome};

/// The columns of a segment, in the order of the scan's.
pub(super) enum Columns {
    Arrays(Vec<ArrayRef>),
    Packed(Vec<Arc<Packed>>),
}

impl Columns {
    fn array(&self, index: usize) -> Outcome<ArrayRef> {
        let lost = || Failure::from(SqlError::internal("a scan lost a column"));
        match self {
            Columns::Arrays(arrays) => arrays.get(index).cloned().ok_or_else(lost),
            Columns::Packed(columns) => columns.get(index).ok_or_else(lost)?.array(),
        }
    }
}

impl Shared {
    /// The rows that pass of `count` ones.
    pub(super) fn admit(&self, columns: Columns, count: usize) -> Outcome<Option<RecordBatch>> {
        let tested = self.tested.iter().enumerate();
        let tested = tested.map(|(index, tested)| tested.then(|| columns.array(index)).transpose());
        let mut rows = Rows { columns: tested.collect::<Outcome<_>>()?, count };
        // The masks that made `rows` of the segment's rows.
        let mut taken: Vec<BooleanArray> = Vec::new();
        // Rows that are still in, of those in `rows`.
        let mut mask: Option<BooleanArray> = None;
        for filter in &self.filters {
            if let Some(passed) = &mask
                && (filter.can_fail || passed.true_count() * 4 < rows.count)
            {
                rows = rows.filtered(passed)?;
                taken.extend(mask.take());
            }
            if rows.count == 0 {
                return Ok(None);
            }
            let passes = holding(&filter.evaluate(&rows, &self.cx)?, rows.count)?;
            mask = Some(match mask {
                None => passes,
                Some(before) => compute::and(&before, &passes)?,
            });
        }
        let chosen = mask.as_ref().map_or(rows.count, BooleanArray::true_count);
        if chosen == 0 {
            return Ok(None);
        }
        let mut output = Vec::with_capacity(self.output.len());
        for index in &self.output {
            let mut column = match rows.columns.get(*index).cloned().flatten() {
                Some(column) => column,
                None => {
                    let whole = columns.array(*index)?;
                    taken.iter().try_fold(whole, |column, mask| compute::filter(&column, mask))?
                }
            };
            if let Some(mask) = &mask
                && chosen < rows.count
            {
                column = compute::filter(&column, mask)?;
            }
            output.push(column);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(chosen));
        Ok(Some(RecordBatch::try_new_with_options(self.schema.clone(), output, &options)?))
    }
}

impl Rows {
    /// The rows of a mask.
    fn filtered(&self, mask: &BooleanArray) -> Outcome<Rows> {
        let keep = |column: &Option<ArrayRef>| -> Outcome<Option<ArrayRef>> {
            column.as_ref().map(|column| Ok(compute::filter(column, mask)?)).transpose()
        };
        let columns = self.columns.iter().map(keep).collect::<Outcome<Vec<_>>>()?;
        Ok(Rows { columns, count: mask.true_count() })
    }
}
