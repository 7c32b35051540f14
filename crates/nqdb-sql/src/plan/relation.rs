//! The operators of a relation: where conditions go, how tables are scanned, in which order rows come.

use std::sync::Arc;

use nqdb_catalog::TableDef;
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_txn::RelationLock;
use nqdb_types::{Oid, Type};

use super::access::{IndexChoice, ScanTarget};
use super::cost;
use super::mentions::{
    Columns, contains_subquery, function_columns, is_volatile, mentioned, split_conjuncts, substitute, visible,
};
use super::order::{rely_on_order, starts_with};
use super::pattern;
use super::slots::{Estimate, Planner};
use crate::SystemColumn;
use crate::exec::{
    Access, Bounds, Distinct, Extend, Filter, FunctionScan, FunctionSource, Gate, Limit, NestedLoop, Operator,
    PlanNode, Scan, SetOperation, Sort, SortColumn, SourceColumns, Values,
};
use crate::ir::{ColumnId, Expr, ExprKind, Query, Rel, SetKind, SortKey, TableCall, TableFunction};

/// Rows that a LIMIT is taken to ask for when it is not a constant.
const LIMIT_ROWS_GUESS: f64 = 10.0;
/// Rows of a function in FROM, as in PostgreSQL.
const FUNCTION_ROWS: f64 = 1000.0;

/// A planned relation.
pub(crate) struct Planned {
    pub node: PlanNode,
    pub estimate: Estimate,
    /// It comes in the wanted order.
    pub ordered: bool,
}

/// What the relation above would like.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wishes<'w> {
    /// The order, if any.
    pub order: &'w [SortKey],
    /// Columns that are made above of the columns of a single table, and that the order may name.
    pub computed: &'w [(ColumnId, Expr)],
    /// Only so many rows will be asked for.
    pub rows: Option<f64>,
}

