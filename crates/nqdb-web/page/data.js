// The tables and what is in them: a tree, columns, indexes, constraints, and rows by the page, which can be changed where there is a key.
import { isSystem } from './catalog.js';
import { confirm, dialog, h, replace, toast } from './dom.js';
import { bytes, compact, name as quoted, plural, qualified } from './format.js';
import { Grid } from './grid.js';

export const title = 'Data';
export const isFull = true;

const PAGE_ROWS = 200;

const COLUMNS = `SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS not_null, pg_get_expr(d.adbin, d.adrelid) AS default,
       a.attidentity AS identity, a.attgenerated AS generated, col_description(a.attrelid, a.attnum) AS comment,
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey::int2[])) AS in_key
  FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`;
const INDEXES = `SELECT c.relname AS name, pg_get_indexdef(i.indexrelid) AS definition, i.indisunique AS is_unique, i.indisprimary AS is_primary, pg_relation_size(i.indexrelid)::float8 AS bytes
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = $1::oid ORDER BY i.indisprimary DESC, c.relname`;
const CONSTRAINTS = `SELECT conname AS name, contype AS kind, pg_get_constraintdef(oid) AS definition FROM pg_constraint WHERE conrelid = $1::oid
 UNION ALL SELECT conname, 'r', conrelid::regclass || ': ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE confrelid = $1::oid AND contype = 'f' ORDER BY 2, 1`;
const CONSTRAINT_KINDS = { p: 'primary key', u: 'unique', f: 'foreign key', c: 'check', x: 'exclusion', t: 'trigger', r: 'referred to by' };

export function mount(main, context) {
  const { catalog, kept, path, go } = context;
  const filter = h('input', { type: 'search', placeholder: 'Filter', 'aria-label': 'Filter tables', value: kept.filter || '' });
  const system = h('input', { type: 'checkbox', checked: kept.system || false });
  const tree = h('nav', { class: 'tree', 'aria-label': 'Tables' });
  const detail = h('section', { class: 'pane', 'aria-label': 'Table' });
  main.append(h('h1', { class: 'unseen' }, title), h('div', { class: 'split' }, h('div', { class: 'pane' }, filter, tree,
    h('div', { class: 'row' }, h('label', { class: 'row grow' }, system, 'system tables'), h('button', { class: 'bare', onclick: () => refresh() }, 'Look again'))), detail));
  const [schema, table] = path.length === 2 ? path : kept.path || [];

  const draw = () => {
    Object.assign(kept, { filter: filter.value, system: system.checked });
    const wanted = filter.value.toLowerCase();
    const shown = catalog.tables.filter((one) => (system.checked || !isSystem(one.schema)) && `${one.schema}.${one.name}`.toLowerCase().includes(wanted));
    const schemas = [...new Set(shown.map((one) => one.schema))];
    replace(tree, schemas.map((one) => [h('h3', {}, one), shown.filter((relation) => relation.schema === one).map((relation) => h('button', {
      'aria-current': relation.schema === schema && relation.name === table ? 'true' : undefined, title: relation.kind, onclick: () => go('data', relation.schema, relation.name),
    }, h('span', { class: 'what' }, relation.name), h('span', { class: 'size' }, relation.bytes > 0 ? bytes(relation.bytes) : relation.kind === 'table' ? '' : relation.kind)))]),
    !shown.length && h('div', { class: 'empty' }, catalog.tables.length ? 'No tables here.' : 'Looking …'));
  };
  const refresh = () => catalog.refresh().then(() => {
    draw();
    const relation = catalog.tables.find((one) => one.schema === schema && one.name === table);
    if (!relation) return replace(detail, h('div', { class: 'empty' }, table ? `There is no ${table} any more.` : 'Choose a table.'));
    kept.path = [schema, table];
    return new Relation(relation, context).mount(detail);
  }).catch((error) => toast(error.message, 'bad'));
  filter.oninput = draw;
  system.onchange = draw;
  draw();
  refresh();
}

// One table, view or sequence.
class Relation {
  constructor(relation, { connection, openSql, signal }) {
    Object.assign(this, { relation, connection, openSql, signal, offset: 0, where: '', order: undefined });
    this.full = qualified(relation.schema, relation.name);
  }

