"""The chat: a session, a conversation and a terminal, until one of them ends."""

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from tertulia.client.asking import ChatRest
from tertulia.client.commands import (
    HELP,
    Command,
    Delete,
    Edit,
    Help,
    History,
    Image,
    Leave,
    Misunderstood,
    Quit,
    React,
    Reply,
    Say,
    Seen,
    Typing,
    Who,
    parse,
)
from tertulia.client.entering import ChatFailed, Directions, Place, ensure_user, enter
from tertulia.client.lasting import SUCCESS, LastingSession, Link
from tertulia.client.login import Logins, NoServer
from tertulia.client.outbox import Outbox, TypingNotice
from tertulia.client.plain import plain, plain_lines
from tertulia.client.rest import Denied
from tertulia.client.session import Arrival, SessionRefused
from tertulia.client.speaking import Speaker
from tertulia.client.terminal import Terminal
from tertulia.client.transcript import Happening, Kind, Line, Transcript, happening
from tertulia.client.websocket import Dropped

HISTORY = 20
"""Events that are shown at the start, and by /history."""
TYPING_S = 60.0
"""How long somebody is shown as typing who does not say that it is over."""
SETTLING_S = 5.0
"""For what was typed last to be sent, and to come back."""
RETRY_S = 1.0

_REFUSALS = {
    "system:error:invalid-token": "the server refuses the token",
    "system:error:expired-token": "the token has expired",
    "user:error:invalid-user": "the server does not know the user",
    "session:error:max-open-sessions": "the user has too many sessions open",
}


async def chat(
    logins: Logins, host: Logins | None, directions: Directions, shown: Terminal
) -> None:
    """Talk until the user has enough. `host` speaks for the application, where that is possible.

    Raises:
        ChatFailed: it cannot begin, or not go on.
    """
    try:
        async with ChatRest(logins) as rest, ChatRest(host or logins) as host_rest:
            if host is not None:
                await ensure_user(host_rest, directions.name)
            talk = Talk(logins, rest, shown)
            await talk.begin(host_rest, directions)
            await talk.go_on()
    except SessionRefused as refusal:
        raise ChatFailed(_REFUSALS.get(refusal.type, f"no session: {refusal.type}")) from None
    except NoServer as error:
        raise ChatFailed(f"no server at {error}") from None
    except (Denied, Dropped, ValueError) as error:
        raise ChatFailed(str(error)) from None


