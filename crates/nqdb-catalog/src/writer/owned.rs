//! What depends on roles: what they own and what they were granted. DROP ROLE, DROP OWNED and REASSIGN OWNED.

use std::sync::Arc;

use nqdb_sqlstate::{DEPENDENT_OBJECTS_STILL_EXIST, OBJECT_IN_USE, SqlError};
use nqdb_txn::{RelationLock, Result};
use nqdb_types::{Oid, is_user_type, user_type_object};

use super::{CatalogWriter, ObjectId};
use crate::definition::Relation;
use crate::objects::Space;
use crate::request::{DatabaseChange, DropBehavior};
use crate::rights::{AccessItem, AccessListDef, DefaultAccessDef, SecuredKind};
use crate::shared::is_shared_class;
use crate::snapshot::{Change, Snapshot};

impl CatalogWriter<'_> {
    /// Drops a role. Errors: 55006 for the role of the session, 2BP01 when it owns something or was granted something.
    pub fn drop_role(&mut self, oid: Oid, session_role: Oid) -> Result<()> {
        let role = self.lock_role(oid)?;
        if oid == self.role {
            return Err(SqlError::new(OBJECT_IN_USE, "current user cannot be dropped").into());
        }
        if oid == session_role {
            return Err(SqlError::new(OBJECT_IN_USE, "session user cannot be dropped").into());
        }
        if oid < crate::FIRST_USER_OID {
            let message = format!("cannot drop role {} because it is required by the database system", role.name);
            return Err(SqlError::new(DEPENDENT_OBJECTS_STILL_EXIST, message).into());
        }
        let needed = self.needed_by(oid);
        if !needed.is_empty() {
            let message = format!("role \"{}\" cannot be dropped because some objects depend on it", role.name);
            return Err(SqlError::new(DEPENDENT_OBJECTS_STILL_EXIST, message).with_detail(needed.join("\n")).into());
        }
        self.remove_rights_of_role(oid)?;
        self.forget_object(oid)?;
        self.catalog.objects().remove(self.txn, Space::Role, oid)?;
        self.push(Change::DropRole(oid));
        Ok(())
    }

    /// What needs a role, as PostgreSQL says it: a line for each object of this database and each shared one, and how many
    /// there are in each of the other databases.
    fn needed_by(&mut self, role: Oid) -> Vec<String> {
        let snapshot = self.snapshot();
        let mut lines = self.shared_dependents_of_role(&snapshot, role);
        lines.extend(self.dependents_of_role(&snapshot, role));
        for other in self.catalog.cluster().catalogs() {
            if other.database() == self.catalog.database() {
                continue;
            }
            let committed = other.committed();
            let (count, name) = (self.dependents_of_role(&committed, role).len(), committed.database_name());
            match count {
                0 => {}
                1 => lines.push(format!("1 object in database {name}")),
                _ => lines.push(format!("{count} objects in database {name}")),
            }
        }
        lines
    }

    /// As [`Self::dependents_of_role`], of the databases.
    fn shared_dependents_of_role(&self, snapshot: &Snapshot, role: Oid) -> Vec<String> {
        let mut lines = Vec::new();
        for database in snapshot.databases() {
            if database.owner == role {
                lines.push(format!("owner of database {}", database.name));
            }
            let list = snapshot.access_list(SecuredKind::Database.class(), database.oid, 0);
            // The owner's own items go with the ownership.
            if database.owner != role && list.is_some_and(|list| names_role(&list.items, role)) {
                lines.push(format!("privileges for database {}", database.name));
            }
        }
        lines
    }

    /// One line for each object of a database that needs a role, oldest first, as PostgreSQL says it.
    fn dependents_of_role(&self, snapshot: &Snapshot, role: Oid) -> Vec<String> {
        let mut lines: Vec<((Oid, i16, Oid), String)> = Vec::new();
        let sequences = snapshot.sequences().filter(|sequence| sequence.owner == role);
        for (sequence, owner) in sequences.filter_map(|sequence| Some((sequence, sequence.owned_by?))) {
            let what = self.describe(snapshot, ObjectId::Relation(sequence.oid));
            // In PostgreSQL they are older than their table.
            lines.push(((owner.table, i16::MIN, sequence.oid), format!("owner of {what}")));
        }
        for object in owned_objects(snapshot, role) {
            let (ObjectId::Schema(oid) | ObjectId::Relation(oid) | ObjectId::Type(oid)) = object else { continue };
            lines.push(((user_type_or(oid), 0, 0), format!("owner of {}", self.describe(snapshot, object))));
        }
        let own_lists = snapshot.access_lists().filter(|list| !is_shared_class(list.class));
        for list in own_lists.filter(|list| names_role(&list.items, role)) {
            // The owner's own items go with the ownership.
            if owner_of(snapshot, list) != Some(role) {
                let what = self.describe_secured(snapshot, list);
                lines.push(((list.object, list.column, 0), format!("privileges for {what}")));
            }
        }
        for default in snapshot.defaults() {
            let what = describe_default(snapshot, default);
            if default.role == role {
                lines.push(((default.oid, 0, 0), format!("owner of {what}")));
            } else if names_role(&default.items, role) {
                lines.push(((default.oid, 0, 0), format!("privileges for {what}")));
            }
        }
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect()
    }

    fn describe_secured(&self, snapshot: &Snapshot, list: &AccessListDef) -> String {
        match list.class {
            class if class == SecuredKind::Schema.class() => self.describe(snapshot, ObjectId::Schema(list.object)),
            class if class == SecuredKind::Table.class() && list.column != 0 => {
                self.describe(snapshot, ObjectId::Column(list.object, list.column))
            }
            class if class == SecuredKind::Table.class() => self.describe(snapshot, ObjectId::Relation(list.object)),
            class if class == SecuredKind::Function.class() => format!("function {}", list.object),
            class if class == SecuredKind::Type.class() => {
                if is_user_type(list.object) {
                    return self.describe(snapshot, ObjectId::Type(list.object));
                }
                let name = nqdb_types::type_info(list.object).map_or("", |info| info.name);
                format!("type {name}")
            }
            _ => format!("object {}", list.object),
        }
    }

    /// DROP OWNED: takes back what the roles were granted and drops what they own; what CASCADE took along is described.
    pub fn drop_owned(&mut self, roles: &[Oid], behavior: DropBehavior) -> Result<Vec<String>> {
        let snapshot = self.snapshot();
        for list in sorted_lists(&snapshot) {
            let owner = owner_of(&snapshot, &list);
            let goes = |item: &AccessItem| {
                owner.is_none_or(|owner| !roles.contains(&owner))
                    && (roles.contains(&item.grantee) || roles.contains(&item.grantor))
            };
            if list.items.iter().any(goes) {
                let left: Vec<AccessItem> = list.items.iter().copied().filter(|item| !goes(item)).collect();
                let left = (list.column == 0 || !left.is_empty()).then_some(left);
                self.set_access_list(list.class, list.object, list.column, left)?;
            }
        }
        for default in snapshot.defaults().cloned().collect::<Vec<Arc<DefaultAccessDef>>>() {
            if roles.contains(&default.role) {
                self.set_default_access(default.role, default.schema, default.kind, None)?;
            } else if default.items.iter().any(|item| roles.contains(&item.grantee)) {
                let left = default.items.iter().copied().filter(|item| !roles.contains(&item.grantee)).collect();
                self.set_default_access(default.role, default.schema, default.kind, Some(left))?;
            }
        }
        let owned: Vec<ObjectId> = roles.iter().flat_map(|role| owned_objects(&snapshot, *role)).collect();
        self.changes_channels = true;
        self.drop_objects(&owned, behavior)
    }

    /// REASSIGN OWNED: gives what the roles own to another.
    pub fn reassign_owned(&mut self, roles: &[Oid], new_owner: Oid) -> Result<()> {
        let snapshot = self.snapshot();
        self.changes_channels = true;
        for object in roles.iter().flat_map(|role| owned_objects(&snapshot, *role)) {
            match object {
                ObjectId::Relation(oid) => self.set_relation_owner(oid, new_owner)?,
                ObjectId::Schema(oid) => self.alter_schema(oid, None, Some(new_owner))?,
                ObjectId::Type(oid) => self.set_type_owner(oid, new_owner)?,
                ObjectId::Column(..)
                | ObjectId::Default(..)
                | ObjectId::Constraint(..)
                | ObjectId::PublishedChanges(_) => {}
            }
        }
        for database in snapshot.databases().filter(|database| roles.contains(&database.owner)) {
            let change = DatabaseChange { owner: Some(new_owner), ..DatabaseChange::default() };
            self.alter_database(database.oid, &change)?;
        }
        let defaults: Vec<Arc<DefaultAccessDef>> =
            snapshot.defaults().filter(|default| roles.contains(&default.role)).cloned().collect();
        for default in defaults {
            let items = crate::rights::with_new_owner(&default.items, default.role, new_owner);
            self.set_default_access(default.role, default.schema, default.kind, None)?;
            self.set_default_access(new_owner, default.schema, default.kind, Some(items))?;
        }
        Ok(())
    }

    /// Locks a role and gives its definition as it is under the lock.
    pub(super) fn lock_role(&mut self, oid: Oid) -> Result<crate::definition::RoleDef> {
        self.txn.lock_relation(oid, RelationLock::AccessExclusive)?;
        match self.snapshot().role_by_oid(oid) {
            Some(role) => Ok(crate::definition::RoleDef::clone(role)),
            None => {
                let message = format!("role with OID {oid} does not exist");
                Err(SqlError::new(nqdb_sqlstate::UNDEFINED_OBJECT, message).into())
            }
        }
    }
}

