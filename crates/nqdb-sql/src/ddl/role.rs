//! CREATE, ALTER and DROP of roles; DROP OWNED and REASSIGN OWNED.

use nqdb_catalog::request::{DropBehavior, RoleOptions};
use nqdb_catalog::rights::PG_DATABASE_OWNER;
use nqdb_catalog::{FIRST_USER_OID, RoleDef, Snapshot, stored_password};
use nqdb_sqlstate::{
    DEPENDENT_OBJECTS_STILL_EXIST, FEATURE_NOT_SUPPORTED, INSUFFICIENT_PRIVILEGE, INVALID_PARAMETER_VALUE, Notice,
    RESERVED_NAME, SUCCESSFUL_COMPLETION, SqlError, SqlResult, UNDEFINED_OBJECT,
};
use nqdb_txn::TxnError;
use nqdb_types::{Datum, Oid, Type, parse_text};

use super::DdlContext;
use crate::exec::CommandTag;
use crate::rights_command::{RoleOption, RoleSpec};

impl DdlContext<'_, '_> {
    /// The role that a command names: 42704 when there is none.
    pub(super) fn role_of(&mut self, spec: &RoleSpec) -> SqlResult<RoleDef> {
        let snapshot = self.draft.snapshot();
        let (found, name) = match spec {
            RoleSpec::CurrentUser => (snapshot.role_by_oid(self.role), "current_user"),
            RoleSpec::SessionUser => (snapshot.role_by_oid(self.session_role), "session_user"),
            RoleSpec::Public => (None, "public"),
            RoleSpec::Name(name) => (snapshot.role(name), name.as_str()),
        };
        found.map(|role| RoleDef::clone(role)).ok_or_else(|| no_role(name))
    }

    pub(super) fn roles_of(&mut self, specs: &[RoleSpec]) -> SqlResult<Vec<RoleDef>> {
        specs.iter().map(|spec| self.role_of(spec)).collect()
    }

    /// 42501 unless the current role is a member of another one.
    pub(super) fn expect_member(&mut self, role: &RoleDef) -> SqlResult<()> {
        if self.draft.snapshot().is_member(self.role, role.oid) {
            return Ok(());
        }
        let message = format!("must be member of role \"{}\"", role.name);
        Err(SqlError::new(INSUFFICIENT_PRIVILEGE, message))
    }

    pub(super) fn may_create_roles(&mut self) -> bool {
        let snapshot = self.draft.snapshot();
        snapshot.role_by_oid(self.role).is_some_and(|role| role.superuser || role.create_role)
    }
}

pub(super) fn no_role(name: &str) -> SqlError {
    SqlError::new(UNDEFINED_OBJECT, format!("role \"{name}\" does not exist"))
}

fn denied(message: &str) -> SqlError {
    SqlError::new(INSUFFICIENT_PRIVILEGE, message)
}

/// The lists of roles in a CREATE or ALTER.
#[derive(Default)]
struct Lists<'a> {
    in_roles: &'a [RoleSpec],
    members: &'a [RoleSpec],
    admins: &'a [RoleSpec],
    dropped: &'a [RoleSpec],
}

pub(super) fn create_role(
    name: &RoleSpec,
    options: &[RoleOption],
    cx: &mut DdlContext<'_, '_>,
) -> Result<CommandTag, TxnError> {
    let RoleSpec::Name(name) = name else { return Err(SqlError::internal("a role without a name").into()) };
    if options.contains(&RoleOption::SystemId) {
        cx.notice(Notice::new(SUCCESSFUL_COMPLETION, "SYSID can no longer be specified"));
    }
    let (wanted, lists) = split_options(options, cx)?;
    for (asked, what) in [
        (wanted.superuser, "superusers"),
        (wanted.replication, "replication users"),
        (wanted.bypass_row_security, "bypassrls users"),
    ] {
        if asked == Some(true) && !cx.is_superuser() {
            return Err(denied(&format!("must be superuser to create {what}")).into());
        }
    }
    if !cx.may_create_roles() {
        return Err(denied("permission denied to create role").into());
    }
    let oid = cx.writer().create_role(name, &wanted)?;
    for role in cx.roles_of(lists.in_roles)? {
        let member = cx.draft.snapshot().role_by_oid(oid).map(|role| RoleDef::clone(role));
        let members: Vec<RoleDef> = member.into_iter().collect();
        cx.add_members(&role, &members, None, false)?;
    }
    let made = cx.role_of(&RoleSpec::Name(name.clone()))?;
    let admins = cx.roles_of(lists.admins)?;
    cx.add_members(&made, &admins, None, true)?;
    let members = cx.roles_of(lists.members)?;
    cx.add_members(&made, &members, None, false)?;
    Ok(CommandTag::Other("CREATE ROLE"))
}

