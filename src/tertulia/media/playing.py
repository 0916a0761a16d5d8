"""What legs and rooms are played: files, growing files, tones.

Each target, a leg or a room by its id, has a lane: one play at a time, others waiting. Threads
open, decode and resample about a second ahead; the loop only takes what is there.

    every tick: players.advance(at), then for each of players.targets: players.pull(...)
"""

from collections import deque
from collections.abc import Callable, Collection
from threading import Lock

import numpy as np

from tertulia.media.audio_files import (
    AudioError,
    AudioFile,
    Blocks,
    GrowingFile,
    Piece,
    Reader,
    Samples,
    resampled,
)
from tertulia.media.background import Background, Jobs
from tertulia.media.tone_blocks import ToneBlocks
from tertulia.media.tones import BEEP
from tertulia.model.commands import AnyReport, Play, Played, Playing, Ripe
from tertulia.model.instant import Instant

AHEAD = 5
"""Pieces, of a fifth of a second each, that are decoded ahead."""
LOW = 3
"""With so few left, more are fetched."""
WAITING_MAX = 64
"""Plays that wait in one lane; each holds an open file."""
STALLED_MS = 30_000
"""A growing file from which nothing more comes for so long is given up."""
FADES_A_SECOND = 200
"""What is stopped fades out within 5 ms."""

Report = Callable[[AnyReport], None]


