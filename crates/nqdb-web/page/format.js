// Numbers, times and SQL names as people read and PostgreSQL takes them.

export function compact(number) {
  if (!Number.isFinite(number)) return '–';
  const size = Math.abs(number);
  if (size >= 1e9) return `${trim(number / 1e9)}G`;
  if (size >= 1e6) return `${trim(number / 1e6)}M`;
  if (size >= 1e4) return `${trim(number / 1e3)}k`;
  return size >= 100 || Number.isInteger(number) ? String(Math.round(number)) : trim(number);
}

function trim(number) {
  return Number(number.toPrecision(3)).toString();
}

export function bytes(number) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let at = 0;
  let rest = number;
  while (rest >= 1024 && at < units.length - 1) { rest /= 1024; at += 1; }
  return Number.isFinite(rest) ? `${trim(rest)} ${units[at]}` : '–';
}

export function seconds(value) {
  if (!Number.isFinite(value)) return '–';
  if (value < 1e-3) return `${trim(value * 1e6)} µs`;
  if (value < 1) return `${trim(value * 1e3)} ms`;
  if (value < 60) return `${trim(value)} s`;
  if (value < 3600) return `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
  if (value < 86400) return `${Math.floor(value / 3600)} h ${Math.floor((value % 3600) / 60)} min`;
  return `${Math.floor(value / 86400)} d ${Math.floor((value % 86400) / 3600)} h`;
}

export function clock(date = new Date()) {
  return date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false });
}

export function plural(count, one, many = `${one}s`) {
  return `${count.toLocaleString('en-US')} ${count === 1 ? one : many}`;
}

const KEYWORDS_TO_QUOTE = new Set(('all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create '
  + 'current_catalog current_date current_role current_time current_timestamp current_user default deferrable desc distinct do else end '
  + 'except false fetch for foreign from grant group having in initially intersect into lateral leading limit localtime localtimestamp '
  + 'not null offset on only or order placing primary references returning select session_user some symmetric table then to trailing true '
  + 'union unique user using variadic when where window with').split(' '));

// A name as SQL takes it, quoted where it has to be.
export function name(text) {
  return /^[a-z_][a-z0-9_$]*$/.test(text) && !KEYWORDS_TO_QUOTE.has(text) ? text : `"${text.replaceAll('"', '""')}"`;
}

export function qualified(schema, table) {
  return schema === 'public' ? name(table) : `${name(schema)}.${name(table)}`;
}

export function csv(columns, rows) {
  const field = (value) => {
    if (value === null) return '';
    return value === '' || /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
  };
  return [columns.map(({ name: title }) => title), ...rows].map((row) => `${row.map(field).join(',')}\r\n`);
}

const EXACT_NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

// Rows as JSON, from PostgreSQL's texts: numbers keep all their digits.
export function json(columns, rows) {
  const value = (text, { type }) => {
    if (text === null) return 'null';
    if (type === 'boolean') return text === 't' ? 'true' : 'false';
    if (isNumeric(type) && EXACT_NUMBER.test(text)) return text;
    if (type === 'json' || type === 'jsonb') return text;
    return JSON.stringify(text);
  };
  const object = (row) => `  {${columns.map((column, at) => `${JSON.stringify(column.name)}: ${value(row[at], column)}`).join(', ')}}`;
  return `[\n${rows.map(object).join(',\n')}\n]\n`;
}

export function isNumeric(type) {
  return /^(smallint|integer|bigint|numeric|real|double precision|oid)\b(?!.*\[\])/.test(type);
}

export function isTime(type) {
  return /^(date|timestamp)/.test(type) && !type.endsWith('[]');
}
