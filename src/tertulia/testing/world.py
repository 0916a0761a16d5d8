"""An in-memory Tertulia for tests: the real services and pipeline, countable ids, a still clock."""

import asyncio
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any
from weakref import finalize

import msgspec
from msgspec.structs import replace

from tertulia.app.compose import Hub
from tertulia.app.outside import Outside, Store
from tertulia.devkit import RsaSmith
from tertulia.model.errors import TertuliaError
from tertulia.model.event import Event
from tertulia.model.ids import ApplicationId, ConversationId, MemberId, Position, SessionId, UserId
from tertulia.model.instant import Instant
from tertulia.model.notices import notice_of
from tertulia.model.state import Application
from tertulia.ports.cluster import Alone, Homes
from tertulia.protocols.http1 import Request, Response, Streamed
from tertulia.protocols.jwt import load_private_key, mint
from tertulia.services.calls import Patience
from tertulia.services.messaging import Messaging
from tertulia.services.telephony import Telephony
from tertulia.services.voicehooks import Question, Unanswered
from tertulia.settings import Settings
from tertulia.store.media_memory import MemoryMediaStore
from tertulia.store.memory import MemoryStore
from tertulia.store.memory_search import MemorySearch
from tertulia.store.session_ledger import MemorySessionLedger
from tertulia.testing.exchange import Exchange
from tertulia.testing.post import Post, PostRoutes
from tertulia.testing.replay import check_replay
from tertulia.testing.speaking import ToneSpeech
from tertulia.testing.studio import Studio
from tertulia.web.rest.webhooks import (
    AttemptQuery,
    AttemptResource,
    DeadLetterQuery,
    DeadLetterResource,
    ReplayDraft,
    ReplayResource,
)

EPOCH = Instant(1_777_885_200_000)
"""2026-05-04T09:00:00Z, a Monday morning."""


SETTLING_ROUNDS = 4
NUMBER = "15550199"
"""That belongs to the application."""
SECRET = "15550177"
"""Whoever calls it offers SRTP."""
SIMULATED = frozenset({"15550100", "15550105"})


class StillClock:
    """A clock that moves when told to, and one millisecond with every look."""

    def __init__(self) -> None:
        self.time = EPOCH

    def now(self) -> Instant:
        self.time = Instant(self.time + 1)
        return self.time

    def advance(self, seconds: float) -> None:
        self.time = Instant(self.time + int(seconds * 1000))

    def monotonic(self) -> float:
        return self.time / 1000


class CountedIds:
    """`CON-1`, `MEM-1` …: ids that a test can foresee."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def _next(self, kind: str) -> int:
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return self._counts[kind]

    def conversation(self) -> ConversationId:
        return ConversationId(f"CON-{self._next('CON')}")

    def member(self) -> MemberId:
        return MemberId(f"MEM-{self._next('MEM')}")

    def user(self) -> UserId:
        return UserId(f"USR-{self._next('USR')}")

    def application(self) -> ApplicationId:
        return ApplicationId(f"application-{self._next('application')}")

    def session(self) -> SessionId:
        return SessionId(f"SES-{self._next('SES')}")

    def bare(self) -> str:
        return f"bare-{self._next('bare')}"


class Announcements(list[Event]):
    """Keeps what was announced to live followers."""

    def announce(self, event: Event) -> None:
        self.append(event)


class QuietDesk:
    """A webhook desk without a dispatcher behind it."""

    async def attempts(
        self, application_id: ApplicationId, query: AttemptQuery
    ) -> list[AttemptResource]:
        return []

    async def dead_letters(
        self, application_id: ApplicationId, query: DeadLetterQuery
    ) -> list[DeadLetterResource]:
        return []

    async def request_replay(
        self, application_id: ApplicationId, draft: ReplayDraft
    ) -> ReplayResource:
        return ReplayResource(1, "waiting", "2026-05-04T09:00:00.000Z", 0, 0)

    async def replay(self, application_id: ApplicationId, replay_id: int) -> ReplayResource | None:
        return None


class Healthy:
    def unready(self) -> list[str]:
        return []

    async def metrics(self) -> str:
        return ""


class Nowhere(TertuliaError):
    """There is no such file."""


class Shelf(dict[str, Path]):
    """Downloads that were put there before."""

    async def fetch(self, url: str) -> Path:
        if url not in self:
            raise Nowhere(f"nothing at {url}")
        return self[url]


class Written:
    """What applications' servers say, written before; what they were asked is kept."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        """JSON by address, the raw octets of it, or None for a server that is down."""
        self.asked: list[Question] = []
        self.held = asyncio.Event()
        """Nobody is answered until it is set."""
        self.held.set()

    async def ask(self, question: Question) -> bytes:
        self.asked.append(question)
        if not self.held.is_set():
            await self.held.wait()
        answer = self.answers.get(question.webhook.address)
        if answer is None:
            raise Unanswered("nobody is there")
        return answer if isinstance(answer, bytes) else msgspec.json.encode(answer)

    def credential(self, application_id: ApplicationId) -> str:
        return f"credential of {application_id}"

    def told(self, url: str) -> list[dict[str, Any]]:
        """What has been said to one address."""
        return [each.members for each in self.asked if each.webhook.address == url]


class Answer:
    """A response with its JSON read."""

    def __init__(self, response: Response) -> None:
        self.status = response.status
        self.headers = dict(response.headers)
        self.raw = response.body
        self.content_type = response.content_type
        is_json = bool(response.body) and "json" in response.content_type
        self.json: Any = msgspec.json.decode(response.body) if is_json else None


