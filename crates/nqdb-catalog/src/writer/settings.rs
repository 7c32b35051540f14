//! ALTER TABLE's and ALTER INDEX's clauses that change what is said of a table, a column or an index, and not its rows:
//! settings, validity of checks, identity, and the constraint that an index is made into.

use std::sync::Arc;

use nqdb_sqlstate::{INVALID_TABLE_DEFINITION, SqlError};
use nqdb_txn::{RelationLock, Result, TableStore};
use nqdb_types::Oid;

use super::table::{expect_new_constraint, owned_sequences};
use super::{CatalogWriter, duplicate_relation, index_row, taken};
use crate::definition::{ColumnDef, Identity, IndexDef, TableDef};
use crate::foreign_key::Deferral;
use crate::settings::{ColumnSettings, IndexSettings, TableSettings};

impl CatalogWriter<'_> {
    /// Changes what is said of a table.
    pub fn change_settings(&mut self, table: Oid, change: impl FnOnce(&mut TableSettings)) -> Result<()> {
        let mut successor = self.table_to_change(table)?;
        change(&mut successor.settings);
        self.put_table(successor)
    }

    /// Changes what is said of a column.
    pub fn change_column_settings(
        &mut self,
        table: Oid,
        position: usize,
        change: impl FnOnce(&mut ColumnSettings),
    ) -> Result<()> {
        self.change_column(table, position, |column| change(&mut column.settings))
    }

    /// Changes what is said of an index.
    pub fn change_index_settings(
        &mut self,
        table: Oid,
        index: Oid,
        change: impl FnOnce(&mut IndexSettings),
    ) -> Result<()> {
        let successor = self.table_to_change(table)?;
        self.change_index(successor, index, |index| change(&mut index.settings))
    }

    /// CLUSTER ON an index; `None` is SET WITHOUT CLUSTER.
    pub fn set_clustered(&mut self, table: Oid, index: Option<Oid>) -> Result<()> {
        let definition = self.lock_table(table, RelationLock::AccessExclusive)?;
        let changed: Vec<(Oid, bool)> = definition
            .indexes
            .iter()
            .map(|known| (known.oid, Some(known.oid) == index, known.settings.clustered))
            .filter(|(_, wanted, present)| wanted != present)
            .map(|(oid, wanted, _)| (oid, wanted))
            .collect();
        changed
            .into_iter()
            .try_for_each(|(oid, wanted)| self.change_index_settings(table, oid, |index| index.clustered = wanted))
    }

    /// Marks a check as one that all rows meet.
    pub fn set_validated(&mut self, table: Oid, check: &str) -> Result<()> {
        let mut successor = self.table_to_change(table)?;
        for known in successor.checks.iter_mut().filter(|known| known.name == check) {
            known.validated = true;
        }
        self.put_table(successor)
    }

    /// Makes an identity column a plain one again; its sequence goes.
    pub fn drop_identity(&mut self, table: Oid, position: usize) -> Result<()> {
        let definition = self.lock_table(table, RelationLock::AccessExclusive)?;
        let Some(identity) = definition.columns.get(position).and_then(|column| column.identity) else { return Ok(()) };
        let sequence = self.lock_sequence(identity.sequence)?;
        self.remove_sequence(&sequence)?;
        self.change_column(table, position, |column| column.identity = None)
    }

    /// GENERATED ALWAYS or BY DEFAULT, for a column that is an identity column.
    pub fn set_identity(&mut self, table: Oid, position: usize, always: bool) -> Result<()> {
        self.change_column(table, position, |column| {
            column.identity = column.identity.map(|identity| Identity { always, ..identity });
        })
    }

    /// Makes a generated column a plain one that keeps its values.
    pub fn drop_expression(&mut self, table: Oid, position: usize) -> Result<()> {
        self.change_column(table, position, |column| {
            column.default = None;
            column.generated = None;
        })
    }

    /// Makes a constraint of a unique index, which takes the constraint's name.
    pub fn add_key_of_index(
        &mut self,
        table: Oid,
        index: Oid,
        name: &str,
        primary: bool,
        deferral: Deferral,
    ) -> Result<()> {
        let definition = self.lock_table(table, RelationLock::AccessExclusive)?;
        if primary && definition.primary_key().is_some() {
            let message = format!("multiple primary keys for table \"{}\" are not allowed", definition.name);
            return Err(SqlError::new(INVALID_TABLE_DEFINITION, message).into());
        }
        let Some(known) = definition.indexes.iter().find(|known| known.oid == index) else { return Ok(()) };
        expect_new_constraint(&definition, name)?;
        if known.name != name {
            self.expect_free_name(definition.schema, name)?;
        }
        let mut successor = TableDef::clone(&definition);
        if primary {
            for key in &known.key {
                if let Some(column) = successor.columns.get_mut(key.column) {
                    column.not_null = true;
                }
            }
        }
        if deferral.is_deferrable() {
            let mut store = TableStore::clone(&successor.store);
            if let Some(own) = store.indexes.get_mut(known.position) {
                *own = Arc::new(own.deferrable());
            }
            successor.store = Arc::new(store);
        }
        self.change_index(successor, index, |index| {
            index.deferral = deferral;
            index.name = name.to_owned();
            index.primary = primary;
            index.constraint = true;
        })
    }

    /// The sequences that a column owns.
    pub fn sequences_of_column(&mut self, table: Oid, attnum: i16) -> Vec<Oid> {
        let snapshot = self.snapshot();
        owned_sequences(&snapshot, table, Some(attnum))
    }

    fn table_to_change(&mut self, table: Oid) -> Result<TableDef> {
        Ok(TableDef::clone(&*self.lock_table(table, RelationLock::AccessExclusive)?))
    }

    fn change_column(&mut self, table: Oid, position: usize, change: impl FnOnce(&mut ColumnDef)) -> Result<()> {
        let mut successor = self.table_to_change(table)?;
        match successor.columns.get_mut(position) {
            Some(column) => change(column),
            None => return Ok(()),
        }
        self.put_table(successor)
    }

    fn change_index(&mut self, table: TableDef, index: Oid, change: impl FnOnce(&mut IndexDef)) -> Result<()> {
        let mut successor = table;
        let Some(known) = successor.indexes.iter_mut().find(|known| known.oid == index) else { return Ok(()) };
        let mut changed = IndexDef::clone(known);
        change(&mut changed);
        *known = Arc::new(changed.clone());
        let row = index_row(&successor, &changed);
        let twice = duplicate_relation(&changed.name);
        self.catalog.objects().replace(self.txn, &row).map_err(|error| taken(error, twice))?;
        self.put_table(successor)
    }
}
