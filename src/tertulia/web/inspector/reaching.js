// How somebody comes into a conversation who has no app: by a messaging channel.
import { CHANNELS, channelOptions, channelTo } from './channels.js';
import { announce, element, field } from './dom.js';
import { tried } from './section.js';

/** `onReached()` is called once somebody is a member. */
export function reachForm({ api, number }, conversationId, onReached) {
  const channel = element('select', { name: 'channel' }, channelOptions());
  const to = element('input', { name: 'to', required: true, autocomplete: 'off',
    spellcheck: 'false' });
  const from = element('input', { name: 'from', required: true, autocomplete: 'off',
    spellcheck: 'false', value: number });
  const name = element('input', { name: 'name', list: 'user-names', autocomplete: 'off',
    placeholder: 'One is made' });
  const form = element('form', { class: 'reach', on: { submit: (event) => {
    event.preventDefault();
    tried(async () => {
      const user = name.value.trim() || `${channel.value}-${to.value.trim()}`;
      await there(api, user);
      await api.post(`/v1/conversations/${conversationId}/members`, { state: 'joined',
        user: { name: user }, channel: channelTo(channel.value, to.value.trim(),
          from.value.trim()) });
      announce(`${user} is reached by ${CHANNELS[channel.value].label}.`);
      to.value = '';
      name.value = '';
      await onReached();
      to.focus();
    });
  } } },
  field('Channel', channel), field('Number or id', to), field('From, your own', from),
  field('User', name),
  element('button', { class: 'small' }, 'Add'));
  return element('details', { class: 'reaching' },
    element('summary', {}, 'Somebody without the app'), form);
}

async function there(api, name) {
  const [found] = (await api.page(`/v1/users?name=${encodeURIComponent(name)}`, 'users')).items;
  if (!found) await api.post('/v1/users', { name });
}
