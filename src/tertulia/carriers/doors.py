"""Carriers that we reach by HTTP requests and that tell by requests to us: what they share."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from tertulia.carriers.accounts import HttpAccount
from tertulia.carriers.http import HttpOut, Line, Where, decoded
from tertulia.model.errors import Rejected, Unavailable
from tertulia.model.sending import Arrival, Outcome, Sending
from tertulia.model.validation import check_nesting
from tertulia.ports.messaging import (
    CarrierEars,
    CarrierHealth,
    Congested,
    Knock,
    KnockAnswer,
    OutOfReach,
    Terms,
    Unsupported,
)

ADDRESS_MAX = 300
"""Characters of an address or of an id; with more, what it stands in is dropped."""
Told = Outcome | Arrival

_log = logging.getLogger(__name__)


class HttpCarrier(ABC):
    """A MessageCarrier and its CarrierDoor, but for what is one carrier's own."""

    kind: ClassVar[str]

    def __init__(self, account: HttpAccount, out: HttpOut, where: Where) -> None:
        self._line = Line(out, where, account.timeout)
        self._name = account.name
        self._ears: CarrierEars | None = None
        self.dropped = 0
        """What was told and made no sense."""

    @property
    def name(self) -> str:
        return self._name

    @property
    @abstractmethod
    def terms(self) -> Terms: ...

    @property
    def health(self) -> CarrierHealth:
        return self._line.health

    async def start(self, ears: CarrierEars) -> None:
        self._ears = ears

    async def close(self) -> None:
        self._ears = None

    @abstractmethod
    async def submit(self, sending: Sending) -> Sequence[str]: ...

    async def revoke(self, sending: Sending) -> None:
        with _now_or_not():
            await self._revoke(sending)

    async def mark_read(self, arrival: Arrival, *, typing: bool = False) -> None:
        with _now_or_not():
            await self._mark_read(arrival, typing)

    async def _revoke(self, sending: Sending) -> None:
        raise Unsupported("the carrier takes no message back")

    async def _mark_read(self, arrival: Arrival, typing: bool) -> None:
        raise Unsupported("the carrier is not told that a message was read")

    async def knock(self, knock: Knock) -> KnockAnswer:
        if self._ears is None:
            return KnockAnswer(503)
        greeting = self._greeted(knock)
        if greeting is not None:
            return greeting
        if not self._is_signed(knock):
            told = {"action": "carrier_not_signed", "carrier": self.name}
            _log.warning("a request that came as a carrier's is not signed by it", extra=told)
            return KnockAnswer(401)
        content = self._content(knock)
        if content is None:
            return KnockAnswer(400)
        return await self._tell(self._ears, self._told(content))

    def _greeted(self, knock: Knock) -> KnockAnswer | None:
        """The answer to a request that tells nothing, such as one that sets the webhook."""
        return KnockAnswer(400) if knock.method != "POST" else None

    @abstractmethod
    def _is_signed(self, knock: Knock) -> bool: ...

    def _content(self, knock: Knock) -> Any:
        """An object; None when the request holds none."""
        return json_object(knock.body)

    @abstractmethod
    def _told(self, content: Any) -> Iterable[Told | None]:
        """What an object tells; None for each thing that is not understood."""

    async def _tell(self, ears: CarrierEars, told: Iterable[Told | None]) -> KnockAnswer:
        try:
            for each in told:
                if each is None:
                    self.dropped += 1
                elif isinstance(each, Outcome):
                    await ears.heard(each)
                else:
                    await ears.arrived(each)
        except Unavailable:
            return KnockAnswer(503)
        return KnockAnswer(200)


@contextmanager
def _now_or_not() -> Iterator[None]:
    """For what nobody will try again."""
    try:
        yield
    except Congested as error:
        raise OutOfReach(str(error)) from None


def json_object(body: bytes) -> dict[str, Any] | None:
    try:
        check_nesting(body)
    except Rejected:
        return None
    content = decoded(body)
    return content if isinstance(content, dict) else None


def is_address(text: str) -> bool:
    """Whether it can be one, or an id."""
    return 0 < len(text) <= ADDRESS_MAX and text.isprintable()
