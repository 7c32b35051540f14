// The SQL editor: a textarea with its text coloured behind it, completion from the catalog, and the place of an error marked.
import { h, replace } from './dom.js';
import { name as quoteName } from './format.js';

const LINE_PX = 21;
const [PAD_X, PAD_Y] = [16, 12];
const OFFERED_MAX = 60;

const KEYWORDS = ('select from where group by having order limit offset join left right full inner outer cross lateral on using as and or not in is null '
  + 'like ilike between exists any all some distinct union intersect except insert into values update set delete returning with recursive case when then '
  + 'else end create table view materialized index sequence type domain schema database role trigger alter add column constraint primary key foreign references unique check '
  + 'default drop if cascade restrict truncate begin commit rollback savepoint release start transaction isolation level serializable repeatable read committed '
  + 'explain analyze vacuum copy to stdin stdout listen notify unlisten grant revoke show reset declare cursor for fetch move close prepare execute deallocate '
  + 'asc desc nulls first last over partition window filter rows range preceding following unbounded current row true false conflict do nothing for share '
  + 'temporary temp only generated always identity array interval date timestamp time zone at cast extract coalesce').split(' ');
const KEYWORD_SET = new Set(KEYWORDS);

const TOKEN = /(--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|('(?:[^']|'')*(?:'|$)|\$([A-Za-z_]*)\$[\s\S]*?(?:\$\3\$|$))|("(?:[^"]|"")*(?:"|$))|(\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b)|([A-Za-z_][\w$]*)|\s+|./g;

// Pieces of text with the class each is coloured by.
export function tokens(text) {
  return [...text.matchAll(TOKEN)].map(([piece, comment, string, , , number, word]) => {
    const kind = comment ? 'c' : string ? 's' : number ? 'n' : word && KEYWORD_SET.has(word.toLowerCase()) ? 'k' : '';
    return { piece, kind, word };
  });
}

export class Editor {
  // `catalog()` gives { tables: [{ schema, name, columns }], functions }.
  constructor({ catalog, onrun, onchange, text = '' }) {
    Object.assign(this, { catalog, onrun, onchange });
    this.paint = h('pre', { 'aria-hidden': 'true' });
    this.area = h('textarea', { value: text, spellcheck: 'false', autocapitalize: 'off', autocomplete: 'off', 'aria-label': 'SQL', 'aria-autocomplete': 'list', wrap: 'off' });
    this.list = h('div', { class: 'completion', role: 'listbox', 'aria-label': 'Completions', hidden: true });
    this.element = h('div', { class: 'editor' }, this.paint, this.area);
    this.element.append(this.list);
    this.area.oninput = () => { this.mark = undefined; this.colour(); this.offer(false); this.onchange?.(); };
    this.area.onscroll = () => this.follow();
    this.area.onkeydown = (event) => this.key(event);
    this.area.onblur = () => setTimeout(() => this.hide(), 150);
    this.area.onclick = () => this.hide();
    this.colour();
  }

  get text() { return this.area.value; }

  set text(text) {
    this.area.value = text;
    this.mark = undefined;
    this.colour();
    this.onchange?.();
  }

  // What is to be run: the selection, or everything. With where it begins.
  get wanted() {
    const { selectionStart: from, selectionEnd: to, value } = this.area;
    return to > from ? { sql: value.slice(from, to), from } : { sql: value, from: 0 };
  }

  focus() { this.area.focus(); }

  // Marks the word at a character position (from 0), and tells its line and column.
  markError(position) {
    const before = this.text.slice(0, position);
    const word = /^(?:"(?:[^"]|"")*"|'(?:[^']|'')*'|[\w$.]+|\S)?/.exec(this.text.slice(position))[0];
    this.mark = { from: position, to: position + Math.max(1, word.length) };
    this.colour();
    const line = before.split('\n').length;
    this.area.setSelectionRange(position, position);
    this.area.scrollTop = Math.max(0, (line - 3) * LINE_PX);
    this.follow();
    return { line, column: position - before.lastIndexOf('\n') };
  }

  clearMark() {
    this.mark = undefined;
    this.colour();
  }

  colour() {
    const parts = [];
    let at = 0;
    for (const { piece, kind } of tokens(this.text)) {
      const end = at + piece.length;
      const { from, to } = this.mark || { from: -1, to: -1 };
      if (from < end && to > at) {
        const [left, right] = [Math.max(0, from - at), Math.min(piece.length, to - at)];
        parts.push(h('span', { class: kind }, piece.slice(0, left), h('mark', {}, piece.slice(left, right)), piece.slice(right)));
      } else {
        parts.push(kind ? h('span', { class: kind }, piece) : piece);
      }
      at = end;
    }
    if (this.mark && this.mark.from >= at) parts.push(h('mark', {}, ' '));
    // A last line without anything has no height in a pre.
    replace(this.paint, parts, '\n');
    this.follow();
  }

  follow() {
    this.paint.scrollTop = this.area.scrollTop;
    this.paint.scrollLeft = this.area.scrollLeft;
  }

  key(event) {
    if (!this.list.hidden) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) { this.choose((this.chosen + step + this.offers.length) % this.offers.length); event.preventDefault(); return; }
      if ((event.key === 'Enter' && !event.ctrlKey && !event.metaKey) || event.key === 'Tab') { this.accept(this.chosen); event.preventDefault(); return; }
      if (event.key === 'Escape') { this.hide(); event.stopPropagation(); event.preventDefault(); return; }
    }
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) { this.hide(); this.onrun(); event.preventDefault(); return; }
    if (event.key === ' ' && event.ctrlKey) { this.offer(true); event.preventDefault(); return; }
    if (event.key === 'Enter' && !event.shiftKey) {
      // The next line begins as this one does.
      const line = this.text.slice(this.text.lastIndexOf('\n', this.area.selectionStart - 1) + 1, this.area.selectionStart);
      const blank = /^[ \t]*/.exec(line)[0];
      if (blank) { this.insert(`\n${blank}`); event.preventDefault(); }
    }
    if (event.key === '/' && event.ctrlKey) { this.comment(); event.preventDefault(); }
  }

  insert(text) {
    // So that the browser can undo it.
    if (!document.execCommand('insertText', false, text)) this.area.setRangeText(text, this.area.selectionStart, this.area.selectionEnd, 'end');
    this.area.dispatchEvent(new Event('input'));
  }

  // Turns the selected lines into comments, or back.
  comment() {
    const { selectionStart, selectionEnd, value } = this.area;
    const from = value.lastIndexOf('\n', selectionStart - 1) + 1;
    const end = value.indexOf('\n', selectionEnd);
    const to = end < 0 ? value.length : end;
    const lines = value.slice(from, to).split('\n');
    const off = lines.every((line) => line.startsWith('--') || !line);
    this.area.setSelectionRange(from, to);
    this.insert(lines.map((line) => (off ? line.replace(/^-- ?/, '') : `-- ${line}`)).join('\n'));
  }

  // Offers what may stand here.
  offer(asked) {
    const at = this.area.selectionStart;
    const before = this.text.slice(0, at);
    const [, owner, word] = /(?:("[^"]+"|[A-Za-z_][\w$]*)\.)?([A-Za-z_][\w$]*)?$/.exec(before) || [];
    if (!asked && !owner && (word || '').length < 2) { this.hide(); return; }
    const prefix = (word || '').toLowerCase();
    this.offers = this.candidates(before.slice(0, before.length - prefix.length - (owner ? owner.length + 1 : 0)), owner?.replaceAll('"', ''))
      .filter(({ text }) => text.toLowerCase().startsWith(prefix) && (asked || text.toLowerCase() !== prefix)).slice(0, OFFERED_MAX);
    if (!this.offers.length) { this.hide(); return; }
    this.prefix = prefix.length;
    const line = before.split('\n');
    const column = line[line.length - 1].length - prefix.length;
    const top = PAD_Y + line.length * LINE_PX - this.area.scrollTop;
    Object.assign(this.list.style, { left: `${Math.max(8, PAD_X + column * this.characterWidth() - this.area.scrollLeft - 12)}px` });
    this.place(top);
    this.choose(0);
  }

  // Below the line, or above it where there is no room. The editor cuts off what leaves it: the list is as high as the room.
  place(top) {
    const height = this.element.clientHeight;
    const isAbove = height - top < 90 && top - LINE_PX > height - top;
    const room = isAbove ? top - LINE_PX - 4 : height - top - 4;
    Object.assign(this.list.style, { top: isAbove ? 'auto' : `${top}px`, bottom: isAbove ? `${height - top + LINE_PX}px` : 'auto', maxHeight: `${Math.min(224, Math.max(60, room))}px` });
    this.list.hidden = false;
  }

  characterWidth() {
    if (!this.width) {
      const probe = h('span', {}, '0'.repeat(100));
      this.paint.append(probe);
      this.width = probe.getBoundingClientRect().width / 100;
      probe.remove();
    }
    return this.width;
  }

  candidates(before, owner) {
    const { tables, functions } = this.catalog();
    const shown = (table) => ({ text: quoteName(table.name), what: table.schema === 'public' ? table.kind : table.schema, insert: table.schema === 'public' || table.schema === 'pg_catalog' ? quoteName(table.name) : `${quoteName(table.schema)}.${quoteName(table.name)}` });
    const columnsOf = (table) => table.columns.map(({ name, type }) => ({ text: quoteName(name), what: type, insert: quoteName(name) }));
    const mentioned = this.mentioned(tables);
    if (owner) {
      const table = mentioned.find(({ alias }) => alias === owner)?.table || tables.find(({ name }) => name === owner);
      return table ? columnsOf(table) : tables.filter(({ schema }) => schema === owner).map((one) => ({ text: quoteName(one.name), what: one.kind, insert: quoteName(one.name) }));
    }
    const keyword = /([A-Za-z_]+)\s*$/.exec(before)?.[1]?.toLowerCase();
    const keywords = KEYWORDS.map((text) => ({ text, what: '', insert: text }));
    if (['from', 'join', 'into', 'update', 'table', 'only', 'truncate', 'analyze', 'references'].includes(keyword)) return [...tables.map(shown), ...keywords];
    const seen = new Set();
    const columns = mentioned.flatMap(({ table }) => columnsOf(table)).filter(({ text }) => !seen.has(text) && seen.add(text));
    return [...columns, ...mentioned.map(({ alias }) => ({ text: alias, what: 'alias', insert: alias })), ...keywords,
      ...functions.map((text) => ({ text, what: 'function', insert: `${text}(` })), ...tables.map(shown)];
  }

  // The tables that the text names, with their aliases.
  mentioned(tables) {
    const found = [];
    const pattern = /\b(?:from|join|update|into|,)\s+(?:only\s+)?(?:("[^"]+"|[A-Za-z_][\w$]*)\.)?("[^"]+"|[A-Za-z_][\w$]*)(?:\s+(?:as\s+)?([A-Za-z_][\w$]*))?/gi;
    for (const [, schema, table, alias] of this.text.matchAll(pattern)) {
      const plain = (text) => (text?.startsWith('"') ? text.slice(1, -1) : text?.toLowerCase());
      const known = tables.find((one) => one.name === plain(table) && (!schema || one.schema === plain(schema)));
      if (known) found.push({ table: known, alias: alias && !KEYWORD_SET.has(alias.toLowerCase()) ? alias : known.name });
    }
    return found;
  }

  choose(at) {
    this.chosen = at;
    replace(this.list, this.offers.map(({ text, what }, index) => h('div', { role: 'option', 'aria-selected': index === at ? 'true' : 'false',
      onmousedown: (event) => { event.preventDefault(); this.accept(index); } }, text, what && h('span', {}, what))));
    this.list.children[at]?.scrollIntoView({ block: 'nearest' });
  }

  accept(at) {
    const offer = this.offers[at];
    const end = this.area.selectionStart;
    this.area.setSelectionRange(end - this.prefix, end);
    this.insert(offer.insert);
    this.hide();
  }

  hide() {
    this.list.hidden = true;
  }
}
