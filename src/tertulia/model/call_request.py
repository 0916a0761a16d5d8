"""Requests of the call API: to call somebody, and to change a call (wire-api 5.2).

What the drafts hold as plain objects is written differently by different clients: it is read by
`requested` and `changed`.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from tertulia.model.endpoints import Callee, Text, read_callee, renamed
from tertulia.model.errors import ValidationFailed
from tertulia.model.events.values import WebUri
from tertulia.model.machine import AdvancedMachineDetection, Detection, OnMachine, detection
from tertulia.model.script import Script, ScriptRefused, read
from tertulia.model.state import Endpoint, Webhook
from tertulia.model.validation import convert

LENGTH_SECONDS = 7200
RINGING_SECONDS = 60

Urls = Annotated[list[WebUri], Meta(max_length=1)]
"""One, or none."""
Method = Literal["GET", "POST"]


class CallDraft(Struct, frozen=True):
    """The body of a request to call somebody."""

    to: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=1)]
    from_: dict[str, Any] | str | None = field(default=None, name="from")
    random_from_number: bool = False
    ncco: list[Any] | None = None
    answer_url: Urls | None = None
    answer_method: Method = "GET"
    event_url: Urls | None = None
    event_method: Method = "POST"
    machine_detection: OnMachine | None = None
    advanced_machine_detection: dict[str, Any] | None = None
    length_timer: Annotated[int, Meta(ge=1, le=LENGTH_SECONDS)] = LENGTH_SECONDS
    ringing_timer: Annotated[int, Meta(ge=1, le=120)] = RINGING_SECONDS


class CallRequest(Struct, frozen=True):
    """Whom to call, and what is to be done with the call."""

    to: Callee
    from_: Endpoint | None
    """Who is to be shown as calling; None is nobody."""
    random_from_number: bool
    """Some number of the application's."""
    script: Script | None
    answer_url: Webhook | None
    """Who gives the script. Either of the two is there."""
    event_url: Webhook | None
    detection: Detection | None
    length_seconds: int
    """That it may last once it is answered."""
    ringing_seconds: int


class ChangeDraft(Struct, frozen=True):
    """The body of a request to change a call."""

    action: Literal["hangup", "mute", "unmute", "earmuff", "unearmuff", "transfer"]
    destination: dict[str, Any] | None = None
    """Of a transfer."""


class CallChange(Struct, frozen=True):
    action: str
    script: Script | None = None
    url: str | None = None
    """Who gives the script. A transfer has either of the two; other actions have neither."""


class _Caller(Struct, frozen=True):
    type: Literal["phone", "sip", "app", "websocket", "vbc"] = "phone"
    number: Text | None = None
    uri: Text | None = None
    user: Text | None = None
    extension: Text | None = None

    def __post_init__(self) -> None:
        if not (self.number or self.uri or self.user or self.extension):
            raise ValueError("`number` is required")


class _Destination(Struct, frozen=True):
    type: Literal["ncco"]
    url: Urls | None = None
    ncco: list[Any] | None = None


def requested(draft: CallDraft) -> CallRequest:
    """What is wanted. Raises ValidationFailed."""
    if draft.from_ and draft.random_from_number:
        raise ValidationFailed.of("random_from_number", 'must not be set together with "from"')
    script, answer_url = _one_of(draft.ncco, draft.answer_url, ("ncco", "answer_url"))
    return CallRequest(
        to=read_callee(draft.to[0], "to[0]"), from_=_caller(draft.from_),
        random_from_number=draft.random_from_number, script=script,
        answer_url=Webhook(answer_url, http_method=draft.answer_method) if answer_url else None,
        event_url=_webhook(draft.event_url, draft.event_method),
        detection=detection(draft.machine_detection, _advanced(draft.advanced_machine_detection)),
        length_seconds=draft.length_timer, ringing_seconds=draft.ringing_timer,
    )  # fmt: skip


def changed(draft: ChangeDraft) -> CallChange:
    """What is wanted. Raises ValidationFailed."""
    if draft.action != "transfer":
        return CallChange(draft.action)
    if draft.destination is None:
        raise ValidationFailed.of("destination", "is required")
    given = convert(renamed(draft.destination, {}), _Destination, root="destination", strict=False)
    script, url = _one_of(given.ncco, given.url, ("destination.ncco", "destination.url"))
    return CallChange(draft.action, script, url)


def _one_of(
    ncco: list[Any] | None, url: list[str] | None, names: tuple[str, str]
) -> tuple[Script | None, str | None]:
    if ncco is None and not url:
        raise ValidationFailed.of(names[0], f'is required, unless "{names[1]}" is given')
    if ncco is None or not url:
        return _script(ncco, names[0]), url[0] if url else None
    raise ValidationFailed.of(names[1], f'must not be set together with "{names[0]}"')


def _script(ncco: list[Any] | None, name: str) -> Script | None:
    try:
        return None if ncco is None else read(ncco)
    except ScriptRefused as refused:
        raise ValidationFailed.of(name, f"is no usable script: {refused}") from None


def _caller(given: dict[str, Any] | str | None) -> Endpoint | None:
    """COMPAT: the Python SDK takes a bare number or URI, too."""
    if not given:
        return None
    if isinstance(given, str):
        is_sip = given[:4].lower() in ("sip:", "sips")
        given = {"type": "sip", "uri": given} if is_sip else {"type": "phone", "number": given}
    caller = convert(renamed(given, {}), _Caller, root="from", strict=False)
    return Endpoint(
        type=caller.type, number=caller.number.removeprefix("+") if caller.number else None,
        uri=caller.uri, user=caller.user, extension=caller.extension,
    )  # fmt: skip


def _advanced(given: dict[str, Any] | None) -> AdvancedMachineDetection | None:
    if given is None:
        return None
    members = renamed(given, {"beepTimeout": "beep_timeout"})
    return convert(
        members, AdvancedMachineDetection, root="advanced_machine_detection", strict=False
    )


def _webhook(urls: list[str] | None, method: str) -> Webhook | None:
    return Webhook(urls[0], http_method=method) if urls else None
