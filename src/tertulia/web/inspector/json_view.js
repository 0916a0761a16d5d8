// JSON as a person reads it: indented, coloured, copyable.
import { copyButton, element } from './dom.js';

const TOKEN = /("(?:\\.|[^"\\])*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

export function jsonView(value) {
  const text = JSON.stringify(value, null, 2);
  const pre = element('pre', { class: 'json', tabindex: '0', 'aria-label': 'JSON' });
  let end = 0;
  for (const found of text.matchAll(TOKEN)) {
    pre.append(text.slice(end, found.index));
    pre.append(...coloured(found));
    end = found.index + found[0].length;
  }
  pre.append(text.slice(end));
  return element('div', { class: 'json-box' }, pre, copyButton(() => text, 'Copy the JSON'));
}

function coloured([whole, quoted, colon]) {
  if (quoted === undefined) return [element('span', { class: 'json-value' }, whole)];
  if (colon === undefined) return [element('span', { class: 'json-text' }, quoted)];
  return [element('span', { class: 'json-key' }, quoted), colon];
}

/** One line of JSON, cut where it gets long. */
export function oneLine(value, most = 140) {
  const text = JSON.stringify(value) ?? '';
  return text.length > most ? `${text.slice(0, most)}…` : text;
}
