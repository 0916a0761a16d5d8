"""The simulated phones called over SIP and RTP, on loopback and in little time."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from tests.phones.telephone import (
    HOST,
    RATE,
    Telephone,
    answered,
    loud,
    sdp,
    seconds_of,
    strength,
)
from tests.phones.test_sounds import Engine

from tertulia.app.chance import SystemClock
from tertulia.media.g711 import Samples
from tertulia.phones import exchange as exchanges
from tertulia.phones.control import SOCKET, Control, call
from tertulia.phones.exchange import CallRefused, Exchange
from tertulia.phones.handsetbook import Handsetbook
from tertulia.phones.messages import Messages
from tertulia.phones.phonebook import Phonebook
from tertulia.phones.sounds import Sounds
from tertulia.phones.texting import Texting
from tertulia.protocols.sip import signals, verbs

OWN = "15550199"


class Stage:
    """Simulated phones with these scripts, and a telephone that is the hub as well."""

    def __init__(self, exchange: Exchange, telephone: Telephone, folder: Path) -> None:
        self.exchange, self.telephone, self.folder = exchange, telephone, folder

    @property
    def port(self) -> int:
        return self.exchange.port


@asynccontextmanager
async def stage(folder: Path, scripts: dict[str, str]) -> AsyncIterator[Stage]:
    for number, steps in scripts.items():
        text = steps if "about" in steps else f'about = "x"\n[parts]\nstart = [{steps}]'
        (folder / f"{number}.toml").write_text(text)
    async with Telephone() as telephone:
        sounds = Sounds(folder, Engine(), folder)
        exchange = Exchange(
            Phonebook(folder), sounds, Messages(folder / "messages"),
            port=0, own=OWN, hub=lambda: (HOST, telephone.port),
        )  # fmt: skip
        await exchange.open()
        try:
            yield Stage(exchange, telephone, folder)
        finally:
            await exchange.close()
            await sounds.close()


async def emptied(exchange: Exchange) -> None:
    """No call is left."""
    for _ in range(500):
        if not len(exchange):
            return
        await asyncio.sleep(0.01)
    pytest.fail("there are calls left")


def perform(folder: Path, play: Callable[[Stage], Awaitable[None]], **scripts: str) -> None:
    """Scripts are named by their number behind an underscore."""

    async def run() -> None:
        given = {number.removeprefix("_"): steps for number, steps in scripts.items()}
        async with stage(folder, given) as made:
            await play(made)
            await emptied(made.exchange)

    asyncio.run(run())
    gc.collect()


def tone(hertz: float, seconds: float) -> Samples:
    at = np.arange(int(seconds * RATE)) / RATE
    return np.asarray(np.sin(2 * np.pi * hertz * at) * 8000, np.int16)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_phone_rings_answers_and_is_heard(tmp_path: Path, transport: str) -> None:
    async def play(stage: Stage) -> None:
        call = stage.telephone.call("15551", stage.port, transport=transport)
        await call.expect(signals.Rang)
        await call.expect(signals.Answered)
        await call.expect(signals.Ended)
        heard = call.heard()
        assert strength(heard[800:2400], 1000) > 5000
        assert strength(heard[:160], 1000) > 1000, "the voice begins with the answer"
        assert seconds_of(heard) == pytest.approx(0.3, abs=0.06)
        numbers = [packet.sequence for _, packet in call.packets]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))

    perform(tmp_path, play, _15551="{ ring = 0.1 }, { answer = true }, { beep = 1000, for = 0.3 }")


@pytest.mark.parametrize(
    ("steps", "code"),
    [('{ decline = 486, text = "Busy Here" }', 486), ("{ ring = 0.1 }, { decline = 603 }", 603)],
)
def test_a_phone_declines(tmp_path: Path, steps: str, code: int) -> None:
    async def play(stage: Stage) -> None:
        failed = await stage.telephone.call("15551", stage.port).expect(signals.Failed)
        assert failed.code == code

    perform(tmp_path, play, _15551=steps)


@pytest.mark.parametrize(
    ("number", "body", "code"),
    [
        ("15558", None, 404), ("robin", None, 404), ("15552", None, 500),
        ("15551", sdp(4000).replace(b"RTP/AVP", b"RTP/SAVP"), 488),
        ("15551", b"nonsense", 488),
    ],
)  # fmt: skip
def test_calls_that_lead_nowhere(
    tmp_path: Path, number: str, body: bytes | None, code: int
) -> None:
    async def play(stage: Stage) -> None:
        failed = await stage.telephone.call(number, stage.port, body=body).expect(signals.Failed)
        assert failed.code == code

    perform(tmp_path, play, _15551="{ answer = true }", _15552="{ sya = 1 }")


def test_who_gives_up_is_forgotten(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        call = stage.telephone.call("15551", stage.port)
        await call.expect(signals.Rang)
        call.hang_up()

    perform(tmp_path, play, _15551="{ ring = 600 }")


def test_early_media_is_heard_before_the_answer(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        call = stage.telephone.call("15551", stage.port)
        rang = await call.expect(signals.Rang)
        assert rang.code == 183
        await call.hear(lambda heard: strength(heard[-800:], 500) > 5000)
        await call.expect(signals.Answered)
        await call.expect(signals.Ended)

    perform(tmp_path, play, _15551="{ early = true }, { beep = 500, for = 0.3 }, { answer = true }")


def test_keys_both_ways(tmp_path: Path) -> None:
    script = (
        'about = "x"\n[parts]\n'
        'start = [{ answer = true }, { wait = 9, on = { 5 = "five" } }]\n'
        'five = [{ press = "42#" }, { press = "7", by = "tones" }, { press = "8", by = "info" },'
        " { pause = 0.3 }]"
    )

    async def play(stage: Stage) -> None:
        async with answered(stage.telephone, "15551", stage.port) as call:
            await call.press("15")
            keyed = await call.expect(signals.Keyed)
            assert keyed.digit == "8"
            assert call.keys == ["4", "2", "#"]
            heard = call.heard()
            assert (
                max(strength(heard[at : at + 400], 852) for at in range(0, len(heard), 200)) > 4000
            )

    perform(tmp_path, play, _15551=script)


def test_an_echo_comes_back(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        async with answered(stage.telephone, "15551", stage.port) as call:
            await call.send(tone(700, 0.5))
            heard = await call.hear(lambda heard: loud(heard) > 0.45)
            assert strength(heard, 700) > 6000

    perform(tmp_path, play, _15551="{ answer = true }, { echo = 60 }")


def test_somebody_speaks_and_stops(tmp_path: Path) -> None:
    steps = (
        '{ answer = true }, { wait = 9, until = "speech" }, '
        '{ wait = 9, until = "silence", quiet = 0.4 }, { beep = 900 }'
    )

    async def play(stage: Stage) -> None:
        async with answered(stage.telephone, "15551", stage.port) as call:
            await call.send(tone(300, 0.5))
            assert loud(call.heard()) == 0
            await call.expect(signals.Ended)
            assert strength(call.heard()[-2400:-800], 900) > 5000

    perform(tmp_path, play, _15551=steps)


def test_what_is_said_is_recorded(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        async with answered(stage.telephone, "15551", stage.port) as call:
            await call.send(tone(600, 0.4))

    perform(tmp_path, play, _15551="{ answer = true }, { record = 5 }")
    [path] = (tmp_path / "messages").glob("*.wav")
    sound = np.frombuffer(path.read_bytes()[44:], "<i2")
    assert seconds_of(sound) == pytest.approx(0.4, abs=0.05)
    assert strength(sound, 600) > 6000


def test_a_bad_line_loses_packets_both_ways(tmp_path: Path) -> None:
    script = (
        'about = "x"\n[line]\nloss = 20\njitter = 40\nseed = 5\n'
        "[parts]\nstart = [{ answer = true }, { tone = [1000], for = 60 }]"
    )

    async def play(stage: Stage) -> None:
        async with answered(stage.telephone, "15551", stage.port) as call:
            await call.hear(lambda heard: seconds_of(heard) > 2)
            numbers = [packet.sequence for _, packet in call.packets]
            lost = 1 - len(numbers) / (numbers[-1] - numbers[0] + 1)
            assert 0.08 < lost < 0.35
            assert numbers == sorted(numbers)
            gaps = np.diff([when for when, _ in call.packets])
            assert gaps.max() > 0.03 and gaps.min() < 0.015

    perform(tmp_path, play, _15551=script)


def test_a_phone_holds_and_goes_on(tmp_path: Path) -> None:
    steps = "{ answer = true }, { pause = 0.1 }, { hold = 0.2 }, { pause = 0.2 }"

    async def play(stage: Stage) -> None:
        call = stage.telephone.call("15551", stage.port)
        await call.expect(signals.Answered)
        for direction, ours in (("sendonly", "recvonly"), ("sendrecv", "sendrecv")):
            offer = await call.expect(signals.Reoffered)
            assert f"a={direction}\r\n".encode() in offer.body
            call.tell(verbs.Answer(call.name, sdp(call.port, ours)))
        await call.expect(signals.Ended)

    perform(tmp_path, play, _15551=steps)


def test_a_phone_on_hold_is_silent(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        async with answered(stage.telephone, "15551", stage.port) as call:
            await call.hear(lambda heard: loud(heard) > 0.1)
            call.tell(verbs.Offer(call.name, sdp(call.port, "sendonly")))
            agreed = await call.expect(signals.Agreed)
            assert b"a=recvonly" in agreed.body
            before = len(call.packets)
            await asyncio.sleep(0.1)
            assert len(call.packets) - before <= 1
            call.tell(verbs.Offer(call.name, b"nonsense"))
            assert (await call.expect(signals.Disagreed)).code == 488

    perform(tmp_path, play, _15551="{ answer = true }, { tone = [1000], for = 60 }")


def test_a_phone_asks_to_be_transferred(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        async with answered(stage.telephone, "15551", stage.port) as call:
            referred = await call.expect(signals.Referred)
            assert referred.to == f"sip:15550101@{HOST}:{stage.port}"
            call.tell(verbs.ReferResult(call.name, 200))
            await call.expect(signals.Ended)

    perform(tmp_path, play, _15551='{ answer = true }, { transfer = "15550101" }')


def test_a_caller_without_an_offer(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        call = stage.telephone.call("15551", stage.port, body=b"")
        offered = await call.expect(signals.Answered)
        assert offered.offer
        call.tell(verbs.Accept(call.name, sdp(call.port)))
        await call.hear(lambda heard: strength(heard[-800:], 1000) > 5000)
        call.hang_up()

    perform(tmp_path, play, _15551="{ answer = true }, { tone = [1000], for = 60 }")


def test_a_redirection_names_the_other_number(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        call = stage.telephone.call("15551", stage.port)
        await call.expect(signals.Answered)
        await call.expect(signals.Ended)

    perform(tmp_path, play, _15551='{ redirect = "15552" }', _15552="{ answer = true }")


# --- calls to the application ---


def test_its_own_number_leads_back_to_the_hub(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        caller = stage.telephone.call(OWN, stage.port)
        called, invited = await stage.telephone.calls.get()
        assert invited.message.uri.user == OWN
        assert invited.message.from_.uri.user == "15559000"
        called.tell(verbs.Ring(called.name))
        await caller.expect(signals.Rang)
        called.tell(verbs.Answer(called.name, sdp(called.port)))
        await caller.expect(signals.Answered)
        await asyncio.gather(caller.send(tone(500, 0.2)), called.send(tone(700, 0.2)))
        assert strength(called.heard(), 500) > 6000
        assert strength(caller.heard(), 700) > 6000
        caller.tell(verbs.Offer(caller.name, sdp(caller.port, "sendonly")))
        held = await called.expect(signals.Reoffered)
        assert b"a=sendonly" in held.body
        called.tell(verbs.Answer(called.name, sdp(called.port, "recvonly")))
        await caller.expect(signals.Agreed)
        called.hang_up()
        await caller.expect(signals.Ended)

    perform(tmp_path, play)


def test_the_application_refuses_its_own_call(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        caller = stage.telephone.call(OWN, stage.port)
        called, _ = await stage.telephone.calls.get()
        called.tell(verbs.Refuse(called.name, 486))
        assert (await caller.expect(signals.Failed)).code == 486

    perform(tmp_path, play)


def test_a_caller_of_its_own_number_gives_up(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        caller = stage.telephone.call(OWN, stage.port)
        called, _ = await stage.telephone.calls.get()
        caller.hang_up()
        await called.expect(signals.Ended)

    perform(tmp_path, play)


def test_a_phone_calls_in_by_the_control(tmp_path: Path) -> None:
    script = (
        'about = "x"\n[parts]\nstart = [{ decline = 486 }]\n'
        "calls = [{ beep = 1000, for = 0.3 }, { hang_up = true }]"
    )

    async def play(stage: Stage) -> None:
        control = Control(stage.exchange, Texting(Handsetbook(), now=SystemClock().now))
        await control.open(tmp_path / SOCKET)
        told: list[str] = []

        async def ring() -> None:
            told.extend([line async for line in call(tmp_path, "15551", OWN)])

        ringing = asyncio.create_task(ring())
        called, invited = await stage.telephone.calls.get()
        assert invited.message.from_.uri.user == "15551"
        called.tell(verbs.Ring(called.name))
        called.tell(verbs.Answer(called.name, sdp(called.port)))
        await called.hear(lambda heard: strength(heard[-800:], 1000) > 5000)
        await called.expect(signals.Ended)
        await ringing
        assert told == ["ringing", "answered", "ended 200"]
        assert [line async for line in call(tmp_path, "15559", OWN)] == [
            "refused nobody has the number 15559"
        ]
        await control.close()

    perform(tmp_path, play, _15551=script)


def test_who_leaves_the_control_hangs_up(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        control = Control(stage.exchange, Texting(Handsetbook(), now=SystemClock().now))
        await control.open(tmp_path / SOCKET)
        lines = call(tmp_path, "15551", OWN)
        first = asyncio.ensure_future(anext(lines))
        called, _ = await stage.telephone.calls.get()
        called.tell(verbs.Answer(called.name, sdp(called.port)))
        assert await first == "answered"
        await lines.aclose()
        await called.expect(signals.Ended)
        await control.close()

    perform(tmp_path, play, _15551="{ echo = 60 }")


@pytest.mark.parametrize("line", [b"\n", b"dial 1 2\n", b"call 1\n", b"x" * 9000, b"\xff\n"])
def test_nonsense_at_the_control_is_refused(tmp_path: Path, line: bytes) -> None:
    async def play(stage: Stage) -> None:
        control = Control(stage.exchange, Texting(Handsetbook(), now=SystemClock().now))
        await control.open(tmp_path / SOCKET)
        reader, writer = await asyncio.open_unix_connection(tmp_path / SOCKET)
        writer.write(line)
        assert await reader.read() == b"refused this is no command\n"
        writer.close()
        await control.close()

    perform(tmp_path, play)


def test_there_are_only_so_many_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "CALLS_MAX", 1)

    async def play(stage: Stage) -> None:
        first = stage.telephone.call("15551", stage.port)
        await first.expect(signals.Rang)
        failed = await stage.telephone.call("15551", stage.port).expect(signals.Failed)
        assert failed.code == 503
        with pytest.raises(CallRefused, match="1 calls already"):
            stage.exchange.call("15551", OWN, lambda text: None)
        first.hang_up()

    perform(tmp_path, play, _15551="{ ring = 60 }")


def test_the_end_hangs_up(tmp_path: Path) -> None:
    async def run() -> None:
        async with Telephone() as telephone:
            async with stage(tmp_path, {"15551": "{ answer = true }, { echo = 60 }"}) as made:
                call = telephone.call("15551", made.port)
                await call.expect(signals.Answered)
            await call.expect(signals.Ended)

    asyncio.run(run())
