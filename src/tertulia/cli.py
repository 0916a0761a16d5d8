"""The command line: dev and serve, and the tools beside them."""

import argparse
import asyncio
import os
import shlex
import sys
import time
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from tertulia import __version__, devkit
from tertulia.app.copying import run_copy
from tertulia.app.epochs import run_epoch
from tertulia.app.flags import add_flags, passed_on, read_settings
from tertulia.app.logs import log_to_stderr
from tertulia.app.occupancy import Occupied, occupy
from tertulia.app.report import Listening
from tertulia.app.supervisor import Plan, supervise
from tertulia.app.webhooks import WebhookDirections, run_webhooks
from tertulia.client.chat import chat
from tertulia.client.dial_report import call, call_silently, keys, recording, script
from tertulia.client.dialling import DialFailed, Wish, callee
from tertulia.client.entering import ChatFailed, Directions
from tertulia.client.login import Login, Logins, NoServer
from tertulia.client.terminal import terminal
from tertulia.client.texting import CHANNELS, TextFailed, Words, text
from tertulia.model.errors import TertuliaError
from tertulia.model.events.reference import rows, table
from tertulia.protocols.jwt import load_private_key, mint
from tertulia.settings import Data, Settings, SettingsError, reference
from tertulia.web.documents import write_reference


