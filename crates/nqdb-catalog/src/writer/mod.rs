//! DDL: every change of the catalog goes through a [`CatalogWriter`].
//!
//! 1. A call takes the locks it needs, looks the objects up again under them, writes the rows, changes the trees and
//!    adds to the draft. [`TxnError::Wait`] can come out at any point: the caller rolls back to where the statement
//!    began ([`nqdb_txn::Transaction::rollback_to`], [`Draft::rollback_to`]), waits, and calls again.
//! 2. Creating a relation holds its schema's lock in a weak mode, dropping the schema in the strongest.
//! 3. Error codes and words are PostgreSQL's.

mod alter;
mod channel;
mod column;
mod column_type;
mod composite;
mod copy;
mod database;
mod dependency;
mod domain;
mod foreign_key;
mod index;
mod owned;
mod published;
mod rights;
mod role;
mod schema;
mod sequence;
mod sequence_options;
mod settings;
mod table;
mod temporary;
mod user_type;
mod view;

use std::sync::Arc;

use nqdb_sqlstate::{DUPLICATE_OBJECT, DUPLICATE_TABLE, SqlError, UNDEFINED_TABLE};
use nqdb_txn::{RelationLock, Result, TableStore, Transaction, TxnError};
use nqdb_types::Oid;

use crate::catalog::Catalog;
use crate::channel::messages_are_kept;
use crate::definition::{IndexDef, TableDef};
use crate::draft::Draft;
use crate::foreign_key::ForeignKeyDef;
use crate::objects::{Kind, ObjectRow, Space};
use crate::snapshot::{Change, Snapshot};
use crate::stored::{StoredColumn, StoredIndex, StoredKeyColumn, StoredTable, to_json};

/// Changes the catalog for one transaction.
pub struct CatalogWriter<'a> {
    catalog: Arc<Catalog>,
    draft: &'a mut Draft,
    txn: &'a mut Transaction,
    /// Owner of what is made.
    role: Oid,
    /// Relations that it leads to are named without their schema in messages; all are when it is empty.
    search_path: Vec<Oid>,
    /// Whether tables of channels may be changed as others are.
    changes_channels: bool,
}

pub(crate) use alter::comment_row;
pub use column_type::TypeChange;
pub(crate) use database::database_row;
pub use dependency::ObjectId;
pub(crate) use rights::access_list_row;

