"""The SMPP carrier against an SMSC that is a published package's."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.clients.conftest import Node
from tests.contracts.message_carrier import Ears, sending

from tertulia.carriers.smpp import SmppAccount, SmppCarrier
from tertulia.model.instant import Instant
from tertulia.model.sending import Content, Sending, SendingStatus
from tertulia.ports.messaging import Congested, OutOfReach

pytestmark = [pytest.mark.clients, pytest.mark.system]

PATIENCE = 30.0
ACCOUNT = SmppAccount(
    name="sms", system_id="us", password="secret", window=10, first_retry_seconds=0.05,
    longest_retry_seconds=0.2,
)  # fmt: skip
Told = dict[str, Any]


class Smsc:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    def order(self, order: str, **members: object) -> None:
        assert self._process.stdin is not None
        line = json.dumps({"order": order, **members})
        self._process.stdin.write(f"{line}\n".encode())

    async def mood(self, **members: object) -> None:
        """From now on."""
        self.order("mood", **members)
        await self.hears("mood")

    async def hears(self, event: str) -> Told:
        """The next such event; those before it are passed over."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while line := await self._process.stdout.readline():
                told: Told = json.loads(line)
                if told["event"] == event:
                    return told
        raise AssertionError("the SMSC has ended")


class Scene:
    def __init__(self, smsc: Smsc, carrier: SmppCarrier, ears: Ears) -> None:
        self.smsc, self.carrier, self.ears = smsc, carrier, ears

    async def until(self, state: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while self.carrier.health.state != state:  # noqa: ASYNC110
                await asyncio.sleep(0.005)


@asynccontextmanager
async def published(node: Node) -> AsyncIterator[tuple[Smsc, int]]:
    process = await asyncio.create_subprocess_exec(
        node.executable, str(Path(__file__).with_name("smsc.mjs")),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PKG_DIR": str(node.packages)},
    )  # fmt: skip
    assert process.stdin is not None
    try:
        smsc = Smsc(process)
        yield smsc, (await smsc.hears("listening"))["port"]
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), PATIENCE)


def play(node: Node, act: Callable[[Scene], Awaitable[None]], **changes: Any) -> None:
    async def main() -> None:
        async with published(node) as (smsc, port):
            account, ears = msgspec.structs.replace(ACCOUNT, **changes), Ears()
            carrier = SmppCarrier(
                account, now=lambda: Instant(0), where=lambda: ("127.0.0.1", port)
            )
            await carrier.start(ears)
            try:
                bind = await smsc.hears("bind")
                assert bind == {
                    "event": "bind", "system_id": "us", "version": 0x34, "isRight": True
                }  # fmt: skip
                await act(Scene(smsc, carrier, ears))
            finally:
                await carrier.close()

    asyncio.run(main())


def text(text: str, number: int = 1) -> Sending:
    return sending("sms", text, number)


def test_messages_and_receipts(node: Node) -> None:
    async def act(scene: Scene) -> None:
        expires = msgspec.structs.replace(text("Grüße €@{}"), expires_at=Instant(1_800_000_000_000))
        refs = await scene.carrier.submit(expires)
        told = await scene.smsc.hears("submit")
        assert told["text"] == "Grüße €@{}" and told["coding"] == 0 and told["receipt"] == 1
        assert (told["from"], told["to"]) == ([1, 1, "15550199"], [1, 1, "447700900123"])
        assert told["expires"] == "2027-01-15T08:00:00.000Z"
        assert (await scene.smsc.hears("answer"))["status"] == 0
        assert list(refs) == [told["id"]]
        await scene.smsc.mood(receipts="UNDELIV")
        await scene.carrier.submit(text("жук 😀"))
        told = await scene.smsc.hears("submit")
        assert told["text"] == "жук 😀" and told["coding"] == 8
        await scene.ears.until(lambda: len(scene.ears.outcomes) == 2)
        statuses = [each.status for each in scene.ears.outcomes]
        assert statuses == [SendingStatus.DELIVERED, SendingStatus.UNDELIVERABLE]
        await scene.carrier.close()
        await scene.smsc.hears("unbind")

    play(node, act)