pub(super) fn alter_role(
    role: &RoleSpec,
    options: &[RoleOption],
    cx: &mut DdlContext<'_, '_>,
) -> Result<CommandTag, TxnError> {
    let role = cx.role_of(role)?;
    expect_not_reserved(&role, "Cannot alter reserved roles.")?;
    let (wanted, lists) = split_options(options, cx)?;
    expect_may_alter(&role, &wanted, !lists.members.is_empty() || !lists.dropped.is_empty(), cx)?;
    cx.writer().alter_role(role.oid, &wanted)?;
    let members = cx.roles_of(lists.members)?;
    cx.add_members(&role, &members, None, false)?;
    let dropped = cx.roles_of(lists.dropped)?;
    cx.drop_members(&role, &dropped, false)?;
    Ok(CommandTag::Other("ALTER ROLE"))
}

/// 42501 by PostgreSQL's rules: superusers, replication and row security take a superuser; without CREATEROLE only the
/// own password can be changed.
fn expect_may_alter(
    role: &RoleDef,
    wanted: &RoleOptions,
    changes_members: bool,
    cx: &mut DdlContext<'_, '_>,
) -> SqlResult<()> {
    if cx.is_superuser() {
        return Ok(());
    }
    if role.superuser || wanted.superuser.is_some() {
        return Err(denied("must be superuser to alter superuser roles or change superuser attribute"));
    }
    if role.replication || wanted.replication.is_some() {
        return Err(denied("must be superuser to alter replication roles or change replication attribute"));
    }
    if wanted.bypass_row_security.is_some() {
        return Err(denied("must be superuser to change bypassrls attribute"));
    }
    let flags = [wanted.inherit, wanted.create_role, wanted.create_database, wanted.can_login];
    let more_than_password = flags.iter().any(Option::is_some)
        || wanted.connection_limit.is_some()
        || wanted.valid_until.is_some()
        || changes_members;
    if !cx.may_create_roles() && (more_than_password || wanted.password.is_none() || role.oid != cx.role) {
        return Err(denied("permission denied"));
    }
    Ok(())
}

pub(super) fn rename_role(
    role: &RoleSpec,
    new_name: &str,
    cx: &mut DdlContext<'_, '_>,
) -> Result<CommandTag, TxnError> {
    let role = cx.role_of(role)?;
    let unsupported = |message: &str| SqlError::new(FEATURE_NOT_SUPPORTED, message);
    if role.oid == cx.session_role {
        return Err(unsupported("session user cannot be renamed").into());
    }
    if role.oid == cx.role {
        return Err(unsupported("current user cannot be renamed").into());
    }
    expect_not_reserved(&role, "Role names starting with \"pg_\" are reserved.")?;
    if role.superuser && !cx.is_superuser() {
        return Err(denied("must be superuser to rename superusers").into());
    }
    if !cx.may_create_roles() {
        return Err(denied("permission denied to rename role").into());
    }
    cx.writer().rename_role(role.oid, new_name)?;
    Ok(CommandTag::Other("ALTER ROLE"))
}

