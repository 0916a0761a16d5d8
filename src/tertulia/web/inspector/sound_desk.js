// What the application lets a conversation, or one of its legs, hear; and what it records.
import { announce, element, field, fill, icon } from './dom.js';
import { tried } from './section.js';

const FORMATS = ['mp3', 'wav', 'ogg'];
const EVERYBODY = '';

export class SoundDesk {
  #room;
  #id;
  #legs = [];
  /** Recordings that go on, by id: the member whose leg it is, or EVERYBODY. */
  #recordings = new Map();
  /** Members who hear ringing, or EVERYBODY. */
  #ringing = new Set();

  constructor(room, conversationId) {
    this.#room = room;
    this.#id = conversationId;
    this.target = element('select', { on: { change: () => this.#draw() } });
    this.words = element('input', { required: true, autocomplete: 'off', maxlength: '1500',
      placeholder: 'Good evening, and welcome.' });
    this.address = element('input', { type: 'url', required: true, autocomplete: 'off',
      placeholder: 'https://example.org/sound.mp3' });
    this.format = element('select', { 'aria-label': 'Format' },
      FORMATS.map((each) => element('option', { value: each }, each.toUpperCase())));
    this.ring = element('button', { type: 'button', on: { click: () => this.#toggleRinging() } });
    this.record = element('button', { type: 'button',
      on: { click: () => this.#toggleRecording() } });
    this.element = element('section', { class: 'part desk' }, element('h4', {}, 'Sound'),
      field('Who hears it, or is recorded', this.target),
      this.#line('Say a text', this.words, 'Say', 'say', () => this.#say()),
      this.#line('Play a file from an address', this.address, 'Play', 'play', () => this.#play()),
      element('div', { class: 'tools' }, this.ring,
        element('button', { type: 'button', on: { click: () => this.#stop() } }, 'Stop sounds'),
        element('span', { class: 'grow' }),
        element('span', { class: 'recorder' }, this.format, this.record)));
    this.show([]);
  }

  /** `legs` are those that are there, each with its `name`. */
  show(legs) {
    this.#legs = legs;
    const chosen = this.target.value;
    fill(this.target, element('option', { value: EVERYBODY }, 'Everybody here'),
      legs.map((leg) => element('option', { value: leg.id }, leg.name)));
    this.target.value = legs.some((leg) => leg.id === chosen) ? chosen : EVERYBODY;
    this.#draw();
  }

  /** An event of the conversation. */
  onEvent({ type, body, to }) {
    const where = to ?? EVERYBODY;
    switch (type) {
      case 'audio:record': this.#recordings.set(body.recording_id, where); break;
      case 'audio:record:stop': this.#recordings.delete(body.record_id); break;
      case 'audio:record:done': this.#recordings.delete(body.recording_id); break;
      case 'audio:ringing:start': this.#ringing.add(where); break;
      case 'audio:ringing:stop': this.#ringing.delete(where); break;
      case 'audio:say:done': case 'audio:play:done':
        if (body.error) announce(`Nothing sounded: ${body.error}.`, 'bad');
        return;
      default: return;
    }
    this.#draw();
  }

  play(address) {
    return this.#put('stream', { stream_url: [address] });
  }

  #line(label, input, verb, name, onSubmit) {
    return element('form', { class: 'inline', data: { does: name }, on: { submit: (event) => {
      event.preventDefault();
      tried(onSubmit);
    } } }, field(label, input), element('button', {}, verb));
  }

  #draw() {
    const { isRecording, isRinging } = this;
    fill(this.record, icon(isRecording ? 'stop' : 'record'), isRecording ? 'Stop recording'
      : 'Record');
    this.record.classList.toggle('is-on', isRecording);
    this.format.hidden = isRecording;
    fill(this.ring, icon('bell'), isRinging ? 'Stop ringing' : 'Ring');
    this.ring.classList.toggle('is-on', isRinging);
  }

  get isRecording() {
    return [...this.#recordings.values()].includes(this.#memberId);
  }

  get isRinging() {
    return this.#ringing.has(this.#memberId);
  }

  get #leg() {
    return this.#legs.find((each) => each.id === this.target.value);
  }

  get #memberId() {
    return this.#leg?.member_id ?? EVERYBODY;
  }

  #say() {
    return this.#put('talk', { text: this.words.value.trim() });
  }

  #play() {
    return this.play(this.address.value.trim());
  }

  async #stop() {
    for (const what of ['talk', 'stream']) {
      try {
        await this.#ask('DELETE', what);
      } catch (error) {
        if (![404, 409].includes(error.status)) announce(error.message, 'bad'); // nothing sounds
      }
    }
  }

  #toggleRinging() {
    const to = this.#memberId || undefined;
    const type = `audio:ringing:${this.isRinging ? 'stop' : 'start'}`;
    return tried(() => this.#room.api.post(`/v0.3/conversations/${this.#id}/events`,
      { type, to, body: {} }));
  }

  #toggleRecording() {
    const isOver = this.isRecording;
    return tried(() => (isOver ? this.#ask('DELETE', 'record')
      : this.#put('record', { format: this.format.value })));
  }

  #put(what, body) {
    return this.#ask('PUT', what, body);
  }

  #ask(method, what, body) {
    const leg = this.#leg;
    const path = leg ? `/v0.3/legs/${leg.id}/${what === 'record' ? 'recording' : what}`
      : `/v1/conversations/${this.#id}/${what}`;
    return this.#room.api.ask(method, path, { body });
  }
}
