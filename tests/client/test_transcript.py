"""Events as lines of a terminal."""

from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.client.transcript import Kind, Transcript, content, happening

ALICE, BOB = "MEM-alice", "MEM-bob"
NAMES = {ALICE: "alice", BOB: "bob"}


def event(
    type_: str, number: int | None, sender: str, body: dict[str, Any], **more: Any
) -> dict[str, Any]:
    user = {"id": f"USR-{NAMES[sender]}", "name": NAMES[sender]}
    return {
        "type": type_, "id": number, "from": sender, "body": body, "cid": "CON-1",
        "timestamp": "2026-05-04T09:15:22.814Z", "_embedded": {"from_user": user}, **more,
    }  # fmt: skip


def text(number: int, sender: str, words: str, **more: Any) -> dict[str, Any]:
    return event("message", number, sender, {"message_type": "text", "text": words}, **more)


class Screen:
    """alice's, in UTC; without the line that names the day."""

    def __init__(self) -> None:
        self.transcript = Transcript("USR-alice", UTC)

    def take(self, payload: dict[str, Any]) -> list[str]:
        taken = happening(payload)
        assert taken is not None
        lines = [line.text for line in self.transcript.take(taken)]
        return [line for line in lines if not line.startswith("—")]


@pytest.mark.parametrize(
    "payload, line",
    [
        (text(1, BOB, "Hi Alice"), "09:15   #1 bob: Hi Alice"),
        (text(1, ALICE, "Hi Bob"), "09:15   #1 alice: Hi Bob"),
        (text(123456, BOB, "late"), "09:15 #123456 bob: late"),
        (event("text", 1, BOB, {"text": "old"}), "09:15   #1 bob: old"),
        (event("member:joined", 1, BOB, {}), "09:15 bob has joined"),
        (event("member:left", 1, BOB, {}), "09:15 bob has left"),
        (event("member:invited", 1, BOB, {}), "09:15 bob is invited"),
        (event("event:delete", 2, BOB, {"event_id": 1}), "09:15 bob deleted #1"),
        (event("custom:order", 1, BOB, {"n": 1}), '09:15 bob custom:order {"n":1}'),
        (event("ephemeral", None, BOB, {"n": 1}), '09:15 bob ephemeral {"n":1}'),
        (
            event("custom:tertulia:edit", 2, BOB, {"event_id": 1, "text": "better"}),
            "09:15 bob changed #1: better",
        ),
        (text(1, BOB, "x", timestamp="not a time"), "--:--   #1 bob: x"),
        (text(1, BOB, "\x1b[2J\x07"), "09:15   #1 bob: \ufffd[2J\ufffd"),
        (
            text(1, BOB, "x", _embedded={"from_user": {"id": "USR-b", "name": "b\x1b[1m\nob"}}),
            "09:15   #1 b\ufffd[1m\ufffdob: x",
        ),
        (event("custom:\x1bx", 1, BOB, {"\x1b": "\x1b"}), None),
    ],
)
def test_one_event(payload: dict[str, Any], line: str | None) -> None:
    (shown,) = Screen().take(payload)
    assert line is None or shown == line
    assert shown.isprintable()


@pytest.mark.parametrize(
    "type_", ["member:media", "leg:status:update", "rtc:hangup", "text:update"]
)
def test_what_is_nobodys_business(type_: str) -> None:
    assert Screen().take(event(type_, 1, BOB, {})) == []


def test_lines_of_a_text_cannot_pass_for_others() -> None:
    lines = Screen().take(text(1, BOB, "hm\n09:16   #2 alice: I owe you"))
    assert lines == ["09:15   #1 bob: hm", "           │ 09:16   #2 alice: I owe you"]


@pytest.mark.parametrize(
    "body, words",
    [
        ({"message_type": "image", "image": {"url": "https://a/b", "caption": "c"}}, "[image] c https://a/b"),
        ({"message_type": "file", "file": {"url": "https://a/b"}}, "[file] https://a/b"),
        ({"message_type": "location", "location": {"latitude": "1", "longitude": "2", "name": "x"}},
         "[place] 1, 2 x"),
        ({"message_type": "custom", "custom": {"a": 1}}, '[custom] {"a":1}'),
        ({"message_type": "text", "text": 3}, "3"),
        ({"message_type": ["odd"]}, "[['odd']] null"),
        ({"timestamp": {"deleted": "2026-05-04T09:15:22.814Z"}}, "(deleted)"),
        ({}, "[None] null"),
    ],
)  # fmt: skip
def test_kinds_of_messages(body: dict[str, Any], words: str) -> None:
    assert content("message", body) == words


def test_a_picture_is_shown_by_its_address() -> None:
    representations = {
        "original": {"url": "https://a/v3/media/1"},
        "thumbnail": {"url": "https://a/2"},
    }
    assert (
        content("image", {"representations": representations}) == "[picture] https://a/v3/media/1"
    )
    assert content("image", {"representations": "?"}) == "[picture]"


def test_an_event_is_shown_once() -> None:
    screen = Screen()
    assert len(screen.take(text(3, BOB, "x"))) == 1
    assert screen.take(text(3, BOB, "x")) == screen.take(text(2, BOB, "x")) == []
    assert screen.transcript.newest == 3


