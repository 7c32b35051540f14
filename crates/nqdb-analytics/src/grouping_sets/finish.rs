//! The rows of all grouping sets: the set's number becomes the values of GROUPING(), and sets without keys have their group.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
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
use futures::StreamExt;

/// Over the groups of all sets: columns before the set's number, the number, columns behind it. The columns of GROUPING()
/// come last.
#[derive(Debug)]
pub(crate) struct FinishSetsExec {
    input: Arc<dyn ExecutionPlan>,
    finish: Arc<Finish>,
    properties: Arc<PlanProperties>,
}

#[derive(Clone, Debug)]
struct Finish {
    /// Where the number of the set is.
    set_column: usize,
    /// For each GROUPING(), its values by set.
    groupings: Vec<Vec<i32>>,
    /// What there is over no rows, in the input's columns. The input is one stream then.
    of_no_rows: Option<RecordBatch>,
}

impl FinishSetsExec {
    pub fn new(
        input: Arc<dyn ExecutionPlan>,
        set_column: usize,
        groupings: Vec<Vec<i32>>,
        of_no_rows: Option<RecordBatch>,
    ) -> FinishSetsExec {
        FinishSetsExec::with(input, Arc::new(Finish { set_column, groupings, of_no_rows }))
    }

    fn with(input: Arc<dyn ExecutionPlan>, finish: Arc<Finish>) -> FinishSetsExec {
        let fields = input.schema();
        let fields = fields.fields().iter().enumerate().filter(|(index, _)| *index != finish.set_column);
        let mut fields: Vec<Arc<Field>> = fields.map(|(_, field)| field.clone()).collect();
        for index in 0..finish.groupings.len() {
            fields.push(Arc::new(Field::new(format!("g{index}"), DataType::Int32, true)));
        }
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::new(Schema::new(fields))),
            Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        FinishSetsExec { input, finish, properties: Arc::new(properties) }
    }
}

impl Finish {
    fn finish(&self, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
        let missing = || DataFusionError::Internal("the numbers of grouping sets are missing".to_owned());
        let sets = batch.column(self.set_column).as_primitive_opt::<Int32Type>().ok_or_else(missing)?;
        let columns = batch.columns().iter().enumerate().filter(|(index, _)| *index != self.set_column);
        let mut columns: Vec<ArrayRef> = columns.map(|(_, column)| column.clone()).collect();
        for values in &self.groupings {
            let of_set = |set: &i32| usize::try_from(*set).ok().and_then(|set| values.get(set)).copied();
            columns.push(Arc::new(sets.values().iter().map(of_set).collect::<Int32Array>()));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
    }
}

impl DisplayAs for FinishSetsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FinishSetsExec")
    }
}

impl ExecutionPlan for FinishSetsExec {
    fn name(&self) -> &'static str {
        "FinishSetsExec"
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
        Ok(Arc::new(FinishSetsExec::with(input, self.finish.clone())))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (finish, schema) = (self.finish.clone(), self.schema());
        let rows = self.input.execute(partition, context)?;
        let otherwise = finish.of_no_rows.clone();
        let state = (rows, otherwise, finish, schema);
        let stream = futures::stream::unfold(state, async |(mut rows, mut otherwise, finish, schema)| {
            let batch = match rows.next().await {
                Some(Ok(batch)) => {
                    if batch.num_rows() > 0 {
                        otherwise = None;
                    }
                    finish.finish(&batch, &schema)
                }
                Some(Err(error)) => Err(error),
                None => finish.finish(&otherwise.take()?, &schema),
            };
            Some((batch, (rows, otherwise, finish, schema)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream)))
    }
}

const _: fn(&FinishSetsExec) -> &dyn Any = |rows| rows;
