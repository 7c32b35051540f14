//! ALTER DEFAULT PRIVILEGES.

use nqdb_catalog::rights::{GrantChange, SecuredKind};
use nqdb_sqlstate::{INVALID_GRANT_OPERATION, INVALID_SCHEMA_NAME, SqlError, SqlResult};
use nqdb_txn::TxnError;
use nqdb_types::Oid;

use super::DdlContext;
use super::grant::{asked_privileges, future_rights};
use crate::exec::CommandTag;
use crate::rights_command::{Grant, GrantTargets, RoleSpec};

pub(super) fn alter(
    roles: &[RoleSpec],
    schemas: &[String],
    grant: &Grant,
    cx: &mut DdlContext<'_, '_>,
) -> Result<CommandTag, TxnError> {
    let GrantTargets::Future(kind) = grant.targets else {
        return Err(SqlError::internal("default privileges on an object").into());
    };
    cx.expect_own_grant(grant.granted_by.as_ref())?;
    let rights = future_rights(&asked_privileges(grant)?, kind)?;
    let grantees = cx.grantees(&grant.grantees)?;
    if kind == SecuredKind::Schema && !schemas.is_empty() {
        let message = "cannot use IN SCHEMA clause when using GRANT/REVOKE ON SCHEMAS";
        return Err(SqlError::new(INVALID_GRANT_OPERATION, message).into());
    }
    let roles = if roles.is_empty() { vec![RoleSpec::CurrentUser] } else { roles.to_vec() };
    for role in cx.roles_of(&roles)? {
        cx.expect_member(&role)?;
        let places = places(schemas, cx)?;
        for schema in places {
            let change = GrantChange {
                is_grant: grant.is_grant,
                grant_option: grant.grant_option,
                behavior: grant.behavior,
                rights,
                grantor: role.oid,
                owner: role.oid,
            };
            set_default(schema, kind, &change, &grantees, cx)?;
        }
    }
    Ok(CommandTag::Other("ALTER DEFAULT PRIVILEGES"))
}

/// The schemas that are named; 0 for all.
fn places(schemas: &[String], cx: &mut DdlContext<'_, '_>) -> SqlResult<Vec<Oid>> {
    if schemas.is_empty() {
        return Ok(vec![0]);
    }
    let snapshot = cx.draft.snapshot();
    let number = |name: &String| {
        let missing = || SqlError::new(INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist"));
        snapshot.schema(name).map(|schema| schema.oid).ok_or_else(missing)
    };
    schemas.iter().map(number).collect()
}

/// Changes what is granted from the start. An entry that says no more than the default of its kind goes.
fn set_default(
    schema: Oid,
    kind: SecuredKind,
    change: &GrantChange,
    grantees: &[Oid],
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    let snapshot = cx.draft.snapshot();
    let role = change.owner;
    // For one schema a list adds to the default, for all schemas it takes its place.
    let plain = if schema == 0 { kind.default_list(role) } else { Vec::new() };
    let known = snapshot.default_access(role, schema, kind);
    let mut list = known.map_or_else(|| plain.clone(), |known| known.items.clone());
    change.apply(&snapshot, &mut list, grantees)?;
    let is_plain = list.len() == plain.len() && list.iter().all(|item| plain.contains(item));
    cx.writer().hold_object(role)?;
    cx.writer().set_default_access(role, schema, kind, (!is_plain).then_some(list))
}
