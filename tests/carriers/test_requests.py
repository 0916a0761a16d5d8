"""Requests to carriers on real sockets: time-outs, cut connections, hostile answers, health."""

import asyncio

import pytest
from msgspec.structs import replace
from tests.carriers.far_http import Answer, GatewayApi, HttpFar, against
from tests.contracts.message_carrier import sending

from tertulia.app.carrier_requests import CarrierRequests
from tertulia.carriers.gateway import GatewayCarrier
from tertulia.carriers.http import ANSWER_MAX, DOWN_SECONDS, HttpAnswer, HttpCall, Line
from tertulia.dispatch.target import TargetGuard
from tertulia.ports.messaging import Congested, OutOfReach

API = GatewayApi()


async def failure(far: HttpFar) -> OutOfReach:
    with pytest.raises(OutOfReach) as failed:
        await far.carrier.submit(sending("mms"))
    return failed.value


def test_one_that_does_not_answer_may_have_it() -> None:
    async def scenario() -> None:
        async with against(API, replace(API.account(), timeout=0.1)) as far:
            far.holds = True
            lost = await failure(far)
            assert (lost.in_doubt, far.carrier.health.state) == (True, "down")
            assert "no answer" in far.carrier.health.detail
            far.holds = False
            await far.carrier.submit(sending("mms"))
            assert far.carrier.health.state == "up"

    asyncio.run(scenario())


def test_connections_are_kept_and_a_request_is_made_once() -> None:
    async def scenario() -> None:
        async with against(API) as far:
            for number in range(5):
                await far.carrier.submit(sending("mms", number=number))
            connections = len(far._tasks)
            far.scripted.append(Answer(200, b"x", "Connection: close\r\n"))
            await failure(far)
            await far.carrier.submit(sending("mms"))
            assert (connections, len(far.requests)) == (1, 7)

    asyncio.run(scenario())


def test_a_kept_connection_that_is_cut_is_not_tried_again_behind_our_back() -> None:
    async def scenario() -> None:
        answers = 0

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal answers
            await reader.readuntil(b"\r\n\r\n")
            answers += 1
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await reader.readuntil(b"\r\n\r\n")  # read, and not answered
            answers += 1
            writer.close()

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        out = CarrierRequests(TargetGuard(("127.0.0.0/8",)))
        call = HttpCall("GET", f"http://127.0.0.1:{port}/", {}, b"", 5.0)
        assert (await out.request(call)).body == b"ok"
        with pytest.raises(OutOfReach) as lost:
            await out.request(call)
        assert (lost.value.in_doubt, answers) == (True, 2)
        out.close()
        server.close()

    asyncio.run(scenario())


def test_an_endless_answer_is_cut_off() -> None:
    async def scenario() -> None:
        async with against(API) as far:
            far.scripted.append(Answer(422, b"x" * (ANSWER_MAX * 4)))
            with pytest.raises(Exception, match="422"):
                await far.carrier.submit(sending("mms"))

    asyncio.run(scenario())


def test_headers_hold_their_line() -> None:
    async def scenario() -> None:
        async with against(API) as far:
            far.scripted.append(Answer(200, b"{}"))
            out = CarrierRequests(TargetGuard(("127.0.0.0/8",)))
            url = f"http://127.0.0.1:{far.port}/"
            headers = {"X-Odd": "a\r\nX-Evil: b", "X-Wide": "é€"}
            answer = await out.request(HttpCall("POST", url, headers, b"", 5.0))
            assert answer.headers["content-length"] == "2"
            assert far.requests[0].headers["x-odd"] == "aX-Evil: b"
            assert "x-evil" not in far.requests[0].headers
            out.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/", "http://169.254.169.254/", "http://[::1]:1/", "ftp://a/", "http://a b/",
     "http://user@127.0.0.1/"],
)  # fmt: skip
def test_nothing_inside_is_reached(url: str) -> None:
    async def scenario() -> None:
        out = CarrierRequests(TargetGuard())
        with pytest.raises(OutOfReach) as failed:
            await out.request(HttpCall("POST", url, {}, b"", 5.0))
        assert not failed.value.in_doubt
        out.close()

    asyncio.run(scenario())


def test_without_the_simulated_carriers_nobody_is_asked() -> None:
    async def scenario() -> None:
        class Never:
            async def request(self, call: HttpCall) -> HttpAnswer:
                raise AssertionError

        carrier = GatewayCarrier(API.account(), Never(), lambda: None)
        with pytest.raises(OutOfReach) as failed:
            await carrier.submit(sending("mms"))
        assert not failed.value.in_doubt
        assert carrier.health.state == "down"

    asyncio.run(scenario())


def test_one_that_was_down_is_tried_again_after_a_while() -> None:
    async def scenario() -> None:
        now = 0.0
        congested = HttpAnswer(429, {"retry-after": "x"}, b"")
        answers: list[OutOfReach | HttpAnswer] = [OutOfReach("gone"), congested]

        class Out:
            async def request(self, call: HttpCall) -> HttpAnswer:
                answer = answers.pop(0)
                if isinstance(answer, OutOfReach):
                    raise answer
                return answer

        line = Line(Out(), lambda: None, 1.0, lambda: now)
        states = [line.health.state]
        with pytest.raises(OutOfReach):
            await line.ask("GET", "http://carrier.example/", {}, b"")
        states.append(line.health.state)
        now += DOWN_SECONDS
        states.append(line.health.state)
        assert line.health.detail == "gone"
        with pytest.raises(Congested) as refused:
            await line.ask("GET", "http://carrier.example/", {}, b"")
        assert refused.value.seconds is None
        states.append(line.health.state)
        assert states == ["up", "down", "starting", "up"]

    asyncio.run(scenario())
