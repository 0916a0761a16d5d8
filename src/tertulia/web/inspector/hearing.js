// Who hears whom, as a picture: who speaks stands at the left, who hears on top.
import { element, fill, icon } from './dom.js';

const SHOWN = 16;
const WORDS = { heard: 'hears', silent: 'does not hear', self: '' };

/** Why `listener` does not hear `speaker`; '' when it does. Both as the levels stream has them. */
export function deafness(speaker, listener, nameOf) {
  if (!speaker.connected) return `${nameOf(speaker)} is not connected`;
  if (!listener.connected) return `${nameOf(listener)} is not connected`;
  if (speaker.muted) return `${nameOf(speaker)} is muted`;
  if (listener.earmuffed) return `${nameOf(listener)} is earmuffed`;
  if (speaker.can_speak && !speaker.can_speak.includes(listener.id)) {
    return `${nameOf(speaker)} speaks to others only`;
  }
  if (listener.can_hear && !listener.can_hear.includes(speaker.id)) {
    return `${nameOf(listener)} listens to others only`;
  }
  return '';
}

export class HearingPicture {
  #rows = new Map();
  #nameOf;

  constructor(nameOf) {
    this.#nameOf = nameOf;
    this.table = element('table', { class: 'hearing' });
    this.more = element('p', { class: 'hint', hidden: true });
    this.element = element('section', { class: 'part' },
      element('h4', {}, 'Who hears whom'),
      element('div', { class: 'sideways', tabindex: '0', role: 'group',
        'aria-label': 'Who hears whom' }, this.table),
      this.more, legend());
  }

  show(legs) {
    this.element.hidden = legs.length < 2;
    const shown = legs.slice(0, SHOWN);
    this.more.hidden = legs.length <= SHOWN;
    this.more.textContent = `The first ${SHOWN} of ${legs.length} legs.`;
    this.#rows = new Map(shown.map((leg) => [leg.id, this.#row(leg, shown)]));
    fill(this.table,
      element('thead', {}, element('tr', {},
        element('th', { class: 'corner', scope: 'col' }, 'speaks ↓ hears →'),
        shown.map((leg) => this.#heading(leg, leg.earmuffed && 'ear-off', 'col')))),
      element('tbody', {}, [...this.#rows.values()]));
  }

  /** Who is loud now lights up where it is heard. */
  light(ids) {
    for (const [id, row] of this.#rows) row.classList.toggle('is-loud', ids.has(id));
  }

  #row(speaker, legs) {
    return element('tr', {}, this.#heading(speaker, speaker.muted && 'mic-off', 'row'),
      legs.map((listener) => this.#cell(speaker, listener)));
  }

  #heading(leg, sign, scope) {
    const name = this.#nameOf(leg);
    return element('th', { scope, title: name }, element('span', {}, name), sign && icon(sign));
  }

  #cell(speaker, listener) {
    if (speaker === listener) return element('td', { data: { hearing: 'self' } });
    const why = deafness(speaker, listener, this.#nameOf);
    const hearing = why ? 'silent' : 'heard';
    const told = `${this.#nameOf(listener)} ${WORDS[hearing]} ${this.#nameOf(speaker)}`;
    return element('td', { title: why ? `${told}: ${why}` : told, data: { hearing } },
      element('i', { 'aria-hidden': 'true' }), element('span', { class: 'away' }, told));
  }
}

function legend() {
  const sign = (hearing, words) => element('span', { data: { hearing } },
    element('i', { 'aria-hidden': 'true' }), words);
  return element('p', { class: 'hint hearing legend' }, sign('heard', 'is heard'),
    element('span', { class: 'is-loud', data: { hearing: 'heard' } },
      element('i', { 'aria-hidden': 'true' }), 'speaks and is heard'),
    sign('silent', 'is not heard'));
}