impl Planner<'_> {
    /// Plans a query; `rows`: how many of its rows are asked for.
    pub fn plan_query(&mut self, query: &Query, rows: Option<f64>) -> SqlResult<Planned> {
        let planned = self.plan_rel(&query.rel, Vec::new(), Wishes { order: &[], computed: &[], rows })?;
        Ok(planned)
    }

    /// Plans a relation under some conditions, all of which it applies.
    pub fn plan_rel(&mut self, rel: &Rel, mut conditions: Vec<Expr>, wishes: Wishes<'_>) -> SqlResult<Planned> {
        self.cx.interruption.check()?;
        match rel {
            Rel::OneRow => {
                let estimate = Estimate { rows: 1.0, startup_cost: 0.0, total_cost: 0.01 };
                let node = self.node(Operator::OneRow, estimate);
                self.filtered(Planned { node, estimate, ordered: true }, &conditions)
            }
            Rel::Scan { table, alias, columns, address, sample, .. } => {
                let mut planned = match sample {
                    Some(sample) => self.plan_sample_scan(table, alias, columns, sample, &conditions)?,
                    None => self.plan_scan(table, alias, columns, &conditions, wishes, false)?,
                };
                if let Some(address) = address {
                    let slot = self.define(*address, Type::BYTEA);
                    set_address(&mut planned.node, slot);
                }
                Ok(planned)
            }
            Rel::LockRows { .. } => self.plan_lock_rows(rel, &conditions, wishes),
            Rel::SystemScan { .. } => self.plan_system_scan(rel, &conditions),
            Rel::Values { columns, rows } => self.plan_values(columns, rows, &conditions),
            Rel::FunctionScan { functions, ordinality } => self.plan_function_scan(functions, *ordinality, &conditions),
            Rel::ProjectSet { input, functions } => self.plan_project_set(input, functions, conditions, wishes),
            Rel::Join { .. } => self.plan_join(rel, conditions, wishes),
            Rel::Filter { input, predicate } => {
                let mut own = Vec::new();
                split_conjuncts(predicate, &mut own);
                let (once, own): (Vec<Expr>, Vec<Expr>) = own.into_iter().partition(is_decided_once);
                let (stay, go): (Vec<Expr>, Vec<Expr>) = own.into_iter().partition(is_volatile);
                // Conditions of this level come first, as they are written.
                let above = std::mem::replace(&mut conditions, go);
                conditions.extend(above);
                // The cheap ones first: what they refuse does not reach the others, nor their errors.
                conditions.sort_by(|one, other| cost::evaluation(one).total_cmp(&cost::evaluation(other)));
                let full_scans_cost = self.full_scans_cost;
                let planned = self.plan_rel(input, conditions, wishes)?;
                let planned = self.filtered(planned, &stay)?;
                self.gated(planned, &once, full_scans_cost)
            }
            Rel::Extend { input, columns } => self.plan_extend(input, columns, conditions, wishes),
            Rel::Aggregate { .. } => self.plan_aggregate(rel, conditions),
            Rel::Window { .. } => self.plan_window(rel, conditions, wishes),
            Rel::Sort { input, keys } => self.plan_sort(input, keys, conditions, wishes),
            Rel::Distinct { input, on } => self.plan_distinct(input, on, conditions, wishes),
            Rel::Limit { .. } => self.plan_limit(rel, &conditions, wishes),
            Rel::With { queries, input } => self.plan_with(queries, input, conditions, wishes),
            Rel::WithScan { id, name, columns } => self.plan_with_scan(*id, name, columns, &conditions),
            Rel::WorkTable { id, name, columns } => self.plan_work_table(*id, name, columns, &conditions),
            Rel::Recursion { .. } => self.plan_recursion(rel, &conditions),
            Rel::SetOperation { kind, all, left, right, columns } => {
                self.plan_set_operation(*kind, *all, left, right, columns, &conditions)
            }
        }
    }

    /// Puts conditions that are decided once above a plan; `full_scans_cost` is what was there before it.
    pub fn gated(&mut self, input: Planned, once: &[Expr], full_scans_cost: f64) -> SqlResult<Planned> {
        let Some(predicate) = self.compile_conjunction(once)? else { return Ok(input) };
        let is_shut = once.iter().any(is_false);
        let mut estimate = input.estimate;
        if is_shut {
            estimate = Estimate { rows: 0.0, startup_cost: 0.0, total_cost: 0.0 };
            self.full_scans_cost = full_scans_cost;
        }
        let gate = Gate { input: Box::new(input.node), predicate, is_shut };
        let mut node = self.node(Operator::Gate(gate), estimate);
        if is_shut {
            self.note_text(&mut node, "One-Time Filter", "false");
        } else {
            self.note_conditions(&mut node, "One-Time Filter", once);
        }
        Ok(Planned { node, estimate, ordered: input.ordered || is_shut })
    }

    /// Puts conditions above a plan.
    pub fn filtered(&mut self, input: Planned, conditions: &[Expr]) -> SqlResult<Planned> {
        let Some(predicate) = self.compile_conjunction(conditions)? else { return Ok(input) };
        let mut estimate = input.estimate;
        estimate.total_cost += estimate.rows * cost::OPERATOR * conditions.len() as f64;
        estimate.rows *= self.selectivity(conditions.iter());
        let filter = Filter { input: Box::new(input.node), predicate };
        let mut node = self.node(Operator::Filter(filter), estimate);
        self.note_conditions(&mut node, "Filter", conditions);
        Ok(Planned { node, estimate, ordered: input.ordered })
    }

    /// A scan by the cheapest way; with `is_target` the rows' addresses are wanted.
    pub fn plan_scan(
        &mut self,
        table: &Arc<TableDef>,
        alias: &str,
        columns: &[(usize, ColumnId)],
        conditions: &[Expr],
        wishes: Wishes<'_>,
        is_target: bool,
    ) -> SqlResult<Planned> {
        self.lock(table.oid, if is_target { RelationLock::RowExclusive } else { RelationLock::AccessShare });
        let slots: Box<[(usize, usize)]> = columns
            .iter()
            .map(|(position, id)| (*position, self.define_of_table(table, alias, *position, *id)))
            .collect();
        let rows = cost::table_rows(table.store.estimated_rows());
        let conditions = ScanConditions::of(conditions);
        let known_ranges = &conditions.known_ranges;
        let target = ScanTarget { table, columns, rows, computed: wishes.computed, known_ranges };
        self.full_scans_cost += cost::full_scan(target.rows, target.rows, 0).total_cost;
        let choice = self.cheapest(&target, &conditions, wishes);
        let rows = self.target_rows(&target, &conditions, choice.as_ref());
        // A range of rows is better than the whole table; rows by name are better than anything but a unique key.
        let by_row = self.row_access(&target, conditions.own())?.filter(|rows| match &choice {
            None => true,
            Some(index) => rows.names_rows() && !index.is_point,
        });
        let choice = choice.filter(|_| by_row.is_none());
        let rest: Vec<Expr> = conditions.left(choice.as_ref()).cloned().collect();
        let (access, served, ordered, estimate) = match (by_row, &choice) {
            (Some(by_row), _) => {
                let estimate = cost::index_scan(by_row.row_count(target.rows), rows, 1.0, rest.len());
                (Access::Rows(Box::new(by_row)), &[][..], false, estimate)
            }
            (None, Some(choice)) => {
                let access = Access::Index(Box::new(choice.compile(table, self)?));
                let read = target.rows * choice.selectivity;
                let estimate = cost::index_scan(read, rows, choice.probes, rest.len());
                (access, choice.served.as_slice(), choice.ordered.is_some(), estimate)
            }
            (None, None) => (Access::Sequential, &[][..], false, self.full_scan_cost(&target, rows, rest.len())),
        };
        let filter = self.compile_conjunction(&rest)?;
        let whole_filter = match &access {
            Access::Index(_) => self.compile_conjunction(conditions.own())?,
            Access::Sequential | Access::Rows(_) | Access::CurrentOf(_) => None,
        };
        let scan = Scan {
            table: table.clone(),
            columns: slots,
            access,
            filter,
            whole_filter,
            is_target,
            address: None,
            sample: None,
        };
        let mut node = self.node(Operator::Scan(Box::new(scan)), estimate);
        self.note_scan(&mut node, table, alias);
        let served: Vec<Expr> = served.iter().filter_map(|position| conditions.all.get(*position).cloned()).collect();
        self.note_conditions(&mut node, "Index Cond", &served);
        self.note_conditions(&mut node, "Filter", &rest);
        Ok(Planned { node, estimate, ordered: ordered || wishes.order.is_empty() })
    }

    /// Rows that a scan gives out.
    fn target_rows(
        &self,
        target: &ScanTarget<'_>,
        conditions: &ScanConditions,
        choice: Option<&IndexChoice<'_>>,
    ) -> f64 {
        let left = self.selectivity(conditions.left(choice));
        let selectivity = (left / conditions.counted_twice(choice)).min(1.0);
        (target.rows * choice.map_or(1.0, |choice| choice.selectivity) * selectivity).max(1.0)
    }

    /// The slot of a column of a table, or of a system column.
    pub fn define_of_table(&mut self, table: &TableDef, alias: &str, position: usize, id: ColumnId) -> usize {
        if let Some(system) = SystemColumn::at(position) {
            self.name(id, Some(alias), system.name());
            return self.define(id, system.ty());
        }
        let column = &table.columns[position];
        self.name(id, Some(alias), &column.name);
        self.define(id, column.ty)
    }

    fn full_scan_cost(&self, target: &ScanTarget<'_>, rows: f64, conditions: usize) -> Estimate {
        let mut estimate = cost::full_scan(target.rows, rows, conditions);
        if !self.cx.enable_seqscan {
            estimate.startup_cost += cost::DISABLED;
            estimate.total_cost += cost::DISABLED;
        }
        estimate
    }

    /// The index to scan, or none for the whole table.
    fn cheapest<'e>(
        &self,
        target: &ScanTarget<'_>,
        conditions: &'e ScanConditions,
        wishes: Wishes<'_>,
    ) -> Option<IndexChoice<'e>> {
        if !self.cx.enable_indexscan {
            return None;
        }
        let price = |estimate: Estimate, ordered: bool| {
            if ordered || wishes.order.is_empty() {
                cost::cost_of_first(estimate, wishes.rows)
            } else {
                cost::sort(estimate, wishes.rows).total_cost
            }
        };
        let rows = self.target_rows(target, conditions, None);
        let full = price(self.full_scan_cost(target, rows, conditions.own().len()), false);
        target
            .choices(&conditions.all, wishes.order, &|conditions| self.selectivity(conditions.iter()))
            .into_iter()
            .map(|choice| {
                let rows = self.target_rows(target, conditions, Some(&choice));
                let read = target.rows * choice.selectivity;
                let left = conditions.left(Some(&choice)).count();
                let estimate = cost::index_scan(read, rows, choice.probes, left);
                (price(estimate, choice.ordered.is_some()), choice)
            })
            .filter(|(price, _)| *price < full)
            .min_by(|(left, _), (right, _)| left.total_cmp(right))
            .map(|(_, choice)| choice)
    }

    fn plan_values(
        &mut self,
        columns: &[(ColumnId, Type)],
        rows: &[Vec<Expr>],
        conditions: &[Expr],
    ) -> SqlResult<Planned> {
        let rows = rows.iter().map(|row| self.compile_all(row)).collect::<SqlResult<Box<_>>>()?;
        let slots = columns.iter().map(|(id, ty)| self.define(*id, *ty)).collect();
        for (number, (id, _)) in columns.iter().enumerate() {
            self.name(*id, Some("*VALUES*"), &format!("column{}", number + 1));
        }
        let count = rows.len() as f64;
        let estimate = Estimate { rows: count, startup_cost: 0.0, total_cost: 0.0125 * count };
        let node = self.node(Operator::Values(Values { slots, rows }), estimate);
        self.filtered(Planned { node, estimate, ordered: false }, conditions)
    }

    fn plan_function_scan(
        &mut self,
        functions: &[TableFunction],
        ordinality: Option<ColumnId>,
        conditions: &[Expr],
    ) -> SqlResult<Planned> {
        let mut rows: f64 = 1.0;
        let mut sources = Vec::with_capacity(functions.len());
        for function in functions {
            let source = match &function.call {
                TableCall::Value(value) => FunctionSource::Value(self.compile(value)?),
                TableCall::Rows { function: called, args } => {
                    if called.set_returning {
                        rows = FUNCTION_ROWS;
                    }
                    FunctionSource::Rows {
                        function: called,
                        arg_types: args.iter().map(|arg| arg.ty).collect(),
                        args: self.compile_all(args)?,
                        columns: function.columns.iter().map(|column| (column.name.clone(), column.ty)).collect(),
                    }
                }
            };
            let slots = function
                .columns
                .iter()
                .map(|column| {
                    self.name(column.id, None, &column.name);
                    self.define(column.id, column.ty)
                })
                .collect();
            let types = function.columns.iter().map(|column| column.ty).collect();
            sources.push(SourceColumns { source, form: function.form, slots, types });
        }
        let ordinality = ordinality.map(|id| self.define(id, Type::INT8));
        let estimate = Estimate { rows, startup_cost: 0.0, total_cost: 0.01 * rows };
        let node = self.node(Operator::FunctionScan(FunctionScan { sources: sources.into(), ordinality }), estimate);
        self.filtered(Planned { node, estimate, ordered: false }, conditions)
    }

    /// The calls of a select list: a loop over their rows for each row of the input.
    fn plan_project_set(
        &mut self,
        input: &Rel,
        functions: &[TableFunction],
        conditions: Vec<Expr>,
        wishes: Wishes<'_>,
    ) -> SqlResult<Planned> {
        let defined: Columns = function_columns(functions).collect();
        let (below, above) = push_down(conditions, &[], &defined);
        let keeps_order = wishes.order.iter().all(|key| !defined.contains(&key.column));
        let order = if keeps_order { wishes.order } else { &[] };
        let input = self.plan_rel(input, below, Wishes { order, computed: &[], rows: None })?;
        let sets = self.plan_function_scan(functions, None, &[])?;
        let estimate = Estimate {
            rows: input.estimate.rows * sets.estimate.rows,
            startup_cost: input.estimate.startup_cost,
            total_cost: input.estimate.total_cost + input.estimate.rows * sets.estimate.total_cost,
        };
        let ordered = wishes.order.is_empty() || (keeps_order && input.ordered);
        let join = NestedLoop { left: input.node, right: sets.node, on: None, null_slots: None, half: None };
        let node = self.node(Operator::NestedLoop(Box::new(join)), estimate);
        self.filtered(Planned { node, estimate, ordered }, &above)
    }

    fn plan_extend(
        &mut self,
        input: &Rel,
        columns: &[(ColumnId, Expr)],
        conditions: Vec<Expr>,
        wishes: Wishes<'_>,
    ) -> SqlResult<Planned> {
        let defined: Columns = columns.iter().map(|(id, _)| *id).collect();
        let copies = plain_copies(columns);
        let (below, above) = push_down(conditions, &copies, &defined);
        // An index over an expression has rows in the order of a column that is computed here.
        let (computed, computed_here) = match reads_one_table(input) {
            true => (columns, Columns::default()),
            false => (&[][..], defined.clone()),
        };
        let order = copied_order(wishes.order, &copies, &computed_here);
        let wishes_below =
            Wishes { order: order.as_deref().unwrap_or(&[]), computed, rows: wishes.rows.filter(|_| above.is_empty()) };
        let input = self.plan_rel(input, below, wishes_below)?;
        let ordered = wishes.order.is_empty() || (order.is_some() && input.ordered);
        let mut values = Vec::with_capacity(columns.len());
        for (id, expr) in columns {
            let value = self.compile(expr)?;
            self.name_as(*id, expr);
            values.push((self.define(*id, expr.ty), value));
        }
        let mut estimate = input.estimate;
        estimate.total_cost += estimate.rows * cost::OPERATOR * columns.len() as f64;
        let extend = Extend { input: Box::new(input.node), columns: values.into() };
        let node = self.node(Operator::Extend(extend), estimate);
        self.filtered(Planned { node, estimate, ordered }, &above)
    }

    pub fn plan_sort(
        &mut self,
        input: &Rel,
        keys: &[SortKey],
        conditions: Vec<Expr>,
        wishes: Wishes<'_>,
    ) -> SqlResult<Planned> {
        let planned = self.plan_rel(input, conditions, Wishes { order: keys, computed: &[], rows: wishes.rows })?;
        if planned.ordered && !keys.is_empty() {
            let mut planned = planned;
            rely_on_order(&mut planned.node);
            return Ok(Planned { ordered: starts_with(keys, wishes.order), ..planned });
        }
        let mut estimate = cost::sort(planned.estimate, wishes.rows);
        if !self.cx.enable_sort {
            estimate.startup_cost += cost::DISABLED;
            estimate.total_cost += cost::DISABLED;
        }
        let mut ids = Vec::new();
        visible(input, &mut ids);
        ids.sort_unstable();
        ids.dedup();
        let slots = self.slots(&ids)?;
        let columns = keys
            .iter()
            .map(|key| {
                let position = ids.binary_search(&key.column);
                let position = position.map_err(|_| SqlError::internal("a sort key is not a column of its input"))?;
                Ok(SortColumn {
                    position,
                    type_oid: key.ty.oid,
                    descending: key.descending,
                    nulls_first: key.nulls_first,
                })
            })
            .collect::<SqlResult<Box<_>>>()?;
        let sort = Sort { input: planned.node, slots, keys: columns, bounds: None };
        let mut node = self.node(Operator::Sort(Box::new(sort)), estimate);
        self.note_sort_keys(&mut node, keys);
        Ok(Planned { node, estimate, ordered: starts_with(keys, wishes.order) })
    }

    fn plan_distinct(
        &mut self,
        input: &Rel,
        on: &[ColumnId],
        conditions: Vec<Expr>,
        wishes: Wishes<'_>,
    ) -> SqlResult<Planned> {
        let keys: Columns = on.iter().copied().collect();
        let mut inside = Vec::new();
        visible(input, &mut inside);
        // Only what all rows of a combination share may be tested before one of them is chosen.
        let (below, above): (Vec<Expr>, Vec<Expr>) = conditions.into_iter().partition(|condition| {
            mentioned(condition).iter().all(|column| keys.contains(column) || !inside.contains(column))
        });
        let planned = self.plan_rel(input, below, Wishes { order: wishes.order, computed: &[], rows: None })?;
        let ordered = planned.ordered;
        let types = on.iter().map(|id| Ok(self.column(*id)?.1.oid)).collect::<SqlResult<Box<[Oid]>>>()?;
        let mut estimate = planned.estimate;
        estimate.total_cost += estimate.rows * cost::OPERATOR * on.len() as f64;
        estimate.rows = (estimate.rows / 2.0).max(1.0);
        let others = inside.iter().copied().filter(|column| !keys.contains(column));
        let columns: Vec<ColumnId> = on.iter().copied().chain(others).collect();
        let distinct = Distinct { input: Box::new(planned.node), slots: self.slots(&columns)?, types };
        let node = self.node(Operator::Distinct(distinct), estimate);
        self.filtered(Planned { node, estimate, ordered }, &above)
    }

    fn plan_limit(&mut self, rel: &Rel, conditions: &[Expr], wishes: Wishes<'_>) -> SqlResult<Planned> {
        let Rel::Limit { input, limit, offset, ties } = rel else { return Err(SqlError::internal("not a limit")) };
        let (limit, offset) = (limit.as_ref(), offset.as_ref());
        let count = |expr: Option<&Expr>, guess: f64| match expr.map(|expr| &expr.kind) {
            Some(ExprKind::Literal(datum)) => datum.as_integer().map(|count| count as f64),
            Some(_) => Some(guess),
            None => None,
        };
        let limit_rows = count(limit, LIMIT_ROWS_GUESS);
        let rows = limit_rows.map(|rows| rows + count(offset, LIMIT_ROWS_GUESS).unwrap_or(0.0));
        let mut planned = self.plan_rel(input, Vec::new(), Wishes { order: &[], computed: &[], rows })?;
        let bounds = Bounds {
            limit: limit.map(|limit| self.compile(limit)).transpose()?,
            offset: offset.map(|offset| self.compile(offset)).transpose()?,
        };
        if let Operator::Sort(sort) = &mut planned.node.operator
            && bounds.limit.is_some()
            && ties.is_empty()
        {
            sort.bounds = Some(bounds.clone());
        }
        let mut estimate = planned.estimate;
        estimate.total_cost = cost::cost_of_first(estimate, rows);
        estimate.rows = limit_rows.map_or(estimate.rows, |rows| rows.min(estimate.rows));
        let tie_columns: Vec<ColumnId> = ties.iter().map(|key| key.column).collect();
        let ties = self.slots(&tie_columns)?.iter().copied().zip(ties.iter().map(|key| key.ty.oid)).collect();
        let limit = Limit { input: Box::new(planned.node), bounds, ties };
        let node = self.node(Operator::Limit(limit), estimate);
        // Which rows they are decides the order below it, whatever is wanted above.
        let ordered = wishes.order.is_empty();
        self.filtered(Planned { node, estimate, ordered }, conditions)
    }

    fn plan_set_operation(
        &mut self,
        kind: SetKind,
        all: bool,
        left: &Query,
        right: &Query,
        columns: &[ColumnId],
        conditions: &[Expr],
    ) -> SqlResult<Planned> {
        let left_plan = self.plan_query(left, None)?;
        let right_plan = self.plan_query(right, None)?;
        let ids = |query: &Query| query.output.iter().map(|column| column.id).collect::<Vec<_>>();
        let (left_slots, right_slots) = (self.slots(&ids(left))?, self.slots(&ids(right))?);
        let slots = columns.iter().zip(&left.output).map(|(id, column)| self.define(*id, column.ty)).collect();
        for (id, column) in columns.iter().zip(&left.output) {
            self.name(*id, None, &column.name);
        }
        let (a, b) = (left_plan.estimate, right_plan.estimate);
        let rows = match kind {
            SetKind::Union => a.rows + b.rows,
            SetKind::Intersect => a.rows.min(b.rows),
            SetKind::Except => a.rows,
        };
        let estimate =
            Estimate { rows, startup_cost: a.startup_cost, total_cost: a.total_cost + b.total_cost + rows * 0.01 };
        let operation = SetOperation {
            kind,
            all,
            left: left_plan.node,
            right: right_plan.node,
            left_slots,
            right_slots,
            slots,
            types: left.output.iter().map(|column| column.ty.oid).collect(),
        };
        let node = self.node(Operator::SetOperation(Box::new(operation)), estimate);
        self.filtered(Planned { node, estimate, ordered: false }, conditions)
    }
}

