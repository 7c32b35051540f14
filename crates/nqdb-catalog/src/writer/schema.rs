//! CREATE SCHEMA and DROP SCHEMA.

use std::sync::Arc;

use nqdb_sqlstate::{DEPENDENT_OBJECTS_STILL_EXIST, DUPLICATE_SCHEMA, INSUFFICIENT_PRIVILEGE, RESERVED_NAME, SqlError};
use nqdb_txn::{RelationLock, Result};
use nqdb_types::Oid;

use super::{CatalogWriter, described, taken};
use crate::catalog::{PG_CATALOG_OID, schema_row};
use crate::definition::{Relation, SchemaDef};
use crate::objects::Space;
use crate::request::DropBehavior;
use crate::snapshot::Change;

impl CatalogWriter<'_> {
    /// Makes a schema. Errors: 42P06 when the name is taken, 42939 for names that begin with `pg_`.
    pub fn create_schema(&mut self, name: &str) -> Result<Oid> {
        if name.starts_with("pg_") {
            return Err(SqlError::new(RESERVED_NAME, format!("unacceptable schema name \"{name}\""))
                .with_detail("The prefix \"pg_\" is reserved for system schemas.")
                .into());
        }
        let duplicate = || SqlError::new(DUPLICATE_SCHEMA, format!("schema \"{name}\" already exists"));
        if self.snapshot().schema(name).is_some() {
            return Err(duplicate().into());
        }
        let oid = self.catalog.next_oid(self.txn)?;
        let schema = Arc::new(SchemaDef { oid, name: name.to_owned(), owner: self.role });
        let row = schema_row(&schema);
        self.catalog.objects().insert(self.txn, &row).map_err(|error| taken(error, duplicate().into()))?;
        self.push(Change::PutSchema(schema));
        Ok(oid)
    }

    /// Drops a schema; with CASCADE also what is in it, whose descriptions are returned.
    ///
    /// Errors: 2BP01 when it is not empty, 42501 for system schemas.
    pub fn drop_schema(&mut self, oid: Oid, behavior: DropBehavior) -> Result<Vec<String>> {
        self.txn.lock_relation(oid, RelationLock::AccessExclusive)?;
        let snapshot = self.snapshot();
        let Some(schema) = snapshot.schema_by_oid(oid).cloned() else { return Ok(Vec::new()) };
        if oid == PG_CATALOG_OID {
            return Err(SqlError::new(
                INSUFFICIENT_PRIVILEGE,
                format!("permission denied: \"{}\" is a system catalog", schema.name),
            )
            .into());
        }
        let mut inside: Vec<Relation> =
            snapshot.relations_of(oid).filter(|relation| !matches!(relation, Relation::Index(..))).cloned().collect();
        inside.sort_by_key(Relation::oid);
        // A sequence that belongs to a column goes with its table.
        inside.retain(|relation| match relation {
            Relation::Sequence(sequence) => sequence.owned_by.is_none(),
            Relation::Table(_) | Relation::Index(..) => true,
        });
        if !inside.is_empty() && behavior == DropBehavior::Restrict {
            let lines: Vec<String> = inside
                .iter()
                .map(|relation| format!("{} depends on schema {}", described(relation), schema.name))
                .collect();
            return Err(SqlError::new(
                DEPENDENT_OBJECTS_STILL_EXIST,
                format!("cannot drop schema {} because other objects depend on it", schema.name),
            )
            .with_detail(lines.join("\n"))
            .with_hint("Use DROP ... CASCADE to drop the dependent objects too.")
            .into());
        }
        let mut dropped = Vec::with_capacity(inside.len());
        for relation in inside {
            dropped.push(described(&relation));
            match relation {
                Relation::Table(table) => self.drop_table(table.oid)?,
                Relation::Sequence(sequence) => {
                    self.drop_sequence(sequence.oid, DropBehavior::Cascade)?;
                }
                Relation::Index(..) => {}
            }
        }
        self.catalog.objects().remove(self.txn, Space::Schema, oid)?;
        self.push(Change::DropSchema(oid));
        Ok(dropped)
    }
}
