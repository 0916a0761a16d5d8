// A line that is lost: @vonage/client-sdk makes itself a new path, and the leg waits for it.
import { step } from '../steps.mjs';
import { line } from './line.mjs';
import { enter } from './people.mjs';

export async function lostLine() {
  const cable = line();
  const mia = await enter('client-sdk', 'mia', 930, cable);
  await step('a call goes on when its line was cut for some seconds', async () => {
    const call = await mia.does('serverCall', '447700900000');
    await mia.hears([mia]);
    cable.cut();
    await mia.told({ type: 'callMediaReconnecting', given: [call] });
    cable.mend();
    await mia.told({ type: 'callMediaReconnection', given: [call] });
    await mia.hears([mia]);
    await mia.does('hangUp', call);
  });
  cable.close();
}
