// What people tell each other: messages of every kind, receipts, what is not kept, deletion.
import { rejection } from '../live.mjs';
import { assert, step } from '../steps.mjs';

const file = (name) => new URL(`https://files.example/${name}`);
const url = (name) => file(name).href;
const place = { latitude: '52.5', longitude: '13.4', name: 'here', address: 'Street 1' };
const template = { name: 'welcome', parameters: ['Alice'] };
const whatsapp = { policy: 'deterministic', locale: 'en' };

/** Method, its arguments, the kind that the others get, and its body. */
const KINDS = [
  ['sendMessageTextEvent', ['hello'], 'message:text', { text: 'hello' }],
  ['sendMessageTextEvent', ['Grüße, 你好, مرحبا, 👋🏽'], 'message:text', { text: 'Grüße, 你好, مرحبا, 👋🏽' }],
  ['sendMessageTextEvent', ["it's <raw> & \"so\"", true], 'message:text', { text: "it's <raw> & \"so\"" }],
  ['sendMessageCustomEvent', [{ table: 4, order: ['tea'] }], 'message:custom', { customData: { table: 4, order: ['tea'] } }],
  ['sendMessageImageEvent', [file('i.jpg')], 'message:image', { imageUrl: url('i.jpg') }],
  ['sendMessageVideoEvent', [file('v.mp4')], 'message:video', { videoUrl: url('v.mp4') }],
  ['sendMessageFileEvent', [file('f.pdf')], 'message:file', { fileUrl: url('f.pdf') }],
  ['sendMessageAudioEvent', [file('a.mp3')], 'message:audio', { audioUrl: url('a.mp3') }],
  ['sendMessageVCardEvent', [file('c.vcf')], 'message:vcard', { vcardUrl: url('c.vcf') }],
  ['sendMessageLocationEvent', [place], 'message:location', { location: place }],
  ['sendMessageTemplateEvent', [template, whatsapp], 'message:template', { template, whatsapp }],
  ['sendCustomEvent', ['my_order', { cups: 2 }], 'custom', { cups: 2 }],
  ['sendEphemeralEvent', [{ cursor: 5 }], 'ephemeral', { cursor: 5 }],
];

export async function messages({ alice, bob }, room) {
  for (const [method, given, kind, body] of KINDS) {
    await step(`${method}: ${JSON.stringify(given[0])}`, async () => {
      const at = await alice.sdk[method](room.id, ...given);
      for (const person of [alice, bob]) await arrival(person, kind, body, at, room.hers);
    });
  }
  await step('each arrives once and in order', async () => {
    for (const person of [alice, bob]) {
      const heard = person.heard.all(({ kind }) => KINDS.some(([, , sent]) => sent === kind));
      assert.deepEqual(heard.map(({ kind }) => kind), KINDS.map(([, , kind]) => kind));
    }
  });
  await step('a custom event has its name', async () => {
    assert.equal((await bob.next('custom')).eventType, 'custom:my_order');
  });
  await receipts({ alice, bob }, room);
  await refusals(alice, room);
  await deletion({ alice, bob }, room);
}

async function arrival(person, kind, body, at, sender) {
  const event = await person.next(kind, ({ timestamp }) => timestamp === at);
  const { deleted, body: inner, ...told } = event.body;
  assert.deepEqual(JSON.parse(JSON.stringify(told)), body);
  assert.equal(event.from.memberId, sender);
}

async function receipts({ alice, bob }, room) {
  const { id } = await bob.next('message:text');
  await step('what arrives is reported as delivered', async () => {
    for (const person of [alice, bob]) {
      const event = await person.next(
        'message:delivered', ({ body, from }) => body.eventId === id && from.memberId === room.his,
      );
      assert.ok(event.id > id);
    }
  });
  await step('sendMessageSeenEvent', async () => {
    await bob.sdk.sendMessageSeenEvent(id, room.id);
    const event = await alice.next('message:seen', ({ body }) => body.eventId === id);
    assert.equal(event.from.user.name, bob.name);
  });
  await step('a receipt for nothing is refused', async () => {
    const error = await rejection(bob.sdk.sendMessageSeenEvent(99_999, room.id));
    assert.equal(error.code, 'event:error:not-found');
  });
}

async function refusals({ sdk }, room) {
  await step('the package itself refuses markup in a text', async () => {
    const error = await rejection(sdk.sendMessageTextEvent(room.id, "it's"));
    assert.equal(error.code, 'internal:error:unsanitized_input_error');
  });
  await step('the server refuses an unsafe address', async () => {
    const error = await rejection(sdk.sendMessageImageEvent(room.id, new URL('javascript:alert(1)')));
    assert.equal(error.code, 'http:error:validation-fail');
  });
  await step('a conversation that is not mine takes nothing', async () => {
    const error = await rejection(sdk.sendMessageTextEvent('CON-none', 'hello?'));
    assert.match(error.code, /^conversation:error:/);
  });
}

async function deletion({ alice, bob }, room) {
  await step('deleteEvent: the others hear of it', async () => {
    const at = await alice.sdk.sendMessageTextEvent(room.id, 'a slip of the tongue');
    const { id } = await bob.next('message:text', ({ timestamp }) => timestamp === at);
    await alice.next('message:delivered', ({ body, from }) => body.eventId === id && from.memberId === room.his);
    await alice.next('message:delivered', ({ body, from }) => body.eventId === id && from.memberId === room.hers);
    await alice.sdk.deleteEvent(id, room.id);
    for (const person of [alice, bob]) {
      await person.next('event:delete', ({ body }) => body.eventId === id);
    }
  });
}
