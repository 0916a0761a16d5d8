"""Phone calls that are cut short at every moment of their lives: whatever happens, each leg ends
once, everybody is told once, and nothing about the call is kept anywhere."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from tests.api.conftest import Play
from tests.api.test_phones import CALLEE, EVENT, answering, connect, incoming

from tertulia.model.actor import Actor
from tertulia.model.call_request import CallDraft, ChangeDraft, changed, requested
from tertulia.model.commands import Detect, Listen, Record, Socket
from tertulia.model.commands import Play as PlaySound
from tertulia.model.errors import TertuliaError, Unavailable
from tertulia.model.leg import OVER, Leg
from tertulia.model.telephone import Accepted, Declined, HungUp, Rang
from tertulia.store.memory import MemoryStore
from tertulia.testing.exchange import OFFER
from tertulia.testing.world import NUMBER, World

ASK, SOUND, MUSIC = "https://app.test/ask", "https://app.test/tone.mp3", "https://app.test/hold.mp3"
BOT = {"type": "websocket", "uri": "wss://bot.test/audio", "content-type": "audio/l16;rate=8000"}
BUSY = "15550186"
CACHES = {"_ids_by_name", "_moments", "_cards", "_kept", "_connected"}
"""Tables that are bounded by themselves."""
MOMENTS = (4, 14, 26, 45)
"""Turns of the loop after which something happens: from the first word to a call in full."""

SCRIPTS: dict[str, list[dict[str, Any]]] = {
    "talk": [{"action": "talk", "text": "hello"}],
    "connect": [connect()],
    "after a talk": [{"action": "talk", "text": "hello"}, connect()],
    "ringback": [connect(ringbackTone=SOUND)],
    "second try": [connect(BUSY), connect()],
    "asks": [connect(BUSY, eventType="synchronous", eventUrl=[ASK])],
    "machine": [
        connect(eventType="synchronous", eventUrl=[ASK],
                advancedMachineDetection={"mode": "detect_beep", "behavior": "continue"}),
    ],
    "no machine": [connect(machineDetection="hangup")],
    "briefed": [
        {"action": "connect", "from": NUMBER,
         "endpoint": [{"type": "phone", "number": CALLEE,
                       "onAnswer": {"url": ASK, "ringbackTone": SOUND}}]},
    ],
    "socket": [{"action": "connect", "from": NUMBER, "endpoint": [BOT]}],
    "app": [{"action": "connect", "endpoint": [{"type": "app", "user": "alice"}]}],
    "waits": [
        {"action": "conversation", "name": "room", "startOnEnter": False, "endOnExit": True,
         "musicOnHoldUrl": [MUSIC]},
    ],
    "asked": [
        {"action": "record", "endOnSilence": 3, "beepStart": True},
        {"action": "input", "type": ["dtmf", "speech"], "eventUrl": [ASK]},
    ],
    "noticed": [
        {"action": "notify", "payload": {}, "eventUrl": [ASK]}, {"action": "wait", "timeout": 1},
    ],
}  # fmt: skip


class Cast:
    """Everybody outside, doing the next thing in each turn of the loop: callees ring and answer,
    sounds end, detections come to something."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.caller = ""
        self._done: set[str] = set()
        self._turn = 0
        self.is_gone = False

    def act(self) -> None:
        self._turn += 1
        if not self.is_gone and self._turn % 3 == 0:
            any(part() for part in (self._call, self._sound, self._detect, self._listen))

    def _call(self) -> bool:
        exchange = self.world.exchange
        for dial in exchange.dials:
            if dial.to.number == BUSY:
                if self._first(f"{dial.leg} is busy"):
                    exchange.declines(dial.leg, 486)
                    return True
            elif self._first(f"{dial.leg} rings"):
                exchange.rings(dial.leg)
                return True
            elif self._first(f"{dial.leg} is heard"):
                exchange.rings(dial.leg, OFFER)
                return True
            elif self._first(f"{dial.leg} answers"):
                exchange.answers(dial.leg)
                return True
        return False

    def _sound(self) -> bool:
        for play in self.world.studio.told(PlaySound):
            if play.loop == 1 and self._first(play.play):
                self.world.studio.finish_play(play.play)
                return True
        return False

    def _detect(self) -> bool:
        for detect in self.world.studio.told(Detect):
            if self._first(detect.detect):
                self.world.studio.judged(detect.detect, "machine")
                return True
            if self._first(f"{detect.detect} beeps"):
                self.world.studio.beeped(detect.detect)
                return True
        return False

    def _listen(self) -> bool:
        for record in self.world.studio.told(Record):
            if record.leg is not None and self._first(record.record):
                self.world.studio.recorded(record.record)
                return True
        for listen in self.world.studio.told(Listen):
            if self._first(listen.listen):
                self.world.studio.listened(listen.listen)
                return True
        return False

    def _first(self, name: str) -> bool:
        is_new = name not in self._done
        self._done.add(name)
        return is_new

    async def turns(self, count: int) -> None:
        for _ in range(count):
            self.act()
            await self.world.hub.services.conductor.catch_up()
            await asyncio.sleep(0)


