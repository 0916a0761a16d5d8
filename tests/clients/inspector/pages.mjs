// Pages of a real browser, watched: nothing may fail in them, and they talk to this server alone.
import { join } from 'node:path';
import { launch } from '../browser.mjs';
import { assert, dev } from '../steps.mjs';

const DESK = { width: 1440, height: 900 };
/** What went wrong in any page: console errors, exceptions, requests to another origin. */
export const faults = [];

/** A microphone that beeps once a second, for who is let to it. */
const AUDIO = ['--use-fake-device-for-media-stream', '--allow-loopback-in-peer-connection',
  '--autoplay-policy=no-user-gesture-required'];
const CLIPBOARD = ['clipboard-read', 'clipboard-write'];

const browser = await launch(...AUDIO);

export const close = () => browser.close();

/** A page of a browser of its own at `/inspect#/where`. `isExpected` tells failures that are meant. */
export async function open(where = '', given = {}) {
  const { isExpected = () => false, prepare, permissions = CLIPBOARD, ...options } = given;
  const context = await browser.newContext({ viewport: DESK, ...options });
  await context.grantPermissions(permissions, { origin: dev.api_url });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  page.on('pageerror', (error) => faults.push(`exception: ${error.stack}`));
  page.on('console', (message) => {
    const told = `${message.text()} ${message.location().url}`;
    if (['error', 'warning'].includes(message.type()) && !isExpected(told)) faults.push(told);
  });
  page.on('request', (request) => check(request.url()));
  page.on('websocket', (socket) => check(socket.url().replace(/^ws/, 'http')));
  await prepare?.(page);
  await page.goto(`${dev.api_url}/inspect#/${where}`);
  return page;
}

function check(address) {
  const url = new URL(address);
  if (['data:', 'blob:'].includes(url.protocol)) return;
  if (url.origin !== new URL(dev.api_url).origin) faults.push(`request to ${address}`);
}

export async function go(page, where) {
  await page.evaluate((hash) => { location.hash = `/${hash}`; }, where);
  await page.locator(`#${where.split('/')[0]}.current`).waitFor();
}

/** Keep a picture, for who wants to look. */
export async function picture(page, name) {
  const folder = process.env.TERTULIA_SCREENSHOTS;
  await page.waitForTimeout(folder ? 300 : 0);
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`) });
}

export async function fitsItsWidth(page) {
  const [content, width] = await page.evaluate(
    () => [document.documentElement.scrollWidth, window.innerWidth]);
  assert.ok(content <= width, `${content} px of content in ${width} px`);
}

/** Every text that is shown stands out from what is behind it as WCAG AA asks. */
export async function isReadable(page) {
  const poor = await page.evaluate(() => {
    const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
    const light = (rgb) => {
      const [r, g, b] = rgb.map((each) => {
        const part = each / 255;
        return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
      for (let each = element; each; each = each.parentElement) {
        const [r, g, b, alpha = 1] = numbers(getComputedStyle(each).backgroundColor);
        if (alpha === 1) return [r, g, b];
      }
      return [255, 255, 255];
    };
    const found = [];
    for (const element of document.querySelectorAll('body *')) {
      const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
      if (!own || !element.checkVisibility({ opacityProperty: true })) continue;
      if (element.closest('svg, option, :disabled')) continue;
      const style = getComputedStyle(element);
      const [one, other] = [light(numbers(style.color).slice(0, 3)), light(behind(element))];
      const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
      const size = parseFloat(style.fontSize);
      const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      if (contrast < (isLarge ? 3 : 4.5)) {
        found.push(`${contrast.toFixed(2)} ${element.className} ${element.textContent.slice(0, 40)}`);
      }
    }
    return found;
  });
  assert.deepEqual(poor, []);
}
