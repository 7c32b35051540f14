//! `pg_language` and `pg_extension`: functions are built in, and nothing can be added.

use nqdb_catalog::SUPERUSER_OID;
use nqdb_catalog::rights::SecuredKind;
use nqdb_sqlstate::SqlResult;
use nqdb_types::Oid;

use super::context::{SystemContext, SystemRows};
use super::relation::{SystemRelation, relation};
use super::secured::list_value;
use super::value::{boolean, oid, text};

pub(super) static RELATIONS: &[&SystemRelation] = &[&PG_LANGUAGE, &PG_EXTENSION];

/// What built-in functions are written in.
pub(super) const INTERNAL_LANGUAGE: Oid = 12;

relation! {
    /// Languages of functions.
    PG_LANGUAGE = "pg_language" 2612, row_type 10021, Table, keys [], rows languages;
    Language {     oid: OID not_null, lanname: NAME not_null, lanowner: OID not_null, lanispl: BOOL not_null,
    lanpltrusted: BOOL not_null, lanplcallfoid: OID not_null, laninline: OID not_null,
    lanvalidator: OID not_null, lanacl: ACLITEM_ARRAY nullable, }
}

relation! {
    /// Extensions: there are none.
    PG_EXTENSION = "pg_extension" 3079, row_type 10074, Table, empty;
    {     oid: OID not_null, extname: NAME not_null, extowner: OID not_null, extnamespace: OID not_null,
    extrelocatable: BOOL not_null, extversion: TEXT not_null, extconfig: OID_ARRAY nullable,
    extcondition: TEXT_ARRAY nullable, }
}

fn languages(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    rows.push(Language {
        oid: oid(INTERNAL_LANGUAGE),
        lanname: text("internal"),
        lanowner: oid(SUPERUSER_OID),
        lanispl: boolean(false),
        lanpltrusted: boolean(false),
        lanplcallfoid: oid(0),
        laninline: oid(0),
        lanvalidator: oid(0),
        lanacl: list_value(cx.catalog, SecuredKind::Language, INTERNAL_LANGUAGE),
    })
}
