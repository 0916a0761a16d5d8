// A walk through the inspector in a real browser: two people chat, and a third looks on.
//   CHROMIUM=<executable> PKG_DIR=<folder holding node_modules> node inspector.mjs [dev.json]
import { readFileSync } from 'node:fs';
import { assert, dev, finish, run, step } from './steps.mjs';
import { png } from './png.mjs';
import { beyond } from './inspector/beyond.mjs';
import { KINDS } from './inspector/kinds.mjs';
import { close, faults, fitsItsWidth, go, isReadable, open, picture }
  from './inspector/pages.mjs';
import { refusingWebhook } from './inspector/webhook.mjs';

const ALICE = `alice-${run}`;
const BOB = `bob-${run}`;
const CAROL = `carol-${run}`;
const LOUNGE = `lounge-${run}`;
const GREETING = `Good evening. Shall we read something? (${run})`;
const LATER = `while you were away (${run})`;
const SECTIONS = ['timeline', 'chat', 'phone', 'calls', 'handsets', 'conversations', 'users',
  'webhooks', 'applications'];

const said = (page, text) => page.locator('#chat .messages > li').filter({ hasText: text });
const lines = (page, type, text) => page.locator('#timeline .line')
  .filter({ has: page.locator('.type', { hasText: new RegExp(`^${type}$`) }) })
  .filter({ hasText: text });

async function chatAs(page, user, conversation = LOUNGE) {
  await go(page, 'chat');
  const close = page.getByRole('button', { name: 'Log out and choose again' });
  if (await close.isVisible()) await close.click();
  await page.fill('#chat input[name=user]', user);
  await page.fill('#chat input[name=conversation]', conversation);
  await page.click('#chat >> text=Start chatting');
  await page.locator('#chat .status[data-state=live]').waitFor();
  await page.locator('#chat textarea.words:focus').waitFor();
}

async function send(page, { kind, fill, file }) {
  await page.selectOption('#chat .kind', kind);
  for (const [name, value] of Object.entries(fill ?? {})) {
    await page.fill(`#chat .fields [name=${name}]`, value);
  }
  if (file) await page.setInputFiles('#chat .fields [name=file]', file);
  await page.click('#chat .send');
}

const a = await open();
let b;

