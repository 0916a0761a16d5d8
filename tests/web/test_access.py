"""Credentials to identities: verified once, and worth nothing when the key or application goes."""

import asyncio
import base64
from collections.abc import Coroutine
from typing import Any

import pytest
from msgspec.structs import replace

from tertulia.devkit import RsaSmith
from tertulia.model.errors import ExpiredToken, Forbidden, InvalidToken, Unavailable
from tertulia.model.ids import ApplicationId
from tertulia.model.instant import Instant
from tertulia.model.state import Application
from tertulia.protocols import jwt
from tertulia.settings import Account
from tertulia.web import access
from tertulia.web.access import APPLICATION_FRESH, Access, Identity

NOW = Instant(1_777_885_200_000)
PRIVATE_PEM, PUBLIC_PEM = RsaSmith().new_pair()
PRIVATE_KEY = jwt.load_private_key(PRIVATE_PEM)
OTHER_PRIVATE_PEM, OTHER_PUBLIC_PEM = RsaSmith().new_pair()
APP = Application(id=ApplicationId("app"), name="one", public_key=PUBLIC_PEM, created_at=Instant(0))


class Place:
    """An Access with its applications and its clock, and a count of look-ups."""

    def __init__(self) -> None:
        self.known = {APP.id: APP}
        self.looks = 0
        self.seconds = 0.0
        self.pause: asyncio.Event | None = None
        self.access = Access(self, Account("key", "secret", "s"), lambda: self.seconds)

    async def application(self, application_id: ApplicationId) -> Application | None:
        self.looks += 1
        found = self.known.get(application_id)
        if self.pause is not None:
            await self.pause.wait()
        return found

    async def identify(self, token: str, now: int = NOW) -> Identity:
        return await self.access.identify(f"Bearer {token}", Instant(now))

    def change(self, **changes: Any) -> None:
        self.known[APP.id] = replace(self.known[APP.id], **changes)


def token(key: jwt.PrivateKey = PRIVATE_KEY, **changes: Any) -> str:
    second = NOW // 1000
    told = {"application_id": "app", "iat": second, "exp": second + 60, "jti": "j", **changes}
    return jwt.mint(key, told)


def run(play: Coroutine[Any, Any, None]) -> None:
    asyncio.run(play)


def test_a_token_speaks_for_its_application_or_user() -> None:
    async def play() -> None:
        place = Place()
        identity = await place.identify(token())
        assert (identity.application, identity.user_name, identity.jti) == (APP, None, "j")
        assert identity.expires_at == NOW + 60_000
        identity.require("DELETE", "/v1/anything")
        assert (await place.identify(token(sub="alice"))).user_name == "alice"

    run(play())


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_compared_without_case(scheme: str) -> None:
    async def play() -> None:
        await Place().access.identify(f"{scheme} {token()}", NOW)

    run(play())


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Bearer  ", "Basic a2V5OnNlY3JldA==", "Bearer x", token()],
)
def test_headers_without_a_token(header: str | None) -> None:
    async def play() -> None:
        with pytest.raises(InvalidToken):
            await Place().access.identify(header, NOW)

    run(play())


@pytest.mark.parametrize(
    "bad",
    [
        token(application_id="nobody"),
        token(jwt.load_private_key(OTHER_PRIVATE_PEM)),
        token(acl={"paths": []}),
        token() + "x",
    ],
)
def test_tokens_that_are_not_good(bad: str) -> None:
    async def play() -> None:
        with pytest.raises(InvalidToken) as refusal:
            await Place().identify(bad)
        assert not isinstance(refusal.value, ExpiredToken)

    run(play())


def test_the_acl_is_asked() -> None:
    async def play() -> None:
        acl = {"paths": {"/*/users/**": {"methods": ["GET"]}}}
        identity = await Place().identify(token(acl=acl))
        identity.require("GET", "/v1/users/USR-1")
        with pytest.raises(Forbidden):
            identity.require("POST", "/v1/users")

    run(play())


