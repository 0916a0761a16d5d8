"""A webhook receiver that may fail in every way of the network, and keeps the books."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import Enum, auto

import httptools
from tests.system.books import Books


class Mood(Enum):
    """What the receiver does with a request."""

    ACCEPT = auto()
    REFUSE = auto()
    """Answer a status that is no success."""
    DROP = auto()
    """Close without an answer."""
    TEAR = auto()
    """Close in the middle of an answer."""
    FORGET = auto()
    """Take the event and close without saying so: it comes again."""
    DAWDLE = auto()
    """Take the event and say so when nobody waits any more: it comes again."""
    IGNORE = auto()
    """Do nothing at all."""


TAKEN = (Mood.ACCEPT, Mood.FORGET, Mood.DAWDLE)
SLOWLY = (Mood.DAWDLE, Mood.IGNORE)
AT_ONCE = (Mood.REFUSE, Mood.DROP, Mood.TEAR, Mood.FORGET)
REFUSALS = (500, 502, 503, 429, 404, 410, 302)
DAWDLE_S = 3.0

MoodOf = Callable[[], Mood]


def willing() -> Mood:
    return Mood.ACCEPT


def moody(chance: random.Random, share: float, *, slow: float) -> MoodOf:
    """Fail `share` of the requests: `slow` of all slowly, the others at once."""

    def mood() -> Mood:
        drawn = chance.random()
        if drawn < slow:
            return chance.choice(SLOWLY)
        return chance.choice(AT_ONCE) if drawn < share else Mood.ACCEPT

    return mood


class Receiver:
    def __init__(self, mood: MoodOf = willing) -> None:
        self.books = Books()
        self.mood = mood
        self.moods = dict.fromkeys(Mood, 0)
        """How often each has been."""
        self._lines: set[_Line] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Yields the URL to give to the server."""
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(lambda: _Line(self), "127.0.0.1", 0, backlog=1024)
        try:
            yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/events"
        finally:
            listener.close()
            for line in tuple(self._lines):
                line.abort()

    def opened(self, line: "_Line") -> None:
        self._lines.add(line)

    def lost(self, line: "_Line") -> None:
        self._lines.discard(line)

    def take(self, headers: dict[str, str], body: bytes) -> Mood:
        mood = self.mood()
        self.moods[mood] += 1
        self.books.enter(headers, body, taken=mood in TAKEN)
        return mood


class _Line(asyncio.Protocol):
    """A connection of the dispatcher: requests one after the other."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._parser = httptools.HttpRequestParser(self)
        self._headers: dict[str, str] = {}
        self._body = b""
        self._transport: asyncio.Transport
        self._late: asyncio.TimerHandle | None = None

    def abort(self) -> None:
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._receiver.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._late is not None:
            self._late.cancel()
        self._receiver.lost(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        headers, body = self._headers, self._body
        self._headers, self._body = {}, b""
        match self._receiver.take(headers, body):
            case Mood.ACCEPT:
                self._answer(200)
            case Mood.REFUSE:
                self._answer(REFUSALS[self._receiver.moods[Mood.REFUSE] % len(REFUSALS)])
            case Mood.TEAR:
                self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{")
                self._transport.close()
            case Mood.DROP | Mood.FORGET:
                self._transport.close()
            case Mood.DAWDLE:
                loop = asyncio.get_running_loop()
                self._late = loop.call_later(DAWDLE_S, self._answer, 200)
            case Mood.IGNORE:
                pass

    def _answer(self, status: int) -> None:
        self._transport.write(b"HTTP/1.1 %d Told\r\nContent-Length: 2\r\n\r\n{}" % status)
