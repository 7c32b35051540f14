//! Operators that are watched for EXPLAIN ANALYZE: the rows and the time of each.
//!
//! Times are by the clock on the wall, from the moment that a stream of the operator is first asked for rows: like
//! PostgreSQL's they contain those of the operators below. Rows and times are of all streams together, as one loop.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Instant;

use arrow::record_batch::RecordBatch;
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_common::{DataFusionError, JoinType, Result};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr_common::physical_expr::PhysicalExpr;
use datafusion_physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion_physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion_physical_plan::joins::{CrossJoinExec, NestedLoopJoinExec};
use datafusion_physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;
use nqdb_sql::explain::MeasuredNode;

use crate::scan::ScanExec;
use crate::spill::SpillingJoinExec;

/// What an operator has done.
#[derive(Debug)]
struct Counters {
    rows: AtomicU64,
    /// µs until the first row of the first stream that had one; -1 before.
    first_micros: AtomicI64,
    /// µs until the end of the last stream.
    last_micros: AtomicI64,
}

/// A plan's operators with their counters.
#[derive(Debug)]
pub(crate) struct Measures {
    shown: Shown,
    counters: Arc<Counters>,
    children: Vec<Measures>,
}

/// What EXPLAIN makes of an operator.
#[derive(Debug)]
enum Shown {
    As(&'static str, String),
    /// Its input stands for it.
    Hidden,
    /// Its input stands for it, without the rows that it threw away.
    Filter,
}

/// Watches all operators of a plan.
pub(crate) fn measured(plan: Arc<dyn ExecutionPlan>) -> Result<(Arc<dyn ExecutionPlan>, Measures)> {
    let shown = shown(plan.as_ref());
    let mut inputs = Vec::new();
    let mut children = Vec::new();
    for child in plan.children() {
        let (input, measures) = measured(child.clone())?;
        inputs.push(input);
        children.push(measures);
    }
    let plan = if inputs.is_empty() {
        plan
    } else {
        plan.replace_children(inputs, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep))?
    };
    let counters = Arc::new(Counters {
        rows: AtomicU64::new(0),
        first_micros: AtomicI64::new(-1),
        last_micros: AtomicI64::new(0),
    });
    let plan = Arc::new(MeasuredExec { input: plan, counters: counters.clone() });
    Ok((plan, Measures { shown, counters, children }))
}

impl Measures {
    /// The operators that EXPLAIN shows.
    pub fn node(&self) -> MeasuredNode {
        let rows = self.counters.rows.load(Ordering::Relaxed);
        let mut children: Vec<MeasuredNode> = self.children.iter().map(Measures::node).collect();
        match (&self.shown, children.len()) {
            (Shown::Hidden, 1) => children.remove(0),
            (Shown::Filter, 1) => {
                let mut input = children.remove(0);
                input.filtered += input.rows.saturating_sub(rows);
                input.rows = rows;
                (input.startup_micros, input.total_micros) = self.counters.times();
                input
            }
            (shown, _) => {
                let (kind, target) = match shown {
                    Shown::As(kind, target) => (*kind, target.clone()),
                    Shown::Hidden | Shown::Filter => ("Result", String::new()),
                };
                if kind.starts_with("Hash ") && children.len() == 2 {
                    // What is built hangs below a node of its own, behind what is read along it.
                    let built = children.remove(0);
                    children.push(hash_of(built));
                }
                let (startup_micros, total_micros) = self.counters.times();
                let target = target.clone();
                MeasuredNode { kind, target, label: None, rows, filtered: 0, startup_micros, total_micros, children }
            }
        }
    }
}

fn hash_of(built: MeasuredNode) -> MeasuredNode {
    MeasuredNode {
        kind: "Hash",
        target: String::new(),
        label: None,
        rows: built.rows,
        filtered: 0,
        startup_micros: built.total_micros,
        total_micros: built.total_micros,
        children: vec![built],
    }
}

impl Counters {
    fn times(&self) -> (i64, i64) {
        let last = self.last_micros.load(Ordering::Relaxed);
        let first = self.first_micros.load(Ordering::Relaxed);
        (if first < 0 { last } else { first }, last)
    }

    fn count(&self, batch: &RecordBatch, started: Instant) {
        let micros = elapsed_micros(started);
        self.rows.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        if batch.num_rows() > 0 {
            let first = self.first_micros.load(Ordering::Relaxed);
            if first < 0 || micros < first {
                self.first_micros.store(micros, Ordering::Relaxed);
            }
        }
        self.last_micros.fetch_max(micros, Ordering::Relaxed);
    }
}

