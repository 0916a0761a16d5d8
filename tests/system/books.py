"""The books of a webhook receiver: what came, in which order, with which bytes, how signed."""

import hashlib

import msgspec
from msgspec import Struct, field

from tertulia.protocols.signature import signing_key, verify

SECRET = "a secret of the tests"
"""Give it to the server as TERTULIA_ACCOUNT__SIGNATURE_SECRET."""
_FAULTS_KEPT = 20


class Body(Struct, frozen=True):
    id: str | None = None
    """Of the conversation, in an event about one."""


class Envelope(Struct, frozen=True):
    type: str
    application_id: str
    body: msgspec.Raw
    conversation_id: str | None = None
    id: int | None = None

    @property
    def about(self) -> str:
        """What an event of the application's own stream is about; it is ordered among those."""
        return f"about {msgspec.json.decode(self.body, type=Body).id}"


class _Lane(Struct):
    """What was taken of one conversation, or of what is about it."""

    newest: int = 0
    """Event id, or position in the application's stream."""
    bare: int = 0
    """Events since then that have an id in the log and tell none: signalling."""
    digests: dict[int, bytes] = field(default_factory=dict)


class Books:
    """`faults` says what must never be; it should stay empty."""

    def __init__(self) -> None:
        self.requests = 0
        self.failed = 0
        """Requests whose event was not taken."""
        self.repeats = 0
        self.rewound = 0
        """Repeats of another event than the newest: right only when a dispatcher was killed."""
        self.positions: set[int] = set()
        """Of everything that was taken."""
        self.changed: set[tuple[str, int]] = set()
        """Events that came again with other bytes: right only when deleted meanwhile."""
        self.faults: list[str] = []
        self._lanes: dict[str, tuple[bool, _Lane]] = {}
        """By name; true for a conversation's own, whose numbers have no gap."""
        self._key = signing_key(SECRET)

    @property
    def newest(self) -> dict[str, int]:
        """By conversation, the id of the newest event that was taken."""
        return {name: lane.newest for name, (numbered, lane) in self._lanes.items() if numbered}

    def enter(self, headers: dict[str, str], body: bytes, *, taken: bool) -> None:
        self.requests += 1
        event = self._signed(headers, body)
        position = int(headers["tertulia-position"])
        name, number = event.conversation_id, event.id
        if name is None or number is None:
            self._note_bare(name, taken=taken)
            name, number = event.about, position
        numbered, lane = self._lanes.setdefault(name, (event.id is not None, _Lane()))
        if numbered and number > lane.newest + lane.bare + 1:
            self._fault(f"{name}: {number} after {lane.newest}")
        self._check_order(lane, name, number)
        if not taken:
            self.failed += 1
            return
        self.positions.add(position)
        self.repeats += number in lane.digests
        if number > lane.newest:
            lane.newest, lane.bare = number, 0
        digest = hashlib.sha256(body).digest()
        if lane.digests.setdefault(number, digest) != digest:
            self.changed.add((name, number))

    def _signed(self, headers: dict[str, str], body: bytes) -> Envelope:
        event = msgspec.json.decode(body, type=Envelope)
        claims = verify(self._key, headers["authorization"].removeprefix("Bearer "), body)
        if claims is None or claims.application_id != event.application_id:
            self._fault(f"wrong signature of {event}")
        return event

    def _note_bare(self, name: str | None, *, taken: bool) -> None:
        if name is not None and taken:
            self._lanes.setdefault(name, (True, _Lane()))[1].bare += 1

    def _check_order(self, lane: _Lane, name: str, number: int) -> None:
        if number < lane.newest:
            self.rewound += 1
            if number not in lane.digests:
                self._fault(f"{name}: {number} for the first time, after {lane.newest}")

    def _fault(self, text: str) -> None:
        if len(self.faults) < _FAULTS_KEPT:
            self.faults.append(text)

    def __str__(self) -> str:
        return (
            f"{self.requests} requests, {self.failed} not taken, {len(self.positions)} events, "
            f"{self.repeats} repeats ({self.rewound} rewound, {len(self.changed)} with other "
            f"bytes), {len(self.faults)} faults"
        )
