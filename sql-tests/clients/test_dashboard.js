// The dashboard in a real browser (Debian's chromium, driven by npm `playwright-core`), beside sessions of node `pg`. With $NQDB_SCREENSHOTS it leaves
// pictures of the views in that folder.
const assert = require('assert');
const path = require('path');
const { chromium } = require('playwright-core');
const { Client } = require('pg');

const words = Object.fromEntries(process.env.NQDB_TARGET.split(/\s+/).map((word) => word.split('=', 2)));
const config = { host: words.host, port: Number(words.port), user: words.user, database: words.dbname };
const home = `http://${process.env.NQDB_HTTP}/`;
const pictures = process.env.NQDB_SCREENSHOTS;
const PATIENCE_MS = 30000;

const TABLES = `
  CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, city text, since date);
  CREATE TABLE orders (id bigserial PRIMARY KEY, customer int REFERENCES customers ON DELETE CASCADE, amount numeric(10,2) CHECK (amount > 0),
    state text DEFAULT 'open', placed timestamptz DEFAULT now());
  CREATE INDEX orders_placed ON orders (placed);
  CREATE INDEX orders_placed_state ON orders (placed, state);
  CREATE VIEW open_orders AS SELECT o.id, c.name, o.amount FROM orders o JOIN customers c ON c.id = o.customer WHERE o.state = 'open';
  CREATE SCHEMA billing;
  CREATE TABLE billing.invoices (id int PRIMARY KEY, "order" bigint REFERENCES orders, paid boolean, note text);
  INSERT INTO customers SELECT i, (ARRAY['Ada','Grace','Edsger','Barbara','Donald','Leslie'])[1 + i % 6] || ' ' || i,
    (ARRAY['Berlin','Lisbon','Oslo','Turin'])[1 + (i - 1) / 100], date '2024-01-01' + i % 700 FROM generate_series(1, 400) i;
  INSERT INTO orders (customer, amount, state, placed) SELECT 1 + i * 31 % 400, 5 + (i * 7919 % 20000) / 100.0 * (1 + i % 3), (ARRAY['open','paid','sent'])[1 + i % 3],
    timestamptz '2026-01-05' + i * interval '31 min' + sin(i / 400.0 + i * 31 % 400 / 100 * 1.3) * interval '9 days' FROM generate_series(1, 6000) i;
  INSERT INTO billing.invoices VALUES (1, 1, false, '<img src=x onerror="window.broken = true">');
  ANALYZE;`;

const trouble = [];

