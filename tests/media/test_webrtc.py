"""The media path of a leg: two of ours with hand-made checks, and ours against aiortc."""

import asyncio
import functools
import secrets
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aioice.ice
import pytest
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.media.checks import check
from tests.media.webrtc_endpoint import Endpoint, endpoint
from tests.protocols.descriptions import CLIENT, without

from tertulia.media.dtls import Certificate
from tertulia.media.srtp import Srtp
from tertulia.media.webrtc import CONSENT, PATIENCE, WebRtcLeg
from tertulia.protocols.offer_answer import Candidate
from tertulia.protocols.sdp import SdpRefused

HOME = ("192.0.2.1", 1000)
AWAY = ("192.0.2.2", 2000)
OPUS_SILENCE = b"\xf8\xff\xfe"
SECONDS = 10


@functools.cache
def certificate() -> Certificate:
    return Certificate()


def leg(**limits: Any) -> WebRtcLeg:
    candidates = [Candidate("198.51.100.7", 3478)]
    return WebRtcLeg(certificate(), candidates, random=secrets.token_bytes, **limits)


def as_client(text: str, setup: str | None = None) -> str:
    """What a leg of ours says, as a full agent would: two lite ones cannot meet."""
    text = text.replace("a=ice-lite\r\n", "")
    if setup is None:
        return text
    return text.replace("setup:actpass", f"setup:{setup}").replace(
        "setup:passive", f"setup:{setup}"
    )


class Call:
    """A leg under test, and another of ours that stands for its client."""

    def __init__(self, setup: str = "actpass", **limits: Any) -> None:
        self.ours = leg(**limits)
        self.client = leg()
        self.now = 100.0
        answer = self.ours.answer(as_client(self.client.offer(), setup))
        self.client.accept(as_client(answer))

    def check(self, *, nominate: bool = True, source: tuple[str, int] = HOME) -> None:
        """A check each way, and all that follows from it."""
        both = ((self.ours, self.client), (self.client, self.ours))
        said = []
        for one, other in both:
            data = check(*self.credentials(one, other), nominate=nominate)
            said.append([each for each, _ in one.on_stun(data, source, self.now)])
        for (one, other), datagrams in zip(both, said, strict=True):
            self.converse(one, other, datagrams)

    def credentials(self, one: WebRtcLeg, other: WebRtcLeg) -> tuple[str, str]:
        return f"{one.local_ufrag}:{other.local_ufrag}", one._ice.password

    def converse(self, speaker: WebRtcLeg, hearer: WebRtcLeg, said: list[bytes]) -> None:
        queue = [(hearer, speaker, each) for each in said if each[0] > 3]
        while queue:
            to, back, datagram = queue.pop(0)
            queue += [(back, to, each) for each in to.on_dtls(datagram, self.now)]

    def run_timers(self) -> None:
        for one, other in ((self.ours, self.client), (self.client, self.ours)):
            self.converse(one, other, one.on_timer(self.now))


@pytest.mark.parametrize("setup", ["actpass", "active", "passive"])
def test_from_offer_to_keys(setup: str) -> None:
    call = Call(setup)
    assert (call.ours.state, call.ours.remote, call.ours.keys) == ("checking", None, None)
    call.check()
    call.check()
    assert (call.ours.state, call.client.state) == ("connected", "connected")
    assert call.ours.remote == HOME
    assert call.ours.keys is not None
    assert call.client.keys is not None
    packet = struct.pack("!BBHII", 0x80, 111, 1, 960, call.ours.negotiated.ssrc) + OPUS_SILENCE
    assert Srtp(call.client.keys).unprotect(Srtp(call.ours.keys).protect(packet)) == packet
    assert call.client.negotiated.remote_ssrc == call.ours.negotiated.ssrc


