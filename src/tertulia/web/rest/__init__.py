"""REST handlers, one module a resource."""
