"""A call script under way, with the ids of what it has under way."""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from tertulia.model.actor import Actor
from tertulia.model.ids import LegId
from tertulia.model.script import Connect, Script
from tertulia.model.script_orders import Heard
from tertulia.model.script_run import Run
from tertulia.services import errands
from tertulia.services.audiocontrol import Place
from tertulia.services.lines import Line


class Pair(Struct, eq=False):
    """A call and the one that its script has it connected to."""

    performance: "Performance"
    action: Connect
    callee: Line | None = None
    """None until it is under way."""
    tone: str | None = None
    """What the caller hears until the answer: a tone of ours, or a file."""
    music: str | None = None
    is_open: bool = True
    """The script waits for the callee still."""
    has_met: bool = False


class Performance:
    """`then` is done at the end of the script instead of ending the call."""

    __slots__ = ("has_begun", "heard", "is_speech", "line", "listening", "pair", "recording",
                 "run", "saves", "sound", "then",
                 "timers")  # fmt: skip

    def __init__(
        self, line: Line, script: Script, then: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self.line = line
        self.run = Run(script)
        self.then = then
        self.has_begun = False
        self.sound: str | None = None
        self.is_speech = False
        self.recording: str | None = None
        """The one that the script waits for."""
        self.listening: tuple[Place, str] | None = None
        self.saves = False
        """What it listens to is kept."""
        self.heard: Heard | None = None
        """What was understood of it, until that is told with the address of the recording."""
        self.pair: Pair | None = None
        self.timers: dict[int, errands.Timer] = {}

    @property
    def leg_id(self) -> LegId:
        return self.line.leg.id

    @property
    def system(self) -> Actor:
        return Actor(self.line.application_id)
