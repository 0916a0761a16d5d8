"""Every route there is, and who gets nothing by it: nobody, the wrong token, strangers."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from tests.api.cast import (
    ACCOUNT,
    NOBODY,
    NOT_GRANTED,
    Stranger,
    conversation,
    entrance,
    history,
    joined,
    refusal,
    stranger,
    text,
    user,
)
from tests.api.conftest import Play
from tests.api.test_calls import OFFER, enabled

from tertulia.model.call_request import CallDraft, ChangeDraft
from tertulia.model.conversation import ConversationDraft
from tertulia.model.membership import MemberChange, MemberDraft
from tertulia.model.message_request import MessageChange, MessageDraft
from tertulia.model.posting import EventDraft
from tertulia.services.applications import ApplicationDraft
from tertulia.services.knocking import KnockDraft
from tertulia.services.users import UserDraft
from tertulia.testing.world import Answer, World
from tertulia.web.paging import write_cursor
from tertulia.web.rest.audio import (
    AsrChange,
    AsrDraft,
    DigitsDraft,
    RecordDraft,
    StreamDraft,
    TalkDraft,
)
from tertulia.web.rest.calls import (
    CallDigitsDraft,
    CallStreamDraft,
    CallTalkDraft,
    KeySubscription,
)
from tertulia.web.rest.handsets import HandsetDraft
from tertulia.web.rest.legacy_members import LegacyMemberChange, LegacyMemberDraft
from tertulia.web.rest.legs import LegAction, LegDraft
from tertulia.web.rest.rtc import AnswerDraft, IceDraft, RtcDraft
from tertulia.web.rest.webhooks import Policy, ReplayDraft
from tertulia.web.routing import Guard, Route, Upload

NO_ENTRY = (401, "system:error:invalid-token")
OPEN = {
    "/healthz", "/readyz", "/metrics", "/openapi.json", "/asyncapi.json", "/v2/rtc/metrics",
    "/carriers/{carrier}", "/sms/json",
}  # fmt: skip
"""Probes, descriptions, the figures that clients send about their connection; and where credentials
are not in a header: each carrier has its own, and the older SMS API has them among its fields."""
SAYS_DONE = {"DeleteMedia"}
"""COMPAT: what is not one's own is told apart from what is gone by nobody, and left alone."""
OF_NOBODY = {"DiscoverMedia"}
"""The same for all: where this server is."""
SEE_EACH_OTHER = {"GetUser"}
"""The users of an application: whoever invites names one."""
OWN_ALICE = {
    "GetUser", "PutUser", "UpdateUser", "DeleteUser", "ListUserConversations", "ListUserSessions",
}  # fmt: skip
"""The other application's user of that name."""
WRONG: dict[Guard, tuple[dict[str, str], ...]] = {
    Guard.APPLICATION: (ACCOUNT,), Guard.SIGNED: (ACCOUNT,), Guard.ACCOUNT: ({},), Guard.EITHER: (),
}  # fmt: skip
"""Credentials that are good for others; without any, the application's token is sent."""
FILTERS = {"ListWebhookAttempts"}
"""Lists the application's own, of which none is so."""
WORDS = "quetzal is what nobody else may read"
SECRETS = (b"quetzal", b"lounge", b"CON-1", b"MEM-1", b"MED-")
CALL = {"to": [{"type": "phone", "number": "15550100"}], "ncco": [{"action": "wait"}]}
BODIES: dict[Any, Any] = {
    ConversationDraft: {}, MemberDraft: entrance("mallory", "invited"),
    MemberChange: {"state": "left"}, LegacyMemberDraft: {"action": "invite", "user_id": "USR-1"},
    LegacyMemberChange: {"action": "leave"}, EventDraft: text("Hi", "MEM-1"), UserDraft: {},
    LegDraft: {"body": {"offer": OFFER}}, LegAction: {"action": "hangup"},
    RtcDraft: {"from": "MEM-1", "body": {"offer": OFFER}},
    AnswerDraft: {"from": "MEM-1", "body": {"answer": OFFER["sdp"]}}, IceDraft: {"body": {}},
    KnockDraft: {"channel": {"type": "app", "id": "LEG"}}, AsrChange: {"active": False},
    StreamDraft: {"stream_url": ["https://sounds.test/a.mp3"]}, TalkDraft: {"text": "Hi"},
    RecordDraft: {}, DigitsDraft: {"digits": "1"}, AsrDraft: {},
    CallDraft: CALL, ChangeDraft: {"action": "hangup"},
    CallStreamDraft: {"stream_url": ["https://sounds.test/a.mp3"]}, CallTalkDraft: {"text": "Hi"},
    CallDigitsDraft: {"digits": "1"}, KeySubscription: {"event_url": ["https://app.test/keys"]},
    HandsetDraft: {"to": "447700900000", "text": "Hi"},
    MessageDraft: {"channel": "sms", "message_type": "text", "text": "Hi", "to": "447700900000",
                   "from": "15550199"},
    MessageChange: {"status": "read"},
    ApplicationDraft: {"name": "x"}, ReplayDraft: {"position": 1}, Policy: {"policy": "hold"},
}  # fmt: skip
QUERIES = {
    "/tertulia/v1/search": ("q=quetzal", "q=quetzal&conversation_id=CON-1"),
    "/tertulia/v1/events": ("after=0", "after=0&conversation_id=CON-1"),
    "/tertulia/v1/webhooks/attempts": ("", "conversation_id=CON-1"),
}
LISTS = (
    "conversations", "conversations-by-key", "events", "members", "messages", "search", "sessions",
    "users",
)  # fmt: skip


