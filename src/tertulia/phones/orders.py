"""What the script of a callee orders: to be carried out over SIP and RTP, in order."""

from typing import NamedTuple

from tertulia.phones.callee import Press, Sound


class Rings(NamedTuple):
    """Let the caller know that it rings."""


class GoesEarly(NamedTuple):
    """Let the caller hear us before the call is answered."""


class Answers(NamedTuple):
    """Answer the call."""


class Refuses(NamedTuple):
    code: int
    text: str = ""
    to: str = ""
    """Of 302: the number that is to be called instead."""


class Sounds(NamedTuple):
    """Play it; `played` is told at its end."""

    step: Sound


class Hushes(NamedTuple):
    """Play nothing more of it."""


class Presses(NamedTuple):
    """Send keys; `played` is told at their end."""

    step: Press


class Echoes(NamedTuple):
    on: bool


class Records(NamedTuple):
    on: bool
    seconds: float = 0.0


class Holds(NamedTuple):
    on: bool


class Refers(NamedTuple):
    """Ask that the other end call somebody else; `transferred` is told what became of it."""

    to: str


class Leaves(NamedTuple):
    """Hang up."""

    why: str = ""
    """For the log, when the script is at fault."""


CallOrder = Rings | GoesEarly | Answers | Refuses | Holds | Refers | Leaves
AudioOrder = Sounds | Hushes | Presses | Echoes | Records
Order = CallOrder | AudioOrder
