// The public API, asked as the application or as one of its users.

/** A refusal: `message` is its detail, for people; `status` and `code` are for programs. */
export class Refusal extends Error {
  constructor(status, problem = {}) {
    const wrong = (problem.invalid_parameters ?? [])
      .map(({ name, reason }) => `${name} ${reason}`).join('; ');
    const detail = problem.detail ?? `The server answered ${status}.`;
    super(wrong ? `${detail} (${wrong})` : detail);
    this.status = status;
    this.code = problem.code ?? '';
  }
}

export class Api {
  #smith;
  #account;

  /** `account`: `{api_key, api_secret}`, or null when it is not known. */
  constructor(smith, account = null) {
    this.#smith = smith;
    this.#account = account;
  }

  get applicationId() {
    return this.#smith.applicationId;
  }

  get knowsAccount() {
    return this.#account !== null;
  }

  token(user = '', seconds = 3600) {
    return this.#smith.token(user, seconds);
  }

  /** The JSON of an answer; throws a Refusal. `user`: the name of the user to speak for. */
  async ask(method, path, { body, user = '', asAccount = false } = {}) {
    const response = await this.fetch(path, { method, body, user, asAccount });
    const text = await response.text();
    return text ? JSON.parse(text) : null;
  }

  get(path, how) {
    return this.ask('GET', path, how);
  }

  post(path, body, how) {
    return this.ask('POST', path, { ...how, body });
  }

  /** A page of a list: `{items, next}`, the latter the path of the next page, or ''. */
  async page(path, collection, how) {
    const answer = await this.get(path, how);
    const embedded = answer._embedded ?? {};
    const items = embedded[collection] ?? embedded;
    const next = answer._links?.next?.href ?? '';
    return { items: Array.isArray(items) ? items : [], next: next && pathOf(next) };
  }

  /** A response that is not refused. A FormData goes as it is, any other body as JSON. */
  async fetch(path, { method = 'GET', body, user = '', asAccount = false, accept, signal } = {}) {
    const headers = { Authorization: await this.#credentials(method, user, asAccount) };
    if (accept) headers.Accept = accept;
    const isForm = body instanceof FormData;
    if (body !== undefined && !isForm) headers['Content-Type'] = 'application/json';
    const response = await this.#send(path, {
      method, headers, signal, body: isForm || body === undefined ? body : JSON.stringify(body),
      cache: 'no-store', credentials: 'omit', referrerPolicy: 'no-referrer',
    });
    if (response.ok) return response;
    throw new Refusal(response.status, await response.json().catch(() => ({})));
  }

  async #send(path, given) {
    try {
      return await fetch(new URL(path, location.origin), given);
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      throw new Refusal(0, { detail: 'The server cannot be reached.' });
    }
  }

  async #credentials(method, user, asAccount) {
    if (!asAccount) {
      const isPost = method === 'POST' && !user;
      return `Bearer ${await (isPost ? this.#smith.freshToken() : this.token(user))}`;
    }
    const { api_key: key, api_secret: secret } = this.#account;
    return `Basic ${btoa(`${key}:${secret}`)}`;
  }
}

/** Links name the server as others reach it; we stay where the page came from. */
function pathOf(href) {
  const url = new URL(href, location.origin);
  return url.pathname + url.search;
}

/** The command that does the same from a terminal. */
export function curl(method, path, body, isDevelopment = true) {
  const token = isDevelopment ? '$(tertulia token)' : '$TOKEN';
  const lines = [`curl -H "Authorization: Bearer ${token}"`];
  if (body !== undefined) {
    lines.push(`  -H 'Content-Type: application/json'`, `  -d '${JSON.stringify(body)}'`);
  } else if (method !== 'GET') {
    lines[0] = lines[0].replace('curl', `curl -X ${method}`);
  }
  lines.push(`  ${location.origin}${path}`);
  return lines.join(' \\\n');
}
