"""What can be asked of the handsets over HTTP, by the inspector and by tests, at `/handsets`."""

from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from tertulia.model.sending import CHANNELS, Content
from tertulia.phones.texting import NotWritten, Texting, file
from tertulia.protocols.http1 import Request, Response

PATH = "/handsets"
TEXT_MAX = 10_000
LISTED_MAX = 200
ANSWER_MAX = 48 * 1024
"""Octets of the messages in one answer, the newest that fit: the hub reads 64 KiB."""


class _Writing(Struct, frozen=True):
    to: str
    text: str = ""
    image: str = ""
    """Address of a picture; the text is its caption then."""


class HandsetApi:
    def __init__(self, texting: Texting) -> None:
        self._texting = texting

    def answer(self, request: Request) -> Response:
        """To a request at the path or below."""
        parts = [unquote(part) for part in request.path.strip("/").split("/")][1:]
        match request.method, *parts:
            case ("GET",):
                return _json(200, listing(self._texting))
            case "GET", channel, address if channel in CHANNELS:
                return _json(200, screen(self._texting, channel, address))
            case "POST", channel, address, "messages" if channel in CHANNELS:
                return self._write(request, channel, address)
        return _json(404, {"detail": "there is no such handset"})

    def _write(self, request: Request, channel: str, address: str) -> Response:
        """JSON only: a page of somebody else's cannot send that without asking first."""
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return _json(415, {"detail": "send application/json"})
        try:
            writing = msgspec.json.decode(request.body, type=_Writing)
            content = _content(writing)
            message = self._texting.write(channel, address, writing.to, content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, NotWritten) as error:
            return _json(400, {"detail": str(error)})
        return _json(201, {"id": message.id})


def listing(texting: Texting) -> dict[str, Any]:
    """Handsets with a number of their own, and all that have something to show, newest first."""
    shown = [
        {"channel": channel, "address": address, "messages": len(messages),
         "newest": messages[-1].document}
        for channel, address, messages in texting.screens
    ]  # fmt: skip
    known = [
        {"number": number, "about": handset.about}
        for number, handset in texting.book.everybody.items()
    ]
    return {"numbers": known, "handsets": _fitting(shown[:LISTED_MAX])}


def screen(texting: Texting, channel: str, address: str) -> dict[str, Any]:
    """What one handset shows, the oldest first."""
    newest = [message.document for message in reversed(texting.screens.of(channel, address))]
    return {
        "channel": channel, "address": address, "about": texting.about(address),
        "messages": _fitting(newest)[::-1],
    }  # fmt: skip


def _fitting(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first of them, as many as there is room for."""
    room = ANSWER_MAX
    for at, document in enumerate(documents):
        room -= len(msgspec.json.encode(document))
        if room < 0:
            return documents[:at]
    return documents


def _content(writing: _Writing) -> Content:
    """Raises NotWritten."""
    if len(writing.text) > TEXT_MAX:
        raise NotWritten(f"a text has at most {TEXT_MAX} characters")
    if writing.image:
        if not writing.image.startswith(("http://", "https://")):
            raise NotWritten("a picture is given by its address")
        return file("image", writing.image, writing.text)
    if not writing.text:
        raise NotWritten("there is nothing to send")
    return Content("text", {"text": writing.text})


def _json(status: int, document: object) -> Response:
    return Response(status, msgspec.json.encode(document))
