//! Copies a database: its definitions under new numbers ([`crate::renumber`]), the rows of its tables, and where its sequences
//! stand.
//!
//! 1. All of it is part of the transaction that makes the new database: a crash or a rollback leaves no tree, no counter and
//!    no row of it.
//! 2. Nobody works in the database that is copied; the caller sees to that, and that what was done there is synced.
//! 3. Temporary objects are not copied, nor what is said of the database as a whole (rights, comment, settings).

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use nqdb_sqlstate::{SqlError, SqlResult};
use nqdb_txn::{BATCH_ROWS_MAX, Direction, ReadView, Result, RowId, TableStore, Transaction, TxnError, TxnSystem};
use nqdb_types::{Datum, Oid};

use super::CatalogWriter;
use crate::bootstrap::built_in;
use crate::catalog::{Catalog, FIRST_USER_OID, OID_COUNTER};
use crate::definition::{SchemaDef, SequenceDef};
use crate::load::load;
use crate::objects::{Kind, ObjectRow};
use crate::renumber::{NewParts, Renumbering, sequence_of};
use crate::snapshot::Snapshot;
use crate::stored::from_json;

impl CatalogWriter<'_> {
    /// Copies what is in one database to another, which is new. The state of the new one is not published yet.
    pub(super) fn copy_database(&mut self, template: &Catalog, database: Oid) -> Result<Snapshot> {
        let view = self.txn.newest_view();
        let rows = rows_to_copy(template, view)?;
        let mut numbers = Renumbering::default();
        for row in &rows {
            let old = Renumbering::number_of(row);
            if old >= FIRST_USER_OID {
                numbers.add(old, self.catalog.next_oid(self.txn)?);
            }
        }
        let objects = self.catalog.objects().of_database(database);
        let system = self.catalog.system().clone();
        let mut copies = Vec::with_capacity(rows.len());
        for row in rows.iter().filter(|row| row.kind != Kind::Comment).chain(comments(&rows)) {
            let mut parts = Parts { system: &system, txn: self.txn, failure: None };
            let renumbered = numbers.row(row, &mut parts);
            if let Some(error) = parts.failure {
                return Err(error);
            }
            let copy = renumbered?;
            objects.insert(self.txn, &copy)?;
            if let (Some(from), Some(to)) = (sequence_of(row)?, sequence_of(&copy)?) {
                self.copy_counter(&from, &to)?;
            }
            copies.push(copy);
        }
        let base = self.catalog.cluster().shared_objects().with(&built_in(), 1).in_database(database);
        let snapshot = load(&system, copies, self.catalog.binder(), &base)?;
        let source = template.committed();
        let mut tables: Vec<_> = source.tables().filter(|table| !table.is_temporary()).collect();
        tables.sort_unstable_by_key(|table| table.oid);
        for table in tables {
            let copy = snapshot.table_by_oid(numbers.object(table.oid));
            let copy = copy.ok_or_else(|| SqlError::internal("a table is missing in the copy of its database"))?;
            self.txn.define_table(copy.store.clone());
            // Nobody follows a database that is being made.
            let unfollowed = TableStore { followed: false, ..TableStore::clone(&copy.store) };
            copy_rows(&table.store, &unfollowed, &numbers, self.txn)?;
        }
        Ok(snapshot)
    }

    fn copy_counter(&mut self, from: &SequenceDef, to: &SequenceDef) -> Result<()> {
        let state = from.counter().state(self.catalog.system())?;
        to.counter().create(self.txn)?;
        to.counter().set(self.txn, state.last_value, state.is_called)
    }
}

/// Comments come last: they may be about constraints, which get their numbers with their tables and domains.
fn comments(rows: &[ObjectRow]) -> impl Iterator<Item = &ObjectRow> {
    rows.iter().filter(|row| row.kind == Kind::Comment)
}

