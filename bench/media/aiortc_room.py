"""The peer in Python: aiortc, one room on a mixer of the plainest kind (peers/room_aiortc.py)."""

import itertools
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.media.cores import on_core
from bench.media.joining import Client, join
from bench.media.scenes import Late, Room, Scene, streams
from bench.peers import python_with
from bench.places import BENCH, Failed
from bench.processes import stop, tail, tree

HERE = BENCH / "media" / "peers"


class AiortcRoom:
    """All rooms of it are the same one."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self._process = process
        self._log = log
        self._numbers = itertools.count(1)

    def open(self, scene: Scene, count: int) -> list[Room]:
        return [self._open(scene) for _ in range(count)]

    def _open(self, scene: Scene) -> Room:
        number = next(self._numbers)
        clients = [Client(stream) for stream in streams(scene, number << 8)]
        for client in clients:
            client.accept(self._answer(client.offer()))
        join(clients)
        return Room(str(number), [client.stream for client in clients])

    def close(self, room: Room) -> None:
        for stream in room.streams:
            stream.close()

    def processes(self) -> list[psutil.Process]:
        return tree(psutil.Process(self._process.pid))

    def late(self) -> Late | None:
        return None

    def _answer(self, offer: str) -> str:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(offer) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise Failed(f"aiortc: {tail(self._log)}")
        return str(json.loads(line))


@contextmanager
def aiortc_room(place: Path) -> Iterator[AiortcRoom]:
    """Raises Skipped when it cannot be installed."""
    python = python_with(HERE / "requirements.txt", "venv-media")
    place.mkdir(parents=True, exist_ok=True)
    log = place / "log"
    with (
        log.open("ab") as errors,
        subprocess.Popen(
            [str(word) for word in on_core(0, [python, HERE / "room_aiortc.py"])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            yield AiortcRoom(process, log)
        finally:
            stop(psutil.Process(process.pid))
