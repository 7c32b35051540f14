// SQL: tabs with a session each, results as they come, plans, charts, and queries that stay true.
import { resultChart } from './chart.js';
import { Connection } from './connection.js';
import { confirm, download, h, replace, toast } from './dom.js';
import { Editor } from './editor.js';
import { csv, json, plural, seconds } from './format.js';
import { Grid } from './grid.js';
import { planTree } from './plan.js';

export const title = 'SQL';
export const isFull = true;

// Rows that the page holds of one query before it stops to take more, and what it says then.
const ROWS_HELD = 100000;
const STORED_TABS = 'nqdb.tabs';

export function mount(main, context) {
  const { kept } = context;
  kept.tabs ||= restore(context);
  const bar = h('div', { class: 'tabs', role: 'tablist', 'aria-label': 'SQL tabs' });
  const place = h('div', { class: 'stack grow', style: { 'min-height': '0', gap: '12px' } });
  main.append(h('h1', { class: 'unseen' }, title), bar, place);

  const store = () => localStorage.setItem(STORED_TABS, JSON.stringify(kept.tabs.map(({ name, editor }) => ({ name, text: editor.text }))));
  const show = (tab) => {
    kept.at = tab;
    replace(place, tab.element);
    draw();
    tab.editor.focus();
  };
  const open = (text = '') => {
    const number = 1 + Math.max(0, ...kept.tabs.map(({ name }) => Number(/\d+$/.exec(name)?.[0] ?? 0)));
    const tab = new Tab(`Query ${number}`, text, context, () => { store(); draw(); });
    kept.tabs.push(tab);
    show(tab);
    store();
  };
  const close = async (tab) => {
    if (tab.status !== 'idle' && !await confirm('Close this tab?', 'Its transaction is open and would be rolled back.', 'Close and roll back')) return;
    tab.end();
    kept.tabs = kept.tabs.filter((one) => one !== tab);
    if (!kept.tabs.length) open(); else show(kept.at === tab ? kept.tabs.at(-1) : kept.at);
    store();
  };
  const draw = () => replace(bar, kept.tabs.map((tab) => h('span', { class: `tab ${tab === kept.at ? 'on' : ''}` },
    h('button', { role: 'tab', 'aria-selected': tab === kept.at ? 'true' : 'false', onclick: () => show(tab) }, tab.name, tab.running ? ' …' : '', tab.status !== 'idle' ? ' •' : ''),
    h('button', { class: 'close', 'aria-label': `Close ${tab.name}`, onclick: () => close(tab) }, '×'))),
  h('button', { class: 'bare', 'aria-label': 'New tab', title: 'New tab', onclick: () => open() }, '+'));
  kept.tabs.forEach((tab) => { tab.changed = () => { store(); draw(); }; });
  if (kept.wanted !== undefined) {
    open(kept.wanted);
    delete kept.wanted;
  } else {
    show(kept.at && kept.tabs.includes(kept.at) ? kept.at : kept.tabs[0]);
  }
}

function restore(context) {
  const stored = JSON.parse(localStorage.getItem(STORED_TABS) || '[]');
  const texts = stored.length ? stored : [{ name: 'Query 1', text: 'SELECT relname, relkind, reltuples\n  FROM pg_class\n ORDER BY relname;' }];
  return texts.map(({ name, text }) => new Tab(name, text, context, () => {}));
}

// One tab: a text, a session of its own once something was run, and what came of it.
class Tab {
  constructor(name, text, { connection, catalog }, changed) {
    Object.assign(this, { name, main: connection, catalog, changed, status: 'idle', results: [], notes: [] });
    this.editor = new Editor({ catalog: () => catalog, text, onrun: () => this.run(), onchange: () => this.changed() });
    this.runButton = h('button', { onclick: () => this.run(), title: 'Ctrl+Enter' }, 'Run');
    this.cancelButton = h('button', { class: 'danger', onclick: () => this.cancel(), hidden: true, title: 'Esc' }, 'Cancel');
    this.liveButton = h('button', { class: 'quiet', 'aria-pressed': 'false', onclick: () => this.toggleLive(), title: 'Keeps the result of one query true' }, 'Live');
    this.statusBadge = h('span', { class: 'badge warn', hidden: true });
    this.bar = h('div', { class: 'bar' });
    this.content = h('div', { class: 'results grow', style: { 'min-height': '0' } });
    const explain = (analyze) => h('button', { class: 'quiet', onclick: () => this.explain(analyze), title: analyze ? 'Runs the statement, and rolls back what it changed' : 'Shows the plan' }, analyze ? 'Explain analyze' : 'Explain');
    this.element = h('div', { class: 'stack grow', style: { 'min-height': '0', gap: '8px' }, onkeydown: (event) => { if (event.key === 'Escape' && this.running) this.cancel(); } },
      this.editor.element,
      h('div', { class: 'row' }, this.runButton, this.cancelButton, explain(false), explain(true), this.liveButton, this.statusBadge, h('span', { class: 'grow' }),
        h('span', { class: 'muted small' }, h('kbd', {}, 'Ctrl Enter'), ' runs the text, or what is selected')),
      h('div', { class: 'results' }, this.bar, this.content));
    replace(this.content, h('div', { class: 'empty' }, 'Results come here.'));
  }

