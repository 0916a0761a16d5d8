"""What a line of the chat asks for."""

from collections.abc import Callable

from msgspec import Struct

HELP = """\
/who                members, and who is typing
/history            the last messages again
/reply N text       answer message N
/edit N text        change your message N
/react N 👍         react to message N; again takes it back
/delete N           delete your message N
/image PATH         send a picture
/typing             say that you are typing
/seen off|on        whether you tell others what you have seen
/leave              leave the conversation, and the chat
/quit               end the chat; Ctrl-D and Ctrl-C do too
//text              a text that begins with a slash"""


class Command(Struct, frozen=True):
    """A line that was understood."""


class Say(Command, frozen=True):
    text: str


class Help(Command, frozen=True):
    pass


class Who(Command, frozen=True):
    pass


class Typing(Command, frozen=True):
    pass


class History(Command, frozen=True):
    pass


class Leave(Command, frozen=True):
    pass


class Quit(Command, frozen=True):
    pass


class Seen(Command, frozen=True):
    told: bool


class Image(Command, frozen=True):
    path: str


class React(Command, frozen=True):
    number: int
    reaction: str


class Edit(Command, frozen=True):
    number: int
    text: str


class Reply(Command, frozen=True):
    number: int
    text: str


class Delete(Command, frozen=True):
    number: int


class Misunderstood(Exception):
    """The line is no command; the message says how it would be one."""


_BARE: dict[str, Command] = {
    "help": Help(), "who": Who(), "typing": Typing(), "history": History(), "leave": Leave(),
    "quit": Quit(),
}  # fmt: skip
_SEEN = {"on": Seen(True), "off": Seen(False)}
_ABOUT: dict[str, Callable[[int, str], Command]] = {"react": React, "edit": Edit, "reply": Reply}


def parse(line: str) -> Command | None:
    """The command; None for an empty line. Raises Misunderstood."""
    line = line.strip()
    if not line:
        return None
    if not line.startswith("/"):
        return Say(line)
    if line.startswith("//"):
        return Say(line[1:])
    name, _, rest = line[1:].partition(" ")
    return _command(name, rest.strip())


def _command(name: str, rest: str) -> Command:
    if name in _BARE:
        return _BARE[name]
    if name == "seen":
        if rest not in _SEEN:
            raise Misunderstood("/seen off|on")
        return _SEEN[rest]
    if name == "image":
        if not rest:
            raise Misunderstood("/image PATH")
        return Image(rest)
    if name == "delete":
        return Delete(_number(rest, "/delete N"))
    if name in _ABOUT:
        number, _, text = rest.partition(" ")
        usage = f"/{name} N {'👍' if name == 'react' else 'text'}"
        if not text.strip():
            raise Misunderstood(usage)
        return _ABOUT[name](_number(number, usage), text.strip())
    raise Misunderstood(f"there is no /{name}; /help lists what there is")


def _number(text: str, usage: str) -> int:
    text = text.removeprefix("#")
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise Misunderstood(f"{usage}, where N is the number in front of a message")
    return int(text)
