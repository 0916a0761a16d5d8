"""What phone calls need of the world."""

from collections.abc import Callable, Sequence
from zlib import crc32

from msgspec import Struct

from tertulia.model.ids import ApplicationId
from tertulia.model.rating import Rates
from tertulia.ports.phones import Carrier

Numbers = Callable[[ApplicationId], Sequence[str]]
"""The phone numbers of an application."""


def no_numbers(application_id: ApplicationId) -> Sequence[str]:
    return ()


def nobody(number: str) -> bool:
    return False


def some_number(numbers: Sequence[str], key: str) -> str:
    """One of them, another for another key."""
    return numbers[crc32(key.encode()) % len(numbers)]


class Telephony(Struct, frozen=True):
    carrier: Carrier
    numbers: Numbers = no_numbers
    rates: Rates = Rates()
    is_simulated: Callable[[str], bool] = nobody
    """Whether a number is that of a simulated phone."""
    is_secure: Callable[[str], bool] = nobody
    """Whether calls to a number are to be offered SRTP."""