/// The conditions on a scan and, behind them, what those with patterns imply: an index may serve these, nobody has to test
/// them.
struct ScanConditions {
    all: Vec<Expr>,
    own_count: usize,
    /// For each of the implied ones: the position of the condition with the pattern.
    sources: Vec<usize>,
    /// The implied ones that bound a range, with the part of the rows in it.
    known_ranges: Vec<(usize, f64)>,
}

impl ScanConditions {
    fn of(own: &[Expr]) -> ScanConditions {
        let mut found =
            ScanConditions { all: own.to_vec(), own_count: own.len(), sources: Vec::new(), known_ranges: Vec::new() };
        for (source, condition) in own.iter().enumerate() {
            let part = pattern::range_selectivity(condition);
            for implied in pattern::implied_range(condition) {
                found.known_ranges.extend(part.map(|part| (found.all.len(), part)));
                found.sources.push(source);
                found.all.push(implied);
            }
        }
        found
    }

    fn own(&self) -> &[Expr] {
        self.all.get(..self.own_count).unwrap_or_default()
    }

    /// The own conditions that are still to be tested.
    fn left(&self, choice: Option<&IndexChoice<'_>>) -> impl Iterator<Item = &Expr> {
        let done: Vec<usize> = choice.into_iter().flat_map(IndexChoice::done).collect();
        let is_left = move |position: &usize| !done.contains(position);
        self.own().iter().enumerate().filter(move |(position, _)| is_left(position)).map(|(_, condition)| condition)
    }

