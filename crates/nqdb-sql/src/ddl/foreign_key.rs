//! Foreign keys: from what was written to the catalog, and whether the rows that are there meet them.
//!
//! The order of the looks, and their words, are PostgreSQL's (`ATAddForeignKeyConstraint`).

use std::sync::Arc;

use nqdb_catalog::request::{NewConstraint, NewForeignKey};
use nqdb_catalog::rights::{Rights, SecuredKind};
use nqdb_catalog::{Deferral, ForeignKeyDef, IndexDef, ReferentialAction, Relation, TableDef};
use nqdb_sqlstate::{
    DATATYPE_MISMATCH, INVALID_COLUMN_REFERENCE, INVALID_FOREIGN_KEY, INVALID_TABLE_DEFINITION,
    OBJECT_NOT_IN_PREREQUISITE_STATE, SYNTAX_ERROR, SqlError, SqlResult, TOO_MANY_COLUMNS, UNDEFINED_COLUMN,
    UNDEFINED_OBJECT, WRONG_OBJECT_TYPE,
};
use nqdb_txn::{RelationLock, TxnError};
use nqdb_types::{Datum, Oid};

use super::DdlContext;
use super::drop::expect_no_catalog;
use super::query::{qualified, quoted};
use crate::bind::Conversion;
use crate::integrity::{key_match, missing_key};
use crate::system::secured;
use crate::table_command::{ColumnReference, References};

/// PostgreSQL's INDEX_MAX_KEYS.
const KEYS_MAX: usize = 32;

pub(super) struct WrittenForeignKey {
    pub name: Option<String>,
    pub columns: Vec<String>,
    pub references: References,
    pub deferral: Deferral,
    /// Rows that are there already are not looked at.
    pub not_valid: bool,
}

impl WrittenForeignKey {
    /// One that stands with its column.
    pub fn of_column(reference: &ColumnReference, column: &str) -> WrittenForeignKey {
        WrittenForeignKey {
            name: reference.name.clone(),
            columns: vec![column.to_owned()],
            references: reference.references.clone(),
            deferral: reference.deferral,
            not_valid: false,
        }
    }
}

/// Adds a foreign key; the rows that are there are the caller's to look at. Gives its number.
pub(super) fn add(
    table: Oid,
    written: &WrittenForeignKey,
    cx: &mut DdlContext<'_, '_>,
) -> Result<Arc<ForeignKeyDef>, TxnError> {
    let table = cx.writer().lock_table(table, RelationLock::AccessExclusive)?;
    let new = resolve(&table, written, cx)?;
    cx.writer().add_constraints(table.oid, &[NewConstraint::ForeignKey(new)])?;
    let table = cx.writer().lock_table(table.oid, RelationLock::AccessExclusive)?;
    let added = table.foreign_keys.last().cloned();
    added.ok_or_else(|| SqlError::internal("a foreign key that was just added is missing").into())
}

/// Adds a foreign key that all rows meet; 23503 when one does not.
pub(super) fn add_to_rows(
    table: Oid,
    written: &WrittenForeignKey,
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    let key = add(table, written, cx)?;
    if written.not_valid {
        return Ok(());
    }
    let table = cx.writer().lock_table(table, RelationLock::AccessExclusive)?;
    expect_rows_meet(&table, &key, cx)
}

/// VALIDATE CONSTRAINT.
pub(super) fn validate(table: &TableDef, key: &ForeignKeyDef, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    if key.validated {
        return Ok(());
    }
    cx.writer().lock_table(key.referenced, RelationLock::RowShare)?;
    expect_rows_meet(table, key, cx)?;
    cx.writer().alter_foreign_key(table.oid, &key.name, |key| key.validated = true)
}