def test_a_client_that_begins_before_its_answer_has_come() -> None:
    ours, client = leg(), leg()
    answer = as_client(client.answer(as_client(ours.offer())), "active")
    client_check = check(f"{ours.local_ufrag}:{client.local_ufrag}", ours._ice.password)
    assert len(ours.on_stun(client_check, HOME, 1.0)) == 1
    assert ours.state == "new"
    standing_in = leg()  # which plays the client's DTLS: the client's own answer is passive
    standing_in.answer(as_client(ours.offer(), "passive"))
    own_check = check(f"{standing_in.local_ufrag}:{ours.local_ufrag}", standing_in._ice.password)
    (_, (hello, _)) = standing_in.on_stun(own_check, AWAY, 1.0)
    assert ours.on_dtls(hello, 1.0) == []
    ours.accept(answer)
    assert ours.next_timer == 0.0
    said = ours.on_timer(1.1)
    assert said
    assert {each[0] for each in said} == {22}
    assert ours.on_timer(1.1) == []


def test_the_newest_nomination_moves_the_leg() -> None:
    call = Call()
    call.check()
    call.check(nominate=False, source=AWAY)
    assert call.ours.remote == HOME
    call.check(source=AWAY)
    assert call.ours.remote == AWAY
    assert call.ours.paths == {HOME, AWAY}
    assert call.ours.state == "connected"


def test_consent_runs_out() -> None:
    call = Call(consent=5.0)
    call.check()
    call.now += 4.0
    call.check()
    assert call.ours.next_timer == call.now + 5.0
    call.now += 4.9
    call.run_timers()
    assert call.ours.state == "connected"
    call.now += 0.1
    call.run_timers()
    assert call.ours.state == "lost"
    assert call.ours.next_timer is None
    data = check(*call.credentials(call.ours, call.client))
    assert call.ours.on_stun(data, HOME, call.now) == []
    assert CONSENT == 30.0


def test_a_path_that_is_never_found() -> None:
    ours = leg()
    assert ours.next_timer is None
    ours.answer(CLIENT)
    assert ours.next_timer == 0.0
    ours.on_timer(50.0)
    assert ours.next_timer == 50.0 + PATIENCE
    ours.on_timer(50.0 + PATIENCE)
    assert ours.state == "failed"
    assert ours.next_timer is None


def test_an_offer_waits_as_long_as_it_rings() -> None:
    ours = leg()
    ours.offer()
    assert (ours.state, ours.next_timer, ours.on_timer(1e6)) == ("new", None, [])
    with pytest.raises(RuntimeError):
        _ = ours.negotiated


def test_the_wrong_certificate_gets_no_keys() -> None:
    ours, client = leg(), leg()
    offer = as_client(client.offer())
    answer = ours.answer(offer.replace(certificate().fingerprint.value, ":".join(["00"] * 32)))
    call = Call()
    call.ours, call.client = ours, client
    client.accept(as_client(answer))
    call.check()
    assert (ours.state, ours.keys) == ("failed", None)


@pytest.mark.parametrize("first", ["ours", "client"])
def test_the_end_is_said(first: str) -> None:
    call = Call()
    call.check()
    one, other = (call.ours, call.client) if first == "ours" else (call.client, call.ours)
    said = one.close()
    assert said
    call.converse(one, other, said)
    assert (one.state, other.state) == ("closed", "closed")
    assert (one.close(), other.close()) == ([], [])


def test_closing_before_anything() -> None:
    ours = leg()
    assert (ours.close(), ours.state) == ([], "closed")
    with pytest.raises(SdpRefused):
        ours.answer(CLIENT)


@pytest.mark.parametrize(
    "text",
    ["", without(CLIENT, "a=fingerprint"), CLIENT.replace("opus", "sirius").replace(" 0 8", "")],
)
def test_a_refused_offer_leaves_the_leg_as_it_was(text: str) -> None:
    ours = leg()
    with pytest.raises(SdpRefused):
        ours.answer(text)
    assert ours.state == "new"
    assert "a=setup:passive" in ours.answer(CLIENT)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("setup:active", "setup:actpass"),
        lambda text: text + text[text.index("m=audio") :],
        lambda text: text.replace("m=audio 57573", "m=audio 0"),
    ],
)
def test_what_is_no_answer(change: Callable[[str], str]) -> None:
    ours = leg()
    ours.offer()
    answer = CLIENT.replace("setup:actpass", "setup:active")
    with pytest.raises(SdpRefused):
        ours.accept(change(answer))
    ours.accept(answer)
    with pytest.raises(SdpRefused):
        ours.accept(answer)


