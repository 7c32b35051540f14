//! The root of a plan: a query, INSERT, UPDATE, DELETE, or EXPLAIN of one of these.

use std::sync::Arc;

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_txn::RelationLock;
use nqdb_types::{Oid, Type};

use super::cost;
use super::mentions::{contains_subquery, scan_count, split_conjuncts};
use super::relation::{Wishes, is_decided_once};
use super::slots::Planner;
use super::{CurrentOf, ExecutorChoice, Plan, PlanContext};
use crate::SystemColumn;
use crate::copy::CopyTargetPlan;
use crate::exec::{
    Access, CheckConstraint, ConflictPlan, ConflictUpdate, DetailText, Eval, ExplainPlan, InsertPlan, InsertTarget,
    ModifyPlan, Operator, PlanNode, QueryPlan, Root, Slot, UpdatePlan, WithChange,
};
use crate::integrity::{Changes, Watch, relations};
use crate::ir::{
    Bound, Check, ColumnId, ConflictAction, Delete, Expr, Insert, JoinedChange, OnConflict, OutputColumn, Query,
    Returning, Update, WithBody,
};
use crate::rewrite::{RewriteContext, Statistics, optimize_statement, order_for_scans};
use crate::statement::{ExplainFormat, ExplainOptions};
use nqdb_catalog::TableDef;
use nqdb_functions::quote_identifier;

/// The row plan's cost from which on the analytical executor is asked: about 70,000 rows that are looked at.
const ANALYTICAL_COST_MIN: f64 = 1000.0;

/// How much less a row costs the analytical executor in a full scan, roughly.
const ANALYTICAL_SPEEDUP: f64 = 8.0;

/// Positions in a table and the slots of their values.
type RowSlots = Box<[(usize, Slot)]>;

/// Plans a bound statement; `params` are the types of its parameters.
pub fn plan(mut bound: Bound, params: &[Oid], cx: &PlanContext) -> SqlResult<Plan> {
    let statistics = optimize_statement(&mut bound, &RewriteContext::with_interruption(&cx.interruption));
    plan_statement(&bound, params, cx, statistics, false, false)
}

/// Plans EXPLAIN of a bound statement; `clock_micros` measures the planning.
pub fn explain(
    mut bound: Bound,
    params: &[Oid],
    options: ExplainOptions,
    cx: &PlanContext,
    clock_micros: &dyn Fn() -> i64,
) -> SqlResult<Plan> {
    let started = clock_micros();
    let statistics = optimize_statement(&mut bound, &RewriteContext::with_interruption(&cx.interruption));
    let plan = plan_statement(&bound, params, cx, statistics, true, false)?;
    let planning_micros = Some(clock_micros() - started);
    Ok(Plan {
        output: Some(Arc::from([explain_column(options)])),
        parameters: params.to_vec(),
        relations: plan.relations.clone(),
        catalog_version: plan.catalog_version,
        accesses: Vec::new(),
        locks_rows: plan.locks_rows.filter(|_| options.analyze),
        writes: plan.writes && options.analyze,
        needs_snapshot: plan.needs_snapshot,
        needs_number: plan.needs_number && options.analyze,
        reads_session: plan.reads_session && options.analyze,
        cursor: None,
        current_of: if options.analyze { plan.current_of.clone() } else { Vec::new() },
        analytical: None,
        root: Root::Explain(Box::new(ExplainPlan { plan: Arc::new(plan), options, planning_micros })),
        subplans: Vec::new(),
        changes: Vec::new(),
        with: Vec::new(),
        recursion_count: 0,
        early_with: Vec::new(),
        slot_count: 0,
        node_count: 0,
    })
}

/// The one column of EXPLAIN. There is no type for XML.
pub fn explain_column(options: ExplainOptions) -> OutputColumn {
    let ty = if options.format == ExplainFormat::Json { Type::JSON } else { Type::TEXT };
    OutputColumn { id: ColumnId(0), name: "QUERY PLAN".to_string(), ty, origin: None }
}

