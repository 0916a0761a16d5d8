"""Shipped test aids: an in-memory Tertulia, a virtual clock, countable ids."""
