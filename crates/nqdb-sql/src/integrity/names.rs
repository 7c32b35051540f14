//! The constraints that SET CONSTRAINTS names.

use nqdb_catalog::{Relation, Snapshot, TableDef};
use nqdb_sqlstate::{INVALID_SCHEMA_NAME, SqlError, SqlResult, UNDEFINED_OBJECT, WRONG_OBJECT_TYPE};
use nqdb_types::Oid;

use crate::bind::BindContext;
use crate::definition::QualifiedName;

/// The numbers of deferrable constraints by their names: all of a name in the first schema that has one.
///
/// Errors: 3F000, 42704 when there is none of a name, 42809 when one is to be deferred that cannot.
pub fn constraints_named(names: &[QualifiedName], deferred: bool, cx: &BindContext<'_>) -> SqlResult<Vec<Oid>> {
    let mut found = Vec::new();
    for name in names {
        let schemas: Vec<Oid> = match &name.schema {
            None => cx.search_path.to_vec(),
            Some(schema) => {
                let known = cx.catalog.schema(schema);
                let missing = || SqlError::new(INVALID_SCHEMA_NAME, format!("schema \"{schema}\" does not exist"));
                vec![known.ok_or_else(missing)?.oid]
            }
        };
        let named = schemas.into_iter().map(|schema| in_schema(cx.catalog, schema, &name.name));
        let Some(named) = named.into_iter().find(|named| !named.is_empty()) else {
            let message = format!("constraint \"{}\" does not exist", name.display());
            return Err(SqlError::new(UNDEFINED_OBJECT, message));
        };
        if deferred && named.iter().any(|(_, is_deferrable)| !is_deferrable) {
            let message = format!("constraint \"{}\" is not deferrable", name.name);
            return Err(SqlError::new(WRONG_OBJECT_TYPE, message));
        }
        found.extend(named.into_iter().filter(|(_, is_deferrable)| *is_deferrable).map(|(oid, _)| oid));
    }
    Ok(found)
}

/// Numbers of the constraints of a name, and whether they are deferrable.
fn in_schema(catalog: &Snapshot, schema: Oid, name: &str) -> Vec<(Oid, bool)> {
    let mut found = Vec::new();
    for relation in catalog.relations_of(schema) {
        let Relation::Table(table) = relation else { continue };
        found.extend(of_table(table, name));
    }
    found.sort_unstable();
    found
}

fn of_table(table: &TableDef, name: &str) -> Option<(Oid, bool)> {
    let oid = table.constraint_named(name)?;
    let key = table.foreign_keys.iter().find(|key| key.oid == oid).map(|key| key.deferral);
    let index = || table.indexes.iter().find(|index| index.oid == oid).map(|index| index.deferral);
    Some((oid, key.or_else(index).unwrap_or_default().is_deferrable()))
}
