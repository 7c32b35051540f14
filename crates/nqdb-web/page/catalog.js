// What there is in the database: for the tree of Data, for completion, and for finding things by name.

const RELATIONS = `SELECT c.oid::int8 AS oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind,
       CASE WHEN c.relkind IN ('r', 'm') THEN pg_total_relation_size(c.oid)::float8 END AS bytes, c.reltuples::float8 AS rows
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'v', 'm', 'S', 'p', 'f') AND n.nspname <> 'pg_toast' AND (n.nspname NOT LIKE 'pg\\_temp\\_%' OR n.oid = pg_my_temp_schema())
 ORDER BY n.nspname, c.relname`;
const COLUMNS = `SELECT a.attrelid::int8 AS oid, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum`;
// All but those that no statement can call: with arguments or results of the types internal and cstring.
const FUNCTIONS = `SELECT DISTINCT proname AS name FROM pg_proc
 WHERE prorettype NOT IN (2275, 2281) AND NOT (proargtypes::oid[] && '{2275,2281}') ORDER BY 1`;

export const KINDS = { r: 'table', v: 'view', m: 'materialized view', S: 'sequence', p: 'table', f: 'table' };
export const isSystem = (schema) => schema === 'pg_catalog' || schema === 'information_schema';

export class CatalogView {
  constructor(connection) {
    this.connection = connection;
    this.tables = [];
    this.functions = [];
  }

  // Looks anew. Resolves when it is known.
  async refresh() {
    const [relations, columns] = [await this.connection.query(RELATIONS), await this.connection.query(COLUMNS)];
    const byOid = new Map();
    for (const { oid, name, type } of columns) {
      if (!byOid.has(oid)) byOid.set(oid, []);
      byOid.get(oid).push({ name, type });
    }
    this.tables = relations.map((relation) => ({ ...relation, letter: relation.kind, kind: KINDS[relation.kind], columns: byOid.get(relation.oid) || [] }));
    if (!this.functions.length) this.functions = (await this.connection.query(FUNCTIONS)).map(({ name }) => name);
    return this;
  }
}
