// The older way to send short messages: @vonage/sms, its answers and its receipts.
import { createHmac } from 'node:crypto';
import { assert, connect, require, run, step, until } from '../steps.mjs';
import { webhooks } from './messages.mjs';

const { TypeEnum } = require('@vonage/sms');
const { AlgorithmTypes } = require('@vonage/auth');

const PERSON = '15550110';
const OFF = '15550113';
const OWN = '15550199';

export async function sms({ sms: api }) {
  const app = await webhooks();
  const send = (more = {}) => api.send({
    to: PERSON, from: OWN, text: 'Hi', clientRef: run, callback: `${app.url}/receipt`, ...more,
  });
  const receipt = (id, status) => until(`${id} ${status}`, () => (
    app.told.find((told) => told.messageId === id && told.status === status)
  ), 30_000);
  await taken({ send, receipt });
  await refusals({ send });
  await step('verifySignature', () => {
    const params = { msisdn: PERSON, text: 'a&b=c', timestamp: '1' };
    const sig = createHmac('sha256', 'secret').update('&msisdn=15550110&text=a_b_c&timestamp=1').digest('hex');
    assert.equal(api.verifySignature(sig, params, 'secret', AlgorithmTypes.sha256hmac), true);
  });
  app.close();
}

async function taken({ send, receipt }) {
  await step('a text is taken, and its receipt comes', async () => {
    const { messages: [message], messageCount } = await send();
    assert.equal(messageCount, '1');
    assert.deepEqual([message.to, message.status, message.clientRef], [PERSON, '0', run]);
    const told = await receipt(message.messageId, 'delivered');
    assert.deepEqual(
      [told.msisdn, told.to, told['err-code'], told['client-ref']], [PERSON, OWN, '0', run],
    );
    assert.match(told.scts, /^\d{10}$/);
  });
  await step('a long text goes in parts', async () => {
    const { messages } = await send({ text: 'x'.repeat(161) });
    assert.deepEqual(messages.map(({ status }) => status), ['0', '0']);
    await receipt(messages[0].messageId, 'delivered');
  });
  await step('one in Unicode, and one that is binary', async () => {
    const { messages: [unicode] } = await send({ type: TypeEnum.UNICODE, text: '漢字' });
    await receipt(unicode.messageId, 'delivered');
    const { messages: [binary] } = await send({
      type: TypeEnum.BINARY, body: '0011', udh: '06050415811581', protocolId: 0, text: undefined,
    });
    await receipt(binary.messageId, 'delivered');
  });
  await step('what does not arrive has a number that says why', async () => {
    const { messages: [message] } = await send({ to: OFF, ttl: 20_000, statusReportReq: true });
    assert.notEqual((await receipt(message.messageId, 'failed'))['err-code'], '0');
  });
}

async function refusals({ send }) {
  const refused = async (status, more, how = send) => {
    const error = await how(more).then(() => null, (reason) => reason);
    assert.ok(error, `taken, where ${status} was expected`);
    assert.equal(error.getFailedMessages()[0].status, status, JSON.stringify(error.getResponse()));
    assert.ok(error.getFailedMessages()[0].errorText);
  };
  await step('what is wrong is refused by its number', async () => {
    await refused('2', { text: undefined });
    await refused('3', { to: 'x' });
    await refused('3', { ttl: 1 });
    await refused('12', { text: 'x'.repeat(3201) });
    await refused('15', { from: 'much too long a name' });
    await refused('23', { callback: 'javascript:x' });
  });
  await step('nobody sends without the secret', async () => {
    const stranger = connect({ apiSecret: 'wrong' }).sms;
    await refused('4', { to: PERSON, from: OWN, text: 'Hi' }, (params) => stranger.send(params));
  });
}
