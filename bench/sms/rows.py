"""What is measured of short messages, as rows of the table."""

import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.load import Load, Shape, Target, drive
from bench.media.cores import on_core
from bench.peers import Peer
from bench.places import ROOT, Failed, fresh
from bench.processes import free_port, listens, running, wait_until
from bench.report import Row, thousands
from bench.sip import server
from bench.sip.server import Served, cost, together
from bench.sms.smsc import Tally

AIM = 1000.0
"""Messages a second, with one core for the hub."""
CONNECTIONS = 64
PATIENCE = 30.0
"""Seconds without news after which what is missing counts as lost."""
TEXT = "Your code is 123456. It is valid for ten minutes."


class Smsc(NamedTuple):
    """A running one."""

    port: int
    control: int

    def ask(self, command: str = "tally") -> Tally:
        with socket.create_connection(("127.0.0.1", self.control), 30) as connection:
            connection.sendall(f"{command}\n".encode())
            with connection.makefile("rb") as answer:
                return msgspec.json.decode(answer.readline(), type=Tally)


Program = Callable[[int, int], Peer]
"""For the SMSC's port and a number of messages."""


class Outcome(NamedTuple):
    load: Load
    before: Tally
    after: Tally
    seconds: float
    """From the first request to the last receipt."""
    delivered: int
    """By our own store."""
    cost: dict[str, float]


