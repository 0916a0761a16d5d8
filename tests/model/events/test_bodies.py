"""What bodies accept, in which spellings, what they refuse, and what is emitted."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.model.errors import Parameter, ValidationFailed
from tertulia.model.events.message import MessageSeen
from tertulia.model.events.registry import (
    BODY_MAX,
    CUSTOM_BODY_MAX,
    EventType,
    decode_body,
    encode_body,
    find,
    mint,
)
from tertulia.model.events.rtc import Bandwidth
from tertulia.model.ids import EventId

URL = "https://files.example.org/a.png"
WHATSAPP = {"policy": "deterministic", "locale": "en-GB"}
PLAY = {"stream_url": ["https://media.example.org/a.mp3"], "level": 0, "loop": 1}
SAY = {"text": "Hi", "level": 0, "loop": 1}
APP = {"type": "app"}
URI = "must be a valid uri with a scheme matching the http|https pattern"
DIGITS = "fails to match the required pattern: /^([abcdABCD0-9*#pP])+$/"


def the(name: str) -> EventType:
    found = find(name)
    assert found is not None
    return found


def through(name: str, body: object) -> Any:
    return json.loads(encode_body(decode_body(the(name), json.dumps(body).encode())))


def refused(name: str, raw: bytes) -> tuple[Parameter, ...]:
    with pytest.raises(ValidationFailed) as caught:
        decode_body(the(name), raw)
    return caught.value.parameters


def location(longitude: object, latitude: object) -> dict[str, object]:
    place = {"longitude": longitude, "latitude": latitude}
    return {"message_type": "location", "location": place}


def message(kind: str, **parts: object) -> dict[str, object]:
    return {"message_type": kind, **parts}


UNCHANGED = [
    ("message", message("text", text="")),
    ("message", message("text", text="Hi \u00e9 \U0001f600 \u0000")),
    ("message", message("text", text=60_000 * "x")),
    ("message", message("text", text="a", messenger={"category": "message_tag", "tag": "x"})),
    ("message", message("text", text="a", viber_service={"ttl": 30})),
    ("message", message("image", image={"url": URL, "caption": "c"}, viber_service={"type": "t"})),
    ("message", message("file", file={"url": "HTTP".lower() + "://h"}, messenger={"tag": "x"})),
    ("message", message("custom", custom={})),
    ("message", message("vcard", vcard={"url": URL}, image={"url": URL})),
    ("message", message("random")),
    ("message", message("random", random={"a": [1, None, {"b": 1.5}]})),
    ("message", message("template", template={"name": "n"}, whatsapp=WHATSAPP)),
    ("message:seen", {"event_id": 7}),
    ("text", {"text": 2500 * "x", "language": "en-GB", "channels": ["sms", "app"]}),
    ("text:typing:on", {}),
    ("image", {"representations": {"original": {"id": "x", "url": URL}}}),
    ("audio:dtmf", {"digit": "5", "channel": APP}),
    ("audio:dtmf", {"digits": "0123456789abcdABCD*#pP"}),
    ("audio:dtmf", {"digit": "5", "method": "in", "duration": 100}),
    ("audio:record", {}),
    ("audio:record", {"validity": 1, "channels": 32, "transcription": {"language": "en-GB"}}),
    ("audio:say", {**SAY, "style": 1000, "language": 35 * "x", "level": 1, "loop": 0}),
    ("audio:play:stop", {"play_id": "p"}),
    ("audio:ringing:start", {}),
    ("custom:a", {"any": ["thing", {"at": None}], "n": 10**30}),
    ("ephemeral", {}),
    ("mixer:publisher:created", {"x": 1}),
]


@pytest.mark.parametrize(("name", "body"), UNCHANGED)
def test_accepted_and_emitted_as_it_came(name: str, body: dict[str, Any]) -> None:
    assert through(name, body) == body


VARIANTS = [
    ("message:seen", {"event_id": "7"}, {"event_id": 7}),
    ("message:delivered", {"event_id": "0012"}, {"event_id": 12}),
    ("text:seen", {"event_id": "7"}, {"event_id": 7}),
    (
        "text:update",
        {"text": "a", "original_event_id": "9"},
        {"text": "a", "original_event_id": 9},
    ),
    ("message", location(-0.1276, 51), location("-0.1276", "51")),
    ("message", location("-0.1276", "51.5072"), location("-0.1276", "51.5072")),
    (
        "message",
        message("template", template={"name": "n", "whatsapp": WHATSAPP}),
        message("template", template={"name": "n"}, whatsapp=WHATSAPP),
    ),
    (
        "message",
        message(
            "template",
            template={"name": "n", "whatsapp": {"policy": "x", "locale": "x"}},
            whatsapp=WHATSAPP,
        ),
        message("template", template={"name": "n"}, whatsapp=WHATSAPP),
    ),
    ("audio:record", {"mulitrack": True}, {"multitrack": True}),
    (
        "audio:record",
        {"multi_track": True, "detect_speach": False, "beep_end": True, "record_id": "x"},
        {"multitrack": True, "detect_speech": False, "beep_stop": True},
    ),
    ("audio:record", {"mulitrack": True, "multitrack": False}, {"multitrack": False}),
    ("message", message("text", text="a", messenger=None), message("text", text="a")),
]


@pytest.mark.parametrize(("name", "body", "emitted"), VARIANTS)
def test_accepted_variants_are_emitted_in_one_spelling(
    name: str, body: dict[str, Any], emitted: dict[str, Any]
) -> None:
    assert through(name, body) == emitted


@pytest.mark.parametrize(
    ("level", "emitted"),
    [(0, b"0"), (1.0, b"1"), (-1, b"-1"), (0.5, b"0.5"), ("0.5", b"0.5"), ("-1", b"-1"),
     ("1.0", b"1"), (".25", b"0.25"), ("-0", b"0")],
)  # fmt: skip
def test_level_is_emitted_as_number_without_idle_fraction(level: object, emitted: bytes) -> None:
    for name, body in (("audio:play", PLAY), ("audio:say", SAY)):
        raw = msgspec.json.encode({**body, "level": level})
        assert b'"level":' + emitted + b"," in encode_body(decode_body(the(name), raw))


def test_bandwidth_says_its_bytes_in_both_spellings() -> None:
    assert json.loads(msgspec.json.encode(Bandwidth(bytes_in=1, bytes_out=0))) == {
        "bytes_in": 1, "bytes_out": 0, "byte_in": 1, "byte_out": 0,
    }  # fmt: skip


BAD = [
    # The envelope of the body.
    ("message", b"", "body", "must be valid JSON"),
    ("message", b"{", "body", "must be valid JSON"),
    ("message", b"\xff", "body", "must be valid JSON"),
    ("message", b"[]", "body", "must be an object"),
    ("message", b"null", "body", "must be an object"),
    ("custom:a", b"[]", "body", "must be an object"),
    ("ephemeral", b'"x"', "body", "must be an object"),
    ("ephemeral", b'{"a":' + 60_000 * b"[", "body", "must be valid JSON"),
    ("ephemeral", b'{"a":"\\ud800"}', "body", "must be valid JSON"),
    # Messages.
    ("message", message("x"), "body.message_type", "must be one of the allowed values, not 'x'"),
    ("message", {"text": "a"}, "body.message_type", "is required"),
    ("message", {"message_type": 1}, "body.message_type", "must be a string"),
    ("message", message("text"), "body.text", "is required"),
    ("message", message("text", text=1), "body.text", "must be a string"),
    ("message", message("text", text=None), "body.text", "must be a string"),
    ("message", message("text", text="a", extra=1), "body.extra", "is not allowed"),
    ("message", message("image", image={}), "body.image.url", "is required"),
    ("message", message("image", image=URL), "body.image", "must be an object"),
    ("message", message("image", image={"url": "javascript:alert(1)"}), "body.image.url", URI),
    ("message", message("audio", audio={"url": "data:audio/mp3;base64,"}), "body.audio.url", URI),
    ("message", message("video", video={"url": "//h/x"}), "body.video.url", URI),
    ("message", message("file", file={"url": "file:///etc/passwd"}), "body.file.url", URI),
    ("message", message("file", file={"url": "https://"}), "body.file.url", URI),
    ("message", message("file", file={"url": "https://h/a b"}), "body.file.url", URI),
    ("message", message("file", file={"url": "https://h/\n"}), "body.file.url", URI),
    ("message", message("file", file={"url": " https://h"}), "body.file.url", URI),
    ("message", message("vcard", vcard={"url": "https://h/" + 2048 * "x"}), "body.vcard.url",
     "length must be less than or equal to 2048 characters long"),
    ("message", message("audio", audio={"url": URL, "caption": "c"}), "body.audio.caption",
     "is not allowed"),
    ("message", message("template", template={"name": "n"}), "body.whatsapp", "is required"),
    ("message", message("template", whatsapp=WHATSAPP), "body.template", "is required"),
    ("message", message("template", template={"name": "n", "whatsapp": {"policy": "x"}}),
     "body.template.whatsapp.locale", "is required"),
    ("message", message("template", template={"name": "n", "parameters": [1]}, whatsapp=WHATSAPP),
     "body.template.parameters[0]", "must be a string"),
    ("message", message("custom", custom=[]), "body.custom", "must be an object"),
    ("message", location("1", None), "body.location.latitude", "must be a number or a string"),
    ("message", location(1, True), "body.location.latitude", "must be a number or a string"),
    ("message", message("text", text="a", viber_service={"ttl": 29}), "body.viber_service.ttl",
     "must be larger than or equal to 30"),
    ("message", message("text", text="a", viber_service={"ttl": 259201}),
     "body.viber_service.ttl", "must be less than or equal to 259200"),
    ("message", message("text", text="a", messenger={"category": "x"}), "body.messenger.category",
     "must be one of the allowed values, not 'x'"),
    # Status events.
    ("message:seen", {}, "body.event_id", "is required"),
    ("message:seen", {"event_id": "x"}, "body.event_id", "must be a number"),
    ("message:seen", {"event_id": "1.5"}, "body.event_id", "must be a number"),
    ("message:seen", {"event_id": ""}, "body.event_id", "must be a number"),
    ("message:seen", {"event_id": "9" * 30}, "body.event_id", "must be a number"),
    ("message:seen", {"event_id": 1.5}, "body.event_id", "must be a number or a string"),
    ("message:seen", {"event_id": True}, "body.event_id", "must be a number or a string"),
    ("message:seen", {"event_id": None}, "body.event_id", "must be a number or a string"),
    ("message:seen", {"event_id": -1}, "body.event_id", "must be larger than or equal to 0"),
    ("message:seen", {"event_id": 2**53}, "body.event_id",
     "must be less than or equal to 9007199254740991"),
    ("message:seen", {"event_id": 1, "text": ""}, "body.text", "is not allowed"),
    # Audio.
    ("audio:play", {**PLAY, "play_id": "p"}, "body.play_id", "is not allowed"),
    ("audio:say", {**SAY, "say_id": "s"}, "body.say_id", "is not allowed"),
    ("audio:record", {"recording_id": "r"}, "body.recording_id", "is not allowed"),
    ("audio:play", {"level": 0, "loop": 1}, "body.stream_url", "is required"),
    ("audio:play", {**PLAY, "stream_url": []}, "body.stream_url", "must contain at least 1 items"),
    ("audio:play", {**PLAY, "stream_url": URL}, "body.stream_url", "must be an array"),
    ("audio:play", {**PLAY, "stream_url": [1]}, "body.stream_url[0]", "must be a string"),
    ("audio:play", {**PLAY, "loop": -1}, "body.loop", "must be larger than or equal to 0"),
    ("audio:play", {**PLAY, "loop": 1.5}, "body.loop", "must be a number"),
    ("audio:play", {**PLAY, "level": 1.1}, "body.level", "must be less than or equal to 1.0"),
    ("audio:play", {**PLAY, "level": "-1.1"}, "body.level", "must be a number from -1 to 1"),
    ("audio:play", {**PLAY, "level": "nan"}, "body.level", "must be a number from -1 to 1"),
    ("audio:play", {**PLAY, "level": "loud"}, "body.level", "must be a number from -1 to 1"),
    ("audio:play", {**PLAY, "level": []}, "body.level", "must be a number or a string"),
    ("audio:say", {**SAY, "style": 1001}, "body.style", "must be less than or equal to 1000"),
    ("audio:say", {**SAY, "language": 36 * "x"}, "body.language",
     "length must be less than or equal to 35 characters long"),
    ("audio:record", {"channels": 33}, "body.channels", "must be less than or equal to 32"),
    ("audio:record", {"channels": 0}, "body.channels", "must be larger than or equal to 1"),
    ("audio:record", {"validity": 0}, "body.validity", "must be larger than or equal to 1"),
    ("audio:record", {"mulitrack": 1}, "body.mulitrack", "must be a boolean"),
    ("audio:record", {"transcription": {}}, "body.transcription.language", "is required"),
    ("audio:record:stop", {"recording_id": "r"}, "body.recording_id", "is not allowed"),
    ("audio:dtmf", {}, "body", "must contain at least one of [digit, digits]"),
    ("audio:dtmf", {"digits": ""}, "body.digits", DIGITS),
    ("audio:dtmf", {"digit": "5\n"}, "body.digit", DIGITS),
    ("audio:dtmf", {"digits": "12e"}, "body.digits", DIGITS),
    ("audio:dtmf", {"digit": "5", "method": "in"}, "body.duration", "is required"),
    ("audio:dtmf", {"digit": "5", "method": "out"}, "body.method",
     "must be one of the allowed values, not 'out'"),
    ("audio:dtmf", {"digit": "5", "channel": {}}, "body.channel.type", "is required"),
    ("audio:ringing:start", {"x": 1}, "body.x", "is not allowed"),
    # Older types.
    ("text", {"text": 2501 * "x"}, "body.text",
     "length must be less than or equal to 2500 characters long"),
    ("text", {"text": "a", "channels": ["fax"]}, "body.channels[0]",
     "must be one of the allowed values, not 'fax'"),
    ("text:update", {"text": "a"}, "body.original_event_id", "is required"),
    ("image", {"representations": "x"}, "body.representations", "must be an object"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "body", "parameter", "reason"), BAD)
def test_refused_with_the_wrong_parameter_named(
    name: str, body: object, parameter: str, reason: str
) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert refused(name, raw) == (Parameter(parameter, f'"{parameter}" {reason}'),)


@pytest.mark.parametrize(
    ("name", "limit"), [("custom:a", CUSTOM_BODY_MAX), ("ephemeral", BODY_MAX)]
)
def test_bodies_have_a_size(name: str, limit: int) -> None:
    shell = len(b'{"a":""}')
    decode_body(the(name), b'{"a":"%s"}' % ((limit - shell) * b"x"))
    assert refused(name, b'{"a":"%s"}' % ((limit - shell + 1) * b"x")) == (
        Parameter("body", f'"body" must not be larger than {limit} bytes'),
    )


def test_sip_status_needs_the_status_of_an_inbound_leg() -> None:
    channel = {"type": "phone"}
    body = {"direction": "out", "price": "0", "rate": "0", "duration": "1", "to": "1", "from": "2"}
    assert through("sip:status", {**body, "channel": channel}) == {**body, "channel": channel}
    raw = json.dumps({**body, "channel": channel, "direction": "in"}).encode()
    assert refused("sip:status", raw) == (Parameter("body.status", '"body.status" is required'),)


@pytest.mark.parametrize(
    ("name", "body"), [("audio:play", PLAY), ("audio:say", SAY), ("audio:record", {})]
)
def test_a_minted_id_is_in_the_stored_body(name: str, body: dict[str, Any]) -> None:
    found = the(name)
    assert found.mints is not None
    requested = decode_body(found, json.dumps(body).encode())
    stored = encode_body(mint(found, requested, "fresh"))
    assert json.loads(stored) == {**body, found.mints: "fresh"}
    assert encode_body(found.decoder.decode(stored)) == stored


def test_minting_leaves_other_bodies_alone() -> None:
    body = {"any": 1}
    assert mint(the("custom:a"), body, "fresh") is body
    seen = MessageSeen(event_id=1)
    assert mint(the("message:seen"), seen, "fresh") is seen


def test_a_status_event_knows_its_target() -> None:
    seen = decode_body(the("message:seen"), b'{"event_id":"12"}')
    assert isinstance(seen, MessageSeen)
    assert seen.target == EventId(12)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.text())
def test_text_goes_through(text: str) -> None:
    body = message("text", text=text)
    assert through("message", body) == body


@given(st.dictionaries(st.text(max_size=20), JSON, max_size=4))
def test_any_object_goes_through(body: dict[str, Any]) -> None:
    assert through("ephemeral", body) == body


@given(st.integers(min_value=0, max_value=10**15 - 1))
def test_event_numbers_go_through_in_both_spellings(number: int) -> None:
    assert through("event:delete", {"event_id": number}) == {"event_id": number}
    assert through("event:delete", {"event_id": str(number)}) == {"event_id": number}


@given(st.floats(min_value=-1, max_value=1))
def test_levels_go_through(level: float) -> None:
    assert through("audio:say", {**SAY, "level": level}) == {**SAY, "level": level}


@given(st.sampled_from(sorted({name for name, _ in UNCHANGED})), st.dictionaries(st.text(), JSON))
def test_whatever_comes_is_accepted_or_refused(name: str, body: dict[str, Any]) -> None:
    raw = msgspec.json.encode(body)
    try:
        decoded = decode_body(the(name), raw)
    except ValidationFailed as failure:
        assert failure.parameters
    else:
        encode_body(decoded)
