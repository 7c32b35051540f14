//! `pg_depend`: what of the catalog's objects holds on to what.
//!
//! Computed from the definitions: columns' types, defaults and sequences, keys and their indexes, indexes and their columns,
//! views and what they read, domains and what they are over.
//! `pg_shdepend` stays empty: owners are looked up in the definitions.

use nqdb_catalog::{ForeignKeyDef, IndexDef, Relation, SequenceDef, StoredQuery, TableDef, TypeDef};
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Oid, is_user_type};

use super::attribute::default_oid;
use super::context::{SystemContext, SystemRows};
use super::index::attribute_number;
use super::relation::{SystemRelation, relation};
use super::rewrite;
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
const TYPES: Oid = 1247;
const CLASS: Oid = 1259;
const DEFAULTS: Oid = 2604;
const CONSTRAINTS: Oid = 2606;
const SCHEMAS: Oid = 2615;
const REWRITE: Oid = 2618;

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
        match &relation {
            Relation::Table(table) => table_dependencies(table, rows)?,
            Relation::Sequence(sequence) => sequence_dependencies(sequence, rows)?,
            Relation::View(view) => rows.push(dependency((CLASS, view.oid, 0), (SCHEMAS, view.schema, 0), 'n'))?,
            Relation::Index(..) => {}
        }
        if let Some(query) = rewrite::query_of(&relation) {
            rule_dependencies(relation.oid(), query, rows)?;
        }
    }
    cx.catalog.types().try_for_each(|def| type_dependencies(def, rows))
}

/// A view's rule belongs to the view, and needs what the query names.
fn rule_dependencies(view: Oid, query: &StoredQuery, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    let rule = (REWRITE, rewrite::rule_oid(view), 0);
    rows.push(dependency(rule, (CLASS, view, 0), 'i'))?;
    rows.push(dependency(rule, (CLASS, view, 0), 'n'))?;
    for named in &query.relations {
        let mut used = named.columns.iter().filter(|column| column.used).peekable();
        if used.peek().is_none() {
            rows.push(dependency(rule, (CLASS, named.oid, 0), 'n'))?;
        }
        used.try_for_each(|column| rows.push(dependency(rule, (CLASS, named.oid, column.attnum), 'n')))?;
    }
    query.types.iter().try_for_each(|named| rows.push(dependency(rule, (TYPES, named.oid, 0), 'n')))
}

fn type_dependencies(def: &TypeDef, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    let object = (TYPES, def.oid, 0);
    rows.push(dependency(object, (SCHEMAS, def.schema, 0), 'n'))?;
    let Some(domain) = def.domain() else { return Ok(()) };
    let base = domain.base.ty().declared_oid();
    if is_user_type(base) {
        rows.push(dependency(object, (TYPES, base, 0), 'n'))?;
    }
    domain.checks.iter().try_for_each(|check| rows.push(dependency((CONSTRAINTS, check.oid, 0), object, 'a')))
}

/// The sequences that a default draws from: definitions name them by number.
fn sequences_of(default: &str) -> impl Iterator<Item = Oid> {
    default.split("nextval('").skip(1).filter_map(|rest| rest.split_once('\'')?.0.parse().ok())
}

fn table_dependencies(table: &TableDef, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    rows.push(dependency((CLASS, table.oid, 0), (SCHEMAS, table.schema, 0), 'n'))?;
    for (_, column) in table.live_columns() {
        if column.default.is_some() {
            let number = default_oid(table.oid, column.attnum);
            rows.push(dependency((DEFAULTS, number, 0), (CLASS, table.oid, column.attnum), 'a'))?;
            for sequence in column.default.as_deref().into_iter().flat_map(sequences_of) {
                rows.push(dependency((DEFAULTS, number, 0), (CLASS, sequence, 0), 'n'))?;
            }
        }
        let ty = column.ty.declared_oid();
        if is_user_type(ty) {
            rows.push(dependency((CLASS, table.oid, column.attnum), (TYPES, ty, 0), 'n'))?;
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
    table.foreign_keys.iter().try_for_each(|key| foreign_key_dependencies(key, rows))?;
    table.indexes.iter().try_for_each(|index| index_dependencies(table, index, rows))
}

/// A foreign key goes with its own columns, and needs those that it refers to with their index.
fn foreign_key_dependencies(key: &ForeignKeyDef, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    let object = (CONSTRAINTS, key.oid, 0);
    for column in &key.columns {
        rows.push(dependency(object, (CLASS, key.table, *column), 'a'))?;
    }
    for column in &key.referenced_columns {
        rows.push(dependency(object, (CLASS, key.referenced, *column), 'n'))?;
    }
    rows.push(dependency(object, (CLASS, key.index, 0), 'n'))
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
