"""Benchmark of several nodes on PostgreSQL, beside one server on SQLite."""
