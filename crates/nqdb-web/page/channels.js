// Channels: who is there and how much passes, listening and publishing, and what was said before.
import { h, poll, replace, toast } from './dom.js';
import { bytes, clock, compact, plural } from './format.js';
import { indent } from './grid.js';

export const title = 'Real-time';
export const isFull = true;

const ENTRIES_KEPT = 1000;
const REPLAYED = 100;
const RATE_MS = 5000;

export function mount(main, context) {
  const { connection, signal, kept } = context;
  kept.channels ||= new Map();
  kept.entries ||= [];
  const log = h('div', { class: 'log', role: 'log', 'aria-label': 'Messages', tabindex: 0 });
  const subscribed = h('div', { class: 'tree listened' });
  const known = h('div', { class: 'tree' });
  const name = h('input', { placeholder: 'channel, or orders.*', 'aria-label': 'Channel to listen to', autocomplete: 'off', spellcheck: 'false' });
  const to = h('input', { placeholder: 'channel', 'aria-label': 'Channel to publish to', autocomplete: 'off', spellcheck: 'false', value: kept.to || '' });
  const payload = h('input', { class: 'grow mono', placeholder: '{"id": 17}  or any text', 'aria-label': 'Message', autocomplete: 'off', spellcheck: 'false' });
  const filter = h('input', { type: 'search', placeholder: 'Filter', 'aria-label': 'Filter messages' });

  const draw = () => {
    const wanted = filter.value.toLowerCase();
    replace(log, kept.entries.filter(({ where, text }) => `${where} ${text}`.toLowerCase().includes(wanted)).slice(-300).reverse().map(entry),
      !kept.entries.length && h('div', { class: 'empty' }, 'What is said on the channels that you listen to comes here, the newest on top.'));
  };
  let isDrawing = false;
  const drawSoon = () => {
    if (isDrawing || signal.aborted) return;
    isDrawing = true;
    requestAnimationFrame(() => { isDrawing = false; draw(); drawSubscribed(); });
  };
  const note = (one) => {
    kept.entries.push({ when: clock(), ...one });
    if (kept.entries.length > ENTRIES_KEPT) kept.entries.splice(0, kept.entries.length - ENTRIES_KEPT);
    kept.draw?.();
  };
  // What a subscription that outlives this view tells.
  kept.draw = drawSoon;
  signal.addEventListener('abort', () => { kept.draw = undefined; });

  const listen = async (channel) => {
    if (!channel || kept.channels.has(channel)) return;
    const state = { times: [], count: 0 };
    try {
      const reply = await connection.subscribe(channel, (publication) => {
        state.times.push(performance.now());
        state.count += 1;
        note({ where: publication.tags?.channel || channel, text: shown(publication.data), info: publication.info?.user, offset: publication.offset });
      });
      connection.subscriptions.get(channel).subscribed = ({ recovered, publications }) => note({ where: channel, said: true,
        text: recovered ? `back again, with ${plural(publications.length, 'message')} that were missed` : 'back again; some messages may be missing' });
      kept.channels.set(channel, state);
      note({ where: channel, said: true, text: `listening${reply.epoch ? ` from ${reply.offset} on` : ''}` });
    } catch (error) {
      toast(`${channel}: ${error.message}`, 'bad');
    }
    drawSubscribed();
  };
  const leave = (channel) => {
    connection.unsubscribe(channel);
    kept.channels.delete(channel);
    drawSubscribed();
  };
  const replay = async (channel) => {
    try {
      const { publications, epoch } = await connection.history(channel, REPLAYED);
      const past = publications.reverse().map(({ data, offset, info }) => ({ when: 'before', where: channel, text: shown(data), offset, info: info?.user, past: true }));
      kept.entries.push({ when: clock(), where: channel, said: true, text: `the last ${plural(past.length, 'message')} that the channel keeps (epoch ${epoch})` }, ...past);
      draw();
    } catch (error) {
      toast(`${channel}: ${error.message}`, 'bad');
    }
  };
  const publish = async (event) => {
    event.preventDefault();
    let data = payload.value;
    try { data = JSON.parse(payload.value); } catch { /* It is sent as a text. */ }
    try {
      await connection.publish(to.value.trim(), data);
      kept.to = to.value.trim();
      payload.value = '';
      if (!kept.channels.has(kept.to)) toast(`Published to ${kept.to}`);
    } catch (error) {
      toast(error.message, 'bad');
    }
  };
  const drawSubscribed = () => {
    const now = performance.now();
    replace(subscribed, h('h3', {}, 'Listening'), [...kept.channels].map(([channel, state]) => {
      state.times = state.times.filter((at) => now - at < RATE_MS);
      return h('div', { class: 'row' }, h('button', { class: 'grow', onclick: () => { to.value = channel; payload.focus(); } }, h('span', { class: 'what' }, channel),
        h('span', { class: 'size' }, `${compact(state.times.length / (RATE_MS / 1000))}/s · ${state.count}`)),
      !channel.endsWith('*') && h('button', { class: 'bare', style: { width: 'auto' }, 'aria-label': `Replay ${channel}`, title: 'What was said before', onclick: () => replay(channel) }, '↺'),
      h('button', { class: 'bare', style: { width: 'auto' }, 'aria-label': `Leave ${channel}`, onclick: () => leave(channel) }, '×'));
    }), !kept.channels.size && h('div', { class: 'muted small', style: { padding: '0 8px' } }, 'No channel yet'));
  };

  main.append(h('h1', { class: 'unseen' }, title), h('div', { class: 'split' },
    h('div', { class: 'pane' }, h('form', { class: 'row', onsubmit: (event) => { event.preventDefault(); listen(name.value.trim()); name.value = ''; } }, h('div', { class: 'grow' }, name), h('button', { type: 'submit' }, 'Listen')), subscribed, known),
    h('div', { class: 'pane' }, h('form', { class: 'row', onsubmit: publish }, to, payload, h('button', { type: 'submit' }, 'Publish')), log,
      h('div', { class: 'row' }, filter, h('span', { class: 'grow' }), h('button', { class: 'bare', onclick: () => { kept.entries.length = 0; draw(); } }, 'Clear')))));
  draw();
  poll(2000, signal, async () => {
    drawSubscribed();
    await drawKnown(connection, known, listen, signal, kept).catch(() => {});
  });
}

