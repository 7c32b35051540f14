// npm `centrifuge`, as it is: changes of published tables, and live queries, beside sessions of node `pg`.
const assert = require('assert');
const { Centrifuge } = require('centrifuge');
const WebSocket = require('ws');
const { Client } = require('pg');

const words = Object.fromEntries(process.env.NQDB_TARGET.split(/\s+/).map((word) => word.split('=', 2)));
const config = { host: words.host, port: Number(words.port), database: words.dbname };
const address = `ws://${process.env.NQDB_HTTP}/connection/websocket`;

// What comes of a subscription, to be taken one by one.
class Inbox {
  constructor(source, name) {
    this.waiting = [];
    this.arrived = [];
    source.on(name, (context) => {
      const next = this.waiting.shift();
      if (next) next(context);
      else this.arrived.push(context);
    });
  }

  take() {
    if (this.arrived.length > 0) return Promise.resolve(this.arrived.shift());
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('nothing came')), 10000);
      this.waiting.push((context) => {
        clearTimeout(late);
        resolve(context);
      });
    });
  }
}

async function connected(user) {
  const data = { user, database: 'postgres' };
  const client = new Centrifuge(address, { websocket: WebSocket, minReconnectDelay: 10, data });
  const done = new Inbox(client, 'connected');
  client.connect();
  await done.take();
  return client;
}

// A subscription with what it was told at its beginning, and what comes.
async function subscribed(client, channel, options) {
  const subscription = client.newSubscription(channel, options);
  const told = new Inbox(subscription, 'subscribed');
  const publications = new Inbox(subscription, 'publication');
  subscription.subscribe();
  const { data } = await told.take();
  const next = async () => (await publications.take()).data;
  const arrived = () => publications.arrived.length;
  return { subscription, told, data, next, arrived };
}

async function refused(client, channel, options) {
  const subscription = client.newSubscription(channel, options);
  const ended = new Inbox(subscription, 'unsubscribed');
  subscription.subscribe();
  const { code, reason } = await ended.take();
  client.removeSubscription(subscription);
  return { code, reason };
}

function without(change, ...members) {
  const copy = { ...change };
  members.forEach((member) => delete copy[member]);
  return copy;
}

async function changesOfATableComeInTheOrderOfTheCommits(sql) {
  await sql.query('CREATE TABLE orders (id int PRIMARY KEY, total numeric(10,2), open boolean, at timestamptz)');
  const [{ channel }] = (await sql.query("SELECT nqdb_publish_table('orders') AS channel")).rows;
  assert.strictEqual(channel, 'table:orders');
  const client = await connected('postgres');
  const orders = await subscribed(client, channel);
  await sql.query("INSERT INTO orders VALUES (1, 10.5, true, '2026-01-02 03:04:05+00')");
  const inserted = await orders.next();
  const row = { id: 1, total: 10.5, open: true, at: '2026-01-02T03:04:05+00:00' };
  assert.deepStrictEqual(without(inserted, 'csn'), { op: 'insert', table: 'orders', key: { id: 1 }, row });
  await sql.query('BEGIN');
  await sql.query('UPDATE orders SET id = 2, total = NULL');
  await sql.query('SAVEPOINT here');
  await sql.query('DELETE FROM orders');
  await sql.query('ROLLBACK TO here');
  await sql.query('INSERT INTO orders SELECT n, n FROM generate_series(10, 11) AS n');
  await sql.query('COMMIT');
  const changes = [await orders.next(), await orders.next(), await orders.next()];
  assert.deepStrictEqual(changes.map(({ op, key, old_key: old }) => [op, key.id, old]), [
    ['update', 2, { id: 1 }], ['insert', 10, undefined], ['insert', 11, undefined],
  ]);
  assert.ok(changes.every(({ csn }) => csn === changes[0].csn) && changes[0].csn > inserted.csn);
  await sql.query('TRUNCATE orders');
  assert.strictEqual((await orders.next()).op, 'truncate');
  // Who comes back gets what it missed.
  client.disconnect();
  await sql.query('INSERT INTO orders VALUES (3)');
  client.connect();
  assert.deepStrictEqual((await orders.next()).key, { id: 3 });
  client.disconnect();
}

