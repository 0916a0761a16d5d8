// Who looks: in development mode nobody needs to say; else an application's id and private key.
import { Api, Refusal } from './api.js';
import { element, field, fill } from './dom.js';
import { TokenSmith, canSign } from './token.js';

const KEPT = 'tertulia.login';

/** An Api that is logged in, and whether the server said how to by itself. */
export async function logIn(place) {
  const offered = await development();
  if (offered) {
    return { api: await apiOf(offered), isDevelopment: true, number: offered.number };
  }
  const kept = read();
  if (kept) {
    try { return { api: await apiOf(kept), isDevelopment: false }; } catch { forget(); }
  }
  return { api: await asked(place), isDevelopment: false };
}

export function forget() {
  sessionStorage.removeItem(KEPT);
}

async function development() {
  const response = await fetch(new URL('inspect/development.json', location.origin),
    { cache: 'no-store' });
  return response.ok ? response.json() : null;
}

/** Throws an Error for people when the server does not take these. */
async function apiOf(given) {
  const smith = await TokenSmith.from(given.application_id.trim(), given.private_key);
  const hasAccount = given.api_key && given.api_secret;
  const api = new Api(smith, hasAccount ? given : null);
  await api.get('/v1/users?page_size=1');
  return api;
}

function read() {
  try { return JSON.parse(sessionStorage.getItem(KEPT)); } catch { return null; }
}

function asked(place) {
  return new Promise((resolve) => {
    const form = loginForm(async (given, keep) => {
      const api = await apiOf(given);
      if (keep) sessionStorage.setItem(KEPT, JSON.stringify(given));
      place.hidden = true;
      resolve(api);
    });
    place.hidden = false;
    fill(place, form);
    form.querySelector('input')?.focus();
  });
}

function loginForm(enter) {
  if (!canSign) {
    return element('p', {}, 'Browsers sign tokens only on pages that came by https, or from this ',
      'machine. Open this page by https.');
  }
  const id = element('input', { name: 'application_id', required: true, autocomplete: 'off',
    spellcheck: 'false', class: 'mono' });
  const key = element('textarea', { name: 'private_key', required: true, rows: '5', class: 'mono',
    spellcheck: 'false', autocomplete: 'off', placeholder: '-----BEGIN PRIVATE KEY-----' });
  const file = element('input', { type: 'file', accept: '.key,.pem,text/plain', on: {
    change: async () => { key.value = await file.files[0]?.text() ?? ''; } } });
  const apiKey = element('input', { name: 'api_key', autocomplete: 'off', spellcheck: 'false' });
  const secret = element('input', { name: 'api_secret', type: 'password', autocomplete: 'off' });
  const keep = element('input', { type: 'checkbox' });
  const failure = element('p', { class: 'failure', role: 'alert' });
  return element('form', { class: 'login', on: { submit: async (event) => {
    event.preventDefault();
    failure.textContent = '';
    try {
      await enter({ application_id: id.value, private_key: key.value, api_key: apiKey.value,
        api_secret: secret.value }, keep.checked);
    } catch (error) {
      failure.textContent = error instanceof Refusal && error.status === 401
        ? `The server does not take this key: ${error.message}` : error.message;
    }
  } } },
  element('h2', {}, 'Look inside'),
  element('p', {}, 'With an application’s id and private key you see its users, conversations and ',
    'events as they happen.'),
  field('Application id', id),
  field('Private key', key),
  field('… or from a file', file),
  element('details', {}, element('summary', {}, 'Account key, to see all applications'),
    field('API key', apiKey), field('API secret', secret)),
  element('label', { class: 'check' }, keep, element('span', {},
    'Keep it until this tab is closed, so that a reload does not ask again')),
  element('p', { class: 'hint' }, 'The key stays in this page’s memory, and in this tab’s session ',
    'storage if you tick that. It is never sent: tokens are signed here, in the browser.'),
  failure, element('div', { class: 'tools' }, element('button', { class: 'primary' }, 'Log in')));
}
