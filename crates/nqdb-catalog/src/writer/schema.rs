//! CREATE SCHEMA and DROP SCHEMA.

use std::sync::Arc;

use nqdb_sqlstate::{DUPLICATE_SCHEMA, INSUFFICIENT_PRIVILEGE, RESERVED_NAME, SqlError};
use nqdb_txn::Result;
use nqdb_types::Oid;

use super::{CatalogWriter, ObjectId, taken};
use crate::catalog::{PG_CATALOG_OID, schema_row};
use crate::definition::SchemaDef;
use crate::objects::Space;
use crate::request::DropBehavior;
use crate::rights::SecuredKind;
use crate::snapshot::Change;

impl CatalogWriter<'_> {
    /// Makes a schema. Errors: 42P06 when the name is taken, 42939 for names that begin with `pg_`.
    pub fn create_schema(&mut self, name: &str) -> Result<Oid> {
        expect_schema_name(name)?;
        let duplicate = || SqlError::new(DUPLICATE_SCHEMA, format!("schema \"{name}\" already exists"));
        if self.snapshot().schema(name).is_some() {
            return Err(duplicate().into());
        }
        let oid = self.catalog.next_oid(self.txn)?;
        let schema = Arc::new(SchemaDef { oid, name: name.to_owned(), owner: self.role });
        let row = schema_row(&schema);
        self.catalog.objects().insert(self.txn, &row).map_err(|error| taken(error, duplicate().into()))?;
        self.push(Change::PutSchema(schema));
        self.apply_default_access(SecuredKind::Schema, oid, 0)?;
        Ok(oid)
    }

    /// Drops a schema; with CASCADE also what is in it, whose descriptions are returned.
    ///
    /// Errors: 2BP01 when it is not empty, 42501 for system schemas.
    pub fn drop_schema(&mut self, oid: Oid, behavior: DropBehavior) -> Result<Vec<String>> {
        let snapshot = self.snapshot();
        if let Some(schema) = snapshot.schema_by_oid(oid).filter(|_| oid == PG_CATALOG_OID) {
            return Err(SqlError::new(
                INSUFFICIENT_PRIVILEGE,
                format!("permission denied: \"{}\" is a system catalog", schema.name),
            )
            .into());
        }
        self.drop_objects(&[ObjectId::Schema(oid)], behavior)
    }

    /// Removes an empty schema.
    pub(super) fn remove_schema(&mut self, oid: Oid) -> Result<()> {
        if self.snapshot().schema_by_oid(oid).is_some() {
            self.forget_object(oid)?;
            self.remove_default_access_of_schema(oid)?;
            self.catalog.objects().remove(self.txn, Space::Schema, oid)?;
            self.push(Change::DropSchema(oid));
        }
        Ok(())
    }
}

/// 42939 for names that begin with `pg_`.
pub(super) fn expect_schema_name(name: &str) -> Result<()> {
    if name.starts_with("pg_") {
        return Err(SqlError::new(RESERVED_NAME, format!("unacceptable schema name \"{name}\""))
            .with_detail("The prefix \"pg_\" is reserved for system schemas.")
            .into());
    }
    Ok(())
}
