"""Applications, version 2 of their API: Basic authentication by the account (wire-api 6.1)."""

import math
from typing import Annotated, Protocol

from msgspec import Meta, Struct

from tertulia.model.ids import ApplicationId
from tertulia.ports.cluster import Homes
from tertulia.protocols.http1 import Response
from tertulia.services.applications import ApplicationDraft, Applications
from tertulia.web import answers, shapes
from tertulia.web.access import Access
from tertulia.web.routing import Call, Guard, route

PATH = "/v2/applications"
ONE = PATH + "/{application_id}"


class ApplicationQuery(Struct, frozen=True):
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    page_size: Annotated[int, Meta(ge=1, le=100)] = 10


class SessionEnds(Protocol):
    """What ends the live sessions whose tokens are worth nothing any more."""

    async def end_application(self, application_id: ApplicationId) -> None: ...
    async def expire_application(self, application_id: ApplicationId) -> None: ...


class ApplicationsResource:
    def __init__(
        self, applications: Applications, access: Access, sessions: SessionEnds, homes: Homes
    ) -> None:
        self._applications = applications
        self._access = access
        self._sessions = sessions
        self._homes = homes

    @route("GET", PATH, guard=Guard.ACCOUNT, query=ApplicationQuery,
           answers={200: shapes.ApplicationPage})  # fmt: skip
    async def list_applications(self, call: Call) -> Response:
        """List the account's applications"""
        query: ApplicationQuery = call.query
        found = await self._applications.list()
        pages = max(1, math.ceil(len(found) / query.page_size))
        start = (query.page - 1) * query.page_size
        shown = found[start : start + query.page_size]

        def link(page: int) -> shapes.Link:
            return shapes.Link(f"{call.base}/applications?page_size={query.page_size}&page={page}")

        return answers.json(200, shapes.ApplicationPage(
            page_size=query.page_size, page=query.page, total_items=len(found), total_pages=pages,
            embedded=shapes.ApplicationList(
                [shapes.application(item, call.base, None) for item in shown]
            ),
            links=shapes.PageLinks(
                first=link(1), self=link(query.page),
                next=link(query.page + 1) if query.page < pages else None,
                prev=link(query.page - 1) if 1 < query.page <= pages else None,
            ),
        ))  # fmt: skip

    @route("POST", PATH, guard=Guard.ACCOUNT, body=ApplicationDraft,
           answers={201: shapes.ApplicationResource})  # fmt: skip
    async def create_application(self, call: Call) -> Response:
        """Create an application; the private key of a key pair made here is shown this once"""
        made, private_key = await self._applications.create(call.body)
        return answers.json(201, shapes.application(made, call.base, private_key))

    @route("GET", ONE, guard=Guard.ACCOUNT, answers={200: shapes.ApplicationResource})
    async def get_application(self, call: Call) -> Response:
        """Retrieve an application"""
        found = await self._applications.get(_id(call))
        return answers.json(200, shapes.application(found, call.base, None))

    @route("PUT", ONE, guard=Guard.ACCOUNT, body=ApplicationDraft,
           answers={200: shapes.ApplicationResource})  # fmt: skip
    async def update_application(self, call: Call) -> Response:
        """Update an application; with another key, its tokens end"""
        before = await self._applications.get(_id(call))
        await self._homes.require(before.id)
        changed = await self._applications.update(_id(call), call.body)
        self._access.forget(changed.id)
        if changed.public_key != before.public_key:
            await self._sessions.expire_application(changed.id)
        return answers.json(200, shapes.application(changed, call.base, None))

    @route("DELETE", ONE, guard=Guard.ACCOUNT, answers={204: None})
    async def delete_application(self, call: Call) -> Response:
        """Delete an application: its tokens, sessions and webhooks end, and its media files go"""
        await self._homes.require((await self._applications.get(_id(call))).id)
        await self._applications.delete(_id(call))
        self._access.forget(_id(call))
        await self._sessions.end_application(_id(call))
        return answers.nothing()


def _id(call: Call) -> ApplicationId:
    return ApplicationId(call.params["application_id"])
