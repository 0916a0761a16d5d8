// What the suites of live sessions share: tokens, a record of what was heard, a browser's request.
import { createSign, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { deflateSync } from 'node:zlib';
import { dev, until } from './steps.mjs';

const own = readFileSync(dev.private_key_file, 'utf8');
const base64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token of the application, for `user` if one is named. */
export function token(user, { seconds = 3600, key = own, ...claims } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const said = `${base64({ alg: 'RS256', typ: 'JWT' })}.${base64({
    application_id: dev.application_id,
    iat: Math.min(now, now + seconds - 1),
    exp: now + seconds,
    jti: randomUUID(),
    ...(user && { sub: user }),
    acl: { paths: { '/*/**': {} } },
    ...claims,
  })}`;
  return `${said}.${createSign('RSA-SHA256').update(said).sign(key).toString('base64url')}`;
}

/** What came, in order; `has` waits for one that fits. */
export class Record {
  #entries = [];

  add(entry) {
    this.#entries.push(entry);
  }

  all(fits) {
    return this.#entries.filter(fits);
  }

  has(what, fits) {
    return until(what, () => this.#entries.find(fits));
  }
}

/** What a promise is rejected with. */
export async function rejection(promise) {
  const outcome = await promise.then(() => null, (reason) => reason);
  if (outcome === null) throw new Error('it was accepted');
  return outcome;
}

/** A PNG of one colour. */
export function picture(width, height) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8); // eight bits a channel, three channels
  const row = Buffer.concat([Buffer.of(0), Buffer.alloc(3 * width, 0xa0)]);
  const rows = Buffer.concat(Array(height).fill(row));
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(name, data) {
  const named = Buffer.concat([Buffer.from(name), data]);
  const frame = Buffer.alloc(named.length + 8);
  frame.writeUInt32BE(data.length, 0);
  named.copy(frame, 4);
  frame.writeUInt32BE(checksum(named), named.length + 4);
  return frame;
}

function checksum(data) {
  let sum = ~0;
  for (const octet of data) {
    sum ^= octet;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}

/** The part of a browser's XMLHttpRequest that nexmo-client needs and Node has not. */
export class BrowserRequest {
  readyState = 0;
  status = 0;
  response = null;
  responseText = '';
  responseType = '';
  upload = new EventTarget();
  #abort = new AbortController();
  #headers = {};

  open(method, url) {
    this.method = method;
    this.url = url;
    this.readyState = 1;
  }

  setRequestHeader(name, value) {
    this.#headers[name] = value;
  }

  abort() {
    this.#abort.abort();
    this.onabort?.();
  }

  async send(body) {
    this.onloadstart?.();
    const bare = ['GET', 'HEAD'].includes(this.method); // a browser sends no body with these
    try {
      const answer = await fetch(this.url, {
        method: this.method,
        headers: this.#headers,
        body: bare ? undefined : body ?? undefined,
        signal: this.#abort.signal,
      });
      this.status = answer.status;
      await this.#read(answer);
    } catch (error) {
      this.readyState = 4;
      this.onerror?.(error);
      return;
    }
    this.readyState = 4;
    this.onreadystatechange?.();
    this.onload?.();
  }

  async #read(answer) {
    if (this.responseType === 'arraybuffer') {
      this.response = await answer.arrayBuffer();
      return;
    }
    this.responseText = await answer.text();
    this.response = this.responseText;
    if (this.responseType === 'json') {
      try {
        this.response = JSON.parse(this.responseText);
      } catch {
        this.response = null;
      }
    }
  }
}
