// A table of any number of rows: only those that are seen are elements. Arrow keys move, Enter opens or edits, Ctrl-C copies a cell.
import { copyText, dialog, h, replace } from './dom.js';
import { isNumeric } from './format.js';

const LINE_PX = 28;
const HEAD_PX = 32;
const CHARACTER_PX = 8;
const WIDTH_PX_MAX = 420;
const ROWS_MEASURED = 100;

export class Grid {
  // `onsort(column)`, `edit(row, column, text)` and `onrow(row)` where the owner has them.
  constructor({ label = 'Rows', onsort, edit } = {}) {
    Object.assign(this, { onsort, edit, columns: [], rows: [], first: 0, at: { row: 0, column: 0 }, changed: new Map() });
    this.head = h('div', { class: 'head', role: 'row' });
    this.body = h('div', { class: 'body' });
    this.element = h('div', { class: 'grid', role: 'grid', tabindex: 0, 'aria-label': label, 'aria-readonly': edit ? undefined : 'true' }, this.head, this.body);
    this.element.onscroll = () => this.draw();
    this.element.onkeydown = (event) => this.key(event);
    this.element.onclick = (event) => this.click(event);
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  // Begins anew. `order` is { column, down } of what the rows are sorted by; `first` the number of the first row.
  begin(columns, { order, first = 0 } = {}) {
    Object.assign(this, { columns, rows: [], first, order, widths: undefined, at: { row: 0, column: 0 } });
    this.element.scrollTo(0, 0);
    this.drawHead();
    this.draw();
  }

  add(rows) {
    const fresh = this.rows.length < ROWS_MEASURED;
    for (const row of rows) this.rows.push(row);
    if (fresh) this.drawHead();
    this.drawSoon();
  }

  // Replaces all rows; cells that differ from `before` by key light up.
  set(rows, changed = new Map()) {
    this.rows = rows;
    this.changed = changed;
    this.drawHead();
    this.draw();
  }

  measure() {
    const sample = this.rows.slice(0, ROWS_MEASURED);
    this.widths = this.columns.map(({ name }, at) => {
      const longest = sample.reduce((most, row) => Math.max(most, Math.min(64, row[at]?.length ?? 4)), name.length + 2);
      return Math.min(WIDTH_PX_MAX, Math.max(64, longest * CHARACTER_PX + 26));
    });
    this.countWidth = String(this.first + Math.max(this.rows.length, 1000)).length * CHARACTER_PX + 24;
  }

  drawHead() {
    this.measure();
    const head = this.columns.map(({ name, type }, at) => {
      const sign = this.order?.column === name ? (this.order.down ? ' ↓' : ' ↑') : '';
      return h('div', {
        class: `cell ${isNumeric(type) ? 'number' : ''} ${this.onsort ? 'sortable' : ''}`, role: 'columnheader', title: `${name}: ${type}`,
        style: { width: `${this.widths[at]}px` }, onclick: this.onsort && (() => this.onsort(name)),
      }, name + sign);
    });
    replace(this.head, h('div', { class: 'cell count', style: { width: `${this.countWidth}px` } }, ''), head);
    this.element.setAttribute('aria-colcount', this.columns.length);
  }

  drawSoon() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => { this.pending = 0; this.draw(); });
  }

  draw() {
    const height = this.rows.length * LINE_PX;
    const width = this.countWidth + (this.widths || []).reduce((sum, one) => sum + one, 0);
    this.body.style.height = `${height}px`;
    this.body.style.width = `${width}px`;
    this.element.setAttribute('aria-rowcount', this.rows.length + 1);
    const from = Math.max(0, Math.floor(this.element.scrollTop / LINE_PX) - 4);
    const to = Math.min(this.rows.length, from + Math.ceil(this.element.clientHeight / LINE_PX) + 8);
    const lines = [];
    for (let at = from; at < to; at += 1) lines.push(this.line(at));
    replace(this.body, lines);
  }

  line(at) {
    const row = this.rows[at];
    const lit = this.changed.get(row);
    const cells = this.columns.map(({ type }, column) => {
      const value = row[column];
      const isAt = this.at.row === at && this.at.column === column;
      const classes = ['cell', value === null && 'null', isNumeric(type) && 'number', isAt && 'at', (lit === true || lit?.has?.(column)) && 'changed'];
      return h('div', { class: classes.filter(Boolean).join(' '), role: 'gridcell', 'data-row': at, 'data-column': column,
        'aria-selected': isAt ? 'true' : undefined, style: { width: `${this.widths[column]}px` } },
      value === null ? 'NULL' : value.length > 300 ? `${value.slice(0, 300)}…` : value.replaceAll('\n', '⏎'));
    });
    return h('div', { class: 'line', role: 'row', 'aria-rowindex': at + 2, style: { top: `${at * LINE_PX}px` } },
      h('div', { class: 'cell count', style: { width: `${this.countWidth}px` } }, this.first + at + 1), cells);
  }

  click(event) {
    const cell = event.target.closest?.('[data-row]');
    if (!cell) return;
    this.at = { row: Number(cell.dataset.row), column: Number(cell.dataset.column) };
    this.draw();
    this.element.focus({ preventScroll: true });
    // No dblclick comes where the first click has put another element in the place.
    if (event.detail === 2) this.open();
  }

  get current() {
    return this.rows[this.at.row];
  }

  key(event) {
    if (event.target !== this.element || !this.rows.length) return;
    const page = Math.max(1, Math.floor(this.element.clientHeight / LINE_PX) - 2);
    const moves = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1], PageDown: [page, 0], PageUp: [-page, 0],
      Home: event.ctrlKey ? [-1e9, 0] : [0, -1e9], End: event.ctrlKey ? [1e9, 0] : [0, 1e9] };
    if (moves[event.key] && !event.altKey) {
      const [down, right] = moves[event.key];
      this.at = { row: clamp(this.at.row + down, this.rows.length), column: clamp(this.at.column + right, this.columns.length) };
      this.reveal();
      event.preventDefault();
    } else if (event.key === 'Enter' || event.key === 'F2') {
      this.open();
      event.preventDefault();
    } else if (event.key === 'c' && (event.ctrlKey || event.metaKey) && !getSelection().toString()) {
      copyText(this.current[this.at.column] ?? '', 'Value');
    }
  }

  reveal() {
    const top = this.at.row * LINE_PX;
    const { scrollTop, clientHeight, scrollLeft, clientWidth } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + LINE_PX + HEAD_PX > scrollTop + clientHeight) this.element.scrollTop = top + LINE_PX + HEAD_PX - clientHeight;
    const [left, width] = this.across(this.at.column);
    if (left < scrollLeft) this.element.scrollLeft = left - this.countWidth;
    else if (left + width > scrollLeft + clientWidth) this.element.scrollLeft = left + width - clientWidth;
    this.draw();
  }

  // Where a column begins, and how wide it is.
  across(column) {
    return [this.countWidth + this.widths.slice(0, column).reduce((sum, one) => sum + one, 0), this.widths[column]];
  }

  open() {
    const { row, column } = this.at;
    if (!this.rows[row]) return;
    if (this.edit?.allowed(this.columns[column]) && !(this.rows[row][column]?.length > 200)) this.editInPlace(row, column);
    else this.show(row, column);
  }

  show(row, column) {
    const { name, type } = this.columns[column];
    const text = this.rows[row][column];
    let pretty = text ?? 'NULL';
    if (text && (type === 'json' || type === 'jsonb')) pretty = indent(text);
    dialog(name, (close) => h('div', {}, h('p', { class: 'muted small' }, type), h('pre', { tabindex: 0 }, pretty),
      h('div', { class: 'row end' },
        this.edit?.allowed(this.columns[column]) && h('button', { class: 'quiet', onclick: () => { close(); this.editLong(row, column); } }, 'Edit'),
        h('button', { class: 'quiet', onclick: () => copyText(text ?? '', 'Value') }, 'Copy'),
        h('button', { onclick: () => close() }, 'Close'))), 'wide');
  }

  editInPlace(row, column) {
    const before = this.rows[row][column];
    const [left, width] = this.across(column);
    const input = h('input', { class: 'edit', value: before ?? '', placeholder: before === null ? 'NULL' : '', 'aria-label': this.columns[column].name,
      style: { left: `${left}px`, top: `${HEAD_PX + row * LINE_PX}px`, width: `${Math.max(width, 160)}px` } });
    let over = false;
    const end = async (save) => {
      if (over) return;
      over = true;
      input.remove();
      this.element.focus({ preventScroll: true });
      const after = input.value === '' && before === null ? null : input.value;
      if (save && after !== before) await this.edit.save(row, column, after);
    };
    input.onkeydown = (event) => {
      event.stopPropagation();
      if (event.key === 'Enter') end(true);
      if (event.key === 'Escape') end(false);
      if (event.key === 'Delete' && event.ctrlKey) { over = true; input.remove(); this.edit.save(row, column, null); }
    };
    input.onblur = () => end(false);
    // Beside the rows: these are drawn again whenever something moves.
    this.element.append(input);
    input.focus();
    input.select();
  }

  editLong(row, column) {
    const area = h('textarea', { rows: 12, class: 'mono', value: this.rows[row][column] ?? '', 'aria-label': this.columns[column].name, style: { width: '100%' } });
    dialog(this.columns[column].name, (close) => h('div', {}, area, h('div', { class: 'row end' },
      h('button', { class: 'quiet', onclick: () => close() }, 'Cancel'),
      h('button', { onclick: () => { close(); this.edit.save(row, column, area.value); } }, 'Save'))), 'wide');
  }
}

function clamp(at, count) {
  return Math.max(0, Math.min(count - 1, at));
}

// JSON with line breaks, its numbers and strings as they are.
export function indent(text) {
  let depth = 0;
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) || [];
  return tokens.map((token, at) => {
    const line = () => `\n${'  '.repeat(depth)}`;
    if (token === '{' || token === '[') {
      depth += 1;
      return /[}\]]/.test(tokens[at + 1] ?? '') ? token : token + line();
    }
    if (token === '}' || token === ']') {
      depth = Math.max(0, depth - 1);
      return /[{[]/.test(tokens[at - 1] ?? '') ? token : line() + token;
    }
    return token === ',' ? token + line() : token === ':' ? ': ' : token;
  }).join('');
}
