// History: one conversation read through every page, order and filter.
import { assert, collect, invalid, refused, run, step, until, walksAlike } from '../steps.mjs';
import { audio, custom, messages } from './bodies.mjs';

export async function history({ conversations: api, users }) {
  const room = await api.createConversation({ name: `history-${run}` });
  const user = await users.createUser({ name: `historian-${run}` });
  const { id: from } = await api.createMember(room.id, { state: 'JOINED', user: { id: user.id }, channel: { type: 'app' } });
  const made = [await api.getEvent(room.id, 1)];
  assert.equal(made[0].type, 'member:joined');
  const kinds = [
    ...messages.map(([, body]) => ['message', body]),
    ...custom.map((type) => [type, { n: 1 }]),
    ...audio.map(([type, body]) => [type, body]),
  ];
  for (const [type, body] of kinds) made.push(await api.createEvent(room.id, { type, from, body }));
  await step('what was to be heard by nobody is told to have ended', async () => {
    const asked = made.filter(({ type }) => ['audio:play', 'audio:say'].includes(type));
    const answers = async () => (await collect(api.listAllEvents(room.id, { pageSize: 100 })))
      .filter(({ id, type }) => type.endsWith(':done') && !made.some((each) => each.id === id));
    await until('all are told', async () => (await answers()).length === asked.length);
    for (const told of await answers()) assert.ok(told.body.error);
    made.push(...await answers());
    made.sort((one, other) => one.id - other.id);
  });

  await step('listAllEvents answers exactly what was created, through every page, both ways', () => walksAlike(
    (page) => api.listAllEvents(room.id, page), made, (event) => event,
  ));
  await step('getEventPage has a page and its absolute links', async () => {
    const first = await api.getEventPage(room.id, { pageSize: 3 });
    assert.equal(first.pageSize, 3);
    assert.deepEqual(first.events, made.slice(0, 3));
    assert.equal(first.links.prev, undefined);
    const cursor = new URL(first.links.next.href).searchParams.get('cursor');
    const second = await api.getEventPage(room.id, { pageSize: 3, cursor });
    assert.deepEqual(second.events, made.slice(3, 6));
    for (const link of ['first', 'self', 'next', 'prev']) new URL(second.links[link].href);
    const back = new URL(second.links.prev.href).searchParams.get('cursor');
    assert.deepEqual((await api.getEventPage(room.id, { pageSize: 3, cursor: back })).events, first.events);
  });
  await step('ten to a page when nothing is said', async () => {
    const page = await api.getEventPage(room.id);
    assert.equal(page.pageSize, 10);
    assert.deepEqual(page.events, made.slice(0, 10));
  });
  await step('a page size that just fits has no next page', async () => {
    const page = await api.getEventPage(room.id, { pageSize: made.length });
    assert.equal(page.events.length, made.length);
    assert.equal(page.links.next, undefined);
  });
  await step('a cursor stays where it was while events arrive', async () => {
    const pages = api.listAllEvents(room.id, { pageSize: 5, order: 'desc' });
    const seen = [(await pages.next()).value];
    made.push(await api.createEvent(room.id, { type: 'custom:late', from, body: {} }));
    seen.push(...await collect(pages));
    assert.deepEqual(seen.map(({ id }) => id), made.slice(0, -1).map(({ id }) => id).reverse());
  });
  await filters(api, room.id, made);
  await badQueries(api, room.id);
}

async function filters(api, conversation, made) {
  const listed = async (filter) => (await collect(api.listAllEvents(conversation, filter))).map(({ id }) => id);
  const wanted = (holds) => made.filter(holds).map(({ id }) => id);
  await step('eventType filters by one type, through pages', async () => {
    for (const pageSize of [1, 3, 100]) {
      assert.deepEqual(await listed({ eventType: 'message', pageSize }), wanted(({ type }) => type === 'message'));
    }
    assert.deepEqual(await listed({ eventType: 'message:seen' }), []);
  });
  await step('eventType takes a list, also of custom types', async () => {
    const types = ['custom:order', 'audio:dtmf', 'custom:late'];
    assert.deepEqual(
      await listed({ eventType: types.join(','), pageSize: 1 }), wanted(({ type }) => types.includes(type)),
    );
  });
  await step('startId and endId bound the numbers, both included', async () => {
    assert.deepEqual(await listed({ startId: '3', endId: '6', pageSize: 3 }), [3, 4, 5, 6]);
    assert.deepEqual(await listed({ startId: '3', endId: '6', order: 'desc', pageSize: 3 }), [6, 5, 4, 3]);
    assert.deepEqual(await listed({ startId: String(made.length) }), [made.length]);
    assert.deepEqual(await listed({ endId: '1' }), [1]);
    assert.deepEqual(await listed({ startId: '99999' }), []);
  });
  await step('filters combine', async () => {
    assert.deepEqual(
      await listed({ startId: '2', endId: '5', eventType: 'message', order: 'desc', pageSize: 1 }),
      wanted(({ id, type }) => id >= 2 && id <= 5 && type === 'message').reverse(),
    );
  });
}

async function badQueries(api, conversation) {
  await step('wrong queries are refused by name', async () => {
    const page = (filter) => () => api.getEventPage(conversation, filter);
    await invalid('page_size', page({ pageSize: 101 }));
    await invalid('page_size', page({ pageSize: 'many' }));
    await invalid('order', page({ order: 'random' }));
    await invalid('start_id', page({ startId: 'first' }));
    await invalid('exclude_deleted_events', page({ excludeDeletedEvents: 'perhaps' }));
  });
  await step('a cursor of another list is refused', async () => {
    const { links } = await api.getConversationPage({ pageSize: 1 });
    const cursor = new URL(links.next.href).searchParams.get('cursor');
    await refused(
      400, 'paginator-builder:error:invalid-cursor', () => api.getEventPage(conversation, { cursor }),
    );
  });
}
