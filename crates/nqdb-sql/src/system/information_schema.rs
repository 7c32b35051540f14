//! `information_schema` (SQL:2016 part 11; PostgreSQL manual, chapter 37): queries over `pg_catalog`.

use super::relation::{SystemRelation, relation};

pub(super) static RELATIONS: &[&SystemRelation] = &[
    &INFORMATION_SCHEMA_CATALOG_NAME,
    &SCHEMATA,
    &TABLES,
    &VIEWS,
    &COLUMNS,
    &DOMAINS,
    &DOMAIN_CONSTRAINTS,
    &TABLE_CONSTRAINTS,
    &CHECK_CONSTRAINTS,
    &REFERENTIAL_CONSTRAINTS,
    &KEY_COLUMN_USAGE,
    &CONSTRAINT_COLUMN_USAGE,
    &CONSTRAINT_TABLE_USAGE,
    &SEQUENCES,
    &COLLATIONS,
    &CHARACTER_SETS,
];

relation! {
    INFORMATION_SCHEMA_CATALOG_NAME = "information_schema_catalog_name" 13227, row_type 13229, information_schema View, query "
        SELECT current_database()";
    {
        catalog_name: SQL_IDENTIFIER,
    }
}

relation! {
    SCHEMATA = "schemata" 13382, row_type 13384, information_schema View, query "
        SELECT current_database(), n.nspname, u.rolname, NULL, NULL, NULL, NULL
        FROM pg_namespace n JOIN pg_authid u ON u.oid = n.nspowner
        WHERE pg_has_role(n.nspowner, 'USAGE') OR has_schema_privilege(n.oid, 'CREATE, USAGE')";
    {
        catalog_name: SQL_IDENTIFIER, schema_name: SQL_IDENTIFIER,
        schema_owner: SQL_IDENTIFIER, default_character_set_catalog: SQL_IDENTIFIER,
        default_character_set_schema: SQL_IDENTIFIER, default_character_set_name: SQL_IDENTIFIER,
        sql_path: CHARACTER_DATA,
    }
}

relation! {
    TABLES = "tables" 13425, row_type 13427, information_schema View, query "
        SELECT current_database(), n.nspname, c.relname,
               CASE WHEN c.relpersistence = 't' THEN 'LOCAL TEMPORARY' WHEN c.relkind = 'v' THEN 'VIEW' ELSE 'BASE TABLE' END,
               NULL, NULL, NULL, NULL, NULL,
               CASE WHEN c.relkind IN ('r', 'p') OR c.relkind = 'v' AND pg_relation_is_updatable(c.oid, false) & 8 = 8
                    THEN 'YES' ELSE 'NO' END,
               'NO', NULL
        FROM pg_namespace n JOIN pg_class c ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'v', 'f', 'p') AND NOT pg_is_other_temp_schema(n.oid)
          AND (pg_has_role(c.relowner, 'USAGE')
               OR has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'))";
    {
        table_catalog: SQL_IDENTIFIER, table_schema: SQL_IDENTIFIER,
        table_name: SQL_IDENTIFIER, table_type: CHARACTER_DATA,
        self_referencing_column_name: SQL_IDENTIFIER, reference_generation: CHARACTER_DATA,
        user_defined_type_catalog: SQL_IDENTIFIER, user_defined_type_schema: SQL_IDENTIFIER,
        user_defined_type_name: SQL_IDENTIFIER, is_insertable_into: YES_OR_NO,
        is_typed: YES_OR_NO, commit_action: CHARACTER_DATA,
    }
}

