// Those whom nothing reaches.
import { assert, step } from '../steps.mjs';
import { hears } from './people.mjs';
import { fresh, history, join, numbered, state } from './world.mjs';
import { sender } from './talk.mjs';

/** A number that is nobody's, and a handset that is switched off. */
const UNKNOWN = '15550112';
const OFF = '15550113';

export async function fates(room) {
  const lost = {};
  let id;
  await step('two join whom nothing reaches', async () => {
    lost.rejected = await join(room.id, 'sms', numbered(UNKNOWN));
    lost.undeliverable = await join(room.id, 'sms', numbered(OFF));
  });
  await step('somebody in the app says something to all', async () => {
    const text = fresh('To all');
    await room.sdk.sendMessageTextEvent(room.id, text);
    ({ id } = await hears(room, 'message:text', ({ body }) => body.text === text));
  });
  await step('the state says who has got it and who has not', async () => {
    const found = await state(room.id, id, (told) => (
      [room.wanda.id, room.sam.id].every((each) => each in (told.delivered_to ?? {}))
        && told.rejected_by && told.undeliverable_to));
    assert.deepEqual(Object.keys(found.rejected_by), [lost.rejected.id]);
    assert.deepEqual(Object.keys(found.undeliverable_to), [lost.undeliverable.id]);
    assert.ok(!(lost.rejected.id in found.submitted_to));
  });
  await step('events say it, once, and why', async () => {
    const events = await history(room.id);
    for (const [word, { id: member, number }] of Object.entries(lost)) {
      const own = events.filter((event) => sender(event) === member);
      const told = own.filter(({ type }) => type === `message:${word}`);
      assert.deepEqual(told.map(({ body }) => body.event_id), [id]);
      const status = own.filter(({ type }) => type === 'member:message:status').at(-1);
      assert.equal(status.body.to, number);
      assert.match(status.body.error.code, /^\d{4}$/);
      await hears(room, `message:${word}`, ({ body, from }) => (
        body.eventId === id && from.memberId === member));
    }
  });
}
