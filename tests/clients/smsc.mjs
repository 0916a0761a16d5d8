// An SMSC made with the published package `smpp`, for test_smsc.py.
//   PKG_DIR=<folder holding node_modules> node smsc.mjs
// Takes orders as lines of JSON, tells what happens as lines of JSON.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const require = createRequire(`${process.env.PKG_DIR ?? process.cwd()}/`);
const smpp = require('smpp');

const PASSWORD = 'secret';
const tell = (event, members = {}) => console.log(JSON.stringify({ event, ...members }));

let mood = { throttled: 0, silent: false, receipts: 'DELIVRD', wrong: false };
let server;
let port = 0;
let count = 0;

function onBind(session, pdu) {
  const isRight = pdu.password === PASSWORD && !mood.wrong;
  const command_status = isRight ? smpp.ESME_ROK : smpp.ESME_RINVPASWD;
  session.send(pdu.response({ command_status, system_id: 'published' }));
  tell('bind', { system_id: pdu.system_id, version: pdu.interface_version, isRight });
  if (!isRight) session.close();
}

function onSubmit(session, pdu) {
  if (mood.throttled > 0) {
    mood.throttled -= 1;
    session.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }));
    tell('throttled');
    return;
  }
  const id = `published-${(count += 1)}`;
  tell('submit', {
    id,
    from: [pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr],
    to: [pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr],
    coding: pdu.data_coding,
    text: pdu.short_message.message || pdu.message_payload?.message || '',
    header: pdu.short_message.udh ? Buffer.concat(pdu.short_message.udh).toString('hex') : '',
    sar: [pdu.sar_total_segments, pdu.sar_segment_seqnum],
    expires: pdu.validity_period || null,
    receipt: pdu.registered_delivery,
  });
  if (mood.silent) return;
  session.send(pdu.response({ message_id: id }));
  if (mood.receipts && pdu.registered_delivery) report(session, pdu, id);
}

function report(session, pdu, id) {
  const told = {
    DELIVRD: smpp.MESSAGE_STATE.DELIVERED,
    UNDELIV: smpp.MESSAGE_STATE.UNDELIVERABLE,
  };
  session.deliver_sm(
    {
      source_addr: pdu.destination_addr,
      destination_addr: pdu.source_addr,
      esm_class: smpp.ESM_CLASS.MC_DELIVERY_RECEIPT,
      data_coding: 0,
      short_message:
        `id:${id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 ` +
        `stat:${mood.receipts} err:000 text:x`,
      receipted_message_id: id,
      message_state: told[mood.receipts],
    },
    (answer) => tell('answer', { status: answer.command_status }),
  );
}

function listen() {
  server = smpp.createServer((session) => {
    session.on('bind_transceiver', (pdu) => onBind(session, pdu));
    session.on('submit_sm', (pdu) => onSubmit(session, pdu));
    session.on('enquire_link', (pdu) => {
      session.send(pdu.response());
      tell('enquire');
    });
    session.on('unbind', (pdu) => {
      session.send(pdu.response());
      session.close();
      tell('unbind');
    });
    session.on('error', () => {});
  });
  server.listen(port, '127.0.0.1', () => {
    port = server.address().port;
    tell('listening', { port });
  });
}

function deliver({ text, coding = 0, parts = 0, payload = false }) {
  const session = server.sessions.at(-1);
  const told = (answer) => tell('answer', { status: answer.command_status });
  const places = { source_addr: '447700900123', destination_addr: '447700900000' };
  if (payload) {
    session.deliver_sm({ ...places, data_coding: coding, message_payload: text }, told);
    return;
  }
  if (!parts) {
    session.deliver_sm({ ...places, data_coding: coding, short_message: text }, told);
    return;
  }
  const size = Math.ceil(text.length / parts);
  for (let number = parts; number >= 1; number -= 1) {
    const udh = Buffer.from([5, 0, 3, 77, parts, number]);
    const message = text.slice((number - 1) * size, number * size);
    const short_message = { udh, message };
    session.deliver_sm({ ...places, data_coding: coding, short_message }, told);
  }
}

const orders = {
  mood: (members) => {
    mood = { ...mood, ...members };
    tell('mood');
  },
  deliver,
  cut: () => server.sessions.forEach((session) => session.destroy()),
  restart: () => {
    server.close(listen);
    server.sessions.forEach((session) => session.destroy());
  },
};

listen();
createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { order, ...members } = JSON.parse(line);
    orders[order](members);
  })
  .on('close', () => process.exit(0));
