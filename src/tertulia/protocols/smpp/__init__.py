"""SMPP 3.4 without I/O: PDUs, their stream, sessions of both sides, delivery receipts.

Sections are those of the Short Message Peer to Peer Protocol Specification v3.4, issue 1.2.
"""
