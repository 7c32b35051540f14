//! Temporary objects: they stand in a schema of their session, `pg_temp_` and its number.
//!
//! 1. The schema is made with the session's first temporary object and is the session's alone: only its search path
//!    holds it.
//! 2. Their rows are in trees like all others. What ends them is a drop of the schema with all that is in it: at the end
//!    of the session, at DISCARD TEMP, and at the next start for sessions that a crash cut off.

use std::ops::ControlFlow;
use std::sync::Arc;

use nqdb_txn::{Direction, Result, RowId};
use nqdb_types::Oid;

use super::{CatalogWriter, taken};
use crate::catalog::{SUPERUSER_OID, schema_row};
use crate::definition::{OnCommit, Relation, SchemaDef, TableDef};
use crate::request::DropBehavior;
use crate::snapshot::Change;

impl CatalogWriter<'_> {
    /// The number of a session's temporary schema, which is made if need be.
    pub fn temporary_schema(&mut self, name: &str) -> Result<Oid> {
        if let Some(schema) = self.snapshot().schema(name) {
            return Ok(schema.oid);
        }
        let oid = self.catalog.next_oid(self.txn)?;
        let schema = Arc::new(SchemaDef { oid, name: name.to_owned(), owner: SUPERUSER_OID });
        let duplicate = nqdb_sqlstate::SqlError::internal("two sessions share a temporary schema");
        self.catalog
            .objects()
            .insert(self.txn, &schema_row(&schema))
            .map_err(|error| taken(error, duplicate.into()))?;
        self.push(Change::PutSchema(schema));
        Ok(oid)
    }

    /// Drops a session's temporary schema with everything in it, if there is one.
    pub fn drop_temporary_schema(&mut self, name: &str) -> Result<()> {
        let oid = self.snapshot().schema(name).map(|schema| schema.oid);
        match oid {
            Some(oid) => self.drop_schema(oid, DropBehavior::Cascade).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Does to the temporary tables of a schema what their ON COMMIT says.
    pub fn apply_on_commit(&mut self, schema: &str) -> Result<()> {
        let snapshot = self.snapshot();
        let Some(schema) = snapshot.schema(schema) else { return Ok(()) };
        let mut tables: Vec<Arc<TableDef>> = snapshot
            .relations_of(schema.oid)
            .filter_map(|relation| match relation {
                Relation::Table(table) => Some(table.clone()),
                _ => None,
            })
            .collect();
        tables.sort_by_key(|table| table.oid);
        for table in tables {
            match table.on_commit {
                OnCommit::PreserveRows => {}
                OnCommit::DeleteRows => {
                    if self.txn.has_written() && self.has_rows(&table)? {
                        self.truncate(table.oid, false)?;
                    }
                }
                OnCommit::Drop => self.drop_table(table.oid)?,
            }
        }
        Ok(())
    }

    fn has_rows(&self, table: &TableDef) -> Result<bool> {
        let view = self.txn.view_with_own_writes();
        let mut scan = table.store.scan(view, RowId(0)..RowId(u64::MAX), Direction::Forward);
        let mut found = false;
        while !found
            && scan.next_batch(&mut |_, _, _| {
                found = true;
                ControlFlow::Break(())
            })?
        {}
        Ok(found)
    }
}
