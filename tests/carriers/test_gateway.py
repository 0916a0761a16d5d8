"""A gateway that is described by its account: templates, answers, callbacks of every shape."""

import asyncio
import hashlib
import hmac
from base64 import b64encode
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.carriers.far_http import Answer, GatewayApi, against
from tests.contracts.message_carrier import OURS, THEIRS, Ears, sending

from tertulia.carriers.accounts import Asking, GatewayAccount, InboundMap, ReceiptMap, Signature
from tertulia.carriers.simulated import simulated_accounts
from tertulia.carriers.templates import OBJECTS, TEXTS, TemplateError, check, fill, values
from tertulia.model.message_errors import Code
from tertulia.model.sending import Content, MessageChannel
from tertulia.ports.messaging import (
    Congested,
    Declined,
    Knock,
    OutOfReach,
    Unsupported,
)

API = GatewayApi()
NASTY = 'a"b\\c\n{to}&d=e<f>\u2028é\x00'
URL = "https://gate.example/send"


def nasty() -> dict[str, str]:
    wanted = sending("mms", NASTY)
    return values(wanted, "r/1?&")


def test_a_text_stays_a_text_in_json() -> None:
    body = '{"a": "{text}", "b": {"c": "<{text}>"}, "d": {content_json}, "e": {message_json}}'
    filled = fill(Asking(URL, body=body), nasty())
    assert msgspec.json.decode(filled.body) == {
        "a": NASTY, "b": {"c": f"<{NASTY}>"}, "d": {"text": NASTY},
        "e": {"message_type": "text", "text": NASTY},
    }  # fmt: skip
    assert filled.headers == {"Content-Type": "application/json"}


def test_it_stays_one_in_addresses_forms_headers_and_xml() -> None:
    form = "application/x-www-form-urlencoded"
    asking = Asking(
        URL + "/{ref}?text={text}", headers={"X-Text": "{text}"}, body="t={text}", content_type=form
    )
    filled = fill(asking, nasty())
    assert filled.url.startswith(URL + "/r%2F1%3F%26?text=a%22b%5Cc%0A%7Bto%7D%26d%3De")
    assert filled.body.startswith(b"t=a%22b%5Cc%0A%7Bto%7D%26d%3De")
    assert not {"\n", "\r", "\x00", '"'} & set(filled.headers["X-Text"])
    xml = fill(Asking(URL, body="<t>{text}</t>", content_type="text/xml"), nasty()).body.decode()
    assert xml.startswith("<t>a&quot;b\\c\n{to}&amp;d=e&lt;f&gt;")


@given(st.text())
def test_whatever_is_said_the_json_holds_it(text: str) -> None:
    given_ = values(sending("mms", text))
    filled = fill(Asking(URL, body='{"a": "{text}", "b": "{to}"}'), given_)
    assert msgspec.json.decode(filled.body) == {"a": text, "b": THEIRS}


def test_a_file_has_its_address_and_caption() -> None:
    content = Content("image", {"image": {"url": "https://f/a.png", "caption": "c"}})
    wanted = sending("mms")
    given_ = values(replace(wanted, order=replace(wanted.order, content=content, ttl=60)))
    assert set(given_) == {*TEXTS, *OBJECTS}
    shown = {name: given_[name] for name in ("url", "caption", "type", "ttl", "text", "id")}
    assert shown == {
        "url": "https://f/a.png", "caption": "c", "type": "image", "ttl": "60", "text": "",
        "id": wanted.id,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("asking", "complaint"),
    [
        (Asking(URL, body='{"a": {text}}'), "not JSON"),
        (Asking(URL, body='{"a": "{tex}"}'), "{tex}"),
        (Asking(URL + "/{nobody}"), "{nobody}"),
        (Asking(URL, headers={"X": "{nothing}"}), "{nothing}"),
        (Asking(URL, body="{"), "not JSON"),
    ],
)
def test_templates_that_make_no_request_are_found(asking: Asking, complaint: str) -> None:
    with pytest.raises(TemplateError, match=complaint):
        check(asking)


def test_the_simulated_ones_are_in_order() -> None:
    for account in simulated_accounts():
        if isinstance(account, GatewayAccount):
            check(account.send)


def submit(answer: Answer, account: GatewayAccount | None = None) -> list[str]:
    found: list[str] = []

    async def scenario() -> None:
        async with against(API, account) as far:
            far.scripted.append(answer)
            found.extend(await far.carrier.submit(sending("mms")))

    asyncio.run(scenario())
    return found


