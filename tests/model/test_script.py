"""Call scripts: what is one, and what is none."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.model.endpoints import AppEndpoint, PhoneEndpoint, WebsocketEndpoint
from tertulia.model.machine import AdvancedMachineDetection, Detection
from tertulia.model.script import (
    ACTIONS,
    ACTIONS_MAX,
    SCRIPT_MAX,
    Action,
    Connect,
    Input,
    Keys,
    Meeting,
    Notify,
    Record,
    Script,
    ScriptRefused,
    Speech,
    Stream,
    Talk,
    Transcribed,
    Transfer,
    Wait,
    answers,
    parse,
    read,
)


def script(*actions: Any) -> Script:
    return parse(msgspec.json.encode(actions))


URL = "https://app.test/x"
PHONE = {"type": "phone", "number": "447700900001"}
CALLEE = PhoneEndpoint("447700900001")

READ: list[tuple[dict[str, Any], Action]] = [
    ({"action": "talk", "text": "Hi"}, Talk("Hi")),
    ({"action": "talk", "text": "Hi", "voiceName": "Amy", "unheard": [1]}, Talk("Hi")),
    ({"action": "talk", "text": "Hi", "bargeIn": None, "loop": None}, Talk("Hi")),
    (
        {"action": "talk", "text": "Hi", "bargeIn": "true", "loop": "0", "level": "-0.5"},
        Talk("Hi", barge_in=True, loop=0, level=-0.5),
    ),
    (
        {"action": "talk", "text": "x" * 1500, "language": "de-DE", "style": 1000, "premium": True},
        Talk("x" * 1500, language="de-DE", style=1000, premium=True),
    ),
    (
        {"action": "talk", "text": f"<speak>{'<s>x</s>' * 1000}</speak>"},
        Talk(f"<speak>{'<s>x</s>' * 1000}</speak>"),
    ),
    ({"action": "stream", "streamUrl": [URL], "level": 1}, Stream([URL], level=1)),
    ({"action": "stream", "streamUrl": URL, "loop": 10_000}, Stream([URL], loop=10_000)),
    ({"action": "record", "endOnSilence": 3}, Record(end_on_silence=3)),
    (
        {"action": "record", "format": "wav", "split": "conversation", "channels": 32,
         "endOnSilence": 10, "endOnKey": "*", "timeOut": 7200, "beepStart": True,
         "eventUrl": [URL], "eventMethod": "GET"},
        Record(format="wav", split="conversation", channels=32, end_on_silence=10, end_on_key="*",
               time_out=7200, beep_start=True, event_url=[URL], event_method="GET"),
    ),
    (
        {"action": "record", "transcription": {"language": "fr-FR", "eventUrl": URL,
                                               "sentimentAnalysis": True}},
        Record(transcription=Transcribed("fr-FR", [URL], sentiment_analysis=True)),
    ),
    ({"action": "record", "eventUrl": []}, Record()),
    (
        {"action": "input", "type": ["dtmf"], "dtmf": {"maxDigits": 1, "submitOnHash": True}},
        Input(["dtmf"], dtmf=Keys(max_digits=1, submit_on_hash=True)),
    ),
    (
        {"action": "input", "type": ["dtmf"], "dtmf": {"maxDigits": 20, "timeOut": 10}},
        Input(["dtmf"], dtmf=Keys(max_digits=20, time_out=10)),
    ),
    (
        {"action": "input", "type": ["speech"], "speech": {"uuid": ["a"], "endOnSilence": 0.4}},
        Input(["speech"], speech=Speech(uuid=["a"], end_on_silence=0.4)),
    ),
    (
        {"action": "input", "type": ["dtmf", "speech"], "speech": {
            "uuid": "a", "endOnSilence": 10, "startTimeout": 60, "maxDuration": 1,
            "saveAudio": True, "sensitivity": 10, "context": ["yes", "no"], "language": "it-IT"}},
        Input(["dtmf", "speech"], speech=Speech(
            uuid=["a"], end_on_silence=10, start_timeout=60, max_duration=1, save_audio=True,
            sensitivity=10, context=["yes", "no"], language="it-IT")),
    ),
    (
        {"action": "input", "type": ["dtmf"], "mode": "asynchronous", "dtmf": {}, "eventUrl": []},
        Input(["dtmf"], mode="asynchronous"),
    ),
    (
        {"action": "conversation", "name": "n", "startOnEnter": False, "musicOnHoldUrl": [URL]},
        Meeting("n", start_on_enter=False, music_on_hold_url=[URL]),
    ),
    (
        {"action": "conversation", "name": "n", "endOnExit": True, "record": True, "canHear": [],
         "canSpeak": ["a"], "mute": True, "musicOnHoldUrl": URL, "eventUrl": [URL],
         "transcription": {"language": "en-GB"}},
        Meeting("n", end_on_exit=True, record=True, can_hear=[], can_speak=["a"], mute=True,
                music_on_hold_url=[URL], event_url=[URL], transcription=Transcribed("en-GB")),
    ),
    ({"action": "connect", "endpoint": [PHONE]}, Connect([CALLEE])),
    (
        {"action": "connect", "endpoint": [{"type": "app", "user": "ann"}], "from": "447700900000",
         "eventType": "synchronous", "timeout": 7200, "limit": "1", "eventUrl": [URL],
         "eventMethod": "GET", "ringbackTone": URL},
        Connect([AppEndpoint("ann")], from_="447700900000", event_type="synchronous",
                timeout=7200, limit=1, event_url=[URL], event_method="GET", ringback_tone=URL),
    ),
    (
        {"action": "connect", "endpoint": [PHONE], "randomFromNumber": True,
         "machineDetection": "hangup", "ringbackTone": [URL]},
        Connect([CALLEE], random_from_number=True, machine_detection="hangup", ringback_tone=URL),
    ),
    (
        {"action": "connect", "endpoint": [PHONE], "advancedMachineDetection": {
            "behavior": "hangup", "mode": "detect_beep", "beepTimeout": 120}},
        Connect([CALLEE], advanced_machine_detection=AdvancedMachineDetection(
            "hangup", "detect_beep", 120)),
    ),
    (
        {"action": "connect", "endpoint": [PHONE], "advanced_machine_detection": {
            "mode": "default", "beep_timeout": 45}},
        Connect([CALLEE], advanced_machine_detection=AdvancedMachineDetection(
            mode="default", beep_timeout=45)),
    ),
    (
        {"action": "connect", "endpoint": [{"type": "websocket", "uri": "wss://bot.test/a",
                                            "headers": {"content_type": 1}}]},
        Connect([WebsocketEndpoint("wss://bot.test/a", headers={"content_type": 1})]),
    ),
    (
        {"action": "notify", "payload": {"step": 1, "none": None}, "eventUrl": [URL]},
        Notify({"step": 1, "none": None}, [URL]),
    ),
    ({"action": "notify", "payload": {}, "eventUrl": URL, "eventMethod": "GET"},
     Notify({}, [URL], "GET")),
    ({"action": "wait"}, Wait()),
    ({"action": "wait", "timeout": "0.5"}, Wait(0.5)),
    ({"action": "transfer", "conversationId": "CON-1"}, Transfer("CON-1")),
    (
        {"action": "transfer", "conversationId": "CON-1", "canHear": ["a"], "canSpeak": [],
         "mute": "true"},
        Transfer("CON-1", ["a"], [], mute=True),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("given_", "action"), READ)
def test_an_action_is_read(given_: dict[str, Any], action: Action) -> None:
    assert script(given_) == (action,)


def test_every_action_is_read_somewhere_above() -> None:
    assert {given_["action"] for given_, _ in READ} == set(ACTIONS)


def refused(action: str, reason: str, **members: Any) -> tuple[Any, str]:
    return [{"action": action, **members}], f"action 1 ({action}): {reason}"


def connect(reason: str, **members: Any) -> tuple[Any, str]:
    return refused("connect", reason, **{"endpoint": [PHONE], **members})


def to(reason: str, **endpoint: Any) -> tuple[Any, str]:
    return connect(reason, endpoint=[endpoint])


REFUSED: list[tuple[Any, str]] = [
    ({}, "the script is not an array of actions"),
    (None, "the script is not an array of actions"),
    ([1], "action 1 has no name"),
    ([{"action": 5}], "action 1 has no name"),
    ([{"action": "dance"}], "action 1: 'dance' is not an action that is known here"),
    ([{"action": "Talk", "text": "x"}], "action 1: 'Talk' is not an action"),
    ([{"action": "x" * 99}], f"action 1: '{'x' * 40}' is not an action"),
    ([{"action": "talk", "text": "x"}, {"action": "pay"}], "action 2: 'pay' has been withdrawn"),
    ([{"action": "talk", "text": "x"}] * (ACTIONS_MAX + 1), "the script has more than"),
    ([{"action": "talk", "text": "x"}, {"action": "input", "type": []}],
     'action 2 (input): "type" must contain'),
    refused("talk", '"text" is required'),
    refused("talk", '"text" length must be at least 1', text=""),
    refused("talk", '"text" length must be less', text="x" * 1501),
    refused("talk", '"text" length must be less', text=f"<speak>{'x' * 1501}</speak>"),
    refused("talk", '"text" length must be less', text="<speak>" + "<s>" * 4000),
    refused("talk", '"level" must be less', text="x", level=1.1),
    refused("talk", '"level" must be larger', text="x", level="nan"),
    refused("talk", '"loop" must be larger', text="x", loop=-1),
    refused("talk", '"bargeIn" must be a boolean', text="x", bargeIn="maybe"),
    refused("stream", '"streamUrl" is required'),
    refused("stream", '"streamUrl" is required', streamUrl=[]),
    refused("stream", '"streamUrl[0]" must be a valid uri', streamUrl=["file:///etc"]),
    refused("stream", '"streamUrl" must contain less', streamUrl=[URL] * 4),
    refused("record", '"timeOut" must be larger', timeOut=2),
    refused("record", '"timeOut" must be less', timeOut=7201),
    refused("record", '"endOnSilence" must be larger', endOnSilence=2),
    refused("record", '"endOnSilence" must be less', endOnSilence=11),
    refused("record", '"channels" must be less', channels=33),
    refused("record", '"channels" must be larger', channels=0),
    refused("record", '"endOnKey" fails to match', endOnKey="12"),
    refused("record", '"format" must be one of', format="flac"),
    refused("record", '"transcription.eventUrl[0]" must be a valid uri',
            transcription={"eventUrl": "x"}),
    refused("input", '"type" is required'),
    refused("input", '"type[0]" must be one of', type=["smell"]),
    refused("input", '"dtmf.maxDigits" must be less', type=["dtmf"], dtmf={"maxDigits": 21}),
    refused("input", '"dtmf.maxDigits" must be larger', type=["dtmf"], dtmf={"maxDigits": 0}),
    refused("input", '"dtmf.timeOut" must be less', type=["dtmf"], dtmf={"timeOut": 10.5}),
    refused("input", '"speech.startTimeout" must be less', type=["speech"],
            speech={"startTimeout": 61}),
    refused("input", '"speech.maxDuration" must be larger', type=["speech"],
            speech={"maxDuration": 0}),
    refused("input", '"speech.endOnSilence" must be larger', type=["speech"],
            speech={"endOnSilence": 0.3}),
    refused("input", '"speech.sensitivity" must be less', type=["speech"],
            speech={"sensitivity": 101}),
    refused("input", '"speech.uuid" must contain less', type=["speech"],
            speech={"uuid": ["a", "b"]}),
    refused("input", '"mode" must be one of', type=["dtmf"], mode="later"),
    refused("input", '"type" must be [dtmf] in asynchronous mode', type=["speech"],
            mode="asynchronous"),
    refused("input", '"dtmf" must be left out in asynchronous mode', type=["dtmf"],
            mode="asynchronous", dtmf={"maxDigits": 1}),
    refused("conversation", '"name" is required'),
    refused("conversation", '"name" length must be at least', name=""),
    refused("conversation", '"canHear[0]" must be a string', name="n", canHear=[1]),
    refused("conversation", '"musicOnHoldUrl[0]" must be a valid uri', name="n",
            musicOnHoldUrl="ftp://h/x"),
    refused("connect", '"endpoint" is required'),
    connect('"endpoint" must contain at least 1', endpoint=[]),
    connect('"endpoint" must contain less', endpoint=[PHONE, PHONE]),
    connect('"endpoint" must be an array', endpoint=PHONE),
    connect('"endpoint[0]" must be an object', endpoint=["447700900001"]),
    connect('"timeout" must be larger', timeout=0),
    connect('"timeout" must be less', timeout=7201),
    connect('"limit" must be larger', limit=0),
    connect('"limit" must be less', limit=7201),
    connect('"randomFromNumber" must not be set', randomFromNumber=True, **{"from": "1555"}),
    connect('"from" must not contain control', **{"from": "1555\r\nX-Bad: 1"}),
    connect('"eventType" must be one of', eventType="sometimes"),
    connect('"machineDetection" must be one of', machineDetection="run"),
    connect('"advancedMachineDetection.mode" must be', advancedMachineDetection={"mode": "x"}),
    connect('"advancedMachineDetection.beep_timeout" must be larger',
            advancedMachineDetection={"beepTimeout": 44}),
    connect('"advancedMachineDetection.beep_timeout" must be less',
            advancedMachineDetection={"beep_timeout": 121}),
    connect('"ringbackTone" must be a valid uri', ringbackTone="tone.wav"),
    connect('"eventUrl[0]" must be a valid uri', eventUrl=["https://user:pw@h/"]),
    to('"endpoint[0].type" is required', number="1555"),
    to('"endpoint[0].type" must be one of', type="fax", number="1555"),
    to('"endpoint[0].number" is required', type="phone"),
    to('"endpoint[0].number" must be a phone number', type="phone", number="12"),
    to('"endpoint[0].headers" must not be larger than 512 bytes', type="websocket",
       uri="ws://h", headers={"a": "x" * 512}),
    refused("notify", '"payload" is required', eventUrl=[URL]),
    refused("notify", '"payload" must be an object', eventUrl=[URL], payload="x"),
    refused("notify", '"eventUrl" is required', payload={}),
    refused("notify", '"eventUrl" is required', payload={}, eventUrl=[]),
    refused("wait", '"timeout" must be a number', timeout="soon"),
    refused("transfer", '"conversationId" is required'),
    refused("transfer", '"conversationId" length must be at least', conversationId=""),
    refused("transfer", '"canSpeak" must be an array', conversationId="CON-1", canSpeak="all"),
]  # fmt: skip


@pytest.mark.parametrize(("given_", "reason"), REFUSED)
def test_what_is_no_script_is_refused(given_: Any, reason: str) -> None:
    with pytest.raises(ScriptRefused) as refusal:
        parse(msgspec.json.encode(given_))
    assert str(refusal.value).startswith(reason)


@pytest.mark.parametrize(
    "raw", [b"", b"<html>", b'[{"action"', b"[" * 2000, b"\xff", b" " * (SCRIPT_MAX + 1) + b"[]"]
)
def test_what_is_not_json_is_refused(raw: bytes) -> None:
    with pytest.raises(ScriptRefused):
        parse(raw)


def test_a_script_may_be_inside_something_else() -> None:
    given_ = {"action": "connect", "endpoint": [PHONE], "ringbackTone": [URL]}
    before = msgspec.json.encode(given_)
    assert read([given_]) == (Connect([CALLEE], ringback_tone=URL),)
    assert msgspec.json.encode(given_) == before


MEMBERS = ["action", "text", "type", "dtmf", "name", "endpoint", "payload", "eventUrl", "speech",
           "uuid", "headers", "onAnswer", "standardHeaders", "ringbackTone", "number"]  # fmt: skip
HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(ACTIONS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=4)
    ),
)


@given(st.binary(max_size=60) | HOSTILE.map(msgspec.json.encode))
@settings(max_examples=100)
def test_nothing_else_comes_of_reading(raw: bytes) -> None:
    try:
        assert isinstance(parse(raw), tuple)
    except ScriptRefused as refusal:
        assert str(refusal)


@given(st.sampled_from(ACTIONS), st.dictionaries(st.sampled_from(MEMBERS), HOSTILE, max_size=4))
@settings(max_examples=100)
def test_nor_of_an_action_with_odd_members(name: str, members: dict[str, Any]) -> None:
    try:
        assert isinstance(read([{**members, "action": name}]), tuple)
    except ScriptRefused as refusal:
        assert str(refusal)


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [(0, 0.1), (-5, 0.1), (0.1, 0.1), (2.5, 2.5), (7200, 7200), (1e9, 7200)],
)
def test_a_wait_out_of_bounds_is_as_long_as_the_bound(timeout: float, seconds: float) -> None:
    assert Wait(timeout).seconds == seconds


def test_a_connect_says_what_the_carrier_needs() -> None:
    (plain,) = script({"action": "connect", "endpoint": [PHONE]})
    assert isinstance(plain, Connect)
    assert (plain.callee, plain.asks, plain.detection) == (CALLEE, False, None)
    advanced = AdvancedMachineDetection("hangup", "detect_beep")
    both = Connect([CALLEE], machine_detection="continue", advanced_machine_detection=advanced)
    assert both.detection == Detection(
        hangs_up=True, waits=True, beep=True, is_advanced=True
    )  # fmt: skip


ANSWERING = [
    (Talk("x"), True), (Stream([URL]), True), (Input(["dtmf"]), True), (Record(), True),
    (Meeting("n"), True), (Transfer("CON-1"), True), (Connect([CALLEE]), False),
    (Notify({}, [URL]), False), (Wait(), False),
]  # fmt: skip


@pytest.mark.parametrize(("action", "is_answered"), ANSWERING)
def test_some_actions_need_an_answered_call(action: Action, is_answered: bool) -> None:
    assert answers(action) is is_answered
