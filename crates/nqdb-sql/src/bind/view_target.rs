//! Changes through views (manual, CREATE VIEW, "Updatable Views").
//!
//! A simple view is changed by changing the table at its bottom. The statement is bound against a *disguise* of that table: the
//! same columns at the same places, under the names that the view gives them; columns that the view does not show have names
//! that nobody can write. What the view computes is put into the statement's expressions at the end.
//!
//! 1. Conditions of the views stand in front of the statement's own, innermost first.
//! 2. With CHECK OPTION a new row must meet the conditions of the view, and with CASCADED those of the views below it.
//! 3. Each relation is accessed with the rights of the owner of the view above it, the first with those of who asks.

use std::sync::Arc;

use nqdb_catalog::{CheckOption, NamedRelation, Relation, TableDef, ViewDef};
use nqdb_functions::CastContext;
use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, OBJECT_NOT_IN_PREREQUISITE_STATE, SqlError, SqlResult};
use sqlparser::ast::{self, TableFactor};

use super::from::{table_name, whole_row_of};
use super::operators::conjunction;
use super::scope::{Clause, Scope, ScopeColumn, ScopeTable};
use super::table_row::Row;
use super::walk::{expressions_of_mut, parts_mut};
use super::{BindContext, Binder};
use crate::ir::{Check, ColumnId, Expr, ExprKind, Returning};
use crate::names::name_of;
use crate::params::ParamTypes;

/// What a statement does with a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ViewChange {
    Insert,
    Update,
    Delete,
}

impl ViewChange {
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            ViewChange::Insert => ("insert into", "inserting into", "INSERT"),
            ViewChange::Update => ("update", "updating", "UPDATE"),
            ViewChange::Delete => ("delete from", "deleting from", "DELETE"),
        }
    }
}

/// A view as the target of a change.
pub(super) struct ViewTarget {
    /// Outermost first.
    pub(super) layers: Vec<Layer>,
    pub(super) base: Arc<TableDef>,
    /// The base table as the statement sees it.
    pub(super) disguise: Arc<TableDef>,
    /// For each column of the outermost view its position in the base table; none for what is computed.
    pub(super) columns: Vec<Option<usize>>,
}

/// One view and the one relation that it selects from.
pub(super) struct Layer {
    pub(super) view: Arc<ViewDef>,
    select: Box<ast::Select>,
    tokens: Arc<crate::parse::Tokens>,
    named: NamedRelation,
    /// The names that its columns have in the query, in the order of `named`.
    alias: (String, Vec<String>),
}

/// Why a view cannot be changed, in PostgreSQL's words.
type Reason = &'static str;

const MANY_RELATIONS: Reason = "Views that do not select from a single table or view are not automatically updatable.";

/// The columns of a view over one row of its base table.
struct LayerRow {
    columns: Vec<Expr>,
    condition: Option<Expr>,
}

