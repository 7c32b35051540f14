//! ALTER ROLE ... SET and ALTER DATABASE ... SET: what sessions start with.

use nqdb_catalog::RoleDef;
use nqdb_sqlstate::{INSUFFICIENT_PRIVILEGE, SqlError, SqlResult};
use nqdb_txn::TxnError;
use nqdb_types::Oid;

use super::DdlContext;
use super::database::database_named;
use super::role::expect_not_reserved;
use crate::exec::CommandTag;
use crate::rights_command::{RoleSpec, SettingChange};
use crate::statement::SetValue;

pub(super) fn alter_role(
    role: Option<&RoleSpec>,
    database: Option<&str>,
    change: &SettingChange,
    cx: &mut DdlContext<'_, '_>,
) -> Result<CommandTag, TxnError> {
    let snapshot = cx.draft.snapshot();
    let database = database.map(|name| database_named(name, &snapshot)).transpose()?.map_or(0, |found| found.oid);
    let role = match role {
        Some(role) => {
            let role = cx.role_of(role)?;
            expect_not_reserved(&role, "Cannot alter reserved roles.")?;
            expect_may_set(&role, cx)?;
            role.oid
        }
        None if cx.is_superuser() => 0,
        None => {
            let message = "must be superuser to alter settings globally";
            return Err(SqlError::new(INSUFFICIENT_PRIVILEGE, message).into());
        }
    };
    apply(database, role, change, cx)?;
    Ok(CommandTag::Other("ALTER ROLE"))
}

fn expect_may_set(role: &RoleDef, cx: &mut DdlContext<'_, '_>) -> SqlResult<()> {
    let denied = |message: &str| Err(SqlError::new(INSUFFICIENT_PRIVILEGE, message));
    if role.superuser && !cx.is_superuser() {
        return denied("must be superuser to alter superusers");
    }
    if !cx.may_create_roles() && role.oid != cx.role {
        return denied("permission denied");
    }
    Ok(())
}

pub(super) fn alter_database(
    database: &str,
    change: &SettingChange,
    cx: &mut DdlContext<'_, '_>,
) -> Result<CommandTag, TxnError> {
    let snapshot = cx.draft.snapshot();
    let found = database_named(database, &snapshot)?;
    cx.expect_owner(found.owner, "database", database)?;
    apply(found.oid, 0, change, cx)?;
    Ok(CommandTag::Other("ALTER DATABASE"))
}

fn apply(database: Oid, role: Oid, change: &SettingChange, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    let known = cx.draft.snapshot().settings_of(database, role).cloned();
    let mut settings = known.map(|known| known.settings.clone()).unwrap_or_default();
    let (name, value) = match change {
        SettingChange::ResetAll => {
            return cx.writer().set_role_settings(database, role, Vec::new());
        }
        SettingChange::Set { name, value: SetValue::Default } => ((cx.check_setting)(name, None)?.0, None),
        SettingChange::Set { name, value: SetValue::Values(words) } => {
            let (name, text) = (cx.check_setting)(name, Some(words))?;
            (name, Some(text))
        }
        SettingChange::FromCurrent { name } => {
            let text = cx.exec.functions.session.setting(name, false)?.unwrap_or_default();
            ((cx.check_setting)(name, None)?.0, Some(text))
        }
    };
    match (settings.iter_mut().find(|(known, _)| *known == name), value) {
        (Some((_, old)), Some(text)) => *old = text,
        (None, Some(text)) => settings.push((name, text)),
        (_, None) => settings.retain(|(known, _)| *known != name),
    }
    cx.writer().set_role_settings(database, role, settings)
}
