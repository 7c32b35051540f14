//! CREATE ROLE, CREATE USER and ALTER ROLE.

use nqdb_catalog::request::RoleOptions;
use nqdb_catalog::stored_password;
use nqdb_sqlstate::{Notice, SUCCESSFUL_COMPLETION, SqlError, SqlResult, UNDEFINED_OBJECT};
use nqdb_txn::TxnError;
use nqdb_types::{Datum, Type, parse_text};
use sqlparser::ast::{AlterRoleOperation, CreateRole, Expr, Ident, Password, RoleOption, Value, ValueWithSpan};

use super::DdlContext;
use crate::exec::CommandTag;
use crate::names::name_of;

pub(super) fn create_role(create: &CreateRole, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    let CreateRole {
        names,
        if_not_exists,
        login,
        inherit,
        bypassrls,
        password,
        superuser,
        create_db,
        create_role,
        replication,
        connection_limit,
        valid_until,
        in_role,
        in_group,
        role,
        user,
        admin,
        authorization_owner,
    } = create;
    let memberships = [in_role, in_group, role, user, admin];
    if memberships.iter().any(|list| !list.is_empty()) {
        return Err(SqlError::unsupported("membership in a role").into());
    }
    if *if_not_exists || authorization_owner.is_some() {
        return Err(SqlError::unsupported("this form of CREATE ROLE").into());
    }
    let options = RoleOptions {
        superuser: *superuser,
        inherit: *inherit,
        create_role: *create_role,
        create_database: *create_db,
        can_login: *login,
        replication: *replication,
        bypass_row_security: *bypassrls,
        connection_limit: connection_limit.as_ref().map(connection_limit_of).transpose()?,
        password: password.as_ref().map(|password| password_of(password, cx)).transpose()?,
        valid_until: valid_until.as_ref().map(|until| valid_until_of(until, cx)).transpose()?,
    };
    cx.expect_may_change_roles("create", options.superuser == Some(true))?;
    for name in names {
        let name = cx.name(name)?;
        cx.writer().create_role(&name.name, &options)?;
    }
    Ok(CommandTag::Other("CREATE ROLE"))
}

pub(super) fn alter_role(
    name: &Ident,
    operation: &AlterRoleOperation,
    cx: &mut DdlContext<'_, '_>,
) -> Result<CommandTag, TxnError> {
    let name = name_of(name);
    let snapshot = cx.draft.snapshot();
    let role = match name.as_str() {
        "current_user" | "current_role" | "session_user" => snapshot.role_by_oid(cx.role),
        _ => snapshot.role(&name),
    };
    let Some(role) = role.cloned() else {
        return Err(SqlError::new(UNDEFINED_OBJECT, format!("role \"{name}\" does not exist")).into());
    };
    match operation {
        AlterRoleOperation::RenameRole { role_name } => {
            cx.expect_may_change_roles("rename", role.superuser)?;
            cx.writer().rename_role(role.oid, &name_of(role_name))?;
        }
        AlterRoleOperation::WithOptions { options } => {
            let options = options_of(options, cx)?;
            let only_own_password = role.oid == cx.role && options_besides_password(&options) == 0;
            if !only_own_password {
                cx.expect_may_change_roles("alter", role.superuser || options.superuser.is_some())?;
            }
            cx.writer().alter_role(role.oid, &options)?;
        }
        other => return Err(SqlError::unsupported(format!("ALTER ROLE {other}")).into()),
    }
    Ok(CommandTag::Other("ALTER ROLE"))
}

fn options_besides_password(options: &RoleOptions) -> usize {
    let flags = [
        options.superuser,
        options.inherit,
        options.create_role,
        options.create_database,
        options.can_login,
        options.replication,
        options.bypass_row_security,
    ];
    flags.iter().flatten().count() + usize::from(options.connection_limit.is_some() || options.valid_until.is_some())
}

fn options_of(options: &[RoleOption], cx: &mut DdlContext<'_, '_>) -> SqlResult<RoleOptions> {
    let mut result = RoleOptions::default();
    for option in options {
        match option {
            RoleOption::BypassRLS(value) => result.bypass_row_security = Some(*value),
            RoleOption::ConnectionLimit(limit) => result.connection_limit = Some(connection_limit_of(limit)?),
            RoleOption::CreateDB(value) => result.create_database = Some(*value),
            RoleOption::CreateRole(value) => result.create_role = Some(*value),
            RoleOption::Inherit(value) => result.inherit = Some(*value),
            RoleOption::Login(value) => result.can_login = Some(*value),
            RoleOption::Password(password) => result.password = Some(password_of(password, cx)?),
            RoleOption::Replication(value) => result.replication = Some(*value),
            RoleOption::SuperUser(value) => result.superuser = Some(*value),
            RoleOption::ValidUntil(until) => result.valid_until = Some(valid_until_of(until, cx)?),
        }
    }
    Ok(result)
}

/// The verifier to store; none for PASSWORD NULL and for the empty password, which nobody could use. An MD5 hash is
/// refused: there is no login by MD5, and taken as a password it would let in whoever has read it.
fn password_of(password: &Password, cx: &mut DdlContext<'_, '_>) -> SqlResult<Option<String>> {
    match password {
        Password::NullPassword => Ok(None),
        Password::Password(text) => {
            let text = string_of(text)?;
            if text.is_empty() {
                let message = "empty string is not a valid password, clearing password";
                cx.exec.notices.push(Notice::new(SUCCESSFUL_COMPLETION, message));
                return Ok(None);
            }
            if is_md5_hash(&text) {
                return Err(SqlError::unsupported("an MD5 password hash")
                    .with_hint("Give the password itself or its SCRAM-SHA-256 verifier."));
            }
            let random = ring::rand::SystemRandom::new();
            let stored = stored_password(&text, &random)
                .map_err(|_| SqlError::internal("the system gives no random bytes for a salt"))?;
            Ok(Some(stored))
        }
    }
}

/// `md5` and 32 hexadecimal digits, PostgreSQL's old form of stored passwords.
fn is_md5_hash(text: &str) -> bool {
    text.strip_prefix("md5").is_some_and(|hash| hash.len() == 32 && hash.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

fn connection_limit_of(limit: &Expr) -> SqlResult<i32> {
    let text = limit.to_string();
    match text.replace(' ', "").parse() {
        Ok(limit) if limit >= -1 => Ok(limit),
        _ => Err(SqlError::new(nqdb_sqlstate::INVALID_PARAMETER_VALUE, format!("invalid connection limit: {text}"))),
    }
}

fn valid_until_of(until: &Expr, cx: &DdlContext<'_, '_>) -> SqlResult<i64> {
    match parse_text(&string_of(until)?, Type::TIMESTAMPTZ, cx.exec.functions.format)? {
        Datum::TimestampTz(micros) => Ok(micros),
        _ => Err(SqlError::internal("timestamptz input gave something else")),
    }
}

fn string_of(expr: &Expr) -> SqlResult<String> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => Ok(text.clone()),
        Expr::Value(ValueWithSpan { value: Value::EscapedStringLiteral(text), .. }) => Ok(text.clone()),
        other => Err(SqlError::unsupported(format!("the role option {other}"))),
    }
}
