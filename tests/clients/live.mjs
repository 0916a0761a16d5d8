// What the suites of live sessions share: tokens, a record of what was heard, a browser's request.
import { createSign, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
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
