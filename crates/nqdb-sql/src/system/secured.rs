//! What privileges are about, for every kind of object: users' own and the system's; and access lists as the values of
//! `relacl` and its like.

use nqdb_catalog::rights::{AccessItem, Rights, Secured, SecuredKind};
use nqdb_catalog::{SUPERUSER_OID, Snapshot};
use nqdb_types::{Array, Datum, Oid, oid, type_info};

use super::{database, language, routine};

/// An object and its owner, by number; `None` when there is no such object, or it has no privileges.
pub fn secured(catalog: &Snapshot, kind: SecuredKind, object: Oid) -> Option<Secured> {
    let made = |owner: Oid, name: &str| Secured { kind, object, owner, name: name.to_owned() };
    match kind {
        SecuredKind::Table | SecuredKind::Column | SecuredKind::Sequence => match super::by_oid(object) {
            Some(system) => Some(Secured { kind: SecuredKind::Table, ..made(SUPERUSER_OID, system.name) }),
            None => catalog.secured_relation(object),
        },
        SecuredKind::Schema => catalog.secured_schema(object),
        SecuredKind::Database => catalog.database_by_oid(object).map(|found| made(found.owner, &found.name)),
        SecuredKind::Function => routine::by_oid(object).map(|found| made(SUPERUSER_OID, found.name)),
        SecuredKind::Language => (object == language::INTERNAL_LANGUAGE).then(|| made(SUPERUSER_OID, "internal")),
        SecuredKind::Type => match catalog.type_by_oid(object) {
            Some(found) => Some(made(found.owner, &found.name)),
            None => type_info(object).map(|found| made(SUPERUSER_OID, found.name)),
        },
        SecuredKind::Tablespace => {
            let found = database::TABLESPACES.iter().find(|(number, _)| *number == object);
            found.map(|(_, name)| made(SUPERUSER_OID, name))
        }
    }
}

/// The access list of an object, as it was stored or as it is where nobody changed it.
pub fn access_list(catalog: &Snapshot, secured: &Secured) -> Vec<AccessItem> {
    stored_list(catalog, secured).unwrap_or_else(|| catalog.list_of(secured, 0))
}

/// The list that the system catalogs show: none for an object that has the default of its kind.
fn stored_list(catalog: &Snapshot, secured: &Secured) -> Option<Vec<AccessItem>> {
    if let Some(stored) = catalog.access_list(secured.kind.class(), secured.object, 0) {
        return Some(stored.items.clone());
    }
    // The system's own relations and schemas begin with lists.
    match super::by_oid(secured.object).filter(|_| secured.kind == SecuredKind::Table) {
        Some(system) => {
            let mut list = secured.kind.default_list(secured.owner);
            if !system.is_private() {
                list.push(AccessItem::new(nqdb_catalog::rights::PUBLIC, secured.owner, Rights::SELECT));
            }
            Some(list)
        }
        None => {
            let begins = secured.kind == SecuredKind::Schema && secured.object < nqdb_catalog::FIRST_USER_OID;
            begins.then(|| catalog.list_of(secured, 0))
        }
    }
}

/// Whether a role has all of some privileges on an object as a whole.
pub fn may(catalog: &Snapshot, role: Oid, secured: &Secured, wanted: Rights) -> bool {
    rights_on(catalog, role, secured, wanted).contains(wanted)
}

/// Which of the `wanted` privileges a role has on an object as a whole.
pub fn rights_on(catalog: &Snapshot, role: Oid, secured: &Secured, wanted: Rights) -> Rights {
    let is_system = secured.kind == SecuredKind::Table && super::by_oid(secured.object).is_some();
    match stored_list(catalog, secured).filter(|_| is_system) {
        Some(list) if !catalog.is_superuser(role) => catalog.rights_by_list(role, secured, &list, wanted),
        _ => catalog.rights_on(role, secured, wanted),
    }
}

/// The list of an object as a value of type `aclitem[]`.
pub(super) fn list_value(catalog: &Snapshot, kind: SecuredKind, object: Oid) -> Datum {
    let list = secured(catalog, kind, object).and_then(|secured| stored_list(catalog, &secured));
    list.map_or(Datum::Null, |items| items_value(catalog, &items))
}

/// As [`list_value`], for an object that begins with the default of its kind.
pub(super) fn stored_list_value(catalog: &Snapshot, kind: SecuredKind, object: Oid) -> Datum {
    let list = catalog.access_list(kind.class(), object, 0);
    list.map_or(Datum::Null, |list| items_value(catalog, &list.items))
}

/// The list of a column as a value of type `aclitem[]`.
pub(super) fn column_list_value(catalog: &Snapshot, relation: Oid, column: i16) -> Datum {
    let list = catalog.access_list(SecuredKind::Column.class(), relation, column);
    list.map_or(Datum::Null, |list| items_value(catalog, &list.items))
}

pub(super) fn items_value(catalog: &Snapshot, items: &[AccessItem]) -> Datum {
    let items = items.iter().map(|item| Datum::text(item.display(|role| role_text(catalog, role)))).collect();
    Array::from_elements(oid::ACLITEM, items).map_or(Datum::Null, Datum::array)
}

/// A role as an item writes it: quoted when it holds anything but letters, digits and `_`; its number when it is gone.
fn role_text(catalog: &Snapshot, role: Oid) -> String {
    let Some(found) = catalog.role_by_oid(role) else { return role.to_string() };
    let is_plain = |character: char| character.is_ascii_alphanumeric() || character == '_';
    if found.name.chars().all(is_plain) {
        return found.name.clone();
    }
    format!("\"{}\"", found.name.replace('"', "\"\""))
}
