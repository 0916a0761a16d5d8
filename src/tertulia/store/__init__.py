"""Adapters of the EventLog and Directory ports."""
