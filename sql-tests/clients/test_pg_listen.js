// `pg-listen` against the server of $NQDB_TARGET: channels, payloads that are JSON, and its check of the connection.
const assert = require('assert');
const createSubscriber = require('pg-listen').default;

const words = Object.fromEntries(process.env.NQDB_TARGET.split(/\s+/).map((word) => word.split('=', 2)));
const config = {
  host: words.host, port: Number(words.port), user: words.user, database: words.dbname, password: words.password,
  ssl: words.sslmode && words.sslmode !== 'disable' ? { rejectUnauthorized: false } : false,
};

async function main() {
  const subscriber = createSubscriber(config, { paranoidChecking: 500 });
  const failed = new Promise((_, reject) => { subscriber.events.on('error', reject); });
  await subscriber.connect();
  const heard = [];
  const all = new Promise((resolve) => {
    subscriber.notifications.on('orders', (payload) => {
      heard.push(payload);
      if (heard.length === 2) resolve();
    });
  });
  await subscriber.listenTo('orders');
  assert.deepStrictEqual(subscriber.getSubscribedChannels(), ['orders']);
  await subscriber.notify('orders', { id: 17, note: "it's" });
  await new Promise((resolve) => { setTimeout(resolve, 1200); });
  await subscriber.notify('orders', 'text');
  await Promise.race([all, failed]);
  assert.deepStrictEqual(heard, [{ id: 17, note: "it's" }, 'text']);
  await subscriber.unlistenAll();
  await subscriber.close();
  console.log('pg-listen: ok');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
