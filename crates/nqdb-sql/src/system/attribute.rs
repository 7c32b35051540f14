//! `pg_attribute` and `pg_attrdef`: columns and their defaults.

use nqdb_catalog::{ColumnDef, Relation, TableDef, TypeDef, ViewDef, type_reference};
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Oid, Type, is_user_type, oid as types, user_type_object};

use super::class::{composite_types, relations_wanted};
use super::context::{SystemContext, SystemRows};
use super::relation::{SystemRelation, relation};
use super::secured::column_list_value;
use super::types::{COLLATION_C, TypeFacts, type_facts};
use super::value::{boolean, int4, letter, no_letter, oid, text};

pub(super) static RELATIONS: &[&SystemRelation] = &[&PG_ATTRIBUTE, &PG_ATTRDEF];

relation! {
    /// Columns.
    PG_ATTRIBUTE = "pg_attribute" 1249, row_type 75, Table, keys ["attrelid"], rows attributes;
    Attribute {     attrelid: OID not_null, attname: NAME not_null, atttypid: OID not_null, attstattarget: INT4 not_null,
    attlen: INT2 not_null, attnum: INT2 not_null, attndims: INT4 not_null, attcacheoff: INT4 not_null,
    atttypmod: INT4 not_null, attbyval: BOOL not_null, attalign: CHAR_INTERNAL not_null,
    attstorage: CHAR_INTERNAL not_null, attcompression: CHAR_INTERNAL not_null, attnotnull: BOOL not_null,
    atthasdef: BOOL not_null, atthasmissing: BOOL not_null, attidentity: CHAR_INTERNAL not_null,
    attgenerated: CHAR_INTERNAL not_null, attisdropped: BOOL not_null, attislocal: BOOL not_null,
    attinhcount: INT4 not_null, attcollation: OID not_null, attacl: ACLITEM_ARRAY nullable,
    attoptions: TEXT_ARRAY nullable, attfdwoptions: TEXT_ARRAY nullable, attmissingval: ANYARRAY nullable, }
}

relation! {
    /// Defaults of columns.
    PG_ATTRDEF = "pg_attrdef" 2604, row_type 10001, Table, keys ["adrelid"], rows defaults;
    DefaultRow {     oid: OID not_null, adrelid: OID not_null, adnum: INT2 not_null, adbin: PG_NODE_TREE not_null, }
}

/// The columns that every table has besides its own: name, number, type.
pub(crate) const SYSTEM_COLUMNS: [(&str, i16, Oid); 6] = [
    ("ctid", -1, types::TID),
    ("xmin", -2, types::XID),
    ("cmin", -3, types::CID),
    ("xmax", -4, types::XID),
    ("cmax", -5, types::CID),
    ("tableoid", -6, types::OID),
];

/// What differs from column to column.
struct Column<'a> {
    relation: Oid,
    name: &'a str,
    number: i16,
    ty: Type,
    not_null: bool,
}

fn attributes(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    for relation in relations_wanted(cx, "attrelid", None) {
        match relation {
            Relation::Table(table) => table_attributes(cx, &table, rows)?,
            Relation::Index(table, position) => index_attributes(cx, &table, position, rows)?,
            Relation::Sequence(sequence) => sequence_attributes(cx, sequence.oid, rows)?,
            Relation::View(view) => view_attributes(cx, &view, rows)?,
        }
    }
    let wanted = cx.wanted_oid("attrelid");
    for def in composite_types(cx).filter(|def| wanted.is_none_or(|wanted| user_type_object(def.oid) == wanted)) {
        composite_attributes(cx, def, rows)?;
    }
    for system in super::all().filter(|system| wanted.is_none_or(|wanted| system.oid == wanted)) {
        system_attributes(cx, system, rows)?;
    }
    Ok(())
}

fn table_attributes(cx: &SystemContext<'_>, table: &TableDef, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    for column in &table.columns {
        rows.push(table_attribute(cx, table, column))?;
    }
    system_columns(cx, table.oid, rows)
}

