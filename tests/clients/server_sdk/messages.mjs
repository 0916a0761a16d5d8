// Messages beyond the app: every class of @vonage/messages to the simulated handsets, and the
// statuses that come of it.
import { createServer } from 'node:http';
import { assert, connect, dev, refused, require, run, step, until } from '../steps.mjs';

const sdk = require('@vonage/messages');

const PERSON = '15550110';
const REFUSED = '15550112';
const OFF = '15550113';
const ECHO = '15550114';
const OWN = '15550199';
const PICTURE = 'https://media.test/cat.jpg';
const NOTHING = '00000000-0000-4000-8000-000000000000';
const DELIVERED = ['submitted', 'delivered'];

/** The application's own server, and what its webhooks were told. */
export async function webhooks() {
  const told = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const piece of request) body += piece;
    if (body) told.push({ path: request.url.split('?')[0], ...JSON.parse(body) });
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise((listening) => { server.listen(0, '127.0.0.1', listening); });
  return { told, url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

function drafts() {
  const viber = { category: 'transaction', ttl: 600, type: 'string' };
  const action = { url: 'https://shop.test/', text: 'Open' };
  const film = { duration: '10', fileSize: '1', ...viber };
  const messenger = { category: sdk.MessengerCategory.RESPONSE };
  const policy = { policy: 'deterministic', locale: sdk.WhatsAppLanguageCode.EN_US };
  const postbackData = 'postback';
  const event = { startTime: '2030-01-01T10:00:00Z', endTime: '2030-01-01T11:00:00Z', title: 'Tea' };
  const suggestions = [
    new sdk.RCSReplySuggestion({ text: 'Yes', postbackData }),
    new sdk.RCSDialActionSuggestion({ text: 'Call', postbackData, phoneNumber: OWN }),
    new sdk.RCSViewLocationSuggestion({
      text: 'Where', postbackData, latitude: '51.5', longitude: '-0.1', pinLabel: 'Here',
    }),
    new sdk.RCSShareLocationSuggestion({ text: 'Share', postbackData }),
    new sdk.RCSOpenURLSuggestion({ text: 'Open', postbackData, url: 'https://shop.test/' }),
    new sdk.RCSOpenURLWebviewSuggestion({
      text: 'Look', postbackData, url: 'https://shop.test/', viewMode: 'FULL',
    }),
    new sdk.RCSCreateCalendarEventSuggestion({ text: 'Plan', postbackData, ...event }),
  ];
  const mail = { email: { subject: 'Hello', importance: sdk.EmailImportance.HIGH, cc: [], bcc: [] } };
  return {
    SMS: { text: 'Hi', ttl: 300, sms: { encodingType: 'auto' }, trustedRecipient: true },
    MMSText: { text: 'Hi', ttl: 600 },
    MMSImage: { image: { url: PICTURE, caption: 'A cat' } },
    MMSAudio: { audio: { url: 'https://media.test/a.mp3' } },
    MMSVideo: { video: { url: 'https://media.test/a.mp4' } },
    MMSFile: { file: { url: 'https://media.test/a.pdf', caption: 'A file' } },
    MMSVcard: { vcard: { url: 'https://media.test/a.vcf' } },
    MMSContent: { content: [{ type: 'image', url: PICTURE }, { type: 'file', url: 'https://media.test/a.pdf' }] },
    ViberText: { text: 'Hi', viberService: { ...viber, action } },
    ViberImage: { image: { url: PICTURE }, viberService: { ...viber, action } },
    ViberVideo: {
      video: { url: 'https://media.test/a.mp4', thumbUrl: PICTURE, caption: 'A film' }, viberService: film,
    },
    ViberFile: { file: { url: 'https://media.test/a.pdf', name: 'a.pdf' }, viberService: viber },
    WhatsAppText: { text: 'Hi', context: { messageUUID: NOTHING } },
    WhatsAppImage: { image: { url: PICTURE, caption: 'A cat' } },
    WhatsAppAudio: { audio: { url: 'https://media.test/a.mp3' } },
    WhatsAppVideo: { video: { url: 'https://media.test/a.mp4', caption: 'A film' } },
    WhatsAppFile: { file: { url: 'https://media.test/a.pdf', name: 'a.pdf' } },
    WhatsAppTemplate: { whatsapp: policy, template: { name: 'greeting', parameters: ['Ada'] } },
    WhatsAppSticker: { sticker: { url: 'https://media.test/a.webp' } },
    WhatsAppCustom: { custom: { type: 'location', location: { latitude: 51.5, longitude: -0.1 } } },
    WhatsAppReaction: { reaction: { action: 'react', emoji: '👍' }, context: { messageUUID: NOTHING } },
    MessengerText: { text: 'Hi', messenger },
    MessengerImage: { image: { url: PICTURE }, messenger },
    MessengerAudio: { audio: { url: 'https://media.test/a.mp3' }, messenger },
    MessengerVideo: {
      video: { url: 'https://media.test/a.mp4' },
      messenger: { category: 'message_tag', tag: sdk.MessengerTags.HUMAN_AGENT },
    },
    MessengerFile: { file: { url: 'https://media.test/a.pdf' }, messenger },
    RCSText: { text: 'Hi', suggestions, rcs: { category: sdk.RCSCategory.ACKNOLEDGEMENT } },
    RCSImage: { image: { url: PICTURE } },
    RCSVideo: { video: { url: 'https://media.test/a.mp4' } },
    RCSFile: { file: { url: 'https://media.test/a.pdf' } },
    RCSCustom: { custom: { contentMessage: { text: 'Hi' } } },
    EmailText: { text: 'Hi', ...mail },
    EmailHTML: { html: { body: '<p>Hi</p>' }, ...mail },
    EmailContent: { content: [{ type: 'text', text: 'Hi' }, { type: 'html', body: '<p>Hi</p>' }], ...mail },
  };
}

export async function messages({ messages: api, applications }) {
  const app = await webhooks();
  const webhookUrl = `${app.url}/status`;
  const known = (name) => (name.startsWith('Email')
    ? { to: `ada-${PERSON}@mail.test`, from: 'desk@mail.test', clientRef: run, webhookUrl }
    : { to: PERSON, from: OWN, clientRef: run, webhookUrl, webhookVersion: 'v1' });
  const statuses = (uuid) => app.told.filter(({ message_uuid: of }) => of === uuid);
  const ends = (uuid, status) => until(`${uuid} ${status}`, () => (
    statuses(uuid).find((told) => told.status === status)
  ), 30_000);
  const hi = (to, more = {}) => new sdk.SMS({ text: 'Hi', ...known(''), to, ...more });
  const parts = { api, app, known, statuses, ends, hi, applications };
  await everyClass(parts);
  await failures(parts);
  await inbound(parts);
  await refusals(parts);
  app.close();
}

async function everyClass({ api, known, statuses, ends }) {
  const params = drafts();
  await step('every class that is exported is sent', () => {
    const told = Object.keys(sdk).filter((name) => /^(SMS|MMS|Viber|WhatsApp|Messenger|RCS|Email)/.test(name)
      && typeof sdk[name] === 'function' && !/Suggestion/.test(name));
    assert.deepEqual(told.sort(), Object.keys(params).sort());
  });
  for (const [name, own] of Object.entries(params)) {
    await step(`${name} is delivered, and its statuses are told`, async () => {
      const draft = new sdk[name]({ ...known(name), ...own });
      const { messageUUID } = await api.send(draft);
      const told = await ends(messageUUID, 'delivered');
      assert.deepEqual(statuses(messageUUID).slice(0, 2).map(({ status }) => status), DELIVERED);
      assert.deepEqual(
        [told.channel, told.to, told.from, told.client_ref],
        [draft.channel, draft.to, draft.from, run],
      );
      assert.ok(Math.abs(Date.parse(told.timestamp) - Date.now()) < 120_000, told.timestamp);
    });
  }
}

async function failures({ api, app, ends, hi }) {
  await step('what the carrier refuses is rejected, with the reason', async () => {
    const { messageUUID } = await api.send(hi(REFUSED));
    const { error } = await ends(messageUUID, 'rejected');
    assert.match(error.title, /^1\d\d0$/);
    assert.equal(error.type.split('#')[1], error.title);
  });
  await step('what does not arrive is undeliverable', async () => {
    const { messageUUID } = await api.send(hi(OFF));
    assert.ok((await ends(messageUUID, 'undeliverable')).error.detail);
  });
  await step('a failover follows what does not arrive', async () => {
    const { messageUUID } = await api.send({
      ...hi(REFUSED), failover: [{ ...hi(PERSON), clientRef: `second-${run}` }],
    });
    const first = await ends(messageUUID, 'rejected');
    assert.deepEqual([first.workflow.items_number, first.workflow.items_total], ['1', '2']);
    const told = await until('the second', () => app.told.find(({ client_ref: ref, status }) => (
      ref === `second-${run}` && status === 'delivered'
    )), 30_000);
    assert.equal(told.workflow.id, first.workflow.id);
  });
  await step('an account without an application sends with its key and secret', async () => {
    const basic = connect({ applicationId: undefined, privateKey: undefined }).messages;
    const { messageUUID } = await basic.send(hi(PERSON));
    await ends(messageUUID, 'delivered');
  });
}

async function inbound({ api, app, ends, known, applications }) {
  const before = await applications.getApplication(dev.application_id);
  const address = `${app.url}/inbound`;
  await applications.updateApplication({
    ...before,
    capabilities: {
      ...before.capabilities,
      messages: { webhooks: { inboundUrl: { address, httpMethod: 'POST' }, statusUrl: { address: `${app.url}/all`, httpMethod: 'POST' } } },
    },
  });
  try {
    await step('an answer comes in, and is marked as read', async () => {
      await api.send(new sdk.WhatsAppText({ ...known(''), to: ECHO, text: `echo ${run}` }));
      const told = await until('the answer', () => app.told.find(({ path, text }) => (
        path === '/inbound' && text === `echo ${run}`
      )), 30_000);
      assert.deepEqual([told.channel, told.from, told.message_type], ['whatsapp', ECHO, 'text']);
      assert.equal(await api.updateMessage(told.message_uuid, sdk.UpdateMessageStatus.READ), true);
      assert.equal(await api.updateMessage(told.message_uuid, 'read', { typingIndicator: 'text' }), true);
    });
    await step('a message by RCS is revoked', async () => {
      const { messageUUID } = await api.send(new sdk.RCSText({ ...known(''), text: 'Hi' }));
      await ends(messageUUID, 'delivered');
      assert.equal(await api.updateMessage(messageUUID, sdk.UpdateMessageStatus.REVOKED), true);
    });
  } finally {
    await applications.updateApplication(before);
  }
}

async function refusals({ api, hi }) {
  const invalid = async (code, parameter, request) => {
    const problem = await refused(422, `messages#${code}`, request);
    assert.equal(problem.invalid_parameters[0].name, parameter);
  };
  await step('the request is authenticated', async () => {
    const { headers } = await api.addAuthenticationToRequest({ headers: {} });
    assert.match(headers.Authorization, /^Bearer /);
  });
  await step('wrong requests are refused by name', async () => {
    await invalid('1170', 'to', () => api.send(hi('12')));
    await invalid('1120', 'from', () => api.send(hi(PERSON, { from: 'much too long a name' })));
    await invalid('1020', 'text', () => api.send(hi(PERSON, { text: 'x'.repeat(3201) })));
    await invalid('1020', 'ttl', () => api.send(hi(PERSON, { ttl: 1 })));
    await invalid('1020', 'image', () => api.send({ ...hi(PERSON), channel: 'mms', messageType: 'image' }));
    await invalid('1020', 'message_type', () => api.send({ ...hi(PERSON), messageType: 'image' }));
  });
  await step('an unknown message is refused', () => (
    refused(404, 'message:error:not-found', () => api.updateMessage(NOTHING, 'read'))
  ));
}
