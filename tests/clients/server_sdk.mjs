// Every public method of the conversations, users, applications, voice, messages and sms clients of
// @vonage/server-sdk, on a running server. Prints a line a step; the last line is `N passed, N failed`.
import { assert, connect, finish, step, watched } from './steps.mjs';
import { applications } from './server_sdk/applications.mjs';
import { calls } from './server_sdk/calls.mjs';
import { conversations } from './server_sdk/conversations.mjs';
import { events } from './server_sdk/events.mjs';
import { history } from './server_sdk/history.mjs';
import { members } from './server_sdk/members.mjs';
import { messages } from './server_sdk/messages.mjs';
import { sms } from './server_sdk/sms.mjs';
import { tokens } from './server_sdk/tokens.mjs';
import { users } from './server_sdk/users.mjs';

const vonage = connect();
const sdk = {
  users: watched(vonage.users),
  conversations: watched(vonage.conversations),
  applications: watched(vonage.applications),
  voice: watched(vonage.voice),
  messages: watched(vonage.messages),
  sms: watched(vonage.sms),
};
const suites = [
  users, conversations, members, events, history, applications, tokens, calls, messages, sms,
];

for (const suite of suites) {
  await step(`suite: ${suite.name}`, () => suite({
    users: sdk.users.client,
    conversations: sdk.conversations.client,
    applications: sdk.applications.client,
    voice: sdk.voice.client,
    messages: sdk.messages.client,
    sms: sdk.sms.client,
  }));
}

for (const [name, { methods, uncalled }] of Object.entries(sdk)) {
  await step(`${name}: all public methods were called (${methods.length})`, () => {
    assert.deepEqual(uncalled(), []);
  });
}
finish();