    /// The part of the rows that patterns leave whose range an index serves: the patterns are tested all the same.
    fn counted_twice(&self, choice: Option<&IndexChoice<'_>>) -> f64 {
        let done: Vec<usize> = choice.into_iter().flat_map(IndexChoice::done).collect();
        let mut sources: Vec<usize> = done
            .iter()
            .filter_map(|position| position.checked_sub(self.own_count).and_then(|at| self.sources.get(at)).copied())
            .collect();
        sources.sort_unstable();
        sources.dedup();
        sources.iter().filter_map(|at| pattern::range_selectivity(self.all.get(*at)?)).product()
    }
}

/// Whether a condition is the same for all rows of its relation, wherever they come from.
pub(super) fn is_decided_once(condition: &Expr) -> bool {
    mentioned(condition).is_empty() && !contains_subquery(condition) && !is_volatile(condition)
}

/// Whether no row passes a condition.
fn is_false(condition: &Expr) -> bool {
    matches!(&condition.kind, ExprKind::Literal(value) if value.as_bool() != Some(true))
}

/// Whether the rows of one table come, filtered at most.
pub(super) fn reads_one_table(rel: &Rel) -> bool {
    match rel {
        Rel::Scan { .. } => true,
        Rel::Filter { input, .. } => reads_one_table(input),
        _ => false,
    }
}

