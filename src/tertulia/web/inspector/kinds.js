// Everything that can be sent: what to fill in, and the event it becomes.

const HERE = 'https://example.org';
const text = (name, label, value = '') => ({ name, label, value, type: 'text' });
const url = (value) => ({ name: 'url', label: 'Address', value, type: 'url' });
const json = (value) => ({ name: 'json', label: 'JSON object', value: JSON.stringify(value),
  type: 'json' });
const words = { name: 'text', label: 'Text', value: '', type: 'words' };

function message(subtype, part) {
  return { type: 'message', body: { message_type: subtype, ...part } };
}

/** A message whose content is an address. */
function linked(subtype, label, path) {
  return { id: subtype, label, fields: [url(`${HERE}/${path}`)],
    event: (given) => message(subtype, { [subtype]: { url: given.url } }) };
}

/** By group; `event` makes the event from what was filled in, or throws an Error for people. */
export const KINDS = {
  Messages: [
    { id: 'text', label: 'Text', fields: [words],
      event: (given) => message('text', { text: given.text }) },
    { id: 'image', label: 'Image by address',
      fields: [url(`${HERE}/picture.png`), text('caption', 'Caption')],
      event: ({ url: address, caption }) => message('image', {
        image: { url: address, ...(caption && { caption }) } }) },
    linked('audio', 'Audio', 'sound.mp3'),
    linked('video', 'Video', 'film.mp4'),
    linked('file', 'File', 'report.pdf'),
    linked('vcard', 'Business card', 'card.vcf'),
    { id: 'location', label: 'Location',
      fields: [text('latitude', 'Latitude', '40.4168'), text('longitude', 'Longitude', '-3.7038'),
        text('name', 'Name', 'Puerta del Sol'), text('address', 'Address', 'Madrid')],
      event: (given) => message('location', { location: filled(given) }) },
    { id: 'template', label: 'Template',
      fields: [text('name', 'Name', 'welcome'), text('parameters', 'Parameters, with commas', 'Ana'),
        text('policy', 'Policy', 'deterministic'), text('locale', 'Locale', 'en-GB')],
      event: ({ name, parameters, policy, locale }) => message('template', {
        template: { name, parameters: parameters.split(',').map((each) => each.trim()) },
        whatsapp: { policy, locale } }) },
    { id: 'custom', label: 'Custom message', fields: [json({ order: 17 })],
      event: (given) => message('custom', { custom: parsed(given.json) }) },
    { id: 'random', label: 'Random message', fields: [json({ dice: 6 })],
      event: (given) => message('random', { random: parsed(given.json) }) },
  ],
  Older: [
    { id: 'legacy-text', label: 'Text, older form', fields: [words],
      event: (given) => ({ type: 'text', body: { text: given.text } }) },
    { id: 'upload', label: 'Image upload',
      fields: [{ name: 'file', label: 'Picture', type: 'file' }],
      event: (given) => ({ type: 'image', upload: given.file }) },
  ],
  Events: [
    { id: 'event', label: 'Custom event',
      fields: [text('type', 'Type, after custom:', 'order:paid'), json({ order: 17 })],
      event: (given) => ({ type: `custom:${given.type}`, body: parsed(given.json) }) },
    { id: 'ephemeral', label: 'Ephemeral', fields: [json({ cursor: [4, 2] })],
      event: (given) => ({ type: 'ephemeral', body: parsed(given.json) }) },
  ],
};

export function kind(id) {
  return Object.values(KINDS).flat().find((each) => each.id === id);
}

function filled(given) {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ''));
}

function parsed(source) {
  let value = null;
  try { value = JSON.parse(source); } catch { /* told below */ }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new Error('This is not a JSON object, such as {"a": 1}.');
  }
  return value;
}
