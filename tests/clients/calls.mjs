// Calls with both client packages in a real browser; what is heard is told by tones.
//   CHROMIUM=<executable> PKG_DIR=<folder holding node_modules> node calls.mjs <dev.json> [act]
import { inApp } from './calls/inapp.mjs';
import { inbound } from './calls/inbound.mjs';
import { lostLine } from './calls/lost.mjs';
import { meeting } from './calls/meeting.mjs';
import { close, faults } from './calls/people.mjs';
import { serverCallsByClientSdk, serverCallsByNexmoClient } from './calls/server.mjs';
import { assert, finish, step } from './steps.mjs';

const acts = [inApp, inbound, lostLine, meeting, serverCallsByClientSdk, serverCallsByNexmoClient];
const [, , , only] = process.argv;
await Promise.all(acts.filter(({ name }) => !only || only === name).map((act) => act()));
await step('no page failed', () => assert.deepEqual(faults, []));
await close();
finish();