def test_a_token_is_verified_once(monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[str] = []
    verify = jwt.verify

    def counted(token: str, public_key: jwt.PublicKey, *, now: int) -> jwt.Claims:
        verified.append(token)
        return verify(token, public_key, now=now)

    monkeypatch.setattr(jwt, "verify", counted)

    async def play() -> None:
        place = Place()
        first = await place.identify(good := token())
        place.seconds += APPLICATION_FRESH * 5
        assert await place.identify(good) is first
        assert (verified, place.looks) == ([good], 2)

    run(play())


def test_expiry_is_looked_at_every_time() -> None:
    async def play() -> None:
        place = Place()
        await place.identify(good := token())
        await place.identify(good, NOW + 59_999)
        for _ in range(2):
            with pytest.raises(ExpiredToken):
                await place.identify(good, NOW + 60_000)

    run(play())


def test_applications_are_looked_up_once_a_second() -> None:
    async def play() -> None:
        place = Place()
        for tenth in range(25):
            place.seconds = tenth / 10
            await place.identify(token(jti=str(tenth)))
        assert place.looks == 3

    run(play())


def test_a_changed_application_shows_within_a_second() -> None:
    async def play() -> None:
        place = Place()
        await place.identify(good := token())
        place.change(name="two")
        place.seconds = APPLICATION_FRESH
        assert (await place.identify(good)).application.name == "two"
        assert (await place.identify(good)).application.name == "two"

    run(play())


@pytest.mark.parametrize("is_told", [True, False])
def test_a_changed_key_ends_its_tokens(is_told: bool) -> None:
    async def play() -> None:
        place = Place()
        await place.identify(good := token())
        place.change(public_key=OTHER_PUBLIC_PEM)
        await place.identify(good)
        if is_told:
            place.access.forget(APP.id)
        else:
            place.seconds = APPLICATION_FRESH
        for _ in range(2):
            with pytest.raises(InvalidToken, match="not signed with"):
                await place.identify(good)
        await place.identify(token(jwt.load_private_key(OTHER_PRIVATE_PEM)))

    run(play())


@pytest.mark.parametrize("is_told", [True, False])
def test_a_deleted_application_ends_its_tokens(is_told: bool) -> None:
    async def play() -> None:
        place = Place()
        await place.identify(good := token())
        del place.known[APP.id]
        if is_told:
            place.access.forget(APP.id)
        else:
            place.seconds = APPLICATION_FRESH
        for _ in range(2):
            with pytest.raises(InvalidToken, match="does not exist"):
                await place.identify(good)

    run(play())


def test_forgetting_reaches_a_look_up_under_way() -> None:
    async def play() -> None:
        place = Place()
        place.pause = asyncio.Event()
        early = asyncio.create_task(place.identify(good := token()))
        await asyncio.sleep(0)
        del place.known[APP.id]
        place.access.forget(APP.id)
        place.pause.set()
        assert (await early).application == APP
        with pytest.raises(InvalidToken):
            await place.identify(good)

    run(play())


def test_one_looks_and_the_others_go_on() -> None:
    async def play() -> None:
        place = Place()
        await place.identify(good := token())
        place.seconds, place.pause = APPLICATION_FRESH, asyncio.Event()
        slow = asyncio.create_task(place.identify(good))
        await asyncio.sleep(0)
        for _ in range(5):
            await place.identify(good)
        assert place.looks == 2
        place.pause.set()
        await slow

    run(play())


def test_a_failing_directory_is_not_a_bad_token() -> None:
    class Broken:
        async def application(self, application_id: ApplicationId) -> Application | None:
            raise Unavailable

    async def play() -> None:
        broken = Access(Broken(), Account(), lambda: 0.0)
        with pytest.raises(Unavailable):
            await broken.identify(f"Bearer {token()}", NOW)

    run(play())


def test_an_application_with_a_key_that_is_none() -> None:
    async def play() -> None:
        place = Place()
        place.change(public_key="nothing")
        with pytest.raises(InvalidToken, match="no public key"):
            await place.identify(token())

    run(play())


def test_tokens_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "TOKENS_MAX", 2)
    verified: list[str] = []
    verify = jwt.verify

    def counted(token: str, public_key: jwt.PublicKey, *, now: int) -> jwt.Claims:
        claims = verify(token, public_key, now=now)
        verified.append(claims.jti)
        return claims

    monkeypatch.setattr(jwt, "verify", counted)

    async def play() -> None:
        place = Place()
        one, two, three = (token(jti=jti) for jti in ("1", "2", "3"))
        for each in (one, two, one, three, one, two):
            await place.identify(each)
        assert verified == ["1", "2", "3", "2"]

    run(play())


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_the_account_is_let_in() -> None:
    place = Place()
    assert place.access.account(basic("key:secret")) == "key"
    assert place.access.account(basic("key:secret").replace("Basic", "basic")) == "key"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "Basic",
        "Basic ???",
        "Basic é",
        basic(""),
        basic(":"),
        basic("key"),
        basic("key:"),
        basic("key:Secret"),
        basic("key:secret "),
        basic("Key:secret"),
        basic("kéy:secret"),
        basic("key:secret" * 200),
        f"Bearer {token()}",
    ],
)
def test_others_are_not(header: str | None) -> None:
    with pytest.raises(InvalidToken):
        Place().access.account(header)


def test_an_account_without_a_secret_lets_nobody_in() -> None:
    open_door = Access(Place(), Account(), lambda: 0.0)
    for text in (":", "key:", "", ":secret"):
        with pytest.raises(InvalidToken):
            open_door.account(basic(text))
