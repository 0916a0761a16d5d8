"""Members over REST: how they come, how they go, who may do it, and what is told of it."""

from typing import Any

import pytest
from tests.api.cast import (
    INVALID,
    NO_CONVERSATION,
    NO_MEMBER,
    NO_USER,
    NOT_GRANTED,
    ORIGIN,
    WRONG_STATE,
    blamed,
    conversation,
    entrance,
    following,
    history,
    joined,
    pages,
    refusal,
    user,
)
from tests.api.conftest import Play

from tertulia.model import membership
from tertulia.testing.world import Answer, World

MEMBERS = "/v1/conversations/CON-1/members"
ALREADY_JOINED = "conversation:error:member-already-joined"
ALREADY_INVITED = "conversation:error:member-already-invited"


async def enter(world: World, name: str, state: str = "joined", **given: Any) -> Answer:
    """Let an existing user into the conversation, by the application unless `user` is given."""
    by = given.pop("user", None)
    return await world.call("POST", MEMBERS, entrance(name, state, **given), user=by)


async def change(world: World, mid: str, state: str, **given: Any) -> Answer:
    by = given.pop("user", None)
    return await world.call("PATCH", f"{MEMBERS}/{mid}", {"state": state, **given}, user=by)


async def people(world: World, *names: str) -> None:
    await conversation(world, name="room", display_name="The room", image_url="https://i/r.png")
    for name in names:
        await user(world, name)


@pytest.mark.parametrize("state", ["invited", "INVITED", "Invited"])
def test_an_invited_member_is_shown_with_both_forms_of_links(play: Play, state: str) -> None:
    async def scenario(world: World) -> None:
        await people(world)
        await user(world, "bob", display_name="Bob", image_url="https://i/b.png")
        channel = {"type": "app", "from": {"type": "app"}, "to": {"type": "app", "user": "bob"}}
        media = {"audio_settings": {"enabled": True, "earmuffed": False, "muted": True},
                 "audio": True}  # fmt: skip
        made = await enter(world, "bob", state, channel=channel, media=media, knocking_id="k-1",
                           originating_session="SES-1")  # fmt: skip
        assert made.status == 201
        href = f"{ORIGIN}{MEMBERS}/MEM-1"
        assert made.json == {
            "id": "MEM-1", "conversation_id": "CON-1", "state": "INVITED",
            "channel": {**channel, "id": "bare-2"},
            "media": media, "knocking_id": "k-1", "initiator": {"invited": {"is_system": True}},
            "timestamp": {"invited": made.json["timestamp"]["invited"]},
            "_links": {"href": href, "self": {"href": href}},
            "_embedded": {"user": {
                "id": "USR-1", "name": "bob", "display_name": "Bob", "image_url": "https://i/b.png",
                "_links": {"self": {"href": f"{ORIGIN}/v1/users/USR-1"}},
            }},
        }  # fmt: skip
        shown = await world.call("GET", f"{MEMBERS}/MEM-1")
        assert (shown.status, shown.json) == (200, made.json)
        older = await world.call("GET", f"/v0.3{MEMBERS.removeprefix('/v1')}/MEM-1")
        assert older.json["_links"]["self"]["href"] == href.replace("/v1/", "/v0.3/")

    play(scenario)


