// Members: invited, joined, left, listed; a user acting for itself; the conflicts.
import { assert, connect, refused, run, step, walksAlike } from '../steps.mjs';

const NOBODY = 'MEM-00000000-0000-4000-8000-000000000000';
const app = { type: 'app' };

export async function members({ conversations: api, users }) {
  const room = await api.createConversation({ name: `members-${run}` });
  const [ann, ben, cid] = await Promise.all(['ann', 'ben', 'cid'].map(
    (name) => users.createUser({ name: `${name}-${run}`, displayName: name.toUpperCase() }),
  ));
  const joined = await step('createMember joins a user by id', async () => {
    const member = await api.createMember(room.id, {
      state: 'JOINED',
      user: { id: ann.id },
      channel: app,
      media: { audioSettings: { enabled: true, earmuffed: false, muted: true }, audio: true },
    });
    assert.match(member.id, /^MEM-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.equal(member.conversationId, room.id);
    assert.equal(member.state, 'JOINED');
    assert.equal(member.channel.type, 'app');
    assert.deepEqual(member.media, { audioSettings: { enabled: true, earmuffed: false, muted: true }, audio: true });
    assert.deepEqual(member.user, { id: ann.id, name: ann.name, displayName: 'ANN' });
    assert.ok(member.timestamp.joined);
    assert.equal(member.initiator.joined.isSystem, true);
    return member;
  });
  const invited = await step('createMember invites a user by name', async () => {
    const member = await api.createMember(room.id, {
      state: 'INVITED',
      user: { name: ben.name },
      channel: { type: 'phone', from: { type: 'phone', number: '447700900001' }, to: { type: 'phone', number: '447700900002' } },
      invitedBy: joined.id,
      knockingId: 'c1d2e3f4-0000-4a4a-8b8b-00000000000a',
    });
    assert.equal(member.state, 'INVITED');
    assert.equal(member.user.id, ben.id);
    assert.equal(member.invitedBy, joined.id);
    assert.equal(member.knockingId, 'c1d2e3f4-0000-4a4a-8b8b-00000000000a');
    assert.deepEqual(member.channel.to, { type: 'phone', number: '447700900002' });
    assert.ok(member.timestamp.invited);
    assert.equal(member.timestamp.joined, undefined);
    return member;
  });
  await step('getMember answers what createMember answered', async () => {
    assert.deepEqual(await api.getMember(room.id, joined.id), joined);
    assert.deepEqual(await api.getMember(room.id, invited.id), invited);
  });
  await changes(api, room, cid, invited);
  await listing(api, users);
  await asUser(users, api, room, ann, joined);
  await refusals(api, room, ann, joined);
}

async function changes(api, room, cid, invited) {
  await step('updateMember lets an invited member join', async () => {
    const member = await api.updateMember(room.id, invited.id, { state: 'JOINED', from: invited.id });
    assert.equal(member.id, invited.id);
    assert.equal(member.state, 'JOINED');
    assert.equal(member.timestamp.invited, invited.timestamp.invited);
    assert.ok(member.timestamp.joined >= member.timestamp.invited);
    assert.deepEqual(await api.getMember(room.id, invited.id), member);
  });
  await step('updateMember lets a member leave, with its reason', async () => {
    const reason = { code: 'LOCAL_HANGUP', text: 'had enough' };
    const member = await api.updateMember(room.id, invited.id, { state: 'LEFT', from: invited.id, reason });
    assert.equal(member.state, 'LEFT');
    assert.ok(member.timestamp.left >= member.timestamp.joined);
    const { events: [left] } = await api.getEventPage(room.id, { eventType: 'member:left' });
    assert.deepEqual(left.body.reason, reason);
    assert.equal(left.body.memberId, invited.id);
  });
  await step('who left comes back as a new member', async () => {
    const again = await api.createMember(room.id, { state: 'joined', user: { id: invited.user.id }, channel: app });
    assert.notEqual(again.id, invited.id);
    assert.equal((await api.getMember(room.id, invited.id)).state, 'LEFT');
  });
  await step('states are accepted in lower case', async () => {
    const member = await api.createMember(room.id, { state: 'invited', user: { id: cid.id }, channel: app });
    assert.equal(member.state, 'INVITED');
    assert.equal((await api.updateMember(room.id, member.id, { state: 'left' })).state, 'LEFT');
  });
  await step('every change of a member is an event, in order', async () => {
    const { events } = await api.getEventPage(room.id, { pageSize: 100 });
    assert.deepEqual(events.map(({ id }) => id), events.map((_, n) => n + 1));
    assert.deepEqual(events.map(({ type }) => type.replace('member:', '')), [
      'joined', 'invited', 'joined', 'left', 'joined', 'invited', 'left',
    ]);
    assert.equal((await api.getConversation(room.id)).sequenceNumber, events.length);
  });
}

async function listing(api, users) {
  const room = await api.createConversation({ name: `many-members-${run}` });
  const made = [];
  for (let n = 0; n < 7; n += 1) {
    const user = await users.createUser({ name: `many-${n}-${run}` });
    made.push(await api.createMember(room.id, { state: n % 2 ? 'INVITED' : 'JOINED', user: { id: user.id }, channel: app }));
  }
  const seen = ({ id, state, user }) => [id, state, user.id, user.name];
  await step('listAllMembers walks every page, both ways', () => walksAlike(
    (page) => api.listAllMembers(room.id, page), made.map(seen), seen,
  ));
  await step('getMemberPage has a page and its absolute links', async () => {
    const page = await api.getMemberPage(room.id, { pageSize: 3 });
    assert.equal(page.pageSize, 3);
    assert.deepEqual(page.members.map(seen), made.slice(0, 3).map(seen));
    for (const link of ['first', 'self', 'next']) new URL(page.links[link].href);
    const cursor = new URL(page.links.next.href).searchParams.get('cursor');
    const second = await api.getMemberPage(room.id, { pageSize: 3, cursor });
    assert.deepEqual(second.members.map(seen), made.slice(3, 6).map(seen));
    new URL(second.links.prev.href);
  });
}

async function asUser(users, api, room, ann, joined) {
  const mine = connect({ jwtOptions: { subject: ann.name } }).conversations;
  await step('getMe with a user’s token is that user’s member', async () => {
    const member = await mine.getMe(room.id);
    assert.deepEqual(member, await mine.getMember(room.id, joined.id));
    assert.equal(member.user.name, ann.name);
  });
  await step('getMe calls the same address as getMember', () => refused(
    404, 'conversation:error:member-not-found', () => api.getMe(room.id),
  ));
  await step('a user sends as its own member', async () => {
    const event = await mine.createEvent(room.id, { type: 'message', from: joined.id, body: { messageType: 'text', text: 'me' } });
    assert.equal(event.fromUser.id, ann.id);
  });
  await step('a user joins by itself, and is named as who did it', async () => {
    const open = await mine.createConversation({ name: `anns-${run}` });
    const member = await mine.createMember(open.id, { state: 'JOINED', user: { id: ann.id }, channel: app });
    assert.equal(member.state, 'JOINED');
    assert.equal(member.initiator.joined.isSystem, false);
    assert.equal(member.initiator.joined.userId, ann.id);
  });
  await step('a user sees no conversation that it is not in', async () => {
    const other = await api.createConversation({ name: `not-anns-${run}` });
    await refused(404, 'conversation:error:not-found', () => mine.getConversation(other.id));
    await refused(404, 'conversation:error:not-found', () => mine.getEventPage(other.id));
  });
}

async function refusals(api, room, ann, joined) {
  const join = (user, state = 'JOINED') => () => api.createMember(room.id, { state, user, channel: app });
  await step('joining twice is refused', () => refused(
    400, 'conversation:error:member-already-joined', join({ id: ann.id }),
  ));
  await step('inviting who is there is refused', () => refused(
    400, 'conversation:error:member-already-joined', join({ id: ann.id }, 'INVITED'),
  ));
  await step('inviting twice is refused', async () => {
    const guest = { id: (await api.getMember(room.id, joined.id)).user.id };
    const other = await api.createConversation({ name: `twice-${run}` });
    const invite = () => api.createMember(other.id, { state: 'INVITED', user: guest, channel: app });
    await invite();
    await refused(400, 'conversation:error:member-already-invited', invite);
  });
  await step('leaving twice is refused', async () => {
    const other = await api.createConversation({ name: `leaving-${run}` });
    const member = await api.createMember(other.id, { state: 'JOINED', user: { id: ann.id }, channel: app });
    const leave = () => api.updateMember(other.id, member.id, { state: 'LEFT' });
    await leave();
    await refused(400, 'conversation:error:invalid-member-state', leave);
  });
  await step('unknown users and members are refused', async () => {
    await refused(404, 'user:error:not-found', join({ id: 'USR-00000000-0000-4000-8000-000000000000' }));
    await refused(404, 'conversation:error:member-not-found', () => api.getMember(room.id, NOBODY));
    await refused(404, 'conversation:error:member-not-found', () => api.updateMember(room.id, NOBODY, { state: 'LEFT' }));
  });
  await step('a state that nobody can ask for is refused', () => refused(
    400, 'http:error:validation-fail', join({ id: ann.id }, 'ELSEWHERE'),
  ));
}
