// Users: made, read, listed through pages, changed, deleted.
import { assert, collect, invalid, refused, run, step, walksAlike } from '../steps.mjs';

const full = {
  name: `alice-${run}`,
  displayName: 'Alice',
  imageUrl: 'https://img.example.org/alice.png',
  properties: { customData: { tier: 'gold', keep_this_spelling: { asIs: 1 } } },
  channels: {
    pstn: [{ number: 447700900001 }],
    sip: [{ uri: 'sip:alice@example.org', username: 'alice', password: 'not-a-secret' }],
    vbc: [{ extension: '403' }],
    websocket: [{
      uri: 'wss://example.org/socket', contentType: 'audio/l16;rate=16000', headers: { who: 'alice' },
    }],
    sms: [{ number: '447700900002' }],
    mms: [{ number: '447700900003' }],
    whatsapp: [{ number: '447700900004' }],
    viber: [{ number: '447700900005' }],
    messenger: [{ id: '12345abcd' }],
  },
};

export async function users({ users: api }) {
  const alice = await step('createUser keeps every field', async () => {
    const user = await api.createUser(full);
    assert.match(user.id, /^USR-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    for (const field of Object.keys(full)) assert.deepEqual(user[field], full[field], field);
    return user;
  });
  const nameless = await step('createUser without a name is given one', async () => {
    const user = await api.createUser({});
    assert.match(user.name, /\S/);
    return user;
  });
  await step('getUser answers what createUser answered', async () => {
    assert.deepEqual(await api.getUser(alice.id), alice);
    assert.deepEqual(await api.getUser(nameless.id), nameless);
  });
  await step('updateUser takes back the whole user', async () => {
    const changed = await api.updateUser({ ...alice, displayName: 'Alice B' });
    assert.equal(changed.displayName, 'Alice B');
    for (const field of ['id', 'name', 'imageUrl', 'properties', 'channels']) {
      assert.deepEqual(changed[field], alice[field], field);
    }
    assert.deepEqual(await api.getUser(alice.id), changed);
  });
  await step('updateUser leaves alone what it does not name', async () => {
    const changed = await api.updateUser({ id: alice.id, imageUrl: 'https://img.example.org/2.png' });
    assert.equal(changed.imageUrl, 'https://img.example.org/2.png');
    assert.equal(changed.displayName, 'Alice B');
    assert.deepEqual(changed.channels, alice.channels);
  });
  await listing(api, alice);
  await refusals(api, alice, nameless);
}

async function listing(api, alice) {
  const before = await collect(api.listAllUsers({ pageSize: 100 }));
  const made = [];
  for (let n = 0; n < 7; n += 1) {
    made.push(await api.createUser({ name: `listed-${n}-${run}`, displayName: `Listed ${n}` }));
  }
  const expected = [...before, ...made].map(({ id, name, displayName }) => [id, name, displayName]);
  await step('listAllUsers walks every page, both ways', () => walksAlike(
    (page) => api.listAllUsers(page),
    expected,
    ({ id, name, displayName }) => [id, name, displayName],
  ));
  await step('listAllUsers by name finds that user only', async () => {
    const found = await collect(api.listAllUsers({ name: alice.name }));
    assert.deepEqual(found.map(({ id }) => id), [alice.id]);
    assert.deepEqual(await collect(api.listAllUsers({ name: `nobody-${run}` })), []);
  });
  await step('getUserPage has a page and its absolute links', async () => {
    const first = await api.getUserPage({ pageSize: 2 });
    assert.equal(first.page_size, 2);
    assert.equal(first._embedded.users.length, 2);
    assert.equal(first._links.prev, undefined);
    const cursor = new URL(first._links.next.href).searchParams.get('cursor');
    const second = await api.getUserPage({ pageSize: 2, cursor });
    assert.equal(second._embedded.users[0].id, expected[2][0]);
    for (const link of ['first', 'self', 'next', 'prev']) new URL(second._links[link].href);
    const back = new URL(second._links.prev.href).searchParams.get('cursor');
    const again = await api.getUserPage({ pageSize: 2, cursor: back });
    assert.deepEqual(again._embedded, first._embedded);
  });
}

async function refusals(api, alice, nameless) {
  await step('a taken name is refused', () => refused(
    409, 'user:error:duplicate-name', () => api.createUser({ name: alice.name }),
  ));
  await step('renaming to a taken name is refused', () => refused(
    409, 'user:error:duplicate-name', () => api.updateUser({ id: nameless.id, name: alice.name }),
  ));
  await step('an overlong name is refused by name', () => invalid(
    'name', () => api.createUser({ name: 'n'.repeat(201) }),
  ));
  await step('a wrong type is refused by name', () => invalid(
    'display_name', () => api.createUser({ displayName: 7 }),
  ));
  await step('a page size out of bounds is refused by name', async () => {
    await invalid('page_size', () => api.getUserPage({ pageSize: 0 }));
    await invalid('page_size', () => api.getUserPage({ pageSize: 101 }));
    await invalid('order', () => api.getUserPage({ order: 'sideways' }));
  });
  await step('a made-up cursor is refused', () => refused(
    400, 'paginator-builder:error:invalid-cursor', () => api.getUserPage({ cursor: 'made-up' }),
  ));
  await step('deleteUser, and nobody is there any more', async () => {
    assert.equal(await api.deleteUser(nameless.id), undefined);
    await refused(404, 'user:error:not-found', () => api.getUser(nameless.id));
    await refused(404, 'user:error:not-found', () => api.deleteUser(nameless.id));
    await refused(404, 'user:error:not-found', () => api.updateUser({ id: nameless.id, name: 'x' }));
    const left = await collect(api.listAllUsers({ pageSize: 100 }));
    assert.ok(left.every(({ id }) => id !== nameless.id));
  });
}
