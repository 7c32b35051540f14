//! INSERT: target columns, source, defaults and identity columns.

use std::ops::ControlFlow;
use std::sync::Arc;

use nqdb_catalog::rights::Rights;
use nqdb_catalog::{Relation, TableDef};
use nqdb_functions::functions_named;
use nqdb_sqlstate::{
    DUPLICATE_COLUMN, GENERATED_ALWAYS, SYNTAX_ERROR, SqlError, SqlResult, UNDEFINED_COLUMN, WRONG_OBJECT_TYPE,
};
use nqdb_types::oid;
use sqlparser::ast::{self, ObjectNamePart, SetExpr, TableObject};

use super::from::{TableName, table_name};
use super::scope::{Clause, Scope};
use super::subscript_target::{TargetPart, default_in_part};
use super::view_target::ViewChange;
use super::{Binder, span_position};
use crate::ir::{ConflictAction, Expr, ExprKind, Insert, OnConflict, OutputColumn, Query, Rel};
use crate::names::name_of;
use crate::parse::generated_query;
use crate::statement::Overriding;

/// A target column: its position in the table, and where the statement names it.
pub(super) struct Target {
    pub(super) at: usize,
    position: Option<u32>,
    /// The part of the column that it names.
    part: Option<TargetPart>,
}

impl Target {
    /// Whether it is a part of a column, whose rest has to be given too.
    pub(super) fn is_part(&self) -> bool {
        self.part.is_some()
    }
}

