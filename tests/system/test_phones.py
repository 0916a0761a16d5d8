"""The simulated phones as a process of their own: each number called over SIP and RTP."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.phones.telephone import (
    RATE,
    Telephone,
    TestCall,
    answered,
    loud,
    sdp,
    seconds_of,
    strength,
)
from tests.system.tree import plain_environment, until

from tertulia.app.whereabouts import HUB, PHONES, Whereabouts, note
from tertulia.media.g711 import Samples
from tertulia.phones.babble import babble
from tertulia.phones.control import call as call_in
from tertulia.protocols.sip import signals, verbs

pytestmark = pytest.mark.system

MINE = """
about = "One of mine"
[parts]
start = [{ answer = true }, { beep = 1400, for = 0.5 }, { hang_up = true }]
"""


class Phones:
    """The part, as the supervisor starts it. Without an engine: what is said is babble."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.log = folder / "phones.log"
        files = folder / "files"
        files.mkdir()
        (files / "15551234.toml").write_text(MINE)
        read, self._lifeline = os.pipe()
        environment = plain_environment() | {"TERTULIA_SIP__PHONES": str(files),
                                             "TERTULIA_SPEECH__SYNTHESIS": "none"}  # fmt: skip
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tertulia.app.phones_part", "phones", "--data",
                 str(self.data), "--lifeline", str(read)],
                env=environment, stderr=log, pass_fds=[read],
            )  # fmt: skip
        os.close(read)
        until("phones", lambda: (self.data / PHONES).exists() or self.process.poll() is not None)
        assert self.process.poll() is None, self.log.read_text()

    def where(self) -> Whereabouts:
        return msgspec.json.decode((self.data / PHONES).read_bytes(), type=Whereabouts)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._lifeline)


@pytest.fixture(scope="module")
def phones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phones]:
    made = Phones(tmp_path_factory.mktemp("phones"))
    yield made
    made.end()


def talk(phones: Phones, number: str) -> Samples:
    """What is heard of somebody who is called and answered."""
    return asyncio.run(_converse(phones.where().sip, number))


async def _converse(port: int, number: str) -> Samples:
    async with Telephone() as telephone, answered(telephone, number, port) as call:
        greeting = await call.hear(lambda heard: loud(heard) > 0.1 and not _speaking(heard))
        await call.send(babble("Hello, I would like to talk to you."))
        before = seconds_of(call.heard())
        return await call.hear(lambda heard: loud(heard, from_s=before) > 0.5 and len(greeting) > 0)