async function filtersTellWhatEntersAndLeaves(sql) {
  await sql.query("SELECT nqdb_publish_table('orders', columns => '{id,total}', filter => 'open AND total > 5')");
  const client = await connected('postgres');
  const orders = await subscribed(client, 'table:orders');
  await sql.query('TRUNCATE orders');
  await sql.query('INSERT INTO orders VALUES (1, 1, true), (2, 10, true)');
  await sql.query('UPDATE orders SET total = total + 5');
  await sql.query('UPDATE orders SET open = false WHERE id = 2');
  await sql.query('DELETE FROM orders');
  const got = [];
  while (got.length < 6) got.push(await orders.next());
  assert.deepStrictEqual(got.map((change) => without(change, 'csn', 'table')), [
    { op: 'truncate' },
    { op: 'insert', key: { id: 2 }, row: { id: 2, total: 10 } },
    { op: 'enter', key: { id: 1 }, row: { id: 1, total: 6 } },
    { op: 'update', key: { id: 2 }, row: { id: 2, total: 15 } },
    { op: 'leave', key: { id: 2 } },
    { op: 'delete', key: { id: 1 } },
  ]);
  client.disconnect();
}

async function aSubscriptionHasAFilterOfItsOwn(sql) {
  await sql.query("SELECT nqdb_publish_table('orders', columns => '{id,total}')");
  const client = await connected('postgres');
  const tagsFilter = {
    op: 'and',
    nodes: [{ key: 'op', cmp: 'in', vals: ['insert', 'update'] }, { key: 'row.total', cmp: 'gte', val: '10' }],
  };
  const dear = await subscribed(client, 'table:orders', { tagsFilter });
  await sql.query('INSERT INTO orders VALUES (1, 9), (2, 10), (3, 11); DELETE FROM orders WHERE id = 3');
  await sql.query('UPDATE orders SET total = 20 WHERE id = 1');
  const got = [await dear.next(), await dear.next(), await dear.next()];
  assert.deepStrictEqual(got.map(({ op, key }) => [op, key.id]), [['insert', 2], ['insert', 3], ['update', 1]]);
  // What was missed is filtered as well.
  client.disconnect();
  await sql.query('UPDATE orders SET total = 1 WHERE id = 1; UPDATE orders SET total = 30 WHERE id = 2');
  client.connect();
  assert.deepStrictEqual((await dear.next()).row, { id: 2, total: 30 });
  client.disconnect();
  await sql.query('DELETE FROM orders');
  await sql.query("SELECT nqdb_publish_table('orders', columns => '{id,total}', filter => 'open AND total > 5')");
}

async function onlyWhoMayReadTheTableFollowsIt(sql) {
  await sql.query('CREATE ROLE follower LOGIN');
  const client = await connected('follower');
  assert.strictEqual((await refused(client, 'table:orders')).code, 103);
  assert.strictEqual((await refused(client, 'table:missing')).code, 103);
  assert.strictEqual((await refused(client, 'table:*')).code, 103);
  const all = await subscribed(client, '*');
  await sql.query('GRANT SELECT (id, total) ON orders TO follower');
  const orders = await subscribed(client, 'table:orders', {});
  const ended = new Inbox(orders.subscription, 'unsubscribed');
  // A pattern does not let in by the back door.
  await sql.query('INSERT INTO orders VALUES (50, 50, true)');
  await sql.query("NOTIFY other, 'end'");
  assert.strictEqual(await all.next(), 'end');
  await assert.rejects(client.publish('table:orders', {}), { code: 103 });
  // Who loses the right is told so, and hears no more.
  assert.deepStrictEqual((await orders.next()).key, { id: 50 });
  await sql.query('REVOKE SELECT (total) ON orders FROM follower');
  await sql.query('INSERT INTO orders VALUES (51, 51, true)');
  assert.strictEqual((await ended.take()).code, 103);
  assert.strictEqual(orders.arrived(), 0);
  await sql.query('GRANT SELECT (total) ON orders TO follower');
  client.disconnect();
}

async function aLiveQueryTellsWhatChanges(sql) {
  await sql.query('CREATE TABLE items (id int PRIMARY KEY, name text, price int)');
  await sql.query("INSERT INTO items VALUES (1, 'pen', 2), (2, 'book', 20)");
  const client = await connected('postgres');
  const query = { sql: 'SELECT id, name FROM items WHERE price >= $1 ORDER BY id', params: [10] };
  const live = await subscribed(client, 'live:dear', { data: query });
  assert.deepStrictEqual(without(live.data, 'csn'), {
    columns: [{ name: 'id', type: 'integer' }, { name: 'name', type: 'text' }],
    key: ['id'],
    rows: [{ id: 2, name: 'book' }],
  });
  await sql.query("INSERT INTO items VALUES (3, 'lamp', 30)");
  const first = await live.next();
  assert.deepStrictEqual(without(first, 'csn'), { added: [{ id: 3, name: 'lamp' }], changed: [], removed: [] });
  assert.ok(first.csn > live.data.csn);
  // What no row of the result shows is not told; what comes next is.
  await sql.query('UPDATE items SET price = price + 1');
  await sql.query("BEGIN; UPDATE items SET name = 'novel' WHERE id = 2; DELETE FROM items WHERE id = 3; COMMIT");
  assert.deepStrictEqual(without(await live.next(), 'csn'), {
    added: [], changed: [{ id: 2, name: 'novel' }], removed: [{ id: 3 }],
  });
  await sql.query('TRUNCATE items');
  assert.deepStrictEqual((await live.next()).removed, [{ id: 2 }]);
  // Who comes back is given the result as it is then.
  const { told } = live;
  client.disconnect();
  await sql.query("INSERT INTO items VALUES (9, 'desk', 90)");
  client.connect();
  assert.deepStrictEqual((await told.take()).data.rows, [{ id: 9, name: 'desk' }]);
  client.disconnect();
}

