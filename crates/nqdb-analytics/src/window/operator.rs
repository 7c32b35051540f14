//! The operator: partitions are gathered until they are whole, computed, and given on batch by batch.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::concat;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_common::{DataFusionError, Result};
use datafusion_execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr::EquivalenceProperties;
use datafusion_physical_expr_common::physical_expr::PhysicalExpr;
use datafusion_physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion_physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
};
use futures::StreamExt;
use nqdb_functions::FunctionContext;
use nqdb_sql::NoSession;

use super::WindowCall;
use super::chunk::{Surrounded, compute, evaluate, starts};
use crate::buffers::Buffers;
use crate::expression::EvalContext;
use crate::shape::Shape;

/// What a window operator does.
#[derive(Debug)]
pub(crate) struct WindowParts {
    /// What tells partitions apart, and rows within them.
    pub partition: Vec<Arc<dyn PhysicalExpr>>,
    pub order: Vec<Arc<dyn PhysicalExpr>>,
    /// The only column of the order, where a frame measures in it.
    pub range_key: Option<KeyColumn>,
    pub calls: Vec<WindowCall>,
    pub cx: Arc<EvalContext>,
}

/// A column of the order by its values.
#[derive(Debug)]
pub(crate) struct KeyColumn {
    pub value: Arc<dyn PhysicalExpr>,
    pub shape: Shape,
    pub descending: bool,
    pub nulls_first: bool,
}

#[derive(Debug)]
pub(crate) struct WindowExec {
    input: Arc<dyn ExecutionPlan>,
    parts: Arc<WindowParts>,
    properties: Arc<PlanProperties>,
}

impl WindowExec {
    /// `input` has each partition in one stream, in order.
    pub fn new(input: Arc<dyn ExecutionPlan>, parts: Arc<WindowParts>) -> WindowExec {
        let mut fields: Vec<Arc<Field>> = input.schema().fields().iter().cloned().collect();
        for (index, call) in parts.calls.iter().enumerate() {
            fields.push(Arc::new(Field::new(format!("w{index}"), call.result.data_type(), true)));
        }
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::new(Schema::new(fields))),
            Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        WindowExec { input, parts, properties: Arc::new(properties) }
    }
}

impl DisplayAs for WindowExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WindowExec")
    }
}

impl ExecutionPlan for WindowExec {
    fn name(&self) -> &'static str {
        "WindowExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let args = self.parts.calls.iter().flat_map(|call| call.args.iter().map(|(arg, _)| arg).chain(&call.filter));
        for expression in self.parts.partition.iter().chain(&self.parts.order).chain(args) {
            if f(expression)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().ok_or_else(|| DataFusionError::Internal("an input is missing".to_owned()))?;
        Ok(Arc::new(WindowExec::new(input, self.parts.clone())))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let memory = MemoryConsumer::new("partitions of a window").register(context.memory_pool());
        let partitions = Partitions {
            input: self.input.execute(partition, context)?,
            parts: self.parts.clone(),
            schema: self.schema(),
            pending: Vec::new(),
            last_key: Vec::new(),
            ready: VecDeque::new(),
            memory,
            counted: Buffers::default(),
            ended: false,
        };
        let stream = futures::stream::try_unfold(partitions, async |mut partitions| {
            Ok(partitions.next().await?.map(|batch| (batch, partitions)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream)))
    }
}

const _: fn(&WindowExec) -> &dyn Any = |rows| rows;

/// A stream of partitions under way.
struct Partitions {
    input: SendableRecordBatchStream,
    parts: Arc<WindowParts>,
    schema: SchemaRef,
    /// Rows whose partitions are not known to be whole, and the partition keys of the last one.
    pending: Vec<RecordBatch>,
    last_key: Vec<ArrayRef>,
    ready: VecDeque<RecordBatch>,
    memory: MemoryReservation,
    /// What is counted in `memory`.
    counted: Buffers,
    ended: bool,
}

impl Partitions {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(Some(batch));
            }
            if self.ended {
                return Ok(None);
            }
            match self.input.next().await {
                Some(batch) => self.take(batch?)?,
                None => {
                    self.ended = true;
                    let whole = std::mem::take(&mut self.pending);
                    self.finish(whole)?;
                }
            }
        }
    }

    /// Takes a batch in; what it shows to be whole is computed.
    fn take(&mut self, batch: RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.memory.try_grow(self.counted.added_bytes_of(batch.columns()))?;
        let Some(boundary) = self.last_boundary(&batch)? else {
            self.pending.push(batch);
            return Ok(());
        };
        let mut whole = std::mem::take(&mut self.pending);
        if boundary > 0 {
            whole.push(batch.slice(0, boundary));
        }
        self.pending.push(batch.slice(boundary, batch.num_rows() - boundary));
        self.finish(whole)
    }

    /// Where the last partition of a batch starts, if it does in this batch.
    fn last_boundary(&mut self, batch: &RecordBatch) -> Result<Option<usize>> {
        if self.parts.partition.is_empty() {
            return Ok(None);
        }
        let keys = self.parts.partition.iter().map(|key| evaluate(key, std::slice::from_ref(batch)));
        let keys = keys.collect::<Result<Vec<ArrayRef>>>()?;
        let rows = batch.num_rows();
        let last = starts(&keys, rows)?.last().copied().unwrap_or(0);
        let starts_here = last > 0 || (!self.pending.is_empty() && self.differs_from_last(&keys)?);
        self.last_key = keys.iter().map(|key| key.slice(rows - 1, 1)).collect();
        Ok(starts_here.then_some(last))
    }

    /// Whether the first row of these keys is of another partition than the last pending one.
    fn differs_from_last(&self, keys: &[ArrayRef]) -> Result<bool> {
        let pairs =
            self.last_key.iter().zip(keys).map(|(last, key)| concat(&[last.as_ref(), key.slice(0, 1).as_ref()]));
        let pairs = pairs.collect::<std::result::Result<Vec<ArrayRef>, _>>()?;
        Ok(starts(&pairs, 2)?.len() > 1)
    }

    /// Computes the calls over whole partitions.
    fn finish(&mut self, batches: Vec<RecordBatch>) -> Result<()> {
        if batches.is_empty() {
            return Ok(());
        }
        let cx = &self.parts.cx;
        let session = NoSession::UNBOUNDED;
        let functions =
            FunctionContext::new(&cx.format, cx.transaction_time_micros, cx.statement_time_micros, &session);
        let counted = &mut self.counted;
        let mut around = Surrounded { functions, stop: &cx.stop, memory: &self.memory, counted, steps: 0 };
        let values = compute(&self.parts, &batches, &mut around)?;
        let mut first = 0;
        for batch in batches {
            let rows = batch.num_rows();
            let mut columns = batch.columns().to_vec();
            columns.extend(values.iter().map(|values| values.slice(first, rows)));
            self.ready.push_back(RecordBatch::try_new(self.schema.clone(), columns)?);
            first += rows;
        }
        // What is given on is its reader's; what is left is counted anew.
        self.memory.free();
        self.counted = Buffers::default();
        let pending = self.pending.iter().map(|batch| self.counted.added_bytes_of(batch.columns()));
        self.memory.try_grow(pending.sum())
    }
}