Disruption = Callable[[Cast], Awaitable[None]]


async def caller_hangs_up(cast: Cast) -> None:
    cast.world.exchange.hangs_up(cast.caller)


async def callee_hangs_up(cast: Cast) -> None:
    for dial in cast.world.exchange.dials:
        if dial.leg != cast.caller:
            cast.world.exchange.hangs_up(dial.leg)
    for socket in cast.world.studio.told(Socket):
        cast.world.studio.down(socket.leg, "closed")


async def application_ends_the_caller(cast: Cast) -> None:
    await _change(cast, cast.caller, "hangup")


async def application_ends_the_callee(cast: Cast) -> None:
    for live in cast.world.hub.services.legs:
        if live.leg.id != cast.caller:
            await _change(cast, live.leg.id, "hangup")


async def conversations_are_deleted(cast: Cast) -> None:
    found = await cast.world.store.follow(0)  # type: ignore[arg-type]
    for room in dict.fromkeys(each.conversation_id for each in found if each.conversation_id):
        await cast.world.call("DELETE", f"/v1/conversations/{room}")


async def worker_dies(cast: Cast) -> None:
    cast.world.studio.die()


async def caller_is_transferred(cast: Cast) -> None:
    await _transfer(cast, cast.caller)


async def callee_is_transferred(cast: Cast) -> None:
    for live in cast.world.hub.services.legs:
        if live.leg.id != cast.caller:
            await _transfer(cast, live.leg.id)


async def store_fails(cast: Cast) -> None:
    store = cast.world.store
    assert isinstance(store, Failing)
    store.failures = 3


async def signals_come_twice(cast: Cast) -> None:
    hear = cast.world.hub.services.phones.hear
    for dial in cast.world.exchange.dials:
        for signal in (Rang(dial.leg), Accepted(dial.leg, OFFER), Accepted(dial.leg, OFFER)):
            hear(signal)
        hear(Declined(dial.leg, 486))
        hear(HungUp(dial.leg))
        hear(Accepted(dial.leg, OFFER))
    hear(HungUp(cast.caller))
    hear(HungUp(cast.caller))


async def _change(cast: Cast, leg: str, action: str, **members: Any) -> None:
    draft = changed(ChangeDraft(action, **members))  # type: ignore[arg-type]
    control = cast.world.hub.services.call_control
    try:
        await control.change(leg, draft, Actor(cast.world.application.id))  # type: ignore[arg-type]
    except TertuliaError:
        return  # it is not there yet, or not any more


async def _transfer(cast: Cast, leg: str) -> None:
    script = [{"action": "talk", "text": "elsewhere"}]
    await _change(cast, leg, "transfer", destination={"type": "ncco", "ncco": script})


DISRUPTIONS: list[Disruption] = [
    caller_hangs_up, callee_hangs_up, application_ends_the_caller, application_ends_the_callee,
    conversations_are_deleted, worker_dies, caller_is_transferred, callee_is_transferred,
    store_fails, signals_come_twice,
]  # fmt: skip


class Failing(MemoryStore):
    """A store that cannot take so many of the next writes."""

    failures = 0

    def append(self, append: Any) -> Any:
        if self.failures > 0:
            self.failures -= 1
            future = asyncio.get_running_loop().create_future()
            future.set_exception(Unavailable("the disk is full"))
            return future
        return super().append(append)


