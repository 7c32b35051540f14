//! What can be done to the rows of a relation: everything to those of a table, to those of a view what its query allows.

use nqdb_catalog::Relation;
use nqdb_sqlstate::SqlResult;
use nqdb_types::Oid;

use crate::bind::{BindContext, updatable_columns};

const UPDATE: i32 = 4;
const INSERT: i32 = 8;
const DELETE: i32 = 16;

/// The bits of `pg_relation_is_updatable`; with a column only those that can be done to it.
pub fn relation_changes(relation: Oid, column: Option<i16>, cx: &BindContext<'_>) -> SqlResult<i32> {
    match cx.catalog.relation_by_oid(relation) {
        Some(Relation::Table(table)) if table.materialized.is_none() => Ok(UPDATE + INSERT + DELETE),
        Some(Relation::View(view)) => {
            let Ok(columns) = updatable_columns(view, cx)? else { return Ok(0) };
            let position = column.and_then(|column| usize::try_from(column - 1).ok());
            let of_column = position.is_none_or(|at| columns.get(at).copied().unwrap_or(false));
            let any = columns.iter().any(|updatable| *updatable);
            Ok(DELETE + if any && of_column { UPDATE + INSERT } else { 0 })
        }
        None if super::by_oid(relation).is_some_and(|system| !system.is_view()) => Ok(UPDATE + INSERT + DELETE),
        _ => Ok(0),
    }
}
