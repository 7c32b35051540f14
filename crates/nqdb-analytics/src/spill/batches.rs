//! Rows that are kept for an operator: read once, in memory or in files.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion_common::Result;
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_execution::memory_pool::MemoryReservation;
use datafusion_execution::spill_file::SpillFile;
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr::EquivalenceProperties;
use datafusion_physical_expr_common::physical_expr::PhysicalExpr;
use datafusion_physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion_physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};
use datafusion_physical_plan::spill::SpillManager;
use datafusion_physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::{StreamExt, TryStreamExt};
use parking_lot::Mutex;

/// A file of batches.
pub(super) type BatchFile = Arc<dyn SpillFile>;

/// Where the rows are.
pub(super) enum Batches {
    /// With the memory that is kept free for them: each batch gives its part back when it goes.
    InMemory {
        batches: Vec<(RecordBatch, usize)>,
        memory: MemoryReservation,
    },
    InFiles(Vec<BatchFile>),
}

/// What writes and reads files of this schema.
pub(super) fn spill_manager(schema: &SchemaRef, context: &TaskContext) -> SpillManager {
    let metrics = SpillMetrics::new(&ExecutionPlanMetricsSet::new(), 0);
    SpillManager::new(context.runtime_env(), metrics, schema.clone())
}

/// Gives kept rows out, in one stream.
pub(super) struct BatchesExec {
    schema: SchemaRef,
    batches: Mutex<Option<Batches>>,
    properties: Arc<PlanProperties>,
}

impl BatchesExec {
    pub fn new(schema: SchemaRef, batches: Batches) -> BatchesExec {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema.clone()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        BatchesExec { schema, batches: Mutex::new(Some(batches)), properties: Arc::new(properties) }
    }
}

impl fmt::Debug for BatchesExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BatchesExec")
    }
}

impl DisplayAs for BatchesExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BatchesExec")
    }
}

impl ExecutionPlan for BatchesExec {
    fn name(&self) -> &'static str {
        "BatchesExec"
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

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(batches) = self.batches.lock().take() else {
            return datafusion_common::internal_err!("kept rows are read once");
        };
        match batches {
            Batches::InMemory { batches, memory } => {
                let rows = futures::stream::iter(batches).map(move |(batch, bytes)| {
                    memory.shrink(bytes);
                    Ok(batch)
                });
                Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), rows)))
            }
            Batches::InFiles(files) => {
                let manager = spill_manager(&self.schema, &context);
                let rows = futures::stream::iter(files)
                    .map(move |file| manager.read_spill_as_stream_unbuffered(file, None))
                    .try_flatten();
                Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), rows)))
            }
        }
    }
}

const _: fn(&BatchesExec) -> &dyn Any = |rows| rows;
