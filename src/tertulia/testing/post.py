"""A message carrier without a network, for tests: what it is given is kept, and what becomes of it
happens when a method is called."""

from collections import deque
from collections.abc import Sequence
from itertools import count

from tertulia.model.ids import ApplicationId
from tertulia.model.sending import (
    CHANNELS,
    Arrival,
    Content,
    Outcome,
    Problem,
    Sending,
    SendingStatus,
)
from tertulia.ports.messaging import CarrierEars, CarrierHealth, Terms, Unsupported

Answer = Exception | tuple[str, ...]


class Post:
    """ports.messaging.MessageCarrier."""

    kind = "puppet"

    def __init__(self, name: str = "post", terms: Terms | None = None) -> None:
        self.name = name
        self.terms = terms or Terms(CHANNELS)
        self.health = CarrierHealth("up")
        self.taken: list[Sending] = []
        self.refs: dict[str, str] = {}
        """By the sending's id: what its first part is called."""
        self.answers: deque[Answer] = deque()
        """To the next messages; when there is none, each is taken."""
        self.marked: list[tuple[Arrival, bool]] = []
        self.revoked: list[Sending] = []
        self._count = count(1)
        self._ears: CarrierEars | None = None

    async def start(self, ears: CarrierEars) -> None:
        self._ears = ears

    async def close(self) -> None:
        self._ears = None

    async def submit(self, sending: Sending) -> Sequence[str]:
        answer = self.answers.popleft() if self.answers else (f"{self.name}-{next(self._count)}",)
        if isinstance(answer, Exception):
            raise answer
        self.taken.append(sending)
        self.refs[sending.id] = answer[0]
        return answer

    async def revoke(self, sending: Sending) -> None:
        if sending.order.channel == "sms":
            raise Unsupported("A short message cannot be taken back.")
        self.revoked.append(sending)

    async def mark_read(self, arrival: Arrival, *, typing: bool = False) -> None:
        if arrival.channel == "sms":
            raise Unsupported("Short messages are not marked as read.")
        self.marked.append((arrival, typing))

    # ── what happens at the other end ──

    async def tells(self, ref: str, status: SendingStatus, problem: Problem | None = None) -> None:
        assert self._ears is not None
        await self._ears.heard(Outcome(self.name, ref, status, problem))

    async def delivers(self, *refs: str) -> None:
        for ref in refs:
            await self.tells(ref, SendingStatus.DELIVERED)

    async def reads(self, ref: str) -> None:
        assert self._ears is not None
        await self._ears.heard(Outcome(self.name, ref, None, is_read=True))

    async def brings(
        self, text: str, from_: str, to: str, *, channel: str = "sms", ref: str = "",
        context: str = "",
    ) -> None:  # fmt: skip
        assert self._ears is not None
        content = Content("text", {"text": text})
        ref = ref or f"in-{next(self._count)}"
        await self._ears.arrived(
            Arrival(self.name, ref, channel, from_, to, content, context=context)
        )


class PostRoutes:
    """services.sendings.MessageRoutes: all of them carry everything, and one owns the number."""

    def __init__(self, posts: Sequence[Post], number: str) -> None:
        self._posts = posts
        self._number = number
        self.owner: ApplicationId | None = None

    def carriers_of(self, channel: str, from_: str) -> Sequence[str]:
        return [each.name for each in self._posts if channel in each.terms.channels]

    def application_of(self, channel: str, to: str, carrier: str = "") -> ApplicationId | None:
        return self.owner if to == self._number else None
