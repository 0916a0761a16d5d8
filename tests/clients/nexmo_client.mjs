// The chat surface of nexmo-client on a running server: two people in one conversation.
//   PKG_DIR=<folder holding node_modules> node nexmo_client.mjs <dev.json> [name of the package]
import { finish } from './steps.mjs';
import { history } from './nexmo_client/history.mjs';
import { images } from './nexmo_client/images.mjs';
import { messages } from './nexmo_client/messages.mjs';
import { people } from './nexmo_client/people.mjs';
import { farewells, sessions } from './nexmo_client/sessions.mjs';

const pair = await sessions();
const room = await people(pair);
await messages(pair, room);
await images(pair, room);
await history(pair, room);
await farewells(pair, room);
finish();
