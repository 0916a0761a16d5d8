"""The simulated handsets, asked over the HTTP port of the phones part."""

from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from tertulia.carriers.http import HttpAnswer, HttpCall, HttpOut, Where, decoded, text_at
from tertulia.model.errors import NotFound, Unavailable, ValidationFailed
from tertulia.ports.messaging import OutOfReach
from tertulia.web.rest.handsets import Handset, HandsetDraft, HandsetList, HandsetMessage

PATH = "/handsets"
SECONDS = 5.0
_JSON = {"Content-Type": "application/json"}
T = TypeVar("T")


class HandsetLine:
    """web.rest.handsets.HandsetDesk."""

    def __init__(self, out: HttpOut, where: Where) -> None:
        self._out = out
        self._where = where

    async def handsets(self) -> HandsetList:
        return _read(await self._ask("GET", PATH), HandsetList)

    async def handset(self, channel: str, address: str) -> Handset:
        return _read(await self._ask("GET", _path(channel, address)), Handset)

    async def write(self, channel: str, address: str, draft: HandsetDraft) -> HandsetMessage:
        path = f"{_path(channel, address)}/messages"
        return _read(await self._ask("POST", path, msgspec.json.encode(draft)), HandsetMessage)

    async def _ask(self, method: str, path: str, body: bytes = b"") -> HttpAnswer:
        start = self._where()
        if start is None:
            raise Unavailable("The simulated network is not there just now.")
        call = HttpCall(method, start + path, _JSON if body else {}, body, SECONDS)
        try:
            return await self._out.request(call)
        except OutOfReach as error:
            raise Unavailable(f"The simulated network cannot be reached: {error}") from None


def _path(channel: str, address: str) -> str:
    return f"{PATH}/{quote(channel, safe='')}/{quote(address, safe='')}"


def _read(answer: HttpAnswer, type_: type[T]) -> T:
    if answer.status >= 400:
        raise _refusal(answer)
    try:
        return msgspec.json.decode(answer.body, type=type_)
    except msgspec.DecodeError:
        raise Unavailable("The simulated network answers something else.") from None


def _refusal(answer: HttpAnswer) -> Exception:
    told: Any = decoded(answer.body)
    reason = text_at(told, "detail") or f"the simulated network answered {answer.status}"
    if answer.status == 404:
        return NotFound(f"{reason[0].upper()}{reason[1:]}.")
    if answer.status < 500:
        return ValidationFailed.of("message", f"cannot be sent: {reason}")
    return Unavailable(reason)