async function joinsAndAggregatesAreCompared(sql) {
  await sql.query('CREATE TABLE tags (item int REFERENCES items ON DELETE CASCADE, tag text)');
  await sql.query("INSERT INTO tags VALUES (9, 'wood'), (9, 'big')");
  const client = await connected('postgres');
  const join = 'SELECT tag FROM items JOIN tags ON item = id';
  const rows = await subscribed(client, 'live:join', { data: { sql: join } });
  const counted = 'SELECT id, count(tag) AS tags FROM items LEFT JOIN tags ON item = id GROUP BY id';
  const counts = await subscribed(client, 'live:counts', { data: { sql: counted, key: ['id'] } });
  assert.strictEqual(rows.data.key, null);
  await sql.query("INSERT INTO tags VALUES (9, 'big')");
  assert.deepStrictEqual(without(await rows.next(), 'csn'), { added: [{ tag: 'big' }], changed: [], removed: [] });
  assert.deepStrictEqual((await counts.next()).changed, [{ id: 9, tags: 3 }]);
  // A cascade is a change too.
  await sql.query('DELETE FROM items');
  assert.strictEqual((await rows.next()).removed.length, 3);
  assert.deepStrictEqual((await counts.next()).removed, [{ id: 9 }]);
  client.disconnect();
}

async function whatIsNoLiveQueryIsRefused(sql) {
  const client = await connected('follower');
  const reason = async (name, data) => {
    const { code, reason } = await refused(client, `live:${name}`, { data });
    return `${code} ${reason}`;
  };
  assert.match(await reason('nothing'), /^107 /);
  assert.match(await reason('syntax', { sql: 'SELEC 1' }), /^4000 42601 /);
  assert.match(await reason('rights', { sql: 'SELECT * FROM items' }), /^4000 42501 permission denied for table items/);
  assert.match(await reason('write', { sql: 'DELETE FROM items' }), /^4000 0A000 /);
  assert.match(await reason('command', { sql: 'LISTEN x' }), /^4000 0A000 /);
  assert.match(await reason('many', { sql: 'SELECT 1; SELECT 2' }), /^4000 42601 /);
  assert.match(await reason('large', { sql: 'SELECT * FROM generate_series(1, 20000)' }), /^4000 54000 /);
  assert.match(await reason('parameters', { sql: 'SELECT $1::int', params: ['x'] }), /^4000 22P02 /);
  assert.match(await reason('key', { sql: 'SELECT 1 AS a', key: ['b'] }), /^4000 42703 /);
  // A right that is taken away ends the query, with its reason.
  await sql.query('GRANT SELECT ON items TO follower');
  const live = await subscribed(client, 'live:items', { data: { sql: 'SELECT id FROM items' } });
  const ended = new Inbox(live.subscription, 'unsubscribed');
  await sql.query('REVOKE SELECT ON items FROM follower');
  await sql.query("INSERT INTO items VALUES (1, 'pen', 2)");
  const { code, reason: why } = await ended.take();
  assert.match(`${code} ${why}`, /^4000 42501 permission denied for table items/);
  client.disconnect();
}

async function manyFollowersShareOneEvaluation(sql) {
  const client = await connected('postgres');
  const data = { sql: 'SELECT count(*) AS n FROM items', key: [] };
  const lives = [];
  for (let n = 0; n < 20; n += 1) lives.push(await subscribed(client, `live:${n}`, { data }));
  const before = await sql.query("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'live query'");
  assert.strictEqual(before.rows[0].count, '0');
  // Writers as fast as they can: no change is lost, and the last result is the table's.
  for (let n = 100; n < 300; n += 1) await sql.query('INSERT INTO items VALUES ($1)', [n]);
  const [{ count }] = (await sql.query('SELECT count(*)::int AS count FROM items')).rows;
  for (const live of lives) {
    let newest;
    let messages = 0;
    do {
      newest = await live.next();
      messages += 1;
    } while (newest.added[0].n !== count);
    assert.ok(messages < 200, `${messages} messages`);
  }
  client.disconnect();
}