  // The tab's own connection: its session keeps what BEGIN, SET and temporary tables leave.
  async session() {
    if (this.own?.state === 'open') return this.own;
    this.own?.close();
    this.own = new Connection(this.main.credentials);
    this.own.addEventListener('apart', ({ detail }) => {
      if (detail.error) { toast(`The session of ${this.name} has ended: ${detail.error.message}`, 'bad'); this.setStatus('idle'); }
      if (detail.notification) this.note('', `Notification on ${detail.notification.channel}: ${detail.notification.payload}`);
    });
    this.own.addEventListener('state', () => { if (this.own.state !== 'open') this.setStatus('idle'); });
    await this.own.connect();
    await this.own.query("SET application_name = 'nqdb dashboard, SQL'");
    return this.own;
  }

  end() {
    this.stopLive();
    this.own?.close();
  }

  setStatus(status) {
    this.status = status;
    this.statusBadge.hidden = status === 'idle';
    this.statusBadge.textContent = status === 'failed' ? 'transaction failed: ROLLBACK ends it' : 'in a transaction';
    this.statusBadge.className = `badge ${status === 'failed' ? 'bad' : 'warn'}`;
    this.changed();
  }

  setRunning(isRunning) {
    this.running = isRunning;
    this.runButton.disabled = isRunning;
    this.cancelButton.hidden = !isRunning;
    this.changed();
  }

  cancel() {
    this.release?.();
    this.control?.cancel();
  }

  // Runs a text; `from` is where it begins in the editor.
  async run({ sql, from } = this.editor.wanted) {
    if (this.running || !sql.trim()) return;
    this.stopLive();
    this.editor.clearMark();
    Object.assign(this, { results: [], notes: [], at: 0, view: 'rows' });
    this.setRunning(true);
    const began = performance.now();
    const elapsed = () => (performance.now() - began) / 1000;
    let current;
    this.drawBar(elapsed, true);
    const timer = setInterval(() => this.drawBar(elapsed, true), 250);
    try {
      const session = await this.session();
      this.control = session.stream(sql, [], {
        columns: (columns) => { current = this.newResult(columns); },
        rows: (rows) => this.take(current, rows),
        copy: (text) => this.note('', text),
        complete: (tag) => {
          if (current) current.tag = tag; else this.note('', tag || 'Nothing to run');
          current = undefined;
        },
        notice: ({ severity, message, detail, hint }) => this.note('', `${severity}: ${[message, detail, hint].filter(Boolean).join('\n')}`),
        progress: (progress) => { this.progress = progress; },
      });
      const { status } = await this.control.done;
      this.setStatus(status);
    } catch (error) {
      this.failed(error, from);
    } finally {
      clearInterval(timer);
      this.progress = undefined;
      this.control = undefined;
      this.setRunning(false);
      this.drawBar(elapsed, false);
      if (!this.results.length) this.show();
      if (/\b(create|drop|alter)\b/i.test(sql)) this.catalog.refresh().catch(() => {});
    }
  }

  newResult(columns) {
    const grid = new Grid({ label: 'Result' });
    grid.begin(columns);
    const result = { columns, grid, tag: '' };
    this.results.push(result);
    if (this.results.length === 1) this.show();
    return result;
  }

  // What comes back makes the server wait: when the page holds many rows, somebody has to want more.
  take(result, rows) {
    result.grid.add(rows);
    result.limit ||= ROWS_HELD;
    if (result.grid.rows.length < result.limit) return undefined;
    result.limit += ROWS_HELD;
    return new Promise((resolve) => {
      const done = () => { this.release = undefined; resolve(); };
      this.release = done;
    });
  }

  note(kind, text) {
    this.notes.push({ kind, text });
    if (!this.results.length || this.view === 'messages') this.show();
  }

