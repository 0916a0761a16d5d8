// The chat surface of @vonage/client-sdk on a running server: two people in one conversation.
//   PKG_DIR=<folder holding node_modules> node client_sdk.mjs <dev.json>
import { finish } from './steps.mjs';
import { history } from './client_sdk/history.mjs';
import { messages } from './client_sdk/messages.mjs';
import { people } from './client_sdk/people.mjs';
import { farewells, sessions } from './client_sdk/sessions.mjs';

const pair = await sessions();
const room = await people(pair);
await messages(pair, room);
await history(pair, room);
await farewells(pair, room);
finish();