fn composite_attributes(cx: &SystemContext<'_>, def: &TypeDef, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    let attributes = def.composite().map(|composite| composite.attributes()).unwrap_or_default();
    for (number, attribute_def) in (1..).zip(attributes) {
        let relation = user_type_object(def.oid);
        let described =
            Column { relation, name: &attribute_def.name, number, ty: attribute_def.ty.ty(), not_null: false };
        let mut row = attribute(cx, &described);
        if attribute_def.collate_c {
            row.attcollation = oid(COLLATION_C);
        }
        if attribute_def.dropped {
            row = Attribute { atttypid: oid(0), attisdropped: boolean(true), ..row };
        }
        rows.push(row)?;
    }
    Ok(())
}

fn view_attributes(cx: &SystemContext<'_>, view: &ViewDef, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    for (number, column) in (1..).zip(&view.columns) {
        let described = Column { relation: view.oid, name: &column.name, number, ty: column.ty(), not_null: false };
        rows.push(attribute(cx, &described))?;
    }
    Ok(())
}

fn table_attribute(cx: &SystemContext<'_>, table: &TableDef, column: &ColumnDef) -> Attribute {
    if column.dropped {
        return dropped_attribute(cx, table, column);
    }
    let described = Column {
        relation: table.oid,
        name: &column.name,
        number: column.attnum,
        ty: column.ty,
        not_null: column.not_null,
    };
    Attribute {
        atthasdef: boolean(column.default.is_some()),
        atthasmissing: boolean(column.missing.is_some()),
        attgenerated: if column.generated.is_some() { letter('s') } else { no_letter() },
        attidentity: match column.identity {
            Some(identity) => letter(if identity.always { 'a' } else { 'd' }),
            None => no_letter(),
        },
        attstattarget: int4(column.settings.statistics_target.unwrap_or(-1)),
        attcompression: column.settings.compression.map_or_else(no_letter, letter),
        attoptions: super::class::options(&column.settings.parameters),
        ..with_storage(attribute(cx, &described), column.settings.storage)
    }
}

fn with_storage(row: Attribute, storage: Option<char>) -> Attribute {
    match storage {
        Some(storage) => Attribute { attstorage: letter(storage), ..row },
        None => row,
    }
}

/// The place that a dropped column leaves.
fn dropped_attribute(cx: &SystemContext<'_>, table: &TableDef, column: &ColumnDef) -> Attribute {
    let name = format!("........pg.dropped.{}........", column.attnum);
    let described = Column { relation: table.oid, name: &name, number: column.attnum, ty: column.ty, not_null: false };
    Attribute { atttypid: oid(0), attisdropped: boolean(true), ..attribute(cx, &described) }
}

fn index_attributes(
    cx: &SystemContext<'_>,
    table: &TableDef,
    position: usize,
    rows: &mut SystemRows<'_>,
) -> SqlResult<()> {
    let Some(index) = table.indexes.get(position) else { return Ok(()) };
    let mut number = 0;
    for (key, options) in index.key.iter().zip(&index.options) {
        number += 1;
        let name = match index.expression(key) {
            Some(expression) => &expression.name,
            None => table.columns.get(key.column).map_or("", |column| &column.name),
        };
        let mut row = attribute(cx, &Column { relation: index.oid, name, number, ty: key.ty, not_null: false });
        if let Some((_, target)) = index.settings.statistics_targets.iter().find(|(at, _)| *at == number) {
            row.attstattarget = int4(*target);
        }
        if let Some(collation) = options.collation {
            row.attcollation = oid(collation);
        }
        rows.push(row)?;
    }
    for column in index.included.iter().filter_map(|position| table.columns.get(*position)) {
        number += 1;
        let described = Column { relation: index.oid, name: &column.name, number, ty: column.ty, not_null: false };
        rows.push(attribute(cx, &described))?;
    }
    Ok(())
}

fn sequence_attributes(cx: &SystemContext<'_>, sequence: Oid, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    let columns = [("last_value", Type::INT8), ("log_cnt", Type::INT8), ("is_called", Type::BOOL)];
    for (number, (name, ty)) in (1..).zip(columns) {
        rows.push(attribute(cx, &Column { relation: sequence, name, number, ty, not_null: true }))?;
    }
    system_columns(cx, sequence, rows)
}

