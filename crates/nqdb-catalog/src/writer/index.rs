//! Indexes and the constraints that are made of them: CREATE INDEX, DROP INDEX, PRIMARY KEY, UNIQUE.

use std::sync::Arc;

use nqdb_sqlstate::{
    DEPENDENT_OBJECTS_STILL_EXIST, INVALID_TABLE_DEFINITION, SqlError, TOO_MANY_COLUMNS, UNDEFINED_COLUMN,
    UNIQUE_VIOLATION,
};
use nqdb_txn::{IndexStore, Newest, RelationLock, Result, RowImage, TableStore, Transaction, TxnError, UsableFrom};
use nqdb_types::key::KeyColumn;
use nqdb_types::{FormatContext, Oid, write_text};

use super::{CatalogWriter, duplicate_relation, index_row};
use crate::definition::{IndexDef, TableDef};
use crate::names::choose_name;
use crate::objects::Space;
use crate::request::{NewIndex, NewKeyColumn};
use crate::user_type::TypesView;

/// PostgreSQL's INDEX_MAX_KEYS.
const KEY_COLUMNS_MAX: usize = 32;

/// What an index is made for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Purpose {
    pub unique: bool,
    pub primary: bool,
    pub constraint: bool,
}

impl CatalogWriter<'_> {
    /// Makes an index and fills it from the table, whose writers are kept out meanwhile. Returns its number.
    ///
    /// Errors: 42P07 when the name is taken, 23505 when `unique` and the rows have duplicates.
    pub fn create_index(&mut self, new: &NewIndex) -> Result<Oid> {
        let table = self.lock_table(new.table, RelationLock::Share)?;
        let name = match &new.name {
            Some(name) => {
                self.expect_free_name(table.schema, name)?;
                name.clone()
            }
            None => self.index_name(&table, &new.key, "idx"),
        };
        let purpose = Purpose { unique: new.unique, primary: false, constraint: false };
        self.add_index(&table, name, purpose, &new.key)
    }

    /// Adds a PRIMARY KEY or UNIQUE constraint to a table that is locked already.
    pub(super) fn add_key(
        &mut self,
        table: &Arc<TableDef>,
        name: Option<&str>,
        primary: bool,
        columns: &[String],
    ) -> Result<Oid> {
        if primary && table.primary_key().is_some() {
            return Err(SqlError::new(
                INVALID_TABLE_DEFINITION,
                format!("multiple primary keys for table \"{}\" are not allowed", table.name),
            )
            .into());
        }
        let key: Vec<NewKeyColumn> = columns
            .iter()
            .map(|column| NewKeyColumn { column: column.clone(), descending: false, nulls_first: false })
            .collect();
        let name = match name {
            Some(name) => {
                self.expect_free_name(table.schema, name)?;
                name.to_owned()
            }
            None if primary => {
                let snapshot = self.snapshot();
                choose_name(&table.name, None, "pkey", |name| snapshot.relation(table.schema, name).is_some())
            }
            None => self.index_name(table, &key, "key"),
        };
        self.add_index(table, name, Purpose { unique: true, primary, constraint: true }, &key)
    }

    fn add_index(
        &mut self,
        table: &Arc<TableDef>,
        name: String,
        purpose: Purpose,
        columns: &[NewKeyColumn],
    ) -> Result<Oid> {
        self.hold_schema(table.schema)?;
        let key = resolve_key(table, columns)?;
        let tree = self.catalog.system().create_tree(self.txn)?;
        let position = table.store.indexes.len();
        let index = IndexDef {
            oid: self.catalog.next_oid(self.txn)?,
            name,
            unique: purpose.unique,
            primary: purpose.primary,
            constraint: purpose.constraint,
            key: key.clone(),
            position,
        };
        let oid = index.oid;
        let mut store = TableStore::clone(&table.store);
        store.indexes.push(Arc::new(IndexStore {
            id: oid,
            tree,
            unique: purpose.unique,
            key,
            usable_from: UsableFrom::default(),
        }));
        let store = Arc::new(store);
        self.txn.define_table(store.clone());
        if let Err(error) = store.build_index(self.txn, position) {
            let types = TypesView::new(self.snapshot(), self.search_path.clone().into(), str::to_owned);
            let format = FormatContext::of_types(Arc::new(types));
            return Err(duplicate_rows(error, table, &index, &format, self.txn));
        }
        let mut successor = TableDef::clone(table);
        successor.store = store;
        let row_name = index.name.clone();
        successor.indexes.push(Arc::new(index));
        let row = index_row(&successor, &successor.indexes[position]);
        self.insert_relation(&row).map_err(|error| super::taken(error, duplicate_relation(&row_name)))?;
        self.put_table(successor)?;
        Ok(oid)
    }

    /// Drops an index that no constraint needs; its table is locked.
    pub fn drop_index(&mut self, table: Oid, index: Oid) -> Result<()> {
        self.expect_no_constraint(table, index)?;
        let table = self.lock_table(table, RelationLock::AccessExclusive)?;
        self.remove_index(&table, index)
    }

    /// 2BP01 for the index of a constraint: it goes with the constraint only.
    pub fn expect_no_constraint(&mut self, table: Oid, index: Oid) -> Result<()> {
        let table = self.lock_table(table, RelationLock::AccessExclusive)?;
        let Some(definition) = table.indexes.iter().find(|candidate| candidate.oid == index) else { return Ok(()) };
        if definition.constraint {
            return Err(SqlError::new(
                DEPENDENT_OBJECTS_STILL_EXIST,
                format!(
                    "cannot drop index {} because constraint {} on table {} requires it",
                    definition.name, definition.name, table.name
                ),
            )
            .with_hint(format!("You can drop constraint {} on table {} instead.", definition.name, table.name))
            .into());
        }
        Ok(())
    }

    /// Takes an index away from a table that is locked in AccessExclusive mode.
    pub(super) fn remove_index(&mut self, table: &Arc<TableDef>, index: Oid) -> Result<()> {
        let mut successor = TableDef::clone(table);
        let mut store = TableStore::clone(&table.store);
        let Some(at) = table.indexes.iter().position(|candidate| candidate.oid == index) else { return Ok(()) };
        let removed = store.indexes.remove(at);
        successor.indexes.remove(at);
        for (position, kept) in successor.indexes.iter_mut().enumerate() {
            if kept.position != position {
                *kept = Arc::new(IndexDef { position, ..IndexDef::clone(kept) });
            }
        }
        successor.store = Arc::new(store);
        self.forget_object(index)?;
        self.catalog.objects().remove(self.txn, Space::Relation, index)?;
        self.catalog.system().drop_tree(self.txn, removed.tree.id())?;
        self.put_table(successor)
    }

    /// Gives an index (and the constraint that it stands for) another name.
    pub fn rename_index(&mut self, table: Oid, index: Oid, name: &str) -> Result<()> {
        let table = self.lock_table(table, RelationLock::ShareUpdateExclusive)?;
        self.expect_free_name(table.schema, name)?;
        let mut successor = TableDef::clone(&table);
        let Some(at) = table.indexes.iter().position(|candidate| candidate.oid == index) else { return Ok(()) };
        successor.indexes[at] = Arc::new(IndexDef { name: name.to_owned(), ..IndexDef::clone(&table.indexes[at]) });
        let row = index_row(&successor, &successor.indexes[at]);
        self.catalog
            .objects()
            .replace(self.txn, &row)
            .map_err(|error| super::taken(error, duplicate_relation(name)))?;
        self.put_table(successor)
    }

    fn index_name(&mut self, table: &TableDef, key: &[NewKeyColumn], label: &str) -> String {
        let snapshot = self.snapshot();
        let columns: Vec<&str> = key.iter().map(|column| column.column.as_str()).collect();
        choose_name(&table.name, Some(&columns.join("_")), label, |name| {
            snapshot.relation(table.schema, name).is_some()
        })
    }
}

