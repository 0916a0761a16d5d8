"""What channels carry: of a conversation's messages, to whom, and what comes back."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.model.carrying import (
    CARRIED,
    TEXT_MAX,
    address_problem,
    body_of,
    content_for,
    plain_address,
    sender_problem,
)
from tertulia.model.events.registry import decode_body, find
from tertulia.model.message_errors import TABLE, Code
from tertulia.model.message_members import SHAPES
from tertulia.model.sending import CHANNELS, Arrival, Content, MessageChannel, Problem

MESSAGE = find("message") or pytest.fail("there are no messages")
URL = "https://media.test/a"
PLACE = {"longitude": "-0.1", "latitude": "51.5", "name": "Here", "address": "Street 1"}
BODIES: dict[str, dict[str, Any]] = {
    "text": {"text": "Hi"}, "image": {"image": {"url": URL, "caption": "A cat"}},
    "audio": {"audio": {"url": URL}}, "video": {"video": {"url": URL}},
    "file": {"file": {"url": URL}}, "vcard": {"vcard": {"url": URL}},
    "location": {"location": PLACE}, "custom": {"custom": {"type": "x"}},
    "template": {"template": {"name": "n"}, "whatsapp": {"policy": "p", "locale": "en"}},
    "random": {"random": {}},
}  # fmt: skip
TABLE_OF_FORMS = {
    #              text image audio video file vcard location custom template random
    "sms": "text text text text text text text - - -",
    "mms": "text image audio video file vcard text - - -",
    "whatsapp": "text image audio video file file custom custom template -",
    "viber": "text image text text text text text - - -",
    "messenger": "text image audio video file file text - - -",
    "rcs": "text image text video file file text custom - -",
    "email": "text text text text text text text - - -",
}


def body(kind: str) -> dict[str, Any]:
    return {"message_type": kind, **BODIES[kind]}


@pytest.mark.parametrize("channel", TABLE_OF_FORMS)
def test_what_a_message_becomes(channel: str) -> None:
    forms = []
    for kind in BODIES:
        found = content_for(channel, body(kind))
        forms.append("-" if isinstance(found, Problem) else found.message_type)
    expected = dict(zip(
        ("text", "image", "audio", "video", "file", "vcard", "location", "custom", "template",
         "random"),
        TABLE_OF_FORMS[channel].split(), strict=True,
    ))  # fmt: skip
    assert dict(zip(BODIES, forms, strict=True)) == expected


def test_every_channel_is_in_every_table() -> None:
    assert set(TABLE_OF_FORMS) == CHANNELS == set(CARRIED) == set(TEXT_MAX) == set(SHAPES)
    for channel, row in SHAPES.items():
        assert CARRIED[channel] - {"binary"} == {"text", *row.types}


def test_media_go_as_an_address() -> None:
    found = content_for("sms", body("image"))
    assert found == Content("text", {"text": f"A cat\n{URL}"})
    assert content_for("sms", body("audio")) == Content("text", {"text": URL})


def test_a_business_card_goes_as_a_file() -> None:
    found = content_for("whatsapp", body("vcard"))
    assert found == Content("file", {"file": {"url": URL, "name": "contact.vcf"}})


def test_a_place_goes_as_words_and_a_point() -> None:
    found = content_for("sms", body("location"))
    assert found == Content("text", {"text": "Here\nStreet 1\ngeo:51.5,-0.1"})
    found = content_for("whatsapp", body("location"))
    assert isinstance(found, Content)
    assert found.members == {"custom": {"type": "location", "location": PLACE}}


def test_a_template_goes_with_how_it_is_rendered() -> None:
    found = content_for("whatsapp", body("template"))
    whatsapp = BODIES["template"]["whatsapp"]
    assert found == Content("template", {"template": {"name": "n"}}, {"whatsapp": whatsapp})


def test_only_what_is_said_of_the_channel_goes_along() -> None:
    said = {
        **body("text"), "messenger": {"category": "update"},
        "viber_service": {"category": "promotion"},
    }  # fmt: skip
    for channel, extras in (
        ("messenger", {"messenger": {"category": "update"}}), ("sms", {}),
        ("viber", {"viber_service": {"category": "promotion"}}),
        ("email", {"email": {"subject": "Message"}}),
    ):  # fmt: skip
        found = content_for(channel, said)
        assert isinstance(found, Content)
        assert found.extras == extras


def test_what_is_not_carried_says_why() -> None:
    for channel, said, code in (
        ("messenger", {"message_type": "text", "text": "x" * 641}, Code.TOO_LONG),
        ("sms", {"message_type": "text", "text": ""}, Code.INVALID),
        ("sms", body("template"), Code.INVALID), ("pigeon", body("text"), Code.TOO_LONG),
        ("sms", {}, Code.INVALID),
    ):  # fmt: skip
        problem = content_for(channel, said)
        assert isinstance(problem, Problem)
        assert problem.code == code
        assert problem.reason


def arrival(content: Content) -> Arrival:
    return Arrival("c", "r", "whatsapp", from_="447700900000", to="15550199", content=content)


@pytest.mark.parametrize("content, expected", [
    (Content("text", {"text": "Hi"}), {"message_type": "text", "text": "Hi"}),
    (Content("image", {"image": {"url": URL, "caption": "A", "sha": "1"}}),
     {"message_type": "image", "image": {"url": URL, "caption": "A"}}),
    (Content("file", {"file": {"url": URL, "name": "a.pdf"}}),
     {"message_type": "file", "file": {"url": URL}}),
    (Content("location", {"location": {"longitude": 1, "latitude": 2.5, "x": 1}}),
     {"message_type": "location", "location": {"longitude": 1, "latitude": 2.5}}),
    (Content("location", {"location": {"longitude": [], "latitude": 2}}),
     {"message_type": "custom",
      "custom": {"message_type": "location", "location": {"longitude": [], "latitude": 2}}}),
    (Content("reaction", {"reaction": {"emoji": "x"}}),
     {"message_type": "custom",
      "custom": {"message_type": "reaction", "reaction": {"emoji": "x"}}}),
    (Content("image", {"image": {"url": URL, "caption": 0}}),
     {"message_type": "image", "image": {"url": URL}}),
    (Content("image", {"image": {"url": "javascript:x"}}),
     {"message_type": "custom", "custom": {"message_type": "image"}}),
    (Content("audio", {"audio": "x"}),
     {"message_type": "custom", "custom": {"message_type": "audio", "audio": "x"}}),
])  # fmt: skip
def test_what_comes_becomes_a_message(content: Content, expected: dict[str, Any]) -> None:
    found = body_of(arrival(content))
    assert found == expected
    decode_body(MESSAGE, msgspec.json.encode(found))


PLAIN = st.none() | st.integers() | st.text(max_size=10) | st.just(URL)
OBJECTS = st.dictionaries(
    st.sampled_from(["url", "caption", "name", "longitude", "latitude", "address"]), PLAIN
)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([*BODIES, "sticker"]), OBJECTS | PLAIN)
def test_whatever_comes_is_a_message(kind: str, given: Any) -> None:
    found = body_of(arrival(Content(kind, {kind: given})))
    decode_body(MESSAGE, msgspec.json.encode(found))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(CHANNELS)), st.sampled_from(list(BODIES)), OBJECTS | PLAIN)
def test_whatever_is_said_is_carried_or_not(channel: str, kind: str, given: Any) -> None:
    found = content_for(channel, {"message_type": kind, kind: given})
    if isinstance(found, Content):
        assert found.message_type in CARRIED[channel]
        assert len(found.text) <= TEXT_MAX[channel]


@pytest.mark.parametrize("channel, good, bad", [
    ("sms", ["447700900000", "1555011"], ["", "12", "0447700900000", "4477x", "1" * 16, "1" * 7 +
                                          "\n"]),
    ("whatsapp", ["447700900000", "US.13491208655302741918"], ["US", "us.1", "123"]),
    ("viber", ["447700900000", "01234567890A="], ["0447700900000", "x", "a b", "=" * 12]),
    ("messenger", ["1234567890123456", "a.b"], ["", "a b", "x" * 51]),
    ("email", ["a@b", "ada@mail.test"], ["a", "@b", "a@b@c", "a b@c"]),
    ("pigeon", [], ["447700900000"]),
])  # fmt: skip
def test_addresses(channel: str, good: list[str], bad: list[str]) -> None:
    assert [to for to in good if address_problem(channel, to) is not None] == []
    for to in bad:
        problem = address_problem(channel, to)
        assert problem is not None
        assert problem.code == "1170"


@pytest.mark.parametrize("channel, good, bad", [
    ("sms", ["447700900000", "12345", "MyShop", "Tea & Co"], ["", "x" * 12, "a\nb", "1" * 16]),
    ("rcs", ["My-Agent_1"], ["My Agent", ""]),
    ("viber", ["My Service", "x" * 50], ["x" * 51]),
    ("email", ["a@b"], ["a"]),
])  # fmt: skip
def test_senders(channel: str, good: list[str], bad: list[str]) -> None:
    assert [from_ for from_ in good if sender_problem(channel, from_) is not None] == []
    assert [from_ for from_ in bad if sender_problem(channel, from_) is None] == []


def test_addresses_in_their_plain_form() -> None:
    for channel, written, plain in (
        ("sms", " +44 7700 900000", "447700900000"), ("sms", "My Shop", "MyShop"),
        ("viber", "My Service", "My Service"), ("whatsapp", "+447700900000", "447700900000"),
        ("email", "a+b@c", "a+b@c"),
    ):  # fmt: skip
        assert plain_address(channel, written) == plain


def test_every_code_is_explained() -> None:
    assert set(TABLE) == set(Code)
    assert MessageChannel("sms") in CARRIED
