// A conversation of three.
import { Record, token } from '../live.mjs';
import { assert, dev, require, run, step, until } from '../steps.mjs';
import { PATIENCE, join, numbered } from './world.mjs';

const { LoggingLevel, VonageClient } = require('@vonage/client-sdk');
/** The handset that gets messages at once, and reads them after a second. */
const PROMPT = '15550110';

export async function gather() {
  const room = { heard: new Record() };
  await step('somebody in the app opens a conversation', async () => {
    room.sdk = new VonageClient({
      apiUrl: dev.api_url, websocketUrl: dev.api_url, rtcStatsTelemetry: false,
      loggingLevel: LoggingLevel.Assert,
    });
    room.sdk.on('conversationEvent', (event) => room.heard.add(event));
    await room.sdk.createSession(token(`alice-across-${run}`));
    room.id = await room.sdk.createConversation({ name: `across-${run}` });
    room.alice = await room.sdk.joinConversation(room.id);
  });
  await step('one with WhatsApp and one with SMS join', async () => {
    room.wanda = await join(room.id, 'whatsapp', numbered(PROMPT));
    room.sam = await join(room.id, 'sms', numbered(PROMPT));
    const members = [room.alice, room.wanda.id, room.sam.id];
    for (const id of members) {
      await hears(room, 'member:joined', ({ body }) => body.memberId === id);
    }
    const page = await room.sdk.getConversationMembers(room.id, { pageSize: 10 });
    assert.deepEqual(page.members.map(({ id }) => id).sort(), [...members].sort());
    const { events } = await room.sdk.getConversationEvents(room.id, { pageSize: 10 });
    assert.deepEqual(events.map(({ body }) => body.memberId).sort(), members.sort());
  });
  return room;
}

/** What the client is told. */
export function hears(room, kind, fits) {
  return until(`${kind} at the client`, () => room.heard.all(
    (event) => event.kind === kind && fits(event),
  )[0], PATIENCE);
}
