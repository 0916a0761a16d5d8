// What events of audio, legs and calls say, in a person's words: sentences by type, as in words.js.

const failed = (body) => (body.error ? `: ${body.error}` : '');
const seconds = (body) => (
  (Date.parse(body.end_time) - Date.parse(body.start_time)) / 1000).toFixed(1);
const caller = (body) => body.channel?.from?.user || body.channel?.from?.number || 'somebody';
/** Nobody sends what becomes of a leg that is in no conversation yet. */
const ofLeg = (who) => (who === 'the application' ? 'a leg' : `the leg of ${who}`);
const percent = ({ quality }) => (quality ? ` · MOS ${quality.mos_score}` : '');

const far = ({ channel: { from = {}, to = {} } = {} }) => to.number || to.uri || from.number
  || from.uri || 'a phone';
const MACHINES = { machine: 'a machine', beep_start: 'a machine that has beeped',
  beep_timeout: 'a machine that does not beep' };
const machine = (body) => `${MACHINES[body.type] ?? body.type}, ${body.confidence} %`;

function recognised({ asr }) {
  const [best] = asr?.results ?? [];
  return best ? `heard “${best.word}”` : `heard no words${asr?.timeout_reason
    ? `: ${asr.timeout_reason.replaceAll('_', ' ')}` : ''}`;
}

export const AUDIO_SENTENCES = {
  'audio:dtmf': (who, body) => (body.method === 'in' || body.digit
    ? `${who} pressed ${body.digit ?? body.digits}` : `digits ${body.digits} are sent`),
  'audio:mute:on': (who) => `${who} is muted`,
  'audio:mute:off': (who) => `${who} is muted no longer`,
  'audio:earmuff:on': (who) => `${who} hears nobody`,
  'audio:earmuff:off': (who) => `${who} hears again`,
  'audio:speaking:on': (who) => `${who} speaks`,
  'audio:speaking:off': (who) => `${who} is silent`,
  'audio:play': (who, body) => `${body.stream_url?.[0]} is played`,
  'audio:play:stop': () => 'what is played is stopped',
  'audio:play:done': (who, body) => `what was played ended${failed(body)}`,
  'audio:say': (who, body) => `“${body.text}” is said`,
  'audio:say:stop': () => 'what is said is stopped',
  'audio:say:done': (who, body) => `what was said ended${failed(body)}`,
  'audio:ringing:start': () => 'it rings',
  'audio:ringing:stop': () => 'it rings no longer',
  'audio:record': () => 'a recording begins',
  'audio:record:stop': () => 'the recording is stopped',
  'audio:record:done': (who, body) => (body.error ? `no recording${failed(body)}`
    : `${seconds(body)} s of ${body.format} are recorded`),
  'audio:asr:done': (who, body) => recognised(body),
  'audio:transcribe:done': (who, body) => `the transcription is ready${failed(body)}`,
  'leg:status:update': (who, body) => `${ofLeg(who)} is ${body.status}${
    body.state?.reason ? `: ${body.state.reason.replaceAll('_', ' ')}` : ''}`,
  'rtc:offer': () => 'the server offers a media path',
  'rtc:answer': () => 'the server answers an offer of media',
  'rtc:ringing': (who) => `${ofLeg(who)} rings`,
  'rtc:answered': (who) => `${ofLeg(who)} was answered`,
  'rtc:hangup': (who, body) => `${ofLeg(who)} ended: ${body.reason?.text ?? ''}${percent(body)}`,
  'rtc:status': (who, body) => `${ofLeg(who)} lasted ${body.duration} s · MOS ${body.mos}`,
  'rtc:transfer': (who) => `${ofLeg(who)} came from another conversation`,
  'rtc:terminate': (who) => `the audio of ${who} is taken away`,
  'sip:ringing': (who, body) => `${far(body)} rings`,
  'sip:answered': (who, body) => (body.direction === 'inbound'
    ? `the call of ${caller(body)} is answered` : `${far(body)} has answered`),
  'sip:machine': (who, body) => `${far(body)} is ${machine(body)}`,
  'sip:amd_machine': (who, body) => `${far(body)} is ${machine(body)}`,
  'sip:hangup': (who, body) => `the call of ${far(body)} ended: ${body.reason?.text ?? ''}${
    body.reason?.sip_code ? ` (${body.reason.sip_code})` : ''}${percent(body)}`,
  'sip:status': (who, body) => `the call of ${far(body)} lasted ${body.duration} s`,
  'app:knocking': (who, body) => `${caller(body)} calls the application`,
  'app:knocking:cancel': (who, body) => `the call came to nothing${
    body.reason?.text ? `: ${body.reason.text}` : ''}`,
};
