//! Operators that make rows of each batch by itself: one face of DataFusion's for all of them.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_common::{DataFusionError, Result};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr::EquivalenceProperties;
use datafusion_physical_expr_common::physical_expr::PhysicalExpr;
use datafusion_physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion_physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
};
use futures::{StreamExt, TryStreamExt};

/// The batches that are made of one.
pub(crate) type Made = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// What becomes of the rows of a batch.
pub(crate) trait RowMap: fmt::Debug + Send + Sync {
    fn name(&self) -> &'static str;
    /// The columns that come out.
    fn schema(&self) -> SchemaRef;
    fn map(self: Arc<Self>, batch: RecordBatch) -> Made;
}

#[derive(Debug)]
pub(crate) struct MapExec {
    input: Arc<dyn ExecutionPlan>,
    work: Arc<dyn RowMap>,
    properties: Arc<PlanProperties>,
}

impl MapExec {
    pub fn new(input: Arc<dyn ExecutionPlan>, work: Arc<dyn RowMap>) -> MapExec {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(work.schema()),
            Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        MapExec { input, work, properties: Arc::new(properties) }
    }
}

impl DisplayAs for MapExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.work.name())
    }
}

impl ExecutionPlan for MapExec {
    fn name(&self) -> &str {
        self.work.name()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().ok_or_else(|| DataFusionError::Internal("an input is missing".to_owned()))?;
        Ok(Arc::new(MapExec::new(input, self.work.clone())))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let work = self.work.clone();
        let rows = self.input.execute(partition, context)?;
        let made = rows.map(move |batch| {
            let made = work.clone().map(batch?);
            Ok::<_, DataFusionError>(futures::stream::iter(made))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), made.try_flatten())))
    }
}

const _: fn(&MapExec) -> &dyn Any = |rows| rows;
