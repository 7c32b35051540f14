//! CLUSTER: the rows of a table written anew in the order of an index.

use std::sync::Arc;

use nqdb_catalog::{IndexDef, Relation, TableDef};
use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, SqlError, SqlResult, UNDEFINED_OBJECT};
use nqdb_txn::{RelationLock, TxnError};
use nqdb_types::Oid;

use super::DdlContext;
use super::alter_table::not_an_index_of;
use super::alter_type::without_rules;
use super::query::{qualified, quoted};
use crate::bind::bind_fill;
use crate::definition::Cluster;
use crate::exec::CommandTag;
use crate::parse::parse;
use crate::plan::{PlanContext, plan};
use crate::system::key_text;

pub(super) fn cluster(cluster: &Cluster, cx: &mut DdlContext<'_, '_>) -> Result<CommandTag, TxnError> {
    let tag = CommandTag::Other("CLUSTER");
    let Some(name) = &cluster.table else {
        for (table, index) in cx.clustered_tables() {
            cx.cluster_table(table, index)?;
        }
        return Ok(tag);
    };
    let table = match cx.find_relation(name) {
        Some(Relation::Table(table)) => table,
        Some(other) => {
            let message = format!("\"{}\" is not a table or materialized view", other.name());
            return Err(SqlError::new(nqdb_sqlstate::WRONG_OBJECT_TYPE, message).into());
        }
        None => return Err(cx.missing_relation(name).into()),
    };
    cx.expect_owner(table.owner, table_kind(&table), &table.name)?;
    cx.expect_not_open(table.oid, &table.name, "CLUSTER")?;
    let table = cx.writer().lock_table(table.oid, RelationLock::AccessExclusive)?;
    let index = match &cluster.index {
        Some(name) => expect_clusterable(&table, name, cx)?,
        None => {
            let marked = table.indexes.iter().find(|index| index.settings.clustered);
            let missing = || {
                let message = format!("there is no previously clustered index for table \"{}\"", table.name);
                SqlError::new(UNDEFINED_OBJECT, message)
            };
            marked.ok_or_else(missing)?.oid
        }
    };
    cx.cluster_table(table.oid, index)?;
    Ok(tag)
}

fn table_kind(table: &TableDef) -> &'static str {
    if table.materialized.is_some() { "materialized view" } else { "table" }
}

/// The index that a table may be clustered by. Errors: 42704, 42809 or 0A000 for one that it may not.
pub(super) fn expect_clusterable(table: &TableDef, name: &str, cx: &mut DdlContext<'_, '_>) -> SqlResult<Oid> {
    let Some(index) = table.indexes.iter().find(|index| index.name == name) else {
        return Err(match cx.draft.snapshot().relation(table.schema, name) {
            Some(_) => not_an_index_of(name, table),
            None => {
                let message = format!("index \"{name}\" for table \"{}\" does not exist", table.name);
                SqlError::new(UNDEFINED_OBJECT, message)
            }
        });
    };
    if index.predicate().is_some() {
        let message = format!("cannot cluster on partial index \"{name}\"");
        return Err(SqlError::new(FEATURE_NOT_SUPPORTED, message));
    }
    Ok(index.oid)
}

impl DdlContext<'_, '_> {
    /// The tables of the current role that were clustered before, with the index.
    fn clustered_tables(&mut self) -> Vec<(Oid, Oid)> {
        let snapshot = self.draft.snapshot();
        let mut found: Vec<(Oid, Oid)> = snapshot
            .tables()
            .filter(|table| self.is_superuser() || table.owner == self.role)
            .filter_map(|table| {
                let index = table.indexes.iter().find(|index| index.settings.clustered)?;
                Some((table.oid, index.oid))
            })
            .collect();
        found.sort_unstable();
        found
    }

    fn cluster_table(&mut self, table: Oid, index: Oid) -> Result<(), TxnError> {
        self.writer().set_clustered(table, Some(index))?;
        let old = self.writer().lock_table(table, RelationLock::AccessExclusive)?;
        let Some(by) = old.indexes.iter().find(|known| known.oid == index) else { return Ok(()) };
        let query = self.in_order_of(&old, by);
        let new = self.writer().retyped(&old, &[], &[], true)?;
        let snapshot = self.draft.snapshot();
        (self.enter)(&snapshot);
        let statements = parse(&query)?;
        let [parsed] = statements.as_slice() else { return Err(SqlError::internal("not one query").into()) };
        let (bound, _) = bind_fill(parsed, &[], &Arc::new(without_rules(&new)), &self.bind_context(&snapshot))?;
        let plan = plan(bound, &[], &PlanContext::new(snapshot.version))?;
        self.copy_planned(plan)?;
        self.writer().put_rewritten(&old, new)
    }

    /// A query for all rows of a table in the order of an index.
    fn in_order_of(&mut self, table: &Arc<TableDef>, index: &IndexDef) -> String {
        let snapshot = self.draft.snapshot();
        let context = self.bind_context(&snapshot);
        let columns: Vec<String> = table.live_columns().map(|(_, column)| quoted(&column.name)).collect();
        let keys: Vec<String> = index
            .key
            .iter()
            .map(|key| {
                let direction = if key.descending { "DESC" } else { "ASC" };
                let nulls = if key.nulls_first { "FIRST" } else { "LAST" };
                format!("({}) {direction} NULLS {nulls}", key_text(table, index, key, false, &context))
            })
            .collect();
        format!("SELECT {} FROM {} ORDER BY {}", columns.join(", "), qualified(table), keys.join(", "))
    }
}
