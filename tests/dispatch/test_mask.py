"""The reading of event_mask (docs/decisions/0003-event-mask.md)."""

import pytest

from tertulia.dispatch.mask import read_mask


@pytest.mark.parametrize(
    ("mask", "type_", "wanted"),
    [
        (None, "message", True),
        ("", "message", True),
        (" , ", "message", True),
        ("message", "message", True),
        ("message", "message:seen", False),
        ("message*", "message:seen", True),
        ("message*", "message", True),
        ("custom:*", "custom:order", True),
        ("custom:*", "message", False),
        ("member:joined, member:left", "member:left", True),
        ("member:joined member:left", "member:left", True),
        ("member:joined\n\tmember:left,", "member:left", True),
        ("*", "anything", True),
        ("*:on", "audio:mute:on", False),
        ("Message", "message", False),
        ("no:such:type", "message", False),
    ],
)
def test_mask(mask: str | None, type_: str, wanted: bool) -> None:
    assert read_mask(mask).wants(type_) is wanted
