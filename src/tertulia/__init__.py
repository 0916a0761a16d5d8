"""Tertulia: a self-hosted conversation platform. See ARCHITECTURE.md for the map."""

__version__ = "0.1.0"