  failed(error, from) {
    const { code, message, detail, hint, position, where, status } = error;
    if (status) this.setStatus(status);
    const lines = [detail && `Detail: ${detail}`, hint && `Hint: ${hint}`, where && `Context: ${where}`].filter(Boolean);
    let place = '';
    if (position) {
      // PostgreSQL counts characters, and from 1; JavaScript counts halves of some.
      const offset = [...this.editor.text.slice(from)].slice(0, position - 1).join('').length;
      const { line, column } = this.editor.markError(from + offset);
      place = ` at line ${line}, column ${column}`;
    }
    this.notes.push({ kind: 'bad', text: `${message}${place}`, more: [code && `SQLSTATE ${code}`, ...lines].filter(Boolean).join('\n') });
    this.view = 'messages';
    this.show();
    if (position) this.editor.focus();
  }

  // What is seen below the editor: rows, messages or a chart.
  show() {
    const result = this.results[this.at];
    if (this.plan) return replace(this.content, this.plan);
    if (this.view === 'chart' && result) return replace(this.content, resultChart(result.columns, result.grid.rows, Math.max(320, this.content.clientWidth - 34), Math.max(180, this.content.clientHeight - 64)));
    if (this.view === 'messages' || !result) {
      return replace(this.content, h('div', { class: 'messages', role: 'log', 'aria-label': 'Messages' }, this.notes.map(({ kind, text, more }) =>
        h('div', { class: `message ${kind}`, role: kind === 'bad' ? 'alert' : undefined }, h('div', { class: 'wrap' }, text), more && h('div', { class: 'mono wrap' }, more)))));
    }
    replace(this.content, result.grid.element);
    result.grid.draw();
    return undefined;
  }

  drawBar(elapsed, isRunning) {
    const time = seconds(elapsed());
    const result = this.results[this.at];
    const count = result && plural(result.grid.rows.length, 'row');
    const state = this.release ? h('span', { class: 'row' }, h('span', { class: 'badge warn' }, `${count} held, the query waits`), h('button', { class: 'quiet', onclick: () => this.release() }, 'Take more'))
      : isRunning ? h('span', { class: 'row muted' }, h('i', { class: 'busy' }), `${time}${count ? `, ${count}` : ''}${this.progress?.waits_for ? `, waits for ${this.progress.waits_for}` : ''}`)
        : h('span', { class: 'muted', role: 'status' }, [count, result?.tag && !result.tag.startsWith('SELECT') && result.tag, time].filter(Boolean).join(' · '));
    const pick = (view, label) => h('button', { class: 'bare', 'aria-pressed': this.view === view && !this.plan ? 'true' : 'false', onclick: () => { this.view = view; this.plan = undefined; this.show(); this.drawBar(elapsed, this.running); } }, label);
    replace(this.bar, state, h('span', { class: 'grow' }),
      this.results.length > 1 && this.results.map((_, at) => h('button', { class: 'bare', 'aria-pressed': at === this.at ? 'true' : 'false', onclick: () => { this.at = at; this.view = 'rows'; this.show(); this.drawBar(elapsed, this.running); } }, `Result ${at + 1}`)),
      result && pick('rows', 'Rows'), result && pick('chart', 'Chart'), this.notes.length > 0 && pick('messages', `Messages (${this.notes.length})`),
      result && h('button', { class: 'bare', onclick: () => download('result.csv', 'text/csv', csv(result.columns, result.grid.rows)) }, 'CSV'),
      result && h('button', { class: 'bare', onclick: () => download('result.json', 'application/json', [json(result.columns, result.grid.rows)]) }, 'JSON'));
  }

  // EXPLAIN as a tree. With ANALYZE the statement is run, and what it changed is rolled back.
  async explain(analyze) {
    const { sql, from } = this.editor.wanted;
    if (this.running || !sql.trim()) return;
    this.stopLive();
    this.editor.clearMark();
    Object.assign(this, { results: [], notes: [], at: 0, view: 'rows', plan: undefined });
    this.setRunning(true);
    const began = performance.now();
    const prefix = `EXPLAIN (${analyze ? 'ANALYZE, ' : ''}FORMAT JSON) `;
    try {
      const session = await this.session();
      const isAlone = analyze && this.status === 'idle';
      if (isAlone) await session.query('BEGIN');
      try {
        let text = '';
        this.control = session.stream(prefix + sql, [], { rows: (rows) => { text += rows.map((row) => row[0]).join('\n'); } });
        await this.control.done;
        this.plan = planTree(JSON.parse(text));
      } finally {
        if (isAlone) await session.query('ROLLBACK');
      }
    } catch (error) {
      if (error.position) error.position = Math.max(1, error.position - prefix.length);
      if (error.status && this.status === 'idle') error.status = 'idle';
      this.failed(error, from);
    } finally {
      this.control = undefined;
      this.setRunning(false);
      this.drawBar(() => (performance.now() - began) / 1000, false);
      this.show();
      this.plan = undefined;
    }
  }

