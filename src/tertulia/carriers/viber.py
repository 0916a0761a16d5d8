"""Viber by its bot API: requests with a token, which signs its callbacks too."""

from collections.abc import Iterable, Sequence
from typing import Any

from tertulia.carriers import viber_words
from tertulia.carriers.accounts import ViberAccount
from tertulia.carriers.doors import HttpCarrier, Told
from tertulia.carriers.http import HttpOut, Where, decoded, mac, same, shortened, text_at
from tertulia.model.message_errors import Code
from tertulia.model.sending import Problem, Sending
from tertulia.ports.messaging import Congested, Declined, Knock, OutOfReach, Terms

SIGNATURE = "x-viber-content-signature"


class ViberCarrier(HttpCarrier):
    kind = "viber"

    def __init__(self, account: ViberAccount, out: HttpOut, where: Where) -> None:
        super().__init__(account, out, where)
        self._terms = account.terms()
        self._url = account.url.rstrip("/") + "/pa/send_message"
        self._token = account.token
        self._sender = account.sender
        self._bot = account.bot or account.name

    @property
    def terms(self) -> Terms:
        return self._terms

    async def submit(self, sending: Sending) -> Sequence[str]:
        told = viber_words.message(sending, self._sender)
        answer = await self._line.post(self._url, {"X-Viber-Auth-Token": self._token}, told)
        content = decoded(answer.body)
        status = content.get("status") if isinstance(content, dict) else None
        if answer.status != 200 or not isinstance(status, int):
            if answer.status in (401, 403):
                raise self._line.refused(f"the carrier answered {answer.status}")
            if 400 <= answer.status < 500:
                why = Problem(Code.UNPROCESSABLE, f"the carrier answered {answer.status}")
                raise Declined(why)
            raise OutOfReach("the carrier's answer is none of its API", in_doubt=True)
        if status != 0:
            raise self._failure(status, text_at(content, "status_message"))
        ref = text_at(content, "message_token")
        if not ref:
            raise OutOfReach("the carrier did not say what it calls the message", in_doubt=True)
        return [ref]

    def _failure(self, status: int, message: str) -> Exception:
        reason = shortened(f"{message or 'no reason was given'} ({status})")
        if status in viber_words.NOT_LET_IN:
            return self._line.refused(reason)
        if status in viber_words.TOO_MUCH:
            return Congested(reason)
        return Declined(Problem(viber_words.CODES.get(status, Code.UNKNOWN), reason))

    def _is_signed(self, knock: Knock) -> bool:
        return same(knock.headers.get(SIGNATURE, "").lower(), mac(self._token, knock.body))

    def _told(self, content: Any) -> Iterable[Told | None]:
        return viber_words.told(self.name, self._bot, content)