@pytest.mark.parametrize("segmentation", ["udh", "sar", "payload"])
@pytest.mark.parametrize("long", ["abcdé€ " * 60, "Привет 😀 " * 20])
def test_long_texts_out(node: Node, segmentation: str, long: str) -> None:
    async def act(scene: Scene) -> None:
        refs = await scene.carrier.submit(text(long))
        parts = [await scene.smsc.hears("submit") for _ in refs]
        assert "".join(each["text"] for each in parts) == long
        numbers = list(range(1, len(parts) + 1))
        if segmentation == "udh":
            assert [int(each["header"][-2:], 16) for each in parts] == numbers
        elif segmentation == "sar":
            assert [each["sar"] for each in parts] == [[len(parts), each] for each in numbers]
        else:
            assert len(parts) == 1
        await scene.ears.until(lambda: len(scene.ears.outcomes) == len(refs))
        assert {each.ref for each in scene.ears.outcomes} == set(refs)

    play(node, act, segmentation=segmentation)


@pytest.mark.parametrize(
    ("wanted", "order"),
    [
        ("Hallö @ {€}", {"coding": 0}),
        ("жук 😀", {"coding": 8}),
        ("Hallö @ " * 50, {"coding": 0, "parts": 3}),
        ("жук 😀 " * 30, {"coding": 8, "parts": 4}),
        ("Hallö @ " * 50, {"coding": 0, "payload": True}),
    ],
)
def test_texts_in(node: Node, wanted: str, order: dict[str, object]) -> None:
    async def act(scene: Scene) -> None:
        scene.smsc.order("deliver", text=wanted, **order)
        for _ in range(int(str(order.get("parts", 1)))):
            assert (await scene.smsc.hears("answer"))["status"] == 0
        (arrival,) = scene.ears.arrivals
        assert arrival.content == Content("text", {"text": wanted})
        assert (arrival.from_, arrival.to) == ("447700900123", "447700900000")

    play(node, act)


def test_what_cannot_be_kept_is_asked_for_again(node: Node) -> None:
    async def act(scene: Scene) -> None:
        scene.ears.is_deaf = True
        scene.smsc.order("deliver", text="Hi")
        assert (await scene.smsc.hears("answer"))["status"] == 0x64
        scene.ears.is_deaf = False
        scene.smsc.order("deliver", text="Hi")
        assert (await scene.smsc.hears("answer"))["status"] == 0

    play(node, act)


def test_throttling(node: Node) -> None:
    async def act(scene: Scene) -> None:
        await scene.smsc.mood(throttled=1)
        with pytest.raises(Congested):
            await scene.carrier.submit(text("one"))
        assert await scene.carrier.submit(text("one")) == ("published-1",)

    play(node, act)


def test_a_restart_in_the_middle_of_a_window(node: Node) -> None:
    async def act(scene: Scene) -> None:
        await scene.smsc.mood(silent=True)
        submits = [
            asyncio.ensure_future(scene.carrier.submit(text(f"text {each}", each)))
            for each in range(5)
        ]
        for _ in range(5):
            await scene.smsc.hears("submit")
        await scene.smsc.mood(silent=False)
        scene.smsc.order("restart")
        lost = await asyncio.gather(*submits, return_exceptions=True)
        assert all(isinstance(each, OutOfReach) and each.in_doubt for each in lost)
        await scene.smsc.hears("bind")
        await scene.until("up")
        again = await asyncio.gather(
            *(scene.carrier.submit(text(f"text {each}", each)) for each in range(5))
        )
        refs = {ref for taken in again for ref in taken}
        assert len(refs) == 5
        await scene.ears.until(lambda: {each.ref for each in scene.ears.outcomes} == refs)

    play(node, act)


def test_a_refused_bind_is_tried_again(node: Node) -> None:
    async def act(scene: Scene) -> None:
        await scene.smsc.mood(wrong=True)
        scene.smsc.order("cut")
        assert not (await scene.smsc.hears("bind"))["isRight"]
        await scene.until("down")
        await scene.smsc.mood(wrong=False)
        await scene.until("up")

    play(node, act)


def test_silence_is_asked_about(node: Node) -> None:
    async def act(scene: Scene) -> None:
        await scene.smsc.hears("enquire")
        assert scene.carrier.health.state == "up"

    play(node, act, enquire_seconds=0.2)
