// The inspector's softphone in a real browser, with a microphone that beeps once a second.
//   CHROMIUM=<executable> PKG_DIR=<folder holding node_modules> node softphone.mjs [dev.json]
import { close, faults, fitsItsWidth, go, isReadable, open, picture } from './inspector/pages.mjs';
import { choose, dial, hangUp, hasLegs, hears, hearsNothing, hearsRinging, isLive, isMarked, isMeasured,
  isPictured, outcome, phone, press } from './softphone/phones.mjs';
import { assert, finish, run, step, until } from './steps.mjs';

const ALICE = `alice-${run}`;
const BOB = `bob-${run}`;
const SALON = `salon-${run}`;
const WELCOME = 'Good evening, and welcome to the salon.';

const lines = (page, type, text) => page.locator('#timeline .line')
  .filter({ has: page.locator('.type', { hasText: new RegExp(`^${type}$`) }) })
  .filter({ hasText: text });
const moment = (page, lane, text) => page.locator(`#calls .steps li[data-lane=${lane}]`,
  { hasText: text }).first();
const incoming = (page) => page.getByRole('region', { name: 'Incoming call' });

const a = await phone(ALICE);
const b = await phone(BOB);

try {
  await step('who has no microphone is told why, and may listen', async () => {
    const deaf = await phone(`carol-${run}`, { permissions: [] });
    await dial(deaf, 'conversation', SALON);
    const obstacle = deaf.getByText('did not let this page use the microphone');
    await obstacle.waitFor();
    await picture(deaf, 'phone-refused');
    await isReadable(deaf);
    await press(deaf, 'Try again');
    await obstacle.waitFor();
    await press(deaf, 'Only listen');
    await isLive(deaf);
    await hangUp(deaf);
    await deaf.context().close();
  });

  await step('without a number the server itself answers', async () => {
    await dial(a, 'application', '');
    await isLive(a);
    await lines(a, 'app:knocking', ALICE).waitFor();
    await hears(a);
    await hangUp(a);
  });

  await step('a simulated phone is called, and echoes', async () => {
    await a.getByRole('button', { name: 'Call 15550105: An echo' }).click();
    await isLive(a);
    await hears(a);
    await lines(a, 'sip:answered', '15550105').last().waitFor();
  });

  await step('the timeline of a call is drawn while it lasts, and to its end', async () => {
    await press(a, 'Timeline');
    await a.locator('#calls h3', { hasText: `${ALICE} → 15550105` }).waitFor();
    for (const [lane, words] of [['sip', 'INVITE sip:15550105'], ['sip', '200 OK'],
      ['script', 'connect'], ['event', 'sip:answered'], ['event', 'member:joined']]) {
      await moment(a, lane, words).waitFor();
    }
    assert.equal(await moment(a, 'sip', 'INVITE').locator('.away').textContent(), 'SIP, sent: ');
    const far = moment(a, 'sip', 'INVITE').locator('.whose');
    assert.equal(await far.textContent(), '15550105');
    assert.ok(await a.locator('#calls .track i').count() > 8);
    assert.ok(await a.locator('#calls .track b[data-kind=talks]').count() > 0);
    await isReadable(a);
    await picture(a, 'phone-ladder');
    await a.locator('#calls').getByRole('button', { name: 'Hang up' }).click();
    await moment(a, 'sip', 'BYE').waitFor();
    await a.locator('#calls .status', { hasText: 'completed' }).waitFor();
    await a.locator('#calls').getByRole('button', { name: 'SIP' }).click();
    assert.equal(await moment(a, 'sip', '').count(), 0);
    await a.locator('#calls').getByRole('button', { name: 'SIP' }).click();
    await a.locator('#calls .track i').last().click();
    await a.locator('#calls .steps li:focus').waitFor();
    await a.keyboard.press('Escape');
    const item = a.locator('#calls .item', { hasText: `${ALICE} → 15550105` });
    await item.filter({ hasText: 'completed' }).waitFor();
    await picture(a, 'phone-calls');
    await isReadable(a);
    await go(a, 'phone');
    await outcome(a, 'The call lasted');
  });

  await step('the dial pad dials, it rings, and nobody answers', async () => {
    for (const digit of '15550103') await press(a, digit);
    assert.equal(await a.inputValue('#phone input[name=to]'), '15550103');
    await press(a, 'Call');
    await a.locator('#phone .call .status', { hasText: 'Ringing' }).waitFor();
    await hearsRinging(a);
    await picture(a, 'phone-ringing');
    await hangUp(a);
  });

  await step('a voice menu obeys the keys', async () => {
    await dial(a, 'application', '15550104');
    await isLive(a);
    await hears(a);
    await press(a, 'Keypad');
    await press(a, '9');
    await outcome(a, 'Hung up by another');
  });

  await step('it is told why a number does not answer', async () => {
    for (const [number, words] of [['15550102', 'The number is busy'],
      ['15550106', 'The call was declined'], ['15550107', 'The number cannot be reached']]) {
      await dial(a, 'application', number);
      await outcome(a, words);
    }
    await a.locator('#phone .outcome').getByRole('button', { name: 'What happened' }).click();
    await moment(a, 'sip', '404 Not Found').waitFor();
    await go(a, 'phone');
  });

  await step('two people in a conversation hear each other', async () => {
    for (const page of [a, b]) {
      await dial(page, 'conversation', SALON);
      await isLive(page);
    }
    for (const page of [a, b]) {
      await hasLegs(page, 2);
      await hears(page);
      for (const name of [ALICE, BOB]) await isMeasured(page, name);
      await isPictured(page, ALICE, BOB, 'heard');
      await isPictured(page, BOB, ALICE, 'heard');
    }
    await picture(a, 'phone-call');
    await isReadable(a);
  });

  await step('who is muted is not heard, and is pictured so', async () => {
    await press(b, 'Mute');
    await lines(a, 'audio:mute:on', BOB).waitFor();
    await isPictured(a, BOB, ALICE, 'silent');
    await isPictured(a, ALICE, BOB, 'heard');
    await isMarked(a, BOB, 'muted');
    await hearsNothing(a);
    await hears(b);
    await picture(a, 'phone-muted');
    await isReadable(a);
    await press(b, 'Unmute');
    await hears(a);
  });

  await step('who is earmuffed hears nobody; the application may take that off', async () => {
    await press(b, 'Earmuff');
    await isPictured(a, ALICE, BOB, 'silent');
    await hearsNothing(b);
    await hears(a);
    await a.getByRole('button', { name: `Earmuff ${BOB}` }).click();
    await b.locator('#phone .call').getByText('Earmuff', { exact: true }).waitFor();
    await hears(b);
  });

  await step('keys are pressed, by mouse and by keyboard, and heard by the server', async () => {
    await press(a, 'Keypad');
    await press(a, '7');
    await lines(a, 'audio:dtmf', `${ALICE} pressed 7`).waitFor();
    await a.keyboard.press('#');
    await lines(a, 'audio:dtmf', `${ALICE} pressed #`).waitFor();
    assert.equal(await a.locator('#phone .digits').textContent(), '7#');
    await picture(a, 'phone-keypad');
    await press(a, 'Keypad');
  });

  await step('it rings for one alone', async () => {
    await press(a, 'Mute');
    await press(b, 'Mute');
    await Promise.all([hearsNothing(a), hearsNothing(b)]);
    await choose(a, BOB);
    await press(a, 'Ring');
    await hears(b);
    await hearsNothing(a);
    await press(a, 'Stop ringing');
    await hearsNothing(b);
    await choose(a, 'Everybody here');
  });

  await step('a text is said to all, and recorded', async () => {
    await press(a, 'Record');
    await a.locator('#phone').getByRole('button', { name: 'Stop recording' }).waitFor();
    await a.fill('#phone [data-does=say] input', WELCOME);
    await press(a, 'Say');
    await lines(a, 'audio:say', WELCOME).waitFor();
    await Promise.all([hears(a), hears(b)]);
    await picture(a, 'phone-recording');
    await lines(a, 'audio:say:done', 'ended').last().waitFor();
    await press(a, 'Stop recording');
    await lines(a, 'audio:record:done', 'are recorded').waitFor();
  });

  await step('the recording is listed, and played in the page', async () => {
    await b.locator('#phone .recordings li').waitFor();
    await press(a, 'Listen');
    const played = await until('it plays', () => a.evaluate(() => {
      const sound = document.querySelector('#phone .recordings audio');
      return sound?.currentTime > 0.3 && { length: sound.duration, type: sound.tagName };
    }));
    assert.ok(played.length > 1, JSON.stringify(played));
    await picture(a, 'phone-player');
    await isReadable(a);
  });

  await step('the recording is played to all, by its address', async () => {
    await hearsNothing(a);
    await press(b, 'Play to all');
    await lines(a, 'audio:play', '/v3/media/').waitFor();
    await Promise.all([hears(a), hears(b)]);
    await lines(a, 'audio:play:done', 'ended').first().waitFor();
  });

  await step('who only looks sees the legs and hears nothing', async () => {
    const page = await open('conversations');
    await page.locator('#conversations .item', { hasText: SALON }).click();
    await page.locator('#conversations').getByRole('button', { name: 'Audio' }).click();
    await hasLegs(page, 2);
    await page.locator('#phone .recordings li').waitFor();
    await isPictured(page, ALICE, BOB, 'silent');
    await page.getByRole('button', { name: `Mute ${ALICE}` }).click();
    await isMeasured(page, ALICE);
    await picture(page, 'phone-look');
    await isReadable(page);
    await page.getByRole('button', { name: 'Look no longer' }).click();
    assert.equal(await page.locator('#phone audio').count(), 0);
    await page.context().close();
  });

  await step('it fits a phone, in the dark too', async () => {
    const small = await phone(`dave-${run}`, { viewport: { width: 360, height: 740 },
      hasTouch: true, deviceScaleFactor: 2, colorScheme: 'dark' });
    await fitsItsWidth(small);
    await isReadable(small);
    await picture(small, 'phone-small-dial');
    await go(small, 'calls');
    await small.locator('#calls .item', { hasText: `${ALICE} → 15550105` }).click();
    await moment(small, 'sip', 'BYE').waitFor();
    await fitsItsWidth(small);
    await isReadable(small);
    await picture(small, 'phone-small-timeline');
    await moment(small, 'sip', 'BYE').scrollIntoViewIfNeeded();
    await picture(small, 'phone-small-ladder');
    await go(small, 'phone');
    await dial(small, 'conversation', SALON);
    await isLive(small);
    await hasLegs(small, 3);
    await press(small, 'Keypad');
    await small.locator('#phone .recordings li').waitFor();
    await fitsItsWidth(small);
    await isReadable(small);
    await picture(small, 'phone-small-call');
    await small.locator('#phone .hearing').first().scrollIntoViewIfNeeded();
    await picture(small, 'phone-small-legs');
    await small.locator('#phone .recordings li').scrollIntoViewIfNeeded();
    await picture(small, 'phone-small-desk');
    await hangUp(small);
    await small.context().close();
    await b.getByRole('button', { name: 'Light or dark' }).click();
    await isReadable(b);
    await picture(b, 'phone-dark');
  });

  await step('both hang up, one by the application', async () => {
    await hangUp(a);
    await b.getByRole('button', { name: `Hang up ${BOB}` }).click();
    await outcome(b, 'Hung up by another');
    await b.getByText('Nobody has audio here').waitFor();
  });

  await step('a call to a user rings, is answered, and ends for both', async () => {
    await dial(a, 'user', BOB);
    await incoming(b).getByText(`${ALICE} calls`).waitFor();
    assert.equal(await b.evaluate(() => document.body.dataset.call), 'incoming');
    await picture(b, 'phone-incoming');
    await isReadable(b);
    await b.keyboard.press('Enter'); // the answer has the focus
    await Promise.all([isLive(a), isLive(b)]);
    await Promise.all([hears(a), hears(b)]);
    await hangUp(b);
    await outcome(a, 'Hung up');
  });

  await step('a call is rejected, and another given up', async () => {
    await dial(a, 'user', BOB);
    await incoming(b).getByText('Reject').click();
    await outcome(a, 'Rejected');
    await dial(a, 'user', BOB);
    await incoming(b).waitFor();
    await hangUp(a);
    await incoming(b).waitFor({ state: 'detached' });
  });

  await step('a phone that is switched off has no call any more', async () => {
    await dial(a, 'conversation', SALON);
    await isLive(a);
    await press(a, 'Switch off');
    await a.locator('#phone form.setup').waitFor();
    await lines(b, 'rtc:hangup', ALICE).last().waitFor();
    await go(a, 'timeline');
  });

  await step('nothing failed in any page, and no page spoke to anybody else', async () => {
    assert.deepEqual(faults, []);
  });
} finally {
  await close();
}
finish();
