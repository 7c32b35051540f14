// npm `centrifuge` as it is, on a channel whose messages are kept, while the server is killed and started again: the client comes
// back by itself and has everything, once. Says `kill` when the server is to be killed, and is then told the ports of the next one.
const assert = require('assert');
const net = require('net');
const readline = require('readline');
const { Centrifuge } = require('centrifuge');
const WebSocket = require('ws');
const { Client } = require('pg');

let [postgresPort, httpPort] = process.argv.slice(2).map(Number);
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

// The client knows one address; behind it is the server that there is at the time.
const door = net.createServer((inside) => {
  const outside = net.connect(httpPort, '127.0.0.1');
  inside.pipe(outside).pipe(inside);
  for (const [one, other] of [[inside, outside], [outside, inside]]) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
});

async function restarted() {
  console.log('kill');
  const { value } = await lines.next();
  [postgresPort, httpPort] = value.split(' ').map(Number);
}

async function session() {
  const client = new Client({ host: '127.0.0.1', port: postgresPort, user: 'postgres', database: 'postgres' });
  client.on('error', () => {});
  await client.connect();
  return client;
}

async function until(holds, what) {
  for (let round = 0; !holds(); round += 1) {
    assert(round < 2000, `never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function main() {
  await new Promise((resolve) => door.listen(0, '127.0.0.1', resolve));
  let sql = await session();
  await sql.query("SELECT nqdb_create_channel('durable', history => 500)");
  const address = `ws://127.0.0.1:${door.address().port}/connection/websocket`;
  const data = { user: 'postgres', database: 'postgres' };
  const options = { websocket: WebSocket, minReconnectDelay: 10, maxReconnectDelay: 100, data };
  const client = new Centrifuge(address, options);
  const subscription = client.newSubscription('durable');
  const heard = [];
  const subscriptions = [];
  subscription.on('publication', (publication) => heard.push(publication.data));
  subscription.on('subscribed', (context) => subscriptions.push(context));
  subscription.subscribe();
  client.connect();
  await until(() => subscriptions.length === 1, 'subscribed');
  let said = 0;
  for (let round = 0; round < 3; round += 1) {
    for (let number = 0; number < 10; number += 1) {
      said += 1;
      await sql.query(`NOTIFY durable, '${said}'`);
    }
    await restarted();
    sql = await session();
    // Said while the client is away, or just back.
    for (let number = 0; number < 10; number += 1) {
      said += 1;
      await sql.query(`NOTIFY durable, '${said}'`);
    }
    await until(() => heard.length >= said, `${said} messages, there are ${heard.length}`);
  }
  await subscription.publish({ last: true });
  await until(() => heard.length > said, 'the last message');
  assert.deepStrictEqual(heard.slice(0, said), Array.from({ length: said }, (_, at) => at + 1));
  assert.deepStrictEqual(heard.slice(said), [{ last: true }]);
  const [first, ...later] = subscriptions;
  assert(later.length >= 3 && later.every((context) => context.wasRecovering && context.recovered), 'recovered each time');
  assert(later.every((context) => context.streamPosition.epoch === first.streamPosition.epoch), 'one stream');
  console.log('ok');
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