/// Which columns of a view can be changed, or why the view cannot be changed at all.
pub fn updatable_columns(view: &Arc<ViewDef>, cx: &BindContext<'_>) -> SqlResult<Result<Vec<bool>, &'static str>> {
    let (tokens, _) = super::stored_query::parse_stored(&view.query)?;
    let mut params = ParamTypes::none();
    let mut binder = Binder::new(cx, tokens, &mut params);
    let target = binder.view_target_of(view, false)?;
    Ok(target.map(|target| target.columns.iter().map(Option::is_some).collect()))
}

impl ViewTarget {
    fn view(&self) -> &Arc<ViewDef> {
        &self.layers[0].view
    }
}

impl Binder<'_> {
    /// The table under a view, in disguise. Errors: 55000 for a view that is not simple.
    pub(super) fn open_view_target(&mut self, view: &Arc<ViewDef>, change: ViewChange) -> SqlResult<Arc<TableDef>> {
        match self.view_target_of(view, change != ViewChange::Delete)? {
            Ok(target) => {
                let disguise = Arc::clone(&target.disguise);
                self.view_target = Some(Arc::new(target));
                Ok(disguise)
            }
            Err(reason) => {
                let (verb, gerund, command) = change.words();
                let message = format!("cannot {verb} view \"{}\"", view.name);
                let gerund =
                    if change == ViewChange::Update { "updating the view" } else { &format!("{gerund} the view") };
                let hint = format!(
                    "To enable {gerund}, provide an INSTEAD OF {command} trigger or an unconditional ON {command} DO INSTEAD rule."
                );
                Err(SqlError::new(OBJECT_NOT_IN_PREREQUISITE_STATE, message).with_detail(reason).with_hint(hint))
            }
        }
    }

    /// A view as a target, or why it is none. Rows can be deleted even where no column can be changed.
    pub(super) fn view_target_of(
        &mut self,
        view: &Arc<ViewDef>,
        needs_columns: bool,
    ) -> SqlResult<Result<ViewTarget, Reason>> {
        let mut layers = Vec::new();
        let mut next = Arc::clone(view);
        let base = loop {
            let layer = match layer_of(&next)? {
                Ok(layer) => layer,
                Err(reason) => return Ok(Err(reason)),
            };
            let below = self.cx.catalog.relation_by_oid(layer.named.oid).cloned();
            layers.push(layer);
            match below {
                Some(Relation::Table(table)) if table.materialized.is_none() => break table,
                Some(Relation::View(view)) => next = view,
                _ => return Ok(Err(MANY_RELATIONS)),
            }
        };
        let mut target =
            ViewTarget { layers, disguise: Arc::clone(&base), base: Arc::clone(&base), columns: Vec::new() };
        let row = self.in_scope(Scope::new(Clause::Select), |binder| {
            let row = binder.new_row(&base, false);
            Ok((binder.layer_rows(&target, &row)?, row))
        })?;
        let (Ok(rows), row) = row else { return Ok(Err(row.0.err().unwrap_or(MANY_RELATIONS))) };
        let Some(outermost) = rows.first() else { return Err(SqlError::internal("a view without a layer")) };
        target.columns = outermost
            .columns
            .iter()
            .map(|expr| match expr.kind {
                ExprKind::Column(id) => row.iter().find(|(_, own)| *own == id).map(|(at, _)| *at),
                _ => None,
            })
            .collect();
        if needs_columns && target.columns.iter().all(Option::is_none) {
            return Ok(Err("Views that have no updatable columns are not automatically updatable."));
        }
        target.disguise = Arc::new(disguised(&target));
        Ok(Ok(target))
    }

    /// The target behind a disguise.
    pub(super) fn view_behind(&self, table: &Arc<TableDef>) -> Option<Arc<ViewTarget>> {
        self.view_target.clone().filter(|target| Arc::ptr_eq(&target.disguise, table))
    }

    /// The table itself, also where it is in disguise.
    pub(super) fn real_table(&self, table: &Arc<TableDef>) -> Arc<TableDef> {
        self.view_behind(table).map_or_else(|| Arc::clone(table), |target| Arc::clone(&target.base))
    }

    /// The positions that an INSERT without a column list fills: those of the view, up to the first that is computed.
    pub(super) fn view_order(&self, table: &Arc<TableDef>) -> Option<Vec<usize>> {
        let target = self.view_behind(table)?;
        Some(target.columns.iter().map_while(|column| *column).collect())
    }

    /// 0A000 for a column of a view that is computed.
    pub(super) fn expect_view_column(&self, table: &Arc<TableDef>, name: &str, change: ViewChange) -> SqlResult<()> {
        let Some(target) = self.view_behind(table) else { return Ok(()) };
        let at = target.view().columns.iter().position(|column| column.name == name);
        if at.and_then(|at| target.columns.get(at)).is_none_or(Option::is_some) {
            return Ok(());
        }
        let (verb, ..) = change.words();
        let verb = if change == ViewChange::Insert { "insert into" } else { verb };
        let message = format!("cannot {verb} column \"{name}\" of view \"{}\"", target.view().name);
        Err(SqlError::new(FEATURE_NOT_SUPPORTED, message)
            .with_detail("View columns that are not columns of their base relation are not updatable."))
    }

    /// A row of the target as a table of a scope.
    pub(super) fn target_table(&mut self, table: &Arc<TableDef>, name: &str, row: &Row) -> SqlResult<ScopeTable> {
        let mut item = super::table_row::row_table(table, name, row);
        let Some(target) = self.view_behind(table) else { return Ok(item) };
        item.table = None;
        item.row = None;
        if row.is_empty() {
            return Ok(item);
        }
        let ids = self.view_ids(&target, row)?;
        item.columns = target
            .view()
            .columns
            .iter()
            .zip(ids)
            .map(|(column, id)| ScopeColumn { name: column.name.clone(), id })
            .collect();
        item.row = whole_row_of(&Relation::View(Arc::clone(target.view())), &item.columns);
        Ok(item)
    }

    /// The ids of a view's columns over a row: those of the row, and new ones for what is computed.
    pub(super) fn view_ids(&mut self, target: &ViewTarget, row: &Row) -> SqlResult<Vec<ColumnId>> {
        let Some((_, first)) = row.first().copied() else { return Ok(Vec::new()) };
        if let Some((_, known)) = self.view_rows.iter().find(|(known, _)| *known == first) {
            return Ok(known.clone());
        }
        let rows = self.layer_rows(target, row)?.map_err(|reason| SqlError::internal(reason.to_string()))?;
        let outermost = rows.into_iter().next().map(|row| row.columns).unwrap_or_default();
        let mut ids = Vec::with_capacity(outermost.len());
        for expr in outermost {
            ids.push(match expr.kind {
                ExprKind::Column(id) => id,
                _ => {
                    let id = self.new_column(expr.ty, expr.nullable, None);
                    self.view_values.push((id, expr));
                    id
                }
            });
        }
        self.view_rows.push((first, ids.clone()));
        Ok(ids)
    }

    /// The conditions of the views over a row, and behind them the statement's own.
    pub(super) fn with_view_conditions(
        &mut self,
        table: &Arc<TableDef>,
        row: &Row,
        predicate: Option<Expr>,
    ) -> SqlResult<Option<Expr>> {
        let Some(target) = self.view_behind(table) else { return Ok(predicate) };
        let rows = self.layer_rows(&target, row)?.map_err(|reason| SqlError::internal(reason.to_string()))?;
        let mut conditions: Vec<Expr> = rows.into_iter().rev().filter_map(|row| row.condition).collect();
        conditions.extend(predicate);
        Ok(if conditions.is_empty() { None } else { Some(conjunction(conditions)) })
    }

    /// What CHECK OPTION asks of a new row, innermost view first.
    pub(super) fn view_checks(&mut self, table: &Arc<TableDef>, row: &Row) -> SqlResult<Vec<Check>> {
        let Some(target) = self.view_behind(table) else { return Ok(Vec::new()) };
        let rows = self.layer_rows(&target, row)?.map_err(|reason| SqlError::internal(reason.to_string()))?;
        let mut cascaded = false;
        let mut checks = Vec::new();
        for (layer, row) in target.layers.iter().zip(rows) {
            let own = layer.view.check_option();
            cascaded |= own == Some(CheckOption::Cascaded);
            if let (true, Some(predicate)) = (cascaded || own.is_some(), row.condition) {
                checks.push(Check { name: layer.view.name.clone(), predicate, of_view: true });
            }
        }
        checks.reverse();
        Ok(checks)
    }

    /// Puts what views compute in the place of its ids, everywhere in a statement.
    pub(super) fn put_view_values_in<'e>(
        &self,
        parts: impl IntoIterator<Item = &'e mut Expr>,
        returning: &mut Option<Returning>,
    ) {
        parts.into_iter().for_each(|expr| put_values(expr, &self.view_values));
        let returned = returning.iter_mut().flat_map(|returning| &mut returning.columns);
        returned.for_each(|(_, expr)| put_values(expr, &self.view_values));
    }

    /// The columns and conditions of each layer over a row of the base table, outermost first.
    fn layer_rows(&mut self, target: &ViewTarget, row: &Row) -> SqlResult<Result<Vec<LayerRow>, Reason>> {
        let was_read: Vec<bool> = row.iter().map(|(_, id)| self.info(*id).read).collect();
        let number = |at: &usize| target.base.columns.get(*at).map(|column| column.attnum);
        let mut below: Vec<(i16, ColumnId)> = row.iter().filter_map(|(at, id)| Some((number(at)?, *id))).collect();
        let mut values: Vec<(ColumnId, Expr)> = Vec::new();
        let mut rows = Vec::with_capacity(target.layers.len());
        for layer in target.layers.iter().rev() {
            let mut found = match self.bind_layer(layer, &below)? {
                Ok(found) => found,
                Err(reason) => return Ok(Err(reason)),
            };
            found.columns.iter_mut().chain(&mut found.condition).for_each(|expr| put_values(expr, &values));
            below.clear();
            for (number, expr) in (1..).zip(&found.columns) {
                let id = match expr.kind {
                    ExprKind::Column(id) => id,
                    _ => {
                        let id = self.new_column(expr.ty, expr.nullable, None);
                        values.push((id, expr.clone()));
                        id
                    }
                };
                below.push((number, id));
            }
            rows.push(found);
        }
        rows.reverse();
        // What the view's own query reads is its owner's business.
        for ((_, id), was_read) in row.iter().zip(was_read) {
            if let Some(info) = self.columns.get_mut(id.0 as usize) {
                info.read = was_read;
            }
        }
        Ok(Ok(rows))
    }

    /// Binds the select list and the condition of a view over the columns of what it selects from.
    fn bind_layer(&mut self, layer: &Layer, below: &[(i16, ColumnId)]) -> SqlResult<Result<LayerRow, Reason>> {
        let id_of = |number: i16| below.iter().find(|(known, _)| *known == number).map(|(_, id)| *id);
        let (name, renamed) = &layer.alias;
        let named = layer.named.columns.iter().enumerate().filter_map(|(at, column)| {
            let name = renamed.get(at).unwrap_or(&column.name).clone();
            Some(ScopeColumn { name, id: id_of(column.attnum)? })
        });
        let columns: Vec<ScopeColumn> = named.collect();
        let mut scope = Scope::new(Clause::Select);
        scope.columns.clone_from(&columns);
        scope.tables.push(ScopeTable {
            name: name.clone(),
            schema: layer.named.schema.clone(),
            table: None,
            columns,
            hidden_name: None,
            is_value: false,
            system: Vec::new(),
            row: None,
        });
        let outer_role = self.acting_role;
        if !layer.view.security_invoker() {
            self.acting_role = Some(layer.view.owner);
        }
        let bound = self.in_stored(&layer.view.query, &layer.tokens, |binder| {
            // At the level of the statement, so that the row's columns are no outer ones.
            binder.scopes.pop();
            binder.in_scope(scope, |binder| binder.bind_layer_parts(layer))
        });
        self.acting_role = outer_role;
        bound
    }

    fn bind_layer_parts(&mut self, layer: &Layer) -> SqlResult<Result<LayerRow, Reason>> {
        let targets = self.bind_projection(&layer.select.projection)?;
        let scope = self.scope();
        if !scope.aggregates.is_empty() {
            return Ok(Err("Views that return aggregate functions are not automatically updatable."));
        }
        if !scope.window_calls.is_empty() {
            return Ok(Err("Views that return window functions are not automatically updatable."));
        }
        if !scope.set_calls.is_empty() {
            return Ok(Err("Views that return set-returning functions are not automatically updatable."));
        }
        let mut columns = Vec::with_capacity(targets.len());
        for (target, column) in targets.into_iter().zip(&layer.view.columns) {
            columns.push(self.coerce(target.expr, column.ty(), CastContext::Explicit, None)?);
        }
        let condition = match &layer.select.selection {
            Some(selection) => Some(self.in_clause(Clause::Where, |binder| binder.bind_boolean(selection, "WHERE"))?),
            None => None,
        };
        Ok(Ok(LayerRow { columns, condition }))
    }
}