/// Makes a scan tell where its rows are.
fn set_address(node: &mut PlanNode, slot: usize) {
    match &mut node.operator {
        Operator::Scan(scan) => scan.address = Some(slot),
        Operator::Filter(filter) => set_address(&mut filter.input, slot),
        Operator::Gate(gate) => set_address(&mut gate.input, slot),
        _ => {}
    }
}

/// Those of some defined columns that are copies of others: the new one and the original.
pub(super) fn plain_copies(columns: &[(ColumnId, Expr)]) -> Vec<(ColumnId, ColumnId)> {
    columns
        .iter()
        .filter_map(|(id, expr)| match &expr.kind {
            ExprKind::Column(original) => Some((*id, *original)),
            _ => None,
        })
        .collect()
}

/// Conditions that can be tested below the definition of some columns, in terms of what is there, and the others.
pub(super) fn push_down(
    conditions: Vec<Expr>,
    copies: &[(ColumnId, ColumnId)],
    defined: &Columns,
) -> (Vec<Expr>, Vec<Expr>) {
    let mut below = Vec::new();
    let mut above = Vec::new();
    for condition in conditions {
        match substitute(&condition, copies, defined) {
            Some(substituted) => below.push(substituted),
            None => above.push(condition),
        }
    }
    (below, above)
}

/// An order in terms of the columns below the definition of some others; `None` if it needs one of these.
fn copied_order(order: &[SortKey], copies: &[(ColumnId, ColumnId)], defined: &Columns) -> Option<Vec<SortKey>> {
    order
        .iter()
        .map(|key| {
            let mut key = key.clone();
            if let Some((_, original)) = copies.iter().find(|(copy, _)| *copy == key.column) {
                key.column = *original;
            }
            (!defined.contains(&key.column)).then_some(key)
        })
        .collect()
}
