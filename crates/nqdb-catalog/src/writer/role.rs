//! CREATE and ALTER ROLE.

use std::sync::Arc;

use nqdb_sqlstate::{DUPLICATE_OBJECT, RESERVED_NAME, SqlError};
use nqdb_txn::Result;
use nqdb_types::Oid;

use super::{CatalogWriter, taken};
use crate::catalog::role_row;
use crate::definition::RoleDef;
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
