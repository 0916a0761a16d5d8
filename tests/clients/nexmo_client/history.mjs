// What was said before: pages, order, types, and what became of each event.
import { assert, step } from '../steps.mjs';

export async function history(pair, { hers, his }) {
  const room = hers.conversation;
  const whole = await step('getEvents: every event has its number', async () => {
    const events = await walk(room, { page_size: 100, order: 'asc' });
    assert.deepEqual(events.map(({ id }) => id), events.map((_, index) => index + 1));
    assert.deepEqual(events.slice(0, 3).map(({ type }) => type), ['member:joined', 'member:invited', 'member:joined']);
    return events;
  });
  for (const [page_size, order] of [[3, 'asc'], [7, 'desc']]) {
    await step(`getEvents: ${page_size} a page, ${order}`, async () => {
      const ids = (await walk(room, { page_size, order })).map(({ id }) => id);
      assert.deepEqual(order === 'asc' ? ids : ids.reverse(), whole.map(({ id }) => id));
    });
  }
  await step('getPrev goes back', async () => {
    const first = await room.getEvents({ page_size: 3, order: 'asc' });
    assert.equal(first.hasPrev(), false);
    const back = await (await first.getNext()).getPrev();
    assert.deepEqual([...back.items.keys()], [...first.items.keys()]);
  });
  await step('getEvents of one type', async () => {
    const texts = await walk(room, { page_size: 2, event_type: 'text' });
    assert.deepEqual(
      texts.map(({ id }) => id), whole.filter(({ type }) => type === 'text').map(({ id }) => id),
    );
  });
  await step('receipts are part of what they are about', () => {
    const first = whole.find(({ type }) => type === 'text');
    const reader = his.conversation.me.id;
    assert.ok(first.state.seen_by[reader] && first.state.delivered_to[reader]);
  });
  await step('of what was deleted nothing is left but when', () => {
    const deletion = whole.find(({ type }) => type === 'event:delete');
    const target = whole.find(({ id }) => id === Number(deletion.body.event_id));
    assert.ok(target.body.timestamp.deleted);
    assert.equal(target.body.text ?? '', '');
  });
}

async function walk(conversation, parameters) {
  const found = [];
  let page = await conversation.getEvents(parameters);
  for (;;) {
    found.push(...page.items.values());
    if (!page.hasNext()) return found;
    page = await page.getNext();
  }
}
