"""A bot of the usual kind on a websocket leg: both ways at once, and interrupted again and again.

Twelve seconds; with TERTULIA_FULL=1 in the environment five minutes. With the figures:
`pytest -s tests/system/test_socket_bot.py`.
"""

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.system.socket_parties import Party, sine
from tests.system.tree import plain_environment

from tertulia.media import link
from tertulia.model.commands import AnyReport, Close, Closed, Hello, Join, Socket, Tell, Up

pytestmark = pytest.mark.system

FULL = bool(os.environ.get("TERTULIA_FULL"))
SECONDS = 300 if FULL else 12
CALLER, BOT = 440.0, 1000.0
VOICE = 8000.0
SECOND, PAUSE = 50, 5
"""Frames: of each second the caller is silent for so many, by which its delay is known."""
SILENT = 60
"""Of what is silence, the loudest sample."""
LATE_MOST = 0.005
"""Share of the frames that a busy machine may bring too late."""
PATIENCE = 20.0


class Hub:
    """What a media worker is told, and what it reports."""

    def __init__(self) -> None:
        self.heard: list[AnyReport] = []
        self.worker: link.Connection[AnyReport] | None = None
        self._news = asyncio.Event()

    def enter(self) -> link.Connection[AnyReport]:
        self.worker = link.hub_end(self._hear, lambda reason: None)
        return self.worker

    def _hear(self, report: AnyReport) -> None:
        self.heard.append(report)
        self._news.set()

    def tell(self, *orders: Socket | Join | Tell | Close) -> None:
        assert self.worker is not None
        for order in orders:
            self.worker.send(order)

    async def until(self, kind: type, count: int = 1) -> list[AnyReport]:
        async with asyncio.timeout(PATIENCE):
            while len(found := [each for each in self.heard if isinstance(each, kind)]) < count:
                self._news.clear()
                await self._news.wait()
        return found


@asynccontextmanager
async def media_worker(folder: Path) -> AsyncIterator[Hub]:
    """A process of its own, as the supervisor starts it."""
    hub = Hub()
    server = await link.listen(folder / link.SOCKET, hub.enter)
    lifeline, held = os.pipe()
    environment = plain_environment() | {"TERTULIA_WEBHOOKS__ALLOW_NETWORKS": "127.0.0.0/8"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tertulia.app.media_part", "media", "--data", str(folder),
        "--rtc-port", "0", "--lifeline", str(lifeline), pass_fds=(lifeline,), env=environment,
    )  # fmt: skip
    try:
        await hub.until(Hello)
        yield hub
    finally:
        os.close(held)
        os.close(lifeline)
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def calling(hub: Hub, rate: int) -> AsyncIterator[tuple[Party, Party]]:
    """A caller and a bot in one room."""
    caller, bot = Party(rate), Party(rate)
    for name, party in (("caller", caller), ("bot", bot)):
        url = await party.listen()
        greeting = f'{{"event":"websocket:connected","content-type":"audio/l16;rate={rate}"}}'
        hub.tell(Socket(name, url, rate, greeting), Join(name, "room"))
    await hub.until(Up, 2)
    try:
        yield caller, bot
    finally:
        hub.tell(Close("caller"), Close("bot"))
        await hub.until(Closed, 2)
        await caller.close()
        await bot.close()