/// Plans what COPY FROM does with a row.
pub(crate) fn plan_copy_target(
    insert: &Insert,
    predicate: Option<&Expr>,
    cx: &PlanContext,
) -> SqlResult<CopyTargetPlan> {
    let mut planner = Planner::new(cx, false);
    let plan = planner.plan_insert(insert, predicate.is_some())?;
    let predicate = predicate.map(|predicate| planner.compile(predicate)).transpose()?;
    let slot_count = planner.slot_count();
    Ok(CopyTargetPlan {
        target: plan.target,
        predicate,
        recursion_count: planner.recursion_places.len(),
        needs_number: planner.needs_number,
        relations: planner.relations,
        subplans: planner.subplans,
        with: planner.with,
        slot_count,
    })
}

pub(super) fn plan_statement(
    bound: &Bound,
    params: &[Oid],
    cx: &PlanContext,
    statistics: Option<Statistics>,
    explains: bool,
    is_cursor: bool,
) -> SqlResult<Plan> {
    let mut planner = Planner::new(cx, explains);
    planner.statistics = statistics;
    planner.qualifies = explains && has_several_relations(bound);
    let mut changes = Vec::new();
    let (mut root, reads) = match bound {
        Bound::With { queries, body } => {
            let mut reads = false;
            for query in queries {
                planner.plan_with_queries(std::slice::from_ref(query))?;
                if let WithBody::Change(change) = &query.body {
                    let (root, change_reads) = planner.plan_root(change)?;
                    reads |= change_reads;
                    changes.push(WithChange { with: planner.with_index(query.id)?, root });
                }
            }
            let (root, body_reads) = planner.plan_root(body)?;
            (root, reads || body_reads || !planner.relations.is_empty())
        }
        bound => planner.plan_root(bound)?,
    };
    let cursor = match bound {
        Bound::Query(query) if is_cursor => Some(planner.make_cursor(query, &mut root)?),
        _ => None,
    };
    // The analytical executor does not know where its rows are.
    let tells_rows = cursor.as_ref().is_some_and(|cursor| !cursor.tables.is_empty());
    let analytical = match (bound, &root) {
        (Bound::Query(query), Root::Query(plan))
            if !tells_rows
                && !planner.relations.is_empty()
                && is_for_analysis(cx.executor, planner.whole_cost(&plan.node), planner.full_scans_cost) =>
        {
            Some(Arc::new(order_for_scans(query.clone())))
        }
        _ => None,
    };
    let writes = !changes.is_empty() || !matches!(root, Root::Query(_));
    Ok(Plan {
        output: bound.output().map(Arc::from),
        parameters: params.to_vec(),
        needs_snapshot: reads || (!writes && !planner.relations.is_empty()),
        slot_count: planner.slot_count(),
        node_count: planner.node_count(),
        needs_number: planner.needs_number,
        reads_session: planner.reads_session,
        relations: planner.relations,
        catalog_version: cx.catalog_version,
        accesses: Vec::new(),
        locks_rows: planner.locks_rows,
        writes,
        cursor,
        current_of: planner.current_of,
        analytical,
        root,
        changes,
        recursion_count: planner.recursion_places.len(),
        early_with: planner.early_with,
        subplans: planner.subplans,
        with: planner.with,
    })
}

/// Whether the analytical executor is to be asked for a query of this estimated cost. It knows full scans only: a plan that
/// reads a small part of its tables through an index beats it however large they are.
fn is_for_analysis(choice: ExecutorChoice, total_cost: f64, full_scans_cost: f64) -> bool {
    match choice {
        ExecutorChoice::Auto => total_cost > ANALYTICAL_COST_MIN.max(full_scans_cost / ANALYTICAL_SPEEDUP),
        ExecutorChoice::Row => false,
        ExecutorChoice::Analytical => true,
    }
}

/// Whether EXPLAIN must say which relation a column is of.
fn has_several_relations(bound: &Bound) -> bool {
    match bound {
        Bound::Query(query) => scan_count(&query.rel) > 1,
        Bound::Insert(insert) => scan_count(&insert.source.rel) > 0,
        Bound::Update(update) => {
            update.predicate.iter().chain(update.set.iter().map(|(_, expr)| expr)).any(contains_subquery)
        }
        Bound::Delete(delete) => delete.predicate.iter().any(contains_subquery),
        Bound::Merge(_) | Bound::With { .. } => true,
    }
}

