"""The other end of the wire: a client of sessions and REST, and the chat in the terminal on it."""
