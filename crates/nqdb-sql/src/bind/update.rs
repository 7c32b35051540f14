//! UPDATE, and the assignments that ON CONFLICT DO UPDATE shares with it.

use std::sync::Arc;

use nqdb_catalog::TableDef;
use nqdb_catalog::rights::Rights;
use nqdb_functions::Volatility;
use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, GENERATED_ALWAYS, SYNTAX_ERROR, SqlError, SqlResult};
use sqlparser::ast::{self, AssignmentTarget, ObjectName, ObjectNamePart, TableFactor};

use super::from::{TableName, table_name};
use super::insert::{is_default, target_column};
use super::rows::row_items;
use super::scope::Clause;
use super::subscript_target::{TargetPart, default_in_part, is_partial};
use super::view_target::ViewChange;
use super::{Binder, span_position, walk};
use crate::SystemColumn;
use crate::ir::{Expr, ExprKind, Update};
use crate::names::name_of;
use crate::parse::cursor_of;

impl Binder<'_> {
    pub(super) fn bind_update(&mut self, update: &ast::Update) -> SqlResult<Update> {
        let ast::Update {
            update_token: _,
            optimizer_hints: _,
            table,
            assignments,
            from,
            selection,
            returning,
            output,
            or,
            order_by,
            limit,
        } = update;
        let from = match from {
            None => &[],
            Some(ast::UpdateTableFromKind::AfterSet(from)) => from.as_slice(),
            Some(ast::UpdateTableFromKind::BeforeSet(_)) => {
                return Err(SqlError::new(SYNTAX_ERROR, "syntax error at or near \"FROM\""));
            }
        };
        if output.is_some() || or.is_some() || !order_by.is_empty() || limit.is_some() {
            return Err(SqlError::unsupported("this clause of UPDATE"));
        }
        let (table, alias) = self.bind_changed_table(table, Some(ViewChange::Update))?;
        self.in_scope(super::scope::Scope::new(Clause::From), |binder| {
            let mut old = binder.new_row(&table, false);
            binder.add_system_columns(&table, &mut old);
            let place = binder.note_change(&table, Rights::UPDATE, &old)?;
            let others = binder.bind_other_tables(&table, &alias, &old, from)?;
            let scope = binder.changed_scope(&table, &alias, &old, others.as_ref(), Clause::Update)?;
            *binder.scope() = scope;
            let set = binder.bind_assignments(&table, assignments)?;
            binder.note_updated(place, &table, &set);
            let current_of = selection.as_ref().and_then(cursor_of);
            if current_of.is_some() && others.is_some() {
                return Err(SqlError::unsupported("WHERE CURRENT OF beside other tables"));
            }
            let predicate = match selection {
                _ if current_of.is_some() => None,
                Some(selection) => {
                    Some(binder.in_clause(Clause::Where, |binder| binder.bind_boolean(selection, "WHERE"))?)
                }
                None => None,
            };
            let predicate = binder.with_view_conditions(&table, &old, predicate)?;
            let mut row = binder.new_row(&table, true);
            binder.add_system_columns(&table, &mut row);
            let real = binder.real_table(&table);
            let generated = binder.bind_generated(&real, &row)?;
            let mut checks = binder.bind_checks(&real, &row)?;
            checks.extend(binder.view_checks(&table, &row)?);
            let scope = binder.changed_scope(&table, &alias, &row, others.as_ref(), Clause::Returning)?;
            let (returning, read) =
                binder.reading(&table, &[&row], |binder| binder.bind_returning(returning.as_ref(), scope))?;
            binder.note_more(place, |access| access.columns.selected.extend(read));
            binder.drop_unused_system_columns(&mut old);
            binder.drop_unused_system_columns(&mut row);
            let from = others.map(|others| binder.join_changed(&table, &alias, &old, others));
            let mut update =
                Update { table: real, old, alias, from, current_of, predicate, set, row, generated, checks, returning };
            let parts = update.set.iter_mut().map(|(_, expr)| expr).chain(&mut update.predicate);
            binder.put_view_values_in(parts, &mut update.returning);
            Ok(update)
        })
    }

    /// The one table of UPDATE or DELETE, with its alias.
    pub(super) fn bind_changed_table(
        &mut self,
        item: &ast::TableWithJoins,
        change: Option<ViewChange>,
    ) -> SqlResult<(Arc<TableDef>, String)> {
        let ast::TableWithJoins { relation, joins } = item;
        let TableFactor::Table {
            name,
            alias,
            args: None,
            with_hints,
            version: None,
            with_ordinality: false,
            partitions,
            json_path: None,
            sample: None,
            index_hints,
        } = relation
        else {
            return Err(SqlError::new(SYNTAX_ERROR, "syntax error in the table to change"));
        };
        if !joins.is_empty() || !with_hints.is_empty() || !partitions.is_empty() || !index_hints.is_empty() {
            return Err(SqlError::new(SYNTAX_ERROR, "syntax error in the table to change"));
        }
        let TableName { schema, name, position } = table_name(name)?;
        let table = self.find_target(schema.as_deref(), &name, position, change)?;
        let alias = match alias {
            None => table.name.clone(),
            Some(ast::TableAlias { explicit: _, name, columns, at }) => {
                if !columns.is_empty() || at.is_some() {
                    return Err(SqlError::new(SYNTAX_ERROR, "syntax error in the alias of the table to change"));
                }
                name_of(name)
            }
        };
        Ok((table, alias))
    }

    /// SET: one expression for each column that changes, converted to its type.
    pub(super) fn bind_assignments(
        &mut self,
        table: &Arc<TableDef>,
        assignments: &[ast::Assignment],
    ) -> SqlResult<Vec<(usize, Expr)>> {
        let mut set: Vec<(usize, Expr)> = Vec::with_capacity(assignments.len());
        for ast::Assignment { target, value } in assignments {
            match target {
                AssignmentTarget::ColumnName(name) => self.bind_assignment(table, name, value, &mut set)?,
                AssignmentTarget::Tuple(names) => self.bind_multiple(table, names, value, &mut set)?,
            }
        }
        Ok(set)
    }

    /// One target and its value.
    fn bind_assignment(
        &mut self,
        table: &Arc<TableDef>,
        name: &ObjectName,
        value: &ast::Expr,
        set: &mut Vec<(usize, Expr)>,
    ) -> SqlResult<()> {
        let Some((at, column, part)) = self.assigned_part(table, name, set)? else {
            let at = self.assigned_column(table, name, set)?;
            let expr = self.bind_assigned(table, at, value)?;
            set.push((at, expr));
            return Ok(());
        };
        if is_default(value) {
            return Err(default_in_part(&part));
        }
        let value = self.bind_expr(value)?;
        let value = self.coerce_for_part(value, &part, &column)?;
        self.assign_part(table, at, &part, value, set)
    }

    /// The part of a column that a target names, if it names one: position and name of the column.
    fn assigned_part(
        &mut self,
        table: &Arc<TableDef>,
        name: &ObjectName,
        set: &[(usize, Expr)],
    ) -> SqlResult<Option<(usize, String, TargetPart)>> {
        let [ObjectNamePart::Identifier(identifier)] = name.0.as_slice() else { return Ok(None) };
        let column = name_of(identifier);
        self.expect_view_column(table, &column, ViewChange::Update)?;
        let Some(definition) = table.column_named(&column).and_then(|at| table.columns.get(at)) else {
            return Ok(None);
        };
        let Some(part) = self.target_part(definition, identifier)? else { return Ok(None) };
        let at = target_column(table, &column, span_position(identifier.span))?;
        let whole = |(other, expr): &(usize, Expr)| *other == at && !is_partial(expr);
        if set.iter().any(whole) {
            let message = format!("multiple assignments to same column \"{column}\"");
            return Err(SqlError::new(SYNTAX_ERROR, message));
        }
        Ok(Some((at, column, part)))
    }

    fn assigned_column(&self, table: &TableDef, name: &ObjectName, set: &[(usize, Expr)]) -> SqlResult<usize> {
        let Some(ObjectNamePart::Identifier(first)) = name.0.first() else {
            return Err(SqlError::unsupported("a computed name"));
        };
        let position = span_position(first.span);
        let column = name_of(first);
        if name.0.len() > 1 {
            // `SET t.a = 1` means the field `a` of a column `t`.
            if table.column_named(&column).is_some() {
                return Err(SqlError::unsupported("a part of a composite column as a target").or_position(position));
            }
            return Err(target_column(table, &column, position).err().unwrap_or_else(|| SqlError::internal("found")));
        }
        if SystemColumn::named(&column).is_some() {
            let message = format!("cannot assign to system column \"{column}\"");
            return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).or_position(position));
        }
        let at = target_column(table, &column, position)?;
        if set.iter().any(|(other, _)| *other == at) {
            let message = format!("multiple assignments to same column \"{column}\"");
            return Err(SqlError::new(SYNTAX_ERROR, message));
        }
        Ok(at)
    }

    fn bind_assigned(&mut self, table: &TableDef, at: usize, value: &ast::Expr) -> SqlResult<Expr> {
        if is_default(value) {
            return self.default_of(table, at);
        }
        let bound = self.bind_expr(value)?;
        self.assign(table, at, bound)
    }

    fn assign(&mut self, table: &TableDef, at: usize, value: Expr) -> SqlResult<Expr> {
        let Some(column) = table.columns.get(at) else { return Err(SqlError::internal("no such column")) };
        if column.identity.is_some_and(|identity| identity.always) {
            let name = &column.name;
            return Err(SqlError::new(GENERATED_ALWAYS, format!("column \"{name}\" can only be updated to DEFAULT"))
                .with_detail(format!("Column \"{name}\" is an identity column defined as GENERATED ALWAYS.")));
        }
        if column.generated.is_some() {
            let name = &column.name;
            return Err(SqlError::new(GENERATED_ALWAYS, format!("column \"{name}\" can only be updated to DEFAULT"))
                .with_detail(format!("Column \"{name}\" is a generated column.")));
        }
        self.coerce_for_column(value, column, &column.name, None)
    }

    /// `(a, b) = (1, 2)`, `(a, b) = ROW(1, 2)`, `(a, b) = (SELECT ...)`.
    fn bind_multiple(
        &mut self,
        table: &Arc<TableDef>,
        names: &[ObjectName],
        value: &ast::Expr,
        set: &mut Vec<(usize, Expr)>,
    ) -> SqlResult<()> {
        let position = self.position_of(value);
        let count_error = || {
            let message = "number of columns does not match number of values";
            SqlError::new(SYNTAX_ERROR, message).or_position(position)
        };
        if let ast::Expr::Subquery(subquery) = value {
            // One scalar subquery for each column: the same rows, unless the query is volatile.
            for (field, name) in names.iter().enumerate() {
                let part = self.assigned_part(table, name, set)?;
                let mut query = self.bind_expression_query(subquery)?;
                if query.output.len() != names.len() {
                    return Err(count_error());
                }
                let volatile = walk::any_in_query(&query, &mut |expr| match &expr.kind {
                    ExprKind::Call { function, .. } => function.volatility == Volatility::Volatile,
                    _ => false,
                });
                if volatile {
                    return Err(SqlError::unsupported("a row of a volatile subquery as the source of an UPDATE")
                        .or_position(position));
                }
                let output = query.output.get(field).cloned();
                query.output = output.into_iter().collect();
                let ty = query.output.first().map_or(nqdb_types::Type::TEXT, |output| output.ty);
                let scalar = Expr { kind: ExprKind::ScalarSubquery(Box::new(query)), ty, nullable: true, position };
                if let Some((at, column, part)) = part {
                    let scalar = self.coerce_for_part(scalar, &part, &column)?;
                    self.assign_part(table, at, &part, scalar, set)?;
                    continue;
                }
                let at = self.assigned_column(table, name, set)?;
                let expr = self.assign(table, at, scalar)?;
                set.push((at, expr));
            }
            return Ok(());
        }
        let items = match row_items(value) {
            Some(items) => items,
            None => match value {
                ast::Expr::Nested(only) => vec![&**only],
                _ => {
                    let message = "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression";
                    return Err(SqlError::new(nqdb_sqlstate::FEATURE_NOT_SUPPORTED, message).or_position(position));
                }
            },
        };
        if items.len() != names.len() {
            return Err(count_error());
        }
        for (name, item) in names.iter().zip(items) {
            self.bind_assignment(table, name, item, set)?;
        }
        Ok(())
    }
}
