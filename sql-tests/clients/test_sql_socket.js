// SQL over the real-time endpoint of $NQDB_HTTP with npm `centrifuge` as it is: rpc `sql.query` and `sql.cancel`, rows as messages, credit by `send`.
const assert = require('assert');
const crypto = require('crypto');
const { Centrifuge } = require('centrifuge');
const WebSocket = require('ws');
const { Client } = require('pg');

const words = Object.fromEntries(process.env.NQDB_TARGET.split(/\s+/).map((word) => word.split('=', 2)));
const config = { host: words.host, port: Number(words.port), user: words.user, database: words.dbname };
const address = `ws://${process.env.NQDB_HTTP}/connection/websocket`;
const role = { user: 'postgres', database: 'postgres' };
const PATIENCE_MS = 20000;

function within(promise, what) {
  let late;
  const limit = new Promise((_, reject) => { late = setTimeout(() => reject(new Error(`${what} does not come`)), PATIENCE_MS); });
  return Promise.race([promise, limit]).finally(() => clearTimeout(late));
}

async function connected(options = { data: role }) {
  const client = new Centrifuge(address, { websocket: WebSocket, minReconnectDelay: 10, ...options });
  const done = new Promise((resolve, reject) => {
    client.on('connected', resolve);
    client.on('disconnected', (context) => reject(new Error(`${context.code} ${context.reason}`)));
  });
  client.connect();
  await within(done, 'the connection');
  client.apart = [];
  client.queries = new Map();
  client.on('message', ({ data }) => {
    if (data.q === undefined) return client.apart.push(data);
    const query = queryOf(client, data.q);
    query.pushes.push(data);
    if (query.acknowledges && (data.rows || data.copy)) client.send({ q: data.q, ack: data.seq });
    query.watchers.forEach((watcher) => watcher(data));
  });
  return client;
}

// Pushes may come before the promise of their rpc is looked at.
function queryOf(client, q) {
  if (!client.queries.has(q)) client.queries.set(q, { q, pushes: [], watchers: [], acknowledges: true });
  return client.queries.get(q);
}

async function begin(client, sql, params, rest = {}) {
  const { data } = await client.rpc('sql.query', { sql, params, ...rest });
  return queryOf(client, data.query);
}

// The first push that fits, of those that were there and those that come.
function push(query, fits, what = 'a push') {
  const found = query.pushes.find(fits);
  if (found) return Promise.resolve(found);
  return within(new Promise((resolve) => query.watchers.push((data) => fits(data) && resolve(data))), what);
}

const end = (query) => push(query, (data) => data.done || data.error, 'the end of the query');

async function run(client, sql, params, rest) {
  const query = await begin(client, sql, params, rest);
  const last = await end(query);
  assert.deepStrictEqual(query.pushes.map((data) => data.seq), query.pushes.map((_, at) => at + 1), 'seq counts');
  return {
    columns: query.pushes.filter((data) => data.columns).map((data) => data.columns),
    rows: query.pushes.flatMap((data) => data.rows || []),
    tags: query.pushes.filter((data) => data.complete !== undefined).map((data) => data.complete),
    notices: query.pushes.filter((data) => data.notice).map((data) => data.notice),
    copy: query.pushes.map((data) => data.copy || '').join(''),
    status: (last.done || last.error).status,
    error: last.error,
  };
}

