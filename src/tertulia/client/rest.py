"""REST over one keep-alive connection, one request at a time."""

import asyncio
from typing import Any, NamedTuple, Self
from urllib.parse import quote, urlencode

import httptools
import msgspec

from tertulia.client.login import Address, Login, Logins, Streams, address, dial
from tertulia.client.websocket import Dropped

ANSWER_S = 30.0
ANSWER_MAX = 16 * 1024 * 1024
_READ = 64 * 1024


class Denied(Exception):
    """The server says no: `status` of HTTP, `code` of its error table, and a sentence."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail or f"status {status}")
        self.status = status
        self.code = code


class Part(NamedTuple):
    """A file of a multipart form."""

    name: str
    content_type: str
    content: bytes


class Rest:
    """Requests as somebody; closed by `async with`.

    Every call raises Denied; NoServer when it was surely not carried out; Dropped when that is
    not known.
    """

    def __init__(self, logins: Logins) -> None:
        self._logins = logins
        self._turn = asyncio.Lock()
        self._streams: Streams | None = None
        self._connected_to: Address | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def get(self, path: str, **query: object) -> Any:
        given = {name: value for name, value in query.items() if value is not None}
        return await self.call("GET", f"{path}?{urlencode(given)}" if given else path)

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """The answer's JSON; None when it has no body."""
        raw = b"" if body is None else msgspec.json.encode(body)
        return await self._call(method, path, raw, "application/json")

    async def download(self, path: str) -> bytes:
        """What is at an address of the server's."""
        return bytes((await self._asked("GET", path)).body)

    async def upload(self, path: str, file: Part) -> Any:
        """POST a form with the file in its field `file`."""
        boundary = "tertulia-7c1f0e5b9d"
        while boundary.encode() in file.content:
            boundary += "-x"
        name = quote(file.name, safe=" .-_()")
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            f"Content-Type: {file.content_type}\r\n\r\n"
        )
        raw = head.encode() + file.content + f"\r\n--{boundary}--\r\n".encode()
        return await self._call("POST", path, raw, f"multipart/form-data; boundary={boundary}")

    # --- the connection ---

    async def _call(self, method: str, path: str, body: bytes, content_type: str) -> Any:
        answer = await self._asked(method, path, body, content_type)
        try:
            return msgspec.json.decode(answer.body) if answer.body else None
        except msgspec.DecodeError:
            return None

    async def _asked(
        self, method: str, path: str, body: bytes = b"", content_type: str = ""
    ) -> "_Answer":
        async with self._turn:
            login = self._logins()
            streams = await self._connection(address(login.url))
            streams[1].write(_request(login, method, path, body, content_type))
            try:
                async with asyncio.timeout(ANSWER_S):
                    answer = await _answer(streams[0])
            except BaseException as error:
                self.close()  # what comes on it belongs to nobody any more
                if isinstance(error, OSError | EOFError | httptools.HttpParserError):
                    raise Dropped(str(error) or "no answer") from None
                raise
            if not answer.keep_alive:
                self.close()
        _check(answer)
        return answer

    async def _connection(self, where: Address) -> Streams:
        """The open one if it is still good: what it was sent on a closed one is lost."""
        if self._streams is not None:
            reader, writer = self._streams
            if where == self._connected_to and not reader.at_eof() and not writer.is_closing():
                return self._streams
            self.close()
        self._streams, self._connected_to = await dial(where), where
        return self._streams


class _Answer:
    """Called by the parser."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.keep_alive = True
        self.is_complete = False
        self.parser = httptools.HttpResponseParser(self)

    def on_body(self, data: bytes) -> None:
        self.body += data
        if len(self.body) > ANSWER_MAX:
            raise ValueError("the answer is too long")

    def on_message_complete(self) -> None:
        self.is_complete = True
        self.keep_alive = self.parser.should_keep_alive()


def _request(login: Login, method: str, path: str, body: bytes, content_type: str) -> bytes:
    where = address(login.url)
    fields = f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n" if body else ""
    return (
        f"{method} {where.path}{path} HTTP/1.1\r\nHost: {where.authority}\r\n"
        f"Authorization: Bearer {login.token}\r\nAccept: application/json\r\n{fields}\r\n"
    ).encode("latin-1") + body


async def _answer(reader: asyncio.StreamReader) -> _Answer:
    answer = _Answer()
    while not answer.is_complete:
        data = await reader.read(_READ)
        if not data:
            raise EOFError("the connection was closed before the answer")
        answer.parser.feed_data(data)
    return answer


def _check(answer: _Answer) -> None:
    """Raises Denied."""
    status = answer.parser.get_status_code()
    if status < 400:
        return
    try:
        found = msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        found = None
    told = found if isinstance(found, dict) else {}
    wrong = "; ".join(f"{each['name']} {each['reason']}" for each in _wrong(told))
    detail = str(told.get("detail", ""))
    raise Denied(status, str(told.get("code", "")), f"{detail} ({wrong})" if wrong else detail)


def _wrong(told: dict[str, Any]) -> list[dict[str, Any]]:
    """The parameters that the server names."""
    found = told.get("invalid_parameters")
    items = found if isinstance(found, list) else []
    return [each for each in items if isinstance(each, dict) and {"name", "reason"} <= each.keys()]
