//! Looks at the rows of a join's built side on their way, and keeps their keys.
//!
//! The input is not started before the first row is asked for: joins within it are then built after those around it, and
//! know from these which rows have partners.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_common::{DataFusionError, Result};
use datafusion_execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr_common::physical_expr::PhysicalExpr;
use datafusion_physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, TryStreamExt};

use super::{JoinKeys, KEYS_MAX, KeySet, append};

/// A key expression over the input, and where its values go.
pub(crate) type WantedKeys = (Arc<dyn PhysicalExpr>, Arc<JoinKeys>);

/// An input whose rows go on as they are.
#[derive(Debug)]
pub(crate) struct CollectKeysExec {
    input: Arc<dyn ExecutionPlan>,
    wanted: Vec<WantedKeys>,
}

/// The keys of one expression so far.
struct Collected {
    wanted: WantedKeys,
    /// `None` when there are too many of them, or one is too wide.
    keys: Option<Vec<i64>>,
    memory: MemoryReservation,
}

impl CollectKeysExec {
    /// `input` is of one stream.
    pub fn new(input: Arc<dyn ExecutionPlan>, wanted: Vec<WantedKeys>) -> CollectKeysExec {
        CollectKeysExec { input, wanted }
    }
}

impl Collected {
    fn look_at(&mut self, batch: &RecordBatch) -> Result<()> {
        let Some(keys) = &mut self.keys else { return Ok(()) };
        let rows = batch.num_rows();
        let has_room = keys.len() + rows <= KEYS_MAX && self.memory.try_grow(rows * size_of::<i64>()).is_ok();
        if !has_room || !append(&self.wanted.0.evaluate(batch)?.into_array(rows)?, keys) {
            self.keys = None;
            self.memory.free();
        }
        Ok(())
    }

    fn finish(self) {
        self.wanted.1.set(self.keys.as_deref().map(KeySet::of));
    }
}

impl DisplayAs for CollectKeysExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CollectKeysExec")
    }
}

impl ExecutionPlan for CollectKeysExec {
    fn name(&self) -> &'static str {
        "CollectKeysExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for (key, _) in &self.wanted {
            if f(key)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().ok_or_else(|| DataFusionError::Internal("an input is missing".to_owned()))?;
        Ok(Arc::new(CollectKeysExec { input, wanted: self.wanted.clone() }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (input, schema) = (self.input.clone(), self.input.schema());
        let collected: Vec<Collected> = self
            .wanted
            .iter()
            .map(|wanted| Collected {
                wanted: wanted.clone(),
                keys: Some(Vec::new()),
                memory: MemoryConsumer::new("keys of a join").register(context.memory_pool()),
            })
            .collect();
        let started = async move {
            let rows = input.execute(partition, context)?;
            let stream = futures::stream::unfold(Some((rows, collected)), async |state| {
                let (mut rows, mut collected) = state?;
                let Some(batch) = rows.next().await else {
                    collected.into_iter().for_each(Collected::finish);
                    return None;
                };
                let looked_at = batch.and_then(|batch| {
                    collected.iter_mut().try_for_each(|keys| keys.look_at(&batch))?;
                    Ok(batch)
                });
                Some((looked_at, Some((rows, collected))))
            });
            Ok::<_, DataFusionError>(stream)
        };
        let stream = futures::stream::once(started).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream)))
    }
}

const _: fn(&CollectKeysExec) -> &dyn Any = |rows| rows;
