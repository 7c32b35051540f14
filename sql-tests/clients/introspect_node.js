// What node's pg, and the queries that knex and its like send, find out about the objects of schema.sql. Prints all of it;
// $NQDB_TARGET says which server is asked.
'use strict';

const { Client } = require('pg');

const parts = Object.fromEntries(process.env.NQDB_TARGET.split(' ').map((part) => part.split('=')));

// Users' types are numbered anew on each server.
const builtIn = (number) => (number < 16384 ? number : 'a user\'s type');

async function main() {
    const client = new Client({ host: parts.host, port: Number(parts.port), user: parts.user, database: parts.dbname, password: parts.password });
    await client.connect();
    const show = async (text, values) => {
        const result = await client.query({ text, values });
        console.log(text);
        for (const field of result.fields) {
            console.log(' ', field.name, builtIn(field.dataTypeID), field.dataTypeSize < 16384 ? field.dataTypeSize : '', field.dataTypeModifier, field.columnID, field.format);
        }
        for (const row of result.rows) {
            console.log(JSON.stringify(row));
        }
    };
    for (const relation of ['shop.customer', 'orders', 'open_orders', 'moods', 'every_type']) {
        await show(`SELECT * FROM ${relation} ORDER BY 1`);
    }
    // knex: columnInfo, hasTable, hasColumn.
    for (const [schema, table] of [['public', 'orders'], ['shop', 'customer'], ['public', 'open_orders'], ['public', 'every_type']]) {
        await show('select * from information_schema.columns where table_name = $1 and table_catalog = current_database() and table_schema = $2 order by ordinal_position', [table, schema])
            .catch((error) => console.log(error.code, error.message));
        await show('select * from information_schema.tables where table_schema = $2 and table_name = $1', [table, schema]);
        await show('select constraint_name, constraint_type, is_deferrable from information_schema.table_constraints where table_name = $1 and table_schema = $2 and constraint_name not like \'%_not_null\' order by 1', [table, schema]);
        await show('select constraint_name, column_name, ordinal_position from information_schema.key_column_usage where table_name = $1 and table_schema = $2 order by 1, 3', [table, schema]);
        await show('select constraint_name, column_name from information_schema.constraint_column_usage where table_name = $1 and table_schema = $2 order by 1, 2', [table, schema]);
    }
    await show('select * from information_schema.sequences order by sequence_schema, sequence_name');
    await show('select table_schema, table_name, view_definition, check_option, is_updatable from information_schema.views where table_schema in (\'public\', \'shop\') order by 1, 2');
    await show('select domain_schema, domain_name, data_type, character_maximum_length, numeric_precision, domain_default from information_schema.domains where domain_schema <> \'information_schema\' order by 1, 2');
    await show('select constraint_schema, constraint_name, check_clause from information_schema.check_constraints where constraint_schema in (\'public\', \'shop\') and constraint_name not like \'%_not_null\' order by 1, 2');
    await show('select grantee, table_schema, table_name, privilege_type, is_grantable from information_schema.role_table_grants where table_schema in (\'public\', \'shop\') order by 1, 2, 3, 4');
    await show('select schema_name, schema_owner from information_schema.schemata where schema_name not like \'pg_t%\' order by 1');
    await show('select c.relname, a.attname, a.attnum, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid) from pg_attribute a join pg_class c on c.oid = a.attrelid left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum where c.relnamespace = any(array[\'shop\'::regnamespace, \'public\'::regnamespace]::oid[]) and a.attnum > 0 and not a.attisdropped and c.relkind in (\'r\', \'v\') order by 1, 3');
    await show('select i.relname, x.indisunique, x.indisprimary, pg_get_indexdef(i.oid), x.indkey::text, x.indoption::text, pg_get_expr(x.indpred, x.indrelid) from pg_index x join pg_class i on i.oid = x.indexrelid where i.relnamespace in (\'shop\'::regnamespace, \'public\'::regnamespace) order by 1');
    await show('select conname, contype, conkey, pg_get_constraintdef(oid), pg_get_constraintdef(oid, true) from pg_constraint where connamespace in (\'shop\'::regnamespace, \'public\'::regnamespace) order by 1');
    await client.end();
}

main();
