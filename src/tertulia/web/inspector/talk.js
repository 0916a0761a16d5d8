// One user in one conversation: the live session, the log, and everything the user can do there.
import { isMessaging } from './channels.js';
import { ChatLog, textOf } from './chat_log.js';
import { joined } from './joining.js';
import { Session } from './session.js';
import { contentOf } from './words.js';

const HISTORY = 50;
const CONTENT = new Set(['message', 'text', 'image']);
const MEDIA = '/v3/media/';

/**
 * `view` is told: `draw(entries)`, `typing(name, isTyping)`, `state(state, detail)`,
 * `invited(event)`, `write(about)`, `earlier(isThere)`, `failed(message)`.
 */
export class Talk {
  #room;
  #view;
  #session;
  #next = '';
  #reported = new Set();
  #wasLive = false;
  #isLeaving = false;
  #telling = new Set();

  constructor(room, user, conversation, view) {
    this.#room = room;
    this.#view = view;
    this.user = user;
    this.conversation = conversation;
    this.path = `/v0.3/conversations/${conversation.id}`;
    this.log = new ChatLog();
    this.member = null;
    this.#session = new Session(room.api, user.name, {
      onState: (state, detail) => this.#onState(state, detail),
      onEvent: (type, event) => this.#onEvent(type, event),
    });
  }

  get memberId() {
    return this.member?.id ?? '';
  }

  /** Log in, join, and read what was said before. */
  async begin() {
    await this.#session.open();
    this.member = await joined(this.#room.api, this.user, this.conversation);
    const members = await this.#get(`${this.path}/members?page_size=100`, 'members');
    for (const member of members.items) this.#room.names.learnMember(member);
    await this.loadEarlier();
  }

  end() {
    this.#session.close();
  }

  /** Once what was seen has been told: who has left may tell nothing. */
  async leave() {
    this.#isLeaving = true;
    await Promise.all(this.#telling);
    await this.#ask('PATCH', `${this.path}/members/${this.memberId}`, { state: 'left' });
    this.end();
  }

  isOwn(entry) {
    return entry.from === this.memberId || entry.user?.id === this.user.id;
  }

  nameOf(entry) {
    return entry.user?.display_name || entry.user?.name || this.memberName(entry.from)
      || 'the application';
  }

  memberName(id) {
    return this.#room.names.member(id) || id.slice(0, 8);
  }

  async loadEarlier() {
    const path = this.#next || `${this.path}/events?page_size=${HISTORY}&order=desc`;
    const page = await this.#get(path, 'events');
    this.#next = page.next;
    this.#view.earlier(page.next !== '');
    this.#take(page.items);
  }

  /** Send what the composer made; about another message when `about` names one. */
  async send(event, about) {
    if (about?.verb === 'edit') {
      await this.#post('custom:tertulia:edit', { event_id: about.entry.id, text: event.body.text });
      return;
    }
    const body = event.upload ? { representations: await this.#upload(event.upload) } : event.body;
    const sent = await this.#post(event.type, body);
    if (about?.verb === 'reply') {
      await this.#post('custom:tertulia:reply', { event_id: sent.id, reply_to: about.entry.id });
    }
  }

  reply(entry) {
    this.#view.write({ verb: 'reply', entry, text: textOf(entry) || contentOf(entry.body) });
  }

  edit(entry) {
    this.#view.write({ verb: 'edit', entry, text: textOf(entry) });
  }

  react(entry, reaction, isGiven) {
    return this.#try(() => this.#post('custom:tertulia:reaction', {
      event_id: entry.id, reaction, action: isGiven ? 'add' : 'remove' }));
  }

  remove(entry) {
    return this.#try(() => this.#ask('DELETE',
      `${this.path}/events/${entry.id}?from=${this.memberId}`));
  }

  typing(isTyping) {
    const type = `text:typing:${isTyping ? 'on' : 'off'}`;
    return this.#try(() => this.#post(type, { activity: isTyping ? 1 : 0 }));
  }

  invite(name) {
    return this.#ask('POST', `${this.path}/members`, { state: 'invited', user: { name },
      channel: { type: 'app', from: { type: 'app' }, to: { type: 'app' } }, from: this.memberId });
  }

  markSeen(entry) {
    if (entry.isDeleted || entry.reports.get(this.memberId) === 'seen') return;
    this.#report(entry, 'seen');
  }

  /** How a member is reached who has no app; undefined for all others. */
  channelOf(memberId) {
    const channel = this.#room.names.channel(memberId);
    return isMessaging(channel?.type) ? channel : undefined;
  }

  /** Of the application's events: what sessions are not told of. */
  overhear(event) {
    const { type, conversation_id: id } = event;
    if (id === this.conversation.id && type === 'member:message:status') this.#take([event]);
  }

  /** Where an uploaded picture can be shown from; '' when it is not on this server. */
  async picture(address) {
    const url = new URL(address, location.origin);
    if (!url.pathname.startsWith(MEDIA)) return '';
    const response = await this.#room.api.fetch(url.pathname + url.search, { user: this.user.name });
    return URL.createObjectURL(await response.blob());
  }

  async #upload(file) {
    if (!file) throw new Error('Choose a picture first.');
    const form = new FormData();
    form.append('file', file);
    form.append('quality_ratio', '100');
    form.append('medium_size_ratio', '50');
    form.append('thumbnail_size_ratio', '30');
    return this.#ask('POST', '/v1/image', form);
  }

  #onEvent(type, event) {
    const { cid } = event;
    if (cid !== this.conversation.id) {
      if (type === 'member:invited' && event.body?.user?.id === this.user.id) {
        this.#view.invited(event);
      }
      return;
    }
    this.#room.names.learnEvent({ ...event, type });
    if (type.startsWith('text:typing:')) {
      if (event.from !== this.memberId) {
        this.#view.typing(this.memberName(event.from), type.endsWith(':on'));
      }
      return;
    }
    this.#take([{ ...event, type }]);
    const entry = this.log.entry(event.id);
    if (CONTENT.has(type) && entry && !this.isOwn(entry)) {
      this.#view.typing(this.nameOf(entry), false);
      this.#report(entry, 'delivered');
    }
  }

  #take(events) {
    for (const event of events) this.#room.names.learnEvent(event);
    const changed = new Set(events.flatMap((event) => this.log.apply(event)));
    const ids = new Set([...changed].map((entry) => entry.id));
    const quoting = this.log.entries.filter((entry) => ids.has(entry.replyTo));
    this.#view.draw([...new Set([...changed, ...quoting])]);
  }

  #report(entry, what) {
    const key = `${entry.id} ${what}`;
    if (!this.memberId || this.#isLeaving || this.#reported.has(key)) return;
    this.#reported.add(key);
    const told = this.#try(() => this.#post(`${entry.type}:${what}`, { event_id: entry.id }));
    this.#telling.add(told);
    told.finally(() => this.#telling.delete(told));
  }

  #onState(state, detail) {
    this.#view.state(state, detail);
    if (state === 'live' && this.#wasLive) this.#catchUp();
    this.#wasLive ||= state === 'live';
  }

  /** A session that could not be resumed does not bring what was missed. */
  #catchUp() {
    const newest = Math.max(0, ...this.log.entries.map((entry) => entry.id ?? 0));
    return this.#try(async () => {
      const path = `${this.path}/events?page_size=100&start_id=${newest + 1}`;
      this.#take((await this.#get(path, 'events')).items);
    });
  }

  async #post(type, body) {
    const sent = await this.#ask('POST', `${this.path}/events`, { type, from: this.memberId, body });
    if (sent?.id) this.#take([sent]);
    return sent;
  }

  #ask(method, path, body) {
    return this.#room.api.ask(method, path, { body, user: this.user.name });
  }

  #get(path, collection) {
    return this.#room.api.page(path, collection, { user: this.user.name });
  }

  async #try(action) {
    try {
      await action();
    } catch (error) {
      if (error.status === undefined) throw error;
      this.#view.failed(error.message);
    }
  }
}
