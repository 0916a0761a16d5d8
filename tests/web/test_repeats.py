"""The resend rule: one effect and one answer for the same POST, and where it ends."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tertulia.model.errors import ValidationFailed
from tertulia.model.ids import ApplicationId
from tertulia.model.instant import Instant
from tertulia.model.state import Application
from tertulia.protocols.http1 import Request, Response
from tertulia.web.access import Identity
from tertulia.web.repeats import WINDOW, Repeats


def key(name: str = "k") -> bytes:
    return name.encode()


class Work:
    """Counts how often it is done; each answer is another one."""

    def __init__(self, status: int = 201, size: int = 0) -> None:
        self.done = 0
        self._status = status
        self._size = size

    async def __call__(self) -> Response:
        self.done += 1
        return Response(self._status, b"%d" % self.done + b"x" * self._size)


def answers(*asked: tuple[str, float], work: Work, repeats: Repeats[Response]) -> list[bytes]:
    async def ask() -> list[bytes]:
        return [(await repeats.once(key(name), at, work)).body for name, at in asked]

    return asyncio.run(ask())


def test_the_same_request_has_one_effect_for_a_minute() -> None:
    work = Work()
    asked = (("a", 0.0), ("a", 1.0), ("b", 2.0), ("a", WINDOW - 0.1), ("a", WINDOW))
    assert answers(*asked, work=work, repeats=Repeats()) == [b"1", b"1", b"2", b"1", b"3"]


def test_a_repeat_does_not_lengthen_the_minute() -> None:
    asked = (("a", 0.0), ("a", 59.0), ("a", 61.0))
    assert answers(*asked, work=Work(), repeats=Repeats()) == [b"1", b"1", b"2"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_turn_out_better_is_not_remembered(status: int) -> None:
    asked = (("a", 0.0), ("a", 1.0))
    assert answers(*asked, work=Work(status), repeats=Repeats()) == [b"1", b"2"]


@pytest.mark.parametrize("status", [200, 201, 204, 400, 409])
def test_what_is_decided_is_remembered(status: int) -> None:
    asked = (("a", 0.0), ("a", 1.0))
    assert answers(*asked, work=Work(status), repeats=Repeats()) == [b"1", b"1"]


def test_the_oldest_answers_fall_out_first() -> None:
    asked = (("a", 0.0), ("b", 1.0), ("c", 2.0), ("b", 3.0), ("a", 4.0))
    found = answers(*asked, work=Work(), repeats=Repeats(answers_max=2))
    assert found == [b"1", b"2", b"3", b"2", b"4"]


def test_bodies_are_bounded() -> None:
    repeats = Repeats[Response](bodies_max=250)
    asked = (("a", 0.0), ("b", 1.0), ("a", 2.0), ("c", 3.0), ("b", 4.0), ("a", 5.0))
    found = answers(*asked, work=Work(size=99), repeats=repeats)
    assert [body.strip(b"x") for body in found] == [b"1", b"2", b"1", b"3", b"2", b"4"]


def test_a_body_too_large_for_all_is_answered_and_forgotten() -> None:
    asked = (("a", 0.0), ("a", 1.0))
    found = answers(*asked, work=Work(size=99), repeats=Repeats(bodies_max=50))
    assert [body.strip(b"x") for body in found] == [b"1", b"2"]


class Gate:
    """Work that waits until it is told how to end."""

    def __init__(self) -> None:
        self.started = 0
        self.entered = asyncio.Event()
        self.opens = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> Response:
        self.started += 1
        self.entered.set()
        await self.opens.wait()
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return Response(201, b"%d" % self.started)


def start(
    repeats: Repeats[Response], run: Callable[[], Awaitable[Response]]
) -> list["asyncio.Task[Response]"]:
    async def ask() -> Response:
        return await repeats.once(key(), 0.0, run)

    return [asyncio.create_task(ask()) for _ in range(3)]


def test_repeats_wait_for_the_first() -> None:
    async def play() -> None:
        gate = Gate()
        tasks = start(Repeats(), gate)
        await gate.entered.wait()
        gate.opens.set()
        assert [(await task).body for task in tasks] == [b"1"] * 3
        assert gate.started == 1

    asyncio.run(play())


def test_when_the_first_fails_the_next_takes_its_place() -> None:
    async def play() -> None:
        gate = Gate()
        gate.error = ValidationFailed()
        tasks = start(Repeats(), gate)
        await gate.entered.wait()
        gate.opens.set()
        first, *others = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(first, ValidationFailed)
        assert others == [Response(201, b"2")] * 2

    asyncio.run(play())


def test_a_waiter_that_goes_away_disturbs_nobody() -> None:
    async def play() -> None:
        gate = Gate()
        first, second, third = start(Repeats(), gate)
        await gate.entered.wait()
        await asyncio.sleep(0)
        second.cancel()
        gate.opens.set()
        assert (await first).body == (await third).body == b"1"
        with pytest.raises(asyncio.CancelledError):
            await second

    asyncio.run(play())


def request(method: str = "POST", target: str = "/v1/users?a=1", body: bytes = b"{}") -> Request:
    path, _, query = target.partition("?")
    return Request(method, target, path, query, {}, body=body)


def identity(application_id: str = "app", jti: str = "j") -> Identity:
    application = Application(
        id=ApplicationId(application_id), name="", public_key="", created_at=Instant(0)
    )
    return Identity(application, None, jti, None, Instant(0))


def test_what_makes_a_request_another_one() -> None:
    asked = [
        (identity(), request()),
        (identity(application_id="other"), request()),
        (identity(jti="i"), request()),
        (identity(), request(method="PUT")),
        (identity(), request(target="/v1/users?a=2")),
        (identity(), request(target="/v1/users")),
        (identity(), request(body=b"{ }")),
    ]
    keys = [Repeats.key(*each) for each in asked]
    assert len(set(keys)) == len(keys)
    assert Repeats.key(*asked[0]) == keys[0]
