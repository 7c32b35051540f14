// Charts in SVG: the live ones of the overview, and the one of a query's result.
import { h, replace } from './dom.js';
import { clock, compact, isNumeric, isTime } from './format.js';

const POINTS = 90;

// A chart of the newest values, one a second. `format` spells a value.
export class LiveChart {
  constructor(title, { format = compact, unit = '', second } = {}) {
    Object.assign(this, { title, format, second, points: [] });
    this.value = h('div', { class: 'value' }, '–');
    this.unit = unit;
    this.also = h('div', { class: 'also' });
    this.svg = h('svg', { viewBox: `0 0 ${POINTS - 1} 100`, preserveAspectRatio: 'none', role: 'img', 'aria-label': title });
    this.top = h('div', { class: 'top' });
    this.plot = h('div', { class: 'plot' }, this.svg, this.top);
    this.plot.onpointermove = (event) => this.hover(event);
    this.plot.onpointerleave = () => this.unhover();
    this.element = h('figure', { class: 'card chart' }, h('h3', {}, title), this.value, this.also, this.plot);
  }

  // `also` is said below the value; `other` is the second line's value.
  add(value, also = '', other = undefined) {
    this.points.push({ value, other, at: new Date() });
    if (this.points.length > POINTS) this.points.shift();
    replace(this.value, this.format(value), this.unit && h('small', {}, ` ${this.unit}`));
    this.also.textContent = also;
    this.draw();
  }

  draw() {
    const numbers = this.points.flatMap(({ value, other }) => [value, other]).filter(Number.isFinite);
    const most = Math.max(...numbers, 0);
    this.scale = most > 0 ? most * 1.1 : 1;
    this.top.textContent = most > 0 ? this.format(most) : '';
    const from = POINTS - this.points.length;
    const x = (at) => from + at;
    const y = (value) => 100 - (100 * value) / this.scale;
    const trace = (pick) => this.points.map((point, at) => ({ at, value: pick(point) })).filter(({ value }) => Number.isFinite(value))
      .map(({ at, value }, index) => `${index ? 'L' : 'M'}${x(at)} ${y(value).toFixed(2)}`).join('');
    const line = trace(({ value }) => value);
    replace(this.svg,
      h('line', { class: 'axis', x1: 0, x2: POINTS - 1, y1: 100, y2: 100 }),
      line && h('path', { class: 'area', d: `${line}L${POINTS - 1} 100L${from} 100Z` }),
      this.second && h('path', { class: 'line second', d: trace(({ other }) => other) }),
      line && h('path', { class: 'line', d: line }));
  }

  hover(event) {
    const box = this.plot.getBoundingClientRect();
    const place = Math.round(((event.clientX - box.left) / box.width) * (POINTS - 1));
    const point = this.points[place - (POINTS - this.points.length)];
    this.unhover();
    if (!point || !Number.isFinite(point.value)) return;
    const left = `${(100 * place) / (POINTS - 1)}%`;
    const other = Number.isFinite(point.other) ? `, ${this.second} ${this.format(point.other)}` : '';
    this.marks = [h('div', { class: 'hover', style: { left } }),
      h('div', { class: 'tip', style: { left } }, `${this.format(point.value)}${other} at ${clock(point.at)}`)];
    this.plot.append(...this.marks);
  }

  unhover() {
    this.marks?.forEach((mark) => mark.remove());
    this.marks = undefined;
  }
}

const FIGURE_ROWS_MAX = 2000;
const SERIES_MAX = 5;

