// Bodies of every event that a caller of v1 may create, as a program with the SDK writes them.
const url = (name) => `https://media.example.org/${name}`;
const leg = '0e7a4f1c-93d2-4b58-a6c1-7f2e5d8b9034';

/** [what, body given, body answered when it differs] */
export const messages = [
  ['text', { messageType: 'text', text: 'Hi Bob' }],
  ['text beyond ASCII', { messageType: 'text', text: 'čau 👋 \u0000 "quoted" \\ \n' }],
  ['text for one channel', { messageType: 'text', text: 'sale', viberService: { category: 'promotion', ttl: 600 } }],
  ['text in a category', { messageType: 'text', text: 'late', messenger: { category: 'message_tag', tag: 'ACCOUNT_UPDATE' } }],
  ['image', { messageType: 'image', image: { url: url('a.png') } }],
  ['audio', { messageType: 'audio', audio: { url: url('a.mp3') } }],
  ['video', { messageType: 'video', video: { url: url('a.mp4') } }],
  ['file', { messageType: 'file', file: { url: url('a.pdf') } }],
  [
    'template',
    {
      messageType: 'template',
      template: { name: 'welcome', parameters: ['Bob', '42'], whatsapp: { policy: 'deterministic', locale: 'en-GB' } },
    },
    // The SDK nests `whatsapp`, the live form has it beside; the answer has the live form.
    {
      messageType: 'template',
      template: { name: 'welcome', parameters: ['Bob', '42'] },
      whatsapp: { policy: 'deterministic', locale: 'en-GB' },
    },
  ],
  ['custom', { messageType: 'custom', custom: { order: 7, items: ['a', { sku: 'b' }], deep: { er: null } } }],
  ['vcard', { messageType: 'vcard', vcard: { url: url('a.vcf') }, image: { url: url('a.png') } }],
  [
    'location',
    { messageType: 'location', location: { longitude: '-0.1276', latitude: '51.5072', name: 'London', address: 'Strand' } },
  ],
  [
    'location in numbers',
    { messageType: 'location', location: { longitude: 14.5, latitude: 50.25 } },
    { messageType: 'location', location: { longitude: '14.5', latitude: '50.25' } },
  ],
  ['random', { messageType: 'random' }],
];

/** [event type, key of the target's `state` as the SDK spells it] */
export const receipts = [
  ['message:submitted', 'submittedTo'],
  ['message:rejected', 'rejectedBy'],
  ['message:undeliverable', 'undeliverableTo'],
  ['message:delivered', 'deliveredTo'],
  ['message:seen', 'seenBy'],
];

/** [event type, body given, the member that the server adds] */
export const audio = [
  ['audio:play', { streamUrl: [url('hold.mp3')], level: 0.5, loop: 2, queue: false }, 'playId'],
  ['audio:play:stop', { playId: 'b5c0e1a2-1111-4c4c-8a8a-000000000001' }],
  [
    'audio:say',
    { text: 'Hello there', level: -1, loop: 1, queue: false, language: 'en-GB', style: 1, premium: false, ssml: false },
    'sayId',
  ],
  ['audio:say:stop', { sayId: 'c7d1f2b3-2222-4d4d-8b8b-000000000002' }],
  ['audio:dtmf', { digit: '5' }],
  ['audio:dtmf', { digits: '12*#p9' }],
  [
    'audio:record',
    {
      format: 'mp3', streamed: true, beepStart: true, beepStop: false, detectSpeech: false, split: false,
      multitrack: false, channels: 2, validity: 30, transcription: { language: 'en-GB' },
    },
    'recordingId',
  ],
  ['audio:record:stop', { recordId: 'd8e2a3c4-3333-4e4e-8c8c-000000000003' }],
  ['audio:mute:on', { rtcId: leg }],
  ['audio:mute:off', { rtcId: leg }],
  ['audio:earmuff:on', { rtcId: leg }],
  ['audio:earmuff:off', { rtcId: leg }],
];

export const custom = ['custom:order', 'custom:order-packed', 'custom:a:b_C-9'];
