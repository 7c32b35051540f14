// EXPLAIN as a tree: each node with its rows, its time and its share of the whole.
import { h } from './dom.js';
import { compact, seconds } from './format.js';

const SHOWN_APART = new Set(['Node Type', 'Plans', 'Startup Cost', 'Total Cost', 'Plan Rows', 'Plan Width', 'Actual Startup Time', 'Actual Total Time',
  'Actual Rows', 'Actual Loops', 'Parallel Aware', 'Async Capable', 'Relation Name', 'Alias', 'Index Name', 'Join Type', 'Parent Relationship', 'Schema']);

// `document` is what EXPLAIN (FORMAT JSON) gives, parsed.
export function planTree(document) {
  const [{ Plan: root, ...rest }] = document;
  const isTimed = root['Actual Total Time'] !== undefined;
  const whole = own(root, isTimed, true) || 1;
  const facts = Object.entries(rest).filter(([, value]) => typeof value !== 'object').map(([name, value]) => `${name}: ${value}`);
  return h('div', { class: 'plan', tabindex: 0, role: 'region', 'aria-label': 'Plan' },
    h('div', { class: 'node' }, h('h3', {}, 'Step'), h('h3', { class: 'number' }, isTimed ? 'rows (expected)' : 'rows expected'),
      h('h3', { class: 'number' }, isTimed ? 'own time' : 'own cost'), h('h3', {}, 'share')),
    h('ul', {}, node(root, isTimed, whole)),
    facts.length > 0 && h('p', { class: 'detail' }, facts.join(' · ')));
}

// What a node takes: with all below it, or by itself.
function own(plan, isTimed, isWhole) {
  const all = isTimed ? plan['Actual Total Time'] * plan['Actual Loops'] : plan['Total Cost'];
  if (isWhole) return all;
  const below = (plan.Plans || []).reduce((sum, one) => sum + own(one, isTimed, true), 0);
  return Math.max(0, all - below);
}

function node(plan, isTimed, whole) {
  const alone = own(plan, isTimed, false);
  const share = Math.min(1, alone / whole);
  const about = [plan['Join Type'] && plan['Join Type'] !== 'Inner' && `${plan['Join Type']} join`, plan['Index Name'] && `by ${plan['Index Name']}`,
    plan['Relation Name'] && `on ${plan['Relation Name']}${plan.Alias && plan.Alias !== plan['Relation Name'] ? ` ${plan.Alias}` : ''}`].filter(Boolean).join(' ');
  const details = Object.entries(plan).filter(([name, value]) => !SHOWN_APART.has(name) && value !== false && value !== '')
    .map(([name, value]) => `${name}: ${Array.isArray(value) ? value.join(', ') : typeof value === 'object' ? JSON.stringify(value) : value}`);
  const rows = isTimed ? `${compact(plan['Actual Rows'] * plan['Actual Loops'])} (${compact(plan['Plan Rows'] * plan['Actual Loops'])})` : compact(plan['Plan Rows']);
  const never = isTimed && plan['Actual Loops'] === 0;
  return h('li', {},
    h('div', { class: 'node' },
      h('div', {}, h('strong', {}, plan['Node Type']), ' ', h('span', { class: 'muted' }, about), never && h('span', { class: 'badge' }, 'never run'),
        details.length > 0 && h('div', { class: 'detail' }, details.join(' · '))),
      h('div', { class: 'number' }, rows),
      h('div', { class: 'number' }, isTimed ? seconds(alone / 1000) : compact(alone)),
      h('div', { class: `meter ${share > 0.5 ? 'high' : ''}`, title: `${Math.round(100 * share)} %` }, h('i', { style: { width: `${100 * share}%` } }))),
    plan.Plans && h('ul', {}, plan.Plans.map((one) => node(one, isTimed, whole))));
}
