// Messages beyond the app, in the inspector: who has no app is reached, and answers on a handset.
import { assert, run, step } from '../steps.mjs';
import { fitsItsWidth, go, isReadable, open, picture } from './pages.mjs';

const ROOM = `post-${run}`;
const HELLO = `Are you well? (${run})`;
const ANSWER = `Very well, thank you (${run})`;
const OWN = '15550199';
/** Numbers of this run alone, which end as those of handsets: one that reads, one that is nobody's. */
const numbered = (end) => `44${String(Number.parseInt(run, 16) % 1e5).padStart(5, '0')}${end}`;
const PROMPT = numbered('15550110');
const UNKNOWN = numbered('15550112');

const said = (page, text) => page.locator('#chat .messages > li').filter({ hasText: text });
const recipient = (page, channel, number) => said(page, HELLO).locator('.recipients li')
  .filter({ hasText: channel }).filter({ hasText: number });
const texts = (page, text) => page.locator('#handsets .texts > li').filter({ hasText: text });

async function reach(page, channel, number) {
  const form = page.locator('#conversations form.reach');
  if (!await form.isVisible()) await page.click('#conversations .reaching summary');
  await form.locator('[name=channel]').selectOption(channel);
  await form.locator('[name=to]').fill(number);
  assert.equal(await form.locator('[name=from]').inputValue(), OWN);
  await page.keyboard.press('Tab');
  await form.locator('button').click();
  await page.locator('#conversations td.way', { hasText: number })
    .filter({ has: page.locator(`.channel[data-channel=${channel}]`) }).waitFor();
}

async function pickUp(page, channel, number) {
  await go(page, 'handsets');
  await page.fill('#handsets .picker [name=address]', number);
  await page.selectOption('#handsets .picker [name=channel]', channel);
  await page.click('#handsets >> text=Pick up');
  await page.locator('#handsets .handset h3', { hasText: number }).waitFor();
}

/** The steps; `a` is a page, `user` somebody in the app, `chatAs` opens a chat. */
export async function beyond(a, user, chatAs) {
  await step('who has no app is reached by a messaging channel', async () => {
    await go(a, 'conversations');
    await a.click('#conversations >> text=New conversation');
    await a.fill('#conversations form.new [name=name]', ROOM);
    await a.keyboard.press('Enter');
    await a.locator('#conversations h3', { hasText: ROOM }).waitFor();
    await reach(a, 'sms', PROMPT);
    await reach(a, 'whatsapp', PROMPT);
    await reach(a, 'sms', UNKNOWN);
    await isReadable(a);
    await picture(a, 'reached-light');
  });

  await step('what has become of a message is told for each of them', async () => {
    await chatAs(a, user, ROOM);
    await a.fill('#chat textarea.words', HELLO);
    await a.keyboard.press('Enter');
    await recipient(a, 'SMS', PROMPT).locator('.fate', { hasText: 'delivered' }).waitFor();
    await recipient(a, 'WhatsApp', PROMPT).locator('.fate', { hasText: 'seen' }).waitFor();
    const refused = recipient(a, 'SMS', UNKNOWN);
    await refused.locator('.fate', { hasText: 'rejected' }).waitFor();
    await refused.locator('.reason', { hasText: /\w/ }).waitFor();
    await isReadable(a);
    await picture(a, 'recipients-light');
  });

  await step('a handset shows what it got, and answers', async () => {
    await pickUp(a, 'sms', PROMPT);
    await texts(a, HELLO).waitFor();
    await a.locator('#handsets textarea:focus').waitFor();
    assert.equal(await a.inputValue('#handsets [name=to]'), OWN);
    await a.keyboard.type(ANSWER);
    await a.keyboard.press('Enter');
    await a.locator('#handsets .texts .own', { hasText: ANSWER }).waitFor();
    await isReadable(a);
    await picture(a, 'handset-light');
    await go(a, 'chat');
    await said(a, ANSWER).locator('.who .channel', { hasText: 'SMS' }).waitFor();
    // it went to the other one without the app, too
    await go(a, 'handsets');
    const other = a.locator('#handsets .recent button', { hasText: PROMPT })
      .filter({ hasText: 'WhatsApp' });
    await other.focus();
    await a.keyboard.press('Enter');
    await texts(a, ANSWER).waitFor();
    assert.equal(await texts(a, HELLO).count(), 1);
  });

  await step('a history tells it too, and carriers how they do', async () => {
    await chatAs(a, user, ROOM);
    await recipient(a, 'SMS', UNKNOWN).locator('.reason', { hasText: /\w/ }).waitFor();
    assert.equal(await a.locator('#chat .note', { hasText: 'SMS to' }).count(), 0);
    await go(a, 'handsets');
    const carrier = a.locator('#handsets .carrier', { hasText: 'simulated-sms' });
    await carrier.locator('.mark.good', { hasText: 'up' }).waitFor();
    assert.ok(Number(await carrier.locator('.figures dd').last().textContent()) >= 1);
    await a.locator('#handsets .carrier', { hasText: 'simulated-whatsapp' }).waitFor();
    await carrier.scrollIntoViewIfNeeded();
    await a.locator('#handsets .carrier').last().scrollIntoViewIfNeeded();
    await picture(a, 'carriers-light');
  });

  await step('what a handset cannot send is told', async () => {
    const isMeant = (told) => told.includes('/messages');
    const page = await open(`handsets/sms:${PROMPT}`, { isExpected: isMeant });
    await page.fill('#handsets [name=to]', ' '.repeat(2) + 'x'.repeat(250));
    await page.fill('#handsets textarea.words', 'Lost');
    await page.keyboard.press('Enter');
    await page.locator('#notice.bad').waitFor();
    assert.equal(await page.inputValue('#handsets textarea.words'), 'Lost');
    await page.context().close();
  });

  await step('the handset fits a phone, and is readable in the dark', async () => {
    const phone = await open(`handsets/whatsapp:${PROMPT}`, { colorScheme: 'dark', hasTouch: true,
      viewport: { width: 360, height: 740 }, deviceScaleFactor: 2 });
    await texts(phone, ANSWER).waitFor();
    await fitsItsWidth(phone);
    await isReadable(phone);
    await picture(phone, 'phone-handset');
    await chatAs(phone, user, ROOM);
    await recipient(phone, 'SMS', UNKNOWN).waitFor();
    await fitsItsWidth(phone);
    await isReadable(phone);
    await picture(phone, 'phone-recipients');
    await go(phone, 'conversations');
    await phone.locator('#conversations .item', { hasText: ROOM }).click();
    await phone.click('#conversations .reaching summary');
    await fitsItsWidth(phone);
    await isReadable(phone);
    await picture(phone, 'phone-reaching');
    await phone.context().close();
    const dark = await open(`handsets/sms:${PROMPT}`, { colorScheme: 'dark' });
    await texts(dark, ANSWER).waitFor();
    await isReadable(dark);
    await picture(dark, 'handset-dark');
    await dark.context().close();
  });
}
