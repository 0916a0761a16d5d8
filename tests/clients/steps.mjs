// Steps, the running server and the unmodified packages, for the suites of this folder.
//   PKG_DIR=<folder holding node_modules> node server_sdk.mjs [dev.json]
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const devFile = process.argv[2] ?? process.env.DEV_JSON ?? '.tertulia/dev.json';
/** What `dev.json` says of the running server. */
export const dev = JSON.parse(readFileSync(devFile, 'utf8'));
/** Sets the names of one run apart from those of another on the same server. */
export const run = randomUUID().slice(0, 8);

/** Loads an installed package. */
export const require = createRequire(`${process.env.PKG_DIR ?? process.cwd()}/`);

/** The SDK pointed at the server, as the application, or as a user when `jwtOptions.subject` is given. */
export function connect(credentials = {}) {
  const { Vonage } = require('@vonage/server-sdk');
  const { Auth } = require('@vonage/auth');
  const auth = new Auth({
    apiKey: dev.api_key,
    apiSecret: dev.api_secret,
    applicationId: dev.application_id,
    privateKey: readFileSync(dev.private_key_file, 'utf8'),
    ...credentials,
  });
  const host = dev.api_url;
  return new Vonage(auth, {
    apiHost: host, restHost: host, videoHost: host, meetingsHost: host, identityInsightsHost: host,
  });
}

/** A client that remembers which of its public methods were called from outside. */
export function watched(client) {
  const called = new Set();
  const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(client))
    .filter((name) => name !== 'constructor');
  const proxy = new Proxy(client, {
    get(target, name) {
      const member = target[name];
      if (!methods.includes(name)) return member;
      return (...args) => {
        called.add(name);
        return member.apply(target, args);
      };
    },
  });
  return { client: proxy, methods, uncalled: () => methods.filter((name) => !called.has(name)) };
}

let passed = 0;
let failed = 0;
/** Longer than any step takes; what a package never answers must not hold the whole program. */
const STEP_PATIENCE = 75_000;

function within(patience, doing) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${patience} ms`)), patience);
  });
  return Promise.race([doing, late]).finally(() => clearTimeout(timer));
}

export async function step(name, body) {
  try {
    const value = await within(STEP_PATIENCE, body());
    passed += 1;
    console.log(`ok   ${name}`);
    return value;
  } catch (error) {
    failed += 1;
    const answer = error?.response && !error.response.bodyUsed ? await error.response.text() : '';
    console.log(`FAIL ${name}: ${error?.stack ?? error} ${answer}`);
    return undefined;
  }
}

/** A step that this package cannot take, and why. */
export function skip(name, reason) {
  console.log(`skip ${name}: ${reason}`);
}

/** What `look` finds, as soon as it finds something. */
export async function until(what, look, patience = 8000) {
  const end = Date.now() + patience;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${patience} ms: ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, 10); });
  }
}

/** Ends the program: what a package leaves open does not hold it. */
export function finish() {
  const counts = `${passed} passed, ${failed} failed\n`;
  process.stdout.write(counts, () => process.exit(failed ? 1 : 0));
}

export async function collect(pages) {
  const items = [];
  for await (const item of pages) items.push(item);
  return items;
}

/** Walk a list by every page size and order; each must hold exactly `expected`, seen through `pick`. */
export async function walksAlike(list, expected, pick = (item) => item.id, sizes = [1, 3, 100]) {
  for (const pageSize of sizes) {
    for (const order of ['asc', 'desc']) {
      const wanted = order === 'asc' ? expected : [...expected].reverse();
      const seen = (await collect(list({ pageSize, order }))).map(pick);
      assert.deepEqual(seen, wanted, `page size ${pageSize}, ${order}`);
    }
  }
}

/** The answer must be this refusal, in the problem form that the SDK hands to its caller. */
export async function refused(status, code, request) {
  const error = await request().then(() => null, (reason) => reason);
  assert.ok(error, `accepted, where ${status} ${code} was expected`);
  assert.ok(error.response, `no answer: ${error.stack}`);
  const problem = await error.response.json();
  assert.equal(error.response.status, status, JSON.stringify(problem));
  assert.equal(problem.code, code);
  for (const member of ['title', 'type', 'detail', 'instance']) {
    assert.equal(typeof problem[member], 'string', `${member} of ${JSON.stringify(problem)}`);
  }
  return problem;
}

/** As `refused`, for a 400 that must name the wrong parameter. */
export async function invalid(parameter, request) {
  const problem = await refused(400, 'http:error:validation-fail', request);
  const found = (problem.invalid_parameters ?? []).find(({ name }) => name === parameter);
  assert.ok(found, `${parameter} is not named in ${JSON.stringify(problem)}`);
  assert.match(found.reason, /\S/);
}

/** A time as the published clients parse it, not before the run. */
export function recent(text) {
  assert.match(text, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.ok(Math.abs(Date.parse(text) - Date.now()) < 120_000, text);
}

export { assert };
