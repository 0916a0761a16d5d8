"""What a line of the chat means."""

import pytest

from tertulia.client.commands import (
    Command,
    Delete,
    Edit,
    Help,
    History,
    Image,
    Leave,
    Misunderstood,
    Quit,
    React,
    Reply,
    Say,
    Seen,
    Typing,
    Who,
    parse,
)


@pytest.mark.parametrize(
    "line, command",
    [
        ("", None),
        ("   ", None),
        ("hello there ", Say("hello there")),
        ("//etc/motd", Say("/etc/motd")),
        ("/help", Help()),
        ("/who", Who()),
        ("/typing", Typing()),
        ("/history", History()),
        ("/leave", Leave()),
        ("/quit", Quit()),
        ("/seen off", Seen(False)),
        ("/seen on", Seen(True)),
        ("/image my cat.png", Image("my cat.png")),
        ("/react 12 👍", React(12, "👍")),
        ("/react #12 👍", React(12, "👍")),
        ("/edit 12  new words", Edit(12, "new words")),
        ("/reply 12 so it is", Reply(12, "so it is")),
        ("/delete 12", Delete(12)),
    ],
)
def test_lines(line: str, command: Command | None) -> None:
    assert parse(line) == command


@pytest.mark.parametrize(
    "line, told",
    [
        ("/", "there is no /"),
        ("/dance", "there is no /dance"),
        ("/seen", "/seen off|on"),
        ("/image ", "/image PATH"),
        ("/react 12", "/react N 👍"),
        ("/edit twelve x", "/edit N text, where N"),
        ("/reply", "/reply N text"),
        ("/delete", "/delete N, where N"),
        ("/delete -1", "/delete N, where N"),
        ("/delete ²", "/delete N, where N"),
        (f"/delete {'9' * 16}", "/delete N, where N"),
    ],
)
def test_misunderstandings(line: str, told: str) -> None:
    with pytest.raises(Misunderstood) as caught:
        parse(line)
    assert str(caught.value).startswith(told)
