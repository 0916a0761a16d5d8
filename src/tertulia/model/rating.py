"""What calls cost, by the beginning of the number that is called."""

from msgspec import Struct

RATE = r"^\d{1,6}(\.\d{1,8})?$"


class Rate(Struct, frozen=True):
    prefix: str
    rate: str
    """Price of a minute."""
    network: str | None = None
    """Code of country and network."""


class Rates:
    def __init__(self, rates: tuple[Rate, ...] = ()) -> None:
        self._by_prefix = {each.prefix: each for each in rates}
        self._longest = max(map(len, self._by_prefix), default=0)

    def of(self, number: str) -> Rate | None:
        """That of the longest prefix; None when there is none."""
        for length in range(min(len(number), self._longest), -1, -1):
            if (found := self._by_prefix.get(number[:length])) is not None:
                return found
        return None
