//! `pg_authid` and `pg_auth_members`: roles.

use nqdb_sqlstate::SqlResult;
use nqdb_types::Datum;

use super::context::{SystemContext, SystemRows};
use super::relation::{SystemRelation, relation};
use super::value::{boolean, int4, oid, optional_text, text};

pub(super) static RELATIONS: &[&SystemRelation] = &[&PG_AUTHID, &PG_AUTH_MEMBERS];

relation! {
    /// Roles, with their passwords.
    PG_AUTHID = "pg_authid" 1260, row_type 2842, PrivateSharedTable, keys [], rows roles;
    Role {     oid: OID not_null, rolname: NAME not_null, rolsuper: BOOL not_null, rolinherit: BOOL not_null,
    rolcreaterole: BOOL not_null, rolcreatedb: BOOL not_null, rolcanlogin: BOOL not_null,
    rolreplication: BOOL not_null, rolbypassrls: BOOL not_null, rolconnlimit: INT4 not_null,
    rolpassword: TEXT nullable, rolvaliduntil: TIMESTAMPTZ nullable, }
}

relation! {
    /// Roles in roles: there are none.
    PG_AUTH_MEMBERS = "pg_auth_members" 1261, row_type 2843, SharedTable, empty;
    {     roleid: OID not_null, member: OID not_null, grantor: OID not_null, admin_option: BOOL not_null, }
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
