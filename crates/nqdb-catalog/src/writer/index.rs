//! Indexes and the constraints that are made of them: CREATE INDEX, DROP INDEX, PRIMARY KEY, UNIQUE.

use std::sync::Arc;

use nqdb_sqlstate::{
    DEPENDENT_OBJECTS_STILL_EXIST, INVALID_TABLE_DEFINITION, SqlError, TOO_MANY_COLUMNS, UNDEFINED_COLUMN,
    UNIQUE_VIOLATION,
};
use nqdb_txn::{IndexStore, Newest, RelationLock, Result, RowImage, TableStore, Transaction, TxnError};
use nqdb_types::key::{COMPUTED_FROM, KeyColumn};
use nqdb_types::{Datum, FormatContext, Oid, write_text};

use super::{CatalogWriter, duplicate_relation, index_row};
use crate::definition::{IndexDef, TableDef};
use crate::foreign_key::Deferral;
use crate::names::{NAME_BYTES_MAX, choose_name, clip};
use crate::objects::Space;
use crate::request::{NewIndex, NewKey, NewKeyColumn, NewKeyPart};
use crate::settings::IndexSettings;
use crate::user_type::TypesView;

/// PostgreSQL's INDEX_MAX_KEYS.
const KEY_COLUMNS_MAX: usize = 32;

/// What an index is made for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Purpose {
    pub unique: bool,
    pub primary: bool,
    pub constraint: bool,
    pub deferral: Deferral,
}

