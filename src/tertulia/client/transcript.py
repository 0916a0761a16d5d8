"""What a conversation looks like in a terminal: events in, lines to print out. Pure.

Everything that somebody else wrote passes `plain` before it stands in a line.
"""

from datetime import datetime, tzinfo
from enum import Enum, auto
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct, field

from tertulia.client.plain import cut, plain, plain_lines
from tertulia.model.extending import EDIT, MESSAGES, REACTION, REPLY

REMEMBERED = 1000
"""Messages that can be quoted and whose receipts are shown."""
QUOTE_COLUMNS = 40
_RECEIPTS = {f"{kind}:{status}": status for kind in MESSAGES for status in ("delivered", "seen")}
_TYPING = ("text:typing:on", "text:typing:off")
_MEDIA = ("image", "audio", "video", "file", "vcard")
_MOVES = {
    "member:joined": "has joined", "member:left": "has left", "member:invited": "is invited",
}  # fmt: skip


class Kind(Enum):
    SPEECH = auto()
    NOTICE = auto()
    STATUS = auto()
    """For terminals without a prompt that shows it."""


class Line(NamedTuple):
    kind: Kind
    text: str


class _FromUser(Struct):
    id: str = ""
    name: str = ""
    display_name: str | None = None


class _Embedded(Struct):
    from_user: _FromUser = field(default_factory=_FromUser)


class Happening(Struct):
    """An event, live or of the history: the part that is shown."""

    type: str
    id: int | None = None
    from_: str | None = field(default=None, name="from")
    timestamp: str = ""
    body: dict[str, Any] = {}
    state: dict[str, dict[str, str]] | None = None
    embedded: _Embedded | None = field(default=None, name="_embedded")


def happening(payload: dict[str, Any], type_: str | None = None) -> Happening | None:
    """None for what has not the shape of an event."""
    given = payload if type_ is None else {**payload, "type": type_}
    try:
        return msgspec.convert(given, Happening)
    except msgspec.ValidationError:
        return None


class Said(Struct):
    """A message that was shown."""

    number: int
    name: str
    is_own: bool
    text: str
    delivered: set[str] = field(default_factory=set)
    """Names."""
    seen: set[str] = field(default_factory=set)
    reactions: set[str] = field(default_factory=set)
    """One's own."""

    @property
    def tick(self) -> str:
        return "✓✓" if self.seen else "✓" if self.delivered else ""


