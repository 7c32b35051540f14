// node `pg` against the server of $NQDB_TARGET: text and binary results, parameters, COPY, error codes.
const fs = require('fs');
const path = require('path');
const { pipeline } = require('stream/promises');
const { Readable, Writable } = require('stream');
const assert = require('assert');
const { Client } = require('pg');
const { from: copyFrom, to: copyTo } = require('pg-copy-streams');

const words = Object.fromEntries(process.env.NQDB_TARGET.split(/\s+/).map((word) => word.split('=', 2)));
const config = {
  host: words.host, port: Number(words.port), user: words.user, database: words.dbname, password: words.password,
  ssl: words.sslmode && words.sslmode !== 'disable' ? { rejectUnauthorized: false } : false,
};
const values = JSON.parse(fs.readFileSync(path.join(__dirname, 'values.json')));

async function roundTripTypes(client) {
  for (const [type, text] of values) {
    await client.query('DROP TABLE IF EXISTS one_value');
    await client.query(`CREATE TABLE one_value (v ${type})`);
    await client.query(`INSERT INTO one_value VALUES ($1::text::${type})`, [text]);
    const result = await client.query(`SELECT v::text AS back, v = $1::text::${type} AS same FROM one_value`, [text]);
    assert.ok(result.rows[0].same, `${type} ${text} came back as ${result.rows[0].back}`);
    await client.query({ text: 'SELECT v FROM one_value', binary: true });
  }
}

async function notifications(client) {
  const heard = [];
  const three = new Promise((resolve) => {
    client.on('notification', (message) => {
      heard.push([message.channel, message.payload, message.processId]);
      if (heard.length === 3) resolve();
    });
  });
  await client.query('LISTEN orders');
  const notifier = new Client(config);
  await notifier.connect();
  await notifier.query("NOTIFY orders, 'one'");
  await notifier.query('BEGIN');
  await notifier.query('SELECT pg_notify($1, $2)', ['orders', 'two']);
  await notifier.query('COMMIT');
  await client.query("NOTIFY orders, 'my own'");
  await three;
  assert.deepStrictEqual(heard, [
    ['orders', 'one', notifier.processID], ['orders', 'two', notifier.processID], ['orders', 'my own', client.processID],
  ]);
  await client.query('UNLISTEN *');
  await notifier.end();
}

async function rowsAndErrors(client) {
  await client.query('DROP TABLE IF EXISTS keyed');
  await client.query('CREATE TABLE keyed (id int PRIMARY KEY, name text, at timestamptz)');
  const at = new Date('2024-02-29T12:34:56.789Z');
  const inserted = await client.query('INSERT INTO keyed VALUES ($1, $2, $3) RETURNING *', [1, 'one', at]);
  assert.deepStrictEqual(inserted.rows, [{ id: 1, name: 'one', at }]);
  await assert.rejects(client.query('INSERT INTO keyed VALUES (1)'), (error) => error.code === '23505' && error.constraint === 'keyed_pkey');
  const prepared = { name: 'by-id', text: 'SELECT name FROM keyed WHERE id = $1' };
  for (let round = 0; round < 3; round += 1) {
    assert.strictEqual((await client.query({ ...prepared, values: [1] })).rows[0].name, 'one');
  }
}

async function copyBothWays(client) {
  await client.query('DROP TABLE IF EXISTS copied');
  await client.query('CREATE TABLE copied (a int, b text)');
  const lines = Array.from({ length: 1000 }, (_, number) => `${number}\tline ${number}\n`);
  await pipeline(Readable.from(lines), client.query(copyFrom('COPY copied FROM STDIN')));
  const chunks = [];
  const sink = new Writable({ write(chunk, _encoding, done) { chunks.push(chunk); done(); } });
  await pipeline(client.query(copyTo('COPY copied TO STDOUT')), sink);
  assert.strictEqual(Buffer.concat(chunks).toString(), lines.join(''));
}

async function main() {
  const client = new Client(config);
  await client.connect();
  try {
    await roundTripTypes(client);
    await rowsAndErrors(client);
    await copyBothWays(client);
    await notifications(client);
  } finally {
    await client.end();
  }
  console.log(`node pg ${require('pg/package.json').version}: ok`);
}

main().catch((error) => { console.error(error); process.exit(1); });
