//! `pg_depend`: what of the catalog's objects holds on to what.
//!
//! Computed from the definitions: columns' defaults and sequences, keys and their indexes, indexes and their columns.
//! `pg_shdepend` stays empty: owners are looked up in the definitions.

use nqdb_catalog::{IndexDef, Relation, SequenceDef, TableDef};
use nqdb_sqlstate::SqlResult;
use nqdb_types::Oid;

use super::attribute::default_oid;
use super::context::{SystemContext, SystemRows};
use super::index::attribute_number;
use super::relation::{SystemRelation, relation};
use super::value::{int4, letter, oid};

pub(super) static RELATIONS: &[&SystemRelation] = &[&PG_DEPEND, &PG_SHDEPEND];

relation! {
    /// Dependencies.
    PG_DEPEND = "pg_depend" 2608, row_type 10051, Table, keys [], rows dependencies;
    Dependency {     classid: OID not_null, objid: OID not_null, objsubid: INT4 not_null, refclassid: OID not_null,
    refobjid: OID not_null, refobjsubid: INT4 not_null, deptype: CHAR_INTERNAL not_null, }
}

relation! {
    /// Dependencies on roles: not kept.
    PG_SHDEPEND = "pg_shdepend" 1214, row_type 10060, SharedTable, empty;
    {     dbid: OID not_null, classid: OID not_null, objid: OID not_null, objsubid: INT4 not_null,
    refclassid: OID not_null, refobjid: OID not_null, deptype: CHAR_INTERNAL not_null, }
}

/// The catalogs that number objects.
const CLASS: Oid = 1259;
const DEFAULTS: Oid = 2604;
const CONSTRAINTS: Oid = 2606;
const SCHEMAS: Oid = 2615;

/// One end: catalog, object, column or 0.
type End = (Oid, Oid, i16);

fn dependency(object: End, referenced: End, kind: char) -> Dependency {
    Dependency {
        classid: oid(object.0),
        objid: oid(object.1),
        objsubid: int4(i32::from(object.2)),
        refclassid: oid(referenced.0),
        refobjid: oid(referenced.1),
        refobjsubid: int4(i32::from(referenced.2)),
        deptype: letter(kind),
    }
}

fn dependencies(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    for relation in super::class::relations_wanted(cx, "", None) {
        match relation {
            Relation::Table(table) => table_dependencies(&table, rows)?,
            Relation::Sequence(sequence) => sequence_dependencies(&sequence, rows)?,
            Relation::Index(..) | Relation::View(_) => {}
        }
    }
    Ok(())
}

fn table_dependencies(table: &TableDef, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    rows.push(dependency((CLASS, table.oid, 0), (SCHEMAS, table.schema, 0), 'n'))?;
    for (_, column) in table.live_columns() {
        if column.default.is_some() {
            let number = default_oid(table.oid, column.attnum);
            rows.push(dependency((DEFAULTS, number, 0), (CLASS, table.oid, column.attnum), 'a'))?;
        }
    }
    for check in &table.checks {
        for column in &check.columns {
            rows.push(dependency((CONSTRAINTS, check.oid, 0), (CLASS, table.oid, *column), 'a'))?;
            rows.push(dependency((CONSTRAINTS, check.oid, 0), (CLASS, table.oid, *column), 'n'))?;
        }
        if check.columns.is_empty() {
            rows.push(dependency((CONSTRAINTS, check.oid, 0), (CLASS, table.oid, 0), 'a'))?;
        }
    }
    table.indexes.iter().try_for_each(|index| index_dependencies(table, index, rows))
}

fn index_dependencies(table: &TableDef, index: &IndexDef, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    let catalog = if index.constraint { CONSTRAINTS } else { CLASS };
    if index.constraint {
        rows.push(dependency((CLASS, index.oid, 0), (CONSTRAINTS, index.oid, 0), 'i'))?;
    }
    let keys = index.key.iter().filter(|key| key.computed().is_none()).map(|key| attribute_number(table, key));
    let included = index.included.iter().filter_map(|position| Some(table.columns.get(*position)?.attnum));
    let computed = index.computation.iter().flat_map(|computation| computation.columns.iter().copied());
    let mut columns = keys.chain(included).chain(computed).peekable();
    if columns.peek().is_none() {
        rows.push(dependency((catalog, index.oid, 0), (CLASS, table.oid, 0), 'a'))?;
    }
    columns.try_for_each(|column| rows.push(dependency((catalog, index.oid, 0), (CLASS, table.oid, column), 'a')))
}

fn sequence_dependencies(sequence: &SequenceDef, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    let object = (CLASS, sequence.oid, 0);
    rows.push(dependency(object, (SCHEMAS, sequence.schema, 0), 'n'))?;
    match sequence.owned_by {
        Some(owner) => {
            let kind = if owner.identity { 'i' } else { 'a' };
            rows.push(dependency(object, (CLASS, owner.table, owner.attnum), kind))
        }
        None => Ok(()),
    }
}
