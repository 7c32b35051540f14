//! The views of `information_schema` on roles and grants.

use super::relation::{SystemRelation, relation};

pub(super) static RELATIONS: &[&SystemRelation] = &[
    &ENABLED_ROLES,
    &APPLICABLE_ROLES,
    &ADMINISTRABLE_ROLE_AUTHORIZATIONS,
    &TABLE_PRIVILEGES,
    &ROLE_TABLE_GRANTS,
    &COLUMN_PRIVILEGES,
    &ROLE_COLUMN_GRANTS,
    &USAGE_PRIVILEGES,
    &ROLE_USAGE_GRANTS,
];

relation! {
    ENABLED_ROLES = "enabled_roles" 13325, row_type 13327, information_schema View, query "
        SELECT rolname FROM pg_authid WHERE pg_has_role(oid, 'USAGE')";
    {
        role_name: SQL_IDENTIFIER,
    }
}

relation! {
    APPLICABLE_ROLES = "applicable_roles" 13236, row_type 13238, information_schema View, query "
        SELECT m.rolname, r.rolname, CASE WHEN x.admin_option THEN 'YES' ELSE 'NO' END
        FROM pg_auth_members x
        JOIN pg_authid m ON m.oid = x.member
        JOIN pg_authid r ON r.oid = x.roleid
        WHERE pg_has_role(m.oid, 'USAGE')
        UNION
        SELECT m.rolname, r.rolname, 'NO'
        FROM pg_database d
        JOIN pg_authid m ON m.oid = d.datdba
        JOIN pg_authid r ON r.rolname = 'pg_database_owner'
        WHERE d.datname = current_database() AND pg_has_role(m.oid, 'USAGE')";
    {
        grantee: SQL_IDENTIFIER, role_name: SQL_IDENTIFIER, is_grantable: YES_OR_NO,
    }
}

relation! {
    ADMINISTRABLE_ROLE_AUTHORIZATIONS = "administrable_role_authorizations" 13241, row_type 13243, information_schema View, query "
        SELECT m.rolname, r.rolname, CASE WHEN x.admin_option THEN 'YES' ELSE 'NO' END
        FROM pg_auth_members x
        JOIN pg_authid m ON m.oid = x.member
        JOIN pg_authid r ON r.oid = x.roleid
        WHERE pg_has_role(m.oid, 'USAGE') AND x.admin_option";
    {
        grantee: SQL_IDENTIFIER, role_name: SQL_IDENTIFIER, is_grantable: YES_OR_NO,
    }
}

relation! {
    TABLE_PRIVILEGES = "table_privileges" 13416, row_type 13418, information_schema View, query "
        SELECT g.rolname, u.rolname, current_database(), n.nspname, c.relname, a.privilege_type,
               CASE WHEN a.is_grantable OR u.oid <> 0 AND pg_has_role(u.oid, c.relowner, 'USAGE') THEN 'YES' ELSE 'NO' END,
               CASE WHEN a.privilege_type = 'SELECT' THEN 'YES' ELSE 'NO' END
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS a
        JOIN pg_authid g ON g.oid = a.grantor
        JOIN (SELECT oid, rolname FROM pg_authid UNION ALL SELECT 0::oid, 'PUBLIC') AS u(oid, rolname) ON u.oid = a.grantee
        WHERE c.relkind IN ('r', 'v', 'f', 'p') AND (pg_has_role(g.oid, 'USAGE') OR pg_has_role(u.oid, 'USAGE') OR u.oid = 0)";
    {
        grantor: SQL_IDENTIFIER, grantee: SQL_IDENTIFIER, table_catalog: SQL_IDENTIFIER,
        table_schema: SQL_IDENTIFIER, table_name: SQL_IDENTIFIER,
        privilege_type: CHARACTER_DATA, is_grantable: YES_OR_NO,
        with_hierarchy: YES_OR_NO,
    }
}

relation! {
    ROLE_TABLE_GRANTS = "role_table_grants" 13421, row_type 13423, information_schema View, query "
        SELECT g.rolname, u.rolname, current_database(), n.nspname, c.relname, a.privilege_type,
               CASE WHEN a.is_grantable OR u.oid <> 0 AND pg_has_role(u.oid, c.relowner, 'USAGE') THEN 'YES' ELSE 'NO' END,
               CASE WHEN a.privilege_type = 'SELECT' THEN 'YES' ELSE 'NO' END
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS a
        JOIN pg_authid g ON g.oid = a.grantor
        JOIN (SELECT oid, rolname FROM pg_authid UNION ALL SELECT 0::oid, 'PUBLIC') AS u(oid, rolname) ON u.oid = a.grantee
        WHERE c.relkind IN ('r', 'v', 'f', 'p') AND (pg_has_role(g.oid, 'USAGE') OR u.oid <> 0 AND pg_has_role(u.oid, 'USAGE'))";
    {
        grantor: SQL_IDENTIFIER, grantee: SQL_IDENTIFIER, table_catalog: SQL_IDENTIFIER,
        table_schema: SQL_IDENTIFIER, table_name: SQL_IDENTIFIER,
        privilege_type: CHARACTER_DATA, is_grantable: YES_OR_NO,
        with_hierarchy: YES_OR_NO,
    }
}