// The server's channels and clients, where it has the views of them.
async function drawKnown(connection, known, listen, signal, kept) {
  if (!kept.views) {
    [kept.views] = await connection.query("SELECT to_regclass('nqdb_channels') IS NOT NULL AS channels, to_regclass('nqdb_connections') IS NOT NULL AS clients");
    kept.before = new Map();
  }
  const rows = kept.views.channels ? await connection.query('SELECT * FROM nqdb_channels ORDER BY name LIMIT 200') : [];
  const clients = kept.views.clients ? await connection.query('SELECT * FROM nqdb_connections ORDER BY connected_at LIMIT 100') : [];
  if (signal.aborted) return;
  const now = performance.now();
  const rate = ({ name, messages }) => {
    const before = kept.before.get(name);
    kept.before.set(name, { messages, at: now });
    return before && messages > before.messages ? `${compact((1000 * (messages - before.messages)) / (now - before.at))}/s` : '';
  };
  replace(known,
    rows.length > 0 && h('h3', {}, 'All channels'),
    rows.map((row) => h('button', { onclick: () => listen(row.name), title: `Listen: ${plural(row.messages, 'message')}, ${bytes(row.bytes)}, ${row.history} kept, ${plural(row.gaps, 'gap')}` },
      h('span', { class: 'what' }, row.name), h('span', { class: 'size' }, [rate(row), row.gaps > 0 && plural(row.gaps, 'gap'), `${row.subscribers} here`].filter(Boolean).join(' · ')))),
    clients.length > 0 && h('h3', {}, `Clients (${clients.length})`),
    clients.map((row) => h('div', { class: 'row small', style: { padding: '2px 8px' }, title: `${row.address ?? ''} since ${row.connected_at}` }, h('span', { class: 'grow' }, `${row.usename ?? ''} · ${row.kind}`),
      h('span', { class: 'muted' }, [`${compact(row.messages_out)} out`, row.queue_bytes > 0 && `${bytes(row.queue_bytes)} waiting`].filter(Boolean).join(' · ')))));
}

function shown(data) {
  return typeof data === 'string' ? data : indent(JSON.stringify(data));
}

function entry({ when, where, text, info, offset, past, said }) {
  return h('div', { class: `entry ${past ? 'past' : ''} ${said ? 'said' : ''}` }, h('span', { class: 'when' }, when), h('span', { class: 'where', title: where }, where, offset !== undefined && h('div', {}, `#${offset}${info ? ` · ${info}` : ''}`)),
    said ? h('div', { class: 'what' }, text) : h('pre', {}, text));
}