/// What a role owns and would be dropped on its own: not indexes, nor the sequences of columns.
fn owned_objects(snapshot: &Snapshot, role: Oid) -> Vec<ObjectId> {
    let relations = snapshot.schemas().flat_map(|schema| snapshot.relations_of(schema.oid));
    let stands_alone = |relation: &&Relation| match relation {
        Relation::Index(..) => false,
        Relation::Sequence(sequence) => sequence.owned_by.is_none(),
        Relation::Table(_) | Relation::View(_) => true,
    };
    let owned = relations.filter(|relation| relation.owner() == role).filter(stands_alone);
    let mut found: Vec<ObjectId> = owned.map(|relation| ObjectId::Relation(relation.oid())).collect();
    found.extend(snapshot.schemas().filter(|schema| schema.owner == role).map(|schema| ObjectId::Schema(schema.oid)));
    found.extend(snapshot.types().filter(|def| def.owner == role).map(|def| ObjectId::Type(def.oid)));
    found.sort_unstable_by_key(|object| match object {
        ObjectId::Schema(oid) | ObjectId::Relation(oid) => *oid,
        ObjectId::Type(oid) => user_type_or(*oid),
        ObjectId::Column(oid, _)
        | ObjectId::Default(oid, _)
        | ObjectId::Constraint(oid, _)
        | ObjectId::PublishedChanges(oid) => *oid,
    });
    found
}

