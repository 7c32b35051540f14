//! Reading a table into record batches.
//!
//! The partitions of a scan share one cursor over the row ids and take a segment of them at a time, so that none is left
//! with more work than the others. A segment whose columns are in the cache comes from there; else it is read from the tree,
//! and kept. Conditions are tested on the batch; then whether a join above has a partner for the row, where it knows its
//! partners before it asks for rows.
//!
//! | file | what it does |
//! |---|---|
//! | `reader` | one partition: segments from the cache, or from the tree |
//! | `admit` | the rows that pass, and of them the columns that are wanted |
//! | `bound` | conditions on one column by a constant: segments of which no row can pass, and tests of packed values |
//! | `partners` | the keys that joins have partners for |

mod admit;
mod bound;
mod partners;
mod reader;

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion_common::Result;
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr::EquivalenceProperties;
use datafusion_physical_expr_common::physical_expr::PhysicalExpr;
use datafusion_physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion_physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use nqdb_txn::{ReadView, RowId, SEGMENT_ROWS, TableStore};
use nqdb_types::{Datum, Type};
use parking_lot::RwLock;

use crate::cache::{ColumnCache, ColumnKey};
use crate::expression::{EvalContext, Expression};
use crate::join_keys::JoinKeys;
use crate::shape::Shape;
use bound::{Bound, bounds_of};
use partners::PartnerTest;
use reader::{Reader, Step};

/// Rows of a batch, at most: a segment is one.
pub(crate) const BATCH_ROWS: usize = SEGMENT_ROWS as usize;
/// A batch whose texts are longer than this goes out before it is full.
pub(crate) const BATCH_BYTES_MAX: usize = 4 << 20;

/// Where a scan looks for the row's id, which lies in no column: behind every position that a table can have. It is a
/// bigint.
pub(crate) const ROW_ID: usize = usize::MAX;

/// A row's id as a value of the column at [`ROW_ID`].
fn id_value(id: RowId) -> Datum {
    Datum::Int8(id.0.cast_signed())
}

/// The row of a value of the column at [`ROW_ID`].
pub(crate) fn row_of(id: i64) -> RowId {
    RowId(id.cast_unsigned())
}

/// A scan of one table through a view.
#[derive(Debug)]
pub(crate) struct ScanExec {
    shared: Arc<Shared>,
    properties: Arc<PlanProperties>,
}

/// What all partitions of a scan use.
struct Shared {
    name: String,
    table: Arc<TableStore>,
    view: ReadView,
    /// Position in the table and shape of each column of a batch.
    columns: Vec<(usize, Shape)>,
    /// The same for the cache.
    keys: Vec<ColumnKey>,
    /// Conditions, in the order in which they are tested.
    filters: Vec<Filter>,
    /// What they say about single columns.
    bounds: Vec<Bound>,
    /// Columns that only the conditions read are left out of what is given on.
    output: Vec<usize>,
    /// What joins above have partners for.
    partners: RwLock<Vec<PartnerTest>>,
    schema: SchemaRef,
    cx: Arc<EvalContext>,
    next_segment: AtomicU64,
    end_row: u64,
    cache: Arc<ColumnCache>,
    /// When it began, by the cache's clock.
    began: u64,
}

/// A condition of a scan.
struct Filter {
    expression: Expression,
    /// The columns that it reads.
    reads: Vec<usize>,
    /// What it says, if it is a comparison of one column with a constant.
    bound: Option<Bound>,
}

/// A column of a scan, for joins above it.
#[derive(Clone)]
pub(crate) struct ScanColumn {
    scan: Arc<Shared>,
    column: usize,
}

impl ScanColumn {
    /// Lets the scan leave out rows whose value is not among `keys`, once these are known. What is above the scan must not
    /// miss such rows.
    pub fn expect(&self, keys: Arc<JoinKeys>) {
        self.scan.partners.write().push(PartnerTest::new(self.column, keys));
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan").field("table", &self.table.id).finish_non_exhaustive()
    }
}

/// What a scan is made of.
pub(crate) struct ScanParts {
    /// The table's name, and its alias if it has one.
    pub name: String,
    pub table: Arc<TableStore>,
    pub view: ReadView,
    /// Positions in the table, or [`ROW_ID`].
    pub columns: Vec<(usize, Type)>,
    pub shapes: Vec<Shape>,
    pub filters: Vec<Expression>,
    /// Positions in `columns` that go out.
    pub output: Vec<usize>,
    pub partitions: usize,
    pub cache: Arc<ColumnCache>,
    pub cx: Arc<EvalContext>,
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
        let keys = parts.columns.iter().map(|(position, ty)| ColumnKey::of(&parts.table, *position, *ty)).collect();
        let columns: Vec<(usize, Shape)> =
            parts.columns.iter().map(|(position, _)| *position).zip(parts.shapes).collect();
        let bounds = bounds_of(&parts.filters);
        let filters = parts.filters.into_iter().map(|filter| Filter::new(filter, columns.len())).collect();
        let shared = Shared {
            name: parts.name,
            table: parts.table,
            view: parts.view,
            columns,
            keys,
            bounds,
            filters,
            output: parts.output,
            partners: RwLock::new(Vec::new()),
            schema,
            cx: parts.cx,
            next_segment: AtomicU64::new(0),
            end_row,
            began: parts.cache.now(),
            cache: parts.cache,
        };
        ScanExec { shared: Arc::new(shared), properties: Arc::new(properties) }
    }
}

impl ScanExec {
    /// What EXPLAIN calls the table.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// One of the scan's columns, by its place in [`ScanParts::columns`].
    pub fn column(&self, column: usize) -> ScanColumn {
        ScanColumn { scan: self.shared.clone(), column }
    }
}

impl Filter {
    fn new(expression: Expression, columns: usize) -> Filter {
        let mut read = vec![false; columns];
        expression.mark_columns(&mut read);
        let reads = read.iter().enumerate().filter(|(_, read)| **read).map(|(column, _)| column).collect();
        let bound = Bound::of(&expression);
        Filter { expression, reads, bound }
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
