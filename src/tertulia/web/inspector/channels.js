// Messaging channels: how they are called, who is reached by them, and what became of a message.
import { element } from './dom.js';

/** By type: what people call it, and whether its ends are numbers or ids. */
export const CHANNELS = {
  sms: { label: 'SMS', end: 'number' },
  mms: { label: 'MMS', end: 'number' },
  whatsapp: { label: 'WhatsApp', end: 'number' },
  viber: { label: 'Viber', end: 'number' },
  messenger: { label: 'Messenger', end: 'id' },
  rcs: { label: 'RCS', end: 'number' },
  email: { label: 'Email', end: 'id' },
};

/** A channel's name as a small mark; what is no messaging channel is named as it is. */
export function badge(type) {
  return element('span', { class: 'channel', data: { channel: type ?? '' } },
    CHANNELS[type]?.label ?? type ?? '');
}

export function isMessaging(type) {
  return type in CHANNELS;
}

/** Number or id of a channel's end; '' when there is none. */
export function endName(end) {
  return end?.number ?? end?.id ?? '';
}

/** The channel object of a member whom `to` reaches and who hears from `from`. */
export function channelTo(type, to, from) {
  const { end } = CHANNELS[type];
  return { type, to: { type, [end]: to }, from: { type, [end]: from } };
}

/** What one recipient of a message is told to have got of it. */
export function fateOf({ state, reason }) {
  return [element('span', { class: 'fate', data: { fate: state } }, state),
    reason && element('span', { class: 'reason' }, reason)];
}

export function channelOptions() {
  return Object.entries(CHANNELS).map(([value, { label }]) => element('option', { value }, label));
}
