"""How many legs a core carries: a run with a few, then a search for the most served in time.

In time is what the listeners say, by when packets reach their sockets: fewer than 0.1 % more than
half a frame late, none missing. A server that counts its own late ticks must agree. Whoever fails
is asked again, twice, since one hiccup of the machine in some 200 ticks is already too much.
"""

from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct

from bench.media.cores import busy_seconds
from bench.media.load import Shape, Stream, Take, talk
from bench.media.scenes import Late, Room, Scene, Server
from bench.media.voice import frames
from bench.places import Failed
from bench.processes import cpu_seconds

LATE = 0.001
"""Share of late packets, and of late ticks, from which a core is full."""
START = 0.85
"""Of what the first run promises, where the search begins."""
STEP = 1.1
"""From one number of legs to the next, at least."""
FULL = 0.95
"""Share of the core that a server can take at most; what then comes late is no hiccup."""
PARDONS = 2
"""Times that a number is tried again."""
SETTLE = 0.1
"""Seconds of warm-up for every hundred legs, on top of the first."""


class Effort(NamedTuple):
    seconds: float
    steps: int
    """Numbers of legs that are tried."""


class Figure(Struct, frozen=True):
    """One run."""

    legs: int
    cpu: float
    """Share of the core that the server took."""
    take: Take
    late_ticks: float | None
    """Share, by the server's own account."""
    dropped: int | None
    """Frames, by the server's own account."""
    foreign: float
    """Share of the server's core that others took."""

    @property
    def leg(self) -> float:
        """Percent of a core."""
        return 100 * self.cpu / self.legs

    @property
    def fits(self) -> bool:
        in_time = self.take.late_share < LATE and (self.late_ticks or 0.0) < LATE
        heard = self.take.complete > 0.99 and not self.take.starved and not self.take.silent
        return in_time and heard


class Capacity(Struct, frozen=True):
    few: Figure
    most: Figure | None
    """None: not even the first number of the search was served in time."""
    tried: list[Figure]

    @property
    def is_found(self) -> bool:
        """Else every number of the search was too many, and there is but the first run."""
        return self.most in self.tried


class Stage:
    """The rooms of a scene on a server, as many as are wanted at a time."""

    def __init__(self, server: Server, scene: Scene) -> None:
        self._server = server
        self._scene = scene
        self._rooms: list[Room] = []
        self._is_heard = False
        """Once is enough: a server that is overrun may say nothing."""

    def resize(self, legs: int) -> list[Stream]:
        """All legs of all rooms; rooms that go are the newest."""
        wanted = max(1, round(legs / self._scene.legs))
        while len(self._rooms) > wanted:
            self._server.close(self._rooms.pop())
        if len(self._rooms) < wanted:
            self._rooms += self._server.open(self._scene, wanted - len(self._rooms))
        return [stream for room in self._rooms for stream in room.streams]

    def run(self, legs: int, seconds: float) -> Figure:
        """
        Raises:
            Failed: nothing could be heard, or the generator could not keep up, again and again.
        """
        for _ in range(1 + PARDONS):
            streams = self.resize(legs)
            figure = self._run(streams, seconds)
            if figure.take.is_sound:
                return figure
        taken = figure.take.cpu_seconds / figure.take.seconds
        raise Failed(f"the generator could not keep up with {len(streams)} legs ({taken:.0%})")

    def _run(self, streams: list[Stream], seconds: float) -> Figure:
        marks: list[_Mark] = []
        shape = Shape(seconds, warm_up=1.0 + SETTLE * len(streams) / 100)
        take = talk(
            streams,
            frames(self._scene.codec),
            shape,
            mark=lambda: marks.append(self._mark()),
            is_heard=self._is_heard,
        )
        self._is_heard = True
        first, last = marks[0], marks[-1]
        late = _between(first.late, last.late)
        return Figure(
            len(streams),
            (last.cpu - first.cpu) / take.seconds,
            take,
            late.late / late.ticks if late and late.ticks else None,
            late.dropped if late else None,
            (last.core - last.cpu - first.core + first.cpu) / take.seconds,
        )

    def _mark(self) -> "_Mark":
        cpu, core = cpu_seconds(self._server.processes()), busy_seconds(0)
        return _Mark(cpu, core, self._server.late())


class _Mark(NamedTuple):
    cpu: float
    core: float
    late: Late | None


def _between(first: Late | None, last: Late | None) -> Late | None:
    if first is None or last is None:
        return None
    return Late(*(after - before for before, after in zip(first, last, strict=True)))


def capacity(
    stage: Stage, scene: Scene, few: int, effort: Effort, tell: Callable[[Figure], None]
) -> Capacity:
    """`few` is a number of legs that every server carries."""
    first = stage.run(few, effort.seconds)
    tell(first)
    tried: list[Figure] = []
    legs = _rooms(scene, START * few / first.cpu)
    for _ in range(effort.steps):
        try:
            figure = _with_pardon(stage, legs, effort.seconds)
        except Failed as reason:
            print(f"  {legs} legs: {reason}", flush=True)
            break
        tell(figure)
        tried.append(figure)
        legs = _next(scene, first, tried)
        if legs in {each.legs for each in tried}:
            break
    fitting = [figure for figure in (first, *tried) if figure.fits]
    return Capacity(first, max(fitting, key=lambda each: each.legs, default=None), tried)


def _with_pardon(stage: Stage, legs: int, seconds: float) -> Figure:
    figure = stage.run(legs, seconds)
    for _ in range(PARDONS):
        if figure.fits or figure.cpu > FULL:
            break
        figure = stage.run(legs, seconds)
    return figure


def _next(scene: Scene, first: Figure, tried: list[Figure]) -> int:
    """Upwards while all fits, downwards while nothing does, then between the two."""
    good = max((each for each in tried if each.fits), key=lambda each: each.legs, default=None)
    bad = min((each.legs for each in tried if not each.fits), default=0)
    if good is None:
        known = first.legs if first.fits and first.legs < bad else 0
        lower = bad / STEP if len(tried) == 1 else (known + bad) / 2
        return max(_rooms(scene, min(lower, bad - scene.legs)), scene.legs)
    if bad:
        return _rooms(scene, (good.legs + bad) / 2)
    most = max(_rooms(scene, good.legs * STEP), good.legs + scene.legs)
    return min(max(_rooms(scene, _filled(first, good)), most), _rooms(scene, 2 * good.legs))


def _filled(few: Figure, many: Figure) -> float:
    """The legs that fill the core, on the line through the two: a tick has a cost of its own."""
    slope = (many.cpu - few.cpu) / (many.legs - few.legs) if many.legs != few.legs else 0.0
    return many.legs + (FULL - many.cpu) / slope if slope > 0 else 2.0 * many.legs


def _rooms(scene: Scene, legs: float) -> int:
    return max(1, round(legs / scene.legs)) * scene.legs
