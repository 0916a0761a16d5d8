// Events: each kind created and read back, receipts folding into their target, deletion.
import { assert, collect, invalid, recent, refused, run, step } from '../steps.mjs';
import { audio, custom, messages, receipts } from './bodies.mjs';

const app = { type: 'app' };
const text = (words) => ({ type: 'message', body: { messageType: 'text', text: words } });

export async function events({ conversations: api, users }) {
  const room = await api.createConversation({ name: `events-${run}` });
  const [ann, ben] = await Promise.all(['ann', 'ben'].map(async (name) => {
    const user = await users.createUser({ name: `${name}-events-${run}`, displayName: name, properties: { customData: { mark: name } } });
    return { user, member: await api.createMember(room.id, { state: 'JOINED', user: { id: user.id }, channel: app }) };
  }));
  const send = sender(api, room.id, ann);
  for (const [what, body, answered] of messages) {
    await step(`createEvent: message, ${what}`, () => send('message', body, answered));
  }
  for (const type of custom) {
    await step(`createEvent: ${type}`, () => send(type, { order: 42, lines: [{ sku: 'a' }], deep: { er: true } }));
  }
  for (const [type, body, minted] of audio) {
    await step(`createEvent: ${type}`, () => send(type, body, body, minted));
  }
  await receive(api, room.id, ann, ben);
  await unkept(api, room.id, ann);
  await fromNobody(api, room.id);
  await deletion(api, room.id, ann);
  await refusals(api, room.id, ann, ben);
}

/** Send as `member`, expect the next number, the sender's card and the body; read it back the same. */
function sender(api, conversation, { user, member }) {
  return async (type, body, answered = body, minted = undefined) => {
    const before = (await api.getConversation(conversation)).sequenceNumber;
    const event = await api.createEvent(conversation, { type, from: member.id, body });
    // What becomes of a request about audio is told too, and may be before this one.
    if (type.startsWith('audio:')) assert.ok(event.id > before);
    else assert.equal(event.id, before + 1);
    assert.equal(event.type, type);
    assert.equal(event.from, member.id);
    recent(event.timestamp);
    const { [minted]: id, ...rest } = event.body;
    assert.deepEqual(rest, answered);
    if (minted) assert.match(id, /^[0-9a-f-]{36}$/);
    assert.equal(event.fromMember.id, member.id);
    for (const field of ['id', 'name', 'displayName']) assert.equal(event.fromUser[field], user[field]);
    assert.deepEqual(await api.getEvent(conversation, event.id), event);
    return event;
  };
}

async function receive(api, conversation, ann, ben) {
  const { camelCaseObjectKeys } = api.constructor.transformers;
  const target = await api.createEvent(conversation, { ...text('read me'), from: ann.member.id });
  const state = async () => (await api.getEvent(conversation, target.id)).state;
  const expected = {};
  for (const [type, key] of receipts) {
    await step(`createEvent: ${type} folds into its target`, async () => {
      const event = await api.createEvent(conversation, { type, from: ben.member.id, body: { eventId: target.id } });
      assert.deepEqual(event.body, { eventId: target.id });
      expected[key] = camelCaseObjectKeys({ [ben.member.id]: event.timestamp });
      assert.deepEqual(await state(), expected);
    });
  }
  await step('the first receipt of a kind counts, also when its number is text', async () => {
    const event = await api.createEvent(
      conversation, { type: 'message:seen', from: ben.member.id, body: { eventId: String(target.id) } },
    );
    assert.deepEqual(event.body, { eventId: target.id });
    assert.deepEqual(await state(), expected);
  });
  await step('a list shows the folded state too', async () => {
    const { events: [listed] } = await api.getEventPage(
      conversation, { startId: target.id, endId: target.id },
    );
    assert.deepEqual(listed, await api.getEvent(conversation, target.id));
  });
  await step('a receipt for what is not there is refused', () => refused(
    404, 'event:error:not-found',
    () => api.createEvent(conversation, { type: 'message:seen', from: ben.member.id, body: { eventId: 99_999 } }),
  ));
}

async function unkept(api, conversation, { member }) {
  await step('createEvent: ephemeral is answered, and kept nowhere', async () => {
    const before = (await api.getConversation(conversation)).sequenceNumber;
    const event = await api.createEvent(conversation, { type: 'ephemeral', from: member.id, body: { typing: true } });
    assert.equal(event.type, 'ephemeral');
    assert.deepEqual(event.body, { typing: true });
    assert.equal(event.id ?? null, null);
    assert.equal((await api.getConversation(conversation)).sequenceNumber, before);
    const kept = await collect(api.listAllEvents(conversation, { pageSize: 100 }));
    assert.ok(kept.every(({ type }) => type !== 'ephemeral'));
  });
}