  async mount(detail) {
    const { relation } = this;
    const parts = relation.kind === 'table' ? ['Rows', 'Columns', 'Indexes', 'Constraints'] : relation.kind === 'sequence' ? ['Rows'] : ['Rows', 'Columns', 'Definition'];
    const content = h('div', { class: 'pane grow' });
    const buttons = parts.map((part) => h('button', { class: 'bare', onclick: () => show(part) }, part));
    const show = (part) => {
      buttons.forEach((button, at) => button.setAttribute('aria-pressed', parts[at] === part ? 'true' : 'false'));
      this[part.toLowerCase()](content).catch((error) => replace(content, h('div', { class: 'message bad' }, error.message)));
    };
    replace(detail, h('div', { class: 'row' }, h('h2', {}, this.full), h('span', { class: 'badge' }, relation.kind),
      relation.bytes > 0 && h('span', { class: 'muted small' }, `${bytes(relation.bytes)}${relation.rows >= 0 ? `, about ${compact(relation.rows)} rows` : ''}`),
      h('span', { class: 'grow' }), buttons, h('button', { class: 'quiet', onclick: () => this.openSql(`SELECT *\n  FROM ${this.full}\n LIMIT 100;`) }, 'Open in SQL')), content);
    this.described = relation.kind === 'sequence' ? [] : await this.connection.query(COLUMNS, [String(relation.oid)]);
    this.key = this.described.filter(({ in_key: inKey }) => inKey);
    show('Rows');
  }

  async rows(content) {
    const { key } = this;
    const canEdit = this.relation.kind === 'table' && key.length > 0 && !isSystem(this.relation.schema);
    const isPlain = ({ name }) => this.described.some((column) => column.name === name && !column.generated);
    this.grid = new Grid({
      label: `Rows of ${this.full}`,
      onsort: (column) => { this.order = { column, down: this.order?.column === column && !this.order.down }; this.offset = 0; this.load(); },
      edit: canEdit ? { allowed: isPlain, save: (row, column, text) => this.save(row, column, text) } : undefined,
    });
    const where = h('input', { type: 'search', class: 'grow mono', placeholder: 'WHERE …', 'aria-label': 'Condition', value: this.where, spellcheck: 'false',
      onkeydown: (event) => { if (event.key === 'Enter') { this.where = where.value.trim(); this.offset = 0; this.load(); } } });
    this.back = h('button', { class: 'quiet', onclick: () => { this.offset = Math.max(0, this.offset - PAGE_ROWS); this.load(); } }, 'Back');
    this.next = h('button', { class: 'quiet', onclick: () => { this.offset += PAGE_ROWS; this.load(); } }, 'Next');
    this.place = h('span', { class: 'muted small', role: 'status' });
    this.failure = h('div', { class: 'message bad', role: 'alert', hidden: true });
    replace(content, h('div', { class: 'row' }, where), this.failure, this.grid.element, h('div', { class: 'row' }, this.place, h('span', { class: 'grow' }),
      canEdit && h('button', { class: 'quiet', onclick: () => this.insert() }, 'Add a row'), canEdit && h('button', { class: 'quiet', onclick: () => this.remove() }, 'Delete row'), this.back, this.next));
    if (!canEdit && this.relation.kind === 'table' && !isSystem(this.relation.schema)) this.place.title = 'Without a primary key rows cannot be told apart, so they cannot be changed here.';
    await this.load();
  }

  // One page of rows, in the order of the key where nothing else is asked for.
  async load() {
    const order = this.order ? `${quoted(this.order.column)}${this.order.down ? ' DESC' : ''}` : this.key.map(({ name }) => quoted(name)).join(', ');
    const sql = `SELECT * FROM ${this.full}${this.where ? ` WHERE ${this.where}` : ''}${order ? ` ORDER BY ${order}` : ''} LIMIT ${PAGE_ROWS + 1} OFFSET ${this.offset}`;
    const rows = [];
    let columns = [];
    try {
      await this.connection.stream(sql, [], { columns: (described) => { columns = described; }, rows: (more) => { rows.push(...more); } }).done;
    } catch (error) {
      this.failure.hidden = false;
      this.failure.textContent = error.message;
      return;
    }
    if (this.signal.aborted) return;
    this.failure.hidden = true;
    const hasMore = rows.length > PAGE_ROWS;
    this.grid.begin(columns, { order: this.order, first: this.offset });
    this.grid.add(rows.slice(0, PAGE_ROWS));
    this.back.disabled = this.offset === 0;
    this.next.disabled = !hasMore;
    this.place.textContent = rows.length ? `Rows ${this.offset + 1} to ${this.offset + Math.min(rows.length, PAGE_ROWS)}${hasMore ? '' : ', the last ones'}` : 'No rows';
  }

  // The condition that finds one row by its key, with its parameters from `first` on.
  byKey(row, first) {
    const at = this.key.map(({ name }) => this.grid.columns.findIndex((column) => column.name === name));
    return { condition: this.key.map(({ name, type }, index) => `${quoted(name)} = $${first + index}::${type}`).join(' AND '), values: at.map((index) => row[index]) };
  }

  async save(rowAt, columnAt, text) {
    const row = this.grid.rows[rowAt];
    const { name, type } = this.grid.columns[columnAt];
    const { condition, values } = this.byKey(row, 2);
    try {
      let fresh;
      await this.connection.stream(`UPDATE ${this.full} SET ${quoted(name)} = $1::${type} WHERE ${condition} RETURNING *`, [text, ...values], { rows: ([more]) => { fresh = more; } }).done;
      if (!fresh) throw new Error('The row is not there any more.');
      this.grid.rows[rowAt] = fresh;
      this.grid.changed = new Map([[fresh, new Set([columnAt])]]);
      this.grid.draw();
      toast('Saved');
    } catch (error) {
      toast([error.message, error.detail].filter(Boolean).join('\n'), 'bad');
    }
  }

