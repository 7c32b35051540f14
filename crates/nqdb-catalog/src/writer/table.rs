//! CREATE, DROP and TRUNCATE TABLE, RENAME TO, table constraints and statistics.

use std::sync::Arc;

use nqdb_sqlstate::{DUPLICATE_COLUMN, DUPLICATE_OBJECT, SqlError, TOO_MANY_COLUMNS, UNDEFINED_OBJECT};
use nqdb_txn::{RelationLock, Result, RowChange, TableCounters, TableStore};
use nqdb_types::{Datum, Oid};

use super::sequence::nextval_call;
use super::{CatalogWriter, table_row};
use crate::definition::{CheckDef, ColumnDef, Identity, OwnedBy, TableDef, TableStatistics};
use crate::names::choose_name;
use crate::objects::{Kind, ObjectRow, Space};
use crate::request::{ColumnSequenceKind, NewCheck, NewColumn, NewConstraint, NewKey, NewTable};
use crate::rights::SecuredKind;
use crate::snapshot::{Change, Snapshot};
use crate::stored::{attribute_number, to_json};

/// PostgreSQL's MaxHeapAttributeNumber.
pub(super) const COLUMNS_MAX: usize = 1600;

impl CatalogWriter<'_> {
    /// Makes a table with its sequences, indexes and constraints. Returns its number.
    ///
    /// Errors: 42P07 when the name is taken, 42701 for a column name that is used twice, 54011 for too many columns.
    pub fn create_table(&mut self, new: &NewTable) -> Result<Oid> {
        self.hold_schema(new.schema)?;
        self.expect_free_row_name(new.schema, &new.name)?;
        expect_distinct_columns(&new.columns)?;
        let snapshot = self.snapshot();
        let schema_name = snapshot.schema_by_oid(new.schema).map(|schema| schema.name.clone()).unwrap_or_default();
        let oid = self.catalog.next_oid(self.txn)?;
        self.txn.lock_relation(oid, RelationLock::AccessExclusive)?;
        let mut columns = Vec::with_capacity(new.columns.len());
        for (position, column) in new.columns.iter().enumerate() {
            columns.push(self.make_column(new.schema, (oid, &new.name), position, column)?);
        }
        let store = self.new_store(oid, &columns)?;
        let table = TableDef {
            oid,
            schema: new.schema,
            schema_name,
            name: new.name.clone(),
            owner: self.role,
            columns,
            indexes: Vec::new(),
            checks: Vec::new(),
            foreign_keys: Vec::new(),
            referenced_by: Vec::new(),
            on_commit: new.on_commit,
            materialized: new.materialized.clone().map(Arc::new),
            settings: new.settings.clone(),
            published: None,
            channel: None,
            store: Arc::new(store),
            version: 1,
            statistics: None,
        };
        self.insert_relation(&table_row(&table))?;
        self.publish_table(table);
        self.apply_default_access(SecuredKind::Table, oid, new.schema)?;
        self.add_constraints(oid, &new.constraints)?;
        Ok(oid)
    }

    /// Adds constraints to a table that is locked: the primary key first, then in the given order.
    pub fn add_constraints(&mut self, table: Oid, constraints: &[NewConstraint]) -> Result<()> {
        let is_primary =
            |constraint: &&NewConstraint| matches!(constraint, NewConstraint::Key(NewKey { primary: true, .. }));
        let ordered = constraints.iter().filter(is_primary).chain(constraints.iter().filter(|c| !is_primary(c)));
        for constraint in ordered {
            let definition = self.lock_table(table, RelationLock::AccessExclusive)?;
            match constraint {
                NewConstraint::Key(key) => {
                    if let Some(name) = &key.name {
                        expect_new_constraint(&definition, name)?;
                    }
                    if key.primary {
                        self.set_all_not_null(&definition, &key.columns)?;
                    }
                    let definition = self.lock_table(table, RelationLock::AccessExclusive)?;
                    self.add_key(&definition, key)?;
                }
                NewConstraint::Check(check) => self.add_check(&definition, check)?,
                NewConstraint::ForeignKey(key) => self.add_foreign_key(&definition, key)?,
            }
        }
        Ok(())
    }

    pub(super) fn set_all_not_null(&mut self, table: &Arc<TableDef>, columns: &[String]) -> Result<()> {
        let mut successor = TableDef::clone(table);
        for name in columns {
            if let Some(position) = table.column_named(name) {
                successor.columns[position].not_null = true;
            }
        }
        self.put_table(successor)
    }

    fn add_check(&mut self, table: &Arc<TableDef>, new: &NewCheck) -> Result<()> {
        let NewCheck { name, expression, columns, validated, no_inherit } = new;
        let name = match name {
            Some(name) => {
                expect_new_constraint(table, name)?;
                name.to_owned()
            }
            None => {
                let column = if let [only] = columns.as_slice() { Some(only.as_str()) } else { None };
                choose_name(&table.name, column, "check", |name| table.has_constraint_named(name))
            }
        };
        let columns = columns.iter().filter_map(|name| table.column_named(name)).map(attribute_number).collect();
        let mut successor = TableDef::clone(table);
        let oid = self.catalog.next_oid(self.txn)?;
        successor.checks.push(CheckDef {
            oid,
            name,
            expression: expression.to_owned(),
            columns,
            validated: *validated,
            no_inherit: *no_inherit,
        });
        // PostgreSQL checks constraints in the order of their names.
        successor.checks.sort_by(|left, right| left.name.cmp(&right.name));
        self.put_table(successor)
    }

    /// Drops a constraint by name. Errors: 42704 when there is none.
    pub fn drop_constraint(&mut self, table: Oid, name: &str) -> Result<()> {
        let table = self.lock_table(table, RelationLock::AccessExclusive)?;
        if let Some(at) = table.checks.iter().position(|check| check.name == name) {
            let mut successor = TableDef::clone(&table);
            successor.checks.remove(at);
            return self.put_table(successor);
        }
        if table.foreign_key_named(name).is_some() {
            return self.remove_foreign_key(&table, name);
        }
        match table.indexes.iter().find(|index| index.constraint && index.name == name) {
            Some(index) => self.remove_index(&table, index.oid),
            None => Err(SqlError::new(
                UNDEFINED_OBJECT,
                format!("constraint \"{name}\" of relation \"{}\" does not exist", table.name),
            )
            .into()),
        }
    }

    /// Gives a constraint another name; an index behind it takes the name too.
    pub fn rename_constraint(&mut self, table_oid: Oid, name: &str, new_name: &str) -> Result<()> {
        let table = self.lock_table(table_oid, RelationLock::AccessExclusive)?;
        if let Some(index) = table.indexes.iter().find(|index| index.constraint && index.name == name) {
            return self.rename_index(table_oid, index.oid, new_name);
        }
        if table.foreign_key_named(name).is_some() {
            expect_new_constraint(&table, new_name)?;
            return self.change_foreign_key(&table, name, |key| key.name = new_name.to_owned());
        }
        let Some(at) = table.checks.iter().position(|check| check.name == name) else {
            return Err(SqlError::new(
                UNDEFINED_OBJECT,
                format!("constraint \"{name}\" for table \"{}\" does not exist", table.name),
            )
            .into());
        };
        expect_new_constraint(&table, new_name)?;
        let mut successor = TableDef::clone(&table);
        successor.checks[at].name = new_name.to_owned();
        self.put_table(successor)
    }

    /// Gives a table another name.
    pub fn rename_table(&mut self, table: Oid, name: &str) -> Result<()> {
        let table = self.lock_table(table, RelationLock::AccessExclusive)?;
        self.expect_free_row_name(table.schema, name)?;
        let mut successor = TableDef::clone(&table);
        successor.name = name.to_owned();
        self.put_table(successor)
    }

    /// Drops a table with its indexes and the sequences that its columns own.
    pub fn drop_table(&mut self, oid: Oid) -> Result<()> {
        let table = self.lock_table(oid, RelationLock::AccessExclusive)?;
        let snapshot = self.snapshot();
        for sequence in owned_sequences(&snapshot, oid, None) {
            let sequence = self.lock_sequence(sequence)?;
            self.remove_sequence(&sequence)?;
        }
        for index in &table.indexes {
            self.forget_object(index.oid)?;
            self.catalog.objects().remove(self.txn, Space::Relation, index.oid)?;
        }
        self.forget_object(oid)?;
        self.catalog.objects().remove_if_there(self.txn, Space::Statistics, oid)?;
        self.catalog.objects().remove(self.txn, Space::Relation, oid)?;
        table.store.track_write_of_all(self.txn)?;
        self.drop_trees(&table.store)?;
        self.txn.forget_table(oid);
        self.push(Change::DropTable(oid));
        Ok(())
    }

    /// Empties a table by giving it new trees; the old ones are freed when no snapshot needs them.
    pub fn truncate(&mut self, oid: Oid, restart_identity: bool) -> Result<()> {
        let table = self.lock_table(oid, RelationLock::AccessExclusive)?;
        table.store.track_write_of_all(self.txn)?;
        let mut successor = TableDef::clone(&table);
        let mut store = self.new_store(oid, &table.columns)?;
        for index in &table.store.indexes {
            let tree = self.catalog.system().create_tree(self.txn)?;
            store.indexes.push(Arc::new(index.over_tree(tree)));
        }
        self.drop_trees(&table.store)?;
        successor.store = Arc::new(store);
        for index in &successor.indexes {
            let row = super::index_row(&successor, index);
            self.catalog.objects().replace(self.txn, &row)?;
        }
        self.put_table(successor)?;
        if table.published.is_some() {
            self.txn.note_change_of(oid, RowChange::Truncated);
        }
        if restart_identity {
            let snapshot = self.snapshot();
            for sequence in owned_sequences(&snapshot, oid, None) {
                self.restart_sequence(sequence)?;
            }
        }
        Ok(())
    }

    /// Stores what ANALYZE found.
    pub fn set_statistics(&mut self, statistics: TableStatistics) -> Result<()> {
        let table = self.lock_table(statistics.table, RelationLock::ShareUpdateExclusive)?;
        let row = ObjectRow {
            space: Space::Statistics,
            oid: table.oid,
            parent: 0,
            name: table.oid.to_string(),
            kind: Kind::Statistics,
            definition: to_json(&statistics),
        };
        self.catalog.objects().put(self.txn, &row)?;
        self.push(Change::PutStatistics(Arc::new(statistics)));
        Ok(())
    }

    /// A store with new, empty trees and no indexes.
    pub(super) fn new_store(&mut self, id: Oid, columns: &[ColumnDef]) -> Result<TableStore> {
        let rows = self.catalog.system().create_tree(self.txn)?;
        let overflow = self.catalog.system().create_tree(self.txn)?;
        let counters = TableCounters::open(&rows, &overflow)?;
        Ok(TableStore {
            id,
            rows,
            overflow,
            columns: columns.iter().map(|column| column.ty).collect(),
            missing: columns.iter().map(|column| column.missing.clone().unwrap_or(Datum::Null)).collect(),
            indexes: Vec::new(),
            followed: false,
            counters,
        })
    }

    pub(super) fn drop_trees(&mut self, store: &TableStore) -> Result<()> {
        let system = self.catalog.system();
        for index in &store.indexes {
            system.drop_tree(self.txn, index.tree.id())?;
        }
        system.drop_tree(self.txn, store.overflow.id())?;
        system.drop_tree(self.txn, store.rows.id())
    }

    /// The definition of a new column, with its sequence made.
    pub(super) fn make_column(
        &mut self,
        schema: Oid,
        table: (Oid, &str),
        position: usize,
        new: &NewColumn,
    ) -> Result<ColumnDef> {
        let (table_oid, table_name) = table;
        expect_no_system_column(&new.name)?;
        self.hold_type(new.ty.declared_oid())?;
        self.hold_type(new.ty.oid)?;
        let attnum = attribute_number(position);
        let mut column = ColumnDef {
            attnum,
            name: new.name.clone(),
            ty: new.ty,
            not_null: new.not_null,
            default: new.default.clone(),
            identity: None,
            generated: None,
            missing: new.missing.clone(),
            settings: new.settings.clone(),
            dropped: false,
        };
        let Some(sequence) = &new.sequence else { return Ok(column) };
        let snapshot = self.snapshot();
        let (schema, name) = sequence.place.clone().unwrap_or_else(|| {
            let is_taken = |name: &str| snapshot.relation(schema, name).is_some();
            (schema, choose_name(table_name, Some(&new.name), "seq", is_taken))
        });
        let mut options = sequence.options.clone();
        options.data_type = options.data_type.or(Some(new.ty.oid));
        let identity = matches!(sequence.kind, ColumnSequenceKind::Identity { .. });
        let owned_by = OwnedBy { table: table_oid, attnum, identity };
        let oid = self.create_owned_sequence(schema, &name, &options, Some(owned_by))?;
        column.not_null = true;
        match sequence.kind {
            ColumnSequenceKind::Serial => column.default = Some(nextval_call(oid)),
            ColumnSequenceKind::Identity { always } => column.identity = Some(Identity { always, sequence: oid }),
        }
        Ok(column)
    }
}

