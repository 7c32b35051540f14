//! `pg_class`: tables, indexes, sequences, and the system's own relations.

use nqdb_catalog::rights::SecuredKind;
use nqdb_catalog::{Relation, ReplicaIdentity, SUPERUSER_OID, SequenceDef, Snapshot, TableDef, TypeDef, ViewDef};
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Oid, user_type_object};

use super::context::{SystemContext, SystemRows};
use super::relation::{SystemRelation, relation};
use super::secured::list_value;
use super::trigger::has_triggers;
use super::value::{boolean, int2, int4, letter, oid, text, text_array};

pub(super) static RELATIONS: &[&SystemRelation] = &[&PG_CLASS];

/// The access methods, as PostgreSQL numbers them.
pub(super) const HEAP: Oid = 2;
pub(super) const BTREE: Oid = 403;
/// Columns of a sequence: `last_value`, `log_cnt`, `is_called`.
pub(super) const SEQUENCE_COLUMNS: usize = 3;

relation! {
    /// Relations.
    PG_CLASS = "pg_class" 1259, row_type 83, Table, keys ["oid", "relname"], rows classes;
    Class {     oid: OID not_null, relname: NAME not_null, relnamespace: OID not_null, reltype: OID not_null,
    reloftype: OID not_null, relowner: OID not_null, relam: OID not_null, relfilenode: OID not_null,
    reltablespace: OID not_null, relpages: INT4 not_null, reltuples: FLOAT4 not_null,
    relallvisible: INT4 not_null, reltoastrelid: OID not_null, relhasindex: BOOL not_null,
    relisshared: BOOL not_null, relpersistence: CHAR_INTERNAL not_null, relkind: CHAR_INTERNAL not_null,
    relnatts: INT2 not_null, relchecks: INT2 not_null, relhasrules: BOOL not_null, relhastriggers: BOOL not_null,
    relhassubclass: BOOL not_null, relrowsecurity: BOOL not_null, relforcerowsecurity: BOOL not_null,
    relispopulated: BOOL not_null, relreplident: CHAR_INTERNAL not_null, relispartition: BOOL not_null,
    relrewrite: OID not_null, relfrozenxid: XID not_null, relminmxid: XID not_null,
    relacl: ACLITEM_ARRAY nullable, reloptions: TEXT_ARRAY nullable, relpartbound: PG_NODE_TREE nullable, }
}

fn classes(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    relations_wanted(cx, "oid", Some("relname")).iter().try_for_each(|relation| {
        let number = relation.oid();
        class_of(relation, cx.catalog).map_or(Ok(()), |row| rows.push(with_list(cx, number, row)))
    })?;
    let (number, name) = (cx.wanted_oid("oid"), cx.wanted_name("relname"));
    for def in composite_types(cx) {
        if number.is_none_or(|number| user_type_object(def.oid) == number) && name.is_none_or(|name| def.name == name) {
            rows.push(composite_class(def))?;
        }
    }
    super::all()
        .filter(|system| number.is_none_or(|number| system.oid == number))
        .filter(|system| name.is_none_or(|name| system.name == name))
        .try_for_each(|system| rows.push(with_list(cx, system.oid, system_class(system))))
}

/// The types that were made by CREATE TYPE .. AS (..), in the order in which they were made.
pub(super) fn composite_types<'a>(cx: &SystemContext<'a>) -> impl Iterator<Item = &'a TypeDef> {
    super::user_types::in_order(cx.catalog).into_iter().filter(|def| def.composite().is_some())
}

fn composite_class(def: &TypeDef) -> Class {
    let attributes = def.composite().map_or(0, |composite| composite.attributes().len());
    Class {
        reltype: oid(def.oid),
        relfilenode: oid(0),
        relnatts: int2(attributes),
        ..plain_class(user_type_object(def.oid), &def.name, def.schema, def.owner, 'c')
    }
}

/// A row with its access list; an index has none.
fn with_list(cx: &SystemContext<'_>, relation: Oid, row: Class) -> Class {
    Class { relacl: list_value(cx.catalog, SecuredKind::Table, relation), ..row }
}

/// The users' relations that a scan can be about, by number: one that `oid_column` or `name_column` names, or all.
pub(super) fn relations_wanted(cx: &SystemContext<'_>, oid_column: &str, name_column: Option<&str>) -> Vec<Relation> {
    if let Some(number) = cx.wanted_oid(oid_column) {
        return cx.catalog.relation_by_oid(number).cloned().into_iter().collect();
    }
    if let Some(name) = name_column.and_then(|column| cx.wanted_name(column)) {
        return cx.catalog.schemas().filter_map(|schema| cx.catalog.relation(schema.oid, name)).cloned().collect();
    }
    let of_schemas = cx.catalog.schemas().flat_map(|schema| cx.catalog.relations_of(schema.oid));
    let mut relations: Vec<Relation> = of_schemas.cloned().collect();
    relations.sort_unstable_by_key(Relation::oid);
    relations
}

