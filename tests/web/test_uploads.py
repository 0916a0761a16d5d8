"""Large bodies over real sockets: where they are taken, how long they may take, and how many."""

from contextlib import AsyncExitStack

from tests.web.conftest import Run
from tests.web.site import Gate, Site, client, echo, site, until

from tertulia.protocols.http1 import Limits
from tertulia.web.connection import LARGE_AT_ONCE, Timeouts

SECOND = Timeouts().pace
LIMITS = Limits(body=1000, larger={"/media": 100 * SECOND})


def head(path: bytes, size: int) -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (path, size)


def received(here: Site) -> int:
    return sum(each._parser.received for each in here.server._front.connections)


def test_only_some_paths_take_a_large_body(run: Run) -> None:
    async def main() -> None:
        async with site(echo, LIMITS) as here, client(here.port) as peer:
            peer.send(head(b"/media", 5 * SECOND) + b"x" * 5 * SECOND)
            assert (await peer.answer()).body.endswith(b" %d" % (5 * SECOND))
            peer.send(head(b"/other", 1001))
            refusal = await peer.answer()
            assert (refusal.status, refusal.code) == (413, "http:error:payload-too-large")

    run(main())


def test_a_long_body_has_time_as_long_as_it_comes(run: Run) -> None:
    async def main() -> None:
        async with site(echo, LIMITS) as here, client(here.port) as peer:
            peer.send(head(b"/media", 40 * SECOND))
            for second in range(1, 40):
                peer.send(b"x" * SECOND)
                await until(lambda sent=second * SECOND: received(here) == sent)  # type: ignore[misc]
                here.pass_time(1)
            here.pass_time(14.5)
            peer.send(b"x" * SECOND)
            assert (await peer.answer()).status == 200

    run(main())


def test_a_body_that_stays_away_is_not_waited_for(run: Run) -> None:
    async def main() -> None:
        async with site(echo, LIMITS) as here, client(here.port) as peer:
            peer.send(head(b"/media", 40 * SECOND) + b"x" * SECOND)
            await until(lambda: received(here) == SECOND)
            here.pass_time(16)
            assert (await peer.answer()).status == 408

    run(main())


FULL = 2000
FEW = Limits(body=1000, larger={"/media": FULL})


def test_large_bodies_have_a_bound_together(run: Run) -> None:
    async def main() -> None:
        gate = Gate()
        async with site(gate, FEW) as here, AsyncExitStack() as stack:
            peers = [await stack.enter_async_context(client(here.port)) for _ in range(20)]
            for count, peer in enumerate(peers[:LARGE_AT_ONCE], 1):
                peer.send(head(b"/media", FULL) + bytes(FULL))
                await until(lambda wanted=count: gate.begun == wanted)  # type: ignore[misc]
            late, ordinary, later = peers[LARGE_AT_ONCE : LARGE_AT_ONCE + 3]
            late.send(head(b"/media", FULL) + bytes(1500))
            refusal = await late.answer()
            assert (refusal.status, refusal.headers["retry-after"]) == (503, "1")
            here.pass_time(2)
            ordinary.send(head(b"/media", 1000) + bytes(1000))
            await until(lambda: gate.begun == LARGE_AT_ONCE + 1)
            gate.open.set()
            for peer in (*peers[:LARGE_AT_ONCE], ordinary):
                assert (await peer.answer()).status == 200
            later.send(head(b"/media", FULL) + bytes(FULL))
            assert (await later.answer()).status == 200
            await until(lambda: here.server._front.large == 0)

    run(main())


def test_what_is_given_up_half_way_makes_room(run: Run) -> None:
    async def main() -> None:
        gate = Gate()
        async with site(gate, FEW) as here:
            for _ in range(2 * LARGE_AT_ONCE):
                async with client(here.port) as peer:
                    peer.send(head(b"/media", FULL) + bytes(FULL - 1))
                    await until(lambda: received(here) == FULL - 1)
                await here.has_connections(0)
            assert (gate.begun, here.server._front.large) == (0, 0)

    run(main())
