//! Who may change what: 42501 in PostgreSQL's words.

use nqdb_catalog::channel::CHANNEL_SCHEMA;
use nqdb_catalog::rights::{Rights, Secured, SecuredKind};
use nqdb_catalog::{RoleDef, SchemaDef, Snapshot};
use nqdb_sqlstate::{INSUFFICIENT_PRIVILEGE, SqlError, SqlResult};
use nqdb_types::Oid;

use super::DdlContext;
use super::names::QualifiedName;
use crate::system::secured;

impl DdlContext<'_, '_> {
    pub(super) fn is_superuser(&mut self) -> bool {
        self.draft.snapshot().is_superuser(self.role)
    }

    /// 42501 unless the current role owns the object, itself or by a role whose privileges it has.
    pub(super) fn expect_owner(&mut self, owner: Oid, kind: &str, name: &str) -> SqlResult<()> {
        if self.draft.snapshot().owns(self.role, owner) {
            return Ok(());
        }
        Err(SqlError::new(INSUFFICIENT_PRIVILEGE, format!("must be owner of {kind} {name}")))
    }

    /// 42501 unless the current role has all of some privileges on an object.
    pub(super) fn expect_rights(&mut self, what: &Secured, wanted: Rights) -> SqlResult<()> {
        let snapshot = self.draft.snapshot();
        if crate::system::may(&snapshot, self.role, what, wanted) {
            return Ok(());
        }
        Err(crate::rights::permission_denied(&snapshot, what))
    }

    /// 42501 unless the current role may use the schema of a relation and read the relation; nothing for one that does not
    /// exist.
    pub(super) fn expect_readable(&mut self, name: &QualifiedName) -> SqlResult<()> {
        let snapshot = self.draft.snapshot();
        if let Some(schema) = name.schema.as_deref().and_then(|schema| snapshot.schema(schema))
            && !snapshot.may_use_schema(self.role, schema.oid)
        {
            let message = format!("permission denied for schema {}", schema.name);
            return Err(SqlError::new(INSUFFICIENT_PRIVILEGE, message).or_position(name.position));
        }
        match self.find_relation(name).and_then(|found| secured(&snapshot, SecuredKind::Table, found.oid())) {
            Some(relation) => self.expect_rights(&relation, Rights::SELECT),
            None => Ok(()),
        }
    }

    pub(super) fn expect_may_create_in(&mut self, snapshot: &Snapshot, schema: &SchemaDef) -> SqlResult<()> {
        self.expect_role_may_create_in(snapshot, self.role, schema)
    }

    /// 42501 unless a role may make objects in a schema. The system's own schemas are closed to all.
    pub(super) fn expect_role_may_create_in(
        &mut self,
        snapshot: &Snapshot,
        role: Oid,
        schema: &SchemaDef,
    ) -> SqlResult<()> {
        let may =
            snapshot.secured_schema(schema.oid).is_some_and(|secured| snapshot.may(role, &secured, Rights::CREATE));
        let is_closed = schema.oid == nqdb_catalog::PG_CATALOG_OID || schema.name == CHANNEL_SCHEMA;
        if may && !is_closed {
            return Ok(());
        }
        Err(SqlError::new(INSUFFICIENT_PRIVILEGE, format!("permission denied for schema {}", schema.name)))
    }

    pub(super) fn expect_may_create_schema(&mut self) -> SqlResult<()> {
        let snapshot = self.draft.snapshot();
        match secured(&snapshot, SecuredKind::Database, snapshot.database()) {
            Some(database) => self.expect_rights(&database, Rights::CREATE),
            None => Ok(()),
        }
    }

    /// 42501 unless the current role may make temporary objects in the database.
    pub(super) fn expect_may_create_temporary(&mut self) -> SqlResult<()> {
        let snapshot = self.draft.snapshot();
        let Some(database) = secured(&snapshot, SecuredKind::Database, snapshot.database()) else { return Ok(()) };
        if snapshot.may(self.role, &database, Rights::TEMPORARY) {
            return Ok(());
        }
        let message = format!("permission denied to create temporary tables in database \"{}\"", database.name);
        Err(SqlError::new(INSUFFICIENT_PRIVILEGE, message))
    }

    /// 42501 unless the current role may comment on a role.
    pub(super) fn expect_may_comment_on(&mut self, role: &RoleDef) -> SqlResult<()> {
        let denied = |message: String| Err(SqlError::new(INSUFFICIENT_PRIVILEGE, message));
        if role.superuser && !self.is_superuser() {
            return denied("must be superuser to alter superusers".to_owned());
        }
        if !self.may_create_roles() {
            return denied("must have CREATEROLE privilege".to_owned());
        }
        Ok(())
    }
}
