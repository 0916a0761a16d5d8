"""What a script under way is told, and what it wants done (see script_run).

An action is an order to begin it. Whoever carries orders out tells only of what was ordered last
of its kind: what a sound or a callee of before has come to is of no interest any more.
"""

from msgspec import Struct

from tertulia.model.script import (
    Connect,
    Input,
    Meeting,
    Notify,
    Record,
    Script,
    Speech,
    Stream,
    Talk,
    Transfer,
)

# ── what happens ──


class SoundOver(Struct, frozen=True):
    """What was played or said is over; with the reason if it never was."""

    error: str | None = None


class RecordOver(Struct, frozen=True):
    """The recording that the script waits for has ended, or another one failed."""

    error: str | None = None


class Barred(Struct, frozen=True):
    """The conversation cannot be entered."""

    error: str


class Pressed(Struct, frozen=True):
    digit: str


class Spoke(Struct, frozen=True):
    """Somebody began to speak on the leg."""


class Reading(Struct, frozen=True):
    text: str
    confidence: float


class Heard(Struct, frozen=True):
    """What was listened for has come to an end."""

    results: tuple[Reading, ...] = ()
    reason: str | None = None
    """`end_on_silence_timeout`, `start_timeout`, `max_duration`, `stopped` …"""
    error: str | None = None
    recording_url: str | None = None
    """Of what was heard, when the script wants it saved."""


class Connected(Struct, frozen=True):
    """The callee of a connect has answered."""


class MachineAnswered(Struct, frozen=True):
    """The callee of a connect, which stays, is a machine."""

    sub_state: str | None = None
    """`beep_start` or `beep_timeout`, when its beep was waited for."""


class ConnectOver(Struct, frozen=True):
    """The call of a connect is over, or never came about."""

    status: str
    """`completed`, `busy`, `timeout`, `failed`, `rejected`, `unanswered`, `cancelled`, `machine`
    (hung up because it was one) or `disconnected` (a websocket's server has left)."""
    error: str | None = None
    """What went wrong with it here."""


class Elapsed(Struct, frozen=True):
    """The time of a Timer is up."""

    mark: int


class Told(Struct, frozen=True):
    """What the application said to a question: a script that replaces this one, or nothing."""

    mark: int
    """The question's."""
    script: Script = ()
    error: str | None = None
    """It said something that is no script."""


class NewScript(Struct, frozen=True):
    """Somebody outside wants another script carried out, at once."""

    script: Script


class HungUp(Struct, frozen=True):
    """The call is over, and with it all that it has under way."""


Happening = (
    SoundOver | RecordOver | Barred | Pressed | Spoke | Heard | Connected | MachineAnswered
    | ConnectOver | Elapsed | Told | NewScript | HungUp
)  # fmt: skip


# ── what is to be done ──


class Hush(Struct, frozen=True):
    """End what is being played or said."""


class Listen(Struct, frozen=True):
    speech: Speech
    start_timeout: float


class Unlisten(Struct, frozen=True):
    """Stop listening. What was heard so far is still told."""


class Leave(Struct, frozen=True):
    """Out of the conversation that a script has brought the call into, back into its own."""


class Disconnect(Struct, frozen=True):
    """The script waits no longer for the callee of its connect, who is still there or still rings:
    end that call."""


class Timer(Struct, frozen=True):
    """→ Elapsed. Several may run."""

    mark: int
    seconds: float


class Submit(Struct, frozen=True):
    """Tell the application the result of an input. → Told."""

    mark: int
    action: Input
    digits: str
    timed_out: bool
    speech: Heard | None


class Announce(Struct, frozen=True):
    """Send the application what a notify says. → Told."""

    mark: int
    action: Notify


class AskConnect(Struct, frozen=True):
    """Ask the application what becomes of a call that did not succeed. → Told."""

    mark: int
    action: Connect
    status: str
    sub_state: str | None = None


class Report(Struct, frozen=True):
    """Tell the application of a key; it has no say in what follows."""

    action: Input
    digit: str


class Complain(Struct, frozen=True):
    """Something could not be done; the script goes on."""

    reason: str


class End(Struct, frozen=True):
    """The call ends: with its script, or because that is of no use."""

    error: str | None = None


Order = (
    Talk | Stream | Record | Meeting | Connect | Transfer | Hush | Listen | Unlisten | Leave
    | Disconnect | Timer | Submit | Announce | AskConnect | Report | Complain | End
)  # fmt: skip
