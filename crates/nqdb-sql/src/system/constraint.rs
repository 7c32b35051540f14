//! `pg_constraint`: primary keys, unique constraints, foreign keys and checks.
//!
//! A constraint that an index keeps has the number of that index.

use nqdb_catalog::{CheckDef, DomainCheck, ForeignKeyDef, IndexDef, Relation, Snapshot, TableDef, TypeDef};
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Oid, Type};

use super::access_method::default_class;
use super::class::relations_wanted;
use super::context::{SystemContext, SystemRows};
use super::index::attribute_number;
use super::relation::{SystemRelation, relation};
use super::value::{boolean, int2_array, int4, letter, oid, oid_array, text};

pub(super) static RELATIONS: &[&SystemRelation] = &[&PG_CONSTRAINT];

relation! {
    /// Constraints.
    PG_CONSTRAINT = "pg_constraint" 2606, row_type 10003, Table, keys ["conrelid"], rows constraints;
    ConstraintRow {     oid: OID not_null, conname: NAME not_null, connamespace: OID not_null, contype: CHAR_INTERNAL not_null,
    condeferrable: BOOL not_null, condeferred: BOOL not_null, convalidated: BOOL not_null,
    conrelid: OID not_null, contypid: OID not_null, conindid: OID not_null, conparentid: OID not_null,
    confrelid: OID not_null, confupdtype: CHAR_INTERNAL not_null, confdeltype: CHAR_INTERNAL not_null,
    confmatchtype: CHAR_INTERNAL not_null, conislocal: BOOL not_null, coninhcount: INT4 not_null,
    connoinherit: BOOL not_null, conkey: INT2_ARRAY nullable, confkey: INT2_ARRAY nullable,
    conpfeqop: OID_ARRAY nullable, conppeqop: OID_ARRAY nullable, conffeqop: OID_ARRAY nullable,
    confdelsetcols: INT2_ARRAY nullable, conexclop: OID_ARRAY nullable, conbin: PG_NODE_TREE nullable, }
}

fn constraints(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    for relation in relations_wanted(cx, "conrelid", None) {
        let Relation::Table(table) = relation else { continue };
        for check in &table.checks {
            rows.push(check_row(&table, check))?;
        }
        for index in table.indexes.iter().filter(|index| index.constraint) {
            rows.push(key_row(&table, index))?;
        }
        for key in &table.foreign_keys {
            rows.push(foreign_key_row(&table, key, cx.catalog))?;
        }
    }
    if cx.wanted_oid("conrelid").is_none_or(|wanted| wanted == 0) {
        for def in super::user_types::in_order(cx.catalog) {
            for check in def.domain().into_iter().flat_map(|domain| &domain.checks) {
                rows.push(domain_row(def, check))?;
            }
        }
    }
    Ok(())
}

fn domain_row(def: &TypeDef, check: &DomainCheck) -> ConstraintRow {
    ConstraintRow {
        convalidated: boolean(check.validated),
        conrelid: oid(0),
        contypid: oid(def.oid),
        conbin: text(&check.expression),
        ..row_in(def.schema, check.oid, &check.name, 0, 'c')
    }
}

/// What is the same for all sorts.
fn plain_row(number: Oid, name: &str, table: &TableDef, kind: char) -> ConstraintRow {
    row_in(table.schema, number, name, table.oid, kind)
}

fn row_in(schema: Oid, number: Oid, name: &str, relation: Oid, kind: char) -> ConstraintRow {
    ConstraintRow {
        oid: oid(number),
        conname: text(name),
        connamespace: oid(schema),
        contype: letter(kind),
        condeferrable: boolean(false),
        condeferred: boolean(false),
        convalidated: boolean(true),
        conrelid: oid(relation),
        contypid: oid(0),
        conindid: oid(0),
        conparentid: oid(0),
        confrelid: oid(0),
        confupdtype: letter(' '),
        confdeltype: letter(' '),
        confmatchtype: letter(' '),
        conislocal: boolean(true),
        coninhcount: int4(0),
        connoinherit: boolean(false),
        ..ConstraintRow::default()
    }
}

fn check_row(table: &TableDef, check: &CheckDef) -> ConstraintRow {
    ConstraintRow {
        convalidated: boolean(check.validated),
        connoinherit: boolean(check.no_inherit),
        conkey: int2_array(check.columns.iter().copied()),
        conbin: text(&check.expression),
        ..plain_row(check.oid, &check.name, table, 'c')
    }
}

