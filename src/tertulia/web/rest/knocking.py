"""Knocking: a client calls the application (wire-api 4.1, wire-clients 4.4 and 5.2)."""

from typing import Annotated

from msgspec import Meta, Struct

from tertulia.model.errors import Forbidden
from tertulia.model.state import Reason
from tertulia.protocols.http1 import Response
from tertulia.services.knocking import KnockDraft, Knocking
from tertulia.services.users import Users
from tertulia.web import answers
from tertulia.web.leg_shapes import KnockResource
from tertulia.web.routing import OLDER, Call, Edition, route

LATEST = (Edition.V03,)
PATH = "/knocking"
ONE = PATH + "/{knocking_id}"


class CancelQuery(Struct, frozen=True):
    reason_code: Annotated[str, Meta(max_length=200)] = ""
    reason_text: Annotated[str, Meta(max_length=200)] = ""


class Cancelled(Struct, frozen=True):
    """COMPAT: nexmo-client takes the answer for an event (wire-clients 3.2)."""

    type: str = "knocking:delete:success"


class KnockingResource:
    def __init__(self, knocking: Knocking, users: Users) -> None:
        self._knocking = knocking
        self._users = users

    @route(
        "POST",
        PATH,
        editions=LATEST,
        body=KnockDraft,
        answers={201: KnockResource, 404: None, 409: None},
    )
    async def knock(self, call: Call) -> Response:
        """Call the application by an open leg"""
        return answers.json(201, await self._knock(call))

    @route("POST", PATH, name="knock", editions=OLDER, body=KnockDraft,
           answers={200: KnockResource, 404: None, 409: None})  # fmt: skip
    async def knock_of_old(self, call: Call) -> Response:
        """Call the application by an open leg"""
        return answers.json(200, await self._knock(call))

    @route("DELETE", ONE, editions=LATEST, query=CancelQuery, answers={204: None})
    async def cancel_knock(self, call: Call) -> Response:
        """Give up a call that has not been let in"""
        await self._cancel(call)
        return answers.nothing()

    @route("DELETE", ONE, name="cancel_knock", editions=OLDER, query=CancelQuery,
           answers={200: Cancelled})  # fmt: skip
    async def cancel_knock_of_old(self, call: Call) -> Response:
        """Give up a call that has not been let in"""
        await self._cancel(call)
        return answers.json(200, Cancelled())

    async def _knock(self, call: Call) -> KnockResource:
        if call.actor.user_id is None:
            raise Forbidden("Only a user may call the application.")
        user = await self._users.find(call.actor.user_id, call.actor.application_id)
        knock = await self._knocking.knock(call.body, user, call.actor)
        return KnockResource(knock.id, f"{call.base}/knocking/{knock.id}")

    async def _cancel(self, call: Call) -> None:
        query: CancelQuery = call.query
        reason = Reason(query.reason_code or None, query.reason_text or None)
        await self._knocking.cancel(
            call.params["knocking_id"], call.actor, None if reason == Reason() else reason
        )