class Asked(NamedTuple):
    """A request to a route about what is another's."""

    route: Route
    target: str
    body: Any
    headers: dict[str, str]

    @property
    def is_about_something(self) -> bool:
        """Whether it names what is another's, in its path or query."""
        return "CON-1" in self.target or "{" in self.route.path

    @property
    def name(self) -> str:
        """Of the operation, without its edition."""
        edition = self.route.edition
        return self.route.operation.removesuffix(edition.name.capitalize() if edition else "")


async def furnish(world: World) -> str:
    """Alice in a conversation that is named lounge, with words and a file; the file's id."""
    await conversation(world, name="lounge")
    await joined(world, "CON-1", "alice")
    await user(world, "mallory")
    file = await world.call("POST", "/v3/media", WORDS.encode(), user="alice")
    shown = {"message_type": "file", "file": {"url": file.json["url"]}}
    for draft in (text(WORDS, "MEM-1"), {"type": "message", "from": "MEM-1", "body": shown}):
        sent = await world.call("POST", "/v1/conversations/CON-1/events", draft)
        assert sent.status == 201
    await enabled(world, "MEM-1", "alice")
    await called(world)
    await world.hub.services.indexer.catch_up()
    media_id: str = file.json["id"]
    return media_id


async def called(world: World) -> None:
    """The application has called a phone, which has answered."""
    made = await world.call("POST", "/v1/calls", CALL)
    assert made.status == 201
    world.exchange.rings(made.json["uuid"])
    world.exchange.answers(made.json["uuid"])
    await world.settle()


def asked(world: World, media_id: str) -> Iterator[Asked]:
    """Every route with what `furnish` has made, conversations by id and by name."""
    leg_id = next((live.leg.id for live in world.hub.services.legs), "none")
    call_id = next((live.leg.id for live in world.hub.services.legs if live.leg.is_call), "none")
    ids = {
        "user_id": "alice", "member_id": "MEM-1", "event_id": "2", "media_id": media_id,
        "session_id": "SES-1", "application_id": world.application.id, "replay_id": "1",
        "dc": "local", "leg_id": leg_id, "rtc_id": leg_id,
        "knocking_id": "K-1", "asr_id": "A-1", "call_id": call_id, "message_id": "MSG-1",
        "carrier": "simulated-sms", "channel": "sms", "address": "15550110",
    }  # fmt: skip
    for route in world.hub.router.routes:
        is_upload = isinstance(route.body, Upload)
        body = b"words" if is_upload else BODIES.get(route.body)
        headers = {"content-type": "text/plain"} if is_upload else {}
        for named in ("CON-1", "lounge") if "{conversation_id}" in route.path else ("",):
            path = route.path.format(conversation_id=named, **ids)
            for query in QUERIES.get(route.path, ("",)):
                yield Asked(route, f"{path}?{query}", body, headers)


def guarded(world: World, media_id: str = "MED-1") -> Iterator[Asked]:
    """Those that want a token of an application."""
    guards = (Guard.APPLICATION, Guard.SIGNED)
    return (each for each in asked(world, media_id) if each.route.guard in guards)


async def send(world: World, asked: Asked, **how: Any) -> Answer:
    how["headers"] = {**asked.headers, **how.get("headers", {})}
    return await world.call(asked.route.method, asked.target, asked.body, **how)


