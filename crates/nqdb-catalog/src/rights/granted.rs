//! What of the rights is stored, ready for look-ups: access lists, default access, memberships, and the settings of roles.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;
use nqdb_types::Oid;
use serde::{Deserialize, Serialize};

use super::{AccessListDef, DefaultAccessDef, MembershipDef, SecuredKind};
use crate::shared::is_shared_class;
use crate::snapshot::Snapshot;

/// ALTER ROLE ... SET and ALTER DATABASE ... SET: what a session starts with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleSettingsDef {
    pub oid: Oid,
    /// 0 for all databases.
    pub database: Oid,
    /// 0 for all roles.
    pub role: Oid,
    /// Names and values, in the order in which they were set first.
    pub settings: Vec<(String, String)>,
}

/// A change of what is stored.
#[derive(Clone, Debug)]
pub enum RightsChange {
    PutList(Arc<AccessListDef>),
    DropList(Oid),
    PutDefault(Arc<DefaultAccessDef>),
    DropDefault(Oid),
    PutMembership(Arc<MembershipDef>),
    DropMembership(Oid),
    PutSettings(Arc<RoleSettingsDef>),
    DropSettings(Oid),
}

impl RightsChange {
    /// Whether it is about what all databases share, whose rights are given.
    pub(crate) fn is_shared(&self, shared: &Granted) -> bool {
        match self {
            RightsChange::PutList(list) => is_shared_class(list.class),
            RightsChange::DropList(oid) => shared.list_places.contains_key(oid),
            RightsChange::PutDefault(_) | RightsChange::DropDefault(_) => false,
            RightsChange::PutMembership(_)
            | RightsChange::DropMembership(_)
            | RightsChange::PutSettings(_)
            | RightsChange::DropSettings(_) => true,
        }
    }
}

/// The stored rights of one state of the catalog: of a database, or of what all databases share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Granted {
    lists: HashMap<(Oid, Oid, i16), Arc<AccessListDef>, RandomState>,
    list_places: HashMap<Oid, (Oid, Oid, i16), RandomState>,
    defaults: BTreeMap<Oid, Arc<DefaultAccessDef>>,
    memberships: BTreeMap<Oid, Arc<MembershipDef>>,
    settings: BTreeMap<Oid, Arc<RoleSettingsDef>>,
}

impl Granted {
    pub(crate) fn apply(&mut self, change: &RightsChange) {
        match change {
            RightsChange::PutList(list) => {
                let place = (list.class, list.object, list.column);
                self.list_places.insert(list.oid, place);
                self.lists.insert(place, list.clone());
            }
            RightsChange::DropList(oid) => {
                if let Some(place) = self.list_places.remove(oid) {
                    self.lists.remove(&place);
                }
            }
            RightsChange::PutDefault(default) => {
                self.defaults.insert(default.oid, default.clone());
            }
            RightsChange::DropDefault(oid) => {
                self.defaults.remove(oid);
            }
            RightsChange::PutMembership(membership) => {
                self.memberships.insert(membership.oid, membership.clone());
            }
            RightsChange::DropMembership(oid) => {
                self.memberships.remove(oid);
            }
            RightsChange::PutSettings(settings) => {
                self.settings.insert(settings.oid, settings.clone());
            }
            RightsChange::DropSettings(oid) => {
                self.settings.remove(oid);
            }
        }
    }
}

impl Snapshot {
    /// The stored access list of an object or of a column of it.
    pub fn access_list(&self, class: Oid, object: Oid, column: i16) -> Option<&Arc<AccessListDef>> {
        let granted = if is_shared_class(class) { &self.shared_state().granted } else { self.granted() };
        granted.lists.get(&(class, object, column))
    }

    /// All lists, those of shared objects too.
    pub fn access_lists(&self) -> impl Iterator<Item = &Arc<AccessListDef>> {
        self.granted().lists.values().chain(self.shared_state().granted.lists.values())
    }

    /// The columns of a relation that have lists of their own.
    pub fn columns_with_lists(&self, relation: Oid) -> impl Iterator<Item = i16> {
        let of_column = move |list: &&Arc<AccessListDef>| {
            list.class == SecuredKind::Column.class() && list.object == relation && list.column != 0
        };
        self.access_lists().filter(of_column).map(|list| list.column)
    }

    /// ALTER DEFAULT PRIVILEGES of a role for a schema, 0 for all schemas.
    pub fn default_access(&self, role: Oid, schema: Oid, kind: SecuredKind) -> Option<&Arc<DefaultAccessDef>> {
        self.defaults().find(|found| found.role == role && found.schema == schema && found.kind == kind)
    }

    /// All ALTER DEFAULT PRIVILEGES, oldest first.
    pub fn defaults(&self) -> impl Iterator<Item = &Arc<DefaultAccessDef>> {
        self.granted().defaults.values()
    }

    /// All memberships, oldest first.
    pub fn memberships(&self) -> impl Iterator<Item = &Arc<MembershipDef>> {
        self.shared_state().granted.memberships.values()
    }

    /// What a role is directly a member of.
    pub fn memberships_of(&self, member: Oid) -> impl Iterator<Item = &Arc<MembershipDef>> {
        self.memberships().filter(move |membership| membership.member == member)
    }

    pub fn membership(&self, role: Oid, member: Oid) -> Option<&Arc<MembershipDef>> {
        self.memberships().find(|found| found.role == role && found.member == member)
    }

    /// What ALTER ROLE and ALTER DATABASE have set.
    pub fn role_settings(&self) -> impl Iterator<Item = &Arc<RoleSettingsDef>> {
        self.shared_state().granted.settings.values()
    }

    /// What was set for a role in a database; 0 stands for all.
    pub fn settings_of(&self, database: Oid, role: Oid) -> Option<&Arc<RoleSettingsDef>> {
        self.role_settings().find(|found| found.database == database && found.role == role)
    }
}
