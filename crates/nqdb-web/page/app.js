// The page's frame: signing in, the views and how one gets from one to another.
import * as activity from './activity.js';
import * as advice from './advice.js';
import { CatalogView, isSystem } from './catalog.js';
import * as channels from './channels.js';
import { Connection } from './connection.js';
import * as data from './data.js';
import { announce, dialog, h, replace, toast } from './dom.js';
import * as overview from './overview.js';
import * as sql from './sql.js';

const VIEWS = [
  ['overview', overview, 'M2 13h3l2-7 3 9 2-5h2'],
  ['sql', sql, 'M3 4l4 4-4 4M9 13h5'],
  ['data', data, 'M2 3h12v10H2zM2 7h12M6 7v6'],
  ['channels', channels, 'M8 8h.01M5 11a4 4 0 010-6M11 5a4 4 0 010 6M3 13a7 7 0 010-10M13 3a7 7 0 010 10'],
  ['activity', activity, 'M5 7a2 2 0 100-4 2 2 0 000 4zM1 14a4 4 0 018 0M11 7a2 2 0 10-1-3.7M12 14a4 4 0 00-2-3.5'],
  ['advice', advice, 'M6 14h4M8 2a4 4 0 00-2 7.5V11h4V9.5A4 4 0 008 2z'],
];
const THEMES = { '': 'As the system', light: 'Light', dark: 'Dark' };
const dark = matchMedia('(prefers-color-scheme: dark)');

function theme() {
  const chosen = localStorage.getItem('nqdb.theme') || '';
  document.documentElement.dataset.theme = chosen || (dark.matches ? 'dark' : 'light');
  return chosen;
}
dark.addEventListener('change', theme);
theme();

const app = document.getElementById('app');

function login(message = '') {
  const known = JSON.parse(localStorage.getItem('nqdb.login') || '{}');
  const field = (label, properties) => {
    const input = h('input', { autocomplete: 'off', spellcheck: 'false', ...properties });
    return [input, h('label', {}, label, input)];
  };
  const [user, userLabel] = field('Role', { name: 'user', required: true, value: known.user ?? 'postgres', autocomplete: 'username' });
  const [password, passwordLabel] = field('Password', { name: 'password', type: 'password', autocomplete: 'current-password' });
  const [database, databaseLabel] = field('Database', { name: 'database', value: known.database ?? 'postgres' });
  const failure = h('div', { class: 'failure', role: 'alert', hidden: !message }, message);
  const button = h('button', { type: 'submit' }, 'Sign in');
  const form = h('form', {}, h('div', { class: 'brand' }, h('img', { src: '/page/icon.svg', alt: '' }), h('span', {}, 'nqdb')),
    userLabel, passwordLabel, databaseLabel, failure, button,
    h('p', { class: 'small muted' }, 'A role of the database, with its rights. A role without a password is taken on this machine only.'));
  form.onsubmit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    const credentials = { user: user.value, password: password.value, database: database.value || user.value };
    const connection = new Connection(credentials);
    try {
      await connection.connect();
      localStorage.setItem('nqdb.login', JSON.stringify({ user: credentials.user, database: credentials.database }));
      await enter(connection);
    } catch (error) {
      connection.close();
      failure.hidden = false;
      failure.textContent = error.message;
      button.disabled = false;
      password.focus();
    }
  };
  replace(app, h('div', { class: 'login' }, form));
  (known.user === undefined ? user : password).focus();
}

// What views share.
class Shell {
  constructor(connection, version) {
    Object.assign(this, { connection, version, kept: new Map(), catalog: new CatalogView(connection) });
  }

  draw() {
    this.main = h('main', { tabindex: -1 });
    this.dot = h('span', { class: 'dot open' });
    this.state = h('span', {}, 'connected');
    const { user, database } = this.connection.credentials;
    this.buttons = VIEWS.map(([id, { title }, path], at) => h('button', { onclick: () => this.go(id), title: `Alt+${at + 1}` },
      h('svg', { viewBox: '0 0 16 16', 'aria-hidden': 'true' }, h('path', { d: path })), title, h('kbd', {}, `Alt ${at + 1}`)));
    const themes = h('select', { 'aria-label': 'Colours', onchange: () => { localStorage.setItem('nqdb.theme', themes.value); theme(); } },
      Object.entries(THEMES).map(([value, label]) => h('option', { value, selected: value === theme() }, label)));
    replace(app, h('div', { class: 'frame' },
      h('div', { class: 'side' }, h('div', { class: 'brand' }, h('img', { src: '/page/icon.svg', alt: '' }), h('span', {}, 'nqdb')),
        h('nav', { 'aria-label': 'Views' }, this.buttons),
        h('div', { class: 'who' }, h('strong', {}, `${user} @ ${database}`), h('span', { class: 'place' }, `${location.host} · ${this.version}`),
          h('div', { class: 'row', role: 'status' }, this.dot, this.state), themes,
          h('div', { class: 'row' }, h('button', { class: 'bare', onclick: () => this.palette(), title: 'Ctrl+K' }, 'Find'),
            h('button', { class: 'bare', onclick: () => help(), title: '?' }, 'Keys'), h('button', { class: 'bare', onclick: () => this.leave() }, 'Sign out')))),
      this.main));
    this.connection.addEventListener('state', () => {
      this.dot.className = `dot ${this.connection.state}`;
      this.state.textContent = { open: 'connected', connecting: 'connecting …', closed: 'no connection' }[this.connection.state];
    });
    this.connection.addEventListener('refused', ({ detail }) => this.leave(detail));
    this.keys = (event) => this.key(event);
    document.addEventListener('keydown', this.keys);
    addEventListener('hashchange', this.hash = () => this.show());
    this.show();
  }

