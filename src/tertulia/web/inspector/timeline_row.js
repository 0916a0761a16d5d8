// One event in the timeline: a line that opens to its JSON.
import { button, clock, element, shortId } from './dom.js';
import { jsonView } from './json_view.js';
import { headingOf, sentence } from './words.js';

export class Row {
  /** `onOnly(what, value)`: the person wants to see only this `type` or this `conversation`. */
  constructor({ envelope, position }, names, onOnly) {
    this.envelope = envelope;
    this.position = position;
    this.heading = headingOf(envelope.type);
    this.conversationId = envelope.conversation_id ?? '';
    this.#onOnly = onOnly;
    const who = whoOf(envelope, names);
    const said = sentence(envelope.type, envelope.body, who);
    const where = this.conversationId && (names.conversation(this.conversationId)
      || shortId(this.conversationId));
    this.haystack = `${envelope.type} ${said} ${where} ${this.conversationId} ${who}`.toLowerCase();
    this.line = this.#lineOf(said, where);
    this.element = element('li', { data: { heading: this.heading } }, this.line);
  }

  #onOnly;
  #detail = null;

  get isOpen() {
    return this.#detail !== null;
  }

  open() {
    if (this.#detail) return;
    this.#detail = element('div', { class: 'detail' }, this.#tools(), jsonView(this.envelope));
    this.element.append(this.#detail);
    this.line.setAttribute('aria-expanded', 'true');
  }

  close() {
    this.#detail?.remove();
    this.#detail = null;
    this.line.setAttribute('aria-expanded', 'false');
  }

  #lineOf(said, where) {
    const { id, type, timestamp } = this.envelope;
    return element('button', {
      type: 'button', class: 'line', tabindex: '-1', 'aria-expanded': 'false',
      on: { click: () => (this.isOpen ? this.close() : this.open()) },
    },
    element('time', { datetime: timestamp }, clock(timestamp, true)),
    element('span', { class: 'type' }, type),
    element('span', { class: 'said' }, said),
    element('span', { class: 'where' }, where),
    element('span', { class: 'number' }, id === undefined ? '' : `#${id}`));
  }

  #tools() {
    const { type } = this.envelope;
    const tools = [button('Only this type', () => this.#onOnly('type', type), { class: 'small' })];
    if (this.conversationId) {
      tools.push(button('Only this conversation',
        () => this.#onOnly('conversation', this.conversationId), { class: 'small' }));
    }
    const told = this.position === null ? '' : `position ${this.position}`;
    return element('div', { class: 'tools' }, tools, element('span', { class: 'hint' }, told));
  }
}

function whoOf(envelope, names) {
  const user = envelope._embedded?.from_user;
  const known = user?.display_name || user?.name || names.member(envelope.from);
  return known || (envelope.from ? shortId(envelope.from) : 'the application');
}
