"""`tertulia copy`: a server moves to PostgreSQL and back, and goes on where it was."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from tests.postgres import PostgresServer
from tests.system.accounting import Place, check_everything, until_delivered
from tests.system.books import SECRET
from tests.system.caller import Caller
from tests.system.conftest import Plant
from tests.system.load import Acknowledged
from tests.system.receiver import Receiver
from tests.system.tree import Tree, plain_environment

pytestmark = pytest.mark.system

SAYING = {"type": "custom:said"}


def copy(source: str, target: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tertulia", "copy", "--from", source, "--to", target],
        env=plain_environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_server_moves_there_and_back(plant: Plant, postgres: PostgresServer) -> None:
    url = postgres.new_database()

    async def scenario() -> None:
        receiver = Receiver()
        async with receiver.listening() as told:
            here = plant("--event-url", told, TERTULIA_ACCOUNT__SIGNATURE_SECRET=SECRET)
            there = plant(
                "--event-url", told,
                TERTULIA_ACCOUNT__SIGNATURE_SECRET=SECRET, TERTULIA_STORE__URL=url,
            )  # fmt: skip
            sqlite = f"sqlite:{here.data}"
            await _say(here, 1, receiver, here.data)
            await asyncio.to_thread(_move, sqlite, url)
            await _say(there, 2, receiver, url)
            (here.data / "tertulia.db").rename(here.data / "before.db")
            await asyncio.to_thread(_move, url, sqlite)
            await _say(here, 3, receiver, here.data)
        assert receiver.books.repeats == 0, "a webhook's cursor was lost"
        await check_everything(here.data, Acknowledged(), receiver)

    asyncio.run(scenario())


async def _say(tree: Tree, count: int, receiver: Receiver, place: Place) -> None:
    """Run the server; in the conversation, the first of which it makes, one thing more is said."""
    document = await asyncio.to_thread(tree.start)
    async with Caller(document) as caller:
        if count == 1:
            await caller.post("/v1/conversations", {"name": "moving"})
        (found,) = (await caller.get("/v1/conversations"))["_embedded"]["conversations"]
        said = await caller.post(f"/v1/conversations/{found['id']}/events", SAYING)
        assert said["id"] == count
        if isinstance(place, str):
            refused = await asyncio.to_thread(copy, place, f"sqlite:{tree.data}/new")
            assert refused.returncode == 2 and "a server is running" in refused.stderr
    await until_delivered(place, receiver, within=30)
    assert await asyncio.to_thread(tree.terminate) == 0


def _move(source: str, target: str) -> None:
    done = copy(source, target)
    assert done.returncode == 0, done.stderr
    assert "found equal" in done.stdout


def test_what_cannot_be_copied_is_told(tmp_path: Path, postgres: PostgresServer) -> None:
    for source, target, says in (
        (f"sqlite:{tmp_path}/none", f"sqlite:{tmp_path}/a", "is not there"),
        ("mysql://db", f"sqlite:{tmp_path}/a", "neither sqlite:"),
        (postgres.new_database(), f"sqlite:{tmp_path}/a", "no store"),
        ("postgres://me:secret@127.0.0.1:1/db", f"sqlite:{tmp_path}/a", "127.0.0.1:1/db"),
    ):
        done = copy(source, target)
        assert done.returncode == 2
        assert says in done.stderr and "secret" not in done.stderr
