//! `pg_authid`, `pg_auth_members`, `pg_db_role_setting`, `pg_default_acl`: roles and what is stored about them.

use nqdb_catalog::SUPERUSER_OID;
use nqdb_catalog::rights::{MONITOR_PARTS, PG_MONITOR};
use nqdb_sqlstate::SqlResult;
use nqdb_types::Datum;

use super::context::{SystemContext, SystemRows};
use super::relation::{SystemRelation, relation};
use super::secured::items_value;
use super::value::{boolean, int4, letter, oid, optional_text, text, text_array};

pub(super) static RELATIONS: &[&SystemRelation] = &[&PG_AUTHID, &PG_AUTH_MEMBERS, &PG_DB_ROLE_SETTING, &PG_DEFAULT_ACL];

relation! {
    /// Roles, with their passwords.
    PG_AUTHID = "pg_authid" 1260, row_type 2842, PrivateSharedTable, keys [], rows roles;
    Role {     oid: OID not_null, rolname: NAME not_null, rolsuper: BOOL not_null, rolinherit: BOOL not_null,
    rolcreaterole: BOOL not_null, rolcreatedb: BOOL not_null, rolcanlogin: BOOL not_null,
    rolreplication: BOOL not_null, rolbypassrls: BOOL not_null, rolconnlimit: INT4 not_null,
    rolpassword: TEXT nullable, rolvaliduntil: TIMESTAMPTZ nullable, }
}

relation! {
    /// Roles in roles.
    PG_AUTH_MEMBERS = "pg_auth_members" 1261, row_type 2843, SharedTable, keys [], rows members;
    Member {     roleid: OID not_null, member: OID not_null, grantor: OID not_null, admin_option: BOOL not_null, }
}

relation! {
    /// What sessions start with.
    PG_DB_ROLE_SETTING = "pg_db_role_setting" 2964, row_type 10054, SharedTable, keys [], rows settings;
    RoleSetting {     setdatabase: OID not_null, setrole: OID not_null, setconfig: TEXT_ARRAY nullable, }
}

relation! {
    /// ALTER DEFAULT PRIVILEGES.
    PG_DEFAULT_ACL = "pg_default_acl" 826, row_type 10088, Table, keys [], rows default_lists;
    DefaultList {     oid: OID not_null, defaclrole: OID not_null, defaclnamespace: OID not_null,
    defaclobjtype: CHAR_INTERNAL not_null, defaclacl: ACLITEM_ARRAY not_null, }
}

fn roles(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    let mut roles: Vec<_> = cx.catalog.roles().collect();
    roles.sort_unstable_by_key(|role| role.oid);
    roles.into_iter().try_for_each(|role| {
        rows.push(Role {
            oid: oid(role.oid),
            rolname: text(&role.name),
            rolsuper: boolean(role.superuser),
            rolinherit: boolean(role.inherit),
            rolcreaterole: boolean(role.create_role),
            rolcreatedb: boolean(role.create_database),
            rolcanlogin: boolean(role.can_login),
            rolreplication: boolean(role.replication),
            rolbypassrls: boolean(role.bypass_row_security),
            rolconnlimit: int4(role.connection_limit),
            rolpassword: optional_text(role.password.as_deref()),
            rolvaliduntil: role.valid_until.map_or(Datum::Null, Datum::TimestampTz),
        })
    })
}

/// The parts of `pg_monitor` are granted from the start, the rest by GRANT.
fn members(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    for part in MONITOR_PARTS {
        rows.push(Member {
            roleid: oid(part),
            member: oid(PG_MONITOR),
            grantor: oid(SUPERUSER_OID),
            admin_option: boolean(false),
        })?;
    }
    cx.catalog.memberships().try_for_each(|membership| {
        rows.push(Member {
            roleid: oid(membership.role),
            member: oid(membership.member),
            grantor: oid(membership.grantor),
            admin_option: boolean(membership.admin_option),
        })
    })
}

fn settings(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    cx.catalog.role_settings().try_for_each(|found| {
        let texts: Vec<String> = found.settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        rows.push(RoleSetting {
            setdatabase: oid(found.database),
            setrole: oid(found.role),
            setconfig: text_array(texts.iter().map(String::as_str)),
        })
    })
}

fn default_lists(cx: &SystemContext<'_>, rows: &mut SystemRows<'_>) -> SqlResult<()> {
    cx.catalog.defaults().try_for_each(|default| {
        rows.push(DefaultList {
            oid: oid(default.oid),
            defaclrole: oid(default.role),
            defaclnamespace: oid(default.schema),
            defaclobjtype: letter(default.kind.default_letter()),
            defaclacl: items_value(cx.catalog, &default.items),
        })
    })
}
