// The finished recordings of a conversation, each with a player for who wants to listen.
import { announce, button, clock, element, fill, icon } from './dom.js';
import { tried } from './section.js';

const TYPE = 'audio:record:done';
const SHOWN = 20;

export class Recordings {
  #room;
  #id;
  #onPlay;
  #known = new Set();

  /** `onPlay(address)` lets the conversation hear a file. */
  constructor(room, conversationId, onPlay) {
    this.#room = room;
    this.#id = conversationId;
    this.#onPlay = onPlay;
    this.count = element('span', { class: 'count' }, '0');
    this.none = element('p', { class: 'hint' }, 'Nothing was recorded yet.');
    this.list = element('ul', { class: 'plain recordings' });
    this.element = element('section', { class: 'part' },
      element('h4', {}, 'Recordings ', this.count), this.none, this.list);
  }

  async load() {
    const path = `/v0.3/conversations/${this.#id}/events?event_type=${TYPE}&order=desc`
      + `&page_size=${SHOWN}`;
    const page = await this.#room.api.page(path, 'events');
    for (const event of page.items.reverse()) this.onEvent(event);
  }

  /** An event of the conversation. */
  onEvent(event) {
    if (event.type !== TYPE || this.#known.has(event.id)) return;
    this.#known.add(event.id);
    this.list.prepend(this.#row(event));
    this.count.textContent = String(this.#known.size);
    this.none.hidden = true;
  }

  #row({ body, timestamp }) {
    const { names } = this.#room;
    const whose = body.channel ? names.user(body.channel.user_id) || body.channel.from?.user
      || body.channel.to?.user || 'one leg' : 'everybody';
    const seconds = (Date.parse(body.end_time) - Date.parse(body.start_time)) / 1000;
    const facts = body.error ? [element('span', { class: 'failure' }, body.error)]
      : [element('span', { class: 'hint' }, `${seconds.toFixed(1)} s · ${body.format} · ${
        Math.ceil(body.size / 1024)} kB`)];
    const player = element('span', { class: 'player' });
    const tools = body.error ? [] : [
      button([icon('play'), 'Listen'], () => tried(() => this.#listen(body, player)), {
        class: 'small' }),
      button('Play to all', () => tried(() => this.#share(body)), { class: 'small' })];
    fill(player, tools);
    return element('li', { class: 'row' }, element('time', { datetime: timestamp },
      clock(timestamp)), element('span', { class: 'grow' }, whose), facts, player);
  }

  /** The file wants a token, which the element itself cannot show. */
  async #listen(body, place) {
    const response = await this.#room.api.fetch(pathOf(body.destination_url));
    const address = URL.createObjectURL(await response.blob());
    const sound = element('audio', { controls: true, src: address });
    fill(place, sound, element('a', { href: address, class: 'small',
      download: `${body.recording_id}.${body.format}` }, 'Save'));
    sound.focus();
    sound.play().catch(() => {}); // the browser may want one more click
  }

  async #share(body) {
    const id = pathOf(body.destination_url).split('/').at(-1);
    const { signed_url: address } = await this.#room.api.get(`/v3/media/${id}/info`);
    await this.#onPlay(address);
    announce('It is played to all.');
  }
}

function pathOf(address) {
  return new URL(address, location.origin).pathname;
}
