// npm `centrifuge`, as it is, against the real-time endpoint of $NQDB_HTTP, beside sessions of node `pg` at $NQDB_TARGET.
const assert = require('assert');
const crypto = require('crypto');
const { Centrifuge } = require('centrifuge');
const WebSocket = require('ws');
const { Client } = require('pg');

const words = Object.fromEntries(process.env.NQDB_TARGET.split(/\s+/).map((word) => word.split('=', 2)));
const config = { host: words.host, port: Number(words.port), user: words.user, database: words.dbname };
const address = `ws://${process.env.NQDB_HTTP}/connection/websocket`;
const role = { user: 'postgres', database: 'postgres' };

// The first event of a kind that fits; fails when it does not come.
function event(source, name, fits = () => true) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no event ${name}`)), 10000);
    const listener = (context) => {
      if (!fits(context)) return;
      clearTimeout(late);
      source.removeListener(name, listener);
      resolve(context);
    };
    source.on(name, listener);
  });
}

function open(options) {
  return new Centrifuge(address, { websocket: WebSocket, minReconnectDelay: 10, ...options });
}

async function connected(options) {
  const client = open(options);
  const done = event(client, 'connected');
  client.connect();
  await done;
  return client;
}

async function subscribed(client, channel, options) {
  const subscription = client.newSubscription(channel, options);
  const done = event(subscription, 'subscribed');
  subscription.subscribe();
  return [subscription, await done];
}

function token(claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${text}.${crypto.createHmac('sha256', process.env.NQDB_SECRET).update(text).digest('base64url')}`;
}

const inSeconds = (seconds) => Math.floor(Date.now() / 1000) + seconds;

async function notifyReachesSubscribersAndPublishReachesListeners(sql) {
  const client = await connected({ data: role });
  const [orders] = await subscribed(client, 'orders');
  const first = event(orders, 'publication');
  await sql.query(`NOTIFY orders, '{"id": 17}'`);
  assert.deepStrictEqual((await first).data, { id: 17 });
  const second = event(orders, 'publication');
  await sql.query(`NOTIFY orders, 'plain text'`);
  assert.strictEqual((await second).data, 'plain text');
  await sql.query('LISTEN orders');
  const heard = event(sql, 'notification');
  const own = event(orders, 'publication');
  await orders.publish({ from: 'browser' });
  assert.deepStrictEqual(JSON.parse((await heard).payload), { from: 'browser' });
  const received = await own;
  assert.deepStrictEqual([received.data, received.info.user, received.offset], [{ from: 'browser' }, 'postgres', 3]);
  const history = await orders.history({ limit: 2, reverse: true });
  assert.deepStrictEqual(history.publications.map((one) => one.offset), [3, 2]);
  const stats = await orders.presenceStats();
  assert.deepStrictEqual([stats.numClients, stats.numUsers], [1, 1]);
  await assert.rejects(client.rpc('no.such', {}), (error) => error.code === 104);
  await sql.query('UNLISTEN *');
  client.disconnect();
}

async function whoComesBackGetsWhatItMissed(sql) {
  const client = await connected({ data: role });
  const [news] = await subscribed(client, 'news', { recoverable: true });
  const before = event(news, 'publication');
  await sql.query(`NOTIFY news, '0'`);
  await before;
  const away = event(client, 'disconnected');
  client.disconnect();
  await away;
  for (let number = 1; number <= 3; number += 1) await sql.query(`NOTIFY news, '${number}'`);
  const got = [];
  news.on('publication', (context) => got.push(context.data));
  const back = event(news, 'subscribed');
  const last = event(news, 'publication', (context) => context.data === 3);
  client.connect();
  const context = await back;
  assert.deepStrictEqual([context.wasRecovering, context.recovered], [true, true]);
  await last;
  assert.deepStrictEqual(got, [1, 2, 3]);
  client.disconnect();
}