impl<'a> CatalogWriter<'a> {
    pub fn new(draft: &'a mut Draft, txn: &'a mut Transaction, role: Oid) -> CatalogWriter<'a> {
        CatalogWriter {
            catalog: draft.catalog().clone(),
            draft,
            txn,
            role,
            search_path: Vec::new(),
            changes_channels: false,
        }
    }

    /// With the search path by which messages name relations.
    pub fn on_path(mut self, search_path: &[Oid]) -> CatalogWriter<'a> {
        self.search_path = search_path.to_vec();
        self
    }

    /// The catalog with this transaction's changes so far.
    pub fn snapshot(&mut self) -> Arc<Snapshot> {
        self.draft.snapshot()
    }

    pub fn transaction(&mut self) -> &mut Transaction {
        self.txn
    }

    fn push(&mut self, change: Change) {
        self.draft.push(self.txn, change);
    }

    /// Locks a table in a mode and gives its definition as it is under the lock. Errors: 42501 for a mode that a change of
    /// definition or rows needs, and a table of a channel's messages.
    pub fn lock_table(&mut self, oid: Oid, mode: RelationLock) -> Result<Arc<TableDef>> {
        if mode >= RelationLock::Share
            && !self.changes_channels
            && let Some(table) = self.snapshot().table_by_oid(oid).filter(|table| table.channel.is_some())
        {
            return Err(messages_are_kept(table).into());
        }
        self.txn.lock_relation(oid, mode)?;
        self.snapshot()
            .table_by_oid(oid)
            .cloned()
            .ok_or_else(|| SqlError::new(UNDEFINED_TABLE, format!("could not open relation with OID {oid}")).into())
    }

    /// 42P07 unless the name is free in the schema.
    fn expect_free_name(&mut self, schema: Oid, name: &str) -> Result<()> {
        let snapshot = self.snapshot();
        let made = snapshot.type_named(schema, name);
        if snapshot.relation(schema, name).is_some() || made.is_some_and(|made| made.composite().is_some()) {
            return Err(duplicate_relation(name));
        }
        Ok(())
    }

    /// As [`CatalogWriter::expect_free_name`], for a relation with rows, which are a type of the same name: 42710.
    fn expect_free_row_name(&mut self, schema: Oid, name: &str) -> Result<()> {
        self.expect_free_name(schema, name)?;
        if self.snapshot().type_named(schema, name).is_none() {
            return Ok(());
        }
        let hint = "A relation has an associated type of the same name, so you must use a name that doesn't conflict \
                    with any existing type.";
        Err(SqlError::new(DUPLICATE_OBJECT, format!("type \"{name}\" already exists")).with_hint(hint).into())
    }

    /// Holds a schema in place while something is made in it.
    fn hold_schema(&mut self, schema: Oid) -> Result<()> {
        self.txn.lock_relation(schema, RelationLock::AccessShare)?;
        match self.snapshot().schema_by_oid(schema) {
            Some(_) => Ok(()),
            None => Err(SqlError::new(
                nqdb_sqlstate::INVALID_SCHEMA_NAME,
                format!("schema with OID {schema} does not exist"),
            )
            .into()),
        }
    }

    /// Stores a relation's row; another transaction that took the name first makes it 42P07.
    fn insert_relation(&mut self, row: &ObjectRow) -> Result<()> {
        self.catalog.objects().insert(self.txn, row).map_err(|error| taken(error, duplicate_relation(&row.name)))
    }

    /// Stores a changed table (not its indexes) and adds it to the draft.
    fn put_table(&mut self, mut table: TableDef) -> Result<()> {
        table.version += 1;
        let row = table_row(&table);
        self.catalog.objects().replace(self.txn, &row).map_err(|error| taken(error, duplicate_relation(&row.name)))?;
        self.publish_table(table);
        Ok(())
    }

    /// Adds a table to the draft and tells purge of its newest definition.
    fn publish_table(&mut self, mut table: TableDef) {
        if table.store.followed != table.published.is_some() {
            let followed = table.published.is_some();
            table.store = Arc::new(TableStore { followed, ..TableStore::clone(&table.store) });
        }
        self.txn.define_table(table.store.clone());
        self.push(Change::PutTable(Arc::new(table)));
    }
}

fn duplicate_relation(name: &str) -> TxnError {
    SqlError::new(DUPLICATE_TABLE, format!("relation \"{name}\" already exists")).into()
}

/// Names a violated name index as what it means to the user.
fn taken(error: TxnError, meaning: TxnError) -> TxnError {
    match error {
        TxnError::UniqueViolation { .. } => meaning,
        other => other,
    }
}

fn table_row(table: &TableDef) -> ObjectRow {
    let stored = StoredTable {
        owner: table.owner,
        rows_tree: table.store.rows.id().0,
        overflow_tree: table.store.overflow.id().0,
        columns: table.columns.iter().map(StoredColumn::of).collect(),
        checks: table.checks.clone(),
        foreign_keys: table.foreign_keys.iter().map(|key| ForeignKeyDef::clone(key)).collect(),
        on_commit: table.on_commit,
        materialized: table.materialized.as_deref().cloned(),
        settings: table.settings.clone(),
        published: table.published.as_deref().cloned(),
        channel: table.channel.as_deref().cloned(),
        version: table.version,
    };
    ObjectRow {
        space: Space::Relation,
        oid: table.oid,
        parent: table.schema,
        name: table.name.clone(),
        kind: Kind::Table,
        definition: to_json(&stored),
    }
}

fn index_row(table: &TableDef, index: &IndexDef) -> ObjectRow {
    let stored = StoredIndex {
        table: table.oid,
        tree: table.store.indexes[index.position].tree.id().0,
        unique: index.unique,
        primary: index.primary,
        constraint: index.constraint,
        deferral: index.deferral,
        nulls_not_distinct: index.nulls_not_distinct,
        key: index.key.iter().zip(&index.options).map(|(key, options)| StoredKeyColumn::of(key, options)).collect(),
        included: index.included.clone(),
        computation: index.computation.as_deref().cloned(),
        settings: index.settings.clone(),
    };
    ObjectRow {
        space: Space::Relation,
        oid: index.oid,
        parent: table.schema,
        name: index.name.clone(),
        kind: Kind::Index,
        definition: to_json(&stored),
    }
}
