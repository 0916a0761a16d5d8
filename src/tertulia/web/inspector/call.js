// One call of a user: its peer connection, and the requests and events that make and end it.
// Nothing of the page is known here.
import { joined } from './joining.js';

const CONNECT_MS = 15_000;
const ANSWER_MS = 10_000;
const OVER = new Set(['completed', 'failed', 'busy', 'timeout', 'cancelled', 'rejected']);
const OF_PHONES = new Set(['sip:ringing', 'sip:answered', 'sip:hangup']);
const AUDIBLE = { audio_settings: { enabled: true, earmuffed: false, muted: false } };
/** Milliseconds of a digit, and between two. */
const TONE = 120;
const GAP = 80;

export const HUNG_UP = 'You hung up.';

/** What an invitation says when it is a call; null when it is none. */
export function incoming(type, event) {
  const { body } = event;
  if (type !== 'member:invited' || !body.sdp || !body.channel?.id) return null;
  const { from } = body.channel;
  return { conversationId: event.conversation_id, memberId: body.user.member_id,
    legId: body.channel.id, sdp: body.sdp, name: body.conversation?.display_name,
    caller: body.invited_by || from?.user || from?.number || from?.uri || 'Somebody' };
}

/**
 * `state` goes from `connecting`, maybe over `calling` (somebody has to take it), to `live` and
 * `over`. `onChange()` is called with each change; `reason` says why it is over.
 */
export class Call {
  #api;
  #user;
  #session;
  #microphone;
  #onChange;
  #peer = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
  #waiting = new Map();
  #heard = new Map();
  #refusal = '';
  #knocking = '';
  /** What came of phones in other conversations, before ours was known. */
  #before = new Map();
  /** The member that was called. */
  #callee = '';

  constructor({ api, user, session, microphone, onChange }) {
    this.#api = api;
    this.#user = user;
    this.#session = session;
    this.#microphone = microphone;
    this.#onChange = onChange;
    this.state = 'connecting';
    this.reason = '';
    this.conversationId = '';
    this.memberId = '';
    this.legId = '';
    this.isMuted = false;
    this.isEarmuffed = false;
    /** The call API knows it: others are but legs of a conversation. */
    this.isListed = false;
    /** Somebody was called for us, and has not answered. */
    this.isRinging = false;
    this.since = null;
    this.sound = document.createElement('audio');
    this.sound.autoplay = true;
    this.#listen();
  }

  get microphone() {
    return this.#microphone;
  }

  /** Call the application, which decides where the call goes. */
  async callApplication(number) {
    const offer = await this.#offer();
    const opened = await this.#ask('POST', '/v0.3/legs', { ...this.#origin, body: { offer } });
    this.legId = opened.rtc_id;
    await this.#connect(opened.sdp);
    const channel = { type: 'app', id: this.legId, to: { type: 'phone', number },
      from: { type: 'app', user: this.#user.name } };
    const entrance = this.#event(`joined ${this.legId}`, 0);
    entrance.catch(() => {}); // when it is over before anybody waits
    const knock = await this.#ask('POST', '/v0.3/knocking', { ...this.#origin, channel,
      properties: { custom_data: {} } });
    this.#knocking = knock.id;
    this.isListed = true;
    this.#turn('calling');
    this.#enter(await entrance);
  }

  /** Be heard in a conversation. */
  async join(conversation) {
    await this.#open(conversation);
    this.#begin();
  }

  async #open(conversation) {
    this.conversationId = conversation.id;
    const { id } = await joined(this.#api, this.#user, conversation, this.#origin);
    this.memberId = id;
    const offer = await this.#offer();
    const made = await this.#ask('POST', `${this.#path}/rtc`, {
      ...this.#origin, from: id, body: { offer } });
    this.legId = made.rtc_id;
    const { body } = await this.#event(`answer ${this.legId}`, ANSWER_MS);
    await this.#connect(body.answer);
  }