relation! {
    COLUMN_PRIVILEGES = "column_privileges" 13285, row_type 13287, information_schema View, query "
        SELECT g.rolname, u.rolname, current_database(), n.nspname, x.relname, x.attname, x.privilege_type,
               CASE WHEN x.is_grantable OR u.oid <> 0 AND pg_has_role(u.oid, x.relowner, 'USAGE') THEN 'YES' ELSE 'NO' END
        FROM (SELECT c.relnamespace, c.relname, c.relowner, t.attname, a.grantor, a.grantee, a.privilege_type, a.is_grantable
              FROM pg_class c
              CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS a
              JOIN pg_attribute t ON t.attrelid = c.oid
              WHERE c.relkind IN ('r', 'v', 'f', 'p') AND t.attnum > 0 AND NOT t.attisdropped
              UNION
              SELECT c.relnamespace, c.relname, c.relowner, t.attname, a.grantor, a.grantee, a.privilege_type, a.is_grantable
              FROM pg_class c
              JOIN pg_attribute t ON t.attrelid = c.oid
              CROSS JOIN LATERAL aclexplode(t.attacl) AS a
              WHERE c.relkind IN ('r', 'v', 'f', 'p') AND t.attnum > 0 AND NOT t.attisdropped) AS x
        JOIN pg_namespace n ON n.oid = x.relnamespace
        JOIN pg_authid g ON g.oid = x.grantor
        JOIN (SELECT oid, rolname FROM pg_authid UNION ALL SELECT 0::oid, 'PUBLIC') AS u(oid, rolname) ON u.oid = x.grantee
        WHERE x.privilege_type IN ('INSERT', 'SELECT', 'UPDATE', 'REFERENCES') AND (pg_has_role(g.oid, 'USAGE') OR pg_has_role(u.oid, 'USAGE') OR u.oid = 0)";
    {
        grantor: SQL_IDENTIFIER, grantee: SQL_IDENTIFIER, table_catalog: SQL_IDENTIFIER,
        table_schema: SQL_IDENTIFIER, table_name: SQL_IDENTIFIER, column_name: SQL_IDENTIFIER,
        privilege_type: CHARACTER_DATA, is_grantable: YES_OR_NO,
    }
}

relation! {
    ROLE_COLUMN_GRANTS = "role_column_grants" 13344, row_type 13346, information_schema View, query "
        SELECT g.rolname, u.rolname, current_database(), n.nspname, x.relname, x.attname, x.privilege_type,
               CASE WHEN x.is_grantable OR u.oid <> 0 AND pg_has_role(u.oid, x.relowner, 'USAGE') THEN 'YES' ELSE 'NO' END
        FROM (SELECT c.relnamespace, c.relname, c.relowner, t.attname, a.grantor, a.grantee, a.privilege_type, a.is_grantable
              FROM pg_class c
              CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS a
              JOIN pg_attribute t ON t.attrelid = c.oid
              WHERE c.relkind IN ('r', 'v', 'f', 'p') AND t.attnum > 0 AND NOT t.attisdropped
              UNION
              SELECT c.relnamespace, c.relname, c.relowner, t.attname, a.grantor, a.grantee, a.privilege_type, a.is_grantable
              FROM pg_class c
              JOIN pg_attribute t ON t.attrelid = c.oid
              CROSS JOIN LATERAL aclexplode(t.attacl) AS a
              WHERE c.relkind IN ('r', 'v', 'f', 'p') AND t.attnum > 0 AND NOT t.attisdropped) AS x
        JOIN pg_namespace n ON n.oid = x.relnamespace
        JOIN pg_authid g ON g.oid = x.grantor
        JOIN (SELECT oid, rolname FROM pg_authid UNION ALL SELECT 0::oid, 'PUBLIC') AS u(oid, rolname) ON u.oid = x.grantee
        WHERE x.privilege_type IN ('INSERT', 'SELECT', 'UPDATE', 'REFERENCES') AND (pg_has_role(g.oid, 'USAGE') OR u.oid <> 0 AND pg_has_role(u.oid, 'USAGE'))";
    {
        grantor: SQL_IDENTIFIER, grantee: SQL_IDENTIFIER, table_catalog: SQL_IDENTIFIER,
        table_schema: SQL_IDENTIFIER, table_name: SQL_IDENTIFIER, column_name: SQL_IDENTIFIER,
        privilege_type: CHARACTER_DATA, is_grantable: YES_OR_NO,
    }
}

