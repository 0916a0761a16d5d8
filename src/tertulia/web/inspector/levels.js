// The legs of a conversation and how loud they are, as the server tells it ten times a second.
import { EventReader } from './stream.js';

const DELAY_MS = 2000;

export class Levels {
  #api;
  #path;
  #onLegs;
  #onLevels;
  #onState;
  #abort = new AbortController();

  /** `onLegs(legs)` comes first and with each change, `onLevels({leg: decibels})` in between. */
  constructor(api, conversationId, { onLegs, onLevels, onState }) {
    this.#api = api;
    this.#path = `/tertulia/v1/conversations/${conversationId}/levels`;
    this.#onLegs = onLegs;
    this.#onLevels = onLevels;
    this.#onState = onState;
  }

  /** Until `stop`, or until the server refuses. */
  async start() {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        await this.#follow(signal);
      } catch (error) {
        if (signal.aborted) return;
        if ([403, 404].includes(error.status)) {
          this.#onState('refused', error.message);
          return;
        }
      }
      this.#onState('waiting');
      await new Promise((resolve) => { setTimeout(resolve, DELAY_MS); });
    }
  }

  stop() {
    this.#abort.abort();
  }

  async #follow(signal) {
    const response = await this.#api.fetch(this.#path, { accept: 'text/event-stream', signal });
    this.#onState('live');
    const events = new EventReader();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      for (const event of events.push(value)) this.#take(event);
    }
  }

  #take({ event, data }) {
    if (data === '') return;
    const told = JSON.parse(data);
    if (event === 'legs') this.#onLegs(told.legs);
    this.#onLevels(told.levels);
  }
}
