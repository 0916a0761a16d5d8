"""Messages in the words of the Messenger platform, both ways."""

from typing import Any

import pytest
from tests.contracts.message_carrier import OURS, THEIRS

from tertulia.carriers.messenger import PEOPLE_MAX, REFS_MAX, Watermarks, message, told
from tertulia.model.sending import Arrival, Content, Order, Outcome
from tertulia.ports.messaging import Declined

URL = "https://files.example/a.png"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (Content("text", {"text": "Hi"}), {"text": "Hi"}),
        *((Content(kind, {kind: {"url": URL}}),
           {"attachment": {"type": kind, "payload": {"url": URL, "is_reusable": False}}})
          for kind in ("image", "audio", "video", "file")),
        (Content("vcard", {"vcard": {"url": URL}}),
         {"attachment": {"type": "file", "payload": {"url": URL, "is_reusable": False}}}),
        (Content("custom", {"custom": {"text": "x", "quick_replies": []}}),
         {"text": "x", "quick_replies": []}),
        (Content("template", {"template": {"template_type": "button"}}),
         {"attachment": {"type": "template", "payload": {"template_type": "button"}}}),
        (Content("text", {"text": "Hi"}, {"context": {"ref": "m_1"}}),
         {"text": "Hi", "reply_to": {"mid": "m_1"}}),
    ],
)  # fmt: skip
def test_what_is_said(content: Content, said: dict[str, Any]) -> None:
    assert message(Order("messenger", THEIRS, OURS, content)) == {
        "recipient": {"id": THEIRS}, "messaging_type": "RESPONSE", "message": said,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({}, {"messaging_type": "RESPONSE"}),
        ({"category": "update"}, {"messaging_type": "UPDATE"}),
        ({"category": "message_tag", "tag": "ACCOUNT_UPDATE"},
         {"messaging_type": "MESSAGE_TAG", "tag": "ACCOUNT_UPDATE"}),
        ({"category": 7}, {"messaging_type": "RESPONSE"}),
    ],
)  # fmt: skip
def test_categories(own: dict[str, Any], expected: dict[str, str]) -> None:
    content = Content("text", {"text": "Hi"}, {"messenger": own})
    body = message(Order("messenger", THEIRS, OURS, content))
    assert {name: body[name] for name in body if name in ("messaging_type", "tag")} == expected


def test_what_cannot_be_said_is_declined() -> None:
    with pytest.raises(Declined):
        message(Order("messenger", THEIRS, OURS, Content("location", {"location": {}})))


def heard(*events: dict[str, Any], marks: Watermarks | None = None) -> list[Any]:
    both = {"sender": {"id": THEIRS}, "recipient": {"id": OURS}, "timestamp": 5}
    batch = {"entry": [{"messaging": [{**both, **each} for each in events]}]}
    return list(told("page", batch, marks or Watermarks()))


@pytest.mark.parametrize(
    ("event", "contents"),
    [
        ({"message": {"mid": "m_1", "text": "Hi"}}, [Content("text", {"text": "Hi"})]),
        ({"message": {"mid": "m_1", "attachments": [
            {"type": "image", "payload": {"url": URL}}, {"type": "fallback"},
        ]}}, [Content("image", {"image": {"url": URL}}), Content("unsupported")]),
        ({"message": {"mid": "m_1", "text": "Look",
                      "attachments": [{"type": "file", "payload": {"url": URL}}]}},
         [Content("text", {"text": "Look"}), Content("file", {"file": {"url": URL}})]),
        ({"message": {"mid": "m_1", "attachments": [
            {"type": "location", "payload": {"coordinates": {"lat": 1, "long": 2}}}]}},
         [Content("location", {"location": {"lat": 1, "long": 2}})]),
        ({"message": {"mid": "m_1", "text": "Red", "quick_reply": {"payload": "RED"}}},
         [Content("reply", {"reply": {"id": "RED", "title": "Red"}})]),
        ({"postback": {"title": "Start", "payload": "GO"}},
         [Content("reply", {"reply": {"id": "GO", "title": "Start"}})]),
        ({"reaction": {"mid": "m_0", "action": "react", "emoji": "❤"}},
         [Content("reaction", {"reaction": {"action": "react", "emoji": "❤"}})]),
        ({"message": {"mid": "m_1"}}, [Content("unsupported")]),
    ],
)  # fmt: skip
def test_what_is_heard(event: dict[str, Any], contents: list[Content]) -> None:
    found = heard(event)
    assert all(isinstance(each, Arrival) for each in found)
    assert [each.content for each in found] == contents
    assert len({each.ref for each in found}) == len(found)
    assert heard(event) == found


def test_what_an_arrival_is_about() -> None:
    answer = {"mid": "m_1", "text": "Hi", "reply_to": {"mid": "m_0"}}
    assert heard({"message": answer})[0].context == "m_0"
    assert heard({"reaction": {"mid": "m_0", "action": "react"}})[0].context == "m_0"


def test_what_the_page_says_itself_is_no_message() -> None:
    assert heard({"message": {"mid": "m_1", "text": "Hi", "is_echo": True}}) == []


def test_a_watermark_is_about_all_that_came_before() -> None:
    marks = Watermarks()
    for ref in ("m_1", "m_2"):
        marks.sent(THEIRS, ref)
    marks.sent("another", "m_3")
    delivered = heard({"delivery": {"watermark": 9}}, marks=marks)
    assert [(each.ref, each.status) for each in delivered] == [
        ("m_1", "delivered"), ("m_2", "delivered"),
    ]  # fmt: skip
    read = heard({"read": {"watermark": 9}}, marks=marks)
    assert read == [Outcome("page", ref, None, is_read=True) for ref in ("m_1", "m_2")]
    assert heard({"read": {"watermark": 9}}, marks=marks) == []


def test_what_is_remembered_for_watermarks_is_bounded() -> None:
    marks = Watermarks()
    for number in range(REFS_MAX + 5):
        marks.sent("0", str(number))
    assert len(marks.of("0")) == REFS_MAX
    for number in range(PEOPLE_MAX):
        marks.sent(str(number + 1), "m")
    assert marks.of("0") == []


@pytest.mark.parametrize(
    "event",
    [{"message": 7}, {"message": {"mid": 1.5e300}}, {"delivery": {"mids": [7, ""]}}, {},
     {"message": {"mid": "x" * 400, "text": "Hi"}}, {"sender": None, "message": {"mid": "1"}}],
)  # fmt: skip
def test_what_is_none_is_dropped(event: dict[str, Any]) -> None:
    assert not any(heard(event))
