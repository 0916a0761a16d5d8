"""The contenders of the live benchmark: each makes a room with members and senders on a server.

A message is delivered exactly once to each receiver. With Tertulia the senders are the first of the
receivers, who post by REST as the SDKs do; with the others they are connections of their own.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import psutil

from bench import peers
from bench.live import TEXT, Receiver, Sender, Stage
from bench.places import ROOT
from bench.processes import free_port, listens, running, tree, wait_until
from bench.product import product
from bench.rest import Rest
from bench.tokens import Issuer

BODY = f'{{"message_type":"text","text":"{TEXT}"}}'
POSTED = f'{{"type":"message","from":"{{f}}","body":{BODY}}}'
FIRST_QUERY = {
    "session_version": "0.0.3",
    "acknowledge_events": "true",
    "SDK_version": "2.3.1",
    "SDK_name": "@vonage/client-sdk",
    "OS_family": "js",
    "OS_revision": "bench",
    "EIO": "4",
    "transport": "websocket",
}
"""As `@vonage/client-sdk` connects at first."""
AGAIN_QUERY = {"EIO": "4", "transport": "websocket"}
"""As it reconnects, with the session's id."""


class Opened(NamedTuple):
    """A stage and the processes of its server."""

    stage: Stage
    process: psutil.Process
    main: psutil.Process
    """The one that holds the sessions."""

    def processes(self) -> list[psutil.Process]:
        return tree(self.process)


Opening = Callable[[Path, int, int], AbstractContextManager[Opened]]
"""Of a directory, a number of receivers and a number of senders."""


@contextmanager
def tertulia(place: Path, receivers: int, senders: int, *, room: bool = True) -> Iterator[Opened]:
    """Without a room the receivers are users who are members of nothing."""
    with product(place / "data") as server:
        names = [f"user-{number}" for number in range(receivers)]
        stage = staged(server.port, server.rest(), server.issuer, names, senders if room else 0)
        yield Opened(stage, server.process, server.hub())


def staged(port: int, rest: Rest, issuer: Issuer, names: Sequence[str], senders: int) -> Stage:
    """New users, the first of whom post; without senders they are members of nothing."""
    users = [_user(rest, name) for name in names]
    tokens = [issuer.user_token(name) for name in names]
    return Stage(
        port,
        [_receiver(token) for token in tokens],
        _joined(rest, users, tokens[:senders]) if senders else [],
        POSTED,
        ("-y", '"session:success"'),
    )


def _user(rest: Rest, name: str) -> str:
    return str(rest.post("/v1/users", {"name": name})["id"])


def _joined(rest: Rest, users: list[str], tokens: list[str]) -> list[Sender]:
    """All users in one conversation; the tokens are those of the first, the senders."""
    room = rest.post("/v1/conversations", {"name": f"room of {users[0]}"})["id"]
    path = f"/v0.3/conversations/{room}"
    members = [
        rest.post(
            f"{path}/members",
            {"state": "joined", "user": {"id": user}, "channel": {"type": "app"}},
        )["id"]
        for user in users
    ]
    speakers = zip(tokens, members, strict=False)
    return [Sender(f"{path}/events", token, member) for token, member in speakers]


def _receiver(token: str) -> Receiver:
    return Receiver(
        f"/v2/rtc/?{urlencode({'token': token, **FIRST_QUERY})}",
        f"/v2/rtc/?{urlencode({'token': token, **AGAIN_QUERY})}&session_id=",
    )


ROOM = "CON-00000000-0000-4000-8000-000000000000"
MEMBER = "MEM-00000000-0000-4000-8000-000000000000"
SOCKETIO_PATH = "/socket.io/?EIO=4&transport=websocket"


def _socketio_stage(port: int, receivers: int, senders: int) -> Stage:
    event = f'{{"cid":"{ROOM}","type":"message","from":"{{f}}","body":{BODY}}}'
    return Stage(
        port,
        [Receiver(SOCKETIO_PATH)] * receivers,
        [Sender(SOCKETIO_PATH, member=MEMBER)] * senders,
        f'["post",{event}]',
        ("-S", "-j", f'42["join","{ROOM}"]', "-y", '"joined"'),
    )


def _bun_stage(port: int, receivers: int, senders: int) -> Stage:
    path = f"/v1/conversations/{ROOM}"
    return Stage(
        port,
        [Receiver(f"{path}/socket")] * receivers,
        [Sender(f"{path}/events", member=MEMBER)] * senders,
        POSTED,
        ("-P",),
    )


@contextmanager
def _peer(
    start: Callable[[int, Path], peers.Peer],
    stage: Callable[[int, int, int], Stage],
    place: Path,
    receivers: int,
    senders: int,
) -> Iterator[Opened]:
    port = free_port()
    peer = start(port, place)
    log = place / "log"
    with running(peer.command, log=log, cwd=ROOT, env=peer.env) as process:
        wait_until(lambda: listens(port), process, log)
        yield Opened(stage(port, receivers, senders), process, process)


PEERS: dict[str, Opening] = {
    "socket.io": partial(_peer, peers.room_socketio, _socketio_stage),
    "bun": partial(_peer, peers.room_bun, _bun_stage),
    "python-socketio": partial(_peer, peers.room_python_socketio, _socketio_stage),
}
