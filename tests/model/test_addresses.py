"""Addresses that a client may open, and those that it must never be given."""

import re
from typing import Any

import pytest

from tertulia.model.addresses import has_unsafe_address, is_web_address
from tertulia.model.validation import WEB_URI_OR_EMPTY

SAFE = [
    "http://h", "https://h", "https://h/", "https://h:8443/a/b.png?x=1&y=%20#z", "http://127.0.0.1",
    "https://[::1]:8443/x", "https://[2001:db8::1]", "https://bücher.example/é", "https://h?x",
    "https://h#x", "https://h/a@b:c", "https://h/it's(1);,!*", "https://a-b_c.d.example./~x",
    "https://h/?next=javascript:alert(1)",
]  # fmt: skip
UNSAFE = [
    "javascript:alert(1)", "JAVASCRIPT:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)",
    "java\tscript:alert(1)", "java\nscript:alert(1)", "\x01javascript:alert(1)",
    "\x00javascript:alert(1)", "\u00a0javascript:x", "javascript://h/%0aalert(1)",
    "javascript&#58;x",
    "data:text/html,<script>", "DATA:image/svg+xml;base64,PHN2Zz4=", "vbscript:msgbox(1)",
    "file:///etc/passwd", "File://h/x", "ftp://h/x", "ws://h", "blob:https://h/x", "about:blank",
    "view-source:https://h", "//h/x", "\\\\h\\x", "/a", "a", "h.example", "", ":", "://h",
    "https:", "https:/", "https://", "https:///x", "https://?x", "https://#x", "https://:80/",
    "https://:", "http:h", "http:/h", "https:\\\\h", "https://\\h", "https://h\\@evil.example",
    "https://good.example@evil.example/", "https://user:password@h/", "https://@h", "https://h@",
    "https://h:port/", "https://h:123456/", "https://[::1", "https://::1]", "https://[x]/",
    "https://h /x", "https://h/a b", "https://h/\t", "https://h/\n", "https://h/x\n", "\nhttps://h",
    " https://h", "https://h/\x7f", "https://h/\x85", "https://h/\u2028", "https://h/\u202egnp.x",
    "https://h\u200b.example/", "https://h/\u2066x", "https://h/\"onload=x", "https://h/<script>",
    "https://\"h", "https://<h>", "https://h/\ufeff", "httpsx://h", "xhttps://h", "HTTPS//h",
    "https://h/\x00",
]  # fmt: skip


@pytest.mark.parametrize("text", SAFE)
def test_web_addresses(text: str) -> None:
    assert is_web_address(text)
    assert not has_unsafe_address({"url": text, "original": {"url": text}, "list": [text]})


@pytest.mark.parametrize("text", UNSAFE)
def test_what_is_none(text: str) -> None:
    assert not is_web_address(text)
    assert (re.search(WEB_URI_OR_EMPTY, text) is not None) == (text == "")
    for member in ("url", "URL", "href", "src", "ncco_url"):
        assert has_unsafe_address({"a": [{member: text}]}) == (text != "")


@pytest.mark.parametrize("value", [
    "javascript:x", " JAVA\tSCRIPT:x", "\x01data:x", "vbscript:x", "file:/etc", "//h/x", "\\\\h\\x",
    "ftp://h", "custom+x://h", "https://user@h", "blob:x", {"a": {"b": ["data:x"]}},
    ["javascript:"],
    {"uri": "javascript:x"}, {"uri": "ws://user@h/x"}, {"uri": "ftp://h"}, {"original": "http://"},
    {"other": "wss://h"},
])  # fmt: skip
def test_what_a_client_may_take_for_an_address(value: Any) -> None:
    assert has_unsafe_address(value)


@pytest.mark.parametrize("value", [
    None, 5, True, "", "id-1", "image/png", "IMG:1.png", "Screenshot at 10:00:00.png", "a//b",
    "audio/l16;rate=16000", {"uri": "wss://h/x"}, {"uri": "ws://h"}, {"uri": "sip:a@h;x=y"},
    {"uri": "https://h"}, {"number": "447700900000"}, {"url": ""}, {"size": [1, {"x": None}]},
    {"id": "5f3a1f52-8f6c-4f2e-9b1d-0a8b5c7d9e01", "type": "image"}, "metadata: x",
])  # fmt: skip
def test_what_is_no_address(value: Any) -> None:
    assert not has_unsafe_address(value)
