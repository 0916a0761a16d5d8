// What the page of @vonage/client-sdk does when it is told to.
window.person = (() => {
  const told = [];
  let client;

  return {
    heard: () => told,
    async enter(address, token) {
      const { LoggingLevel, VonageClient } = vonageClientSDK;
      client = new VonageClient({
        apiUrl: address, websocketUrl: address, rtcStatsTelemetry: false, loggingLevel: LoggingLevel.Assert,
      });
      client.on('conversationEvent', ({ kind, id, conversationId, body }) => told.push({
        type: kind.replace(/^message:text$/, 'message'), id, conversation: conversationId,
        target: body?.eventId, text: body?.text, user: body?.user?.name,
      }));
      await client.createSession(token);
    },
    join: (id) => client.joinConversation(id),
    say: (room, text) => client.sendMessageTextEvent(room, text),
    see: (room, id) => client.sendMessageSeenEvent(id, room),
    remove: (room, id) => client.deleteEvent(id, room),
    async leave(room) {
      await client.leaveConversation(room);
      await client.deleteSession();
    },
  };
})();
