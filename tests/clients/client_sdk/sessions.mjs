// Sessions: begun with a token, refused, renewed, resumed, ended; and the end of a membership.
import { generateKeyPairSync } from 'node:crypto';
import { Record, rejection, token } from '../live.mjs';
import { assert, dev, require, run, step } from '../steps.mjs';

const { LoggingLevel, VonageClient } = require('@vonage/client-sdk');

const client = () => new VonageClient({
  apiUrl: dev.api_url,
  websocketUrl: dev.api_url,
  rtcStatsTelemetry: false,
  loggingLevel: LoggingLevel.Assert,
});

const person = (called) => step(`createSession: ${called}`, async () => {
  const [name, sdk, heard] = [`${called}-sdk-${run}`, client(), new Record()];
  sdk.on('conversationEvent', (event) => heard.add(event));
  const next = (kind, fits = () => true) => heard.has(
    kind, (event) => event.kind === kind && fits(event),
  );
  return { name, sdk, heard, next, session: await sdk.createSession(token(name)) };
});

export async function sessions() {
  for (const [what, key, code] of refusals()) {
    await step(`no session for ${what}`, async () => {
      assert.equal((await rejection(client().createSession(key))).code, code);
    });
  }
  return { alice: await person('alice'), bob: await person('bob') };
}

function refusals() {
  const { privateKey: key } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const name = `mallory-sdk-${run}`;
  return [
    ['what is no token', 'no token', 'session:error:invalid-token'],
    ['a foreign key', token(name, { key }), 'session:error:invalid-token'],
    ['a token of nobody', token(), 'session:error:invalid-token'],
    ['an expired token', token(name, { seconds: -1 }), 'session:error:expired-token'],
    ['an empty token', '', 'session:error:empty-token'],
  ];
}

export async function farewells({ alice, bob }, room) {
  await step('refreshSession', () => alice.sdk.refreshSession(token(alice.name)));
  await step('refreshSession with a token of somebody else is refused', () => rejection(
    alice.sdk.refreshSession(token(bob.name)),
  ));
  await step('a session is resumed by its id', async () => {
    const other = client();
    const name = `carol-sdk-${run}`;
    const session = await other.createSession(token(name));
    assert.match(session, /\S/);
    const again = client();
    assert.equal(await again.createSession(token(name), session), session);
    await again.deleteSession();
  });
  await step('the session of somebody else is not', async () => {
    const error = await rejection(client().createSession(token(`mallory-sdk-${run}`), bob.session));
    assert.equal(error.code, 'session:error:invalid-session');
  });
  await step('leaveConversation: the others hear it, and I hear nothing more', async () => {
    await bob.sdk.leaveConversation(room.id);
    const left = await alice.next('member:left', ({ body }) => body.user.name === bob.name);
    assert.equal(left.body.memberId, room.his);
    await alice.sdk.sendMessageTextEvent(room.id, 'among ourselves');
    const { id } = await alice.next('message:text', ({ body }) => body.text === 'among ourselves');
    await bob.sdk.getUser('me');
    assert.deepEqual(bob.heard.all((event) => event.id === id), []);
  });
  await step('deleteConversation: it is not there any more', async () => {
    await alice.next('message:delivered', ({ body }) => body.eventId > 0);
    await alice.sdk.deleteConversation(room.id);
    const error = await rejection(alice.sdk.getConversation(room.id));
    assert.equal(error.code, 'conversation:error:not-found');
  });
  await step('deleteSession: it cannot be resumed', async () => {
    await bob.sdk.deleteSession();
    const other = client();
    assert.notEqual(await other.createSession(token(bob.name), bob.session), bob.session);
    await other.deleteSession();
    await alice.sdk.deleteSession();
  });
}
