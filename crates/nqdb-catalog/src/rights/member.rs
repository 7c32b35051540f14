//! Roles in roles: who is a member of what, whose privileges are inherited, who may grant membership.

use std::collections::HashSet;

use nqdb_types::Oid;
use serde::{Deserialize, Serialize};

use super::{MONITOR_PARTS, PG_DATABASE_OWNER, PG_MONITOR};
use crate::snapshot::Snapshot;

/// GRANT role TO member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembershipDef {
    pub oid: Oid,
    pub role: Oid,
    pub member: Oid,
    pub grantor: Oid,
    pub admin_option: bool,
}

impl Snapshot {
    pub fn is_superuser(&self, role: Oid) -> bool {
        self.role_by_oid(role).is_some_and(|role| role.superuser)
    }

    /// The roles that a role is a member of, itself included, nearest first. `inherited`: only those whose privileges it
    /// has without SET ROLE.
    pub fn roles_of(&self, role: Oid, inherited: bool) -> Vec<Oid> {
        let mut found = vec![role];
        let mut seen: HashSet<Oid> = HashSet::from([role]);
        let mut at = 0;
        while let Some(member) = found.get(at).copied() {
            at += 1;
            if inherited && !self.role_by_oid(member).is_some_and(|member| member.inherit) {
                continue;
            }
            let granted = self.memberships_of(member).map(|membership| membership.role);
            let built_in: &[Oid] = if member == PG_MONITOR { &MONITOR_PARTS } else { &[] };
            let owner = (member == self.database_owner()).then_some(PG_DATABASE_OWNER);
            for next in granted.chain(built_in.iter().copied()).chain(owner) {
                if seen.insert(next) {
                    found.push(next);
                }
            }
        }
        found
    }

    /// Whether a role is a member of another, directly or not. Superusers are members of all roles.
    pub fn is_member(&self, member: Oid, role: Oid) -> bool {
        member == role || self.is_superuser(member) || self.is_plain_member(member, role)
    }

    /// As [`Snapshot::is_member`], without what superusers are.
    pub fn is_plain_member(&self, member: Oid, role: Oid) -> bool {
        member == role || self.roles_of(member, false).contains(&role)
    }

    /// Whether a role has the privileges of another without SET ROLE.
    pub fn has_privileges_of(&self, member: Oid, role: Oid) -> bool {
        member == role || self.is_superuser(member) || self.roles_of(member, true).contains(&role)
    }

    /// Whether a role may grant membership in another: WITH ADMIN OPTION, directly or through other roles.
    pub fn is_admin(&self, member: Oid, role: Oid) -> bool {
        if self.is_superuser(member) {
            return true;
        }
        let groups = if member == role { Vec::new() } else { self.roles_of(member, false) };
        groups.iter().any(|group| self.membership(role, *group).is_some_and(|found| found.admin_option))
    }
}
