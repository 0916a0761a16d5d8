"""Requests of the call API, in the ways that clients write them."""

from typing import Any

import msgspec
import pytest

from tertulia.model.call_request import (
    CallChange,
    CallDraft,
    CallRequest,
    ChangeDraft,
    changed,
    requested,
)
from tertulia.model.endpoints import PhoneEndpoint, SipEndpoint, StandardHeaders, WebsocketEndpoint
from tertulia.model.errors import ValidationFailed
from tertulia.model.machine import AdvancedMachineDetection, Detection, detection
from tertulia.model.script import Talk
from tertulia.model.state import Endpoint, Webhook
from tertulia.model.validation import decode

URL = "https://app.test/x"
TO = {"type": "phone", "number": "15550100"}
TALK = {"action": "talk", "text": "Hi"}
LEAST: dict[str, Any] = {"to": [TO], "answer_url": [URL]}


def request(**members: Any) -> CallRequest:
    given = {name: value for name, value in {**LEAST, **members}.items() if value is not ...}
    return requested(decode(msgspec.json.encode(given), CallDraft))


def test_the_least_that_is_wanted() -> None:
    assert request() == CallRequest(
        to=PhoneEndpoint("15550100"), from_=None, random_from_number=False, script=None,
        answer_url=Webhook(URL, http_method="GET"), event_url=None, detection=None,
        length_seconds=7200, ringing_seconds=60,
    )  # fmt: skip


def test_all_of_it() -> None:
    wanted = request(
        to=[{"type": "sip", "uri": "sip:a@h", "standard_headers": {"User-to-User": "1"}}],
        answer_url=..., ncco=[TALK], random_from_number=True, event_url=[URL], event_method="GET",
        machine_detection="continue", length_timer=1, ringing_timer=120,
        advanced_machine_detection={"behavior": "hangup", "mode": "default", "beep_timeout": 45},
    )  # fmt: skip
    assert wanted == CallRequest(
        to=SipEndpoint("sip:a@h", standard_headers=StandardHeaders("1")), from_=None,
        random_from_number=True, script=(Talk("Hi"),), answer_url=None,
        event_url=Webhook(URL, http_method="GET"),
        detection=Detection(hangs_up=True, beep=True, beep_seconds=45, is_advanced=True),
        length_seconds=1, ringing_seconds=120,
    )  # fmt: skip


def test_the_spellings_of_clients() -> None:
    socket = {"type": "websocket", "uri": "ws://h", "contentType": "audio/l16;rate=8000"}
    assert request(to=[socket]).to == WebsocketEndpoint("ws://h", "audio/l16;rate=8000")
    advanced = request(advanced_machine_detection={"mode": "detect_beep", "beepTimeout": 60})
    assert advanced.detection == Detection(
        waits=True, beep=True, beep_seconds=60, is_advanced=True
    )  # fmt: skip
    assert request(event_url=[], from_=None).event_url is None
    assert request(answer_url=[], ncco=[]).script == ()
    assert request(answer_method="POST").answer_url == Webhook(URL, http_method="POST")


CALLERS: list[tuple[Any, Endpoint | None]] = [
    (None, None),
    ("", None),
    ("447700900000", Endpoint(type="phone", number="447700900000")),
    ("+447700900000", Endpoint(type="phone", number="447700900000")),
    ("sip:ann@h", Endpoint(type="sip", uri="sip:ann@h")),
    ({"type": "phone", "number": "+4477"}, Endpoint(type="phone", number="4477")),
    ({"number": "4477", "uri": None}, Endpoint(type="phone", number="4477")),
    ({"type": "sip", "uri": "sips:ann@h"}, Endpoint(type="sip", uri="sips:ann@h")),
    ({"type": "app", "user": "ann"}, Endpoint(type="app", user="ann")),
    ({"type": "vbc", "extension": "1"}, Endpoint(type="vbc", extension="1")),
]


