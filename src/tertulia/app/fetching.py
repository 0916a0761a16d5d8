"""One GET of a file from anywhere on the internet into a file on disk, with bounds on everything.

The dispatcher's client keeps connections and reads the beginning of short answers; this one reads
long answers once. What both may reach is one and the same: dispatch/target.py.
"""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from io import BufferedWriter
from pathlib import Path
from threading import Lock
from urllib.parse import urljoin

import httptools
from msgspec import Struct

from tertulia.dispatch.answer import Failure
from tertulia.dispatch.target import Target, TargetGuard, parse_target
from tertulia.model.errors import TertuliaError

REDIRECTS = frozenset({301, 302, 303, 307, 308})
REDIRECTS_MAX = 5
HEAD_MAX = 64 * 1024
"""Octets before the body, those of interim answers too."""
READ = 64 * 1024
CONNECT_S = 5.0


class FetchFailed(TertuliaError):
    """The file cannot be had; the message says why."""


class Validators(Struct, frozen=True):
    """What a server calls the version of a file that it sent, as two of its header fields."""

    etag: str = ""
    modified: str = ""

    def __bool__(self) -> bool:
        return bool(self.etag or self.modified)


class Fetched(Struct, frozen=True):
    is_new: bool
    """Otherwise the version that we have is still the one; nothing was written."""
    size: int
    validators: Validators
    cache_control: str


class Fetcher:
    def __init__(
        self, guard: TargetGuard, *, limit: int, tls: ssl.SSLContext | None = None
    ) -> None:
        """`limit`: octets of a file."""
        self._guard = guard
        self._limit = limit
        self._tls = tls or ssl.create_default_context()
        self._writers = ThreadPoolExecutor(4, thread_name_prefix="download")

    def close(self) -> None:
        self._writers.shutdown(wait=False)

    async def get(self, url: str, path: Path, have: Validators) -> Fetched:
        """Follow redirects, each judged like the first address, and write the body to `path`.

        Bounded in size and not in time. Raises FetchFailed; then there may be a part of the file.
        """
        for _ in range(REDIRECTS_MAX + 1):
            target = parse_target(url)
            if isinstance(target, Failure):
                raise FetchFailed(target.reason)
            async with self._answer(target, have) as (answer, reader):
                if answer.status not in REDIRECTS:
                    return await self._read(answer, reader, path)
                url = _joined(url, answer.headers.get("location", ""))
        raise FetchFailed(f"there are more than {REDIRECTS_MAX} redirects")

    @asynccontextmanager
    async def _answer(
        self, target: Target, have: Validators
    ) -> AsyncIterator[tuple["_Answer", asyncio.StreamReader]]:
        """Ask, and read as far as the end of the header."""
        reader, writer = await self._connected(target)
        try:
            writer.write(_request(target, have))
            answer = _Answer()
            while not answer.has_header:
                await _more(answer, reader)
            yield answer, reader
        except OSError as error:
            raise FetchFailed(f"the connection broke: {_reason(error)}") from None
        finally:
            writer.transport.abort()

    async def _connected(self, target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        found = await self._guard.addresses(target)
        if isinstance(found, Failure):
            raise FetchFailed(found.reason)
        reason = ""
        for address in found:
            try:
                async with asyncio.timeout(CONNECT_S):
                    return await asyncio.open_connection(
                        address,
                        target.port,
                        ssl=self._tls if target.secure else None,
                        server_hostname=target.host if target.secure else None,
                    )
            except TimeoutError:
                reason = f"no connection within {CONNECT_S:.0f} seconds"
            except OSError as error:
                reason = _reason(error)
        raise FetchFailed(f"cannot connect: {reason}")

    async def _read(self, answer: "_Answer", reader: asyncio.StreamReader, path: Path) -> Fetched:
        if answer.status == 304:
            return Fetched(False, 0, answer.validators, answer.cache_control)
        if answer.status != 200:
            raise FetchFailed(f"the server answered {answer.status}")
        if answer.headers.get("content-encoding", "identity").lower() != "identity":
            raise FetchFailed("the file comes in an encoding that was not asked for")
        length = answer.headers.get("content-length", "")
        if length.isdigit() and int(length) > self._limit:
            raise FetchFailed(f"the file is larger than {self._limit} octets")
        size = await self._write(answer, reader, path)
        return Fetched(True, size, answer.validators, answer.cache_control)

    async def _write(self, answer: "_Answer", reader: asyncio.StreamReader, path: Path) -> int:
        size = 0
        file = _File(path)
        try:
            while True:
                body = answer.taken()
                size += len(body)
                if size > self._limit:
                    raise FetchFailed(f"the file is larger than {self._limit} octets")
                await self._do(file.write, body)
                if answer.is_complete:
                    return size
                await _more(answer, reader)
        finally:
            with suppress(RuntimeError):  # it is closed already
                self._writers.submit(file.close)

    async def _do(self, write: Callable[[bytes], None], body: bytes) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._writers, write, body)
        except OSError as error:
            raise FetchFailed(f"the file cannot be kept: {error.strerror}") from None


