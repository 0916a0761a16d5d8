"""What every adapter of Workers promises."""

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import NamedTuple, TypeVar

import pytest
import uvloop

from tertulia.model.commands import (
    Accept,
    Answer,
    Answered,
    AnyReport,
    Close,
    Closed,
    Echo,
    Interrupted,
    Join,
    Listen,
    Listened,
    Load,
    Offer,
    Offered,
    Opened,
    Plain,
    Play,
    Played,
    Playing,
    Record,
    Recorded,
    Recording,
    Refused,
    Report,
    StopListen,
    StopPlay,
    StopRecord,
    Up,
)
from tertulia.model.ids import ApplicationId
from tertulia.ports import MediaUnavailable, Workers

HERE, ELSEWHERE = ApplicationId("application-1"), ApplicationId("application-2")
PATIENCE = 20.0
"""Seconds; generous, since the machine may be busy with other tests."""
OFFER = "\r\n".join(
    (
        "v=0", "o=- 4611732058190114 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0",
        "a=extmap-allow-mixed", "a=msid-semantic: WMS stream",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8 110 126", "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0", "a=ice-ufrag:b7Zq", "a=ice-pwd:kH2lO5c1fJ8vQ0s3XyWdRtMn",
        "a=ice-options:trickle",
        "a=fingerprint:sha-256 " + ":".join(f"{octet:02X}" for octet in range(0x30, 0x50)),
        "a=setup:actpass", "a=mid:0", "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "a=sendrecv", "a=msid:stream track", "a=rtcp-mux", "a=rtpmap:111 opus/48000/2",
        "a=rtcp-fb:111 transport-cc", "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", "a=rtpmap:110 telephone-event/48000",
        "a=rtpmap:126 telephone-event/8000", "a=ssrc:1234567 cname:someone",
        "a=ssrc:1234567 msid:stream track", "",
    )
)  # fmt: skip
"""As a browser makes it."""

Kind = TypeVar("Kind", bound=Report)


class Reports:
    """What was reported, in its order."""

    def __init__(self) -> None:
        self.all: list[AnyReport] = []
        self._came = asyncio.Event()

    def __call__(self, report: AnyReport) -> None:
        self.all.append(report)
        self._came.set()

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [report for report in self.all if isinstance(report, kind)]

    async def first(self, kind: type[Kind]) -> Kind:
        """The first of a kind, when it has come."""
        return (await self.some(kind, 1))[0]

    async def some(self, kind: type[Kind], count: int) -> list[Kind]:
        """Those of a kind, when so many have come."""
        async with asyncio.timeout(PATIENCE):
            while len(self.of(kind)) < count:
                self._came.clear()
                await self._came.wait()
        return self.of(kind)


class Rig(NamedTuple):
    """Workers of which one is up, and how to kill it. Another takes its place."""

    workers: Workers
    kill: Callable[[], None]
    folder: Path


Scenario = Callable[[Rig, Reports], Awaitable[None]]


