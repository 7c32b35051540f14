//! GRANT and REVOKE of roles.

use nqdb_catalog::RoleDef;
use nqdb_sqlstate::{
    INSUFFICIENT_PRIVILEGE, INVALID_GRANT_OPERATION, Notice, SUCCESSFUL_COMPLETION, SqlError, WARNING,
};
use nqdb_txn::TxnError;
use nqdb_types::Oid;

use super::DdlContext;
use super::role::{expect_may_grant, expect_no_owner_role};
use crate::exec::CommandTag;
use crate::rights_command::{RoleGrant, RoleSpec};

pub(super) fn grant_roles(grant: &RoleGrant, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    let grantor = match &grant.granted_by {
        Some(spec) => Some(cx.role_of(spec)?.oid),
        None => None,
    };
    let members = cx.roles_of(&grant.members)?;
    for role in &grant.roles {
        let role = cx.role_of(&RoleSpec::Name(role.name.clone()))?;
        if grant.is_grant {
            cx.add_members(&role, &members, grantor, grant.admin_option)?;
        } else {
            cx.drop_members(&role, &members, grant.admin_option)?;
        }
    }
    Ok(CommandTag::Other(if grant.is_grant { "GRANT ROLE" } else { "REVOKE ROLE" }))
}

impl DdlContext<'_, '_> {
    /// Makes roles members of another. Errors: 42501 without the right to, 0LP01 for a circle of memberships.
    pub(super) fn add_members(
        &mut self,
        role: &RoleDef,
        members: &[RoleDef],
        grantor: Option<Oid>,
        admin_option: bool,
    ) -> Result<(), TxnError> {
        if members.is_empty() {
            return Ok(());
        }
        let grantor = grantor.unwrap_or(self.role);
        let may_create = self.may_create_roles();
        expect_may_grant(&self.draft.snapshot(), role, self.role, may_create)?;
        expect_no_owner_role(role, None)?;
        if grantor != self.role && !self.is_superuser() {
            return Err(SqlError::new(INSUFFICIENT_PRIVILEGE, "must be superuser to set grantor").into());
        }
        for member in members {
            expect_no_owner_role(role, Some(member))?;
            let snapshot = self.draft.snapshot();
            if snapshot.is_plain_member(role.oid, member.oid) {
                let message = format!("role \"{}\" is a member of role \"{}\"", role.name, member.name);
                return Err(SqlError::new(INVALID_GRANT_OPERATION, message).into());
            }
            if let Some(known) = snapshot.membership(role.oid, member.oid)
                && (!admin_option || known.admin_option)
            {
                let message = format!("role \"{}\" is already a member of role \"{}\"", member.name, role.name);
                self.notice(Notice::new(SUCCESSFUL_COMPLETION, message));
                continue;
            }
            self.writer().set_membership(role.oid, member.oid, grantor, admin_option)?;
        }
        Ok(())
    }

    /// Takes roles out of another, or the admin option alone away from them.
    pub(super) fn drop_members(
        &mut self,
        role: &RoleDef,
        members: &[RoleDef],
        only_option: bool,
    ) -> Result<(), TxnError> {
        if members.is_empty() {
            return Ok(());
        }
        let may_create = self.may_create_roles();
        expect_may_grant(&self.draft.snapshot(), role, self.role, may_create)?;
        for member in members {
            let known = self.draft.snapshot().membership(role.oid, member.oid).cloned();
            let Some(known) = known else {
                let message = format!("role \"{}\" is not a member of role \"{}\"", member.name, role.name);
                self.notice(Notice::warning(WARNING, message));
                continue;
            };
            if only_option {
                self.writer().set_membership(role.oid, member.oid, known.grantor, false)?;
            } else {
                self.writer().remove_membership(known.oid)?;
            }
        }
        Ok(())
    }
}