  // Shows the view that the address names.
  show() {
    const [id, ...rest] = location.hash.slice(1).split('/');
    const at = Math.max(0, VIEWS.findIndex(([one]) => one === id));
    const [name, view] = VIEWS[at];
    this.buttons.forEach((button, index) => (index === at ? button.setAttribute('aria-current', 'page') : button.removeAttribute('aria-current')));
    this.abort?.abort();
    this.abort = new AbortController();
    this.main.className = view.isFull ? 'full' : '';
    replace(this.main);
    document.title = `${view.title} · nqdb`;
    announce(view.title);
    this.main.focus({ preventScroll: true });
    if (!this.kept.has(name)) this.kept.set(name, {});
    const path = rest.map(decodeURIComponent);
    view.mount(this.main, { connection: this.connection, catalog: this.catalog, signal: this.abort.signal, kept: this.kept.get(name), path,
      openSql: (text) => this.openSql(text), go: (to, ...more) => this.go(to, ...more) });
  }

  go(id, ...rest) {
    const wanted = `#${[id, ...rest.map(encodeURIComponent)].join('/')}`;
    if (location.hash === wanted) this.show(); else location.hash = wanted;
  }

  openSql(text) {
    const kept = this.kept.get('sql') || {};
    this.kept.set('sql', kept);
    kept.wanted = text;
    this.go('sql');
  }

  key(event) {
    const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (event.altKey && !event.ctrlKey && /^[1-6]$/.test(event.key)) { this.go(VIEWS[event.key - 1][0]); event.preventDefault(); }
    else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') { this.palette(); event.preventDefault(); }
    else if (event.key === '?' && !isTyping) help();
    else if (event.key === '/' && !isTyping) { this.main.querySelector('input[type=search]')?.focus(); event.preventDefault(); }
  }

  // Finds a view or a table by some letters of its name.
  palette() {
    if (document.querySelector('dialog')) return;
    dialog('Find', (close) => {
      const input = h('input', { type: 'search', placeholder: 'A view or a table', 'aria-label': 'Find a view or a table', autocomplete: 'off' });
      const list = h('div', { class: 'tree', role: 'listbox' });
      const things = [...VIEWS.map(([id, { title }]) => ({ text: title, what: 'view', act: () => this.go(id) })),
        ...this.catalog.tables.map(({ schema, name, kind }) => ({ text: schema === 'public' ? name : `${schema}.${name}`, what: kind, isFar: isSystem(schema), act: () => this.go('data', schema, name) }))];
      let [shown, at] = [[], 0];
      const draw = () => {
        const wanted = input.value.toLowerCase();
        const rank = ({ text, isFar }) => text.toLowerCase().indexOf(wanted) + (isFar ? 1000 : 0);
        shown = things.filter(({ text }) => text.toLowerCase().includes(wanted)).sort((one, other) => rank(one) - rank(other)).slice(0, 50);
        at = Math.max(0, Math.min(at, shown.length - 1));
        replace(list, shown.map(({ text, what, act }, index) => h('button', { role: 'option', 'aria-current': index === at ? 'true' : undefined, tabindex: -1, onclick: () => { close(); act(); } },
          h('span', { class: 'what' }, text), h('span', { class: 'size' }, what))));
        list.children[at]?.scrollIntoView({ block: 'nearest' });
      };
      input.oninput = () => { at = 0; draw(); };
      input.onkeydown = (event) => {
        if (event.key === 'ArrowDown' || event.key === 'ArrowUp') { at += event.key === 'ArrowDown' ? 1 : -1; draw(); event.preventDefault(); }
        if (event.key === 'Enter' && shown[at]) { event.preventDefault(); close(); shown[at].act(); }
      };
      draw();
      return h('div', {}, input, list);
    }, 'palette');
  }

  leave(message) {
    this.abort?.abort();
    this.connection.close();
    this.kept.get('sql')?.tabs?.forEach((tab) => tab.end());
    document.removeEventListener('keydown', this.keys);
    removeEventListener('hashchange', this.hash);
    login(message);
  }
}

function help() {
  if (document.querySelector('dialog')) return;
  const keys = [['Alt 1 … 6', 'the views'], ['Ctrl K', 'find a view or a table'], ['/', 'go to the filter'], ['Ctrl Enter', 'run the text, or what of it is selected'],
    ['Ctrl Space', 'complete'], ['Ctrl /', 'make lines comments, or back'], ['Esc', 'cancel the query that runs'], ['Arrows, Enter, Ctrl C', 'in a table: move, open or edit, copy'],
    ['Ctrl Delete', 'while editing: NULL'], ['?', 'this list']];
  dialog('Keys', (close) => h('div', {}, h('dl', { class: 'keys' }, keys.map(([key, what]) => [h('dt', {}, h('kbd', {}, key)), h('dd', {}, what)])),
    h('div', { class: 'row end' }, h('button', { onclick: () => close() }, 'Close'))));
}

async function enter(connection) {
  await connection.query("SET application_name = 'nqdb dashboard'");
  const [{ version }] = await connection.query('SELECT version()');
  connection.addEventListener('state', () => {
    // What a new session does not know any more.
    if (connection.state === 'open') connection.query("SET application_name = 'nqdb dashboard'").catch(() => {});
  });
  const shell = new Shell(connection, /\((.*)\)/.exec(version)?.[1] ?? version);
  shell.draw();
  shell.catalog.refresh().catch((error) => toast(`The catalog could not be read: ${error.message}`, 'bad'));
}

login();
