// The application, and handsets of the simulated network.
import { randomUUID } from 'node:crypto';
import { token } from '../live.mjs';
import { dev, run, until } from '../steps.mjs';

/** The application's own number. */
export const OWN = '15550199';
/** Longer than anything takes, since the machine may be busy. */
export const PATIENCE = 60_000;
let people = 0;

/** A number of this run alone, which ends as that of a handset. */
export function numbered(end) {
  people += 1;
  return `44${people}${String(Number.parseInt(run, 16) % 1e4).padStart(4, '0')}${end}`;
}

export async function ask(method, path, body) {
  const response = await fetch(`${dev.api_url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token()}`, 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text ? JSON.parse(text) : undefined;
}

/** What a handset shows: `{ text, direction … }`. */
export async function screen(channel, number) {
  return (await ask('GET', `/tertulia/v1/handsets/${channel}/${number}`)).messages;
}

export const write = (channel, number, text) => ask(
  'POST', `/tertulia/v1/handsets/${channel}/${number}/messages`, { to: OWN, text },
);

export async function join(conversation, channel, number) {
  const name = `${channel}-${number}`;
  await ask('POST', '/v1/users', { name });
  const end = (at) => ({ type: channel, number: at });
  const { id } = await ask('POST', `/v1/conversations/${conversation}/members`, {
    state: 'joined', user: { name }, channel: { type: channel, to: end(number), from: end(OWN) },
  });
  return { id, channel, number };
}

/** All events of a conversation, the oldest first. */
export async function history(conversation) {
  const found = [];
  for (;;) {
    const last = found.at(-1)?.id;
    const start = last ? `&start_id=${last + 1}` : '';
    const page = await ask(
      'GET', `/v1/conversations/${conversation}/events?order=asc&page_size=100${start}`);
    const events = page._embedded.events ?? page._embedded;
    found.push(...events.filter(({ id }) => !last || id > last));
    if (events.length < 100) return found;
  }
}

/** The state of a message, as soon as it is so. */
export function state(conversation, id, isSo) {
  return until(`the state of ${id}`, async () => {
    const found = (await ask('GET', `/v1/conversations/${conversation}/events/${id}`)).state;
    return isSo(found ?? {}) && found;
  }, PATIENCE);
}

export const fresh = (about) => `${about} ${randomUUID()}`;
