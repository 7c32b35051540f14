//! Commands about roles and privileges as they were written, before any name is looked up (`parse::role`, `parse::grant`).

use nqdb_catalog::request::DropBehavior;
use nqdb_catalog::rights::SecuredKind;

use crate::ddl::QualifiedName;
use crate::statement::{NamedAt, SetValue};

/// A role, as a command names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleSpec {
    Name(String),
    CurrentUser,
    SessionUser,
    /// PUBLIC: everybody.
    Public,
}

/// A command about roles or privileges.
#[derive(Clone, Debug)]
pub enum RightsCommand {
    CreateRole {
        name: RoleSpec,
        options: Vec<RoleOption>,
    },
    /// ALTER ROLE ... options, ALTER GROUP ... ADD USER and DROP USER.
    AlterRole {
        role: RoleSpec,
        options: Vec<RoleOption>,
    },
    RenameRole {
        role: RoleSpec,
        new_name: String,
    },
    /// ALTER ROLE ... SET and RESET; no role for ALL.
    RoleSetting {
        role: Option<RoleSpec>,
        database: Option<String>,
        change: SettingChange,
    },
    /// ALTER DATABASE ... SET and RESET.
    DatabaseSetting {
        database: String,
        change: SettingChange,
    },
    DropRoles {
        roles: Vec<RoleSpec>,
        if_exists: bool,
    },
    GrantRoles(RoleGrant),
    Grant(Grant),
    /// ALTER DEFAULT PRIVILEGES; the current role where none is named, all schemas likewise.
    DefaultPrivileges {
        roles: Vec<RoleSpec>,
        schemas: Vec<String>,
        grant: Grant,
    },
    DropOwned {
        roles: Vec<RoleSpec>,
        behavior: DropBehavior,
    },
    ReassignOwned {
        roles: Vec<RoleSpec>,
        new_owner: RoleSpec,
    },
}

/// A clause of CREATE ROLE or ALTER ROLE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleOption {
    Superuser(bool),
    CreateDatabase(bool),
    CreateRole(bool),
    Inherit(bool),
    Login(bool),
    Replication(bool),
    BypassRowSecurity(bool),
    ConnectionLimit(i64),
    /// None for PASSWORD NULL.
    Password(Option<String>),
    ValidUntil(String),
    SystemId,
    InRoles(Vec<RoleSpec>),
    Members(Vec<RoleSpec>),
    Admins(Vec<RoleSpec>),
    /// ALTER GROUP ... DROP USER.
    DropMembers(Vec<RoleSpec>),
}

/// SET name TO value, RESET name, RESET ALL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingChange {
    Set {
        name: String,
        value: SetValue,
    },
    /// SET name FROM CURRENT.
    FromCurrent {
        name: String,
    },
    ResetAll,
}

/// GRANT role TO role, REVOKE role FROM role.
#[derive(Clone, Debug)]
pub struct RoleGrant {
    pub is_grant: bool,
    pub roles: Vec<NamedAt>,
    pub members: Vec<RoleSpec>,
    /// WITH ADMIN OPTION, or ADMIN OPTION FOR.
    pub admin_option: bool,
    pub granted_by: Option<RoleSpec>,
}

/// GRANT and REVOKE of privileges on objects.
#[derive(Clone, Debug)]
pub struct Grant {
    pub is_grant: bool,
    /// WITH GRANT OPTION, or GRANT OPTION FOR.
    pub grant_option: bool,
    /// Empty for ALL PRIVILEGES on whole objects.
    pub privileges: Vec<WrittenPrivilege>,
    pub targets: GrantTargets,
    pub grantees: Vec<RoleSpec>,
    pub granted_by: Option<RoleSpec>,
    pub behavior: DropBehavior,
}

/// A privilege, maybe on some columns only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenPrivilege {
    /// None for ALL PRIVILEGES of the columns.
    pub name: Option<String>,
    pub columns: Vec<NamedAt>,
}

/// What the privileges are about.
#[derive(Clone, Debug)]
pub enum GrantTargets {
    /// TABLE, SEQUENCE and TYPE, by name.
    Named { kind: SecuredKind, names: Vec<QualifiedName> },
    /// DOMAIN: a type that is one.
    Domains(Vec<QualifiedName>),
    /// SCHEMA, DATABASE, LANGUAGE, TABLESPACE.
    Simple { kind: SecuredKind, names: Vec<String> },
    /// FUNCTION, PROCEDURE, ROUTINE, each with the word that names it and, if written, its argument types.
    Routines { kind: RoutineKind, names: Vec<RoutineName> },
    /// ALL ... IN SCHEMA.
    AllInSchemas { kind: SecuredKind, schemas: Vec<String> },
    /// What ALTER DEFAULT PRIVILEGES names: all that will be made of a kind.
    Future(SecuredKind),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoutineKind {
    Function,
    Procedure,
    Routine,
}

/// A routine: its name and the types of its arguments, as they were written.
#[derive(Clone, Debug)]
pub struct RoutineName {
    pub name: QualifiedName,
    pub arguments: Option<String>,
}
