// Calls to simulated phones: every method of the voice client, and what it makes of the answers.
import { mkdtempSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, collect, connect, dev, invalid, recent, refused, run, step, until } from '../steps.mjs';

const PERSON = '15550100';
const BUSY = '15550102';
const NO_ANSWER = '15550103';
const ECHO = '15550105';
const KEYS = '15550120'; // of phones/, beside this folder
const OWN = { type: 'phone', number: '15550199' };
const VENDOR = 'http://api.nexmo.com';
const NOTHING = '00000000-0000-4000-8000-000000000000';
const room = [{ action: 'conversation', name: `calls-${run}` }];
const phone = (number) => ({ type: 'phone', number });

/** The application's own server: `content` by path, and what it was told. */
async function appServer() {
  const content = new Map();
  const told = [];
  const server = createServer(async (request, response) => {
    const path = request.url.split('?')[0];
    let body = '';
    for await (const piece of request) body += piece;
    if (body) told.push({ path, ...JSON.parse(body) });
    const [type, octets] = content.get(path) ?? ['application/json', '{}'];
    response.writeHead(200, { 'content-type': type }).end(octets);
  });
  await new Promise((listening) => { server.listen(0, '127.0.0.1', listening); });
  return {
    told, content, url: `http://127.0.0.1:${server.address().port}`, close: () => server.close(),
  };
}

function tone() {
  const header = Buffer.from('UklGRgAAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=', 'base64');
  const samples = Buffer.alloc(80_000, 7);
  header.writeUInt32LE(36 + samples.length, 4);
  header.writeUInt32LE(samples.length, 40);
  return Buffer.concat([header, samples]);
}

export async function calls({ voice: api, users }) {
  const app = await appServer();
  const call = (more = {}) => api.createOutboundCall({
    to: [phone(ECHO)], from: OWN, ncco: room, eventUrl: [`${app.url}/event`], ...more,
  });
  const is = (uuid, status) => until(`${uuid} ${status}`, async () => {
    const found = await api.getCall(uuid);
    return found.status === status && found;
  }, 30_000);
  const answered = async (more) => {
    const { uuid } = await call(more);
    await is(uuid, 'answered');
    return uuid;
  };
  const heard = (what, look) => until(what, () => app.told.find(look), 30_000);
  await control({ api, app, call, is, answered, heard });
  await keys({ api, app, answered, heard });
  await recordings({ api, app, answered, heard });
  await lists({ api, call, is });
  await ends({ api, app, users, call, answered, heard });
  await refusals({ api, call, is });
  app.close();
}

