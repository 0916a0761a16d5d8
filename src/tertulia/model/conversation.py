"""Decisions about a conversation as a whole: create, update, delete."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from tertulia.model.actor import Actor
from tertulia.model.addresses import has_unsafe_address, is_web_address
from tertulia.model.decision import Decision
from tertulia.model.errors import CustomDataTooLarge, Forbidden, ValidationFailed
from tertulia.model.event import Fact
from tertulia.model.events.conversation import (
    ConversationCreated,
    ConversationDeleted,
    ConversationUpdated,
)
from tertulia.model.events.registry import encode_body
from tertulia.model.ids import ConversationId
from tertulia.model.instant import Instant, iso
from tertulia.model.state import Callback, Conversation, ConversationState, Profile, Properties
from tertulia.model.validation import NO_NUL, WEB_URI_OR_EMPTY

CUSTOM_DATA_MAX = 32 * 1024
"""Bytes of JSON. The compatible service has a limit of unknown size (wire-api 4); this is ours."""

Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=NO_NUL)]
DisplayName = Annotated[str, Meta(max_length=50)]
ImageUrl = Annotated[str, Meta(max_length=2048, pattern=WEB_URI_OR_EMPTY)]


class ConversationDraft(Struct, frozen=True):
    """The body of create and update (wire-api 1.6). Absent leaves alone, null clears."""

    name: Name | UnsetType = UNSET
    display_name: DisplayName | UnsetType | None = UNSET
    image_url: ImageUrl | UnsetType | None = UNSET
    properties: Properties | UnsetType | None = UNSET
    numbers: list[dict[str, Any]] | dict[str, Any] | UnsetType | None = UNSET
    callback: Callback | UnsetType | None = UNSET
    state: str | UnsetType = UNSET


def create(
    draft: ConversationDraft,
    *,
    actor: Actor,
    conversation_id: ConversationId,
    name: str,
    now: Instant,
) -> tuple[Profile, Fact]:
    """The profile of a new conversation, and the fact of its birth. A drafted name wins."""
    born = Profile(
        id=conversation_id, application_id=actor.application_id, name=name, creator=actor.user_id,
        state=ConversationState.ACTIVE, created_at=now, emptied_at=now,
    )  # fmt: skip
    profile = _drafted(born, draft)
    body = ConversationCreated(
        id=profile.id, name=profile.name, timestamp={"created": iso(now)}, state=profile.state,
        display_name=profile.display_name, image_url=profile.image_url,
    )  # fmt: skip
    return profile, Fact("conversation:created", encode_body(body), became=profile)


def update(
    conversation: Conversation, now: Instant, *, draft: ConversationDraft, actor: Actor
) -> Decision:
    """Change the given fields. What changes nothing is no event."""
    _require_belonging(actor, conversation)
    profile = _drafted(conversation.profile, draft)
    if profile == conversation.profile:
        return Decision()
    profile = replace(profile, updated_at=now)
    body = ConversationUpdated(
        id=profile.id, name=profile.name, state=profile.state,
        timestamp={"created": iso(profile.created_at), "updated": iso(now)},
        display_name=profile.display_name, image_url=profile.image_url,
    )  # fmt: skip
    member = actor.membership(conversation)
    sender = member.id if member else None
    fact = Fact("conversation:updated", encode_body(body), sender=sender, became=profile)
    return Decision((fact,))


def delete(conversation: Conversation, now: Instant, *, reason: str, actor: Actor) -> Decision:
    """End the conversation: nothing can be added to it or read of it afterwards."""
    _require_belonging(actor, conversation)
    profile = replace(
        conversation.profile, state=ConversationState.DELETED, updated_at=now, destroyed_at=now
    )
    body = ConversationDeleted(
        id=profile.id, name=profile.name, reason=reason,
        timestamp={"created": iso(profile.created_at), "destroyed": iso(now)},
    )  # fmt: skip
    return Decision((Fact("conversation:deleted", encode_body(body), became=profile),))


def expire(conversation: Conversation, now: Instant) -> Decision:
    """Delete when the time to live has run out; somebody may have come since the clock was read."""
    due = conversation.profile.expires_at
    if due is None or due > now:
        return Decision()
    system = Actor(conversation.profile.application_id)
    return delete(conversation, now, reason="ttl", actor=system)


def check_custom_data(custom_data: dict[str, Any] | None) -> None:
    if custom_data and len(msgspec.json.encode(custom_data)) > CUSTOM_DATA_MAX:
        raise CustomDataTooLarge(f"custom_data must not be larger than {CUSTOM_DATA_MAX} bytes.")


def _require_belonging(actor: Actor, conversation: Conversation) -> None:
    created = conversation.profile.creator == actor.user_id
    if not (actor.is_system or created or actor.membership(conversation)):
        raise Forbidden("Only joined members may change the conversation.")


def _drafted(profile: Profile, draft: ConversationDraft) -> Profile:
    given = {
        name: value
        for name in ("name", "display_name", "image_url", "numbers", "callback")
        if (value := getattr(draft, name)) is not UNSET
    }
    if not isinstance(draft.state, UnsetType):
        given["state"] = _settable_state(draft.state)
    if not isinstance(draft.properties, UnsetType):
        given["properties"] = _merged(profile.properties, draft.properties)
    if isinstance(draft.callback, Callback):
        _check_callback(draft.callback)
    if has_unsafe_address(given.get("numbers")):
        raise ValidationFailed.of("numbers", "must hold safe addresses only")
    return replace(profile, **given)


def _merged(old: Properties | None, new: Properties | None) -> Properties | None:
    """An update names the properties that change; those it does not name stay."""
    if old is None or new is None:
        merged = new
    else:
        named = {key: value for key in Properties.__struct_fields__
                 if (value := getattr(new, key)) is not None}  # fmt: skip
        merged = replace(old, **named)
    check_custom_data(merged.custom_data if merged else None)
    return merged


def _settable_state(state: str) -> ConversationState:
    if state.upper() not in (ConversationState.ACTIVE, ConversationState.INACTIVE):
        raise ValidationFailed.of("state", "must be one of [ACTIVE, INACTIVE]")
    return ConversationState(state.upper())


def _check_callback(callback: Callback) -> None:
    if callback.url and not is_web_address(callback.url):
        raise ValidationFailed.of("callback.url", "must be a valid http or https uri")
    if callback.method is not None and callback.method.upper() not in ("GET", "POST"):
        raise ValidationFailed.of("callback.method", "must be one of [GET, POST]")
    if has_unsafe_address(callback.params):
        raise ValidationFailed.of("callback.params", "must hold safe addresses only")
