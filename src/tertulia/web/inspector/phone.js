// The softphone: one of the users, with this browser's microphone; and the audio of a conversation.
import { AudioPanel } from './audio_panel.js';
import { Call, HUNG_UP, incoming } from './call.js';
import { CallCard, lasting } from './call_card.js';
import { Dialler } from './dialler.js';
import { announce, button, element, field, fill, icon } from './dom.js';
import { openMicrophone, ring, silence } from './microphone.js';
import { sectionHead, tried } from './section.js';
import { Session } from './session.js';

const STATES = { connecting: 'Connecting', live: 'Ready', waiting: 'Disconnected', ended: 'Ended',
  refused: 'Refused' };

/** Of whom was called, in the words of the call API. */
const WHY = { busy: 'The number is busy.', rejected: 'The call was declined.',
  timeout: 'Nobody answered.', unanswered: 'Nobody answered.',
  failed: 'The number cannot be reached.' };

export class Phone {
  #room;
  #section;
  #user = null;
  #session = null;
  #call = null;
  #card = null;
  #panel = null;
  #invitations = new Map();
  #stopRinging = null;

  constructor(section, room) {
    this.#room = room;
    this.#section = section;
    this.userName = element('input', { list: 'user-names', required: true, autocomplete: 'off',
      spellcheck: 'false', name: 'user' });
    this.setup = element('form', { class: 'setup', on: {
      submit: (event) => { event.preventDefault(); this.#start(); } } },
    element('p', {}, 'A telephone of one of the users, with the microphone of this browser: call, ',
      'be called, and listen to what the application lets you hear.'),
    field('User', this.userName), element('button', { class: 'primary' }, 'Switch on'),
    element('p', { class: 'hint' }, 'By name. One that is not there is made.'));
    this.dialler = new Dialler({ onCall: (wish) => this.#place(wish),
      onLook: (name) => tried(async () => this.#look(await this.#conversation(name))) });
    this.invitations = element('div', { class: 'invitations', 'aria-live': 'assertive' });
    this.obstacle = element('div', { class: 'obstacle', role: 'alert', hidden: true });
    this.place = element('div', {});
    this.below = element('div', {});
    section.addEventListener('keydown', (event) => this.#pressed(event));
    window.addEventListener('pagehide', () => this.#call?.end(''));
    this.#draw();
  }

  /** `wanted` is a conversation's id, from the address: look at its audio. */
  openItem(wanted) {
    if (!wanted || wanted === this.#panel?.id) return;
    tried(async () => this.#look(await this.#conversation(wanted)));
  }

  /** An event of the application's stream. */
  onEvent(envelope) {
    this.#call?.hear(envelope.type, envelope);
    this.#panel?.onEvent(envelope);
  }

  #draw() {
    if (this.#user === null) {
      fill(this.#section, sectionHead('Phone'), element('div', { class: 'scroll' }, this.setup,
        this.below));
      return;
    }
    const shown = this.#user.display_name || this.#user.name;
    this.status = element('p', { class: 'status', role: 'status', data: { state: 'connecting' } },
      element('span', { class: 'dot', 'aria-hidden': 'true' }), element('span', {}, 'Connecting'));
    fill(this.#section,
      element('header', { class: 'head' },
        element('h2', {}, element('span', { class: 'avatar', 'aria-hidden': 'true' },
          shown.slice(0, 1).toUpperCase()), element('span', { class: 'name' }, shown)),
        this.status, element('span', { class: 'grow' }),
        button('Switch off', () => this.#end(), { class: 'small' })),
      element('div', { class: 'scroll pad phone' }, this.invitations, this.obstacle, this.place,
        this.below));
    fill(this.place, this.dialler.element);
  }

  async #start() {
    const pressed = this.setup.querySelector('button');
    pressed.disabled = true;
    await tried(async () => {
      this.#user = await this.#found('user', '/v1/users', this.userName.value.trim());
      this.#room.names.learnUser(this.#user);
      this.#draw();
      const session = new Session(this.#room.api, this.#user.name, {
        onState: (state, detail) => this.#showState(session, state, detail),
        onEvent: (type, event) => this.#hear(type, event),
      });
      this.#session = session;
      await session.open().catch((error) => {
        announce(error.message, 'bad');
        this.#end();
      });
      this.dialler.focus();
      await this.dialler.list();
    });
    pressed.disabled = false;
  }

  #end() {
    this.#call?.hangUp('').catch(() => {});
    this.#session?.close();
    this.#session = null;
    this.#user = null;
    for (const id of [...this.#invitations.keys()]) this.#dismiss(id);
    this.#draw();
  }

  #showState(session, state, detail = '') {
    if (session !== this.#session) return;
    this.status.dataset.state = state;
    this.status.lastChild.textContent = detail ? `${STATES[state]}: ${detail}` : STATES[state];
  }

  // --- calls ---

  #hear(type, event) {
    const from = incoming(type, event);
    if (from && event.body.user.id === this.#user?.id) this.#ring(from);
    const gone = { 'member:left': event.body?.user?.member_id, 'member:joined':
      event.body?.user?.member_id }[type];
    if (gone) this.#dismiss(gone);
    this.#call?.hear(type, event);
  }

  #ring(from) {
    const card = element('section', { class: 'call incoming', 'aria-label': 'Incoming call' },
      element('h3', {}, `${from.caller} calls`),
      element('div', { class: 'tools' },
        button([icon('phone'), 'Answer'], () => this.#answer(from), { class: 'answering' }),
        button([icon('hang-up'), 'Reject'], () => this.#reject(from), { class: 'ending' })));
    this.#invitations.set(from.memberId, card);
    this.invitations.append(card);
    if (!document.activeElement?.matches('input, textarea')) card.querySelector('button').focus();
    announce(`${from.caller} calls.`);
    this.#stopRinging ??= ring();
    this.#mark();
  }

  #dismiss(memberId) {
    this.#invitations.get(memberId)?.remove();
    this.#invitations.delete(memberId);
    this.#mark();
    if (this.#invitations.size === 0) {
      this.#stopRinging?.();
      this.#stopRinging = null;
    }
  }

  #reject(from) {
    this.#dismiss(from.memberId);
    return tried(() => this.#room.api.ask('DELETE',
      `/v0.3/conversations/${from.conversationId}/members/${from.memberId}`,
      { user: this.#user.name }));
  }

  async #answer(from) {
    this.#dismiss(from.memberId);
    await this.#call?.hangUp();
    await this.#begin({ title: from.caller, make: (call) => call.answer(from) });
  }

  #place({ kind, name }) {
    const makers = {
      application: { title: name || 'The application', make: (call) => call.callApplication(name) },
      user: { title: name, make: (call) => call.callUser(name) },
      conversation: { title: name,
        make: async (call) => call.join(await this.#conversation(name)) },
    };
    return this.#begin(makers[kind]);
  }

  /** `plan` is `{title, make(call)}`; without a microphone, the person says what then. */
  async #begin(plan) {
    this.obstacle.hidden = true;
    let microphone = null;
    try {
      microphone = await openMicrophone();
    } catch (error) {
      this.#showObstacle(error.message, plan);
      return;
    }
    await this.#make(plan, microphone);
  }

  #showObstacle(message, plan) {
    const then = (action) => () => { this.obstacle.hidden = true; action(); };
    fill(this.obstacle, element('p', {}, message), element('div', { class: 'tools' },
      button('Try again', then(() => this.#begin(plan)), { class: 'small primary' }),
      button('Only listen', then(() => this.#make(plan, silence())), { class: 'small' }),
      button('Cancel', then(() => {}), { class: 'small quiet' })));
    this.obstacle.hidden = false;
  }

  async #make({ title, make }, microphone) {
    const call = new Call({ api: this.#room.api, user: this.#user, session: this.#session,
      microphone, onChange: () => this.#changed(call) });
    this.#call = call;
    this.#card = new CallCard(call, title, () => this.#room.go(`calls/${call.legId}`));
    fill(this.place, this.#card.element);
    this.#card.element.focus();
    this.#mark();
    try {
      await make(call);
    } catch (error) {
      if (call.state !== 'over') await call.hangUp(error.message).catch(() => {});
      if (error instanceof TypeError) throw error; // a bug belongs into the console
    }
  }

  #changed(call) {
    if (call !== this.#call) return;
    this.#card.show();
    if (call.state === 'over') this.#over(call);
    else if (call.conversationId && call.conversationId !== this.#panel?.id) {
      tried(async () => this.#look(await this.#conversation(call.conversationId)));
    }
  }

  #over(call) {
    const { hasFocus } = this.#card;
    this.#card.end();
    this.#call = this.#card = null;
    this.#mark();
    if (this.#user === null) return;
    const lasted = call.since ? ` The call lasted ${lasting(Date.now() - call.since)}.` : '';
    this.dialler.tell(`${call.reason}${lasted} `);
    if (call.isListed) tried(() => this.#explain(call, lasted));
    fill(this.place, this.dialler.element);
    if (hasFocus) this.dialler.focus();
  }

  /** Say why whoever was called for this call did not answer; and show the way to all of it. */
  async #explain(call, lasted) {
    const { api, go } = this.#room;
    const { connected } = await api.get(`/v1/calls/${call.legId}/timeline`);
    const callee = connected.length ? await api.get(`/v1/calls/${connected.at(-1)}`) : null;
    if (this.#call !== null || this.#user === null) return;
    const why = callee && !callee.start_time && call.reason !== HUNG_UP ? WHY[callee.status] : '';
    this.dialler.tell(why ? `${why} ` : `${call.reason}${lasted} `, button('What happened',
      () => go(`calls/${call.legId}`), { class: 'link' }));
  }

  /** Wherever the person is: the way to the phone shows that there is a call. */
  #mark() {
    document.body.dataset.call = this.#invitations.size ? 'incoming' : this.#call ? 'live' : '';
  }

  // --- the audio of a conversation ---

  #look(conversation) {
    if (conversation.id === this.#panel?.id) return;
    this.#panel?.stop();
    this.#room.names.learnConversation(conversation);
    this.#panel = new AudioPanel(this.#room, conversation, () => {
      this.#panel = null;
      this.#room.go('phone');
    });
    this.below.append(this.#panel.element);
    this.#panel.start();
  }

  #conversation(name) {
    const { api } = this.#room;
    if (name.startsWith('CON-')) return api.get(`/v1/conversations/${encodeURIComponent(name)}`);
    return this.#found('conversation', '/v1/conversations', name);
  }

  /** By its name; made if it is not there. */
  async #found(what, path, name) {
    const { api } = this.#room;
    const [known] = (await api.page(`${path}?name=${encodeURIComponent(name)}`, `${what}s`)).items;
    return known ?? api.post(path, { name });
  }

  #pressed(event) {
    if (event.target.matches('input, select, textarea')) return;
    if (this.#card?.take(event)) event.preventDefault();
  }
}
