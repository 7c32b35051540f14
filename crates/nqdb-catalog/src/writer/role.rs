//! CREATE, ALTER and DROP ROLE.

use std::sync::Arc;

use nqdb_sqlstate::{
    DEPENDENT_OBJECTS_STILL_EXIST, DUPLICATE_OBJECT, OBJECT_IN_USE, RESERVED_NAME, SqlError, UNDEFINED_OBJECT,
};
use nqdb_txn::{RelationLock, Result};
use nqdb_types::Oid;

use super::{CatalogWriter, taken};
use crate::catalog::role_row;
use crate::definition::RoleDef;
use crate::objects::Space;
use crate::request::RoleOptions;
use crate::snapshot::Change;

impl CatalogWriter<'_> {
    /// Makes a role. Errors: 42710 when the name is taken, 42939 for names that begin with `pg_`.
    pub fn create_role(&mut self, name: &str, options: &RoleOptions) -> Result<Oid> {
        expect_role_name(name)?;
        let duplicate = || SqlError::new(DUPLICATE_OBJECT, format!("role \"{name}\" already exists"));
        if self.snapshot().role(name).is_some() {
            return Err(duplicate().into());
        }
        let mut role = RoleDef {
            oid: self.catalog.next_oid(self.txn)?,
            name: name.to_owned(),
            superuser: false,
            inherit: true,
            create_role: false,
            create_database: false,
            can_login: false,
            replication: false,
            bypass_row_security: false,
            connection_limit: -1,
            password: None,
            valid_until: None,
        };
        options.apply_to(&mut role);
        let row = role_row(&role);
        self.catalog.objects().insert(self.txn, &row).map_err(|error| taken(error, duplicate().into()))?;
        let oid = role.oid;
        self.push(Change::PutRole(Arc::new(role)));
        Ok(oid)
    }

    /// Changes a role's attributes.
    pub fn alter_role(&mut self, oid: Oid, options: &RoleOptions) -> Result<()> {
        let mut role = self.lock_role(oid)?;
        options.apply_to(&mut role);
        self.put_role(role)
    }

    /// Gives a role another name.
    pub fn rename_role(&mut self, oid: Oid, name: &str) -> Result<()> {
        expect_role_name(name)?;
        let mut role = self.lock_role(oid)?;
        if self.snapshot().role(name).is_some() {
            return Err(SqlError::new(DUPLICATE_OBJECT, format!("role \"{name}\" already exists")).into());
        }
        role.name = name.to_owned();
        self.put_role(role)
    }

    /// Drops a role. Errors: 55006 for the current role, 2BP01 when it owns something.
    pub fn drop_role(&mut self, oid: Oid) -> Result<()> {
        let role = self.lock_role(oid)?;
        if oid == self.role {
            return Err(SqlError::new(OBJECT_IN_USE, "current user cannot be dropped").into());
        }
        let snapshot = self.snapshot();
        let mut owned: Vec<String> = snapshot
            .tables()
            .filter(|table| table.owner == oid)
            .map(|table| format!("owner of table {}", table.name))
            .collect();
        owned.extend(
            snapshot
                .sequences()
                .filter(|sequence| sequence.owner == oid && sequence.owned_by.is_none())
                .map(|sequence| format!("owner of sequence {}", sequence.name)),
        );
        owned.extend(
            snapshot
                .schemas()
                .filter(|schema| schema.owner == oid)
                .map(|schema| format!("owner of schema {}", schema.name)),
        );
        if !owned.is_empty() {
            owned.sort();
            return Err(SqlError::new(
                DEPENDENT_OBJECTS_STILL_EXIST,
                format!("role \"{}\" cannot be dropped because some objects depend on it", role.name),
            )
            .with_detail(owned.join("\n"))
            .into());
        }
        self.catalog.objects().remove(self.txn, Space::Role, oid)?;
        self.push(Change::DropRole(oid));
        Ok(())
    }

    fn lock_role(&mut self, oid: Oid) -> Result<RoleDef> {
        self.txn.lock_relation(oid, RelationLock::AccessExclusive)?;
        match self.snapshot().role_by_oid(oid) {
            Some(role) => Ok(RoleDef::clone(role)),
            None => Err(SqlError::new(UNDEFINED_OBJECT, format!("role with OID {oid} does not exist")).into()),
        }
    }

    fn put_role(&mut self, role: RoleDef) -> Result<()> {
        let duplicate = SqlError::new(DUPLICATE_OBJECT, format!("role \"{}\" already exists", role.name));
        self.catalog.objects().replace(self.txn, &role_row(&role)).map_err(|error| taken(error, duplicate.into()))?;
        self.push(Change::PutRole(Arc::new(role)));
        Ok(())
    }
}

impl RoleOptions {
    fn apply_to(&self, role: &mut RoleDef) {
        let set = |target: &mut bool, value: Option<bool>| *target = value.unwrap_or(*target);
        set(&mut role.superuser, self.superuser);
        set(&mut role.inherit, self.inherit);
        set(&mut role.create_role, self.create_role);
        set(&mut role.create_database, self.create_database);
        set(&mut role.can_login, self.can_login);
        set(&mut role.replication, self.replication);
        set(&mut role.bypass_row_security, self.bypass_row_security);
        if let Some(limit) = self.connection_limit {
            role.connection_limit = limit;
        }
        if let Some(password) = &self.password {
            role.password = password.clone();
        }
        if let Some(until) = self.valid_until {
            role.valid_until = Some(until);
        }
    }
}

fn expect_role_name(name: &str) -> Result<()> {
    if name.starts_with("pg_") {
        return Err(SqlError::new(RESERVED_NAME, format!("role name \"{name}\" is reserved"))
            .with_detail("Role names starting with \"pg_\" are reserved.")
            .into());
    }
    if name == "public" || name == "none" {
        return Err(SqlError::new(RESERVED_NAME, format!("role name \"{name}\" is reserved")).into());
    }
    Ok(())
}
