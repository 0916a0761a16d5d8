"""SSML to what an engine can say: texts with a rate, a volume and the pause behind them.

Understood: speak, p, s, break, prosody (rate, volume), say-as, sub. Of any other element the text
is said. Pure. W3C Speech Synthesis Markup Language 1.1; entities of its own are refused.
"""

import re
from typing import NamedTuple
from xml.parsers import expat

from tertulia.speech.say_as import plainly

MARKUP_MAX = 65_536
"""Characters."""
DEPTH_MAX = 32
ELEMENTS_MAX = 2_000
BREAK_MAX_MS = 10_000
PAUSES_MAX_MS = 120_000
"""All of a text."""
_PARAGRAPH_MS = 400
_SENTENCE_MS = 150
_STRENGTHS = {
    "none": 0, "x-weak": 100, "weak": 200, "medium": 400, "strong": 700, "x-strong": 1000,
}  # fmt: skip
_RATES = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "fast": 1.3, "x-fast": 1.7}
_VOLUMES = {
    "silent": 0.0, "x-soft": 0.25, "soft": 0.5, "medium": 1.0, "loud": 1.4, "x-loud": 2.0,
}  # fmt: skip
_TIME = re.compile(r"\+?(\d{1,6}(?:\.\d{0,6})?|\.\d{1,6})(ms|s)")
_NUMBER = re.compile(r"([+-]?)(\d{1,4}(?:\.\d{0,4})?)(%|dB)?", re.IGNORECASE)


class Segment(NamedTuple):
    """Words that are said in one manner; words may be empty, then it is a pause only."""

    text: str
    rate: float = 1.0
    """1 is the engine's own; 0.3 to 3."""
    volume: float = 1.0
    """Factor of the amplitude, 0 to 2."""
    pause_ms: int = 0
    """Silence after it."""


def segments(markup: str, *, language: str | None = None) -> list[Segment]:
    """What the markup asks to say. Text without a `speak` around it is taken as its content.

    Raises ValueError for what is not well formed, too deep, too large, or declares a document type.
    """
    if len(markup) > MARKUP_MAX:
        raise ValueError(f"SSML of more than {MARKUP_MAX} characters")
    text = markup.strip()
    if not text.startswith(("<speak", "<?xml")):
        text = f"<speak>{text}</speak>"
    reader = _Reader(english=language is None or language.lower().startswith("en"))
    try:
        reader.parser.Parse(text, True)
    except expat.ExpatError as error:
        raise ValueError(f"SSML is not well formed: {error}") from None
    reader.flush()
    if sum(each.pause_ms for each in reader.found) > PAUSES_MAX_MS:
        raise ValueError(f"SSML pauses for more than {PAUSES_MAX_MS // 1000} seconds")
    return reader.found


class _Open(NamedTuple):
    """An element that has begun."""

    name: str
    attributes: dict[str, str]
    mark: int
    """Where its text begins among the words not yet handed on."""
    rate: float
    volume: float


class _Reader:
    def __init__(self, *, english: bool) -> None:
        self.found: list[Segment] = []
        self._english = english
        self._words: list[str] = []
        self._open: list[_Open] = [_Open("", {}, 0, 1.0, 1.0)]
        self._elements = 0
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = _refuse_doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._words.append

    def flush(self, pause_ms: int = 0) -> None:
        """Hand on the words so far, spoken as the innermost open element says."""
        text = " ".join("".join(self._words).split())
        self._words.clear()
        _, _, _, rate, volume = self._open[-1]
        if text:
            self.found.append(Segment(text, rate, volume, pause_ms))
        elif pause_ms and self.found:
            last = self.found[-1]
            self.found[-1] = last._replace(pause_ms=last.pause_ms + pause_ms)
        elif pause_ms:
            self.found.append(Segment("", pause_ms=pause_ms))

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if len(self._open) > DEPTH_MAX or self._elements > ELEMENTS_MAX:
            raise ValueError("SSML with too many elements")
        name = name.rpartition(":")[2].lower()
        _, _, _, rate, volume = self._open[-1]
        if name in {"p", "s", "prosody", "speak"}:
            self.flush()
        if name == "prosody":
            rate = _rate(attributes.get("rate", ""), rate)
            volume = _volume(attributes.get("volume", ""), volume)
        elif name == "break":
            self.flush(_pause(attributes))
        self._open.append(_Open(name, attributes, len(self._words), rate, volume))

    def _end(self, _: str) -> None:
        name, attributes, mark, *_rest = self._open[-1]
        if name in {"p", "s", "prosody"}:
            self._close_part(name)
        elif name == "say-as":
            form = attributes.get("format", "")
            how = attributes.get("interpret-as", "").lower()
            said = plainly("".join(self._words[mark:]), how, form, english=self._english)
            self._words[mark:] = [f" {said} "]
        elif name == "sub" and "alias" in attributes:
            self._words[mark:] = [attributes["alias"]]
        self._open.pop()

    def _close_part(self, name: str) -> None:
        """A paragraph's end is a longer pause than that of its last sentence, not both."""
        self.flush()
        least = {"p": _PARAGRAPH_MS, "s": _SENTENCE_MS}.get(name, 0)
        if self.found and self.found[-1].pause_ms < least:
            self.found[-1] = self.found[-1]._replace(pause_ms=least)


def _refuse_doctype(*_: object) -> None:
    raise ValueError("SSML must not declare a document type")


def _pause(attributes: dict[str, str]) -> int:
    """Milliseconds. What cannot be read is a break without attributes."""
    if match := _TIME.fullmatch(attributes.get("time", "").strip()):
        number, unit = match.groups()
        return min(round(float(number) * (1000 if unit == "s" else 1)), BREAK_MAX_MS)
    return _STRENGTHS.get(attributes.get("strength", "medium"), _STRENGTHS["medium"])


def _rate(value: str, outer: float) -> float:
    """`fast`, `120%`, `+20%` of the outer one, or `1.2`; anything else changes nothing."""
    value = value.strip()
    if value in _RATES:
        return _RATES[value]
    match = _NUMBER.fullmatch(value)
    if not match or (match[3] or "").lower() == "db":
        return outer
    sign, amount, percent = match[1], float(match[2]), match[3]
    factor = amount / 100 if percent else amount
    if sign and percent:
        factor = 1 + factor if sign == "+" else 1 - factor
    return min(max(outer * factor, 0.3), 3.0)


def _volume(value: str, outer: float) -> float:
    """`loud`, or `+6dB` to the outer one; anything else changes nothing."""
    value = value.strip()
    if value in _VOLUMES:
        return _VOLUMES[value]
    match = _NUMBER.fullmatch(value)
    if not match or (match[3] or "").lower() != "db":
        return outer
    decibel = min(float(match[2]), 60.0) * (-1 if match[1] == "-" else 1)
    return min(outer * float(10.0 ** (decibel / 20)), 2.0)