fn system_attributes(cx: &SystemContext<'_>, system: &SystemRelation, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    for (number, column) in (1..).zip(system.columns) {
        let ty = Type::new(column.type_oid);
        let described = Column { relation: system.oid, name: column.name, number, ty, not_null: column.not_null };
        let mut row = attribute(cx, &described);
        if column.type_oid == types::TEXT && !system.is_view() {
            row.attcollation = oid(COLLATION_C);
        }
        rows.push(row)?;
    }
    if system.is_view() { Ok(()) } else { system_columns(cx, system.oid, rows) }
}

fn system_columns(cx: &SystemContext<'_>, relation: Oid, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    SYSTEM_COLUMNS.iter().try_for_each(|&(name, number, type_oid)| {
        rows.push(attribute(cx, &Column { relation, name, number, ty: Type::new(type_oid), not_null: true }))
    })
}

fn attribute(cx: &SystemContext<'_>, column: &Column<'_>) -> Attribute {
    let facts = type_facts(cx.catalog, column.ty.declared_oid()).unwrap_or_default();
    // What modifies a domain's values belongs to the domain.
    let typmod = if column.ty.domain == 0 { column.ty.typmod } else { -1 };
    Attribute {
        attnotnull: boolean(column.not_null),
        attacl: column_list_value(cx.catalog, column.relation, column.number),
        ..attribute_of_type(column.relation, column.name, column.number, typmod, &facts)
    }
}

fn attribute_of_type(relation: Oid, name: &str, number: i16, typmod: i32, facts: &TypeFacts) -> Attribute {
    Attribute {
        attrelid: oid(relation),
        attname: text(name),
        atttypid: oid(facts.oid),
        attstattarget: int4(if number < 0 { 0 } else { -1 }),
        attlen: Datum::Int2(facts.len),
        attnum: Datum::Int2(number),
        attndims: int4(i32::from(facts.is_array)),
        attcacheoff: int4(-1),
        atttypmod: int4(typmod),
        attbyval: boolean(facts.by_value),
        attalign: letter(facts.alignment),
        attstorage: letter(facts.storage),
        attcompression: no_letter(),
        attnotnull: boolean(false),
        atthasdef: boolean(false),
        atthasmissing: boolean(false),
        attidentity: no_letter(),
        attgenerated: no_letter(),
        attisdropped: boolean(false),
        attislocal: boolean(true),
        attinhcount: int4(0),
        attcollation: oid(facts.collation),
        ..Attribute::default()
    }
}

/// The number of a column's default: made of its place, because the catalog gives none.
///
/// Numbers of objects grow from 16384 upwards; these fill the upper half from its end downwards.
pub(super) fn default_oid(table: Oid, number: i16) -> Oid {
    let place = table.wrapping_mul(1_600).wrapping_add(Oid::from(number.unsigned_abs()));
    Oid::MAX - place % (1 << 31)
}

fn defaults(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    for relation in relations_wanted(cx, "adrelid", None) {
        let Relation::Table(table) = relation else { continue };
        for (_, column) in table.live_columns() {
            let Some(default) = &column.default else { continue };
            rows.push(DefaultRow {
                oid: oid(default_oid(table.oid, column.attnum)),
                adrelid: oid(table.oid),
                adnum: Datum::Int2(column.attnum),
                adbin: text(&typed_default(default, column.ty)),
            })?;
        }
    }
    Ok(())
}

/// A default with the type of its column, where it would have none by itself: a bare literal or NULL.
pub(crate) fn typed_default(default: &str, column: Type) -> String {
    let written = default.trim();
    let inner = written.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    let is_literal = inner.is_some_and(|inner| !inner.replace("''", "").contains('\''));
    if is_literal || written.eq_ignore_ascii_case("null") {
        if is_user_type(column.declared_oid()) {
            return format!("{written}::\"{}\"", type_reference(column.declared_oid()));
        }
        return format!("{written}::{}", Type::new(column.oid).name());
    }
    written.to_string()
}
