// What the page of nexmo-client does when it is told to.
window.person = (() => {
  let application;
  let call;

  async function talk(room) {
    call = { conversation: room };
    await room.media.enable();
  }

  return {
    async enter(address, token) {
      const client = new NexmoClient({
        nexmo_api_url: address, url: address, ips_url: `${address}/v1/image`, debug: 'silent',
        rtcstats: { remote_collection: false },
      });
      application = await client.createSession(token);
      // the package changes the bodies that it is given
      client.connection.onAny((type, { cid, from, body }) => notes.add(structuredClone({ type, cid, from, body })));
      application.on('member:call', (member, each) => {
        call = each;
        notes.add({ type: 'call', direction: each.direction });
      });
      application.on('call:status:changed', ({ status }) => notes.add({ type: status }));
    },
    async serverCall(number) {
      call = await application.callServer(number);
      return call.id;
    },
    async inAppCall(name) {
      call = await application.inAppCall([name]);
    },
    /** Make a conversation, invite another to it, and talk in it: its id. */
    async open(name, other) {
      const room = await application.newConversation({ name });
      await room.join();
      if (other) await room.invite({ user_name: other });
      await talk(room);
      return room.id;
    },
    async join(id) {
      const room = await application.getConversation(id);
      await room.join();
      await talk(room);
    },
    /** The package has to ask about the conversation that the call is transferred to. */
    async arriveIn(room) {
      while (call.conversation.id !== room) await new Promise((resolve) => { setTimeout(resolve, 20); });
    },
    async leave() {
      await call.conversation.media.disable();
      await call.conversation.leave();
    },
    answer: () => call.answer().then(() => undefined),
    reject: () => call.reject().then(() => undefined),
    hangUp: () => call.hangUp().then(() => undefined),
    mute: (_, is) => call.conversation.media.mute(is).then(() => undefined),
    earmuff: (_, is) => call.conversation.media.earmuff(is).then(() => undefined),
    press: (_, digits) => call.conversation.media.sendDTMF(digits).then(() => undefined),
    say: (_, text) => call.conversation.media.sayText({ text }).then(() => undefined),
    async reconnect(leg, conversation) {
      call = await application.reconnectCall(conversation, leg);
    },
    leg: () => Object.keys(call.conversation.media.rtcObjects)[0],
  };
})();
