"""Clients that join by WebRTC: offer, ICE, DTLS, and then the keys for the generator of audio.

They do what a browser does, with OpenSSL, one after the other or many at a time in one thread.
"""

import datetime
import re
import secrets
import selectors
import time
from collections.abc import Callable, Iterable
from functools import cache
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from OpenSSL import SSL

from bench.media import stun
from bench.media.load import Keys, Stream
from bench.media.voice import OPUS
from bench.places import Failed

PATIENCE = 10.0
"""Seconds that joining may take."""
REPEAT = 0.2
"""Seconds between checks that are not answered."""
PROFILE = b"SRTP_AEAD_AES_128_GCM"
LABEL = b"EXTRACTOR-dtls_srtp"
OFFER = """v=0
o=- {session} 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=msid-semantic: WMS bench
m=audio {port} UDP/TLS/RTP/SAVPF {payload_type} 110
c=IN IP4 127.0.0.1
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1 1 udp 2130706431 127.0.0.1 {port} typ host generation 0
a=end-of-candidates
a=ice-ufrag:{ufrag}
a=ice-pwd:{password}
a=fingerprint:sha-256 {fingerprint}
a=setup:active
a=mid:0
a=sendrecv
a=msid:bench bench-{ssrc}
a=rtcp-mux
a=rtpmap:{payload_type} {codec}
a=fmtp:{payload_type} minptime=10;useinbandfec=1
a=rtpmap:110 telephone-event/{clock}
a=ssrc:{ssrc} cname:bench
a=ssrc:{ssrc} msid:bench bench-{ssrc}
"""


class _Identity(NamedTuple):
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def fingerprint(self) -> str:
        return self.certificate.fingerprint(hashes.SHA256()).hex(":").upper()


class Client:
    """A leg of a browser, from its offer to its keys. Its stream's socket is connected by it."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._ours = stun.Credentials(secrets.token_hex(4), secrets.token_hex(12))
        self._theirs: stun.Credentials | None = None
        self._is_open = False
        self._connection = _connection()
        self._due = 0.0
        stream.on_other = self._on_other
        stream.check = self.check

    def offer(self) -> str:
        stream = self.stream
        is_opus = stream.codec is OPUS
        text = OFFER.format(
            session=stream.ssrc,
            port=stream.socket.getsockname()[1],
            payload_type=stream.codec.payload_type,
            codec="opus/48000/2" if is_opus else f"{stream.codec.name}/8000",
            clock=48000 if is_opus else 8000,
            ufrag=self._ours.ufrag,
            password=self._ours.password,
            fingerprint=_identity().fingerprint,
            ssrc=stream.ssrc,
        )
        lines = [line for line in text.splitlines() if is_opus or "fmtp" not in line]
        return "\r\n".join([*lines, ""])

    def accept(self, answer: str) -> None:
        """Raises Failed when there is nowhere to go in the answer."""
        ufrag, password = _found(r"a=ice-ufrag:(\S+)", answer), _found(r"a=ice-pwd:(\S+)", answer)
        self._theirs = stun.Credentials(ufrag, password)
        port = int(_found(r"a=candidate:\S+ 1 udp \d+ 127\.0\.0\.1 (\d+) ", answer))
        if _found(r"a=setup:(\w+)", answer) != "passive":
            raise Failed("the server does not want to be called by DTLS")
        self.stream.socket.connect(("127.0.0.1", port))
        self.stream.socket.setblocking(False)

    def on_timer(self, now: float) -> None:
        if now < self._due:
            return
        self._due = now + REPEAT
        if self._is_open:
            self._connection.DTLSv1_handle_timeout()
            self._flush()
        else:
            self.check()

    def check(self) -> None:
        """Also the client's part of keeping consent (RFC 7675)."""
        assert self._theirs is not None
        self.stream.socket.send(stun.request(self._ours, self._theirs))

    def on_readable(self) -> None:
        for _ in range(8):
            try:
                self._on_other(self.stream.socket.recv(2048))
            except BlockingIOError:
                return

    def _on_other(self, datagram: bytes) -> None:
        if not datagram or self._theirs is None:
            return
        if stun.is_stun(datagram):
            self._on_stun(datagram)
        elif 20 <= datagram[0] < 64 and self.stream.keys is None:
            self._connection.bio_write(datagram)
            self._shake_hands()

    def _on_stun(self, datagram: bytes) -> None:
        if stun.kind(datagram) == stun.REQUEST:
            source = self.stream.socket.getpeername()
            self.stream.socket.send(stun.answer(datagram, source, self._ours))
        elif stun.kind(datagram) == stun.SUCCESS and not self._is_open:
            self._is_open = True
            self._shake_hands()

    def _shake_hands(self) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            self._flush()
            return
        except SSL.Error as error:
            raise Failed(f"DTLS: {error}") from None
        self._flush()
        if self._connection.get_selected_srtp_profile() != PROFILE:
            raise Failed(f"the server does not take {PROFILE.decode()}")
        self.stream.keys = _session_keys(self._connection.export_keying_material(LABEL, 56))

    def _flush(self) -> None:
        while True:
            try:
                flight = self._connection.bio_read(65_536)
            except SSL.WantReadError:
                return
            for record in _records(flight):
                self.stream.socket.send(record)


