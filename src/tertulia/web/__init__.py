"""The HTTP surface: front, routes, wire shapes, generated API descriptions."""
