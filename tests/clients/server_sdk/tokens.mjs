// Tokens as the SDK makes them: wrong keys, expired, another user's, limited to paths and methods.
import { generateKeyPairSync } from 'node:crypto';
import { assert, connect, refused, run, step } from '../steps.mjs';

const now = () => Math.floor(Date.now() / 1000);

export async function tokens({ conversations: api, users }) {
  await step('a token of a foreign key is refused', () => {
    const { privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    });
    return refused(401, 'system:error:invalid-token', () => connect({ privateKey }).users.getUserPage());
  });
  await step('a token for an unknown application is refused', () => refused(
    401, 'system:error:invalid-token',
    () => connect({ applicationId: '00000000-0000-4000-8000-000000000000' }).users.getUserPage(),
  ));
  await step('a token issued long ago for long is refused', () => refused(
    401, 'system:error:invalid-token', () => connect({ jwtOptions: { exp: now() + 90_000 } }).users.getUserPage(),
  ));
  await step('a token that is not yet valid is refused', () => refused(
    401, 'system:error:invalid-token', () => connect({ jwtOptions: { nbf: now() + 600 } }).users.getUserPage(),
  ));
  await step('an acl opens its paths and methods only', async () => {
    const acl = { paths: { '/*/users/**': {}, '/*/conversations/**': { methods: ['GET'] } } };
    const limited = connect({ jwtOptions: { acl } });
    await limited.users.createUser({ name: `acl-${run}` });
    await limited.conversations.getConversationPage({});
    await refused(403, 'system:error:permission', () => limited.conversations.createConversation({}));
    const other = connect({ jwtOptions: { acl: { paths: { '/*/sessions/**': {} } } } });
    await refused(403, 'system:error:permission', () => other.users.getUserPage());
  });
  await step('a user cannot speak for another user’s member', async () => {
    const [eve, dan] = await Promise.all(['eve', 'dan'].map((name) => users.createUser({ name: `${name}-${run}` })));
    const room = await api.createConversation({ name: `impostors-${run}` });
    const join = (user) => api.createMember(room.id, { state: 'JOINED', user: { id: user.id }, channel: { type: 'app' } });
    const [, member] = [await join(eve), await join(dan)];
    const asEve = connect({ jwtOptions: { subject: eve.name } }).conversations;
    await refused(403, 'system:error:permission', () => asEve.createEvent(
      room.id, { type: 'message', from: member.id, body: { messageType: 'text', text: 'as Dan' } },
    ));
    assert.equal((await api.getConversation(room.id)).sequenceNumber, 2);
  });
}
