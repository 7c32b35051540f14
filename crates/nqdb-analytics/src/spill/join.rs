//! Joins whose built side may be larger than memory.
//!
//! ```text
//! built side --fits-----------> DataFusion's hash join of it with all streams of the probing side
//!            --does not fit---> divided by the hash of its keys, each part a file
//! probing side (only then) ---> divided alike
//! part by part: this operator again, over the two files
//! ```
//!
//! What always holds:
//!
//! 1. The probing side is started when the built side is complete: its scans know all of the built side's keys.
//! 2. Rows with equal keys are in the same part; so each part gives its own matches, and its own rows without any.
//! 3. Parts of a part are made by another divisor, prime to those before. After [`LEVEL_MAX`] divisions the hash join is tried
//!    as it is: rows of one key cannot be divided.
//! 4. A join takes no more than half of what all statements share, whatever is free, so that others go on.
//!
//! (Kitsuregawa, Tanaka and Moto-oka, Application of Hash to Data Base Machine and Its Architecture, 1983: the GRACE hash join.)

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_common::{DataFusionError, JoinType, NullEquality, Result};
use datafusion_execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr::EquivalenceProperties;
use datafusion_physical_expr_common::physical_expr::PhysicalExpr;
use datafusion_physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion_physical_plan::joins::utils::JoinFilter;
use datafusion_physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion_physical_plan::metrics::Time;
use datafusion_physical_plan::repartition::BatchPartitioner;
use datafusion_physical_plan::spill::SpillManager;
use datafusion_physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
};
use futures::future::{BoxFuture, Shared};
use futures::{FutureExt, StreamExt, TryStreamExt};
use parking_lot::Mutex;
use tokio::task::JoinSet;

use super::batches::{BatchFile, Batches, BatchesExec, spill_manager};
use crate::memory::StatementMemory;

/// Into how many parts a side is divided, each time anew; prime to each other.
const PART_COUNTS: [usize; 4] = [16, 17, 19, 23];
/// How often.
const LEVEL_MAX: usize = PART_COUNTS.len();
/// What a row takes in the hash table.
const TABLE_ROW_BYTES: usize = 40;

/// What a join is, beside its inputs.
#[derive(Clone, Debug)]
pub(crate) struct JoinParts {
    /// Of the built side, and of the probing side.
    pub keys: Vec<(Arc<dyn PhysicalExpr>, Arc<dyn PhysicalExpr>)>,
    pub filter: Option<JoinFilter>,
    pub join_type: JoinType,
    pub projection: Vec<usize>,
}

/// A join by equal keys; `built` is of one stream.
pub(crate) struct SpillingJoinExec {
    inputs: Inputs,
    properties: Arc<PlanProperties>,
    /// What all streams of the result wait for.
    prepared: Mutex<Option<Preparation>>,
}

#[derive(Clone)]
struct Inputs {
    built: Arc<dyn ExecutionPlan>,
    probing: Arc<dyn ExecutionPlan>,
    parts: JoinParts,
    memory: Arc<StatementMemory>,
    level: usize,
}

type Preparation = Shared<BoxFuture<'static, Result<Arc<Prepared>, Arc<DataFusionError>>>>;

/// How the join goes on when its built side is complete.
enum Prepared {
    /// As one hash join.
    Whole(Arc<dyn ExecutionPlan>),
    /// Part by part, each by one of the streams of the result, which takes it, so that its memory goes with it.
    Parts(Vec<Mutex<Option<Arc<dyn ExecutionPlan>>>>),
}

impl SpillingJoinExec {
    pub fn try_new(
        built: Arc<dyn ExecutionPlan>,
        probing: Arc<dyn ExecutionPlan>,
        parts: JoinParts,
        memory: Arc<StatementMemory>,
    ) -> Result<SpillingJoinExec> {
        SpillingJoinExec::at_level(Inputs { built, probing, parts, memory, level: 0 })
    }

    /// The kind of the join, whose left side is the built one.
    pub fn join_type(&self) -> JoinType {
        self.inputs.parts.join_type
    }

