//! Orders, and the first rows of one.

use std::sync::Arc;

use arrow::compute::SortOptions;
use datafusion_physical_expr_common::sort_expr::{LexOrdering, PhysicalSortExpr};
use datafusion_physical_plan::sorts::sort::SortExec;
use datafusion_physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion_physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use nqdb_sql::ir::{Rel, SortKey};
use nqdb_sql::plan::Columns as ColumnSet;

use super::relation::Window;
use super::{Lowered, Lowering, Sources};
use crate::expression::Expression;
use crate::failure::Outcome;

/// First rows of an order that are kept in memory while the others pass.
const KEPT_ROWS_MAX: usize = 2048;

impl Lowering<'_> {
    /// Each stream is sorted, then they are merged.
    pub(super) fn sort(&self, input: &Rel, keys: &[SortKey], window: Window, needed: &ColumnSet) -> Outcome<Lowered> {
        let mut inner = needed.clone();
        inner.extend(keys.iter().map(|key| key.column));
        let input = self.relation(input, &inner)?;
        let Some(ordering) = self.ordering(&input, keys)?.filter(|_| window.reach() != Some(0)) else {
            // No keys; or no rows are wanted, which a sort does not take.
            return Ok(input);
        };
        let sort = SortExec::new(ordering.clone(), input.plan).with_preserve_partitioning(true);
        // Kept rows keep the batches that they came in, and that cannot go to files: many are sorted with all others.
        let kept = window.reach().filter(|reach| *reach <= KEPT_ROWS_MAX);
        let plan = merged(ordering, Arc::new(sort.with_fetch(kept)), window.reach());
        // The first rows of an order depend on all.
        let sources = if window.reach().is_none() { input.sources } else { Sources::default() };
        Ok(Lowered { plan, columns: input.columns, sources })
    }

    /// The order of these keys over a relation; none without keys.
    pub(super) fn ordering(&self, input: &Lowered, keys: &[SortKey]) -> Outcome<Option<LexOrdering>> {
        let schema = input.schema();
        let mut ordering = Vec::with_capacity(keys.len());
        for key in keys {
            let (index, shape) = input.columns.get(key.column).ok_or(super::OUTER_COLUMN)?;
            let expression = self.compiler(&input.columns).key(Expression::column(index, shape));
            let options = SortOptions { descending: key.descending, nulls_first: key.nulls_first };
            ordering.push(PhysicalSortExpr { expr: self.physical(expression, &schema), options });
        }
        Ok(LexOrdering::new(ordering))
    }
}

/// Sorted streams as one.
pub(super) fn merged(
    ordering: LexOrdering,
    plan: Arc<dyn ExecutionPlan>,
    fetch: Option<usize>,
) -> Arc<dyn ExecutionPlan> {
    if plan.output_partitioning().partition_count() == 1 {
        return plan;
    }
    Arc::new(SortPreservingMergeExec::new(ordering, plan).with_fetch(fetch))
}
