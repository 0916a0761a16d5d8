"""A caller of the REST API: a keep-alive connection, one request at a time."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec

from tertulia.devkit import DevDocument
from tertulia.protocols.jwt import load_private_key, mint

PATIENCE = 30
"""Seconds for an answer."""


class Dropped(ConnectionError):
    """The connection went before the answer: whether it was carried out is not known."""


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.raw)


def fresh_token(document: DevDocument, user_name: str | None = None, *, seconds: int = 3600) -> str:
    """Of the application, or of one of its users."""
    now = int(time.time())
    claims = {
        "application_id": document.application_id, "iat": now, "exp": now + seconds,
        "jti": str(uuid4()), **({"sub": user_name} if user_name else {}),
    }  # fmt: skip
    return mint(load_private_key(Path(document.private_key_file).read_text()), claims)


class Caller:
    """Closed by `async with`. The token is the same all the time: no POST may repeat another."""

    def __init__(self, document: DevDocument, token: str | None = None) -> None:
        self._address = urlsplit(document.api_url)
        self._token = token or fresh_token(document)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> "Caller":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def call(self, method: str, path: str, body: object = None) -> Answer:
        """Raises Dropped."""
        raw = b"" if body is None else msgspec.json.encode(body)
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self._address.netloc}\r\n"
            f"Authorization: Bearer {self._token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(raw)}\r\n\r\n"
        )
        try:
            async with self._turn, asyncio.timeout(PATIENCE):
                reader, writer = self._streams or await self._connect()
                writer.write(head.encode() + raw)
                return await _answer(reader)
        except TimeoutError:  # which is an OSError, and no dropped line
            raise AssertionError(f"no answer to {method} {path} within {PATIENCE} s") from None
        except (OSError, EOFError) as error:
            await self.close()
            raise Dropped(str(error)) from None

    async def get(self, path: str) -> Any:
        return await self._expect(200, "GET", path)

    async def post(self, path: str, body: object) -> Any:
        return await self._expect(201, "POST", path, body)

    async def close(self) -> None:
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            with suppress(OSError):
                await streams[1].wait_closed()

    async def _expect(self, status: int, method: str, path: str, body: object = None) -> Any:
        answer = await self.call(method, path, body)
        assert answer.status == status, (method, path, answer)
        return answer.json

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self._address.hostname, self._address.port
        self._streams = streams = await asyncio.open_connection(host, port)
        return streams


async def _answer(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in head[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in fields}
    raw = await reader.readexactly(int(headers.get("content-length", "0")))
    return Answer(int(head[0].split(" ")[1]), headers, raw)
