// Where a message is written: its kind, its fields, and what it answers or changes.
import { element, fill, iconButton, field } from './dom.js';
import { KINDS, kind } from './kinds.js';

const TYPING_REST_MS = 3000;

export class Composer {
  #send;
  #onTyping;
  #kind = kind('text');
  #inputs = new Map();
  #about = null;
  #isTyping = false;
  #rest = 0;

  /** `send(event, about)` throws when it is refused; `onTyping(isTyping)` is told each change. */
  constructor({ send, onTyping }) {
    this.#send = send;
    this.#onTyping = onTyping;
    this.select = element('select', { 'aria-label': 'What to send', class: 'kind', on: {
      change: () => this.#choose(kind(this.select.value)) } },
    Object.entries(KINDS).map(([group, kinds]) => element('optgroup', { label: group },
      kinds.map(({ id, label }) => element('option', { value: id }, label)))));
    this.fields = element('div', { class: 'fields' });
    this.subject = element('div', { class: 'subject', hidden: true });
    this.failure = element('p', { class: 'failure', role: 'alert' });
    this.submit = element('button', { class: 'primary send' }, 'Send');
    this.element = element('form', { class: 'composer', on: {
      submit: (event) => { event.preventDefault(); this.#submit(); },
      keydown: (event) => this.#pressed(event),
    } }, this.subject, this.failure,
    element('div', { class: 'write' }, this.select, this.fields, this.submit));
    this.#choose(this.#kind);
  }

  /** Write about a message: `about` is `{verb: 'reply'|'edit', entry, text}`. */
  turnTo(about) {
    this.#about = about;
    this.select.value = 'text';
    this.select.disabled = about.verb === 'edit';
    this.#choose(kind('text'));
    const quoted = about.text.length > 80 ? `${about.text.slice(0, 80)}…` : about.text;
    this.subject.hidden = false;
    fill(this.subject, element('span', { class: 'grow' },
      about.verb === 'edit' ? 'Change: ' : 'Answer to: ', element('q', {}, quoted)),
    iconButton('close', 'Never mind', () => this.#turnAway()));
    const input = this.#inputs.get('text');
    input.value = about.verb === 'edit' ? about.text : '';
    input.focus();
  }

  focus() {
    this.#inputs.values().next().value?.focus();
  }

  #turnAway() {
    this.#about = null;
    this.subject.hidden = true;
    this.select.disabled = false;
    this.#inputs.get('text')?.focus();
  }

  #choose(chosen) {
    this.#kind = chosen;
    this.#inputs = new Map();
    this.failure.textContent = '';
    const isWords = chosen.fields.length === 1 && chosen.fields[0].type === 'words';
    this.element.classList.toggle('is-words', isWords);
    fill(this.fields, chosen.fields.map((each) => {
      const input = inputFor(each);
      this.#inputs.set(each.name, input);
      if (each.type !== 'words') return field(each.label, input);
      input.addEventListener('input', () => this.#typed(input.value !== ''));
      input.addEventListener('blur', () => this.#typed(false));
      return input;
    }));
  }

  #typed(isTyping) {
    clearTimeout(this.#rest);
    if (isTyping) this.#rest = setTimeout(() => this.#typed(false), TYPING_REST_MS);
    if (isTyping === this.#isTyping) return;
    this.#isTyping = isTyping;
    this.#onTyping(isTyping);
  }

  #pressed(event) {
    if (event.key === 'Escape' && this.#about) {
      this.#turnAway();
      event.stopPropagation();
    }
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    if (event.target.matches('textarea.words')) {
      event.preventDefault();
      this.element.requestSubmit();
    }
  }

  async #submit() {
    const given = Object.fromEntries([...this.#inputs].map(([name, input]) => [
      name, input.type === 'file' ? input.files[0] : input.value.trim()]));
    const written = this.#inputs.get('text');
    if (written && !given.text) return;
    this.failure.textContent = '';
    this.submit.disabled = true;
    try {
      await this.#send(this.#kind.event(given), this.#about);
      if (this.#inputs.get('text') === written && written) written.value = '';
      this.#typed(false);
      if (this.#about) this.#turnAway();
    } catch (error) {
      this.failure.textContent = error.message;
    } finally {
      this.submit.disabled = false;
    }
  }
}

function inputFor({ type, name, value = '' }) {
  if (type === 'words') {
    return element('textarea', { class: 'words', name, rows: '1', 'aria-label': 'Message',
      placeholder: 'Write a message' });
  }
  if (type === 'file') {
    return element('input', { name, type, accept: 'image/*', required: true });
  }
  const input = element('input', { name, type: type === 'url' ? 'url' : 'text',
    class: type === 'json' ? 'mono' : '', autocomplete: 'off', spellcheck: 'false' });
  input.value = value;
  return input;
}
