"""Whom a call goes to, in every spelling."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.model.endpoints import (
    SIP_HEADERS_MAX,
    AppEndpoint,
    Authorization,
    Callee,
    OnAnswer,
    PhoneEndpoint,
    SipEndpoint,
    StandardHeaders,
    VbcEndpoint,
    WebsocketEndpoint,
    end_of,
    read_callee,
)
from tertulia.model.errors import ValidationFailed
from tertulia.model.state import Endpoint

URL = "https://app.test/x"
SIP = "sip:ann@sip.test"
SOCKET = "wss://bot.test/a?b=c"

READ: list[tuple[dict[str, Any], Callee]] = [
    ({"type": "phone", "number": "447700900001"}, PhoneEndpoint("447700900001")),
    ({"type": "phone", "number": "+447700900001"}, PhoneEndpoint("447700900001")),
    ({"type": "phone", "number": "112", "dtmfAnswer": "1p*2#"}, PhoneEndpoint("112", "1p*2#")),
    ({"type": "phone", "number": "112", "dtmf_answer": "1"}, PhoneEndpoint("112", "1")),
    (
        {"type": "phone", "number": "112", "onAnswer": {"url": URL, "ringbackTone": URL}},
        PhoneEndpoint("112", on_answer=OnAnswer(URL, URL)),
    ),
    (
        {"type": "phone", "number": "112", "on_answer": {"url": URL, "ringback": URL}},
        PhoneEndpoint("112", on_answer=OnAnswer(URL, URL)),
    ),
    ({"type": "phone", "number": "112", "shaken": "e.y;info=<x>"},
     PhoneEndpoint("112", shaken="e.y;info=<x>")),
    ({"type": "app", "user": "ann", "extra": 1}, AppEndpoint("ann")),
    ({"type": "websocket", "uri": SOCKET}, WebsocketEndpoint(SOCKET)),
    *(
        (
            {"type": "websocket", "uri": SOCKET, name: "audio/l16;rate=8000"},
            WebsocketEndpoint(SOCKET, "audio/l16;rate=8000"),
        )
        for name in ("content-type", "content_type", "contentType")
    ),
    (
        {"type": "websocket", "uri": "ws://[::1]:9", "headers": {"contentType": {"ringback": []}},
         "authorization": {"type": "custom", "value": "Key 1"}},
        WebsocketEndpoint("ws://[::1]:9", headers={"contentType": {"ringback": []}},
                          authorization=Authorization("custom", "Key 1")),
    ),
    (
        {"type": "websocket", "uri": SOCKET, "authorization": {"type": "vonage"}},
        WebsocketEndpoint(SOCKET, authorization=Authorization("vonage")),
    ),
    ({"type": "sip", "uri": SIP}, SipEndpoint(SIP)),
    ({"type": "sip", "uri": "SIPS:a@[::1]:5061;transport=tls", "headers": None},
     SipEndpoint("SIPS:a@[::1]:5061;transport=tls")),
    *(
        (
            {"type": "sip", "uri": SIP, outer: {inner: "a1;encoding=hex"}},
            SipEndpoint(SIP, standard_headers=StandardHeaders("a1;encoding=hex")),
        )
        for outer in ("standardHeaders", "standard_headers")
        for inner in ("User-to-User", "userToUser")
    ),
    ({"type": "sip", "uri": SIP, "standard_headers": {}}, SipEndpoint(SIP)),
    ({"type": "vbc", "extension": "4711"}, VbcEndpoint("4711")),
]  # fmt: skip


@pytest.mark.parametrize(("given_", "callee"), READ)
def test_an_endpoint_is_read(given_: dict[str, Any], callee: Callee) -> None:
    assert read_callee(given_) == callee


def test_the_documented_spelling_wins() -> None:
    given_ = {"type": "phone", "number": "112", "dtmf_answer": "1", "dtmfAnswer": "2"}
    assert read_callee(given_) == PhoneEndpoint("112", "2")


REFUSED: list[tuple[Any, str]] = [
    (None, '"to" must be'),
    ("447700900001", '"to" must be an object'),
    ({"number": "112"}, '"to.type" is required'),
    ({"type": "fax"}, '"to.type" must be one of'),
    ({"type": "phone", "number": "44 77"}, '"to.number" must be a phone number'),
    ({"type": "phone", "number": "1" * 16}, '"to.number" must be a phone number'),
    ({"type": "phone", "number": "112\n"}, '"to.number" must be a phone number'),
    ({"type": "phone", "number": 112}, '"to.number" must be a string'),
    ({"type": "phone", "number": "112", "dtmfAnswer": "1,2"}, '"to.dtmfAnswer" fails'),
    ({"type": "phone", "number": "112", "dtmfAnswer": "1" * 101}, '"to.dtmfAnswer" length'),
    ({"type": "phone", "number": "112", "onAnswer": {}}, '"to.onAnswer.url" is required'),
    ({"type": "phone", "number": "112", "onAnswer": {"url": "x"}}, '"to.onAnswer.url" must be'),
    ({"type": "phone", "number": "112", "shaken": "a\r\nb"}, '"to.shaken" must not contain'),
    ({"type": "app"}, '"to.user" is required'),
    ({"type": "app", "user": ""}, '"to.user" length must be at least'),
    ({"type": "websocket"}, '"to.uri" is required'),
    ({"type": "websocket", "uri": "http://h"}, '"to.uri" must be a valid uri with a scheme match'),
    ({"type": "websocket", "uri": "ws://u:p@h"}, '"to.uri" must be a valid uri'),
    ({"type": "websocket", "uri": "ws://h", "content-type": "audio/wav"},
     '"to.content-type" must be one of'),
    ({"type": "websocket", "uri": "ws://h", "headers": {"a": "x" * 505}},
     '"to.headers" must not be larger than 512 bytes'),
    ({"type": "websocket", "uri": "ws://h", "authorization": {"type": "custom"}},
     '"to.authorization.value" is required'),
    ({"type": "websocket", "uri": "ws://h", "authorization": {"type": "custom", "value": "a\nb"}},
     '"to.authorization.value" must not contain'),
    ({"type": "websocket", "uri": "ws://h", "authorization": {"type": "basic"}},
     '"to.authorization.type" must be one of'),
    ({"type": "sip", "uri": "ann@sip.test"}, '"to.uri" must be a valid uri with a scheme match'),
    ({"type": "sip", "uri": "sip:a@h?Subject=x"}, '"to.uri" must be a valid uri'),
    ({"type": "sip", "uri": "sip:a@h\r\nVia: x"}, '"to.uri" must be a valid uri'),
    ({"type": "sip", "uri": "sip:<a@h>"}, '"to.uri" must be a valid uri'),
    ({"type": "sip", "uri": SIP, "headers": {"a": "x\r\nVia: y"}}, '"to.headers'),
    ({"type": "sip", "uri": SIP, "headers": {"a: b": "x"}}, '"to.headers" must have names'),
    ({"type": "sip", "uri": SIP, "headers": {"a": ["x"]}}, '"to.headers'),
    ({"type": "sip", "uri": SIP, "headers": {"a": "x" * SIP_HEADERS_MAX}},
     f'"to.headers" must not be larger than {SIP_HEADERS_MAX} bytes'),
    ({"type": "sip", "uri": SIP, "standardHeaders": {"User-to-User": "a\nb"}},
     '"to.standardHeaders.User-to-User" must not contain'),
    ({"type": "vbc", "extension": "x1"}, '"to.extension" fails'),
]  # fmt: skip


@pytest.mark.parametrize(("given_", "reason"), REFUSED)
def test_what_is_no_endpoint_is_refused(given_: Any, reason: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        read_callee(given_, "to")
    (parameter,) = refused.value.parameters
    assert parameter.reason.startswith(reason)


def test_custom_headers_have_names_of_their_own() -> None:
    endpoint = read_callee({"type": "sip", "uri": SIP, "headers": {
        "location": "New York", "X-Id": 7, "x-ok": True, "ratio": 0.5, "n": "07",
    }})  # fmt: skip
    assert isinstance(endpoint, SipEndpoint)
    assert endpoint.x_headers == {
        "X-location": "New York", "X-Id": "7", "x-ok": "true", "X-ratio": "0.5", "X-n": "07",
    }  # fmt: skip
    assert endpoint.user_to_user is None


@pytest.mark.parametrize("rate", [8000, 16_000, 24_000])
def test_a_websocket_has_a_rate(rate: int) -> None:
    endpoint = read_callee(
        {"type": "websocket", "uri": SOCKET, "content-type": f"audio/l16;rate={rate}"}
    )
    assert isinstance(endpoint, WebsocketEndpoint) and endpoint.rate == rate


ENDS: list[tuple[Callee, Endpoint]] = [
    (PhoneEndpoint("112"), Endpoint(type="phone", number="112")),
    (AppEndpoint("ann"), Endpoint(type="app", user="ann")),
    (WebsocketEndpoint(SOCKET, headers={"a": 1}),
     Endpoint(type="websocket", uri=SOCKET, content_type="audio/l16;rate=16000", headers={"a": 1})),
    (SipEndpoint(SIP), Endpoint(type="sip", uri=SIP)),
    (VbcEndpoint("1"), Endpoint(type="vbc", extension="1")),
]  # fmt: skip


@pytest.mark.parametrize(("callee", "end"), ENDS)
def test_a_callee_is_one_end_of_a_leg(callee: Callee, end: Endpoint) -> None:
    assert end_of(callee) == end


NAMES = ["type", "number", "uri", "user", "headers", "onAnswer", "standard_headers", "ringback",
         "authorization", "extension", "userToUser"]  # fmt: skip
VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=4) | st.sampled_from(["112", SIP, SOCKET, URL]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    ),
)


@given(
    st.sampled_from(["phone", "app", "websocket", "sip", "vbc"]),
    st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5),
)
@settings(max_examples=100)
def test_nothing_else_comes_of_reading(type_: str, members: dict[str, Any]) -> None:
    try:
        assert end_of(read_callee({**members, "type": type_})).type == type_
    except ValidationFailed as refused:
        assert refused.parameters
