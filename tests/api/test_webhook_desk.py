"""The desk of the webhooks over REST: attempts, dead letters and replays in the journal."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.api.cast import NOT_GRANTED, blamed, refusal, stranger, user
from tests.api.conftest import SETTINGS

from tertulia.app.compose import Hub
from tertulia.app.desk import JournalDesk
from tertulia.dispatch.journal import Journal
from tertulia.dispatch.reading import JournalReader
from tertulia.dispatch.records import Attempt, Batch, DeadLetter, LaneName, Purpose
from tertulia.dispatch.sqlite_tables import SqliteTables
from tertulia.model.ids import ApplicationId, ConversationId, Position
from tertulia.model.instant import iso
from tertulia.testing.world import EPOCH, World

DESK = "/tertulia/v1/webhooks"
OWN = ApplicationId("application-1")
NOT_THERE = (404, "http:error:not-found")


def lane(number: int | None = 1, application_id: ApplicationId = OWN) -> LaneName:
    conversation_id = ConversationId(f"CON-{number}") if number else None
    return LaneName(application_id, conversation_id, "rtc")


def attempt(position: int, of: LaneName, *, delivered: bool = True) -> Attempt:
    return Attempt(
        of, Purpose.LOG, position if of.conversation_id else None, Position(position),
        "message" if of.conversation_id else "conversation:created", "https://h/hook", 2, EPOCH, 35,
        200 if delivered else None, None if delivered else "no answer", b"o\xffk", delivered,
    )  # fmt: skip


def letter(position: int, of: LaneName) -> DeadLetter:
    return DeadLetter(of, position, Position(position), "message", 7, EPOCH, EPOCH, "status 500")


class Desk:
    """A world whose desk looks into a journal on disk; `wakes` counts calls of the dispatcher."""

    def __init__(self, world: World, journal: Journal, reader: JournalReader) -> None:
        self.world = world
        self.journal = journal
        self.wakes = 0
        self.desk = JournalDesk(reader, world.clock, self._wake)
        outside = replace(world.outside, desk=self.desk)
        world.hub = Hub(outside, world.settings)

    def _wake(self) -> None:
        self.wakes += 1

    async def write(self, *records: Attempt | DeadLetter) -> None:
        batch = Batch()
        batch.attempts += [each for each in records if isinstance(each, Attempt)]
        batch.dead += [each for each in records if isinstance(each, DeadLetter)]
        await self.journal.write(batch)

    async def look(self, target: str, **how: Any) -> dict[str, Any]:
        answer = await self.world.call("GET", DESK + target, **how)
        assert answer.status == 200, answer.json
        shown: dict[str, Any] = answer.json
        return shown


Play = Callable[[Callable[[Desk], Awaitable[None]]], None]


@pytest.fixture
def play(keys: tuple[str, str], tmp_path: Path) -> Play:
    def run(scenario: Callable[[Desk], Awaitable[None]]) -> None:
        async def whole() -> None:
            journal = Journal(SqliteTables(tmp_path / "journal.db"))
            reader = JournalReader(SqliteTables(tmp_path / "journal.db"))
            desk = Desk(await World.open(keys=keys, settings=SETTINGS), journal, reader)
            try:
                await scenario(desk)
            finally:
                await desk.desk.close()
                await journal.close()

        asyncio.run(whole())

    return run


def test_attempts_are_listed_newest_first(play: Play) -> None:
    async def scenario(desk: Desk) -> None:
        assert await desk.look("/attempts") == {"attempts": [], "after": None}
        await desk.write(attempt(1, lane(None)), attempt(2, lane(), delivered=False))
        shown = await desk.look("/attempts")
        assert shown["after"] is None
        failed, told = shown["attempts"]
        assert failed == {
            "number": 2, "position": 2, "conversation_id": "CON-1", "event_id": 2,
            "type": "message", "target": "rtc", "purpose": "log", "url": "https://h/hook",
            "attempt": 2, "at": iso(EPOCH), "latency_ms": 35, "status": None,
            "reason": "no answer", "body_head": "o\ufffdk", "delivered": False,
        }  # fmt: skip
        assert (told["conversation_id"], told["event_id"], told["status"]) == (None, None, 200)

    play(scenario)


def test_attempts_are_found_by_condition_and_in_pages(play: Play) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.write(*(
            attempt(number, lane(1 + number % 2), delivered=number % 3 > 0)
            for number in range(1, 9)
        ))  # fmt: skip
        for query, expected in (
            ("?conversation_id=CON-1", [8, 6, 4, 2]), ("?delivered=false", [6, 3]),
            ("?position=5", [5]), ("?conversation_id=CON-2&delivered=false", [3]),
            ("?conversation_id=CON-9", []), ("?after=3", [2, 1]), ("?limit=1", [8]),
        ):  # fmt: skip
            shown = await desk.look(f"/attempts{query}")
            assert [each["position"] for each in shown["attempts"]] == expected, query
        seen: list[int] = []
        after: str | None = ""
        while after is not None:
            shown = await desk.look(f"/attempts?limit=3{after}")
            seen += [each["position"] for each in shown["attempts"]]
            await desk.write(attempt(100 + len(seen), lane()))
            after = f"&after={shown['after']}" if shown["after"] else None
        assert seen == [8, 7, 6, 5, 4, 3, 2, 1]

    play(scenario)


def test_dead_letters_are_listed_oldest_first(play: Play) -> None:
    async def scenario(desk: Desk) -> None:
        assert await desk.look("/dead-letters") == {"dead_letters": [], "after": None}
        await desk.write(*(letter(number, lane()) for number in (1, 2, 3)))
        shown = await desk.look("/dead-letters?limit=2")
        assert [each["position"] for each in shown["dead_letters"]] == [1, 2]
        assert shown["dead_letters"][0] == {
            "number": 1, "position": 1, "conversation_id": "CON-1", "event_id": 1,
            "type": "message", "target": "rtc", "tries": 7, "failing_since": iso(EPOCH),
            "at": iso(EPOCH), "reason": "status 500",
        }  # fmt: skip
        rest = await desk.look(f"/dead-letters?limit=2&after={shown['after']}")
        assert [each["position"] for each in rest["dead_letters"]] == [3]
        assert rest["after"] is None

    play(scenario)


@pytest.mark.parametrize("body, expected", [
    ({"position": 5}, (5, 5, None, None)), ({"position": 5, "target": "rtc"}, (5, 5, None, "rtc")),
    ({"first": 3}, (3, None, None, None)), ({"last": 9}, (None, 9, None, None)),
    ({"first": 3, "last": 9, "target": "callback"}, (3, 9, None, "callback")),
    ({"conversation_id": "CON-1"}, (None, None, "CON-1", None)),
    ({"conversation_id": "CON-1", "first": 3}, (3, None, "CON-1", None)),
])  # fmt: skip
def test_a_replay_is_asked_for_and_looked_after(
    play: Play, body: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    async def scenario(desk: Desk) -> None:
        made = await desk.world.call("POST", f"{DESK}/replay", body)
        assert made.status == 202
        assert made.json == {
            "id": 1, "state": "waiting", "requested_at": made.json["requested_at"],
            "delivered": 0, "failed": 0,
        }  # fmt: skip
        assert desk.wakes == 1
        assert await desk.look("/replay/1") == made.json
        (waiting,) = await desk.journal.waiting_replays({OWN})
        assert waiting.application_id == OWN
        asked = (waiting.first, waiting.last, waiting.conversation_id, waiting.target)
        assert asked == expected

    play(scenario)


@pytest.mark.parametrize("body, name", [
    ({}, "position"), ({"target": "rtc"}, "position"), ({"conversation_id": ""}, "position"),
    ({"position": 0}, "position"), ({"first": "1"}, "first"), ({"last": 2**53}, "last"),
    ({"position": 1, "target": "all"}, "target"), ({"conversation_id": 5}, "conversation_id"),
    ({"position": 1, "more": 1}, "more"), (b"{", "body"),
])  # fmt: skip
def test_a_replay_has_to_say_of_what(play: Play, body: Any, name: str) -> None:
    async def scenario(desk: Desk) -> None:
        assert blamed(await desk.world.call("POST", f"{DESK}/replay", body)) == name
        assert desk.wakes == 0 and await desk.journal.waiting_replays({OWN}) == []

    play(scenario)


def test_bad_queries_are_named(play: Play) -> None:
    async def scenario(desk: Desk) -> None:
        for target, name in (
            ("/attempts?limit=0", "limit"), ("/attempts?limit=101", "limit"),
            ("/attempts?position=x", "position"), ("/attempts?after=0", "after"),
            ("/attempts?delivered=perhaps", "delivered"), ("/dead-letters?limit=x", "limit"),
            ("/dead-letters?after=-1", "after"),
        ):  # fmt: skip
            assert blamed(await desk.world.call("GET", DESK + target)) == name

    play(scenario)


def test_an_application_sees_only_its_own(play: Play) -> None:
    async def scenario(desk: Desk) -> None:
        other = await stranger(desk.world)
        theirs = lane(1, ApplicationId(other.id))
        await desk.write(
            attempt(1, lane()), attempt(2, theirs), letter(1, lane()), letter(2, theirs)
        )
        for by, expected in ((None, [1]), (other.token, [2])):
            for name, items in (("attempts", "attempts"), ("dead-letters", "dead_letters")):
                shown = await desk.look(f"/{name}", token=by() if by else None)
                assert [each["position"] for each in shown[items]] == expected
        made = await desk.world.call("POST", f"{DESK}/replay", {"position": 1})
        number = made.json["id"]
        assert (await desk.look(f"/replay/{number}"))["state"] == "waiting"
        hidden = await desk.world.call("GET", f"{DESK}/replay/{number}", token=other.token())
        assert refusal(hidden) == NOT_THERE
        for name in ("0", "99", "x", "-1", "1" * 30):
            answer = await desk.world.call("GET", f"{DESK}/replay/{name}")
            assert refusal(answer) == NOT_THERE

    play(scenario)


def test_an_application_chooses_what_waits_for_a_failing_webhook(play: Play) -> None:
    async def scenario(desk: Desk) -> None:
        other = await stranger(desk.world)
        assert await desk.look("/policy") == {"policy": "hold", "tries": None}
        for chosen in ({"policy": "skip", "tries": 3}, {"policy": "hold", "tries": None}):
            answer = await desk.world.call("PUT", f"{DESK}/policy", chosen)
            assert (answer.status, answer.json) == (200, chosen)
            assert await desk.look("/policy") == chosen
            assert (await desk.look("/policy", token=other.token()))["policy"] == "hold"
        wrong: tuple[tuple[Any, str], ...] = (
            ({}, "policy"), ({"policy": "drop"}, "policy"), ({"policy": "skip"}, "tries"),
            ({"policy": "skip", "tries": 0}, "tries"), ({"policy": "hold", "tries": 1}, "tries"),
            ({"policy": "skip", "tries": 1001}, "tries"), ({"policy": "hold", "more": 1}, "more"),
        )  # fmt: skip
        for body, name in wrong:
            assert blamed(await desk.world.call("PUT", f"{DESK}/policy", body)) == name, body

    play(scenario)


def test_users_have_no_desk(play: Play) -> None:
    async def scenario(desk: Desk) -> None:
        await user(desk.world, "alice")
        for method, target, body in (
            ("GET", "/attempts", None), ("GET", "/dead-letters", None), ("GET", "/replay/1", None),
            ("POST", "/replay", {"position": 1}), ("GET", "/policy", None),
            ("PUT", "/policy", {"policy": "hold"}),
        ):  # fmt: skip
            answer = await desk.world.call(method, DESK + target, body, user="alice")
            assert refusal(answer) == (403, NOT_GRANTED)
            nobody = await desk.world.call(
                method, DESK + target, body, headers={"authorization": ""}
            )
            assert nobody.status == 401
        assert desk.wakes == 0

    play(scenario)
