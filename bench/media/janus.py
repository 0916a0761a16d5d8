"""The peer in C: AudioBridge of Janus, from Debian's package `janus`, with plain RTP participants.

Set up as Tertulia is: mixing at the same rate, encoding at its bitrate and complexity. Prebuffering
is what Janus does by itself, but where delays are measured also the least.
"""

import itertools
import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from bench.media.cores import on_core
from bench.media.load import Stream
from bench.media.scenes import Late, Room, Scene, streams
from bench.media.voice import BITRATE, OPUS
from bench.places import ROOT, Failed, Skipped
from bench.processes import Died, running, tail, tree, wait_until

COMPLEXITY = 3
"""Of the encoder: Tertulia's own (`tertulia.media.opus.COMPLEXITY`). Janus would take 4."""
INSTALL = ("apt-get", "install", "--yes", "--quiet=2", "--no-install-recommends", "janus")
STARTS = 20
"""The thread of its Unix socket ends at once when it is quicker than the one that starts it."""
PLUGIN = "janus.plugin.audiobridge"
MAIN = """general: {{
    configs_folder = "{place}"
    plugins_folder = "{place}/plugins"
    transports_folder = "{place}/transports"
    events_folder = "{place}/none"
    loggers_folder = "{place}/none"
    debug_level = 3
    session_timeout = 0
}}
"""
TRANSPORT = """general: {{
    enabled = true
    json = "compact"
    path = "{place}/janus.sock"
    type = "SOCK_SEQPACKET"
}}
"""
BRIDGE = """general: {
    local_ip = "127.0.0.1"
    rtp_port_range = "20000-40000"
}
"""
LIBRARIES = {"plugins": "libjanus_audiobridge.so", "transports": "libjanus_pfunix.so"}


class Janus:
    """One Janus, spoken to over its Unix socket; a handle each leg, as its clients have."""

    def __init__(self, process: psutil.Process, place: Path, prebuffering: int | None) -> None:
        self._process = process
        self._prebuffering = prebuffering
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(10)
        self._socket.connect(str(place / "janus.sock"))
        self._numbers = itertools.count(1)
        self._session = self._ask({"janus": "create"})["data"]["id"]
        self._desk = self._handle()
        self._handles: dict[str, list[int]] = {}

    def open(self, scene: Scene, count: int) -> list[Room]:
        if scene.protected:
            raise Skipped("its plain participants have no SRTP")
        return [self._open(scene) for _ in range(count)]

    def _open(self, scene: Scene) -> Room:
        number = next(self._numbers)
        made = list(streams(scene, number << 8))
        self._create(number, scene)
        self._handles[str(number)] = [self._join(number, stream) for stream in made]
        return Room(str(number), made)

    def close(self, room: Room) -> None:
        self._message(self._desk, {"request": "destroy", "room": int(room.name)})
        for handle in self._handles.pop(room.name):
            self._ask({"janus": "detach", "handle_id": handle, "session_id": self._session})
        for stream in room.streams:
            stream.close()

    def processes(self) -> list[psutil.Process]:
        return tree(self._process)

    def late(self) -> Late | None:
        return None

    def _create(self, number: int, scene: Scene) -> None:
        wanted: dict[str, Any] = {"request": "create", "room": number, "permanent": False}
        wanted |= {"sampling_rate": scene.codec.rate, "allow_rtp_participants": True}
        wanted |= {"default_bitrate": BITRATE} if scene.codec is OPUS else {}
        if self._prebuffering is not None:
            wanted["default_prebuffering"] = self._prebuffering
        self._message(self._desk, wanted)

    def _join(self, room: int, stream: Stream) -> int:
        handle = self._handle()
        host, port = stream.socket.getsockname()
        rtp = {"ip": host, "port": port, "payload_type": stream.codec.payload_type}
        wanted: dict[str, Any] = {"request": "join", "room": room, "muted": not stream.talks}
        wanted |= {"codec": stream.codec.name.lower(), "quality": COMPLEXITY, "rtp": rtp}
        joined = self._message(handle, wanted, "joined")
        stream.socket.connect((joined["rtp"]["ip"], joined["rtp"]["port"]))
        return handle

    def _handle(self) -> int:
        asked = {"janus": "attach", "plugin": PLUGIN, "session_id": self._session}
        return int(self._ask(asked)["data"]["id"])

    def _message(self, handle: int, body: dict[str, Any], event: str = "") -> dict[str, Any]:
        asked = {"janus": "message", "session_id": self._session, "handle_id": handle, "body": body}
        answer: dict[str, Any] = self._ask(asked, event)["plugindata"]["data"]
        if "error" in answer:
            raise Failed(f"janus: {body['request']}: {answer['error']}")
        return answer

    def _ask(self, body: dict[str, Any], event: str = "") -> dict[str, Any]:
        """The answer; of what is answered by an event later, that event."""
        transaction = str(next(self._numbers))
        self._socket.send(json.dumps({**body, "transaction": transaction}).encode())
        while True:
            answer: dict[str, Any] = json.loads(self._socket.recv(1 << 20))
            if answer.get("transaction") != transaction or answer["janus"] == "ack":
                continue
            if answer["janus"] == "error":
                raise Failed(f"janus: {answer['error']}")
            return answer


@contextmanager
def janus(place: Path, *, prebuffering: int | None = None) -> Iterator[Janus]:
    """Raises Skipped when it is not there and cannot be installed."""
    binary = _binary()
    place.mkdir(parents=True, exist_ok=True)
    _configure(place)
    log = place / "log"
    command = on_core(0, [binary, "-F", place, "-N", "-L", place / "janus.log"])
    for _ in range(STARTS):
        with running(command, log=log, cwd=ROOT) as process:
            try:
                wait_until(lambda: _listens(place / "janus.sock"), process, log)
                server = Janus(process, place, prebuffering)
            except (Died, OSError):
                continue
            yield server
            return
    raise Failed(f"janus does not start: {tail(place / 'janus.log')}")


def version() -> str:
    done = subprocess.run([_binary(), "--version"], capture_output=True, text=True, timeout=10)
    found = re.search(r"\((\d[\w.]+)\)", done.stdout + done.stderr)
    return found[1] if found else "of unknown version"


def _binary() -> str:
    found = shutil.which("janus")
    if found is None and shutil.which("apt-get"):
        print("media: installing Debian's package janus", flush=True)
        subprocess.run(INSTALL, capture_output=True, timeout=300)
        found = shutil.which("janus")
    if found is None:
        raise Skipped("no janus here, and `apt-get install janus` does not work")
    return found


def _configure(place: Path) -> None:
    (place / "janus.jcfg").write_text(MAIN.format(place=place))
    (place / "janus.transport.pfunix.jcfg").write_text(TRANSPORT.format(place=place))
    (place / "janus.plugin.audiobridge.jcfg").write_text(BRIDGE)
    for folder, library in LIBRARIES.items():
        (place / folder).mkdir()
        found = next(Path("/usr/lib").glob(f"*/janus/{folder}/{library}"), None)
        if found is None:
            raise Skipped(f"janus is here without {library}")
        (place / folder / library).symlink_to(found)


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        return probe.connect_ex(str(path)) == 0