class WorkersContract(ABC):
    @abstractmethod
    def rig(self) -> AbstractAsyncContextManager[Rig]: ...

    @abstractmethod
    def nobody(self) -> Workers:
        """Without a worker."""

    def play(self, scenario: Scenario) -> None:
        async def run() -> None:
            async with self.rig() as rig:
                reports = Reports()
                rig.workers.on_report(reports)
                await scenario(rig, reports)

        uvloop.run(run())

    def test_without_a_worker_it_says_so(self) -> None:
        async def run() -> None:
            workers = self.nobody()
            with pytest.raises(MediaUnavailable):
                workers.tell(HERE, Close("leg"))
            with pytest.raises(MediaUnavailable):
                await workers.ask(HERE, Offer("leg"))

        uvloop.run(run())

    def test_an_offer_is_answered(self) -> None:
        async def scenario(rig: Rig, reports: Reports) -> None:
            answered = await rig.workers.ask(HERE, Answer("leg", OFFER))
            assert isinstance(answered, Answered)
            assert answered.leg == "leg"
            lines = answered.sdp.split("\r\n")
            assert lines[0] == "v=0"
            for wanted in ("m=audio", "a=ice-ufrag:", "a=fingerprint:", "a=candidate:"):
                assert any(line.startswith(wanted) for line in lines), wanted
            assert "a=setup:passive" in lines

        self.play(scenario)

    def test_a_leg_is_offered_and_its_answer_awaited(self) -> None:
        async def scenario(rig: Rig, reports: Reports) -> None:
            offered = await rig.workers.ask(HERE, Offer("leg"))
            assert isinstance(offered, Offered)
            assert "a=setup:actpass" in offered.sdp.split("\r\n")
            assert isinstance(await rig.workers.ask(HERE, Accept("leg", "nonsense")), Refused)

        self.play(scenario)

    def test_what_is_no_offer_is_refused_with_a_reason(self) -> None:
        async def scenario(rig: Rig, reports: Reports) -> None:
            for sdp in ("", "v=0", "m=video 9 RTP/AVP 96", "\0" * 5000, "ä" * 5000):
                refused = await rig.workers.ask(HERE, Answer("leg", sdp))
                assert isinstance(refused, Refused)
                assert (refused.leg, bool(refused.reason)) == ("leg", True)
            assert reports.of(Closed) == []

        self.play(scenario)

    def test_questions_about_a_leg_are_answered_in_their_order(self) -> None:
        async def scenario(rig: Rig, reports: Reports) -> None:
            asked = [
                Answer("leg", OFFER), Answer("leg", "nonsense"), Offer("other"),
                Accept("other", "nonsense"), Accept("stranger", OFFER), Answer("leg", OFFER),
            ]  # fmt: skip
            answers = await asyncio.gather(*(rig.workers.ask(HERE, each) for each in asked))
            assert [type(each) for each in answers] == [
                Answered, Refused, Offered, Refused, Refused, Answered,
            ]  # fmt: skip

        self.play(scenario)

    def test_a_plain_leg_is_opened(self) -> None:
        async def scenario(rig: Rig, reports: Reports) -> None:
            opened = await rig.workers.ask(HERE, Plain("leg", "127.0.0.1", 9, "PCMU", 0))
            assert isinstance(opened, Opened)
            assert opened.host
            assert 0 < opened.port < 65_536

        self.play(scenario)

    def test_an_echo_comes_up_and_is_accounted_for(self) -> None:
        async def scenario(rig: Rig, reports: Reports) -> None:
            rig.workers.tell(HERE, Echo("leg"))
            assert (await reports.first(Up)).leg == "leg"
            rig.workers.tell(HERE, Close("leg"))
            closed = await reports.first(Closed)
            assert closed.leg == "leg"
            assert closed.account is not None

        self.play(scenario)

    def test_commands_are_obeyed_in_their_order(self) -> None:
        async def scenario(rig: Rig, reports: Reports) -> None:
            names = [f"leg-{number}" for number in range(20)]
            for name in names:
                rig.workers.tell(HERE, Echo(name))
                rig.workers.tell(HERE, Close(name))
            closed = await reports.some(Closed, len(names))
            assert [each.leg for each in closed] == names

        self.play(scenario)

    def test_a_tone_plays_until_it_is_stopped(self) -> None:
        async def scenario(rig: Rig, reports: Reports) -> None:
            rig.workers.tell(HERE, Echo("leg"))
            rig.workers.tell(HERE, Play("play", "ringback", kind="tone", leg="leg", loop=0))
            playing = await reports.first(Playing)
            rig.workers.tell(HERE, StopPlay("play"))
            played = await reports.first(Played)
            assert (played.play, played.stopped, played.error) == ("play", True, None)
            assert playing.at <= played.at

        self.play(scenario)

    @pytest.mark.parametrize(
        "play",
        [
            Play("play", "ringback", kind="tone", leg="nobody"),
            Play("play", "ringback", kind="tone", room="nowhere"),
            Play("play", "kazoo", kind="tone", leg="leg"),
        ],
    )
    def test_what_cannot_be_played_ends_with_an_error(self, play: Play) -> None:
        async def scenario(rig: Rig, reports: Reports) -> None:
            rig.workers.tell(HERE, Echo("leg"))
            rig.workers.tell(HERE, play)
            assert (await reports.first(Played)).error
            assert reports.of(Playing) == []

        self.play(scenario)

    def test_a_recording_is_a_file(self) -> None:
        async def scenario(rig: Rig, reports: Reports) -> None:
            rig.workers.tell(HERE, Echo("leg"))
            rig.workers.tell(HERE, Join("leg", "room"))
            path = rig.folder / "recording"
            rig.workers.tell(HERE, Record("record", str(path), room="room", format="wav"))
            recording = await reports.first(Recording)
            # something to be recorded, and time that passes
            rig.workers.tell(HERE, Play("play", "ringback", kind="tone", room="room", loop=0))
            await reports.first(Playing)
            rig.workers.tell(HERE, StopPlay("play"))
            await reports.first(Played)
            rig.workers.tell(HERE, StopRecord("record"))
            recorded = await reports.first(Recorded)
            assert (recorded.record, recorded.reason, recorded.error) == ("record", "stopped", None)
            assert recording.at <= recorded.ended
            (track,) = recorded.tracks
            assert (track.path, track.leg) == (f"{path}.wav", None)
            assert size_of(track.path) == track.size > 0

        self.play(scenario)

    def test_what_is_asked_of_nobody_ends_at_once(self) -> None:
        async def scenario(rig: Rig, reports: Reports) -> None:
            path = str(rig.folder / "nobody")
            rig.workers.tell(HERE, Record("record", path, leg="nobody"))
            assert (await reports.first(Recorded)).tracks == []
            rig.workers.tell(HERE, Listen("listen", "nobody", path))
            listened = await reports.first(Listened)
            assert (listened.size, listened.reason) == (0, "left")
            rig.workers.tell(HERE, Close("nobody"))
            assert await reports.first(Closed) == Closed("nobody", None)

        self.play(scenario)

    def test_a_listening_can_be_stopped(self) -> None:
        async def scenario(rig: Rig, reports: Reports) -> None:
            rig.workers.tell(HERE, Echo("leg"))
            rig.workers.tell(HERE, Listen("listen", "leg", str(rig.folder / "said.wav")))
            rig.workers.tell(HERE, StopListen("listen"))
            assert (await reports.first(Listened)).reason == "stopped"

        self.play(scenario)

    def test_signs_of_life_are_for_the_adapter(self) -> None:
        async def scenario(rig: Rig, reports: Reports) -> None:
            rig.workers.tell(HERE, Echo("leg"))
            await reports.first(Up)
            assert reports.of(Load) == []

        self.play(scenario)

    def test_a_death_ends_everything_and_another_goes_on(self) -> None:
        async def scenario(rig: Rig, reports: Reports) -> None:
            tell = rig.workers.tell
            tell(HERE, Echo("leg"))
            await rig.workers.ask(HERE, Answer("other", OFFER))
            await rig.workers.ask(HERE, Answer("never", "nonsense"))
            tell(HERE, Echo("ended"))
            tell(HERE, Close("ended"))
            tell(HERE, Play("play", "hold", kind="tone", leg="leg", loop=0))
            tell(HERE, Record("record", str(rig.folder / "cut"), leg="leg"))
            tell(HERE, Listen("listen", "leg", str(rig.folder / "said.wav")))
            await reports.first(Playing)
            await reports.first(Recording)
            rig.kill()
            interrupted = await reports.first(Interrupted)
            assert interrupted.record == "record"
            died = [each.leg for each in reports.of(Closed) if each.account is None]
            assert sorted(died) == ["leg", "other"]
            (played,) = reports.of(Played)
            assert (played.play, played.stopped, bool(played.error)) == ("play", False, True)
            (listened,) = reports.of(Listened)
            assert (listened.listen, listened.reason) == ("listen", "failed")
            assert isinstance(await eventually(rig.workers, Answer("leg", OFFER)), Answered)

        self.play(scenario)

    def test_a_question_does_not_outlive_its_worker(self) -> None:
        async def scenario(rig: Rig, reports: Reports) -> None:
            asking = asyncio.ensure_future(rig.workers.ask(HERE, Answer("leg", OFFER)))
            rig.kill()
            began = asyncio.get_running_loop().time()
            await asyncio.wait([asking])
            assert asyncio.get_running_loop().time() - began < PATIENCE
            if asking.exception() is not None:
                assert isinstance(asking.exception(), MediaUnavailable)

        self.play(scenario)


def size_of(path: str) -> int:
    return os.path.getsize(path)


async def eventually(workers: Workers, command: Answer) -> Report:
    """The answer, when there is a worker again."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await workers.ask(ELSEWHERE, command)
            except MediaUnavailable:
                await asyncio.sleep(0.05)
