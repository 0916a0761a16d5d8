"""A message sent from the terminal: its statuses, and what a simulated handset answers."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from urllib.parse import quote

from tertulia.client.login import Logins, NoServer
from tertulia.client.plain import plain
from tertulia.client.rest import Denied, Rest
from tertulia.client.websocket import Dropped

MESSAGES = "/v1/messages"
STATUS = "/tertulia/v1/messages"
HANDSETS = "/tertulia/v1/handsets"
CHANNELS = {
    "sms": "sms", "mms": "mms", "whatsapp": "whatsapp", "viber": "viber_service",
    "messenger": "messenger", "rcs": "rcs", "email": "email",
}  # fmt: skip
"""By the name that the message API has for each."""
LOOK_S = 0.1
"""Between two looks at the message."""
LINGER_S = 3.0
"""After its end: it may be read, and answered."""
SUBJECT_MAX = 60
DELIVERED = frozenset({"delivered", "read"})
OVER = DELIVERED | {"rejected", "undeliverable"}

Say = Callable[[str], object]
Pause = Callable[[float], Awaitable[object]]


class TextFailed(Exception):
    """The message was not sent, or was lost from sight; the message says why."""


class Words(NamedTuple):
    """What the command line asks for."""

    channel: str
    to: str
    sender: str
    text: str
    seconds: float = 30.0
    """To wait for an end."""

    @property
    def draft(self) -> dict[str, Any]:
        """The request."""
        made: dict[str, Any] = {
            "channel": CHANNELS[self.channel], "message_type": "text", "text": self.text,
            "to": self.to, "from": self.sender,
        }  # fmt: skip
        if self.channel == "email":
            made["email"] = {"subject": self.text[:SUBJECT_MAX]}
        return made


async def text(
    logins: Logins, words: Words, say: Say, pause: Pause = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> int:  # fmt: skip
    """Send it, and say line by line what becomes of it; 0 when it was delivered.

    Raises:
        TextFailed: it was not sent, or nothing is known of it any more.
    """
    try:
        async with Rest(logins) as rest:
            return await _Watch(rest, words, say, pause, clock).run()
    except NoServer as error:
        raise TextFailed(f"no server at {error}") from None
    except (Denied, Dropped) as error:
        raise TextFailed(plain(str(error))) from None


class _Watch:
    def __init__(
        self, rest: Rest, words: Words, say: Say, pause: Pause, clock: Callable[[], float]
    ) -> None:
        self._rest, self._words, self._say = rest, words, say
        self._pause, self._clock = pause, clock
        self._began = clock()
        self._status = ""
        self._known: set[str] = set()
        """Answers that were there before, or are shown."""

    async def run(self) -> int:
        self._known = {each["id"] for each in await self._answers()}
        sent = await self._rest.call("POST", MESSAGES, self._words.draft)
        path = f"{STATUS}/{quote(str(sent['message_uuid']))}"
        self._say(f"Texting {plain(self._words.to)} by {self._words.channel}\n")
        self._began = self._clock()
        over_at: float | None = None
        while not self._is_enough(over_at):
            self._tell(await self._rest.get(path))
            if over_at is None and self._status in OVER:
                over_at = self._clock()
            for answer in await self._answers():
                self._hear(answer)
            await self._pause(LOOK_S)
        if over_at is None:
            self._line(f"nothing more within {self._words.seconds:g} s")
        return 0 if self._status in DELIVERED else 1

    def _is_enough(self, over_at: float | None) -> bool:
        now = self._clock()
        if over_at is not None:
            return self._status not in DELIVERED or now - over_at >= LINGER_S
        return now - self._began >= self._words.seconds

    async def _answers(self) -> list[dict[str, Any]]:
        """What the handset has sent; none where there are only real ones."""
        path = f"{HANDSETS}/{self._words.channel}/{quote(self._words.to, safe='')}"
        try:
            shown = await self._rest.get(path)
        except Denied:
            return []
        return [each for each in shown["messages"] if each["direction"] == "out"]

    def _tell(self, found: dict[str, Any]) -> None:
        message = found["message"]
        status = str(message["status"])
        if status == self._status:
            return
        self._status = status
        error = message.get("error") or {}
        why = error.get("detail") or error.get("title") or ""
        by = f"by {found['carrier']}" if status == "submitted" else ""
        self._line(" ".join(part for part in (status, by, why) if part))

    def _hear(self, answer: dict[str, Any]) -> None:
        if answer["id"] not in self._known:
            self._known.add(answer["id"])
            said = answer.get("text") or f"({answer['message_type']})"
            self._line(f"◀── {said}")

    def _line(self, what: str) -> None:
        self._say(f"{self._clock() - self._began:8.3f}  {plain(what)}")
