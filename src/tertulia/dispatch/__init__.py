"""Follows the log and sends events to webhooks: signed, in order, until they arrive."""
