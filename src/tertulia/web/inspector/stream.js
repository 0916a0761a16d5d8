// The application's events as they happen: Server-Sent Events, read with fetch since EventSource
// cannot send an Authorization header.

const PATH = '/tertulia/v1/events';
const SILENCE_MS = 60_000;
/** A stream that says nothing for so long is dead: the server sends a comment now and then. */
const DELAYS = [500, 1000, 2000, 5000, 10_000];

/** Cuts a text stream into events: `{id, event, data}`. */
export class EventReader {
  #rest = '';

  push(text) {
    this.#rest += text;
    const blocks = this.#rest.split(/\r\n\r\n|\n\n|\r\r/);
    this.#rest = blocks.pop();
    return blocks.map(readBlock);
  }
}

function readBlock(block) {
  const event = { id: '', event: 'message', data: [] };
  for (const line of block.split(/\r\n|\n|\r/)) {
    const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (name === 'data') event.data.push(value);
    else if (name === 'id' || name === 'event') event[name] = value;
  }
  return { ...event, data: event.data.join('\n') };
}

/**
 * Follows the stream until `stop`. Calls `onEvent({envelope, position})` and
 * `onState(state, detail)`: connecting, live, waiting, refused.
 */
export class Stream {
  #api;
  #onEvent;
  #onState;
  #after = '';
  #epoch = '';
  #failures = 0;
  #abort = null;
  #isStopped = false;

  constructor(api, { onEvent, onState }) {
    this.#api = api;
    this.#onEvent = onEvent;
    this.#onState = onState;
  }

  /** From about `back` events ago on. */
  async start(back) {
    while (!this.#isStopped) {
      try {
        this.#onState('connecting');
        if (this.#after === '') await this.#goBack(back);
        await this.#follow();
      } catch (error) {
        if (this.#isStopped) return;
        if ([401, 403, 404].includes(error.status)) {
          this.#onState('refused', error.message);
          return;
        }
        if (error.status === 400 || error.status === 409) this.#after = ''; // another store by now
      }
      await this.#wait();
    }
  }

  stop() {
    this.#isStopped = true;
    this.#abort?.abort();
  }

  async #goBack(back) {
    const { position, epoch } = await this.#api.get(`${PATH}?after=now&wait=0`);
    this.#epoch = epoch;
    this.#after = String(Math.max(0, Number(position) - back));
  }

  async #follow() {
    this.#abort = new AbortController();
    const watch = new Watch(SILENCE_MS, () => this.#abort.abort());
    try {
      const from = new URLSearchParams({ after: this.#after, epoch: this.#epoch });
      const response = await this.#api.fetch(`${PATH}?${from}`, {
        accept: 'text/event-stream', signal: this.#abort.signal,
      });
      this.#onState('live');
      this.#failures = 0;
      await this.#read(response.body.pipeThrough(new TextDecoderStream()), watch);
    } finally {
      watch.end();
    }
  }

  async #read(texts, watch) {
    const events = new EventReader();
    const reader = texts.getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      watch.alive();
      for (const event of events.push(value)) this.#take(event);
    }
  }

  #take({ id, data }) {
    if (id) this.#after = id;
    if (data === '') return;
    const envelope = JSON.parse(data);
    if (envelope.type) this.#onEvent({ envelope, position: positionOf(id) });
  }

  async #wait() {
    if (this.#isStopped) return;
    const delay = DELAYS[Math.min(this.#failures, DELAYS.length - 1)];
    this.#failures += 1;
    this.#onState('waiting', `again in ${Math.ceil(delay / 1000)} s`);
    await new Promise((resolve) => { setTimeout(resolve, delay); });
  }
}

/** The number at the end of an event's id. */
function positionOf(id) {
  const found = /(\d+)$/.exec(id);
  return found ? Number(found[1]) : null;
}

class Watch {
  #timer = 0;

  constructor(milliseconds, onSilence) {
    this.milliseconds = milliseconds;
    this.onSilence = onSilence;
    this.alive();
  }

  alive() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.onSilence, this.milliseconds);
  }

  end() {
    clearTimeout(this.#timer);
  }
}