def test_a_day_is_named_once() -> None:
    transcript = Transcript("USR-alice", UTC)
    lines = []
    for number, stamp in enumerate(
        ("2026-05-04T23:59:59Z", "2026-05-05T00:00:00Z", "2026-05-05T01:00:00Z"), 1
    ):
        taken = happening(text(number, BOB, "x", timestamp=stamp))
        assert taken is not None
        lines += [line.text for line in transcript.take(taken)]
    assert lines[::2] == ["— 2026-05-04 —", "— 2026-05-05 —", "01:00   #3 bob: x"]


# --- receipts and typing ---


def receipt(number: int, kind: str, sender: str, about: Any) -> dict[str, Any]:
    return event(f"message:{kind}", number, sender, {"event_id": about})


def test_receipts_of_own_messages() -> None:
    screen = Screen()
    screen.take(text(1, ALICE, "Hi Bob"))
    assert screen.transcript.status == ""
    assert screen.take(receipt(2, "delivered", BOB, 1)) == ["      #1 ✓ delivered to bob"]
    assert screen.transcript.status == "#1 ✓"
    assert screen.take(receipt(3, "seen", BOB, 1)) == ["      #1 ✓✓ seen by bob"]
    assert screen.transcript.status == "#1 ✓✓"
    assert screen.take(receipt(4, "seen", BOB, 1)) == []


@pytest.mark.parametrize(
    "sender, about", [(ALICE, 1), (BOB, 2), (BOB, 77), (BOB, "1"), (BOB, None)]
)
def test_other_receipts_are_not_shown(sender: str, about: Any) -> None:
    screen = Screen()
    screen.take(text(1, ALICE, "mine"))
    screen.take(text(2, BOB, "his"))
    assert screen.take(receipt(3, "seen", sender, about)) == []


def test_receipts_in_history() -> None:
    screen = Screen()
    screen.transcript.know(BOB, "USR-bob", "bob")
    state = {"delivered_to": {BOB: "t"}, "seen_by": {BOB: "t"}}
    assert screen.take(text(1, ALICE, "Hi", state=state)) == ["09:15   #1 alice: Hi  ✓✓"]
    assert screen.transcript.said[1].seen == {"bob"}


def test_typing() -> None:
    screen = Screen()
    on, off = (event(f"text:typing:{each}", None, BOB, {}) for each in ("on", "off"))
    assert screen.take(on) == ["      bob is typing…"]
    assert screen.take(on) == []
    assert screen.transcript.status == "bob is typing…"
    screen.take(off)
    assert screen.transcript.status == ""
    screen.take(on)
    screen.take(text(1, BOB, "so"))
    assert screen.transcript.status == ""
    assert screen.take(event("text:typing:on", None, ALICE, {})) == []


# --- extensions ---


def test_answers_and_reactions_quote() -> None:
    screen = Screen()
    screen.take(text(1, BOB, "a question that is too long to be quoted from its begin to its end?"))
    screen.take(text(2, ALICE, "yes"))
    quoted = "#1 “a question that is too long to be quoted…”"
    (answer,) = screen.take(
        event("custom:tertulia:reply", 3, ALICE, {"event_id": 2, "reply_to": 1})
    )
    assert answer == f"09:15 #2 answers {quoted}"
    reaction = {"event_id": 1, "reaction": "👍", "action": "add"}
    (line,) = screen.take(event("custom:tertulia:reaction", 4, ALICE, reaction))
    assert line == f"09:15 alice reacts 👍 to {quoted}"
    assert screen.transcript.said[1].reactions == {"👍"}
    screen.take(event("custom:tertulia:reaction", 5, ALICE, reaction | {"action": "remove"}))
    assert screen.transcript.said[1].reactions == set()


def test_a_deleted_message_is_not_quoted() -> None:
    screen = Screen()
    screen.take(text(1, BOB, "secret"))
    screen.take(event("event:delete", 2, BOB, {"event_id": 1}))
    (line,) = screen.take(event("custom:tertulia:reply", 3, BOB, {"event_id": 9, "reply_to": 1}))
    assert line == "09:15 #9 answers #1 “(deleted)”"


# --- hostile shapes ---

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
TYPES = st.sampled_from([
    "message", "text", "image", "message:seen", "text:typing:on", "event:delete", "member:joined",
    "custom:x", "custom:tertulia:edit", "custom:tertulia:reply", "custom:tertulia:reaction",
])  # fmt: skip
FIELDS = st.sampled_from(
    ["message_type", "text", "event_id", "reply_to", "timestamp", "location", "image", "reaction"]
)


@given(TYPES, st.dictionaries(FIELDS, JSON), JSON)
def test_any_body_becomes_plain_lines(type_: str, body: dict[str, Any], state: Any) -> None:
    screen = Screen()
    screen.take(text(1, ALICE, "mine"))
    found = happening(event(type_, 2, BOB, body))
    assert found is not None
    for line in screen.transcript.take(found):
        assert "\x1b" not in line.text and "\n" not in line.text
        assert line.kind in Kind
    happening(event(type_, 2, BOB, body, state=state))


def test_what_is_no_event() -> None:
    assert happening({"type": 1}) is None
    assert happening({"id": "x"}, "message") is None