def test_an_invitation_says_who_invites_whom_to_what(play: Play) -> None:
    async def scenario(world: World) -> None:
        await people(world, "alice")
        await user(world, "bob", display_name="Bob", image_url="https://i/b.png",
                   properties={"custom_data": {"team": "blue"}})  # fmt: skip
        host = (await enter(world, "alice")).json
        made = (await enter(world, "bob", "invited", user="alice")).json
        assert made["invited_by"] == host["id"]
        cause = {"is_system": False, "user_id": "USR-1", "member_id": host["id"]}
        assert made["initiator"] == {"invited": cause}

        event = (await history(world, "CON-1"))[-1]
        body = event["body"]
        assert (event["type"], event["from"]) == ("member:invited", made["id"])
        assert body["timestamp"] == made["timestamp"] == {"invited": event["timestamp"]}
        assert body["user"] == {
            "id": "USR-2", "user_id": "USR-2", "name": "bob", "member_id": made["id"],
            "display_name": "Bob", "image_url": "https://i/b.png", "media": made["media"],
            "properties": {"custom_data": {"team": "blue"}},
        }  # fmt: skip
        assert body["conversation"] == {
            "conversation_id": "CON-1", "name": "room", "display_name": "The room",
            "image_url": "https://i/r.png",
        }  # fmt: skip
        assert (body["cname"], body["invited_by"]) == ("room", "alice")
        assert body["invited_by_member"] == {
            "member_id": host["id"], "user_id": "USR-1", "name": "alice", "state": "JOINED",
            "channel": {"type": "app"}, "media": host["media"], "timestamp": host["timestamp"],
        }  # fmt: skip
        assert body["initiator"] == {
            "invited": {"isSystem": False, "user_id": "USR-1", "member_id": host["id"]}
        }
        assert event["_embedded"] == {
            "from_user": {"id": "USR-2", "name": "bob", "display_name": "Bob",
                          "image_url": "https://i/b.png", "custom_data": {"team": "blue"}},
            "from_member": {"id": made["id"]},
        }  # fmt: skip

    play(scenario)


def test_the_application_invites_in_its_own_name_or_in_a_members(play: Play) -> None:
    async def scenario(world: World) -> None:
        await people(world, "alice", "bob", "carol")
        host = (await enter(world, "alice")).json["id"]
        alone = (await enter(world, "bob", "invited")).json
        named = (await enter(world, "carol", "invited", member_id_inviting=host)).json
        assert "invited_by" not in alone and named["invited_by"] == host
        assert alone["initiator"] == named["initiator"] == {"invited": {"is_system": True}}
        _, first, second = [event["body"] for event in await history(world, "CON-1")]
        assert "invited_by" not in first and "invited_by_member" not in first
        assert (second["invited_by"], second["invited_by_member"]["member_id"]) == ("alice", host)
        assert first["initiator"] == {"invited": {"isSystem": True}}

    play(scenario)


def test_who_names_a_host_has_to_be_it_and_it_has_to_be_there(play: Play) -> None:
    async def scenario(world: World) -> None:
        await people(world, "alice", "bob", "carol", "eve")
        host = (await enter(world, "alice")).json["id"]
        guest = (await enter(world, "bob", "invited")).json["id"]
        for by, named, expected in (
            ("eve", None, (404, NO_CONVERSATION)),
            ("bob", None, (403, NOT_GRANTED)),
            ("bob", host, (403, NOT_GRANTED)),
            ("bob", guest, (400, WRONG_STATE)),
            (None, guest, (400, WRONG_STATE)),
            (None, "MEM-9", (404, NO_MEMBER)),
        ):  # fmt: skip
            for field in ("member_id_inviting", "from"):
                given = {field: named} if named else {}
                answer = await enter(world, "carol", "invited", user=by, **given)
                assert refusal(answer) == expected, (by, named, field)
        assert len(await history(world, "CON-1")) == 2

    play(scenario)


