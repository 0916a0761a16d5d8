"""`tertulia chat`, used by two people at terminals, against a real server."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.system.caller import Caller, fresh_token
from tests.system.conftest import Plant
from tests.system.console import Console
from tests.system.tree import Tree, plain_environment

from tertulia.devkit import DevDocument

pytestmark = pytest.mark.system

Seat = Callable[..., Console]
CONTROL_C, CONTROL_D = "\x03", "\x04"


@pytest.fixture
def seat() -> Iterator[Seat]:
    consoles: list[Console] = []

    def seat(tree: Tree, *arguments: str) -> Console:
        consoles.append(Console("chat", *arguments, "--data", str(tree.data)))
        return consoles[-1]

    yield seat
    for console in consoles:
        console.end()


def ask(document: DevDocument, path: str) -> Any:
    async def asked() -> Any:
        async with Caller(document) as caller:
            return await caller.get(path)

    return asyncio.run(asked())


def room_of(document: DevDocument, name: str) -> str:
    found = ask(document, f"/v1/conversations?name={name}")
    conversation: str = found["_embedded"]["conversations"][0]["id"]
    return conversation


def post_as(document: DevDocument, user: str, conversation: str, text: str) -> None:
    async def post() -> None:
        async with Caller(document, fresh_token(document, user)) as caller:
            own = await caller.get(f"/v1/conversations/{conversation}/members/me")
            body = {"message_type": "text", "text": text}
            await caller.post(
                f"/v1/conversations/{conversation}/events",
                {"type": "message", "from": own["id"], "body": body},
            )

    asyncio.run(post())


def test_two_people_talk(plant: Plant, seat: Seat) -> None:
    tree = plant()
    document = tree.start()
    alice = seat(tree, "alice", "--new", "room")
    alice.see("room (CON-", "alice has joined", "> ")
    bob = seat(tree, "bob", "room")
    bob.see("alice has joined", "bob has joined", "> ")
    alice.see("bob has joined")

    alice.type("Hi Bob")
    bob.see("alice is typing…")
    alice.type("\r")
    bob.see("alice: Hi Bob")
    alice.see("#3 alice: Hi Bob", "#3 ✓✓")

    bob.type("/react 3 👍\r/reply 3 Hi Alicf\x7fe!\r")
    alice.see("bob reacts 👍 to #3 “Hi Bob”", "bob: Hi Alice!", "answers #3 “Hi Bob”")
    alice.type("/edit 3 Hello Bob\r")
    bob.see("alice changed #3: Hello Bob")
    alice.type("/delete 3\r")
    bob.see("alice deleted #3")
    alice.type("/who\r")
    alice.see("alice: joined", "bob: joined")
    alice.type("/dance\r")
    alice.see("there is no /dance")

    post_as(document, "alice", room_of(document, "room"), "\x1b[2J\x1b]0;owned\x07 and\nmore")
    bob.see("alice: \ufffd[2J\ufffd]0;owned\ufffd and", "│ more")
    assert b"\x1b]0;" not in bob.raw and b"\x1b[2J" not in bob.raw

    alice.type(f"half a line{CONTROL_C}")
    bob.type(CONTROL_D)
    assert (alice.ends(), bob.ends()) == (0, 0)
    assert alice.is_as_before and bob.is_as_before
    for name in ("alice", "bob"):
        assert ask(document, f"/v1/users/{name}/sessions")["_embedded"]["sessions"] == []
    assert tree.terminate() == 0


def test_what_is_not_told_seen_is_delivered_only(plant: Plant, seat: Seat) -> None:
    tree = plant()
    document = tree.start()
    alice = seat(tree, "alice", "--new", "room")
    alice.see("> ")
    bob = seat(tree, "bob", "room")
    bob.see("bob has joined", "> ")
    bob.type("/seen off\r/who\r")
    bob.see("bob: joined")
    alice.type("psst\r")
    alice.see("#3 ✓  > ")
    bob.type("/leave\r")
    assert bob.ends() == 0
    alice.see("bob has left")
    page = ask(document, f"/v1/conversations/{room_of(document, 'room')}/events")
    assert "message:seen" not in [event["type"] for event in page["_embedded"]]
    alice.type("/quit\r")
    assert alice.ends() == 0


def test_it_outlives_the_server(plant: Plant, seat: Seat) -> None:
    """Killed and started again on another port: nothing is missed, nothing typed is lost."""
    tree = plant()
    document = tree.start()
    alice, bob = seat(tree, "alice", "--new", "room"), None
    alice.see("> ")
    bob = seat(tree, "bob", "room")
    bob.see("bob has joined")
    alice.see("bob has joined")
    tree.kill()
    bob.see("reconnecting…", "(offline) > ")
    alice.see("reconnecting…")
    alice.type("typed while it was down\r")
    document = tree.start()
    bob.see("connected again", "alice: typed while it was down")
    alice.see("connected again")
    post_as(document, "bob", room_of(document, "room"), "and after")
    alice.see("bob: and after")
    assert bob.shown.count("#3 alice: typed while it was down") == 1
    alice.type("/quit\r")
    bob.type(f"x{CONTROL_C}")
    assert (alice.ends(), bob.ends()) == (0, 0)


# --- without a terminal ---


def chat(*arguments: str, typed: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tertulia", "chat", *arguments],
        env=plain_environment(), input=typed, capture_output=True, text=True, timeout=30,
        check=False,
    )  # fmt: skip


def test_in_a_pipe_and_what_is_refused(plant: Plant) -> None:
    tree = plant()
    document = tree.start()
    data = ("--data", str(tree.data))

    made = chat("alice", "--new", "room", *data, typed="one\n\n//two\n/history x\n")
    assert (made.returncode, made.stderr) == (0, "")
    assert [line[6:] for line in made.stdout.splitlines()[-2:]] == [
        "  #2 alice: one",
        "  #3 alice: /two",
    ]
    again = chat("alice", *data)
    assert "#2 alice: one" in again.stdout

    token = fresh_token(document, "alice")
    elsewhere = ("--url", document.api_url, "--token", token)
    assert "#2 alice: one" in chat("alice", "room", *elsewhere).stdout

    for arguments, reason in (
        (("bob", *data), "bob is in no conversation"),
        (("alice", "nowhere", *data), "there is no conversation nowhere"),
        (("alice", "CON-nowhere", *data), "CON-nowhere: "),
        (("alice", "--new", "room", *data), "there is a conversation room already"),
        (("bob", *elsewhere), "the token speaks for alice, not for bob"),
        (("alice", "--url", document.api_url, "--token", "x"), "the server refuses the token"),
        (("alice", "--url", document.api_url), "--url and --token go together"),
        (("alice", "--url", "ftp://here", "--token", "x"), "is no address of a server"),
        (("alice", "--data", str(tree.data / "none")), "start `tertulia dev` first"),
    ):
        refused = chat(*arguments)
        assert refused.returncode == 1, arguments
        assert refused.stderr.startswith("tertulia: ") and reason in refused.stderr, refused.stderr
        assert "Traceback" not in refused.stderr

    tree.terminate()
    gone = chat("alice", *data)
    assert (gone.returncode, "no server at" in gone.stderr) == (1, True)
