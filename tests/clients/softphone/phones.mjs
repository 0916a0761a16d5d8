// Telephones: pages of the inspector, each of a browser of its own, whose microphone beeps.
import { open } from '../inspector/pages.mjs';
import { until } from '../steps.mjs';

const MICROPHONE = ['microphone', 'clipboard-read', 'clipboard-write'];
/** Decibels of full scale: of a beep that is there, and of what nobody hears. */
const HEARD = -40;
const UNHEARD = -70;
/** The beeps are a second apart. */
const LISTENING_MS = 2500;
const PATIENCE = 20_000;

/** A phone of the user, switched on. */
export async function phone(user, options = {}) {
  const page = await open('phone', { permissions: MICROPHONE, ...options });
  await page.fill('#phone input[name=user]', user);
  await press(page, 'Switch on');
  await page.locator('#phone .head .status[data-state=live]').waitFor();
  return page;
}

export async function dial(page, kind, whom) {
  await page.selectOption('#phone select[name=kind]', kind);
  await page.fill('#phone input[name=to]', whom);
  await page.locator('#phone .dialler button.primary').click();
}

export const press = (page, name) => page.locator('#phone')
  .getByRole('button', { name, exact: true }).click();

export const isLive = (page) => page.locator('#phone .call .status[data-state=live]').waitFor();

export const hasLegs = (page, count) => page.locator('#phone .leg').nth(count - 1).waitFor();

/** How the last call ended, as the page tells it. */
export const outcome = (page, text) => page.locator('#phone .outcome', { hasText: text }).waitFor();

export async function hangUp(page) {
  await press(page, 'Hang up');
  await outcome(page, 'You hung up');
}

/** The loudest moment of what the call brings, in decibels, by an analyser of the page. */
export function loudness(page, milliseconds, source = '#phone .call audio') {
  return page.evaluate(async ([patience, selector]) => {
    const { srcObject } = document.querySelector(selector);
    if (!srcObject) return -100;
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    context.createMediaStreamSource(srcObject).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    let loudest = -100;
    for (const end = performance.now() + patience; performance.now() < end;) {
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, each) => sum + each * each, 0) / samples.length;
      loudest = Math.max(loudest, 10 * Math.log10(power + 1e-12));
      await new Promise((resolve) => { setTimeout(resolve, 20); });
    }
    await context.close();
    return loudest;
  }, [milliseconds, source]);
}

export const hears = (page) => until('something is heard',
  async () => await loudness(page, 500) > HEARD, PATIENCE);

/** What the page itself sounds while it rings at the far end. */
export const hearsRinging = (page) => until('it rings',
  async () => await loudness(page, 1000, '#phone .call .ring-back') > HEARD, PATIENCE);

/** Nothing, as soon as what is on its way has arrived. */
export const hearsNothing = (page) => until('nothing is heard',
  async () => await loudness(page, LISTENING_MS) < UNHEARD, PATIENCE);

const leg = (page, name) => page.locator('#phone .leg', {
  has: page.locator('.name', { hasText: name }) });

/** The meter of a leg moves. */
export const isMeasured = (page, name) => until(`${name} is measured`, async () => (
  Number(await leg(page, name).locator('.meter').getAttribute('aria-valuenow')) > HEARD));

export const isMarked = (page, name, mark) => leg(page, name)
  .locator('.state b', { hasText: mark }).waitFor();

/** What the picture shows where the row of one meets the column of another. */
export async function isPictured(page, speaker, listener, hearing) {
  const words = { heard: 'hears', silent: 'does not hear' }[hearing];
  await page.locator(`#phone td[data-hearing=${hearing}]`, {
    hasText: `${listener} ${words} ${speaker}` }).waitFor();
}

/** The choice of who hears what is played, by the name of the leg. */
export const choose = (page, name) => page.locator('#phone .desk > .field select')
  .selectOption({ label: name });
