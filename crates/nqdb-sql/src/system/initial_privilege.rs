//! `pg_init_privs`: the access lists that objects of the system began with. pg_dump leaves them out.

use nqdb_catalog::rights::SecuredKind;
use nqdb_catalog::{INFORMATION_SCHEMA_OID, PG_CATALOG_OID, PUBLIC_SCHEMA_OID};
use nqdb_sqlstate::SqlResult;
use nqdb_types::Oid;

use super::context::{SystemContext, SystemRows};
use super::relation::{SystemRelation, relation};
use super::secured::initial_list_value;
use super::value::{int4, letter, oid};

pub(super) static RELATIONS: &[&SystemRelation] = &[&PG_INIT_PRIVS];

relation! {
    /// Access lists at the start.
    PG_INIT_PRIVS = "pg_init_privs" 3394, row_type 10090, Table, keys [], rows lists;
    InitialPrivileges {
        objoid: OID not_null, classoid: OID not_null, objsubid: INT4 not_null, privtype: CHAR_INTERNAL not_null,
        initprivs: ACLITEM_ARRAY not_null,
    }
}

fn lists(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    let relations = super::all().map(|system| (SecuredKind::Table, system.oid));
    let schemas =
        [PG_CATALOG_OID, INFORMATION_SCHEMA_OID, PUBLIC_SCHEMA_OID].map(|schema| (SecuredKind::Schema, schema));
    relations.chain(schemas).try_for_each(|(kind, object): (SecuredKind, Oid)| {
        let initprivs = initial_list_value(cx.catalog, kind, object);
        if initprivs.is_null() {
            return Ok(());
        }
        rows.push(InitialPrivileges {
            objoid: oid(object),
            classoid: oid(kind.class()),
            objsubid: int4(0),
            privtype: letter('i'),
            initprivs,
        })
    })
}
