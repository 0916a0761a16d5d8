"""What phone calls need of the world."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from tertulia.model.ids import ApplicationId
from tertulia.model.rating import Rates
from tertulia.ports.phones import Carrier

Numbers = Callable[[ApplicationId], Sequence[str]]
"""The phone numbers of an application."""


def no_numbers(application_id: ApplicationId) -> Sequence[str]:
    return ()


class Telephony(Struct, frozen=True):
    carrier: Carrier
    numbers: Numbers = no_numbers
    rates: Rates = Rates()
