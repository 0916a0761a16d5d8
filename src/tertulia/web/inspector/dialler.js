// Whom to call.
import { button, element, fill } from './dom.js';

const KINDS = {
  application: { label: 'The application', name: 'Number', isRequired: false,
    hint: 'The application decides where the call goes: its answer address is asked. The number '
      + 'is told to it, and may be left empty.' },
  user: { label: 'A user', name: 'User', list: 'user-names', isRequired: true,
    hint: 'Rings wherever the user is logged in with a phone, in a conversation made for the two.' },
  conversation: { label: 'A conversation', name: 'Conversation', list: 'conversation-names',
    isRequired: true, hint: 'Joins it, and is heard by all who have audio there. By name or id; '
      + 'one that is not there is made.' },
};

export class Dialler {
  /** `onCall({kind, name})` places a call; `onLook(name)` shows the audio of a conversation. */
  constructor({ onCall, onLook }) {
    this.kind = element('select', { name: 'kind', on: { change: () => this.#draw() } },
      Object.entries(KINDS).map(([value, { label }]) => element('option', { value }, label)));
    this.name = element('input', { name: 'to', autocomplete: 'off', spellcheck: 'false' });
    this.label = element('span', { class: 'label' });
    this.hint = element('p', { class: 'hint' });
    this.told = element('p', { class: 'outcome', role: 'status' });
    this.look = button('Only look', () => {
      if (this.element.reportValidity()) onLook(this.name.value.trim());
    });
    this.element = element('form', { class: 'dialler', on: { submit: (event) => {
      event.preventDefault();
      this.tell('');
      onCall({ kind: this.kind.value, name: this.name.value.trim() });
    } } },
    this.told,
    element('label', { class: 'field' }, element('span', { class: 'label' }, 'Call'), this.kind),
    element('label', { class: 'field' }, this.label, this.name),
    element('div', { class: 'tools' }, element('button', { class: 'primary' }, 'Call'), this.look),
    this.hint);
    this.#draw();
  }

  /** How the last call went. */
  tell(words) {
    this.told.textContent = words;
  }

  focus() {
    this.kind.focus();
  }

  #draw() {
    const { name, list = '', isRequired, hint } = KINDS[this.kind.value];
    fill(this.label, name);
    this.name.required = isRequired;
    this.name.setAttribute('list', list);
    this.name.value = '';
    this.hint.textContent = hint;
    this.look.hidden = this.kind.value !== 'conversation';
  }
}