impl Binder<'_> {
    pub(super) fn bind_insert(&mut self, insert: &ast::Insert, overriding: Option<Overriding>) -> SqlResult<Insert> {
        let ast::Insert {
            insert_token: _,
            optimizer_hints: _,
            or,
            ignore,
            into,
            table,
            table_alias,
            columns,
            overwrite,
            source,
            assignments,
            partitioned,
            after_columns,
            has_table_keyword,
            on,
            returning,
            output,
            replace_into,
            priority,
            insert_alias,
            settings,
            format_clause,
            multi_table_insert_type,
            multi_table_into_clauses,
            multi_table_when_clauses,
            multi_table_else_clause,
        } = insert;
        if or.is_some()
            || *ignore
            || !*into
            || *overwrite
            || !assignments.is_empty()
            || partitioned.is_some()
            || !after_columns.is_empty()
            || *has_table_keyword
            || output.is_some()
            || *replace_into
            || priority.is_some()
            || insert_alias.is_some()
            || settings.is_some()
            || format_clause.is_some()
            || multi_table_insert_type.is_some()
            || !multi_table_into_clauses.is_empty()
            || !multi_table_when_clauses.is_empty()
            || multi_table_else_clause.is_some()
        {
            return Err(SqlError::unsupported("this form of INSERT"));
        }
        let TableObject::TableName(name) = table else {
            return Err(SqlError::unsupported("this form of INSERT"));
        };
        let TableName { schema, name, position } = table_name(name)?;
        let table = self.find_target(schema.as_deref(), &name, position, Some(ViewChange::Insert))?;
        let alias = match table_alias {
            Some(ast::TableAliasWithoutColumns { explicit: _, alias }) => name_of(alias),
            None => table.name.clone(),
        };
        let targets = self.bind_targets(&table, columns)?;
        self.in_scope(Scope::new(Clause::Values), |binder| {
            let (source, targets) = match source {
                None => (Query { rel: Rel::OneRow, output: Vec::new() }, Vec::new()),
                Some(source) => binder.bind_source(&table, source, targets, !columns.is_empty(), overriding)?,
            };
            let place = binder.note_change(&table, Rights::INSERT, &Vec::new())?;
            binder.note_inserted(place, &table, &targets);
            let mut defaults = Vec::new();
            for (at, _) in table.live_columns() {
                if !targets.contains(&at) {
                    defaults.push((at, binder.default_of(&table, at)?));
                }
            }
            let mut row = binder.new_row(&table, true);
            binder.add_system_columns(&table, &mut row);
            let real = binder.real_table(&table);
            let generated = binder.bind_generated(&real, &row)?;
            let mut checks = binder.bind_checks(&real, &row)?;
            checks.extend(binder.view_checks(&table, &row)?);
            let on_conflict = match on {
                None => None,
                Some(on) => Some(binder.bind_on_conflict(on, &table, &alias, &row, place)?),
            };
            let scope = binder.target_scope(&table, &alias, &row, Clause::Returning)?;
            let (returning, read) =
                binder.reading(&table, &[&row], |binder| binder.bind_returning(returning.as_ref(), scope))?;
            binder.note_more(place, |access| access.columns.selected.extend(read));
            binder.drop_unused_system_columns(&mut row);
            let mut insert =
                Insert { table: real, source, targets, defaults, row, generated, checks, on_conflict, returning };
            let mut parts: Vec<&mut Expr> = Vec::new();
            if let Some(OnConflict { action: ConflictAction::Update { set, predicate, .. }, .. }) =
                &mut insert.on_conflict
            {
                parts.extend(set.iter_mut().map(|(_, expr)| expr).chain(predicate));
            }
            binder.put_view_values_in(parts, &mut insert.returning);
            Ok(insert)
        })
    }

    /// The table that a statement changes: 42809 for anything else.
    pub(super) fn find_target(
        &mut self,
        schema: Option<&str>,
        name: &str,
        position: Option<u32>,
        change: Option<ViewChange>,
    ) -> SqlResult<Arc<TableDef>> {
        self.view_target = None;
        if schema.is_none() && self.common_tables.iter().any(|table| table.name == name) {
            let message = format!("relation \"{name}\" cannot be the target of a modifying statement");
            return Err(SqlError::new(WRONG_OBJECT_TYPE, message).or_position(position));
        }
        if let Ok(Some(Relation::Sequence(_))) = self.cx.catalog.resolve(self.cx.search_path, schema, name) {
            return Err(SqlError::new(WRONG_OBJECT_TYPE, format!("cannot change sequence \"{name}\"")));
        }
        if let Ok(Some(Relation::View(view))) = self.cx.catalog.resolve(self.cx.search_path, schema, name) {
            self.expect_schema_usage(schema, position)?;
            let view = Arc::clone(view);
            return match change {
                Some(change) => self.open_view_target(&view, change),
                None => {
                    let message = format!("cannot execute MERGE on relation \"{name}\"");
                    let detail = "This operation is not supported for views.";
                    Err(SqlError::new(nqdb_sqlstate::FEATURE_NOT_SUPPORTED, message).with_detail(detail))
                }
            };
        }
        let table = self.find_stored_table(schema, name, position)?;
        if table.materialized.is_some() {
            let message = format!("cannot change materialized view \"{name}\"");
            return Err(SqlError::new(WRONG_OBJECT_TYPE, message));
        }
        Ok(table)
    }

    /// The columns that get values: those listed, or all in order.
    pub(super) fn bind_targets(
        &mut self,
        table: &Arc<TableDef>,
        columns: &[ast::ObjectName],
    ) -> SqlResult<Vec<Target>> {
        if let Some(order) = self.view_order(table).filter(|_| columns.is_empty()) {
            return Ok(order.into_iter().map(|at| Target { at, position: None, part: None }).collect());
        }
        if columns.is_empty() {
            return Ok(table.live_columns().map(|(at, _)| Target { at, position: None, part: None }).collect());
        }
        let mut targets: Vec<Target> = Vec::with_capacity(columns.len());
        for column in columns {
            let [ObjectNamePart::Identifier(identifier)] = column.0.as_slice() else {
                return Err(SqlError::unsupported("a part of a composite column as a target"));
            };
            let position = span_position(identifier.span);
            let name = name_of(identifier);
            self.expect_view_column(table, &name, ViewChange::Insert)?;
            let at = target_column(table, &name, position)?;
            let part = match table.columns.get(at) {
                Some(definition) => self.target_part(definition, identifier)?,
                None => None,
            };
            if targets.iter().any(|target| target.at == at && (target.part.is_none() || part.is_none())) {
                let message = format!("column \"{name}\" specified more than once");
                return Err(SqlError::new(DUPLICATE_COLUMN, message).or_position(position));
            }
            targets.push(Target { at, position, part });
        }
        Ok(targets)
    }

    /// The rows to insert, each value converted to its column's type; and the columns they are for.
    fn bind_source(
        &mut self,
        table: &Arc<TableDef>,
        source: &ast::Query,
        targets: Vec<Target>,
        listed: bool,
        overriding: Option<Overriding>,
    ) -> SqlResult<(Query, Vec<usize>)> {
        if let Some(values) = plain_values(source) {
            if let Some(select) = as_select(values)? {
                return self.bind_source(table, &select, targets, listed, overriding);
            }
            return self.bind_value_rows(table, values, targets, listed, overriding);
        }
        let mut query = self.bind_query_as(source, false)?;
        let positions: Vec<Option<u32>> = match &*source.body {
            SetExpr::Select(select) => select
                .projection
                .iter()
                .map(|item| match item {
                    ast::SelectItem::UnnamedExpr(expr) | ast::SelectItem::ExprWithAlias { expr, .. } => {
                        self.position_of(expr)
                    }
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        };
        let position_at = |at: usize| positions.get(at).copied().flatten();
        self.check_count(query.output.len(), &targets, listed, position_at(targets.len()))?;
        let mut kept = Vec::with_capacity(query.output.len());
        let mut kept_targets = Vec::with_capacity(query.output.len());
        for at in 0..query.output.len() {
            let (Some(output), Some(target)) = (query.output.get(at), targets.get(at)) else { continue };
            let Some(column) = table.columns.get(target.at) else { continue };
            let output = output.clone();
            if column.generated.is_some() {
                return Err(generated_error(&column.name));
            }
            match (column.identity, overriding) {
                (Some(_), Some(Overriding::User)) => {
                    self.resolve_output(&mut query)?;
                    continue;
                }
                (Some(identity), None) if identity.always => return Err(identity_error(&column.name, position_at(at))),
                _ => {}
            }
            if output.ty.oid == oid::UNKNOWN {
                let wanted = target.part.as_ref().map_or(column.ty, TargetPart::ty);
                self.retype_output(&mut query, at, nqdb_types::Type::new(wanted.oid), "INSERT")?;
            }
            let ty = query.output.get(at).map_or(output.ty, |output| output.ty);
            let id = query.output.get(at).map_or(output.id, |output| output.id);
            let mut value = self.column_expr(id, position_at(at));
            value.ty = ty;
            let converted = match &target.part {
                Some(part) => self.coerce_for_part(value, part, &column.name)?,
                None => self.coerce_for_column(value, column, &column.name, position_at(at))?,
            };
            if !matches!(converted.kind, ExprKind::Column(_)) {
                self.extend_output(&mut query, at, converted);
            }
            kept.push(at);
            kept_targets.push(target.at);
        }
        let output = query.output;
        query.output = kept.iter().filter_map(|at| output.get(*at).cloned()).collect();
        let mut parts: Vec<Option<TargetPart>> = targets.into_iter().map(|target| target.part).collect();
        let parts: Vec<Option<TargetPart>> =
            kept.into_iter().map(|at| parts.get_mut(at).and_then(Option::take)).collect();
        self.assemble_parts(table, query, kept_targets, &parts)
    }

    /// 42601 when there are more values than columns, or fewer than were listed.
    pub(super) fn check_count(
        &self,
        values: usize,
        targets: &[Target],
        listed: bool,
        value_position: Option<u32>,
    ) -> SqlResult<()> {
        if values > targets.len() {
            let message = "INSERT has more expressions than target columns";
            return Err(SqlError::new(SYNTAX_ERROR, message).or_position(value_position));
        }
        if listed && values < targets.len() {
            let position = targets.get(values).and_then(|target| target.position);
            let message = "INSERT has more target columns than expressions";
            return Err(SqlError::new(SYNTAX_ERROR, message).or_position(position));
        }
        Ok(())
    }

    /// `VALUES`: each value is converted to the column on its own; DEFAULT may stand for any.
    fn bind_value_rows(
        &mut self,
        table: &Arc<TableDef>,
        values: &ast::Values,
        targets: Vec<Target>,
        listed: bool,
        overriding: Option<Overriding>,
    ) -> SqlResult<(Query, Vec<usize>)> {
        let ast::Values { explicit_row, value_keyword, rows } = values;
        if *explicit_row || *value_keyword {
            return Err(SqlError::new(SYNTAX_ERROR, "syntax error in VALUES"));
        }
        let width = rows.first().map_or(0, |row| row.content.len());
        let mut bound: Vec<Vec<Expr>> = Vec::with_capacity(rows.len());
        for row in rows {
            let items = &row.content;
            if items.len() != width {
                let position = items.first().and_then(|item| self.position_of(item));
                let message = "VALUES lists must all be the same length";
                return Err(SqlError::new(SYNTAX_ERROR, message).or_position(position));
            }
            let extra = items.get(targets.len()).and_then(|item| self.position_of(item));
            self.check_count(items.len(), &targets, listed, extra)?;
            let mut exprs = Vec::with_capacity(width);
            for (item, target) in items.iter().zip(&targets) {
                exprs.push(self.bind_item(table, item, target, overriding)?);
            }
            bound.push(exprs);
        }
        let kept_targets: Vec<usize> = targets.iter().take(width).map(|target| target.at).collect();
        let mut columns = Vec::with_capacity(width);
        let mut output = Vec::with_capacity(width);
        for (at, target) in kept_targets.iter().enumerate() {
            let Some(column) = table.columns.get(*target) else { continue };
            let nullable = bound.iter().any(|row| row.get(at).is_some_and(|expr| expr.nullable));
            let ty = targets.get(at).and_then(|target| target.part.as_ref()).map_or(column.ty, TargetPart::ty);
            let id = self.new_column(ty, nullable, None);
            columns.push((id, ty));
            output.push(OutputColumn { id, name: column.name.clone(), ty, origin: None });
        }
        let parts: Vec<Option<TargetPart>> = targets.into_iter().take(width).map(|target| target.part).collect();
        self.assemble_parts(table, Query { rel: Rel::Values { columns, rows: bound }, output }, kept_targets, &parts)
    }

    pub(super) fn bind_item(
        &mut self,
        table: &TableDef,
        item: &ast::Expr,
        target: &Target,
        overriding: Option<Overriding>,
    ) -> SqlResult<Expr> {
        let at = target.at;
        if is_default(item) {
            if let Some(part) = &target.part {
                return Err(default_in_part(part));
            }
            return self.default_of(table, at);
        }
        let Some(column) = table.columns.get(at) else { return Err(SqlError::internal("no such column")) };
        let bound = self.bind_expr(item)?;
        if column.generated.is_some() {
            return Err(generated_error(&column.name));
        }
        match (column.identity, overriding) {
            (Some(_), Some(Overriding::User)) => return self.default_of(table, at),
            (Some(identity), None) if identity.always => return Err(identity_error(&column.name, bound.position)),
            _ => {}
        }
        match &target.part {
            Some(part) => self.coerce_for_part(bound, part, &column.name),
            None => self.coerce_for_column(bound, column, &column.name, None),
        }
    }
}

/// VALUES without anything around it.
fn plain_values(source: &ast::Query) -> Option<&ast::Values> {
    let ast::Query {
        with: None,
        body,
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks,
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators,
    } = source
    else {
        return None;
    };
    match &**body {
        SetExpr::Values(values) if locks.is_empty() && pipe_operators.is_empty() => Some(values),
        _ => None,
    }
}

/// The only row of a VALUES as a SELECT, which it means (manual, INSERT), where that makes a difference: a function in it
/// returns a set.
fn as_select(values: &ast::Values) -> SqlResult<Option<ast::Query>> {
    let [row] = values.rows.as_slice() else { return Ok(None) };
    if row.content.iter().any(is_default) || !row.content.iter().any(mentions_set_function) {
        return Ok(None);
    }
    let mut query = generated_query("SELECT 1")?;
    let SetExpr::Select(select) = &mut *query.body else {
        return Err(SqlError::internal("a query of ours is no SELECT"));
    };
    select.projection = row.content.iter().cloned().map(ast::SelectItem::UnnamedExpr).collect();
    Ok(Some(query))
}

fn mentions_set_function(expr: &ast::Expr) -> bool {
    let found = ast::visit_expressions(expr, |expr| {
        let name = match expr {
            ast::Expr::Function(function) => function.name.0.last().and_then(ast::ObjectNamePart::as_ident),
            _ => None,
        };
        let returns_set = name.is_some_and(|name| functions_named(&name_of(name)).iter().any(|f| f.set_returning));
        if returns_set { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    found.is_break()
}

/// The bare word DEFAULT.
pub(super) fn is_default(item: &ast::Expr) -> bool {
    matches!(item, ast::Expr::Identifier(name) if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("default"))
}

/// The position of a column in its table: 42703 `column "x" of relation "t" does not exist`.
pub(super) fn target_column(table: &TableDef, name: &str, position: Option<u32>) -> SqlResult<usize> {
    table.column_named(name).ok_or_else(|| {
        let message = format!("column \"{name}\" of relation \"{}\" does not exist", table.name);
        SqlError::new(UNDEFINED_COLUMN, message).or_position(position)
    })
}

/// 428C9: a value for a column that is GENERATED ALWAYS.
fn identity_error(name: &str, _position: Option<u32>) -> SqlError {
    SqlError::new(GENERATED_ALWAYS, format!("cannot insert a non-DEFAULT value into column \"{name}\""))
        .with_detail(format!("Column \"{name}\" is an identity column defined as GENERATED ALWAYS."))
        .with_hint("Use OVERRIDING SYSTEM VALUE to override.")
}

/// 428C9: a value for a generated column.
fn generated_error(name: &str) -> SqlError {
    SqlError::new(GENERATED_ALWAYS, format!("cannot insert a non-DEFAULT value into column \"{name}\""))
        .with_detail(format!("Column \"{name}\" is a generated column."))
}