def test_nobody_comes_in_without_credentials(play: Play) -> None:
    async def scenario(world: World) -> None:
        await furnish(world)
        head = await world.store.head()
        assert {each.route.path for each in asked(world, "MED-1")
                if each.route.guard is Guard.OPEN} == OPEN  # fmt: skip
        for each in asked(world, "MED-1"):
            if each.route.guard is not Guard.OPEN:
                for headers in (NOBODY, *WRONG[each.route.guard]):
                    answer = await send(world, each, headers=headers)
                    assert refusal(answer) == NO_ENTRY, (each, headers)
        assert await world.store.head() == head

    play(scenario)


@pytest.mark.parametrize("paths", [
    {}, {"/nowhere/**": {}}, {"/**": {"methods": ["TRACE"]}},
    {"/v9/conversations/**": {}, "/*/conversation/**": {}},
])  # fmt: skip
def test_the_acl_has_to_grant_every_path(play: Play, paths: dict[str, Any]) -> None:
    async def scenario(world: World) -> None:
        media_id = await furnish(world)
        head = await world.store.head()
        for name in (None, "alice"):
            token = world.token(name, acl={"paths": paths})
            for each in guarded(world, media_id):
                answer = await send(world, each, token=token)
                assert refusal(answer) == (403, NOT_GRANTED), each
        assert await world.store.head() == head

    play(scenario)


Tokens = Callable[[Stranger], str]


@pytest.mark.parametrize("token", [
    lambda other: other.token(), lambda other: other.token(sub="alice"),
])  # fmt: skip
def test_another_application_finds_nothing(play: Play, token: Tokens) -> None:
    async def scenario(world: World) -> None:
        media_id = await furnish(world)
        other = await stranger(world)
        await world.call("POST", "/v1/users", {"name": "alice"}, token=other.token())
        before = await kept(world, media_id)
        for each in guarded(world, media_id):
            answer = await send(world, each, token=token(other))
            told_of(each, answer, OF_NOBODY | OWN_ALICE | FILTERS)
            if each.name == "DeleteUser":
                made = {"name": "alice"}
                await world.call("POST", "/v1/users", made, token=other.token())
        assert await kept(world, media_id) == before

    play(scenario)


def test_a_user_finds_nothing_of_what_it_is_no_part_of(play: Play) -> None:
    async def scenario(world: World) -> None:
        media_id = await furnish(world)
        before = await kept(world, media_id)
        for each in guarded(world, media_id):
            answer = await send(world, each, user="mallory")
            told_of(each, answer, OF_NOBODY | SEE_EACH_OTHER)
        assert await kept(world, media_id) == before

    play(scenario)


def told_of(each: Asked, answer: Answer, allowed: set[str]) -> None:
    """What is another's is absent or not granted, and nothing of it is in any answer."""
    assert not [secret for secret in SECRETS if secret in strange(answer)], each
    assert answer.status < 500, each
    if each.is_about_something and each.name not in allowed:
        expected = (204,) if each.name in SAYS_DONE else (403, 404)
        assert answer.status in expected, (each, answer.status, answer.json)


def strange(answer: Answer) -> bytes:
    """Of an answer all but the file that the request itself has put in."""
    is_own_file = answer.status in (200, 201) and answer.json and "signed_url" in answer.json
    return b"" if is_own_file else answer.raw


async def kept(world: World, media_id: str) -> tuple[Any, ...]:
    """What there is to be seen by those whose it is."""
    return (
        await history(world, "CON-1"),
        (await world.call("GET", "/v1/conversations/CON-1", user="alice")).json,
        (await world.call("GET", "/v1/users/alice")).json,
        (await world.call("GET", f"/v3/media/{media_id}", user="alice")).raw,
        (await world.call("GET", "/tertulia/v1/webhooks/policy")).json,
    )


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30, -(10**30)])
def test_no_cursor_is_beyond_what_a_store_looks_up(play: Play, number: int) -> None:
    async def scenario(world: World) -> None:
        await furnish(world)
        paged = [each for each in guarded(world) if _has_cursor(each.route)]
        assert len(paged) > 20
        for each in paged:
            for name in LISTS:
                for key in ((number,), ("x", number), (number, "x")):
                    for backward in (False, True):
                        cursor = write_cursor(name, key, backward=backward)
                        target = f"{each.target}{'&' if '=' in each.target else ''}cursor={cursor}"
                        answer = await send(world, each._replace(target=target))
                        assert refusal(answer)[0] in (400, 404), (each, name)

    play(scenario)


def _has_cursor(route: Route) -> bool:
    """The first edition counts its pages."""
    names = route.query.__struct_fields__ if route.query is not None else ()
    return "cursor" in names and "record_index" not in names
