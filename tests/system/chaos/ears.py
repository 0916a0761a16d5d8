"""Who listens in a run: users with live sessions who come back, and a receiver of webhooks."""

import asyncio
import random
import time

import msgspec
from tests.system.chaos.asking import Asker
from tests.system.chaos.history import Heard, History, Hooked, Lost, Opened
from tests.system.receiver import TAKEN, Mood, Receiver

from tertulia.client.login import Login, NoServer
from tertulia.client.session import Arrival, Kind, Session, SessionEnded, SessionRefused
from tertulia.client.websocket import Dropped

OPENS_WITHIN_S = 4.0
PAUSE_S = 0.1
"""Before it tries again."""


class Ear:
    """One user. It keeps its session over whatever happens, as far as the server lets it."""

    def __init__(self, user: str, asker: Asker, kind: Kind) -> None:
        self.user = user
        self.newest: dict[str, int] = {}
        """The highest number that came, by conversation."""
        self._asker = asker
        self._kind = kind
        self._session_id: str | None = None

    @property
    def application_id(self) -> str:
        return self._asker.application_id

    @property
    def is_open(self) -> bool:
        """Whether it has had a session."""
        return self._session_id is not None

    async def listen(self) -> None:
        """For ever."""
        while True:
            try:
                await self._attend()
            except SessionRefused as refusal:
                self._lost("refused", refusal)
            except SessionEnded as end:
                self._lost("ended", end)
            except (Dropped, NoServer, TimeoutError) as drop:
                self._lost("dropped", drop)
            await asyncio.sleep(PAUSE_S)

    async def _attend(self) -> None:
        wanted, history = self._session_id, self._asker.history
        login = Login(self._asker.document.api_url, self._asker.token(self.user))
        async with asyncio.timeout(OPENS_WITHIN_S):
            session = await Session.open(login, kind=self._kind, session_id=wanted)
        async with session:
            self._session_id = session.id
            history.note(Opened(
                history.now, self.user, self.application_id, session.id, wanted
            ))  # fmt: skip
            async for arrival in session.events():
                self._take(session.id, arrival)

    def _take(self, session_id: str, arrival: Arrival) -> None:
        said, history = arrival.payload, self._asker.history
        conversation, number = said.get("cid", ""), said.get("id")
        body = said.get("body")
        text = body.get("text") if isinstance(body, dict) else None
        history.note(Heard(
            history.now, session_id, conversation, arrival.type, number, arrival.ack, text
        ))  # fmt: skip
        if number is not None:
            self.newest[conversation] = max(number, self.newest.get(conversation, 0))

    def _lost(self, how: str, why: Exception) -> None:
        history = self._asker.history
        history.note(Lost(history.now, self.user, how, str(why), self._session_id))


class Envelope(msgspec.Struct, frozen=True):
    type: str
    application_id: str
    conversation_id: str = ""
    id: int | None = None
    body: dict[str, object] = msgspec.field(default_factory=dict)


_envelope = msgspec.json.Decoder(Envelope)


class Sulking:
    """The mood of a receiver that sometimes refuses everything for a while, and now and then is
    slow, or forgets to say that it has taken something."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._until = 0.0
        self.is_over = False
        """From then on it is willing."""

    def __call__(self) -> Mood:
        drawn, now = self._chance.random(), time.monotonic()
        if self.is_over:
            return Mood.ACCEPT
        if drawn < 0.002:
            self._until = now + self._chance.uniform(0.5, 3)
        if now < self._until or drawn < 0.02:
            return Mood.REFUSE
        if drawn < 0.024:
            return self._chance.choice((Mood.DAWDLE, Mood.IGNORE))
        return Mood.FORGET if drawn < 0.03 else Mood.ACCEPT


class Hooks(Receiver):
    """Notes every request."""

    def __init__(self, history: History, mood: Sulking) -> None:
        super().__init__(mood)
        self.newest: dict[str, int] = {}
        """The highest number that was taken, by conversation."""
        self._history = history

    def take(self, headers: dict[str, str], body: bytes) -> Mood:
        mood, event = self.mood(), _envelope.decode(body)
        self.moods[mood] += 1
        text = event.body.get("text")
        self._history.note(Hooked(
            self._history.now, event.application_id, event.conversation_id,
            int(headers.get("tertulia-position", "0")), headers["tertulia-epoch"],
            int(headers["tertulia-attempt"]), mood.name.lower(), mood in TAKEN, event.type,
            event.id, text if isinstance(text, str) else None,
        ))  # fmt: skip
        if mood in TAKEN and event.id is not None:
            newest = self.newest.get(event.conversation_id, 0)
            self.newest[event.conversation_id] = max(event.id, newest)
        return mood
