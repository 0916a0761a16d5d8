import { require } from '../steps.mjs';

/** The package draws how long it waits before it comes back, and leaves no choice: these dice give
 * the least of 1.25 to 8.75 seconds. */
const { random } = Math;
Math.random = () => 0.8 + random() / 10;

export async function clientSdk({ packageName, address, token }, tell) {
  const { LoggingLevel, VonageClient } = require(packageName);
  const client = new VonageClient({
    apiUrl: address, websocketUrl: address, rtcStatsTelemetry: false, loggingLevel: LoggingLevel.Assert,
  });
  for (const name of ['sessionError', 'reconnecting', 'reconnection']) {
    client.on(name, (reason) => tell(name, { reason }));
  }
  client.on('conversationEvent', ({ kind, id, body }) => {
    tell('arrival', { id });
    if (!/:(delivered|seen)$/.test(kind)) tell('event', { id, text: body?.text });
  });
  let session;
  const enter = async (key) => {
    session = await client.createSession(key, session);
    tell('session', { id: session });
  };
  await enter(token);
  return enter;
}
