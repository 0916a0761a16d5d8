"""What parts and supervisor say to each other when a part starts."""

from msgspec import Struct


class Ends(Struct, frozen=True):
    """Descriptors that the supervisor lends a part."""

    link: int
    """Its end of the datagram pair."""
    lifeline: int
    """A pipe that closes when the supervisor is gone."""


class Listening(Struct, frozen=True):
    """The hub serves: one line of JSON on its standard output."""

    pid: int
    http_port: int
    https_port: int | None
    sip_port: int
    sip_tls_port: int
    """0: there is none."""