relation! {
    VIEWS = "views" 13483, row_type 13485, information_schema View, query "
        SELECT current_database(), n.nspname, c.relname,
               CASE WHEN pg_has_role(c.relowner, 'USAGE') THEN pg_get_viewdef(c.oid) END,
               CASE WHEN 'check_option=cascaded' = ANY (c.reloptions) THEN 'CASCADED'
                    WHEN 'check_option=local' = ANY (c.reloptions) THEN 'LOCAL' ELSE 'NONE' END,
               CASE WHEN pg_relation_is_updatable(c.oid, false) & 20 = 20 THEN 'YES' ELSE 'NO' END,
               CASE WHEN pg_relation_is_updatable(c.oid, false) & 8 = 8 THEN 'YES' ELSE 'NO' END, 'NO', 'NO', 'NO'
        FROM pg_namespace n JOIN pg_class c ON n.oid = c.relnamespace
        WHERE c.relkind = 'v' AND NOT pg_is_other_temp_schema(n.oid)
          AND (pg_has_role(c.relowner, 'USAGE')
               OR has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'))";
    {
        table_catalog: SQL_IDENTIFIER, table_schema: SQL_IDENTIFIER,
        table_name: SQL_IDENTIFIER, view_definition: CHARACTER_DATA,
        check_option: CHARACTER_DATA, is_updatable: YES_OR_NO,
        is_insertable_into: YES_OR_NO, is_trigger_updatable: YES_OR_NO,
        is_trigger_deletable: YES_OR_NO, is_trigger_insertable_into: YES_OR_NO,
    }
}

relation! {
    COLUMNS = "columns" 13295, row_type 13297, information_schema View, query "
        SELECT current_database(), a.nspname, a.relname, a.attname, a.attnum, a.column_default,
               CASE WHEN a.attnotnull THEN 'NO' ELSE 'YES' END,
               CASE WHEN a.is_array THEN 'ARRAY' WHEN a.type_schema = 'pg_catalog' THEN format_type(a.typid, NULL)
                    ELSE 'USER-DEFINED' END,
               CASE WHEN a.typmod <> -1 AND a.typid IN (1042, 1043) THEN a.typmod - 4
                    WHEN a.typmod <> -1 AND a.typid IN (1560, 1562) THEN a.typmod END,
               CASE WHEN a.typid NOT IN (25, 1042, 1043) THEN NULL
                    WHEN a.typmod = -1 THEN 1073741824
                    ELSE (a.typmod - 4) * 4 END,
               CASE a.typid WHEN 21 THEN 16 WHEN 23 THEN 32 WHEN 20 THEN 64 WHEN 700 THEN 24 WHEN 701 THEN 53
                            WHEN 1700 THEN CASE WHEN a.typmod <> -1 THEN ((a.typmod - 4) >> 16) & 65535 END END,
               CASE WHEN a.typid IN (20, 21, 23, 700, 701) THEN 2 WHEN a.typid = 1700 THEN 10 END,
               CASE WHEN a.typid IN (20, 21, 23) THEN 0
                    WHEN a.typid = 1700 AND a.typmod <> -1 THEN (((a.typmod - 4) & 2047) # 1024) - 1024 END,
               CASE WHEN a.typid = 1082 THEN 0
                    WHEN a.typid IN (1083, 1114, 1184, 1266) THEN CASE WHEN a.typmod < 0 THEN 6 ELSE a.typmod END
                    WHEN a.typid = 1186 THEN CASE WHEN a.typmod < 0 OR a.typmod & 65535 = 65535 THEN 6
                                                  ELSE a.typmod & 65535 END END,
               CASE WHEN a.typid = 1186 THEN upper(substring(format_type(a.typid, a.typmod), 'interval[()0-9]* (.+)')) END,
               NULL, NULL, NULL, NULL,
               a.collation_catalog, a.collation_schema, a.collation_name,
               a.domain_catalog, a.domain_schema, a.domain_name,
               current_database(), a.type_schema, a.type_name,
               NULL, NULL, NULL, NULL, a.attnum::text, 'NO',
               CASE WHEN a.attidentity IN ('a', 'd') THEN 'YES' ELSE 'NO' END,
               CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END,
               seq.seqstart::text, seq.seqincrement::text, seq.seqmax::text, seq.seqmin::text,
               CASE WHEN a.attidentity IN ('a', 'd') THEN CASE WHEN seq.seqcycle THEN 'YES' ELSE 'NO' END ELSE 'NO' END,
               CASE WHEN a.attgenerated = '' THEN 'NEVER' ELSE 'ALWAYS' END,
               CASE WHEN a.attgenerated <> '' THEN a.generation END,
               CASE WHEN a.relkind IN ('r', 'p') OR a.relkind = 'v' AND pg_column_is_updatable(a.attrelid, a.attnum, false)
                    THEN 'YES' ELSE 'NO' END
        FROM (SELECT n.nspname, c.relname, c.relkind, a.attrelid, a.attname, a.attnum,
                     a.attnotnull OR t.typtype = 'd' AND t.typnotnull AS attnotnull, a.attidentity,
                     a.attgenerated,
                     CASE WHEN a.attgenerated = '' THEN pg_get_expr(ad.adbin, ad.adrelid) END AS column_default,
                     CASE WHEN a.attgenerated <> '' THEN pg_get_expr(ad.adbin, ad.adrelid) END AS generation,
                     CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE a.atttypid END AS typid,
                     CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END AS typmod,
                     t.typelem <> 0 AND t.typlen = -1 AND t.typtype <> 'd' AS is_array,
                     CASE WHEN t.typtype = 'd' THEN nbt.nspname ELSE nt.nspname END AS type_schema,
                     CASE WHEN t.typtype = 'd' THEN bt.typname ELSE t.typname END AS type_name,
                     CASE WHEN t.typtype = 'd' THEN current_database() END AS domain_catalog,
                     CASE WHEN t.typtype = 'd' THEN nt.nspname END AS domain_schema,
                     CASE WHEN t.typtype = 'd' THEN t.typname END AS domain_name,
                     CASE WHEN co.oid IS NOT NULL THEN current_database() END AS collation_catalog,
                     nco.nspname AS collation_schema, co.collname AS collation_name
              FROM pg_attribute a
              JOIN pg_class c ON c.oid = a.attrelid
              JOIN pg_namespace n ON n.oid = c.relnamespace
              JOIN pg_type t ON t.oid = a.atttypid
              JOIN pg_namespace nt ON nt.oid = t.typnamespace
              LEFT JOIN pg_attrdef ad ON ad.adrelid = a.attrelid AND ad.adnum = a.attnum
              LEFT JOIN pg_type bt ON t.typtype = 'd' AND bt.oid = t.typbasetype
              LEFT JOIN pg_namespace nbt ON nbt.oid = bt.typnamespace
              LEFT JOIN pg_collation co ON co.oid = a.attcollation AND co.collname <> 'default'
              LEFT JOIN pg_namespace nco ON nco.oid = co.collnamespace
              WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v', 'f', 'p')
                AND NOT pg_is_other_temp_schema(n.oid)
                AND (pg_has_role(c.relowner, 'USAGE')
                     OR has_column_privilege(c.oid, a.attnum, 'SELECT, INSERT, UPDATE, REFERENCES'))) AS a
        LEFT JOIN pg_depend dep ON a.attidentity <> '' AND dep.refclassid = 1259 AND dep.refobjid = a.attrelid
              AND dep.refobjsubid = a.attnum AND dep.classid = 1259 AND dep.deptype = 'i'
        LEFT JOIN pg_sequence seq ON seq.seqrelid = dep.objid";
    {
        table_catalog: SQL_IDENTIFIER, table_schema: SQL_IDENTIFIER,
        table_name: SQL_IDENTIFIER, column_name: SQL_IDENTIFIER,
        ordinal_position: CARDINAL_NUMBER, column_default: CHARACTER_DATA,
        is_nullable: YES_OR_NO, data_type: CHARACTER_DATA,
        character_maximum_length: CARDINAL_NUMBER, character_octet_length: CARDINAL_NUMBER,
        numeric_precision: CARDINAL_NUMBER, numeric_precision_radix: CARDINAL_NUMBER,
        numeric_scale: CARDINAL_NUMBER, datetime_precision: CARDINAL_NUMBER,
        interval_type: CHARACTER_DATA, interval_precision: CARDINAL_NUMBER,
        character_set_catalog: SQL_IDENTIFIER, character_set_schema: SQL_IDENTIFIER,
        character_set_name: SQL_IDENTIFIER, collation_catalog: SQL_IDENTIFIER,
        collation_schema: SQL_IDENTIFIER, collation_name: SQL_IDENTIFIER,
        domain_catalog: SQL_IDENTIFIER, domain_schema: SQL_IDENTIFIER,
        domain_name: SQL_IDENTIFIER, udt_catalog: SQL_IDENTIFIER,
        udt_schema: SQL_IDENTIFIER, udt_name: SQL_IDENTIFIER,
        scope_catalog: SQL_IDENTIFIER, scope_schema: SQL_IDENTIFIER,
        scope_name: SQL_IDENTIFIER, maximum_cardinality: CARDINAL_NUMBER,
        dtd_identifier: SQL_IDENTIFIER, is_self_referencing: YES_OR_NO,
        is_identity: YES_OR_NO, identity_generation: CHARACTER_DATA,
        identity_start: CHARACTER_DATA, identity_increment: CHARACTER_DATA,
        identity_maximum: CHARACTER_DATA, identity_minimum: CHARACTER_DATA,
        identity_cycle: YES_OR_NO, is_generated: CHARACTER_DATA,
        generation_expression: CHARACTER_DATA, is_updatable: YES_OR_NO,
    }
}

relation! {
    TABLE_CONSTRAINTS = "table_constraints" 13411, row_type 13413, information_schema View, query "
        SELECT current_database(), nc.nspname, c.conname, current_database(), nr.nspname, r.relname,
               CASE c.contype WHEN 'c' THEN 'CHECK' WHEN 'f' THEN 'FOREIGN KEY' WHEN 'p' THEN 'PRIMARY KEY' WHEN 'u' THEN 'UNIQUE'
               END,
               CASE WHEN c.condeferrable THEN 'YES' ELSE 'NO' END, CASE WHEN c.condeferred THEN 'YES' ELSE 'NO' END, 'YES',
               CASE WHEN c.contype = 'u' THEN 'YES' END
        FROM pg_constraint c
        JOIN pg_class r ON r.oid = c.conrelid
        JOIN pg_namespace nr ON nr.oid = r.relnamespace
        JOIN pg_namespace nc ON nc.oid = c.connamespace
        WHERE c.contype IN ('c', 'f', 'p', 'u') AND r.relkind IN ('r', 'p') AND NOT pg_is_other_temp_schema(nr.oid)
          AND (pg_has_role(r.relowner, 'USAGE')
               OR has_table_privilege(r.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'))
        UNION ALL
        SELECT current_database(), nr.nspname,
               nr.oid::text || '_' || r.oid::text || '_' || a.attnum::text || '_not_null',
               current_database(), nr.nspname, r.relname, 'CHECK', 'NO', 'NO', 'YES', NULL
        FROM pg_attribute a
        JOIN pg_class r ON r.oid = a.attrelid
        JOIN pg_namespace nr ON nr.oid = r.relnamespace
        WHERE a.attnotnull AND a.attnum > 0 AND NOT a.attisdropped AND r.relkind IN ('r', 'p') AND NOT pg_is_other_temp_schema(nr.oid)
          AND (pg_has_role(r.relowner, 'USAGE')
               OR has_table_privilege(r.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'))";
    {
        constraint_catalog: SQL_IDENTIFIER, constraint_schema: SQL_IDENTIFIER,
        constraint_name: SQL_IDENTIFIER, table_catalog: SQL_IDENTIFIER,
        table_schema: SQL_IDENTIFIER, table_name: SQL_IDENTIFIER,
        constraint_type: CHARACTER_DATA, is_deferrable: YES_OR_NO,
        initially_deferred: YES_OR_NO, enforced: YES_OR_NO, nulls_distinct: YES_OR_NO,
    }
}

relation! {
    CHECK_CONSTRAINTS = "check_constraints" 13260, row_type 13262, information_schema View, query "
        SELECT current_database(), nc.nspname, c.conname,
               substring(pg_get_constraintdef(c.oid) FROM 7)
        FROM pg_constraint c
        LEFT JOIN pg_class r ON r.oid = c.conrelid
        LEFT JOIN pg_type t ON t.oid = c.contypid
        JOIN pg_namespace nc ON nc.oid = c.connamespace
        WHERE c.contype = 'c' AND pg_has_role(coalesce(r.relowner, t.typowner), 'USAGE')
        UNION ALL
        SELECT current_database(), n.nspname,
               n.oid::text || '_' || r.oid::text || '_' || a.attnum::text || '_not_null', a.attname || ' IS NOT NULL'
        FROM pg_namespace n
        JOIN pg_class r ON r.relnamespace = n.oid
        JOIN pg_attribute a ON a.attrelid = r.oid
        WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull AND r.relkind IN ('r', 'p')
          AND pg_has_role(r.relowner, 'USAGE')";
    {
        constraint_catalog: SQL_IDENTIFIER, constraint_schema: SQL_IDENTIFIER,
        constraint_name: SQL_IDENTIFIER, check_clause: CHARACTER_DATA,
    }
}

relation! {
    REFERENTIAL_CONSTRAINTS = "referential_constraints" 13339, row_type 13341, information_schema View, query "
        SELECT current_database(), n.nspname, c.conname, CASE WHEN ni.nspname IS NOT NULL THEN current_database() END,
               ni.nspname, i.conname, CASE c.confmatchtype WHEN 'f' THEN 'FULL' ELSE 'NONE' END,
               CASE c.confupdtype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT'
                    WHEN 'r' THEN 'RESTRICT' WHEN 'a' THEN 'NO ACTION' END,
               CASE c.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT'
                    WHEN 'r' THEN 'RESTRICT' WHEN 'a' THEN 'NO ACTION' END
        FROM pg_constraint c
        JOIN pg_namespace n ON n.oid = c.connamespace
        JOIN pg_class r ON r.oid = c.conrelid
        LEFT JOIN pg_constraint i ON i.conindid = c.conindid AND i.contype IN ('p', 'u') AND i.conrelid = c.confrelid
        LEFT JOIN pg_namespace ni ON ni.oid = i.connamespace
        WHERE c.contype = 'f'
          AND (pg_has_role(r.relowner, 'USAGE')
               OR has_table_privilege(r.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
               OR has_any_column_privilege(r.oid, 'INSERT, UPDATE, REFERENCES'))";
    {
        constraint_catalog: SQL_IDENTIFIER, constraint_schema: SQL_IDENTIFIER,
        constraint_name: SQL_IDENTIFIER, unique_constraint_catalog: SQL_IDENTIFIER,
        unique_constraint_schema: SQL_IDENTIFIER, unique_constraint_name: SQL_IDENTIFIER,
        match_option: CHARACTER_DATA, update_rule: CHARACTER_DATA,
        delete_rule: CHARACTER_DATA,
    }
}

relation! {
    KEY_COLUMN_USAGE = "key_column_usage" 13329, row_type 13331, information_schema View, query "
        SELECT current_database(), nc.nspname, c.conname, current_database(), nr.nspname, r.relname, a.attname, p.n,
               CASE WHEN c.contype = 'f' THEN (
                   SELECT k.n FROM pg_index i CROSS JOIN generate_series(1, 32) AS k(n)
                   WHERE i.indexrelid = c.conindid AND i.indkey[k.n - 1] = c.confkey[p.n]
               ) END
        FROM pg_constraint c
        JOIN pg_class r ON r.oid = c.conrelid
        JOIN pg_namespace nr ON nr.oid = r.relnamespace
        JOIN pg_namespace nc ON nc.oid = c.connamespace
        JOIN pg_attribute a ON a.attrelid = r.oid AND NOT a.attisdropped
        JOIN generate_series(1, 32) AS p(n) ON a.attnum = c.conkey[p.n]
        WHERE c.contype IN ('p', 'u', 'f') AND r.relkind IN ('r', 'p') AND NOT pg_is_other_temp_schema(nr.oid)
          AND (pg_has_role(r.relowner, 'USAGE')
               OR has_column_privilege(r.oid, a.attnum, 'SELECT, INSERT, UPDATE, REFERENCES'))";
    {
        constraint_catalog: SQL_IDENTIFIER, constraint_schema: SQL_IDENTIFIER,
        constraint_name: SQL_IDENTIFIER, table_catalog: SQL_IDENTIFIER,
        table_schema: SQL_IDENTIFIER, table_name: SQL_IDENTIFIER,
        column_name: SQL_IDENTIFIER, ordinal_position: CARDINAL_NUMBER,
        position_in_unique_constraint: CARDINAL_NUMBER,
    }
}

relation! {
    CONSTRAINT_COLUMN_USAGE = "constraint_column_usage" 13300, row_type 13302, information_schema View, query "
        SELECT current_database(), nr.nspname, r.relname, a.attname, current_database(), nc.nspname, c.conname
        FROM pg_constraint c
        JOIN pg_class r ON r.oid = CASE c.contype WHEN 'f' THEN c.confrelid ELSE c.conrelid END
        JOIN pg_namespace nr ON nr.oid = r.relnamespace
        JOIN pg_namespace nc ON nc.oid = c.connamespace
        JOIN pg_attribute a ON a.attrelid = r.oid AND NOT a.attisdropped
             AND a.attnum = ANY (CASE c.contype WHEN 'f' THEN c.confkey ELSE c.conkey END)
        WHERE c.contype IN ('c', 'p', 'u', 'f') AND r.relkind IN ('r', 'p') AND pg_has_role(r.relowner, 'USAGE')";
    {
        table_catalog: SQL_IDENTIFIER, table_schema: SQL_IDENTIFIER,
        table_name: SQL_IDENTIFIER, column_name: SQL_IDENTIFIER,
        constraint_catalog: SQL_IDENTIFIER, constraint_schema: SQL_IDENTIFIER,
        constraint_name: SQL_IDENTIFIER,
    }
}

relation! {
    CONSTRAINT_TABLE_USAGE = "constraint_table_usage" 13305, row_type 13307, information_schema View, query "
        SELECT current_database(), nr.nspname, r.relname, current_database(), nc.nspname, c.conname
        FROM pg_constraint c
        JOIN pg_class r ON r.oid = CASE c.contype WHEN 'f' THEN c.confrelid ELSE c.conrelid END
        JOIN pg_namespace nr ON nr.oid = r.relnamespace
        JOIN pg_namespace nc ON nc.oid = c.connamespace
        WHERE c.contype IN ('p', 'u', 'f') AND r.relkind IN ('r', 'p') AND pg_has_role(r.relowner, 'USAGE')";
    {
        table_catalog: SQL_IDENTIFIER, table_schema: SQL_IDENTIFIER,
        table_name: SQL_IDENTIFIER, constraint_catalog: SQL_IDENTIFIER,
        constraint_schema: SQL_IDENTIFIER, constraint_name: SQL_IDENTIFIER,
    }
}

relation! {
    SEQUENCES = "sequences" 13386, row_type 13388, information_schema View, query "
        SELECT current_database(), n.nspname, c.relname, format_type(s.seqtypid, NULL),
               CASE s.seqtypid WHEN 21 THEN 16 WHEN 23 THEN 32 ELSE 64 END, 2, 0,
               s.seqstart::text, s.seqmin::text, s.seqmax::text, s.seqincrement::text,
               CASE WHEN s.seqcycle THEN 'YES' ELSE 'NO' END
        FROM pg_namespace n
        JOIN pg_class c ON c.relnamespace = n.oid
        JOIN pg_sequence s ON s.seqrelid = c.oid
        WHERE c.relkind = 'S' AND NOT pg_is_other_temp_schema(n.oid)
          AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 1259 AND d.objid = c.oid AND d.deptype = 'i')
          AND (pg_has_role(c.relowner, 'USAGE') OR has_sequence_privilege(c.oid, 'SELECT, UPDATE, USAGE'))";
    {
        sequence_catalog: SQL_IDENTIFIER, sequence_schema: SQL_IDENTIFIER,
        sequence_name: SQL_IDENTIFIER, data_type: CHARACTER_DATA,
        numeric_precision: CARDINAL_NUMBER, numeric_precision_radix: CARDINAL_NUMBER,
        numeric_scale: CARDINAL_NUMBER, start_value: CHARACTER_DATA,
        minimum_value: CHARACTER_DATA, maximum_value: CHARACTER_DATA,
        increment: CHARACTER_DATA, cycle_option: YES_OR_NO,
    }
}

relation! {
    COLLATIONS = "collations" 13265, row_type 13267, information_schema View, query "
        SELECT current_database(), n.nspname, c.collname, 'NO PAD'
        FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace
        WHERE c.collencoding IN (-1, 6)";
    {
        collation_catalog: SQL_IDENTIFIER, collation_schema: SQL_IDENTIFIER,
        collation_name: SQL_IDENTIFIER, pad_attribute: CHARACTER_DATA,
    }
}

relation! {
    CHARACTER_SETS = "character_sets" 13250, row_type 13252, information_schema View, query "
        SELECT NULL, NULL, 'UTF8', 'UCS', 'UTF8', current_database(), NULL, NULL";
    {
        character_set_catalog: SQL_IDENTIFIER, character_set_schema: SQL_IDENTIFIER,
        character_set_name: SQL_IDENTIFIER, character_repertoire: SQL_IDENTIFIER,
        form_of_use: SQL_IDENTIFIER, default_collate_catalog: SQL_IDENTIFIER,
        default_collate_schema: SQL_IDENTIFIER, default_collate_name: SQL_IDENTIFIER,
    }
}

relation! {
    DOMAINS = "domains" 13320, row_type 13322, information_schema View, query "
        SELECT current_database(), nt.nspname, t.typname,
               CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN 'ARRAY' WHEN nbt.nspname = 'pg_catalog'
                    THEN format_type(t.typbasetype, NULL) ELSE 'USER-DEFINED' END,
               CASE WHEN t.typtypmod <> -1 AND t.typbasetype IN (1042, 1043) THEN t.typtypmod - 4 END,
               CASE WHEN t.typbasetype NOT IN (25, 1042, 1043) THEN NULL WHEN t.typtypmod = -1 THEN 1073741824
                    ELSE (t.typtypmod - 4) * 4 END,
               NULL, NULL, NULL,
               CASE WHEN nco.nspname IS NOT NULL THEN current_database() END, nco.nspname, co.collname,
               CASE t.typbasetype WHEN 21 THEN 16 WHEN 23 THEN 32 WHEN 20 THEN 64 WHEN 700 THEN 24 WHEN 701 THEN 53
                    WHEN 1700 THEN CASE WHEN t.typtypmod <> -1 THEN ((t.typtypmod - 4) >> 16) & 65535 END END,
               CASE WHEN t.typbasetype IN (20, 21, 23, 700, 701) THEN 2 WHEN t.typbasetype = 1700 THEN 10 END,
               CASE WHEN t.typbasetype IN (20, 21, 23) THEN 0
                    WHEN t.typbasetype = 1700 AND t.typtypmod <> -1
                    THEN (((t.typtypmod - 4) & 2047) # 1024) - 1024 END,
               CASE WHEN t.typbasetype = 1082 THEN 0
                    WHEN t.typbasetype IN (1083, 1114, 1184) THEN CASE WHEN t.typtypmod < 0 THEN 6 ELSE t.typtypmod END
                    WHEN t.typbasetype = 1186 THEN CASE WHEN t.typtypmod < 0 OR t.typtypmod & 65535 = 65535 THEN 6
                                                        ELSE t.typtypmod & 65535 END END,
               CASE WHEN t.typbasetype = 1186
                    THEN upper(substring(format_type(t.typbasetype, t.typtypmod), 'interval[()0-9]* (.+)')) END,
               NULL, t.typdefault, current_database(), nbt.nspname, bt.typname, NULL, NULL, NULL, NULL, '1'
        FROM pg_type t
        JOIN pg_namespace nt ON t.typnamespace = nt.oid
        JOIN pg_type bt ON t.typbasetype = bt.oid
        JOIN pg_namespace nbt ON bt.typnamespace = nbt.oid
        LEFT JOIN pg_collation co ON t.typcollation = co.oid AND co.collname <> 'default'
        LEFT JOIN pg_namespace nco ON co.collnamespace = nco.oid
        WHERE t.typtype = 'd'";
    {
        domain_catalog: SQL_IDENTIFIER, domain_schema: SQL_IDENTIFIER,
        domain_name: SQL_IDENTIFIER, data_type: CHARACTER_DATA,
        character_maximum_length: CARDINAL_NUMBER, character_octet_length: CARDINAL_NUMBER,
        character_set_catalog: SQL_IDENTIFIER, character_set_schema: SQL_IDENTIFIER,
        character_set_name: SQL_IDENTIFIER, collation_catalog: SQL_IDENTIFIER,
        collation_schema: SQL_IDENTIFIER, collation_name: SQL_IDENTIFIER,
        numeric_precision: CARDINAL_NUMBER, numeric_precision_radix: CARDINAL_NUMBER,
        numeric_scale: CARDINAL_NUMBER, datetime_precision: CARDINAL_NUMBER,
        interval_type: CHARACTER_DATA, interval_precision: CARDINAL_NUMBER,
        domain_default: CHARACTER_DATA, udt_catalog: SQL_IDENTIFIER,
        udt_schema: SQL_IDENTIFIER, udt_name: SQL_IDENTIFIER,
        scope_catalog: SQL_IDENTIFIER, scope_schema: SQL_IDENTIFIER,
        scope_name: SQL_IDENTIFIER, maximum_cardinality: CARDINAL_NUMBER,
        dtd_identifier: SQL_IDENTIFIER,
    }
}

relation! {
    DOMAIN_CONSTRAINTS = "domain_constraints" 13310, row_type 13312, information_schema View, query "
        SELECT current_database(), rs.nspname, con.conname, current_database(), n.nspname, t.typname,
               CASE WHEN con.condeferrable THEN 'YES' ELSE 'NO' END, CASE WHEN con.condeferred THEN 'YES' ELSE 'NO' END
        FROM pg_constraint con
        JOIN pg_namespace rs ON rs.oid = con.connamespace
        JOIN pg_type t ON t.oid = con.contypid
        JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE pg_has_role(t.typowner, 'USAGE')";
    {
        constraint_catalog: SQL_IDENTIFIER, constraint_schema: SQL_IDENTIFIER,
        constraint_name: SQL_IDENTIFIER, domain_catalog: SQL_IDENTIFIER,
        domain_schema: SQL_IDENTIFIER, domain_name: SQL_IDENTIFIER,
        is_deferrable: YES_OR_NO, initially_deferred: YES_OR_NO,
    }
}