class World:
    """One application on an in-memory Tertulia. Make it with `World.open()` on a running loop."""

    def __init__(
        self, store: Store, settings: Settings, keys: tuple[str, str], *, house: bool = False,
        homes: Homes | None = None, **ports: Any,
    ) -> None:  # fmt: skip
        """`ports`: what of its Outside is to be another."""
        self.clock = StillClock()
        self.ids = CountedIds()
        self.announced = Announcements()
        self.store = store
        self.media = MemoryMediaStore()
        self.search = MemorySearch()
        self.studio = Studio(self.clock)
        self.exchange = Exchange()
        self.speech = ToneSpeech()
        self.downloads = Shelf()
        self.answers = Written()
        self.post, self.other_post = Post(), Post("other")
        self.routes = PostRoutes((self.post, self.other_post), NUMBER)
        scratch = mkdtemp(prefix="tertulia-")
        finalize(self, rmtree, scratch, ignore_errors=True)
        self.settings = settings
        self.outside = Outside(
            store=store, media=self.media, search=self.search, clock=self.clock, ids=self.ids,
            announcer=self.announced, ledger=MemorySessionLedger(), workers=self.studio,
            telephony=Telephony(
                self.exchange, lambda _: [NUMBER], is_simulated=SIMULATED.__contains__,
                is_secure=SECRET.__eq__,
            ),
            messaging=Messaging(
                {each.name: each for each in (self.post, self.other_post)}, self.routes
            ),
            speech=self.speech, downloads=self.downloads, answers=self.answers,
            scratch=Path(scratch), house=house, homes=homes or Alone(),
            patience=Patience(moment=0.0, answer=0.0, again=0.0, house=0.0),
            desk=QuietDesk(), health=Healthy(), smith=RsaSmith(), monotonic=self.clock.monotonic,
        )  # fmt: skip
        self.outside = replace(self.outside, **ports)
        self.hub = Hub(self.outside, settings)
        private_key, public_key = keys
        self._private_key = load_private_key(private_key)
        self.application = Application(
            id=self.ids.application(), name="test", public_key=public_key, created_at=EPOCH
        )
        self._token_count = 0
        self.routes.owner = self.application.id
        self._dispatched = Position(0)

    @classmethod
    async def open(
        cls, *, keys: tuple[str, str], store: Store | None = None, settings: Settings | None = None,
        house: bool = False, homes: Homes | None = None, **ports: Any,
    ) -> "World":  # fmt: skip
        world = cls(
            store or MemoryStore(), settings or Settings(), keys, house=house, homes=homes, **ports
        )
        await world.store.put_application(world.application)
        await world.hub.live.delivery.start()
        await world.hub.services.conductor.start()
        for post in (world.post, world.other_post):
            await post.start(world.hub.services.arrivals)
        world.exchange.on_signal(world.hub.services.phones.hear)
        world.hub.services.audio.library.address = "https://tertulia.test"
        return world

    def token(self, user_name: str | None = None, **claims: Any) -> str:
        """A fresh token of the application, or of one of its users."""
        self._token_count += 1
        now = self.clock.time // 1000
        told = {
            "application_id": self.application.id, "iat": now, "exp": now + 900,
            "jti": f"jti-{self._token_count}", **claims,
        }  # fmt: skip
        if user_name is not None:
            told["sub"] = user_name
        return mint(self._private_key, told)

    async def call(
        self, method: str, target: str, body: Any = None, *, user: str | None = None,
        token: str | None = None, headers: dict[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        """Send a request through the whole pipeline, as the application or as a user."""
        response = await self.respond(method, target, body, user=user, token=token, headers=headers)
        if isinstance(response, Streamed) and response.length is not None:
            whole = b"".join([piece async for piece in response.pieces])
            response = replace(response, body=whole)
        return Answer(response)

    async def respond(
        self, method: str, target: str, body: Any = None, *, user: str | None = None,
        token: str | None = None, headers: dict[str, str] | None = None,
    ) -> Response:  # fmt: skip
        """As `call`; a Streamed answer is for the caller to read and to close."""
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        path, _, query = target.partition("?")
        known = {
            "host": "tertulia.test", "authorization": f"Bearer {token or self.token(user)}",
            "content-type": "application/json", **(headers or {}),
        }  # fmt: skip
        request = Request(
            method=method, target=target, path=path, query=query,
            headers={name: value for name, value in known.items() if value},
            body=raw if body is not None else b"",
        )  # fmt: skip
        return await self.hub.api.answer(request, "https")

    async def settle(self) -> None:
        """Let everything happen that follows from what has happened."""
        services = self.hub.services
        for _ in range(SETTLING_ROUNDS):
            await services.conductor.catch_up()
            await self.studio.settle()
            await services.errands.settle()
            await self._dispatch()

    async def _dispatch(self) -> None:
        """Webhooks hear the notices that have been kept for them."""
        for event in await self.store.follow(self._dispatched):
            self._dispatched = event.position
            notice = notice_of(event)
            if notice is not None:
                told = Question(event.application_id, notice.webhook, notice.members)
                self.answers.asked.append(told)

    async def check_replay(self) -> None:
        await check_replay(self.store)


def with_limits(settings: Settings, **limits: int) -> Settings:
    return replace(settings, limits=replace(settings.limits, **limits))
