"""Buses: adapters of the port Bus, in one process, over NATS, and over PostgreSQL's LISTEN."""
