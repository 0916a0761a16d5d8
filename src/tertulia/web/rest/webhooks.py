"""What became of the webhooks: attempts, dead letters, replays. Our own surface, `/tertulia/v1`."""

from typing import Annotated, Protocol

from msgspec import Meta, Struct

from tertulia.model.errors import Forbidden, NotFound, ValidationFailed
from tertulia.model.ids import ApplicationId
from tertulia.protocols.http1 import Response
from tertulia.services.applications import Applications
from tertulia.web import answers
from tertulia.web.routing import Call, route

PATH = "/tertulia/v1/webhooks"


class AttemptResource(Struct, frozen=True):
    """One request to a webhook, and how it ended."""

    number: int
    position: int
    conversation_id: str | None
    event_id: int | None
    type: str
    target: str
    """`rtc`, or `callback` of the conversation."""
    purpose: str
    url: str
    attempt: int
    """1, 2, 3 … for the tries of an event; 0 for a replay."""
    at: str
    latency_ms: int
    status: int | None
    reason: str | None
    """Why there was no answer, when there was none."""
    body_head: str
    delivered: bool


class AttemptPage(Struct, frozen=True):
    attempts: list[AttemptResource]
    after: int | None
    """Give it as `after` for the next page; null when there is none."""


class DeadLetterResource(Struct, frozen=True):
    """An event that was given up."""

    number: int
    position: int
    conversation_id: str | None
    event_id: int | None
    type: str
    target: str
    tries: int
    failing_since: str
    at: str
    reason: str


class DeadLetterPage(Struct, frozen=True):
    dead_letters: list[DeadLetterResource]
    after: int | None


class ReplayDraft(Struct, frozen=True, forbid_unknown_fields=True):
    """One event (`position`), a range of positions (both included), or a conversation."""

    position: Annotated[int, Meta(ge=1, lt=2**53)] | None = None
    first: Annotated[int, Meta(ge=1, lt=2**53)] | None = None
    last: Annotated[int, Meta(ge=1, lt=2**53)] | None = None
    conversation_id: str | None = None
    target: Annotated[str, Meta(pattern="^(rtc|callback)$")] | None = None


class ReplayResource(Struct, frozen=True):
    id: int
    state: str
    """`waiting`, `done`, or `broken-off` after too many failures in a row."""
    requested_at: str
    delivered: int
    failed: int


class AttemptQuery(Struct, frozen=True):
    conversation_id: str = ""
    position: Annotated[int, Meta(ge=1, lt=2**53)] | None = None
    delivered: bool | None = None
    after: Annotated[int, Meta(ge=1, lt=2**53)] | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20


class DeadLetterQuery(Struct, frozen=True):
    after: Annotated[int, Meta(ge=0, lt=2**53)] = 0
    limit: Annotated[int, Meta(ge=1, le=100)] = 20


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """What a conversation does when its webhook fails."""

    policy: Annotated[str, Meta(pattern="^(hold|skip)$")]
    """`hold`: wait for the failing event all the window long. `skip`: give up after `tries`."""
    tries: Annotated[int, Meta(ge=1, le=1000)] | None = None


class WebhookDesk(Protocol):
    """Looks into the dispatcher's journal, and leaves requests there."""

    async def attempts(
        self, application_id: ApplicationId, query: AttemptQuery
    ) -> list[AttemptResource]: ...

    async def dead_letters(
        self, application_id: ApplicationId, query: DeadLetterQuery
    ) -> list[DeadLetterResource]: ...

    async def request_replay(
        self, application_id: ApplicationId, draft: ReplayDraft
    ) -> ReplayResource: ...

    async def replay(
        self, application_id: ApplicationId, replay_id: int
    ) -> ReplayResource | None: ...


class WebhookResource:
    def __init__(self, desk: WebhookDesk, applications: Applications) -> None:
        self._desk = desk
        self._applications = applications

    @route("GET", PATH + "/attempts", query=AttemptQuery, answers={200: AttemptPage})
    async def list_webhook_attempts(self, call: Call) -> Response:
        """List the attempts to deliver events to webhooks, newest first"""
        query: AttemptQuery = call.query
        found = await self._desk.attempts(_application(call), query)
        after = found[-1].number if len(found) == query.limit else None
        return answers.json(200, AttemptPage(found, after))

    @route("GET", PATH + "/dead-letters", query=DeadLetterQuery, answers={200: DeadLetterPage})
    async def list_dead_letters(self, call: Call) -> Response:
        """List the events that were given up, oldest first"""
        query: DeadLetterQuery = call.query
        found = await self._desk.dead_letters(_application(call), query)
        after = found[-1].number if len(found) == query.limit else None
        return answers.json(200, DeadLetterPage(found, after))

    @route("POST", PATH + "/replay", body=ReplayDraft, answers={202: ReplayResource})
    async def replay_webhooks(self, call: Call) -> Response:
        """Send stored events again: one, a range, or a conversation"""
        application_id = _application(call)
        made = await self._desk.request_replay(application_id, ranged(call.body))
        return answers.json(202, made)

    @route("GET", PATH + "/replay/{replay_id}", answers={200: ReplayResource})
    async def get_replay(self, call: Call) -> Response:
        """See how far a replay has come"""
        text = call.params["replay_id"]
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
        found = await self._desk.replay(_application(call), number)
        if found is None:
            raise NotFound("There is no such replay.")
        return answers.json(200, found)

    @route("GET", PATH + "/policy", answers={200: Policy})
    async def get_webhook_policy(self, call: Call) -> Response:
        """Show what a conversation does when its webhook fails"""
        return await self._policy(_application(call))

    @route("PUT", PATH + "/policy", body=Policy, answers={200: Policy})
    async def set_webhook_policy(self, call: Call) -> Response:
        """Choose what a conversation does when its webhook fails"""
        policy: Policy = call.body
        if (policy.policy == "skip") != (policy.tries is not None):
            raise ValidationFailed.of("tries", "is required with skip, and only then")
        text = policy.policy if policy.tries is None else f"skip:{policy.tries}"
        await self._applications.set_webhook_policy(_application(call), text)
        return await self._policy(_application(call))

    async def _policy(self, application_id: ApplicationId) -> Response:
        application = await self._applications.get(application_id)
        policy, _, tries = application.webhook_policy.partition(":")
        return answers.json(200, Policy(policy, int(tries) if tries else None))


def _application(call: Call) -> ApplicationId:
    if not call.actor.is_system:
        raise Forbidden("Webhooks are the application's.")
    return call.actor.application_id


def ranged(draft: ReplayDraft) -> ReplayDraft:
    """What is asked for as a range or a conversation. Raises ValidationFailed: it names nothing."""
    if draft.position is not None:
        return ReplayDraft(first=draft.position, last=draft.position, target=draft.target)
    if draft.first is None and draft.last is None and not draft.conversation_id:
        raise ValidationFailed.of("position", "or first and last, or conversation_id is required")
    return draft
