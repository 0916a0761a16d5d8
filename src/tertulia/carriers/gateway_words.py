"""What a gateway tells by its callbacks, read by the account's map of where it has what."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from tertulia.carriers.accounts import GatewayAccount, InboundMap, ReceiptMap, plain
from tertulia.carriers.doors import Told, is_address, json_object
from tertulia.carriers.http import shortened
from tertulia.model.message_errors import TABLE, Code
from tertulia.model.sending import CHANNELS, Arrival, Content, Outcome, Problem, SendingStatus
from tertulia.ports.messaging import Knock

FIELDS_MAX = 100
_FAILED = (SendingStatus.REJECTED, SendingStatus.UNDELIVERABLE)
_READ = "read"


def content(knock: Knock) -> dict[str, Any] | None:
    """A body of JSON or of form fields, beside what the query has; None when it is neither."""
    body = knock.body
    if not body:
        return dict(knock.query)
    kind = knock.headers.get("content-type", "").lower()
    if "urlencoded" in kind:
        return {**knock.query, **(_form(body) or {})} if _form(body) is not None else None
    if body.lstrip()[:1] == b"[":
        found = json_object(b'{"items":' + body + b"}")
    else:
        found = json_object(body)
    return None if found is None else {**knock.query, **found}


def _form(body: bytes) -> dict[str, str] | None:
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX))
    except ValueError:
        return None


def at(told: Any, path: str) -> Any:
    """What is there; None when nothing is."""
    if isinstance(told, dict) and path in told:
        return told[path]
    for step in path.removeprefix("$.").split("."):
        if isinstance(told, dict):
            told = told.get(step)
        elif isinstance(told, list) and step.isdecimal() and len(step) < 6:
            told = told[int(step)] if int(step) < len(told) else None
        else:
            return None
    return told


def text(told: Any, path: str) -> str:
    found = at(told, path) if path else None
    if isinstance(found, str):
        return found
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else ""


def told(account: GatewayAccount, content: dict[str, Any], minute: int) -> Iterator[Told | None]:
    """Status callbacks first: what is none of them may be a message. `minute`: that it came in."""
    receipt, inbound = account.receipt, account.inbound
    if receipt is not None:
        words = _words(receipt)
        listed = [each for each in _items(content, receipt.items) if _is(each, receipt, words)]
        if listed:
            for each in listed:
                yield _outcome(account.name, each, receipt, words)
            return
    if inbound is not None:
        for each in _items(content, inbound.items):
            is_one = _holds(each, inbound.when)
            yield _arrival(account, each, inbound, minute) if is_one else None
    else:
        yield None


def _items(content: dict[str, Any], path: str) -> list[Any]:
    if not path:
        return [content]
    found = at(content, path)
    return found if isinstance(found, list) else [found]


def _holds(told: Any, when: Mapping[str, str]) -> bool:
    return all(text(told, path) == wanted for path, wanted in when.items())


def _is(told: Any, receipt: ReceiptMap, words: Mapping[str, str]) -> bool:
    if receipt.when:
        return _holds(told, receipt.when)
    return text(told, receipt.status).lower() in words


def _words(receipt: ReceiptMap) -> dict[str, str]:
    return {word.lower(): status for status, words in receipt.words.items() for word in words}


def _outcome(
    carrier: str, told: Any, receipt: ReceiptMap, words: Mapping[str, str]
) -> Outcome | None:
    ref, status = text(told, receipt.id), words.get(text(told, receipt.status).lower())
    if not is_address(ref) or status is None:
        return None
    if status == _READ:
        return Outcome(carrier, ref, None, is_read=True)
    found = SendingStatus(status)
    if found not in _FAILED:
        return Outcome(carrier, ref, found)
    code, reason = text(told, receipt.code), text(told, receipt.reason)
    ours = code if code in TABLE else Code.UNKNOWN
    shown = f"{reason} ({code})" if reason and code and reason != code else reason or code
    return Outcome(carrier, ref, found, Problem(ours, shortened(shown)))


def _arrival(
    account: GatewayAccount, told: Any, inbound: InboundMap, minute: int
) -> Arrival | None:
    from_, to = text(told, inbound.from_), text(told, inbound.to)
    channel = text(told, inbound.channel) or account.channels[0].value
    said = _content(told, inbound)
    ref = text(told, inbound.id) or _made_ref(told, minute)
    is_all_there = all(map(is_address, (from_, to, ref))) and said is not None
    if not is_all_there or said is None or channel not in CHANNELS:
        return None
    return Arrival(
        account.name, ref, channel, plain(from_), plain(to), said, text(told, inbound.name),
        text(told, inbound.context),
    )  # fmt: skip


def _made_ref(told: Any, minute: int) -> str:
    """The same for what is the same: one that comes again at once is known."""
    return hashlib.sha256(msgspec.json.encode((told, minute), order="deterministic")).hexdigest()


def _content(told: Any, inbound: InboundMap) -> Content | None:
    given = at(told, inbound.content) if inbound.content else None
    url, kind = text(told, inbound.url), text(told, inbound.type)
    if isinstance(given, dict):
        members = {name: value for name, value in given.items() if name != "message_type"}
        return Content(kind or "text", members)
    if url:
        kind = kind or "file"
        caption = text(told, inbound.text)
        file = {"url": url, "caption": caption} if caption else {"url": url}
        return Content(kind, {kind: file})
    if inbound.text and isinstance(at(told, inbound.text), str):
        return Content("text", {"text": text(told, inbound.text)})
    return None
