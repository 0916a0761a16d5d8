// A list that comes page by page: arrow keys, a filter over what is loaded, and the next page.
import { arrows, button, element, fill } from './dom.js';

export class PagedList {
  #given;
  #items = [];
  #next = '';
  #selected = '';
  #text = '';
  #turn = 0;

  /**
   * `load(path)` gives `{items, next}`, for '' the first page; `show(item)` gives
   * `{title, detail, aside}`; `key(item)` tells items apart; `empty()` is shown for none.
   */
  constructor({ label, load, show, key = (item) => item.id, onOpen, empty }) {
    this.#given = { load, show, key, onOpen, empty };
    this.search = element('input', { type: 'search', class: 'filter', autocomplete: 'off',
      spellcheck: 'false', placeholder: `Filter ${label}`, 'aria-label': `Filter ${label}`,
      data: { filter: '' },
      on: { input: () => { this.#text = this.search.value.trim().toLowerCase(); this.#draw(); } } });
    this.list = element('ul', { class: 'items', 'aria-label': label });
    this.more = button('Show more', () => this.#load(this.#next), { class: 'small', hidden: true });
    this.place = element('div', {});
    this.element = element('div', { class: 'list' }, this.search, this.list, this.place, this.more);
    arrows(this.list, '.item');
  }

  get items() {
    return this.#items;
  }

  /** Load the first page again, in place of what is there. */
  refresh() {
    return this.#load('');
  }

  select(key) {
    this.#selected = key;
    this.#draw();
  }

  /** Nothing is open any more; the keyboard goes on where it was. */
  leave() {
    const left = this.#selected;
    this.select('');
    [...this.list.querySelectorAll('.item')].find((each) => each.dataset.key === left)?.focus();
  }

  async #load(path) {
    this.#turn += 1;
    const turn = this.#turn;
    const { items, next } = await this.#given.load(path);
    if (turn !== this.#turn) return;
    this.#items = path === '' ? items : [...this.#items, ...items];
    this.#next = next;
    this.#draw();
  }

  #draw() {
    const { show, empty } = this.#given;
    const drawn = this.#items.map((item) => ({ item, shown: show(item) }))
      .filter(({ shown }) => `${shown.title} ${shown.detail}`.toLowerCase().includes(this.#text));
    const focused = document.activeElement?.closest?.('.item')?.dataset.key;
    fill(this.list, drawn.map(({ item, shown }) => this.#row(item, shown)));
    this.more.hidden = this.#next === '';
    const isEmpty = this.#items.length === 0;
    fill(this.place, isEmpty ? empty() : drawn.length === 0 && element('p', { class: 'hint pad' },
      'Nothing of what is loaded matches.'));
    const stops = [...this.list.querySelectorAll('.item')];
    const stop = stops.find((each) => each.dataset.key === this.#selected) ?? stops[0];
    stop?.setAttribute('tabindex', '0');
    if (focused) stops.find((each) => each.dataset.key === focused)?.focus();
  }

  #row(item, { title, detail, aside }) {
    const key = this.#given.key(item);
    return element('li', {}, element('button', {
      type: 'button', class: 'item', tabindex: '-1', data: { key },
      'aria-current': key === this.#selected ? 'true' : false,
      on: { click: () => { this.select(key); this.#given.onOpen(item); } },
    },
    element('span', { class: 'title' }, title),
    element('span', { class: 'aside' }, aside ?? ''),
    element('span', { class: 'sub' }, detail)));
  }
}

/** A list beside what is open of it; on narrow screens one or the other. */
export function listAndDetail(list, onBack) {
  const detail = element('div', { class: 'open-item', tabindex: '-1' });
  const pair = element('div', { class: 'pair' }, list.element, detail);
  const back = button('← Back to the list', () => {
    pair.classList.remove('is-open');
    fill(detail);
    list.leave();
    onBack();
  }, { class: 'small back' });
  detail.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !event.target.matches('input, select')) back.click();
  });
  return {
    element: pair,
    get isOpen() { return pair.classList.contains('is-open'); },
    /** Whether somebody writes in it: it must not be drawn anew under their hands. */
    get isBusy() {
      const place = document.activeElement;
      return detail.contains(place) && Boolean(place.value) && place.matches('input, select');
    },
    show(...children) {
      const isNew = !this.isOpen;
      pair.classList.add('is-open');
      fill(detail, back, ...children);
      if (isNew) detail.focus();
    },
    close: () => back.click(),
  };
}