impl CatalogWriter<'_> {
    /// Makes an index and fills it from the table, whose writers are kept out meanwhile. Returns its number.
    ///
    /// Errors: 42P07 when the name is taken, 23505 when `unique` and the rows have duplicates.
    pub fn create_index(&mut self, new: &NewIndex) -> Result<Oid> {
        let table = self.lock_table(new.table, RelationLock::Share)?;
        let mut new = NewIndex::clone(new);
        let names = name_columns(&mut new);
        let name = match &new.name {
            Some(name) => {
                self.expect_free_name(table.schema, name)?;
                name.clone()
            }
            None => self.index_name(&table, &names, "idx"),
        };
        let purpose =
            Purpose { unique: new.unique, primary: false, constraint: false, deferral: Deferral::NotDeferrable };
        self.add_index(&table, name, purpose, &new)
    }

    /// Adds a PRIMARY KEY or UNIQUE constraint to a table that is locked already.
    pub(super) fn add_key(&mut self, table: &Arc<TableDef>, new: &NewKey) -> Result<Oid> {
        let primary = new.primary;
        if primary && table.primary_key().is_some() {
            return Err(SqlError::new(
                INVALID_TABLE_DEFINITION,
                format!("multiple primary keys for table \"{}\" are not allowed", table.name),
            )
            .into());
        }
        let name = match &new.name {
            Some(name) => {
                self.expect_free_name(table.schema, name)?;
                name.clone()
            }
            None if primary => {
                let snapshot = self.snapshot();
                choose_name(&table.name, None, "pkey", |name| snapshot.relation(table.schema, name).is_some())
            }
            None => {
                let columns: Vec<String> = new.columns.iter().chain(&new.included).cloned().collect();
                self.index_name(table, &columns, "key")
            }
        };
        let key = new.columns.iter().map(|column| NewKeyColumn::column(column)).collect();
        let purpose = Purpose { unique: true, primary, constraint: true, deferral: new.deferral };
        let new = NewIndex {
            included: new.included.clone(),
            nulls_not_distinct: new.nulls_not_distinct,
            parameters: new.parameters.clone(),
            ..NewIndex::over_columns(table.oid, None, true, key)
        };
        self.add_index(table, name, purpose, &new)
    }

    fn add_index(&mut self, table: &Arc<TableDef>, name: String, purpose: Purpose, new: &NewIndex) -> Result<Oid> {
        self.hold_schema(table.schema)?;
        let key = resolve_key(table, new)?;
        let included: Result<Vec<usize>> = new.included.iter().map(|name| resolve_column(table, name)).collect();
        let tree = self.catalog.system().create_tree(self.txn)?;
        let position = table.store.indexes.len();
        let index = IndexDef {
            oid: self.catalog.next_oid(self.txn)?,
            name,
            unique: purpose.unique,
            primary: purpose.primary,
            constraint: purpose.constraint,
            deferral: purpose.deferral,
            nulls_not_distinct: new.nulls_not_distinct,
            key: key.clone(),
            options: new.key.iter().map(|key| key.options).collect(),
            included: included?,
            computation: new.computation.clone().map(Arc::new),
            settings: IndexSettings { parameters: new.parameters.clone(), ..IndexSettings::default() },
            position,
        };
        let oid = index.oid;
        let snapshot = self.snapshot();
        let computation = match &index.computation {
            Some(_) => Some(self.catalog.binder().bind(table, &index, &snapshot)?),
            None => None,
        };
        let mut store = TableStore::clone(&table.store);
        store.indexes.push(Arc::new(IndexStore {
            nulls_not_distinct: index.nulls_not_distinct,
            computation,
            deferrable: purpose.deferral.is_deferrable(),
            ..IndexStore::over_columns(oid, tree, purpose.unique, key)
        }));
        let store = Arc::new(store);
        self.txn.define_table(store.clone());
        self.build_index(&Building { table, store: &store, index: &index })?;
        let mut successor = TableDef::clone(table);
        successor.store = store;
        let row_name = index.name.clone();
        successor.indexes.push(Arc::new(index));
        let row = index_row(&successor, &successor.indexes[position]);
        self.insert_relation(&row).map_err(|error| super::taken(error, duplicate_relation(&row_name)))?;
        self.put_table(successor)?;
        Ok(oid)
    }

    /// Builds an index anew from the rows of its table: its tree is replaced by a new one.
    ///
    /// Errors: 23505 when it is unique and the rows have duplicates.
    pub fn rebuild_index(&mut self, table: Oid, index: Oid) -> Result<()> {
        let table = self.lock_table(table, RelationLock::AccessExclusive)?;
        let Some(definition) = table.indexes.iter().find(|candidate| candidate.oid == index) else { return Ok(()) };
        let position = definition.position;
        let tree = self.catalog.system().create_tree(self.txn)?;
        let mut store = TableStore::clone(&table.store);
        let old =
            std::mem::replace(&mut store.indexes[position], Arc::new(table.store.indexes[position].over_tree(tree)));
        let store = Arc::new(store);
        self.txn.define_table(store.clone());
        self.build_index(&Building { table: &table, store: &store, index: definition })?;
        let successor = TableDef { store, ..TableDef::clone(&table) };
        self.catalog.objects().replace(self.txn, &index_row(&successor, definition))?;
        self.catalog.system().drop_tree(self.txn, old.tree.id())?;
        self.put_table(successor)
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

    fn index_name(&mut self, table: &TableDef, columns: &[String], label: &str) -> String {
        let snapshot = self.snapshot();
        choose_name(&table.name, Some(&columns.join("_")), label, |name| {
            snapshot.relation(table.schema, name).is_some()
        })
    }
}

/// The names of an index's columns, no two alike (PostgreSQL's `ChooseIndexColumnNames`); expressions take theirs.
fn name_columns(new: &mut NewIndex) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(new.key.len() + new.included.len());
    let mut choose = |wanted: &str| {
        let mut name = wanted.to_owned();
        let mut number = 0;
        while names.contains(&name) {
            number += 1;
            let suffix = number.to_string();
            name = format!("{}{suffix}", clip(wanted, NAME_BYTES_MAX - suffix.len()));
        }
        names.push(name.clone());
        name
    };
    for key in &new.key {
        match &key.part {
            NewKeyPart::Column(column) => {
                choose(column);
            }
            NewKeyPart::Expression(number) => {
                let expressions = new.computation.as_mut().map(|computation| &mut computation.expressions);
                if let Some(expression) = expressions.and_then(|expressions| expressions.get_mut(*number)) {
                    expression.name = choose(&expression.name);
                }
            }
        }
    }
    for column in &new.included {
        choose(column);
    }
    names
}