async function until(what, holds) {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    assert(Date.now() < deadline, `${what} does not come true`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function valuesAndTypes() {
  const client = await connected();
  const all = await run(client, `SELECT true AS b, 17 AS i, 9007199254740993 AS big, 9007199254740991 AS fits, 1.10 AS n, 1.5::float8 AS f,
    'NaN'::float4 AS nan, 'it''s "x"' AS t, NULL::text AS nothing, '{"a": [1, null]}'::jsonb AS jb, '{"a":\n1}'::json AS j,
    ARRAY[[1,2],[3,4]] AS a, ARRAY['x',NULL] AS ta, date '2024-02-29' AS d, '\\x00ff'::bytea AS by, 'pg_class'::regclass AS r`);
  assert.deepStrictEqual(all.rows, [[true, 17, '9007199254740993', 9007199254740991, '1.10', 1.5, 'NaN', 'it\'s "x"', null,
    { a: [1, null] }, { a: 1 }, [[1, 2], [3, 4]], ['x', null], '2024-02-29', '\\x00ff', 'pg_class']]);
  assert.deepStrictEqual(all.columns[0].slice(0, 3).map(({ name, type }) => [name, type]),
    [['b', 'boolean'], ['i', 'integer'], ['big', 'bigint']]);
  assert.deepStrictEqual([all.tags, all.status], [['SELECT 1'], 'idle']);
  const text = await run(client, `SELECT true, 17, NULL, ARRAY[1,2], '{"a": 1}'::jsonb`, [], { format: 'text' });
  assert.deepStrictEqual(text.rows, [['t', '17', null, '{1,2}', '{"a": 1}']]);
  const named = await run(client, "CREATE TYPE mood AS ENUM ('sad'); CREATE TEMP TABLE m (x mood, y mood[], z varchar(7)); SELECT * FROM m; DROP TABLE m; DROP TYPE mood");
  assert.deepStrictEqual(named.columns[0].map(({ type }) => type), ['mood', 'mood[]', 'character varying(7)']);
  assert.deepStrictEqual(named.columns[0].map(({ column }) => column), [1, 2, 3]);
  client.disconnect();
}

async function parameters() {
  const client = await connected();
  const given = await run(client, 'SELECT $1::int + 1, $2::text, $3::jsonb, $4::int[], $5::text[], $6::bool, $7::numeric',
    [41, 'a', { k: [1] }, [1, 2], ['x', 'a"b', null], false, null]);
  assert.deepStrictEqual(given.rows, [[42, 'a', { k: [1] }, [1, 2], ['x', 'a"b', null], false, null]]);
  const several = await run(client, 'SELECT 1; SELECT $1', [1]);
  assert.strictEqual(several.error.code, '42601');
  const wrong = await run(client, 'SELECT $1::int', ['x']);
  assert.strictEqual(wrong.error.code, '22P02');
  const many = await run(client, 'SELECT $1', [1, 2]);
  assert.strictEqual(many.error.code, '08P01');
  const insert = await run(client, 'SELECT $1 UNION ALL SELECT $2', ['a', 'b']);
  assert.deepStrictEqual(insert.rows, [['a'], ['b']]);
  client.disconnect();
}

async function statementsErrorsAndNotices() {
  const client = await connected();
  const several = await run(client, 'SELECT 1 AS a; DROP TABLE IF EXISTS no_such; SELECT 2 AS b');
  assert.deepStrictEqual([several.tags, several.rows], [['SELECT 1', 'DROP TABLE', 'SELECT 1'], [[1], [2]]]);
  assert.deepStrictEqual(several.notices.map(({ severity, message }) => [severity, message]),
    [['NOTICE', 'table "no_such" does not exist, skipping']]);
  const wrong = await run(client, 'SELECT 1, nope FROM pg_class');
  const { code, message, position, severity } = wrong.error;
  assert.deepStrictEqual({ code, message, position, severity },
    { code: '42703', message: 'column "nope" does not exist', position: 11, severity: 'ERROR' });
  assert.strictEqual((await run(client, '')).tags[0], '');
  await run(client, 'CREATE TABLE socket_keys (id int PRIMARY KEY)');
  const twice = await run(client, 'INSERT INTO socket_keys VALUES (1), (1)');
  assert.deepStrictEqual([twice.error.code, twice.error.detail, twice.error.constraint, twice.error.table],
    ['23505', 'Key (id)=(1) already exists.', 'socket_keys_pkey', 'socket_keys']);
  assert.strictEqual((await run(client, 'SELCT')).error.code, '42601');
  await assert.rejects(client.rpc('sql.query', {}), (error) => error.code === 107);
  await assert.rejects(client.rpc('sql.query', { sql: 1 }), (error) => error.code === 107);
  const copied = await run(client, "COPY (VALUES (1, 'a'), (2, NULL)) TO STDOUT");
  assert.deepStrictEqual([copied.copy, copied.tags], ['1\ta\n2\t\\N\n', ['COPY 2']]);
  assert.strictEqual((await run(client, 'COPY socket_keys FROM STDIN')).error.code, '0A000');
  assert.deepStrictEqual((await run(client, 'SELECT 1')).rows, [[1]]);
  assert.strictEqual((await run(client, "SELECT repeat('x', 17 << 20)")).error.code, '54000');
  await run(client, 'DROP TABLE socket_keys');
  client.disconnect();
}

async function oneSessionWithItsTransactions(sql) {
  const [client, other] = [await connected(), await connected()];
  assert.strictEqual((await run(client, 'BEGIN')).status, 'transaction');
  await run(client, "SET LOCAL application_name = 'over the socket'; CREATE TEMP TABLE mine (a int)");
  const seen = await sql.query("SELECT state, usename, datname FROM pg_stat_activity WHERE application_name = 'over the socket'");
  assert.deepStrictEqual(seen.rows, [{ state: 'idle in transaction', usename: 'postgres', datname: 'postgres' }]);
  assert.strictEqual((await run(other, 'SELECT * FROM mine')).error.code, '42P01');
  const failed = await run(client, 'SELECT 1/0');
  assert.deepStrictEqual([failed.error.code, failed.status], ['22012', 'failed']);
  assert.strictEqual((await run(client, 'SELECT 1')).error.code, '25P02');
  assert.deepStrictEqual([(await run(client, 'ROLLBACK')).status], ['idle']);
  const [{ rows: [[pid]] }, { rows: [[again]] }] = [await run(client, 'SELECT pg_backend_pid()'), await run(client, 'SELECT pg_backend_pid()')];
  assert.strictEqual(pid, again);
  await run(client, 'BEGIN; SELECT pg_advisory_lock(77)');
  client.disconnect();
  await until('the end of the session', async () => (await sql.query('SELECT 1 FROM pg_stat_activity WHERE pid = $1', [pid])).rowCount === 0);
  assert.strictEqual((await sql.query('SELECT pg_try_advisory_lock(77) AS free')).rows[0].free, true);
  other.disconnect();
}

async function cancels(sql) {
  const client = await connected();
  const running = await begin(client, 'SELECT pg_sleep(600)');
  const waiting = await begin(client, 'SELECT 1');
  const progress = await push(running, (data) => data.progress, 'progress');
  assert(progress.progress.elapsed_ms >= 900 && progress.progress.rows === 0);
  assert.deepStrictEqual((await client.rpc('sql.cancel', { q: waiting.q })).data, { cancelled: true });
  assert.deepStrictEqual((await client.rpc('sql.cancel', { q: running.q })).data, { cancelled: true });
  assert.strictEqual((await end(running)).error.code, '57014');
  assert.strictEqual((await end(waiting)).error.code, '57014');
  assert.deepStrictEqual((await client.rpc('sql.cancel', { q: running.q })).data, { cancelled: false });
  assert.deepStrictEqual((await client.rpc('sql.cancel', { q: 999 })).data, { cancelled: false });
  assert.deepStrictEqual((await run(client, 'SELECT 2')).rows, [[2]]);
  // One that waits for credit hears it, too.
  const flood = await begin(client, 'SELECT repeat(\'x\', 1000) FROM generate_series(1, 100000)');
  flood.acknowledges = false;
  await push(flood, (data) => data.progress && data.progress.waits_for === 'acknowledgement', 'the wait for credit');
  await client.rpc('sql.cancel', { q: flood.q });
  assert.strictEqual((await end(flood)).error.code, '57014');
  // By another session, and what ends the session.
  const { rows: [[pid]] } = await run(client, 'SELECT pg_backend_pid()');
  const asleep = await begin(client, 'SELECT pg_sleep(600)');
  await until('the query', async () => (await sql.query("SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND state = 'active'", [pid])).rowCount === 1);
  await sql.query('SELECT pg_cancel_backend($1)', [pid]);
  assert.strictEqual((await end(asleep)).error.code, '57014');
  await sql.query('SELECT pg_terminate_backend($1)', [pid]);
  await until('the news of the end', async () => client.apart.some((data) => data.error && data.error.code === '57P01'));
  const { rows: [[next]] } = await run(client, 'SELECT pg_backend_pid()');
  assert.notStrictEqual(next, pid);
  client.disconnect();
}

async function creditHoldsBackOneQueryOnly(sql) {
  const [slow, quick] = [await connected(), await connected()];
  const rows = 20000;
  const held = await begin(slow, `SELECT i, repeat('x', 100) FROM generate_series(1, ${rows}) AS i`);
  held.acknowledges = false;
  // What came before this line was acknowledged.
  const before = held.pushes.length;
  await push(held, (data) => data.progress && data.progress.waits_for === 'acknowledgement', 'the wait for credit');
  const chunks = held.pushes.slice(before).filter((data) => data.rows);
  const bytes = chunks.reduce((sum, data) => sum + JSON.stringify(data.rows).length, 0);
  assert(bytes < 200 * 1024, `${bytes} bytes came without credit`);
  assert(chunks.every((data) => JSON.stringify(data.rows).length < 40 * 1024), 'chunks are short');
  const subscription = slow.newSubscription('beside');
  const subscribed = new Promise((resolve) => subscription.on('subscribed', resolve));
  const heard = new Promise((resolve) => subscription.on('publication', resolve));
  subscription.subscribe();
  await within(subscribed, 'the subscription');
  await sql.query("NOTIFY beside, 'now'");
  assert.strictEqual((await within(heard, 'the notification')).data, 'now');
  assert.strictEqual((await run(quick, `SELECT i FROM generate_series(1, ${rows}) AS i`)).rows.length, rows);
  held.acknowledges = true;
  slow.send({ q: held.q, ack: held.pushes[held.pushes.length - 1].seq });
  assert.strictEqual((await end(held)).done.status, 'idle');
  const numbers = held.pushes.flatMap((data) => (data.rows || []).map((row) => row[0]));
  assert.deepStrictEqual(numbers, Array.from({ length: rows }, (_, at) => at + 1));
  slow.disconnect();
  quick.disconnect();
}

async function theQueueHasAnEnd() {
  const client = await connected();
  const sleeping = await begin(client, 'SELECT pg_sleep(600)');
  const queued = [];
  let refused;
  for (let at = 0; at < 40 && !refused; at += 1) {
    await begin(client, 'SELECT 1').then((query) => queued.push(query), (error) => { refused = error; });
  }
  assert.deepStrictEqual([refused.code, refused.temporary], [111, true]);
  await client.rpc('sql.cancel', { q: sleeping.q });
  await Promise.all(queued.map(end));
  client.disconnect();
}

async function sessionsListen(sql) {
  const client = await connected();
  await run(client, 'LISTEN told');
  await sql.query("NOTIFY told, 'a'");
  await until('the notification', async () => client.apart.some((data) => data.notification));
  const { channel, payload } = client.apart.find((data) => data.notification).notification;
  assert.deepStrictEqual({ channel, payload }, { channel: 'told', payload: 'a' });
  client.disconnect();
}

function token(claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${text}.${crypto.createHmac('sha256', process.env.NQDB_SECRET).update(text).digest('base64url')}`;
}

async function rights(sql) {
  await sql.query('CREATE ROLE socket_reader LOGIN; CREATE TABLE secrets (a int)');
  const reader = await connected({ data: { user: 'socket_reader', database: 'postgres' } });
  assert.strictEqual((await run(reader, 'SELECT * FROM secrets')).error.code, '42501');
  assert.deepStrictEqual((await run(reader, 'SELECT current_user')).rows, [['socket_reader']]);
  reader.disconnect();
  const exp = Math.floor(Date.now() / 1000) + 60;
  const forChannels = await connected({ token: token({ sub: 'ada', role: 'socket_reader', exp }) });
  await assert.rejects(forChannels.rpc('sql.query', { sql: 'SELECT 1' }), (error) => error.code === 103);
  await assert.rejects(forChannels.rpc('sql.cancel', { q: 1 }), (error) => error.code === 103);
  const live = forChannels.newSubscription('live:x', { data: { sql: 'SELECT 1' } });
  const refused = new Promise((resolve) => live.on('unsubscribed', resolve));
  live.subscribe();
  assert.strictEqual((await within(refused, 'the refusal')).code, 103);
  forChannels.disconnect();
  const forSql = await connected({ token: token({ sub: 'ada', role: 'socket_reader', sql: true, exp }) });
  assert.deepStrictEqual((await run(forSql, 'SELECT current_user')).rows, [['socket_reader']]);
  forSql.disconnect();
  await until('the sessions', async () => (await sql.query("SELECT 1 FROM pg_stat_activity WHERE usename = 'socket_reader'")).rowCount === 0);
  await sql.query('DROP TABLE secrets; DROP ROLE socket_reader');
}

(async () => {
  const sql = new Client(config);
  await sql.connect();
  for (const check of [valuesAndTypes, parameters, statementsErrorsAndNotices, oneSessionWithItsTransactions, cancels,
    creditHoldsBackOneQueryOnly, theQueueHasAnEnd, sessionsListen, rights]) {
    await check(sql).catch((error) => { error.message = `${check.name}: ${error.message}`; throw error; });
  }
  await sql.end();
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