def test_codecs_that_are_allowed() -> None:
    ours = leg(codecs=["PCMA"])
    ours.answer(CLIENT)
    assert ours.negotiated.codec == "PCMA"


@given(st.lists(st.binary(max_size=300), max_size=5), st.booleans())
@settings(max_examples=50, deadline=None)
def test_any_octets(datagrams: list[bytes], connected: bool) -> None:
    call = Call()
    if connected:
        call.check()
    for each in datagrams:
        for start in (b"", b"\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\x20", b"\0\1\0\x08\x21\x12\xa4\x42"):
            call.ours.on_stun(start + each, AWAY, call.now)
            call.ours.on_dtls(start + each, call.now)
            call.ours.on_timer(call.now)
    assert call.ours.remote == (HOME if connected else None)
    assert call.ours.state == ("connected" if connected else "checking")


# ── against aiortc, over UDP ──


@pytest.fixture(autouse=True)
def _on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its agent does not offer loopback addresses, which may be all that there are."""
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda **_: ["127.0.0.1"])


class Peer:
    """aiortc's side, which says silence."""

    def __init__(self) -> None:
        self.tracks: asyncio.Queue[MediaStreamTrack] = asyncio.Queue()
        self.connected, self.closed = asyncio.Event(), asyncio.Event()
        self.connection = RTCPeerConnection()
        self.connection.addTrack(AudioStreamTrack())
        self.connection.on("track", self.tracks.put_nowait)
        self.connection.on("connectionstatechange", self._changed)

    def _changed(self) -> None:
        if self.connection.connectionState == "connected":
            self.connected.set()
        elif self.connection.connectionState == "closed":
            self.closed.set()

    async def offer(self, ours: WebRtcLeg) -> None:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        answer = ours.answer(self.connection.localDescription.sdp)
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def answer(self, ours: WebRtcLeg) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(ours.offer(), "offer"))
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        ours.accept(self.connection.localDescription.sdp)


@asynccontextmanager
async def meeting(*, we_offer: bool, lose: int = 0) -> AsyncIterator[tuple[Endpoint, Peer]]:
    """Both connected, and gone in the end."""
    server, peer = await endpoint(), Peer()
    candidates = [Candidate("127.0.0.1", server.port)]
    server.leg = WebRtcLeg(certificate(), candidates, random=secrets.token_bytes)
    server.lose = lose
    try:
        await (peer.answer(server.leg) if we_offer else peer.offer(server.leg))
        server.look()
        await server.connected.wait()
        await peer.connected.wait()
        yield server, peer
    finally:
        await peer.connection.close()
        server.close()


async def hear(server: Endpoint, track: MediaStreamTrack) -> None:
    """Audio both ways: theirs arrives here in the clear, ours is decoded there."""
    assert server.leg is not None
    assert server.srtp is not None
    agreed = server.leg.negotiated
    packet = await server.heard.get()
    assert packet[1] & 0x7F == agreed.payload_type
    assert int.from_bytes(packet[8:12]) == agreed.remote_ssrc
    for number in range(20):
        head = struct.pack("!BBHII", 0x80, agreed.payload_type, number, 960 * number, agreed.ssrc)
        server.send([server.srtp.protect(head + OPUS_SILENCE)])
    await track.recv()


@pytest.mark.parametrize(("we_offer", "lose"), [(False, 0), (True, 0), (False, 1)])
def test_against_aiortc(we_offer: bool, lose: int) -> None:
    """A lost flight costs a second: that is OpenSSL's first retransmission."""

    async def scene() -> None:
        async with meeting(we_offer=we_offer, lose=lose) as (server, peer):
            await hear(server, await peer.tracks.get())
            await peer.connection.close()
            await server.ended.wait()
            assert server.leg is not None
            assert server.leg.state == "closed"

    asyncio.run(asyncio.wait_for(scene(), SECONDS))


def test_aiortc_hears_of_our_end() -> None:
    async def scene() -> None:
        async with meeting(we_offer=False) as (server, peer):
            assert server.leg is not None
            server.send(server.leg.close())
            await peer.closed.wait()

    asyncio.run(asyncio.wait_for(scene(), SECONDS))
