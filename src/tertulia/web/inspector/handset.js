// A simulated handset, as one would hold it: what it got, and what its owner answers.
import { badge, channelOptions } from './channels.js';
import { clock, element, field, fill, outwardLink } from './dom.js';
import { tried } from './section.js';

const NEAR_END = 40;

export class Handset {
  #api;
  #own;
  #shown = '';
  #at = null;

  /** `own` is a number of the application, to write to before it has written. */
  constructor(api, own) {
    this.#api = api;
    this.#own = own;
    this.about = element('p', { class: 'hint' });
    this.title = element('h3', { class: 'mono' });
    this.list = element('ol', { class: 'texts', role: 'log', 'aria-label': 'Texts', tabindex: '0' });
    this.to = element('input', { name: 'to', required: true, autocomplete: 'off',
      spellcheck: 'false', 'aria-label': 'To' });
    this.words = element('textarea', { name: 'words', rows: '1', class: 'words', required: true,
      'aria-label': 'Text', placeholder: 'Text' });
    this.form = element('form', { class: 'answer', on: {
      submit: (event) => { event.preventDefault(); this.#send(); },
      keydown: (event) => this.#pressed(event),
    } }, element('label', { class: 'to' }, element('span', {}, 'To'), this.to),
    element('div', { class: 'write' }, this.words, element('button', { class: 'primary' }, 'Send')));
    this.mark = element('span', {});
    this.element = element('section', { class: 'handset', 'aria-label': 'Simulated handset',
      hidden: true },
    element('header', {}, element('div', { class: 'tools' }, this.title, this.mark), this.about),
    this.list, this.form);
  }

  get at() {
    return this.#at;
  }

  /** Take up another one: `{channel, address}`. */
  async take(at) {
    this.#at = at;
    this.#shown = '';
    this.to.value = this.#own;
    this.words.value = '';
    this.element.hidden = false;
    await this.look();
  }

  putAway() {
    this.#at = null;
    this.element.hidden = true;
  }

  focus() {
    this.words.focus();
  }

  /** What has come since. */
  async look() {
    const at = this.#at;
    if (!at) return;
    const found = await this.#api.get(pathOf(at));
    const told = JSON.stringify(found);
    if (at !== this.#at || told === this.#shown) return;
    const isFirst = this.#shown === '';
    this.#shown = told;
    this.#draw(found, isFirst);
  }

  #draw({ channel, address, about, messages }, isFirst) {
    const { list } = this;
    const isAtEnd = isFirst || list.scrollHeight - list.clientHeight - list.scrollTop < NEAR_END;
    fill(this.title, address);
    fill(this.mark, badge(channel));
    fill(this.about, about);
    fill(list, messages.length ? messages.map(rowOf)
      : element('li', { class: 'hint' }, 'Nothing has come yet.'));
    if (isAtEnd) list.scrollTop = list.scrollHeight;
    const last = messages.findLast((each) => each.direction === 'in');
    if (last && isFirst) this.to.value = last.from;
  }

  #pressed(event) {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    if (event.target !== this.words) return;
    event.preventDefault();
    this.form.requestSubmit();
  }

  #send() {
    const text = this.words.value.trim();
    if (!text) return undefined;
    return tried(async () => {
      await this.#api.post(`${pathOf(this.#at)}/messages`, { to: this.to.value.trim(), text });
      this.words.value = '';
      await this.look();
      this.list.scrollTop = this.list.scrollHeight;
    });
  }
}

/** Which handset: chosen by channel and number. */
export class HandsetPicker {
  /** `onTake({channel, address})` */
  constructor(onTake) {
    this.channel = element('select', { name: 'channel' }, channelOptions());
    this.address = element('input', { name: 'address', required: true, autocomplete: 'off',
      spellcheck: 'false', list: 'handset-numbers' });
    this.numbers = element('datalist', { id: 'handset-numbers' });
    this.element = element('form', { class: 'inline picker', on: { submit: (event) => {
      event.preventDefault();
      onTake({ channel: this.channel.value, address: this.address.value.trim() });
    } } }, field('Number', this.address), field('Channel', this.channel), this.numbers,
    element('button', { class: 'small primary' }, 'Pick up'));
  }

  offer(numbers) {
    fill(this.numbers, numbers.map(({ number, about }) => element('option', {
      value: number, label: about })));
  }
}

function rowOf(message) {
  const { direction, at, status, from, to } = message;
  const isOwn = direction === 'out';
  return element('li', { class: isOwn ? 'message own' : 'message other' },
    element('div', { class: 'bubble' }, wordsOf(message)),
    element('p', { class: 'report' }, clock(at).slice(0, 5), ' · ',
      isOwn ? `to ${to}` : `from ${from}`, !isOwn && status === 'failed' && ' · not delivered'));
}

function wordsOf(message) {
  const { message_type: type, text } = message;
  if (text) return element('span', { class: 'words' }, text);
  const part = message[type] ?? {};
  return element('span', { class: 'words' }, `${type} `, part.url ? outwardLink(part.url)
    : JSON.stringify(part), part.caption && element('span', {}, ` ${part.caption}`));
}

function pathOf({ channel, address }) {
  return `/tertulia/v1/handsets/${channel}/${encodeURIComponent(address)}`;
}
