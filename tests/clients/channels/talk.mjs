// Each says something, and each of the others gets it once.
import { assert, step, until } from '../steps.mjs';
import { hears } from './people.mjs';
import { PATIENCE, fresh, history, screen, state, write } from './world.mjs';

const same = (found, wanted) => (
  JSON.stringify(Object.keys(found ?? {}).sort()) === JSON.stringify([...wanted].sort())
);

export async function talk(room) {
  const { alice, wanda, sam } = room;
  const said = [];
  await step('somebody in the app says something', async () => {
    const text = fresh('From the app');
    await room.sdk.sendMessageTextEvent(room.id, text);
    said.push({ text, from: alice, by: [wanda.id, sam.id] });
  });
  for (const [who, other] of [[wanda, sam], [sam, wanda]]) {
    await step(`somebody answers by ${who.channel}`, async () => {
      const text = fresh(`By ${who.channel}`);
      await write(who.channel, who.number, text);
      said.push({ text, from: who.id, by: [other.id] });
    });
  }
  await step('the client is told of each', async () => {
    for (const each of said) {
      const told = await hears(room, 'message:text', ({ body }) => body.text === each.text);
      assert.equal(told.from.memberId, each.from);
      each.id = told.id;
    }
  });
  await step('the state of each says whom it has reached', async () => {
    for (const { id, from, by } of said) {
      const reached = from === alice ? by : [...by, alice];
      const isSo = (found) => same(found.submitted_to, by)
        && by.every((member) => member in (found.delivered_to ?? {}));
      const found = await state(room.id, id, isSo);
      for (const member of Object.keys(found.delivered_to)) {
        assert.ok([...reached, from].includes(member), member);
      }
      assert.equal(from in found.submitted_to, false);
    }
  });
  await step('who has read it by WhatsApp is known, too', async () => {
    for (const { id, by } of said.filter(({ by: reached }) => reached.includes(wanda.id))) {
      const found = await state(room.id, id, ({ seen_by: seen }) => wanda.id in (seen ?? {}));
      assert.ok(!(sam.id in found.seen_by) && by.includes(wanda.id));
    }
  });
  await step('each was told everybody once', async () => {
    for (const { channel, number, id } of [wanda, sam]) {
      const shown = await until(`three texts by ${channel}`, async () => {
        const found = await screen(channel, number);
        return found.length >= said.length && found;
      }, PATIENCE);
      const outward = said.filter(({ from }) => from === id).map(({ text }) => text);
      const own = shown.filter(({ direction }) => direction === 'out').map(({ text }) => text);
      assert.deepEqual(own, outward);
      assert.deepEqual(shown.map(({ text }) => text).sort(), said.map(({ text }) => text).sort());
    }
    const events = await history(room.id);
    for (const { text, id, from } of said) {
      const found = events.filter(({ body }) => body?.text === text && body.message_type === 'text');
      const messages = found.filter(({ type }) => type === 'message');
      assert.deepEqual(messages.map((event) => [event.id, sender(event)]), [[id, from]]);
      assert.equal(room.heard.all(({ kind, body }) => (
        kind === 'message:text' && body.text === text)).length, 1);
    }
  });
  await step('each recipient has statuses of its own, as events', async () => {
    const events = await history(room.id);
    for (const { id, by } of said) {
      for (const member of by) {
        const own = events.filter((event) => sender(event) === member);
        const about = own.filter(({ body }) => body.event_id === id).map(({ type }) => type);
        const read = member === wanda.id ? ['message:seen'] : [];
        assert.deepEqual(about, ['message:submitted', 'message:delivered', ...read]);
        const statuses = own.filter(({ type, body }) => (
          type === 'member:message:status' && body.original_event_id === id));
        assert.equal(statuses.length, about.length);
      }
    }
  });
  await step('the client is told of them', async () => {
    for (const { id, by } of said) {
      for (const kind of ['message:submitted', 'message:delivered']) {
        for (const member of by) {
          await hears(room, kind, ({ body, from }) => (
            body.eventId === id && from.memberId === member));
        }
      }
    }
  });
}

export const sender = (event) => event._embedded?.from_member?.id ?? event.from;
