// Three people in one conversation: who hears whom.
import { run, step } from '../steps.mjs';
import { AUDIO, enter, rest } from './people.mjs';

export async function meeting() {
  const [ann, ben, cleo] = await Promise.all([
    enter('nexmo-client', 'ann', 440), enter('nexmo-client', 'ben', 1000), enter('client-sdk', 'cleo', 2500),
  ]);
  const all = [ann, ben, cleo];
  const others = (one) => all.filter((each) => each !== one);
  const room = await step('a room of two', async () => {
    const id = await ann.does('open', `room-${run}`, ben.name);
    await ben.does('join', id);
    return id;
  });
  const call = await step('a third is invited with audio, and answers', async () => {
    const { channel } = await rest('POST', `/conversations/${room}/members`, {
      state: 'invited', user: { name: cleo.name }, channel: { type: 'app' }, media: AUDIO,
    });
    await cleo.told({ type: 'callInvite', given: [channel.id] });
    await cleo.does('answer', channel.id);
    return channel.id;
  });
  await step('each hears the others and not itself', () => Promise.all(
    all.map((each) => each.hears(others(each), [each])),
  ));
  await step('by REST: one who is muted is not heard, and hears', async () => {
    await rest('PUT', `/legs/${call}`, { action: 'mute' });
    await Promise.all([ann.hears([ben], [cleo]), ben.hears([ann], [cleo]), cleo.hears([ann, ben])]);
    await rest('PUT', `/legs/${call}`, { action: 'unmute' });
    await ann.hears([ben, cleo]);
  });
  await step('by REST: one who is earmuffed hears nothing, and is heard', async () => {
    await rest('PUT', `/legs/${await ben.does('leg')}`, { action: 'earmuff' });
    await Promise.all([ben.hearsNothing(), ann.hears([ben, cleo]), cleo.hears([ann, ben])]);
    await rest('PUT', `/legs/${await ben.does('leg')}`, { action: 'unearmuff' });
    await ben.hears([ann, cleo], [ben]);
  });
}
