//! ALTER TABLE's clauses for single columns.

use std::sync::Arc;

use nqdb_sqlstate::{DUPLICATE_COLUMN, INVALID_TABLE_DEFINITION, SqlError, TOO_MANY_COLUMNS};
use nqdb_txn::{RelationLock, Result, TableStore};
use nqdb_types::{Datum, Oid};

use super::table::{COLUMNS_MAX, expect_no_system_column, owned_sequences};
use super::{CatalogWriter, index_row};
use crate::definition::{IndexComputation, IndexDef, Relation, TableDef};
use crate::published::PublishedChanges;
use crate::request::{NewColumn, NewColumnSequence};

impl CatalogWriter<'_> {
    /// Adds a column; rows that exist have `missing` in it. Returns its position.
    ///
    /// Errors: 42701 when the name is used, 54011 when the table has 1,600 columns (dropped ones count).
    pub fn add_column(&mut self, table: Oid, new: &NewColumn) -> Result<usize> {
        let table = self.lock_table(table, RelationLock::AccessExclusive)?;
        if table.column_named(&new.name).is_some() {
            return Err(duplicate_column(&new.name, &table.name));
        }
        if table.columns.len() >= COLUMNS_MAX {
            return Err(
                SqlError::new(TOO_MANY_COLUMNS, format!("tables can have at most {COLUMNS_MAX} columns")).into()
            );
        }
        if let Some(own) = Relation::Table(Arc::clone(&table)).row_type() {
            self.expect_holds_not(own, new.ty.declared_oid())?;
        }
        let has_values = new.default.as_ref().is_some_and(|text| !text.eq_ignore_ascii_case("null"));
        if has_values || new.sequence.is_some() {
            self.expect_rows_unused(&table)?;
        }
        let position = table.columns.len();
        let column = self.make_column(table.schema, (table.oid, &table.name), position, new)?;
        let mut successor = TableDef::clone(&table);
        let mut store = TableStore::clone(&table.store);
        store.columns.push(column.ty);
        store.missing.push(column.missing.clone().unwrap_or(Datum::Null));
        successor.columns.push(column);
        successor.store = Arc::new(store);
        self.put_table(successor)?;
        Ok(position)
    }

    /// Makes a column an identity column.
    pub fn add_identity(&mut self, table: Oid, position: usize, sequence: &NewColumnSequence) -> Result<()> {
        let table = self.lock_table(table, RelationLock::AccessExclusive)?;
        let column = &table.columns[position];
        let new = NewColumn {
            name: column.name.clone(),
            ty: column.ty,
            not_null: true,
            default: None,
            sequence: Some(sequence.clone()),
            missing: column.missing.clone(),
            settings: column.settings.clone(),
        };
        let column = self.make_column(table.schema, (table.oid, &table.name), position, &new)?;
        let mut successor = TableDef::clone(&table);
        successor.columns[position] = column;
        self.put_table(successor)
    }

    /// Drops a column with its indexes, its checks and the sequences that it owns.
    pub fn drop_column(&mut self, table_oid: Oid, position: usize) -> Result<()> {
        let table = self.lock_table(table_oid, RelationLock::AccessExclusive)?;
        let attnum = table.columns[position].attnum;
        for index in &table.indexes {
            if index.needs_column(position, attnum) {
                let current = self.lock_table(table_oid, RelationLock::AccessExclusive)?;
                self.remove_index(&current, index.oid)?;
            }
        }
        let snapshot = self.snapshot();
        for sequence in owned_sequences(&snapshot, table_oid, Some(attnum)) {
            let sequence = self.lock_sequence(sequence)?;
            self.remove_sequence(&sequence)?;
        }
        let current = self.lock_table(table_oid, RelationLock::AccessExclusive)?;
        let mut successor = TableDef::clone(&current);
        successor.checks.retain(|check| !check.columns.contains(&attnum));
        for key in table.foreign_keys.iter().filter(|key| key.columns.contains(&attnum)) {
            self.forget_foreign_key(key)?;
        }
        successor.foreign_keys.retain(|key| !key.columns.contains(&attnum));
        // Without CASCADE the dependency was refused before.
        successor.published = successor.published.filter(|published| !published.names_column(attnum));
        let column = &mut successor.columns[position];
        column.name = format!("........pg.dropped.{attnum}........");
        column.dropped = true;
        column.not_null = false;
        column.default = None;
        column.identity = None;
        column.generated = None;
        self.put_table(successor)?;
        self.remove_access_lists(table_oid, Some(attnum))
    }

    /// Gives a column another name; `checks` are the new texts of the checks that name it, by position, and `indexes` those
    /// of the indexes whose expressions name it, by number; `filter` is that of its published changes, if it names the column.
    pub fn rename_column(
        &mut self,
        table: Oid,
        position: usize,
        name: &str,
        checks: Vec<(usize, String)>,
        indexes: Vec<(Oid, IndexComputation)>,
        filter: Option<IndexComputation>,
    ) -> Result<()> {
        let table = self.lock_table(table, RelationLock::AccessExclusive)?;
        expect_no_system_column(name)?;
        if table.column_named(name).is_some() {
            return Err(duplicate_column(name, &table.name));
        }
        let mut successor = TableDef::clone(&table);
        successor.columns[position].name = name.to_owned();
        if let (Some(published), Some(filter)) = (&table.published, filter) {
            let columns = published.columns.clone();
            successor.published = Some(Arc::new(PublishedChanges { columns, filter: Some(filter) }));
        }
        for (check, expression) in checks {
            successor.checks[check].expression = expression;
        }
        for (oid, computation) in indexes {
            let Some(at) = successor.indexes.iter().position(|index| index.oid == oid) else { continue };
            let index =
                IndexDef { computation: Some(Arc::new(computation)), ..IndexDef::clone(&successor.indexes[at]) };
            successor.indexes[at] = Arc::new(index);
            let row = index_row(&successor, &successor.indexes[at]);
            self.catalog.objects().replace(self.txn, &row)?;
        }
        self.put_table(successor)
    }

    /// Sets or drops a column's default.
    pub fn set_default(&mut self, table: Oid, position: usize, default: Option<String>) -> Result<()> {
        let table = self.lock_table(table, RelationLock::AccessExclusive)?;
        let mut successor = TableDef::clone(&table);
        successor.columns[position].default = default;
        self.put_table(successor)
    }

    /// Makes a column a generated one; `columns` are the attribute numbers of those that its expression names.
    pub fn set_generated(&mut self, table: Oid, position: usize, expression: String, columns: Vec<i16>) -> Result<()> {
        let table = self.lock_table(table, RelationLock::AccessExclusive)?;
        let mut successor = TableDef::clone(&table);
        successor.columns[position].default = Some(expression);
        successor.columns[position].generated = Some(columns);
        self.put_table(successor)
    }

    /// Sets or drops NOT NULL; that no row violates it was seen by the caller, under the lock.
    ///
    /// Errors: 42P16 when a primary key or an identity needs the column not null.
    pub fn set_not_null(&mut self, table: Oid, position: usize, not_null: bool) -> Result<()> {
        let table = self.lock_table(table, RelationLock::AccessExclusive)?;
        let column = &table.columns[position];
        let in_primary_key =
            table.primary_key().is_some_and(|index| index.key.iter().any(|key| key.column == position));
        if !not_null && in_primary_key {
            let message = format!("column \"{}\" is in a primary key", column.name);
            return Err(SqlError::new(INVALID_TABLE_DEFINITION, message).into());
        }
        if !not_null && column.identity.is_some() {
            let message = format!("column \"{}\" of relation \"{}\" is an identity column", column.name, table.name);
            return Err(SqlError::new(nqdb_sqlstate::SYNTAX_ERROR, message).into());
        }
        let mut successor = TableDef::clone(&table);
        successor.columns[position].not_null = not_null;
        self.put_table(successor)
    }
}

fn duplicate_column(column: &str, table: &str) -> nqdb_txn::TxnError {
    SqlError::new(DUPLICATE_COLUMN, format!("column \"{column}\" of relation \"{table}\" already exists")).into()
}