fn resolve_key(table: &TableDef, columns: &[NewKeyColumn]) -> Result<Vec<KeyColumn>> {
    if columns.len() > KEY_COLUMNS_MAX {
        return Err(SqlError::new(
            TOO_MANY_COLUMNS,
            format!("cannot use more than {KEY_COLUMNS_MAX} columns in an index"),
        )
        .into());
    }
    columns
        .iter()
        .map(|wanted| match table.column_named(&wanted.column) {
            Some(column) => Ok(KeyColumn {
                column,
                ty: table.columns[column].ty,
                descending: wanted.descending,
                nulls_first: wanted.nulls_first,
            }),
            None => Err(SqlError::new(UNDEFINED_COLUMN, format!("column \"{}\" does not exist", wanted.column)).into()),
        })
        .collect()
}

/// 23505 in the words of an index build, with the key of the row that was met second.
fn duplicate_rows(
    error: TxnError,
    table: &TableDef,
    index: &IndexDef,
    format: &FormatContext,
    txn: &Transaction,
) -> TxnError {
    let TxnError::UniqueViolation { row_id, .. } = error else { return error };
    let texts = |image: RowImage<'_>, _| {
        let text = |key: &KeyColumn| {
            let value = image.datum(key.column)?;
            let mut text = Vec::new();
            write_text(&mut text, &value, table.columns[key.column].ty, format);
            Ok(String::from_utf8_lossy(&text).into_owned())
        };
        index.key.iter().map(text).collect::<Result<Vec<String>>>()
    };
    let error = SqlError::new(UNIQUE_VIOLATION, format!("could not create unique index \"{}\"", index.name))
        .with_table(&table.schema_name, &table.name)
        .with_constraint(index.name.clone());
    match table.store.read_newest(txn, row_id, texts) {
        Ok(Newest::Row(Ok(values))) => {
            let names: Vec<&str> = index.key.iter().map(|key| table.columns[key.column].name.as_str()).collect();
            let detail = format!("Key ({})=({}) is duplicated.", names.join(", "), values.join(", "));
            error.with_detail(detail).into()
        }
        _ => error.into(),
    }
}
