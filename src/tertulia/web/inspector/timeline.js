// The live timeline: filters, following, pausing; the newest is at the bottom, as in a terminal.
import { arrows, button, element, emptyHint, fill, icon, iconButton, shortId } from './dom.js';
import { Row } from './timeline_row.js';
import { HEADINGS } from './words.js';

const ROWS_MAX = 2000;
const NEAR_END = 24;
const STATES = {
  connecting: 'Connecting', live: 'Live', waiting: 'Disconnected', refused: 'Refused',
};

export class Timeline {
  #names;
  #rows = [];
  #waiting = [];
  #isPaused = false;
  #isFollowing = true;
  #frame = 0;
  #headings = new Set();
  #conversation = '';
  #text = '';
  #unseen = 0;

  constructor(section, names, hint) {
    this.#names = names;
    this.#build(section, hint);
  }

  /** An event of the stream: `{envelope, position}`. */
  add(event) {
    this.#waiting.push(event);
    if (this.#waiting.length > ROWS_MAX) this.#waiting.shift();
    if (this.#isPaused) this.#showPause();
    else this.#showSoon();
  }

  setState(state, detail = '') {
    this.status.dataset.state = state;
    const told = detail ? `${STATES[state]}: ${detail}` : STATES[state];
    if (this.status.lastChild.textContent !== told) this.status.lastChild.textContent = told;
  }

  /** Show only this conversation; '' shows all. */
  showConversation(id) {
    this.#conversation = id;
    this.#filter();
  }

  #build(section, hint) {
    this.status = element('p', { class: 'status', role: 'status', data: { state: 'connecting' } },
      element('span', { class: 'dot', 'aria-hidden': 'true' }), element('span', {}, 'Connecting'));
    this.pause = iconButton('pause', 'Pause', () => this.#togglePause(), {
      'aria-pressed': 'false', class: 'quiet square' });
    this.follow = iconButton('follow', 'Follow the newest', () => this.#setFollowing(true, true), {
      'aria-pressed': 'true' });
    this.search = element('input', {
      type: 'search', placeholder: 'Filter by type or text', 'aria-label': 'Filter events',
      autocomplete: 'off', spellcheck: 'false', class: 'filter', data: { filter: '' },
      on: { input: () => { this.#text = this.search.value.trim().toLowerCase(); this.#filter(); } },
    });
    this.chips = element('div', { class: 'chips', role: 'group', 'aria-label': 'Headings' },
      HEADINGS.map((heading) => this.#chip(heading)));
    this.only = element('p', { class: 'only', hidden: true });
    this.list = element('ol', { class: 'rows', 'aria-label': 'Events', on: {
      scroll: () => this.#scrolled(), click: (event) => this.#clicked(event),
    } });
    new ResizeObserver(() => { if (this.#isFollowing) this.#toEnd(); }).observe(this.list);
    this.empty = element('div', {}, emptyHint(...hint));
    this.fresh = button('', () => this.#setFollowing(true, true), { class: 'fresh', hidden: true });
    fill(section,
      element('header', { class: 'head' }, element('h2', {}, 'Timeline'), this.status,
        element('span', { class: 'grow' }), this.pause, this.follow,
        iconButton('clear', 'Clear the list', () => this.#clear())),
      element('div', { class: 'bar' }, this.search, this.chips, this.only),
      element('div', { class: 'stack' }, this.empty, this.list, this.fresh));
    arrows(this.list, '.line');
    this.list.addEventListener('keydown', (event) => this.#pressed(event));
  }

  #chip(heading) {
    const chip = button(heading, () => {
      const wanted = !this.#headings.delete(heading);
      if (wanted) this.#headings.add(heading);
      chip.setAttribute('aria-pressed', String(wanted));
      this.#filter();
    }, { class: 'chip', 'aria-pressed': 'false', data: { heading } });
    return chip;
  }

  #showSoon() {
    if (!this.#frame) this.#frame = setTimeout(() => this.#show(), 30);
  }

  #show() {
    this.#frame = 0;
    const events = this.#waiting;
    this.#waiting = [];
    const added = document.createDocumentFragment();
    for (const event of events) {
      const row = new Row(event, this.#names, (what, value) => this.#showOnly(what, value));
      row.element.hidden = !this.#passes(row);
      if (!row.element.hidden) this.#unseen += 1;
      this.#rows.push(row);
      added.append(row.element);
    }
    this.list.append(added);
    for (const row of this.#rows.splice(0, this.#rows.length - ROWS_MAX)) row.element.remove();
    this.#settle();
  }

  #settle() {
    this.empty.hidden = this.#rows.length > 0;
    const stop = this.list.querySelector('.line[tabindex="0"]');
    if (!stop?.offsetParent) {
      stop?.setAttribute('tabindex', '-1');
      this.#shown().at(-1)?.line.setAttribute('tabindex', '0');
    }
    if (this.#isFollowing) this.#toEnd();
    else this.#showFresh();
  }

  #shown() {
    return this.#rows.filter((row) => !row.element.hidden);
  }

  #passes(row) {
    return (this.#headings.size === 0 || this.#headings.has(row.heading))
      && (this.#conversation === '' || row.conversationId === this.#conversation)
      && (this.#text === '' || row.haystack.includes(this.#text));
  }

  #filter() {
    for (const row of this.#rows) row.element.hidden = !this.#passes(row);
    const id = this.#conversation;
    this.only.hidden = id === '';
    if (id) {
      fill(this.only, 'Only ', element('b', {}, this.#names.conversation(id) || shortId(id)),
        iconButton('close', 'Show all conversations', () => this.showConversation('')));
    }
    this.#settle();
  }

  #showOnly(what, value) {
    if (what === 'conversation') {
      this.showConversation(value);
      return;
    }
    this.search.value = value;
    this.#text = value.toLowerCase();
    this.#filter();
  }

  #togglePause() {
    this.#isPaused = !this.#isPaused;
    this.pause.setAttribute('aria-pressed', String(this.#isPaused));
    fill(this.pause, icon(this.#isPaused ? 'play' : 'pause'));
    const label = this.#isPaused ? 'Go on' : 'Pause';
    this.pause.title = label;
    this.pause.setAttribute('aria-label', label);
    if (this.#isPaused) this.#showPause();
    else {
      this.fresh.hidden = true;
      this.#show();
    }
  }

  #showPause() {
    this.fresh.hidden = false;
    this.fresh.textContent = `Paused · ${this.#waiting.length} waiting`;
  }

  #showFresh() {
    this.fresh.hidden = this.#unseen === 0;
    this.fresh.textContent = `${this.#unseen} new ↓`;
  }

  #setFollowing(wanted, move = false) {
    if (this.#isPaused && wanted && move) this.#togglePause();
    this.#isFollowing = wanted;
    this.follow.setAttribute('aria-pressed', String(wanted));
    if (wanted && move) this.#toEnd();
  }

  #toEnd() {
    this.#unseen = 0;
    if (!this.#isPaused) this.fresh.hidden = true;
    this.list.scrollTop = this.list.scrollHeight;
  }

  /** Scrolling away from the end stops following; coming back to it starts again. */
  #scrolled() {
    const left = this.list.scrollHeight - this.list.clientHeight - this.list.scrollTop;
    const isAtEnd = left < NEAR_END;
    if (isAtEnd !== this.#isFollowing) this.#setFollowing(isAtEnd);
    if (isAtEnd && !this.#isPaused) {
      this.#unseen = 0;
      this.fresh.hidden = true;
    }
  }

  /** Who opens an event reads it: it must not be carried away. */
  #clicked(event) {
    const line = event.target.closest('.line');
    if (line?.getAttribute('aria-expanded') === 'true') this.#setFollowing(false);
    else if (line) this.#scrolled();
  }

  #pressed(event) {
    if (event.key !== 'Escape') return;
    const row = this.#rows.find((each) => each.element.contains(event.target));
    if (!row?.isOpen) return;
    row.close();
    row.line.focus();
    event.stopPropagation();
  }

  #clear() {
    for (const row of this.#rows.splice(0)) row.element.remove();
    this.#unseen = 0;
    this.#settle();
  }
}
