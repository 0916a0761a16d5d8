"""The four transaction machines as tables (RFC 3261 17 with the corrections of RFC 6026).

An entry is the next state and what to do on the way; an event without an entry is absorbed.
"""

from typing import Literal, NamedTuple

T1 = 0.5
"""Estimated round trip, seconds."""
T2 = 4.0
"""Longest interval between repetitions."""
T4 = 5.0
"""Longest time a message stays in the network."""
GIVE_UP = 64 * T1

State = Literal[
    "calling", "trying", "proceeding", "completed", "confirmed", "accepted", "terminated"
]
TimerName = Literal["A", "B", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M"]
Event = Literal[
    TimerName,
    "1xx", "2xx", "failure",
    "request", "ack",
    "lost",
]  # fmt: skip
"""Client: a response came. Server: its user sends one, its request came again, ACK came. `lost`:
the flow is gone. Non-INVITE transactions know `2xx` as any final response."""
Action = Literal[
    "send", "ack", "pass", "fail",
    "+A", "+B", "+D", "+E", "+F", "+G", "+H", "+I", "+J", "+K", "+L", "+M",
    "2A", "2E", "2G", "cE",
    "-A", "-B", "-E", "-F", "-G", "-H",
]  # fmt: skip
"""`send`: what was sent last, or what is to be sent now. `ack`: of a failure. `pass`: to the user.
`fail`: tell the user that nothing comes. `+`: start a timer, `2`: again after twice the interval,
`c`: again after the longest interval, `-`: stop it."""

Table = dict[tuple[State, Event], tuple[State, tuple[Action, ...]]]


class Span(NamedTuple):
    """Seconds that a timer lasts on an unreliable and on a reliable transport."""

    unreliable: float
    reliable: float | None
    """None: it is not started. 0: it fires at once."""
    longest: float = T2


TIMERS: dict[TimerName, Span] = {
    "A": Span(T1, None, GIVE_UP),
    "B": Span(GIVE_UP, GIVE_UP),
    "D": Span(GIVE_UP, 0),
    "E": Span(T1, None),
    "F": Span(GIVE_UP, GIVE_UP),
    "G": Span(T1, None),
    "H": Span(GIVE_UP, GIVE_UP),
    "I": Span(T4, 0),
    "J": Span(GIVE_UP, 0),
    "K": Span(T4, 0),
    "L": Span(GIVE_UP, GIVE_UP),
    "M": Span(GIVE_UP, GIVE_UP),
}

INVITE_CLIENT: Table = {
    ("calling", "A"): ("calling", ("send", "2A")),
    ("calling", "B"): ("terminated", ("fail",)),
    ("calling", "lost"): ("terminated", ("fail",)),
    ("calling", "1xx"): ("proceeding", ("-A", "-B", "pass")),
    ("calling", "2xx"): ("accepted", ("-A", "-B", "+M", "pass")),
    ("calling", "failure"): ("completed", ("-A", "-B", "ack", "pass", "+D")),
    ("proceeding", "1xx"): ("proceeding", ("pass",)),
    ("proceeding", "2xx"): ("accepted", ("+M", "pass")),
    ("proceeding", "failure"): ("completed", ("ack", "pass", "+D")),
    ("proceeding", "lost"): ("terminated", ("fail",)),
    ("completed", "failure"): ("completed", ("ack",)),
    ("completed", "D"): ("terminated", ()),
    ("completed", "lost"): ("terminated", ()),
    ("accepted", "2xx"): ("accepted", ("pass",)),
    ("accepted", "M"): ("terminated", ()),
    ("accepted", "lost"): ("terminated", ()),
}

CLIENT: Table = {
    ("trying", "E"): ("trying", ("send", "2E")),
    ("trying", "F"): ("terminated", ("fail",)),
    ("trying", "lost"): ("terminated", ("fail",)),
    ("trying", "1xx"): ("proceeding", ("pass",)),
    ("trying", "2xx"): ("completed", ("-E", "-F", "pass", "+K")),
    ("proceeding", "E"): ("proceeding", ("send", "cE")),
    ("proceeding", "F"): ("terminated", ("fail",)),
    ("proceeding", "lost"): ("terminated", ("fail",)),
    ("proceeding", "1xx"): ("proceeding", ("pass",)),
    ("proceeding", "2xx"): ("completed", ("-E", "-F", "pass", "+K")),
    ("completed", "K"): ("terminated", ()),
    ("completed", "lost"): ("terminated", ()),
}

INVITE_SERVER: Table = {
    ("proceeding", "request"): ("proceeding", ("send",)),
    ("proceeding", "1xx"): ("proceeding", ("send",)),
    ("proceeding", "2xx"): ("accepted", ("send", "+L")),
    ("proceeding", "failure"): ("completed", ("send", "+G", "+H")),
    ("proceeding", "lost"): ("terminated", ("fail",)),
    ("completed", "request"): ("completed", ("send",)),
    ("completed", "G"): ("completed", ("send", "2G")),
    ("completed", "H"): ("terminated", ()),
    ("completed", "ack"): ("confirmed", ("-G", "-H", "+I")),
    ("completed", "lost"): ("terminated", ()),
    ("confirmed", "I"): ("terminated", ()),
    ("confirmed", "lost"): ("terminated", ()),
    ("accepted", "2xx"): ("accepted", ("send",)),
    ("accepted", "ack"): ("accepted", ("pass",)),
    ("accepted", "L"): ("terminated", ()),
    ("accepted", "lost"): ("terminated", ()),
}

SERVER: Table = {
    ("trying", "1xx"): ("proceeding", ("send",)),
    ("trying", "2xx"): ("completed", ("send", "+J")),
    ("trying", "lost"): ("terminated", ()),
    ("proceeding", "request"): ("proceeding", ("send",)),
    ("proceeding", "1xx"): ("proceeding", ("send",)),
    ("proceeding", "2xx"): ("completed", ("send", "+J")),
    ("proceeding", "lost"): ("terminated", ()),
    ("completed", "request"): ("completed", ("send",)),
    ("completed", "J"): ("terminated", ()),
    ("completed", "lost"): ("terminated", ()),
}


def interval(timer: TimerName, reliable: bool, last: float | None = None) -> float | None:
    """Seconds until it fires: at first, or after `last` seconds the time before."""
    span = TIMERS[timer]
    if last is None:
        return span.reliable if reliable else span.unreliable
    return min(2 * last, span.longest)