def of_messages(part: str, title: str, messages: int, *, cuts: bool) -> list[Row]:
    """Messages by the API to an SMSC, in an open loop, until all receipts are there."""
    print(f"sms: {title}", flush=True)
    with fresh("sms") as place, smsc(place) as peer:
        with server.tertulia(place, "--config", str(_config(place, peer))) as served:
            send(served, peer, place, 2_000, AIM, series=1)
            before = served.pss("hub")
            if cuts:
                threading.Timer(messages / AIM / 2, peer.ask, ["cut"]).start()
            outcome = send(served, peer, place, messages, AIM, series=2)
            after = served.pss("hub")
            faster = None if cuts else send(served, peer, place, messages // 5, 0, series=3)
        later = served.pss("hub")
    rows = [_main(part, title, messages, outcome, cuts=cuts)]
    if faster is not None:
        rate = messages // 5 / faster.seconds
        value = f"{rate:.0f}/s; CPU a message, µs: {_microseconds(faster.cost)}"
        rows.append(Row(part, f"{title}: as fast as it goes", value))
    rows.append(_memory(part, messages, before, after, None if cuts else later))
    return rows


def of_client(part: str, title: str, messages: int, program: Program) -> list[Row]:
    """A client of SMPP with nothing behind it, on the first core."""
    print(f"sms: {title}", flush=True)
    with fresh("sms") as place, smsc(place) as peer:
        client = program(peer.port, messages)
        done = subprocess.run(
            [str(word) for word in on_core(0, client.command)], cwd=ROOT, text=True,
            env={**os.environ, **client.env}, capture_output=True, timeout=600,
        )  # fmt: skip
        if done.returncode:
            raise Failed(done.stderr[-1500:] or "it said nothing")
        told = msgspec.json.decode(done.stdout, type=dict[str, float])
        tally = peer.ask()
    micro = 1e6 * told["cpu"] / messages
    value = (
        f"{tally.taken} taken, {tally.acknowledged} receipts; {messages / told['seconds']:.0f}/s; "
        f"CPU a message, µs: {micro:.0f}"
    )
    return [Row(part, f"{title}: {thousands(messages)}", value, details=told)]


def ours(port: int, messages: int) -> Peer:
    return Peer([sys.executable, "-m", "bench.sms.carrier", str(port), str(messages)], {})


def _memory(part: str, messages: int, before: int, after: int, later: int | None) -> Row:
    value = f"{before / 1e6:.0f} → {after / 1e6:.0f} MB"
    if later is not None:
        value += f", after {thousands(messages // 5)} more {later / 1e6:.0f}"
    return Row(part, f"memory of the hub, before and after {thousands(messages)}", value)


def _main(part: str, title: str, messages: int, outcome: Outcome, *, cuts: bool) -> Row:
    taken = outcome.after.taken - outcome.before.taken
    repeated = outcome.after.repeated - outcome.before.repeated
    lost = messages - outcome.delivered
    rate = messages / outcome.seconds
    value = (
        f"{thousands(outcome.load.accepted)} accepted, {thousands(taken)} taken, {repeated} twice, "
        f"{thousands(outcome.delivered)} known to be delivered, {lost} lost; {rate:.0f}/s; "
        f"accepted after {outcome.load.p50_ms:.1f} · {outcome.load.p99_ms:.1f} ms; "
        f"CPU a message, µs: {_microseconds(outcome.cost)}"
    )
    met = not lost and (cuts or rate >= AIM * 0.97) and (cuts or not repeated)
    return Row(
        part, f"{title}: {thousands(messages)} at {AIM:.0f}/s", value,
        aim="0 lost" if cuts else f"≥ {AIM:.0f}/s, 0 lost", met=met, failed=bool(lost),
        details={"outcome": outcome._asdict()},
    )  # fmt: skip


def _microseconds(costs: dict[str, float]) -> str:
    return together({name: 1000 * each for name, each in costs.items()})


def send(
    served: Served, peer: Smsc, place: Path, messages: int, rate: float, *, series: int
) -> Outcome:
    """`series` keeps the numbers of one apart from those of another."""
    product = served.product
    assert product is not None
    folder = place / f"series-{series}"
    folder.mkdir()
    before, cpu = peer.ask(), served.cpu()
    known = _delivered(place)
    begun = time.monotonic()
    load = drive(
        product.port, [Target("/v1/messages")],
        Shape(CONNECTIONS, seconds=3600, rate=rate, most=messages),
        place=folder, token=product.token, body=_body(series),
    )  # fmt: skip
    after = _settled(peer, before.acknowledged + load.accepted)
    seconds = time.monotonic() - begun
    spent = cost(cpu, served.cpu(), messages)
    return Outcome(load, before, after, seconds, _delivered(place) - known, spent)


def _settled(peer: Smsc, acknowledged: int) -> Tally:
    latest, at = peer.ask(), time.monotonic()
    while latest.acknowledged < acknowledged and time.monotonic() - at < PATIENCE:
        time.sleep(0.1)
        tally = peer.ask()
        if tally != latest:
            latest, at = tally, time.monotonic()
    return latest


def _delivered(place: Path) -> int:
    """What the store has come to know."""
    files = list((place / "data").glob("*.db"))
    path = next((each for each in files if each.name == "tertulia.db"), None)
    if path is None:
        raise Failed(f"no store among {[each.name for each in files]}")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        (found,) = connection.execute(
            "SELECT count(*) FROM sendings WHERE stage = 2 "
            'AND instr(CAST(sending AS TEXT), \'"status":"delivered"\')'
        ).fetchone()
    return int(found)


def _body(series: int) -> str:
    return (
        f'{{"channel":"sms","message_type":"text","to":"44{series}{{n}}","from":"15550199",'
        f'"text":"{TEXT}"}}'
    )


def _config(place: Path, peer: Smsc) -> Path:
    plan, config = place / "messaging.toml", place / "config.toml"
    plan.write_text(
        f'[[carrier]]\nname = "smsc"\nkind = "smpp"\nchannels = ["sms"]\nhost = "127.0.0.1"\n'
        f'port = {peer.port}\nsystem_id = "bench"\npassword = "bench"\nwindow = 200\n'
        "first_retry_seconds = 0.5\n"
    )
    config.write_text(f'[messaging]\nplan = "{plan}"\n')
    return config


@contextmanager
def smsc(place: Path) -> Iterator[Smsc]:
    port, control = free_port(), free_port()
    log = place / "smsc.log"
    command = [sys.executable, "-m", "bench.sms.smsc", str(port), str(control)]
    with running(command, log=log, cwd=ROOT) as process:
        wait_until(lambda: listens(port) and listens(control), process, log)
        yield Smsc(port, control)
