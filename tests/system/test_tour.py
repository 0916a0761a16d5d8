"""The five-minute tour of README.md, run as printed, against a server started as it says."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.system.caller import Caller
from tests.system.conftest import Kept, Plant
from tests.system.tree import plain_environment, until

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```bash tour\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = "\x1e"


def blocks() -> list[str]:
    return _BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))


def run(folder: Path, store_url: str | None) -> list[str]:
    """What each block prints, all run by one shell."""
    where = {} if store_url is None else {"TERTULIA_STORE__URL": store_url}
    script = f"printf '{_MARK}'\n".join(blocks())
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", script],
        cwd=folder, env={**plain_environment(), **where}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout.split(_MARK)


def documents(text: str) -> list[Any]:
    """The JSON documents that stand one behind the other."""
    decoder, found = json.JSONDecoder(), []
    text = text.strip()
    while text:
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:].lstrip()
    return found


@pytest.mark.skipif(not (shutil.which("bash") and shutil.which("curl")), reason="no bash or curl")
def test_the_tour_works_as_printed(plant: Plant, kept: Kept, tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(sys.prefix)
    tree = plant(data=".tertulia", **kept.settings)
    document = tree.start()
    until("phones", lambda: (tmp_path / ".tertulia" / "phones.json").exists())
    (
        setting, users, members, talk, more, follow, history, lists, phone, texts, channels,
    ) = run(tmp_path, kept.url)  # fmt: skip

    assert setting == ""
    alice, bob = documents(users)
    assert (alice["name"], alice["display_name"], bob["name"]) == ("alice", "Alice", "bob")

    (joined,) = documents(members)
    assert joined["state"] == "JOINED"

    message, seen, afterwards = documents(talk)
    assert (message["id"], seen["id"]) == (4, 5)
    assert message["body"]["text"] == "Hi Bob"
    assert list(afterwards["state"]["seen_by"]) == [joined["id"]]

    reaction, messages, picture = documents(more)
    assert reaction["id"] == 6
    (shown,) = messages["_embedded"]["messages"]
    assert shown["reactions"] == {"👍": [joined["id"]]}
    assert set(picture) == {"original", "medium", "thumbnail"}

    found, stream = documents(follow)
    assert [result["event"]["id"] for result in found["results"]] == [4]
    assert [event["id"] for event in stream["events"]] == [1, 2, 3, 4, 5, 6]

    whole, remaining = documents(history)
    assert [event["id"] for event in whole["_embedded"]] == [1, 2, 3, 4, 5, 6]
    assert [event["id"] for event in remaining["_embedded"]] == [1, 2, 3, 5, 6, 7]

    assert "message:seen" in lists

    dialled, uuid, timeline = phone.partition('{"uuid":')
    assert "\nbusy · SIP 486 Busy Here\nand so it ends with 1\n" in dialled
    assert re.search(r"\ncompleted after \d+ s · SIP 200 OK\n", dialled)
    (told,) = documents(uuid + timeline)
    moments = [moment["text"] for moment in told["moments"]]
    assert {"sip:answered", "talk", "audio:say:done"} <= {*moments}

    _check_texts(texts)
    _check_channels(channels)

    async def deleted() -> Any:
        async with Caller(document) as caller:
            return await caller.get(f"/v1/conversations/{joined['conversation_id']}/events/4")

    assert list(asyncio.run(deleted())["body"]) == ["timestamp"]
    assert tree.terminate() == 0


def _check_texts(texts: str) -> None:
    texted, direction, status = texts.partition('{"direction":')
    first, second = texted.split("Texting 15550114 by sms")
    assert first.startswith("Texting 15550110 by sms")
    assert re.search(r" delivered$", first, re.MULTILINE)
    assert re.search(r" ◀── Is there an echo\?$", second, re.MULTILINE)
    (told,) = documents(direction + status)
    assert (told["carrier"], told["message"]["error"]["title"]) == ("simulated-sms", "1260")


def _check_channels(channels: str) -> None:
    """What Alice has said went to Carol by SMS, and came back by it."""
    *_, history = documents(channels)
    new = [event for event in history["_embedded"] if event["id"] > 7]
    assert [event["type"] for event in new] == [
        "member:joined", "message", "message:submitted", "member:message:status",
        "message:delivered", "member:message:status", "message",
    ]  # fmt: skip
    carol = new[0]["from"]
    assert list(new[1]["state"]["delivered_to"]) == [carol]
    assert (new[-1]["from"], new[-1]["body"]["text"]) == (carol, "Lunch at noon?")
