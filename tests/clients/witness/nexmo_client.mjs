import { BrowserRequest } from '../live.mjs';
import { require } from '../steps.mjs';

/** Comes back at once and for as long as it takes, for the sake of the tests' time. */
const RECONNECTING = {
  reconnectionDelay: 200, reconnectionDelayMax: 500, randomizationFactor: 0, reconnectionAttempts: 100,
};

export async function nexmoClient({ packageName, address, conversation, token }, tell) {
  globalThis.XMLHttpRequest = BrowserRequest;
  const NexmoClient = require(packageName);
  const client = new NexmoClient({
    nexmo_api_url: address,
    url: address,
    ips_url: `${address}/v1/image`,
    debug: 'silent',
    socket_io: RECONNECTING,
  });
  for (const name of ['disconnect', 'reconnecting', 'reconnect']) {
    client.on(name, (reason) => tell(name, { reason }));
  }
  const application = await client.createSession(token);
  tell('session', { id: client.session_id });
  const room = await application.getConversation(conversation);
  room.on('*', (type, member, event) => {
    if (event?.id && !/:(delivered|seen)$/.test(type)) tell('event', { id: event.id, text: event.body.text });
  });
  client.connection.onAny((type, event) => {
    if (type === 'session:success') tell('session', { id: event.body.id });
    for (const { id } of event.body.pending_events ?? [event]) if (id) tell('arrival', { id });
  });
  return async (fresh) => {
    await application.updateToken(fresh);
    if (client.connection.disconnected) client.connect();
  };
}