// A page that notes whatever should not be: errors, violations of its policy, requests to other hosts.
async function open(browser, colours, width = 1180) {
  const context = await browser.newContext({ viewport: { width, height: 720 }, colorScheme: colours });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && trouble.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => trouble.push(error.stack));
  page.on('request', (request) => { if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(home)) trouble.push(`request: ${request.url()}`); });
  await page.addInitScript(() => document.addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`)));
  return page;
}

async function signIn(page, user, password = '') {
  await page.goto(home);
  await page.getByLabel('Role').fill(user);
  await page.getByLabel('Password').fill(password);
  await page.getByLabel('Database').fill('postgres');
  await page.getByRole('button', { name: 'Sign in' }).click();
}

const view = (page, name) => page.getByRole('navigation', { name: 'Views' }).getByRole('button', { name }).click();
const editor = (page) => page.getByRole('textbox', { name: 'SQL' });
const cell = (page, text) => page.getByRole('gridcell', { name: text, exact: true });

async function picture(page, name) {
  if (!pictures) return;
  await page.evaluate(() => document.querySelectorAll('.toast').forEach((toast) => toast.remove()));
  await page.screenshot({ path: path.join(pictures, `${name}.png`) });
}

async function run(page, sql) {
  await editor(page).fill(sql);
  await editor(page).press('Control+Enter');
}

async function signingIn(page) {
  await signIn(page, 'guarded', 'wrong');
  await page.getByRole('alert').filter({ hasText: 'wrong' }).waitFor();
  await page.getByLabel('Password').fill('right');
  await page.keyboard.press('Enter');
  await page.getByText('guarded @ postgres').waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await signIn(page, 'postgres');
  await page.getByText('postgres @ postgres').waitFor();
}

async function overview(page, sql) {
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  for (let at = 0; at < 50; at += 1) await sql.query('SELECT count(*) FROM orders WHERE customer = $1', [at]);
  await page.waitForFunction(() => [...document.querySelectorAll('.chart path.line')].length >= 8);
  await page.getByText('up for').waitFor();
}

async function queries(page, sql) {
  await view(page, 'SQL');
  await run(page, "SELECT 17 AS a, NULL AS b, '<b>bold</b>' AS c; SELECT 2 AS second");
  await page.getByRole('button', { name: 'Result 2' }).waitFor();
  await cell(page, '<b>bold</b>').waitFor();
  await cell(page, 'NULL').waitFor();
  // An error tells its place, and the editor shows it.
  await run(page, 'SELECT id,\n       nmae\n  FROM customers');
  await page.getByRole('alert').filter({ hasText: 'column "nmae" does not exist at line 2, column 8' }).waitFor();
  await page.getByText('SQLSTATE 42703').waitFor();
  assert.strictEqual(await page.locator('.editor mark').textContent(), 'nmae');
  await picture(page, 'error');
  // What is too long for the server is refused here, and the connection stays.
  await run(page, `SELECT '${'x'.repeat(70000)}'`);
  await page.getByRole('alert').filter({ hasText: '64 KiB' }).waitFor();
  // The session is the tab's: a transaction stays open from one run to the next.
  await run(page, 'BEGIN; CREATE TEMP TABLE mine (a int)');
  await page.getByText('in a transaction').waitFor();
  await run(page, 'INSERT INTO mine VALUES (1) RETURNING a; ROLLBACK');
  await page.getByText('in a transaction').waitFor({ state: 'hidden' });
  // Many rows: a few of them are elements, and the server waits when the page holds enough.
  await run(page, 'SELECT i, repeat(\'x\', 20) AS x FROM generate_series(1, 150000) AS i');
  await page.getByText(/^100,\d{3} rows held, the query waits$/).waitFor();
  assert(await page.locator('.grid .line').count() < 100);
  await page.getByRole('button', { name: 'Take more' }).click();
  await page.getByText('150,000 rows').waitFor();
  await page.getByRole('grid').focus();
  await page.keyboard.press('Control+End');
  await cell(page, '150000').first().waitFor();
  // Cancel, by the keyboard.
  await run(page, 'SELECT pg_sleep(600)');
  await page.getByRole('button', { name: 'Cancel' }).waitFor();
  const isThere = async () => (await sql.query("SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep(600)%'")).rowCount;
  while (!await isThere()) await page.waitForTimeout(50);
  await editor(page).press('Escape');
  await page.getByText('SQLSTATE 57014').waitFor();
  assert.strictEqual(await isThere(), 0);
  await completion(page);
  await chartsAndPlans(page);
}

async function completion(page) {
  await editor(page).fill('SELECT  FROM orders o');
  await editor(page).evaluate((area) => area.setSelectionRange(7, 7));
  await page.keyboard.type('o.am');
  await page.getByRole('option', { name: 'amount' }).waitFor();
  await picture(page, 'completion');
  await page.keyboard.press('Enter');
  assert.strictEqual(await editor(page).inputValue(), 'SELECT o.amount FROM orders o');
}

async function chartsAndPlans(page) {
  const sql = "SELECT date_trunc('week', o.placed) AS week, c.city, count(*) AS orders,\n       sum(o.amount) AS amount\n  FROM orders o JOIN customers c ON c.id = o.customer\n WHERE o.state <> 'open'\n GROUP BY 1, 2\n ORDER BY 1, 2;";
  await run(page, sql);
  await page.getByRole('grid').waitFor();
  await page.getByRole('button', { name: 'CSV' }).waitFor();
  await picture(page, 'sql');
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'CSV' }).click()]);
  const text = require('fs').readFileSync(await file.path(), 'utf8');
  assert(text.startsWith('week,city,orders,amount\r\n2'), text.slice(0, 80));
  await page.getByRole('button', { name: 'Chart' }).click();
  await page.getByRole('img', { name: /by week/ }).waitFor();
  await picture(page, 'chart');
  await page.getByRole('button', { name: 'Explain analyze' }).click();
  await page.getByRole('region', { name: 'Plan' }).getByText('on orders').waitFor();
  await picture(page, 'plan');
}

// A query that stays true while another client writes, and that says so when it cannot any more.
async function liveQuery(page, sql) {
  await view(page, 'SQL');
  await editor(page).fill("SELECT id, customer, amount, state FROM orders WHERE state = 'new';");
  await page.getByRole('button', { name: 'Live' }).click();
  await page.getByText('live', { exact: true }).waitFor();
  await page.getByText('0 rows, 0 changes').waitFor();
  await sql.query("INSERT INTO orders (id, customer, amount, state) SELECT 90000 + i, i, 10.5 * i, 'new' FROM generate_series(1, 5) i");
  await page.getByText(/^5 rows/).waitFor();
  await sql.query('UPDATE orders SET amount = 99.25 WHERE id = 90002; DELETE FROM orders WHERE id = 90001');
  await cell(page, '99.25').waitFor();
  await page.getByText(/^4 rows/).waitFor();
  assert.strictEqual(await cell(page, '90001').count(), 0);
  await cell(page, '31.50').waitFor();
  await picture(page, 'live');
  await sql.query("UPDATE orders SET state = 'open' WHERE id > 90000");
  await page.getByText(/^0 rows/).waitFor();
  await page.getByRole('button', { name: 'Live' }).click();
  await editor(page).fill('SELECT nothing FROM orders');
  await page.getByRole('button', { name: 'Live' }).click();
  await page.getByRole('alert').filter({ hasText: 'column "nothing" does not exist' }).waitFor();
}

async function data(page, sql) {
  await view(page, 'Data');
  await page.getByRole('navigation', { name: 'Tables' }).getByRole('button', { name: /^invoices/ }).click();
  await cell(page, '<img src=x onerror="window.broken = true">').waitFor();
  assert.strictEqual(await page.evaluate(() => window.broken), undefined);
  await page.getByRole('navigation', { name: 'Tables' }).getByRole('button', { name: /^customers/ }).click();
  await cell(page, 'Grace 1').dblclick();
  await page.locator('.grid input.edit').fill('Grace Hopper');
  await page.keyboard.press('Enter');
  await page.getByText('Saved').first().waitFor();
  assert.strictEqual((await sql.query('SELECT name FROM customers WHERE id = 1')).rows[0].name, 'Grace Hopper');
  await page.getByRole('textbox', { name: 'Condition' }).or(page.getByRole('searchbox', { name: 'Condition' })).fill('id = 2');
  await page.keyboard.press('Enter');
  await page.getByText('Rows 1 to 1, the last ones').waitFor();
  await page.getByRole('navigation', { name: 'Tables' }).getByRole('button', { name: /^orders/ }).first().click();
  await page.getByRole('heading', { name: 'orders' }).waitFor();
  await page.getByText('Rows 1 to 200').waitFor();
  await picture(page, 'data');
  await page.getByRole('button', { name: 'Constraints' }).click();
  await page.getByText('FOREIGN KEY (customer) REFERENCES customers(id) ON DELETE CASCADE').waitFor();
  await page.getByRole('button', { name: 'Indexes' }).click();
  await page.getByText('orders_placed_state', { exact: true }).waitFor();
}

async function realTime(page, sql) {
  const heard = new Promise((resolve) => sql.once('notification', resolve));
  await sql.query('LISTEN deliveries');
  await view(page, 'Real-time');
  await page.getByLabel('Channel to listen to').fill('deliveries');
  await page.keyboard.press('Enter');
  await page.getByText('listening from').waitFor();
  await sql.query(`NOTIFY deliveries, '{"order": 17, "at": "Lisbon"}'`);
  await page.getByText('"at": "Lisbon"').waitFor();
  await heard;
  const answer = new Promise((resolve) => sql.once('notification', resolve));
  await page.getByLabel('Channel to publish to').fill('deliveries');
  await page.getByLabel('Message', { exact: true }).fill('{"order": 18, "at": "Oslo"}');
  await page.keyboard.press('Enter');
  assert.deepStrictEqual(JSON.parse((await answer).payload), { order: 18, at: 'Oslo' });
  await page.getByText('"at": "Oslo"').waitFor();
  await picture(page, 'real-time');
  await page.getByRole('button', { name: 'Replay deliveries' }).click();
  await page.getByText('the last 2 messages that the channel keeps').waitFor();
}

async function activityAndAdvice(page, sql) {
  const blocked = new Client({ ...config, application_name: 'warehouse' });
  await blocked.connect();
  await sql.query("SET application_name = 'accounting'; BEGIN; UPDATE customers SET city = 'Ghent' WHERE id = 3");
  const waiting = blocked.query('UPDATE customers SET city = NULL WHERE id = 3');
  const ended = new Promise((resolve) => blocked.on('error', resolve));
  waiting.catch(() => {});
  await view(page, 'Activity');
  await page.getByText(/Process \d+ holds up \d+/).waitFor();
  await picture(page, 'activity');
  const row = page.getByRole('row').filter({ hasText: 'warehouse' });
  await row.getByRole('button', { name: /^Cancel/ }).click();
  await assert.rejects(waiting, (error) => error.code === '57014');
  await row.getByRole('button', { name: /^End/ }).click();
  await page.getByRole('button', { name: 'End the session' }).click();
  await ended;
  await sql.query('ROLLBACK');
  await view(page, 'Advice');
  await page.getByText('No index for the foreign key orders_customer_fkey').waitFor();
  await page.getByText('The index orders_placed says nothing that orders_placed_state does not').waitFor();
  await picture(page, 'advice');
}

// Keys, names for those who do not see, narrow screens, light colours.
async function everybodyCanUseIt(page, browser) {
  await page.keyboard.press('Alt+1');
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  await page.keyboard.press('Control+k');
  await page.keyboard.type('invoi');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'billing.invoices' }).waitFor();
  const light = await open(browser, 'light');
  await signIn(light, 'postgres');
  await light.getByText('postgres @ postgres').waitFor();
  assert.strictEqual(await light.evaluate(() => document.documentElement.dataset.theme), 'light');
  await light.waitForFunction(() => [...document.querySelectorAll('.chart path.line')].length >= 8);
  await light.close();
  const narrow = await open(browser, 'dark', 390);
  await signIn(narrow, 'postgres');
  for (const name of ['Overview', 'SQL', 'Data', 'Real-time', 'Activity', 'Advice']) {
    await view(narrow, name);
    await narrow.waitForTimeout(200);
    const facts = await narrow.evaluate(() => ({
      overflow: document.documentElement.scrollWidth - innerWidth,
      nameless: [...document.querySelectorAll('button, input, select, textarea')].filter((element) => element.checkVisibility()
        && !element.textContent.trim() && !element.getAttribute('aria-label') && !element.labels?.length).map((element) => element.outerHTML),
    }));
    assert.deepStrictEqual(facts, { overflow: 0, nameless: [] }, name);
  }
  await narrow.close();
}

// The overview beside clients that come and go, in both colours.
async function portraits(page, browser) {
  const clients = Array.from({ length: 6 }, () => new Client(config));
  for (const client of clients) await client.connect();
  let isOver = false;
  const work = async (client, at) => {
    while (!isOver) {
      const id = 1 + Math.floor(Math.random() * 400);
      if (Math.sin(Date.now() / 9000 + at) > -0.2) {
        await client.query(at % 3 ? 'SELECT count(*), sum(amount) FROM orders WHERE id = $1' : 'UPDATE customers SET since = since + 0 WHERE id = $1', [id]);
        if (at === 0) await client.query("NOTIFY deliveries, 'moved'");
      }
      await page.waitForTimeout(20 + 10 * at);
    }
  };
  const working = clients.map(work);
  const light = await open(browser, 'light');
  await signIn(light, 'postgres');
  await page.keyboard.press('Alt+1');
  await page.waitForTimeout(95000);
  await picture(page, 'overview');
  await picture(light, 'overview-light');
  isOver = true;
  await Promise.all(working);
  await light.close();
  for (const client of clients) await client.end();
}

(async () => {
  const sql = new Client(config);
  await sql.connect();
  await sql.query(`${TABLES} CREATE ROLE guarded LOGIN PASSWORD 'right'`);
  const browser = await chromium.launch({ executablePath: process.env.NQDB_CHROMIUM, args: ['--no-sandbox', '--disable-lcd-text'] });
  try {
    const page = await open(browser, 'dark');
    for (const check of [signingIn, overview, queries, liveQuery, data, realTime, activityAndAdvice]) {
      await check(page, sql).catch((error) => { error.message = `${check.name}: ${error.message}`; throw error; });
    }
    await everybodyCanUseIt(page, browser);
    if (pictures) await portraits(page, browser);
    assert.deepStrictEqual(trouble, []);
  } finally {
    await browser.close();
  }
  await sql.end();
})().catch((error) => {
  console.error(error, trouble);
  process.exit(1);
});
