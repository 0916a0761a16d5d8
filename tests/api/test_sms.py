"""The older SMS API: parameters from anywhere, and always 200."""

import hashlib
import hmac
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.api.cast import ACCOUNT, NOBODY
from tests.api.conftest import SETTINGS, Play

from tertulia.model.errors import TooManyRequests, Unavailable
from tertulia.model.sending import Form, SendingStatus
from tertulia.settings import Account, Settings
from tertulia.testing.world import EPOCH, NUMBER, Answer, World, with_limits

PHONE = "447700900001"
PATH = "/sms/json"
HOOK = "https://app.test/receipt"
SMS = {"from": NUMBER, "to": PHONE, "text": "Hi"}
KEY = {"api_key": "key", "api_secret": "secret"}
FORM = {**NOBODY, "content-type": "application/x-www-form-urlencoded"}
NOW = str(EPOCH // 1000)
SIGNED = Settings(account=Account(api_key="key", api_secret="secret", signature_secret="s3cret"))


async def sent(world: World, **changes: Any) -> dict[str, Any]:
    return only(await world.call("POST", PATH, {**SMS, **changes}, headers=ACCOUNT))


def only(answer: Answer) -> dict[str, Any]:
    """What became of the message."""
    assert answer.status == 200, answer.json
    assert answer.json["message-count"] == str(len(answer.json["messages"]))
    told: dict[str, Any] = answer.json["messages"][0]
    return told


def test_parameters_and_credentials_come_from_anywhere(play: Play) -> None:
    async def scenario(world: World) -> None:
        form, query = urlencode({**SMS, **KEY}), urlencode(SMS)
        answers = [
            await world.call("POST", PATH, SMS, headers=ACCOUNT),
            await world.call("POST", PATH, {**SMS, **KEY}, headers=NOBODY),
            await world.call("POST", PATH, form.encode(), headers=FORM),
            await world.call("POST", f"{PATH}?{query}", urlencode(KEY).encode(), headers=FORM),
            await world.call("GET", f"{PATH}?{form}", headers=NOBODY),
            await world.call("GET", f"{PATH}?{query}", headers=ACCOUNT),
        ]
        await world.settle()
        told = [only(answer) for answer in answers]
        assert [each["message-id"] for each in told] == [each.id for each in world.post.taken]
        for each, sending in zip(told, world.post.taken, strict=True):
            assert {**each, "message-id": ""} == {
                "to": PHONE, "message-id": "", "status": "0", "remaining-balance": "0.00000000",
                "message-price": "0.00000000", "network": "",
            }  # fmt: skip
            assert (sending.form, sending.order.content.text) == (Form.SMS, "Hi")

    play(scenario)


def test_its_receipt_is_told(play: Play) -> None:
    async def scenario(world: World) -> None:
        told = await sent(world, **{"client-ref": "mine", "callback": HOOK, "account-ref": "b"})
        assert (told["client-ref"], told["account-ref"]) == ("mine", "b")
        await world.settle()
        await world.post.tells(world.post.refs[told["message-id"]], SendingStatus.DELIVERED)
        await world.settle()
        receipt = world.answers.asked[-1]
        assert receipt.webhook.address == HOOK
        members = receipt.members
        assert (members["messageId"], members["status"], members["err-code"]) == (
            told["message-id"], "delivered", "0",
        )  # fmt: skip
        assert (members["msisdn"], members["to"], members["client-ref"]) == (PHONE, NUMBER, "mine")

    play(scenario)


@pytest.mark.parametrize("changes, parts", [
    ({"text": "x" * 160}, 1), ({"text": "x" * 161}, 2), ({"text": "x" * 307}, 3),
    ({"text": "漢" * 71}, 2), ({"text": "x" * 71, "type": "unicode"}, 2),
    ({"text": "漢" * 71, "type": "text"}, 1),
    ({"type": "binary", "body": "00" * 134, "udh": "050003CC0201"}, 1),
])  # fmt: skip
def test_as_many_parts_as_go_over_the_air(play: Play, changes: dict[str, Any], parts: int) -> None:
    async def scenario(world: World) -> None:
        answer = await world.call("POST", PATH, {**SMS, **changes}, headers=ACCOUNT)
        assert answer.json["message-count"] == str(parts)
        assert [each["status"] for each in answer.json["messages"]] == ["0"] * parts

    play(scenario)


def test_what_it_says_of_itself_goes_along(play: Play) -> None:
    async def scenario(world: World) -> None:
        await sent(world, ttl=20_999, type="unicode", **{"message-class": 0, "entity-id": "e"})
        await sent(world, type="binary", body="00FF", udh="0605", **{"protocol-id": 8})
        await world.settle()
        text, binary = (each.order for each in world.post.taken)
        assert text.ttl == 20
        assert text.content.extras == {
            "sms": {"encoding_type": "unicode", "message_class": "0", "entity_id": "e"},
        }  # fmt: skip
        assert (binary.content.message_type, binary.content.members, binary.content.extras) == (
            "binary", {"body": "00ff", "udh": "0605"}, {"sms": {"protocol_id": "8"}},
        )  # fmt: skip

    play(scenario)


@pytest.mark.parametrize("changes, status", [
    ({"to": None}, "2"), ({"from": ""}, "2"), ({"text": None}, "2"),
    ({"type": "binary"}, "2"), ({"to": "12"}, "3"), ({"type": "vcard"}, "3"),
    ({"type": "binary", "body": "0"}, "3"), ({"type": "binary", "udh": "zz"}, "3"),
    ({"ttl": 19_999}, "3"), ({"ttl": "soon"}, "3"), ({"ttl": 10**15}, "3"),
    ({"client-ref": "x" * 101}, "3"), ({"text": "x" * 3201}, "12"),
    ({"type": "binary", "body": "00" * 141}, "12"), ({"from": "x" * 12}, "15"),
    ({"callback": "javascript:x"}, "23"), ({"callback": f"{HOOK}/{'x' * 2048}"}, "23"),
])  # fmt: skip
def test_what_is_wrong_has_a_number(play: Play, changes: dict[str, Any], status: str) -> None:
    async def scenario(world: World) -> None:
        head = await world.store.head()
        told = await sent(world, **changes)
        assert told["status"] == status
        assert told["error-text"]
        assert set(told) == {"status", "error-text"}
        assert await world.store.head() == head

    play(scenario)


def test_what_is_no_set_of_parameters(play: Play) -> None:
    async def scenario(world: World) -> None:
        many = "&".join(f"a{n}=1" for n in range(51)).encode()
        for body, headers in (
            (b"{", ACCOUNT), (b"[1]", ACCOUNT), (b"[" * 1000, ACCOUNT), (b"\xff", FORM),
            (many, FORM), (b"%ff=1", FORM),
            (b"{" + b",".join(b'"a%d":1' % n for n in range(51)) + b"}", ACCOUNT),
        ):  # fmt: skip
            assert only(await world.call("POST", PATH, body, headers=headers))["status"] == "3"

    play(scenario)


@pytest.mark.parametrize("given, status", [
    ({}, "2"), ({"api_key": "key"}, "2"), ({"api_key": "key", "api_secret": "no"}, "4"),
    ({"api_key": "no", "api_secret": "secret"}, "4"), ({"api_key": "key", "sig": "x"}, "14"),
    ({"sig": "x"}, "2"), ({"api_key": "no", "sig": "x"}, "4"),
])  # fmt: skip
def test_nobody_sends_without_credentials(play: Play, given: dict[str, str], status: str) -> None:
    async def scenario(world: World) -> None:
        for answer in (
            await world.call("POST", PATH, {**SMS, **given}, headers=NOBODY),
            await world.call("GET", f"{PATH}?{urlencode({**SMS, **given})}", headers=NOBODY),
        ):
            assert only(answer)["status"] == status

    play(scenario)


def signed(secret: str = "s3cret", **changes: str) -> bytes:
    given = {**SMS, "api_key": "key", "timestamp": NOW, **changes}
    text = "".join(f"&{name}={given[name]}" for name in sorted(given))
    made = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return urlencode({**given, "sig": made}).encode()


@pytest.mark.parametrize("changes, secret, status", [
    ({}, "s3cret", "0"), ({}, "other", "14"), ({"timestamp": "1"}, "s3cret", "14"),
    ({"timestamp": "soon"}, "s3cret", "14"),
])  # fmt: skip
def test_a_signature_will_do(play: Play, changes: dict[str, str], secret: str, status: str) -> None:
    async def scenario(world: World) -> None:
        body = signed(secret, **changes)
        assert only(await world.call("POST", PATH, body, headers=FORM))["status"] == status

    play(scenario, SIGNED)


def test_a_signed_one_that_comes_again_is_the_same(play: Play) -> None:
    async def scenario(world: World) -> None:
        later = signed(timestamp=str(int(NOW) + 1))
        answers = [
            only(await world.call("POST", PATH, body, headers=FORM))
            for body in (signed(), b"&".join(reversed(signed().split(b"&"))), later)
        ]
        await world.settle()
        first, again, other = (each["message-id"] for each in answers)
        assert first == again != other
        assert [each.id for each in world.post.taken] == [first, other]

    play(scenario, SIGNED)


def test_what_the_account_asks_for_is_counted(play: Play) -> None:
    settings = with_limits(SETTINGS, requests_per_second=1, burst=2)

    async def scenario(world: World) -> None:
        body = {**SMS, "channel": "sms", "message_type": "text"}
        first = await world.call("POST", "/v1/messages", body, headers=ACCOUNT)
        assert first.status == 202
        assert (await sent(world))["status"] == "0"
        assert (await sent(world))["status"] == "1"
        refused = await world.call("POST", "/v1/messages", body, headers=ACCOUNT)
        assert refused.status == 429

    play(scenario, settings)


def test_without_a_signature_secret_nothing_is_signed(play: Play) -> None:
    async def scenario(world: World) -> None:
        body = signed("")
        assert only(await world.call("POST", PATH, body, headers=FORM))["status"] == "14"

    play(scenario, SETTINGS)


def test_what_fails_here_has_a_number_too(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    async def scenario(world: World) -> None:
        for error, status in ((Unavailable("full"), "5"), (TooManyRequests(), "1")):

            async def fail(*_: Any, failure: Exception = error, **__: Any) -> None:
                raise failure

            monkeypatch.setattr(world.hub.services.message_control, "send", fail)
            assert (await sent(world))["status"] == status
        monkeypatch.undo()
        world.routes.owner = None
        await world.call("DELETE", f"/v2/applications/{world.application.id}", headers=ACCOUNT)
        assert (await sent(world))["status"] == "11"

    play(scenario)