  /** Call another user, in a conversation made for that. */
  async callUser(name) {
    const title = `${this.#user.display_name || this.#user.name} and ${name}`;
    const made = await this.#ask('POST', '/v0.3/conversations', { display_name: title });
    await this.#open(made);
    this.#turn('calling');
    const end = { type: 'app' };
    const invited = await this.#ask('POST', `${this.#path}/members`, { ...this.#origin, state: 'invited',
      user: { name }, media: AUDIBLE, from: this.memberId,
      channel: { type: 'app', from: end, to: end } });
    this.#callee = invited.id;
  }

  /** Take a call: `from` is what `incoming` made of the invitation. */
  async answer(from) {
    Object.assign(this, { conversationId: from.conversationId, memberId: from.memberId,
      legId: from.legId });
    await this.#ask('PUT', `${this.#path}/members/${this.memberId}`, { ...this.#origin,
      state: 'joined', channel: { type: 'app' }, from: this.memberId });
    this.#send();
    await this.#peer.setRemoteDescription({ type: 'offer', sdp: from.sdp });
    await this.#peer.setLocalDescription();
    const connected = this.#connected();
    await this.#ask('POST', `${this.#path}/rtc/${this.legId}/answer`, {
      ...this.#origin, from: this.memberId, body: { answer: this.#peer.localDescription.sdp } });
    await connected;
    this.#begin();
  }

  /** End it, from whatever state. */
  async hangUp(reason = HUNG_UP) {
    if (this.state === 'over') return;
    this.end(reason);
    try {
      if (this.#knocking && !this.memberId) {
        await this.#ask('DELETE', `/v0.3/knocking/${this.#knocking}`);
      } else if (this.#callee) {
        await this.#ask('DELETE', `${this.#path}/members/${this.memberId}`);
      } else if (this.legId) {
        await this.#ask('PUT', `/v0.3/legs/${this.legId}`, { action: 'hangup' });
      }
    } catch (error) {
      if (![404, 409].includes(error.status)) throw error; // it has ended meanwhile
    }
  }

  /** It is over, here. */
  end(reason) {
    if (this.state === 'over') return;
    this.reason = reason;
    this.state = 'over';
    this.isRinging = false;
    this.#peer.close();
    for (const track of this.#microphone.getTracks()) track.stop();
    this.sound.srcObject = null;
    for (const { reject } of this.#waiting.values()) reject(new Error(reason));
    this.#waiting.clear();
    this.#onChange();
  }

  mute(isMuted) {
    return this.#act(isMuted ? 'mute' : 'unmute');
  }

  earmuff(isEarmuffed) {
    return this.#act(isEarmuffed ? 'earmuff' : 'unearmuff');
  }

  /** Press a key: as RTP events, or by an event where the connection carries none. */
  async press(digit) {
    const sender = this.#peer.getSenders().find((each) => each.dtmf)?.dtmf;
    if (sender?.canInsertDTMF) {
      sender.insertDTMF(sender.toneBuffer + digit, TONE, GAP);
      return;
    }
    await this.#ask('POST', `${this.#path}/events`, { ...this.#origin, type: 'audio:dtmf',
      from: this.memberId, body: { digit, channel: { type: 'app', id: this.legId } } });
  }

  /** An event of the user's session, or of the application's stream. */
  hear(type, event) {
    const { body = {} } = event;
    if (type === 'rtc:answer') this.#arrive(`answer ${body.rtc_id}`, event);
    else if (type === 'member:joined') this.#hearOfMember(event);
    else if (type === 'app:knocking:cancel' && this.#isOfUser(body)) {
      this.#refusal = body.reason?.text ?? '';
    } else if (this.legId && (body.rtc_id ?? body.leg_id ?? body.channel?.id) === this.legId) {
      this.#hearOfLeg(type, body);
    } else if (this.#callee !== '') this.#hearOfCallee(type, event);
    else if (OF_PHONES.has(type)) this.#hearOfPhone(type, event.conversation_id);
  }

  /** A phone in our conversation: the application, or the server, has called it for us. */
  #hearOfPhone(type, where) {
    if (this.conversationId === '') this.#before.set(where, type); // ours may be any of them
    if (where !== this.conversationId) return;
    if (type === 'sip:answered' && this.isRinging) this.since = Date.now();
    this.isRinging = type === 'sip:ringing';
    this.#onChange();
  }

  #hearOfCallee(type, event) {
    const isHangup = type === 'rtc:hangup' && event.from === this.#callee;
    if (!isHangup && !(type === 'member:left' && this.#isOfCallee(event))) return;
    this.hangUp(sentenceOf(event.body.reason?.text) || 'The other one left.').catch(() => {});
  }

  #hearOfMember(event) {
    const { body } = event;
    if (body.channel?.id) this.#arrive(`joined ${body.channel.id}`, event);
    if (this.state === 'calling' && this.#isOfCallee(event)) this.#begin();
  }

  #isOfCallee({ conversation_id: id, body }) {
    return this.#callee !== '' && id === this.conversationId
      && body?.user?.member_id === this.#callee;
  }

  #hearOfLeg(type, body) {
    if (type === 'leg:status:update' && OVER.has(body.status)) {
      setTimeout(() => this.end(sentenceOf(this.#refusal || body.status)), 200);
    } else if (type === 'rtc:hangup') this.end(sentenceOf(this.#refusal || body.reason.text));
    else if (/^audio:(?:mute|earmuff):/.test(type)) {
      const which = type.startsWith('audio:mute') ? 'isMuted' : 'isEarmuffed';
      this[which] = type.endsWith(':on');
      this.#onChange();
    }
  }

  #isOfUser(body) {
    return body.user?.id === this.#user.id && this.state === 'calling' && this.#knocking !== '';
  }

  #listen() {
    this.#peer.addEventListener('track', ({ track, streams }) => {
      this.sound.srcObject = streams[0] ?? new MediaStream([track]);
    });
    this.#peer.addEventListener('connectionstatechange', () => {
      const { connectionState } = this.#peer;
      if (connectionState === 'failed' && this.state === 'live') {
        this.hangUp('The connection was lost.').catch(() => {});
      }
    });
  }

  #send() {
    for (const track of this.#microphone.getTracks()) this.#peer.addTrack(track, this.#microphone);
  }

  /** The server finds the way by itself: candidates need not be waited for. */
  async #offer() {
    this.#send();
    await this.#peer.setLocalDescription();
    return { type: 'offer', sdp: this.#peer.localDescription.sdp };
  }

  async #connect(answer) {
    const connected = this.#connected();
    connected.catch(() => {});
    await this.#peer.setRemoteDescription({ type: 'answer', sdp: answer });
    await connected;
  }

  #connected() {
    const peer = this.#peer;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => look('failed'), CONNECT_MS);
      const look = (state) => {
        if (!['connected', 'failed', 'closed'].includes(state)) return;
        clearTimeout(late);
        peer.removeEventListener('connectionstatechange', changed);
        if (state === 'connected') resolve();
        else reject(new Error(this.reason || 'No audio connection came about.'));
      };
      const changed = () => look(peer.connectionState);
      peer.addEventListener('connectionstatechange', changed);
      changed();
    });
  }

  #enter(event) {
    this.conversationId = event.conversation_id;
    this.memberId = event.body.user.member_id;
    this.#begin();
    const rang = this.#before.get(this.conversationId);
    if (rang) this.#hearOfPhone(rang, this.conversationId);
  }

  #begin() {
    this.since ??= Date.now();
    this.#turn('live');
  }

  #turn(state) {
    if (this.state === 'over') return;
    this.state = state;
    this.#onChange();
  }

  /** An event that comes, or has come; without `patience` there is no end to the waiting. */
  #event(what, patience) {
    if (this.#heard.has(what)) return Promise.resolve(this.#heard.get(what));
    return new Promise((resolve, reject) => {
      this.#waiting.set(what, { resolve, reject });
      if (patience) setTimeout(() => reject(new Error('The server did not answer.')), patience);
    });
  }

  #arrive(what, event) {
    this.#heard.set(what, event);
    this.#waiting.get(what)?.resolve(event);
    this.#waiting.delete(what);
  }

  #act(action) {
    return this.#ask('PUT', `/v0.3/legs/${this.legId}`, { action });
  }

  get #path() {
    return `/v0.3/conversations/${this.conversationId}`;
  }

  get #origin() {
    return { originating_session: this.#session.id };
  }

  #ask(method, path, body) {
    return this.#api.ask(method, path, { body, user: this.#user.name });
  }
}

function sentenceOf(words) {
  return words ? `${words[0].toUpperCase()}${words.slice(1)}.` : '';
}
