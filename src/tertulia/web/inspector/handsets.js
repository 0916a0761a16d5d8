// Messages beyond the app: the simulated handsets of development mode, and the carriers.
import { badge } from './channels.js';
import { Carriers } from './carriers.js';
import { arrows, button, element, fill } from './dom.js';
import { Handset, HandsetPicker } from './handset.js';
import { sectionHead, tried } from './section.js';

const PATH = '/tertulia/v1/handsets';
const LOOK_MS = 1500;

export class Handsets {
  #room;
  #timer = 0;
  #drawn = '';
  #isSimulated = true;

  constructor(section, room) {
    this.#room = room;
    this.handset = new Handset(room.api, room.number);
    this.picker = new HandsetPicker((at) => this.#go(at));
    this.recent = element('ul', { class: 'phonebook recent', 'aria-label': 'Handsets' });
    this.known = element('ul', { class: 'phonebook', 'aria-label': 'Simulated numbers' });
    arrows(this.recent, 'button');
    arrows(this.known, 'button');
    this.missing = element('p', { class: 'hint', hidden: true },
      'No network is simulated here: handsets come with development mode.');
    this.there = element('div', { class: 'there', hidden: true },
      element('div', { class: 'shelf' }, this.picker.element, this.recent,
        element('h4', {}, 'Simulated numbers'),
        element('p', { class: 'hint' }, 'Any other works too, and so does one that ends with these.'),
        this.known),
      this.handset.element);
    this.carriers = new Carriers(room.api);
    fill(section, sectionHead('Handsets'), element('div', { class: 'scroll pad handsets' },
      this.missing, this.there, this.carriers.element));
  }

  /** While it is on the screen it looks again every moment. */
  async refresh() {
    clearTimeout(this.#timer);
    await tried(() => this.#look());
    if (this.carriers.element.offsetParent) {
      this.#timer = setTimeout(() => this.refresh(), LOOK_MS);
    }
  }

  /** `id` is `sms:15550110`; '' for none. */
  async openItem(id) {
    const [channel, ...rest] = id.split(':');
    const address = rest.join(':');
    if (!address) {
      this.handset.putAway();
      return;
    }
    this.picker.channel.value = channel;
    this.picker.address.value = address;
    if (await tried(() => this.handset.take({ channel, address }))) this.handset.focus();
    else this.handset.putAway();
  }

  #go({ channel, address }) {
    this.#room.go(`handsets/${channel}:${encodeURIComponent(address)}`);
  }

  async #look() {
    const [found] = await Promise.all([this.#listing(), this.carriers.look(), this.handset.look()]);
    this.missing.hidden = found !== null;
    this.there.hidden = found === null;
    const told = JSON.stringify(found);
    if (found === null || told === this.#drawn) return; // the keyboard stays where it is
    this.#drawn = told;
    const focused = document.activeElement?.dataset?.key;
    this.picker.offer(found.numbers);
    fill(this.recent, found.handsets.map((each) => this.#rowOf(each)));
    fill(this.known, found.numbers.map(({ number, about }) => entry(
      () => this.#go({ channel: this.picker.channel.value, address: number }), number,
      element('span', { class: 'mono' }, number), element('span', { class: 'hint' }, about))));
    if (focused) this.there.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  /** Null, from then on, where no network is simulated. */
  async #listing() {
    if (!this.#isSimulated) return null;
    try {
      return await this.#room.api.get(PATH);
    } catch (error) {
      if (error.status !== 404) throw error;
      this.#isSimulated = false;
      return null;
    }
  }

  #rowOf({ channel, address, newest }) {
    const words = newest.text ?? newest.message_type;
    return entry(() => this.#go({ channel, address }), `${channel}:${address}`,
      element('span', { class: 'mono' }, address, ' ', badge(channel)),
      element('span', { class: 'hint' }, newest.direction === 'out' ? 'sent: ' : '',
        words.slice(0, 80)));
  }
}

function entry(onPress, key, ...children) {
  return element('li', {}, button(children, onPress, { data: { key } }));
}
