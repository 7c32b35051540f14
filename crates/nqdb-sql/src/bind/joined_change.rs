//! UPDATE ... FROM and DELETE ... USING: the table that changes beside other tables.

use std::sync::Arc;

use nqdb_catalog::TableDef;
use nqdb_sqlstate::SqlResult;
use nqdb_types::Type;
use sqlparser::ast;

use super::Binder;
use super::lateral::Sibling;
use super::scope::{Clause, Scope, ScopeColumn, ScopeTable, check_unique};
use super::table_row::Row;
use crate::ir::{ColumnId, JoinKind, JoinedChange, Rel};

/// The bound FROM of an UPDATE, or USING of a DELETE.
pub(super) struct OtherTables {
    pub(super) rel: Rel,
    tables: Vec<ScopeTable>,
    columns: Vec<ScopeColumn>,
    invisible: Vec<ScopeTable>,
}

impl Binder<'_> {
    /// Binds the other tables; they do not see the one that changes.
    pub(super) fn bind_other_tables(
        &mut self,
        table: &Arc<TableDef>,
        alias: &str,
        old: &Row,
        from: &[ast::TableWithJoins],
    ) -> SqlResult<Option<OtherTables>> {
        if from.is_empty() {
            return Ok(None);
        }
        let changed = self.target_table(table, alias, old)?;
        let columns = changed.columns.clone();
        let scope = self.scope();
        scope.changed_table = Some(changed.name.clone());
        scope.siblings = vec![Sibling { tables: vec![changed.clone()], columns, reachable: false }];
        let rel = self.bind_from(from)?;
        let scope = self.scope();
        scope.siblings.clear();
        scope.changed_table = None;
        let tables = std::mem::take(&mut scope.tables);
        let columns = std::mem::take(&mut scope.columns);
        let invisible = std::mem::take(&mut scope.invisible);
        check_unique(std::slice::from_ref(&changed), &tables)?;
        Ok(Some(OtherTables { rel, tables, columns, invisible }))
    }

    /// What conditions, new values and RETURNING see: a row of the table, and the other tables.
    pub(super) fn changed_scope(
        &mut self,
        table: &Arc<TableDef>,
        alias: &str,
        row: &Row,
        others: Option<&OtherTables>,
        clause: Clause,
    ) -> SqlResult<Scope> {
        let mut scope = self.target_scope(table, alias, row, clause)?;
        if let Some(others) = others {
            scope.tables.extend(others.tables.iter().cloned());
            scope.columns.extend(others.columns.iter().cloned());
            scope.invisible.extend(others.invisible.iter().cloned());
        }
        Ok(scope)
    }

    /// The join of the table with the others, once everything that reads it is bound.
    pub(super) fn join_changed(
        &mut self,
        table: &Arc<TableDef>,
        alias: &str,
        old: &Row,
        others: OtherTables,
    ) -> JoinedChange {
        let mut right = others.rel;
        self.prune(&mut right);
        let (scan, address) = self.changed_scan(table, alias, old);
        let rel = Rel::Join { kind: JoinKind::Cross, left: Box::new(scan), right: Box::new(right), on: None };
        JoinedChange { rel, address }
    }

    /// A scan of the rows that may change, and the column with their addresses.
    pub(super) fn changed_scan(&mut self, table: &Arc<TableDef>, alias: &str, old: &Row) -> (Rel, ColumnId) {
        let address = self.new_column(Type::BYTEA, true, None);
        let scan = Rel::Scan {
            table: self.real_table(table),
            alias: alias.to_string(),
            columns: old.clone(),
            address: Some(address),
            sample: None,
            position: None,
        };
        (scan, address)
    }
}
