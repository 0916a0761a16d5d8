"""The event catalogue: the registry, and one module a heading."""
