//! Joins whose rows are looked at on their way: whether anybody still wants them.
//!
//! A join may make very many rows of few, without reading anything on the way. Scans look themselves, and so does each
//! evaluation of an expression; this is for all between.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_common::{DataFusionError, Result};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr_common::physical_expr::PhysicalExpr;
use datafusion_physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;
use nqdb_sqlstate::{QUERY_CANCELED, SqlError};

use crate::failure::Outcome;

/// Set when nobody wants a statement's rows any more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Fails once it is set; nobody reads the message.
    pub fn check(&self) -> Outcome<()> {
        if self.0.load(Ordering::Relaxed) {
            return Err(SqlError::new(QUERY_CANCELED, "canceling statement due to user request").into());
        }
        Ok(())
    }
}

/// Gives the rows of its input on, as long as they are wanted.
#[derive(Debug)]
pub(crate) struct WatchedExec {
    input: Arc<dyn ExecutionPlan>,
    stop: Stop,
}

impl WatchedExec {
    pub fn new(input: Arc<dyn ExecutionPlan>, stop: &Stop) -> WatchedExec {
        WatchedExec { input, stop: stop.clone() }
    }
}

impl DisplayAs for WatchedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WatchedExec")
    }
}

impl ExecutionPlan for WatchedExec {
    fn name(&self) -> &'static str {
        "WatchedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
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
        Ok(Arc::new(WatchedExec { input, stop: self.stop.clone() }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let stop = self.stop.clone();
        let rows = self.input.execute(partition, context)?;
        let schema = rows.schema();
        let watched = rows.then(move |batch| {
            let is_wanted = stop.check();
            async move {
                is_wanted?;
                // Others get their turn after each batch.
                tokio::task::yield_now().await;
                batch
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, watched)))
    }
}

const _: fn(&WatchedExec) -> &dyn Any = |rows| rows;