class _File:
    """Written by any thread; closing waits for a write that goes on when its task is cancelled."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._using = Lock()
        self._file: BufferedWriter | None = None
        self._is_closed = False

    def write(self, data: bytes) -> None:
        """The first one makes the file, be there data or not."""
        with self._using:
            if self._is_closed:
                return
            if self._file is None:
                self._file = self._path.open("wb")
            self._file.write(data)
            self._file.flush()

    def close(self) -> None:
        with self._using:
            self._is_closed = True
            if self._file is not None:
                with suppress(OSError):  # what could not be written has been reported
                    self._file.close()


class _Answer:
    """Reads an answer: its parser is strict and has no bounds, which are set here."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._head_octets = 0
        self.status = 0
        self.headers: dict[str, str] = {}
        self.has_header = False
        self.is_complete = False

    @property
    def validators(self) -> Validators:
        return Validators(self.headers.get("etag", ""), self.headers.get("last-modified", ""))

    @property
    def cache_control(self) -> str:
        return self.headers.get("cache-control", "").lower()

    def taken(self) -> bytes:
        """What came of the body since the last time."""
        body = b"".join(self._body)
        self._body.clear()
        return body

    def feed(self, data: bytes) -> None:
        """Raises FetchFailed."""
        if not self.has_header:
            self._head_octets += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise FetchFailed("the answer changes the protocol") from None
        except httptools.HttpParserError as error:
            if not self.is_complete:
                raise FetchFailed(f"the answer is not HTTP: {error}") from None
        if not self.has_header and self._head_octets > HEAD_MAX:
            raise FetchFailed(f"the header of the answer is larger than {HEAD_MAX} octets")

    def end(self) -> None:
        """The connection was closed, which can be the end of a body. Raises FetchFailed."""
        if not self.has_header:
            raise FetchFailed("the connection was closed without an answer")
        if not self.headers.keys().isdisjoint({"content-length", "transfer-encoding"}):
            raise FetchFailed("the connection was closed in the middle of the file")
        self.is_complete = True

    def on_message_begin(self) -> None:
        self.headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1").strip()

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self.has_header = self.status >= 200  # 100 and 103 come before the answer

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self.is_complete = self.has_header


async def _more(answer: _Answer, reader: asyncio.StreamReader) -> None:
    data = await reader.read(READ)
    if data:
        answer.feed(data)
    else:
        answer.end()


def _reason(error: OSError) -> str:
    """The loops word theirs differently; an error of TLS has a number that is none of errno's."""
    if error.errno and not isinstance(error, ssl.SSLError):
        return os.strerror(error.errno)
    return str(error)


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise FetchFailed("the redirect leads to no address") from None


def _request(target: Target, have: Validators) -> bytes:
    lines = [
        f"GET {target.path} HTTP/1.1",
        f"Host: {target.authority}",
        "User-Agent: tertulia",
        "Accept: audio/*, application/ogg, */*;q=0.1",
        "Accept-Encoding: identity",
        "Connection: close",
    ]
    if have.etag:
        lines.append(f"If-None-Match: {have.etag}")
    if have.modified:
        lines.append(f"If-Modified-Since: {have.modified}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
