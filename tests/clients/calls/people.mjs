// People with a page each, whose microphone sings a tone of its own; and the application's REST.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch } from '../browser.mjs';
import { serve } from '../browsers/site.mjs';
import { token } from '../live.mjs';
import { dev, run } from '../steps.mjs';
import { goByLine } from './line.mjs';
import { takeNotes } from './notes.mjs';
import { sing } from './sounds.mjs';

const PATIENCE = 20_000;
/** Of a tone, in decibels of full scale: one that is there has some -15. */
const HEARD = -50;
const UNHEARD = -70;
/** Of speech, all frequencies together. */
const LOUD = -45;
/** How long sounds must last, or be away, to count: longer than any gap that a slow machine makes. */
const LASTING = 300;
const KEY = 40;

const site = await serve(dirname(fileURLToPath(import.meta.url)));
const browser = await launch(
  '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream',
  '--allow-loopback-in-peer-connection', '--autoplay-policy=no-user-gesture-required',
);
export const faults = [];
/** Invites to a call. */
export const AUDIO = { audio_settings: { enabled: true, muted: false, earmuffed: false } };

export async function close() {
  await browser.close();
  site.close();
}

/** Somebody with a page of the package. What the page's script calls `person` is called `does` here.
 * With a `line`, media go by it. */
export async function enter(packageName, called, tone, line) {
  const name = `${called}-${run}`;
  const page = await (await browser.newContext()).newPage();
  page.on('pageerror', (error) => faults.push(`${called}: ${error.stack ?? JSON.stringify(error)}`));
  if (line) {
    await page.exposeFunction('wayTo', line.to);
    await page.addInitScript(goByLine);
  }
  await page.addInitScript(takeNotes);
  await page.addInitScript(sing, tone);
  const does = (method, ...given) => page.evaluate(async ([which, values]) => {
    try {
      return await window.person[which](...values);
    } catch (error) { // the packages' own errors say nothing in their message
      throw new Error(`${which}: ${error?.stack} ${JSON.stringify(error)}`);
    }
  }, [method, given]);
  const open = async () => {
    await page.goto(`${site.origin}/${packageName}.html`);
    await does('enter', dev.api_url, token(name));
  };
  await open();
  return { name, tone, does, open, ...senses(called, page) };
}

function senses(called, page) {
  const sensed = async (what, outcome) => {
    const heard = await outcome;
    if (heard !== true) throw new Error(`${called} hears ${JSON.stringify(heard)}: ${what}`);
  };
  const tones = (wanted, unwanted, lasting) => sensed(
    `wanted ${wanted}, not ${unwanted}`,
    page.evaluate(([yes, no, [heard, unheard], duration, patience]) => window.ear.hears(
      (levels) => yes.every((each) => levels[each] > heard) && no.every((each) => levels[each] < unheard),
      () => window.ear.levels([...yes, ...no]),
      duration,
      patience,
    ), [wanted, unwanted, [HEARD, UNHEARD], lasting, PATIENCE]),
  );
  return {
    /** The next thing told that is like this. */
    told: (wanted) => page.evaluate(
      ([like, patience]) => window.notes.next(like, patience), [wanted, PATIENCE],
    ),
    allTold: (wanted) => page.evaluate((like) => window.notes.all(like), wanted),
    /** Hears the tones of these people, and not those of the others. */
    hears: (these, others = []) => tones(
      these.map((each) => each.tone), others.map((each) => each.tone), LASTING,
    ),
    /** Hears a key of a telephone: its two tones, if not all of a press. */
    hearsKey: (...pair) => tones(pair, [], KEY),
    hearsSpeech: () => sensed('speech', page.evaluate(([loud, patience]) => window.ear.hears(
      (level) => level > loud, () => window.ear.loudness(), 60, patience,
    ), [LOUD, PATIENCE * 2])),
    hearsNothing: () => sensed('nothing', page.evaluate(([unheard, lasting, patience]) => window.ear.hears(
      (level) => level < unheard, () => window.ear.loudness(), lasting, patience,
    ), [UNHEARD, LASTING, PATIENCE])),
    /** Press a key as telephones do, in the stream of audio (RFC 4733). */
    presses: (digits) => page.evaluate((keys) => {
      window.ear.connection().getSenders()[0].dtmf.insertDTMF(keys, 100, 70);
    }, digits),
  };
}

/** A request of the application's own. */
export async function rest(method, path, body) {
  const answer = await fetch(`${dev.api_url}/v0.3${path}`, {
    method,
    headers: { Authorization: `Bearer ${token()}`, 'Content-Type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text && JSON.parse(text);
}
