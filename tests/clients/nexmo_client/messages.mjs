// What people tell each other: texts, messages of every kind, receipts, typing, deletion.
import { rejection } from '../live.mjs';
import { assert, skip, step } from '../steps.mjs';

const KINDS = [
  { message_type: 'text', text: 'as a message' },
  { message_type: 'image', image: { url: 'https://files.example/i.jpg' } },
  { message_type: 'video', video: { url: 'https://files.example/v.mp4' } },
  { message_type: 'audio', audio: { url: 'https://files.example/a.mp3' } },
  { message_type: 'file', file: { url: 'https://files.example/f.pdf' } },
  { message_type: 'vcard', vcard: { url: 'https://files.example/c.vcf' } },
  { message_type: 'location', location: { latitude: '52.5', longitude: '13.4', name: 'here', address: 'Street 1' } },
  { message_type: 'custom', custom: { table: 4, order: ['tea', 'cake'] } },
  { message_type: 'template', template: { name: 'welcome', parameters: ['Alice'] }, whatsapp: { policy: 'deterministic', locale: 'en' } },
];
const WORDS = ['hello', 'Grüße, 你好, مرحبا, 👋🏽', '<b>&amp; "quotes"</b>\n\ttwo lines', '0'];

export async function messages(pair, room) {
  await texts(room);
  await receipts(room);
  for (const body of KINDS) await step(`sendMessage: ${body.message_type}`, () => exchange(room, body));
  await step('an unsafe address is refused', async () => {
    const image = { url: 'javascript:alert(1)' };
    const error = await rejection(room.his.conversation.sendMessage({ message_type: 'image', image }));
    assert.equal(error.type, 'http:error:validation-fail');
  });
  await passing(room);
  await sounds(room);
  await deletion(room);
}

async function texts({ hers, his }) {
  for (const text of WORDS) {
    await step(`sendText: ${JSON.stringify(text)}`, async () => {
      const sent = await hers.conversation.sendText(text);
      for (const there of [hers, his]) {
        const { member, event } = await there.next('text', ({ id }) => id === sent.id);
        assert.deepEqual([event.body.text, event.from], [text, hers.conversation.me.id]);
        assert.equal(member.memberId, hers.conversation.me.id);
        assert.equal(member.userName, hers.conversation.me.user.name);
      }
    });
  }
  await step('each text arrives once and in order', async () => {
    for (const there of [hers, his]) {
      const heard = there.heard.all(({ type }) => type === 'text').map(({ event }) => event.body.text);
      assert.deepEqual(heard, WORDS);
    }
  });
  await step('a text that is too long is refused', async () => {
    const error = await rejection(hers.conversation.sendText('x'.repeat(2501)));
    assert.equal(error.type, 'http:error:validation-fail');
  });
}

async function receipts({ hers, his }) {
  const { conversation: { me: reader } } = his;
  const { event: his1 } = await his.next('text');
  const { event: hers1 } = await hers.next('text', ({ id }) => id === his1.id);
  await step('what arrives is reported as delivered', async () => {
    await hers.next('text:delivered', ({ id }) => id === his1.id);
    assert.ok(hers1.state.delivered_to[reader.id]);
  });
  await step('seen', async () => {
    assert.ok(!hers1.state.seen_by?.[reader.id]);
    await his1.seen();
    await hers.next('text:seen', ({ id }) => id === his1.id);
    assert.ok(hers1.state.seen_by[reader.id]);
  });
  await step('a message is reported and seen in the same way', async () => {
    const { id } = await hers.conversation.sendMessage({ message_type: 'text', text: 'seen?' });
    await hers.next('message:delivered', (event) => event.id === id);
    const { event } = await his.next('message', (told) => told.id === id);
    await event.seen();
    const { event: marked } = await hers.next('message:seen', (told) => told.id === id);
    assert.ok(marked.state.seen_by[reader.id] && marked.state.delivered_to[reader.id]);
  });
}

async function exchange({ hers, his }, body) {
  const sent = await his.conversation.sendMessage(body);
  const { event } = await hers.next('message', ({ id }) => id === sent.id);
  const { timestamp, ...told } = event.body;
  assert.deepEqual(told, body);
}

async function passing({ hers, his }) {
  await step('sendCustomEvent: heard by its own name', async () => {
    const { id } = await hers.conversation.sendCustomEvent({ type: 'my_order', body: { cups: 2 } });
    const { event } = await his.next('my_order', (told) => told.id === id);
    assert.deepEqual(event.body, { cups: 2 });
  });
  if (hers.conversation.sendEphemeralEvent === undefined) {
    skip('sendEphemeralEvent', 'this version has no such method');
  } else {
    await step('sendEphemeralEvent', async () => {
      await hers.conversation.sendEphemeralEvent({ cursor: 5 });
      const { event } = await his.next('ephemeral');
      assert.deepEqual(event.body, { cursor: 5 });
      assert.equal(event.id, undefined);
    });
  }
  await step('startTyping, stopTyping: the others hear it', async () => {
    await hers.conversation.startTyping();
    const { member } = await his.next('text:typing:on');
    assert.equal(member.memberId, hers.conversation.me.id);
    await hers.conversation.stopTyping();
    await his.next('text:typing:off');
  });
}

async function sounds({ hers, his }) {
  const { media } = hers.conversation;
  await step('sayText', async () => {
    const { response = null, ...told } = await media.sayText({ text: 'good evening' });
    assert.ok((response ?? told).body.say_id);
    const { event } = await his.next('audio:say');
    assert.equal(event.body.text, 'good evening');
  });
  await step('playStream', () => media.playStream({ stream_url: ['https://files.example/s.mp3'], level: 0 }));
  await step('startRinging, stopRinging', async () => {
    await media.startRinging();
    await his.next('audio:ringing:start');
    await media.stopRinging();
    await his.next('audio:ringing:stop');
  });
}

async function deletion({ hers, his }) {
  await step('deleteEvent: gone for both', async () => {
    const { id } = await hers.conversation.sendText('a slip of the tongue');
    const { event: there } = await his.next('text', (told) => told.id === id);
    const { event } = await hers.next('text', (told) => told.id === id);
    await hers.conversation.deleteEvent(event);
    await his.next('event:delete', (told) => told.id === id);
    await hers.next('event:delete', (told) => told.id === id);
    assert.equal(there.body.text, '');
    assert.ok(there.body.timestamp.deleted);
  });
  await step('what is gone cannot be reported on', async () => {
    const { id } = await hers.conversation.sendText('short-lived');
    const { event } = await his.next('text', (told) => told.id === id);
    await hers.next('text:delivered', (told) => told.id === id);
    await hers.conversation.deleteEvent(event);
    assert.match((await rejection(event.seen())).type, /^(event:error:|http:error:)/);
  });
}
