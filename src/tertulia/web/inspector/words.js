// What an event says, in a person's words.
import { AUDIO_SENTENCES } from './audio_words.js';
import { CHANNELS } from './channels.js';
import { oneLine } from './json_view.js';

/** Headings of the timeline's filter, in the order they are shown. */
export const HEADINGS = [
  'message', 'member', 'conversation', 'custom', 'ephemeral', 'audio', 'leg', 'rtc', 'sip', 'other',
];

/** Types from before `message`, and the deletion that is mostly of one. */
const OF_MESSAGES = new Set(['text', 'image', 'event']);

export function headingOf(type) {
  const prefix = String(type).split(':', 1)[0];
  if (OF_MESSAGES.has(prefix)) return 'message';
  return HEADINGS.includes(prefix) ? prefix : 'other';
}

const SENTENCES = {
  ...AUDIO_SENTENCES,
  'member:invited': (who, body) => `${nameOf(body.user) || who} was invited`
    + (body.invited_by ? ` by ${body.invited_by}` : ''),
  'member:joined': (who, body) => `${nameOf(body.user) || who} joined`,
  'member:left': (who, body) => `${nameOf(body.user) || who} left`
    + (body.reason?.text ? `: ${body.reason.text}` : ''),
  'member:media': (who, body) => `audio of ${who} is ${body.audio ? 'on' : 'off'}`,
  'conversation:created': (who, body) => `“${body.display_name || body.name}” was created`,
  'conversation:updated': (who, body) => `“${body.display_name || body.name}” was changed`,
  'conversation:deleted': (who, body) => `“${body.display_name || body.name}” was deleted`,
  'member:message:status': (who, body) => `${labelOf(body.channel_type)} to ${body.to} with `
    + `#${body.original_event_id}${body.error ? `: ${body.error.reason || body.error.code}` : ''}`,
  'custom:tertulia:message': (who, { message_uuid: id, members = {} }) =>
    `${labelOf(members.channel)} ${id.slice(0, 8)}: ${members.status ?? 'under way'}`,
  'event:delete': (who, body) => `${who} deleted #${body.event_id}`,
  'text:typing:on': (who) => `${who} types`,
  'text:typing:off': (who) => `${who} stopped typing`,
  text: (who, body) => `${who}: ${body.text}`,
  image: (who) => `${who} sent an image`,
  message: (who, body) => `${who}: ${contentOf(body)}`,
  'custom:tertulia:edit': (who, body) => `${who} changed #${body.event_id}: ${body.text}`,
  'custom:tertulia:reply': (who, body) => `${who} answered #${body.reply_to} with #${body.event_id}`,
  'custom:tertulia:reaction': (who, body) => `${who}: ${body.reaction} to #${body.event_id}`,
};

/** A short sentence; `who` is the name of the sender. */
export function sentence(type, body, who) {
  if (body?.timestamp?.deleted && !type.startsWith('member:')) return `${who}: (deleted)`;
  const known = SENTENCES[type];
  if (known) return known(who, body ?? {});
  const report = /^(?:message|text|image):(\w+)$/.exec(type);
  if (report && body?.event_id) return `#${body.event_id} ${report[1]} · ${who}`;
  const said = body && Object.keys(body).length ? oneLine(body) : '';
  return said ? `${who} ${said}` : who;
}

/** The content of a message of any subtype, in one line. */
export function contentOf(body) {
  const part = body[body.message_type];
  switch (body.message_type) {
    case 'text': return body.text ?? '';
    case 'location':
      return `location ${[part?.name, part?.address, `${part?.latitude}, ${part?.longitude}`]
        .filter(Boolean).join(' · ')}`;
    case 'template': return `template ${part?.name} ${oneLine(part?.parameters ?? [])}`;
    case 'custom': case 'random': return `${body.message_type} ${oneLine(part ?? {})}`;
    default: return `${body.message_type} ${part?.url ?? ''}`;
  }
}

function nameOf(user) {
  return user?.display_name || user?.name || '';
}

function labelOf(channel) {
  return CHANNELS[channel]?.label ?? 'message';
}
