// The headless browser that CHROMIUM names, with a fresh profile.
import { require } from './steps.mjs';

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

export function launch(...more) {
  const { chromium } = require('playwright-core');
  return chromium.launch({ executablePath: process.env.CHROMIUM, headless: true, args: [...FLAGS, ...more] });
}
