// What could be better, as far as the catalog and the server's figures say it for certain.
import { copyText, h, replace } from './dom.js';
import { name, plural, qualified, seconds } from './format.js';
import { parseMetrics } from './overview.js';

export const title = 'Advice';

const USERS_TABLES = "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname NOT LIKE 'pg\\_temp%'";

// Foreign keys whose own columns no index begins with.
const BARE_FOREIGN_KEYS = `SELECT n.nspname AS schema, c.relname AS relation, o.conname AS rule, c.reltuples::float8 AS rows, o.confrelid::regclass::text AS target,
       ARRAY(SELECT a.attname::text FROM unnest(o.conkey) WITH ORDINALITY AS k (number, place) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number ORDER BY k.place) AS columns
  FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE o.contype = 'f' AND ${USERS_TABLES}
   AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indpred IS NULL
                     AND (SELECT array_agg(x ORDER BY x) FROM unnest((string_to_array(i.indkey::text, ' ')::int2[])[1:array_length(o.conkey, 1)]) AS x)
                       = (SELECT array_agg(x ORDER BY x) FROM unnest(o.conkey) AS x))
 ORDER BY c.reltuples DESC, 1, 2, 3`;
// Indexes whose columns are the first ones of another index.
const SPARE_INDEXES = `SELECT n.nspname AS schema, t.relname AS relation, a.relname AS spare, b.relname AS other, i.indkey::text = j.indkey::text AS is_same,
       pg_relation_size(i.indexrelid)::float8 AS bytes, pg_get_indexdef(i.indexrelid) AS definition, pg_get_indexdef(j.indexrelid) AS other_definition
  FROM pg_index i JOIN pg_index j ON j.indrelid = i.indrelid AND j.indexrelid <> i.indexrelid
  JOIN pg_class a ON a.oid = i.indexrelid JOIN pg_class b ON b.oid = j.indexrelid JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
 WHERE ${USERS_TABLES} AND NOT i.indisunique AND i.indpred IS NULL AND j.indpred IS NULL AND i.indexprs IS NULL AND j.indexprs IS NULL AND a.relam = b.relam
   AND (j.indkey::text || ' ') LIKE (i.indkey::text || ' %') AND (j.indoption::text || ' ') LIKE (i.indoption::text || ' %') AND (j.indclass::text || ' ') LIKE (i.indclass::text || ' %')
   AND (i.indkey::text <> j.indkey::text OR j.indisunique OR i.indexrelid > j.indexrelid)
 ORDER BY 6 DESC, 1, 2, 3`;
const WITHOUT_KEY = `SELECT n.nspname AS schema, c.relname AS relation, c.reltuples::float8 AS rows
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND ${USERS_TABLES} AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indpred IS NULL)
 ORDER BY c.reltuples DESC, 1, 2`;
const WITHOUT_STATISTICS = `SELECT s.schemaname AS schema, s.relname AS relation, s.n_live_tup::float8 AS rows
  FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid WHERE c.reltuples < 0 AND s.n_live_tup > 1000 ORDER BY 3 DESC`;
const NOT_VALID = `SELECT n.nspname AS schema, c.relname AS relation, o.conname AS rule FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT o.convalidated AND ${USERS_TABLES} ORDER BY 1, 2, 3`;
const LONG = `SELECT pid, usename, state, query, extract(epoch FROM clock_timestamp() - query_start)::float8 AS in_query,
       extract(epoch FROM clock_timestamp() - xact_start)::float8 AS in_transaction
  FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND (state = 'active' AND query_start < clock_timestamp() - interval '5 s'
    OR state LIKE 'idle in%' AND xact_start < clock_timestamp() - interval '60 s') ORDER BY xact_start`;

export function mount(main, { connection, signal, openSql }) {
  const list = h('div', { class: 'advice' }, h('div', { class: 'muted' }, 'Looking …'));
  const again = h('button', { class: 'quiet', onclick: () => look() }, 'Look again');
  main.append(h('div', { class: 'heading' }, h('h1', {}, title), h('span', { class: 'muted' }, 'What the catalog and the server’s figures say for certain'), h('span', { class: 'grow' }), again), list);
  const look = async () => {
    again.disabled = true;
    const found = [];
    for (const advise of [longOnes, foreignKeys, spareIndexes, statistics, keys, validity, memory]) {
      try {
        found.push(...await advise(connection));
      } catch (error) {
        found.push({ kind: 'warn', title: 'A part could not be looked at', text: error.message });
      }
    }
    again.disabled = false;
    if (signal.aborted) return;
    replace(list, found.map((one) => card(one, openSql)),
      !found.length && h('div', { class: 'card' }, h('div', { class: 'notice' }, 'Nothing to advise.')),
      h('p', { class: 'muted small' }, 'How often an index is used, and which statements take most of the time, the server does not count; it is not guessed here.'));
  };
  look();
}

