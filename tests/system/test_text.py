"""`tertulia text` to simulated handsets, through a real server and every channel's own protocol."""

import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.system.simulated import wait_for_phones
from tests.system.tree import Tree, plain_environment

pytestmark = pytest.mark.system

CHANNELS = {
    "sms": "15550114", "mms": "15550114", "whatsapp": "15550114", "viber": "15550114",
    "messenger": "15550114", "rcs": "15550114", "email": "ann15550114@mail.test",
}  # fmt: skip


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    made = Tree(tmp_path_factory.mktemp("text"))
    made.start()
    wait_for_phones(made.data)
    yield made
    made.end()


def send(tree: Tree, number: str, *arguments: str) -> tuple[int, list[str], str]:
    """Exit code, what was said without its times, and complaints."""
    done = subprocess.run(
        [sys.executable, "-m", "tertulia", "text", number, "Hello", *arguments,
         "--data", str(tree.data)],
        env=plain_environment() | {"PYTHONUTF8": "1"}, text=True, capture_output=True, timeout=60,
        check=False,
    )  # fmt: skip
    return done.returncode, [line[10:] for line in done.stdout.splitlines()[2:]], done.stderr


def test_every_channel_delivers_and_answers(tree: Tree) -> None:
    def by(channel: str) -> tuple[int, list[str], str]:
        sender = ("--from", "shop@mail.test") if channel == "email" else ()
        return send(tree, CHANNELS[channel], "--channel", channel, *sender)

    with ThreadPoolExecutor(3) as pool:
        done = dict(zip(CHANNELS, pool.map(by, CHANNELS), strict=True))
    for channel, (code, lines, complaint) in done.items():
        assert (code, complaint) == (0, ""), (channel, lines)
        assert "delivered" in lines or "read" in lines, (channel, lines)
        assert ("read" in lines) == (channel != "sms"), (channel, lines)
        assert "◀── Hello" in lines, (channel, lines)


def test_each_number_comes_to_its_end(tree: Tree) -> None:
    expected = {
        "15550110": (0, "delivered"),
        "15550111": (0, "delivered"),
        "15550112": (1, "rejected .*ESME_RINVDSTADR.*"),
        "15550113": (1, "undeliverable .*"),
        "15550115": (1, "nothing more within 12 s"),
        "15550117": (0, "delivered"),
    }
    with ThreadPoolExecutor(3) as pool:
        done = pool.map(lambda number: send(tree, number, "--seconds", "12"), expected)
    for (number, (code, last)), found in zip(expected.items(), done, strict=True):
        assert (found[0], found[2]) == (code, ""), (number, found)
        assert re.fullmatch(last, found[1][-1]), (number, found)


def test_what_is_refused(tree: Tree) -> None:
    code, lines, complaint = send(tree, "nobody")
    assert (code, lines) == (1, [])
    assert complaint.startswith("tertulia: ") and "Traceback" not in complaint
