//! CREATE and ALTER VIEW, and the state of materialized views.

use std::sync::Arc;

use nqdb_sqlstate::{DUPLICATE_COLUMN, INVALID_TABLE_DEFINITION, SqlError, UNDEFINED_TABLE};
use nqdb_txn::{RelationLock, Result};
use nqdb_types::{Oid, Type};

use super::{CatalogWriter, duplicate_relation, taken};
use crate::definition::TableDef;
use crate::objects::{Kind, ObjectRow, Space};
use crate::request::NewView;
use crate::rights::SecuredKind;
use crate::snapshot::Change;
use crate::stored::to_json;
use crate::view::ViewDef;

impl CatalogWriter<'_> {
    /// Makes a view. Errors: 42P07 when the name is taken.
    pub fn create_view(&mut self, new: NewView) -> Result<Oid> {
        self.hold_schema(new.schema)?;
        self.expect_free_row_name(new.schema, &new.name)?;
        let NewView { schema, name, columns, query, options } = new;
        let oid = self.catalog.next_oid(self.txn)?;
        self.txn.lock_relation(oid, RelationLock::AccessExclusive)?;
        let view = ViewDef { oid, schema, name, owner: self.role, columns, query, options };
        self.insert_relation(&view_row(&view))?;
        self.push(Change::PutView(Arc::new(view)));
        self.apply_default_access(SecuredKind::Table, oid, schema)?;
        Ok(oid)
    }

    /// CREATE OR REPLACE VIEW over a view that is there: its columns stay, new ones may follow.
    ///
    /// Errors: 42P16 when columns would go, or change their names or types.
    pub fn replace_view(&mut self, oid: Oid, new: NewView) -> Result<()> {
        let view = self.lock_view(oid)?;
        expect_same_columns(&view, &new)?;
        let NewView { schema: _, name: _, mut columns, query, options } = new;
        for (column, known) in columns.iter_mut().zip(&view.columns) {
            column.default.clone_from(&known.default);
        }
        self.put_view(ViewDef { columns, query, options, ..view })
    }

    /// Gives a view another name.
    pub fn rename_view(&mut self, oid: Oid, name: &str) -> Result<()> {
        let view = self.lock_view(oid)?;
        self.expect_free_row_name(view.schema, name)?;
        self.put_view(ViewDef { name: name.to_owned(), ..view })
    }

    /// Gives a view's column another name. Errors: 42701 when the name is used.
    pub fn rename_view_column(&mut self, oid: Oid, position: usize, name: &str) -> Result<()> {
        let mut view = self.lock_view(oid)?;
        if view.columns.iter().any(|column| column.name == name) {
            let message = format!("column \"{name}\" of relation \"{}\" already exists", view.name);
            return Err(SqlError::new(DUPLICATE_COLUMN, message).into());
        }
        if let Some(column) = view.columns.get_mut(position) {
            column.name = name.to_owned();
        }
        self.put_view(view)
    }

    /// Sets or drops what an INSERT through the view gives a column.
    pub fn set_view_default(&mut self, oid: Oid, position: usize, default: Option<String>) -> Result<()> {
        let mut view = self.lock_view(oid)?;
        if let Some(column) = view.columns.get_mut(position) {
            column.default = default;
        }
        self.put_view(view)
    }

    /// Changes a view's options.
    pub fn set_view_options(&mut self, oid: Oid, options: Vec<(String, String)>) -> Result<()> {
        let view = self.lock_view(oid)?;
        self.put_view(ViewDef { options, ..view })
    }

    /// Locks a view and gives its definition as it is under the lock.
    pub fn lock_view(&mut self, oid: Oid) -> Result<ViewDef> {
        self.txn.lock_relation(oid, RelationLock::AccessExclusive)?;
        match self.snapshot().view_by_oid(oid) {
            Some(view) => Ok(ViewDef::clone(view)),
            None => Err(SqlError::new(UNDEFINED_TABLE, format!("could not open relation with OID {oid}")).into()),
        }
    }

    pub(super) fn put_view(&mut self, view: ViewDef) -> Result<()> {
        let row = view_row(&view);
        self.catalog.objects().replace(self.txn, &row).map_err(|error| taken(error, duplicate_relation(&row.name)))?;
        self.push(Change::PutView(Arc::new(view)));
        Ok(())
    }

    /// Removes a view's row; what depends on it was seen by the caller.
    pub(super) fn remove_view(&mut self, oid: Oid) -> Result<()> {
        self.lock_view(oid)?;
        self.forget_object(oid)?;
        self.catalog.objects().remove(self.txn, Space::Relation, oid)?;
        self.push(Change::DropView(oid));
        Ok(())
    }

    /// Says whether a materialized view has rows to read.
    pub fn set_populated(&mut self, table: Oid, populated: bool) -> Result<()> {
        let table = self.lock_table(table, RelationLock::AccessExclusive)?;
        let mut successor = TableDef::clone(&table);
        if let Some(materialized) = &mut successor.materialized {
            Arc::make_mut(materialized).populated = populated;
        }
        self.put_table(successor)
    }
}

fn expect_same_columns(old: &ViewDef, new: &NewView) -> Result<()> {
    let refuse = |message: String| Err(SqlError::new(INVALID_TABLE_DEFINITION, message).into());
    if new.columns.len() < old.columns.len() {
        return refuse("cannot drop columns from view".to_owned());
    }
    for (before, after) in old.columns.iter().zip(&new.columns) {
        if before.name != after.name {
            let message = format!("cannot change name of view column \"{}\" to \"{}\"", before.name, after.name);
            let hint = "Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead.";
            return Err(SqlError::new(INVALID_TABLE_DEFINITION, message).with_hint(hint).into());
        }
        if before.ty() != after.ty() {
            let spelled = |ty: Type| ty.name();
            let (from, to) = (spelled(before.ty()), spelled(after.ty()));
            return refuse(format!("cannot change data type of view column \"{}\" from {from} to {to}", before.name));
        }
    }
    Ok(())
}

fn view_row(view: &ViewDef) -> ObjectRow {
    ObjectRow {
        space: Space::Relation,
        oid: view.oid,
        parent: view.schema,
        name: view.name.clone(),
        kind: Kind::View,
        definition: to_json(view),
    }
}
