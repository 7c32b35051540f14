//! `pg_collation` and `pg_conversion`: one order of texts, and one encoding.

use nqdb_catalog::{PG_CATALOG_OID, SUPERUSER_OID};
use nqdb_sqlstate::SqlResult;

use super::context::{SystemContext, SystemRows};
use super::object_name::COLLATIONS;
use super::relation::{SystemRelation, relation};
use super::types::COLLATION_DEFAULT;
use super::value::{boolean, int4, letter, oid, text};
use nqdb_types::{Datum, Oid};

pub(super) static RELATIONS: &[&SystemRelation] = &[&PG_COLLATION, &PG_CONVERSION];

relation! {
    /// Collations: all compare bytes.
    PG_COLLATION = "pg_collation" 3456, row_type 10095, Table, keys [], rows collations;
    Collation {     oid: OID not_null, collname: NAME not_null, collnamespace: OID not_null, collowner: OID not_null,
    collprovider: CHAR_INTERNAL not_null, collisdeterministic: BOOL not_null, collencoding: INT4 not_null,
    collcollate: TEXT nullable, collctype: TEXT nullable, colliculocale: TEXT nullable,
    collversion: TEXT nullable, }
}

relation! {
    /// Conversions between encodings: there is one encoding.
    PG_CONVERSION = "pg_conversion" 2607, row_type 10049, Table, empty;
    {     oid: OID not_null, conname: NAME not_null, connamespace: OID not_null, conowner: OID not_null,
    conforencoding: INT4 not_null, contoencoding: INT4 not_null, conproc: REGPROC not_null,
    condefault: BOOL not_null, }
}

/// The number of a collation.
pub(crate) fn collation_number(name: &str) -> Option<Oid> {
    COLLATIONS.iter().find(|(_, known)| *known == name).map(|(number, _)| *number)
}

/// The name of a collation.
pub(super) fn collation_name(number: Oid) -> Option<&'static str> {
    COLLATIONS.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

fn collations(_cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    COLLATIONS.iter().try_for_each(|(number, name)| {
        let is_default = *number == COLLATION_DEFAULT;
        let locale = || if is_default { Datum::Null } else { text(name) };
        rows.push(Collation {
            oid: oid(*number),
            collname: text(name),
            collnamespace: oid(PG_CATALOG_OID),
            collowner: oid(SUPERUSER_OID),
            collprovider: letter(if is_default { 'd' } else { 'c' }),
            collisdeterministic: boolean(true),
            collencoding: int4(-1),
            collcollate: locale(),
            collctype: locale(),
            ..Collation::default()
        })
    })
}
