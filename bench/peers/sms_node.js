// The npm package `smpp` alone: submits, and answers receipts. PORT MESSAGES as arguments; prints a
// line of JSON with seconds, and seconds of CPU, until all receipts have come.
const smpp = require('smpp');

const [port, messages] = process.argv.slice(2).map(Number);
const WINDOW = 200;
const text = 'Your code is 123456. It is valid for ten minutes.';
const session = smpp.connect({ url: `smpp://127.0.0.1:${port}` });
let begun;
let next = 0;
let told = 0;

function submit() {
  if (next === messages) return;
  const destination_addr = `448${String(next++).padStart(12, '0')}`;
  const order = { source_addr: '15550199', destination_addr, short_message: text, registered_delivery: 1 };
  session.submit_sm(order, submit);
}

session.on('deliver_sm', (pdu) => {
  session.send(pdu.response());
  if (++told < messages) return;
  const { user, system } = process.cpuUsage();
  const seconds = (performance.now() - begun) / 1000;
  console.log(JSON.stringify({ seconds, cpu: (user + system) / 1e6 }));
  process.exit(0);
});

session.on('connect', () => {
  session.bind_transceiver({ system_id: 'bench', password: 'bench' }, () => {
    begun = performance.now();
    for (let each = 0; each < WINDOW; each += 1) submit();
  });
});
