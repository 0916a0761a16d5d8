"""sipp, the generator of calls: makes so many a second and tells what became of them, or answers.

It is Debian's package sip-tester.
"""

import csv
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
from msgspec import Struct

from bench.places import Failed, Skipped
from bench.processes import free_port, running

HOST = "127.0.0.1"
CALLERS = 1000
"""Different ones, each of whom calls again when all have."""
CALLER = "4477009{number:05}"
PATIENCE = 20_000
"""Milliseconds for each message."""
INSTALL = ("apt-get", "install", "--yes", "--quiet=2", "--no-install-recommends", "sip-tester")
_HEAD = """Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:[field0]@[local_ip]:[local_port]>;tag=[pid]-[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
Contact: <sip:[field0]@[local_ip]:[local_port]>
Max-Forwards: 70"""
_SDP = """v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0 101
a=rtpmap:101 telephone-event/8000"""
_TO = "sip:[service]@[remote_ip]:[remote_port] SIP/2.0"
CALLING = f"""<?xml version="1.0" encoding="UTF-8"?>
<scenario name="calling">
<send retrans="500" start_rtd="1"><![CDATA[
INVITE {_TO}
{_HEAD}
CSeq: 1 INVITE
Content-Type: application/sdp
Content-Length: [len]

{_SDP}
]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="200" rtd="1"/>
<send><![CDATA[
ACK {_TO}
{_HEAD}
CSeq: 1 ACK
Content-Length: 0

]]></send>
<pause/>
<send retrans="500"><![CDATA[
BYE {_TO}
{_HEAD}
CSeq: 2 BYE
Content-Length: 0

]]></send>
<recv response="200"/>
</scenario>
"""


class Wave(NamedTuple):
    """Calls, one after the other; each stays for `hold` seconds."""

    rate: float
    """A second."""
    calls: int
    hold: float = 1.0


class Outcome(Struct, frozen=True):
    wave: Wave
    done: int
    """Calls that were answered and have ended as they should."""
    failed: int
    repeats: int
    """Messages that had to be sent again."""
    seconds: float
    """Without the time for which the last call stayed."""
    p50_ms: float
    p99_ms: float
    """From the call to its answer."""
    complaint: str = ""

    @property
    def rate(self) -> float:
        """Calls a second that were done."""
        return self.done / self.seconds

    @property
    def is_carried(self) -> bool:
        """All, in their time, and nobody had to ask twice."""
        in_time = self.rate > 0.98 * self.wave.rate
        return not self.failed and in_time and self.repeats <= 0.001 * self.wave.calls


def call(port: int, number: str, wave: Wave, place: Path) -> Outcome:
    """Have a server on this port called, all calls to one number of its.

    Raises Skipped: there is no sipp.
    """
    folder = place / f"wave-{len(list(place.iterdir()))}"
    folder.mkdir()
    (folder / "calling.xml").write_text(CALLING)
    numbers = "".join(f"{CALLER.format(number=each)};\n" for each in range(CALLERS))
    (folder / "callers.csv").write_text(f"SEQUENTIAL\n{numbers}")
    command = [
        program(), f"{HOST}:{port}", "-sf", "calling.xml", "-inf", "callers.csv", "-s", number,
        "-r", f"{wave.rate:g}", "-m", str(wave.calls), "-d", f"{1000 * wave.hold:.0f}",
        "-l", str(wave.calls), *_own("told"),
        "-trace_rtt", "-rtt_freq", str(wave.calls), "-recv_timeout", str(PATIENCE),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=_environment())
    return _outcome(folder, wave, done.stdout[-500:] + done.stderr[-500:])


@contextmanager
def answering(place: Path) -> Iterator[tuple[int, psutil.Process]]:
    """sipp as a phone network that answers every call at once; its port and process."""
    port = free_port()
    command = [program(), "-sn", "uas", "-p", str(port), *_own("answered")]
    place.mkdir()
    with running(command, log=place / "log", cwd=place, env=_environment()) as process:
        yield port, process


def program() -> str:
    """Raises Skipped when it is not there and cannot be installed."""
    found = shutil.which("sipp")
    if found is None and shutil.which("apt-get"):
        print("sip: installing Debian's package sip-tester", flush=True)
        subprocess.run(INSTALL, capture_output=True, timeout=300)
        found = shutil.which("sipp")
    if found is None:
        raise Skipped("no sipp here, and `apt-get install sip-tester` does not work")
    return found


def _own(name: str) -> Sequence[str]:
    return (
        "-i", HOST, "-nostdin", "-trace_stat", "-stf", f"{name}.csv", "-fd", "60",
        "-trace_err", "-error_file", "errors",
    )  # fmt: skip


def _environment() -> dict[str, str]:
    return {**os.environ, "TERM": "dumb"}


def _outcome(folder: Path, wave: Wave, said: str) -> Outcome:
    told = folder / "told.csv"
    if not told.exists():
        raise Failed(f"sipp: {said}")
    with told.open() as file:
        last = list(csv.DictReader(file, delimiter=";"))[-1]
    errors = folder / "errors"
    times = _answer_times(folder)
    began, ended = (float(last[name].split("\t")[-1]) for name in ("StartTime", "CurrentTime"))
    return Outcome(
        wave,
        done=int(last["SuccessfulCall(C)"]),
        failed=int(last["FailedCall(C)"]),
        repeats=int(last["Retransmissions(C)"]),
        seconds=max(ended - began - wave.hold, 0.001),
        p50_ms=times[len(times) // 2],
        p99_ms=times[99 * len(times) // 100],
        complaint=errors.read_text(errors="replace")[:2000] if errors.exists() else "",
    )


def _answer_times(folder: Path) -> list[float]:
    """Milliseconds, in order."""
    times = [0.0]
    for path in folder.glob("*_rtt.csv"):
        with path.open() as file:
            times += [float(row["response_time_ms"]) for row in csv.DictReader(file, delimiter=";")]
    return sorted(times[1:]) or times
