//! The rows of INTERSECT and EXCEPT, from how many equal ones either side has.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::{Int64Type, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion_common::{DataFusionError, Result};
use nqdb_sql::ir::SetKind;

use crate::map_rows::{Made, RowMap};

/// What the counts of a row decide.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub kind: SetKind,
    pub all: bool,
}

impl Counts {
    /// How many times a row comes out that the left side has so often, and the right one.
    fn times(self, left: i64, right: i64) -> i64 {
        match (self.kind, self.all) {
            (SetKind::Union, true) => left.saturating_add(right),
            (SetKind::Union, false) => 1,
            (SetKind::Intersect, true) => left.min(right),
            (SetKind::Intersect, false) => i64::from(left > 0 && right > 0),
            (SetKind::Except, true) => (left - right).max(0),
            (SetKind::Except, false) => i64::from(left > 0 && right == 0),
        }
    }
}

/// Rows with two counts.
#[derive(Debug)]
pub(crate) struct CountedRows {
    counts: Counts,
    /// Where the left side's count is; the right one's is behind it.
    place: usize,
    schema: SchemaRef,
}

/// The most rows of a batch that comes out.
const ROWS_MAX: usize = 8_192;

impl CountedRows {
    pub fn new(counts: Counts, place: usize, schema: SchemaRef) -> CountedRows {
        CountedRows { counts, place, schema }
    }

    /// Each row with the number of times that it comes out.
    fn repetitions(&self, batch: &RecordBatch) -> Result<Vec<(u64, i64)>> {
        let missing = || DataFusionError::Internal("the counts of a set operation are missing".to_owned());
        let count = |place: usize| batch.column(place).as_primitive_opt::<Int64Type>().ok_or_else(missing);
        let (left, right) = (count(self.place)?, count(self.place + 1)?);
        let times = left.values().iter().zip(right.values()).map(|(left, right)| self.counts.times(*left, *right));
        Ok((0_u64..).zip(times).filter(|(_, times)| *times > 0).collect())
    }

    fn taken(&self, batch: &RecordBatch, rows: Vec<u64>) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let rows = UInt64Array::from(rows);
        let columns = batch.columns().iter().map(|column| Ok(take(column, &rows, None)?));
        let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }
}

impl RowMap for CountedRows {
    fn name(&self) -> &'static str {
        "CountedRowsExec"
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn map(self: Arc<Self>, batch: RecordBatch) -> Made {
        let mut left = match self.repetitions(&batch) {
            Ok(repetitions) => repetitions.into_iter().peekable(),
            Err(error) => return Box::new(std::iter::once(Err(error))),
        };
        Box::new(std::iter::from_fn(move || {
            let mut rows = Vec::new();
            while rows.len() < ROWS_MAX
                && let Some((row, times)) = left.peek_mut()
            {
                let now = usize::try_from(*times).unwrap_or(usize::MAX).min(ROWS_MAX - rows.len());
                rows.extend(std::iter::repeat_n(*row, now));
                *times -= now as i64;
                if *times == 0 {
                    left.next();
                }
            }
            if rows.is_empty() { None } else { Some(self.taken(&batch, rows)) }
        }))
    }
}
