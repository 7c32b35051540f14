//! Foreign keys in the catalog: made, changed and dropped with both of their tables locked.

use std::sync::Arc;

use nqdb_sqlstate::{SqlError, UNDEFINED_OBJECT};
use nqdb_txn::{RelationLock, Result};
use nqdb_types::Oid;

use super::CatalogWriter;
use super::table::expect_new_constraint;
use crate::definition::TableDef;
use crate::foreign_key::ForeignKeyDef;
use crate::names::choose_name;
use crate::request::NewForeignKey;

impl CatalogWriter<'_> {
    /// Adds a foreign key to a table that is locked.
    pub(super) fn add_foreign_key(&mut self, table: &Arc<TableDef>, new: &NewForeignKey) -> Result<()> {
        self.lock_table(new.referenced, RelationLock::ShareRowExclusive)?;
        let name = match &new.name {
            Some(name) => {
                expect_new_constraint(table, name)?;
                name.clone()
            }
            None => {
                let names = table.positions_of(&new.columns).into_iter().filter_map(|at| table.columns.get(at));
                let columns: Vec<&str> = names.map(|column| column.name.as_str()).collect();
                choose_name(&table.name, Some(&columns.join("_")), "fkey", |name| table.has_constraint_named(name))
            }
        };
        let mut successor = TableDef::clone(table);
        successor.foreign_keys.push(Arc::new(ForeignKeyDef {
            oid: self.catalog.next_oid(self.txn)?,
            name,
            table: table.oid,
            columns: new.columns.clone(),
            referenced: new.referenced,
            referenced_columns: new.referenced_columns.clone(),
            index: new.index,
            match_full: new.match_full,
            on_delete: new.on_delete,
            on_update: new.on_update,
            delete_columns: new.delete_columns.clone(),
            deferral: new.deferral,
            validated: new.validated,
        }));
        self.put_table(successor)
    }

    /// Drops a foreign key of a table that is locked.
    pub(super) fn remove_foreign_key(&mut self, table: &Arc<TableDef>, name: &str) -> Result<()> {
        let Some(key) = table.foreign_key_named(name).cloned() else { return Ok(()) };
        self.forget_foreign_key(&key)?;
        let mut successor = TableDef::clone(table);
        successor.foreign_keys.retain(|known| known.oid != key.oid);
        self.put_table(successor)
    }

    /// What goes with a foreign key. The table that it refers to is kept still: its rows are not watched any more.
    pub(super) fn forget_foreign_key(&mut self, key: &ForeignKeyDef) -> Result<()> {
        if self.snapshot().table_by_oid(key.referenced).is_some() {
            self.txn.lock_relation(key.referenced, RelationLock::AccessExclusive)?;
        }
        self.forget_object(key.oid)
    }

    /// Changes a foreign key of a table that is locked.
    pub(super) fn change_foreign_key(
        &mut self,
        table: &Arc<TableDef>,
        name: &str,
        change: impl FnOnce(&mut ForeignKeyDef),
    ) -> Result<()> {
        let mut successor = TableDef::clone(table);
        let Some(key) = successor.foreign_keys.iter_mut().find(|key| key.name == name) else {
            let message = format!("constraint \"{name}\" of relation \"{}\" does not exist", table.name);
            return Err(SqlError::new(UNDEFINED_OBJECT, message).into());
        };
        change(Arc::make_mut(key));
        self.put_table(successor)
    }

    /// ALTER CONSTRAINT and VALIDATE CONSTRAINT: changes a foreign key by its name. Errors: 42704 when there is none.
    pub fn alter_foreign_key(&mut self, table: Oid, name: &str, change: impl FnOnce(&mut ForeignKeyDef)) -> Result<()> {
        let table = self.lock_table(table, RelationLock::AccessExclusive)?;
        if let Some(key) = table.foreign_key_named(name) {
            self.txn.lock_relation(key.referenced, RelationLock::ShareRowExclusive)?;
        }
        self.change_foreign_key(&table, name, change)
    }
}
