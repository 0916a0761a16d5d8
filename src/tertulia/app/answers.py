"""Asking applications' own servers about calls: over the dispatcher's client, signed alike."""

import msgspec

from tertulia import __version__
from tertulia.dispatch.answer import Call, Failure
from tertulia.dispatch.attempt import is_success
from tertulia.dispatch.client import HttpSender
from tertulia.dispatch.connection import RESPONSE_MAX
from tertulia.dispatch.courier import as_query
from tertulia.dispatch.settings import DispatchSettings
from tertulia.dispatch.target import TargetGuard
from tertulia.model.ids import ApplicationId
from tertulia.ports import Clock, Ids
from tertulia.protocols.signature import sign, signing_key
from tertulia.services.voicehooks import Question, Unanswered
from tertulia.settings import Account

CONNECT_MS = 3_000
TOTAL_MS = 5_000
"""From connecting to the end of the answer, as the voice guides have it."""


class HttpAnswers:
    """services.voicehooks.Answers."""

    def __init__(self, account: Account, guard: TargetGuard, *, clock: Clock, ids: Ids) -> None:
        settings = DispatchSettings(
            signing_secret=account.signature_secret, api_key=account.api_key,
            user_agent=f"tertulia/{__version__}",
        )  # fmt: skip
        self._settings = settings
        self._key = signing_key(settings.signing_secret)
        self._sender = HttpSender(settings, guard, kept=RESPONSE_MAX)
        self._clock = clock
        self._ids = ids

    async def ask(self, question: Question) -> bytes:
        """Raises Unanswered."""
        answer = await self._sender.send(self._call(question))
        if isinstance(answer, Failure):
            raise Unanswered(answer.reason)
        if not is_success(answer.status):
            raise Unanswered(f"the server answered {answer.status}")
        return answer.head

    def close(self) -> None:
        self._sender.close()

    def _call(self, question: Question) -> Call:
        webhook = question.webhook
        method = (webhook.http_method or question.method).upper()
        query, body = "", msgspec.json.encode(question.members)
        if method == "GET":
            query, body = as_query(body), b""
        return Call(
            webhook.address, "GET" if method == "GET" else "POST",
            self._headers(body, question.application_id), body,
            webhook.connect_timeout or CONNECT_MS, webhook.socket_timeout or TOTAL_MS, query,
        )  # fmt: skip

    def credential(self, application_id: ApplicationId) -> str:
        return self._token(b"", application_id)

    def _token(self, body: bytes, application_id: ApplicationId) -> str:
        return sign(
            self._key, body, iat=self._clock.now() // 1000, jti=self._ids.bare(),
            api_key=self._settings.api_key, application_id=application_id,
        )  # fmt: skip

    def _headers(self, body: bytes, application_id: ApplicationId) -> bytes:
        token = self._token(body, application_id)
        text = (
            f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
            f"Accept: application/json\r\nUser-Agent: {self._settings.user_agent}\r\n"
        )
        return text.encode("ascii")