  toggleLive() {
    if (this.live) return this.stopLive();
    return this.startLive().catch((error) => this.failLive(error));
  }

  failLive(error) {
    this.stopLive();
    // The server's message has the SQLSTATE in front.
    const [, code, message] = /^([0-9A-Z]{5}) (.*)/s.exec(error.message) || [undefined, undefined, error.message];
    this.failed({ code, message }, 0);
    this.drawBar(() => NaN, false);
  }

  // The result of one query, and from then on what changes in it.
  async startLive() {
    const { sql } = this.editor.wanted;
    if (this.running || !sql.trim()) return;
    this.editor.clearMark();
    Object.assign(this, { results: [], notes: [], at: 0, view: 'rows' });
    const session = await this.session();
    const channel = `live:${this.name.replaceAll(/\W/g, '-')}`;
    this.live = { channel, changes: 0 };
    this.liveButton.setAttribute('aria-pressed', 'true');
    const reply = await session.subscribe(channel, ({ data }) => this.changeLive(data), { data: { sql: sql.trim().replace(/;\s*$/, '') } });
    if (!reply.data) throw new Error('This server has no live queries.');
    Object.assign(session.subscriptions.get(channel), { subscribed: ({ data }) => this.beginLive(data), failed: (error) => this.failLive(error) });
    this.beginLive(reply.data);
  }

  beginLive({ columns, key, rows }) {
    if (!this.live) return;
    const described = columns.map((column) => (typeof column === 'string' ? { name: column, type: 'text' } : column));
    Object.assign(this.live, { columns: described, key, objects: rows });
    this.results = [];
    this.newResult(described);
    this.drawLive(new Map());
  }

  changeLive(data) {
    if (!this.live?.columns) return;
    if (data.error) {
      this.failLive(new Error(data.error));
      return;
    }
    if (data.reset) { this.beginLive(data.reset); return; }
    this.live.changes += 1;
    const { key } = this.live;
    const identity = (row) => JSON.stringify(key ? key.map((name) => row[name]) : row);
    const lit = new Set();
    for (const row of data.removed || []) {
      const gone = identity(row);
      const at = this.live.objects.findIndex((one) => identity(one) === gone);
      if (at >= 0) this.live.objects.splice(at, 1);
    }
    for (const row of data.changed || []) {
      const at = this.live.objects.findIndex((one) => identity(one) === identity(row));
      if (at >= 0) this.live.objects[at] = row; else this.live.objects.push(row);
      lit.add(row);
    }
    for (const row of data.added || []) { this.live.objects.push(row); lit.add(row); }
    this.drawLive(lit);
  }

  drawLive(lit) {
    const [result] = this.results;
    const { columns, objects } = this.live;
    const text = (value) => (value === null || value === undefined ? null : typeof value === 'object' ? JSON.stringify(value) : String(value));
    const changed = new Map();
    const rows = objects.map((object) => {
      const row = columns.map(({ name }) => text(object[name]));
      if (lit.has?.(object)) changed.set(row, true);
      return row;
    });
    if (this.view === 'chart') { result.grid.rows = rows; this.show(); } else result.grid.set(rows, changed);
    replace(this.bar, h('span', { class: 'badge good' }, h('span', { class: 'dot open' }), 'live'), h('span', { class: 'muted', role: 'status' }, `${plural(rows.length, 'row')}, ${plural(this.live.changes, 'change')}`), h('span', { class: 'grow' }),
      ['rows', 'chart'].map((view) => h('button', { class: 'bare', 'aria-pressed': this.view === view ? 'true' : 'false', onclick: () => { this.view = view; this.show(); this.drawLive(new Map()); } }, view === 'rows' ? 'Rows' : 'Chart')));
  }

  stopLive() {
    this.plan = undefined;
    if (!this.live) return;
    this.own?.unsubscribe(this.live.channel);
    this.live = undefined;
    this.liveButton.setAttribute('aria-pressed', 'false');
    this.drawBar(() => NaN, false);
  }
}