// Writers at work while followers come and go: each has the table's rows at the end.
async function nothingFallsBetweenResultAndChanges(sql) {
  await sql.query('CREATE TABLE moves (id int PRIMARY KEY, n int)');
  const data = { sql: 'SELECT id, n FROM moves WHERE n % 3 <> 0' };
  const follow = async () => {
    const client = await connected('postgres');
    const rows = new Map();
    const subscription = client.newSubscription('live:moves', { data });
    subscription.on('subscribed', ({ data: { rows: all } }) => {
      rows.clear();
      all.forEach((row) => rows.set(row.id, row.n));
    });
    subscription.on('publication', ({ data: { added, changed, removed } }) => {
      added.forEach(({ id, n }) => { assert.ok(!rows.has(id)); rows.set(id, n); });
      changed.forEach(({ id, n }) => { assert.ok(rows.has(id)); rows.set(id, n); });
      removed.forEach(({ id }) => assert.ok(rows.delete(id)));
    });
    subscription.subscribe();
    return { client, rows };
  };
  const followers = [await follow(), await follow()];
  const write = async (writer) => {
    const own = new Client({ ...config, user: words.user });
    await own.connect();
    for (let n = 0; n < 150; n += 1) {
      const id = (writer * 7 + n * 3) % 20;
      if (n % 5 === 4) await own.query('DELETE FROM moves WHERE id = $1', [id]);
      else await own.query('INSERT INTO moves VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET n = moves.n + 1', [id, n]);
    }
    await own.end();
  };
  let isOver = false;
  const comeAndGo = async () => {
    while (!isOver) {
      await new Promise((resolve) => { setTimeout(resolve, 40); });
      followers[0].client.disconnect();
      followers[0].client.connect();
      if (followers.length < 8) followers.push(await follow());
    }
  };
  const coming = comeAndGo();
  await Promise.all([0, 1, 2, 3].map(write));
  isOver = true;
  await coming;
  const { rows: wanted } = await sql.query(`${data.sql} ORDER BY id`);
  const listed = ({ rows }) => [...rows].map(([id, n]) => ({ id, n })).sort((one, other) => one.id - other.id);
  const is = (follower) => JSON.stringify(listed(follower)) === JSON.stringify(wanted);
  for (let n = 0; n < 100 && !followers.every(is); n += 1) await new Promise((resolve) => { setTimeout(resolve, 100); });
  followers.forEach((follower) => assert.deepStrictEqual(listed(follower), wanted));
  followers.forEach(({ client }) => client.disconnect());
}

async function whatGoesOnIsShown(sql) {
  const client = await connected('follower');
  const orders = await subscribed(client, 'table:orders');
  await sql.query('INSERT INTO orders VALUES (77, 77, true)');
  await orders.next();
  const [channel] = (await sql.query("SELECT * FROM nqdb_channels WHERE name = 'table:orders'")).rows;
  assert.ok(channel.subscribers === 1 && Number(channel.messages) > 0 && Number(channel.history) > 0, channel);
  const own = "SELECT * FROM nqdb_connections WHERE usename = 'follower'";
  const [connection] = (await sql.query(own)).rows;
  assert.deepStrictEqual([connection.kind, connection.datname, connection.address, connection.subscriptions],
    ['websocket', 'postgres', '127.0.0.1', 1]);
  assert.ok(Number(connection.messages_out) >= 1 && Number(connection.messages_in) >= 2, connection);
  const [table] = (await sql.query('SELECT * FROM nqdb_published_tables')).rows;
  assert.deepStrictEqual(table, {
    schemaname: 'public', tablename: 'orders', channel: 'table:orders', columns: ['id', 'total'],
    filter: "(open AND (total > (5)::numeric))",
  });
  const metrics = await (await fetch(`http://${process.env.NQDB_HTTP}/metrics`)).text();
  assert.match(metrics, /nqdb_realtime_lag_seconds_bucket{le="\+Inf"} [1-9]/);
  client.disconnect();
}

(async () => {
  const sql = new Client({ ...config, user: words.user });
  await sql.connect();
  for (const test of [
    changesOfATableComeInTheOrderOfTheCommits,
    filtersTellWhatEntersAndLeaves,
    aSubscriptionHasAFilterOfItsOwn,
    onlyWhoMayReadTheTableFollowsIt,
    aLiveQueryTellsWhatChanges,
    joinsAndAggregatesAreCompared,
    whatIsNoLiveQueryIsRefused,
    manyFollowersShareOneEvaluation,
    nothingFallsBetweenResultAndChanges,
    whatGoesOnIsShown,
  ]) {
    await test(sql);
    console.log(`ok ${test.name}`);
  }
  await sql.end();
  process.exit(0);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
