"""DTLS over memory: both roles, every profile, the wrong peer, and strange datagrams."""

import datetime
import functools

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from tertulia.media.dtls import MTU, Certificate, Dtls
from tertulia.media.srtp import Srtp
from tertulia.protocols.sdp import Fingerprint

PROFILES = ["AEAD_AES_128_GCM", "AEAD_AES_256_GCM", "AES128_CM_SHA1_80", "AES128_CM_SHA1_32"]
RTP = bytes.fromhex("806f0001000003c0deadbeef") + b"voice"


@functools.cache
def certificates() -> tuple[Certificate, Certificate]:
    return Certificate(), Certificate()


def pair(left: Certificate | None = None, right: Certificate | None = None) -> tuple[Dtls, Dtls]:
    """A client and a server, each expecting the other."""
    left, right = left or certificates()[0], right or certificates()[1]
    client = Dtls(left, [right.fingerprint], client=True)
    server = Dtls(right, [left.fingerprint], client=False)
    return client, server


def converse(client: Dtls, server: Dtls, said: list[bytes] | None = None) -> list[bytes]:
    """All that they say to each other until they are silent."""
    queue = [(server, client, each) for each in (client.start() if said is None else said)]
    heard = []
    while queue:
        hearer, speaker, datagram = queue.pop(0)
        heard.append(datagram)
        queue += [(speaker, hearer, each) for each in hearer.receive(datagram)]
    return heard


def test_both_have_the_same_keys() -> None:
    client, server = pair()
    datagrams = converse(client, server)
    assert (client.state, server.state) == ("connected", "connected")
    assert client.keys is not None
    assert server.keys is not None
    assert client.keys.profile == "AEAD_AES_128_GCM"
    assert client.keys == server.keys._replace(local=server.keys.remote, remote=server.keys.local)
    assert max(map(len, datagrams)) <= MTU
    assert len(datagrams) <= 6
    assert (client.timeout(), server.timeout()) == (None, None)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("ours", [True, False])
def test_every_profile(profile: str, ours: bool) -> None:
    limited = Certificate()
    limited.context.set_tlsext_use_srtp(b"SRTP_" + profile.encode())
    client, server = pair(right=limited) if ours else pair(left=limited)
    converse(client, server)
    assert client.keys is not None
    assert server.keys is not None
    assert client.keys.profile == profile
    assert Srtp(server.keys).unprotect(Srtp(client.keys).protect(RTP)) == RTP
    assert Srtp(client.keys).unprotect(Srtp(server.keys).protect(RTP)) == RTP


def test_our_preference_wins_over_the_clients() -> None:
    limited = Certificate()
    limited.context.set_tlsext_use_srtp(
        b":".join(b"SRTP_" + each.encode() for each in PROFILES[::-1])
    )
    client, server = pair(left=limited)
    converse(client, server)
    assert client.keys is not None
    assert client.keys.profile == PROFILES[0]


@pytest.mark.parametrize("digest", [SHA256(), SHA384(), SHA512()])
def test_fingerprints(digest: SHA256 | SHA384 | SHA512) -> None:
    theirs = Certificate()
    value = _certificate(theirs).fingerprint(digest).hex(":").upper()
    expected = Fingerprint(f"sha-{digest.digest_size * 8}", value)
    client = Dtls(certificates()[0], [certificates()[1].fingerprint, expected], client=True)
    server = Dtls(theirs, [certificates()[0].fingerprint], client=False)
    converse(client, server)
    assert (client.state, server.state) == ("connected", "connected")


def _certificate(certificate: Certificate) -> x509.Certificate:
    found = SSL.Connection(certificate.context).get_certificate()
    assert found is not None
    return found.to_cryptography()


@pytest.mark.parametrize("stranger", ["client", "server"])
def test_a_stranger_gets_no_further(stranger: str) -> None:
    left, right = certificates()
    client_expects = left if stranger == "server" else right
    server_expects = right if stranger == "client" else left
    client = Dtls(left, [client_expects.fingerprint], client=True)
    server = Dtls(right, [server_expects.fingerprint], client=False)
    converse(client, server)
    deceived, other = (server, client) if stranger == "client" else (client, server)
    assert (deceived.state, deceived.keys) == ("failed", None)
    assert other.state in {"handshaking", "closed", "failed"}


def test_a_client_without_a_certificate() -> None:
    bare = Certificate()
    bare.context = SSL.Context(SSL.DTLS_METHOD)
    bare.context.set_options(SSL.OP_NO_QUERY_MTU)
    bare.context.set_tlsext_use_srtp(b"SRTP_AEAD_AES_128_GCM")
    client, server = pair(left=bare)
    converse(client, server)
    assert (server.state, server.keys) == ("failed", None)


