//! Which changes of a table are sent to its channel: what `nqdb_publish_table` and `nqdb_unpublish_table` ask for
//! (docs/realtime.md).
//!
//! A filter is bound as the condition of a partial index is: over one row, of immutable functions only, so that it says the
//! same of a row whoever changes it.

use std::sync::Arc;

use nqdb_catalog::{IndexComputation, PublishRequest, PublishedChanges, Relation, TableDef};
use nqdb_sqlstate::{
    INVALID_COLUMN_REFERENCE, SqlError, SqlResult, UNDEFINED_COLUMN, UNDEFINED_TABLE, WRONG_OBJECT_TYPE,
};
use nqdb_txn::{RelationLock, TxnError};
use nqdb_types::Oid;

use super::create_index::Parts;
use super::{DdlContext, in_one_step};
use crate::definition::IndexText;
use crate::exec::{CommandTag, Step};
use crate::parse::parse_expression;

/// Sends the changes of a table to its channel from the commit on.
///
/// Errors: 42501 for who does not own it, 42809 for what is no lasting table, 42703 and 42P10 for the columns, those of a
/// partial index's condition for the filter.
pub fn publish_changes(request: &PublishRequest, cx: &mut DdlContext<'_, '_>) -> SqlResult<Step> {
    in_one_step(cx, |cx| {
        let table = publishable(request.table, cx)?;
        let columns = request.columns.as_deref().map(|names| numbers_of(names, &table)).transpose()?;
        let filter = request.filter.as_deref().map(|text| bound_filter(text, &table, cx)).transpose()?;
        cx.writer().set_published(table.oid, Some(PublishedChanges { columns, filter }))?;
        Ok(CommandTag::Other("SELECT"))
    })
}

/// Sends the changes of a table no longer. Errors: as [`publish_changes`].
pub fn unpublish_changes(table: Oid, cx: &mut DdlContext<'_, '_>) -> SqlResult<Step> {
    in_one_step(cx, |cx| {
        let table = publishable(table, cx)?;
        cx.writer().set_published(table.oid, None)?;
        Ok(CommandTag::Other("SELECT"))
    })
}

fn publishable(oid: Oid, cx: &mut DdlContext<'_, '_>) -> Result<Arc<TableDef>, TxnError> {
    let snapshot = cx.draft.snapshot();
    let name = match snapshot.relation_by_oid(oid) {
        Some(Relation::Table(table)) if table.materialized.is_none() && !table.is_temporary() => table.name.clone(),
        Some(Relation::Table(table)) if table.is_temporary() => {
            let message = format!("changes of temporary table \"{}\" cannot be published", table.name);
            return Err(SqlError::new(WRONG_OBJECT_TYPE, message).into());
        }
        Some(other) => {
            let message = format!("\"{}\" is not a table", other.name());
            return Err(SqlError::new(WRONG_OBJECT_TYPE, message).into());
        }
        None if crate::system::by_oid(oid).is_some() => {
            return Err(SqlError::new(WRONG_OBJECT_TYPE, "changes of system relations cannot be published").into());
        }
        None => {
            let message = format!("relation with OID {oid} does not exist");
            return Err(SqlError::new(UNDEFINED_TABLE, message).into());
        }
    };
    let table = cx.writer().lock_table(oid, RelationLock::ShareRowExclusive)?;
    cx.expect_owner(table.owner, "table", &name)?;
    Ok(table)
}

/// The attribute numbers of columns. Those of the primary key have to be among them: a change names its row by them.
fn numbers_of(names: &[String], table: &TableDef) -> SqlResult<Vec<i16>> {
    let mut numbers = Vec::with_capacity(names.len());
    for name in names {
        let column = table.live_columns().find(|(_, column)| column.name == *name).map(|(_, column)| column.attnum);
        let column = column.ok_or_else(|| {
            let message = format!("column \"{name}\" of relation \"{}\" does not exist", table.name);
            SqlError::new(UNDEFINED_COLUMN, message)
        })?;
        if numbers.contains(&column) {
            let message = format!("duplicate column \"{name}\" in the list of published columns");
            return Err(SqlError::new(nqdb_sqlstate::DUPLICATE_OBJECT, message));
        }
        numbers.push(column);
    }
    if table.primary_key().is_some() && table.change_key().iter().any(|key| !numbers.contains(key)) {
        let message = format!("published columns of table \"{}\" must include its primary key", table.name);
        return Err(SqlError::new(INVALID_COLUMN_REFERENCE, message));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn bound_filter(text: &str, table: &Arc<TableDef>, cx: &mut DdlContext<'_, '_>) -> SqlResult<IndexComputation> {
    let (tokens, expression) = super::query::placeless(parse_expression(text))?;
    let written = IndexText { expression, text: text.to_owned() };
    super::query::placeless(Parts::condition(&written, "filter", table, &tokens, cx))
}
