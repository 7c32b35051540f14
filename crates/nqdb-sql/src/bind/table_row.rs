//! Rows of one table as INSERT, UPDATE, DELETE and CHECK see them: a column id for each live column.

use std::sync::Arc;

use nqdb_catalog::{ColumnDef, Relation, TableDef};
use nqdb_functions::CastContext;
use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_types::{Datum, Type, oid};

use super::from::whole_row_of;
use super::literal::literal;
use super::scope::{Clause, Scope, ScopeColumn, ScopeTable};
use super::{Binder, bind_default_of};
use crate::SystemColumn;
use crate::ir::{Check, ColumnId, Expr};
use crate::parse::parse_expression;

/// The ids of a row, by position in `TableDef::columns`.
pub(super) type Row = Vec<(usize, ColumnId)>;

impl Binder<'_> {
    /// Makes a row of the table in the scope at hand. `nullable`: a row that is not checked yet.
    pub(super) fn new_row(&mut self, table: &TableDef, unchecked: bool) -> Row {
        let mut row = Vec::new();
        for (at, column) in table.live_columns() {
            let nullable = unchecked || !column.not_null;
            row.push((at, self.new_column(column.ty, nullable, Some((table.oid, column.attnum)))));
        }
        row
    }

    /// Adds the system columns to the row of a table; a view has none.
    pub(super) fn add_system_columns(&mut self, table: &TableDef, row: &mut Row) {
        if self.view_target.is_some() {
            return;
        }
        for column in SystemColumn::ALL {
            row.push((column.position(), self.new_column(column.ty(), false, Some((table.oid, column.attnum())))));
        }
    }

    /// Takes the system columns out of a row that nobody named.
    pub(super) fn drop_unused_system_columns(&self, row: &mut Row) {
        row.retain(|(at, id)| SystemColumn::at(*at).is_none() || self.info(*id).used);
    }

    /// Learns of ids that were given out elsewhere.
    pub(super) fn adopt_row(&mut self, table: &TableDef, row: &[(usize, ColumnId)]) {
        let needed = row.iter().map(|(_, id)| id.0 as usize + 1).max().unwrap_or(0);
        while self.columns.len() < needed {
            self.new_column(Type::TEXT, true, None);
        }
        for (at, id) in row {
            let Some(column) = table.columns.get(*at) else { continue };
            let info = &mut self.columns[id.0 as usize];
            info.ty = column.ty;
            info.origin = Some((table.oid, column.attnum));
        }
    }

    /// A scope with one row of the table under a name.
    pub(super) fn row_scope(
        &self,
        table: &Arc<TableDef>,
        name: &str,
        row: &[(usize, ColumnId)],
        clause: Clause,
    ) -> Scope {
        let mut scope = Scope::new(clause);
        let item = row_table(table, name, row);
        scope.columns.clone_from(&item.columns);
        scope.tables.push(item);
        scope
    }

    /// As [`Binder::row_scope`], for the target of a change, which may be a view.
    pub(super) fn target_scope(
        &mut self,
        table: &Arc<TableDef>,
        name: &str,
        row: &Row,
        clause: Clause,
    ) -> SqlResult<Scope> {
        let mut scope = Scope::new(clause);
        let item = self.target_table(table, name, row)?;
        scope.columns.clone_from(&item.columns);
        scope.tables.push(item);
        Ok(scope)
    }

    /// The CHECK constraints of a table over its new row.
    pub(super) fn bind_checks(&mut self, table: &Arc<TableDef>, row: &[(usize, ColumnId)]) -> SqlResult<Vec<Check>> {
        let mut checks = Vec::with_capacity(table.checks.len());
        for check in &table.checks {
            let (tokens, expression) = parse_expression(&check.expression).map_err(SqlError::without_position)?;
            let outer_tokens = std::mem::replace(&mut self.tokens, tokens);
            let outer_scopes = std::mem::take(&mut self.scopes);
            let scope = self.row_scope(table, &table.name, row, Clause::Check);
            let bound = self.in_scope(scope, |binder| binder.bind_boolean(&expression, "CHECK"));
            self.scopes = outer_scopes;
            self.tokens = outer_tokens;
            let mut predicate = bound.map_err(SqlError::without_position)?;
            predicate.position = None;
            checks.push(Check { name: check.name.clone(), predicate, of_view: false });
        }
        Ok(checks)
    }

    /// The generated columns of a table over its new row.
    pub(super) fn bind_generated(
        &mut self,
        table: &Arc<TableDef>,
        row: &[(usize, ColumnId)],
    ) -> SqlResult<Vec<(usize, Expr)>> {
        let mut generated = Vec::new();
        for (at, column) in table.live_columns().filter(|(_, column)| column.generated.is_some()) {
            let Some(text) = &column.default else { continue };
            let value = self.bind_generation(text, table, column, row).map_err(SqlError::without_position)?;
            generated.push((at, value));
        }
        Ok(generated)
    }

    /// The expression of a generated column, as the column's type.
    pub(super) fn bind_generation(
        &mut self,
        text: &str,
        table: &Arc<TableDef>,
        column: &ColumnDef,
        row: &[(usize, ColumnId)],
    ) -> SqlResult<Expr> {
        let (tokens, expression) = parse_expression(text)?;
        let outer_tokens = std::mem::replace(&mut self.tokens, tokens);
        let outer_scopes = std::mem::take(&mut self.scopes);
        let scope = self.row_scope(table, &table.name, row, Clause::Generated);
        let bound = self.in_scope(scope, |binder| {
            let value = binder.bind_expr(&expression)?;
            binder.coerce_for_column(value, column, &column.name, None)
        });
        self.scopes = outer_scopes;
        self.tokens = outer_tokens;
        bound
    }

    /// What a column gets when nothing is said: its identity's next value, its default, or NULL.
    pub(super) fn default_of(&mut self, table: &TableDef, at: usize) -> SqlResult<Expr> {
        let Some(column) = table.columns.get(at) else { return Err(SqlError::internal("no such column")) };
        if let Some(identity) = column.identity {
            let sequence = literal(Datum::Oid(identity.sequence), Type::new(oid::REGCLASS), None);
            let value = self.call_named("nextval", vec![sequence], None)?;
            return self.coerce(value, column.ty, CastContext::Assignment, None);
        }
        if column.generated.is_some() {
            // It is computed when the rest of the row is there.
            return Ok(literal(Datum::Null, column.ty, None));
        }
        let default = bind_default_of(column, self.cx).map_err(SqlError::without_position)?;
        match default {
            Some(default) => Ok(default),
            None => Ok(literal(Datum::Null, column.ty, None)),
        }
    }
}

/// A table of a scope whose columns are a row's.
pub(super) fn row_table(table: &Arc<TableDef>, name: &str, row: &[(usize, ColumnId)]) -> ScopeTable {
    let columns: Vec<ScopeColumn> = row
        .iter()
        .filter_map(|(at, id)| {
            let column = table.columns.get(*at)?;
            Some(ScopeColumn { name: column.name.clone(), id: *id })
        })
        .collect();
    let renamed = name != table.name;
    ScopeTable {
        name: name.to_string(),
        schema: (!renamed).then(|| table.schema_name.clone()),
        table: Some(Arc::clone(table)),
        row: whole_row_of(&Relation::Table(Arc::clone(table)), &columns),
        columns,
        hidden_name: renamed.then(|| table.name.clone()),
        is_value: false,
        system: row.iter().filter_map(|(at, id)| Some((SystemColumn::at(*at)?, *id))).collect(),
    }
}
