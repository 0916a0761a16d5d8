// Conversations: made, read, listed through pages and filters, changed, deleted.
import { assert, collect, dev, invalid, refused, run, step, walksAlike } from '../steps.mjs';

const NOBODY = 'CON-00000000-0000-4000-8000-000000000000';
const full = {
  name: `support-${run}`,
  displayName: 'Support',
  imageUrl: 'https://img.example.org/support.png',
  properties: {
    ttl: 3600, type: 'quick', customSortKey: 'b', customData: { ticket: 42, keep_this_spelling: { asIs: 1 } },
  },
  numbers: [{ type: 'phone', number: '447700900123' }],
  callback: {
    url: 'http://127.0.0.1:9/callback',
    eventMask: 'message',
    params: { applicationId: dev.application_id, nccoUrl: 'http://127.0.0.1:9/ncco' },
    method: 'POST',
  },
};

export async function conversations({ conversations: api, users }) {
  const support = await step('createConversation keeps every field', async () => {
    const made = await api.createConversation(full);
    assert.match(made.id, /^CON-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    for (const field of Object.keys(full)) assert.deepEqual(made[field], full[field], field);
    assert.equal(made.state, 'ACTIVE');
    assert.equal(made.sequenceNumber, 0);
    assert.ok(made.timestamp.created);
    return made;
  });
  const nameless = await step('createConversation without a name is given one', async () => {
    const made = await api.createConversation({});
    assert.match(made.name, /^NAM-/);
    return made;
  });
  await step('getConversation answers what createConversation answered', async () => {
    assert.deepEqual(await api.getConversation(support.id), support);
    assert.deepEqual(await api.getConversation(nameless.id), nameless);
  });
  await step('updateConversation takes back the whole conversation', async () => {
    const changed = await api.updateConversation({
      ...support, displayName: 'Help', properties: { ...support.properties, customData: { ticket: 43 } },
    });
    assert.equal(changed.id, support.id);
    assert.equal(changed.displayName, 'Help');
    assert.deepEqual(changed.properties.customData, { ticket: 43 });
    for (const field of ['name', 'imageUrl', 'numbers', 'callback', 'state']) {
      assert.deepEqual(changed[field], support[field], field);
    }
    assert.equal(changed.timestamp.created, support.timestamp.created);
    assert.ok(changed.timestamp.updated >= support.timestamp.created);
    assert.deepEqual(await api.getConversation(support.id), changed);
  });
  await listing(api);
  await ofUser(api, users);
  await refusals(api, support, nameless);
}

async function listing(api) {
  const before = await collect(api.listAllConversations({ pageSize: 100 }));
  const made = [];
  for (let n = 0; n < 5; n += 1) {
    made.push(await api.createConversation({ name: `listed-${n}-${run}`, displayName: `Listed ${n}` }));
  }
  const seen = ({ id, name, displayName, timestamp }) => [id, name, displayName, timestamp.created];
  await step('listAllConversations walks every page, both ways', () => walksAlike(
    (page) => api.listAllConversations(page), [...before, ...made].map(seen), seen,
  ));
  await step('getConversationPage has a page and its absolute links', async () => {
    const first = await api.getConversationPage({ pageSize: 2 });
    assert.equal(first.pageSize, 2);
    assert.equal(first.conversations.length, 2);
    assert.equal(first.links.prev, undefined);
    const cursor = new URL(first.links.next.href).searchParams.get('cursor');
    const second = await api.getConversationPage({ pageSize: 2, cursor });
    assert.equal(second.conversations[0].id, [...before, ...made][2].id);
    for (const link of ['first', 'self', 'next', 'prev']) new URL(second.links[link].href);
  });
  await step('dateStart and dateEnd bound the list, in both spellings of a date', async () => {
    const [from, to] = [await instantBetween(api, 'early'), await instantBetween(api, 'late')];
    const names = async (dates) => (await collect(api.listAllConversations({ pageSize: 1, ...dates })))
      .map(({ name }) => name);
    assert.deepEqual(await names({ dateStart: from, dateEnd: to }), [`late-${run}`]);
    const spaced = (iso) => iso.replace('T', ' ').replace('Z', '');
    assert.deepEqual(await names({ dateStart: spaced(from), dateEnd: spaced(to) }), [`late-${run}`]);
    assert.deepEqual(await names({ dateStart: to }), []);
  });
}

/** Make a conversation, and an instant that lies after it and before whatever is made next. */
async function instantBetween(api, name) {
  const made = await api.createConversation({ name: `${name}-${run}` });
  const instant = Date.parse(made.timestamp.created) + 1;
  while (Date.now() <= instant + 1) await new Promise((wake) => { setTimeout(wake, 1); });
  return new Date(instant).toISOString();
}

async function ofUser(api, users) {
  const bob = await users.createUser({ name: `bob-conversations-${run}` });
  const joined = [];
  for (const customSortKey of ['c', 'a', 'b', 'd']) {
    const made = await api.createConversation({
      name: `bobs-${customSortKey}-${run}`, properties: { customSortKey, customData: { mark: customSortKey } },
    });
    const state = customSortKey === 'd' ? 'INVITED' : 'JOINED';
    const { id } = await api.createMember(made.id, { state, user: { id: bob.id }, channel: { type: 'app' } });
    joined.push({ made, member: { id, state } });
  }
  const expected = joined.map(({ made, member }) => [made.id, member.id, member.state]);
  const seen = ({ id, embedded }) => [id, embedded.id, embedded.state];
  await step('listAllUserConversations walks every page, both ways', () => walksAlike(
    (page) => api.listAllUserConversations(bob.id, page), expected, seen,
  ));
  await step('a user’s conversations name the membership in both published forms', async () => {
    const { conversations: [first] } = await api.getConversationPage({ byUser: bob.id, pageSize: 1 });
    const { id, state } = joined[0].member;
    const { member, ...own } = first.embedded;
    assert.deepEqual(own, { id, state });
    assert.deepEqual([member.id, member.state, member.embedded.user.id], [id, state, bob.id]);
    assert.equal(first.sequenceNumber, 1);
  });
  await step('a user’s conversations by state', async () => {
    const found = await collect(api.listAllUserConversations(bob.id, { state: 'INVITED' }));
    assert.deepEqual(found.map(seen), expected.slice(3));
  });
  await step('a user’s conversations in the order of their sort key', () => walksAlike(
    (page) => api.listAllUserConversations(bob.id, { ...page, orderBy: 'custom_sort_key' }),
    [1, 2, 0, 3].map((n) => joined[n].made.id),
  ));
  await step('a user’s conversations with their custom data', async () => {
    const found = await collect(api.listAllUserConversations(bob.id, { includeCustomData: true }));
    assert.deepEqual(found.map(({ properties }) => properties.customData), ['c', 'a', 'b', 'd'].map((mark) => ({ mark })));
  });
  await step('a user without a socket has no sessions', async () => {
    assert.deepEqual(await collect(api.listAllUserSessions(bob.id)), []);
    const page = await api.getUserSessionsPage(bob.id, { pageSize: 5 });
    assert.deepEqual(page.sessions, []);
    assert.equal(page.pageSize, 5);
    new URL(page.links.self.href);
  });
}

async function refusals(api, support, nameless) {
  await step('a taken name is refused', () => refused(
    409, 'conversation:error:duplicate-name', () => api.createConversation({ name: support.name }),
  ));
  await step('an unknown conversation is refused', async () => {
    const gone = (request) => refused(404, 'conversation:error:not-found', request);
    await gone(() => api.getConversation(NOBODY));
    await gone(() => api.updateConversation({ id: NOBODY, displayName: 'x' }));
    await gone(() => api.deleteConversation(NOBODY));
    await gone(() => api.getMemberPage(NOBODY));
    await gone(() => api.getEventPage(NOBODY));
    await gone(() => api.createEvent(NOBODY, { type: 'message', body: { messageType: 'text', text: 'x' } }));
  });
  await step('wrong fields are refused by name', async () => {
    await invalid('name', () => api.createConversation({ name: 'n'.repeat(101) }));
    await invalid('display_name', () => api.createConversation({ displayName: 'n'.repeat(51) }));
    await invalid('properties.ttl', () => api.createConversation({ properties: { ttl: -1 } }));
    await invalid('date_start', () => api.getConversationPage({ dateStart: 'yesterday' }));
    await invalid('page_size', () => api.getConversationPage({ pageSize: 101 }));
  });
  await step('a made-up cursor is refused', () => refused(
    400, 'paginator-builder:error:invalid-cursor', () => api.getConversationPage({ cursor: 'made-up' }),
  ));
  await step('deleteConversation, and it is gone from every list', async () => {
    assert.equal(await api.deleteConversation(nameless.id), undefined);
    await refused(404, 'conversation:error:not-found', () => api.getConversation(nameless.id));
    await refused(404, 'conversation:error:not-found', () => api.deleteConversation(nameless.id));
    await refused(404, 'conversation:error:not-found', () => api.createEvent(
      nameless.id, { type: 'message', body: { messageType: 'text', text: 'too late' } },
    ));
    const left = await collect(api.listAllConversations({ pageSize: 100 }));
    assert.ok(left.every(({ id }) => id !== nameless.id));
  });
  await step('the name of a deleted conversation is free again', async () => {
    const again = await api.createConversation({ name: nameless.name });
    assert.notEqual(again.id, nameless.id);
  });
}
