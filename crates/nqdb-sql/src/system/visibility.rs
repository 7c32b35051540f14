//! Which objects the search path reaches by their bare names.

use nqdb_catalog::Snapshot;
use nqdb_functions::{ObjectKind, operator_by_oid};
use nqdb_types::array::element_type;
use nqdb_types::{Oid, is_user_type, type_info};

use super::access_method::{class_by_oid, family_exists};
use super::object_name::{COLLATIONS, find_relation};
use super::{routine, types};

/// Whether the search path reaches an object; `None` when it does not exist.
pub fn is_visible(catalog: &Snapshot, search_path: &[Oid], kind: ObjectKind, object: Oid) -> Option<bool> {
    match kind {
        ObjectKind::Relation => {
            let name = match super::by_oid(object) {
                Some(system) => system.name,
                None => catalog.relation_by_oid(object)?.name(),
            };
            Some(find_relation(catalog, search_path, name) == Some(object))
        }
        ObjectKind::Type if types::domain_name(object).is_some() => {
            Some(search_path.contains(&nqdb_catalog::INFORMATION_SCHEMA_OID))
        }
        ObjectKind::Type if is_user_type(object) => {
            let element = element_type(object).unwrap_or(object);
            let found = catalog.type_by_oid(element)?;
            Some(catalog.resolve_type(search_path, None, &found.name) == Some(element))
        }
        ObjectKind::Type => type_info(object).map(|_| true),
        ObjectKind::Function => routine::by_oid(object).map(|_| true),
        ObjectKind::Operator => operator_by_oid(object).map(|_| true),
        ObjectKind::Collation => COLLATIONS.iter().any(|(number, _)| *number == object).then_some(true),
        ObjectKind::OperatorClass => class_by_oid(object).map(|_| true),
        ObjectKind::OperatorFamily => family_exists(object).then_some(true),
        ObjectKind::Conversion => None,
    }
}
