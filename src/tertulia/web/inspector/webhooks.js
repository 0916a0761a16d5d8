// Webhooks: attempts, dead letters, and sending again.
import { announce, button, clock, copyButton, element, emptyHint, fill, shortId }
  from './dom.js';
import { jsonView } from './json_view.js';
import { sectionHead, tried } from './section.js';

const PATH = '/tertulia/v1/webhooks';
const LOOK_MS = 3000;
const REPLAY_LOOKS = 20;

export class Webhooks {
  #room;
  #timer = 0;
  #onlyFailed = false;
  #shown = '';

  constructor(section, room) {
    this.#room = room;
    this.policy = element('p', { class: 'hint' });
    this.letters = element('div', {});
    this.attempts = element('div', {});
    this.failed = button('Only failed', () => {
      this.#onlyFailed = !this.#onlyFailed;
      this.failed.setAttribute('aria-pressed', String(this.#onlyFailed));
      this.refresh();
    }, { class: 'chip', 'aria-pressed': 'false' });
    fill(section, sectionHead('Webhooks'),
      element('div', { class: 'scroll pad' }, this.policy,
        element('section', { class: 'part' }, element('h3', {}, 'Dead letters'),
          element('p', { class: 'hint' }, 'Events that were given up; they can be sent again.'),
          this.letters),
        element('section', { class: 'part' },
          element('div', { class: 'tools' }, element('h3', { class: 'grow' }, 'Attempts'), this.failed),
          this.attempts)));
  }

  /** While it is on the screen it looks again every few seconds. */
  async refresh() {
    clearTimeout(this.#timer);
    await tried(() => this.#look());
    if (this.attempts.offsetParent) this.#timer = setTimeout(() => this.refresh(), LOOK_MS);
  }

  openItem() {}

  async #look() {
    const { api } = this.#room;
    const only = this.#onlyFailed ? '&delivered=false' : '';
    const [letters, attempts, policy] = await Promise.all([
      api.get(`${PATH}/dead-letters?limit=100`),
      api.get(`${PATH}/attempts?limit=50${only}`),
      api.get(`${PATH}/policy`),
    ]);
    const found = JSON.stringify([letters, attempts, policy]);
    if (found === this.#shown) return; // what is open stays open
    this.#shown = found;
    this.policy.textContent = policy.policy === 'hold'
      ? 'When a webhook fails, the events of its conversation wait in order until it answers.'
      : `When a webhook fails, an event is given up after ${tries(policy.tries)}.`;
    this.#drawLetters(letters.dead_letters);
    this.#drawAttempts(attempts.attempts);
  }

  #drawLetters(letters) {
    const rows = letters.map((letter) => element('li', { class: 'letter' },
      element('span', { class: 'type' }, letter.type, ' ', element('small', {}, this.#where(letter))),
      element('span', { class: 'hint' }, `${tries(letter.tries)}, the last at ${clock(letter.at)}: `,
        letter.reason),
      button('Send again', (event) => this.#replay(letter, event.currentTarget),
        { class: 'small' }))).reverse();
    fill(this.letters, rows.length ? element('ul', { class: 'letters' }, rows)
      : emptyHint('None: nothing was given up.'));
  }

  #where({ conversation_id: id, event_id: number }) {
    const name = id && (this.#room.names.conversation(id) || shortId(id));
    return [name, number && `#${number}`].filter(Boolean).join(' ');
  }

  #drawAttempts(attempts) {
    const wasOpen = new Set([...this.attempts.querySelectorAll('details[open]')]
      .map((each) => each.dataset.number));
    const rows = attempts.map((attempt) => element('li', {}, element('details', {
      data: { number: attempt.number }, open: wasOpen.has(String(attempt.number)) },
      element('summary', {},
        element('span', { class: `mark ${attempt.delivered ? 'good' : 'bad'}` },
          attempt.status ?? 'failed'),
        element('time', { datetime: attempt.at }, clock(attempt.at, true)),
        element('span', { class: 'type' }, attempt.type),
        element('span', { class: 'hint grow' }, attempt.delivered ? `${attempt.latency_ms} ms`
          : attempt.reason || `try ${attempt.attempt}`)),
      element('div', { class: 'tools' },
        button('Send again', (event) => this.#replay(attempt, event.currentTarget),
          { class: 'small' }),
        element('span', { class: 'mono wrap' }, attempt.url), copyButton(() => attempt.url)),
      jsonView(attempt))));
    fill(this.attempts, rows.length ? element('ul', { class: 'plain attempts' }, rows)
      : emptyHint('No attempts. Events are sent when the application has an event_url:',
        this.#room.isDevelopment ? 'tertulia dev --event-url http://127.0.0.1:3000/events' : ''));
  }

  async #replay({ position, target }, pressed) {
    pressed.disabled = true;
    pressed.textContent = 'Sending…';
    const { api } = this.#room;
    const done = await tried(async () => {
      let replay = await api.post(`${PATH}/replay`, { position, target });
      for (let look = 0; look < REPLAY_LOOKS && replay.state === 'waiting'; look += 1) {
        await new Promise((resolve) => { setTimeout(resolve, 300); });
        replay = await api.get(`${PATH}/replay/${replay.id}`);
      }
      announce(replay.delivered ? 'Sent again, and delivered.' : `Sent again: ${replay.state}.`,
        replay.delivered ? 'good' : 'bad');
      pressed.textContent = replay.delivered ? 'Delivered' : 'Failed again';
    });
    pressed.disabled = false;
    if (!done) pressed.textContent = 'Send again';
    await this.refresh();
  }
}

function tries(count) {
  return count === 1 ? '1 try' : `${count} tries`;
}
