"""The reading of a conversation callback's `event_mask` (docs/decisions/0003-event-mask.md)."""

import re
from functools import lru_cache

_SEPARATORS = re.compile(r"[,\s]+")


class EventMask:
    """Types and prefixes that a callback wants; an empty one wants everything."""

    def __init__(self, text: str | None) -> None:
        patterns = [part for part in _SEPARATORS.split(text or "") if part]
        self._types = frozenset(part for part in patterns if not part.endswith("*"))
        self._prefixes = tuple(part[:-1] for part in patterns if part.endswith("*"))
        self._all = not patterns

    def wants(self, type_: str) -> bool:
        return self._all or type_ in self._types or type_.startswith(self._prefixes)


@lru_cache(maxsize=4096)
def read_mask(text: str | None) -> EventMask:
    return EventMask(text)
