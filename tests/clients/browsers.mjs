// Both client packages in a real browser: three people in one conversation, on pages of another
// origin than the API.
//   CHROMIUM=<executable> PKG_DIR=<folder holding node_modules> node browsers.mjs <dev.json>
import { launch } from './browser.mjs';
import { serve } from './browsers/site.mjs';
import { token } from './live.mjs';
import { assert, dev, finish, run, step, until } from './steps.mjs';

const site = await serve();
const browser = await launch();
const faults = [];

/** Somebody with a page of their own. What the page's script calls `person` is called here. */
async function enter(packageName, name) {
  const page = await (await browser.newContext()).newPage();
  page.on('pageerror', (error) => faults.push(`${name}: ${error.stack}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) {
      faults.push(`${name}: ${message.text()} ${message.location().url}`);
    }
  });
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    const isKnown = [site.origin, dev.api_url].includes(origin) || ['data:', 'blob:'].includes(protocol);
    if (!isKnown) faults.push(`${name}: request to ${request.url()}`);
  });
  await page.goto(`${site.origin}/${packageName}.html`);
  const call = (method, ...given) => page.evaluate(
    ([which, values]) => window.person[which](...values), [method, given],
  );
  const hears = (what, fits) => until(`${name} hears ${what}`, async () => (
    (await call('heard')).find((told) => told.type === what && fits(told))
  ));
  await call('enter', dev.api_url, token(`${name}-web-${run}`));
  return { name: `${name}-web-${run}`, call, hears };
}

const people = await step('three sessions', () => Promise.all([
  enter('nexmo-client', 'alice'), enter('client-sdk', 'bob'), enter('nexmo-client', 'carol'),
]));
const [alice, bob, carol] = people;
const by = (id) => (told) => told.id === id;
const about = (id) => (told) => told.target === id;
const room = await step('a conversation is made, two are invited to it and join', async () => {
  const id = await alice.call('create', `web-${run}`);
  for (const other of [bob, carol]) {
    await alice.call('invite', other.name);
    await other.hears('member:invited', ({ conversation }) => conversation === id);
    await other.call('join', id);
    await alice.hears('member:joined', ({ user }) => user === other.name);
  }
  return id;
});
for (const sender of people) {
  await step(`${sender.name} says something, the others hear it and report it`, async () => {
    const text = `Hello, says ${sender.name}: 👋🏽`;
    await sender.call('say', room, text);
    const { id } = await sender.hears('message', (told) => told.text === text);
    for (const other of people.filter((each) => each !== sender)) {
      await other.hears('message', (told) => told.id === id && told.text === text);
      await other.call('see', room, id);
    }
    await sender.hears('message:delivered', about(id));
    await sender.hears('message:seen', about(id));
  });
}
await step('a text is between those who know texts', async () => {
  const id = await alice.call('sayText', 'between us');
  await carol.hears('text', by(id));
  await alice.hears('text:delivered', about(id));
});
await step('typing', async () => {
  await alice.call('type');
  await carol.hears('text:typing:on', () => true);
  await carol.hears('text:typing:off', () => true);
});
const image = await step('an image is uploaded, and fetched by who gets it', async () => {
  await alice.call('sendImage');
  const { id } = await carol.hears('image', () => true);
  assert.match(await carol.call('fetchImage', id), /^data:image\/jpeg;base64,.{100}/);
  await alice.hears('image:delivered', about(id));
  return id;
});
await step('what is deleted is deleted for all', async () => {
  const { id } = await alice.hears('message', ({ text }) => text.includes(alice.name));
  await alice.call('remove', room, id);
  for (const each of people) await each.hears('event:delete', about(id));
  await alice.call('remove', room, image);
  await carol.hears('event:delete', about(image));
  const own = await bob.hears('message', ({ text }) => text.includes(bob.name));
  await bob.call('remove', room, own.id);
  for (const each of people) await each.hears('event:delete', about(own.id));
});
await step('each heard everything once', async () => {
  for (const each of people) {
    const ids = (await each.call('heard')).map(({ id }) => id).filter(Boolean);
    assert.deepEqual(ids, [...new Set(ids)], each.name);
  }
});
await step('all say goodbye', () => Promise.all(people.map((each) => each.call('leave', room))));
await step('no page complained, or asked anybody else', () => assert.deepEqual(faults, []));
await browser.close();
site.close();
finish();
