// The live legs of a conversation: a meter each, what is done to their audio, and who hears whom.
import { button, element, fill, icon, iconButton } from './dom.js';
import { HearingPicture } from './hearing.js';
import { Levels } from './levels.js';
import { share } from './microphone.js';
import { tried } from './section.js';

/** Decibels of full scale from which on a leg is drawn as speaking. */
const LOUD = -45;
const STATES = { live: '', waiting: 'Disconnected: again in a moment.' };

export class LegsView {
  #room;
  #legs = [];
  #meters = new Map();
  #levels;
  #onLegs;

  /** `onLegs(legs)` is told the legs, each with its `name`, when they change. */
  constructor(room, conversationId, onLegs) {
    this.#room = room;
    this.#onLegs = onLegs;
    this.count = element('span', { class: 'count' });
    this.list = element('ul', { class: 'plain legs' });
    this.told = element('p', { class: 'hint', role: 'status' }, 'Looking…');
    this.picture = new HearingPicture((leg) => leg.name);
    this.picture.element.hidden = true;
    this.element = element('div', {},
      element('section', { class: 'part' }, element('h4', {}, 'Legs ', this.count), this.told,
        this.list),
      this.picture.element);
    this.#levels = new Levels(room.api, conversationId, {
      onLegs: (legs) => this.#show(legs),
      onLevels: (levels) => this.#measure(levels),
      onState: (state, detail) => { this.told.textContent = detail ?? STATES[state]; },
    });
  }

  start() {
    this.#levels.start();
  }

  stop() {
    this.#levels.stop();
  }

  #show(legs) {
    this.#legs = legs.map((leg) => ({ ...leg, name: this.#nameOf(leg) }));
    this.#meters = new Map(legs.map((leg) => [leg.id, element('span', { class: 'meter',
      role: 'meter', 'aria-label': 'Level', 'aria-valuemin': '-60', 'aria-valuemax': '0',
      'aria-valuenow': '-60' })]));
    const focused = document.activeElement?.closest?.('.legs button')?.dataset.does;
    fill(this.list, this.#legs.map((leg) => this.#row(leg)));
    if (focused) this.list.querySelector(`[data-does="${CSS.escape(focused)}"]`)?.focus();
    this.count.textContent = String(legs.length);
    this.told.textContent = legs.length ? '' : 'Nobody has audio here.';
    this.picture.show(this.#legs);
    this.#onLegs(this.#legs);
  }

  #measure(levels) {
    const loud = new Set();
    for (const [id, meter] of this.#meters) {
      const level = levels[id] ?? -100;
      meter.style.setProperty('--level', share(level));
      meter.setAttribute('aria-valuenow', String(Math.max(-60, Math.round(level))));
      if (level > LOUD) loud.add(id);
    }
    this.picture.light(loud);
  }

  #row(leg) {
    const marks = [!leg.connected && 'connecting', leg.muted && 'muted',
      leg.earmuffed && 'earmuffed', leg.can_hear && 'hears some', leg.can_speak && 'heard by some'];
    return element('li', { class: 'leg', data: { leg: leg.id } },
      element('span', { class: 'name' }, leg.name),
      element('span', { class: 'state' }, leg.type, marks.filter(Boolean).map((each) =>
        element('b', {}, each))),
      this.#meters.get(leg.id),
      element('span', { class: 'tools' },
        this.#switch(leg, 'mute', leg.muted, leg.muted ? 'mic-off' : 'mic'),
        this.#switch(leg, 'earmuff', leg.earmuffed, leg.earmuffed ? 'ear-off' : 'ear'),
        iconButton('hang-up', `Hang up ${leg.name}`, () => this.#act(leg, 'hangup'), {
          class: 'quiet square danger', data: { does: `hangup ${leg.id}` } })));
  }

  #switch(leg, action, isOn, drawing) {
    const label = `${action === 'mute' ? 'Mute' : 'Earmuff'} ${leg.name}`;
    return button(icon(drawing), () => this.#act(leg, isOn ? `un${action}` : action), {
      class: 'quiet square', 'aria-pressed': String(isOn), 'aria-label': label, title: label,
      data: { does: `${action} ${leg.id}` } });
  }

  #act(leg, action) {
    return tried(() => this.#room.api.ask('PUT', `/v0.3/legs/${leg.id}`, { body: { action } }));
  }

  #nameOf(leg) {
    const { names } = this.#room;
    const end = leg.direction === 'inbound' ? leg.from : leg.to;
    return names.member(leg.member_id) || names.user(leg.user_id) || end.user || end.number
      || end.uri || leg.type;
  }
}
