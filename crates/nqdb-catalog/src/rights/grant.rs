//! What GRANT and REVOKE make of an access list (manual, GRANT and REVOKE).
//!
//! Who revokes a grant option takes back what was granted by it: with CASCADE, or 2BP01. Nobody can grant an option back to
//! the role that it came from, so that no two roles keep an option alive for each other.

use nqdb_sqlstate::{DEPENDENT_OBJECTS_STILL_EXIST, INVALID_GRANT_OPERATION, SqlError, SqlResult};
use nqdb_types::Oid;

use super::{AccessItem, PUBLIC, Rights};
use crate::request::DropBehavior;
use crate::snapshot::Snapshot;

/// One change of a list.
#[derive(Clone, Copy, Debug)]
pub struct GrantChange {
    pub is_grant: bool,
    /// WITH GRANT OPTION, or GRANT OPTION FOR.
    pub grant_option: bool,
    pub behavior: DropBehavior,
    pub rights: Rights,
    pub grantor: Oid,
    pub owner: Oid,
}

impl GrantChange {
    /// The list after the change, for each grantee in turn.
    pub fn apply(&self, catalog: &Snapshot, list: &mut Vec<AccessItem>, grantees: &[Oid]) -> SqlResult<()> {
        for grantee in grantees {
            if self.is_grant && self.grant_option && *grantee == PUBLIC {
                let message = "grant options can only be granted to roles";
                return Err(SqlError::new(INVALID_GRANT_OPERATION, message));
            }
            // Granting gives the option only when asked to; revoking takes both, unless the option alone is named.
            let item = AccessItem {
                grantee: *grantee,
                grantor: self.grantor,
                rights: if self.is_grant || !self.grant_option { self.rights } else { Rights::NONE },
                grantable: if !self.is_grant || self.grant_option { self.rights } else { Rights::NONE },
            };
            if self.is_grant {
                add(catalog, list, item, self.owner)?;
            } else {
                remove(catalog, list, item, self.owner, self.behavior)?;
            }
        }
        Ok(())
    }
}

fn position_of(list: &[AccessItem], item: &AccessItem) -> Option<usize> {
    list.iter().position(|known| known.grantee == item.grantee && known.grantor == item.grantor)
}

fn add(catalog: &Snapshot, list: &mut Vec<AccessItem>, item: AccessItem, owner: Oid) -> SqlResult<()> {
    if !item.grantable.is_empty() {
        expect_no_circle(catalog, list, &item, owner)?;
    }
    let at = position_of(list, &item).unwrap_or_else(|| {
        list.push(AccessItem::new(item.grantee, item.grantor, Rights::NONE));
        list.len() - 1
    });
    if let Some(known) = list.get_mut(at) {
        known.rights = known.rights.with(item.rights);
        known.grantable = known.grantable.with(item.grantable);
        if known.rights.is_empty() && known.grantable.is_empty() {
            list.remove(at);
        }
    }
    Ok(())
}

fn remove(
    catalog: &Snapshot,
    list: &mut Vec<AccessItem>,
    item: AccessItem,
    owner: Oid,
    behavior: DropBehavior,
) -> SqlResult<()> {
    let Some(at) = position_of(list, &item) else { return Ok(()) };
    let Some(known) = list.get_mut(at) else { return Ok(()) };
    let lost = known.grantable.common(item.grantable);
    known.rights = known.rights.without(item.rights);
    known.grantable = known.grantable.without(item.grantable);
    if known.rights.is_empty() && known.grantable.is_empty() {
        list.remove(at);
    }
    if lost.is_empty() { Ok(()) } else { remove_granted_on(catalog, list, item.grantee, lost, owner, behavior) }
}

/// Takes back what a role granted by options that it has lost.
fn remove_granted_on(
    catalog: &Snapshot,
    list: &mut Vec<AccessItem>,
    grantor: Oid,
    lost: Rights,
    owner: Oid,
    behavior: DropBehavior,
) -> SqlResult<()> {
    if grantor == owner {
        return Ok(());
    }
    // The option may have come from somebody else as well.
    let lost = lost.without(catalog.grantable(list, grantor, owner, lost));
    loop {
        let granted = list.iter().find(|item| item.grantor == grantor && item.rights.intersects(lost)).copied();
        let Some(granted) = granted.filter(|_| !lost.is_empty()) else { return Ok(()) };
        if behavior == DropBehavior::Restrict {
            return Err(SqlError::new(DEPENDENT_OBJECTS_STILL_EXIST, "dependent privileges exist")
                .with_hint("Use CASCADE to revoke them too."));
        }
        remove(catalog, list, AccessItem { rights: lost, grantable: lost, ..granted }, owner, behavior)?;
    }
}

/// 0LP01 when the grantor has the options only because of the grantee.
fn expect_no_circle(catalog: &Snapshot, list: &[AccessItem], item: &AccessItem, owner: Oid) -> SqlResult<()> {
    if item.grantor == owner {
        return Ok(());
    }
    let mut without = list.to_vec();
    while let Some(given) =
        without.iter().find(|known| known.grantee == item.grantee && !known.grantable.is_empty()).copied()
    {
        let options = AccessItem { rights: Rights::NONE, ..given };
        remove(catalog, &mut without, options, owner, DropBehavior::Cascade)?;
    }
    let left = catalog.grantable(&without, item.grantor, owner, item.grantable);
    if item.grantable.without(left).is_empty() {
        return Ok(());
    }
    Err(SqlError::new(INVALID_GRANT_OPERATION, "grant options cannot be granted back to your own grantor"))
}

/// The list of an object that goes to another owner, who takes the place of the old one in it.
pub fn with_new_owner(list: &[AccessItem], old_owner: Oid, new_owner: Oid) -> Vec<AccessItem> {
    let replaced = |role: Oid| if role == old_owner { new_owner } else { role };
    let mut changed: Vec<AccessItem> = Vec::with_capacity(list.len());
    for item in list {
        let item = AccessItem { grantee: replaced(item.grantee), grantor: replaced(item.grantor), ..*item };
        match position_of(&changed, &item).and_then(|at| changed.get_mut(at)) {
            Some(known) => {
                known.rights = known.rights.with(item.rights);
                known.grantable = known.grantable.with(item.grantable);
            }
            None => changed.push(item),
        }
    }
    changed
}
