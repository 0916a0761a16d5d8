// What happened to a call, on one axis: an overview with a lane for each kind, and every moment of it.
import { button, element, fill } from './dom.js';
import { LANES, SPAN_WORDS, elapsed, merged, spansOf, ticksOf } from './call_moments.js';

const ARROWS = { out: '→', in: '←', '': '' };
const ARROW_WORDS = { out: 'sent: ', in: 'received: ', '': '' };
/** Behind this share of the axis there is no room for a number at its right. */
const LATE = 0.88;
const LABELS = Object.fromEntries(LANES.map(({ id, label }) => [id, label]));

export class CallTimeline {
  #moments = [];
  #names = new Map();
  #hidden = new Set();
  #drawn = '';
  #now = 0;

  constructor() {
    this.chips = element('div', { class: 'chips', role: 'group', 'aria-label': 'Show only' },
      LANES.map((lane) => this.#chip(lane)));
    this.overview = element('div', { class: 'axis', 'aria-hidden': 'true' });
    this.list = element('ol', { class: 'steps', 'aria-label': 'What happened, in order' });
    this.none = element('p', { class: 'hint' }, 'Nothing is known of this call any more: timelines '
      + 'are kept for the newest calls, while the server runs.');
    this.element = element('section', { class: 'part call-timeline' },
      element('h4', {}, 'Timeline'), this.overview, this.chips, this.list, this.none);
  }

  /**
   * `calls` are `[{key, name, moments}]`, the first of them the one that is looked at, the others
   * those that it was connected with; `now` is where what has not ended reaches to.
   */
  show(calls, now) {
    this.#moments = merged(calls);
    this.#names = new Map(calls.map(({ key, name }) => [key, name]));
    this.#now = Math.max(now, this.#moments.at(-1)?.at ?? 0);
    const isEmpty = this.#moments.length === 0;
    this.none.hidden = !isEmpty;
    for (const part of [this.overview, this.chips, this.list]) part.hidden = isEmpty;
    if (isEmpty) return;
    this.#drawOverview();
    const state = `${calls.length} ${this.#moments.length}`;
    if (state === this.#drawn) return;
    this.#drawn = state;
    this.#drawList();
  }

  #chip({ id, label }) {
    const chip = button(label, () => {
      const isShown = this.#hidden.delete(id);
      if (!isShown) this.#hidden.add(id);
      chip.setAttribute('aria-pressed', String(isShown));
      this.#drawList();
    }, { class: 'chip', 'aria-pressed': 'true', data: { lane: id } });
    return chip;
  }

  // --- the overview ---

  #drawOverview() {
    const began = this.#moments[0].at;
    const length = Math.max(this.#now - began, 500);
    const place = (at) => `${Math.min(100, ((at - began) / length) * 100).toFixed(2)}%`;
    const spans = spansOf(this.#moments, this.#now);
    const lanes = LANES.map(({ id, label }) => element('div', { class: 'lane', data: { lane: id } },
      element('span', { class: 'lane-name' }, label),
      element('div', { class: 'track' },
        spans.filter((span) => span.lane === id).map((span) => spanOf(span, place)),
        this.#moments.map((moment, index) => moment.lane === id
          && this.#markOf(moment, index, place)))));
    fill(this.overview, lanes, element('div', { class: 'ticks' }, ticksOf(length).map((tick) => placed(
      element('span', { 'data-is-last': tick > LATE * length }, elapsed(tick)), {
        left: place(began + tick) }))));
  }

  /** For the mouse: with the keyboard the list is gone through. */
  #markOf(moment, index, place) {
    const mark = placed(element('i', { title: `${LABELS[moment.lane]}: ${moment.words}`,
      data: { arrow: moment.arrow } }), { left: place(moment.at) });
    mark.addEventListener('click', () => {
      const row = this.list.querySelector(`[data-index="${index}"]`);
      row?.scrollIntoView({ block: 'center' });
      row?.focus();
    });
    return mark;
  }

  // --- the list ---

  #drawList() {
    const began = this.#moments[0]?.at ?? 0;
    fill(this.list, this.#moments.map((moment, index) => !this.#hidden.has(moment.lane)
      && this.#row(moment, index, began)));
  }

  #row(moment, index, began) {
    const { lane, arrow, words, detail, leg } = moment;
    return element('li', { data: { lane, index, arrow }, tabindex: '-1' },
      element('time', { datetime: new Date(moment.at).toISOString() },
        ((moment.at - began) / 1000).toFixed(3)),
      element('span', { class: 'rails', 'aria-hidden': 'true' },
        LANES.map(({ id }) => element('i', { data: { lane: id } },
          id === lane && element('b', {}, ARROWS[arrow])))),
      element('span', { class: 'words' },
        element('span', { class: 'away' }, `${LABELS[lane]}, ${ARROW_WORDS[arrow]}`),
        element('span', { class: 'mono' }, words),
        detail && element('span', { class: 'about' }, detail)),
      this.#names.size > 1 && element('span', { class: 'whose' }, this.#names.get(leg)));
  }
}

function spanOf({ kind, from, to }, place) {
  return placed(element('b', { title: SPAN_WORDS[kind], data: { kind } }), {
    left: place(from), right: `calc(100% - ${place(to)})` });
}

/** Styles one by one: the policy of the page allows no others. */
function placed(made, styles) {
  for (const [name, value] of Object.entries(styles)) made.style.setProperty(name, value);
  return made;
}
