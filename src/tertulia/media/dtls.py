"""DTLS 1.2 for SRTP keys (RFC 6347, RFC 5764): one handshake over memory, in either role.

OpenSSL keeps the retransmission clock, which is the machine's own. A memory BIO knows no
datagrams: what goes in is held to whole records, what comes out is cut along them.
"""

import datetime
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from OpenSSL import SSL

from tertulia.media.srtp import SrtpKeys
from tertulia.protocols.sdp import Fingerprint

MTU = 1200
"""Octets of a datagram of ours: fits every path that carries IPv6."""
DATAGRAM_MAX = 16 * 1024

_DTLS_1_2 = 0xFEFD
_RECORD_HEADER = 13
_CONTENT_TYPES = range(20, 24)
"""Change of cipher, alert, handshake, data (RFC 5246 6.2.1)."""
_CIPHERS = b":".join(
    (
        b"ECDHE-ECDSA-AES128-GCM-SHA256",
        b"ECDHE-ECDSA-AES256-GCM-SHA384",
        b"ECDHE-ECDSA-CHACHA20-POLY1305",
        b"ECDHE-RSA-AES128-GCM-SHA256",
        b"ECDHE-RSA-AES256-GCM-SHA384",
    )
)
"""Those of RSA are for servers that have such a key; ours is none."""
_EXPORTER = b"EXTRACTOR-dtls_srtp"
_LIFE = datetime.timedelta(days=365)


class _Profile(NamedTuple):
    name: str
    """As `SrtpKeys` has it; OpenSSL puts `SRTP_` before it."""
    key: int
    salt: int


_PROFILES = {
    b"SRTP_" + each.name.encode(): each
    for each in (
        _Profile("AEAD_AES_128_GCM", 16, 12),
        _Profile("AEAD_AES_256_GCM", 32, 12),
        _Profile("AES128_CM_SHA1_80", 16, 14),
        _Profile("AES128_CM_SHA1_32", 16, 14),
    )
}
"""In our order of preference: GCM is half the work of AES-CM with SHA-1."""


class Certificate:
    """A key of P-256, signed by itself, and what all handshakes with it have in common."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _self_signed(key)
        digest = certificate.fingerprint(SHA256()).hex(":").upper()
        self.fingerprint = Fingerprint("sha-256", digest)
        self.context = _context()
        self.context.use_certificate(certificate)
        self.context.use_privatekey(key)


def _self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tertulia")])
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + _LIFE)
        .sign(key, SHA256())
    )


def _context() -> SSL.Context:
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_min_proto_version(_DTLS_1_2)
    context.set_max_proto_version(_DTLS_1_2)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_QUERY_MTU | SSL.OP_NO_RENEGOTIATION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_cipher_list(_CIPHERS)
    context.set_tlsext_use_srtp(b":".join(_PROFILES))
    # any certificate: who it has to be was said by its fingerprint, which is looked at in the end
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
    return context


class Dtls:
    """One association. `state` is `handshaking`, `connected`, `closed` or `failed`."""

    def __init__(
        self, certificate: Certificate, fingerprints: Sequence[Fingerprint], *, client: bool
    ) -> None:
        """The peer's certificate has to have one of the fingerprints."""
        self.state = "handshaking"
        self.keys: SrtpKeys | None = None
        self._client = client
        self._fingerprints = fingerprints
        self._connection = SSL.Connection(certificate.context)
        self._connection.set_ciphertext_mtu(MTU)
        if client:
            self._connection.set_connect_state()
        else:
            self._connection.set_accept_state()

    def start(self) -> list[bytes]:
        """The client's first flight; a server has none."""
        return self._go_on() if self._client else []

    def receive(self, data: bytes) -> list[bytes]:
        """What to send in return for a datagram, an attempt at one, or nothing."""
        records = b"".join(_records(data))
        if not records or self.state in {"closed", "failed"}:
            return []
        self._connection.bio_write(records)
        return self._go_on()

    def timeout(self) -> float | None:
        """Seconds until `on_timeout` is due; None when nothing is waited for."""
        if self.state != "handshaking":
            return None
        return self._connection.DTLSv1_get_timeout()

    def on_timeout(self) -> list[bytes]:
        """The last flight again, if that is due."""
        if self.state != "handshaking":
            return []
        try:
            self._connection.DTLSv1_handle_timeout()
        except SSL.Error:  # it was sent too often
            self.state = "failed"
        return self._written()

    def close(self) -> list[bytes]:
        """Our close_notify, unless it was sent or nobody would understand it."""
        if self.state == "connected":
            self._shut("closed")
            return self._written()
        self.state = self.state if self.state == "failed" else "closed"
        return []

    def _go_on(self) -> list[bytes]:
        try:
            if self.state == "handshaking":
                self._connection.do_handshake()
                self._finish()
            self._drain()
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self._shut("closed")
        except SSL.Error:
            self.state = "closed" if self.state == "connected" else "failed"
        return self._written()

    def _drain(self) -> None:
        """Data is of no use to anybody here; a second Finished is answered by OpenSSL."""
        while self.state == "connected":
            self._connection.recv(DATAGRAM_MAX)

    def _finish(self) -> None:
        """The handshake is done: is it the right peer, and what are the keys (RFC 5764 4.2)?"""
        profile = _PROFILES.get(self._connection.get_selected_srtp_profile())
        if profile is None or not self._is_expected():
            self._shut("failed")
            return
        size = profile.key + profile.salt
        material = self._connection.export_keying_material(_EXPORTER, 2 * size)
        split = 2 * profile.key
        keys = material[: profile.key], material[profile.key : split]
        salts = material[split : split + profile.salt], material[split + profile.salt :]
        client, server = keys[0] + salts[0], keys[1] + salts[1]
        local, remote = (client, server) if self._client else (server, client)
        self.keys = SrtpKeys(profile.name, local, remote)
        self.state = "connected"

    def _is_expected(self) -> bool:
        certificate = self._connection.get_peer_certificate()
        if certificate is None:
            return False
        return any(
            certificate.digest(each.algorithm.replace("-", "")).decode() == each.value
            for each in self._fingerprints
        )

    def _shut(self, state: str) -> None:
        self.state = state
        try:
            self._connection.shutdown()
        except SSL.Error:  # there is no association to close any more
            return

    def _written(self) -> list[bytes]:
        try:
            data = self._connection.bio_read(DATAGRAM_MAX)
        except SSL.Error:  # nothing was written
            return []
        return list(_datagrams(data))


def _records(data: bytes) -> Iterator[bytes]:
    """The whole records at the start of a datagram (RFC 6347 4.1)."""
    at = 0
    while at + _RECORD_HEADER <= len(data) and data[at] in _CONTENT_TYPES:
        end = at + _RECORD_HEADER + int.from_bytes(data[at + 11 : at + 13])
        if end > len(data):
            return
        yield data[at:end]
        at = end


def _datagrams(data: bytes) -> Iterator[bytes]:
    """Records joined as far as they fit."""
    datagram = b""
    for record in _records(data):
        if datagram and len(datagram) + len(record) > MTU:
            yield datagram
            datagram = b""
        datagram += record
    if datagram:
        yield datagram
