// Conversations and who is in them: made, joined, invited to, listed, left.
import { Record, rejection } from '../live.mjs';
import { assert, run, step } from '../steps.mjs';

/** A conversation as one member has it, and what it is told there. */
export function place(conversation) {
  const heard = new Record();
  conversation.on('*', (type, member, event) => heard.add({ type, member, event }));
  const next = (type, fits = () => true) => heard.has(
    type, (entry) => entry.type === type && fits(entry.event, entry.member),
  );
  return { conversation, heard, next };
}

export async function people({ alice, bob }) {
  const invitations = new Record();
  bob.application.on('member:invited', (member, event) => invitations.add({ member, event }));
  const made = await step('newConversation', async () => {
    const conversation = await alice.application.newConversation({ name: `room-${run}`, display_name: 'Tea room' });
    assert.match(conversation.id, /^CON-/);
    assert.deepEqual([conversation.name, conversation.display_name], [`room-${run}`, 'Tea room']);
    assert.equal(conversation.me ?? null, null);
    return conversation;
  });
  const hers = place(made);
  await step('join: I am a member, and hear of it', async () => {
    const member = await made.join();
    assert.deepEqual([member.user.name, member.state], [alice.name, 'JOINED']);
    assert.equal(made.me.id, member.id);
    await hers.next('member:joined', (event) => event.body.user.name === alice.name);
  });
  await step('invite: the invited hears of it, who invited and where to', async () => {
    const invited = await made.invite({ user_name: bob.name });
    assert.equal(invited.state, 'INVITED');
    const { member, event } = await invitations.has('the invitation', () => true);
    assert.equal(member.invited_by, alice.name);
    assert.deepEqual([event.cid, event.body.user.name], [made.id, bob.name]);
    await hers.next('member:invited', (told) => told.body.user.name === bob.name);
  });
  const his = place(await step('getConversation of an invitation', async () => {
    const conversation = await bob.application.getConversation(made.id);
    assert.deepEqual([conversation.id, conversation.display_name], [made.id, 'Tea room']);
    return conversation;
  }));
  await step('the invited joins, the others hear of it', async () => {
    const member = await his.conversation.join();
    assert.equal(member.state, 'JOINED');
    const { event } = await hers.next('member:joined', (told) => told.body.user.name === bob.name);
    assert.equal(event.from, member.id);
  });
  await joinedTwice(his);
  await lists({ alice, bob }, { hers, his });
  await elsewhere(alice);
  return { hers, his };
}

const joinedTwice = (his) => step('who has joined cannot join again', async () => {
  const error = await rejection(his.conversation.join());
  assert.equal(error.type, 'conversation:error:member-already-joined');
});

async function lists({ alice, bob }, { hers, his }) {
  const room = hers.conversation;
  await step('getMembers', async () => {
    const { items } = await room.getMembers();
    assert.deepEqual([...items.values()].map(({ user, state }) => [user.name, state]), [
      [alice.name, 'JOINED'], [bob.name, 'JOINED'],
    ]);
  });
  await step('getMember, getMyMember', async () => {
    const other = await room.getMember(his.conversation.me.id);
    assert.equal(other.user.name, bob.name);
    const mine = await room.getMyMember();
    assert.deepEqual([mine.id, mine.user.name], [room.me.id, alice.name]);
  });
  await step('getMember of nobody', async () => {
    const error = await rejection(room.getMember('MEM-00000000-0000-4000-8000-000000000000'));
    assert.equal(error.type, 'conversation:error:member-not-found');
  });
  await step('getConversations', async () => {
    const { items } = await alice.application.getConversations({ page_size: 1, order: 'desc' });
    assert.deepEqual([...items.keys()], [room.id]);
    assert.equal(items.get(room.id).me.id, room.me.id);
  });
  await step('getConversation as earlier editions have it', async () => {
    const found = await bob.application.getConversation(room.id, 'v0.1');
    assert.deepEqual([found.id, found.me.id], [room.id, his.conversation.me.id]);
    assert.equal(found.members.size, 2);
  });
  await step('getUser', async () => {
    const me = await alice.application.getUser();
    assert.deepEqual([me.id, me.name], [alice.application.me.id, alice.name]);
    assert.equal((await alice.application.getUser(bob.application.me.id)).name, bob.name);
  });
}

async function elsewhere({ application }) {
  await step('newConversationAndJoin', async () => {
    const other = await application.newConversationAndJoin({ name: `other-${run}` });
    assert.equal(other.me.state, 'JOINED');
  });
  await step('a name that is taken', async () => {
    const error = await rejection(application.newConversation({ name: `room-${run}` }));
    assert.equal(error.type, 'conversation:error:duplicate-name');
  });
  await step('a conversation that is not there', async () => {
    const error = await rejection(application.getConversation('CON-none'));
    assert.equal(error.type, 'conversation:error:not-found');
  });
}
