"""The domain, pure: conversations, members, events, and the decisions about them."""