class Talk:
    """One user in one conversation."""

    def __init__(self, logins: Logins, rest: ChatRest, shown: Terminal) -> None:
        self._lasting = LastingSession(logins, watch=self._watch)
        self._rest = rest
        self._shown = shown
        self._outbox = Outbox(self._notice)
        self._typing = TypingNotice(lambda begins: self._speaker.type(begins))
        self._typing_ends: dict[str, asyncio.TimerHandle] = {}
        self._is_linked = True
        self._tells_seen = True
        self._grown = asyncio.Event()
        """Something was shown."""
        self._over = asyncio.Event()
        self._enter(Place("", "", ""), "")

    async def begin(self, host: ChatRest, directions: Directions) -> None:
        """Log in, enter, show what was said last."""
        session = await self._lasting.open()
        if session.name != directions.name:
            await session.logout()
            raise ChatFailed(f"the token speaks for {session.name}, not for {directions.name}")
        place = await enter(self._rest, host, session.user_id, directions)
        self._enter(place, session.user_id)
        for member in await self._rest.members(place.conversation_id):
            user = member["_embedded"]["user"]
            name = user.get("display_name") or user["name"]
            self._transcript.know(member["id"], user["id"], name)
        found = await self._rest.newest_events(place.conversation_id, HISTORY)
        self._transcript.newest = found[0]["id"] - 1 if found else 0
        self._shown.open(self._typing.typed)
        self._notice(f"{plain(place.title)} ({place.conversation_id}); /help helps")
        self._take_history(found)

    async def go_on(self) -> None:
        """Until the end of input, a command, a signal, or the end of the session."""
        work: tuple[Coroutine[Any, Any, object], ...] = (
            self._listen(), self._outbox.run(), self._read(), self._over.wait(),
        )  # fmt: skip
        with self._signals():
            tasks = [asyncio.create_task(each) for each in work]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                self._close()
            if self._is_linked:
                await self._lasting.logout()

    def _enter(self, place: Place, user_id: str) -> None:
        self._place = place
        self._transcript = Transcript(user_id)
        self._speaker = Speaker(self._rest, self._outbox, place, self._transcript)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGINT, signal.SIGTERM)
        for number in numbers:
            loop.add_signal_handler(number, self._over.set)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    def _close(self) -> None:
        self._typing.stop()
        for timer in self._typing_ends.values():
            timer.cancel()
        self._shown.close()

    # --- what comes ---

    async def _listen(self) -> None:
        async for arrival in self._lasting.events():
            await self._take(arrival)

    async def _take(self, arrival: Arrival) -> None:
        if arrival.type == SUCCESS:
            await self._catch_up()
            return
        event = happening(arrival.payload, arrival.type)
        if event is None:
            return
        if arrival.payload.get("cid") != self._place.conversation_id:
            self._elsewhere(event)
            return
        if event.id is not None and event.id > self._transcript.newest + 1:
            await self._catch_up()
        self._show(event)

    async def _catch_up(self) -> None:
        """Take what the history has beyond what was shown."""
        first = self._transcript.newest + 1
        while True:
            try:
                found = await self._rest.events_from(self._place.conversation_id, first)
            except (NoServer, Dropped):
                await asyncio.sleep(RETRY_S)
            else:
                self._take_history(found)
                return

    def _take_history(self, found: list[Any]) -> None:
        for each in found:
            event = happening(each)
            if event is not None:
                self._show(event)

    def _show(self, event: Happening) -> None:
        is_new = event.id is None or event.id > self._transcript.newest
        self._shown.show(self._transcript.take(event))
        if is_new:
            self._speaker.report(event, is_seen=self._tells_seen)
        if event.type == "text:typing:on" and event.from_ in self._transcript.typing:
            self._limit_typing(event.from_)
        if event.type == "member:left" and event.from_ == self._place.member_id:
            self._notice("you are no longer in the conversation")
            self._over.set()
        self._grown.set()
        self._refresh()

    def _elsewhere(self, event: Happening) -> None:
        """An invitation is told; other conversations are not shown here."""
        user, conversation = event.body.get("user"), event.body.get("conversation")
        if event.type != "member:invited" or not isinstance(user, dict):
            return
        if user.get("id") == self._lasting.session.user_id and isinstance(conversation, dict):
            name, number = conversation.get("name"), conversation.get("conversation_id")
            host = event.body.get("invited_by") or "the application"
            self._notice(plain(f"{host} invites you to {name}: {number}"))

    def _limit_typing(self, member_id: str) -> None:
        timer = self._typing_ends.pop(member_id, None)
        if timer is not None:
            timer.cancel()
        loop = asyncio.get_running_loop()
        self._typing_ends[member_id] = loop.call_later(TYPING_S, self._forget_typing, member_id)

    def _forget_typing(self, member_id: str) -> None:
        self._transcript.typing.pop(member_id, None)
        self._refresh()

    def _watch(self, link: Link) -> None:
        self._is_linked = link is not Link.LOST
        self._transcript.typing.clear()
        self._notice("connected again" if self._is_linked else "reconnecting…")

    # --- what is typed ---

    async def _read(self) -> None:
        while (line := await self._shown.line()) is not None:
            self._typing.stop()
            try:
                command = parse(line)
                if isinstance(command, Leave):
                    self._speaker.leave()
                if isinstance(command, Leave | Quit):
                    break
                if command is not None:
                    await self._do(command)
            except Misunderstood as error:
                self._notice(str(error))
            except OSError as error:
                self._notice(f"{line}: {error.strerror or error}")
            except Denied as denied:
                self._notice(f"{line}: {denied}")
        await self._settle()

    async def _do(self, command: Command) -> None:
        match command:
            case Say():
                self._speaker.say(command)
            case Edit():
                self._speaker.edit(command)
            case Reply():
                self._speaker.reply(command)
            case React():
                self._speaker.react(command)
            case Delete():
                self._speaker.delete(command)
            case Image():
                await self._speaker.image(command)
            case _:
                await self._look(command)

    async def _look(self, command: Command) -> None:
        match command:
            case Help():
                self._notice(HELP)
            case Who():
                await self._who()
            case History():
                conversation_id = self._place.conversation_id
                found = await self._rest.newest_events(conversation_id, HISTORY)
                events = [event for each in found if (event := happening(each)) is not None]
                self._shown.show(self._transcript.again(events))
            case Typing():
                self._typing.begin()
            case Seen(told):
                self._tells_seen = told

    async def _who(self) -> None:
        for member in await self._rest.members(self._place.conversation_id):
            user = member["_embedded"]["user"]
            name = plain(user.get("display_name") or user["name"])
            typing = ", typing" if member["id"] in self._transcript.typing else ""
            self._notice(f"{name}: {member['state'].lower()}{typing}")

    async def _settle(self) -> None:
        """Let what was typed go out, and come back to be shown."""
        try:
            async with asyncio.timeout(SETTLING_S):
                await self._outbox.emptied()
                while self._transcript.newest < self._speaker.newest and not self._over.is_set():
                    self._grown.clear()
                    await self._grown.wait()
        except TimeoutError:
            self._notice("something was not sent: there is no connection")

    def _notice(self, text: str) -> None:
        self._shown.show([Line(Kind.NOTICE, line) for line in plain_lines(text)])
        self._refresh()

    def _refresh(self) -> None:
        link = "" if self._is_linked else "(offline) "
        status = self._transcript.status
        self._shown.prompt(f"{link}{status}{'  ' if status else ''}> ")