fn elapsed_micros(started: Instant) -> i64 {
    i64::try_from(started.elapsed().as_micros()).unwrap_or(i64::MAX)
}

/// How an operator is called: as PostgreSQL calls the like, where it has it.
fn shown(plan: &dyn ExecutionPlan) -> Shown {
    let any: &dyn Any = plan;
    let named = |kind| Shown::As(kind, String::new());
    if let Some(scan) = any.downcast_ref::<ScanExec>() {
        return Shown::As("Seq Scan", format!(" on {}", scan.name()));
    }
    if let Some(join) = any.downcast_ref::<SpillingJoinExec>() {
        return named(hash_join(join.join_type()));
    }
    if let Some(join) = any.downcast_ref::<NestedLoopJoinExec>() {
        return named(nested_loop(*join.join_type()));
    }
    if any.downcast_ref::<CrossJoinExec>().is_some() {
        return named("Nested Loop");
    }
    if let Some(aggregate) = any.downcast_ref::<AggregateExec>() {
        let is_plain = aggregate.group_expr().expr().is_empty();
        return named(match (aggregate.mode(), is_plain) {
            (AggregateMode::Partial, true) => "Partial Aggregate",
            (AggregateMode::Partial, false) => "Partial HashAggregate",
            (AggregateMode::Final | AggregateMode::FinalPartitioned, true) => "Finalize Aggregate",
            (AggregateMode::Final | AggregateMode::FinalPartitioned, false) => "Finalize HashAggregate",
            (_, true) => "Aggregate",
            (_, false) => "HashAggregate",
        });
    }
    named(match plan.name() {
        "FilterExec" => return Shown::Filter,
        "ProjectionExec" | "WatchedExec" | "CollectKeysExec" | "FinishSetsExec" | "LateColumnsExec" => {
            return Shown::Hidden;
        }
        name if name.starts_with("SortExec") => "Sort",
        "SortPreservingMergeExec" => "Gather Merge",
        "CoalescePartitionsExec" => "Gather",
        "RepartitionExec" => "Redistribute",
        "GlobalLimitExec" => "Limit",
        "UnionExec" => "Append",
        "WindowExec" => "WindowAgg",
        "UnfoldExec" => "ProjectSet",
        "RepeatExec" => "Repeat",
        "CountedRowsExec" => "SetOp",
        "KeptRowsExec" => "CTE Scan",
        _ => "Result",
    })
}

/// DataFusion's left side is built, which is PostgreSQL's right one.
fn hash_join(kind: JoinType) -> &'static str {
    match kind {
        JoinType::Inner => "Hash Join",
        JoinType::Right => "Hash Left Join",
        JoinType::Left => "Hash Right Join",
        JoinType::Full => "Hash Full Join",
        JoinType::RightSemi => "Hash Semi Join",
        JoinType::LeftSemi => "Hash Right Semi Join",
        JoinType::RightAnti => "Hash Anti Join",
        JoinType::LeftAnti => "Hash Right Anti Join",
        _ => "Hash Mark Join",
    }
}

fn nested_loop(kind: JoinType) -> &'static str {
    match kind {
        JoinType::Inner => "Nested Loop",
        JoinType::Right => "Nested Loop Left Join",
        JoinType::Left => "Nested Loop Right Join",
        JoinType::Full => "Nested Loop Full Join",
        JoinType::RightSemi | JoinType::LeftSemi => "Nested Loop Semi Join",
        JoinType::RightAnti | JoinType::LeftAnti => "Nested Loop Anti Join",
        _ => "Nested Loop Mark Join",
    }
}

/// Gives the rows of its input on, and counts them.
#[derive(Debug)]
struct MeasuredExec {
    input: Arc<dyn ExecutionPlan>,
    counters: Arc<Counters>,
}

impl DisplayAs for MeasuredExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MeasuredExec")
    }
}

impl ExecutionPlan for MeasuredExec {
    fn name(&self) -> &'static str {
        "MeasuredExec"
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
        Ok(Arc::new(MeasuredExec { input, counters: self.counters.clone() }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = self.input.execute(partition, context)?;
        let schema = rows.schema();
        let state = (rows, self.counters.clone(), None);
        let counted = futures::stream::unfold(state, async |(mut rows, counters, started)| {
            let started = started.unwrap_or_else(Instant::now);
            let batch = rows.next().await;
            match &batch {
                Some(Ok(batch)) => counters.count(batch, started),
                _ => {
                    counters.last_micros.fetch_max(elapsed_micros(started), Ordering::Relaxed);
                }
            }
            Some((batch?, (rows, counters, Some(started))))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, counted)))
    }
}

const _: fn(&MeasuredExec) -> &dyn Any = |rows| rows;
