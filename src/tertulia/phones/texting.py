"""The simulated messaging network: what is taken, what becomes of it, and what handsets answer.

The carriers before it (smsc.py, graph_api.py, viber_api.py, gateway_api.py) speak real protocols.
"""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, Protocol

from msgspec import Struct

from tertulia.model.instant import Instant
from tertulia.model.sending import CHANNELS, Content, MessageChannel
from tertulia.phones.course import Course, Gate, judged, steps, worded
from tertulia.phones.handset import Act, Deliver, Fail, Read, Reply, Send, Throttle, Verdict
from tertulia.phones.handsetbook import Handsetbook
from tertulia.phones.screens import Message, Screens, Shown

COURSES_MAX = 100_000
"""Messages of which something is to happen yet; a carrier has no room for one more."""
GATES_MAX = 1000
ADDRESS_MAX = 200
FULL = Throttle(1)
WITHOUT_FILES = frozenset({MessageChannel.SMS})

News = Deliver | Fail | Read
"""What a carrier tells of a message."""


class NotWritten(Exception):
    """A handset cannot send this. The reason is for whoever wanted it."""


class Carriage(Protocol):
    """A carrier of the simulated network, as handsets see it."""

    def tell(self, message: Message, news: News) -> None:
        """To whoever has sent the message."""

    def bring(self, message: Message) -> None:
        """What a handset has sent. Raises NotWritten: nobody is there to have it, or too much
        waits for them."""


class _Underway(Struct):
    message: Message
    shown: Shown
    course: Course


class Texting:
    """Make it on the loop. `now` tells instants for people; courses go by the loop's clock."""

    def __init__(self, book: Handsetbook, *, now: Callable[[], Instant]) -> None:
        self.book = book
        self.screens = Screens()
        self._now = now
        self._loop = asyncio.get_running_loop()
        self._carriages: dict[str, Carriage] = {}
        self._gates: OrderedDict[tuple[str, str], Gate] = OrderedDict()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._boot = int.from_bytes(os.urandom(4))
        self._numbers = count(1)

    def attach(self, carriage: Carriage, *channels: str) -> None:
        self._carriages |= dict.fromkeys(channels, carriage)

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def fresh(self) -> int:
        """A number of 63 bits for a message, that none had before."""
        return (self._boot << 31 | next(self._numbers)) & 0x7FFF_FFFF_FFFF_FFFF

    def judge(self, channel: str, to: str, text: str) -> Verdict:
        """What the carrier says to such a message. None: it takes it."""
        if len(self._timers) >= COURSES_MAX:
            return FULL
        now = self._loop.time()
        do = steps(self.book.find(to, now), channel, text)
        key = channel, to
        verdict, gate = judged(do, self._gates.get(key, Gate()), now)
        if gate != Gate():
            self._gates[key] = gate
            self._gates.move_to_end(key)
            if len(self._gates) > GATES_MAX:
                self._gates.popitem(last=False)
        return verdict

    def begin(self, message: Message) -> None:
        """The carrier has taken it, and said so: let the rest happen."""
        now = self._loop.time()
        do = steps(self.book.find(message.to, now), message.channel, message.text)
        shown = self.screens.show(message, "in", self._now(), "taken")
        self._go_on(_Underway(message, shown, Course.of(do, now)))

    def revoke(self, message_id: str) -> bool:
        """Nothing more becomes of the message; False when all has that there was to be."""
        timer = self._timers.pop(message_id, None)
        if timer is not None:
            timer.cancel()
        return timer is not None

    def about(self, address: str) -> str:
        """Who is there, in words."""
        return self.book.find(address, self._loop.time()).about

    def write(self, channel: str, sender: str, to: str, content: Content) -> Message:
        """A handset sends this. Raises NotWritten."""
        carriage = self._carriages.get(channel)
        if channel not in CHANNELS or carriage is None:
            raise NotWritten(f"there is no channel {channel}")
        for address in (sender, to):
            if not (0 < len(address) <= ADDRESS_MAX and address.isprintable()):
                raise NotWritten("an address is missing, or is none")
        if content.message_type != "text" and channel in WITHOUT_FILES:
            raise NotWritten(f"no files go by {channel}")
        message = Message(f"{self.fresh():x}", channel, sender, to, content)
        carriage.bring(message)
        self.screens.show(message, "out", self._now(), "sent")
        return message

    def _go_on(self, underway: _Underway) -> None:
        message = underway.message
        self._timers.pop(message.id, None)
        acts, underway.course = underway.course.advance(self._loop.time())
        for act in acts:
            self._do(act, message, underway.shown)
        if not underway.course.is_over:
            self._timers[message.id] = self._loop.call_at(
                underway.course.due, self._go_on, underway
            )

    def _do(self, act: Act, message: Message, shown: Shown) -> None:
        if isinstance(act, Reply | Send):
            try:
                self.write(message.channel, message.to, message.from_, _answer(act, message))
            except NotWritten:
                return  # as from any handset without a network
            return
        shown.status = _STATUS[type(act)]
        self._carriages[message.channel].tell(message, act)


_STATUS: Mapping[type[News], str] = {Deliver: "delivered", Read: "read", Fail: "failed"}


def _answer(act: Reply | Send, message: Message) -> Content:
    if isinstance(act, Reply):
        said = worded(act.text, text=message.text, sender=message.from_, recipient=message.to)
        return Content("text", {"text": said or message.content.message_type})
    return file(act.kind, act.url, act.caption)


def file(kind: str, url: str, caption: str = "") -> Content:
    """A content that is one file."""
    members: dict[str, Any] = {"url": url, "caption": caption} if caption else {"url": url}
    return Content(kind, {kind: members})
