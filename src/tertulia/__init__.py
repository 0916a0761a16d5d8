"""Tertulia: a self-hosted conversation platform. See ARCHITECTURE.md for the map of the rooms."""

__version__ = "0.1.0"
