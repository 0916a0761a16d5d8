// Sessions: begun with a token, refused, renewed, ended; and the end of a membership.
import { generateKeyPairSync } from 'node:crypto';
import { BrowserRequest, rejection, token } from '../live.mjs';
import { assert, dev, require, run, step } from '../steps.mjs';

globalThis.XMLHttpRequest = BrowserRequest;
const NexmoClient = require(process.argv[3] ?? 'nexmo-client');

const client = () => new NexmoClient({
  nexmo_api_url: dev.api_url,
  url: dev.api_url,
  ips_url: `${dev.api_url}/v1/image`,
  rtcstats: { remote_collection: false },
  debug: 'silent',
});
/** Before version 9 it had another name. */
const logIn = (sdk, key) => (sdk.createSession ?? sdk.login).call(sdk, key);
const logOut = (sdk) => (sdk.deleteSession ?? sdk.logout).call(sdk);

const person = (name) => step(`createSession: ${name}`, async () => {
  const sdk = client();
  const application = await logIn(sdk, token(`${name}-${run}`));
  assert.equal(application.me.name, `${name}-${run}`);
  assert.match(application.me.id, /^USR-/);
  return { name: `${name}-${run}`, sdk, application };
});

export async function sessions() {
  for (const [what, key, type] of refusals()) {
    await step(`no session for ${what}`, async () => {
      const sdk = client();
      const error = await rejection(logIn(sdk, key));
      assert.equal(error.type, type);
      sdk.disconnect();
    });
  }
  const [alice, bob] = [await person('alice'), await person('bob')];
  await step('getUserSessions', async () => {
    const { items } = await alice.application.getUserSessions();
    assert.deepEqual([...items.keys()], [alice.sdk.session_id]);
  });
  return { alice, bob };
}

function refusals() {
  const { privateKey: key } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const name = `mallory-${run}`;
  return [
    ['what is no token', 'no token', 'system:error:invalid-token'],
    ['a foreign key', token(name, { key }), 'system:error:invalid-token'],
    ['a token of nobody', token(), 'user:error:invalid-user'],
    ['an expired token', token(name, { seconds: -1 }), 'system:error:expired-token'],
  ];
}

export async function farewells({ alice, bob }, { hers, his }) {
  await step('updateToken', () => alice.application.updateToken(token(alice.name)));
  await step('kick: the reason reaches who stays and who goes', async () => {
    const { items } = await hers.conversation.getMembers();
    await items.get(his.conversation.me.id).kick({ reason_code: '17', reason_text: 'closing time' });
    for (const there of [hers, his]) {
      const { event } = await there.next('member:left', ({ body }) => body.user.name === bob.name);
      assert.deepEqual(event.body.reason, { code: '17', text: 'closing time' });
    }
  });
  await step('who was sent away hears nothing more', async () => {
    const { id } = await hers.conversation.sendText('among ourselves');
    await hers.next('text', (event) => event.id === id);
    await bob.application.getUserSessions();
    assert.deepEqual(his.heard.all(({ event }) => event?.id === id), []);
  });
  await step('leave', async () => {
    await hers.conversation.leave({ reason_code: '1', reason_text: 'good night' });
    await hers.next('member:left', ({ body }) => body.user.name === alice.name);
  });
  await step('del: it is not there any more', async () => {
    await hers.conversation.del();
    const error = await rejection(alice.application.getConversation(hers.conversation.id));
    assert.equal(error.type, 'conversation:error:not-found');
  });
  await step('a session that was ended is not there any more', async () => {
    const { session_id: ended } = bob.sdk;
    const { type } = await logOut(bob.sdk);
    assert.equal(type, 'session:logged-out');
    const { items } = await alice.application.getUserSessions();
    assert.ok(!items.has(ended));
  });
  await step('deleteSession', () => logOut(alice.sdk));
}