/// The parts of a view's query, or why it is not simple.
fn layer_of(view: &Arc<ViewDef>) -> SqlResult<Result<Layer, Reason>> {
    let (tokens, query) = super::stored_query::parse_stored(&view.query)?;
    if query.with.is_some() {
        return Ok(Err("Views containing WITH are not automatically updatable."));
    }
    let select = match *query.body {
        ast::SetExpr::Select(select) => select,
        ast::SetExpr::SetOperation { .. } => {
            return Ok(Err("Views containing UNION, INTERSECT, or EXCEPT are not automatically updatable."));
        }
        _ => return Ok(Err(MANY_RELATIONS)),
    };
    if select.distinct.is_some() {
        return Ok(Err("Views containing DISTINCT are not automatically updatable."));
    }
    let is_grouped = match &select.group_by {
        ast::GroupByExpr::All(_) => true,
        ast::GroupByExpr::Expressions(expressions, _) => !expressions.is_empty(),
    };
    if is_grouped {
        return Ok(Err("Views containing GROUP BY are not automatically updatable."));
    }
    if select.having.is_some() {
        return Ok(Err("Views containing HAVING are not automatically updatable."));
    }
    if query.limit_clause.is_some() || query.fetch.is_some() {
        return Ok(Err("Views containing LIMIT or OFFSET are not automatically updatable."));
    }
    if let [ast::TableWithJoins { relation: TableFactor::Table { sample: Some(_), .. }, joins }] =
        select.from.as_slice()
        && joins.is_empty()
    {
        return Ok(Err("Views containing TABLESAMPLE are not automatically updatable."));
    }
    let (name, alias) = match select.from.as_slice() {
        [ast::TableWithJoins { relation: TableFactor::Table { name, alias, args: None, .. }, joins }]
            if joins.is_empty() =>
        {
            (table_name(name)?, alias.clone())
        }
        _ => return Ok(Err(MANY_RELATIONS)),
    };
    let Some(named) = view.query.relation(name.schema.as_deref(), &name.name).cloned() else {
        return Ok(Err(MANY_RELATIONS));
    };
    let alias = match alias {
        Some(alias) => {
            let columns = alias.columns.iter().map(|column| name_of(&column.name)).collect();
            (name_of(&alias.name), columns)
        }
        None => (named.name.clone(), Vec::new()),
    };
    Ok(Ok(Layer { view: Arc::clone(view), select, tokens, named, alias }))
}