/// After columns of a table got other types: do its foreign keys, and those that refer to it, still fit and hold?
pub(super) fn validate_retyped(
    table: &Arc<TableDef>,
    conversions: &[Conversion<'_>],
    cx: &mut DdlContext<'_, '_>,
) -> Result<(), TxnError> {
    let has_changed = |attnums: &[i16]| {
        table.positions_of(attnums).iter().any(|at| conversions.iter().any(|conversion| conversion.position == *at))
    };
    let own = table.foreign_keys.iter().filter(|key| has_changed(&key.columns));
    let referring = table.referenced_by.iter().filter(|key| has_changed(&key.referenced_columns));
    let mut keys: Vec<Arc<ForeignKeyDef>> = own.chain(referring).cloned().collect();
    keys.sort_by_key(|key| key.oid);
    keys.dedup_by_key(|key| key.oid);
    for key in keys {
        let referring = cx.writer().lock_table(key.table, RelationLock::ShareRowExclusive)?;
        let referenced = cx.writer().lock_table(key.referenced, RelationLock::ShareRowExclusive)?;
        let Some(index) = referenced.indexes.iter().find(|index| index.oid == key.index).cloned() else { continue };
        expect_matching_types(&key.name, &referring, &key.columns, (&referenced, &index, &key.referenced_columns), cx)?;
        if key.validated {
            expect_rows_meet(&referring, &key, cx)?;
        }
    }
    Ok(())
}

fn resolve(
    table: &Arc<TableDef>,
    written: &WrittenForeignKey,
    cx: &mut DdlContext<'_, '_>,
) -> Result<NewForeignKey, TxnError> {
    let references = &written.references;
    let referenced = referenced_table(references, cx)?;
    expect_same_persistence(table, &referenced, cx)?;
    let columns = columns_of(table, written.columns.iter().map(String::as_str))?;
    let mut delete_columns = columns_of(table, references.delete_columns.iter().map(|column| column.name.as_str()))?;
    for (attnum, column) in delete_columns.iter().zip(&references.delete_columns) {
        if !columns.contains(attnum) {
            let message =
                format!("column \"{}\" referenced in ON DELETE SET action must be part of foreign key", column.name);
            return Err(SqlError::new(INVALID_COLUMN_REFERENCE, message).into());
        }
    }
    let mut known: Vec<i16> = Vec::new();
    delete_columns.retain(|attnum| {
        !known.contains(attnum) && {
            known.push(*attnum);
            true
        }
    });
    let (index, referenced_columns) = match &references.columns {
        None => primary_key(&referenced)?,
        Some(named) => {
            let named = columns_of(&referenced, named.iter().map(|column| column.name.as_str()))?;
            (unique_index(&referenced, &named)?, named)
        }
    };
    expect_may_reference(&referenced, &referenced_columns, cx)?;
    expect_no_generated(table, &columns, references)?;
    if columns.len() != referenced_columns.len() {
        let message = "number of referencing and referenced columns for foreign key disagree";
        return Err(SqlError::new(INVALID_FOREIGN_KEY, message).into());
    }
    let name = written.name.clone().unwrap_or_else(|| generated_name(table, &columns));
    expect_matching_types(&name, table, &columns, (&referenced, &index, &referenced_columns), cx)?;
    Ok(NewForeignKey {
        name: written.name.clone(),
        columns,
        referenced: referenced.oid,
        referenced_columns,
        index: index.oid,
        match_full: references.match_full,
        on_delete: references.on_delete,
        on_update: references.on_update,
        delete_columns,
        deferral: written.deferral,
        validated: !written.not_valid,
    })
}

/// The name that it will get, for errors before it has one.
fn generated_name(table: &TableDef, columns: &[i16]) -> String {
    let names = table.positions_of(columns).into_iter().filter_map(|at| table.columns.get(at));
    let names: Vec<&str> = names.map(|column| column.name.as_str()).collect();
    nqdb_catalog::choose_name(&table.name, Some(&names.join("_")), "fkey", |name| table.has_constraint_named(name))
}

fn referenced_table(references: &References, cx: &mut DdlContext<'_, '_>) -> Result<Arc<TableDef>, TxnError> {
    let name = &references.table;
    match cx.find_relation(name) {
        Some(Relation::Table(table)) if table.materialized.is_none() => {
            cx.writer().lock_table(table.oid, RelationLock::ShareRowExclusive)
        }
        Some(other) => {
            let message = format!("referenced relation \"{}\" is not a table", other.name());
            Err(SqlError::new(WRONG_OBJECT_TYPE, message).into())
        }
        None => {
            expect_no_catalog(name)?;
            Err(cx.missing_relation(name).into())
        }
    }
}

fn expect_same_persistence(table: &TableDef, referenced: &TableDef, cx: &DdlContext<'_, '_>) -> SqlResult<()> {
    let refused = |message: &str| Err(SqlError::new(INVALID_TABLE_DEFINITION, message));
    match (table.is_temporary(), referenced.is_temporary()) {
        (false, true) if table.settings.unlogged => {
            refused("constraints on unlogged tables may reference only permanent or unlogged tables")
        }
        (false, true) => refused("constraints on permanent tables may reference only permanent tables"),
        (false, false) if referenced.settings.unlogged && !table.settings.unlogged => {
            refused("constraints on permanent tables may reference only permanent tables")
        }
        (true, false) => refused("constraints on temporary tables may reference only temporary tables"),
        (true, true) if table.schema_name != cx.temporary_schema || referenced.schema_name != cx.temporary_schema => {
            refused("constraints on temporary tables must involve temporary tables of this session")
        }
        _ => Ok(()),
    }
}

/// The numbers of columns that are named.
fn columns_of<'n>(table: &TableDef, names: impl Iterator<Item = &'n str>) -> SqlResult<Vec<i16>> {
    let mut attnums = Vec::new();
    for name in names {
        let column = table.column_named(name).and_then(|at| table.columns.get(at));
        let Some(column) = column else {
            if crate::system::SYSTEM_COLUMNS.iter().any(|(system, ..)| *system == name) {
                let message = "system columns cannot be used in foreign keys";
                return Err(SqlError::new(nqdb_sqlstate::FEATURE_NOT_SUPPORTED, message));
            }
            let message = format!("column \"{name}\" referenced in foreign key constraint does not exist");
            return Err(SqlError::new(UNDEFINED_COLUMN, message));
        };
        if attnums.len() >= KEYS_MAX {
            let message = format!("cannot have more than {KEYS_MAX} keys in a foreign key");
            return Err(SqlError::new(TOO_MANY_COLUMNS, message));
        }
        attnums.push(column.attnum);
    }
    Ok(attnums)
}

