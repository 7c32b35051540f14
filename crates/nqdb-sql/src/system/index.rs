//! `pg_index`: what `pg_class` does not say of indexes.

use nqdb_catalog::{IndexDef, Relation, ReplicaIdentity, TableDef};
use nqdb_sqlstate::SqlResult;
use nqdb_types::key::KeyColumn;
use nqdb_types::{Datum, Oid};

use super::access_method::default_class;
use super::class::relations_wanted;
use super::context::{SystemContext, SystemRows};
use super::relation::{SystemRelation, relation};
use super::types::type_facts;
use super::value::{boolean, int2, int2_vector, oid, oid_vector, text};

pub(super) static RELATIONS: &[&SystemRelation] = &[&PG_INDEX];

relation! {
    /// Indexes.
    PG_INDEX = "pg_index" 2610, row_type 10007, Table, keys ["indexrelid", "indrelid"], rows indexes;
    IndexRow {     indexrelid: OID not_null, indrelid: OID not_null, indnatts: INT2 not_null, indnkeyatts: INT2 not_null,
    indisunique: BOOL not_null, indnullsnotdistinct: BOOL not_null, indisprimary: BOOL not_null,
    indisexclusion: BOOL not_null, indimmediate: BOOL not_null, indisclustered: BOOL not_null,
    indisvalid: BOOL not_null, indcheckxmin: BOOL not_null, indisready: BOOL not_null, indislive: BOOL not_null,
    indisreplident: BOOL not_null, indkey: INT2VECTOR not_null, indcollation: OIDVECTOR not_null,
    indclass: OIDVECTOR not_null, indoption: INT2VECTOR not_null, indexprs: PG_NODE_TREE nullable,
    indpred: PG_NODE_TREE nullable, }
}

/// Bits of `indoption`.
const DESCENDING: i16 = 1;
const NULLS_FIRST: i16 = 2;

fn indexes(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    if cx.wanted_oid("indexrelid").is_some() {
        for relation in relations_wanted(cx, "indexrelid", None) {
            if let Relation::Index(table, position) = relation
                && let Some(index) = table.indexes.get(position)
            {
                rows.push(index_row(cx, &table, index))?;
            }
        }
        return Ok(());
    }
    for relation in relations_wanted(cx, "indrelid", None) {
        if let Relation::Table(table) = relation {
            table.indexes.iter().try_for_each(|index| rows.push(index_row(cx, &table, index)))?;
        }
    }
    Ok(())
}

fn index_row(cx: &SystemContext<'_>, table: &TableDef, index: &IndexDef) -> IndexRow {
    let classes =
        index.key.iter().zip(&index.options).map(|(key, options)| {
            options.class.or_else(|| default_class(key.ty.oid).map(|class| class.oid)).unwrap_or(0)
        });
    let included = index.included.iter().map(|position| table.columns.get(*position).map_or(0, |column| column.attnum));
    IndexRow {
        indexrelid: oid(index.oid),
        indrelid: oid(table.oid),
        indnatts: int2(index.key.len() + index.included.len()),
        indnkeyatts: int2(index.key.len()),
        indisunique: boolean(index.unique),
        indnullsnotdistinct: boolean(index.nulls_not_distinct),
        indisprimary: boolean(index.primary),
        indisexclusion: boolean(false),
        indimmediate: boolean(!index.deferral.is_deferrable()),
        indisclustered: boolean(index.settings.clustered),
        indisvalid: boolean(true),
        indcheckxmin: boolean(false),
        indisready: boolean(true),
        indislive: boolean(true),
        indisreplident: boolean(table.settings.replica_identity == ReplicaIdentity::Index(index.oid)),
        indkey: int2_vector(index.key.iter().map(|key| attribute_number(table, key)).chain(included)),
        indcollation: oid_vector(
            index
                .key
                .iter()
                .zip(&index.options)
                .map(|(key, options)| options.collation.unwrap_or_else(|| collation(cx, key))),
        ),
        indclass: oid_vector(classes),
        indoption: int2_vector(index.key.iter().map(options)),
        indexprs: expressions(index),
        indpred: index.predicate().map_or(Datum::Null, text),
    }
}

/// The expressions of the key, in the form that `pg_get_expr` takes: their texts, with commas between them.
fn expressions(index: &IndexDef) -> Datum {
    let texts: Vec<&str> =
        index.key.iter().filter_map(|key| index.expression(key)).map(|expression| expression.text.as_str()).collect();
    if texts.is_empty() { Datum::Null } else { text(&texts.join(", ")) }
}

/// The number of a key's column; 0 for an expression.
pub(super) fn attribute_number(table: &TableDef, key: &KeyColumn) -> i16 {
    table.columns.get(key.column).map_or(0, |column| column.attnum)
}

fn collation(cx: &SystemContext<'_>, key: &KeyColumn) -> Oid {
    type_facts(cx.catalog, key.ty.oid).map_or(0, |facts| facts.collation)
}

fn options(key: &KeyColumn) -> i16 {
    let descending = if key.descending { DESCENDING } else { 0 };
    descending | if key.nulls_first { NULLS_FIRST } else { 0 }
}
