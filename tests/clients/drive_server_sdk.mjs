// The shortest use of @vonage/server-sdk: a user, a conversation, a member, an event, a call.
import { assert, connect, finish, run, step } from './steps.mjs';

const vonage = connect();
const user = await step('users.createUser', () => vonage.users.createUser({ name: `srv-${run}`, displayName: 'Srv' }));
const room = await step('conversations.createConversation', () => vonage.conversations.createConversation({ name: `c-${run}`, displayName: 'C' }));
await step('conversations.getConversation', () => vonage.conversations.getConversation(room.id));
const member = await step('conversations.createMember', () => vonage.conversations.createMember(
  room.id, { state: 'joined', user: { id: user.id }, channel: { type: 'app' } },
));
await step('conversations.createEvent', () => vonage.conversations.createEvent(
  room.id, { type: 'message', from: member.id, body: { messageType: 'text', text: 'from the server' } },
));
await step('conversations.getEventPage', async () => {
  const page = await vonage.conversations.getEventPage(room.id);
  assert.deepEqual(page.events.map(({ type }) => type), ['member:joined', 'message']);
});
await step('voice.createOutboundCall', () => vonage.voice.createOutboundCall({
  to: [{ type: 'app', user: `srv-${run}` }], from: { type: 'phone', number: '447700900000' }, ncco: [{ action: 'talk', text: 'hi' }],
}));
finish();