class Transcript:
    """One conversation as one user sees it. `zone`: of the times that are shown; None: local."""

    def __init__(self, user_id: str, zone: tzinfo | None = None) -> None:
        self.newest = 0
        """Number of the newest event that was taken."""
        self.typing: dict[str, str] = {}
        """Names of those who type, by member id."""
        self.said: dict[int, Said] = {}
        self._user_id = user_id
        self._zone = zone
        self._names: dict[str, str] = {}
        self._own: set[str] = set()
        self._day = ""

    @property
    def status(self) -> str:
        """Who types, and how far the newest own message got."""
        typing = list(self.typing.values())
        own = next((said for said in reversed(self.said.values()) if said.is_own), None)
        parts = []
        if typing:
            parts.append(f"{', '.join(typing)} {'is' if len(typing) == 1 else 'are'} typing…")
        if own is not None and own.tick:
            parts.append(f"#{own.number} {own.tick}")
        return " ".join(parts)

    def is_own(self, member_id: str | None) -> bool:
        return member_id in self._own

    def name(self, member_id: str | None) -> str:
        return self._names.get(member_id or "", plain(member_id or "somebody"))

    def know(self, member_id: str, user_id: str, name: str) -> None:
        self._names[member_id] = plain(name)
        if user_id == self._user_id:
            self._own.add(member_id)

    def take(self, event: Happening) -> list[Line]:
        """The lines that it adds. An event that was taken before adds none."""
        if event.id is not None:
            if event.id <= self.newest:
                return []
            self.newest = event.id
        if event.from_ and event.embedded and event.embedded.from_user.id:
            user = event.embedded.from_user
            self.know(event.from_, user.id, user.display_name or user.name)
        lines = self._lines(event)
        if not event.timestamp or all(line.kind is Kind.STATUS for line in lines):
            return lines
        return [*self._new_day(event.timestamp), *lines]

    def again(self, events: list[Happening]) -> list[Line]:
        """Lines of history that were shown before."""
        before, self.newest = self.newest, 0
        lines = [line for event in events for line in self.take(event)]
        self.newest = max(before, self.newest)
        return lines

    def _lines(self, event: Happening) -> list[Line]:
        if event.type in MESSAGES:
            return self._speech(event)
        if event.type in _RECEIPTS:
            return self._receipt(event, _RECEIPTS[event.type])
        if event.type in _TYPING:
            return self._type(event, event.type == _TYPING[0])
        told = self._told(event)
        return [Line(Kind.NOTICE, f"{self._clock(event.timestamp)} {told}")] if told else []

    # --- messages ---

    def _speech(self, event: Happening) -> list[Line]:
        name = self.name(event.from_)
        self.typing.pop(event.from_ or "", None)
        text = content(event.type, event.body)
        said = self._remember(event, name, text)
        head = f"{self._clock(event.timestamp)} {f'#{event.id}':>4} {name}: "
        first, *rest = plain_lines(text)
        tick = f"  {said.tick}" if said is not None and said.is_own and said.tick else ""
        shown = [f"{head}{first}", *(f"{'':11}│ {line}" for line in rest)]
        shown[-1] += tick
        return [Line(Kind.SPEECH, line) for line in shown]

    def _remember(self, event: Happening, name: str, text: str) -> Said | None:
        if event.id is None:
            return None
        said = Said(event.id, name, self.is_own(event.from_), text)
        state = event.state or {}
        said.delivered.update(map(self.name, state.get("delivered_to", ())))
        said.seen.update(map(self.name, state.get("seen_by", ())))
        self.said[event.id] = said
        if len(self.said) > REMEMBERED:
            del self.said[next(iter(self.said))]
        return said

    def _receipt(self, event: Happening, status: str) -> list[Line]:
        said = self._about(event.body)
        name = self.name(event.from_)
        if said is None or not said.is_own or self.is_own(event.from_):
            return []
        names = said.seen if status == "seen" else said.delivered
        if name in names:
            return []
        names.add(name)
        told = "✓✓ seen by" if status == "seen" else "✓ delivered to"
        return [Line(Kind.STATUS, f"      #{said.number} {told} {name}")]

    def _type(self, event: Happening, begins: bool) -> list[Line]:
        if event.from_ is None or self.is_own(event.from_):
            return []
        known = self.typing.pop(event.from_, None)
        if not begins:
            return []
        self.typing[event.from_] = self.name(event.from_)
        told = Line(Kind.STATUS, f"      {self.name(event.from_)} is typing…")
        return [] if known else [told]

    # --- everything else ---

    def _told(self, event: Happening) -> str:
        """What happened, in words; empty for what is nobody's business."""
        name = self.name(event.from_)
        if event.type in _MOVES:
            return f"{name} {_MOVES[event.type]}"
        if event.type == "event:delete":
            self._forget(event.body)
            return f"{name} deleted {_number(event.body)}"
        if event.type == EDIT:
            return f"{name} changed {_number(event.body)}: {plain(str(event.body.get('text')))}"
        if event.type == REPLY:
            answered = self._quote({"event_id": event.body.get("reply_to")})
            return f"{_number(event.body)} answers {answered}"
        if event.type == REACTION:
            return self._reaction(event, name)
        if event.type == "conversation:updated":
            return "the conversation was changed"
        if event.type == "conversation:deleted":
            return "the conversation was deleted"
        if event.type.startswith("custom:") or event.type == "ephemeral":
            return f"{name} {plain(event.type)} {_json(event.body)}"
        return ""

    def _reaction(self, event: Happening, name: str) -> str:
        reaction = str(event.body.get("reaction", ""))
        is_removal = event.body.get("action") == "remove"
        said = self._about(event.body)
        if said is not None and self.is_own(event.from_):
            (said.reactions.discard if is_removal else said.reactions.add)(reaction)
        verb = "takes back" if is_removal else "reacts"
        return f"{name} {verb} {plain(reaction)} to {self._quote(event.body)}"

    def _forget(self, body: dict[str, Any]) -> None:
        said = self._about(body)
        if said is not None:
            said.text = "(deleted)"

    def _about(self, body: dict[str, Any]) -> Said | None:
        number = body.get("event_id")
        return self.said.get(number) if isinstance(number, int) else None

    def _quote(self, body: dict[str, Any]) -> str:
        said = self._about(body)
        if said is None:
            return _number(body)
        words = plain(said.text.partition("\n")[0])
        short = cut(words, QUOTE_COLUMNS)
        return f"#{said.number} “{short}{'…' if short != words else ''}”"

    def _clock(self, timestamp: str) -> str:
        at = self._local(timestamp)
        return at.strftime("%H:%M") if at else "--:--"

    def _new_day(self, timestamp: str) -> list[Line]:
        at = self._local(timestamp)
        day = at.strftime("%Y-%m-%d") if at else self._day
        if day == self._day:
            return []
        self._day = day
        return [Line(Kind.NOTICE, f"— {day} —")]

    def _local(self, timestamp: str) -> datetime | None:
        try:
            return datetime.fromisoformat(timestamp).astimezone(self._zone)
        except (ValueError, OverflowError):
            return None


def content(type_: str, body: dict[str, Any]) -> str:
    """What a message says, in words; not made plain yet."""
    if isinstance(body.get("timestamp"), dict) and "deleted" in body["timestamp"]:
        return "(deleted)"
    if type_ == "text":
        return str(body.get("text", ""))
    if type_ == "image":
        return f"[picture] {_url(body.get('representations'))}".rstrip()
    kind = body.get("message_type")
    part = body.get(str(kind))
    if kind == "text":
        return str(part)
    if kind in _MEDIA:
        return f"[{kind}] {_url(part)}".rstrip()
    if kind == "location" and isinstance(part, dict):
        place = part.get("name") or part.get("address") or ""
        return f"[place] {part.get('latitude')}, {part.get('longitude')} {place}".rstrip()
    return f"[{kind}] {_json(part)}"


def _url(part: object) -> str:
    if not isinstance(part, dict):
        return ""
    original = part.get("original")
    found = original if isinstance(original, dict) else part
    return " ".join(str(found[name]) for name in ("caption", "url") if name in found)


def _number(body: dict[str, Any]) -> str:
    number = body.get("event_id")
    return f"#{number}" if isinstance(number, int) else "#?"


def _json(value: object) -> str:
    return plain(msgspec.json.encode(value).decode())
