// Who and what the ids stand for, learnt from everything that passes by.

export class Names {
  #users = new Map();
  #members = new Map();
  #conversations = new Map();
  #channels = new Map();

  learnUser({ id, name, display_name: shown }) {
    if (id && (shown || name)) this.#users.set(id, shown || name);
  }

  learnConversation({ id, name, display_name: shown }) {
    if (id && (shown || name)) this.#conversations.set(id, shown || name);
  }

  learnMember({ id, channel, _embedded: embedded }) {
    if (channel?.type) this.#channels.set(id, channel);
    const user = embedded?.user;
    if (!user) return;
    this.learnUser(user);
    this.#members.set(id, user.display_name || user.name);
  }

  learnEvent(event) {
    const { type, from, body = {}, _embedded: embedded } = event;
    const user = embedded?.from_user;
    if (user?.name) {
      this.learnUser(user);
      if (from) this.#members.set(from, user.display_name || user.name);
    }
    if (type === 'member:joined' && body.channel?.type) this.#channels.set(from, body.channel);
    if (type === 'conversation:created' || type === 'conversation:updated') {
      this.learnConversation(body);
    }
    if (type === 'member:invited' && body.conversation) {
      const { conversation_id: id, name, display_name: shown } = body.conversation;
      this.learnConversation({ id, name, display_name: shown });
    }
  }

  user(id) {
    return this.#users.get(id) ?? '';
  }

  member(id) {
    return this.#members.get(id) ?? '';
  }

  /** How a member is reached; undefined when that is not known. */
  channel(id) {
    return this.#channels.get(id);
  }

  conversation(id) {
    return this.#conversations.get(id) ?? '';
  }
}