def voice(rate: int, seconds: float) -> NDArray[np.int16]:
    """A tone that pauses at the beginning of each second."""
    frames = sine(CALLER, rate, seconds, VOICE).reshape(-1, SECOND, rate // 50).copy()
    frames[:, :PAUSE] = 0
    return frames.reshape(-1)


def share(frames: NDArray[np.int16], hertz: float, rate: int) -> NDArray[np.float64]:
    """The level of a tone in each frame."""
    turns = np.exp(-2j * np.pi * hertz * np.arange(frames.shape[1]) / rate)
    level: NDArray[np.float64] = np.abs(frames @ turns) * 2 / frames.shape[1]
    return level


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000])
def test_a_bot_that_is_interrupted(rate: int, tmp_path: Path) -> None:
    async def run() -> None:
        async with media_worker(tmp_path) as hub, calling(hub, rate) as (caller, bot):
            assert (await bot.event("websocket:connected"))["content-type"].endswith(str(rate))
            await asyncio.sleep(0.2)
            start, ahead = len(bot.frames), await ahead_of(hub, caller, bot)
            talking = asyncio.create_task(caller.stream(voice(rate, SECONDS)))
            after = [await turn(caller, bot, ahead) for _ in range(SECONDS // 3)]
            sent = await talking
            await asyncio.sleep(0.3)
            say_and_check(rate, after)
            check_stream(bot, start, sent)

    asyncio.run(run())


async def ahead_of(hub: Hub, caller: Party, bot: Party) -> int:
    """How many frames more the caller has got than the bot, since they did not begin at once."""
    hub.tell(Tell("caller", '{"event":"now"}'), Tell("bot", '{"event":"now"}'))
    for party in (caller, bot):
        await party.event("now")
    return caller.place - bot.place


async def turn(caller: Party, bot: Party, ahead: int) -> int:
    """An answer of ten seconds, sent at once, and taken back within two. Returns for how many
    frames more the caller heard it, counted from the frame of the bot behind which it was told
    that the order was obeyed."""
    await bot.burst(sine(BOT, bot.rate, 10))
    await asyncio.sleep(random.uniform(1.0, 2.0))
    await bot.order(action="clear")
    await bot.event("websocket:cleared")
    before = bot.place + ahead
    await asyncio.sleep(0.4)
    assert share(caller.heard(before - 10)[:10], BOT, bot.rate).min() > VOICE / 2
    loud = np.flatnonzero(np.abs(caller.heard(before).astype(int)).max(axis=1) >= SILENT)
    await bot.burst(sine(BOT, bot.rate, 0.1))
    await bot.order(action="notify", payload={"turn": before})
    assert (await bot.event("websocket:notify"))["payload"] == {"turn": before}
    return int(loud[-1]) + 1 if len(loud) else 0


def say_and_check(rate: int, after: list[int]) -> None:
    print(
        f"\n{rate} Hz, {SECONDS} s: after {len(after)} clears the answer was heard for "
        f"{min(after)} to {max(after)} frames more, {np.mean(after):.2f} on average"
    )
    assert max(after) <= 2


def check_stream(bot: Party, start: int, sent: list[float]) -> None:
    """What the bot has heard of the caller: every frame, the last as late as the first."""
    assert {len(frame) for frame in bot.frames} == {bot.rate // 50 * 2}
    heard = share(bot.heard(start), CALLER, bot.rate) > VOICE / 3
    ends = np.flatnonzero(heard[:-1] & ~heard[1:]) + 1
    pauses = sent[SECOND::SECOND]
    gaps = len(ends) - len(pauses) - 1
    lost = len(sent) // SECOND * (SECOND - PAUSE) - int(heard.sum())
    delays = delayed([bot.came[start + end] for end in ends], pauses)
    early, late = 1000 * np.median(delays[:3]), 1000 * np.median(delays[-5:])
    came = np.array(bot.came[start:])
    speed = np.polyfit(came - came[0], np.arange(len(came)), 1)[0]
    print(
        f"{len(sent)} frames of the caller: {gaps} gaps, {lost} lost, {early:.0f} ms late at "
        f"first and {late:.0f} at last; {speed:.3f} frames a second"
    )
    assert gaps <= LATE_MOST * len(sent) + 1 and lost <= gaps + LATE_MOST * len(sent)
    assert abs(late - early) < 60 and abs(speed - SECOND) < 0.5


def delayed(ends: list[float], pauses: list[float]) -> list[float]:
    """Seconds from the sending of each pause to its coming."""
    return [min(later) for sent in pauses if (later := [end - sent for end in ends if sent < end])]
