//! Who may change what. There is no GRANT yet: an object belongs to its owner and to superusers.

use nqdb_catalog::{SchemaDef, Snapshot};
use nqdb_sqlstate::{INSUFFICIENT_PRIVILEGE, SqlError, SqlResult};
use nqdb_types::Oid;

use super::DdlContext;

impl DdlContext<'_, '_> {
    fn is_superuser(&mut self) -> bool {
        let role = self.role;
        self.draft.snapshot().role_by_oid(role).is_some_and(|role| role.superuser)
    }

    /// 42501 unless the current role owns the object.
    pub(super) fn expect_owner(&mut self, owner: Oid, kind: &str, name: &str) -> SqlResult<()> {
        if owner == self.role || self.is_superuser() {
            return Ok(());
        }
        Err(SqlError::new(INSUFFICIENT_PRIVILEGE, format!("must be owner of {kind} {name}")))
    }

    pub(super) fn expect_may_create_in(&mut self, _snapshot: &Snapshot, schema: &SchemaDef) -> SqlResult<()> {
        if schema.oid != nqdb_catalog::PG_CATALOG_OID && (schema.owner == self.role || self.is_superuser()) {
            return Ok(());
        }
        Err(SqlError::new(INSUFFICIENT_PRIVILEGE, format!("permission denied for schema {}", schema.name)))
    }

    pub(super) fn expect_may_create_schema(&mut self) -> SqlResult<()> {
        if self.is_superuser() {
            return Ok(());
        }
        let database = self.exec.functions.session.current_database();
        Err(SqlError::new(INSUFFICIENT_PRIVILEGE, format!("permission denied for database {database}")))
    }

    /// 42501 unless the current role may make and change roles; touching a superuser takes one.
    pub(super) fn expect_may_change_roles(&mut self, verb: &str, touches_superuser: bool) -> SqlResult<()> {
        if self.is_superuser() {
            return Ok(());
        }
        let role = self.role;
        let may = self.draft.snapshot().role_by_oid(role).is_some_and(|role| role.create_role);
        if touches_superuser {
            return Err(SqlError::new(INSUFFICIENT_PRIVILEGE, format!("must be superuser to {verb} superusers")));
        }
        if may {
            return Ok(());
        }
        let message =
            if verb == "alter" { "permission denied".to_owned() } else { format!("permission denied to {verb} role") };
        Err(SqlError::new(INSUFFICIENT_PRIVILEGE, message))
    }
}