@pytest.mark.parametrize("method, edition, extra", [
    ("PATCH", "v1", {}), ("PUT", "v1", {}), ("PATCH", "v0.3", {"from": "MEM-1"}),
    ("PUT", "v0.3", {"channel": {"type": "app", "id": "leg-1", "leg_ids": ["leg-1"]}}),
])  # fmt: skip
@pytest.mark.parametrize("state", ["joined", "JOINED"])
def test_an_invitation_is_accepted(
    play: Play, method: str, edition: str, extra: dict[str, Any], state: str
) -> None:
    async def scenario(world: World) -> None:
        await people(world, "bob")
        invited = (await enter(world, "bob", "invited")).json
        target = f"/{edition}/conversations/CON-1/members/MEM-1"
        accepted = await world.call(method, target, {"state": state, **extra}, user="bob")
        assert (accepted.status, accepted.json["state"]) == (200, "JOINED")
        assert accepted.json["channel"] == extra.get("channel", {"type": "app"})
        assert accepted.json["timestamp"]["invited"] == invited["timestamp"]["invited"]
        assert accepted.json["timestamp"]["joined"] > invited["timestamp"]["invited"]
        assert accepted.json["initiator"] == {
            "invited": {"is_system": True},
            "joined": {"is_system": False, "user_id": "USR-1", "member_id": "MEM-1"},
        }
        assert (await world.call("GET", target)).json == accepted.json

        event = (await history(world, "CON-1"))[-1]
        assert (event["type"], event["from"]) == ("member:joined", "MEM-1")
        assert event["body"]["timestamp"] == accepted.json["timestamp"]
        assert event["body"]["channel"] == accepted.json["channel"]
        assert event["body"]["initiator"] == {
            "invited": {"isSystem": True},
            "joined": {"isSystem": False, "user_id": "USR-1", "member_id": "MEM-1"},
        }
        assert event["_embedded"]["from_user"]["name"] == "bob"

    play(scenario)


def test_who_joins_where_it_is_invited_answers_the_invitation(play: Play) -> None:
    async def scenario(world: World) -> None:
        await people(world, "bob")
        await enter(world, "bob", "invited", knocking_id="k-1")
        made = await enter(world, "bob", channel={"type": "app", "id": "leg-1"}, user="bob")
        assert (made.status, made.json["id"], made.json["state"]) == (201, "MEM-1", "JOINED")
        assert made.json["channel"]["id"] == "leg-1"
        assert made.json["knocking_id"] == "k-1"
        assert [event["type"] for event in await history(world, "CON-1")] == [
            "member:invited", "member:joined",
        ]  # fmt: skip

    play(scenario)


def test_a_user_joins_whatever_conversation_it_knows_the_id_of(play: Play) -> None:
    async def scenario(world: World) -> None:
        await people(world, "bob")
        assert (await world.call("GET", "/v1/conversations/CON-1", user="bob")).status == 404
        made = await enter(world, "bob", user="bob")
        assert (made.status, made.json["state"]) == (201, "JOINED")
        assert made.json["initiator"] == {
            "joined": {"is_system": False, "user_id": "USR-1", "member_id": "MEM-1"}
        }
        seen = await world.call("GET", "/v1/conversations/CON-1", user="bob")
        assert seen.status == 200
        own = await world.call("GET", f"{MEMBERS}/me", user="bob")
        assert seen.json["_embedded"] == {"id": "MEM-1", "state": "JOINED", "member": own.json}
        unknown = await world.call(
            "POST", "/v1/conversations/CON-9/members", entrance("bob"), user="bob"
        )
        assert refusal(unknown) == (404, NO_CONVERSATION)

    play(scenario)


def test_conflicts_of_those_who_come(play: Play) -> None:
    async def scenario(world: World) -> None:
        await people(world, "alice", "bob")
        await enter(world, "alice")
        await enter(world, "bob", "invited")
        for name, state, code in (
            ("alice", "joined", ALREADY_JOINED), ("alice", "invited", ALREADY_JOINED),
            ("bob", "invited", ALREADY_INVITED),
        ):  # fmt: skip
            answer = await enter(world, name, state)
            assert refusal(answer) == (400, code)
            assert answer.json["title"] == "Conflict."
        assert refusal(await change(world, "MEM-1", "joined")) == (400, ALREADY_JOINED)
        assert refusal(await enter(world, "nobody")) == (404, NO_USER)
        assert refusal(await change(world, "MEM-9", "joined")) == (404, NO_MEMBER)
        assert refusal(await world.call("GET", f"{MEMBERS}/MEM-9")) == (404, NO_MEMBER)
        assert len(await history(world, "CON-1")) == 2

    play(scenario)