async function membersAreSeen() {
  const watcher = await connected({ data: role });
  const [room] = await subscribed(watcher, 'room', { joinLeave: true });
  const came = event(room, 'join', (context) => context.info.user === 'postgres');
  const guest = await connected({ data: role });
  await subscribed(guest, 'room');
  const { info } = await came;
  const present = await room.presence();
  assert.ok(present.clients[info.client], JSON.stringify(present));
  const left = event(room, 'leave', (context) => context.info.client === info.client);
  guest.disconnect();
  await left;
  watcher.disconnect();
}

async function patterns(sql) {
  const client = await connected({ data: role });
  const [all] = await subscribed(client, 'stock.*');
  const heard = event(all, 'publication');
  await sql.query(`NOTIFY "stock.apples", '5'`);
  const context = await heard;
  assert.deepStrictEqual([context.data, context.tags.channel], [5, 'stock.apples']);
  client.disconnect();
}

async function tokens(sql) {
  const claims = { sub: 'ada', role: 'postgres', channels: ['orders', 'own.*'], publish: [] };
  const client = await connected({ token: token({ ...claims, exp: inSeconds(600) }) });
  const [orders] = await subscribed(client, 'orders');
  await assert.rejects(orders.publish('x'), (error) => error.code === 103);
  const denied = client.newSubscription('secret');
  const refused = event(denied, 'unsubscribed');
  denied.subscribe();
  assert.strictEqual((await refused).code, 103);
  client.disconnect();

  // One that is about to expire is refreshed, one that has expired is fetched anew.
  for (const seconds of [1, -10]) {
    let asked = 0;
    const getToken = async () => { asked += 1; return token({ ...claims, exp: inSeconds(600) }); };
    const fresh = await connected({ token: token({ ...claims, exp: inSeconds(seconds) }), getToken });
    const [again] = await subscribed(fresh, 'orders');
    if (seconds > 0) await new Promise((resolve) => { setTimeout(resolve, 2500); });
    const heard = event(again, 'publication');
    await sql.query(`NOTIFY orders, '1'`);
    await heard;
    assert.strictEqual(asked, 1);
    fresh.disconnect();
  }

  const forged = open({ token: `${token(claims)}x` });
  const away = event(forged, 'disconnected');
  forged.connect();
  assert.strictEqual((await away).code, 3500);
  const stranger = open({ data: { user: 'nobody', database: 'postgres' } });
  const out = event(stranger, 'disconnected');
  stranger.connect();
  assert.strictEqual((await out).code, 3507);
}

// A connection whose token expires, and whose client does nothing about it, goes on for a while and is then closed.
async function expiry() {
  const socket = new WebSocket(address);
  const messages = [];
  socket.on('message', (message) => messages.push(...message.toString().split('\n').map((line) => JSON.parse(line))));
  const closed = new Promise((resolve) => { socket.on('close', resolve); });
  await new Promise((resolve) => { socket.on('open', resolve); });
  const claims = { sub: 'ada', role: 'postgres', exp: inSeconds(2) };
  socket.send(JSON.stringify({ id: 1, connect: { token: token(claims) } }));
  // A refresh with a token that has expired too changes nothing.
  socket.send(JSON.stringify({ id: 2, refresh: { token: token({ ...claims, exp: inSeconds(-5) }) } }));
  assert.strictEqual(await closed, 3005);
  const [connect, refresh] = messages.filter(({ id }) => id);
  assert(connect.connect.expires && connect.connect.ttl <= 2, JSON.stringify(connect));
  assert.strictEqual(refresh.error.code, 109);
}

async function main() {
  const expired = expiry();
  const sql = new Client(config);
  await sql.connect();
  await notifyReachesSubscribersAndPublishReachesListeners(sql);
  await whoComesBackGetsWhatItMissed(sql);
  await membersAreSeen();
  await patterns(sql);
  await tokens(sql);
  await expired;
  await sql.end();
  console.log('centrifuge: ok');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
