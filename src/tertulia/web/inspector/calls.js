// Calls: the list, and one with all that happened to it, live while it lasts.
import { curl } from './api.js';
import { announce, button, clock, copyButton, day, element, emptyHint, fill } from './dom.js';
import { CallTimeline } from './call_timeline.js';
import { jsonView } from './json_view.js';
import { PagedList, listAndDetail } from './paged_list.js';
import { fact, sectionHead, tried } from './section.js';

const PATH = '/v1/calls';
const LOOK_MS = 700;
const LATER_MS = 1500;
const LIVE = new Set(['started', 'ringing', 'answered', 'machine']);
const TOLD = /^(leg:status:update|app:knocking)/;
const MANY = 8;
const EXAMPLE = { to: [{ type: 'phone', number: '15550105' }],
  ncco: [{ action: 'talk', text: 'Hello' }] };

export class Calls {
  #room;
  #open = '';
  #timeline = null;
  #head = null;
  #timer = 0;
  #due = 0;

  constructor(section, room) {
    this.#room = room;
    this.list = new PagedList({
      label: 'calls',
      load: (path) => room.api.page(path || `${PATH}?page_size=50&order=desc`, 'calls'),
      show: (call) => ({ title: titleOf(call), aside: call.status,
        detail: `${call.direction} · ${call.start_time ? `${day(call.start_time)} ${
          clock(call.start_time)} · ` : ''}${call.uuid}` }),
      key: (call) => call.uuid,
      onOpen: (call) => room.go(`calls/${call.uuid}`),
      empty: () => emptyHint('There were no calls yet. Call one of the simulated phones in Phone, '
        + 'or from a terminal:', curl('POST', PATH, EXAMPLE, room.isDevelopment)),
    });
    this.pair = listAndDetail(this.list, () => { this.#close(); room.go('calls'); });
    fill(section, sectionHead('Calls', button('Call a phone', () => room.go('phone'), {
      class: 'small' })), this.pair.element);
  }

  refresh() {
    return tried(() => this.list.refresh());
  }

  /** `id` is what the address names; '' for none. */
  async openItem(id) {
    if (!id) {
      if (this.pair.isOpen) this.pair.close();
      return;
    }
    if (id === this.#open) return;
    this.#close();
    this.#open = id;
    this.list.select(id);
    await tried(() => this.#showOpen(id));
  }

  /** Something happened: the list may have changed. */
  onEvent({ type }) {
    if (!TOLD.test(type) || !this.#isSeen) return;
    clearTimeout(this.#due);
    this.#due = setTimeout(() => this.refresh(), 250);
  }

  get #isSeen() {
    return document.body.dataset.view === 'calls';
  }

  #close() {
    clearTimeout(this.#timer);
    this.#open = '';
    this.#timeline = this.#head = null;
  }

  async #showOpen(id) {
    const call = await this.#found(id);
    if (id !== this.#open) return;
    if (call === null) {
      this.pair.show(emptyHint('There is no such call.'));
      return;
    }
    this.#timeline = new CallTimeline();
    this.#head = element('div', { class: 'call-head' });
    this.json = element('details', {}, element('summary', {}, 'As JSON'));
    this.pair.show(this.#head, this.#timeline.element, this.json);
    await this.#look(call, true);
  }

  /** Draw what is known by now, and look again while it may become more: once behind the end too. */
  async #look(call, wasLive) {
    const { uuid } = call;
    const own = await this.#read(call);
    const others = await Promise.all(own.connected.slice(0, MANY).map((each) => this.#found(each)));
    const calls = [own, ...await Promise.all(others.filter(Boolean).map((each) => this.#read(each)))];
    if (uuid !== this.#open) return;
    const isLive = LIVE.has(call.status);
    this.#drawHead(call);
    fill(this.json, element('summary', {}, 'As JSON'), jsonView(call));
    this.#timeline.show(calls, isLive ? Date.now() : 0);
    if (isLive || wasLive) this.#lookLater(uuid, isLive);
  }

  #lookLater(uuid, isLive) {
    this.#timer = setTimeout(() => tried(async () => {
      if (!this.#isSeen) {
        this.#lookLater(uuid, isLive);
        return;
      }
      const call = await this.#found(uuid);
      if (call !== null && uuid === this.#open) await this.#look(call, isLive);
    }), isLive ? LOOK_MS : LATER_MS);
  }

  async #found(id) {
    try {
      return await this.#room.api.get(`${PATH}/${encodeURIComponent(id)}`);
    } catch (error) {
      if (error.status !== 404) throw error;
      return null;
    }
  }

  async #read(call) {
    const { moments, connected } = await this.#room.api.get(`${PATH}/${call.uuid}/timeline`);
    return { key: call.uuid, name: otherEnd(call), moments, connected };
  }

  #drawHead(call) {
    const { go } = this.#room;
    const isLive = LIVE.has(call.status);
    const where = call.conversation_uuid;
    fill(this.#head,
      element('div', { class: 'item-head' }, element('h3', {}, titleOf(call)),
        element('p', { class: 'status', role: 'status', data: {
          state: isLive ? 'live' : 'over' } }, element('span', { class: 'dot',
          'aria-hidden': 'true' }), call.status),
        element('div', { class: 'tools' },
          where && button('Audio', () => go(`phone/${where}`), { class: 'small' }),
          where && button('All events', () => go(`timeline/${where}`), { class: 'small' }),
          isLive && button('Hang up', () => this.#hangUp(call), { class: 'small danger' }))),
      element('dl', { class: 'facts' },
        fact('Id', element('span', { class: 'mono' }, call.uuid), copyButton(() => call.uuid)),
        fact('Direction', call.direction),
        call.start_time && fact('Answered', `${day(call.start_time)} ${clock(call.start_time, true)}`),
        call.duration && fact('Lasted', `${call.duration} s`),
        Number(call.price) > 0 && fact('Price', call.price)));
  }

  #hangUp(call) {
    return tried(async () => {
      await this.#room.api.ask('PUT', `${PATH}/${call.uuid}`, { body: { action: 'hangup' } });
      announce('The call is hung up.');
    });
  }
}

function otherEnd(call) {
  return endOf(call.direction === 'inbound' ? call.from : call.to);
}

function titleOf(call) {
  return `${endOf(call.from)} → ${endOf(call.to)}`;
}

function endOf(end = {}) {
  return end.number || end.user || end.uri || end.extension || 'withheld';
}
