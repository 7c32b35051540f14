// Elements from JavaScript: no markup is ever made of text, so that no value of the database can become one.

const SVG_TAGS = new Set(['svg', 'path', 'line', 'rect', 'text', 'g', 'circle', 'title']);

// h('button', { class: 'quiet', onclick: act, 'aria-label': 'Close' }, 'x')
export function h(tag, properties = {}, ...children) {
  const element = SVG_TAGS.has(tag)
    ? document.createElementNS('http://www.w3.org/2000/svg', tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'style') Object.entries(value).forEach(([property, set]) => element.style.setProperty(property, set));
    else if (name === 'value' || name === 'checked' || name === 'disabled' || name === 'selected') element[name] = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

export function replace(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

// Tells people who do not look at the page what has happened.
export function announce(text) {
  document.getElementById('status').textContent = text;
}

// A short message at the edge of the page. `kind` is 'good' or 'bad'.
export function toast(text, kind = 'good') {
  const message = h('div', { class: `toast ${kind}` }, text);
  document.getElementById('overlays').append(message);
  announce(text);
  setTimeout(() => message.remove(), kind === 'bad' ? 8000 : 3500);
}

// A dialog over the page; resolves with what its content passes to `close`, or undefined.
export function dialog(title, makeContent, kind = '') {
  return new Promise((resolve) => {
    const before = document.activeElement;
    const box = h('dialog', { class: `dialog ${kind}`, 'aria-label': title });
    const close = (result) => {
      if (!box.isConnected) return;
      box.close();
      box.remove();
      before?.focus?.();
      resolve(result);
    };
    box.addEventListener('cancel', (event) => { event.preventDefault(); close(); });
    box.addEventListener('click', (event) => { if (event.target === box) close(); });
    box.append(h('h2', {}, title), makeContent(close));
    document.getElementById('overlays').append(box);
    box.showModal();
  });
}

// Asks before something that cannot be taken back.
export function confirm(title, text, action) {
  return dialog(title, (close) => h('div', {},
    h('p', { class: 'wrap' }, text),
    h('div', { class: 'row end' },
      h('button', { class: 'quiet', onclick: () => close(false) }, 'Keep it'),
      h('button', { class: 'danger', onclick: () => close(true) }, action))));
}

export function copyText(text, what) {
  navigator.clipboard.writeText(text).then(() => toast(`${what} copied`), () => toast('The browser does not allow copying', 'bad'));
}

// Hands a file to the browser.
export function download(name, type, parts) {
  const link = h('a', { href: URL.createObjectURL(new Blob(parts, { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// Calls `act` every `interval` ms while the page is seen and `signal` is not aborted; never twice at a time.
export function poll(interval, signal, act) {
  let timer;
  const turn = async () => {
    if (signal.aborted) return;
    if (!document.hidden) await act();
    if (!signal.aborted) timer = setTimeout(turn, interval);
  };
  signal.addEventListener('abort', () => clearTimeout(timer));
  turn();
}