def test_where_the_answer_has_the_name() -> None:
    account = API.account()
    assert submit(Answer(200, {"messages": [{"id": 7}]})) == ["7"]
    assert submit(Answer(200, {"a": "b"}), replace(account, ref="a")) == ["b"]
    by_pattern = replace(account, ref_pattern=r"OK (\w+)")
    assert submit(Answer(200, b"200 OK abc\n"), by_pattern) == ["abc"]


@pytest.mark.parametrize(
    ("answer", "failure", "in_doubt"),
    [
        (Answer(422, {"error": {"text": "no such number"}}), Declined, False),
        (Answer(404, b"nothing"), Declined, False),
        (Answer(429, {}), Congested, False),
        (Answer(503, {}, "Retry-After: 2\r\n"), Congested, False),
        (Answer(401, {}), OutOfReach, False),
        (Answer(403, {}), OutOfReach, False),
        (Answer(204, b""), OutOfReach, True),
        (Answer(200, {}), OutOfReach, True),
        (Answer(502, b""), OutOfReach, True),
    ],
)
def test_failures_are_told_apart(answer: Answer, failure: type[Exception], in_doubt: bool) -> None:
    with pytest.raises(failure) as failed:
        submit(answer)
    assert getattr(failed.value, "in_doubt", False) is in_doubt
    if answer.status == 422 and isinstance(failed.value, Declined):
        assert failed.value.problem.reason == "no such number"


def test_one_that_tells_nothing_needs_no_name() -> None:
    silent = replace(API.account(), receipt=None, inbound=None)
    assert submit(Answer(200, b"thanks"), silent) == [sending("mms").id]


def test_what_it_cannot_do_is_unsupported_and_what_it_can_is_asked_for() -> None:
    async def scenario() -> None:
        taking_back = Asking("{simulated}/messages/{ref}", "DELETE")
        async with against(API, replace(API.account(), revoke=taking_back, key="")) as far:
            assert not far.carrier.terms.is_repeatable
            far.scripted.append(Answer(204, b""))
            await far.carrier.revoke(replace(sending("mms"), refs=("a/b",)))
            assert (far.requests[0].method, far.requests[0].path) == ("DELETE", "/messages/a%2Fb")
        async with against(API) as far:
            assert far.carrier.terms.is_repeatable
            with pytest.raises(Unsupported):
                await far.carrier.revoke(sending("mms"))

    asyncio.run(scenario())


def heard(account: GatewayAccount, *knocks: Knock) -> tuple[list[int], Ears]:
    async def scenario() -> tuple[list[int], Ears]:
        ears = Ears()
        async with against(API, account) as far:
            await far.carrier.start(ears)
            return [(await far.carrier.knock(knock)).status for knock in knocks], ears

    return asyncio.run(scenario())


def by_secret(**more: Any) -> GatewayAccount:
    secret = Signature("password", query="secret")
    return replace(API.account(), signature=secret, **more)


def asked(query: dict[str, str], body: bytes = b"", kind: str = "", method: str = "GET") -> Knock:
    return Knock(method, query, {"content-type": kind} if kind else {}, body)


def test_some_tell_by_a_query_or_a_form() -> None:
    account = by_secret(inbound=InboundMap(id="", text="msg"), receipt=ReceiptMap())
    told = {"from": f"+{THEIRS}", "to": OURS, "msg": "Hi +1"}
    form = urlencode(told).encode()
    kind = "application/x-www-form-urlencoded; charset=utf-8"
    statuses, ears = heard(
        account,
        asked({"secret": "password", **told}),
        asked({"secret": "password"}, form, kind, "POST"),
        asked({"secret": "password", "id": "7", "status": "DELIVRD"}),
        asked({"secret": "passwore", **told}),
        asked({"secret": "password"}, b"\xff=%ff", kind, "POST"),
        asked({"secret": "password"}, b"a=1&" * 200, kind, "POST"),
    )
    assert statuses == [200, 200, 200, 401, 400, 400]
    assert [each.content.text for each in ears.arrivals] == ["Hi +1", "Hi +1"]
    assert {each.from_ for each in ears.arrivals} == {THEIRS}
    assert [(each.ref, each.status) for each in ears.outcomes] == [("7", "delivered")]


def test_one_without_a_name_is_known_by_what_it_is() -> None:
    account = by_secret(inbound=InboundMap(text="msg"))
    told = {"secret": "password", "from": THEIRS, "to": OURS, "msg": "Hi", "at": "1"}
    _, ears = heard(account, asked(told), asked(told), asked({**told, "at": "2"}))
    first, second, third = (each.ref for each in ears.arrivals)
    assert first == second != third


