//! `pg_type`: the built-in types and the domains of `information_schema`; those of users are in `user_types`.

use nqdb_catalog::rights::SecuredKind;
use nqdb_catalog::{INFORMATION_SCHEMA_OID, PG_CATALOG_OID, SUPERUSER_OID, Snapshot};
use nqdb_sqlstate::SqlResult;
use nqdb_types::{Datum, Oid, Type, TypeInfo, TypeKind, is_user_type, oid as types, type_info};

use super::context::{SystemContext, SystemRows};
use super::relation::column_types::{CARDINAL_NUMBER, CHARACTER_DATA, SQL_IDENTIFIER, TIME_STAMP, YES_OR_NO};
use super::relation::{SystemColumn, SystemRelation, relation};
use super::secured::stored_list_value;
use super::type_functions::{TypeFunctions, type_functions};
use super::value::{boolean, int4, letter, oid, text};

pub(super) static RELATIONS: &[&SystemRelation] = &[&PG_TYPE];

relation! {
    /// Types.
    PG_TYPE = "pg_type" 1247, row_type 71, Table, keys ["oid", "typname"], rows all_types;
    TypeRow {     oid: OID not_null, typname: NAME not_null, typnamespace: OID not_null, typowner: OID not_null,
    typlen: INT2 not_null, typbyval: BOOL not_null, typtype: CHAR_INTERNAL not_null,
    typcategory: CHAR_INTERNAL not_null, typispreferred: BOOL not_null, typisdefined: BOOL not_null,
    typdelim: CHAR_INTERNAL not_null, typrelid: OID not_null, typsubscript: REGPROC not_null,
    typelem: OID not_null, typarray: OID not_null, typinput: REGPROC not_null, typoutput: REGPROC not_null,
    typreceive: REGPROC not_null, typsend: REGPROC not_null, typmodin: REGPROC not_null,
    typmodout: REGPROC not_null, typanalyze: REGPROC not_null, typalign: CHAR_INTERNAL not_null,
    typstorage: CHAR_INTERNAL not_null, typnotnull: BOOL not_null, typbasetype: OID not_null,
    typtypmod: INT4 not_null, typndims: INT4 not_null, typcollation: OID not_null,
    typdefaultbin: PG_NODE_TREE nullable, typdefault: TEXT nullable, typacl: ACLITEM_ARRAY nullable, }
}

/// PostgreSQL's numbers of the collations "default" and "C".
pub(super) const COLLATION_DEFAULT: Oid = 100;
pub(super) const COLLATION_C: Oid = 950;

/// What a column copies from its type.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TypeFacts {
    pub oid: Oid,
    pub len: i16,
    pub by_value: bool,
    pub alignment: char,
    pub storage: char,
    pub is_array: bool,
    pub collation: Oid,
}

/// A domain of `information_schema`: number, array's number, name.
const DOMAINS: [(Oid, Oid, &str); 5] = [
    (CARDINAL_NUMBER, 13220, "cardinal_number"),
    (CHARACTER_DATA, 13223, "character_data"),
    (SQL_IDENTIFIER, 13225, "sql_identifier"),
    (TIME_STAMP, 13231, "time_stamp"),
    (YES_OR_NO, 13233, "yes_or_no"),
];

/// What the system knows of a type; `None` when it does not exist.
pub(super) fn type_facts(catalog: &Snapshot, type_oid: Oid) -> Option<TypeFacts> {
    if is_user_type(type_oid) {
        return super::user_types::facts(catalog, type_oid);
    }
    if DOMAINS.iter().any(|(domain, ..)| *domain == type_oid) {
        let base = type_info(domain_base(type_oid).oid)?;
        return Some(TypeFacts { oid: type_oid, collation: domain_collation(base), ..facts_of(base) });
    }
    type_info(type_oid).map(facts_of)
}

/// How a type's values are stored (`pg_type.typstorage`); `p` for one that does not exist.
pub(crate) fn type_storage(catalog: &Snapshot, type_oid: Oid) -> char {
    type_facts(catalog, type_oid).map_or('p', |facts| facts.storage)
}

/// The name of a domain.
pub(super) fn domain_name(domain: Oid) -> Option<&'static str> {
    DOMAINS.iter().find(|(number, ..)| *number == domain).map(|(.., name)| *name)
}

/// The number of a domain.
pub(super) fn domain_number(name: &str) -> Option<Oid> {
    DOMAINS.iter().find(|(.., known)| *known == name).map(|(number, ..)| *number)
}

/// The base type of a domain.
fn domain_base(domain: Oid) -> Type {
    SystemColumn { name: "", type_oid: domain, not_null: false }.value_type()
}

fn domain_collation(base: &TypeInfo) -> Oid {
    if collation_of(base) == 0 { 0 } else { COLLATION_C }
}