/// The sequences that a table's columns own, or those of one column.
pub(super) fn owned_sequences(snapshot: &Snapshot, table: Oid, attnum: Option<i16>) -> Vec<Oid> {
    let mut owned: Vec<Oid> = snapshot
        .sequences()
        .filter(|sequence| {
            sequence
                .owned_by
                .is_some_and(|owner| owner.table == table && attnum.is_none_or(|attnum| owner.attnum == attnum))
        })
        .map(|sequence| sequence.oid)
        .collect();
    owned.sort_unstable();
    owned
}

/// 42701 for the name of a column that every table has.
pub(super) fn expect_no_system_column(name: &str) -> Result<()> {
    const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "cmax", "xmax", "cmin", "xmin", "ctid"];
    if SYSTEM_COLUMNS.contains(&name) {
        let message = format!("column name \"{name}\" conflicts with a system column name");
        return Err(SqlError::new(DUPLICATE_COLUMN, message).into());
    }
    Ok(())
}

fn expect_distinct_columns(columns: &[NewColumn]) -> Result<()> {
    if columns.len() > COLUMNS_MAX {
        return Err(SqlError::new(TOO_MANY_COLUMNS, format!("tables can have at most {COLUMNS_MAX} columns")).into());
    }
    let mut seen = std::collections::HashSet::new();
    match columns.iter().find(|column| !seen.insert(column.name.as_str())) {
        Some(twice) => {
            Err(SqlError::new(DUPLICATE_COLUMN, format!("column \"{}\" specified more than once", twice.name)).into())
        }
        None => Ok(()),
    }
}

pub(super) fn expect_new_constraint(table: &TableDef, name: &str) -> Result<()> {
    if table.has_constraint_named(name) {
        return Err(SqlError::new(
            DUPLICATE_OBJECT,
            format!("constraint \"{name}\" for relation \"{}\" already exists", table.name),
        )
        .into());
    }
    Ok(())
}