try {
  await step('it opens without a login in development mode, and follows the stream', async () => {
    await a.locator('#timeline .status[data-state=live]').waitFor();
    await a.locator('#timeline').locator('.line, .empty pre').locator('visible=true').first().waitFor();
    await picture(a, 'first');
  });

  await step('the keyboard goes everywhere', async () => {
    await a.keyboard.press('Tab');
    assert.equal(await a.evaluate(() => document.activeElement.className), 'skip');
    await a.keyboard.press('Enter');
    assert.equal(await a.evaluate(() => document.activeElement.id), 'main');
    await a.keyboard.press('/');
    assert.ok(await a.locator('#timeline input[type=search]').evaluate(
      (input) => input === document.activeElement));
    await a.keyboard.type('nothing');
    await a.keyboard.press('Escape');
    assert.equal(await a.inputValue('#timeline input[type=search]'), '');
    await a.keyboard.press('Escape');
    await a.locator('nav a', { hasText: 'Users' }).focus();
    await a.keyboard.press('Enter');
    await a.locator('#users.current').waitFor();
  });

  await step('users are made', async () => {
    for (const name of [ALICE, BOB, CAROL]) {
      await go(a, 'users');
      await a.click('#users >> text=New user');
      await a.fill('#users form.new [name=name]', name);
      await a.keyboard.press('Enter');
      await a.locator('#users h3', { hasText: name }).waitFor();
    }
    await picture(a, 'user');
    await go(a, 'users');
    await a.locator('#users .item').first().waitFor();
    await a.keyboard.press('/');
    await a.keyboard.type(run);
    assert.equal(await a.locator('#users .item').count(), 3);
    await a.locator('#users .item').first().focus();
    await a.keyboard.press('ArrowDown');
    await a.keyboard.press('ArrowDown');
    await a.keyboard.press('Enter');
    await a.locator('#users h3', { hasText: ALICE }).waitFor();
    await a.keyboard.press('Escape');
    await a.locator('#users .item:focus', { hasText: ALICE }).waitFor();
  });

  await step('a conversation is made, with a member, and the timeline tells', async () => {
    await go(a, 'conversations');
    await a.click('#conversations >> text=New conversation');
    await a.fill('#conversations form.new [name=name]', LOUNGE);
    await a.keyboard.press('Enter');
    await a.locator('#conversations h3', { hasText: LOUNGE }).waitFor();
    await lines(a, 'conversation:created', LOUNGE).waitFor();
    await a.fill('#conversations form.inline input', ALICE);
    await a.keyboard.press('Enter');
    await a.locator('#conversations td', { hasText: ALICE }).waitFor();
    await lines(a, 'member:joined', ALICE).waitFor();
    await picture(a, 'conversation');
  });

  await step('two people chat, each in a browser of their own', async () => {
    await chatAs(a, ALICE);
    b = await open('chat');
    await chatAs(b, BOB);
    await said(a, `${BOB} joined`).waitFor();
    await send(a, { kind: 'text', fill: { text: GREETING } });
    await said(b, GREETING).waitFor();
    await b.locator('#chat textarea.words').pressSequentially('Gladly! I brought Machado');
    await a.locator('#chat .typing', { hasText: `${BOB} is typing` }).waitFor();
    await b.keyboard.press('Enter');
    await said(a, 'Gladly!').waitFor();
    await a.locator('#chat .report', { hasText: `seen by ${BOB}` }).first().waitFor();
    await b.waitForFunction(() => document.querySelector('#chat .typing').textContent === '');
  });

  for (const each of KINDS) {
    await step(`${each.kind} is sent, and is seen by both and in the timeline`, async () => {
      await send(a, each);
      for (const page of [a, b]) {
        await said(page, each.shown).waitFor();
        await lines(page, each.type, each.shown).first().waitFor();
      }
      assert.equal(await a.locator('#chat .failure').textContent(), '');
    });
  }

  await step('a picture is uploaded and shown', async () => {
    const file = { name: 'evening.png', mimeType: 'image/png', buffer: png(320, 180) };
    await send(a, { kind: 'upload', file });
    for (const page of [a, b]) {
      await page.locator('#chat .picture img').waitFor();
      await page.waitForFunction(() => document.querySelector('#chat .picture img')?.naturalWidth > 0);
      await lines(page, 'image', ALICE).waitFor();
    }
    await a.selectOption('#chat .kind', 'text');
  });

  await step('what is not right is told, and sent nowhere', async () => {
    await send(a, { kind: 'custom', fill: { json: 'no object' } });
    await a.locator('#chat .failure', { hasText: 'not a JSON object' }).waitFor();
    await a.selectOption('#chat .kind', 'text');
  });

  await step('what comes over the wire is text, never markup', async () => {
    const words = '<img src=x onerror=alert(1)><b>bold</b>';
    await send(a, { kind: 'text', fill: { text: words } });
    await said(b, words).waitFor();
    assert.equal(await b.locator('#chat .messages b', { hasText: 'bold' }).count(), 0);
  });

  await step('a message is answered, changed, reacted to, and deleted', async () => {
    const gladly = said(a, 'Gladly!');
    await gladly.hover();
    await gladly.locator('.more').click();
    await gladly.getByText('Reply').click();
    await a.fill('#chat textarea.words', 'Read us the one about the road');
    await a.keyboard.press('Enter');
    await said(b, 'the road').locator('.quote', { hasText: 'Gladly!' }).waitFor();

    const mine = said(b, 'Gladly!').locator('visible=true').first();
    await mine.hover();
    await mine.locator('.more').click();
    await mine.getByText('Edit').click();
    await b.fill('#chat textarea.words', 'Gladly! I brought Machado and Lorca');
    await b.keyboard.press('Enter');
    await said(a, 'and Lorca').locator('.mark', { hasText: 'edited' }).waitFor();

    const reacted = said(a, 'and Lorca').first();
    await reacted.hover();
    await reacted.locator('.more').click();
    await reacted.getByLabel('React with ❤️').click();
    const hearts = said(b, 'and Lorca').locator('.reactions .chip');
    await hearts.filter({ hasText: '❤️ 1' }).first().waitFor();
    await hearts.first().click();
    await said(a, 'and Lorca').locator('.chip', { hasText: '❤️ 2' }).first().waitFor();

    const gone = said(a, 'a plain word');
    await gone.hover();
    await gone.locator('.more').click();
    await gone.getByText('Delete').click();
    await b.locator('#chat .gone').waitFor();
    assert.equal(await said(b, 'a plain word').count(), 0);
    await a.locator('#chat .messages').hover();
    await picture(a, 'chat-light');
    await isReadable(a);
  });

  await step('another user is invited', async () => {
    await a.click('#chat >> text=Invite');
    await a.fill('#chat form.inline input', CAROL);
    await a.keyboard.press('Enter');
    await lines(a, 'member:invited', CAROL).waitFor();
  });

  await step('an event opens to its JSON, by mouse and by keyboard', async () => {
    await go(a, 'timeline');
    const line = lines(a, 'message', GREETING);
    await line.click();
    const json = a.locator('#timeline .detail pre');
    assert.equal(JSON.parse(await json.textContent()).body.text,
      GREETING);
    await picture(a, 'timeline-light');
    await a.getByRole('button', { name: 'Copy the JSON' }).click();
    const copied = await a.evaluate(() => navigator.clipboard.readText());
    assert.equal(JSON.parse(copied).type, 'message');
    await line.focus();
    await a.keyboard.press('Escape');
    assert.equal(await json.count(), 0);
    await a.keyboard.press('ArrowDown');
    await a.keyboard.press('Enter');
    await json.waitFor();
    await a.keyboard.press('Escape');
  });

  await step('the timeline is filtered by heading, by text and by conversation', async () => {
    const shown = a.locator('#timeline li:not([hidden]) .type');
    await a.locator('#timeline .chip', { hasText: 'member' }).click();
    assert.ok((await shown.allTextContents()).every((type) => type.startsWith('member:')));
    assert.ok(await shown.count() >= 3);
    await a.locator('#timeline .chip', { hasText: 'member' }).click();
    await a.keyboard.press('/');
    await a.keyboard.type('custom:wine');
    assert.deepEqual(new Set(await shown.allTextContents()), new Set(['custom:wine:poured']));
    await a.keyboard.press('Escape');
    await lines(a, 'custom:wine:poured', LOUNGE).click();
    await a.click('#timeline >> text=Only this conversation');
    assert.equal(await lines(a, 'conversation:created', '').locator('visible=true').count(), 0);
    await a.getByRole('button', { name: 'Show all conversations' }).click();
    await lines(a, 'conversation:created', LOUNGE).waitFor();
  });

  await step('it can be paused, and goes on with what came meanwhile', async () => {
    await a.getByRole('button', { name: 'Pause' }).click();
    await send(b, { kind: 'text', fill: { text: LATER } });
    await a.locator('#timeline .fresh', { hasText: 'waiting' }).waitFor();
    assert.equal(await lines(a, 'message', LATER).count(), 0);
    await a.getByRole('button', { name: 'Go on' }).click();
    await lines(a, 'message', LATER).waitFor();
  });

  await step('what a failing webhook did not take is a dead letter, and is sent again', async () => {
    const webhook = await refusingWebhook();
    try {
      await go(a, 'webhooks');
      const letter = a.locator('#webhooks .letter', { hasText: LOUNGE }).first();
      // a change of the application takes effect within a second or so
      for (let tries = 0; tries < 6 && !await letter.isVisible(); tries += 1) {
        await send(b, { kind: 'text', fill: { text: `for the webhook, ${tries}` } });
        await letter.waitFor({ timeout: 2000 }).catch(() => {});
      }
      await letter.waitFor();
      await a.locator('#webhooks .attempts .mark', { hasText: '500' }).first().waitFor();
      await picture(a, 'webhooks');
      webhook.accept();
      await letter.getByText('Send again').click();
      await a.locator('#notice', { hasText: 'delivered' }).waitFor();
      assert.ok(webhook.taken.some((envelope) => envelope.conversation_id), 'nothing was sent');
      await a.locator('#webhooks .attempts .mark.good').first().waitFor();
    } finally {
      await webhook.end();
    }
  });

  await beyond(await open(), CAROL, chatAs);

  await step('applications are listed with the account’s key', async () => {
    await go(a, 'applications');
    await a.locator('#applications .item', { hasText: dev.application_id }).click();
    await a.locator('#applications dd', { hasText: dev.application_id }).waitFor();
  });

  await step('dark is as readable as light, and is remembered', async () => {
    await go(b, 'chat');
    await b.getByRole('button', { name: 'Light or dark' }).click();
    assert.equal(await b.evaluate(() => document.documentElement.dataset.theme), 'dark');
    await isReadable(b);
    await picture(b, 'chat-dark');
    for (const name of SECTIONS) {
      for (const page of [a, b]) {
        await go(page, name);
        await isReadable(page);
      }
    }
    await go(b, 'timeline');
    await picture(b, 'timeline-dark');
    const system = await open('', { colorScheme: 'dark' });
    assert.equal(await system.evaluate(() => document.documentElement.dataset.theme), 'dark');
    await system.context().close();
  });

  await step('it fits a phone', async () => {
    const phone = await open('', { viewport: { width: 360, height: 740 }, hasTouch: true,
      deviceScaleFactor: 2 });
    await phone.locator('#timeline .line').first().waitFor();
    for (const name of SECTIONS) {
      await go(phone, name);
      await fitsItsWidth(phone);
      await picture(phone, `phone-${name}`);
    }
    await chatAs(phone, CAROL);
    await send(phone, { kind: 'text', fill: { text: 'Buenas noches' } });
    await said(b, 'Buenas noches').waitFor({ state: 'attached' });
    await fitsItsWidth(phone);
    await picture(phone, 'phone-talk');
    await phone.selectOption('#chat .kind', 'template');
    await fitsItsWidth(phone);
    await picture(phone, 'phone-template');
    await phone.context().close();
  });

  await step('a live session is listed, and ends when it is told to', async () => {
    await go(a, 'users');
    await a.locator('#users .item', { hasText: BOB }).click();
    await a.locator('#users h4', { hasText: 'Live sessions 1' }).waitFor();
    await picture(a, 'sessions');
    await a.click('#users >> text=End');
    await a.click('dialog [value=yes]');
    await go(b, 'chat');
    await b.locator('#chat .status[data-state=ended]').waitFor();
  });

  await step('a member leaves, and the conversation is deleted after a question', async () => {
    await go(a, 'chat');
    await a.click('#chat >> text=Leave');
    await a.locator('#chat form.setup').waitFor();
    await lines(a, 'member:left', ALICE).waitFor();
    await go(a, 'conversations');
    await a.locator('#conversations .item', { hasText: LOUNGE }).click();
    await a.click('#conversations >> text=Delete');
    await a.keyboard.press('Escape');
    await a.locator('#conversations h3', { hasText: LOUNGE }).waitFor();
    await a.click('#conversations >> text=Delete');
    await a.click('dialog [value=yes]');
    await lines(a, 'conversation:deleted', LOUNGE).waitFor();
    await a.waitForFunction((name) => ![...document.querySelectorAll('#conversations .item')]
      .some((item) => item.textContent.includes(name)), LOUNGE);
  });

  await step('where nothing is offered, an application’s key is asked for', async () => {
    const isMeant = (told) => /development\.json|\/v1\/users/.test(told);
    const page = await open('', { isExpected: isMeant, prepare: (each) => each.route(
      '**/inspect/development.json', (route) => route.fulfill({ status: 404, body: '' })) });
    await page.fill('[name=application_id]', dev.application_id);
    await page.fill('[name=private_key]', 'no key at all');
    await page.click('text=Log in');
    await page.locator('.failure', { hasText: 'not a private key' }).waitFor();
    await picture(page, 'login');
    await page.fill('[name=private_key]', readFileSync(dev.private_key_file, 'utf8'));
    await page.click('text=Log in');
    await page.locator('#timeline .line').first().waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
    await go(page, 'applications');
    assert.equal(await page.locator('#applications .item').count(), 1);
    await page.context().close();
  });

  await step('nothing failed in any page, and no page spoke to anybody else', async () => {
    assert.deepEqual(faults, []);
  });
} finally {
  await close();
}
finish();
