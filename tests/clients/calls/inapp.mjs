// Calls between two with nexmo-client.
import { assert, step } from '../steps.mjs';
import { enter } from './people.mjs';

/** A digit that was heard in the stream of audio. */
const RECEIVED = { type: 'audio:dtmf', body: { method: 'in' } };

export async function inApp() {
  const [fay, gus] = await Promise.all([
    enter('nexmo-client', 'fay', 500), enter('nexmo-client', 'gus', 1700),
  ]);
  const ring = async (caller, callee) => {
    await caller.does('inAppCall', callee.name);
    await callee.told({ type: 'call', direction: 'inbound' });
  };
  await step('a call is answered, and both hear each other', async () => {
    await ring(fay, gus);
    await gus.does('answer');
    await Promise.all([fay, gus].map((each) => each.told({ type: 'answered' })));
    await Promise.all([fay.hears([gus], [fay]), gus.hears([fay], [gus])]);
  });
  await step('keys that are pressed are told and heard; one that is heard is told', async () => {
    await Promise.all([
      gus.hearsKey(770, 1336),
      gus.told({ type: 'audio:dtmf', body: { digit: '5555' } }),
      fay.does('press', null, '5555'),
    ]);
    await gus.presses('7');
    await fay.told({ ...RECEIVED, body: { digit: '7', method: 'in' } });
  });
  await step('muted is not heard, earmuffed hears nothing', async () => {
    await fay.does('mute', null, true);
    await gus.hears([], [fay]);
    await fay.does('mute', null, false);
    await gus.hears([fay]);
    await gus.does('earmuff', null, true);
    await Promise.all([gus.hearsNothing(), fay.hears([gus])]);
    await gus.does('earmuff', null, false);
    await gus.hears([fay]);
  });
  await step('the caller hangs up', async () => {
    await fay.does('hangUp');
    await Promise.all([fay, gus].map((each) => each.told({ type: 'completed' })));
    await Promise.all([fay.hearsNothing(), gus.hearsNothing()]);
  });
  await step('a call is rejected', async () => {
    await ring(gus, fay);
    await fay.does('reject');
    await gus.told({ type: 'rejected' });
  });
  await step('a call is cancelled', async () => {
    await gus.does('hangUp');
    await ring(fay, gus);
    await fay.does('hangUp');
    await gus.told({ type: 'unanswered' });
  });
  await step('each key was told once to each', async () => {
    const presses = await Promise.all([fay, gus].map((each) => each.allTold(RECEIVED)));
    assert.deepEqual(presses.map((told) => told.length), [0, 1]);
  });
}
