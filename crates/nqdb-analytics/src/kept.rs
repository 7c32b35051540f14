//! Rows that are kept in memory: those of a WITH query, which may be read more than once.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion_common::Result;
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr::EquivalenceProperties;
use datafusion_physical_expr_common::physical_expr::PhysicalExpr;
use datafusion_physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion_physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::StreamExt;

use crate::executor::QueryRows;
use crate::failure::Outcome;
use crate::memory::StatementMemory;
use crate::shape::Shape;

/// The rows of a query, with the memory that they are charged for.
#[derive(Debug)]
pub(crate) struct KeptRows {
    pub schema: SchemaRef,
    /// Of the query's output columns.
    pub shapes: Vec<Shape>,
    batches: Vec<RecordBatch>,
    /// Gives the memory back when the last reader is gone.
    _memory: Option<MemoryReservation>,
}

impl KeptRows {
    /// No rows: for a look at the shape of a query that reads them.
    pub fn none(schema: SchemaRef, shapes: Vec<Shape>) -> KeptRows {
        KeptRows { schema, shapes, batches: Vec::new(), _memory: None }
    }

    /// A few rows that nobody has to account for.
    pub fn of(batch: RecordBatch, shapes: Vec<Shape>) -> KeptRows {
        KeptRows { schema: batch.schema(), shapes, batches: vec![batch], _memory: None }
    }

    /// Reads a query to its end.
    pub async fn collect(mut rows: QueryRows, pool: Arc<StatementMemory>) -> Outcome<KeptRows> {
        let pool: Arc<dyn datafusion_execution::memory_pool::MemoryPool> = pool;
        let memory = MemoryConsumer::new("rows of a WITH query").register(&pool);
        let mut batches = Vec::new();
        while let Some(batch) = rows.stream.next().await {
            let batch = batch?;
            memory.try_grow(batch.get_array_memory_size())?;
            batches.push(batch);
        }
        Ok(KeptRows { schema: rows.stream.schema(), shapes: rows.shapes, batches, _memory: Some(memory) })
    }
}

/// Reads kept rows.
#[derive(Debug)]
pub(crate) struct KeptRowsExec {
    rows: Arc<KeptRows>,
    properties: Arc<PlanProperties>,
}

impl KeptRowsExec {
    pub fn new(rows: Arc<KeptRows>) -> KeptRowsExec {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(rows.schema.clone()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        KeptRowsExec { rows, properties: Arc::new(properties) }
    }
}

impl DisplayAs for KeptRowsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeptRowsExec")
    }
}

impl ExecutionPlan for KeptRowsExec {
    fn name(&self) -> &'static str {
        "KeptRowsExec"
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
        let batches = futures::stream::iter(self.rows.batches.clone().into_iter().map(Ok));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.rows.schema.clone(), batches)))
    }
}

const _: fn(&KeptRowsExec) -> &dyn Any = |rows| rows;