def join(clients: Iterable[Client], *, tick: Callable[[], None] = lambda: None) -> None:
    """All of them, who have accepted; each has its keys then.

    Raises:
        Failed: somebody is not in after `PATIENCE`.
    """
    waiting = {client.stream.socket.fileno(): client for client in clients}
    deadline = time.monotonic() + PATIENCE
    with selectors.DefaultSelector() as selector:
        for client in waiting.values():
            selector.register(client.stream.socket, selectors.EVENT_READ, client)
        while waiting:
            now = time.monotonic()
            if now > deadline:
                raise Failed(f"{len(waiting)} clients could not join")
            for client in waiting.values():
                client.on_timer(now)
            for key, _ in selector.select(0.05):
                key.data.on_readable()
                if key.data.stream.keys is not None:
                    selector.unregister(key.fd)
                    del waiting[key.fd]
            tick()


@cache
def _identity() -> _Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bench")])
    begun = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    dated = builder.not_valid_before(begun).not_valid_after(begun + datetime.timedelta(days=30))
    return _Identity(key, dated.sign(key, hashes.SHA256()))


@cache
def _context() -> SSL.Context:
    context = SSL.Context(SSL.DTLS_METHOD)
    context.use_privatekey(_identity().key)
    context.use_certificate(_identity().certificate)
    context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    context.set_tlsext_use_srtp(PROFILE)
    return context


def _connection() -> SSL.Connection:
    connection = SSL.Connection(_context(), None)
    connection.set_ciphertext_mtu(1200)
    connection.set_connect_state()
    return connection


def _records(flight: bytes) -> Iterable[bytes]:
    """Datagrams of up to 1200 octets out of what OpenSSL has written, cut between records."""
    datagram = b""
    while flight:
        size = 13 + int.from_bytes(flight[11:13])
        if datagram and len(datagram) + size > 1200:
            yield datagram
            datagram = b""
        datagram, flight = datagram + flight[:size], flight[size:]
    if datagram:
        yield datagram


def _session_keys(material: bytes) -> Keys:
    """Of RFC 5764 4.2 the client's and the server's, and of those the session's."""
    client, server = material[:16] + material[32:44], material[16:32] + material[44:56]
    return Keys(_derived(client), _derived(server))


def _derived(master: bytes) -> bytes:
    """Key and salt of RTP (RFC 3711 4.3, RFC 7714 11)."""
    key, salt = master[:16], master[16:] + bytes(2)

    def drawn(label: int, octets: int) -> bytes:
        start = bytearray(salt + bytes(2))
        start[7] ^= label
        cipher = Cipher(algorithms.AES(key), modes.CTR(bytes(start))).encryptor()
        return cipher.update(bytes(octets))

    return drawn(0, 16) + drawn(2, 12)


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.I)
    if found is None:
        raise Failed(f"the answer has no {pattern}")
    return found[1]
