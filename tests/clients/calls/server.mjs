// Calls to the server, which the house line answers: it says back what it hears. By either package.
import { run, step } from '../steps.mjs';
import { enter, rest } from './people.mjs';

/** What each package tells its program. */
const TOLD = {
  'client-sdk': {
    pressed: (call, digit) => ({ type: 'dtmf', given: [call, call, digit] }),
    transfer: (one, call, room) => one.told({ type: 'callTransfer', given: [call, room] }),
    over: (call) => ({ type: 'callHangup', given: [call] }),
  },
  'nexmo-client': {
    pressed: (_, digit) => ({ type: 'audio:dtmf', body: { digit, method: 'in' } }),
    transfer: (one, _, room) => one.does('arriveIn', room),
    over: () => ({ type: 'completed' }),
  },
};

export const serverCallsByClientSdk = () => serverCalls('client-sdk', ['ida', 740], ['jim', 1250]);
export const serverCallsByNexmoClient = () => serverCalls('nexmo-client', ['kay', 860], ['lee', 1370]);

const byItsLeg = (leg) => rest('DELETE', `/legs/${leg}`);
async function byItsMember(leg) {
  const { conversation_id: room } = await rest('GET', `/legs/${leg}`);
  const { _embedded: { members } } = await rest('GET', `/conversations/${room}/members`);
  const { id } = members.find(({ channel }) => channel?.id === leg);
  await rest('DELETE', `/conversations/${room}/members/${id}`);
}

async function serverCalls(packageName, caller, other) {
  const name = (what) => `${packageName}: ${what}`;
  const told = TOLD[packageName];
  const [one, two] = await Promise.all([enter(packageName, ...caller), enter('nexmo-client', ...other)]);
  const call = await step(name('a call to the server hears its echo'), async () => {
    const leg = await one.does('serverCall', '447700900000');
    await one.hears([one]);
    return leg;
  });
  await step(name('muted, its echo stops; only what the house says is heard'), async () => {
    await one.does('mute', call, true);
    await one.hears([], [one]);
    await one.hearsNothing();
  });
  await step(name('what it lets say is heard'), async () => {
    await one.does('say', call, 'Good evening.');
    await one.hearsSpeech();
    await one.hearsNothing();
  });
  await step(name('unmuted, it hears its echo again'), async () => {
    await one.does('mute', call, false);
    await one.hears([one]);
  });
  await step(name('earmuffed, it hears nothing'), async () => {
    await one.does('earmuff', call, true);
    await one.hearsNothing();
    await one.does('earmuff', call, false);
    await one.hears([one]);
  });
  await step(name('a key that it presses in the audio is told'), async () => {
    await one.presses('7');
    await one.told(told.pressed(call, '7'));
  });
  const room = await step(name('it is transferred to another conversation'), async () => {
    const id = await two.does('open', `${packageName}-${run}`);
    await rest('POST', `/conversations/${id}/members`, {
      state: 'joined', user: { name: one.name }, channel: { type: 'app', id: call },
    });
    await told.transfer(one, call, id);
    await Promise.all([one.hears([two], [one]), two.hears([one], [two])]);
    return id;
  });
  await step(name('keys that it presses are told and heard there'), () => Promise.all([
    two.hearsKey(697, 1477),
    two.told({ type: 'audio:dtmf', body: { digit: '3333' } }),
    one.does('press', call, '3333'),
  ]));
  await step(name('its page is loaded anew, and its media reconnected'), async () => {
    await one.open();
    await one.does('reconnect', call, room);
    await Promise.all([one.hears([two], [one]), two.hears([one], [two])]);
  });
  await step(name('it hangs up'), async () => {
    await one.does('hangUp', call);
    await two.hears([], [one]);
  });
  for (const end of [byItsLeg, byItsMember]) {
    await step(name(`a call that the server ends: ${end.name}`), async () => {
      const leg = await one.does('serverCall', '447700900000');
      await one.hears([one]);
      await end(leg);
      await one.told(told.over(leg));
      await one.hearsNothing();
    });
  }
}
