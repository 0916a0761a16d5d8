// Calls to somebody with @vonage/client-sdk: answered, rejected, cancelled, not answered in time.
import { assert, run, step, until } from '../steps.mjs';
import { AUDIO, enter, rest } from './people.mjs';

export async function inbound() {
  const [dan, eve] = await Promise.all([
    enter('nexmo-client', 'dan', 600), enter('client-sdk', 'eve', 1500),
  ]);
  const room = await step('somebody waits in a room', () => dan.does('open', `hall-${run}`));
  const ring = async (channel = {}) => {
    const member = await rest('POST', `/conversations/${room}/members`, {
      state: 'invited', user: { name: eve.name }, media: AUDIO,
      channel: { type: 'app', from: { type: 'phone', number: '447700900001' }, ...channel },
    });
    const call = member.channel.id;
    const { given } = await eve.told({ type: 'callInvite', given: [call] });
    assert.deepEqual(given.slice(1), ['447700900001', 'phone']);
    return { call, member: member.id };
  };
  const ends = (call, status) => until(`the leg is ${status}`, async () => (
    (await rest('GET', `/legs/${call}`)).status === status
  ));

  await step('an invitation rings, is answered, and both hear each other', async () => {
    const { call } = await ring();
    await eve.does('answer', call);
    await Promise.all([eve.hears([dan], [eve]), dan.hears([eve], [dan])]);
    assert.deepEqual((await eve.does('legs', call)).sort(), [await dan.does('leg'), call].sort());
    await rest('DELETE', `/legs/${call}`);
    const { given } = await eve.told({ type: 'callHangup', given: [call] });
    assert.equal(given[2], 'REMOTE_HANGUP');
    await Promise.all([eve.hearsNothing(), dan.hearsNothing()]);
  });
  await step('one that is rejected', async () => {
    const { call } = await ring();
    await eve.does('reject', call);
    await ends(call, 'rejected');
  });
  await step('one that is cancelled', async () => {
    const { call, member } = await ring();
    await rest('DELETE', `/conversations/${room}/members/${member}`);
    assert.equal((await eve.told({ type: 'callInviteCancel', given: [call] })).given[1], 'RemoteCancel');
    await ends(call, 'cancelled');
  });
  await step('one that is not answered in time', async () => {
    const { call } = await ring({ ring_timeout: 1000 });
    assert.equal((await eve.told({ type: 'callInviteCancel', given: [call] })).given[1], 'RemoteTimeout');
    await ends(call, 'timeout');
  });
  await step('a call by the other package, answered; the callee hangs up', async () => {
    await dan.does('leave');
    await dan.does('inAppCall', eve.name);
    const { given: [call, from] } = await eve.told({ type: 'callInvite' });
    assert.equal(from, dan.name);
    await eve.does('answer', call);
    await dan.told({ type: 'answered' });
    await Promise.all([eve.hears([dan], [eve]), dan.hears([eve], [dan])]);
    await eve.does('hangUp', call);
    assert.equal((await eve.told({ type: 'callHangup', given: [call] })).given[2], 'LOCAL_HANGUP');
    await dan.hearsNothing();
  });
  await step('a call by the other package that its caller cancels', async () => {
    await dan.does('hangUp');
    await dan.does('inAppCall', eve.name);
    const { given: [call] } = await eve.told({ type: 'callInvite' });
    await dan.does('hangUp');
    assert.equal((await eve.told({ type: 'callInviteCancel', given: [call] })).given[1], 'RemoteCancel');
  });
  await step('what it rejected itself was not told as cancelled', async () => {
    assert.deepEqual(await eve.allTold({ type: 'callInviteCancel' }), []);
  });
}
