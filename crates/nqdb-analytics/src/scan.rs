//! Reading a table into record batches.
//!
//! The partitions of a scan share one cursor over the row ids and take a morsel of them at a time, so that none is left
//! with more work than the others. Of each visible row only the wanted columns are decoded, straight from the leaf into
//! Arrow builders. Conditions are tested on the batch, one after the other: a later one that can fail sees only the rows
//! that passed the earlier ones.

use std::any::Any;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arrow::array::{ArrayRef, BooleanArray};
use arrow::compute::{self, BatchCoalescer};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion_common::Result;
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr::EquivalenceProperties;
use datafusion_physical_expr_common::physical_expr::PhysicalExpr;
use datafusion_physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion_physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use nqdb_sqlstate::{QUERY_CANCELED, SqlError};
use nqdb_txn::{LeafScan, ReadView, RowId, TableStore, TxnError};
use nqdb_types::row::{Field as StoredField, RowView, ValueRef, decode_value};
use nqdb_types::{Datum, Type};

use crate::column::ColumnBuilder;
use crate::expression::{EvalContext, Expression, Rows, holding};
use crate::failure::{Failure, Outcome};
use crate::shape::Shape;

/// Rows of a batch, at most.
pub(crate) const BATCH_ROWS: usize = 8192;
/// A batch whose texts are longer than this goes out before it is full.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Row ids that a partition takes at a time.
const MORSEL_ROWS: u64 = 16_384;

/// A scan of one table through a view.
#[derive(Debug)]
pub(crate) struct ScanExec {
    shared: Arc<Shared>,
    properties: Arc<PlanProperties>,
}

/// What all partitions of a scan use.
struct Shared {
    table: Arc<TableStore>,
    view: ReadView,
    /// Position in the table and shape of each column of a batch.
    columns: Vec<(usize, Shape)>,
    /// Conditions, in the order in which they are tested.
    filters: Vec<Expression>,
    /// Columns that only the conditions read are left out of what is given on.
    output: Vec<usize>,
    schema: SchemaRef,
    cx: Arc<EvalContext>,
    /// Set when nobody wants the rows any more.
    stop: Arc<AtomicBool>,
    next_row: AtomicU64,
    end_row: u64,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan").field("table", &self.table.id).finish_non_exhaustive()
    }
}

/// What a scan is made of.
pub(crate) struct ScanParts {
    pub table: Arc<TableStore>,
    pub view: ReadView,
    /// Positions in the table.
    pub columns: Vec<(usize, Type)>,
    pub shapes: Vec<Shape>,
    pub filters: Vec<Expression>,
    /// Positions in `columns` that go out.
    pub output: Vec<usize>,
    pub partitions: usize,
    pub cx: Arc<EvalContext>,
    pub stop: Arc<AtomicBool>,
}

impl ScanExec {
    pub fn new(parts: ScanParts) -> ScanExec {
        let fields: Vec<Field> = parts
            .output
            .iter()
            .filter_map(|index| parts.shapes.get(*index))
            .enumerate()
            .map(|(index, shape)| Field::new(format!("c{index}"), shape.data_type(), true))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema.clone()),
            Partitioning::UnknownPartitioning(parts.partitions.max(1)),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::NonCooperative);
        let end_row = parts.table.counters.next_row_id().0;
        let columns = parts.columns.iter().map(|(position, _)| *position).zip(parts.shapes).collect();
        let shared = Shared {
            table: parts.table,
            view: parts.view,
            columns,
            filters: parts.filters,
            output: parts.output,
            schema,
            cx: parts.cx,
            stop: parts.stop,
            next_row: AtomicU64::new(0),
            end_row,
        };
        ScanExec { shared: Arc::new(shared), properties: Arc::new(properties) }
    }
}

impl DisplayAs for ScanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScanExec: table={}", self.shared.table.id)
    }
}

impl ExecutionPlan for ScanExec {
    fn name(&self) -> &'static str {
        "ScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let reader = Reader::new(self.shared.clone());
        let stream = futures::stream::unfold(Some(reader), async |reader| {
            let mut reader = reader?;
            loop {
                // Others get their turn after each batch that was read, whether any of its rows passed or not.
                tokio::task::yield_now().await;
                match reader.step() {
                    Ok(Step::Batch(batch)) => return Some((Ok(batch), Some(reader))),
                    Ok(Step::Nothing) => {}
                    Ok(Step::End) => return None,
                    Err(failure) => return Some((Err(failure.into()), None)),
                }
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.shared.schema.clone(), stream)))
    }
}

const _: fn(&ScanExec) -> &dyn Any = |scan| scan;

/// One partition of a scan at work.
struct Reader {
    shared: Arc<Shared>,
    /// Puts what little passes of many rows together to batches of some size. Not there for rows without columns.
    passed: Option<BatchCoalescer>,
    builders: Vec<ColumnBuilder>,
    rows: usize,
    /// The morsel at hand.
    scan: Option<LeafScan>,
    /// Values of the current leaf that lie in the overflow tree.
    outside: Vec<Outside>,
}