  async remove() {
    const row = this.grid.current;
    if (!row) return;
    const { condition, values } = this.byKey(row, 1);
    if (!await confirm('Delete this row?', this.grid.columns.map(({ name }, at) => `${name}: ${(row[at] ?? 'NULL').slice(0, 80)}`).join('\n'), 'Delete')) return;
    try {
      const { tag } = await this.connection.query(`DELETE FROM ${this.full} WHERE ${condition}`, values);
      toast(tag === 'DELETE 1' ? 'Deleted' : 'The row was not there any more');
      await this.load();
    } catch (error) {
      toast([error.message, error.detail].filter(Boolean).join('\n'), 'bad');
    }
  }

  insert() {
    const wanted = this.described.filter(({ generated, identity }) => !generated && identity !== 'a');
    dialog(`Add a row to ${this.full}`, (close) => {
      const inputs = wanted.map(({ name, type, default: given, not_null: notNull, identity }) => {
        const input = h('input', { class: 'mono', placeholder: given || identity ? 'default' : notNull ? '' : 'NULL' });
        return { name, type, input, label: h('label', {}, `${name} · ${type}`, input) };
      });
      const failure = h('div', { class: 'failure', role: 'alert', hidden: true });
      const form = h('form', { onsubmit: async (event) => {
        event.preventDefault();
        const filled = inputs.filter(({ input }) => input.value !== '');
        const sql = filled.length ? `INSERT INTO ${this.full} (${filled.map(({ name }) => quoted(name)).join(', ')}) VALUES (${filled.map(({ type }, at) => `$${at + 1}::${type}`).join(', ')})`
          : `INSERT INTO ${this.full} DEFAULT VALUES`;
        try {
          await this.connection.query(sql, filled.map(({ input }) => input.value));
          close();
          toast('Added');
          await this.load();
        } catch (error) {
          failure.hidden = false;
          failure.textContent = [error.message, error.detail].filter(Boolean).join(' ');
        }
      } }, h('div', { class: 'fields' }, inputs.map(({ label }) => label)), failure, h('p', { class: 'muted small' }, 'What is left empty gets its default.'),
      h('div', { class: 'row end' }, h('button', { type: 'button', class: 'quiet', onclick: () => close() }, 'Cancel'), h('button', { type: 'submit' }, 'Add')));
      return form;
    });
  }

  async columns(content) {
    replace(content, list(['Column', 'Type', '', 'Default', 'Comment'], this.described.map((column) => [
      column.name, h('code', {}, column.type), h('span', { class: 'row' }, column.in_key && h('span', { class: 'badge good' }, 'key'), column.not_null && !column.in_key && h('span', { class: 'badge' }, 'not null'),
        column.identity && h('span', { class: 'badge' }, 'identity'), column.generated && h('span', { class: 'badge' }, 'generated')),
      h('code', {}, column.default || ''), column.comment || ''])));
  }

  async indexes(content) {
    const rows = await this.connection.query(INDEXES, [String(this.relation.oid)]);
    replace(content, rows.length ? list(['Index', '', 'Size', 'Definition'], rows.map((index) => [index.name,
      index.is_primary ? h('span', { class: 'badge good' }, 'primary key') : index.is_unique ? h('span', { class: 'badge' }, 'unique') : '', bytes(index.bytes), h('code', {}, index.definition)])) : h('div', { class: 'empty' }, `${this.full} has no indexes.`));
  }

  async constraints(content) {
    const rows = await this.connection.query(CONSTRAINTS, [String(this.relation.oid)]);
    replace(content, rows.length ? list(['Constraint', 'Kind', 'Definition'], rows.map(({ name, kind, definition }) => [name, CONSTRAINT_KINDS[kind] || kind, h('code', {}, definition)]))
      : h('div', { class: 'empty' }, `${this.full} has no constraints.`));
  }

  async definition(content) {
    const [{ text }] = await this.connection.query('SELECT pg_get_viewdef($1::oid, true) AS text', [String(this.relation.oid)]);
    replace(content, h('div', { class: 'scroll grow card' }, h('pre', { class: 'wrap', style: { margin: 0 } }, text)));
  }
}

function list(titles, rows) {
  return h('div', { class: 'scroll grow card', tabindex: 0, role: 'region', 'aria-label': plural(rows.length, 'entry', 'entries') }, h('table', { class: 'list' }, h('thead', {}, h('tr', {}, titles.map((text) => h('th', { scope: 'col' }, text)))),
    h('tbody', {}, rows.map((cells) => h('tr', {}, cells.map((cell) => h('td', {}, cell)))))));
}
