// Applications: all of the account when its key is known, else the one that is logged in.
import { copyButton, element, emptyHint, fill } from './dom.js';
import { jsonView } from './json_view.js';
import { PagedList, listAndDetail } from './paged_list.js';
import { fact, sectionHead, tried } from './section.js';

const PATH = '/v2/applications';

export class Applications {
  #room;

  constructor(section, room) {
    this.#room = room;
    this.list = new PagedList({
      label: 'applications',
      load: (path) => this.#load(path),
      show: (found) => ({ title: found.name, detail: found.id,
        aside: found.id === room.api.applicationId ? 'this one' : '' }),
      onOpen: (found) => room.go(`applications/${found.id}`),
      empty: () => emptyHint('There are no applications.'),
    });
    this.pair = listAndDetail(this.list, () => room.go('applications'));
    fill(section, sectionHead('Applications'),
      room.api.knowsAccount ? '' : element('p', { class: 'hint pad' },
        'Log in with the account’s key to see all applications, their keys and webhooks.'),
      this.pair.element);
  }

  refresh() {
    return tried(() => this.list.refresh());
  }

  async openItem(id) {
    if (!id) {
      if (this.pair.isOpen) this.pair.close();
      return;
    }
    this.list.select(id);
    const found = await this.#found(id);
    this.pair.show(element('div', { class: 'item-head' }, element('h3', {}, found.name)),
      element('dl', { class: 'facts' },
        fact('Id', element('span', { class: 'mono' }, found.id), copyButton(() => found.id)),
        fact('Capabilities', Object.keys(found.capabilities ?? {}).join(', ') || 'none')),
      this.#webhooks(found.capabilities ?? {}),
      element('details', {}, element('summary', {}, 'As JSON'), jsonView(found)));
  }

  async #load(path) {
    const { api } = this.#room;
    if (api.knowsAccount) {
      return api.page(path || `${PATH}?page_size=100`, 'applications', { asAccount: true });
    }
    return { items: [{ id: api.applicationId, name: 'This application' }], next: '' };
  }

  async #found(id) {
    const listed = this.list.items.find((item) => item.id === id);
    if (!this.#room.api.knowsAccount) return listed ?? { id, name: 'This application' };
    return listed ?? this.#room.api.get(`${PATH}/${id}`, { asAccount: true });
  }

  #webhooks(capabilities) {
    const rows = Object.entries(capabilities).flatMap(([capability, { webhooks = {} }]) =>
      Object.entries(webhooks ?? {}).map(([name, webhook]) => element('tr', {},
        element('td', {}, `${capability} · ${name}`),
        element('td', { class: 'mono wrap' }, webhook?.address ?? ''))));
    return element('section', { class: 'part' }, element('h4', {}, 'Webhooks'),
      rows.length ? element('table', {}, element('tbody', {}, rows))
        : element('p', { class: 'hint' }, 'None: its events are not sent anywhere.'));
  }
}
