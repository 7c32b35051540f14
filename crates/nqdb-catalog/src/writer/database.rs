//! CREATE, ALTER and DROP DATABASE.
//!
//! 1. A new database is a copy of another one, its template ([`super::copy`]); it is in the cluster's list from the commit on.
//! 2. DROP removes the trees, counters and rows of everything in it, whatever depends on what.
//! 3. Whoever makes, changes or drops a database has kept sessions away from it and from its template: locks on
//!    the number of a database are between definitions only.

use std::sync::Arc;

use nqdb_sqlstate::{DUPLICATE_DATABASE, INVALID_CATALOG_NAME, SqlError};
use nqdb_txn::{RelationLock, Result, Sequence};
use nqdb_types::Oid;

use super::{CatalogWriter, taken};
use crate::objects::{Kind, ObjectRow, Space};
use crate::request::{DatabaseChange, NewDatabase};
use crate::rights::SecuredKind;
use crate::shared::DatabaseDef;
use crate::snapshot::Change;
use crate::stored::to_json;

impl CatalogWriter<'_> {
    /// Makes a database. Errors: 42P04 when the name is taken, 3D000 when the template is gone.
    pub fn create_database(&mut self, new: &NewDatabase) -> Result<Oid> {
        self.txn.lock_relation(new.template, RelationLock::Share)?;
        let cluster = self.catalog.cluster().clone();
        let template = cluster.catalog(new.template);
        let template = template.ok_or_else(|| no_database(&format!("with OID {}", new.template)))?;
        self.expect_free_database_name(&new.name)?;
        let oid = self.catalog.next_oid(self.txn)?;
        let database = DatabaseDef {
            oid,
            name: new.name.clone(),
            owner: new.owner,
            is_template: new.is_template,
            allow_connections: new.allow_connections,
            connection_limit: new.connection_limit,
        };
        let row = database_row(&database);
        self.catalog.objects().insert(self.txn, &row).map_err(|error| taken(error, duplicate(&new.name).into()))?;
        let snapshot = self.copy_database(&template, oid)?;
        // In this order: who finds the name finds the catalog.
        self.txn.on_commit(Box::new(move |_| cluster.attach(snapshot)));
        self.push(Change::PutDatabase(Arc::new(database)));
        Ok(oid)
    }

    /// Changes what is said of a database. Errors: 42P04 when a new name is taken, 3D000 when it is gone.
    pub fn alter_database(&mut self, oid: Oid, change: &DatabaseChange) -> Result<()> {
        let mut database = self.lock_database(oid)?;
        if let Some(name) = &change.name {
            self.expect_free_database_name(name)?;
            database.name.clone_from(name);
        }
        if let Some(owner) = change.owner {
            self.change_list_owner(SecuredKind::Database.class(), oid, database.owner, owner)?;
            database.owner = owner;
        }
        database.is_template = change.is_template.unwrap_or(database.is_template);
        database.allow_connections = change.allow_connections.unwrap_or(database.allow_connections);
        database.connection_limit = change.connection_limit.unwrap_or(database.connection_limit);
        let row = database_row(&database);
        let name = database.name.clone();
        self.catalog.objects().replace(self.txn, &row).map_err(|error| taken(error, duplicate(&name).into()))?;
        self.push(Change::PutDatabase(Arc::new(database)));
        Ok(())
    }

    /// Drops a database with everything in it. Errors: 3D000 when it is gone.
    pub fn drop_database(&mut self, oid: Oid) -> Result<()> {
        let database = self.lock_database(oid)?;
        let cluster = self.catalog.cluster().clone();
        let dropped = cluster.catalog(oid).ok_or_else(|| no_database(&format!("\"{}\"", database.name)))?;
        let snapshot = dropped.committed();
        for table in snapshot.tables() {
            self.drop_trees(&table.store)?;
            self.txn.forget_table(table.oid);
        }
        dropped.objects().remove_all(self.txn)?;
        self.forget_database(oid)?;
        self.catalog.objects().remove(self.txn, Space::Database, oid)?;
        let counters: Vec<Sequence> = snapshot.sequences().map(|sequence| sequence.counter()).collect();
        self.txn.on_commit(Box::new(move |_| cluster.note_dropped_sequences(counters)));
        self.push(Change::DropDatabase(oid));
        Ok(())
    }

    /// Removes what is said about a database that goes: its rights, its comment, and the settings of roles in it.
    fn forget_database(&mut self, oid: Oid) -> Result<()> {
        let class = SecuredKind::Database.class();
        self.set_access_list(class, oid, 0, None)?;
        self.set_comment(class, oid, 0, None)?;
        let snapshot = self.snapshot();
        let settings = snapshot.role_settings().filter(|found| found.database == oid);
        settings.map(|found| found.role).try_for_each(|role| self.set_role_settings(oid, role, Vec::new()))
    }

    /// Locks a database and gives its definition as it is under the lock.
    fn lock_database(&mut self, oid: Oid) -> Result<DatabaseDef> {
        self.txn.lock_relation(oid, RelationLock::AccessExclusive)?;
        match self.snapshot().database_by_oid(oid) {
            Some(database) => Ok(DatabaseDef::clone(database)),
            None => Err(no_database(&format!("with OID {oid}")).into()),
        }
    }

    fn expect_free_database_name(&mut self, name: &str) -> Result<()> {
        match self.snapshot().database_named(name) {
            Some(_) => Err(duplicate(name).into()),
            None => Ok(()),
        }
    }
}

fn duplicate(name: &str) -> SqlError {
    SqlError::new(DUPLICATE_DATABASE, format!("database \"{name}\" already exists"))
}

fn no_database(which: &str) -> SqlError {
    SqlError::new(INVALID_CATALOG_NAME, format!("database {which} does not exist"))
}

pub(crate) fn database_row(database: &DatabaseDef) -> ObjectRow {
    ObjectRow {
        space: Space::Database,
        oid: database.oid,
        parent: 0,
        name: database.name.clone(),
        kind: Kind::Database,
        definition: to_json(database),
    }
}