    fn at_level(inputs: Inputs) -> Result<SpillingJoinExec> {
        let schema = inputs.hash_join(inputs.built.clone())?.schema();
        let streams = inputs.probing.output_partitioning().partition_count();
        // The order of the probing side is lost in parts, so none is promised.
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(streams),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(SpillingJoinExec { inputs, properties: Arc::new(properties), prepared: Mutex::new(None) })
    }
}

impl Inputs {
    /// DataFusion's join of the probing side with rows that take the place of the built side.
    fn hash_join(&self, built: Arc<dyn ExecutionPlan>) -> Result<HashJoinExec> {
        HashJoinExec::try_new(
            built,
            self.probing.clone(),
            self.parts.keys.clone(),
            self.parts.filter.clone(),
            &self.parts.join_type,
            Some(self.parts.projection.clone()),
            PartitionMode::CollectLeft,
            NullEquality::NullEqualsNothing,
            false,
        )
    }

    /// Reads the built side, and the other one too where it comes to that.
    async fn prepare(self, context: Arc<TaskContext>) -> Result<Arc<Prepared>> {
        let schema = self.built.schema();
        if self.level >= LEVEL_MAX {
            return Ok(Arc::new(Prepared::Whole(Arc::new(self.hash_join(self.built.clone())?))));
        }
        let memory = MemoryConsumer::new("built side of a join").with_can_spill(true).register(context.memory_pool());
        let mut rows = self.built.execute(0, context.clone())?;
        let mut batches = Vec::new();
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            // The rows are put together into one batch, which is held beside them for a moment.
            let bytes = 2 * batch.get_array_memory_size() + batch.num_rows() * TABLE_ROW_BYTES;
            if self.has_room(&memory, bytes) {
                batches.push((batch, bytes));
                continue;
            }
            let rest = futures::stream::iter(batches.drain(..).map(|(batch, bytes)| {
                memory.shrink(bytes);
                Ok(batch)
            }));
            let all = rest.chain(futures::stream::iter([Ok(batch)])).chain(rows);
            let built = self.divider(&schema, true, &context)?.divide(all).await?;
            return Ok(Arc::new(Prepared::Parts(self.divide_probing(built, context).await?)));
        }
        let built = BatchesExec::new(schema, Batches::InMemory { batches, memory });
        Ok(Arc::new(Prepared::Whole(Arc::new(self.hash_join(Arc::new(built))?))))
    }

    fn has_room(&self, memory: &MemoryReservation, bytes: usize) -> bool {
        memory.size() + bytes <= self.memory.limit_bytes() / 2 && memory.try_grow(bytes).is_ok()
    }

    fn divider(&self, schema: &SchemaRef, is_built: bool, context: &TaskContext) -> Result<Divider> {
        let key = |(built, probing): &(Arc<dyn PhysicalExpr>, Arc<dyn PhysicalExpr>)| {
            if is_built { built.clone() } else { probing.clone() }
        };
        let keys = self.parts.keys.iter().map(key).collect();
        let count = PART_COUNTS.get(self.level).copied().unwrap_or(1);
        Ok(Divider {
            partitioner: BatchPartitioner::new_hash_partitioner(keys, count, Time::new())?,
            manager: spill_manager(schema, context),
            count,
        })
    }

    /// Divides all streams of the probing side; gives the joins of the parts.
    async fn divide_probing(
        &self,
        built: Vec<Option<BatchFile>>,
        context: Arc<TaskContext>,
    ) -> Result<Vec<Mutex<Option<Arc<dyn ExecutionPlan>>>>> {
        let schema = self.probing.schema();
        let mut tasks = JoinSet::new();
        for stream in 0..self.probing.output_partitioning().partition_count() {
            let rows = self.probing.execute(stream, context.clone())?;
            let divider = self.divider(&schema, false, &context)?;
            tasks.spawn(async move { divider.divide(rows).await });
        }
        let mut probing: Vec<Vec<BatchFile>> = built.iter().map(|_| Vec::new()).collect();
        while let Some(divided) = tasks.join_next().await {
            let divided = divided.map_err(|error| DataFusionError::External(Box::new(error)))??;
            for (files, file) in probing.iter_mut().zip(divided) {
                files.extend(file);
            }
        }
        let parts = built.into_iter().zip(probing);
        parts.map(|(built, probing)| Ok(Mutex::new(Some(self.part(built, probing)?)))).collect()
    }

    fn part(&self, built: Option<BatchFile>, probing: Vec<BatchFile>) -> Result<Arc<dyn ExecutionPlan>> {
        let files = |schema, files| Arc::new(BatchesExec::new(schema, Batches::InFiles(files)));
        let join = SpillingJoinExec::at_level(Inputs {
            built: files(self.built.schema(), built.into_iter().collect()),
            probing: files(self.probing.schema(), probing),
            parts: self.parts.clone(),
            memory: self.memory.clone(),
            level: self.level + 1,
        })?;
        Ok(Arc::new(join))
    }
}