fn primary_key(table: &TableDef) -> SqlResult<(Arc<IndexDef>, Vec<i16>)> {
    let Some(index) = table.primary_key() else {
        let message = format!("there is no primary key for referenced table \"{}\"", table.name);
        return Err(SqlError::new(UNDEFINED_OBJECT, message));
    };
    if index.deferral.is_deferrable() {
        let message = format!("cannot use a deferrable primary key for referenced table \"{}\"", table.name);
        return Err(SqlError::new(OBJECT_NOT_IN_PREREQUISITE_STATE, message));
    }
    Ok((index.clone(), key_columns(table, index)))
}

fn key_columns(table: &TableDef, index: &IndexDef) -> Vec<i16> {
    index.key.iter().filter_map(|key| table.columns.get(key.column)).map(|column| column.attnum).collect()
}

/// A unique index over exactly these columns, in any order.
fn unique_index(table: &TableDef, attnums: &[i16]) -> SqlResult<Arc<IndexDef>> {
    if attnums.iter().enumerate().any(|(at, attnum)| attnums.iter().take(at).any(|other| other == attnum)) {
        let message = "foreign key referenced-columns list must not contain duplicates";
        return Err(SqlError::new(INVALID_FOREIGN_KEY, message));
    }
    let fits = |index: &&Arc<IndexDef>| {
        let key = key_columns(table, index);
        index.unique && index.is_plain() && key.len() == attnums.len() && attnums.iter().all(|own| key.contains(own))
    };
    let mut fitting = table.indexes.iter().filter(fits).peekable();
    let has_deferrable = fitting.peek().is_some();
    match fitting.find(|index| !index.deferral.is_deferrable()) {
        Some(index) => Ok(index.clone()),
        None if has_deferrable => {
            let message = format!("cannot use a deferrable unique constraint for referenced table \"{}\"", table.name);
            Err(SqlError::new(OBJECT_NOT_IN_PREREQUISITE_STATE, message))
        }
        None => {
            let message =
                format!("there is no unique constraint matching given keys for referenced table \"{}\"", table.name);
            Err(SqlError::new(INVALID_FOREIGN_KEY, message))
        }
    }
}

