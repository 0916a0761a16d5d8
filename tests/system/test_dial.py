"""`tertulia dial` to each of the simulated phones, through a real server, SIP and RTP."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import soundfile
from tests.system.tree import Tree, plain_environment, until

pytestmark = pytest.mark.system

RUNG = r"timeout · SIP 487 .+"
ENDED_AT = r"completed after {} s · SIP 200 OK"


class Dialled(NamedTuple):
    code: int
    lines: list[str]
    complaint: str

    @property
    def outcome(self) -> str:
        return self.lines[-1]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    made = Tree(tmp_path_factory.mktemp("dial"))
    made.start()
    until("phones", lambda: (made.data / "phones.json").exists())
    yield made
    made.end()


def begun(tree: Tree, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tertulia", "dial", *arguments, "--data", str(tree.data)],
        env=plain_environment() | {"PYTHONUTF8": "1"}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def dial(tree: Tree, *arguments: str) -> Dialled:
    process = begun(tree, *arguments)
    said, complaint = process.communicate(timeout=120)
    return Dialled(process.returncode, said.splitlines(), complaint)


def test_each_number_comes_to_its_end(tree: Tree) -> None:
    calls = {
        "15550100": ("15550100", "--amd", "--seconds", "6"),
        "15550101": ("15550101", "--amd", "--seconds", "25"),
        "15550102": ("15550102",),
        "15550103": ("15550103", "--ring", "3"),
        "15550104": ("15550104", "--press", "9"),
        "15550105": ("15550105", "--seconds", "5"),
        "15550106": ("15550106",),
        "15550107": ("15550107",),
        "15550108": ("15550108", "--seconds", "5"),
    }
    with ThreadPoolExecutor(3) as pool:
        done = dict(
            zip(calls, pool.map(lambda each: dial(tree, *each), calls.values()), strict=True)
        )
    expected = {
        "15550100": ENDED_AT.format("6") + " · human",
        "15550101": ENDED_AT.format("25") + r" · machine · beep \d+\.\d s after the answer",
        "15550102": "busy · SIP 486 Busy Here",
        "15550103": RUNG,
        "15550104": ENDED_AT.format(r"\d\d?"),
        "15550105": ENDED_AT.format("5"),
        "15550106": "rejected · SIP 603 .+",
        "15550107": "failed · SIP 404 Not Found",
        "15550108": ENDED_AT.format("5"),
    }
    for number, pattern in expected.items():
        assert done[number].complaint == ""
        assert re.fullmatch(pattern, done[number].outcome), "\n".join(done[number].lines)
        assert done[number].code == (0 if "completed" in pattern else 1)
    menu = done["15550104"].lines
    assert any("◀── BYE" in line for line in menu), "the menu hangs up when 9 is pressed"
    assert any("audio:dtmf: 9" in line for line in menu)


def test_the_echo_is_recorded(tree: Tree, tmp_path: Path) -> None:
    file = tmp_path / "echo.wav"
    arguments = ("15550105", "--say", "One, two, three.", "--seconds", "5", "--record", str(file))
    done = dial(tree, *arguments)
    assert (done.code, done.complaint) == (0, "")
    assert done.outcome.endswith(f"recorded in {file}")
    samples, rate = soundfile.read(file)
    assert len(samples) / rate > 4
    assert abs(samples).max() > 0.02


def test_a_script_and_a_document(tree: Tree, tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text('[{"action": "talk", "text": "Goodbye."}]')
    done = dial(tree, "15550105", "--script", str(script), "--from", "447700900001", "--json")
    assert (done.code, done.complaint, len(done.lines)) == (0, "", 1)
    document: dict[str, Any] = json.loads(done.outcome)
    assert (document["status"], document["sip"]) == ("completed", {"code": 200, "reason": "OK"})
    told = [(each["lane"], each["text"], each["detail"]) for each in document["moments"]]
    assert ("script", "talk", "Goodbye.") in told and ("script", "end", "") in told


def test_an_interrupt_hangs_up(tree: Tree) -> None:
    process = begun(tree, "15550103")
    assert process.stdout is not None
    head = [process.stdout.readline() for _ in range(6)]
    process.send_signal(signal.SIGINT)
    rest, complaint = process.communicate(timeout=30)
    assert (process.returncode, complaint) == (1, ""), head
    assert rest.splitlines()[-1].startswith("cancelled · SIP 487"), rest


def test_what_is_refused(tree: Tree) -> None:
    for arguments, reason in (
        (("nobody-here",), "User does not exist"),
        (("15550100", "--press", "hash"), "keys are"),
        (("15550100", "--script", "/none.json"), "/none.json"),
        (("15550100", "--record", "call.txt"), "an .mp3, .wav or .ogg file"),
        (("15550100", "--seconds", "0"), "length_timer"),
    ):
        done = dial(tree, *arguments)
        assert (done.code, done.lines) == (1, []), arguments
        assert done.complaint.startswith("tertulia: ") and reason in done.complaint
        assert "Traceback" not in done.complaint
