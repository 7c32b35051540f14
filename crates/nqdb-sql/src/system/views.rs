//! The system views that are queries over other system relations.

use super::relation::{SystemRelation, relation};

pub(super) static RELATIONS: &[&SystemRelation] = &[
    &PG_ROLES,
    &PG_SHADOW,
    &PG_USER,
    &PG_GROUP,
    &PG_TABLES,
    &PG_VIEWS,
    &PG_INDEXES,
    &PG_SEQUENCES,
    &PG_STAT_ALL_TABLES,
    &PG_STAT_USER_TABLES,
    &PG_STAT_SYS_TABLES,
    &PG_STAT_ALL_INDEXES,
    &PG_STAT_USER_INDEXES,
    &PG_STAT_SYS_INDEXES,
];

relation! {
    PG_ROLES = "pg_roles" 12000, row_type 12002, pg_catalog View, query "
        SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolconnlimit,
               '********', rolvaliduntil, rolbypassrls, s.setconfig, oid
        FROM pg_authid LEFT JOIN pg_db_role_setting s ON s.setrole = oid AND s.setdatabase = 0";
    {
        rolname: NAME, rolsuper: BOOL, rolinherit: BOOL, rolcreaterole: BOOL,
        rolcreatedb: BOOL, rolcanlogin: BOOL, rolreplication: BOOL,
        rolconnlimit: INT4, rolpassword: TEXT, rolvaliduntil: TIMESTAMPTZ,
        rolbypassrls: BOOL, rolconfig: TEXT_ARRAY, oid: OID,
    }
}

relation! {
    PG_SHADOW = "pg_shadow" 12005, row_type 12007, pg_catalog PrivateView, query "
        SELECT rolname, oid, rolcreatedb, rolsuper, rolreplication, rolbypassrls, rolpassword, rolvaliduntil, s.setconfig
        FROM pg_authid LEFT JOIN pg_db_role_setting s ON s.setrole = oid AND s.setdatabase = 0 WHERE rolcanlogin";
    {
        usename: NAME, usesysid: OID, usecreatedb: BOOL, usesuper: BOOL,
        userepl: BOOL, usebypassrls: BOOL, passwd: TEXT, valuntil: TIMESTAMPTZ,
        useconfig: TEXT_ARRAY,
    }
}

relation! {
    PG_USER = "pg_user" 12014, row_type 12016, pg_catalog View, query "
        SELECT rolname, oid, rolcreatedb, rolsuper, rolreplication, rolbypassrls, '********', rolvaliduntil, s.setconfig
        FROM pg_authid LEFT JOIN pg_db_role_setting s ON s.setrole = oid AND s.setdatabase = 0 WHERE rolcanlogin";
    {
        usename: NAME, usesysid: OID, usecreatedb: BOOL, usesuper: BOOL,
        userepl: BOOL, usebypassrls: BOOL, passwd: TEXT, valuntil: TIMESTAMPTZ,
        useconfig: TEXT_ARRAY,
    }
}

relation! {
    PG_GROUP = "pg_group" 12010, row_type 12012, pg_catalog View, query "
        SELECT rolname, oid, ARRAY(SELECT m.member FROM pg_auth_members m WHERE m.roleid = oid)
        FROM pg_authid WHERE NOT rolcanlogin";
    {
        groname: NAME, grosysid: OID, grolist: OID_ARRAY,
    }
}

relation! {
    PG_TABLES = "pg_tables" 12033, row_type 12035, pg_catalog View, query "
        SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner), NULL, c.relhasindex, c.relhasrules, c.relhastriggers,
               c.relrowsecurity
        FROM pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p')";
    {
        schemaname: NAME, tablename: NAME, tableowner: NAME, tablespace: NAME,
        hasindexes: BOOL, hasrules: BOOL, hastriggers: BOOL, rowsecurity: BOOL,
    }
}

relation! {
    PG_VIEWS = "pg_views" 12028, row_type 12030, pg_catalog View, query "
        SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner), pg_get_viewdef(c.oid)
        FROM pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'v'";
    {
        schemaname: NAME, viewname: NAME, viewowner: NAME, definition: TEXT,
    }
}

relation! {
    PG_INDEXES = "pg_indexes" 12043, row_type 12045, pg_catalog View, query "
        SELECT n.nspname, c.relname, i.relname, NULL, pg_get_indexdef(i.oid)
        FROM pg_index x
        JOIN pg_class c ON c.oid = x.indrelid
        JOIN pg_class i ON i.oid = x.indexrelid
        LEFT JOIN pg_namespace n ON n.oid = c.relnamespace";
    {
        schemaname: NAME, tablename: NAME, indexname: NAME, tablespace: NAME,
        indexdef: TEXT,
    }
}

relation! {
    PG_SEQUENCES = "pg_sequences" 12048, row_type 12050, pg_catalog View, query "
        SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner), s.seqtypid::regtype, s.seqstart, s.seqmin, s.seqmax,
               s.seqincrement, s.seqcycle, s.seqcache,
               CASE WHEN has_sequence_privilege(c.oid, 'SELECT,USAGE') THEN pg_sequence_last_value(c.oid::regclass) END
        FROM pg_sequence s
        JOIN pg_class c ON c.oid = s.seqrelid
        LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE NOT pg_is_other_temp_schema(n.oid)";
    {
        schemaname: NAME, sequencename: NAME, sequenceowner: NAME,
        data_type: REGTYPE, start_value: INT8, min_value: INT8, max_value: INT8,
        increment_by: INT8, cycle: BOOL, cache_size: INT8, last_value: INT8,
    }
}