/// 42501 unless the role has REFERENCES on the table or on each of the columns.
fn expect_may_reference(table: &TableDef, attnums: &[i16], cx: &mut DdlContext<'_, '_>) -> SqlResult<()> {
    let snapshot = cx.draft.snapshot();
    let Some(secured) = secured(&snapshot, SecuredKind::Table, table.oid) else { return Ok(()) };
    let may = |attnum: &i16| {
        snapshot.rights_on_column(cx.role, &secured, *attnum, Rights::REFERENCES).contains(Rights::REFERENCES)
    };
    if attnums.iter().all(may) { Ok(()) } else { cx.expect_rights(&secured, Rights::REFERENCES) }
}

/// 42601 for an action that would write a generated column.
fn expect_no_generated(table: &TableDef, attnums: &[i16], references: &References) -> SqlResult<()> {
    let columns = table.positions_of(attnums).into_iter().filter_map(|at| table.columns.get(at));
    if !columns.into_iter().any(|column| column.generated.is_some()) {
        return Ok(());
    }
    let sets = |action| matches!(action, ReferentialAction::SetNull | ReferentialAction::SetDefault);
    let action = if sets(references.on_update) || references.on_update == ReferentialAction::Cascade {
        "ON UPDATE"
    } else if sets(references.on_delete) {
        "ON DELETE"
    } else {
        return Ok(());
    };
    let message = format!("invalid {action} action for foreign key constraint containing generated column");
    Err(SqlError::new(SYNTAX_ERROR, message))
}

/// 42804 unless each column compares with the one that it refers to.
fn expect_matching_types(
    name: &str,
    table: &TableDef,
    columns: &[i16],
    (referenced, index, referenced_columns): (&TableDef, &IndexDef, &[i16]),
    cx: &mut DdlContext<'_, '_>,
) -> SqlResult<()> {
    let own = table.positions_of(columns);
    for (own, other) in own.into_iter().zip(referenced.positions_of(referenced_columns)) {
        let (Some(own), Some(column)) = (table.columns.get(own), referenced.columns.get(other)) else { continue };
        let part = index.key.iter().position(|key| key.column == other);
        if part.and_then(|part| key_match(index, part, column.ty, own.ty)).is_none() {
            let message = format!("foreign key constraint \"{name}\" cannot be implemented");
            let detail = format!(
                "Key columns \"{}\" and \"{}\" are of incompatible types: {} and {}.",
                own.name,
                column.name,
                cx.type_name(own.ty.bare()),
                cx.type_name(column.ty.bare())
            );
            return Err(SqlError::new(DATATYPE_MISMATCH, message).with_detail(detail));
        }
    }
    Ok(())
}

/// 23503 for the first row that refers to none.
fn expect_rows_meet(table: &TableDef, key: &ForeignKeyDef, cx: &mut DdlContext<'_, '_>) -> Result<(), TxnError> {
    let snapshot = cx.draft.snapshot();
    let Some(referenced) = snapshot.table_by_oid(key.referenced).cloned() else { return Ok(()) };
    let names = |table: &TableDef, attnums: &[i16]| -> Vec<String> {
        let columns = table.positions_of(attnums).into_iter().filter_map(|at| table.columns.get(at));
        columns.map(|column| quoted(&column.name)).collect()
    };
    let (own, other) = (names(table, &key.columns), names(&referenced, &key.referenced_columns));
    let all = |condition: &dyn Fn(&String) -> String, by: &str| own.iter().map(condition).collect::<Vec<_>>().join(by);
    let pairs: Vec<String> = own.iter().zip(&other).map(|(own, other)| format!("pk.{other} = fk.{own}")).collect();
    let (first, selected) = (other.first().cloned().unwrap_or_default(), all(&|own| format!("fk.{own}"), ", "));
    let by = if key.match_full { " OR " } else { " AND " };
    let sql = format!(
        "SELECT {selected} FROM ONLY {} fk LEFT OUTER JOIN ONLY {} pk ON {} WHERE pk.{first} IS NULL AND ({}) LIMIT 1",
        qualified(table),
        qualified(&referenced),
        pairs.join(" AND "),
        all(&|own| format!("fk.{own} IS NOT NULL"), by),
    );
    let rows = cx.query(&sql)?;
    let Some(values) = rows.first() else { return Ok(()) };
    if values.iter().any(Datum::is_null) {
        return Err(crate::integrity::mixed_nulls(key, table).into());
    }
    Err(missing_key(key, table, &referenced, values, cx.exec.functions.format).into())
}
