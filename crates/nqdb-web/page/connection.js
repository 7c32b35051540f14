// The socket: Centrifugo's JSON protocol as far as the page needs it, with the server's SQL on top (docs/realtime.md).
//
// A connection that breaks comes back by itself and subscribes again; its session, and what ran in it, is gone.

const COMMAND_BYTES_MAX = 65536;
const RECONNECT_MS = [300, 1000, 2000, 5000];

export class ServerError extends Error {
  constructor(fields) {
    super(fields.message);
    Object.assign(this, fields);
  }
}

// Rows of live queries are JSON: of numbers that JavaScript would spell otherwise (1.50, long ones) the digits are kept, where the browser tells them.
function parse(line) {
  if (!line.includes('"csn":')) return JSON.parse(line);
  return JSON.parse(line, (_, value, context) => (typeof value === 'number' && context?.source && String(value) !== context.source ? context.source : value));
}

export class Connection extends EventTarget {
  // `credentials`: { user, password, database }.
  constructor(credentials) {
    super();
    this.credentials = credentials;
    this.calls = new Map();
    this.queries = new Map();
    this.subscriptions = new Map();
    this.id = 0;
    this.attempts = 0;
    this.state = 'closed';
  }

  // Resolves when the server has let the role in.
  connect() {
    this.wanted = true;
    return new Promise((resolve, reject) => this.open(resolve, reject));
  }

  open(resolve = () => {}, reject = () => {}) {
    this.setState('connecting');
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const socket = new WebSocket(`${scheme}://${location.host}/connection/websocket`);
    this.socket = socket;
    socket.onopen = () => this.call('connect', { data: this.credentials }).then(async () => {
      this.attempts = 0;
      this.setState('open');
      for (const [channel, subscription] of this.subscriptions) await this.again(channel, subscription);
      resolve();
    }, reject);
    socket.onmessage = ({ data }) => data.split('\n').forEach((line) => line && this.take(parse(line)));
    socket.onclose = ({ code, reason }) => {
      if (this.socket !== socket) return;
      const message = code === 3507 ? 'The role, the password or the database is wrong, or the role may not log in.'
        : code === 1006 ? 'The server does not answer.' : `The server ended the connection: ${reason || code}.`;
      reject(new Error(message));
      this.fail(new ServerError({ message, code: 'closed' }));
      this.setState('closed');
      if (this.wanted && code < 3500 && this.wasOpen) this.comeBack();
      else if (this.wasOpen && code >= 3500) this.dispatchEvent(new CustomEvent('refused', { detail: message }));
    };
  }

  comeBack() {
    const delay = RECONNECT_MS[Math.min(this.attempts, RECONNECT_MS.length - 1)];
    this.attempts += 1;
    this.timer = setTimeout(() => this.open(), delay);
  }

  setState(state) {
    this.state = state;
    if (state === 'open') this.wasOpen = true;
    this.dispatchEvent(new Event('state'));
  }

  close() {
    this.wanted = false;
    clearTimeout(this.timer);
    this.socket?.close(1000);
  }

  fail(error) {
    [...this.calls.values()].forEach(({ reject }) => reject(error));
    this.calls.clear();
    [...this.queries.values()].forEach((query) => query.end(error));
    this.queries.clear();
  }

  send(command) {
    this.socket.send(JSON.stringify(command));
  }

  call(method, parameters) {
    return new Promise((resolve, reject) => {
      if (this.socket?.readyState !== WebSocket.OPEN) {
        reject(new ServerError({ message: 'There is no connection to the server.', code: 'closed' }));
        return;
      }
      const command = { id: this.id += 1, [method]: parameters };
      if (new Blob([JSON.stringify(command)]).size > COMMAND_BYTES_MAX) {
        reject(new ServerError({ message: 'A command to the server may have 64 KiB.' }));
        return;
      }
      this.calls.set(this.id, { method, resolve, reject });
      this.send(command);
    });
  }

  take(message) {
    if (message.push) return this.takePush(message.push);
    if (message.id === undefined) return this.send({});
    const call = this.calls.get(message.id);
    this.calls.delete(message.id);
    if (!call) return undefined;
    return message.error ? call.reject(new ServerError(message.error)) : call.resolve(message[call.method]);
  }