/// What reading one batch gave.
enum Step {
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
    fn new(shared: Arc<Shared>) -> Reader {
        let builders = shared.columns.iter().map(|(_, shape)| ColumnBuilder::new(*shape, BATCH_ROWS)).collect();
        let passed = (!shared.filters.is_empty() && !shared.output.is_empty())
            .then(|| BatchCoalescer::new(shared.schema.clone(), BATCH_ROWS));
        Reader { shared, passed, builders, rows: 0, scan: None, outside: Vec::new() }
    }

    /// Reads one batch.
    fn step(&mut self) -> Outcome<Step> {
        if self.shared.stop.load(Ordering::Relaxed) {
            return Err(SqlError::new(QUERY_CANCELED, "canceling statement due to user request").into());
        }
        if let Some(batch) = self.passed.as_mut().and_then(BatchCoalescer::next_completed_batch) {
            return Ok(Step::Batch(batch));
        }
        let more = self.fill()?;
        let rows = std::mem::take(&mut self.rows);
        let admitted = if rows > 0 {
            let columns: Vec<ArrayRef> = self.builders.iter_mut().map(ColumnBuilder::finish).collect();
            self.shared.admit(columns, rows)?
        } else {
            None
        };
        let batch = match &mut self.passed {
            None => admitted,
            Some(passed) => {
                if let Some(batch) = admitted {
                    passed.push_batch(batch)?;
                }
                if !more {
                    passed.finish_buffered_batch()?;
                }
                passed.next_completed_batch()
            }
        };
        Ok(match batch {
            Some(batch) => Step::Batch(batch),
            None if more => Step::Nothing,
            None => Step::End,
        })
    }

    /// Reads leaves until a batch is full; false when there is nothing left to read.
    fn fill(&mut self) -> Outcome<bool> {
        while self.rows < BATCH_ROWS && self.long_bytes() < BATCH_BYTES_MAX {
            let Some(scan) = &mut self.scan else {
                match self.shared.take_morsel() {
                    Some(rows) => self.scan = Some(self.shared.table.leaf_scan(self.shared.view.clone(), rows)),
                    None => return Ok(false),
                }
                continue;
            };
            let (shared, builders, outside) = (&*self.shared, &mut self.builders, &mut self.outside);
            let mut count = 0;
            let mut failure = None;
            let more = scan.next_leaf(&mut |row| {
                match shared.take_row(&row, builders, outside) {
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
            if !more? {
                self.scan = None;
            }
            self.rows += count;
            self.load_outside()?;
        }
        Ok(true)
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
    /// The next row ids that nobody has taken.
    fn take_morsel(&self) -> Option<Range<RowId>> {
        let start = self.next_row.fetch_add(MORSEL_ROWS, Ordering::Relaxed);
        (start < self.end_row).then(|| RowId(start)..RowId((start + MORSEL_ROWS).min(self.end_row)))
    }

    fn column_type(&self, position: usize) -> Outcome<Type> {
        let ty = self.table.columns.get(position).copied();
        ty.ok_or_else(|| SqlError::internal("a scan reads a column that its table does not have").into())
    }

    /// Appends a row to the builders. One with values elsewhere is kept for later: false.
    fn take_row(&self, row: &RowView<'_>, builders: &mut [ColumnBuilder], outside: &mut Vec<Outside>) -> Outcome<bool> {
        let is_outside = |(position, _): &(usize, Shape)| matches!(row.field(*position), StoredField::External(_));
        if self.columns.iter().any(is_outside) {
            outside.push(self.set_aside(row)?);
            return Ok(false);
        }
        for ((position, _), builder) in self.columns.iter().zip(builders) {
            match row.field(*position) {
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

    fn set_aside(&self, row: &RowView<'_>) -> Outcome<Outside> {
        let mut values = Vec::with_capacity(self.columns.len());
        for (position, _) in &self.columns {
            values.push(match row.field(*position) {
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

    /// The rows that pass the conditions, and of them the columns that are wanted.
    fn admit(&self, columns: Vec<ArrayRef>, count: usize) -> Outcome<Option<RecordBatch>> {
        let mut rows = Rows { columns: columns.into_iter().map(Some).collect(), count };
        // Rows that are still in, of those in `rows`.
        let mut mask: Option<BooleanArray> = None;
        for filter in &self.filters {
            if let Some(passed) = &mask
                && (filter.can_fail || passed.true_count() * 4 < rows.count)
            {
                rows = rows.filtered(passed)?;
                mask = None;
            }
            if rows.count == 0 {
                return Ok(None);
            }
            let passes = holding(&filter.evaluate(&rows, &self.cx)?, rows.count)?;
            mask = Some(match mask {
                None => passes,
                Some(before) => compute::and(&before, &passes).map_err(Failure::from)?,
            });
        }
        let chosen = mask.as_ref().map_or(rows.count, BooleanArray::true_count);
        if chosen == 0 {
            return Ok(None);
        }
        let mut output = Vec::with_capacity(self.output.len());
        for index in &self.output {
            let column = rows.columns.get(*index).cloned().flatten();
            let column = column.ok_or_else(|| SqlError::internal("a scan lost a column"))?;
            output.push(match &mask {
                Some(mask) if chosen < rows.count => compute::filter(&column, mask).map_err(Failure::from)?,
                _ => column,
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(chosen));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), output, &options);
        Ok(Some(batch.map_err(Failure::from)?))
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
