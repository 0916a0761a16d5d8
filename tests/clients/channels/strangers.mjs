// Who writes to us and is in no conversation: one is opened, or the application names one.
import { createServer } from 'node:http';
import { assert, dev, step, until } from '../steps.mjs';
import { hears } from './people.mjs';
import { OWN, PATIENCE, ask, fresh, history, numbered, screen, write } from './world.mjs';
import { sender } from './talk.mjs';

const PROMPT = '15550110';

export async function strangers(room) {
  await step('an SMS from a stranger opens a conversation', async () => {
    const [number, first, second] = [numbered(PROMPT), fresh('Hello'), fresh('Anybody there?')];
    await write('sms', number, first);
    const opened = await conversation(number);
    await write('sms', number, second);
    const said = await until('both texts', async () => {
      const messages = (await history(opened)).filter(({ type }) => type === 'message');
      return messages.length === 2 && messages;
    }, PATIENCE);
    assert.deepEqual(said.map(({ body }) => body.text), [first, second]);
    const answer = fresh('We are');
    await ask('POST', `/v1/conversations/${opened}/events`, {
      type: 'message', body: { message_type: 'text', text: answer },
    });
    await until('the answer', async () => (await screen('sms', number))
      .filter(({ text }) => text === answer).length === 1, PATIENCE);
  });
  const program = await inboundWebhook(() => ({ conversation: { id: room.id } }));
  try {
    await step('where the inbound webhook names a conversation, it goes there', async () => {
      const [number, text] = [numbered(PROMPT), fresh('Where am I?')];
      await untilTheChangeIsKnown(program, numbered(PROMPT));
      await write('whatsapp', number, text);
      const event = await hears(room, 'message:text', ({ body }) => body.text === text);
      const asked = program.told.filter(({ from }) => from === number);
      assert.deepEqual(asked.map(({ channel, to, text: said }) => [channel, to, said]),
        [['whatsapp', OWN, text]]);
      const joined = (await history(room.id)).filter(({ type, body }) => (
        type === 'member:joined' && body.channel?.to?.number === number));
      assert.deepEqual(joined.map(sender), [event.from.memberId]);
      for (const { channel, number: other } of [room.wanda, room.sam]) {
        await until(`it at ${other}`, async () => (await screen(channel, other))
          .filter(({ text: shown }) => shown === text).length === 1, PATIENCE);
      }
    });
    await step('who has a place is not asked about again', async () => {
      const [before, text] = [program.told.length, fresh('By SMS')];
      await write('sms', room.sam.number, text);
      await hears(room, 'message:text', ({ body }) => body.text === text);
      assert.equal(program.told.length, before);
    });
  } finally {
    await program.end();
  }
}

/** The one of whoever has that number. */
function conversation(number) {
  return until(`a conversation with ${number}`, async () => {
    const page = await ask('GET', '/v1/conversations?order=desc&page_size=20');
    return page._embedded.conversations.find(({ display_name: title }) => title === number)?.id;
  }, PATIENCE);
}

/** A change of an application is known to all a moment later. */
async function untilTheChangeIsKnown(program, number) {
  await until('a question', async () => {
    await write('sms', number, fresh('Test'));
    return until('it', () => program.told.length, 1000).catch(() => 0);
  }, PATIENCE);
}

async function inboundWebhook(answer) {
  const told = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (piece) => { text += piece; });
    request.on('end', () => {
      told.push(JSON.parse(text));
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer()));
    });
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const before = await application('GET');
  const address = `http://127.0.0.1:${server.address().port}/inbound`;
  const webhooks = { inbound_url: { address, http_method: 'POST' } };
  await application('PUT', {
    ...before, capabilities: { ...before.capabilities, messages: { webhooks } } });
  return {
    told,
    end: async () => {
      await application('PUT', before);
      server.close();
    },
  };
}

async function application(method, body) {
  const key = Buffer.from(`${dev.api_key}:${dev.api_secret}`).toString('base64');
  const response = await fetch(`${dev.api_url}/v2/applications/${dev.application_id}`, {
    method, headers: { authorization: `Basic ${key}`, 'content-type': 'application/json' },
    body: body && JSON.stringify(body) });
  assert.equal(response.status, 200);
  const { name, keys, capabilities } = await response.json();
  return { name, keys: { public_key: keys.public_key }, capabilities };
}