def test_lists_of_several() -> None:
    account = by_secret(
        receipt=ReceiptMap(items="results", id="m.id", status="m.state", code="err"),
        inbound=InboundMap(items="items", id="id", text="t", url="u", name="who", context="re"),
    )
    results = {"results": [
        {"m": {"id": 1, "state": "delivered"}},
        {"m": {"id": 2, "state": "REJECTED"}, "err": "1120"},
        {"m": {"id": 3, "state": "EXPIRED"}, "err": 34}, {"m": {"id": 4, "state": "odd"}}, None,
    ]}  # fmt: skip
    both = {"from": THEIRS, "to": OURS}
    items = [
        {**both, "id": "1", "t": "Hi", "who": "Ann", "re": "r"}, {**both, "id": "2", "u": "https://f"},
        {**both, "id": "3"}, {"id": "4", "t": "x"}, 7,
    ]  # fmt: skip
    secret = {"secret": "password"}
    statuses, ears = heard(
        account,
        asked(secret, msgspec.json.encode(results), "application/json", "POST"),
        asked(secret, msgspec.json.encode(items), "application/json", "POST"),
    )
    assert statuses == [200, 200]
    found = [(each.ref, each.status, each.problem and each.problem.code) for each in ears.outcomes]
    assert found == [
        ("1", "delivered", None), ("2", "rejected", "1120"), ("3", "undeliverable", Code.UNKNOWN),
    ]  # fmt: skip
    first, second = ears.arrivals
    assert (first.name, first.context, first.content.text) == ("Ann", "r", "Hi")
    assert second.content == Content("file", {"file": {"url": "https://f"}})


@pytest.mark.parametrize("kind", ["hmac-sha1", "hmac-sha256", "hmac-sha512"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_signatures(kind: Any, encoding: Any) -> None:
    signature = Signature("password", header="X-Sig", kind=kind, encoding=encoding, prefix="v1,")
    body = msgspec.json.encode({"id": "7", "state": "DONE"})
    digest = hmac.new(b"password", body, getattr(hashlib, kind[5:])).digest()
    shown = digest.hex() if encoding == "hex" else b64encode(digest).decode()
    good = Knock("POST", {}, {"x-sig": f"v1,{shown}"}, body)
    statuses, ears = heard(
        replace(API.account(), signature=signature),
        good,
        replace(good, headers={"x-sig": shown}),
        replace(good, body=body + b" "),
        replace(good, query={"id": "8"}),
    )
    assert statuses == [200, 401, 401, 200]
    assert [each.ref for each in ears.outcomes] == ["7", "7"], "a query is signed by nobody"


def test_what_no_map_knows_does_nothing() -> None:
    account = replace(API.account(), inbound=None)
    statuses, ears = heard(account, API.signed(b'{"id": "7", "state": "odd"}'))
    assert statuses == [200]
    assert not (ears.outcomes or ears.arrivals)


@pytest.mark.parametrize(
    ("members", "complaint"),
    [
        ({"channels": ()}, "channels"),
        ({"signature": None}, "signature"),
    ],
)
def test_accounts_that_make_no_sense(members: dict[str, Any], complaint: str) -> None:
    account = msgspec.structs.asdict(API.account())
    with pytest.raises(ValueError, match=complaint):
        GatewayAccount(**{**account, **members})


@pytest.mark.parametrize(
    "members",
    [{"secret": "password"}, {"secret": "password", "header": "a", "query": "b"},
     {"secret": "short", "header": "a"}],
)  # fmt: skip
def test_signatures_that_show_nothing(members: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"secret|header"):
        Signature(**members)


def test_another_channel_is_told_by_the_message() -> None:
    account = by_secret(
        channels=(MessageChannel.MMS, MessageChannel.RCS),
        inbound=InboundMap(id="id", text="t", channel="ch"), receipt=None,
    )  # fmt: skip
    told = {"secret": "password", "from": THEIRS, "to": OURS, "t": "Hi"}
    _, ears = heard(
        account, asked({**told, "id": "1"}), asked({**told, "id": "2", "ch": "rcs"}),
        asked({**told, "id": "3", "ch": "pigeon"}),
    )  # fmt: skip
    assert [(each.ref, each.channel) for each in ears.arrivals] == [("1", "mms"), ("2", "rcs")]