async function control({ api, app, call, is, answered, heard }) {
  const uuid = await step('createOutboundCall calls a phone, getCall tells how it is', async () => {
    const made = await call();
    assert.equal(made.status, 'started');
    assert.equal(made.direction, 'outbound');
    assert.match(made.conversationUUID, /^CON-/);
    const found = await is(made.uuid, 'answered');
    assert.deepEqual(found.to, phone(ECHO));
    assert.deepEqual(found.from, OWN);
    recent(found.startTime);
    return made.uuid;
  });
  await step('streamAudio and stopStreamAudio', async () => {
    app.content.set('/tone.wav', ['audio/wav', tone()]);
    const { message } = await api.streamAudio(uuid, `${app.url}/tone.wav`, 0, 0.5);
    assert.equal(message, 'Stream started');
    assert.equal((await api.stopStreamAudio(uuid)).message, 'Stream stopped');
  });
  await step('playTTS and stopTTS', async () => {
    const action = { text: 'Hello', loop: 2, level: -0.5, language: 'en-US', style: 0, premium: false };
    assert.equal((await api.playTTS(uuid, action)).message, 'Talk started');
    assert.equal((await api.stopTTS(uuid)).message, 'Talk stopped');
    assert.equal((await api.playTTS(uuid, { text: '<speak>Hi</speak>' })).uuid, uuid);
  });
  await step('playDTMF', async () => {
    assert.deepEqual(await api.playDTMF(uuid, '1p2#'), { message: 'DTMF sent', uuid });
  });
  await step('muteCall, unmuteCall, earmuffCall, unearmuffCall, callAction', async () => {
    for (const action of ['muteCall', 'unmuteCall', 'earmuffCall', 'unearmuffCall']) await api[action](uuid);
    await api.callAction(uuid, 'mute');
  });
  await step('transferCallWithNCCO and transferCallWithURL move it', async () => {
    const seen = new Set([(await api.getCall(uuid)).conversationUUID]);
    const moved = async () => {
      for (let tries = 0; tries < 200; tries += 1) {
        const { conversationUUID } = await api.getCall(uuid);
        if (!seen.has(conversationUUID)) return seen.add(conversationUUID);
        await new Promise((done) => setTimeout(done, 50));
      }
      throw new Error('it was not moved');
    };
    await api.transferCallWithNCCO(uuid, [{ action: 'talk', text: 'You were moved.', loop: 0 }]);
    await moved();
    app.content.set('/next', ['application/json', JSON.stringify([{ action: 'conversation', name: `next-${run}` }])]);
    await api.transferCallWithURL(uuid, `${app.url}/next`);
    await moved();
    assert.equal(seen.size, 3);
  });
  await step('hangupCall ends it', async () => {
    await api.hangupCall(uuid);
    const over = await is(uuid, 'completed');
    recent(over.endTime);
    assert.deepEqual([over.rate, over.price], ['0.00', '0.00000000']);
    assert.match(over.duration, /^\d+$/);
  });
  await step('an answer URL gives the script', async () => {
    app.content.set('/script', ['application/json', JSON.stringify([{ action: 'talk', text: 'Bye.' }])]);
    const { uuid: other } = await call({
      to: [phone(PERSON)], ncco: undefined, answerUrl: [`${app.url}/script`], answerMethod: 'GET',
    });
    await is(other, 'completed');
    await heard('its end', (told) => told.uuid === other && told.status === 'completed');
    const told = app.told.filter(({ uuid: of, status }) => of === other && status);
    assert.deepEqual(told.map(({ status }) => status), ['started', 'ringing', 'answered', 'completed']);
  });
  await step('a call ends with its length', async () => {
    await is(await answered({ lengthTimer: 1 }), 'completed');
  });
}

async function keys({ api, app, answered, heard }) {
  await step('subscribeDTMF tells of keys, unsubscribeDTMF no longer', async () => {
    const uuid = await answered({ to: [phone(KEYS)] });
    await api.subscribeDTMF(uuid, `${app.url}/keys`);
    await api.playDTMF(uuid, '1');
    for (const digits of ['7', '#']) {
      const { dtmf } = await heard(`the key ${digits}`, (told) => (
        told.path === '/keys' && told.uuid === uuid && told.dtmf.digits === digits
      ));
      assert.deepEqual(dtmf, { digits, timed_out: false });
    }
    await api.unsubscribeDTMF(uuid);
    await api.hangupCall(uuid);
  });
}

async function recordings({ api, app, answered, heard }) {
  const record = { action: 'record', format: 'wav', eventUrl: [`${app.url}/recorded`] };
  const uuid = await answered({ ncco: [record, { action: 'talk', text: 'Good morning.' }, ...room] });
  await new Promise((later) => { setTimeout(later, 1500); });
  await api.hangupCall(uuid);
  const told = await heard('a recording', ({ path, uuid: of }) => path === '/recorded' && of === uuid);
  const file = join(mkdtempSync(join(tmpdir(), 'tertulia-')), 'recording.wav');
  const address = new URL(told.recording_url);
  await step('downloadRecording takes the address of no other host than its vendor’s', async () => {
    assert.match(address.href, /\/v1\/files\/MED-.*nexmo\.com/);
    await assert.rejects(() => api.downloadRecording(address.href, file), /invalid for file download/);
  });
  const fetched = globalThis.fetch;
  globalThis.fetch = (url, how) => fetched(`${url}`.replace(VENDOR, dev.api_url), how);
  try {
    await step('downloadRecording and downloadTranscription, where that name leads to this server', async () => {
      const there = address.href.replace(address.origin, VENDOR);
      for (const method of ['downloadRecording', 'downloadTranscription']) {
        await api[method](there, file);
        assert.equal(statSync(file).size, told.size);
        assert.equal(readFileSync(file).subarray(0, 4).toString(), 'RIFF');
      }
    });
    await step('downloadRecording by id', async () => {
      const { voice } = connect();
      voice.config.apiHost = VENDOR;
      await voice.downloadRecording(address.pathname.split('/').at(-1), file);
      assert.equal(statSync(file).size, told.size);
    });
  } finally {
    globalThis.fetch = fetched;
  }
}

