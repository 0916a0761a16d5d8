// A live session: Socket.IO over Engine.IO 4, websocket only, as much of it as a chat needs.

const OPEN = '0';
const PING = '2';
const PONG = '3';
const CONNECT = '40';
const DISCONNECT = '41';
const EVENT = /^42(\d*)(\[[\s\S]*)$/;
const DELAYS = [500, 1000, 2000, 4000, 8000];
const TOKEN_SECONDS = 6 * 3600;
/** Login replies that say no, and mean it. */
const REFUSALS = /^(system:error|user:error|session:error|session:invalid)/;
const ENDINGS = new Set(['session:logged-out', 'session:terminated']);

/**
 * Speaks for one user. Calls `onState(state, detail)`: connecting, live, waiting, ended, refused;
 * and `onEvent(type, event)` for everything that is delivered, each once acknowledged.
 */
export class Session {
  #api;
  #user;
  #onState;
  #onEvent;
  #socket = null;
  #silence = 0;
  #patience = 45_000;
  #failures = 0;
  #isOver = false;

  constructor(api, user, { onState, onEvent }) {
    this.#api = api;
    this.#user = user;
    this.#onState = onState;
    this.#onEvent = onEvent;
    this.id = '';
    this.userId = '';
  }

  /** Settles with the first greeting, or fails with what the server says instead. */
  open() {
    return new Promise((resolve, reject) => {
      this.greeted = resolve;
      this.refused = reject;
      this.#connect();
    });
  }

  /** Log out: the session ends at the server too. */
  close() {
    this.#isOver = true;
    clearTimeout(this.#silence);
    if (this.#socket?.readyState === WebSocket.OPEN) {
      const tid = String(Math.random()).slice(2);
      this.#socket.send(`42["session:logout",${JSON.stringify({ tid, body: {} })}]`);
      this.#socket.close(1000);
    } else this.#socket?.close();
    this.#onState('ended');
  }

  async #connect() {
    this.#onState('connecting');
    const url = new URL('/v2/rtc/', location.origin.replace(/^http/, 'ws'));
    url.search = new URLSearchParams({
      EIO: '4', transport: 'websocket', token: await this.#api.token(this.#user, TOKEN_SECONDS),
      session_version: '0.0.3', acknowledge_events: 'true', ...(this.id && { session_id: this.id }),
    });
    if (this.#isOver) return;
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => this.#take(socket, String(data)));
    socket.addEventListener('close', () => { if (socket === this.#socket) this.#lost(); });
    this.#listen();
  }

  #take(socket, text) {
    this.#listen();
    if (text.startsWith(OPEN)) {
      const { pingInterval, pingTimeout } = JSON.parse(text.slice(1));
      this.#patience = pingInterval + pingTimeout;
      socket.send(CONNECT);
    } else if (text === PING) socket.send(PONG);
    else if (text === DISCONNECT) this.#end('ended', 'the server ended this session');
    else this.#takeEvent(socket, EVENT.exec(text));
  }

  #takeEvent(socket, found) {
    if (found === null) return;
    const [, number, json] = found;
    if (number) socket.send(`43${number}[]`);
    const [type, event] = JSON.parse(json);
    if (type === 'session:success') this.#welcome(event.body);
    else if (ENDINGS.has(type)) this.#end('ended', 'the session was ended');
    else if (REFUSALS.test(type)) this.#end('refused', type);
    else this.#onEvent(type, event);
  }

  #welcome(body) {
    this.id = body.id;
    this.userId = body.user_id;
    this.#failures = 0;
    this.greeted(this);
    this.#onState('live');
    for (const { type, ...event } of body.pending_events ?? []) this.#onEvent(type, event);
  }

  #end(state, detail) {
    this.#isOver = true;
    clearTimeout(this.#silence);
    this.#socket?.close();
    this.refused(new Error(detail));
    this.#onState(state, detail);
  }

  async #lost() {
    clearTimeout(this.#silence);
    if (this.#isOver) return;
    const delay = DELAYS[Math.min(this.#failures, DELAYS.length - 1)];
    this.#failures += 1;
    this.#onState('waiting', `again in ${Math.ceil(delay / 1000)} s`);
    await new Promise((resolve) => { setTimeout(resolve, delay * (0.5 + Math.random() / 2)); });
    if (!this.#isOver) this.#connect();
  }

  /** Who hears nothing for as long as two pings may take has lost the line. */
  #listen() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#socket?.close(), this.#patience);
  }
}