def _speaking(heard: Samples) -> bool:
    """In the last half second."""
    return loud(heard[-RATE // 2 :]) > 0


def test_it_says_where_it_is_and_who_is_there(phones: Phones) -> None:
    where = phones.where()
    assert where.pid == phones.process.pid
    numbers = [*map(str, range(15550100, 15550109)), "15551234"]
    assert [*where.numbers] == numbers
    assert all(where.numbers.values())


def test_a_person_greets_and_answers(phones: Phones) -> None:
    heard = talk(phones, "15550100")
    assert loud(heard) > 0.7


def test_a_voicemail_greets_beeps_and_records(phones: Phones) -> None:
    async def leave() -> None:
        async with Telephone() as telephone, answered(telephone, "15550101", port) as call:
            began = await call.hear(lambda heard: strength(heard[-1600:], 1000) > 5000, 40)
            assert loud(began) > 6
            await call.send(babble("This is my message."))

    port = phones.where().sip
    asyncio.run(leave())
    messages = phones.data / "phones" / "messages"
    until("a message", lambda: [*messages.glob("15550101-*.wav")] != [])
    [path] = messages.glob("*.wav")
    sound = np.frombuffer(path.read_bytes()[44:], "<i2")
    assert loud(sound) > 0.5


@pytest.mark.parametrize(
    ("number", "code"),
    [("15550102", 486), ("15550106", 603), ("15550107", 404), ("15557777", 404)],
)
def test_those_that_do_not_answer(phones: Phones, number: str, code: int) -> None:
    async def call() -> None:
        async with Telephone() as telephone:
            failed = await telephone.call(number, phones.where().sip).expect(signals.Failed)
            assert failed.code == code

    asyncio.run(call())


def test_nobody_answers(phones: Phones) -> None:
    async def call() -> None:
        async with Telephone() as telephone:
            call = telephone.call("15550103", phones.where().sip)
            assert (await call.expect(signals.Rang)).code == 180
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(2):
                    await call.expect(signals.Answered)
            call.hang_up()

    asyncio.run(call())


def test_a_menu_reacts_to_keys(phones: Phones) -> None:
    port = phones.where().sip

    async def choose(telephone: Telephone, digit: str) -> float:
        async with answered(telephone, "15550104", port) as call:
            await call.hear(lambda heard: loud(heard) > 0.3)
            return await _told_after(call, digit)

    async def leave(telephone: Telephone) -> None:
        async with answered(telephone, "15550104", port) as call:
            await call.press("9")
            await call.expect(signals.Ended)

    async def call() -> list[float]:
        async with Telephone() as telephone:
            told = asyncio.gather(*(choose(telephone, digit) for digit in "123"))
            await leave(telephone)
            return await told

    lengths = asyncio.run(call())
    assert all(seconds > 1 for seconds in lengths)
    assert len({*lengths}) == 3, "each says something else"


async def _told_after(call: TestCall, digit: str) -> float:
    """Loud seconds after a key, up to a pause."""
    await call.press(digit)
    before = seconds_of(call.heard())
    heard = await call.hear(
        lambda heard: loud(heard, from_s=before) > 1 and loud(heard[-1600:]) == 0
    )
    return loud(heard, from_s=before)


def test_an_echo_comes_back_at_once(phones: Phones) -> None:
    async def call() -> None:
        async with (
            Telephone() as telephone,
            answered(telephone, "15550105", phones.where().sip) as call,
        ):
            tone = np.asarray(np.sin(np.arange(RATE) * 2 * np.pi * 650 / RATE) * 9000, np.int16)
            sending = asyncio.create_task(call.send(tone))
            began = time.monotonic()
            await call.hear(lambda heard: loud(heard) > 0)
            assert time.monotonic() - began < 0.2
            await sending
            heard = await call.hear(lambda heard: loud(heard) > 0.95)
            assert strength(heard, 650) > 8000

    asyncio.run(call())


def test_a_bad_line_loses_and_delays(phones: Phones) -> None:
    async def call() -> None:
        async with (
            Telephone() as telephone,
            answered(telephone, "15550108", phones.where().sip) as call,
        ):
            await call.hear(lambda heard: seconds_of(heard) > 6)
            numbers = [packet.sequence for _, packet in call.packets]
            lost = 1 - len(numbers) / (numbers[-1] - numbers[0] + 1)
            assert 0.005 < lost < 0.12
            assert np.diff([when for when, _ in call.packets]).max() > 0.035

    asyncio.run(call())


def test_a_call_file_of_ones_own(phones: Phones) -> None:
    async def call() -> None:
        async with Telephone() as telephone:
            call = telephone.call("15551234", phones.where().sip, transport="tcp")
            await call.expect(signals.Answered)
            await call.expect(signals.Ended)
            assert strength(call.heard()[:3200], 1400) > 5000

    asyncio.run(call())


def test_a_phone_calls_the_application(phones: Phones) -> None:
    assert asyncio.run(_ring(phones)) == ["ringing", "answered"]


async def _ring(phones: Phones) -> list[str]:
    """A call of the echo to a hub that answers; what is told up to the answer."""
    told: list[str] = []

    async def listen() -> None:
        async for line in call_in(phones.data, "15550105", "15550199"):
            told.append(line)

    async with Telephone() as hub:
        note(phones.data / HUB, Whereabouts(hub.port, os.getpid()))
        listening = asyncio.create_task(listen())
        called, invited = await hub.calls.get()
        assert invited.message.from_.uri.user == "15550105"
        called.tell(verbs.Ring(called.name))
        called.tell(verbs.Answer(called.name, sdp(called.port)))
        await called.expect(signals.Acknowledged)
        await called.send(babble("Is this an echo?"))
        await called.hear(lambda heard: loud(heard) > 0.5)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await called.expect(signals.Ended)
    return told


def test_it_ends_when_it_is_told_to(tmp_path: Path) -> None:
    phones = Phones(tmp_path)
    try:
        phones.process.send_signal(signal.SIGTERM)
        assert phones.process.wait(5) == 0, phones.log.read_text()
    finally:
        phones.end()