relation! {
    PG_STAT_ALL_TABLES = "pg_stat_all_tables" 12142, row_type 12144, pg_catalog View, query "
        SELECT c.oid, n.nspname, c.relname, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, c.reltuples::int8, NULL, NULL,
               NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
        FROM pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r'";
    {
        relid: OID, schemaname: NAME, relname: NAME, seq_scan: INT8,
        seq_tup_read: INT8, idx_scan: INT8, idx_tup_fetch: INT8, n_tup_ins: INT8,
        n_tup_upd: INT8, n_tup_del: INT8, n_tup_hot_upd: INT8, n_live_tup: INT8,
        n_dead_tup: INT8, n_mod_since_analyze: INT8, n_ins_since_vacuum: INT8,
        last_vacuum: TIMESTAMPTZ, last_autovacuum: TIMESTAMPTZ, last_analyze: TIMESTAMPTZ,
        last_autoanalyze: TIMESTAMPTZ, vacuum_count: INT8, autovacuum_count: INT8,
        analyze_count: INT8, autoanalyze_count: INT8,
    }
}

relation! {
    PG_STAT_USER_TABLES = "pg_stat_user_tables" 12161, row_type 12163, pg_catalog View, query "
        SELECT c.oid, n.nspname, c.relname, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, c.reltuples::int8, NULL, NULL,
               NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
        FROM pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')";
    {
        relid: OID, schemaname: NAME, relname: NAME, seq_scan: INT8,
        seq_tup_read: INT8, idx_scan: INT8, idx_tup_fetch: INT8, n_tup_ins: INT8,
        n_tup_upd: INT8, n_tup_del: INT8, n_tup_hot_upd: INT8, n_live_tup: INT8,
        n_dead_tup: INT8, n_mod_since_analyze: INT8, n_ins_since_vacuum: INT8,
        last_vacuum: TIMESTAMPTZ, last_autovacuum: TIMESTAMPTZ, last_analyze: TIMESTAMPTZ,
        last_autoanalyze: TIMESTAMPTZ, vacuum_count: INT8, autovacuum_count: INT8,
        analyze_count: INT8, autoanalyze_count: INT8,
    }
}

relation! {
    PG_STAT_SYS_TABLES = "pg_stat_sys_tables" 12152, row_type 12154, pg_catalog View, query "
        SELECT c.oid, n.nspname, c.relname, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, c.reltuples::int8, NULL, NULL,
               NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
        FROM pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND n.nspname IN ('pg_catalog', 'information_schema')";
    {
        relid: OID, schemaname: NAME, relname: NAME, seq_scan: INT8,
        seq_tup_read: INT8, idx_scan: INT8, idx_tup_fetch: INT8, n_tup_ins: INT8,
        n_tup_upd: INT8, n_tup_del: INT8, n_tup_hot_upd: INT8, n_live_tup: INT8,
        n_dead_tup: INT8, n_mod_since_analyze: INT8, n_ins_since_vacuum: INT8,
        last_vacuum: TIMESTAMPTZ, last_autovacuum: TIMESTAMPTZ, last_analyze: TIMESTAMPTZ,
        last_autoanalyze: TIMESTAMPTZ, vacuum_count: INT8, autovacuum_count: INT8,
        analyze_count: INT8, autoanalyze_count: INT8,
    }
}

relation! {
    PG_STAT_ALL_INDEXES = "pg_stat_all_indexes" 12183, row_type 12185, pg_catalog View, query "
        SELECT c.oid, i.oid, n.nspname, c.relname, i.relname, NULL, NULL, NULL
        FROM pg_index x
        JOIN pg_class c ON c.oid = x.indrelid
        JOIN pg_class i ON i.oid = x.indexrelid
        LEFT JOIN pg_namespace n ON n.oid = c.relnamespace";
    {
        relid: OID, indexrelid: OID, schemaname: NAME, relname: NAME,
        indexrelname: NAME, idx_scan: INT8, idx_tup_read: INT8,
        idx_tup_fetch: INT8,
    }
}

relation! {
    PG_STAT_USER_INDEXES = "pg_stat_user_indexes" 12192, row_type 12194, pg_catalog View, query "
        SELECT c.oid, i.oid, n.nspname, c.relname, i.relname, NULL, NULL, NULL
        FROM pg_index x
        JOIN pg_class c ON c.oid = x.indrelid
        JOIN pg_class i ON i.oid = x.indexrelid
        LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')";
    {
        relid: OID, indexrelid: OID, schemaname: NAME, relname: NAME,
        indexrelname: NAME, idx_scan: INT8, idx_tup_read: INT8,
        idx_tup_fetch: INT8,
    }
}

relation! {
    PG_STAT_SYS_INDEXES = "pg_stat_sys_indexes" 12188, row_type 12190, pg_catalog View, query "
        SELECT c.oid, i.oid, n.nspname, c.relname, i.relname, NULL, NULL, NULL
        FROM pg_index x
        JOIN pg_class c ON c.oid = x.indrelid
        JOIN pg_class i ON i.oid = x.indexrelid
        LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('pg_catalog', 'information_schema')";
    {
        relid: OID, indexrelid: OID, schemaname: NAME, relname: NAME,
        indexrelname: NAME, idx_scan: INT8, idx_tup_read: INT8,
        idx_tup_fetch: INT8,
    }
}
