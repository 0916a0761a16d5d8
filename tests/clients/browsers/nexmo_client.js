// What the page of nexmo-client does when it is told to.
window.person = (() => {
  const told = [];
  let client;
  let application;
  let room;

  const note = (type, event) => told.push({
    type, id: event.id, conversation: event.cid, target: event.body?.event_id, text: event.body?.text,
    user: event.body?.user?.name,
  });

  function listen(conversation) {
    room = conversation;
    // a receipt is given to the program as the event that it is about: the packet says more
    client.connection.onAny((type, event) => {
      if (event.cid === conversation.id) note(type, event);
    });
  }

  return {
    heard: () => told,
    async enter(address, token) {
      client = new NexmoClient({
        nexmo_api_url: address, url: address, ips_url: `${address}/v1/image`, debug: 'silent',
        rtcstats: { remote_collection: false },
      });
      application = await client.createSession(token);
      application.on('member:invited', (member, event) => note('member:invited', event));
    },
    async create(name) {
      const conversation = await application.newConversation({ name });
      listen(conversation);
      await conversation.join();
      return conversation.id;
    },
    invite: (user) => room.invite({ user_name: user }).then(() => undefined),
    async join(id) {
      listen(await application.getConversation(id));
      await room.join();
    },
    say: (_, text) => room.sendMessage({ message_type: 'text', text }).then(() => undefined),
    sayText: (text) => room.sendText(text).then(({ id }) => id),
    see: (_, id) => room.events.get(id).seen(),
    async type() {
      await room.startTyping();
      await room.stopTyping();
    },
    async sendImage() {
      const canvas = Object.assign(document.createElement('canvas'), { width: 400, height: 300 });
      canvas.getContext('2d').fillRect(50, 50, 200, 100);
      const file = await new Promise((resolve) => { canvas.toBlob(resolve, 'image/png'); });
      await room.sendImage(file);
    },
    fetchImage: (id) => room.events.get(id).fetchImage('medium'),
    remove: (_, id) => room.events.get(id).del(),
    async leave() {
      await room.leave();
      await client.deleteSession();
    },
  };
})();
