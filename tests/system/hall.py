"""A server, a conversation, and people in it who hear and speak: what tests of calls begin with."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any
from uuid import uuid4

from tests.system.conftest import Plant
from tests.system.diary import Diary
from tests.system.softphone import Softphone, gather_loopback
from tests.system.stage import Stage, stage


class Hall:
    """One conversation of a server on the loopback interface."""

    def __init__(self, running: Stage, diary: Diary, conversation: str) -> None:
        self.stage = running
        self.tree = running.tree
        self.caller = running.caller
        self.diary = diary
        self.conversation = conversation
        self.phones: list[Softphone] = []
        """All of its clients."""
        self._open = AsyncExitStack()

    async def phone(self, user: str) -> Softphone:
        """A user's, signed in; it ends with the hall."""
        await self.caller.post("/v1/users", {"name": user})
        phone = await self._open.enter_async_context(Softphone.of(self.stage.document, user))
        self.phones.append(phone)
        return phone

    async def guest(self, user: str) -> Softphone:
        """Who is in the conversation, with audio."""
        phone = await self.phone(user)
        await phone.enter(self.conversation)
        await self.diary.see("member:media", leg=phone.leg)
        return phone

    async def another(self) -> str:
        """A conversation."""
        made = await self.caller.post("/v1/conversations", {"name": f"hall {uuid4()}"})
        return str(made["id"])

    async def post(self, type_: str, body: object, **others: object) -> Any:
        """An event of the application."""
        path = f"/v0.3/conversations/{self.conversation}/events?post={uuid4()}"
        return await self.caller.post(path, {"type": type_, "body": body, **others})

    async def put(self, path: str, body: object) -> Any:
        """By the application."""
        answer = await self.caller.call("PUT", f"{path}?put={uuid4()}", body)
        assert answer.status == 200, answer
        return answer.json

    async def download(self, url: str) -> bytes:
        path = url.split("/", 3)[3]
        answer = await self.caller.call("GET", f"/{path}")
        assert answer.status == 200, answer
        return answer.raw

    async def close(self) -> None:
        await self._open.aclose()


@asynccontextmanager
async def hall(plant: Plant, **settings: str) -> AsyncIterator[Hall]:
    with _loopback():
        async with stage(plant, TERTULIA_RTC__ADDRESSES="127.0.0.1", **settings) as running:
            made = await running.caller.post("/v1/conversations", {"name": "hall"})
            async with Diary.of(running.tree.data) as diary:
                opened = Hall(running, diary, made["id"])
                try:
                    yield opened
                finally:
                    await opened.close()


@contextmanager
def _loopback() -> Iterator[None]:
    back = gather_loopback()
    try:
        yield
    finally:
        back()
