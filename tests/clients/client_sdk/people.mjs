// Conversations and who is in them: made, changed, joined, invited to, listed.
import { rejection } from '../live.mjs';
import { assert, require, run, step } from '../steps.mjs';

const { OrderBy, PresentingOrder } = require('@vonage/client-sdk');
const MADE = { displayName: 'Tea room', imageUrl: 'https://files.example/tea.png', customData: { tables: 4 } };

export async function people({ alice, bob }) {
  const room = { name: `room-sdk-${run}` };
  await step('getUser: me, by name', async () => {
    assert.equal((await alice.sdk.getUser('me')).name, alice.name);
    assert.equal((await alice.sdk.getUser(bob.name)).name, bob.name);
  });
  await step('createConversation, getConversation', async () => {
    room.id = await alice.sdk.createConversation({ name: room.name, ...MADE });
    const made = await alice.sdk.getConversation(room.id);
    assert.deepEqual([made.name, made.displayName, made.imageUrl], [room.name, MADE.displayName, MADE.imageUrl]);
    assert.deepEqual(made.properties.customData, MADE.customData);
  });
  await step('getConversation by name', async () => {
    assert.equal((await alice.sdk.getConversation(room.name)).id, room.id);
  });
  await step('joinConversation: I hear of it', async () => {
    room.hers = await alice.sdk.joinConversation(room.id);
    const { body } = await alice.next('member:joined');
    assert.deepEqual([body.memberId, body.user.name], [room.hers, alice.name]);
  });
  await step('inviteToConversation: the invited hears of it', async () => {
    const invited = await alice.sdk.inviteToConversation(room.id, bob.name);
    for (const person of [alice, bob]) {
      const { body, conversationId } = await person.next('member:invited');
      assert.deepEqual([conversationId, body.memberId, body.user.name], [room.id, invited, bob.name]);
    }
  });
  await step('the invited joins, the others hear of it', async () => {
    room.his = await bob.sdk.joinConversation(room.id);
    for (const person of [alice, bob]) {
      await person.next('member:joined', ({ body }) => body.memberId === room.his);
    }
  });
  await lists({ alice, bob }, room);
  await changes(alice, room);
  await refusals({ alice, bob }, room);
  return room;
}

async function lists({ alice, bob }, room) {
  await step('getConversationMembers, page by page', async () => {
    const first = await alice.sdk.getConversationMembers(room.id, { pageSize: 1, order: PresentingOrder.ASC });
    const second = await alice.sdk.getConversationMembers(room.id, { pageSize: 1, cursor: first.nextCursor });
    const names = [first, second].flatMap(({ members }) => members.map(({ user }) => user.name));
    assert.deepEqual(names, [alice.name, bob.name]);
    assert.equal(second.nextCursor ?? null, null);
  });
  await step('getConversationMember', async () => {
    const member = await alice.sdk.getConversationMember(room.id, room.his);
    assert.deepEqual([member.id, member.state, member.user.name], [room.his, 'JOINED', bob.name]);
    assert.equal((await alice.sdk.getConversationMember(room.id, 'me')).id, room.hers);
  });
  await step('getConversations: the newest first', async () => {
    const id = await alice.sdk.createConversation({ name: `newer-sdk-${run}` });
    await alice.sdk.joinConversation(id);
    const found = [];
    let cursor;
    do {
      const page = await alice.sdk.getConversations({
        pageSize: 1, order: PresentingOrder.DESC, orderBy: OrderBy?.CREATED, includeCustomData: true, cursor,
      });
      found.push(...page.conversations);
      cursor = page.nextCursor;
    } while (cursor);
    assert.deepEqual(found.map((each) => each.id), [id, room.id]);
    assert.deepEqual(found[1].properties.customData, MADE.customData);
  });
}

async function changes({ sdk }, room) {
  await step('updateConversation changes what is named, and that alone', async () => {
    await sdk.updateConversation(room.id, { displayName: 'Coffee house' });
    const changed = await sdk.getConversation(room.id);
    assert.deepEqual([changed.displayName, changed.imageUrl], ['Coffee house', MADE.imageUrl]);
    assert.deepEqual(changed.properties.customData, MADE.customData);
  });
}

async function refusals({ alice, bob }, room) {
  const cases = {
    'a conversation that is not there': ['conversation:error:not-found', () => alice.sdk.getConversation('CON-none')],
    'a name that is taken': ['conversation:error:duplicate-name', () => alice.sdk.createConversation({ name: room.name })],
    'to join twice': ['conversation:error:member-already-joined', () => bob.sdk.joinConversation(room.id)],
    'to invite a member': ['conversation:error:member-already-joined', () => alice.sdk.inviteToConversation(room.id, bob.name)],
    'to invite nobody': ['user:error:not-found', () => alice.sdk.inviteToConversation(room.id, `nobody-${run}`)],
    'a member that is not there': ['conversation:error:member-not-found', () => alice.sdk.getConversationMember(room.id, 'MEM-00000000-0000-4000-8000-000000000000')],
    'a user that is not there': ['user:error:not-found', () => alice.sdk.getUser(`nobody-${run}`)],
  };
  for (const [what, [code, attempt]] of Object.entries(cases)) {
    await step(`refused: ${what}`, async () => assert.equal((await rejection(attempt())).code, code));
  }
}
