//! Orders, and the first rows of one.

use std::sync::Arc;

use arrow::compute::SortOptions;
use datafusion_physical_expr_common::sort_expr::{LexOrdering, PhysicalSortExpr};
use datafusion_physical_plan::sorts::sort::SortExec;
use datafusion_physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion_physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use nqdb_sql::ir::{ColumnId, Expr, Rel, SortKey};
use nqdb_sql::plan::{Columns as ColumnSet, mentioned, split_conjuncts};
use nqdb_sqlstate::SqlError;
use nqdb_types::holds_records;

use super::relation::{Scanned, Window};
use super::{Lowered, Lowering, Sources};
use crate::expression::Expression;
use crate::failure::{Failure, Outcome};
use crate::late_columns::LateColumns;
use crate::map_rows::MapExec;

/// Rows of a table for each that is wanted, from which on it is worth to look the wanted ones up.
const ROWS_PER_LOOKUP: u64 = 64;

/// First rows of an order that are kept in memory while the others pass.
const KEPT_ROWS_MAX: usize = 2048;

/// An order over a table of which few rows are wanted, with columns that have no part in finding them.
struct Late<'r> {
    scanned: Scanned<'r>,
    conditions: Vec<Expr>,
    early: ColumnSet,
    /// The others that are wanted: positions in the table and what they are called.
    columns: Vec<(usize, ColumnId)>,
}

impl<'r> Late<'r> {
    fn of(mut input: &'r Rel, keys: &[SortKey], window: Window, needed: &ColumnSet) -> Option<Late<'r>> {
        let reach = window.reach().filter(|reach| (1..=KEPT_ROWS_MAX).contains(reach))?;
        let mut conditions = Vec::new();
        while let Rel::Filter { input: below, predicate } = input {
            let mut inner = Vec::new();
            split_conjuncts(predicate, &mut inner);
            inner.append(&mut conditions);
            conditions = inner;
            input = below;
        }
        let scanned = Scanned::of(input)?;
        if keys.is_empty() || scanned.table.store.estimated_rows() / ROWS_PER_LOOKUP < reach as u64 {
            return None;
        }
        let mut early: ColumnSet = keys.iter().map(|key| key.column).collect();
        conditions.iter().for_each(|condition| early.extend(mentioned(condition)));
        let is_late = |(_, id): &&(usize, ColumnId)| needed.contains(id) && !early.contains(id);
        let columns: Vec<(usize, ColumnId)> = scanned.columns.iter().filter(is_late).copied().collect();
        early.retain(|id| needed.contains(id) || keys.iter().any(|key| key.column == *id));
        (!columns.is_empty()).then_some(Late { scanned, conditions, early, columns })
    }
}

impl Lowering<'_> {
    /// Each stream is sorted, then they are merged.
    pub(super) fn sort(&self, input: &Rel, keys: &[SortKey], window: Window, needed: &ColumnSet) -> Outcome<Lowered> {
        if let Some(late) = Late::of(input, keys, window, needed) {
            return self.sort_early(&late, keys, window);
        }
        let mut inner = needed.clone();
        inner.extend(keys.iter().map(|key| key.column));
        let input = self.relation(input, &inner)?;
        self.sorted(input, keys, window)
    }

    /// Finds the rows that are wanted before it reads the columns that this takes no part of.
    fn sort_early(&self, late: &Late<'_>, keys: &[SortKey], window: Window) -> Outcome<Lowered> {
        let found = self.scan_with(late.scanned, &late.conditions, &late.early, true)?;
        let id_index = found.width() - 1;
        let Lowered { plan, mut columns, sources } = self.sorted(found, keys, window)?;
        let mut types = Vec::with_capacity(late.columns.len());
        for (position, _) in &late.columns {
            let missing = || SqlError::internal("a scan reads a column that its table does not have");
            types.push((*position, late.scanned.table.columns.get(*position).ok_or_else(missing)?.ty));
        }
        if types.iter().any(|(_, ty)| holds_records(ty.oid)) {
            return Err(Failure::Declined("a column of composite values"));
        }
        let (table, view) = (late.scanned.table.store.clone(), self.view.clone());
        let schema = plan.schema();
        let work = LateColumns::new(&schema, id_index, &types, (table, view), self.constants.cx.clone());
        for (number, (_, id)) in late.columns.iter().enumerate() {
            if let Some(shape) = work.shape(number) {
                columns.insert(*id, schema.fields().len() + number, shape);
            }
        }
        Ok(Lowered { plan: Arc::new(MapExec::new(plan, Arc::new(work))), columns, sources })
    }

    fn sorted(&self, input: Lowered, keys: &[SortKey], window: Window) -> Outcome<Lowered> {
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
