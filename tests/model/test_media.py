from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.model.events.registry import decode_body, encode_body, find
from tertulia.model.ids import MediaId
from tertulia.model.instant import Instant
from tertulia.model.media import (
    NAMED_MAX,
    content_type_of,
    is_signed,
    named_media,
    plain_name,
    signature_of,
)

TEXT = "text/plain; charset=utf-8"
VCARD = "text/vcard; charset=utf-8"


@pytest.mark.parametrize(("content", "expected"), [
    (b"\xff\xd8\xff\xd9", "image/jpeg"), (b"\xff\xd8", None), (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF89a", "image/gif"), (b"GIF87a", "image/gif"), (b"GIF88a", TEXT),
    (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"), (b"RIFF\n\n\n\nWAVEfmt ", "audio/wav"),
    (b"RIFF\0\0\0\0AVI ", None), (b"ID3\x04", "audio/mpeg"), (b"\xff\xfb\x90\0", "audio/mpeg"),
    (b"\xff\xfb\xf0\0", None), (b"\xff\xfe\x90\0", None), (b"OggS\0\2", "audio/ogg"),
    (b"OggS" + 24 * b"\0" + b"\x80theora", "video/ogg"),
    (b"\0\0\0\x20ftypisom", "video/mp4"), (b"\0\0\0\x20ftypM4A ", "audio/mp4"),
    (b"\0\0\0\x20ftypmp42", "video/mp4"), (b"\0\0\0\x20ftypheic", None),
    (b"\0\0\0\x20ftypqt  ", None), (b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm", "video/webm"),
    (b"\x1a\x45\xdf\xa3\x9f\x42\x82\x88matroska", None), (b"%PDF-1.7", "application/pdf"),
    (b"BEGIN:VCARD\r\nEND:VCARD\r\n", VCARD), (b"\xef\xbb\xbfbegin:vcard\n", VCARD),
    (b" BEGIN:VCARD", TEXT), ("ñandú\tone\r\ntwo\n".encode(), TEXT), (b"", None),
    (b"\xff\xff", None), (b"a\0b", None), (b"\x7fELF\2\1", None), (b"MZ\x90\0", None),
    (b"PK\3\4", None), (b"<html><script>", TEXT), (b"<svg xmlns='http://www.w3.org'/>", TEXT),
    (b"text and then " + 200 * b"." + b"\xff", None),
])  # fmt: skip
def test_the_type_is_told_by_the_content(content: bytes, expected: str | None) -> None:
    assert content_type_of(content) == expected


@pytest.mark.parametrize(("given_name", "expected"), [
    ("cat.jpg", "cat.jpg"), ("../../etc/passwd", "passwd"), ("C:\\pictures\\cat.jpg", "cat.jpg"),
    ("a\r\nb\0c.txt", "abc.txt"), ("", ""), ("/", ""), ("ñ.png", "ñ.png"), ("\ud800x", "x"),
    (300 * "x", 200 * "x"),
])  # fmt: skip
def test_a_name_is_made_plain(given_name: str, expected: str) -> None:
    assert plain_name(given_name) == expected


def named(type_: str, body: Any) -> tuple[MediaId, ...]:
    event_type = find(type_)
    assert event_type is not None
    return named_media(decode_body(event_type, encode_body(body)))


def url(media_id: str) -> str:
    return f"https://tertulia.test/v3/media/{media_id}"


def message(kind: str, part: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"message_type": kind, kind: part, **more}


@pytest.mark.parametrize(("type_", "body", "expected"), [
    *(("message", message(kind, {"url": url("MED-1")}), ["MED-1"])
      for kind in ("image", "audio", "video", "file", "vcard")),
    ("message", message("vcard", {"url": url("MED-1")}, image={"url": url("MED-2")}),
     ["MED-1", "MED-2"]),
    ("message", message("image", {"url": url("MED-1?expires=1&signature=ab")}), ["MED-1"]),
    ("message", message("image", {"url": url("MED-1/info")}), ["MED-1"]),
    ("message", message("image", {"url": "https://example.org/cat.png"}), []),
    ("message", message("image", {"url": "https://example.org/MED-1"}), []),
    ("message", message("image", {"url": url("MED-1.png")}), []),
    ("message", message("image", {"url": url("MED-" + 70 * "1")}), []),
    ("message", {"message_type": "text", "text": url("MED-1")}, []),
    ("message", message("custom", {"url": url("MED-1")}), []),
    ("text", {"text": url("MED-1")}, []),
    ("image", {"representations": {"id": "MED-1"}}, ["MED-1"]),
    ("image", {"representations": {"id": 1, "original": None}}, []),
    ("image", {"representations": {
        size: {"id": f"MED-{size}", "url": url(f"MED-{size}"), "type": size, "size": 1}
        for size in ("original", "medium", "thumbnail")
    }}, ["MED-original", "MED-medium", "MED-thumbnail"]),
    ("image", {"representations": {str(n): {"id": f"MED-{n}"} for n in range(100)}},
     [f"MED-{n}" for n in range(NAMED_MAX)]),
    ("custom:x", {"url": url("MED-1")}, []),
])  # fmt: skip
def test_the_files_that_an_event_names(type_: str, body: Any, expected: list[str]) -> None:
    assert list(named(type_, body)) == expected


@given(st.text(max_size=200), st.text(max_size=20))
def test_any_text_can_be_asked(start: str, end: str) -> None:
    named("image", {"representations": {"id": f"({start}/v3/media/MED-{end}"}})


def test_a_signature_is_of_one_file_one_time_and_one_secret() -> None:
    media_id, now = MediaId("MED-1"), Instant(1_000_000)
    signature = signature_of(b"secret", media_id, 1001)
    assert is_signed(b"secret", media_id, 1001, signature, now=now)
    assert is_signed(b"secret", media_id, 1001, signature, now=Instant(1_000_999))
    assert not is_signed(b"secret", media_id, 1001, signature, now=Instant(1_001_000))
    assert not is_signed(b"secret", media_id, 1002, signature, now=now)
    assert not is_signed(b"secret", MediaId("MED-2"), 1001, signature, now=now)
    assert not is_signed(b"other", media_id, 1001, signature, now=now)
    for wrong in ("", "ñ", signature[:-1], signature.upper(), f"{signature}0"):
        assert not is_signed(b"secret", media_id, 1001, wrong, now=now)
