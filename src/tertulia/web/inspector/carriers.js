// How the carriers of messages do.
import { badge } from './channels.js';
import { element, emptyHint, fill } from './dom.js';

const PATH = '/tertulia/v1/message-carriers';
const STATES = { up: 'good', down: 'bad' };

export class Carriers {
  #api;
  #shown = '';

  constructor(api) {
    this.#api = api;
    this.place = element('div', {});
    this.element = element('section', { class: 'part carriers' }, element('h3', {}, 'Carriers'),
      element('p', { class: 'hint' }, 'Who takes messages beyond the app, in the order they are '
        + 'tried. What waits for one that is down is kept.'), this.place);
  }

  async look() {
    const { carriers } = await this.#api.get(PATH);
    const found = JSON.stringify(carriers);
    if (found === this.#shown) return;
    this.#shown = found;
    fill(this.place, carriers.length ? element('ul', { class: 'plain' }, carriers.map(rowOf))
      : emptyHint('None: messages stay in the app. A plan of carriers is a file that '
        + 'TERTULIA_MESSAGING__PLAN names.'));
  }
}

function rowOf({ name, kind, channels, state, detail, waiting, under_way: underWay, submitted }) {
  return element('li', { class: 'carrier' },
    element('b', { class: 'name' }, name),
    element('span', { class: 'hint kind' }, kind),
    element('span', { class: `mark ${STATES[state] ?? 'wait'}` }, state),
    element('span', { class: 'by' }, channels.map(badge)),
    element('dl', { class: 'figures' }, figure('waiting', waiting), figure('under way', underWay),
      figure('submitted', submitted)),
    detail && element('span', { class: 'hint detail-line' }, detail));
}

function figure(name, count) {
  return element('div', {}, element('dt', {}, name), element('dd', {}, count));
}
