// Who is there: sessions with what they do and wait for, who blocks whom; cancel and terminate.
import { confirm, h, poll, replace, toast } from './dom.js';
import { plural, seconds } from './format.js';

export const title = 'Activity';

const SESSIONS = `SELECT pid, usename, datname, application_name, state, wait_event_type, wait_event, query, pid = pg_backend_pid() AS is_own,
       extract(epoch FROM clock_timestamp() - backend_start)::float8 AS here,
       extract(epoch FROM clock_timestamp() - xact_start)::float8 AS in_transaction,
       extract(epoch FROM clock_timestamp() - query_start)::float8 AS in_query,
       extract(epoch FROM clock_timestamp() - state_change)::float8 AS in_state,
       pg_blocking_pids(pid) AS blockers
  FROM pg_stat_activity ORDER BY state = 'active' DESC, xact_start NULLS LAST, backend_start`;
const LOCKS = `SELECT l.pid, l.locktype, coalesce(c.relname, l.transactionid::text, l.virtualxid, nullif(concat_ws('/', l.classid::text, l.objid::text), '')) AS what,
       l.mode, l.granted FROM pg_locks l LEFT JOIN pg_class c ON c.oid = l.relation
 WHERE l.pid <> pg_backend_pid() AND (NOT l.granted OR l.locktype <> 'virtualxid') ORDER BY l.granted, l.pid, 3 LIMIT 200`;

export function mount(main, { connection, signal }) {
  const sessions = h('tbody', {});
  const locks = h('tbody', {});
  const count = h('span', { class: 'muted' });
  const blocking = h('div', {});
  const filter = h('input', { placeholder: 'Filter', 'aria-label': 'Filter sessions', type: 'search' });
  const idle = h('input', { type: 'checkbox', checked: true });
  let rows = [];
  const head = (...titles) => h('thead', {}, h('tr', {}, titles.map((text) => h('th', { scope: 'col' }, text))));
  main.append(h('div', { class: 'heading' }, h('h1', {}, title), count, h('span', { class: 'grow' }),
    h('label', { class: 'row' }, idle, 'idle sessions'), filter), blocking,
  h('div', { class: 'stack' },
    h('div', { class: 'card scroll' }, h('table', { class: 'list' }, head('Process', 'Who', 'State', 'For', 'Waits for', 'Statement', ''), sessions)),
    h('div', { class: 'card scroll' }, h('h2', {}, 'Locks'), h('table', { class: 'list' }, head('Process', 'Kind', 'Of', 'Mode', ''), locks))));

  const act = async (row, what) => {
    if (what === 'terminate' && !await confirm('End this session?', `Process ${row.pid}, ${row.usename}: its transaction is rolled back.\n\n${row.query}`, 'End the session')) return;
    try {
      const [{ done }] = await connection.query(`SELECT pg_${what}_backend($1) AS done`, [row.pid]);
      toast(done ? (what === 'cancel' ? `Statement of ${row.pid} cancelled` : `Session ${row.pid} ended`) : `Process ${row.pid} is not there any more`, done ? 'good' : 'bad');
      await refresh();
    } catch (error) {
      toast(error.message, 'bad');
    }
  };
  const draw = () => {
    const wanted = filter.value.toLowerCase();
    const shown = rows.filter((row) => (idle.checked || row.state !== 'idle')
      && `${row.pid} ${row.usename} ${row.datname} ${row.application_name} ${row.query}`.toLowerCase().includes(wanted));
    count.textContent = `${plural(rows.length, 'session')}, ${rows.filter(({ state }) => state === 'active').length} active`;
    replace(blocking, blocks(rows));
    replace(sessions, shown.map((row) => session(row, act)));
  };
  const refresh = async () => {
    try {
      rows = await connection.query(SESSIONS);
      const held = await connection.query(LOCKS);
      if (signal.aborted) return;
      draw();
      replace(locks, held.map((lock) => h('tr', {}, h('td', {}, lock.pid), h('td', {}, lock.locktype), h('td', { class: 'mono' }, lock.what), h('td', {}, lock.mode),
        h('td', {}, h('span', { class: `badge ${lock.granted ? '' : 'warn'}` }, lock.granted ? 'held' : 'waiting')))));
      if (!held.length) replace(locks, h('tr', {}, h('td', { class: 'muted', colspan: 5 }, 'Nobody else holds a lock.')));
    } catch (error) {
      if (!signal.aborted) replace(blocking, h('div', { class: 'notice bad' }, error.message));
    }
  };
  filter.oninput = draw;
  idle.onchange = draw;
  poll(2000, signal, refresh);
}

function session(row, act) {
  const kind = row.state === 'active' ? 'good' : row.state === 'idle' ? '' : 'warn';
  const time = row.state === 'active' ? row.in_query : row.in_state;
  const waits = row.blockers.length ? `process ${row.blockers.join(', ')}` : row.state === 'active' && row.wait_event ? `${row.wait_event_type}: ${row.wait_event}` : '';
  return h('tr', {},
    h('td', {}, row.pid),
    h('td', {}, row.usename, h('div', { class: 'muted small' }, [row.application_name, row.datname].filter(Boolean).join(' · '))),
    h('td', {}, h('span', { class: `badge ${kind}` }, row.state)),
    h('td', { class: 'number' }, seconds(Math.max(0, time ?? NaN)), row.in_transaction !== null && row.state !== 'active' && h('div', { class: 'muted small' }, `open for ${seconds(row.in_transaction)}`)),
    h('td', {}, row.blockers.length ? h('span', { class: 'badge bad' }, waits) : h('span', { class: 'muted small' }, waits)),
    h('td', { class: 'query', title: row.query }, h('div', {}, row.query)),
    h('td', {}, row.is_own ? h('span', { class: 'muted small' }, 'this page') : h('div', { class: 'row' },
      h('button', { class: 'bare', disabled: row.state !== 'active', onclick: () => act(row, 'cancel'), 'aria-label': `Cancel the statement of ${row.pid}` }, 'Cancel'),
      h('button', { class: 'bare', onclick: () => act(row, 'terminate'), 'aria-label': `End session ${row.pid}` }, 'End'))));
}

// Who holds up others without waiting himself, and who stands behind him.
function blocks(rows) {
  const waiting = new Map(rows.filter(({ blockers }) => blockers.length).map((row) => [row.pid, row.blockers]));
  if (!waiting.size) return [];
  const roots = [...new Set([...waiting.values()].flat())].filter((pid) => !waiting.has(pid));
  const behind = (pid, seen) => [...waiting].filter(([one, blockers]) => blockers.includes(pid) && !seen.has(one)).map(([one]) => {
    seen.add(one);
    return one;
  }).flatMap((one) => [one, ...behind(one, seen)]);
  return h('div', { class: 'notices' }, roots.map((pid) => {
    const row = rows.find((one) => one.pid === pid);
    const held = behind(pid, new Set());
    return h('div', { class: 'notice warn' }, h('strong', {}, `Process ${pid} holds up ${held.join(', ')}`),
      h('span', { class: 'muted' }, row ? `${row.usename}, ${row.state} for ${seconds(row.in_state)}: ${row.query.slice(0, 80)}` : ''));
  }));
}
