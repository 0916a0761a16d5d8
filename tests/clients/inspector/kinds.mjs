// Everything that the chat pane can send: what is filled in, what the event is, what is read.
import { deflateSync } from 'node:zlib';

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

/** A picture with a gradient. */
export function png(width, height) {
  const rows = Buffer.alloc((width * 3 + 1) * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      rows.set([90 + (x * 150) / width, 60 + (y * 90) / height, 60], y * (width * 3 + 1) + 1 + x * 3);
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]);
}

function chunk(name, data) {
  const named = Buffer.concat([Buffer.from(name), data]);
  const made = Buffer.alloc(named.length + 8);
  made.writeUInt32BE(data.length, 0);
  named.copy(made, 4);
  made.writeUInt32BE(crc(named), named.length + 4);
  return made;
}

function crc(octets) {
  let sum = 0xffffffff;
  for (const octet of octets) {
    sum ^= octet;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return (sum ^ 0xffffffff) >>> 0;
}
