// What a conversation's events add up to for those who chat: messages, what became of them, notes.
// Nothing of the page is known here.

const MESSAGES = new Set(['message', 'text', 'image']);
const REPORT = /^(?:message|text|image):(delivered|seen|submitted|rejected|undeliverable)$/;
const STATES = { seen_by: 'seen', delivered_to: 'delivered', submitted_to: 'submitted',
  rejected_by: 'rejected', undeliverable_to: 'undeliverable' };
const EXTENSION = 'custom:tertulia:';
const CARRIER_WORD = 'member:message:status';
const RANKS = { submitted: 1, delivered: 2, rejected: 3, undeliverable: 3, seen: 4 };

export class ChatLog {
  #entries = new Map();
  #owed = new Map();
  #fleeting = 0;
  #last = 0;

  /** In the order of their events; what has no number stands where it came. */
  get entries() {
    return [...this.#entries.values()].sort((one, other) => one.order - other.order);
  }

  get oldest() {
    const ids = [...this.#entries.values()].map((entry) => entry.id).filter(Boolean);
    return ids.length ? Math.min(...ids) : null;
  }

  entry(id) {
    return this.#entries.get(`e${id}`);
  }

  /** Take in an event; the entries that are new or changed. An event that was seen changes none. */
  apply(event) {
    const { type } = event;
    if (MESSAGES.has(type)) return this.#add(event, 'message');
    const report = REPORT.exec(type);
    if (report) return this.#about(event, (entry) => reported(entry, report[1], event.from));
    if (type === CARRIER_WORD) return this.#about(event, explained);
    if (type === 'event:delete') return this.#about(event, blank);
    if (type.startsWith(EXTENSION)) return this.#extend(event);
    if (type.startsWith('text:typing:')) return [];
    return this.#add(event, 'note');
  }

  #add(event, kind) {
    const key = event.id ? `e${event.id}` : `f${this.#fleeting += 1}`;
    if (this.#entries.has(key)) return [];
    this.#last = Math.max(this.#last + 0.0001, event.id ?? 0);
    const entry = { key, id: event.id ?? null, order: event.id ?? this.#last, kind,
      type: event.type, from: event.from ?? '', user: event._embedded?.from_user ?? null,
      at: event.timestamp, body: event.body ?? {}, isDeleted: false, edited: '', replyTo: null,
      reactions: new Map(), reports: new Map(), reasons: new Map() };
    for (const [name, state] of Object.entries(STATES)) {
      for (const member of Object.keys(event.state?.[name] ?? {})) reported(entry, state, member);
    }
    if (event.body?.timestamp?.deleted && kind === 'message') blank(entry);
    this.#entries.set(key, entry);
    for (const change of this.#owed.get(event.id) ?? []) change(entry);
    this.#owed.delete(event.id);
    return [entry];
  }

  /** Change the entry that the event is about, now or when it comes: history is read backwards. */
  #about(event, change) {
    const target = Number(event.body?.event_id ?? event.body?.original_event_id);
    const entry = this.entry(target);
    if (entry === undefined) {
      this.#owed.set(target, [...this.#owed.get(target) ?? [], (found) => change(found, event)]);
      return [];
    }
    change(entry, event);
    return [entry];
  }

  #extend(event) {
    const { body, from, id } = event;
    switch (event.type.slice(EXTENSION.length)) {
      case 'edit': return this.#about(event, (entry) => edit(entry, body.text, id));
      case 'reply': return this.#about(event, (entry) => { entry.replyTo = Number(body.reply_to); });
      case 'reaction': return this.#about(event, (entry) => react(entry, body, from, id));
      default: return this.#add(event, 'note');
    }
  }
}

/** `seen` says more than `delivered`. */
function reported(entry, state, member) {
  const known = RANKS[entry.reports.get(member)] ?? 0;
  if (member && RANKS[state] > known) entry.reports.set(member, state);
}

/** Why a carrier did not bring it to a member. */
function explained(entry, { from, body }) {
  if (body.error) entry.reasons.set(from, body.error.reason || body.error.code);
}

function blank(entry) {
  entry.isDeleted = true;
  entry.body = {};
}

function edit(entry, text, by) {
  if (entry.isDeleted || by < (entry.editedBy ?? 0)) return;
  entry.editedBy = by;
  entry.edited = text;
}

/** The latest word of a member on a reaction counts. */
function react(entry, { reaction, action }, from, by) {
  const members = entry.reactions.get(reaction) ?? new Map();
  if (by < (members.get(from)?.by ?? 0)) return;
  members.set(from, { by, is: action === 'add' });
  entry.reactions.set(reaction, members);
}

/** Who reacts how: `[reaction, [member ids]]`, without what was taken back. */
export function reactionsOf(entry) {
  return [...entry.reactions].map(([reaction, members]) => [
    reaction, [...members].filter(([, given]) => given.is).map(([member]) => member),
  ]).filter(([, members]) => members.length);
}

/** The words of a message that has any, as they are now. */
export function textOf(entry) {
  if (entry.edited) return entry.edited;
  return entry.type === 'text' || entry.body.message_type === 'text' ? entry.body.text ?? '' : '';
}