// What of a result a chart can show: { across, labels, series: [{ name, values }] }, or undefined. Numbers stand against the first column of times,
// or the first that is no number; where rows have a time and a name, each name is a line of its own.
function seriesOf(columns, rows) {
  const numeric = columns.map((column, at) => ({ ...column, at })).filter(({ type }) => isNumeric(type));
  const others = columns.map((column, at) => ({ ...column, at })).filter(({ type }) => !isNumeric(type));
  const across = others.find(({ type }) => isTime(type)) || others[0] || numeric[0];
  const counted = numeric.filter(({ at }) => at !== across?.at).slice(0, SERIES_MAX);
  if (!counted.length) return undefined;
  const number = (text) => (text === null || text === undefined ? NaN : Number(text));
  const named = others.find(({ at }) => at !== across.at);
  const names = named ? [...new Set(rows.map((row) => row[named.at]))] : [];
  const labels = [...new Set(rows.map((row) => row[across.at]))];
  if (names.length > 1 && names.length <= SERIES_MAX && labels.length > 1 && labels.length < rows.length) {
    const found = new Map(rows.map((row) => [JSON.stringify([row[named.at], row[across.at]]), row[counted[0].at]]));
    return { across, what: counted[0].name, labels, series: names.map((name) => ({ name: name ?? 'NULL', values: labels.map((label) => number(found.get(JSON.stringify([name, label])))) })) };
  }
  return { across, labels: rows.map((row) => row[across.at]), series: counted.map(({ name, at }) => ({ name, values: rows.map((row) => number(row[at])) })) };
}

// A chart of rows, so many pixels wide and high: lines over times and numbers, else bars.
export function resultChart(columns, rows, width, height) {
  const shown = rows.slice(0, FIGURE_ROWS_MAX);
  const found = seriesOf(columns, shown);
  if (!found) return h('div', { class: 'empty' }, 'A chart needs a column of numbers beside another column.');
  const { across, what, labels, series } = found;
  const isLine = isTime(across.type) || isNumeric(across.type) || labels.length > 60;
  const finite = series.flatMap(({ values }) => values).filter(Number.isFinite);
  const [least, most] = [Math.min(0, ...finite), Math.max(0, ...finite)];
  const [left, bottom] = [56, 28];
  const y = (value) => (height - bottom) - ((value - least) / (most - least || 1)) * (height - bottom - 8);
  const step = (width - left - 8) / Math.max(1, labels.length - (isLine ? 1 : 0));
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => least + part * (most - least));
  const isDays = labels.every((label) => label === null || / 00:00:00/.test(label));
  const spell = (label) => (label ?? 'NULL').slice(0, isTime(across.type) ? (isDays ? 10 : 16) : 14);
  const every = Math.ceil(labels.length / Math.max(1, Math.floor((width - left) / 110)));
  const drawing = h('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `${series.map(({ name }) => name).join(', ')} by ${across.name}` },
    ticks.map((tick) => [h('line', { class: 'rule', x1: left, x2: width, y1: y(tick), y2: y(tick) }),
      h('text', { x: left - 8, y: y(tick) + 4, 'text-anchor': 'end' }, compact(tick))]),
    labels.map((label, at) => at % every === 0 && (!isLine || labels.length - 1 - at >= every / 2 || every === 1)
      && h('text', { x: left + (at + (isLine ? 0 : 0.5)) * step, y: height - 6, 'text-anchor': isLine && at === 0 ? 'start' : isLine && at === labels.length - 1 ? 'end' : 'middle' }, spell(label))),
    series.map(({ name, values }, one) => (isLine
      ? h('path', { class: `line s${one}`, d: path(values, (at) => left + at * step, y) }, h('title', {}, name))
      : values.map((number, at) => Number.isFinite(number) && h('rect', {
        class: `s${one}`, rx: 2, x: left + at * step + step * (0.15 + (0.7 * one) / series.length), width: (0.7 * step) / series.length,
        y: Math.min(y(0), y(number)), height: Math.max(1, Math.abs(y(number) - y(0))),
      }, h('title', {}, `${spell(labels[at])}: ${number}`))))));
  return h('div', { class: 'figure' },
    h('div', { class: 'row legend small' }, series.map(({ name }, one) => h('span', { class: `row s${one}` }, h('i'), name)),
      h('span', { class: 'muted' }, `${what ? `${what} ` : ''}by ${across.name}${rows.length > shown.length ? `, the first ${shown.length} rows` : ''}`)),
    drawing);
}

function path(numbers, x, y) {
  let pen = 'M';
  return numbers.map((number, at) => {
    if (!Number.isFinite(number)) { pen = 'M'; return ''; }
    const part = `${pen}${x(at).toFixed(1)} ${y(number).toFixed(1)}`;
    pen = 'L';
    return part;
  }).join('');
}
