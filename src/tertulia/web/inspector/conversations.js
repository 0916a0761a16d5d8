// Conversations: the list, a new one, and one with its members.
import { curl } from './api.js';
import { badge, endName } from './channels.js';
import { announce, button, confirmed, copyButton, day, element, emptyHint, field, fill }
  from './dom.js';
import { jsonView } from './json_view.js';
import { PagedList, listAndDetail } from './paged_list.js';
import { reachForm } from './reaching.js';
import { fact, newForm, sectionHead, tried } from './section.js';

const PATH = '/v1/conversations';
const CHANGES = /^(conversation|member):/;

export class Conversations {
  #room;
  #open = null;
  #due = 0;
  #reaching = { id: null, element: null };

  /** `room` is what all sections share: api, names, go, isDevelopment. */
  constructor(section, room) {
    this.#room = room;
    this.list = new PagedList({
      label: 'conversations',
      load: (path) => this.#load(path),
      show: (found) => ({
        title: found.display_name || found.name, detail: found.id,
        aside: found.timestamp?.created ? day(found.timestamp.created) : '',
      }),
      onOpen: (found) => room.go(`conversations/${found.id}`),
      empty: () => emptyHint('There are no conversations yet. Make one here, or from a terminal:',
        curl('POST', PATH, { name: 'lounge', display_name: 'The lounge' }, room.isDevelopment)),
    });
    this.pair = listAndDetail(this.list, () => { this.#open = null; room.go('conversations'); });
    this.form = newForm('New conversation', [
      { name: 'name', label: 'Name', hint: 'Unlike any other’s; left empty, one is made.' },
      { name: 'display_name', label: 'Display name' },
    ], (draft) => this.#create(draft));
    fill(section, sectionHead('Conversations', this.form.opener), this.form.element,
      this.pair.element);
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
    this.#open = id;
    this.list.select(id);
    await tried(() => this.#showOpen());
  }

  /** Something happened; look again when it concerns what is shown. */
  onEvent({ type, conversation_id: id }) {
    if (!CHANGES.test(type)) return;
    clearTimeout(this.#due);
    this.#due = setTimeout(() => {
      if (type.startsWith('conversation:')) this.refresh();
      const isShown = this.#open && (id === this.#open || id === undefined);
      if (isShown && !this.pair.isBusy) tried(() => this.#showOpen());
    }, 250);
  }

  async #load(path) {
    const page = await this.#room.api.page(path || `${PATH}?page_size=50&order=desc`,
      'conversations');
    for (const found of page.items) this.#room.names.learnConversation(found);
    return page;
  }

  async #create(draft) {
    const made = await this.#room.api.post(PATH, draft);
    this.#room.names.learnConversation(made);
    announce(`Conversation ${made.display_name || made.name} is there.`);
    await this.list.refresh();
    this.#room.go(`conversations/${made.id}`);
  }

  async #showOpen() {
    const id = this.#open;
    const { api, names } = this.#room;
    const [found, members] = await Promise.all([
      api.get(`${PATH}/${id}`), api.page(`${PATH}/${id}/members?page_size=100`, 'members'),
    ]).catch((error) => {
      if (error.status !== 404 || id !== this.#open) throw error;
      return [null, null];
    });
    if (id !== this.#open) return;
    if (found === null) {
      this.pair.show(emptyHint('This conversation is not there any more.'));
      return;
    }
    for (const member of members.items) names.learnMember(member);
    this.pair.show(this.#title(found), this.#facts(found), this.#members(found, members),
      element('details', {}, element('summary', {}, 'As JSON'), jsonView(found)));
  }

  #title(found) {
    const { go } = this.#room;
    return element('div', { class: 'item-head' },
      element('h3', {}, found.display_name || found.name),
      element('div', { class: 'tools' },
        button('Chat here', () => go(`chat/${found.id}`), { class: 'small primary' }),
        button('Audio', () => go(`phone/${found.id}`), { class: 'small' }),
        button('Timeline', () => go(`timeline/${found.id}`), { class: 'small' }),
        button('Delete', () => this.#delete(found), { class: 'small danger' })));
  }

  #facts(found) {
    return element('dl', { class: 'facts' },
      fact('Id', element('span', { class: 'mono' }, found.id), copyButton(() => found.id)),
      fact('Name', found.name),
      fact('State', found.state),
      fact('Created', new Date(found.timestamp.created).toLocaleString()),
      fact('Newest event', `#${found.sequence_number}`));
  }

  #members(found, members) {
    const rows = members.items.map((member) => {
      const { user } = member._embedded;
      return element('tr', {},
        element('td', {}, element('button', { type: 'button', class: 'link',
          on: { click: () => this.#room.go(`users/${user.id}`) } }, user.display_name || user.name)),
        element('td', {}, element('span', { class: 'state', data: { state: member.state } },
          member.state.toLowerCase())),
        element('td', { class: 'way' }, badge(member.channel?.type), ' ',
          element('span', { class: 'mono' }, endName(member.channel?.to))));
    });
    const told = members.next ? `the first ${rows.length}` : String(rows.length);
    const table = element('table', {}, element('thead', {}, element('tr', {},
      ['User', 'State', 'Channel'].map((name) => element('th', { scope: 'col' }, name)))),
    element('tbody', {}, rows));
    return element('section', { class: 'part' },
      element('h4', {}, 'Members ', element('span', { class: 'count' }, told)),
      rows.length ? table : element('p', { class: 'hint' }, 'Nobody was ever here.'),
      this.#entrance(found), this.#reachingOf(found.id));
  }

  #entrance(found) {
    const name = element('input', { required: true, list: 'user-names', autocomplete: 'off' });
    const state = element('select', {}, element('option', { value: 'joined' }, 'joined'),
      element('option', { value: 'invited' }, 'invited'));
    const form = element('form', { class: 'inline', on: { submit: (event) => {
      event.preventDefault();
      tried(async () => {
        await this.#room.api.post(`${PATH}/${found.id}/members`, {
          state: state.value, user: { name: name.value.trim() }, channel: { type: 'app' } });
        await this.#showOpen();
        this.pair.element.querySelector('form.inline input')?.focus();
      });
    } } }, field('User', name), field('State', state), element('button', { class: 'small' }, 'Add'));
    return form;
  }

  /** Drawn once for a conversation: what is filled in stays when others come and go. */
  #reachingOf(id) {
    if (this.#reaching.id !== id) {
      this.#reaching = { id, element: reachForm(this.#room, id, () => this.#showOpen()) };
    }
    return this.#reaching.element;
  }

  async #delete(found) {
    const name = found.display_name || found.name;
    if (!await confirmed(`Delete “${name}” with all its events?`, 'Delete')) return;
    await tried(async () => {
      this.#open = null; // the events of its end must not have it read once more
      await this.#room.api.ask('DELETE', `${PATH}/${found.id}`);
      announce(`${name} was deleted.`);
      this.pair.close();
      await this.list.refresh();
    });
  }
}