@pytest.mark.parametrize("client_has_it", [True, False])
def test_a_peer_with_an_rsa_key(client_has_it: bool) -> None:
    theirs = Certificate()
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([])
    day = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    signed = x509.CertificateBuilder(
        subject, subject, key.public_key(), 1, day, day.replace(year=9999)
    ).sign(key, SHA256())
    theirs.context.use_certificate(signed)
    theirs.context.use_privatekey(key)
    if not client_has_it:  # OpenSSL keeps a key of each kind, and the cipher says which is shown
        theirs.context.set_cipher_list(b"ECDHE-RSA-AES128-GCM-SHA256")
    theirs.fingerprint = Fingerprint("sha-256", signed.fingerprint(SHA256()).hex(":").upper())
    client, server = pair(left=theirs) if client_has_it else pair(right=theirs)
    assert max(map(len, converse(client, server))) <= MTU
    assert (client.state, server.state) == ("connected", "connected")


def test_no_profile_in_common() -> None:
    left, right = Certificate(), Certificate()
    left.context.set_tlsext_use_srtp(b"SRTP_AEAD_AES_256_GCM")
    right.context.set_tlsext_use_srtp(b"SRTP_AES128_CM_SHA1_80")
    client, server = pair(left, right)
    converse(client, server)
    assert (client.keys, server.keys) == (None, None)
    assert "failed" in {client.state, server.state}


def test_datagrams_twice_and_in_another_order() -> None:
    client, server = pair()
    queue = [(server, client, each) for each in client.start()]
    while queue:
        hearer, speaker, datagram = queue.pop()
        for _ in range(2):
            queue += [(speaker, hearer, each) for each in hearer.receive(datagram)]
    assert (client.state, server.state) == ("connected", "connected")


@pytest.mark.parametrize("first", ["client", "server"])
def test_either_may_close(first: str) -> None:
    client, server = pair()
    converse(client, server)
    closing, other = (client, server) if first == "client" else (server, client)
    said = closing.close()
    assert closing.state == "closed"
    answers = [answer for each in said for answer in other.receive(each)]
    assert other.state == "closed"
    assert [again for each in answers for again in closing.receive(each)] == []
    assert (closing.close(), other.close()) == ([], [])


def test_closing_what_never_was() -> None:
    client, server = pair()
    client.start()
    assert (client.close(), server.close()) == ([], [])
    assert (client.state, server.state) == ("closed", "closed")
    assert (server.receive(b"\x16" * 40), client.timeout(), client.on_timeout()) == ([], None, [])


def test_a_timer_runs_until_the_peer_answers() -> None:
    client, server = pair()
    assert (client.timeout(), server.timeout()) == (None, None)
    client.start()
    seconds = client.timeout()
    assert seconds is not None
    assert 0 < seconds <= 1
    assert client.on_timeout() == []  # it is too early


@given(st.lists(st.binary(max_size=200), max_size=4), st.booleans())
@settings(max_examples=50, deadline=None)
def test_any_octets(datagrams: list[bytes], connected: bool) -> None:
    client, server = pair()
    if connected:
        converse(client, server)
    for each in datagrams:
        server.receive(each)
        server.receive(b"\x16\xfe\xfd" + bytes(8) + len(each).to_bytes(2) + each)
        client.receive(b"\x15\xfe\xfd" + bytes(8) + len(each).to_bytes(2) + each)
    assert not connected or (client.state, server.state) == ("connected", "connected")


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_changed_flights(draw: st.DataObject) -> None:
    client, server = pair()
    queue = [(server, client, each) for each in client.start()]
    turn = draw.draw(st.integers(0, 5))
    at, octet = draw.draw(st.integers(0, 400)), draw.draw(st.integers(1, 255))
    for _ in range(40):
        if not queue:
            break
        hearer, speaker, datagram = queue.pop(0)
        turn -= 1
        if turn == 0:
            changed = bytearray(datagram)
            changed[at % len(datagram)] ^= octet
            datagram = bytes(changed)
        queue += [(speaker, hearer, each) for each in hearer.receive(datagram)]
    states = {"handshaking", "connected", "closed", "failed"}
    assert {client.state, server.state} <= states
    if client.keys is not None and server.keys is not None:
        assert client.keys.local == server.keys.remote


@pytest.mark.parametrize("keep", [0, 1, 12, 13, 40])
def test_a_cut_record_is_dropped_alone(keep: int) -> None:
    client, server = pair()
    (hello,) = client.start()
    assert server.receive(hello[:keep]) == []
    converse(client, server, [hello + hello[:keep]])
    assert (client.state, server.state) == ("connected", "connected")