function card({ kind = '', title: heading, text, sql }, openSql) {
  return h('article', { class: 'card' }, h('h2', {}, heading), h('span', { class: `badge ${kind}` }, { warn: 'worth a look', bad: 'now', '': 'idea' }[kind]),
    h('p', { class: 'muted wrap' }, text),
    sql && h('pre', {}, sql),
    sql && h('div', { class: 'row' }, h('button', { class: 'quiet', onclick: () => openSql(sql) }, 'Open in SQL'), h('button', { class: 'bare', onclick: () => copyText(sql, 'SQL') }, 'Copy')));
}

async function longOnes(connection) {
  return (await connection.query(LONG)).map((row) => ({
    kind: 'bad', title: row.state === 'active' ? `A statement has been running for ${seconds(row.in_query)}` : `A transaction has been open and idle for ${seconds(row.in_transaction)}`,
    text: `Process ${row.pid}, ${row.usename}. ${row.state === 'active' ? 'Its plan may show why.' : 'It keeps old versions of rows, and its locks.'}\n${row.query.slice(0, 400)}`,
    sql: row.state === 'active' && /^\s*(select|with|insert|update|delete)\b/i.test(row.query) ? `EXPLAIN ${row.query}` : `SELECT pg_terminate_backend(${row.pid})`,
  }));
}

async function foreignKeys(connection) {
  return (await connection.query(BARE_FOREIGN_KEYS)).map((row) => ({
    kind: 'warn', title: `No index for the foreign key ${row.rule}`,
    text: `Deleting a row of ${row.target}, or changing its key, looks at every row of ${qualified(row.schema, row.relation)}${row.rows > 0 ? ` (about ${plural(Math.round(row.rows), 'row')})` : ''}; joins along the key have no index either.`,
    sql: `CREATE INDEX ON ${qualified(row.schema, row.relation)} (${row.columns.map(name).join(', ')})`,
  }));
}

async function spareIndexes(connection) {
  const seen = new Set();
  return (await connection.query(SPARE_INDEXES)).filter(({ schema, spare }) => !seen.has(`${schema}.${spare}`) && seen.add(`${schema}.${spare}`)).map((row) => ({
    title: `The index ${row.spare} says nothing that ${row.other} does not`,
    text: `${row.is_same ? 'Both have the same columns' : 'Its columns are the first ones of the other'}; each change of ${qualified(row.schema, row.relation)} writes to both.\n${row.definition}\n${row.other_definition}`,
    sql: `DROP INDEX ${qualified(row.schema, row.spare)}`,
  }));
}

async function statistics(connection) {
  return (await connection.query(WITHOUT_STATISTICS)).map((row) => ({
    kind: 'warn', title: `${qualified(row.schema, row.relation)} was never analyzed`,
    text: `The planner guesses how many of its ${plural(Math.round(row.rows), 'row')} a condition leaves.`, sql: `ANALYZE ${qualified(row.schema, row.relation)}`,
  }));
}

async function keys(connection) {
  return (await connection.query(WITHOUT_KEY)).map((row) => ({
    title: `${qualified(row.schema, row.relation)} has no key`, text: 'Nothing tells two equal rows apart: they cannot be changed one by one, nor be referred to.',
  }));
}

async function validity(connection) {
  return (await connection.query(NOT_VALID)).map((row) => ({
    title: `The constraint ${row.rule} was never checked for old rows`, text: `It was added to ${qualified(row.schema, row.relation)} as NOT VALID.`,
    sql: `ALTER TABLE ${qualified(row.schema, row.relation)} VALIDATE CONSTRAINT ${name(row.rule)}`,
  }));
}

async function memory() {
  const { figures } = parseMetrics(await (await fetch('/metrics')).text());
  const get = (one) => figures.get(one) ?? 0;
  const found = [];
  const [hits, reads] = [get('nqdb_page_hits_total'), get('nqdb_page_reads_total')];
  if (hits + reads > 100000 && reads / (hits + reads) > 0.05) found.push({ kind: 'warn', title: 'More memory would save reads', text: `${(100 * reads / (hits + reads)).toFixed(1)} % of all pages that were asked for since the start had to be read from disk (--memory).` });
  if (get('nqdb_temporary_files_total') > 0) found.push({ title: 'Statements used temporary files', text: `${plural(get('nqdb_temporary_files_total'), 'file')} since the start: sorts, joins or groupings needed more than work_mem.`, sql: "SHOW work_mem" });
  if (get('nqdb_frame_waits_total') > 0) found.push({ kind: 'warn', title: 'Pages had to wait for memory', text: `${plural(get('nqdb_frame_waits_total'), 'time')} since the start: --memory is small, or the disk slow.` });
  return found;
}
