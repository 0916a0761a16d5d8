// What was said before: pages, order, kinds, and what became of each message.
import { assert, require, step } from '../steps.mjs';

const { PresentingOrder } = require('@vonage/client-sdk');

export async function history({ alice, bob }, room) {
  const whole = await step('getConversationEvents: what was heard, without the receipts', async () => {
    const events = await walk(alice.sdk, room.id, { pageSize: 100, includeDeletedEvents: true });
    const heard = alice.heard.all(({ kind, id, conversationId }) => (
      conversationId === room.id && id && !/^message:(delivered|seen)$/.test(kind)
    ));
    assert.deepEqual(events.map(({ id }) => id), heard.map(({ id }) => id));
    return events;
  });
  for (const [pageSize, order] of [[4, 'ASC'], [7, 'DESC']]) {
    await step(`getConversationEvents: ${pageSize} a page, ${order}`, async () => {
      const ids = (await walk(bob.sdk, room.id, {
        pageSize, order: PresentingOrder[order], includeDeletedEvents: true,
      })).map(({ id }) => id);
      assert.deepEqual(order === 'ASC' ? ids : ids.reverse(), whole.map(({ id }) => id));
    });
  }
  await step('back to the page before', async () => {
    const first = await alice.sdk.getConversationEvents(room.id, { pageSize: 3 });
    const second = await alice.sdk.getConversationEvents(room.id, { pageSize: 3, cursor: first.nextCursor });
    const back = await alice.sdk.getConversationEvents(room.id, { pageSize: 3, cursor: second.previousCursor });
    assert.deepEqual(back.events.map(({ id }) => id), first.events.map(({ id }) => id));
  });
  await step('receipts are part of what they are about', () => {
    const text = whole.find(({ kind }) => kind === 'message:text');
    const told = JSON.stringify(text.memberStatuses);
    assert.ok(told.includes(room.his), told);
  });
  await step('what was deleted says so, and can be left out', async () => {
    const deletion = whole.find(({ kind }) => kind === 'event:delete');
    const target = whole.find(({ id }) => id === deletion.body.eventId);
    assert.ok(target.body.deleted);
    const kept = await walk(alice.sdk, room.id, { pageSize: 100 });
    assert.deepEqual(kept.map(({ id }) => id), whole.filter((event) => event !== target).map(({ id }) => id));
  });
  await step('of some types only', async () => {
    const events = await walk(alice.sdk, room.id, { pageSize: 2, eventFilter: ['member:joined', 'custom:my_order'] });
    assert.deepEqual(events.map(({ kind }) => kind), ['member:joined', 'member:joined', 'custom']);
  });
  await step('from an event on', async () => {
    const startId = whole[4].id;
    const events = await walk(alice.sdk, room.id, { pageSize: 100, startId, includeDeletedEvents: true });
    assert.deepEqual(events.map(({ id }) => id), whole.slice(4).map(({ id }) => id));
  });
}

async function walk(sdk, conversation, parameters) {
  const found = [];
  let cursor;
  do {
    const page = await sdk.getConversationEvents(conversation, { order: PresentingOrder.ASC, ...parameters, cursor });
    found.push(...page.events);
    cursor = page.nextCursor;
  } while (cursor);
  return found;
}
