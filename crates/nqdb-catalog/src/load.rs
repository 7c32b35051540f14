//! Builds the state of a database out of its rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use nqdb_sqlstate::SqlResult;
use nqdb_txn::{Computation, IndexStore, TableCounters, TableStore, TreeId, TxnSystem};
use nqdb_types::key::KeyColumn;
use nqdb_types::{Datum, Oid};
use serde::de::DeserializeOwned;

use crate::computation::{IndexBinder, Unbound};
use crate::definition::{ColumnDef, CommentDef, IndexDef, RoleDef, SchemaDef, SequenceDef, TableDef, TableStatistics};
use crate::objects::{Kind, ObjectRow};
use crate::rights::RightsChange;
use crate::shared::DatabaseDef;
use crate::snapshot::{Change, Snapshot};
use crate::stored::{StoredIndex, StoredKeyColumn, StoredTable, from_json};
use crate::user_type::StoredType;
use crate::view::ViewDef;

/// The state of a database, built out of its rows upon one that has the built-in and the shared objects. Errors: XX001 for
/// what does not parse.
pub(crate) fn load(
    system: &Arc<TxnSystem>,
    rows: Vec<ObjectRow>,
    binder: &dyn IndexBinder,
    base: &Snapshot,
) -> SqlResult<Snapshot> {
    let mut schema_names: BTreeMap<Oid, String> = BTreeMap::new();
    let mut indexes: BTreeMap<Oid, Vec<(Oid, String, StoredIndex)>> = BTreeMap::new();
    let mut tables = Vec::new();
    let mut changes = Vec::new();
    let mut statistics = Vec::new();
    for row in rows {
        match row.kind {
            Kind::Schema => {
                let schema: SchemaDef = from_json(&row.definition)?;
                schema_names.insert(schema.oid, schema.name.clone());
                changes.push(Change::PutSchema(Arc::new(schema)));
            }
            Kind::Database => changes.push(Change::PutDatabase(Arc::new(from_json::<DatabaseDef>(&row.definition)?))),
            Kind::Role => changes.push(Change::PutRole(Arc::new(from_json::<RoleDef>(&row.definition)?))),
            Kind::Sequence => changes.push(Change::PutSequence(Arc::new(from_json::<SequenceDef>(&row.definition)?))),
            Kind::Comment => changes.push(Change::PutComment(Arc::new(from_json::<CommentDef>(&row.definition)?))),
            Kind::View => changes.push(Change::PutView(Arc::new(from_json::<ViewDef>(&row.definition)?))),
            Kind::Type => {
                let stored: StoredType = from_json(&row.definition)?;
                changes.push(Change::PutType(Arc::new(stored.into_type(row.oid, row.parent, row.name))));
            }
            Kind::Access => changes.push(rights(&row, RightsChange::PutList)?),
            Kind::DefaultAccess => changes.push(rights(&row, RightsChange::PutDefault)?),
            Kind::Membership => changes.push(rights(&row, RightsChange::PutMembership)?),
            Kind::RoleSettings => changes.push(rights(&row, RightsChange::PutSettings)?),
            Kind::Statistics => statistics.push(from_json::<TableStatistics>(&row.definition)?),
            Kind::Index => {
                let index: StoredIndex = from_json(&row.definition)?;
                indexes.entry(index.table).or_default().push((row.oid, row.name, index));
            }
            Kind::Table => tables.push(row),
        }
    }
    // Expressions of indexes name functions and types, and columns of their own table.
    let without_tables = base.with(&changes, 1);
    for row in tables {
        let stored: StoredTable = from_json(&row.definition)?;
        let mut own_indexes = indexes.remove(&row.oid).unwrap_or_default();
        own_indexes.sort_by_key(|(oid, ..)| *oid);
        let schema_name = schema_names.get(&row.parent).cloned().unwrap_or_default();
        let table = open_table(system, row, schema_name, stored, own_indexes)?;
        let table = bind_indexes(table, binder, &without_tables);
        changes.push(Change::PutTable(Arc::new(table)));
    }
    changes.extend(statistics.into_iter().map(|statistics| Change::PutStatistics(Arc::new(statistics))));
    Ok(base.with(&changes, 1))
}

