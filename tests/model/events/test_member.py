"""The bodies of member events, made from the member as it has become."""

import json
from typing import Any

from msgspec.structs import replace

from tertulia.model.events.member import member_body
from tertulia.model.events.registry import encode_body
from tertulia.model.ids import ApplicationId, ConversationId, MemberId, UserId
from tertulia.model.instant import Instant
from tertulia.model.state import (
    Channel,
    ConversationState,
    Initiator,
    Member,
    MemberState,
    Profile,
    Reason,
    User,
    UserProperties,
)

APPLICATION = ApplicationId("app")
CONVERSATION = ConversationId("CON-1")
PROFILE = Profile(CONVERSATION, APPLICATION, "standup", ConversationState.ACTIVE, Instant(0))
ALICE = User(UserId("USR-a"), APPLICATION, "alice", Instant(0), display_name="Alice")
BOB = User(
    UserId("USR-b"), APPLICATION, "bob", Instant(0), properties=UserProperties({"team": "blue"})
)
HOST = Member(
    MemberId("MEM-a"), CONVERSATION, ALICE.id, MemberState.JOINED, Channel("app"),
    joined_at=Instant(1),
)  # fmt: skip
INVITED = Member(
    MemberId("MEM-b"), CONVERSATION, BOB.id, MemberState.INVITED, Channel("phone"),
    invited_at=Instant(2), initiator={"invited": Initiator(False, ALICE.id, HOST.id)},
)  # fmt: skip


def told(member: Member, *, host: Member | None = None, inviter: User | None = None) -> Any:
    return json.loads(encode_body(member_body(PROFILE, member, BOB, host=host, inviter=inviter)))


def test_invited_names_the_conversation_and_who_invites() -> None:
    body = told(INVITED, host=HOST, inviter=ALICE)
    assert body["conversation"] == {"conversation_id": "CON-1", "name": "standup"}
    assert body["cname"] == "standup"
    assert body["invited_by"] == "alice"
    assert body["invited_by_member"]["member_id"] == "MEM-a"
    assert body["invited_by_member"]["timestamp"] == {"joined": "1970-01-01T00:00:00.001Z"}
    assert body["user"]["id"] == body["user"]["user_id"] == "USR-b"
    assert body["user"]["properties"] == {"custom_data": {"team": "blue"}}
    assert body["timestamp"] == {"invited": "1970-01-01T00:00:00.002Z"}
    assert body["initiator"] == {
        "invited": {"isSystem": False, "user_id": "USR-a", "member_id": "MEM-a"}
    }
    assert body["media"] == {
        "audio_settings": {"enabled": False, "earmuffed": False, "muted": False}, "audio": False,
    }  # fmt: skip


def test_an_invitation_by_the_application_names_no_inviter() -> None:
    assert not {"invited_by", "invited_by_member"} & set(told(INVITED))


def test_joined_keeps_when_it_was_invited() -> None:
    body = told(replace(INVITED, state=MemberState.JOINED, joined_at=Instant(3)))
    assert body["member_id"] == "MEM-b"
    assert body["channel"] == {"type": "phone"}
    assert set(body["timestamp"]) == {"invited", "joined"}
    assert "conversation" not in body


def test_left_says_why() -> None:
    left = replace(INVITED, state=MemberState.LEFT, left_at=Instant(4), reason=Reason("c", "t"))
    body = told(left)
    assert body["reason"] == {"code": "c", "text": "t"}
    assert set(body["timestamp"]) == {"invited", "left"}
    assert body["user"]["name"] == "bob"


def test_custom_data_is_there_even_when_there_is_none() -> None:
    body = member_body(PROFILE, INVITED, ALICE, host=None, inviter=None)
    assert json.loads(encode_body(body))["user"]["properties"] == {"custom_data": {}}