/// The rows of a database, those of temporary objects left out, in the order of their numbers.
fn rows_to_copy(template: &Catalog, view: ReadView) -> Result<Vec<ObjectRow>> {
    let all = template.objects().load(view)?;
    let mut rows: Vec<ObjectRow> =
        all.into_iter().filter(|(database, _)| *database == template.database()).map(|(_, row)| row).collect();
    rows.sort_by_key(|row| row.oid);
    let is_temporary = |row: &ObjectRow| -> SqlResult<bool> {
        Ok(row.kind == Kind::Schema && from_json::<SchemaDef>(&row.definition)?.is_temporary())
    };
    let mut left_out: HashSet<Oid> = HashSet::new();
    for row in &rows {
        if is_temporary(row)? {
            left_out.insert(row.oid);
        }
    }
    let schemas = left_out.clone();
    let has_schema =
        |row: &&ObjectRow| matches!(row.kind, Kind::Table | Kind::Index | Kind::Sequence | Kind::View | Kind::Type);
    left_out.extend(rows.iter().filter(has_schema).filter(|row| schemas.contains(&row.parent)).map(|row| row.oid));
    rows.retain(|row| !left_out.contains(&row.oid) && !left_out.contains(&row.parent));
    Ok(rows)
}

/// Gives new objects their parts, in the transaction that makes them.
struct Parts<'a> {
    system: &'a Arc<TxnSystem>,
    txn: &'a mut Transaction,
    /// Why a part was not made, with what to wait for.
    failure: Option<TxnError>,
}

impl Parts<'_> {
    fn keep<T>(&mut self, made: Result<T>) -> SqlResult<T> {
        made.map_err(|error| {
            self.failure = Some(error);
            SqlError::internal("a part of an object was not made")
        })
    }
}

impl NewParts for Parts<'_> {
    fn number(&mut self) -> SqlResult<Oid> {
        let drawn = OID_COUNTER.next(self.txn, 1);
        let drawn = self.keep(drawn)?;
        let number = drawn.first().and_then(|number| Oid::try_from(*number).ok());
        number.ok_or_else(|| SqlError::internal("the object numbers are exhausted"))
    }

    fn tree(&mut self) -> SqlResult<u64> {
        let made = self.system.create_tree(self.txn);
        Ok(self.keep(made)?.id().0)
    }
}

fn copy_rows(from: &Arc<TableStore>, to: &TableStore, numbers: &Renumbering, txn: &mut Transaction) -> Result<()> {
    // Where users' types are, values may hold their numbers.
    let as_they_are = from.columns == to.columns;
    let mut scan = from.scan(txn.newest_view(), RowId(0)..RowId(u64::MAX), Direction::Forward);
    let mut batch: Vec<Vec<Datum>> = Vec::with_capacity(BATCH_ROWS_MAX);
    let mut more = true;
    while more {
        let mut failure = None;
        more = scan.next_batch(&mut |_, _, image| {
            let renumbered = |row: Vec<Datum>| -> Result<Vec<Datum>> {
                if as_they_are {
                    return Ok(row);
                }
                Ok(row.into_iter().map(|value| numbers.value(value)).collect::<SqlResult<Vec<Datum>>>()?)
            };
            match image.datums().and_then(renumbered) {
                Ok(row) => batch.push(row),
                Err(error) => failure = Some(error),
            }
            if failure.is_some() || batch.len() == BATCH_ROWS_MAX {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        if let Some(error) = failure {
            return Err(error);
        }
        if batch.len() == BATCH_ROWS_MAX || !more {
            insert(to, &batch, txn)?;
            batch.clear();
        }
    }
    Ok(())
}

fn insert(to: &TableStore, batch: &[Vec<Datum>], txn: &mut Transaction) -> Result<()> {
    if batch.is_empty() || to.insert_batch(txn, batch)?.is_some() {
        return Ok(());
    }
    batch.iter().try_for_each(|row| to.insert(txn, row).map(|_| ()))
}
