// One person with a published client package, for as long as stdin is open. Says in lines of JSON
// what the program is told; a line read is a new token, with which to go on.
//   PKG_DIR=… node witness.mjs <dev.json> <package> <address> <conversation> <token>
import { createInterface } from 'node:readline';
import { clientSdk } from './witness/client_sdk.mjs';
import { nexmoClient } from './witness/nexmo_client.mjs';

const [, , , packageName, address, conversation, token] = process.argv;
const tell = (what, more = {}) => console.log(JSON.stringify({ what, ...more }));
process.on('unhandledRejection', (error) => tell('fault', { reason: error?.stack ?? JSON.stringify(error) }));

const enter = packageName === '@vonage/client-sdk' ? clientSdk : nexmoClient;
const renew = await enter({ packageName, address, conversation, token }, tell);
tell('ready');
const lines = createInterface({ input: process.stdin });
lines.on('line', (fresh) => renew(fresh).then(() => tell('renewed')));
lines.on('close', () => process.exit());
