// Everything that the chat pane can send: what is filled in, what the event is, what is read.

/** `shown` is read in the chat of both people, `type` is the line in the timeline. */
export const KINDS = [
  { kind: 'text', type: 'message', fill: { text: 'a plain word' }, shown: 'a plain word' },
  { kind: 'image', type: 'message', fill: { url: 'https://example.org/i.png', caption: 'a view' },
    shown: 'https://example.org/i.png' },
  ...['audio', 'video', 'file', 'vcard'].map((kind) => ({
    kind, type: 'message', fill: { url: `https://example.org/${kind}.bin` },
    shown: `https://example.org/${kind}.bin` })),
  { kind: 'location', type: 'message', fill: { name: 'Plaza Mayor' }, shown: 'Plaza Mayor' },
  { kind: 'template', type: 'message', fill: { name: 'greeting', parameters: 'Ana, Luis' },
    shown: '["Ana","Luis"]' },
  { kind: 'custom', type: 'message', fill: { json: '{"seat": 21}' }, shown: '"seat":21' },
  { kind: 'random', type: 'message', fill: { json: '{"dice": 5}' }, shown: '"dice":5' },
  { kind: 'legacy-text', type: 'text', fill: { text: 'an older word' }, shown: 'an older word' },
  { kind: 'event', type: 'custom:wine:poured', fill: { type: 'wine:poured', json: '{"glasses": 2}' },
    shown: '"glasses":2' },
  { kind: 'ephemeral', type: 'ephemeral', fill: { json: '{"wave": true}' }, shown: '"wave":true' },
];