/// The number that tells an object's age: of a type that of the object in it.
fn user_type_or(oid: Oid) -> Oid {
    if is_user_type(oid) { user_type_object(oid) } else { oid }
}

fn sorted_lists(snapshot: &Snapshot) -> Vec<Arc<AccessListDef>> {
    let mut lists: Vec<Arc<AccessListDef>> = snapshot.access_lists().cloned().collect();
    lists.sort_unstable_by_key(|list| list.oid);
    lists
}

fn names_role(items: &[AccessItem], role: Oid) -> bool {
    items.iter().any(|item| item.grantee == role || item.grantor == role)
}

/// The owner of what a list is about, where the catalog knows it.
fn owner_of(snapshot: &Snapshot, list: &AccessListDef) -> Option<Oid> {
    match list.class {
        class if class == SecuredKind::Table.class() => snapshot.relation_by_oid(list.object).map(Relation::owner),
        class if class == SecuredKind::Schema.class() => snapshot.schema_by_oid(list.object).map(|schema| schema.owner),
        class if class == SecuredKind::Database.class() => {
            snapshot.database_by_oid(list.object).map(|database| database.owner)
        }
        class if class == SecuredKind::Type.class() => snapshot.type_by_oid(list.object).map(|def| def.owner),
        _ => None,
    }
}

fn describe_default(snapshot: &Snapshot, default: &DefaultAccessDef) -> String {
    let what = match default.kind {
        SecuredKind::Sequence => "sequences",
        SecuredKind::Function => "functions",
        SecuredKind::Type => "types",
        SecuredKind::Schema => "schemas",
        _ => "relations",
    };
    let role = snapshot.role_by_oid(default.role).map_or("", |role| role.name.as_str());
    match snapshot.schema_by_oid(default.schema) {
        Some(schema) => {
            format!("default privileges on new {what} belonging to role {role} in schema {}", schema.name)
        }
        None => format!("default privileges on new {what} belonging to role {role}"),
    }
}