fn rights<T: DeserializeOwned>(row: &ObjectRow, change: impl FnOnce(Arc<T>) -> RightsChange) -> SqlResult<Change> {
    Ok(Change::Rights(change(Arc::new(from_json(&row.definition)?))))
}

fn open_table(
    system: &Arc<TxnSystem>,
    row: ObjectRow,
    schema_name: String,
    stored: StoredTable,
    stored_indexes: Vec<(Oid, String, StoredIndex)>,
) -> SqlResult<TableDef> {
    let rows = system.open_tree(TreeId(stored.rows_tree))?;
    let overflow = system.open_tree(TreeId(stored.overflow_tree))?;
    let counters = TableCounters::open(&rows, &overflow)?;
    let columns: Vec<ColumnDef> = stored
        .columns
        .into_iter()
        .enumerate()
        .map(|(position, column)| column.into_column(position))
        .collect::<SqlResult<_>>()?;
    let mut indexes = Vec::with_capacity(stored_indexes.len());
    let mut stores = Vec::with_capacity(stored_indexes.len());
    for (position, (oid, name, index)) in stored_indexes.into_iter().enumerate() {
        let tree = system.open_tree(TreeId(index.tree))?;
        let of_table = |column: &StoredKeyColumn| column.over(&columns, index.computation.as_ref());
        let key: Vec<KeyColumn> = index.key.iter().map(of_table).collect::<SqlResult<_>>()?;
        stores.push(Arc::new(IndexStore {
            nulls_not_distinct: index.nulls_not_distinct,
            deferrable: index.deferral.is_deferrable(),
            ..IndexStore::over_columns(oid, tree, index.unique, key.clone())
        }));
        indexes.push(Arc::new(IndexDef {
            oid,
            name,
            unique: index.unique,
            primary: index.primary,
            constraint: index.constraint,
            deferral: index.deferral,
            nulls_not_distinct: index.nulls_not_distinct,
            key,
            options: index.key.iter().map(|column| column.options).collect(),
            included: index.included,
            computation: index.computation.map(Arc::new),
            settings: index.settings,
            position,
        }));
    }
    let store = Arc::new(TableStore {
        id: row.oid,
        rows,
        overflow,
        columns: columns.iter().map(|column| column.ty).collect(),
        missing: columns.iter().map(|column| column.missing.clone().unwrap_or(Datum::Null)).collect(),
        indexes: stores,
        followed: stored.published.is_some(),
        counters,
    });
    Ok(TableDef {
        oid: row.oid,
        schema: row.parent,
        schema_name,
        name: row.name,
        owner: stored.owner,
        columns,
        indexes,
        checks: stored.checks,
        foreign_keys: stored.foreign_keys.into_iter().map(Arc::new).collect(),
        referenced_by: Vec::new(),
        on_commit: stored.on_commit,
        materialized: stored.materialized.map(Arc::new),
        settings: stored.settings,
        published: stored.published.map(Arc::new),
        channel: stored.channel.map(Arc::new),
        store,
        version: stored.version,
        statistics: None,
    })
}

/// Gives the indexes over expressions their functions.
fn bind_indexes(table: TableDef, binder: &dyn IndexBinder, catalog: &Snapshot) -> TableDef {
    if table.indexes.iter().all(|index| index.is_plain()) {
        return table;
    }
    let table = Arc::new(table);
    let mut store = TableStore::clone(&table.store);
    for index in table.indexes.iter().filter(|index| !index.is_plain()) {
        let function: Arc<dyn Computation> = binder.bind(&table, index, catalog).unwrap_or_else(|error| {
            tracing::error!(index = index.name, %error, "the expressions of an index do not bind");
            Arc::new(Unbound(error))
        });
        if let Some(own) = store.indexes.get_mut(index.position) {
            let tree = own.tree.clone();
            *own = Arc::new(IndexStore { computation: Some(function), ..own.over_tree(tree) });
        }
    }
    TableDef { store: Arc::new(store), ..TableDef::clone(&table) }
}
