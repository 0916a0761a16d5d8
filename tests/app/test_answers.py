"""Asking applications' own servers: what goes out, what comes back, and what may not be reached."""

import asyncio
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from tertulia.app.answers import HttpAnswers
from tertulia.app.chance import RandomIds, SystemClock
from tertulia.dispatch.target import TargetGuard
from tertulia.model.ids import ApplicationId
from tertulia.model.script import SCRIPT_MAX, ScriptRefused, parse
from tertulia.model.state import Webhook
from tertulia.protocols.signature import signing_key, verify
from tertulia.services.voicehooks import Question, Unanswered
from tertulia.settings import Account

ACCOUNT = Account(api_key="key", api_secret="secret", signature_secret="of the signature")
MEMBERS = {"to": "447700900000", "custom_data": '{"a":1}'}


class Server:
    """Answers every request alike, and keeps what came."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.requests.append((line, headers, body))
        writer.write(self._answer)
        await writer.drain()
        writer.close()


def ok(body: bytes, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


def asked(
    answer: bytes, webhook: Webhook | None = None, *, networks: tuple[str, ...] = ("127.0.0.0/8",)
) -> tuple[bytes, Server]:
    """The answer to a question, and who gave it."""

    async def whole() -> tuple[bytes, Server]:
        server = Server(answer)
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        answers = HttpAnswers(ACCOUNT, TargetGuard(networks), clock=SystemClock(), ids=RandomIds())
        given = webhook or Webhook("")
        there = Webhook(f"http://127.0.0.1:{port}/answer?x=1", given.http_method)
        try:
            question = Question(ApplicationId("application-1"), there, MEMBERS, "GET")
            return await answers.ask(question), server
        finally:
            answers.close()
            listening.close()
            await listening.wait_closed()

    return asyncio.run(whole())


def test_a_get_asks_in_its_query() -> None:
    said, server = asked(ok(b"[]"))
    assert said == b"[]"
    ((line, headers, body),) = server.requests
    method, target, _ = line.split()
    assert (method, body) == ("GET", b"")
    assert parse_qs(urlsplit(target).query) == {
        "x": ["1"], "to": ["447700900000"], "custom_data": ['{"a":1}']
    }  # fmt: skip
    token = headers["authorization"].removeprefix("Bearer ")
    claims = verify(signing_key(ACCOUNT.signature_secret), token, b"")
    assert claims is not None and claims.application_id == "application-1"


def test_a_post_asks_in_json() -> None:
    _, server = asked(ok(b"[]"), Webhook("", "post"))
    ((line, headers, body),) = server.requests
    assert line.startswith("POST /answer?x=1 ")
    assert msgspec.json.decode(body) == MEMBERS
    token = headers["authorization"].removeprefix("Bearer ")
    assert verify(signing_key(ACCOUNT.signature_secret), token, body) is not None


def test_a_long_answer_comes_whole() -> None:
    script = msgspec.json.encode([{"action": "talk", "text": "x" * 1500}] * 20)
    said, _ = asked(ok(script))
    assert said == script and len(parse(said)) == 20


def test_an_endless_answer_is_no_script() -> None:
    said, _ = asked(ok(b"[" + b" " * 1_000_000))
    assert len(said) > SCRIPT_MAX
    with pytest.raises(ScriptRefused):
        parse(said)


FAILURES: dict[str, Callable[[], tuple[bytes, Server]]] = {
    "the server answered 500": lambda: asked(ok(b"[]", "500 No")),
    "the server answered 302": lambda: asked(
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n"
    ),
    "the answer is not HTTP": lambda: asked(b"hello\r\n\r\n"),
    "the connection was closed": lambda: asked(b""),
    "127.0.0.1 leads to an address that is not permitted": lambda: asked(ok(b"[]"), networks=()),
}


@pytest.mark.parametrize("reason", FAILURES)
def test_what_is_no_answer(reason: str) -> None:
    with pytest.raises(Unanswered, match=reason):
        FAILURES[reason]()