pub(super) fn drop_roles(
    roles: &[RoleSpec],
    if_exists: bool,
    cx: &mut DdlContext<'_, '_>,
) -> Result<CommandTag, TxnError> {
    if !cx.may_create_roles() {
        return Err(denied("permission denied to drop role").into());
    }
    for spec in roles {
        let RoleSpec::Name(name) = spec else {
            let message = "cannot use special role specifier in DROP ROLE";
            return Err(SqlError::new(INVALID_PARAMETER_VALUE, message).into());
        };
        let role = cx.draft.snapshot().role(name).cloned();
        match role {
            Some(role) => {
                if role.superuser && !cx.is_superuser() {
                    return Err(denied("must be superuser to drop superusers").into());
                }
                let session_role = cx.session_role;
                cx.writer().drop_role(role.oid, session_role)?;
            }
            None if if_exists => {
                cx.notice(Notice::new(UNDEFINED_OBJECT, format!("role \"{name}\" does not exist, skipping")));
            }
            None => return Err(no_role(name).into()),
        }
    }
    Ok(CommandTag::Other("DROP ROLE"))
}

pub(super) fn drop_owned(
    roles: &[RoleSpec],
    behavior: DropBehavior,
    cx: &mut DdlContext<'_, '_>,
) -> Result<CommandTag, TxnError> {
    let roles = owners(roles, "drop objects", "drop objects owned by role", cx)?;
    let dropped = cx.writer().drop_owned(&roles, behavior)?;
    super::drop::report_cascade(&dropped, cx);
    Ok(CommandTag::Other("DROP OWNED"))
}

pub(super) fn reassign_owned(
    roles: &[RoleSpec],
    new_owner: &RoleSpec,
    cx: &mut DdlContext<'_, '_>,
) -> Result<CommandTag, TxnError> {
    let roles = owners(roles, "reassign objects", "reassign ownership of objects owned by role", cx)?;
    let new_owner = cx.role_of(new_owner)?;
    if !cx.draft.snapshot().has_privileges_of(cx.role, new_owner.oid) {
        return Err(denied("permission denied to reassign objects").into());
    }
    cx.writer().reassign_owned(&roles, new_owner.oid)?;
    Ok(CommandTag::Other("REASSIGN OWNED"))
}

/// The roles whose objects are to go: 42501 unless the current role has their privileges.
fn owners(
    roles: &[RoleSpec],
    denied_what: &str,
    pinned_what: &str,
    cx: &mut DdlContext<'_, '_>,
) -> SqlResult<Vec<Oid>> {
    let roles = cx.roles_of(roles)?;
    let snapshot = cx.draft.snapshot();
    if roles.iter().any(|role| !snapshot.has_privileges_of(cx.role, role.oid)) {
        return Err(denied(&format!("permission denied to {denied_what}")));
    }
    if let Some(role) = roles.iter().find(|role| role.oid < FIRST_USER_OID) {
        let message = format!("cannot {pinned_what} {} because they are required by the database system", role.name);
        return Err(SqlError::new(DEPENDENT_OBJECTS_STILL_EXIST, message));
    }
    Ok(roles.iter().map(|role| role.oid).collect())
}

/// 42939 for a predefined role.
pub(super) fn expect_not_reserved(role: &RoleDef, detail: &str) -> SqlResult<()> {
    if !role.name.starts_with("pg_") {
        return Ok(());
    }
    let message = format!("role name \"{}\" is reserved", role.name);
    Err(SqlError::new(RESERVED_NAME, message).with_detail(detail))
}

