//! REINDEX: indexes are built anew from the rows of their tables.
//!
//! CONCURRENTLY takes the same lock as the plain form, whose work is one pass over the rows.

use std::sync::Arc;

use nqdb_catalog::{IndexDef, Relation, TableDef};
use nqdb_sqlstate::{
    FEATURE_NOT_SUPPORTED, INVALID_SCHEMA_NAME, Notice, NoticeSeverity, SUCCESSFUL_COMPLETION, SqlError,
    WRONG_OBJECT_TYPE,
};
use nqdb_txn::TxnError;

use super::DdlContext;
use super::drop::drop_indexes;
use crate::definition::{DropIndexConcurrently, Reindex, ReindexTarget};
use crate::exec::CommandTag;

pub(super) fn reindex(reindex: &Reindex, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    match &reindex.target {
        ReindexTarget::Index(name) => {
            let found = cx.find_relation(name).ok_or_else(|| cx.missing_relation(name))?;
            let Relation::Index(table, position) = found else {
                let message = format!("\"{}\" is not an index", name.name);
                return Err(SqlError::new(WRONG_OBJECT_TYPE, message).into());
            };
            let index = table.indexes.get(position).cloned();
            let index = index.ok_or_else(|| SqlError::internal("an index that was found is missing"))?;
            cx.expect_owner(table.owner, "index", &index.name)?;
            cx.expect_not_open(table.oid, &table.name, "REINDEX INDEX")?;
            rebuild(&table, &index, reindex.verbose, cx)?;
        }
        ReindexTarget::Table(name) => {
            let found = cx.find_relation(name).ok_or_else(|| cx.missing_relation(name))?;
            let Relation::Table(table) = found else {
                let message = format!("\"{}\" is not a table or materialized view", name.name);
                return Err(SqlError::new(WRONG_OBJECT_TYPE, message).into());
            };
            cx.expect_owner(table.owner, "table", &table.name)?;
            if table.indexes.is_empty() {
                let which = if reindex.concurrently { " that can be reindexed concurrently" } else { " to reindex" };
                let message = format!("table \"{}\" has no indexes{which}", table.name);
                cx.notice(Notice::new(SUCCESSFUL_COMPLETION, message));
            }
            rebuild_all(&table, reindex.verbose, cx)?;
        }
        ReindexTarget::Schema(schema) => {
            let snapshot = cx.draft.snapshot();
            let found = snapshot.schema(&schema.name).ok_or_else(|| {
                SqlError::new(INVALID_SCHEMA_NAME, format!("schema \"{}\" does not exist", schema.name))
            })?;
            cx.expect_owner(found.owner, "schema", &found.name)?;
            rebuild_tables(&|table| table.schema == found.oid, reindex.verbose, cx)?;
        }
        ReindexTarget::Database(database) | ReindexTarget::System(database) => {
            let is_system = matches!(reindex.target, ReindexTarget::System(_));
            if is_system && reindex.concurrently {
                let message = "cannot reindex system catalogs concurrently";
                return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).into());
            }
            if database.name != cx.exec.functions.session.current_database() {
                let message = "can only reindex the currently open database";
                return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).into());
            }
            rebuild_tables(&|_| !is_system, reindex.verbose, cx)?;
        }
    }
    Ok(CommandTag::Other("REINDEX"))
}

/// The indexes of all tables of a kind that the role owns; other sessions' temporary tables are left alone.
fn rebuild_tables(
    wanted: &dyn Fn(&TableDef) -> bool,
    verbose: bool,
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    let snapshot = cx.draft.snapshot();
    let own = cx.temporary_schema;
    let mut tables: Vec<Arc<TableDef>> = snapshot
        .tables()
        .filter(|table| wanted(table) && (!table.is_temporary() || table.schema_name == own))
        .cloned()
        .collect();
    tables.sort_by_key(|table| table.oid);
    for table in tables {
        if cx.expect_owner(table.owner, "table", &table.name).is_ok() {
            rebuild_all(&table, verbose, cx)?;
        }
    }
    Ok(())
}

fn rebuild_all(table: &TableDef, verbose: bool, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    cx.expect_not_open(table.oid, &table.name, "REINDEX TABLE")?;
    table.indexes.iter().try_for_each(|index| rebuild(table, index, verbose, cx))
}

fn rebuild(table: &TableDef, index: &IndexDef, verbose: bool, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    cx.writer().rebuild_index(table.oid, index.oid)?;
    if verbose {
        let message = format!("index \"{}\" was reindexed", index.name);
        let notice = Notice::new(SUCCESSFUL_COMPLETION, message);
        cx.notice(Notice { severity: NoticeSeverity::Info, ..notice });
    }
    Ok(())
}

/// DROP INDEX CONCURRENTLY, with the lock of the plain form.
pub(super) fn drop_concurrently(
    drop: &DropIndexConcurrently,
    cx: &mut DdlContext<'_, '_>,
) -> Result<CommandTag, TxnError> {
    if drop.names.len() > 1 {
        let message = "DROP INDEX CONCURRENTLY does not support dropping multiple objects";
        return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).into());
    }
    if drop.cascade {
        let message = "DROP INDEX CONCURRENTLY does not support CASCADE";
        return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message).into());
    }
    drop_indexes(&drop.names, drop.if_exists, cx)
}
