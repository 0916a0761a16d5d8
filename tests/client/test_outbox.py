"""What is sent in its order, and told when it could not be."""

import asyncio
from functools import partial

import pytest

from tertulia.client.login import NoServer
from tertulia.client.outbox import Outbox, TypingNotice
from tertulia.client.rest import Denied
from tertulia.client.websocket import Dropped


def test_everything_goes_out_once_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tertulia.client.outbox.RETRY_S", 0)
    trouble: dict[str, list[Exception]] = {
        "b": [NoServer("down"), NoServer("down")], "c": [Denied(403, "x", "No.")],
        "d": [Dropped("cut")], "quiet": [Denied(403, "x", "No.")],
    }  # fmt: skip
    sent: list[str] = []
    told: list[str] = []

    async def scenario() -> None:
        outbox = Outbox(told.append)

        async def send(name: str) -> None:
            if trouble.get(name):
                raise trouble[name].pop(0)
            sent.append(name)

        for name in ("a", "b", "c", "d", "quiet", "e"):
            outbox.put(partial(send, name), "" if name == "quiet" else name)
        running = asyncio.create_task(outbox.run())
        await outbox.emptied()
        running.cancel()

    asyncio.run(scenario())
    assert sent == ["a", "b", "e"]
    assert told == ["c: No.", "d: the connection broke; look whether it was sent"]


def test_typing_is_told_once_until_it_stops() -> None:
    told: list[bool] = []

    async def scenario() -> None:
        stopped = asyncio.Event()

        def tell(begins: bool) -> None:
            told.append(begins)
            if len(told) == 4:
                stopped.set()

        notice = TypingNotice(tell, idle_s=0.01)
        for text in ("", "/", "/who", "h", "he", "hey", "", ""):
            notice.typed(text)
        assert told == [True, False]
        notice.typed("x")
        await stopped.wait()
        assert told == [True, False, True, False]
        notice.stop()
        assert len(told) == 4

    asyncio.run(scenario())