fn key_row(table: &TableDef, index: &IndexDef) -> ConstraintRow {
    ConstraintRow {
        conindid: oid(index.oid),
        condeferrable: boolean(index.deferral.is_deferrable()),
        condeferred: boolean(index.deferral.is_deferred()),
        connoinherit: boolean(true),
        conkey: int2_array(index.key.iter().map(|key| attribute_number(table, key))),
        ..plain_row(index.oid, &index.name, table, if index.primary { 'p' } else { 'u' })
    }
}

fn foreign_key_row(table: &TableDef, key: &ForeignKeyDef, catalog: &Snapshot) -> ConstraintRow {
    let some_columns = (!key.delete_columns.is_empty()).then(|| int2_array(key.delete_columns.iter().copied()));
    let [referenced, own, both] = equalities(table, key, catalog);
    ConstraintRow {
        condeferrable: boolean(key.deferral.is_deferrable()),
        condeferred: boolean(key.deferral.is_deferred()),
        convalidated: boolean(key.validated),
        connoinherit: boolean(true),
        conindid: oid(key.index),
        confrelid: oid(key.referenced),
        confupdtype: letter(key.on_update.letter()),
        confdeltype: letter(key.on_delete.letter()),
        confmatchtype: letter(if key.match_full { 'f' } else { 's' }),
        conkey: int2_array(key.columns.iter().copied()),
        confkey: int2_array(key.referenced_columns.iter().copied()),
        conppeqop: oid_array(referenced),
        conffeqop: oid_array(own),
        conpfeqop: oid_array(both),
        confdelsetcols: some_columns.unwrap_or_default(),
        ..plain_row(key.oid, &key.name, table, 'f')
    }
}

/// The numbers of the operators by which the referenced columns, the referring ones, and both with each other are equal.
fn equalities(table: &TableDef, key: &ForeignKeyDef, catalog: &Snapshot) -> [Vec<Oid>; 3] {
    let mut found = [Vec::new(), Vec::new(), Vec::new()];
    let Some(referenced) = catalog.table_by_oid(key.referenced) else { return found };
    let own = table.positions_of(&key.columns).into_iter().filter_map(|at| table.columns.get(at));
    let other =
        referenced.positions_of(&key.referenced_columns).into_iter().filter_map(|at| referenced.columns.get(at));
    for (own, other) in own.zip(other) {
        let input = |ty: Type| default_class(ty.oid).map_or(ty.oid, |class| class.input);
        let (own, other) = (input(own.ty), input(other.ty));
        let of_referenced = equality(other, other);
        found[0].push(of_referenced);
        match equality(other, own) {
            0 => {
                found[1].push(of_referenced);
                found[2].push(of_referenced);
            }
            both => {
                found[1].push(equality(own, own));
                found[2].push(both);
            }
        }
    }
    found
}

fn equality(left: Oid, right: Oid) -> Oid {
    let operators = nqdb_functions::operators_named("=").iter();
    let mut fitting = operators.filter(|operator| operator.left == Some(left) && operator.right == right);
    fitting.next().map_or(0, |operator| operator.oid)
}

/// A constraint of some table.
pub(crate) enum Constraint<'a> {
    Check(&'a CheckDef),
    Key(&'a IndexDef),
    ForeignKey(&'a ForeignKeyDef),
}

/// Finds a constraint of a domain by its number.
pub(crate) fn of_domain(catalog: &Snapshot, number: Oid) -> Option<(&TypeDef, &DomainCheck)> {
    catalog.types().find_map(|def| {
        let check = def.domain()?.checks.iter().find(|check| check.oid == number)?;
        Some((&**def, check))
    })
}

/// Finds a constraint by its number, with its table.
pub(crate) fn find(catalog: &Snapshot, number: Oid) -> Option<(&TableDef, Constraint<'_>)> {
    if let Some(Relation::Index(table, position)) = catalog.relation_by_oid(number) {
        let index = table.indexes.get(*position).filter(|index| index.constraint)?;
        return Some((table, Constraint::Key(index)));
    }
    catalog.tables().find_map(|table| {
        let check = table.checks.iter().find(|check| check.oid == number).map(Constraint::Check);
        let key = || table.foreign_keys.iter().find(|key| key.oid == number).map(|key| Constraint::ForeignKey(key));
        Some((&**table, check.or_else(key)?))
    })
}