  takePush({ channel, pub, join, leave, unsubscribe, message }) {
    if (message) return this.takeMessage(message.data);
    const subscription = this.subscriptions.get(channel);
    if (!subscription) return undefined;
    if (pub) {
      if (pub.offset) subscription.offset = pub.offset;
      subscription.take(pub);
    }
    if (unsubscribe && unsubscribe.code >= 2500) this.again(channel, subscription);
    return join || leave;
  }

  takeMessage(data) {
    if (data.q === undefined) return this.dispatchEvent(new CustomEvent('apart', { detail: data }));
    const query = this.queries.get(data.q);
    if (query) return query.take(data);
    // The reply with the number is on its way through a promise.
    this.early = (this.early || []).concat(data);
    return undefined;
  }

  rpc(method, data) {
    return this.call('rpc', { method, data }).then((reply) => reply.data);
  }

  // Runs SQL; what comes is told to `listener`: columns, rows, complete, notice, progress. Resolves at the end, rejects with the server's error.
  // `listener.rows` may return a promise: the server waits for it before it sends much more.
  stream(sql, params = [], listener = {}, format = 'text') {
    const control = { number: undefined };
    control.done = this.rpc('sql.query', { sql, params, format }).then(({ query: number }) => new Promise((resolve, reject) => {
      control.number = number;
      const end = (error, done) => {
        this.queries.delete(number);
        if (error) reject(error); else resolve(done);
      };
      const handle = async (data) => {
        if (!this.queries.has(number)) return;
        if (data.done) { end(undefined, data.done); return; }
        for (const kind of ['columns', 'rows', 'complete', 'notice', 'copy']) {
          if (data[kind] !== undefined) await listener[kind]?.(data[kind]);
        }
        const isRows = data.rows || data.copy !== undefined || data.copy_base64 !== undefined;
        if (isRows && this.queries.has(number) && this.state === 'open') this.send({ send: { data: { q: number, ack: data.seq } } });
      };
      let last = Promise.resolve();
      const take = (data) => {
        // An error and progress do not wait for rows that the listener has not taken.
        if (data.error) end(new ServerError(data.error));
        else if (data.progress) listener.progress?.(data.progress);
        else last = last.then(() => handle(data)).catch(end);
      };
      this.queries.set(number, { take, end });
      const early = (this.early || []).filter((data) => data.q === number);
      this.early = (this.early || []).filter((data) => data.q > number);
      early.forEach(take);
    }));
    control.cancel = () => control.number !== undefined && this.rpc('sql.cancel', { q: control.number });
    return control;
  }

  // All rows of one statement as objects with values as JSON.
  async query(sql, params = []) {
    let columns = [];
    const rows = [];
    let tag = '';
    await this.stream(sql, params, {
      columns: (described) => { columns = described; },
      rows: (more) => { rows.push(...more); },
      complete: (text) => { tag = text; },
    }, 'json').done;
    const objects = rows.map((row) => Object.fromEntries(row.map((value, at) => [columns[at].name, value])));
    return Object.assign(objects, { tag });
  }

  async subscribe(channel, take, options = {}) {
    const subscription = { take, options };
    this.subscriptions.set(channel, subscription);
    try {
      return await this.resubscribe(channel, subscription);
    } catch (error) {
      this.subscriptions.delete(channel);
      throw error;
    }
  }

  async resubscribe(channel, subscription) {
    const place = subscription.epoch ? { recover: true, epoch: subscription.epoch, offset: subscription.offset } : {};
    const reply = await this.call('subscribe', { channel, ...subscription.options, ...place });
    if (reply.epoch) Object.assign(subscription, { epoch: reply.epoch, offset: reply.offset });
    (reply.publications || []).forEach((publication) => subscription.take(publication));
    subscription.subscribed?.(reply);
    return reply;
  }

  again(channel, subscription) {
    return this.resubscribe(channel, subscription).catch((error) => {
      this.subscriptions.delete(channel);
      subscription.failed?.(error);
    });
  }

  unsubscribe(channel) {
    this.subscriptions.delete(channel);
    return this.call('unsubscribe', { channel }).catch(() => {});
  }

  publish(channel, data) {
    return this.call('publish', { channel, data });
  }

  history(channel, limit) {
    return this.call('history', { channel, limit, reverse: true });
  }
}
