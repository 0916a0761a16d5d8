// Users: the list, a new one, and one with its sessions and conversations.
import { curl } from './api.js';
import { announce, button, clock, confirmed, copyButton, element, emptyHint, fill } from './dom.js';
import { jsonView } from './json_view.js';
import { PagedList, listAndDetail } from './paged_list.js';
import { fact, newForm, sectionHead, tried } from './section.js';

const PATH = '/v1/users';

export class Users {
  #room;
  #open = '';
  #live = new Map();

  constructor(section, room) {
    this.#room = room;
    this.list = new PagedList({
      label: 'users',
      load: (path) => this.#load(path),
      show: (user) => ({ title: user.display_name || user.name, detail: user.name,
        aside: this.#live.get(user.id) ? `● ${this.#live.get(user.id)} live` : '' }),
      onOpen: (user) => room.go(`users/${user.id}`),
      empty: () => emptyHint('There are no users yet. Make one here, or from a terminal:',
        curl('POST', PATH, { name: 'alice', display_name: 'Alice' }, room.isDevelopment)),
    });
    this.pair = listAndDetail(this.list, () => { this.#open = ''; room.go('users'); });
    this.form = newForm('New user', [
      { name: 'name', label: 'Name', hint: 'Unlike any other’s; left empty, one is made.' },
      { name: 'display_name', label: 'Display name' },
    ], (draft) => this.#create(draft));
    fill(section, sectionHead('Users', this.form.opener), this.form.element, this.pair.element);
  }

  refresh() {
    return tried(() => this.list.refresh());
  }

  async openItem(id) {
    if (!id) {
      if (this.pair.isOpen) this.pair.close();
      return;
    }
    this.#open = id;
    this.list.select(id);
    await tried(() => this.#showOpen());
  }

  async #load(path) {
    const { api, names } = this.#room;
    const [page] = await Promise.all([
      api.page(path || `${PATH}?page_size=100&order=desc`, 'users'), this.#countSessions(),
    ]);
    for (const user of page.items) names.learnUser(user);
    if (path === '') {
      fill(document.getElementById('user-names'), page.items.map((user) => element('option', {
        value: user.name })));
    }
    return page;
  }

  async #countSessions() {
    const sessions = await this.#room.api.page('/tertulia/v1/sessions?page_size=100', 'sessions');
    this.#live = new Map();
    for (const { _embedded: { user } } of sessions.items) {
      this.#live.set(user.id, (this.#live.get(user.id) ?? 0) + 1);
    }
  }

  async #create(draft) {
    const made = await this.#room.api.post(PATH, draft);
    announce(`User ${made.display_name || made.name} is there.`);
    await this.list.refresh();
    this.#room.go(`users/${made.id}`);
  }

  async #showOpen() {
    const id = this.#open;
    const { api } = this.#room;
    const [user, sessions, conversations] = await Promise.all([
      api.get(`${PATH}/${id}`),
      api.page(`/v0.3/users/${id}/sessions?page_size=100`, 'sessions'),
      api.page(`${PATH}/${id}/conversations?page_size=100&order=desc`, 'conversations'),
    ]);
    if (id !== this.#open) return;
    this.pair.show(this.#title(user),
      element('dl', { class: 'facts' },
        fact('Id', element('span', { class: 'mono' }, user.id), copyButton(() => user.id)),
        fact('Name', user.name)),
      this.#sessions(user, sessions.items), this.#conversations(conversations.items),
      element('details', {}, element('summary', {}, 'As JSON'), jsonView(user)));
  }

  #title(user) {
    const { go } = this.#room;
    return element('div', { class: 'item-head' },
      element('h3', {}, user.display_name || user.name),
      element('div', { class: 'tools' },
        button('Chat as this user', () => go(`chat/${user.name}`), { class: 'small primary' }),
        button('Look again', () => tried(() => this.#showOpen()), { class: 'small' })));
  }

  #sessions(user, sessions) {
    const rows = sessions.map((session) => element('li', { class: 'row' },
      element('span', { class: 'mono grow' }, session.id),
      session.properties?.ttl && element('span', { class: 'hint' }, `ttl ${session.properties.ttl} s`),
      session.timestamp?.created && element('span', { class: 'hint' },
        clock(session.timestamp.created)),
      button('End', () => this.#end(user, session), { class: 'small danger' })));
    return element('section', { class: 'part' },
      element('h4', {}, 'Live sessions ', element('span', { class: 'count' }, rows.length)),
      rows.length ? element('ul', { class: 'plain' }, rows)
        : element('p', { class: 'hint' }, 'Not logged in anywhere.'));
  }

  #conversations(conversations) {
    const rows = conversations.map((found) => element('li', { class: 'row' },
      element('button', { type: 'button', class: 'link grow',
        on: { click: () => this.#room.go(`conversations/${found.id}`) } },
      found.display_name || found.name),
      element('span', { class: 'state', data: { state: found._embedded?.state ?? '' } },
        String(found._embedded?.state ?? '').toLowerCase())));
    return element('section', { class: 'part' },
      element('h4', {}, 'Conversations ', element('span', { class: 'count' }, rows.length)),
      rows.length ? element('ul', { class: 'plain' }, rows)
        : element('p', { class: 'hint' }, 'A member of none.'));
  }

  async #end(user, session) {
    if (!await confirmed(`End this session of ${user.name}?`, 'End it')) return;
    await tried(async () => {
      await this.#room.api.ask('DELETE', `/v0.3/sessions/${session.id}`);
      announce('The session was ended.');
      await this.#showOpen();
    });
  }
}