class _Player:
    """One play. The threads fill `_pieces`, the loop takes from them."""

    def __init__(self, play: Play, jobs: Jobs, failed: deque["_Player"]) -> None:
        self.play = play
        self.begun = False
        self.over = False
        """Nothing more comes out."""
        self.stopped = False
        self.fading = False
        self.error: str | None = None
        self.fed_at: Instant | None = None
        """When the last sample was taken, or the first one asked for."""
        self._jobs = jobs
        self._failed = failed
        self._pieces: deque[Piece] = deque()
        self._taken = 0
        """Samples of the first piece that are gone."""
        self._rate = 0
        self._blocks: Blocks | None = None
        self._reader: Reader | None = None
        self._size: int | None = None
        self._complete = False
        self._filling = False
        self._using = Lock()

    @property
    def growing(self) -> bool:
        return self.play.kind == "raw"

    def prepare(self, rate: int) -> None:
        """Have more fetched, unless it is being done or there is no more."""
        if not (self._filling or self._complete or self.over or self.error):
            self._rate = rate
            self._filling = True
            self._jobs.do(self._fill)

    def ripen(self, size: int) -> None:
        self._size = size
        if isinstance(self._blocks, GrowingFile):
            self._blocks.size = size

    def drop(self) -> None:
        """It is over, whatever there is left."""
        if not self.over:
            self.over = True
            self._jobs.do(self._close)

    def take(self, rate: int, count: int) -> Samples | None:
        """At most so many samples; None when there are none now. Sets `over` with the last."""
        if len(self._pieces) <= LOW:
            self.prepare(rate)
        while self._pieces:
            if self._pieces[0].rate != rate:
                self._convert(rate)
            piece = self._pieces[0]
            taken = piece.samples[self._taken : self._taken + count]
            self._taken += len(taken)
            if self._taken == len(piece.samples):
                self._pieces.popleft()
                self._taken = 0
                # The end is often a piece without samples; it belongs to the one before it.
                if piece.last or (self._pieces and _is_end(self._pieces[0])):
                    self.drop()
            if len(taken) or self.over:
                return taken
        return None

    def fade(self, rate: int, count: int) -> Samples | None:
        """The last few samples, ever softer."""
        taken = self.take(rate, min(count, rate // FADES_A_SECOND))
        self.drop()
        if taken is None:
            return None
        return (taken * np.linspace(1, 0, len(taken), dtype=np.float32)).astype(np.int16)

    def _convert(self, rate: int) -> None:
        """Bring what is decoded to another rate: rarely, and in one go, for one seam."""
        wrong = [self._pieces.popleft()]
        while self._pieces and self._pieces[0].rate == wrong[0].rate:
            wrong.append(self._pieces.popleft())
        joined = np.concatenate([piece.samples for piece in wrong])[self._taken :]
        self._taken = 0
        converted = resampled(joined, wrong[0].rate, rate)
        self._pieces.appendleft(Piece(converted, rate, wrong[-1].last))

    def _fill(self) -> None:
        """By a thread."""
        error: str | None = "it cannot be played"  # unless it turns out otherwise
        try:
            with self._using:
                self._read_ahead()
            error = None
        except AudioError as reason:
            error = str(reason)
        except OSError as reason:
            error = f"the file cannot be read: {reason.strerror}"
        finally:
            self.error = error
            self._filling = False
            if error is not None:
                self._failed.append(self)

    def _read_ahead(self) -> None:
        if self.over:
            return
        reader = self._reader or self._opened()
        while len(self._pieces) < AHEAD and not self._complete:
            piece = reader.read(self._rate)
            if not len(piece.samples) and not piece.last and self.growing:
                return
            self._complete = piece.last
            if len(piece.samples) or piece.last:
                self._pieces.append(piece)

    def _opened(self) -> Reader:
        play = self.play
        if play.kind == "tone":
            self._blocks = ToneBlocks(play.path, loop=play.loop)
        elif play.kind == "raw":
            self._blocks = growing = GrowingFile(play.path, loop=play.loop)
            growing.size = self._size
        else:
            self._blocks = AudioFile(play.path, loop=play.loop)
        self._reader = Reader(self._blocks, play.level)
        return self._reader

    def _close(self) -> None:
        """By a thread: after any that still reads."""
        with self._using:
            reader, self._reader = self._reader, None
            self._complete = True
            self._pieces.clear()
            if reader is not None:
                reader.close()


def _is_end(piece: Piece) -> bool:
    return piece.last and not len(piece.samples)


class _Lane:
    """What one target is played: `present`, then those that wait; a beep on top."""

    def __init__(self) -> None:
        self.present: _Player | None = None
        self.waiting: deque[_Player] = deque()
        self.beep_at: float | None = None
        """Seconds of the beep that are over."""

    @property
    def is_idle(self) -> bool:
        return self.present is None and self.beep_at is None

    def all(self) -> list[_Player]:
        return [player for player in (self.present, *self.waiting) if player is not None]


class Players:
    """All that is played by a worker. Used by one thread."""

    def __init__(self, report: Report, jobs: Jobs | None = None) -> None:
        self._report = report
        self._jobs = jobs or Background("play", threads=2)
        self._failed: deque[_Player] = deque()
        self._players: dict[str, _Player] = {}
        self._lanes: dict[str, _Lane] = {}
        self._at = Instant(0)
        self.underruns = 0
        """Frames that were cut short because a file was not decoded in time."""

    @property
    def targets(self) -> Collection[str]:
        """Legs and rooms to which something is, or is about to be, played: pull for each of them
        once a tick, and not while iterating over this. Who is not pulled stands still."""
        return self._lanes.keys()

    def start(self, play: Play, rate: int = 16_000) -> None:
        """`rate`: at which it is likely to be pulled."""
        key = play.leg or play.room
        if key is None or play.play in self._players:
            return
        lane = self._lanes.setdefault(key, _Lane())
        player = _Player(play, self._jobs, self._failed)
        if play.queue and len(lane.waiting) >= WAITING_MAX:
            self._tell_end(player, "too much is waiting to be played there")
            return
        self._players[play.play] = player
        player.prepare(rate)
        if not play.queue:
            self._make_way(lane)
        elif lane.present is not None:
            lane.waiting.append(player)
            return
        if lane.present is None:
            lane.present = player
        else:
            lane.waiting.appendleft(player)

    def ripe(self, ripe: Ripe) -> None:
        player = self._players.get(ripe.play)
        if player is None:
            return
        if ripe.error is not None:
            self._end(player, ripe.error)
        else:
            player.ripen(ripe.size)

    def stop(self, play: str) -> None:
        """What is heard fades out with the next pull; what is not yet, ends at once."""
        player = self._players.get(play)
        if player is None:
            return
        player.stopped = True
        if player.begun:
            player.fading = True
        else:
            self._end(player)

    def beep(self, key: str) -> None:
        """A short tone, on top of whatever is played there; nothing is reported."""
        self._lanes.setdefault(key, _Lane()).beep_at = 0.0

    def gone(self, key: str) -> None:
        """A target is no more: all that was to be played there is stopped."""
        lane = self._lanes.pop(key, None)
        for player in lane.all() if lane else ():
            player.stopped = True
            self._forget(player, None)

    def advance(self, at: Instant) -> None:
        """A tick begins: what is pulled until the next one is heard then."""
        self._at = at
        while self._failed:
            player = self._failed.popleft()
            self._end(player, player.error)

    def pull(self, key: str, rate: int, count: int) -> Samples | None:
        """The next samples for a target, not to be written to; None is silence."""
        lane = self._lanes.get(key)
        if lane is None:
            return None
        frame = self._frame(lane, rate, count) if lane.present is not None else None
        if lane.beep_at is not None:
            frame = self._beeped(lane, frame, rate, count)
        if lane.is_idle:
            self._lanes.pop(key, None)
        return frame

    def close(self) -> None:
        """End without reporting."""
        for player in self._players.values():
            player.drop()
        self._jobs.close(timeout=2.0)

    def _frame(self, lane: _Lane, rate: int, count: int) -> Samples | None:
        parts: list[Samples] = []
        done = 0
        while done < count and (player := lane.present) is not None:
            taken = (player.fade if player.fading else player.take)(rate, count - done)
            if taken is None and not player.over:
                self._starve(player)
                break
            if taken is not None and len(taken):
                self._begin(player, done, rate)
                parts.append(taken)
                done += len(taken)
            if player.over:
                self._at_end(lane, player, done, rate)
        return _joined(parts, done, count)

    def _begin(self, player: _Player, done: int, rate: int) -> None:
        player.fed_at = self._at
        if not player.begun:
            player.begun = True
            self._report(Playing(player.play.play, self._instant(done, rate)))

    def _at_end(self, lane: _Lane, player: _Player, done: int, rate: int) -> None:
        lane.present = lane.waiting.popleft() if lane.waiting else None
        del self._players[player.play.play]
        self._report(Played(player.play.play, self._instant(done, rate), player.stopped))

    def _starve(self, player: _Player) -> None:
        if player.fed_at is None:
            player.fed_at = self._at
        if not player.growing:
            self.underruns += player.begun
        elif self._at - player.fed_at >= STALLED_MS:
            self._end(player, f"nothing more came for {STALLED_MS // 1000} seconds")

    def _make_way(self, lane: _Lane) -> None:
        """End what is heard, and what was to replace it; what waits goes on waiting."""
        if lane.waiting and not lane.waiting[0].play.queue:
            self.stop(lane.waiting[0].play.play)
        if lane.present is None:
            return
        self.stop(lane.present.play.play)
        if lane.present is not None and not lane.present.fading:
            lane.waiting.appendleft(lane.present)
            lane.present = None

    def _end(self, player: _Player, error: str | None = None) -> None:
        """At once, wherever it stands."""
        if self._players.get(player.play.play) is not player:
            return
        lane = self._lanes[player.play.leg or player.play.room or ""]
        if lane.present is player:
            lane.present = lane.waiting.popleft() if lane.waiting else None
        else:
            lane.waiting.remove(player)
        self._forget(player, error)

    def _forget(self, player: _Player, error: str | None) -> None:
        del self._players[player.play.play]
        player.drop()
        self._tell_end(player, error)

    def _tell_end(self, player: _Player, error: str | None) -> None:
        self._report(Played(player.play.play, self._at, player.stopped and error is None, error))

    def _instant(self, done: int, rate: int) -> Instant:
        return Instant(self._at + done * 1000 // rate)

    def _beeped(self, lane: _Lane, frame: Samples | None, rate: int, count: int) -> Samples:
        start = round((lane.beep_at or 0.0) * rate)
        sound = BEEP.samples(start, count, rate)
        is_over = start + count >= (BEEP.length(rate) or 0)
        lane.beep_at = None if is_over else (start + count) / rate
        if frame is None:
            return sound
        return np.clip(np.add(sound, frame, dtype=np.int32), -32_768, 32_767).astype(np.int16)


def _joined(parts: list[Samples], done: int, count: int) -> Samples | None:
    if not parts:
        return None
    if done < count:
        parts.append(np.zeros(count - done, np.int16))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
