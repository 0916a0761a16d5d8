// The messages of a chat on the screen: who, what, when, and what became of it.
import { badge, fateOf } from './channels.js';
import { button, clock, element, fill, icon, iconButton, outwardLink } from './dom.js';
import { oneLine } from './json_view.js';
import { reactionsOf, textOf } from './chat_log.js';
import { contentOf, sentence } from './words.js';

const FAILED = new Set(['rejected', 'undeliverable']);
const REACTIONS = ['👍', '❤️', '😂', '🎉'];
const LINKED = new Set(['audio', 'video', 'file', 'vcard', 'image']);
const GROUP_MS = 180_000;
const NEAR_END = 60;

/** A list of messages; `talk` is the conversation it shows: log, names, ownership and deeds. */
export class Messages {
  #talk;
  #rows = new Map();
  #visible;

  constructor(talk) {
    this.#talk = talk;
    this.earlier = button('Earlier messages', () => talk.loadEarlier(), { class: 'small earlier',
      hidden: true });
    this.list = element('ol', { class: 'messages', 'aria-label': 'Messages', role: 'log',
      tabindex: '0' });
    this.fresh = button('New messages ↓', () => this.#toEnd(), { class: 'fresh', hidden: true });
    this.element = element('div', { class: 'scroll talk', on: {
      scroll: () => { if (this.#isAtEnd()) this.fresh.hidden = true; } } }, this.earlier, this.list);
    this.#visible = new IntersectionObserver((found) => this.#onVisible(found), { threshold: 0.6 });
    document.addEventListener('visibilitychange', () => this.#lookAgain());
  }

  #isAtEnd() {
    const { scrollHeight, clientHeight, scrollTop } = this.element;
    return scrollHeight - clientHeight - scrollTop < NEAR_END;
  }

  /** Draw what is new or changed; stays at the end when it was there. */
  draw(entries) {
    const scroller = this.element;
    const isAtEnd = this.#isAtEnd();
    const fromEnd = scroller.scrollHeight - scroller.scrollTop;
    const hasNewest = entries.some((entry) => !this.#rows.has(entry.key)
      && entry.order > (this.list.lastElementChild?.entry.order ?? 0));
    const isOwnWord = hasNewest && entries.some((entry) => this.#talk.isOwn(entry));
    for (const entry of entries) this.#place(entry);
    if (isAtEnd || isOwnWord) this.#toEnd();
    else if (hasNewest) this.fresh.hidden = false;
    else scroller.scrollTop = scroller.scrollHeight - fromEnd;
  }

  #toEnd() {
    this.element.scrollTop = this.element.scrollHeight;
    this.fresh.hidden = true;
  }

  #place(entry) {
    const row = this.#rowOf(entry);
    row.entry = entry;
    const old = this.#rows.get(entry.key);
    this.#rows.set(entry.key, row);
    if (old) {
      this.#visible.unobserve(old);
      old.replaceWith(row);
    } else {
      let before = this.list.lastElementChild;
      while (before && before.entry.order > entry.order) before = before.previousElementSibling;
      if (before) before.after(row);
      else this.list.prepend(row);
      if (row.nextElementSibling) this.#group(row.nextElementSibling);
    }
    this.#group(row);
    if (entry.kind === 'message' && !this.#talk.isOwn(entry)) this.#visible.observe(row);
  }

  /** Messages of one person in a row need the name once. */
  #group(row) {
    const { entry } = row;
    const before = row.previousElementSibling?.entry;
    const isSame = before?.kind === 'message' && entry.kind === 'message'
      && before.from === entry.from && Date.parse(entry.at) - Date.parse(before.at) < GROUP_MS;
    row.classList.toggle('follows', isSame);
  }

  #rowOf(entry) {
    if (entry.kind === 'note') return this.#noteOf(entry);
    const isOwn = this.#talk.isOwn(entry);
    const tools = element('div', { class: 'tools', hidden: true });
    const more = iconButton('more', 'What can be done with it', () => {
      tools.hidden = !tools.hidden;
      more.setAttribute('aria-expanded', String(!tools.hidden));
      if (!tools.hidden) fill(tools, this.#toolsOf(entry, isOwn));
    }, { 'aria-expanded': 'false', class: 'quiet square more', hidden: entry.isDeleted });
    const row = element('li', { class: `message ${isOwn ? 'own' : 'other'}`,
      data: { key: entry.key, type: entry.type } },
    element('p', { class: 'who' }, element('b', {}, this.#talk.nameOf(entry)), ' ',
      this.#wayOf(entry.from), element('time', { datetime: entry.at }, clock(entry.at).slice(0, 5))),
    element('div', { class: 'bubble-line' }, element('div', { class: 'bubble' }, this.#quoteOf(entry),
      this.#contentOf(entry)), more),
    this.#reactionsOf(entry), tools, isOwn ? this.#reportOf(entry) : '',
    this.#recipientsOf(entry));
    return row;
  }

  #noteOf(entry) {
    const said = sentence(entry.type, entry.body, this.#talk.nameOf(entry));
    const isOwnWord = /^(custom:|ephemeral)/.test(entry.type);
    return element('li', { class: 'note', data: { key: entry.key, type: entry.type } },
      isOwnWord && element('code', {}, entry.type), ' ', said);
  }

  #quoteOf(entry) {
    if (entry.replyTo === null) return null;
    const first = this.#talk.log.entry(entry.replyTo);
    const words = first ? textOf(first) || contentOf(first.body) : '';
    return element('div', { class: 'quote' }, element('b', {}, first ? this.#talk.nameOf(first)
      : `#${entry.replyTo}`), ' ', words.slice(0, 120));
  }

  #contentOf(entry) {
    const { type, body } = entry;
    if (entry.isDeleted) return element('em', { class: 'gone' }, 'deleted');
    if (type === 'image') return this.#pictureOf(body.representations ?? {});
    const words = textOf(entry);
    if (words) {
      const mark = entry.edited && element('small', { class: 'mark' }, ' edited');
      return element('span', { class: 'words' }, words, mark);
    }
    const part = body[body.message_type] ?? {};
    if (LINKED.has(body.message_type)) {
      return element('span', { class: 'attached' }, icon('file'), body.message_type, ' ',
        outwardLink(part.url), part.caption && element('span', { class: 'words' }, part.caption));
    }
    if (body.message_type === 'location') return element('span', {}, contentOf(body));
    return element('span', {}, `${body.message_type} `, element('code', {},
      oneLine(body.message_type === 'template' ? body.template : part, 400)));
  }

  #pictureOf(representations) {
    const found = representations.medium ?? representations.original ?? representations;
    const place = element('span', { class: 'picture' }, 'an image');
    if (found.url) {
      this.#talk.picture(found.url).then((source) => {
        fill(place, source ? element('img', { src: source, alt: 'An uploaded image' })
          : outwardLink(found.url));
      });
    }
    return place;
  }

  #reactionsOf(entry) {
    const given = reactionsOf(entry);
    if (given.length === 0) return null;
    return element('div', { class: 'reactions' }, given.map(([reaction, members]) => {
      const isMine = members.includes(this.#talk.memberId);
      const names = members.map((member) => this.#talk.memberName(member)).join(', ');
      return button(`${reaction} ${members.length}`, () => this.#talk.react(entry, reaction, !isMine),
        { class: 'chip', 'aria-pressed': String(isMine), title: names,
          'aria-label': `${reaction} by ${names}` });
    }));
  }

  /** The channel by which a member without the app writes. */
  #wayOf(memberId) {
    const channel = memberId && this.#talk.channelOf(memberId);
    return channel ? [badge(channel.type), ' '] : null;
  }

  /** What became of it at each member without the app. */
  #recipientsOf(entry) {
    const reached = [...entry.reports].filter(([member]) => this.#talk.channelOf(member));
    if (reached.length === 0) return null;
    return element('ul', { class: 'recipients', 'aria-label': 'Recipients' },
      reached.map(([member, state]) => element('li', {},
        badge(this.#talk.channelOf(member).type), element('b', {}, this.#talk.memberName(member)),
        fateOf({ state, reason: FAILED.has(state) && entry.reasons.get(member) }))));
  }

  #reportOf(entry) {
    const by = (state) => [...entry.reports].filter(([member, is]) => is === state
      && member !== this.#talk.memberId && !this.#talk.channelOf(member)).map(([member]) => this.#talk.memberName(member));
    const seen = by('seen');
    const delivered = by('delivered');
    const others = ['rejected', 'undeliverable'].find((state) => by(state).length);
    let told = 'sent';
    if (others) told = others;
    else if (seen.length) told = `seen by ${seen.join(', ')}`;
    else if (delivered.length) told = `delivered to ${delivered.join(', ')}`;
    if (told === 'sent' && this.#recipientsOf(entry)) return null;
    return element('p', { class: 'report', data: { report: told.split(' ')[0] } }, told);
  }

  #toolsOf(entry, isOwn) {
    const talk = this.#talk;
    const tools = REACTIONS.map((reaction) => button(reaction,
      () => talk.react(entry, reaction, true), { class: 'quiet small', 'aria-label':
        `React with ${reaction}` }));
    tools.push(button('Reply', () => talk.reply(entry), { class: 'quiet small' }));
    if (isOwn && textOf(entry)) {
      tools.push(button('Edit', () => talk.edit(entry), { class: 'quiet small' }));
    }
    if (isOwn) {
      tools.push(button('Delete', () => talk.remove(entry), { class: 'quiet small danger' }));
    }
    return tools;
  }

  #onVisible(found) {
    if (document.visibilityState !== 'visible') return;
    for (const { target, isIntersecting } of found) {
      if (isIntersecting) this.#talk.markSeen(target.entry);
    }
  }

  /** The page came back to the front: what is on the screen is seen now. */
  #lookAgain() {
    for (const row of this.#rows.values()) {
      if (row.entry.kind !== 'message' || this.#talk.isOwn(row.entry)) continue;
      this.#visible.unobserve(row);
      this.#visible.observe(row);
    }
  }
}
