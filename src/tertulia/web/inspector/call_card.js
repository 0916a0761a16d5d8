// A call on the page: who, since when, how loud, and everything that can be done with it.
import { button, element, fill, icon } from './dom.js';
import { Keypad } from './keypad.js';
import { Loudness, share } from './microphone.js';
import { RingBack } from './ring_back.js';
import { tried } from './section.js';

const STATES = { connecting: 'Connecting', calling: 'Calling', live: 'Connected', over: 'Ended' };
const COLOURS = { connecting: 'waiting', calling: 'waiting', live: 'live', over: 'ended' };

export class CallCard {
  #call;
  #loudness;
  #ringBack = new RingBack();
  #timer;

  /** `title` is whom the call is with; `onLook()` shows what happens to it. */
  constructor(call, title, onLook) {
    this.#call = call;
    this.status = element('p', { class: 'status', role: 'status' },
      element('span', { class: 'dot', 'aria-hidden': 'true' }), element('span', {}));
    this.time = element('span', { class: 'mono hint' });
    this.meter = element('span', { class: 'meter', role: 'meter', 'aria-label': 'Your microphone',
      'aria-valuemin': '-60', 'aria-valuemax': '0', 'aria-valuenow': '-60' });
    this.mute = this.#switch('isMuted', (isOn) => call.mute(isOn));
    this.earmuff = this.#switch('isEarmuffed', (isOn) => call.earmuff(isOn));
    this.keypad = new Keypad((digit) => tried(() => call.press(digit)), { isTold: true });
    this.keypad.element.hidden = true;
    this.keys = button([icon('keypad'), 'Keypad'], () => {
      this.keypad.element.hidden = !this.keypad.element.hidden;
      this.keys.setAttribute('aria-expanded', String(!this.keypad.element.hidden));
    }, { 'aria-expanded': 'false' });
    this.look = button([icon('calls'), 'Timeline'], onLook);
    this.hangUp = button([icon('hang-up'), 'Hang up'], () => tried(() => call.hangUp()), {
      class: 'ending' });
    this.element = element('section', { class: 'call', 'aria-label': 'Call', tabindex: '-1' },
      element('div', { class: 'item-head' }, element('h3', {}, title), this.status, this.time),
      element('div', { class: 'own-level' }, element('span', { class: 'hint' }, 'Your microphone'),
        this.meter),
      element('div', { class: 'tools' }, this.mute, this.earmuff, this.keys, this.look,
        element('span', { class: 'grow' }), this.hangUp),
      this.keypad.element, call.sound, this.#ringBack.sound);
    this.#loudness = new Loudness(call.microphone, (level) => {
      this.meter.style.setProperty('--level', share(level));
      this.meter.setAttribute('aria-valuenow', String(Math.max(-60, Math.round(level))));
    });
    this.#timer = setInterval(() => this.#tick(), 1000);
    this.show();
  }

  get hasFocus() {
    return this.element.contains(document.activeElement);
  }

  /** The call has changed. */
  show() {
    const call = this.#call;
    this.status.dataset.state = call.isRinging ? 'waiting' : COLOURS[call.state];
    this.status.lastChild.textContent = call.isRinging ? 'Ringing' : STATES[call.state];
    if (call.isRinging) this.#ringBack.start(call.sound.srcObject);
    else this.#ringBack.stop();
    const isLive = call.state === 'live';
    this.look.hidden = !call.isListed;
    for (const each of [this.mute, this.earmuff, this.keys]) each.disabled = !isLive;
    draw(this.mute, call.isMuted, 'mic', 'Mute', 'Unmute');
    draw(this.earmuff, call.isEarmuffed, 'ear', 'Earmuff', 'Take earmuffs off');
    this.#tick();
  }

  /** A key of the keyboard; whether it was taken. */
  take(event) {
    return this.#call.state === 'live' && this.keypad.take(event);
  }

  end() {
    clearInterval(this.#timer);
    this.#loudness.end();
    this.#ringBack.stop();
    this.element.remove();
  }

  #tick() {
    this.time.textContent = this.#call.since ? lasting(Date.now() - this.#call.since) : '';
  }

  #switch(name, act) {
    return button('', () => tried(() => act(!this.#call[name])), { class: 'switch' });
  }
}

function draw(control, isOn, drawing, on, off) {
  fill(control, icon(isOn ? `${drawing}-off` : drawing), isOn ? off : on);
  control.classList.toggle('is-on', isOn);
}

/** `1:05`, of milliseconds. */
export function lasting(milliseconds) {
  const seconds = Math.floor(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
