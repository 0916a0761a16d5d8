"""What nodes tell each other of calls: the home orders, the node with the phone signals."""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from tertulia.model.ids import ApplicationId
from tertulia.model.telephone import AnySignal, Dial
from tertulia.ports.phones import Carrier

Verb = Literal["ring", "progress", "answer", "refuse", "offer", "hang_up", "referred"]


class Ordered(Struct, frozen=True, tag=True):
    """Something that a carrier is told of a call: by the name of its method."""

    verb: Verb
    leg: str
    text: str = ""
    """A session description, or the text of a refusal."""
    code: int = 0


class Dialled(Struct, frozen=True, tag=True):
    """A softphone that is registered there is to be called."""

    call: Dial


class Told(Struct, frozen=True, tag=True):
    signal: AnySignal


class Astray(Struct, frozen=True, tag=True):
    """The application of a call that was handed on is not at home there."""

    leg: str


class Left(Struct, frozen=True, tag=True):
    """A softphone of a user is registered with the hearer no longer."""

    application_id: ApplicationId
    name: str


AnyWord = Ordered | Dialled | Told | Astray | Left

_METHODS: dict[Verb, Callable[[Carrier, Ordered], None]] = {
    "ring": lambda carrier, told: carrier.ring(told.leg),
    "progress": lambda carrier, told: carrier.progress(told.leg, told.text),
    "answer": lambda carrier, told: carrier.answer(told.leg, told.text),
    "refuse": lambda carrier, told: carrier.refuse(told.leg, told.code, told.text),
    "offer": lambda carrier, told: carrier.offer(told.leg, told.text),
    "hang_up": lambda carrier, told: carrier.hang_up(told.leg),
    "referred": lambda carrier, told: carrier.referred(told.leg, told.code),
}  # fmt: skip


def carry_out(carrier: Carrier, told: Ordered) -> None:
    _METHODS[told.verb](carrier, told)
