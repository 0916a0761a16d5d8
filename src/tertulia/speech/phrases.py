"""Long texts in pieces that are soon said, so that the first is heard while the next is made.

An engine takes about 50 ms for a second of speech on an idle core: a first piece of 100 characters
is there after 300 ms. Pure.
"""

import re
from collections.abc import Iterable, Iterator

from tertulia.speech.ssml import Segment

FIRST_MAX = 100
"""Characters."""
PIECE_MAX = 150
"""An engine keeps the memory of its longest piece: 310 MB, and 460 MB with 250 characters."""
_UNSAYABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028\u2029\ufeff\ud800-\udfff]+")
_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’)\]]*\s+|[。！？]+")
_ABBREVIATION = re.compile(
    r"(?:\b[^\W\d_]|\b(?:mr|mrs|ms|dr|prof|st|no|nr|vs|etc|jr|sr|inc|ltd|co|approx|e\.g|i\.e))\.\s*$",
    re.IGNORECASE,
)
_LONGEST = 12
"""Characters of an abbreviation and what is behind it."""
_CLAUSE_END = re.compile(r"[,;:–—、，；]\s*|\s[-–—]\s")


def pieces(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """The same words and pauses in pieces of at most PIECE_MAX characters, the first shorter.

    Raises ValueError when there is nothing to say, not even a pause.
    """
    found: list[Segment] = []
    for segment in segments:
        text = " ".join(_UNSAYABLE.sub(" ", segment.text).split())
        texts = [text for text in _sentences(text) if _is_said(text)]
        for sentence in texts:
            found += [segment._replace(text=part, pause_ms=0) for part in _parts(sentence, found)]
        if segment.pause_ms and texts:
            found[-1] = found[-1]._replace(pause_ms=segment.pause_ms)
        elif segment.pause_ms:
            found.append(Segment("", pause_ms=segment.pause_ms))
    if not found:
        raise ValueError("there is nothing to say")
    return tuple(found)


def _sentences(text: str) -> Iterator[str]:
    start = 0
    for end in _SENTENCE_END.finditer(text):
        if not _ABBREVIATION.search(text, max(start, end.end() - _LONGEST), end.end()):
            yield text[start : end.end()].strip()
            start = end.end()
    yield text[start:].strip()


def _parts(sentence: str, before: list[Segment]) -> list[str]:
    parts: list[str] = []
    while len(sentence) > (limit := PIECE_MAX if before or parts else FIRST_MAX):
        cut = _cut(sentence, limit)
        if _is_said(part := sentence[:cut].strip()):  # the first that is heard is the short one
            parts.append(part)
        sentence = sentence[cut:].strip()
    return [*parts, sentence] if _is_said(sentence) else parts


def _is_said(text: str) -> bool:
    return any(map(str.isalnum, text))


def _cut(sentence: str, limit: int) -> int:
    """Behind the last clause that fits, else at the last space, else anywhere."""
    clauses = [end.end() for end in _CLAUSE_END.finditer(sentence, limit // 4, limit)]
    return clauses[-1] if clauses else sentence.rfind(" ", 1, limit) + 1 or limit
