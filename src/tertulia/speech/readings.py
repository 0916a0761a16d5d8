"""What recognisers found, put in order for whoever asked. Pure."""

from collections.abc import Iterable, Sequence

from tertulia.ports.speech import Reading

_FAR = 0.2
_WHOLE = 0.85
"""Words that a reading has to have, of those of another one."""
_ENDS = (".", "!", "?", "…", "。", "？", "！")
_PAUSE_MS = 1_000


def distinct(readings: Iterable[Reading], most: int = 3) -> list[Reading]:
    """The first of those that differ in more than case and punctuation, and are not far less
    likely than the best."""
    found: dict[str, Reading] = {}
    least = 0.0
    for reading in readings:
        least = max(least, reading.confidence * _FAR)
        if (key := " ".join(words(reading.text))) and reading.confidence >= least:
            found.setdefault(key, reading)
    return list(found.values())[:most]


def trusted(
    hinted: Iterable[Reading], plain: Sequence[Reading], hints: Sequence[str]
) -> list[Reading]:
    """Of what was found with hints: what leaves nothing out, that with the most hints first."""
    least = len(words(plain[0].text)) * _WHOLE
    meant = [" ".join(words(hint)) for hint in hints]
    whole = [each for each in hinted if len(words(each.text)) >= least]
    return sorted(whole, key=lambda each: -_count(meant, " ".join(words(each.text))))


def joined(readings: Iterable[Reading]) -> list[Reading]:
    """Parts of a sentence put together, where no long pause divides them."""
    found: list[Reading] = []
    for reading in readings:
        last = found[-1] if found else None
        if last is None or last.text.endswith(_ENDS) or reading.start_ms - last.end_ms > _PAUSE_MS:
            found.append(reading)
        else:
            text = f"{last.text} {reading.text}"
            surely = (last.confidence + reading.confidence) / 2
            found[-1] = Reading(text, surely, last.start_ms, reading.end_ms)
    return found


def clipped(reading: Reading, spoken: Sequence[tuple[int, int]]) -> Reading:
    """With times from where its first speech begins to where its last ends, both in ms: a
    recogniser takes the silence around it for a part of it."""
    own = [span for span in spoken if _belongs(span, (reading.start_ms, reading.end_ms))]
    if not own:
        return reading
    start, end = max(reading.start_ms, own[0][0]), min(reading.end_ms, own[-1][1])
    return Reading(reading.text, reading.confidence, start, end)


def _belongs(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether they share half of the shorter one."""
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return shared > 0 and shared * 2 >= min(one[1] - one[0], other[1] - other[0])


def words(text: str) -> list[str]:
    """Without case and punctuation."""
    return "".join(sign for sign in text.casefold() if _is_word(sign)).split()


def _count(hints: list[str], text: str) -> int:
    return sum(hint in text for hint in hints)


def _is_word(sign: str) -> bool:
    return sign.isalnum() or sign.isspace() or sign == "'"