/// The base table under the names of the view.
fn disguised(target: &ViewTarget) -> TableDef {
    let mut table = TableDef::clone(&target.base);
    table.name.clone_from(&target.view().name);
    for (at, column) in table.columns.iter_mut().enumerate() {
        if !column.dropped {
            column.name = format!("\u{1}{at}");
        }
    }
    for (column, at) in target.view().columns.iter().zip(&target.columns) {
        let Some(found) = at.and_then(|at| table.columns.get_mut(at)) else { continue };
        found.name.clone_from(&column.name);
        if let Some(default) = &column.default
            && found.generated.is_none()
        {
            found.default = Some(default.clone());
        }
    }
    table
}

fn put_values(expr: &mut Expr, values: &[(ColumnId, Expr)]) {
    if values.is_empty() {
        return;
    }
    if let ExprKind::Column(id) = expr.kind {
        if let Some((_, value)) = values.iter().find(|(known, _)| *known == id) {
            *expr = value.clone();
        }
        return;
    }
    let (inner, queries) = parts_mut(expr);
    inner.into_iter().for_each(|part| put_values(part, values));
    for query in queries {
        let mut found = Vec::new();
        expressions_of_mut(&mut query.rel, &mut found);
        found.into_iter().for_each(|part| put_values(part, values));
    }
}
