//! `pg_database` and `pg_tablespace`.

use nqdb_catalog::SUPERUSER_OID;
use nqdb_catalog::rights::SecuredKind;
use nqdb_sqlstate::SqlResult;
use nqdb_types::Oid;

use super::context::{SystemContext, SystemRows};
use super::relation::{SystemRelation, relation};
use super::secured::{list_value, stored_list_value};
use super::value::{boolean, int4, letter, oid, text};

pub(super) static RELATIONS: &[&SystemRelation] = &[&PG_DATABASE, &PG_TABLESPACE];

/// PostgreSQL's numbers of its two tablespaces.
pub(super) const TABLESPACES: [(Oid, &str); 2] = [(DEFAULT_TABLESPACE, "pg_default"), (1664, "pg_global")];
pub(super) const DEFAULT_TABLESPACE: Oid = 1663;
/// UTF8.
const ENCODING: i32 = 6;

relation! {
    /// Databases.
    PG_DATABASE = "pg_database" 1262, row_type 1248, SharedTable, keys [], rows databases;
    Database {     oid: OID not_null, datname: NAME not_null, datdba: OID not_null, encoding: INT4 not_null,
    datlocprovider: CHAR_INTERNAL not_null, datistemplate: BOOL not_null, datallowconn: BOOL not_null,
    datconnlimit: INT4 not_null, datfrozenxid: XID not_null, datminmxid: XID not_null,
    dattablespace: OID not_null, datcollate: TEXT not_null, datctype: TEXT not_null, daticulocale: TEXT nullable,
    datcollversion: TEXT nullable, datacl: ACLITEM_ARRAY nullable, }
}

relation! {
    /// Tablespaces: the two that always exist.
    PG_TABLESPACE = "pg_tablespace" 1213, row_type 10056, SharedTable, keys [], rows tablespaces;
    Tablespace {     oid: OID not_null, spcname: NAME not_null, spcowner: OID not_null, spcacl: ACLITEM_ARRAY nullable,
    spcoptions: TEXT_ARRAY nullable, }
}

fn databases(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    cx.catalog.databases().try_for_each(|found| {
        rows.push(Database {
            oid: oid(found.oid),
            datname: text(&found.name),
            datdba: oid(found.owner),
            encoding: int4(ENCODING),
            datlocprovider: letter('c'),
            datistemplate: boolean(found.is_template),
            datallowconn: boolean(found.allow_connections),
            datconnlimit: int4(found.connection_limit),
            datfrozenxid: oid(0),
            datminmxid: oid(0),
            dattablespace: oid(DEFAULT_TABLESPACE),
            datacl: stored_list_value(cx.catalog, SecuredKind::Database, found.oid),
            datcollate: text("C"),
            datctype: text("C"),
            ..Database::default()
        })
    })
}

fn tablespaces(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    TABLESPACES.iter().try_for_each(|(number, name)| {
        rows.push(Tablespace {
            oid: oid(*number),
            spcname: text(name),
            spcowner: oid(SUPERUSER_OID),
            spcacl: list_value(cx.catalog, SecuredKind::Tablespace, *number),
            ..Tablespace::default()
        })
    })
}
