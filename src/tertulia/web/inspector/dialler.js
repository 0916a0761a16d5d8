// Whom to call: a number with its dial pad and the simulated phones, a user, or a conversation.
import { button, element, fill } from './dom.js';
import { Keypad } from './keypad.js';

const PHONES = '/inspect/phones.json';
const KINDS = {
  application: { label: 'A number', name: 'Number', isRequired: false, isDialled: true,
    hint: 'Your application decides where the call goes: its answer address is asked, and told the '
      + 'number. Where it has none, in development, that number is called. Without a number, the '
      + 'server itself answers.' },
  user: { label: 'A user', name: 'User', list: 'user-names', isRequired: true,
    hint: 'Rings wherever the user is logged in with a phone, in a conversation made for the two.' },
  conversation: { label: 'A conversation', name: 'Conversation', list: 'conversation-names',
    isRequired: true, hint: 'Joins it, and is heard by all who have audio there. By name or id; '
      + 'one that is not there is made.' },
};

export class Dialler {
  #onCall;

  /** `onCall({kind, name})` places a call; `onLook(name)` shows the audio of a conversation. */
  constructor({ onCall, onLook }) {
    this.#onCall = onCall;
    this.kind = element('select', { name: 'kind', on: { change: () => this.#draw() } },
      Object.entries(KINDS).map(([value, { label }]) => element('option', { value }, label)));
    this.name = element('input', { name: 'to', autocomplete: 'off', spellcheck: 'false' });
    this.label = element('span', { class: 'label' });
    this.hint = element('p', { class: 'hint' });
    this.told = element('p', { class: 'outcome', role: 'status' });
    this.look = button('Only look', () => {
      if (this.element.reportValidity()) onLook(this.name.value.trim());
    });
    this.pad = new Keypad((digit) => { this.name.value += digit; });
    this.phones = element('ul', { class: 'phonebook' });
    this.book = element('div', { hidden: true }, element('h4', {}, 'Simulated phones'), this.phones);
    this.dialled = element('div', { class: 'dialled' }, this.pad.element, this.book);
    this.element = element('form', { class: 'dialler', on: { submit: (event) => {
      event.preventDefault();
      this.#call(this.kind.value, this.name.value.trim());
    } } },
    this.told,
    element('label', { class: 'field' }, element('span', { class: 'label' }, 'Call'), this.kind),
    element('label', { class: 'field' }, this.label, this.name),
    element('div', { class: 'tools' }, element('button', { class: 'primary' }, 'Call'), this.look),
    this.hint, this.dialled);
    this.#draw();
  }

  /** How the last call went; `more` are nodes. */
  tell(words, ...more) {
    fill(this.told, words, ...more);
  }

  focus() {
    this.kind.focus();
  }

  /** Ask who can be called without a bill. Which phones there are may change. */
  async list() {
    const answer = await fetch(PHONES, { cache: 'no-store' }).catch(() => null);
    const { phones = [] } = answer?.ok ? await answer.json() : {};
    this.book.hidden = phones.length === 0;
    fill(this.phones, phones.map(({ number, about }) => element('li', {}, button([
      element('span', { class: 'mono' }, number), element('span', { class: 'hint' }, about),
    ], () => this.#call('application', number), {
      'aria-label': `Call ${number}: ${about}` }))));
  }

  #call(kind, name) {
    this.tell('');
    this.#onCall({ kind, name });
  }

  #draw() {
    const { name, list = '', isRequired, isDialled = false, hint } = KINDS[this.kind.value];
    fill(this.label, name);
    this.name.required = isRequired;
    this.name.setAttribute('list', list);
    this.name.inputMode = isDialled ? 'tel' : 'text';
    this.name.value = '';
    this.hint.textContent = hint;
    this.look.hidden = this.kind.value !== 'conversation';
    this.dialled.hidden = !isDialled;
  }
}
