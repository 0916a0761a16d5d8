"""`tertulia text` against a server that plays one message: what is asked of it, and shown."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from tests.client.scripted import Peer, serving

from tertulia.client.login import Login
from tertulia.client.texting import LINGER_S, TextFailed, Words, text

WORDS = Words("viber", "ann/1", "15550199", "Hi\x1b[0m", 5.0)
OLD = {"id": "a0", "direction": "out", "text": "Before", "message_type": "text"}


class FakeMessage:
    """Each look at the message is the next of `looks`: a status, or all that is told of it, and
    what the handset has sent by then."""

    def __init__(
        self, *looks: tuple[Any, Sequence[dict[str, str]]], simulated: bool = True
    ) -> None:
        self._looks = list(looks)
        self._simulated = simulated
        self.asked: list[Any] = []
        self.paths: set[str] = set()
        self.refuses = False
        self._was_looked_at = False

    async def __call__(self, peer: Peer) -> None:
        while True:
            body = await peer.request()
            self.paths.add(peer.target)
            status, told = self._answer(peer.target, body)
            raw = msgspec.json.encode(told)
            head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(raw)}\r\n\r\n"
            peer.writer.write(head.encode() + raw)
            await peer.writer.drain()

    def _answer(self, path: str, body: bytes) -> tuple[int, object]:
        if body:
            self.asked.append(msgspec.json.decode(body))
            return (422, {"detail": "It is not to be."}) if self.refuses else (
                202, {"message_uuid": "m-1"})  # fmt: skip
        if path.startswith("/tertulia/v1/handsets"):
            incoming = {"id": "x", "direction": "in", "text": "Hi", "message_type": "text"}
            shown = [OLD, incoming, *(self._looks[0][1] if self.asked else ())]
            return (200, {"messages": shown}) if self._simulated else (404, {"detail": "None."})
        if len(self._looks) > 1 and self._was_looked_at:
            self._looks.pop(0)
        self._was_looked_at = True
        status = self._looks[0][0]
        message = status if isinstance(status, dict) else {"status": status}
        return 200, {"direction": "outbound", "carrier": "simulated-viber", "message": message}


def run(message: FakeMessage, words: Words = WORDS) -> tuple[int, list[str]]:
    said: list[str] = []
    now = 0.0

    async def pause(seconds: float) -> None:
        nonlocal now
        now += seconds
        await asyncio.sleep(0)

    async def scenario() -> int:
        async with serving(message) as url:
            return await text(lambda: Login(url, "t"), words, said.append, pause, lambda: now)

    return asyncio.run(scenario()), said


def lines(said: list[str]) -> list[str]:
    return [line[10:] for line in said[1:]]


def answer(name: str, **members: str) -> dict[str, str]:
    return {"id": name, "direction": "out", "message_type": "text"} | members


def test_a_message_is_sent_and_watched_until_a_while_after_its_end() -> None:
    first, second = answer("a1", text="Hello\x07"), answer("a2", message_type="image")
    message = FakeMessage(
        ("accepted", []), ("submitted", []), ("delivered", [first]), ("read", [first, second])
    )
    code, said = run(message)
    assert code == 0
    assert message.asked == [{
        "channel": "viber_service", "message_type": "text", "text": "Hi\x1b[0m", "to": "ann/1",
        "from": "15550199",
    }]  # fmt: skip
    assert said[0] == "Texting ann/1 by viber\n"
    told = lines(said)
    assert told[:3] == ["accepted", "submitted by simulated-viber", "delivered"]
    assert "read" in told and "◀── (image)" in told
    assert any(line.startswith("◀── Hello") and "\x07" not in line for line in told)
    assert not any("Before" in line for line in told)
    assert message.paths == {
        "/v1/messages", "/tertulia/v1/messages/m-1", "/tertulia/v1/handsets/viber/ann%2F1",
    }  # fmt: skip


def test_what_was_refused_is_told_with_its_reason_at_once() -> None:
    why = {"status": "rejected", "error": {"title": "Rejected", "detail": "No such number"}}
    code, said = run(FakeMessage(("accepted", []), (why, [])))
    assert (code, lines(said)) == (1, ["accepted", "rejected No such number"])
    assert float(said[-1][:8]) < LINGER_S


def test_nobody_waits_for_ever() -> None:
    code, said = run(FakeMessage(("submitted", [])))
    assert (code, lines(said)[-1]) == (1, "nothing more within 5 s")


def test_there_need_be_no_handset() -> None:
    code, said = run(FakeMessage(("delivered", []), simulated=False))
    assert (code, lines(said)) == (0, ["delivered"])


def test_what_the_server_does_not_take() -> None:
    message = FakeMessage(("accepted", []))
    message.refuses = True
    with pytest.raises(TextFailed, match="It is not to be"):
        run(message)


def test_there_is_no_server() -> None:
    async def scenario() -> None:
        await text(lambda: Login("http://127.0.0.1:9", "t"), WORDS, lambda line: None)

    with pytest.raises(TextFailed, match="no server at"):
        asyncio.run(scenario())
