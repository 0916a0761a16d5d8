"""A call's moments as a ladder for the terminal: seconds at the left, a column for each lane."""

import re
from datetime import datetime
from typing import NamedTuple

from tertulia.client.plain import cut, plain

LANES = {"sip": 14, "script": 9, "webhook": 11, "event": 0}
"""And how wide each is. A text may run on over the columns at its right: no two share a line."""
_HEADINGS = {"sip": "SIP", "script": "Script", "webhook": "Webhooks", "event": "Events"}
_STATUS = "leg:status:update "
_RESPONSE = re.compile(r"SIP/2\.0 (\d{3}) ?(.*)")
_REQUEST = re.compile(r"([A-Z]+) ([^; ]*)\S* SIP/2\.0")


class Moment(NamedTuple):
    """As the timeline of a call has it."""

    at: str
    lane: str
    text: str
    detail: str

    @property
    def seconds(self) -> float:
        """Since 1970. Raises ValueError."""
        return datetime.fromisoformat(self.at).timestamp()


class Answer(NamedTuple):
    """The final answer to an INVITE."""

    code: int
    reason: str


def heading() -> str:
    names = (_HEADINGS[lane].ljust(width) for lane, width in LANES.items())
    return f"{'seconds':>8}  {''.join(names)}".rstrip()


def row(moment: Moment, began: float, columns: int | None = None) -> str:
    """A line, cut to so many columns."""
    before = []
    for lane, width in LANES.items():
        if lane == moment.lane:
            break
        before.append("│".ljust(width))
    line = f"{moment.seconds - began:8.3f}  {''.join(before)}{_words(moment)}"
    return line if columns is None else cut(line, columns)


def _words(moment: Moment) -> str:
    text, detail = plain(moment.text), plain(moment.detail)
    if moment.lane == "sip":
        arrow = "──▶" if text.startswith(">") else "◀──"
        return f"{arrow} {_message(text[1:].strip())}"
    if text.startswith(_STATUS):
        text = f"leg {text.removeprefix(_STATUS)}"
    if moment.text == "detection":
        text = "detected"
    return f"{text}: {detail}" if detail else text


def _message(line: str) -> str:
    if response := _RESPONSE.fullmatch(line):
        return f"{response[1]} {response[2]}"
    request = _REQUEST.fullmatch(line)
    return f"{request[1]} {request[2]}" if request else line


def answer(moments: list[Moment]) -> Answer | None:
    """How an INVITE of ours was answered in the end; None when it was not, or there was none.

    What is acknowledged was an answer to one (RFC 3261 section 17.1.1.3). When that was yes, later
    ones are about other things.
    """
    last: Answer | None = None
    found: Answer | None = None
    for moment in moments:
        if moment.lane != "sip":
            continue
        response = _RESPONSE.fullmatch(moment.text.removeprefix("<").strip())
        if moment.text.startswith("<") and response is not None:
            code = int(response[1])
            last = Answer(code, plain(response[2])) if code >= 200 else last
        elif moment.text.startswith("> ACK ") and last is not None:
            found = last
            if found.code < 300:
                break
    return found
