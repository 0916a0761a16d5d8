// Elements without markup: whatever comes over the wire becomes text, never HTML.

const SVG = 'http://www.w3.org/2000/svg';

/**
 * An element. `given` holds attributes, `on` (listeners by event) and `data`; false, null and
 * undefined leave an attribute out. Children are nodes or texts; the same and '' are skipped.
 */
export function element(name, given = {}, ...children) {
  const made = document.createElement(name);
  const { on = {}, data = {}, ...attributes } = given;
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    made.setAttribute(attribute, value === true ? '' : String(value));
  }
  for (const [event, listener] of Object.entries(on)) made.addEventListener(event, listener);
  Object.assign(made.dataset, data);
  made.append(...present(children));
  return made;
}

/** Put these in the place of all that is in `parent`. */
export function fill(parent, ...children) {
  parent.replaceChildren(...present(children));
  return parent;
}

function present(children) {
  return children.flat().filter((child) => ![null, undefined, false, ''].includes(child))
    .map((child) => (child instanceof Node ? child : String(child)));
}

/** A drawing of the sprite in index.html; decoration only. */
export function icon(name) {
  const drawing = document.createElementNS(SVG, 'svg');
  drawing.setAttribute('class', 'icon');
  drawing.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `#icon-${name}`);
  drawing.append(use);
  return drawing;
}

export function button(label, onClick, given = {}) {
  return element('button', { type: 'button', ...given, on: { click: onClick } }, label);
}

/** A button that is only a drawing; the label is for those who do not see it, and on hover. */
export function iconButton(name, label, onClick, given = {}) {
  return button(icon(name), onClick, { class: 'quiet square', 'aria-label': label, title: label,
    ...given });
}

/** A field with its label above. */
export function field(label, control, hint = '') {
  const told = hint && element('small', { class: 'hint' }, hint);
  return element('label', { class: 'field' }, element('span', { class: 'label' }, label), control,
    told);
}

/** A link for what came over the wire: http and https only, anything else stays text. */
export function outwardLink(address, label = address) {
  let url = null;
  try { url = new URL(address); } catch { /* no address at all */ }
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    return element('span', { class: 'mono' }, label);
  }
  return element('a', { href: url.href, target: '_blank', rel: 'noopener noreferrer' }, label);
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // no permission, or not a secure context
    const area = element('textarea', { class: 'away', 'aria-hidden': 'true' });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
}

/** A button that copies what `text` gives at that time, and says that it has. */
export function copyButton(text, label = 'Copy') {
  const made = iconButton('copy', label, async (event) => {
    event.stopPropagation();
    await copy(await text());
    made.classList.add('done');
    announce('Copied.');
    setTimeout(() => made.classList.remove('done'), 1200);
  });
  return made;
}

/** Where a command can be taken from. */
export function command(text) {
  return element('div', { class: 'command' }, element('pre', { tabindex: '0' }, text),
    copyButton(() => text, 'Copy the command'));
}

/** Nothing here yet: why, and how to change that. */
export function emptyHint(sentence, text = '') {
  return element('div', { class: 'empty' }, element('p', {}, sentence), text && command(text));
}

let clearing = 0;

/** Say it to everybody: on the screen for a moment, and to screen readers. */
export function announce(text, kind = '') {
  const place = document.getElementById('notice');
  place.className = kind;
  place.textContent = text;
  clearTimeout(clearing);
  clearing = setTimeout(() => { place.textContent = ''; }, kind === 'bad' ? 8000 : 3000);
}

/** Ask before something that cannot be taken back. */
export function confirmed(question, verb) {
  const dialog = document.getElementById('confirm');
  dialog.querySelector('p').textContent = question;
  dialog.querySelector('[value=yes]').textContent = verb;
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}

/** Arrow keys, Home and End go through these elements; only one of them is a tab stop. */
export function arrows(container, selector) {
  container.addEventListener('keydown', (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined || !event.target.matches(selector)) return;
    const stops = [...container.querySelectorAll(selector)].filter((each) => each.offsetParent);
    const at = stops.indexOf(event.target) + step;
    event.preventDefault();
    stops[Math.max(0, Math.min(stops.length - 1, at))]?.focus();
  });
  container.addEventListener('focusin', (event) => {
    if (!event.target.matches(selector)) return;
    container.querySelector(`${selector}[tabindex="0"]`)?.setAttribute('tabindex', '-1');
    event.target.setAttribute('tabindex', '0');
  });
}

export function clock(iso, withMilliseconds = false) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return String(iso ?? '');
  const time = date.toLocaleTimeString([], { hour12: false });
  return withMilliseconds ? `${time}.${String(date.getMilliseconds()).padStart(3, '0')}` : time;
}

export function day(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return '';
  return date.toLocaleDateString([], { year: 'numeric', month: 'short', day: 'numeric' });
}

/** `CON-1b7c…7e10`: enough of an id to tell it from others. */
export function shortId(id) {
  const text = String(id ?? '');
  return text.length > 16 ? `${text.slice(0, 8)}…${text.slice(-4)}` : text;
}