/// Divides rows by the hash of their keys.
struct Divider {
    partitioner: BatchPartitioner,
    manager: SpillManager,
    count: usize,
}

impl Divider {
    /// The files of all parts; none for one without rows.
    async fn divide(
        mut self,
        rows: impl futures::Stream<Item = Result<RecordBatch>> + Send,
    ) -> Result<Vec<Option<BatchFile>>> {
        let mut files = (0..self.count)
            .map(|_| self.manager.create_in_progress_file("part of a join"))
            .collect::<Result<Vec<_>>>()?;
        let mut rows = std::pin::pin!(rows);
        while let Some(batch) = rows.next().await {
            self.partitioner.partition(batch?, |part, batch| match files.get_mut(part) {
                Some(file) if batch.num_rows() > 0 => file.append_batch(&batch).map(|_| ()),
                _ => Ok(()),
            })?;
            // Others get their turn, and who is not wanted any more ends.
            tokio::task::yield_now().await;
        }
        files.iter_mut().map(|file| file.finish()).collect()
    }
}

impl fmt::Debug for SpillingJoinExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpillingJoinExec").field("level", &self.inputs.level).finish_non_exhaustive()
    }
}

impl DisplayAs for SpillingJoinExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SpillingJoinExec")
    }
}

impl ExecutionPlan for SpillingJoinExec {
    fn name(&self) -> &'static str {
        "SpillingJoinExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.inputs.built, &self.inputs.probing]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for key in self.inputs.parts.keys.iter().flat_map(|(built, probing)| [built, probing]) {
            if f(key)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok([built, probing]) = <[Arc<dyn ExecutionPlan>; 2]>::try_from(children) else {
            return datafusion_common::internal_err!("a join has two inputs");
        };
        Ok(Arc::new(SpillingJoinExec::at_level(Inputs { built, probing, ..self.inputs.clone() })?))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let prepared = self
            .prepared
            .lock()
            .get_or_insert_with(|| {
                let prepare = self.inputs.clone().prepare(context.clone());
                prepare.map(|prepared| prepared.map_err(Arc::new)).boxed().shared()
            })
            .clone();
        let streams = self.properties.output_partitioning().partition_count();
        let rows = async move {
            let prepared = prepared.await.map_err(DataFusionError::Shared)?;
            let parts: Vec<(Arc<dyn ExecutionPlan>, usize)> = match &*prepared {
                Prepared::Whole(join) => vec![(join.clone(), partition)],
                Prepared::Parts(parts) => {
                    let own = parts.iter().skip(partition).step_by(streams);
                    own.filter_map(|part| Some((part.lock().take()?, 0))).collect()
                }
            };
            let started = move |(part, stream): (Arc<dyn ExecutionPlan>, usize)| part.execute(stream, context.clone());
            Ok::<_, DataFusionError>(futures::stream::iter(parts).map(started).try_flatten())
        };
        let rows = futures::stream::once(rows).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

const _: fn(&SpillingJoinExec) -> &dyn Any = |join| join;