async function fromNobody(api, conversation) {
  await step('the application sends without a member', async () => {
    const event = await api.createEvent(conversation, { type: 'custom:notice', body: { all: true } });
    assert.equal(event.from ?? null, null);
    assert.deepEqual(event.body, { all: true });
    assert.deepEqual(await api.getEvent(conversation, event.id), event);
  });
}

async function deletion(api, conversation, { member }) {
  const made = await api.createEvent(conversation, { ...text('regret'), from: member.id });
  const kept = await api.createEvent(conversation, { ...text('no regret'), from: member.id });
  await step('deleteEvent blanks the body and leaves the rest', async () => {
    assert.equal(await api.deleteEvent(conversation, made.id), undefined);
    const blank = await api.getEvent(conversation, made.id);
    recent(blank.body.timestamp.deleted);
    assert.deepEqual(Object.keys(blank.body), ['timestamp']);
    for (const field of ['id', 'type', 'from', 'timestamp']) assert.deepEqual(blank[field], made[field]);
  });
  await step('a deletion is an event of its own', async () => {
    const { events } = await api.getEventPage(conversation, { startId: made.id, pageSize: 100 });
    assert.deepEqual(events.map(({ type }) => type), ['message', 'message', 'event:delete']);
    assert.equal(events[2].body.eventId, made.id);
  });
  await step('excludeDeletedEvents hides it', async () => {
    const shown = async (excludeDeletedEvents) => (await collect(
      api.listAllEvents(conversation, { startId: made.id, eventType: 'message', excludeDeletedEvents, pageSize: 1 }),
    )).map(({ id }) => id);
    assert.deepEqual(await shown(false), [made.id, kept.id]);
    assert.deepEqual(await shown(true), [kept.id]);
  });
  await step('what is no message and not custom cannot be deleted', async () => {
    const { events: [joined] } = await api.getEventPage(conversation, { eventType: 'member:joined' });
    const error = await api.deleteEvent(conversation, joined.id).then(() => null, (reason) => reason);
    assert.ok([400, 403].includes(error?.response?.status), String(error?.response?.status));
    assert.deepEqual(await api.getEvent(conversation, joined.id), joined);
  });
}

async function refusals(api, conversation, ann, ben) {
  const post = (event) => () => api.createEvent(conversation, { from: ann.member.id, ...event });
  const before = (await api.getConversation(conversation)).sequenceNumber;
  await step('a message without its part is refused by name', async () => {
    await invalid('body.text', post({ type: 'message', body: { messageType: 'text' } }));
    await invalid('body.image', post({ type: 'message', body: { messageType: 'image' } }));
    await invalid('body.message_type', post({ type: 'message', body: { messageType: 'telepathy' } }));
  });
  await step('unknown members of a closed body are refused by name', () => invalid(
    'body.colour', post({ type: 'message', body: { messageType: 'text', text: 'x', colour: 'red' } }),
  ));
  await step('types that no caller may create are refused by name', async () => {
    for (const type of ['member:joined', 'event:delete', 'rtc:hangup', 'audio:speaking:on', 'nonsense', 'custom:', 'custom:no spaces']) {
      await invalid('type', post({ type, body: {} }));
    }
  });
  await step('an overlong custom type and an oversize custom body are refused', async () => {
    await invalid('type', post({ type: `custom:${'x'.repeat(100)}`, body: {} }));
    await invalid('body', post({ type: 'custom:big', body: { much: 'x'.repeat(4096) } }));
  });
  await step('an unknown sender is refused', () => refused(
    404, 'conversation:error:member-not-found',
    post({ ...text('x'), from: 'MEM-00000000-0000-4000-8000-000000000000' }),
  ));
  await step('who has left cannot send', async () => {
    const { id } = await api.updateMember(conversation, ben.member.id, { state: 'LEFT' });
    await refused(400, 'conversation:error:invalid-member-state', post({ ...text('x'), from: id }));
  });
  await step('an unknown event is refused', async () => {
    await refused(404, 'event:error:not-found', () => api.getEvent(conversation, 99_999));
    await refused(404, 'event:error:not-found', () => api.deleteEvent(conversation, 99_999));
  });
  await step('nothing refused has left a trace but the leaving', async () => {
    assert.equal((await api.getConversation(conversation)).sequenceNumber, before + 1);
  });
}