fn resolve_column(table: &TableDef, name: &str) -> Result<usize> {
    let missing = || SqlError::new(UNDEFINED_COLUMN, format!("column \"{name}\" does not exist"));
    table.column_named(name).ok_or_else(|| missing().into())
}

fn resolve_key(table: &TableDef, new: &NewIndex) -> Result<Vec<KeyColumn>> {
    if new.key.len() + new.included.len() > KEY_COLUMNS_MAX {
        return Err(SqlError::new(
            TOO_MANY_COLUMNS,
            format!("cannot use more than {KEY_COLUMNS_MAX} columns in an index"),
        )
        .into());
    }
    let resolve = |wanted: &NewKeyColumn| {
        let (column, ty) = match &wanted.part {
            NewKeyPart::Column(name) => {
                let column = resolve_column(table, name)?;
                (column, table.columns[column].ty)
            }
            NewKeyPart::Expression(number) => {
                let expressions = new.computation.as_ref().map(|computation| &computation.expressions);
                let expression = expressions.and_then(|expressions| expressions.get(*number));
                let lost = || SqlError::internal("an index key names an expression that is not there");
                (COMPUTED_FROM + number, expression.ok_or_else(lost)?.ty())
            }
        };
        Ok(KeyColumn { column, ty, descending: wanted.descending, nulls_first: wanted.nulls_first })
    };
    new.key.iter().map(resolve).collect()
}

/// An index that is about to be filled.
pub(super) struct Building<'a> {
    pub table: &'a Arc<TableDef>,
    pub store: &'a TableStore,
    pub index: &'a IndexDef,
}

impl CatalogWriter<'_> {
    /// Enters the rows of a store into one of its indexes, which is empty.
    pub(super) fn build_index(&mut self, building: &Building<'_>) -> Result<()> {
        let Building { table, store, index } = *building;
        let Err(error) = store.build_index(self.txn, index.position) else { return Ok(()) };
        let snapshot = self.snapshot();
        let names = self.catalog.binder().key_names(table, index, &snapshot);
        let format = self.label_format();
        Err(duplicate_rows(error, (table, store), (index, names), &format, self.txn))
    }

    /// What messages spell keys with.
    fn label_format(&mut self) -> FormatContext {
        let types = TypesView::new(self.snapshot(), self.search_path.clone().into(), str::to_owned);
        FormatContext::of_types(Arc::new(types))
    }
}

/// 23505 in the words of an index build, with the key of the row that was met second.
fn duplicate_rows(
    error: TxnError,
    (table, store): (&TableDef, &TableStore),
    (index, names): (&IndexDef, Vec<String>),
    format: &FormatContext,
    txn: &Transaction,
) -> TxnError {
    let TxnError::UniqueViolation { row_id, .. } = error else { return error };
    let texts = |image: RowImage<'_>, _| {
        let values = store.key_values(index.position, &image.datums()?)?.unwrap_or_default();
        let text = |(value, key): (&Datum, &KeyColumn)| {
            if value.is_null() {
                return "null".to_owned();
            }
            let mut text = Vec::new();
            write_text(&mut text, value, key.ty, format);
            String::from_utf8_lossy(&text).into_owned()
        };
        Ok::<_, TxnError>(values.iter().zip(&index.key).map(text).collect::<Vec<String>>())
    };
    let error = SqlError::new(UNIQUE_VIOLATION, format!("could not create unique index \"{}\"", index.name))
        .with_table(&table.schema_name, &table.name)
        .with_constraint(index.name.clone());
    match store.read_newest(txn, row_id, texts) {
        Ok(Newest::Row(Ok(values))) => {
            let detail = format!("Key ({})=({}) is duplicated.", names.join(", "), values.join(", "));
            error.with_detail(detail).into()
        }
        _ => error.into(),
    }
}
