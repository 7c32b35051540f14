//! Access lists, default access, memberships and role settings as rows of the catalog.
//!
//! A list needs no lock of its own: two transactions that change the same one meet at its row. What the list is about is
//! held in place by the caller.

use std::sync::Arc;

use nqdb_sqlstate::SqlError;
use nqdb_txn::{RelationLock, Result};
use nqdb_types::Oid;
use serde::Serialize;

use super::{CatalogWriter, taken};
use crate::objects::{Kind, ObjectRow, Space};
use crate::rights::{
    AccessItem, AccessListDef, DefaultAccessDef, MembershipDef, RightsChange, RoleSettingsDef, SecuredKind,
    with_new_owner,
};
use crate::shared::is_shared_class;
use crate::snapshot::Change;
use crate::stored::to_json;

impl CatalogWriter<'_> {
    /// Keeps an object in place while its access list changes.
    pub fn hold_object(&mut self, oid: Oid) -> Result<()> {
        self.txn.lock_relation(oid, RelationLock::AccessShare)
    }

    /// Stores the access list of an object, or of a column; none takes it back to the default of its kind.
    pub fn set_access_list(
        &mut self,
        class: Oid,
        object: Oid,
        column: i16,
        items: Option<Vec<AccessItem>>,
    ) -> Result<()> {
        let known = self.snapshot().access_list(class, object, column).map(|list| list.oid);
        let Some(items) = items else {
            return known.map_or(Ok(()), |oid| self.remove_access_list(class, oid));
        };
        let oid = self.known_or_new(known)?;
        let list = AccessListDef { oid, class, object, column, items };
        self.put_row(&access_list_row(&list))?;
        self.push(Change::Rights(RightsChange::PutList(Arc::new(list))));
        Ok(())
    }

    /// Gives a new object the list that its owner's default access says.
    pub(super) fn apply_default_access(&mut self, kind: SecuredKind, object: Oid, schema: Oid) -> Result<()> {
        let owner = self.role;
        match self.snapshot().initial_list(kind, owner, schema) {
            Some(items) => self.set_access_list(kind.class(), object, 0, Some(items)),
            None => Ok(()),
        }
    }

    /// Lets a new owner take the place of the old one in the lists of an object.
    pub fn change_list_owner(&mut self, class: Oid, object: Oid, old_owner: Oid, new_owner: Oid) -> Result<()> {
        let snapshot = self.snapshot();
        let mut lists: Vec<Arc<AccessListDef>> =
            snapshot.access_lists().filter(|list| list.class == class && list.object == object).cloned().collect();
        lists.sort_unstable_by_key(|list| list.column);
        lists.into_iter().try_for_each(|list| {
            let items = with_new_owner(&list.items, old_owner, new_owner);
            self.set_access_list(class, object, list.column, Some(items))
        })
    }

    /// Removes the lists of an object that goes, and of its columns or of one of them.
    pub(super) fn remove_access_lists(&mut self, object: Oid, column: Option<i16>) -> Result<()> {
        let snapshot = self.snapshot();
        let is_meant =
            |list: &&Arc<AccessListDef>| list.object == object && column.is_none_or(|column| list.column == column);
        let mut lists: Vec<&Arc<AccessListDef>> = snapshot.access_lists().filter(is_meant).collect();
        lists.sort_unstable_by_key(|list| list.oid);
        lists.into_iter().try_for_each(|list| self.remove_access_list(list.class, list.oid))
    }

    /// Stores what is granted on objects that a role will make; none takes it back.
    pub fn set_default_access(
        &mut self,
        role: Oid,
        schema: Oid,
        kind: SecuredKind,
        items: Option<Vec<AccessItem>>,
    ) -> Result<()> {
        let known = self.snapshot().default_access(role, schema, kind).map(|default| default.oid);
        let Some(items) = items else {
            return known.map_or(Ok(()), |oid| {
                self.remove_rights_row(Space::DefaultAccess, oid, RightsChange::DropDefault(oid))
            });
        };
        let oid = self.known_or_new(known)?;
        let default = DefaultAccessDef { oid, role, schema, kind, items };
        let name = format!("{schema}.{}", kind.default_letter());
        self.put_rights_row((Space::DefaultAccess, Kind::DefaultAccess), (oid, role), &name, &default)?;
        self.push(Change::Rights(RightsChange::PutDefault(Arc::new(default))));
        Ok(())
    }

    /// Makes a role a member of another, or changes how it is one.
    pub fn set_membership(&mut self, role: Oid, member: Oid, grantor: Oid, admin_option: bool) -> Result<()> {
        self.hold_object(role)?;
        self.hold_object(member)?;
        let known = self.snapshot().membership(role, member).map(|membership| membership.oid);
        let oid = self.known_or_new(known)?;
        let membership = MembershipDef { oid, role, member, grantor, admin_option };
        self.put_rights_row((Space::Membership, Kind::Membership), (oid, role), &member.to_string(), &membership)?;
        self.push(Change::Rights(RightsChange::PutMembership(Arc::new(membership))));
        Ok(())
    }

    pub fn remove_membership(&mut self, oid: Oid) -> Result<()> {
        self.remove_rights_row(Space::Membership, oid, RightsChange::DropMembership(oid))
    }

    /// Stores what sessions of a role in a database start with; 0 stands for all. Without settings nothing stays.
    pub fn set_role_settings(&mut self, database: Oid, role: Oid, settings: Vec<(String, String)>) -> Result<()> {
        let known = self.snapshot().settings_of(database, role).map(|found| found.oid);
        if settings.is_empty() {
            return known.map_or(Ok(()), |oid| {
                self.remove_rights_row(Space::RoleSettings, oid, RightsChange::DropSettings(oid))
            });
        }
        let oid = self.known_or_new(known)?;
        let stored = RoleSettingsDef { oid, database, role, settings };
        self.put_rights_row((Space::RoleSettings, Kind::RoleSettings), (oid, role), &database.to_string(), &stored)?;
        self.push(Change::Rights(RightsChange::PutSettings(Arc::new(stored))));
        Ok(())
    }

    /// Removes what is stored about a role that goes: memberships in both directions, and settings.
    pub(super) fn remove_rights_of_role(&mut self, role: Oid) -> Result<()> {
        let snapshot = self.snapshot();
        for membership in snapshot.memberships().filter(|found| found.role == role || found.member == role) {
            self.remove_membership(membership.oid)?;
        }
        for settings in snapshot.role_settings().filter(|found| found.role == role) {
            self.set_role_settings(settings.database, role, Vec::new())?;
        }
        Ok(())
    }

    /// Removes the default access for a schema that goes.
    pub(super) fn remove_default_access_of_schema(&mut self, schema: Oid) -> Result<()> {
        let snapshot = self.snapshot();
        let of_schema = snapshot.defaults().filter(|default| default.schema == schema);
        of_schema
            .map(|default| default.oid)
            .collect::<Vec<Oid>>()
            .into_iter()
            .try_for_each(|oid| self.remove_rights_row(Space::DefaultAccess, oid, RightsChange::DropDefault(oid)))
    }

    fn remove_access_list(&mut self, class: Oid, oid: Oid) -> Result<()> {
        self.remove_rights_row(access_space(class), oid, RightsChange::DropList(oid))
    }

    fn known_or_new(&mut self, known: Option<Oid>) -> Result<Oid> {
        match known {
            Some(oid) => Ok(oid),
            None => Ok(self.catalog.next_oid(self.txn)?),
        }
    }

    fn put_rights_row(
        &mut self,
        (space, kind): (Space, Kind),
        (oid, parent): (Oid, Oid),
        name: &str,
        definition: &impl Serialize,
    ) -> Result<()> {
        self.put_row(&ObjectRow { space, oid, parent, name: name.to_owned(), kind, definition: to_json(definition) })
    }

    fn put_row(&mut self, row: &ObjectRow) -> Result<()> {
        let twice = SqlError::new(nqdb_sqlstate::INTERNAL_ERROR, "tuple concurrently updated");
        self.catalog.objects().put(self.txn, row).map_err(|error| taken(error, twice.into()))
    }

    fn remove_rights_row(&mut self, space: Space, oid: Oid, change: RightsChange) -> Result<()> {
        self.catalog.objects().remove(self.txn, space, oid)?;
        self.push(Change::Rights(change));
        Ok(())
    }
}

fn access_space(class: Oid) -> Space {
    if is_shared_class(class) { Space::SharedAccess } else { Space::Access }
}

pub(crate) fn access_list_row(list: &AccessListDef) -> ObjectRow {
    ObjectRow {
        space: access_space(list.class),
        oid: list.oid,
        parent: list.object,
        name: format!("{}.{}", list.class, list.column),
        kind: Kind::Access,
        definition: to_json(list),
    }
}