def test_a_user_is_there_once_for_each_way_to_reach_it(play: Play) -> None:
    async def scenario(world: World) -> None:
        await people(world, "bob")
        ways: tuple[dict[str, Any], ...] = (
            {"type": "app"}, {"type": "app", "id": "leg-1"},
            {"type": "phone", "to": {"type": "phone", "number": "447700900001"}},
            {"type": "phone", "to": {"type": "phone", "number": "447700900002"}},
        )  # fmt: skip
        for state, again in (("invited", ALREADY_INVITED), ("joined", ALREADY_JOINED)):
            for way in ways:
                assert (await enter(world, "bob", state, channel=way)).status == 201, (state, way)
            for way in ways:
                assert refusal(await enter(world, "bob", state, channel=way)) == (400, again)
        listed = (await world.call("GET", MEMBERS)).json["_embedded"]["members"]
        assert [member["channel"] for member in listed] == list(ways)
        assert {member["state"] for member in listed} == {"JOINED"}

    play(scenario)


def test_who_has_left_stays_left_and_comes_back_as_another_member(play: Play) -> None:
    async def scenario(world: World) -> None:
        await people(world, "bob")
        await enter(world, "bob")
        assert (await change(world, "MEM-1", "LEFT", user="bob")).json["state"] == "LEFT"
        for state in ("left", "joined"):
            assert refusal(await change(world, "MEM-1", state, user="bob")) == (400, WRONG_STATE)
        back = await enter(world, "bob", user="bob")
        assert (back.status, back.json["id"]) == (201, "MEM-2")
        assert (await world.call("GET", f"{MEMBERS}/me", user="bob")).json["id"] == "MEM-2"
        listed = (await world.call("GET", MEMBERS)).json["_embedded"]["members"]
        assert [(m["id"], m["state"]) for m in listed] == [("MEM-1", "LEFT"), ("MEM-2", "JOINED")]

    play(scenario)


def test_leaving_tells_why_and_by_whom(play: Play) -> None:
    async def scenario(world: World) -> None:
        await people(world, "bob")
        came = (await enter(world, "bob")).json
        reason = {"code": "LOCAL_HANGUP", "text": "Had enough."}
        left = await change(world, "MEM-1", "left", reason=reason, user="bob", **{"from": "MEM-1"})
        assert (left.status, left.json["reason"]) == (200, reason)
        caused = {"user_id": "USR-1", "member_id": "MEM-1"}
        assert left.json["initiator"]["left"] == {"is_system": False, **caused}
        assert left.json["timestamp"]["joined"] == came["timestamp"]["joined"]
        assert (await world.call("GET", f"{MEMBERS}/MEM-1")).json == left.json

        event = (await history(world, "CON-1"))[-1]
        assert (event["type"], event["from"]) == ("member:left", "MEM-1")
        assert event["body"]["reason"] == reason
        assert event["body"]["user"]["name"] == "bob"
        assert event["body"]["timestamp"] == left.json["timestamp"]
        assert event["body"]["initiator"] == {
            "joined": {"isSystem": True}, "left": {"isSystem": False, **caused},
        }  # fmt: skip

    play(scenario)


def test_an_invitation_is_declined(play: Play) -> None:
    async def scenario(world: World) -> None:
        await people(world, "bob")
        await enter(world, "bob", "invited")
        declined = await change(world, "MEM-1", "left", user="bob")
        assert declined.json["state"] == "LEFT"
        assert set(declined.json["timestamp"]) == {"invited", "left"}
        body = (await history(world, "CON-1"))[-1]["body"]
        assert "joined" not in body["timestamp"] and "reason" not in body

    play(scenario)


