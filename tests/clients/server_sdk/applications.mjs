// Applications: made with their keys shown once, read, walked by page, changed, deleted.
import { assert, collect, connect, dev, invalid, refused, run, step } from '../steps.mjs';

const full = {
  name: `shop-${run}`,
  capabilities: {
    voice: {
      webhooks: {
        answerUrl: { address: 'https://example.org/answer', httpMethod: 'GET', connectTimeout: 500, socketTimeout: 3000 },
        fallbackAnswerUrl: { address: 'https://example.org/fallback', httpMethod: 'GET' },
        eventUrl: { address: 'https://example.org/event', httpMethod: 'POST', connectTimeout: 500, socketTimeout: 3000 },
      },
      signedCallbacks: true,
      conversationsTTL: 12,
      region: 'eu-west',
    },
    rtc: {
      webhooks: { eventUrl: { address: 'https://example.org/rtc', httpMethod: 'POST' } },
      signedCallbacks: true,
      legPersistenceTime: 7,
    },
    messages: {
      version: 'v1',
      webhooks: {
        inboundUrl: { address: 'https://example.org/inbound', httpMethod: 'POST' },
        statusUrl: { address: 'https://example.org/status', httpMethod: 'POST' },
      },
    },
    vbc: {},
  },
  privacy: { improveAi: false },
};

export async function applications({ applications: api }) {
  const made = await step('createApplication keeps every field and shows the private key', async () => {
    const application = await api.createApplication(full);
    assert.match(application.id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    keeps(application);
    assert.match(application.keys.publicKey, /^-----BEGIN PUBLIC KEY-----/);
    assert.match(application.keys.privateKey, /^-----BEGIN PRIVATE KEY-----/);
    return application;
  });
  await step('getApplication shows the public key only', async () => {
    const application = await api.getApplication(made.id);
    keeps(application);
    assert.equal(application.keys.publicKey, made.keys.publicKey);
    assert.equal(application.keys.privateKey, undefined);
  });
  await step('the new key opens the new application, and it is empty', async () => {
    const { conversations } = connect({ applicationId: made.id, privateKey: made.keys.privateKey });
    assert.deepEqual(await collect(conversations.listAllConversations()), []);
    const mine = await conversations.createConversation({ name: 'mine' });
    assert.deepEqual((await collect(conversations.listAllConversations())).map(({ id }) => id), [mine.id]);
    await refused(404, 'conversation:error:not-found', () => connect().conversations.getConversation(mine.id));
  });
  await step('updateApplication takes back the whole application', async () => {
    const { keys, ...rest } = await api.getApplication(made.id);
    const changed = await api.updateApplication({ ...rest, keys: { publicKey: keys.publicKey }, name: `renamed-${run}` });
    assert.equal(changed.name, `renamed-${run}`);
    keeps({ ...changed, name: full.name });
    assert.equal(changed.keys.privateKey, undefined);
    assert.equal((await api.getApplication(made.id)).name, `renamed-${run}`);
  });
  await listing(api);
  await refusals(api, made);
}

function keeps(application) {
  assert.equal(application.name, full.name);
  const { voice, rtc, messages, vbc } = application.capabilities;
  for (const [name, hook] of Object.entries(full.capabilities.voice.webhooks)) {
    const kept = voice.webhooks[name];
    assert.deepEqual(
      { address: kept.address, httpMethod: kept.httpMethod, connectTimeout: kept.connectTimeout, socketTimeout: kept.socketTimeout },
      { connectTimeout: undefined, socketTimeout: undefined, ...hook },
      name,
    );
  }
  assert.equal(voice.signedCallbacks, true);
  assert.equal(voice.conversationsTtl, 12);
  assert.equal(voice.region, 'eu-west');
  assert.equal(rtc.webhooks.eventUrl.address, 'https://example.org/rtc');
  assert.equal(rtc.legPersistenceTime, 7);
  assert.equal(messages.webhooks.inboundUrl.address, 'https://example.org/inbound');
  assert.equal(messages.webhooks.statusUrl.httpMethod, 'POST');
  assert.deepEqual(vbc, {});
  assert.equal(application.privacy.improveAi, false);
}

async function listing(api) {
  const before = (await collect(api.listAllApplications({ pageSize: 100 }))).map(({ id }) => id);
  assert.ok(before.includes(dev.application_id));
  const made = [];
  for (let n = 0; n < 5; n += 1) made.push((await api.createApplication({ name: `app-${n}-${run}` })).id);
  const all = [...before, ...made];
  await step('listAllApplications walks every page', async () => {
    for (const pageSize of [1, 3, 100]) {
      const seen = await collect(api.listAllApplications({ pageSize }));
      assert.deepEqual(seen.map(({ id }) => id), all, `page size ${pageSize}`);
      assert.ok(seen.every(({ keys }) => keys?.privateKey === undefined));
    }
  });
  await step('getApplicationPage and listApplications have a page with its totals', async () => {
    for (const read of [(page) => api.getApplicationPage(page), (page) => api.listApplications(page)]) {
      const page = await read({ pageSize: 2, page: 2 });
      assert.equal(page.page, 2);
      assert.equal(page.pageSize, 2);
      assert.equal(page.totalItems, all.length);
      assert.equal(page.totalPages, Math.ceil(all.length / 2));
      assert.deepEqual(page._embedded.applications.map(({ id }) => id), all.slice(2, 4));
      new URL(page._links.self.href);
    }
  });
  for (const id of made) await api.deleteApplication(id);
}

async function refusals(api, made) {
  await step('an application without a name is refused by name', () => invalid('name', () => api.createApplication({})));
  await step('a wrong key or secret is refused', async () => {
    for (const wrong of [{ apiSecret: 'wrong' }, { apiKey: 'wrong' }]) {
      const error = await connect(wrong).applications.getApplicationPage({}).then(() => null, (reason) => reason);
      assert.equal(error?.response?.status, 401);
    }
  });
  await step('deleteApplication, and its token opens nothing any more', async () => {
    assert.equal(await api.deleteApplication(made.id), undefined);
    await refused(404, 'application:error:not-found', () => api.getApplication(made.id));
    await refused(404, 'application:error:not-found', () => api.deleteApplication(made.id));
    const { users } = connect({ applicationId: made.id, privateKey: made.keys.privateKey });
    await refused(401, 'system:error:invalid-token', () => users.getUserPage());
  });
}
