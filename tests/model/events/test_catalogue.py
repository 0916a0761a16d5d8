"""The catalogue against the facts: which types, who creates them, where they go, golden bodies."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.model.events.founding import FOUNDING

from tertulia.model.events.heard import HEARD
from tertulia.model.events.reference import markdown, rows, table
from tertulia.model.events.registry import (
    RESERVED,
    Body,
    Creator,
    EventType,
    Keep,
    Reach,
    all_types,
    encode_body,
    event,
    find,
)
from tertulia.model.notices import TARGETS as NOTICES
from tertulia.web.documents import read_examples, write_reference

ROOT = Path(__file__).parents[3]
VECTORS = ROOT / "tests/vectors/events"
TYPES = list(all_types())
EXAMPLES = read_examples(VECTORS)

V1 = """
message message:submitted message:rejected message:undeliverable message:seen message:delivered
ephemeral custom:* audio:play audio:play:stop audio:say audio:say:stop audio:dtmf audio:record
audio:record:stop audio:mute:on audio:mute:off audio:earmuff:on audio:earmuff:off
""".split()
V03_ONLY = """
text text:seen text:delivered text:typing:on text:typing:off text:update image image:seen
image:delivered audio:ringing:start audio:ringing:stop audio:say:done mixer:publisher:created
mixer:publisher:destroyed mixer:subscriber:created mixer:subscriber:destroyed
""".split()
CLIENT = """
message message:seen message:delivered ephemeral custom:* audio:mute:on audio:mute:off
audio:earmuff:on audio:earmuff:off audio:dtmf audio:say audio:ringing:start audio:ringing:stop
text text:seen text:delivered text:typing:on text:typing:off image image:seen image:delivered
""".split()
EXTENSIONS = "custom:tertulia:edit custom:tertulia:reply custom:tertulia:reaction".split()
SESSION = """
message message:submitted message:rejected message:undeliverable message:seen message:delivered
ephemeral custom:* event:delete member:invited member:joined member:left member:media
leg:status:update rtc:answer rtc:hangup rtc:transfer audio:say audio:say:done audio:mute:on
audio:mute:off audio:earmuff:on audio:earmuff:off audio:dtmf audio:ringing:start
audio:ringing:stop text text:seen text:delivered text:typing:on text:typing:off image image:seen
image:delivered
""".split()
SESSION += EXTENSIONS
APPLICATION = {
    "conversation:created", "conversation:deleted", "app:knocking", "app:knocking:cancel",
}  # fmt: skip
NEVER = {"ephemeral", "text:typing:on", "text:typing:off"}
SUBTYPES = {
    "text", "image", "audio", "video", "file", "template", "custom", "vcard", "location", "random",
}  # fmt: skip


def names(flag: Creator | Reach) -> set[str]:
    return {
        found.name
        for found in TYPES
        if (found.creators & flag if isinstance(flag, Creator) else found.reaches & flag)
    }


def test_sixty_eight_types_and_our_own_of_which_forty_seven_founded_the_page() -> None:
    assert len(TYPES) == 68 + len(EXTENSIONS) + len(NOTICES)
    ours = [found.name for found in TYPES if found.name.startswith(RESERVED)]
    assert ours == [*EXTENSIONS, *sorted(NOTICES, reverse=True)]
    assert len(FOUNDING) == len(set(FOUNDING)) == 47
    declared = [found.name for found in TYPES]
    assert [name for name in declared if name in FOUNDING] == FOUNDING


def test_founding_types_come_first_in_their_heading_and_headings_in_order() -> None:
    headings = list(dict.fromkeys(found.group for found in TYPES))
    assert headings == [
        "leg", "audio", "message", "conversation", "member", "rtc", "sip", "custom", "deletion",
        "legacy", "knocking", "mixer", "extensions", "messaging", "voicehook",
    ]  # fmt: skip
    for heading in headings:
        founding = [found.name in FOUNDING for found in TYPES if found.group == heading]
        assert founding == sorted(founding, reverse=True)


@pytest.mark.parametrize("found", TYPES, ids=lambda found: found.name)
def test_class_is_named_after_its_type_and_says_what_happened(found: EventType) -> None:
    module = sys.modules[f"tertulia.model.events.{found.group}"]
    body = getattr(module, found.class_name)
    assert issubclass(body, Body)
    assert found.summary == body.__doc__
    assert found.summary.endswith(".")


def test_who_creates_what() -> None:
    assert len(V1) == 19
    own = set(EXTENSIONS)
    assert names(Creator.REST) - own == set(V1)
    v03 = (names(Creator.REST) | names(Creator.REST_LEGACY)) - own
    assert v03 == set(V1) | set(V03_ONLY)
    assert len(v03 - {"ephemeral"}) == 34
    assert names(Creator.CLIENT) - own == set(CLIENT)
    assert own <= names(Creator.REST) & names(Creator.CLIENT)


def test_what_only_the_platform_creates() -> None:
    creatable = {*V1, *V03_ONLY, *EXTENSIONS}
    for found in TYPES:
        if found.name not in creatable:
            assert found.creators == Creator.PLATFORM, found.name


def test_what_goes_where() -> None:
    assert names(Reach.WEBHOOK) == {found.name for found in TYPES}
    assert names(Reach.SESSION) == set(SESSION)
    assert names(Reach.HISTORY) == {
        found.name for found in TYPES if found.keep is Keep.CONVERSATION
    }


def test_what_is_kept_where() -> None:
    assert {found.name for found in TYPES if found.keep is Keep.APPLICATION} == {
        *APPLICATION, *NOTICES,
    }  # fmt: skip
    assert {found.name for found in TYPES if found.keep is Keep.NEVER} == NEVER


def test_what_the_platform_adds() -> None:
    assert {found.name: found.mints for found in TYPES if found.mints} == {
        "audio:play": "play_id", "audio:say": "say_id", "audio:record": "recording_id",
    }  # fmt: skip


def test_a_type_is_declared_once() -> None:
    with pytest.raises(ValueError, match="declared twice"):
        event("message")(Body)


@pytest.mark.parametrize("name", EXTENSIONS)
def test_our_own_are_found_before_the_pattern(name: str) -> None:
    found = find(name)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("name", ["custom:a", "custom:order-status", "custom:a:b_1", "custom::"])
def test_custom_types_are_found_by_their_pattern(name: str) -> None:
    found = find(name)
    assert found is not None
    assert found.name == "custom:*"


@pytest.mark.parametrize(
    "name",
    ["custom:", "custom:*", "custom:é", "custom:a b", "custom:a\n", "custom:" + 94 * "a", "x", ""],
)
def test_other_names_are_no_types(name: str) -> None:
    assert find(name) is None


def test_the_longest_custom_type_has_a_hundred_characters() -> None:
    assert find("custom:" + 93 * "a") is not None


def test_every_type_and_every_message_subtype_has_a_golden_file() -> None:
    shown = [(str(envelope["type"]), envelope["body"]) for envelope in golden().values()]
    found = {row.name for name, _ in shown if (row := find(name))}
    assert found == {row.name for row in TYPES}
    assert {body["message_type"] for name, body in shown if name == "message"} == SUBTYPES


@pytest.mark.parametrize("label", sorted(EXAMPLES))
def test_golden_body_decodes_and_encodes_to_itself(label: str) -> None:
    envelope = golden()[label]
    found = find(envelope["type"])
    assert found is not None
    body = found.decoder.decode(json.dumps(envelope["body"]))
    encoded = encode_body(body)
    assert json.loads(encoded) == envelope["body"]
    assert encode_body(found.decoder.decode(encoded)) == encoded


def test_rows_are_plain_and_name_the_members_of_each_body() -> None:
    listed = json.loads(json.dumps(rows()))
    assert len(listed) == len(TYPES)
    by_type = {row["type"]: row for row in listed}
    assert by_type["audio:play"]["fields"] == [
        {"name": "stream_url", "type": "array of string ≤ 2048 characters", "required": True},
        {"name": "level", "type": "number -1 to 1 or string", "required": True},
        {"name": "loop", "type": "integer ≥ 0", "required": True},
        {"name": "queue", "type": "boolean", "required": False},
        {"name": "play_id", "type": "string", "required": False},
    ]
    assert by_type["custom:*"]["fields"] is None
    assert by_type["audio:ringing:start"]["fields"] == []
    assert set(by_type["message"]["variants"]) == SUBTYPES


def test_table_has_a_line_a_type() -> None:
    lines = table().splitlines()
    assert len(lines) == len(TYPES) + 1
    assert lines[0].split("  ")[0] == "TYPE"
    assert all(line == line.rstrip() for line in lines)


def test_the_reference_page_is_current(tmp_path: Path) -> None:
    """If this fails: `python -m tertulia docs`, and look at the difference."""
    write_reference(tmp_path / "events.md", VECTORS)
    assert (ROOT / "docs/events.md").read_text("utf-8") == (tmp_path / "events.md").read_text(
        "utf-8"
    )


def test_the_reference_page_shows_every_type_even_without_examples() -> None:
    page = markdown({})
    assert [line for line in page.splitlines() if line.startswith("### `")] == [
        f"### `{found.name}`" for found in TYPES
    ]


def test_what_real_media_causes_is_marked() -> None:
    """That it does cause them, tests/system/test_call_events.py shows."""
    assert {row["type"]: row["cause"] for row in rows() if row["cause"]} == HEARD
    assert markdown({}).count("*Seen from real media:*") == len(HEARD)


def golden() -> dict[str, Any]:
    return EXAMPLES