fn class_of(relation: &Relation, catalog: &Snapshot) -> Option<Class> {
    let in_schema = |schema: Oid| match catalog.schema_by_oid(schema) {
        Some(schema) if schema.is_temporary() => 't',
        _ => 'p',
    };
    let row = match relation {
        Relation::Table(table) => table_class(table),
        Relation::Index(table, position) => index_class(table, *position)?,
        Relation::Sequence(sequence) => {
            // One that belongs to a column is as its table is.
            let table = sequence.owned_by.and_then(|owned_by| catalog.table_by_oid(owned_by.table));
            let persistence = table.map_or_else(|| in_schema(sequence.schema), |table| persistence(table));
            Class { relpersistence: letter(persistence), ..sequence_class(sequence) }
        }
        Relation::View(view) => Class { relpersistence: letter(in_schema(view.schema)), ..view_class(view) },
    };
    Some(Class { reltype: oid(relation.row_type().unwrap_or(0)), ..row })
}

/// What is the same for all kinds.
fn plain_class(number: Oid, name: &str, schema: Oid, owner: Oid, kind: char) -> Class {
    Class {
        oid: oid(number),
        relname: text(name),
        relnamespace: oid(schema),
        reltype: oid(0),
        reloftype: oid(0),
        relowner: oid(owner),
        relam: oid(0),
        relfilenode: oid(number),
        reltablespace: oid(0),
        relpages: int4(0),
        reltuples: Datum::Float4(0.0),
        relallvisible: int4(0),
        reltoastrelid: oid(0),
        relhasindex: boolean(false),
        relisshared: boolean(false),
        relpersistence: letter('p'),
        relkind: letter(kind),
        relnatts: int2(0),
        relchecks: int2(0),
        relhasrules: boolean(false),
        relhastriggers: boolean(false),
        relhassubclass: boolean(false),
        relrowsecurity: boolean(false),
        relforcerowsecurity: boolean(false),
        relispopulated: boolean(true),
        relreplident: letter('n'),
        relispartition: boolean(false),
        relrewrite: oid(0),
        relfrozenxid: oid(0),
        relminmxid: oid(0),
        ..Class::default()
    }
}

fn table_class(table: &TableDef) -> Class {
    let kind = if table.materialized.is_some() { 'm' } else { 'r' };
    Class {
        relam: oid(HEAP),
        reltuples: rows_of(table),
        relhasindex: boolean(!table.indexes.is_empty()),
        relnatts: int2(table.columns.len()),
        relchecks: int2(table.checks.len()),
        relreplident: letter(match table.settings.replica_identity {
            ReplicaIdentity::Default => 'd',
            ReplicaIdentity::Nothing => 'n',
            ReplicaIdentity::Full => 'f',
            ReplicaIdentity::Index(_) => 'i',
        }),
        reloptions: options(&table.settings.parameters),
        relpersistence: letter(persistence(table)),
        relispopulated: boolean(table.materialized.as_ref().is_none_or(|materialized| materialized.populated)),
        relhasrules: boolean(table.materialized.is_some()),
        relhastriggers: boolean(has_triggers(table)),
        ..plain_class(table.oid, &table.name, table.schema, table.owner, kind)
    }
}

fn persistence(table: &TableDef) -> char {
    match (table.is_temporary(), table.settings.unlogged) {
        (true, _) => 't',
        (false, true) => 'u',
        (false, false) => 'p',
    }
}

fn view_class(view: &ViewDef) -> Class {
    Class {
        relnatts: int2(view.columns.len()),
        relhasrules: boolean(true),
        relfilenode: oid(0),
        reloptions: options(&view.options),
        ..plain_class(view.oid, &view.name, view.schema, view.owner, 'v')
    }
}

/// Names and values; NULL for none.
pub(super) fn options(options: &[(String, String)]) -> Datum {
    let options: Vec<String> = options.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if options.is_empty() { Datum::Null } else { text_array(options.iter().map(String::as_str)) }
}

/// What ANALYZE counted; -1 before the first.
fn rows_of(table: &TableDef) -> Datum {
    Datum::Float4(table.statistics.as_ref().map_or(-1.0, |statistics| statistics.rows as f32))
}

fn index_class(table: &TableDef, position: usize) -> Option<Class> {
    let index = table.indexes.get(position)?;
    Some(Class {
        relam: oid(BTREE),
        reltuples: table.statistics.as_ref().map_or(Datum::Float4(0.0), |_| rows_of(table)),
        // An empty one has its root.
        relpages: int4(1),
        relnatts: int2(index.key.len() + index.included.len()),
        reloptions: options(&index.settings.parameters),
        relpersistence: letter(persistence(table)),
        ..plain_class(index.oid, &index.name, table.schema, table.owner, 'i')
    })
}

fn sequence_class(sequence: &SequenceDef) -> Class {
    Class {
        reltuples: Datum::Float4(1.0),
        relpages: int4(1),
        relnatts: int2(SEQUENCE_COLUMNS),
        ..plain_class(sequence.oid, &sequence.name, sequence.schema, sequence.owner, 'S')
    }
}

fn system_class(system: &SystemRelation) -> Class {
    let kind = if system.is_view() { 'v' } else { 'r' };
    Class {
        reltype: oid(system.row_type),
        relam: oid(if system.is_view() { 0 } else { HEAP }),
        relfilenode: oid(0),
        reltuples: Datum::Float4(-1.0),
        relisshared: boolean(system.is_shared()),
        relnatts: int2(system.columns.len()),
        relhasrules: boolean(system.is_view()),
        ..plain_class(system.oid, system.name, system.schema, SUPERUSER_OID, kind)
    }
}