def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        code: int = given.run(given)
    except (SettingsError, Occupied, TertuliaError) as error:
        print(f"tertulia: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # who reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # it is flushed once more
        return 141
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("tertulia", description="A self-hosted conversation platform.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, sentence in (
        ("dev", _serve, "serve with a ready application, keys and a local certificate"),
        ("serve", _serve, "serve"),
    ):
        command = _command(commands, name, run, sentence)
        if name == "dev":
            command.set_defaults(dev=True)
        add_flags(command)
    token = _command(commands, "token", _token, "mint a token of the development application")
    token.add_argument("--data", help="data directory")
    token.add_argument("--sub", help="name of the user to speak for")
    token.add_argument("--ttl", type=int, default=3600, help="seconds (default 3600)")
    talk = _command(commands, "chat", _chat, "talk in a conversation, in the terminal")
    talk.add_argument("name", help="name of the user to speak as; made if missing")
    talk.add_argument(
        "conversation", nargs="?", help="its id or name; default: the user's only one"
    )
    talk.add_argument("--new", metavar="NAME", help="make a conversation of this name")
    talk.add_argument("--data", help="data directory of a development server")
    talk.add_argument("--url", help="address of another server; needs --token")
    talk.add_argument("--token", help="a token of the user, for --url")
    _add_dial(_command(commands, "dial", _dial, "call a phone, and see what happens"))
    _add_text(_command(commands, "text", _text, "send a message, and see what becomes of it"))
    events = _command(commands, "events", _events, "list the event types")
    events.add_argument("--json", action="store_true")
    webhooks = _command(commands, "webhooks", _webhooks, "what became of the webhooks")
    webhooks.add_argument("what", choices=("attempts", "dead-letters", "replay"))
    webhooks.add_argument("--data", help="data directory")
    webhooks.add_argument("--application", help="its id; default: the development application")
    webhooks.add_argument("--conversation", help="of this conversation only")
    webhooks.add_argument("--position", type=int, help="of this event only")
    webhooks.add_argument("--first", type=int, help="replay from this position on")
    webhooks.add_argument("--last", type=int, help="replay up to this position")
    webhooks.add_argument("--failed", action="store_true", help="only attempts that failed")
    webhooks.add_argument("--limit", type=int, default=20)
    copy = _command(commands, "copy", _copy, "move the log and its tables to another database")
    where = "sqlite:DIRECTORY or postgres://…"
    copy.add_argument("--from", dest="source", required=True, metavar="STORE", help=where)
    copy.add_argument("--to", dest="target", required=True, metavar="STORE", help=where)
    epoch = _command(commands, "epoch", _epoch, "show the epoch of a store that no server uses")
    epoch.add_argument("--data", help="data directory")
    epoch.add_argument("--store-url", help="setting store.url")
    epoch.add_argument("--new", action="store_true", help="begin another: it was put back")
    docs = _command(commands, "docs", _docs, "write the generated references")
    docs.add_argument("--repository", type=Path, default=Path())
    return parser


def _add_dial(dial: argparse.ArgumentParser) -> None:
    dial.add_argument("number", help="whom to call: a number, the name of a user, sip:… or ws://…")
    dial.add_argument("--data", help="data directory of a development server")
    said = dial.add_mutually_exclusive_group()
    said.add_argument("--say", metavar="TEXT", help="what is said when the call is answered")
    said.add_argument("--script", type=Path, metavar="FILE.json", help="what is done instead")
    dial.add_argument("--press", metavar="DIGITS", help="keys to press once it is answered")
    dial.add_argument("--from", dest="caller", metavar="NUMBER", help="who is shown as calling")
    dial.add_argument("--amd", action="store_true", help="find out whether a machine answers")
    dial.add_argument("--seconds", type=int, default=30, help="hang up after so many (default 30)")
    dial.add_argument("--ring", type=int, default=60, help="seconds to ring (default 60)")
    dial.add_argument("--record", type=Path, metavar="FILE", help="an .mp3, .wav or .ogg file")
    dial.add_argument("--json", action="store_true", help="print a document at the end instead")


def _add_text(command: argparse.ArgumentParser) -> None:
    command.add_argument("number", help="whom to write to: a number, or an id of the channel")
    command.add_argument("words", help="what to say")
    command.add_argument("--channel", choices=CHANNELS, default="sms", help="(default sms)")
    command.add_argument("--from", dest="sender", metavar="NUMBER", help="who is shown as sender")
    command.add_argument("--seconds", type=float, default=30, help="wait so long (default 30)")
    command.add_argument("--data", help="data directory of a development server")


def _command(commands: Any, name: str, run: Any, sentence: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=sentence, description=sentence
    )
    command.add_argument("--config", type=Path, help="settings file (TOML)")
    command.set_defaults(run=run, dev=False)
    return command


def _serve(given: argparse.Namespace) -> int:
    settings = read_settings(given)
    log_to_stderr(settings)
    os.umask(0o077)  # what people say is for nobody else on this machine
    settings.data.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = occupy(settings.data.path)
    listening = _dev_listening(settings) if given.dev else _say_port
    workers = settings.rtc.workers or (1 if given.dev else len(os.sched_getaffinity(0)))
    phones = given.dev or settings.sip.simulated or settings.messaging.simulated
    plan = Plan(workers, phones, settings.cluster.drain_s if settings.cluster.node else 0.0)
    return asyncio.run(supervise(passed_on(given), listening, lock=lock, plan=plan))


def _say_port(where: Listening) -> None:
    print(f"Tertulia serves on port {where.http_port}", flush=True)


def _dev_listening(settings: Settings) -> Callable[[Listening], None]:
    """Makes the development identity; then writes and shows where the hub serves."""
    development = devkit.prepare(settings)

    def listening(where: Listening) -> None:
        ports = devkit.Ports(
            where.http_port, where.https_port or 0, where.sip_port, settings.rtc.port,
            where.sip_tls_port,
        )  # fmt: skip
        document = devkit.dev_document(development, ports, pid=os.getpid())
        devkit.write_document(document, settings.data.path)
        token = f"tertulia token --data {shlex.quote(str(settings.data.path))}"
        print(devkit.start_screen(document, token_command=token), flush=True)

    return listening


def _token(given: argparse.Namespace) -> int:
    file = Path(given.data or Data().dir) / "dev.json"
    if not file.exists():
        print(f"tertulia: {file} is not there; start `tertulia dev` first", file=sys.stderr)
        return 1
    print(_minted(_document(file), given.sub, given.ttl))
    return 0


def _document(file: Path) -> devkit.DevDocument:
    return msgspec.json.decode(file.read_bytes(), type=devkit.DevDocument)


def _minted(document: devkit.DevDocument, user_name: str | None, seconds: int) -> str:
    now = int(time.time())
    claims: dict[str, Any] = {
        "application_id": document.application_id, "iat": now, "exp": now + seconds,
        "jti": str(uuid4()),
    }  # fmt: skip
    if user_name:
        claims["sub"] = user_name
    return mint(load_private_key(Path(document.private_key_file).read_text()), claims)


def _chat(given: argparse.Namespace) -> int:
    directions = Directions(given.name, given.conversation, given.new)
    try:
        if given.url or given.token:
            asyncio.run(chat(_given_login(given), None, directions, terminal()))
        else:
            file = Path(given.data or Data().dir) / "dev.json"
            if not file.exists():
                raise ChatFailed(f"{file} is not there; start `tertulia dev` first, or give --url")
            logins, host = _dev_logins(file, given.name), _dev_logins(file, None)
            asyncio.run(chat(logins, host, directions, terminal()))
    except ChatFailed as failure:
        print(f"tertulia: {failure}", file=sys.stderr)
        return 1
    return 0


def _dial(given: argparse.Namespace) -> int:
    file = Path(given.data or Data().dir) / "dev.json"
    try:
        if not file.exists():
            raise DialFailed(f"{file} is not there; start `tertulia dev` first")
        own = _document(file).application_number
        wish = Wish(
            callee(given.number), script(given.script, given.say, given.seconds),
            caller=given.caller or own, seconds=given.seconds, ring_seconds=given.ring,
            press=keys(given.press), detects=given.amd, record=recording(given.record),
        )  # fmt: skip
        logins, say = _dev_logins(file, None), partial(print, flush=True)
        if given.json:
            return asyncio.run(call_silently(logins, wish, say))
        return asyncio.run(call(logins, wish, given.number, say))
    except DialFailed as failure:
        print(f"tertulia: {failure}", file=sys.stderr)
        return 1


def _text(given: argparse.Namespace) -> int:
    file = Path(given.data or Data().dir) / "dev.json"
    try:
        if not file.exists():
            raise TextFailed(f"{file} is not there; start `tertulia dev` first")
        sender = given.sender or _document(file).application_number
        words = Words(given.channel, given.number, sender, given.words, given.seconds)
        return asyncio.run(text(_dev_logins(file, None), words, partial(print, flush=True)))
    except TextFailed as failure:
        print(f"tertulia: {failure}", file=sys.stderr)
        return 1


def _given_login(given: argparse.Namespace) -> Logins:
    if not (given.url and given.token):
        raise ChatFailed("--url and --token go together")
    login = Login(given.url, given.token)
    return lambda: login


def _dev_logins(file: Path, user_name: str | None) -> Logins:
    """As the development server is now: it may come back on another port. A token is used for half
    of its life."""

    @lru_cache(maxsize=1)
    def token(_half_hour: int) -> str:
        return _minted(_document(file), user_name, 3600)

    def login() -> Login:
        try:
            return Login(_document(file).api_url, token(int(time.time()) // 1800))
        except OSError as error:  # the server is being started
            raise NoServer(str(error)) from None

    return login


def _events(given: argparse.Namespace) -> int:
    if given.json:
        print(msgspec.json.format(msgspec.json.encode(rows())).decode())
    else:
        print(table())
    return 0


def _webhooks(given: argparse.Namespace) -> int:
    settings = read_settings(given)
    directions = WebhookDirections(
        what=given.what, application=given.application, conversation=given.conversation,
        position=given.position, first=given.first, last=given.last, failed=given.failed,
        limit=given.limit,
    )  # fmt: skip
    return run_webhooks(settings, directions, print)


def _copy(given: argparse.Namespace) -> int:
    os.umask(0o077)
    return run_copy(given.source, given.target, partial(print, flush=True))


def _epoch(given: argparse.Namespace) -> int:
    return run_epoch(read_settings(given), is_new=given.new, say=partial(print, flush=True))


def _docs(given: argparse.Namespace) -> int:
    repository: Path = given.repository
    write_reference(repository / "docs" / "events.md", repository / "tests" / "vectors" / "events")
    (repository / "config.default.toml").write_text(reference(), encoding="utf-8")
    return 0
