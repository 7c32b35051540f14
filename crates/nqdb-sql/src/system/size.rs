//! How many bytes relations take: an estimate from rows and the widths of their columns, in whole pages.

use std::sync::Arc;

use nqdb_catalog::{Relation, Snapshot, TableDef};
use nqdb_functions::StorageKind;
use nqdb_types::{Oid, Type, type_info};

use super::database::{DEFAULT_TABLESPACE, TABLESPACES};

const PAGE_LEN: f64 = 8192.0;
/// What a row takes besides its values: header, slot, null bits.
const ROW_OVERHEAD_LEN: f64 = 28.0;
/// What an entry of an index takes besides its key.
const ENTRY_OVERHEAD_LEN: f64 = 16.0;
/// What a value of variable length is taken to hold before ANALYZE knows better.
const UNKNOWN_WIDTH: f64 = 32.0;

/// Bytes of a relation by itself, or with its indexes; `None` when it does not exist.
pub fn relation_size(catalog: &Snapshot, relation: Oid, with_indexes: bool) -> Option<i64> {
    if super::by_oid(relation).is_some() {
        return Some(0);
    }
    Some(match catalog.relation_by_oid(relation)? {
        Relation::Table(table) => {
            let indexes = if with_indexes { indexes_size(table) } else { 0 };
            table_size(table) + indexes
        }
        Relation::Index(table, position) => index_size(table, *position),
        Relation::Sequence(_) => PAGE_LEN as i64,
        Relation::View(_) => 0,
    })
}

/// Bytes of all relations in a database or a tablespace, given the states of databases; `None` when it does not exist.
pub fn storage_size(
    catalog: &Snapshot,
    kind: StorageKind,
    object: Oid,
    state: &dyn Fn(Oid) -> Option<Arc<Snapshot>>,
) -> Option<i64> {
    match kind {
        StorageKind::Database => state(object).map(|database| database_size(&database)),
        StorageKind::Tablespace if object == DEFAULT_TABLESPACE => {
            let databases = catalog.databases().filter_map(|database| state(database.oid));
            Some(databases.map(|database| database_size(&database)).sum())
        }
        // What all databases share takes no pages of relations.
        StorageKind::Tablespace => TABLESPACES.iter().any(|(number, _)| *number == object).then_some(0),
    }
}

/// The catalog of a database counts as a page.
fn database_size(catalog: &Snapshot) -> i64 {
    let relations = catalog.schemas().flat_map(|schema| catalog.relations_of(schema.oid));
    let sizes = relations.filter_map(|relation| relation_size(catalog, relation.oid(), false));
    PAGE_LEN as i64 + sizes.sum::<i64>()
}

/// The number of a database or a tablespace.
pub fn storage_number(catalog: &Snapshot, kind: StorageKind, name: &str) -> Option<Oid> {
    match kind {
        StorageKind::Database => catalog.database_named(name).map(|found| found.oid),
        StorageKind::Tablespace => super::tablespace_named(name),
    }
}

/// Bytes of all indexes of a table.
fn indexes_size(table: &TableDef) -> i64 {
    (0..table.indexes.len()).map(|position| index_size(table, position)).sum()
}

fn table_size(table: &TableDef) -> i64 {
    let widths: f64 = table.live_columns().map(|(position, column)| width(table, position, column.ty)).sum();
    pages(table.store.estimated_rows() as f64 * (widths + ROW_OVERHEAD_LEN))
}

fn index_size(table: &TableDef, position: usize) -> i64 {
    let Some(index) = table.indexes.get(position) else { return 0 };
    let widths: f64 = index.key.iter().map(|key| width(table, key.column, key.ty)).sum();
    pages(table.store.estimated_rows() as f64 * (widths + ENTRY_OVERHEAD_LEN)).max(PAGE_LEN as i64)
}

fn width(table: &TableDef, position: usize, ty: Type) -> f64 {
    let analyzed = table.statistics.as_ref().and_then(|statistics| statistics.columns.get(position)?.as_ref());
    match (analyzed, type_info(ty.oid)) {
        (Some(column), _) => column.average_width_bytes,
        (None, Some(info)) if info.len > 0 => f64::from(info.len),
        _ => UNKNOWN_WIDTH,
    }
}

/// Bytes in whole pages.
fn pages(bytes: f64) -> i64 {
    ((bytes / PAGE_LEN).ceil() * PAGE_LEN) as i64
}
