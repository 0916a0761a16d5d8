// The chat pane: choose who speaks and where, then talk as any client would.
import { Composer } from './composer.js';
import { announce, button, element, field, fill, iconButton } from './dom.js';
import { Messages } from './messages.js';
import { sectionHead, tried } from './section.js';
import { Talk } from './talk.js';

const TYPING_MS = 8000;
const STATES = { connecting: 'Connecting', live: 'Live', waiting: 'Disconnected', ended: 'Ended',
  refused: 'Refused' };

export class Chat {
  #room;
  #section;
  #talk = null;
  #typing = new Map();

  constructor(section, room) {
    this.#room = room;
    this.#section = section;
    this.userName = element('input', { list: 'user-names', required: true, autocomplete: 'off',
      spellcheck: 'false', name: 'user' });
    this.where = element('input', { list: 'conversation-names', required: true, autocomplete: 'off',
      spellcheck: 'false', name: 'conversation' });
    this.setup = element('form', { class: 'setup', on: {
      submit: (event) => { event.preventDefault(); this.#start(); } } },
    element('p', {}, 'Join a conversation as one of the users, over a live session of its own.'),
    field('User', this.userName, 'By name. One that is not there is made.'),
    field('Conversation', this.where, 'By name or id. One that is not there is made.'),
    element('div', { class: 'tools' }, element('button', { class: 'primary' }, 'Start chatting')));
    this.#showSetup();
  }

  /** `wanted` is a conversation's id or a user's name, from the address. */
  openItem(wanted) {
    if (!wanted) return;
    if (this.#talk) {
      this.#talk.end();
      this.#showSetup();
    }
    const input = wanted.startsWith('CON-') ? this.where : this.userName;
    input.value = wanted;
    (this.userName.value ? this.where : this.userName).focus();
  }

  async refresh() {
    await tried(async () => {
      const page = await this.#room.api.page('/v1/conversations?page_size=100&order=desc',
        'conversations');
      fill(document.getElementById('conversation-names'), page.items.map((found) =>
        element('option', { value: found.name, label: found.display_name ?? '' })));
    });
  }

  onEvent(event) {
    const { type } = event;
    this.#talk?.overhear(event);
    if (type === 'conversation:created' && this.setup.isConnected) this.refresh();
  }

  #showSetup() {
    this.#talk = null;
    fill(this.#section, sectionHead('Chat'), this.setup);
  }

  async #start() {
    const pressed = this.setup.querySelector('button');
    pressed.disabled = true;
    await tried(async () => {
      const user = await this.#user(this.userName.value.trim());
      const conversation = await this.#conversation(this.where.value.trim());
      await this.#begin(user, conversation);
    });
    pressed.disabled = false;
  }

  async #user(name) {
    const { api } = this.#room;
    const [found] = (await api.page(`/v1/users?name=${encodeURIComponent(name)}`, 'users')).items;
    return found ?? api.post('/v1/users', { name });
  }

  async #conversation(name) {
    const { api } = this.#room;
    if (name.startsWith('CON-')) return api.get(`/v1/conversations/${encodeURIComponent(name)}`);
    const path = `/v1/conversations?name=${encodeURIComponent(name)}`;
    const [found] = (await api.page(path, 'conversations')).items;
    return found ?? api.post('/v1/conversations', { name });
  }

  async #begin(user, conversation) {
    const talk = new Talk(this.#room, user, conversation, {
      draw: (entries) => this.messages.draw(entries),
      typing: (name, isTyping) => this.#showTyping(name, isTyping),
      state: (state, detail) => this.#showState(state, detail),
      invited: (event) => this.#showInvitation(event),
      write: (about) => this.composer.turnTo(about),
      earlier: (isThere) => { this.messages.earlier.hidden = !isThere; },
      failed: (message) => announce(message, 'bad'),
    });
    this.#talk = talk;
    this.messages = new Messages(talk);
    this.composer = new Composer({
      send: (event, about) => talk.send(event, about),
      onTyping: (isTyping) => talk.typing(isTyping),
    });
    this.#draw(talk);
    try {
      await talk.begin();
      this.composer.focus();
    } catch (error) {
      talk.end();
      this.#showSetup();
      announce(error.message, 'bad');
    }
  }

  #draw(talk) {
    const { user, conversation } = talk;
    this.status = element('p', { class: 'status', role: 'status', data: { state: 'connecting' } },
      element('span', { class: 'dot', 'aria-hidden': 'true' }), element('span', {}, 'Connecting'));
    this.typingLine = element('p', { class: 'typing', 'aria-live': 'polite' });
    this.invitations = element('div', { class: 'invitations', 'aria-live': 'polite' });
    this.guests = this.#guestForm(talk);
    const invite = button('Invite', () => {
      this.guests.hidden = !this.guests.hidden;
      if (!this.guests.hidden) this.guests.querySelector('input').focus();
    }, { class: 'small' });
    fill(this.#section,
      element('header', { class: 'head' },
        element('h2', {}, element('span', { class: 'avatar', 'aria-hidden': 'true' },
          (user.display_name || user.name).slice(0, 1).toUpperCase()),
        user.display_name || user.name),
        element('span', { class: 'hint in' }, 'in ', element('b', {},
          conversation.display_name || conversation.name)),
        this.status, element('span', { class: 'grow' }), invite,
        button('Leave', () => this.#leave(talk), { class: 'small danger' }),
        iconButton('close', 'Log out and choose again', () => { talk.end(); this.#showSetup(); })),
      this.guests, this.invitations,
      element('div', { class: 'stack' }, this.messages.element, this.messages.fresh),
      this.typingLine, this.composer.element);
  }

  #guestForm(talk) {
    const name = element('input', { list: 'user-names', required: true, autocomplete: 'off' });
    const form = element('form', { class: 'inline pad', hidden: true, on: { submit: (event) => {
      event.preventDefault();
      tried(async () => {
        await talk.invite(name.value.trim());
        announce(`${name.value.trim()} was invited.`);
        form.reset();
        form.hidden = true;
      });
    } } }, field('Invite a user', name), element('button', { class: 'small primary' }, 'Invite'));
    return form;
  }

  async #leave(talk) {
    if (await tried(() => talk.leave())) this.#showSetup();
  }

  #showState(state, detail = '') {
    this.status.dataset.state = state;
    this.status.lastChild.textContent = detail ? `${STATES[state]}: ${detail}` : STATES[state];
  }

  #showTyping(name, isTyping) {
    clearTimeout(this.#typing.get(name));
    this.#typing.delete(name);
    if (isTyping) {
      this.#typing.set(name, setTimeout(() => this.#showTyping(name, false), TYPING_MS));
    }
    const names = [...this.#typing.keys()];
    this.typingLine.textContent = names.length
      ? `${names.join(' and ')} ${names.length > 1 ? 'are' : 'is'} typing…` : '';
  }

  #showInvitation({ cid, body }) {
    const { user } = this.#talk;
    const name = body.conversation?.display_name || body.conversation?.name || cid;
    const line = element('div', { class: 'invitation' },
      element('span', { class: 'grow' }, body.invited_by ? `${body.invited_by} invites you to `
        : 'You are invited to ', element('b', {}, name)),
      button('Join', () => tried(async () => {
        const conversation = await this.#room.api.get(`/v1/conversations/${cid}`);
        this.#talk.end();
        await this.#begin(user, conversation);
      }), { class: 'small primary' }),
      iconButton('close', 'Not now', () => line.remove()));
    this.invitations.append(line);
  }
}
