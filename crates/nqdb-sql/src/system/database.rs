//! `pg_database` and `pg_tablespace`.

use nqdb_catalog::SUPERUSER_OID;
use nqdb_catalog::rights::SecuredKind;
use nqdb_sqlstate::SqlResult;
use nqdb_types::Oid;

use super::context::{SystemContext, SystemRows};
use super::relation::{SystemRelation, relation};
use super::secured::list_value;
use super::value::{boolean, int4, letter, oid, text};

pub(super) static RELATIONS: &[&SystemRelation] = &[&PG_DATABASE, &PG_TABLESPACE];

/// PostgreSQL's number of the database `postgres`.
pub const DATABASE_OID: Oid = 5;
/// The database's name.
pub(super) const NAME: &str = "postgres";
/// PostgreSQL's numbers of its two tablespaces.
pub(super) const TABLESPACES: [(Oid, &str); 2] = [(DEFAULT_TABLESPACE, "pg_default"), (1664, "pg_global")];
pub(super) const DEFAULT_TABLESPACE: Oid = 1663;
/// UTF8.
const ENCODING: i32 = 6;

relation! {
    /// The database.
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
    rows.push(Database {
        oid: oid(DATABASE_OID),
        datname: text(NAME),
        datdba: oid(cx.catalog.database_owner()),
        encoding: int4(ENCODING),
        datlocprovider: letter('c'),
        datistemplate: boolean(false),
        datallowconn: boolean(true),
        datconnlimit: int4(-1),
        datfrozenxid: oid(0),
        datminmxid: oid(0),
        dattablespace: oid(DEFAULT_TABLESPACE),
        datacl: list_value(cx.catalog, SecuredKind::Database, DATABASE_OID),
        datcollate: text("C"),
        datctype: text("C"),
        ..Database::default()
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
