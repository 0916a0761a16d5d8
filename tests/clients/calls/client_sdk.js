// What the page of @vonage/client-sdk does when it is told to.
window.person = (() => {
  const TOLD = [
    'callInvite', 'callInviteCancel', 'callHangup', 'callTransfer', 'legStatusUpdate', 'mute', 'earmuff',
    'dtmf', 'callMediaReconnecting', 'callMediaReconnection', 'callMediaDisconnect', 'callMediaError',
    'sessionError',
  ];
  const plain = (value) => (['string', 'boolean'].includes(typeof value) ? value : value?.name ?? null);
  let client;

  return {
    async enter(address, token) {
      const { LoggingLevel, VonageClient } = vonageClientSDK;
      client = new VonageClient({
        apiUrl: address, websocketUrl: address, rtcStatsTelemetry: false, autoReconnectMedia: true,
        loggingLevel: LoggingLevel.Assert,
      });
      for (const type of TOLD) client.on(type, (...given) => notes.add({ type, given: given.map(plain) }));
      await client.createSession(token);
    },
    serverCall: (number) => client.serverCall({ to: number }),
    answer: (call) => client.answer(call),
    reject: (call) => client.reject(call),
    hangUp: (call) => client.hangup(call),
    mute: (call, is) => (is ? client.mute(call) : client.unmute(call)),
    earmuff: (call, is) => (is ? client.enableEarmuff(call) : client.disableEarmuff(call)),
    press: (call, digits) => client.sendDTMF(call, digits),
    say: (call, text) => client.say(call, text),
    legs: (call) => client.getCallLegs(call).then(({ legs }) => legs.map(({ id }) => id)),
    reconnect: (call) => client.reconnectCall(call),
  };
})();
