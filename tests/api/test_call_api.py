"""The call API, with a far end that does what the test says: every route and every refusal."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace
from tests.api.cast import NOBODY, ORIGIN, blamed, refusal, stranger, user
from tests.api.conftest import SETTINGS, Play
from tests.api.test_calls import OFFER, knock, leg
from tests.api.test_phones import CALLEE, EVENT, incoming, types

from tertulia.model.commands import Hearing, Press, StopPlay
from tertulia.model.commands import Play as PlaySound
from tertulia.model.ids import Position
from tertulia.model.instant import Instant, iso
from tertulia.store.memory import MemoryStore
from tertulia.testing.world import EPOCH, NUMBER, Answer, World

SCRIPT = [{"action": "wait", "timeout": 7200}]
KEYS = "https://app.test/keys"
SOUND = "https://sounds.test/a.mp3"
PHONE = {"type": "phone", "number": CALLEE}
FROM = {"type": "phone", "number": NUMBER}
TOLD = ("leg:status:update", "custom:tertulia:call")
"""What is told of calls, beside what happens to them."""
NO_CALL = (404, "call:error:not-found")
OVER = (404, "call:error:over")
NOT_YET = (400, "call:error:invalid-state")
NOT_GRANTED = (403, "system:error:permission")
ACTIONS: list[tuple[str, str, Any]] = [
    ("PUT", "", {"action": "hangup"}), ("PUT", "", {"action": "mute"}),
    ("PUT", "", {"action": "transfer", "destination": {"type": "ncco", "ncco": SCRIPT}}),
    ("PUT", "/stream", {"stream_url": [SOUND]}), ("DELETE", "/stream", None),
    ("PUT", "/talk", {"text": "Hi"}), ("DELETE", "/talk", None),
    ("PUT", "/dtmf", {"digits": "1"}), ("PUT", "/input/dtmf", {"event_url": [KEYS]}),
    ("DELETE", "/input/dtmf", None),
]  # fmt: skip


async def create(world: World, **members: Any) -> Answer:
    draft = {"to": [PHONE], "from": FROM, "ncco": SCRIPT, "event_url": [EVENT], **members}
    world.answers.answers.setdefault(EVENT, {})
    given = {name: value for name, value in draft.items() if value is not ...}
    return await world.call("POST", "/v1/calls", given)


async def created(world: World, **members: Any) -> str:
    answer = await create(world, **members)
    assert answer.status == 201, answer.json
    await world.settle()
    return str(answer.json["uuid"])


async def answered(world: World, **members: Any) -> str:
    """A call that a phone has answered."""
    uuid = await created(world, **members)
    world.exchange.rings(uuid)
    world.exchange.answers(uuid)
    await world.settle()
    return uuid


async def act(world: World, uuid: str, method: str, path: str, body: Any, **how: Any) -> Answer:
    answer = await world.call(method, f"/v1/calls/{uuid}{path}", body, **how)
    await world.settle()
    return answer


async def shown(world: World, uuid: str, **how: Any) -> dict[str, Any]:
    answer = await world.call("GET", f"/v1/calls/{uuid}", **how)
    assert answer.status == 200, answer.json
    found: dict[str, Any] = answer.json
    return found


async def listed(world: World, query: str = "", **how: Any) -> dict[str, Any]:
    answer = await world.call("GET", f"/v1/calls?{query}", **how)
    assert answer.status == 200, answer.json
    found: dict[str, Any] = answer.json
    return found


def uuids(page: dict[str, Any]) -> list[str]:
    return [each["uuid"] for each in page["_embedded"]["calls"]]


def test_a_call_is_created_and_shown_until_its_end(play: Play) -> None:
    async def scenario(world: World) -> None:
        answer = await create(world)
        uuid, where = answer.json["uuid"], answer.json["conversation_uuid"]
        assert answer.status == 201
        assert answer.json == {
            "uuid": uuid, "conversation_uuid": where, "status": "started", "direction": "outbound"
        }  # fmt: skip
        await world.settle()
        common = {
            "uuid": uuid, "conversation_uuid": where, "from": FROM, "to": PHONE,
            "direction": "outbound", "_links": {"self": {"href": f"{ORIGIN}/v1/calls/{uuid}"}},
        }  # fmt: skip
        assert await shown(world, uuid) == {**common, "status": "started"}
        world.exchange.rings(uuid)
        await world.settle()
        assert await shown(world, uuid) == {**common, "status": "ringing"}
        world.exchange.answers(uuid)
        await world.settle()
        talking = await shown(world, uuid)
        assert talking == {**common, "status": "answered", "start_time": talking["start_time"]}
        world.clock.advance(90)
        world.exchange.hangs_up(uuid)
        await world.settle()
        over = await shown(world, uuid)
        assert over == {
            **talking, "status": "completed", "end_time": over["end_time"], "duration": "90",
            "rate": "0.00", "price": "0.00000000",
        }  # fmt: skip
        assert over["start_time"] < over["end_time"]

    play(scenario)


@pytest.mark.parametrize(
    ("code", "status"),
    [(486, "busy"), (603, "rejected"), (480, "unanswered"), (404, "failed"), (487, "cancelled")],
)
def test_what_became_of_an_unanswered_call(play: Play, code: int, status: str) -> None:
    async def scenario(world: World) -> None:
        uuid = await created(world)
        world.exchange.rings(uuid)
        await world.settle()
        world.exchange.declines(uuid, code)
        await world.settle()
        found = await shown(world, uuid)
        assert (found["status"], found["duration"]) == (status, "0")
        assert "start_time" not in found
        assert uuids(await listed(world, f"status={status}")) == [uuid]
        assert (await listed(world, "status=completed"))["count"] == 0

    play(scenario)


ENDPOINTS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (PHONE, PHONE),
    ({"type": "sip", "uri": "sip:rob@pbx.test", "headers": {"k": "v"}},
     {"type": "sip", "uri": "sip:rob@pbx.test", "headers": {"k": "v"}}),
    ({"type": "websocket", "uri": "wss://bot.test/x", "content-type": "audio/l16;rate=8000"},
     {"type": "websocket", "uri": "wss://bot.test/x", "content-type": "audio/l16;rate=8000"}),
    ({"type": "vbc", "extension": "123"}, {"type": "vbc", "extension": "123"}),
    ({"type": "app", "user": "alice"}, {"type": "app", "user": "alice"}),
]  # fmt: skip


@pytest.mark.parametrize(("given", "told"), ENDPOINTS)
def test_every_kind_of_endpoint_is_called(
    play: Play, given: dict[str, Any], told: dict[str, Any]
) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        uuid = await created(world, to=[given])
        found = await shown(world, uuid)
        assert found["to"] == told and found["from"] == FROM
        assert uuids(await listed(world)) == [uuid]

    play(scenario)


def test_a_client_that_knows_no_apps_can_read_a_call_of_one(play: Play) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        uuid = await created(world, to=[{"type": "app", "user": "alice"}])
        headers = {"user-agent": "vonage-python-sdk/4.7.0 python/3.11.2"}
        found = await shown(world, uuid, headers=headers)
        assert found["to"] == {"number": "alice", "user": "alice"}
        page = await listed(world, headers=headers)
        assert page["_embedded"]["calls"] == [found]

    play(scenario)


def test_who_calls_may_be_withheld_or_any_number_of_the_application(play: Play) -> None:
    async def scenario(world: World) -> None:
        for given, told in (
            ({"from": ...}, {"type": "phone", "number": ""}),
            ({"from": ..., "random_from_number": True}, FROM),
            ({"from": "447700900000"}, {"type": "phone", "number": "447700900000"}),
            ({"from": "sip:me@pbx.test"}, {"type": "sip", "uri": "sip:me@pbx.test"}),
        ):
            uuid = await created(world, **given)
            assert (await shown(world, uuid))["from"] == told

    play(scenario)


BAD_CALLS: list[tuple[dict[str, Any], str]] = [
    ({"to": ...}, "to"), ({"to": []}, "to"), ({"to": [PHONE, PHONE]}, "to"), ({"to": PHONE}, "to"),
    ({"to": [{"type": "fax", "number": "1"}]}, "to[0].type"),
    ({"to": [{"type": "phone"}]}, "to[0].number"),
    ({"to": [{"type": "phone", "number": "0044 12"}]}, "to[0].number"),
    ({"to": [{**PHONE, "dtmfAnswer": "x"}]}, "to[0].dtmfAnswer"),
    ({"to": [{"type": "sip", "uri": "tel:1"}]}, "to[0].uri"),
    ({"to": [{"type": "websocket", "uri": "http://a.test"}]}, "to[0].uri"),
    ({"to": [{"type": "vbc", "extension": "abc"}]}, "to[0].extension"),
    ({"from": {"type": "phone"}}, "from.number"), ({"from": 5}, "from"),
    ({"random_from_number": True}, "random_from_number"),
    ({"ncco": ...}, "ncco"), ({"ncco": {}}, "ncco"), ({"ncco": [{"action": "dance"}]}, "ncco"),
    ({"answer_url": ["https://app.test/x"]}, "answer_url"),
    ({"ncco": ..., "answer_url": ["ftp://app.test"]}, "answer_url"),
    ({"ncco": ..., "answer_url": ["https://a.test", "https://b.test"]}, "answer_url"),
    ({"answer_method": "PUT"}, "answer_method"), ({"event_method": "PUT"}, "event_method"),
    ({"event_url": ["x"]}, "event_url"), ({"event_url": "https://a.test"}, "event_url"),
    ({"machine_detection": "maybe"}, "machine_detection"),
    ({"advanced_machine_detection": {"mode": "x"}}, "advanced_machine_detection.mode"),
    ({"advanced_machine_detection": {"beep_timeout": 44}},
     "advanced_machine_detection.beep_timeout"),
    ({"length_timer": 0}, "length_timer"), ({"length_timer": 7201}, "length_timer"),
    ({"ringing_timer": 121}, "ringing_timer"), ({"ringing_timer": "soon"}, "ringing_timer"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "name"), BAD_CALLS)
def test_nobody_is_called_by_a_wrong_request(play: Play, wrong: dict[str, Any], name: str) -> None:
    async def scenario(world: World) -> None:
        answer = await create(world, **wrong)
        assert blamed(answer).startswith(name), answer.json
        assert not world.exchange.dials
        assert (await listed(world))["count"] == 0

    play(scenario)


def test_a_user_that_is_not_there_cannot_be_called(play: Play) -> None:
    async def scenario(world: World) -> None:
        answer = await create(world, to=[{"type": "app", "user": "nobody"}])
        assert refusal(answer) == (404, "user:error:not-found")

    play(scenario)


def test_calls_are_listed_by_index_in_both_orders(play: Play) -> None:
    async def scenario(world: World) -> None:
        made = []
        for _ in range(5):
            made.append(await created(world))
            world.clock.advance(10)
        page = await listed(world, "page_size=2&record_index=1&conversation_uuid=")
        assert (page["count"], page["page_size"], page["record_index"]) == (5, 2, 1)
        assert uuids(page) == made[1:3]
        links = {name: link["href"] for name, link in page["_links"].items()}
        base = f"{ORIGIN}/v1/calls?conversation_uuid=&order=asc&page_size=2&record_index="
        assert links == {
            "self": f"{base}1", "first": f"{base}0", "last": f"{base}4", "prev": f"{base}0",
            "next": f"{base}3",
        }  # fmt: skip
        seen, target = [], "/v1/calls?page_size=2&order=desc"
        while target:
            found = (await world.call("GET", target)).json
            seen += uuids(found)
            target = found["_links"].get("next", {}).get("href", "").removeprefix(ORIGIN)
        assert seen == made[::-1]
        assert uuids(await listed(world, "record_index=5")) == []
        assert (await listed(world, "record_index=5"))["_links"].keys() == {
            "self", "first", "last", "prev"
        }  # fmt: skip

    play(scenario)


def test_calls_are_filtered(play: Play) -> None:
    async def scenario(world: World) -> None:
        first = await answered(world)
        world.clock.advance(60)
        second = await created(world)
        where = (await shown(world, first))["conversation_uuid"]
        middle = iso(EPOCH).replace("09:00:00", "09:00:30")
        for query, expected in {
            "": [first, second], "status=answered": [first], "status=started": [second],
            "status=busy": [], f"conversation_uuid={where}": [first],
            "conversation_uuid=CON-none": [], f"date_start={middle}": [second],
            f"date_end={middle}": [first], f"date_start={middle}&date_end={middle}": [],
            f"status=answered&conversation_uuid={where}&date_end={middle}": [first],
            "date_start=2026-05-04%2009:00:30": [second],
        }.items():  # fmt: skip
            page = await listed(world, query)
            assert (uuids(page), page["count"]) == (expected, len(expected)), query

    play(scenario)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("status=asleep", "status"), ("status=", "status"), ("date_start=yesterday", "date_start"),
        ("date_end=2026-13-01", "date_end"), ("page_size=0", "page_size"),
        ("page_size=101", "page_size"), ("page_size=x", "page_size"),
        ("record_index=-1", "record_index"), ("record_index=99999999999", "record_index"),
        ("record_index=x", "record_index"), ("order=sideways", "order"),
    ],
)  # fmt: skip
def test_a_wrong_query_is_refused_by_name(play: Play, query: str, name: str) -> None:
    async def scenario(world: World) -> None:
        assert blamed(await world.call("GET", f"/v1/calls?{query}")) == name

    play(scenario)


def test_a_call_is_muted_and_earmuffed(play: Play) -> None:
    async def scenario(world: World) -> None:
        uuid = await answered(world)
        for action, muted, earmuffed in (
            ("mute", True, False), ("earmuff", True, True), ("unmute", False, True),
            ("unearmuff", False, False),
        ):  # fmt: skip
            answer = await act(world, uuid, "PUT", "", {"action": action})
            assert (answer.status, answer.raw) == (204, b"")
            hearing = world.studio.told(Hearing)[-1]
            assert (hearing.leg, hearing.muted, hearing.earmuffed) == (uuid, muted, earmuffed)

    play(scenario)


def test_a_call_is_hung_up(play: Play) -> None:
    async def scenario(world: World) -> None:
        for uuid, status in (
            (await created(world), "cancelled"), (await answered(world), "completed")
        ):  # fmt: skip
            assert (await act(world, uuid, "PUT", "", {"action": "hangup"})).status == 204
            assert (await shown(world, uuid))["status"] == status
            assert not world.exchange.is_open(uuid)

    play(scenario)


def test_a_call_is_transferred_to_a_script_and_to_an_address(play: Play) -> None:
    async def scenario(world: World) -> None:
        uuid = await answered(world)
        before = (await shown(world, uuid))["conversation_uuid"]
        script = [{"action": "talk", "text": "You were moved."}]
        to: dict[str, Any] = {"type": "ncco", "ncco": script}
        moved = await act(world, uuid, "PUT", "", {"action": "transfer", "destination": to})
        assert moved.status == 204
        between = (await shown(world, uuid))["conversation_uuid"]
        assert between != before
        assert world.studio.told(PlaySound)[-1].leg == uuid
        world.answers.answers["https://app.test/next"] = SCRIPT
        to = {"type": "ncco", "url": ["https://app.test/next"]}
        moved = await act(world, uuid, "PUT", "", {"action": "transfer", "destination": to})
        assert moved.status == 204
        assert (await shown(world, uuid))["conversation_uuid"] not in (before, between)

    play(scenario)


BAD_CHANGES: list[tuple[str, str, dict[str, Any], str]] = [
    ("PUT", "", {}, "action"), ("PUT", "", {"action": "dance"}, "action"),
    ("PUT", "", {"action": "transfer"}, "destination"),
    ("PUT", "", {"action": "transfer", "destination": {"type": "x"}}, "destination.type"),
    ("PUT", "", {"action": "transfer", "destination": {"type": "ncco"}}, "destination.ncco"),
    ("PUT", "", {"action": "transfer", "destination": {"type": "ncco", "ncco": [{}]}},
     "destination.ncco"),
    ("PUT", "", {"action": "transfer", "destination": {"type": "ncco", "url": ["x"]}},
     "destination.url"),
    ("PUT", "", {"action": "transfer", "destination": {"type": "ncco", "url": [KEYS]}},
     "destination.url"),
    ("PUT", "/stream", {}, "stream_url"), ("PUT", "/stream", {"stream_url": []}, "stream_url"),
    ("PUT", "/stream", {"stream_url": [SOUND, SOUND]}, "stream_url"),
    ("PUT", "/stream", {"stream_url": ["x"]}, "stream_url"),
    ("PUT", "/stream", {"stream_url": [SOUND], "loop": -1}, "loop"),
    ("PUT", "/stream", {"stream_url": [SOUND], "level": 2}, "level"),
    ("PUT", "/stream", {"stream_url": [SOUND], "level": "loud"}, "level"),
    ("PUT", "/talk", {}, "text"), ("PUT", "/talk", {"text": ""}, "text"),
    ("PUT", "/talk", {"text": "x" * 1501}, "text"), ("PUT", "/talk", {"text": 5}, "text"),
    ("PUT", "/talk", {"text": "x", "loop": -1}, "loop"),
    ("PUT", "/talk", {"text": "x", "style": -1}, "style"),
    ("PUT", "/talk", {"text": "x", "language": 5}, "language"),
    ("PUT", "/talk", {"text": "x", "premium": "yes"}, "premium"),
    ("PUT", "/dtmf", {}, "digits"), ("PUT", "/dtmf", {"digits": "1x"}, "digits"),
    ("PUT", "/dtmf", {"digits": ""}, "digits"), ("PUT", "/dtmf", {"digits": 5}, "digits"),
    ("PUT", "/input/dtmf", {}, "event_url"), ("PUT", "/input/dtmf", {"event_url": []}, "event_url"),
    ("PUT", "/input/dtmf", {"event_url": ["x"]}, "event_url"),
    ("PUT", "/input/dtmf", {"event_url": KEYS}, "event_url"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "name"), BAD_CHANGES)
def test_a_wrong_request_changes_nothing(
    play: Play, method: str, path: str, body: dict[str, Any], name: str
) -> None:
    async def scenario(world: World) -> None:
        uuid = await answered(world)
        before = await types(world, without=TOLD)
        assert blamed(await act(world, uuid, method, path, body)).startswith(name)
        assert await types(world, without=TOLD) == before
        assert world.exchange.is_open(uuid)

    play(scenario)


def test_files_and_texts_are_played_and_stopped(play: Play) -> None:
    async def scenario(world: World) -> None:
        uuid = await answered(world)
        for path, body, started, stopped in (
            ("/stream", {"stream_url": [SOUND], "level": "0.4", "loop": 0}, "Stream started",
             "Stream stopped"),
            ("/talk", {"text": "Hello", "loop": 3, "language": "en-GB", "style": 2,
                       "premium": True}, "Talk started", "Talk stopped"),
        ):  # fmt: skip
            world.downloads[SOUND] = world.outside.scratch / "a.mp3"
            answer = await act(world, uuid, "PUT", path, body)
            assert (answer.status, answer.json) == (200, {"message": started, "uuid": uuid})
            sound = world.studio.told(PlaySound)[-1]
            assert (sound.leg, sound.loop) == (uuid, body["loop"])
            answer = await act(world, uuid, "DELETE", path, None)
            assert (answer.status, answer.json) == (200, {"message": stopped, "uuid": uuid})
            assert world.studio.told(StopPlay)[-1].play == sound.play
            again = await act(world, uuid, "DELETE", path, None)
            assert again.json == {"message": stopped, "uuid": uuid}

    play(scenario)


def test_what_was_asked_for_a_moment_ago_is_stopped_too(play: Play) -> None:
    async def scenario(world: World) -> None:
        uuid = await answered(world)
        await world.call("PUT", f"/v1/calls/{uuid}/talk", {"text": "Hello"})
        await world.call("DELETE", f"/v1/calls/{uuid}/talk")
        await world.settle()
        assert (await types(world, without=TOLD))[-2:] == ["audio:say", "audio:say:stop"]
        stopped = {each.play for each in world.studio.told(StopPlay)}
        assert stopped >= {each.play for each in world.studio.told(PlaySound)}

    play(scenario)


def test_keys_are_pressed_into_a_call(play: Play) -> None:
    async def scenario(world: World) -> None:
        uuid = await answered(world)
        answer = await act(world, uuid, "PUT", "/dtmf", {"digits": "1*p2#"})
        assert answer.json == {"message": "DTMF sent", "uuid": uuid}
        assert world.studio.told(Press) == [Press(uuid, "1*p2#")]

    play(scenario)


def test_what_was_asked_of_a_call_is_for_it_when_it_has_moved_on(play: Play) -> None:
    async def scenario(world: World) -> None:
        uuid = await answered(world)
        legs = world.hub.services.legs
        await world.call("PUT", f"/v1/calls/{uuid}/dtmf", {"digits": "1"})
        asked = (await world.store.follow(Position(0)))[-1]
        assert asked.type == "audio:dtmf"
        to = {"type": "ncco", "ncco": [{"action": "conversation", "name": "next"}]}
        transfer = {"action": "transfer", "destination": to}
        await act(world, uuid, "PUT", "", transfer)
        now = legs.recipient(asked)
        assert now is not None
        assert (now.id, now.conversation_id == asked.conversation_id) == (uuid, False)
        late = replace(asked, timestamp=Instant(world.clock.now() + 1))
        assert legs.recipient(late) is None

    play(scenario)


def test_keys_of_a_call_are_told_one_by_one_until_its_end(play: Play) -> None:
    async def scenario(world: World) -> None:
        world.answers.answers[KEYS] = {}
        uuid, other = await answered(world), await answered(world)
        where = (await shown(world, uuid))["conversation_uuid"]
        answer = await act(world, uuid, "PUT", "/input/dtmf", {"event_url": [KEYS]})
        assert (answer.status, answer.json["uuid"]) == (200, uuid)
        for pressed, digit in ((uuid, "4"), (other, "7"), (uuid, "#")):
            world.exchange.keys(pressed, digit)
            await world.settle()
        told = world.answers.told(KEYS)
        assert [each.pop("dtmf") for each in told] == [
            {"digits": "4", "timed_out": False}, {"digits": "#", "timed_out": False}
        ]  # fmt: skip
        assert {each.pop("timestamp") for each in told}
        assert told[0] == {
            "uuid": uuid, "conversation_uuid": where, "from": NUMBER, "to": CALLEE
        }  # fmt: skip
        for _ in range(2):
            answer = await act(world, uuid, "DELETE", "/input/dtmf", None)
            assert (answer.status, answer.raw) == (204, b"")
        world.exchange.keys(uuid, "5")
        await act(world, other, "PUT", "/input/dtmf", {"event_url": [KEYS]})
        world.exchange.keys(other, "8")
        world.exchange.hangs_up(other)
        await world.settle()
        assert [each["dtmf"]["digits"] for each in world.answers.told(KEYS)[2:]] == ["8"]
        assert len(world.hub.services.keys) == 0

    play(scenario)


def test_the_timeline_tells_what_happened(play: Play) -> None:
    async def scenario(world: World) -> None:
        uuid = await answered(world)
        found = await world.call("GET", f"/v1/calls/{uuid}/timeline")
        assert found.json["uuid"] == uuid
        moments = found.json["moments"]
        assert [each["at"] for each in moments] == sorted(each["at"] for each in moments)
        assert all(each.keys() == {"at", "lane", "text", "detail"} for each in moments)
        assert {each["lane"] for each in moments} >= {"event", "script", "webhook"}
        texts = [each["text"] for each in moments]
        assert "sip:answered" in texts and f"POST {EVENT} answered" in texts

    play(scenario)


def test_the_timeline_says_what_was_meant(play: Play) -> None:
    async def scenario(world: World) -> None:
        uuid = await answered(world, ncco=[{"action": "talk", "text": "Hello there"}, *SCRIPT])
        world.exchange.hangs_up(uuid)
        await world.settle()
        found = await world.call("GET", f"/v1/calls/{uuid}/timeline")
        details = {each["text"]: each["detail"] for each in found.json["moments"]}
        assert details["talk"] == details["audio:say"] == "Hello there"
        assert details["sip:hangup"].startswith("200 ")
        assert details["sip:status"] == "0 s"

    play(scenario)


def test_an_inbound_call_and_one_of_a_client_are_calls_too(play: Play) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        mine = await leg(world)
        await knock(world, mine)
        inbound = incoming(world)
        await world.settle()
        page = await listed(world)
        assert sorted(uuids(page)) == sorted([mine, inbound])
        phone, app = await shown(world, inbound), await shown(world, mine)
        assert (phone["direction"], phone["from"]["number"]) == ("inbound", "447700900001")
        assert (app["direction"], app["from"]) == ("inbound", {"type": "app", "user": "alice"})

    play(scenario)


def test_a_leg_that_came_by_no_call_is_none(play: Play) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        made = await world.call("POST", "/v1/conversations", {})
        room = f"/v0.3/conversations/{made.json['id']}"
        member = {"state": "joined", "user": {"name": "alice"}, "channel": {"type": "app"}}
        mid = (await world.call("POST", f"{room}/members", member)).json["id"]
        offer = {"from": mid, "body": {"offer": OFFER}}
        uuid = (await world.call("POST", f"{room}/rtc", offer, user="alice")).json["id"]
        assert refusal(await world.call("GET", f"/v1/calls/{uuid}")) == NO_CALL
        assert (await listed(world))["count"] == 0

    play(scenario)


def test_an_unknown_call_is_not_found(play: Play) -> None:
    async def scenario(world: World) -> None:
        for method, path, body in (*ACTIONS, ("GET", "", None), ("GET", "/timeline", None)):
            assert refusal(await act(world, "none", method, path, body)) == NO_CALL, path
        uuid = await answered(world)
        other = await stranger(world)
        for method, path, body in (*ACTIONS, ("GET", "", None), ("GET", "/timeline", None)):
            answer = await act(world, uuid, method, path, body, token=other.token())
            assert refusal(answer) == NO_CALL, path
        assert uuids(await listed(world, token=other.token())) == []

    play(scenario)


def test_a_call_that_is_over_can_be_looked_at_only(play: Play) -> None:
    async def scenario(world: World) -> None:
        uuid = await answered(world)
        world.exchange.hangs_up(uuid)
        await world.settle()
        for method, path, body in ACTIONS:
            assert refusal(await act(world, uuid, method, path, body)) == OVER, path
        assert (await shown(world, uuid))["status"] == "completed"

    play(scenario)


def test_a_call_that_rings_hears_nothing_yet(play: Play) -> None:
    async def scenario(world: World) -> None:
        uuid = await created(world)
        for method, path, body in ACTIONS[2:8]:
            assert refusal(await act(world, uuid, method, path, body)) == NOT_YET, path
        assert (await act(world, uuid, "PUT", "/input/dtmf", {"event_url": [KEYS]})).status == 200
        assert refusal(await act(world, uuid, "PUT", "", {"action": "mute"})) == NOT_YET
        world.exchange.rings(uuid)
        await world.settle()
        for method, path, body in ACTIONS[2:8]:
            assert refusal(await act(world, uuid, method, path, body)) == NOT_YET, path

    play(scenario)


def test_a_user_has_to_do_with_its_own_calls_only(play: Play) -> None:
    async def scenario(world: World) -> None:
        for name in ("alice", "bob"):
            await user(world, name)
        to_alice = await created(world, to=[{"type": "app", "user": "alice"}])
        to_phone = await answered(world)
        assert uuids(await listed(world, user="alice")) == [to_alice]
        assert uuids(await listed(world, user="bob")) == []
        assert (await shown(world, to_alice, user="alice"))["uuid"] == to_alice
        for uuid, name in ((to_phone, "alice"), (to_alice, "bob")):
            for method, path, body in (("GET", "", None), *ACTIONS):
                answer = await act(world, uuid, method, path, body, user=name)
                assert answer.status in (403, 404), (path, answer.json)
        draft = {"to": [PHONE], "from": FROM, "ncco": SCRIPT}
        for method, target, body in (
            ("POST", "/v1/calls", draft), ("PUT", f"/v1/calls/{to_alice}", ACTIONS[2][2]),
            ("PUT", f"/v1/calls/{to_alice}/input/dtmf", {"event_url": [KEYS]}),
            ("DELETE", f"/v1/calls/{to_alice}/input/dtmf", None),
            ("GET", f"/v1/calls/{to_alice}/timeline", None),
        ):  # fmt: skip
            answer = await world.call(method, target, body, user="alice")
            assert refusal(answer) == NOT_GRANTED, target
        hung_up = await world.call(
            "PUT", f"/v1/calls/{to_alice}", {"action": "hangup"}, user="alice"
        )
        assert hung_up.status == 204
        await world.settle()
        assert (await shown(world, to_alice))["status"] == "rejected"

    play(scenario)


def test_whoever_sees_the_conversation_does_not_see_its_calls(play: Play) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        uuid = await answered(world)
        where = (await shown(world, uuid))["conversation_uuid"]
        member = {"state": "joined", "user": {"name": "alice"}, "channel": {"type": "app"}}
        await world.call("POST", f"/v1/conversations/{where}/members", member)
        answer = await world.call("GET", f"/v1/calls/{uuid}", user="alice")
        assert refusal(answer) == NOT_GRANTED

    play(scenario)


def test_the_paths_that_tokens_of_the_sdks_grant(play: Play) -> None:
    async def scenario(world: World) -> None:
        uuid = await answered(world)
        token = world.token(acl={"paths": {"/*/calls/**": {}}})
        for target in ("/v1/calls", f"/v1/calls/{uuid}", f"/v1/calls/{uuid}/timeline"):
            assert (await world.call("GET", target, token=token)).status == 200
        assert refusal(await world.call("GET", "/v1/calls", headers=NOBODY))[0] == 401

    play(scenario)


def test_a_recording_is_told_at_an_address_that_the_sdks_take(play: Play) -> None:
    async def scenario(world: World) -> None:
        await answered(world, ncco=[{"action": "record"}, *SCRIPT])
        uuid = world.exchange.dials[0].leg
        world.exchange.hangs_up(uuid)
        await world.settle()
        (url,) = (each["recording_url"] for each in world.answers.told(EVENT)
                  if "recording_url" in each)  # fmt: skip
        assert "nexmo.com" in url
        path = url.removeprefix(ORIGIN)
        assert path.startswith("/v1/files/MED-")
        whole = await world.call("GET", path)
        assert whole.status == 200 and whole.raw
        by_id = await world.call("GET", path.replace("/v1/", "/v3/"))
        assert by_id.raw == whole.raw
        assert (await world.call("GET", path, headers=NOBODY)).status == 401
        other = await stranger(world)
        assert (await world.call("GET", path, token=other.token())).status == 404

    play(scenario)


def test_the_price_of_a_call_is_that_of_its_leg(play: Play) -> None:
    async def scenario(world: World) -> None:
        uuid = await answered(world)
        found = await world.call("GET", f"/v0.3/legs/{uuid}")
        assert (found.json["rate"], found.json["price"]) == ("0.0", "0.0")

    play(scenario)


def test_a_call_that_broke_off_with_its_server_is_told_of_by_the_next(
    keys: tuple[str, str],
) -> None:
    async def scenario() -> None:
        store = MemoryStore()
        first = await World.open(keys=keys, settings=SETTINGS, store=store)
        uuid = await answered(first)
        where = (await shown(first, uuid))["conversation_uuid"]
        second = await World.open(keys=keys, settings=SETTINGS, store=store)
        second.clock.time = first.clock.time
        await second.hub.services.homecoming.everything()
        await second.settle()
        last = second.answers.told(EVENT)[-1]
        assert (last["uuid"], last["status"]) == (uuid, "failed")
        assert (last["conversation_uuid"], last["direction"]) == (where, "outbound")
        assert last["disconnected_by"] == "platform"
        await second.check_replay()

    asyncio.run(scenario())