/// The attributes that a command asks for, and its lists of roles.
fn split_options<'a>(options: &'a [RoleOption], cx: &mut DdlContext<'_, '_>) -> SqlResult<(RoleOptions, Lists<'a>)> {
    let mut result = RoleOptions::default();
    let mut lists = Lists::default();
    for option in options {
        match option {
            RoleOption::Superuser(value) => result.superuser = Some(*value),
            RoleOption::CreateDatabase(value) => result.create_database = Some(*value),
            RoleOption::CreateRole(value) => result.create_role = Some(*value),
            RoleOption::Inherit(value) => result.inherit = Some(*value),
            RoleOption::Login(value) => result.can_login = Some(*value),
            RoleOption::Replication(value) => result.replication = Some(*value),
            RoleOption::BypassRowSecurity(value) => result.bypass_row_security = Some(*value),
            RoleOption::ConnectionLimit(limit) => result.connection_limit = Some(connection_limit(*limit)?),
            RoleOption::Password(password) => result.password = Some(verifier(password.as_deref(), cx)?),
            RoleOption::ValidUntil(until) => result.valid_until = Some(valid_until(until, cx)?),
            RoleOption::SystemId => {}
            RoleOption::InRoles(roles) => lists.in_roles = roles,
            RoleOption::Members(roles) => lists.members = roles,
            RoleOption::Admins(roles) => lists.admins = roles,
            RoleOption::DropMembers(roles) => lists.dropped = roles,
        }
    }
    Ok((result, lists))
}

/// The verifier to store; none for PASSWORD NULL and for the empty password, which nobody could use. An MD5 hash is
/// refused: there is no login by MD5, and taken as a password it would let in whoever has read it.
fn verifier(password: Option<&str>, cx: &mut DdlContext<'_, '_>) -> SqlResult<Option<String>> {
    let Some(text) = password else { return Ok(None) };
    if text.is_empty() {
        let message = "empty string is not a valid password, clearing password";
        cx.notice(Notice::new(SUCCESSFUL_COMPLETION, message));
        return Ok(None);
    }
    if is_md5_hash(text) {
        return Err(SqlError::unsupported("an MD5 password hash")
            .with_hint("Give the password itself or its SCRAM-SHA-256 verifier."));
    }
    let random = ring::rand::SystemRandom::new();
    let stored = stored_password(text, &random)
        .map_err(|_| SqlError::internal("the system gives no random bytes for a salt"))?;
    Ok(Some(stored))
}

/// `md5` and 32 hexadecimal digits, PostgreSQL's old form of stored passwords.
fn is_md5_hash(text: &str) -> bool {
    text.strip_prefix("md5").is_some_and(|hash| hash.len() == 32 && hash.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

fn connection_limit(limit: i64) -> SqlResult<i32> {
    match i32::try_from(limit) {
        Ok(limit) if limit >= -1 => Ok(limit),
        _ => Err(SqlError::new(INVALID_PARAMETER_VALUE, format!("invalid connection limit: {limit}"))),
    }
}

fn valid_until(until: &str, cx: &DdlContext<'_, '_>) -> SqlResult<i64> {
    match parse_text(until, Type::TIMESTAMPTZ, cx.exec.functions.format)? {
        Datum::TimestampTz(micros) => Ok(micros),
        _ => Err(SqlError::internal("timestamptz input gave something else")),
    }
}

/// Whether nobody may be put into a role, or a role into none.
pub(super) fn expect_no_owner_role(role: &RoleDef, member: Option<&RoleDef>) -> SqlResult<()> {
    if role.oid == PG_DATABASE_OWNER {
        return Err(SqlError::internal(format!("role \"{}\" cannot have explicit members", role.name)));
    }
    match member.filter(|member| member.oid == PG_DATABASE_OWNER) {
        Some(member) => Err(SqlError::internal(format!("role \"{}\" cannot be a member of any role", member.name))),
        None => Ok(()),
    }
}

/// Whether the role may be changed by members and admins: 42501 in PostgreSQL's words.
pub(super) fn expect_may_grant(snapshot: &Snapshot, role: &RoleDef, current: Oid, may_create: bool) -> SqlResult<()> {
    if role.superuser {
        return if snapshot.is_superuser(current) {
            Ok(())
        } else {
            Err(denied("must be superuser to alter superusers"))
        };
    }
    if may_create || snapshot.is_admin(current, role.oid) {
        return Ok(());
    }
    Err(denied(&format!("must have admin option on role \"{}\"", role.name)))
}