relation! {
    USAGE_PRIVILEGES = "usage_privileges" 13454, row_type 13456, information_schema View, query "
        SELECT g.rolname, 'PUBLIC', current_database(), n.nspname, c.collname, 'COLLATION', 'USAGE', 'NO'
        FROM pg_collation c
        JOIN pg_namespace n ON n.oid = c.collnamespace
        JOIN pg_authid g ON g.oid = c.collowner
        WHERE c.collencoding IN (-1, 6)
        UNION ALL
        SELECT g.rolname, u.rolname, current_database(), n.nspname, t.typname, 'DOMAIN', 'USAGE',
               CASE WHEN a.is_grantable OR u.oid <> 0 AND pg_has_role(u.oid, t.typowner, 'USAGE') THEN 'YES' ELSE 'NO' END
        FROM pg_type t
        JOIN pg_namespace n ON n.oid = t.typnamespace
        CROSS JOIN LATERAL aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) AS a
        JOIN pg_authid g ON g.oid = a.grantor
        JOIN (SELECT oid, rolname FROM pg_authid UNION ALL SELECT 0::oid, 'PUBLIC') AS u(oid, rolname) ON u.oid = a.grantee
        WHERE t.typtype = 'd' AND a.privilege_type = 'USAGE' AND (pg_has_role(g.oid, 'USAGE') OR pg_has_role(u.oid, 'USAGE') OR u.oid = 0)
        UNION ALL
        SELECT g.rolname, u.rolname, current_database(), n.nspname, c.relname, 'SEQUENCE', 'USAGE',
               CASE WHEN a.is_grantable OR u.oid <> 0 AND pg_has_role(u.oid, c.relowner, 'USAGE') THEN 'YES' ELSE 'NO' END
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('s', c.relowner))) AS a
        JOIN pg_authid g ON g.oid = a.grantor
        JOIN (SELECT oid, rolname FROM pg_authid UNION ALL SELECT 0::oid, 'PUBLIC') AS u(oid, rolname) ON u.oid = a.grantee
        WHERE c.relkind = 'S' AND a.privilege_type = 'USAGE' AND (pg_has_role(g.oid, 'USAGE') OR pg_has_role(u.oid, 'USAGE') OR u.oid = 0)";
    {
        grantor: SQL_IDENTIFIER, grantee: SQL_IDENTIFIER, object_catalog: SQL_IDENTIFIER,
        object_schema: SQL_IDENTIFIER, object_name: SQL_IDENTIFIER, object_type: CHARACTER_DATA,
        privilege_type: CHARACTER_DATA, is_grantable: YES_OR_NO,
    }
}

relation! {
    ROLE_USAGE_GRANTS = "role_usage_grants" 13459, row_type 13461, information_schema View, query "
        SELECT g.rolname, u.rolname, current_database(), n.nspname, t.typname, 'DOMAIN', 'USAGE',
               CASE WHEN a.is_grantable OR u.oid <> 0 AND pg_has_role(u.oid, t.typowner, 'USAGE') THEN 'YES' ELSE 'NO' END
        FROM pg_type t
        JOIN pg_namespace n ON n.oid = t.typnamespace
        CROSS JOIN LATERAL aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) AS a
        JOIN pg_authid g ON g.oid = a.grantor
        JOIN (SELECT oid, rolname FROM pg_authid UNION ALL SELECT 0::oid, 'PUBLIC') AS u(oid, rolname) ON u.oid = a.grantee
        WHERE t.typtype = 'd' AND a.privilege_type = 'USAGE' AND (pg_has_role(g.oid, 'USAGE') OR u.oid <> 0 AND pg_has_role(u.oid, 'USAGE'))
        UNION ALL
        SELECT g.rolname, u.rolname, current_database(), n.nspname, c.relname, 'SEQUENCE', 'USAGE',
               CASE WHEN a.is_grantable OR u.oid <> 0 AND pg_has_role(u.oid, c.relowner, 'USAGE') THEN 'YES' ELSE 'NO' END
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('s', c.relowner))) AS a
        JOIN pg_authid g ON g.oid = a.grantor
        JOIN (SELECT oid, rolname FROM pg_authid UNION ALL SELECT 0::oid, 'PUBLIC') AS u(oid, rolname) ON u.oid = a.grantee
        WHERE c.relkind = 'S' AND a.privilege_type = 'USAGE' AND (pg_has_role(g.oid, 'USAGE') OR u.oid <> 0 AND pg_has_role(u.oid, 'USAGE'))";
    {
        grantor: SQL_IDENTIFIER, grantee: SQL_IDENTIFIER, object_catalog: SQL_IDENTIFIER,
        object_schema: SQL_IDENTIFIER, object_name: SQL_IDENTIFIER, object_type: CHARACTER_DATA,
        privilege_type: CHARACTER_DATA, is_grantable: YES_OR_NO,
    }
}
