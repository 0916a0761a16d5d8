// How a user comes into a conversation.

const ALREADY_JOINED = 'conversation:error:member-already-joined';

/** The member of a conversation that a user is; it joins if it is none. */
export async function joined(api, user, conversation, origin = {}) {
  const asked = { user: user.name };
  const page = await api.page(`/v0.3/users/${user.id}/conversations?state=joined&page_size=100`
    + '&order=desc', 'conversations', asked);
  const known = page.items.find((found) => found.id === conversation.id);
  if (known) return known._embedded;
  const path = `/v0.3/conversations/${conversation.id}/members`;
  try {
    return await api.post(path, { ...origin, state: 'joined', user: { name: user.name },
      channel: { type: 'app' } }, asked);
  } catch (error) {
    if (error.code !== ALREADY_JOINED) throw error;
    return api.get(`${path}/me`, asked);
  }
}