@pytest.mark.parametrize(("given", "caller"), CALLERS)
def test_who_is_calling(given: Any, caller: Endpoint | None) -> None:
    assert request(**{"from": given}).from_ == caller


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"to": ...}, '"to" is required'),
    ({"to": []}, '"to" must contain at least 1'),
    ({"to": [TO, TO]}, '"to" must contain less'),
    ({"to": ["15550100"]}, '"to[0]" must be an object'),
    ({"to": [{"type": "phone"}]}, '"to[0].number" is required'),
    ({"to": [{"type": "pigeon"}]}, '"to[0].type" must be one of'),
    ({"answer_url": ...}, '"ncco" is required, unless "answer_url" is given'),
    ({"answer_url": []}, '"ncco" is required, unless "answer_url" is given'),
    ({"ncco": [TALK]}, '"answer_url" must not be set together with "ncco"'),
    ({"answer_url": ["file:///x"]}, '"answer_url[0]" must be a valid uri'),
    ({"answer_url": [URL, URL]}, '"answer_url" must contain less'),
    ({"answer_method": "PUT"}, '"answer_method" must be one of'),
    ({"answer_url": ..., "ncco": {}}, '"ncco" must be an array'),
    ({"answer_url": ..., "ncco": [TALK, {"action": "pay"}]},
     '"ncco" is no usable script: action 2: \'pay\' has been withdrawn'),
    ({"from": {"type": "phone"}}, '"from.number" is required'),
    ({"from": {"type": "dog", "number": "1"}}, '"from.type" must be one of'),
    ({"from": "1\r\nX: y"}, '"from.number" must not contain'),
    ({"from": 15550100}, '"from" must be'),
    ({"from": "1555", "random_from_number": True}, '"random_from_number" must not be set'),
    ({"event_url": ["x"]}, '"event_url[0]" must be a valid uri'),
    ({"machine_detection": "ask"}, '"machine_detection" must be one of'),
    ({"advanced_machine_detection": {"behavior": "x"}}, '"advanced_machine_detection.behavior" mu'),
    ({"advanced_machine_detection": {"beep_timeout": 44}},
     '"advanced_machine_detection.beep_timeout" must be larger'),
    ({"length_timer": 0}, '"length_timer" must be larger'),
    ({"length_timer": 7201}, '"length_timer" must be less'),
    ({"ringing_timer": 0}, '"ringing_timer" must be larger'),
    ({"ringing_timer": 121}, '"ringing_timer" must be less'),
]  # fmt: skip


@pytest.mark.parametrize(("members", "reason"), REFUSED)
def test_what_is_no_request_is_refused(members: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        request(**members)
    (parameter,) = refused.value.parameters
    assert parameter.reason.startswith(reason)
    assert parameter.reason.startswith(f'"{parameter.name}"')


def change(**members: Any) -> CallChange:
    return changed(decode(msgspec.json.encode(members), ChangeDraft))


@pytest.mark.parametrize("action", ["hangup", "mute", "unmute", "earmuff", "unearmuff"])
def test_a_call_is_changed(action: str) -> None:
    assert change(action=action) == CallChange(action)
    assert change(action=action, destination={"odd": 1}) == CallChange(action)


def test_a_call_goes_on_with_another_script() -> None:
    inline = change(action="transfer", destination={"type": "ncco", "ncco": [TALK]})
    assert inline == CallChange("transfer", (Talk("Hi"),))
    fetched = change(action="transfer", destination={"type": "ncco", "url": [URL], "ncco": None})
    assert fetched == CallChange("transfer", url=URL)


UNCHANGED: list[tuple[dict[str, Any], str]] = [
    ({}, '"action" is required'),
    ({"action": "dance"}, '"action" must be one of'),
    ({"action": "transfer"}, '"destination" is required'),
    ({"action": "transfer", "destination": {"url": [URL]}}, '"destination.type" is required'),
    ({"action": "transfer", "destination": {"type": "phone"}}, '"destination.type" must be one'),
    ({"action": "transfer", "destination": {"type": "ncco"}}, '"destination.ncco" is required'),
    ({"action": "transfer", "destination": {"type": "ncco", "url": ["x"]}},
     '"destination.url[0]" must be a valid uri'),
    ({"action": "transfer", "destination": {"type": "ncco", "url": [URL], "ncco": []}},
     '"destination.url" must not be set together with "destination.ncco"'),
    ({"action": "transfer", "destination": {"type": "ncco", "ncco": [{}]}},
     '"destination.ncco" is no usable script: action 1 has no name'),
]  # fmt: skip


@pytest.mark.parametrize(("members", "reason"), UNCHANGED)
def test_what_is_no_change_is_refused(members: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        change(**members)
    (parameter,) = refused.value.parameters
    assert parameter.reason.startswith(reason)


DETECTIONS: list[tuple[Any, AdvancedMachineDetection | None, Detection | None]] = [
    (None, None, None),
    ("continue", None, Detection()),
    ("hangup", None, Detection(hangs_up=True)),
    (None, AdvancedMachineDetection(), Detection(waits=True, is_advanced=True)),
    ("hangup", AdvancedMachineDetection("continue", "detect"),
     Detection(waits=True, is_advanced=True)),
    (None, AdvancedMachineDetection("hangup", "detect_beep", 90),
     Detection(hangs_up=True, waits=True, beep=True, beep_seconds=90, is_advanced=True)),
    (None, AdvancedMachineDetection(mode="default"), Detection(beep=True, is_advanced=True)),
]  # fmt: skip


@pytest.mark.parametrize(("basic", "advanced", "found"), DETECTIONS)
def test_what_is_to_be_found_out(
    basic: Any, advanced: AdvancedMachineDetection | None, found: Detection | None
) -> None:
    assert detection(basic, advanced) == found
