// What the server does now: charts of /metrics, and what somebody should look at.
import { LiveChart } from './chart.js';
import { h, poll, replace } from './dom.js';
import { bytes, compact, plural, seconds } from './format.js';

const PAGE_BYTES = 8192;
const WARN_FOR_MS = 60000;

export const title = 'Overview';

// The text of /metrics as a map; buckets of the histogram of request times beside it.
export function parseMetrics(text) {
  const figures = new Map();
  const buckets = [];
  for (const line of text.split('\n')) {
    if (!line || line.startsWith('#')) continue;
    const [name, value] = line.split(' ');
    const bound = /^nqdb_request_seconds_bucket\{le="(.+)"\}$/.exec(name);
    if (bound) buckets.push([bound[1] === '+Inf' ? Infinity : Number(bound[1]), Number(value)]);
    else figures.set(name, Number(value));
  }
  return { figures, buckets };
}

// A quantile of what was added between two readings of a cumulative histogram.
export function quantile(now, before, part) {
  const added = now.map(([bound, count], at) => [bound, count - (before[at]?.[1] ?? 0)]);
  const total = added.at(-1)?.[1] ?? 0;
  if (!total) return NaN;
  const wanted = total * part;
  let [below, passed] = [0, 0];
  for (const [bound, count] of added) {
    if (count >= wanted) {
      if (!Number.isFinite(bound)) return below;
      return below + (bound - below) * ((wanted - passed) / Math.max(1e-9, count - passed));
    }
    [below, passed] = [bound, count];
  }
  return below;
}

export function mount(main, { connection, signal }) {
  const charts = {
    queries: new LiveChart('Statements', { unit: '/s' }),
    latency: new LiveChart('Median request time', { format: seconds, second: '99th percentile' }),
    commits: new LiveChart('Commits', { unit: '/s' }),
    rows: new LiveChart('Rows sent', { unit: '/s' }),
    connections: new LiveChart('Sessions', { format: (value) => String(Math.round(value)) }),
    memory: new LiveChart('Pages in memory', { format: bytes }),
    log: new LiveChart('Log written', { format: bytes, unit: '/s' }),
    pushed: new LiveChart('Messages to browsers', { unit: '/s' }),
  };
  const notices = h('div', { class: 'notices', role: 'log', 'aria-label': 'Warnings' });
  const facts = h('dl', { class: 'facts card' });
  const since = h('span', { class: 'muted' });
  main.append(h('div', { class: 'heading' }, h('h1', {}, title), since), notices,
    h('div', { class: 'charts' }, Object.values(charts).map(({ element }) => element)), facts);

  let before;
  let blocked = [];
  const recent = new Map();
  poll(1000, signal, async () => {
    let now;
    try {
      const [metrics, ready] = await Promise.all([fetch('/metrics'), fetch('/readyz')]);
      now = { ...parseMetrics(await metrics.text()), at: performance.now(), ready: ready.ok ? '' : (await ready.text()).trim() };
    } catch {
      replace(notices, notice('bad', 'The server does not answer.'));
      return;
    }
    if (signal.aborted) return;
    draw(charts, now, before);
    since.textContent = `up for ${seconds(now.figures.get('nqdb_uptime_seconds'))}`;
    if (before) grown(now, before, recent);
    replace(notices, warnings(now, recent, blocked));
    replace(facts, summary(now));
    before = now;
  });
  poll(5000, signal, async () => {
    const rows = await connection.query('SELECT count(*)::int AS n, count(DISTINCT pid)::int AS pids FROM pg_locks WHERE NOT granted').catch(() => []);
    blocked = rows;
  });
}

function draw(charts, now, before) {
  const { figures } = now;
  const get = (name) => figures.get(name) ?? NaN;
  const elapsed = before ? (now.at - before.at) / 1000 : NaN;
  const rate = (name) => (get(name) - (before?.figures.get(name) ?? NaN)) / elapsed;
  if (before) {
    charts.queries.add(rate('nqdb_statements_total'), `${compact(rate('nqdb_errors_total'))} errors/s`);
    const [median, late] = [0.5, 0.99].map((part) => quantile(now.buckets, before.buckets, part));
    charts.latency.add(median, Number.isFinite(late) ? `99th percentile ${seconds(late)}` : 'no requests', late);
    const [commits, syncs] = [rate('nqdb_commits_total'), rate('nqdb_log_syncs_total')];
    charts.commits.add(commits, `${compact(rate('nqdb_rollbacks_total'))} rolled back/s, ${syncs > 0 ? `${compact(commits / syncs)} in a sync` : 'no syncs'}`);
    charts.rows.add(rate('nqdb_rows_sent_total'), `${compact(rate('nqdb_page_hits_total'))} page hits/s, ${compact(rate('nqdb_page_reads_total'))} reads/s`);
    charts.log.add(rate('nqdb_log_bytes_total'), `${bytes(get('nqdb_recovery_log_bytes'))} to recover from`);
    charts.pushed.add(rate('nqdb_realtime_sent_total'), `${plural(get('nqdb_realtime_connections'), 'socket')}, ${plural(get('nqdb_notify_channels'), 'channel')}`);
  }
  charts.connections.add(get('nqdb_connections'), `of ${compact(get('nqdb_connections_max'))}, ${plural(get('nqdb_transactions_active'), 'transaction')} writing`);
  charts.memory.add(get('nqdb_frames_used') * PAGE_BYTES, `of ${bytes(get('nqdb_frames') * PAGE_BYTES)}, ${bytes(get('nqdb_frames_dirty') * PAGE_BYTES)} unwritten`);
}

