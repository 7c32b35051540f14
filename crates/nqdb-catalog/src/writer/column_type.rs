//! Other types for columns, and tables written anew.
//!
//! ```text
//! retyped(..)        the table as it is to be, over a new store without indexes     nobody knows of it yet
//!                    the caller fills the store from the old one
//! put_rewritten(..)  its indexes are built, the old trees go, the catalog learns of it
//! ```
//!
//! 1. A table whose rows keep their bytes keeps its trees; its indexes are built anew where a part of their key has
//!    another type.
//! 2. Rows of the new store are all of one transaction: snapshots from before it find the table empty, as after
//!    PostgreSQL's rewrites (manual, 13.6).

use std::sync::Arc;

use nqdb_txn::{IndexStore, RelationLock, Result, RowChange, TableStore};
use nqdb_types::{Datum, Oid, Type};

use super::index::Building;
use super::{CatalogWriter, index_row};
use crate::definition::{IndexComputation, IndexDef, TableDef};

/// Another type for a column.
#[derive(Clone, Debug)]
pub struct TypeChange {
    pub position: usize,
    pub ty: Type,
    /// SQL text of the default under the new type.
    pub default: Option<String>,
}

impl CatalogWriter<'_> {
    /// A table with other types, which the catalog does not know yet. With `rewrite` its store is new and empty; without,
    /// it is the old one under the new types. `computations` are the expressions of indexes as they bind over the new types.
    pub fn retyped(
        &mut self,
        table: &Arc<TableDef>,
        changes: &[TypeChange],
        computations: &[(Oid, IndexComputation)],
        rewrite: bool,
    ) -> Result<TableDef> {
        self.expect_rows_unused(table)?;
        let mut successor = TableDef::clone(table);
        for change in changes {
            self.hold_type(change.ty.declared_oid())?;
            self.hold_type(change.ty.oid)?;
            if let Some(column) = successor.columns.get_mut(change.position) {
                column.ty = change.ty;
                column.default.clone_from(&change.default);
                column.settings.compression = None;
                column.settings.storage = None;
            }
        }
        if rewrite {
            for column in &mut successor.columns {
                column.missing = None;
            }
        }
        for index in &mut successor.indexes {
            let computation = computations.iter().find(|(oid, _)| *oid == index.oid).map(|(_, found)| found);
            *index = Arc::new(over_types(index, &successor.columns, computation));
        }
        let store = if rewrite {
            self.new_store(table.oid, &successor.columns)?
        } else {
            TableStore {
                columns: successor.columns.iter().map(|column| column.ty).collect(),
                missing: successor.columns.iter().map(|c| c.missing.clone().unwrap_or(Datum::Null)).collect(),
                ..TableStore::clone(&table.store)
            }
        };
        successor.store = Arc::new(store);
        if rewrite {
            // The changes that fill it are known to purge by its definition.
            self.txn.define_table(successor.store.clone());
        }
        Ok(successor)
    }

    /// Gives a table another definition and store; indexes that do not fit the rows any more are built anew.
    ///
    /// Errors: 23505 when rows that differed are equal under the new types.
    pub fn put_rewritten(&mut self, old: &Arc<TableDef>, new: TableDef) -> Result<()> {
        let table = self.lock_table(new.oid, RelationLock::AccessExclusive)?;
        let is_rewritten = table.store.rows.id() != new.store.rows.id();
        let snapshot = self.snapshot();
        let definition = Arc::new(new.clone());
        let mut store = TableStore::clone(&new.store);
        let mut built = Vec::new();
        store.indexes.clear();
        for (position, index) in new.indexes.iter().enumerate() {
            let Some(before) = old.store.indexes.get(position) else { continue };
            let is_same = old.indexes.get(position).is_some_and(|known| has_same_bytes(known, index));
            if !is_rewritten && is_same {
                store.indexes.push(before.clone());
                continue;
            }
            let computation = match &index.computation {
                Some(_) => Some(self.catalog.binder().bind(&definition, index, &snapshot)?),
                None => None,
            };
            let tree = self.catalog.system().create_tree(self.txn)?;
            store.indexes.push(Arc::new(IndexStore {
                nulls_not_distinct: index.nulls_not_distinct,
                computation,
                deferrable: index.deferral.is_deferrable(),
                ..IndexStore::over_columns(index.oid, tree, index.unique, index.key.clone())
            }));
            built.push((position, before.tree.id()));
        }
        let store = Arc::new(store);
        let successor = TableDef { store: store.clone(), ..new };
        let definition = Arc::new(successor.clone());
        self.txn.define_table(store.clone());
        for (position, _) in &built {
            self.build_index(&Building { table: &definition, store: &store, index: &successor.indexes[*position] })?;
        }
        for index in &successor.indexes {
            self.catalog.objects().replace(self.txn, &index_row(&successor, index))?;
        }
        if is_rewritten && table.published.is_some() {
            self.txn.note_change_of(table.oid, RowChange::Lost);
        }
        if is_rewritten {
            self.drop_trees(&table.store)?;
        } else {
            built.into_iter().try_for_each(|(_, tree)| self.catalog.system().drop_tree(self.txn, tree))?;
        }
        self.put_table(successor)
    }
}

/// An index over the columns' types as they are now.
fn over_types(
    index: &IndexDef,
    columns: &[crate::definition::ColumnDef],
    computation: Option<&IndexComputation>,
) -> IndexDef {
    let mut changed = IndexDef::clone(index);
    if let Some(computation) = computation {
        changed.computation = Some(Arc::new(computation.clone()));
    }
    for key in &mut changed.key {
        let ty = match key.computed() {
            None => columns.get(key.column).map(|column| column.ty),
            Some(number) => {
                let expressions = changed.computation.as_ref().map(|computation| &computation.expressions);
                expressions.and_then(|expressions| expressions.get(number)).map(|expression| expression.ty())
            }
        };
        if let Some(ty) = ty {
            if ty.oid != key.ty.oid
                && let Some(at) = index.key.iter().position(|known| known.column == key.column)
                && let Some(options) = changed.options.get_mut(at)
            {
                // An operator class is one of a type.
                options.class = None;
            }
            key.ty = ty;
        }
    }
    changed
}

/// Whether entries of one index are those of the other.
fn has_same_bytes(left: &IndexDef, right: &IndexDef) -> bool {
    let types = |index: &IndexDef| index.key.iter().map(|key| key.ty.oid).collect::<Vec<Oid>>();
    types(left) == types(right) && left.computation == right.computation
}