@pytest.mark.parametrize("edition", ["v1", "v0.3"])
def test_older_clients_leave_by_delete(play: Play, edition: str) -> None:
    async def scenario(world: World) -> None:
        await people(world, "alice", "bob")
        await enter(world, "alice")
        await enter(world, "bob")
        target = f"/{edition}/conversations/CON-1/members/MEM-2"
        query = "from=MEM-1&reason_code=kick&reason_text=be%20gone"
        gone = await world.call("DELETE", f"{target}?{query}", user="alice")
        assert (gone.status, gone.raw) == (204, b"")
        shown = (await world.call("GET", target)).json
        assert shown["reason"] == {"code": "kick", "text": "be gone"}
        assert shown["initiator"]["left"] == {
            "is_system": False, "user_id": "USR-1", "member_id": "MEM-1",
        }  # fmt: skip
        assert refusal(await world.call("DELETE", target, user="alice")) == (400, WRONG_STATE)
        own = await world.call("DELETE", f"/{edition}/conversations/CON-1/members/MEM-1")
        assert own.status == 204
        last = (await world.call("GET", f"{MEMBERS}/MEM-1")).json
        assert last["initiator"]["left"] == {"is_system": True} and "reason" not in last

    play(scenario)


def test_joined_members_and_the_application_may_remove_others(play: Play) -> None:
    async def scenario(world: World) -> None:
        await people(world, "alice", "bob", "carol", "eve")
        for name, state in (("alice", "joined"), ("bob", "joined"), ("carol", "invited")):
            await enter(world, name, state)
        assert refusal(await change(world, "MEM-1", "left", user="carol")) == (403, NOT_GRANTED)
        assert refusal(await change(world, "MEM-1", "left", user="eve")) == (404, NO_CONVERSATION)
        assert (await change(world, "MEM-3", "left", user="bob")).status == 200
        assert (await change(world, "MEM-2", "left")).status == 200
        assert refusal(await change(world, "MEM-1", "left", user="bob")) == (403, NOT_GRANTED)

    play(scenario)


def test_users_act_for_nobody_else(play: Play) -> None:
    async def scenario(world: World) -> None:
        await people(world, "alice", "bob", "carol")
        await enter(world, "alice")
        await enter(world, "bob", "invited")
        before = await history(world, "CON-1")
        assert refusal(await enter(world, "carol", user="alice")) == (403, NOT_GRANTED)
        assert refusal(await change(world, "MEM-2", "joined", user="alice")) == (403, NOT_GRANTED)
        # as another, with one's own rights or against them
        for mid, state in (("MEM-1", "left"), ("MEM-2", "left")):
            for by, named in (("alice", "MEM-2"), ("bob", "MEM-1")):
                answer = await change(world, mid, state, user=by, **{"from": named})
                assert refusal(answer) == (403, NOT_GRANTED), (mid, by)
        answer = await change(world, "MEM-2", "joined", user="bob", **{"from": "MEM-1"})
        assert refusal(answer) == (403, NOT_GRANTED)
        answer = await change(world, "MEM-1", "left", **{"from": "MEM-9"})
        assert refusal(answer) == (404, NO_MEMBER)
        assert await history(world, "CON-1") == before

    play(scenario)


def test_a_member_is_also_found_as_me(play: Play) -> None:
    async def scenario(world: World) -> None:
        await people(world, "alice", "bob")
        made = (await enter(world, "alice")).json
        own = await world.call("GET", f"{MEMBERS}/me", user="alice")
        assert (own.status, own.json) == (200, made)
        assert refusal(await world.call("GET", f"{MEMBERS}/me")) == (404, NO_MEMBER)
        hidden = await world.call("GET", f"{MEMBERS}/me", user="bob")
        assert refusal(hidden) == (404, NO_CONVERSATION)
        created = await world.call("POST", "/v1/conversations", {}, user="bob")
        target = f"/v1/conversations/{created.json['id']}/members/me"
        assert refusal(await world.call("GET", target, user="bob")) == (404, NO_MEMBER)
        # the Node SDK changes a member by the same address (wire-clients 7)
        left = await world.call("PATCH", f"{MEMBERS}/me", {"state": "left"}, user="alice")
        assert (left.status, left.json["id"], left.json["state"]) == (200, made["id"], "LEFT")

    play(scenario)