// Notes which counters of trouble have grown, and when.
function grown(now, before, recent) {
  for (const name of ['nqdb_panics_total', 'nqdb_connections_refused_total', 'nqdb_frame_waits_total', 'nqdb_log_waits_total',
    'nqdb_notify_dropped_total', 'nqdb_notify_refused_total', 'nqdb_deadlocks_total', 'nqdb_temporary_files_total', 'nqdb_realtime_gaps_total']) {
    const more = (now.figures.get(name) ?? 0) - (before.figures.get(name) ?? 0);
    if (more > 0) recent.set(name, { at: now.at, more });
    if (recent.has(name) && now.at - recent.get(name).at > WARN_FOR_MS) recent.delete(name);
  }
}

function notice(kind, text, hint = '') {
  return h('div', { class: `notice ${kind}` }, h('strong', {}, text), h('span', { class: 'muted' }, hint));
}

function warnings(now, recent, blocked) {
  const get = (name) => now.figures.get(name) ?? 0;
  const found = [];
  const when = (name, kind, text, hint) => recent.has(name) && found.push(notice(kind, text(recent.get(name).more), hint));
  if (now.ready) found.push(notice('bad', now.ready, 'Reads go on; see “When things go wrong” in docs/operations.md.'));
  if (get('nqdb_panics_total') > 0) found.push(notice('bad', `${plural(get('nqdb_panics_total'), 'session')} ended by a fault of the server`, 'The log says more.'));
  when('nqdb_connections_refused_total', 'bad', () => 'Clients are refused: all places are taken', '--max-connections');
  if (get('nqdb_connections') >= 0.9 * get('nqdb_connections_max')) found.push(notice('warn', 'Few places for sessions are left', '--max-connections'));
  if (blocked[0]?.n > 0) found.push(notice('warn', `${plural(blocked[0].pids, 'session')} waiting for a lock`, 'See Activity.'));
  if (get('nqdb_oldest_snapshot_age_seconds') > 300) found.push(notice('warn', `The oldest snapshot is ${seconds(get('nqdb_oldest_snapshot_age_seconds'))} old`, 'A long transaction keeps old versions of rows from being removed.'));
  when('nqdb_frame_waits_total', 'warn', () => 'Pages wait for memory', '--memory is small, or the disk slow.');
  when('nqdb_log_waits_total', 'warn', () => 'Changes wait for room in the log', 'The disk writes more slowly than clients do.');
  when('nqdb_deadlocks_total', 'warn', (more) => `${plural(more, 'deadlock')} within the last minute`, 'The log names who waited for whom.');
  when('nqdb_notify_dropped_total', 'warn', (more) => `${plural(more, 'listener')} dropped: too much was unread`, '--notify-queue');
  when('nqdb_notify_refused_total', 'warn', () => 'NOTIFY is refused: a queue is full', '--notify-queue');
  when('nqdb_realtime_gaps_total', 'warn', (more) => `${plural(more, 'subscriber')} came back too late for all messages`, 'Histories of channels are shorter than they were away.');
  when('nqdb_temporary_files_total', '', () => 'Statements go on with temporary files', 'work_mem is small for what is asked.');
  return found.length ? found : [notice('', 'Nothing needs attention.')];
}

function summary({ figures }) {
  const get = (name) => figures.get(name) ?? NaN;
  const fact = (term, text, part) => h('div', {}, h('dt', {}, term), h('dd', {}, text),
    Number.isFinite(part) && h('div', { class: `meter ${part > 0.85 ? 'high' : ''}` }, h('i', { style: { width: `${Math.min(100, 100 * part)}%` } })));
  const share = (now, most) => get(now) / get(most);
  const hits = get('nqdb_page_hits_total') / (get('nqdb_page_hits_total') + get('nqdb_page_reads_total'));
  return [
    fact('Data', bytes(get('nqdb_data_pages') * PAGE_BYTES)),
    fact('Pages found in memory', Number.isFinite(hits) ? `${(100 * hits).toFixed(2)} %` : '–'),
    fact('Memory of statements', `${bytes(get('nqdb_statement_memory_bytes'))} of ${bytes(get('nqdb_statement_memory_limit_bytes'))}`, share('nqdb_statement_memory_bytes', 'nqdb_statement_memory_limit_bytes')),
    fact('Sessions', `${get('nqdb_connections')} of ${get('nqdb_connections_max')}`, share('nqdb_connections', 'nqdb_connections_max')),
    fact('Plans found ready', `${(100 * get('nqdb_plans_reused_total') / Math.max(1, get('nqdb_plans_reused_total') + get('nqdb_plans_made_total'))).toFixed(1)} %`),
    fact('Old versions kept', `${bytes(get('nqdb_undo_bytes'))}, ${plural(get('nqdb_purge_backlog'), 'transaction')}`),
    fact('Column cache', `${bytes(get('nqdb_column_cache_bytes'))}, ${compact(get('nqdb_column_cache_hits_total'))} hits`),
    fact('Unread notifications', bytes(get('nqdb_notify_held_bytes'))),
  ];
}