fn facts_of(info: &TypeInfo) -> TypeFacts {
    TypeFacts {
        oid: info.oid,
        len: info.len,
        by_value: info.by_value,
        alignment: info.alignment,
        storage: info.storage,
        is_array: info.kind == TypeKind::Array && info.len < 0 && info.name.starts_with('_'),
        collation: collation_of(info),
    }
}

/// The collation of a type's values; 0 where they have none.
pub(crate) fn collation_of_type(type_oid: Oid) -> Oid {
    nqdb_types::type_info(type_oid).map_or(0, collation_of)
}

/// `typcollation`: of an array that of its elements.
fn collation_of(info: &TypeInfo) -> Oid {
    match info.oid {
        types::NAME | types::NAME_ARRAY => COLLATION_C,
        types::TEXT | types::BPCHAR | types::VARCHAR | types::PG_NODE_TREE => COLLATION_DEFAULT,
        types::TEXT_ARRAY | types::BPCHAR_ARRAY | types::VARCHAR_ARRAY => COLLATION_DEFAULT,
        _ => 0,
    }
}

fn all_types(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    let (number, name) = (cx.wanted_oid("oid"), cx.wanted_name("typname"));
    let is_wanted = |type_oid: Oid, type_name: &str| {
        number.is_none_or(|number| type_oid == number) && name.is_none_or(|name| type_name == name)
    };
    for info in nqdb_types::all_types().iter().filter(|info| is_wanted(info.oid, info.name)) {
        let typacl = stored_list_value(cx.catalog, SecuredKind::Type, info.oid);
        rows.push(TypeRow { typacl, ..built_in(info) })?;
    }
    for (domain, array, domain_name) in DOMAINS {
        if is_wanted(domain, domain_name)
            && let Some(row) = domain_type(domain, array, domain_name)
        {
            rows.push(row)?;
        }
        let array_name = format!("_{domain_name}");
        if is_wanted(array, &array_name)
            && let Some(row) = domain_array(domain, array, &array_name)
        {
            rows.push(row)?;
        }
    }
    super::user_types::type_rows(cx, &is_wanted, rows)
}

fn built_in(info: &TypeInfo) -> TypeRow {
    let functions = type_functions(info);
    TypeRow {
        oid: oid(info.oid),
        typname: text(info.name),
        typnamespace: oid(PG_CATALOG_OID),
        typowner: oid(SUPERUSER_OID),
        typlen: Datum::Int2(info.len),
        typbyval: boolean(info.by_value),
        typtype: letter(info.kind.typtype()),
        typcategory: letter(info.category),
        typispreferred: boolean(info.preferred),
        typisdefined: boolean(true),
        typdelim: letter(info.delimiter()),
        typrelid: oid(0),
        typelem: oid(info.element_oid),
        typarray: oid(info.array_oid),
        typalign: letter(info.alignment),
        typstorage: letter(info.storage),
        typnotnull: boolean(false),
        typbasetype: oid(0),
        typtypmod: int4(-1),
        typndims: int4(0),
        typcollation: oid(collation_of(info)),
        ..with_functions(&functions)
    }
}

pub(super) fn with_functions(functions: &TypeFunctions) -> TypeRow {
    TypeRow {
        typsubscript: oid(functions.subscript),
        typinput: oid(functions.input),
        typoutput: oid(functions.output),
        typreceive: oid(functions.receive),
        typsend: oid(functions.send),
        typmodin: oid(functions.modifier_input),
        typmodout: oid(functions.modifier_output),
        typanalyze: oid(functions.analyze),
        ..TypeRow::default()
    }
}

/// `domain_in` and `domain_recv`.
const DOMAIN_INPUT: Oid = 2597;
const DOMAIN_RECEIVE: Oid = 2598;

fn domain_type(domain: Oid, array: Oid, name: &str) -> Option<TypeRow> {
    let base = domain_base(domain);
    let info = type_info(base.oid)?;
    Some(TypeRow {
        oid: oid(domain),
        typname: text(name),
        typnamespace: oid(INFORMATION_SCHEMA_OID),
        typtype: letter('d'),
        typispreferred: boolean(false),
        typsubscript: oid(0),
        typelem: oid(0),
        typarray: oid(array),
        typinput: oid(DOMAIN_INPUT),
        typreceive: oid(DOMAIN_RECEIVE),
        typmodin: oid(0),
        typmodout: oid(0),
        typbasetype: oid(base.oid),
        typtypmod: int4(base.typmod),
        typcollation: oid(domain_collation(info)),
        ..built_in(info)
    })
}

fn domain_array(domain: Oid, array: Oid, name: &str) -> Option<TypeRow> {
    let base = type_info(domain_base(domain).oid)?;
    Some(TypeRow {
        oid: oid(array),
        typname: text(name),
        typnamespace: oid(INFORMATION_SCHEMA_OID),
        typelem: oid(domain),
        typmodin: oid(0),
        typmodout: oid(0),
        typcollation: oid(domain_collation(base)),
        ..built_in(type_info(base.array_oid)?)
    })
}
