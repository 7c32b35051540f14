//! `pg_namespace`: schemas.

use nqdb_catalog::rights::SecuredKind;
use nqdb_sqlstate::SqlResult;

use super::context::{SystemContext, SystemRows};
use super::relation::{SystemRelation, relation};
use super::secured::list_value;
use super::value::{oid, text};

pub(super) static RELATIONS: &[&SystemRelation] = &[&PG_NAMESPACE];

relation! {
    /// Schemas.
    PG_NAMESPACE = "pg_namespace" 2615, row_type 10047, Table, keys [], rows namespaces;
    Namespace {     oid: OID not_null, nspname: NAME not_null, nspowner: OID not_null, nspacl: ACLITEM_ARRAY nullable, }
}

fn namespaces(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    let mut schemas: Vec<_> = cx.catalog.schemas().collect();
    schemas.sort_unstable_by_key(|schema| schema.oid);
    schemas.into_iter().try_for_each(|schema| {
        rows.push(Namespace {
            oid: oid(schema.oid),
            nspname: text(&schema.name),
            nspowner: oid(schema.owner),
            nspacl: list_value(cx.catalog, SecuredKind::Schema, schema.oid),
        })
    })
}
