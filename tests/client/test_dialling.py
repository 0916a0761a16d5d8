"""`tertulia dial` against a server that plays calls: what is asked of it, shown, and told."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.client.scripted import Peer, serving

from tertulia.client.dial_report import call, call_silently, keys, recording, script
from tertulia.client.dialling import DialFailed, Outcome, Wish, callee, dial
from tertulia.client.ladder import Moment
from tertulia.client.login import Login

SCRIPT: list[Any] = [{"action": "talk", "text": "Hello"}]
PHONE = {"type": "phone", "number": "15550100"}
WISH = Wish(PHONE, SCRIPT, caller="15550199")
FILE = "http://elsewhere.test/v1/files/MED-1?compat=x"


def at(seconds: float) -> str:
    return f"2026-03-01T10:00:{seconds:06.3f}Z"


def moment(seconds: float, text: str, detail: str = "", lane: str = "event") -> dict[str, str]:
    return {"at": at(seconds), "lane": lane, "text": text, "detail": detail}


def sip(seconds: float, line: str) -> dict[str, str]:
    return moment(seconds, line, "udp:h:1", "sip")


class FakeCalls:
    """Plays one call: each look at it is the next of `looks`, the last one again and again.

    A look is the status, what is in the call beside it, and the moments known by then.
    """

    def __init__(self, *looks: tuple[str, dict[str, str], list[dict[str, str]]]) -> None:
        self._looks = list(looks)
        self.asked: list[tuple[str, str, Any]] = []
        self.refuses: dict[tuple[str, str], int] = {}
        self.hung_up: tuple[str, dict[str, str], list[dict[str, str]]] | None = None

    async def __call__(self, peer: Peer) -> None:
        while True:
            head = await peer.reader.readuntil(b"\r\n\r\n")
            method, target, _ = head.decode().split("\r\n")[0].split(" ")
            size = next(
                (int(line[15:]) for line in head.split(b"\r\n") if line[:15] == b"Content-Length:"),
                0,
            )
            body = await peer.reader.readexactly(size)
            await self._answer(peer, method, target, msgspec.json.decode(body) if body else None)

    async def _answer(self, peer: Peer, method: str, target: str, body: Any) -> None:
        path = target.removeprefix("/v1/calls")
        if method != "GET":
            self.asked.append((method, path, body))
        if (status := self.refuses.pop((method, path), 200)) != 200:
            raw = b'{"code":"x","detail":"It is not to be."}'
        elif path == "/u-1/timeline":
            raw = msgspec.json.encode({"moments": self._looks[0][2]})
        elif method == "GET" and path == "/u-1":
            if len(self._looks) > 1:
                self._looks.pop(0)
            raw = msgspec.json.encode({"status": self._looks[0][0], **self._looks[0][1]})
        elif method == "GET":
            raw = b"the sound"
        else:
            raw = msgspec.json.encode({"uuid": "u-1"})
            if body == {"action": "hangup"} and self.hung_up is not None:
                self._looks = [self.hung_up]
        peer.writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(raw)}\r\n\r\n".encode())
        peer.writer.write(raw)
        await peer.writer.drain()


async def no_pause(_: float) -> None:
    await asyncio.sleep(0)


def run(calls: FakeCalls, wish: Wish = WISH) -> tuple[Outcome, list[Moment]]:
    shown: list[Moment] = []

    async def scenario() -> Outcome:
        async with serving(calls) as url:
            return await dial(lambda: Login(url, "t"), wish, shown.append, no_pause)

    return asyncio.run(scenario()), shown


START = ("started", dict[str, str](), list[dict[str, str]]())
BUSY = [
    moment(1, "leg:status:update started"), sip(1.1, "> INVITE sip:15550102@h SIP/2.0"),
    sip(1.2, "< SIP/2.0 486 Busy Here"), sip(1.2, "> ACK sip:15550102@h SIP/2.0"),
    moment(1.3, "leg:status:update busy"),
]  # fmt: skip
ANSWERED = {"start_time": at(2)}
COMPLETED = {**ANSWERED, "duration": "17"}


def test_a_call_is_asked_for_and_watched_to_its_end() -> None:
    calls = FakeCalls(START, ("ringing", {}, BUSY[1:3]), ("busy", {}, BUSY))
    outcome, shown = run(calls)
    assert calls.asked == [(
        "POST", "",
        {"to": [PHONE], "ncco": SCRIPT, "length_timer": 30, "ringing_timer": 60,
         "from": {"type": "phone", "number": "15550199"}},
    )]  # fmt: skip
    assert [each.text for each in shown] == [each["text"] for each in BUSY]
    assert not outcome.was_answered
    assert outcome.sentence == "busy · SIP 486 Busy Here"


def test_what_happens_twice_is_shown_twice() -> None:
    keys = [moment(3, "audio:dtmf", "1"), moment(3, "audio:dtmf", "1")]
    _, shown = run(FakeCalls(START, ("answered", ANSWERED, keys), ("completed", COMPLETED, keys)))
    assert len(shown) == 2


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ([moment(4, "detection", "human, 90 %, short_greeting")], "human"),
        (
            [moment(4, "detection", "machine, 80 %, many_words"),
             moment(13.4, "detection", "beep, 1000 Hz")],
            "machine · beep 11.4 s after the answer",
        ),
        (
            [moment(4, "detection", "machine, 80 %, silence"), moment(50, "detection", "no beep")],
            "machine",
        ),
    ],
)  # fmt: skip
def test_who_has_answered_is_told(found: list[dict[str, str]], sentence: str) -> None:
    calls = FakeCalls(START, ("completed", COMPLETED, found))
    outcome, _ = run(calls, WISH._replace(detects=True))
    assert calls.asked[0][2]["advanced_machine_detection"] == {"mode": "detect_beep"}
    assert outcome.was_answered
    assert outcome.sentence == f"completed after 17 s · {sentence}"


def test_keys_are_pressed_once_when_it_is_answered_be_it_at_the_second_try() -> None:
    calls = FakeCalls(
        START, ("ringing", {}, []), *[("answered", ANSWERED, [])] * 4, ("completed", COMPLETED, [])
    )
    calls.refuses["PUT", "/u-1/dtmf"] = 409
    run(calls, WISH._replace(press="1p#"))
    assert calls.asked[1:] == [("PUT", "/u-1/dtmf", {"digits": "1p#"})] * 2


def test_a_recording_is_waited_for_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "call.wav"
    done = moment(19, "audio:record:done", FILE)
    wish = WISH._replace(record=file)

    def over(*moments: dict[str, str]) -> FakeCalls:
        return FakeCalls(START, ("completed", COMPLETED, [*moments]))

    outcome, _ = run(over(done), wish)
    assert file.read_bytes() == b"the sound"
    assert outcome.sentence == f"completed after 17 s · recorded in {file}"
    assert wish.draft["ncco"][0] == {"action": "record", "format": "wav"}

    outcome, _ = run(over(), wish)
    assert outcome.recording == "nothing was recorded"
    outcome, _ = run(over(moment(19, "audio:record:done", "the disk is full")), wish)
    assert outcome.recording == "not recorded: the disk is full"
    outcome, _ = run(over(done), wish._replace(record=tmp_path / "none" / "call.wav"))
    assert outcome.recording.startswith("not recorded: ")


def test_an_interrupt_hangs_up_and_shows_the_end() -> None:
    calls = FakeCalls(START, ("ringing", {}, BUSY[:1]))
    calls.hung_up = ("cancelled", {}, [*BUSY[:1], moment(2, "leg:status:update cancelled")])
    shown: list[Moment] = []

    def show(moment: Moment) -> None:
        shown.append(moment)
        if len(shown) == 1:
            signal.raise_signal(signal.SIGINT)

    async def scenario() -> Outcome:
        async with serving(calls) as url:
            return await dial(lambda: Login(url, "t"), WISH, show, no_pause)

    assert asyncio.run(scenario()).status == "cancelled"
    assert calls.asked[1:] == [("PUT", "/u-1", {"action": "hangup"})]
    assert shown[-1].text == "leg:status:update cancelled"


def test_who_can_no_longer_print_hangs_up() -> None:
    calls = FakeCalls(START, ("ringing", {}, BUSY[:1]))

    def show(_: Moment) -> None:
        raise BrokenPipeError

    async def scenario() -> None:
        async with serving(calls) as url:
            await dial(lambda: Login(url, "t"), WISH, show, no_pause)

    with pytest.raises(BrokenPipeError):
        asyncio.run(scenario())
    assert calls.asked[1:] == [("PUT", "/u-1", {"action": "hangup"})]


def test_what_the_server_refuses_is_told() -> None:
    calls = FakeCalls(START)
    calls.refuses["POST", ""] = 400
    with pytest.raises(DialFailed, match=r"^It is not to be\.$"):
        run(calls)


def test_nobody_there() -> None:
    async def scenario() -> None:
        await dial(lambda: Login("http://127.0.0.1:1", "t"), WISH, lambda _: None, no_pause)

    with pytest.raises(DialFailed, match=r"^no server at"):
        asyncio.run(scenario())


@pytest.mark.parametrize(
    ("given", "endpoint"),
    [
        ("15550100", PHONE),
        ("+1 (555) 01-00", PHONE),
        ("alice", {"type": "app", "user": "alice"}),
        ("sip:bob@host", {"type": "sip", "uri": "sip:bob@host"}),
        ("SIPS:bob@host", {"type": "sip", "uri": "SIPS:bob@host"}),
        (
            "ws://host/bot",
            {"type": "websocket", "uri": "ws://host/bot", "content-type": "audio/l16;rate=16000"},
        ),
    ],
)
def test_whom_to_call_is_told_by_its_looks(given: str, endpoint: dict[str, str]) -> None:
    assert callee(given) == endpoint


def test_what_is_done_in_the_call(tmp_path: Path) -> None:
    assert script(None, "Hi", 20) == [
        {"action": "talk", "text": "Hi"}, {"action": "wait", "timeout": 20}
    ]  # fmt: skip
    file = tmp_path / "script.json"
    file.write_text(json.dumps(SCRIPT))
    assert script(file, None, 20) == SCRIPT
    for wrong in ("{", "{}"):
        file.write_text(wrong)
        with pytest.raises(DialFailed):
            script(file, None, 20)
    with pytest.raises(DialFailed):
        script(tmp_path / "none", None, 20)


def test_what_can_be_pressed() -> None:
    assert [keys(None), keys("1p#")] == [None, "1p#"]
    for wrong in ("", "hash", "1 2"):
        with pytest.raises(DialFailed):
            keys(wrong)


def test_where_it_may_be_recorded(tmp_path: Path) -> None:
    assert recording(None) is None
    assert recording(tmp_path / "a.MP3") == tmp_path / "a.MP3"
    for wrong in (tmp_path / "a.txt", tmp_path / "none" / "a.mp3"):
        with pytest.raises(DialFailed):
            recording(wrong)


def report(how: Any, calls: FakeCalls, *name: str) -> tuple[int, list[str]]:
    said: list[str] = []

    async def scenario() -> int:
        async with serving(calls) as url:
            code: int = await how(lambda: Login(url, "t"), WISH, *name, said.append, no_pause)
            return code

    return asyncio.run(scenario()), said


def test_the_ladder_and_the_outcome_are_printed() -> None:
    code, said = report(call, FakeCalls(START, ("busy", {}, BUSY)), "the\x1bbusy")
    assert code == 1
    assert said[0].startswith("Calling the\ufffdbusy\n\n seconds  SIP")
    assert len(said) == len(BUSY) + 2
    assert said[2] == "   0.100  ──▶ INVITE sip:15550102@h"
    assert said[-1] == "\nbusy · SIP 486 Busy Here"


def test_programs_are_told_at_the_end() -> None:
    calls = FakeCalls(START, ("completed", COMPLETED, BUSY[:1]))
    code, said = report(call_silently, calls)
    assert code == 0
    assert json.loads("".join(said)) == {
        "uuid": "u-1", "status": "completed", "was_answered": True, "seconds": 17, "sip": None,
        "verdict": None, "beep": None, "recording": None, "moments": BUSY[:1],
    }  # fmt: skip
