// The page: logs in, follows the stream, and shows one section at a time (the timeline stays beside
// the others where there is room).
import { Applications } from './applications.js';
import { Calls } from './calls.js';
import { Chat } from './chat.js';
import { Conversations } from './conversations.js';
import { curl } from './api.js';
import { announce, button, copy, copyButton, element, fill, shortId } from './dom.js';
import { Handsets } from './handsets.js';
import { forget, logIn } from './login.js';
import { Names } from './names.js';
import { Phone } from './phone.js';
import { Stream } from './stream.js';
import { Timeline } from './timeline.js';
import { Users } from './users.js';
import { Webhooks } from './webhooks.js';

const BACK = 200;
const FIRST = 'timeline';
const REFRESHED = ['applications', 'calls', 'handsets', 'users', 'webhooks'];
const byId = (id) => document.getElementById(id);

async function start() {
  byId('theme').addEventListener('click', () => window.toggleTheme());
  const { api, isDevelopment, number = '' } = await logIn(byId('login'));
  const names = new Names();
  const room = { api, names, isDevelopment, number, go: (where) => { location.hash = `/${where}`; } };
  document.body.classList.add('is-in');
  showIdentity(api, isDevelopment);

  const timeline = new Timeline(byId('timeline'), names, [
    'Nothing has happened yet. Send a message in Chat, or make something happen from a terminal:',
    curl('POST', '/v1/conversations', { name: 'lounge' }, isDevelopment),
  ]);
  const sections = {
    chat: new Chat(byId('chat'), room),
    phone: new Phone(byId('phone'), room),
    calls: new Calls(byId('calls'), room),
    handsets: new Handsets(byId('handsets'), room),
    conversations: new Conversations(byId('conversations'), room),
    users: new Users(byId('users'), room),
    webhooks: new Webhooks(byId('webhooks'), room),
    applications: new Applications(byId('applications'), room),
  };
  const stream = new Stream(api, {
    onEvent: (event) => {
      names.learnEvent(event.envelope);
      timeline.add(event);
      for (const section of Object.values(sections)) section.onEvent?.(event.envelope);
    },
    onState: (state, detail) => timeline.setState(state, detail),
  });
  const show = () => navigate(sections, timeline);
  window.addEventListener('hashchange', show);
  await Promise.all([sections.users.refresh(), sections.conversations.refresh(),
    sections.chat.refresh()]);
  show();
  stream.start(BACK);
}

/**
 * The address names a section and what is open in it: `#/conversations/CON-…`. The slash keeps it
 * from being the name of an element, to which the browser would take the focus.
 */
function navigate(sections, timeline) {
  const [wanted, id = ''] = location.hash.replace(/^#\/?/, '').split('/', 2);
  const name = byId(wanted)?.matches('section.view') ? wanted : FIRST;
  document.body.dataset.view = name;
  for (const view of document.querySelectorAll('section.view')) {
    view.classList.toggle('current', view.id === name);
  }
  for (const link of document.querySelectorAll('nav a')) {
    const isHere = link.hash === `#/${name}`;
    if (isHere) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = `${name[0].toUpperCase()}${name.slice(1)} · Tertulia`;
  if (name === 'timeline') {
    if (id) timeline.showConversation(decodeURIComponent(id));
    return;
  }
  sections[name].openItem(decodeURIComponent(id));
  if (REFRESHED.includes(name)) sections[name].refresh();
}

function showIdentity(api, isDevelopment) {
  const id = api.applicationId;
  fill(byId('identity'), element('span', { class: 'mono id', title: id }, shortId(id)),
    copyButton(() => id, 'Copy the application’s id'),
    button('Copy token', async () => {
      await copy(await api.token());
      announce('A token of the application is copied; it is good for half an hour or more.');
    }, { class: 'small quiet' }),
    !isDevelopment && button('Log out', () => { forget(); location.reload(); },
      { class: 'small' }));
  byId('identity').hidden = false;
}

/** `/` goes to the filter of what is shown; Escape leaves a field. */
function pressed(event) {
  const isWriting = event.target.matches('input, textarea, select, [contenteditable]');
  if (event.key === 'Escape' && isWriting) {
    if (event.target.value && event.target.type === 'search') {
      event.target.value = '';
      event.target.dispatchEvent(new Event('input'));
    } else event.target.blur();
  }
  if (event.key !== '/' || isWriting || event.ctrlKey || event.metaKey || event.altKey) return;
  const filters = [...document.querySelectorAll('.current [data-filter], #timeline [data-filter]')];
  const filter = filters.find((each) => each.offsetParent);
  if (!filter) return;
  event.preventDefault();
  filter.focus();
  filter.select();
}

document.addEventListener('keydown', pressed);
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault(); // its address would name a section
  byId('main').focus();
});
start();