impl Planner<'_> {
    /// What a query costs with its WITH queries and with the subqueries that run once.
    fn whole_cost(&self, node: &PlanNode) -> f64 {
        let with = self.with.iter().filter_map(|with| with.root.as_ref());
        let once = self.subplans.iter().filter(|subplan| !subplan.correlated).map(|subplan| &subplan.root);
        node.note.total_cost + with.chain(once).map(|root| root.note.total_cost).sum::<f64>()
    }

    /// What a statement does at its top, and whether it reads rows although it locks no table for reading.
    fn plan_root(&mut self, bound: &Bound) -> SqlResult<(Root, bool)> {
        Ok(match bound {
            Bound::Query(query) => (Root::Query(self.plan_root_query(query)?), false),
            Bound::Insert(insert) => {
                let root = Root::Insert(Box::new(self.plan_insert(insert, false)?));
                // What the source reads was locked so far; the target follows.
                let reads = !self.relations.is_empty() || insert.on_conflict.is_some();
                self.lock(insert.table.oid, RelationLock::RowExclusive);
                (root, reads)
            }
            Bound::Update(update) => (Root::Modify(Box::new(self.plan_update(update)?)), true),
            Bound::Delete(delete) => (Root::Modify(Box::new(self.plan_delete(delete)?)), true),
            Bound::Merge(merge) => (Root::Merge(Box::new(self.plan_merge(merge)?)), true),
            Bound::With { .. } => return Err(SqlError::internal("a WITH list inside of a statement")),
        })
    }

    /// The output columns get the first slots, so that a row can go out as a slice.
    fn plan_root_query(&mut self, query: &Query) -> SqlResult<QueryPlan> {
        for column in &query.output {
            self.define(column.id, column.ty);
        }
        let planned = self.plan_query(query, None)?;
        let slots = self.output_slots(query)?;
        let contiguous = slots.iter().enumerate().all(|(position, slot)| position == *slot);
        Ok(QueryPlan { node: planned.node, slots, contiguous })
    }

    fn output_slots(&self, query: &Query) -> SqlResult<Box<[Slot]>> {
        query.output.iter().map(|column| self.slot(column.id)).collect()
    }

    /// `has_predicate`: a condition over the new row follows.
    pub(crate) fn plan_insert(&mut self, insert: &Insert, has_predicate: bool) -> SqlResult<InsertPlan> {
        let source = self.plan_query(&insert.source, None)?;
        let source_slots = self.output_slots(&insert.source)?;
        let (system, row): (Vec<_>, Vec<_>) =
            insert.row.iter().copied().partition(|(at, _)| SystemColumn::at(*at).is_some());
        let system_slots = self.define_row(&insert.table, &system, &insert.table.name);
        let row_slots = self.define_row(&insert.table, &row, &insert.table.name);
        let defaults = self.compile_assignments(&insert.defaults)?;
        let generated = self.compile_assignments(&insert.generated)?;
        let checks = self.compile_checks(&insert.checks)?;
        let on_conflict = match &insert.on_conflict {
            Some(on_conflict) => Some(self.plan_conflict(&insert.table, on_conflict)?),
            None => None,
        };
        let returning = self.compile_returning(insert.returning.as_ref())?;
        let is_read = has_predicate
            || on_conflict.is_some()
            || returning.is_some()
            || !(generated.is_empty() && checks.is_empty());
        let updated = on_conflict.iter().flat_map(|conflict| conflict.update.as_ref()).flat_map(|update| &update.set);
        let updated: Vec<usize> = updated.chain(&generated).map(|(position, _)| *position).collect();
        let watch = self.watch(&insert.table, Changes { inserts: true, updates: &updated, deletes: false });
        let target = InsertTarget {
            table: insert.table.clone(),
            positions: insert.targets.clone().into(),
            defaults,
            row_slots: if is_read { row_slots } else { Box::default() },
            system_slots,
            generated,
            checks,
            watch,
            on_conflict,
        };
        Ok(InsertPlan { source: source.node, source_slots, target, returning })
    }

    /// What is to be watched when the rows of a table change. The tables that this leads to are locked with the table.
    pub fn watch(&mut self, table: &Arc<TableDef>, changes: Changes<'_>) -> Option<Arc<Watch>> {
        let watch = Watch::of(table, changes)?;
        if let Some(catalog) = self.cx.catalog.clone() {
            relations(&watch, &catalog).into_iter().for_each(|(table, mode)| self.lock(table, mode));
        }
        Some(watch)
    }

    fn plan_conflict(&mut self, table: &Arc<TableDef>, on_conflict: &OnConflict) -> SqlResult<ConflictPlan> {
        let arbiters = on_conflict.arbiters.iter().map(|index| table.indexes[*index].position).collect();
        let update = match &on_conflict.action {
            ConflictAction::Nothing => None,
            ConflictAction::Update { existing, set, predicate } => Some(ConflictUpdate {
                existing: self.define_row(table, existing, &table.name),
                set: self.compile_assignments(set)?,
                predicate: predicate.as_ref().map(|predicate| self.compile(predicate)).transpose()?,
            }),
        };
        Ok(ConflictPlan { arbiters, update })
    }

    fn plan_update(&mut self, update: &Update) -> SqlResult<ModifyPlan> {
        let (source, old, recheck) = match &update.from {
            Some(from) => self.plan_joined_target(&update.table, from, &update.old, update.predicate.as_ref())?,
            None => match &update.current_of {
                Some(cursor) => self.plan_current(&update.table, &update.alias, &update.old, cursor)?,
                None => self.plan_target(&update.table, &update.alias, &update.old, update.predicate.as_ref())?,
            },
        };
        let address = update.from.as_ref().map(|from| self.slot(from.address)).transpose()?;
        let set = self.compile_assignments(&update.set)?;
        let (system, row): (Vec<_>, Vec<_>) =
            update.row.iter().copied().partition(|(at, _)| SystemColumn::at(*at).is_some());
        let system_slots = self.define_row(&update.table, &system, &update.alias);
        let row_slots = self.define_row(&update.table, &row, &update.alias);
        let generated = self.compile_assignments(&update.generated)?;
        let checks = self.compile_checks(&update.checks)?;
        let returning = self.compile_returning(update.returning.as_ref())?;
        let is_read = returning.is_some() || !(generated.is_empty() && checks.is_empty());
        let row_slots = if is_read { row_slots } else { Box::default() };
        let updated: Vec<usize> = set.iter().chain(&generated).map(|(position, _)| *position).collect();
        let watch = self.watch(&update.table, Changes { updates: &updated, ..Changes::default() });
        let changes = Some(UpdatePlan { set, row_slots, system_slots, generated, checks });
        Ok(ModifyPlan { source, address, table: update.table.clone(), old, recheck, update: changes, returning, watch })
    }

    fn plan_delete(&mut self, delete: &Delete) -> SqlResult<ModifyPlan> {
        let (source, old, recheck) = match &delete.using {
            Some(using) => self.plan_joined_target(&delete.table, using, &delete.old, delete.predicate.as_ref())?,
            None => match &delete.current_of {
                Some(cursor) => self.plan_current(&delete.table, &delete.alias, &delete.old, cursor)?,
                None => self.plan_target(&delete.table, &delete.alias, &delete.old, delete.predicate.as_ref())?,
            },
        };
        let address = delete.using.as_ref().map(|using| self.slot(using.address)).transpose()?;
        let returning = self.compile_returning(delete.returning.as_ref())?;
        let watch = self.watch(&delete.table, Changes { deletes: true, ..Changes::default() });
        Ok(ModifyPlan { source, address, table: delete.table.clone(), old, recheck, update: None, returning, watch })
    }

    /// The scan that finds the rows to change, the slots of their columns, and the condition for newer versions.
    fn plan_target(
        &mut self,
        table: &Arc<TableDef>,
        alias: &str,
        old: &[(usize, ColumnId)],
        predicate: Option<&Expr>,
    ) -> SqlResult<(PlanNode, RowSlots, Option<Eval>)> {
        let mut conditions = Vec::new();
        if let Some(predicate) = predicate {
            split_conjuncts(predicate, &mut conditions);
        }
        let (once, of_rows): (Vec<Expr>, Vec<Expr>) = conditions.iter().cloned().partition(is_decided_once);
        let full_scans_cost = self.full_scans_cost;
        let planned = self.plan_scan(table, alias, old, &of_rows, Wishes::default(), true)?;
        let planned = self.gated(planned, &once, full_scans_cost)?;
        let slots = old.iter().map(|(position, id)| Ok((*position, self.slot(*id)?))).collect::<SqlResult<_>>()?;
        let recheck = self.compile_conjunction(&conditions)?;
        Ok((planned.node, slots, recheck))
    }

    /// As [`Planner::plan_target`], for the row that a cursor stands on.
    fn plan_current(
        &mut self,
        table: &Arc<TableDef>,
        alias: &str,
        old: &[(usize, ColumnId)],
        cursor: &str,
    ) -> SqlResult<(PlanNode, RowSlots, Option<Eval>)> {
        let mut planned = self.plan_scan(table, alias, old, &[], Wishes::default(), true)?;
        if let Operator::Scan(scan) = &mut planned.node.operator {
            scan.access = Access::CurrentOf(self.current_of.len());
        }
        planned.node.note.rows = 1.0;
        planned.node.note.total_cost = cost::DESCENT;
        let condition = DetailText::One(format!("CURRENT OF {}", quote_identifier(cursor)));
        planned.node.note.details.push(("TID Cond", condition));
        let (cursor, table_name) = (cursor.to_owned(), table.name.clone());
        self.current_of.push(CurrentOf { cursor, table: table.oid, table_name });
        let slots = old.iter().map(|(position, id)| Ok((*position, self.slot(*id)?))).collect::<SqlResult<_>>()?;
        Ok((planned.node, slots, None))
    }

    /// As [`Planner::plan_target`], where the rows to change are joined with others, by a relation that the rewrite has put
    /// the predicate into. The newest version of a row is tested
    /// beside the same rows of the other tables.
    fn plan_joined_target(
        &mut self,
        table: &Arc<TableDef>,
        joined: &JoinedChange,
        old: &[(usize, ColumnId)],
        predicate: Option<&Expr>,
    ) -> SqlResult<(PlanNode, RowSlots, Option<Eval>)> {
        let mut conditions = Vec::new();
        if let Some(predicate) = predicate {
            split_conjuncts(predicate, &mut conditions);
        }
        let planned = self.plan_rel(&joined.rel, Vec::new(), Wishes::default())?;
        self.lock(table.oid, RelationLock::RowExclusive);
        let slots = old.iter().map(|(position, id)| Ok((*position, self.slot(*id)?))).collect::<SqlResult<_>>()?;
        let recheck = self.compile_conjunction(&conditions)?;
        Ok((planned.node, slots, recheck))
    }

    /// Slots for the columns of a row of a table.
    pub fn define_row(&mut self, table: &TableDef, row: &[(usize, ColumnId)], alias: &str) -> Box<[(usize, Slot)]> {
        row.iter().map(|(position, id)| (*position, self.define_of_table(table, alias, *position, *id))).collect()
    }

    pub fn compile_assignments(&mut self, assignments: &[(usize, Expr)]) -> SqlResult<Box<[(usize, Eval)]>> {
        assignments.iter().map(|(position, value)| Ok((*position, self.compile(value)?))).collect()
    }

    pub fn compile_checks(&mut self, checks: &[Check]) -> SqlResult<Box<[CheckConstraint]>> {
        checks
            .iter()
            .map(|check| {
                let predicate = self.compile(&check.predicate)?;
                Ok(CheckConstraint { name: check.name.clone(), predicate, of_view: check.of_view })
            })
            .collect()
    }

    fn compile_returning(&mut self, returning: Option<&Returning>) -> SqlResult<Option<Box<[Eval]>>> {
        returning.map(|returning| self.compile_all(returning.columns.iter().map(|(_, expr)| expr))).transpose()
    }
}
