// People in one conversation who have no channel in common: one with @vonage/client-sdk, one with
// WhatsApp, one with SMS; then strangers, who find their place.
//   PKG_DIR=<folder holding node_modules> node channels.mjs <dev.json>
import { finish } from './steps.mjs';
import { fates } from './channels/fates.mjs';
import { gather } from './channels/people.mjs';
import { strangers } from './channels/strangers.mjs';
import { talk } from './channels/talk.mjs';

const room = await gather();
await talk(room);
await fates(room);
await strangers(room);
finish();