def test_a_conversation_holds_so_many_members(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "MEMBERS_MAX", 2)
    full = (400, "conversation:error:maximum-number-of-members")

    async def scenario(world: World) -> None:
        await people(world, "alice", "bob", "carol")
        await enter(world, "alice")
        await enter(world, "bob", "invited")
        for state in ("joined", "invited"):
            assert refusal(await enter(world, "carol", state)) == full
        assert (await enter(world, "bob")).status == 201  # its place was kept
        await change(world, "MEM-1", "left")
        assert (await enter(world, "carol")).status == 201
        assert refusal(await enter(world, "alice")) == full

    play(scenario)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_pages_of_members_stay_put_while_others_come_and_go(
    play: Play, order: str, size: int
) -> None:
    async def scenario(world: World) -> None:
        await people(world)
        made = [(await joined(world, "CON-1", f"user-{n}"))["id"] for n in range(5)]
        if order == "desc":
            made.reverse()
        shown: list[str] = []
        target = f"{MEMBERS}?page_size={size}&order={order}"
        while target:
            answer = await world.call("GET", target)
            assert answer.json["page_size"] == size
            shown += [member["id"] for member in answer.json["_embedded"]["members"]]
            await change(world, shown[0], "left")
            if order == "desc":
                await joined(world, "CON-1", f"late-{len(shown)}")
            last, target = answer, following(answer)
        assert shown == made
        back = await pages(world, following(last, "prev"), "members", link="prev")
        flat = [member["id"] for page in reversed(back) for member in page]
        before_last = made[: len(made) - (len(made) % size or size)]
        assert [mid for mid in flat if mid in made] == before_last

    play(scenario)


@pytest.mark.parametrize("given, name", [
    ({"state": "left"}, "state"), ({"state": 5}, "state"), ({"state": None}, "state"),
    ({"user": {}}, "user"), ({"user": {"id": None, "name": None}}, "user"),
    ({"user": "bob"}, "user"), ({"channel": {}}, "channel.type"), ({"channel": None}, "channel"),
    ({"channel": {"type": "app", "id": "x" * 201}}, "channel.id"),
    ({"media": {"audio": "yes"}}, "media.audio"), ({"from": 5}, "from"),
])  # fmt: skip
def test_bad_bodies_of_a_new_member_are_named(play: Play, given: dict[str, Any], name: str) -> None:
    async def scenario(world: World) -> None:
        await people(world, "bob")
        assert blamed(await world.call("POST", MEMBERS, {**entrance("bob"), **given})) == name
        assert await history(world, "CON-1") == []

    play(scenario)


def test_bad_bodies_of_a_change_are_named(play: Play) -> None:
    async def scenario(world: World) -> None:
        await people(world, "bob")
        await enter(world, "bob", "invited")
        for body, name in (
            ({}, "state"), ({"state": "invited"}, "state"), ({"state": "gone"}, "state"),
            ({"state": "left", "reason": {"code": "x" * 201}}, "reason.code"),
            ({"state": "left", "reason": {"text": 1}}, "reason.text"),
            ({"state": "joined", "channel": {}}, "channel.type"),
        ):  # fmt: skip
            assert blamed(await world.call("PATCH", f"{MEMBERS}/MEM-1", body)) == name
        answer = await world.call("DELETE", f"{MEMBERS}/MEM-1?reason_text={'x' * 201}")
        assert refusal(answer) == (400, INVALID)
        assert len(await history(world, "CON-1")) == 1

    play(scenario)
