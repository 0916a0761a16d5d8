// Tokens, signed here: the private key is held by the browser's crypto and sent nowhere.

/** What the browser needs for signing is there on https and on this machine only. */
export const canSign = globalThis.crypto?.subtle !== undefined;

export class TokenSmith {
  #applicationId;
  #key;
  #kept = new Map();

  constructor(applicationId, key) {
    this.#applicationId = applicationId;
    this.#key = key;
  }

  /** Throws an Error that a person can read when the text holds no private key. */
  static async from(applicationId, pem) {
    const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
    try {
      const key = await crypto.subtle.importKey('pkcs8', derOf(pem), algorithm, false, ['sign']);
      return new TokenSmith(applicationId, key);
    } catch {
      throw new Error('This is not a private key in PEM form (PKCS 8, “BEGIN PRIVATE KEY”).');
    }
  }

  get applicationId() {
    return this.#applicationId;
  }

  /** A token of the application, or of one of its users, good for half of `seconds` or more. */
  async token(userName = '', seconds = 3600) {
    const now = Math.floor(Date.now() / 1000);
    const name = `${seconds} ${userName}`;
    const known = this.#kept.get(name);
    if (known && known.until - now > seconds / 2) return known.token;
    const token = await this.#mint(userName, now, now + seconds);
    this.#kept.set(name, { token, until: now + seconds });
    return token;
  }

  /** One that was never used: what is posted twice with one token is taken for a resent request. */
  freshToken() {
    const now = Math.floor(Date.now() / 1000);
    return this.#mint('', now, now + 900);
  }

  async #mint(userName, now, until) {
    const claims = { application_id: this.#applicationId, iat: now, exp: until,
      jti: randomId() };
    if (userName) claims.sub = userName;
    const signed = `${encoded({ alg: 'RS256', typ: 'JWT' })}.${encoded(claims)}`;
    const signature = await crypto.subtle.sign(
      'RSASSA-PKCS1-v1_5', this.#key, new TextEncoder().encode(signed),
    );
    return `${signed}.${base64url(new Uint8Array(signature))}`;
  }
}

function randomId() {
  const octets = crypto.getRandomValues(new Uint8Array(16));
  return [...octets].map((octet) => octet.toString(16).padStart(2, '0')).join('');
}

function derOf(pem) {
  const found = /-----BEGIN PRIVATE KEY-----([\s\S]+?)-----END PRIVATE KEY-----/.exec(pem);
  return Uint8Array.from(atob(found[1].replace(/\s/g, '')), (char) => char.charCodeAt(0));
}

function encoded(value) {
  return base64url(new TextEncoder().encode(JSON.stringify(value)));
}

function base64url(octets) {
  const text = btoa(String.fromCharCode(...octets));
  return text.replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}