async function lists({ api, call, is }) {
  const busy = [];
  for (let n = 0; n < 5; n += 1) busy.push((await call({ to: [phone(BUSY)] })).uuid);
  for (const uuid of busy) await is(uuid, 'busy');
  const picked = (found) => found.map(({ uuid }) => uuid).filter((uuid) => busy.includes(uuid));
  await step('getAllCalls walks every page, both ways', async () => {
    for (const pageSize of [1, 2, 100]) {
      assert.deepEqual(picked(await collect(api.getAllCalls({ status: 'busy', pageSize }))), busy);
      const back = await collect(api.getAllCalls({ status: 'busy', pageSize, order: 'desc' }));
      assert.deepEqual(picked(back), [...busy].reverse());
    }
  });
  await step('getCallsPage and search count, and filter', async () => {
    const page = await api.getCallsPage({ status: 'busy', pageSize: 2, recordIndex: 1 });
    assert.equal(page.page_size, 2);
    assert.equal(page.record_index, 1);
    assert.ok(page.count >= 5);
    assert.equal(page._embedded.calls.length, 2);
    for (const link of ['self', 'first', 'last', 'prev', 'next']) new URL(page._links[link].href);
    const past = await api.search({ dateStart: '2026-01-01T00:00:00Z', dateEnd: '2026-01-02T00:00:00Z' });
    assert.deepEqual([past.count, past._embedded.calls], [0, []]);
  });
}

async function ends({ api, app, users, call, answered, heard }) {
  const name = `callee-${run}`;
  await users.createUser({ name });
  await step('every kind of endpoint is called and shown', async () => {
    const kinds = [
      { type: 'app', user: name },
      { type: 'sip', uri: 'sip:rob@127.0.0.1:9', headers: { k: 'v' }, standardHeaders: { userToUser: '34;encoding=hex' } },
      { type: 'websocket', uri: 'ws://127.0.0.1:9/socket', 'content-type': 'audio/l16;rate=16000', headers: {} },
      { type: 'vbc', extension: '123' },
    ];
    for (const to of kinds) {
      const { uuid } = await call({ to: [to] });
      const found = await api.getCall(uuid);
      assert.equal(found.to.type, to.type);
      assert.equal(found.to.uri ?? found.to.extension ?? found.to.user, to.uri ?? to.extension ?? to.user);
    }
  });
  await step('a user that is called from a script has a call of its own', async () => {
    const connected = await answered({ ncco: [{ action: 'connect', endpoint: [{ type: 'app', user: name }] }] });
    const { uuid } = await heard('the user rings', (told) => told.to === name && told.uuid !== connected);
    assert.deepEqual((await api.getCall(uuid)).to, { type: 'app', user: name });
    await api.hangupCall(connected);
  });
  await step('who calls may be any number of the application', async () => {
    const { uuid } = await call({ from: undefined, randomFromNumber: true });
    assert.deepEqual((await api.getCall(uuid)).from, OWN);
  });
}

async function refusals({ api, call, is }) {
  await step('an unknown call is refused', () => refused(404, 'call:error:not-found', () => api.getCall(NOTHING)));
  await step('a call that rings is not talked to, one that is over not ended again', async () => {
    const { uuid } = await call({ to: [phone(NO_ANSWER)] });
    await is(uuid, 'ringing');
    await refused(400, 'call:error:invalid-state', () => api.playTTS(uuid, { text: 'Hello' }));
    await api.hangupCall(uuid);
    await is(uuid, 'cancelled');
    await refused(404, 'call:error:over', () => api.hangupCall(uuid));
  });
  await step('wrong requests are refused by name', async () => {
    await invalid('to[0].number', () => call({ to: [phone('12')] }));
    await invalid('ringing_timer', () => call({ ringingTimer: 500 }));
    await invalid('page_size', () => api.getCallsPage({ pageSize: 101 }));
    await invalid('status', () => api.getCallsPage({ status: 'asleep' }));
  });
}
