"""What simulated handsets show: the messages that they have received and sent, as many as fit."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field

from tertulia.model.instant import Instant, iso
from tertulia.model.sending import Content

SCREENS_MAX = 1000
"""Those of whom nothing was heard for longest are forgotten."""
MESSAGES_MAX = 100
"""On one screen."""
OCTETS_MAX = 4096
"""Of the content that is shown; a longer one is cut to its text."""


class Message(Struct, frozen=True):
    """On its way to a handset, or from one."""

    id: str
    channel: str
    from_: str = field(name="from")
    to: str
    content: Content
    refs: tuple[str, ...] = ()
    """What the carrier calls it, or its parts, where that is not `id`."""

    @property
    def text(self) -> str:
        """What it says: its text, or the caption of a file."""
        if self.content.text:
            return self.content.text
        file = self.content.members.get(self.content.message_type)
        caption = file.get("caption") if isinstance(file, dict) else None
        return caption if isinstance(caption, str) else ""


class Shown(Struct):
    """A message on a screen."""

    message: Message
    direction: str
    """`in` to the handset, or `out`."""
    at: Instant
    status: str
    """`taken`, `delivered`, `read`, `failed`; of one that was sent from here, `sent`."""

    @property
    def document(self) -> dict[str, Any]:
        message = self.message
        content = message.content
        return {
            **content.members,
            "id": message.id, "direction": self.direction, "from": message.from_,
            "to": message.to, "at": iso(self.at), "status": self.status,
            "message_type": content.message_type,
        }  # fmt: skip


class Screens:
    def __init__(self) -> None:
        self._screens: OrderedDict[tuple[str, str], deque[Shown]] = OrderedDict()

    def show(self, message: Message, direction: str, at: Instant, status: str) -> Shown:
        """On the screen of its address; the status may be changed later."""
        key = message.channel, bare(message.to if direction == "in" else message.from_)
        screen = self._screens.get(key)
        if screen is None:
            screen = self._screens[key] = deque(maxlen=MESSAGES_MAX)
            if len(self._screens) > SCREENS_MAX:
                self._screens.popitem(last=False)
        else:
            self._screens.move_to_end(key)
        shown = Shown(_short(message), direction, at, status)
        screen.append(shown)
        return shown

    def of(self, channel: str, address: str) -> list[Shown]:
        """Oldest first."""
        return list(self._screens.get((channel, bare(address)), ()))

    def __iter__(self) -> Iterator[tuple[str, str, list[Shown]]]:
        """Channel, address and messages of all that have some, the one changed last first."""
        for (channel, address), screen in reversed(self._screens.items()):
            yield channel, address, list(screen)


def bare(address: str) -> str:
    """As screens go by it: a number without its plus sign."""
    return address.removeprefix("+")


def _short(message: Message) -> Message:
    members = message.content.members
    if len(str(members)) <= OCTETS_MAX:
        return message
    content = Content(message.content.message_type, {"text": message.text[:OCTETS_MAX]})
    return Message(
        message.id, message.channel, message.from_, message.to, content, message.refs
    )  # fmt: skip
