// The moments of a call, as `/v1/calls/{uuid}/timeline` has them, made ready to be drawn.

/** What is drawn beside each other, in this order. */
export const LANES = [
  { id: 'sip', label: 'SIP' },
  { id: 'script', label: 'Script' },
  { id: 'webhook', label: 'Webhooks' },
  { id: 'audio', label: 'Audio' },
  { id: 'event', label: 'Events' },
];

const STATUS = 'leg:status:update ';
const RESPONSE = /^SIP\/2\.0 (\d{3}) ?(.*)$/;
const REQUEST = /^([A-Z]+) ([^; ]*)\S* SIP\/2\.0$/;
/** What begins and ends, in the words of events: from the first to the next one of the others. */
const SPANS = [
  { kind: 'said', begin: 'audio:say', end: ['audio:say:done', 'audio:say:stop'] },
  { kind: 'played', begin: 'audio:play', end: ['audio:play:done', 'audio:play:stop'] },
  { kind: 'recorded', begin: 'audio:record', end: ['audio:record:done'] },
  { kind: 'spoken', begin: 'audio:speaking:on', end: ['audio:speaking:off'] },
  { kind: 'rings', begin: `${STATUS}ringing`, end: [`${STATUS}answered`] },
  { kind: 'talks', begin: `${STATUS}answered`, end: [] },
];
export const SPAN_WORDS = { said: 'said', played: 'played', recorded: 'recorded',
  spoken: 'the other end speaks', rings: 'rings', talks: 'answered' };
const OVER = /^leg:status:update (completed|failed|busy|timeout|cancelled|rejected)$/;

/**
 * One line: `{at, lane, leg, arrow, words, detail, text}`. `at` is in milliseconds since 1970,
 * `arrow` is `out`, `in` or '', `leg` is the key of the call that it is of.
 */
export function readMoment({ at, lane, text, detail }, leg) {
  const made = { at: Date.parse(at), leg, arrow: '', words: text, detail, text,
    lane: lane === 'event' && text.startsWith('audio:') ? 'audio' : lane };
  if (lane === 'sip') {
    made.arrow = text.startsWith('>') ? 'out' : 'in';
    made.words = messageOf(text.slice(2));
  } else if (text.startsWith(STATUS)) made.words = `leg ${text.slice(STATUS.length)}`;
  return made;
}

/** All of some calls, `[{key, moments}]`, on one axis. */
export function merged(calls) {
  return calls.flatMap(({ key, moments }) => moments.map((each) => readMoment(each, key)))
    .sort((one, other) => one.at - other.at);
}

/** What lasted, `{lane, leg, kind, from, to}`: what has not ended lasts until `now`. */
export function spansOf(moments, now) {
  return SPANS.flatMap(({ kind, begin, end }) => moments
    .map((moment, index) => ({ moment, index }))
    .filter(({ moment }) => moment.text === begin)
    .map(({ moment, index }) => {
      const after = moments.slice(index + 1).filter((each) => each.leg === moment.leg);
      const ended = after.find((each) => end.includes(each.text) || OVER.test(each.text));
      return { kind, lane: moment.lane, leg: moment.leg, from: moment.at, to: ended?.at ?? now };
    }));
}

/** Where numbers stand on an axis of so many milliseconds: at most about eight of them. */
export function ticksOf(length) {
  const steps = [100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 60_000, 120_000, 300_000, 600_000,
    1_800_000, 3_600_000];
  const step = steps.find((each) => length / each <= 8) ?? steps.at(-1);
  return Array.from({ length: Math.floor(length / step) + 1 }, (_, index) => index * step);
}

/** `0.25 s`, `12 s`, `3:05`. */
export function elapsed(milliseconds) {
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${Number(seconds.toFixed(1))} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

function messageOf(line) {
  const response = RESPONSE.exec(line);
  if (response) return `${response[1]} ${response[2]}`;
  const request = REQUEST.exec(line);
  return request ? `${request[1]} ${request[2]}` : line;
}
