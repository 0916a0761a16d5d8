// A webhook of the application that refuses until it is told otherwise.
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { createSign, randomUUID } from 'node:crypto';
import { dev } from '../steps.mjs';

/** What came, and `accept()`; `end()` leaves the application as it was. */
export async function refusingWebhook() {
  const taken = [];
  let status = 500;
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (piece) => { text += piece; });
    request.on('end', () => {
      if (status === 200) taken.push(JSON.parse(text));
      response.writeHead(status).end();
    });
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const path = `/v2/applications/${dev.application_id}`;
  const before = await ask('GET', path, basic());
  const address = `http://127.0.0.1:${server.address().port}/events`;
  const webhooks = { event_url: { address, http_method: 'POST' } };
  await ask('PUT', path, basic(), { ...changed(before), capabilities: { rtc: { webhooks } } });
  await setPolicy({ policy: 'skip', tries: 1 });
  return {
    taken,
    accept: () => { status = 200; },
    end: async () => {
      await setPolicy({ policy: 'hold' });
      await ask('PUT', path, basic(), changed(before));
      server.close();
    },
  };
}

const changed = ({ name, keys, capabilities }) => ({
  name, keys: { public_key: keys.public_key }, capabilities });

const setPolicy = (policy) => ask('PUT', '/tertulia/v1/webhooks/policy', bearer(), policy);

function basic() {
  return `Basic ${Buffer.from(`${dev.api_key}:${dev.api_secret}`).toString('base64')}`;
}

function bearer() {
  const now = Math.floor(Date.now() / 1000);
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'RS256', typ: 'JWT' })}.${part({
    application_id: dev.application_id, iat: now, exp: now + 60, jti: randomUUID() })}`;
  const signature = createSign('RSA-SHA256').update(signed)
    .sign(readFileSync(dev.private_key_file), 'base64url');
  return `Bearer ${signed}.${signature}`;
}

async function ask(method, path, authorization, body) {
  const response = await fetch(dev.api_url + path, {
    method, headers: { authorization, 'content-type': 'application/json' },
    body: body && JSON.stringify(body) });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
  return response.json();
}