def tables(world: World) -> Counter[str]:
    """How much is kept, by the table in which it is."""
    services, conductor = world.hub.services, world.hub.services.conductor
    hands = [hand for hands in conductor._reactions.values() for hand in hands]
    hands += [hand for hands in conductor._hearings.values() for hand in hands]
    owners = [getattr(hand, "__self__", None) for hand in hands]
    owners += [services.legs, services.errands, services.knocking, services.phones]
    owners += [services.phones._board.pickup, services.voice_calls, services.audio, services.media]
    owners = [each for each in owners if each is not services.timelines]
    owners += [world.studio, world.studio._holdings]
    found: Counter[str] = Counter()
    for owner in owners:
        for name, value in _members(owner):
            if isinstance(value, dict | set | deque) and name not in CACHES:
                found[f"{type(owner).__name__}.{name}"] = len(value)
    found["Exchange.open"] = len(world.exchange._open)
    return found


def _members(owner: object) -> list[tuple[str, Any]]:
    names = [*getattr(owner, "__dict__", {}), *getattr(type(owner), "__slots__", ())]
    return [(name, getattr(owner, name, None)) for name in names]


async def check_facts(world: World) -> None:
    """Each leg ended once; each status was told once; nobody is left in a conversation."""
    events = await world.store.follow(0)  # type: ignore[arg-type]
    legs: dict[str, Leg] = {}
    for event in events:
        if isinstance(event.became, Leg):
            last = legs.get(event.became.id)
            assert last is None or last.status not in OVER, f"{last} goes on"
            legs[event.became.id] = event.became
    for leg in legs.values():
        assert leg.is_over, leg
        told = [each for each in world.answers.told(EVENT) if each.get("uuid") == leg.id]
        statuses = [each["status"] for each in told if "status" in each]
        twice = [each for each, count in Counter(statuses).items() if count > 1]
        assert not set(twice) - {"machine"}, (leg.id, statuses)
        ends = [each for each in told if "disconnected_by" in each]
        assert len(ends) <= 1, (leg.id, statuses)
        if ends:
            assert "disconnected_by" in [each for each in told if "status" in each][-1], statuses
    hangups = Counter(
        (event.type, _leg_of(event.body)) for event in events if event.type == "sip:hangup"
    )
    assert not [each for each, count in hangups.items() if count > 1], hangups


def _leg_of(body: bytes) -> str:
    return str(msgspec.json.decode(body)["channel"]["id"])


async def begun(world: World, script: list[dict[str, Any]], *, outbound: bool) -> Cast:
    cast = Cast(world)
    world.answers.answers |= {ASK: [{"action": "talk", "text": "a word"}], EVENT: {}}
    await world.call("POST", "/v1/users", {"name": "alice"})
    await answering(world, script)
    if not outbound:
        cast.caller = incoming(world)
        return cast
    draft = msgspec.convert(
        {"to": [{"type": "phone", "number": "15550110"}], "event_url": [EVENT], "ncco": script,
         "from": {"type": "phone", "number": NUMBER}, "machine_detection": "continue"}, CallDraft,
    )  # fmt: skip
    line = await world.hub.services.voice_calls.create(
        requested(draft), Actor(world.application.id)
    )
    cast.caller = line.leg.id
    return cast


async def ended(cast: Cast) -> None:
    """Everybody who is still there goes."""
    world = cast.world
    await cast.turns(150)
    cast.is_gone = True
    for leg in list(world.exchange._open):
        world.exchange.hangs_up(leg)
    await callee_hangs_up(cast)
    await cast.turns(50)
    await world.settle()
    for live in world.hub.services.legs:
        await _change(cast, live.leg.id, "hangup")
    await world.settle()


@pytest.mark.parametrize("disrupt", DISRUPTIONS, ids=lambda each: each.__name__)
@pytest.mark.parametrize("name", SCRIPTS)
def test_nothing_is_left_of_a_call_that_is_cut_short(
    play: Play, name: str, disrupt: Disruption
) -> None:
    for number, moment in enumerate(MOMENTS):

        async def scenario(
            world: World, moment: int = moment, is_outbound: bool = number % 2 == 1
        ) -> None:
            before = tables(world)
            cast = await begun(world, SCRIPTS[name], outbound=is_outbound)
            await cast.turns(moment)
            await disrupt(cast)
            await ended(cast)
            left = {each: count for each, count in tables(world).items() if count > before[each]}
            assert not left, (moment, left)
            await check_facts(world)

        play(scenario, store=Failing())
