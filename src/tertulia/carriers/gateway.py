"""A carrier that takes messages by an HTTP request: which one, its account says as a template."""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tertulia.carriers import gateway_words
from tertulia.carriers.accounts import Asking, GatewayAccount
from tertulia.carriers.doors import HttpCarrier, Told, is_address
from tertulia.carriers.http import HttpAnswer, HttpOut, Where, decoded, mac, patience, same
from tertulia.carriers.http import shortened as short
from tertulia.carriers.templates import fill, values
from tertulia.model.message_errors import Code
from tertulia.model.sending import Arrival, Problem, Sending
from tertulia.ports.messaging import (
    Congested,
    Declined,
    Knock,
    KnockAnswer,
    OutOfReach,
    Terms,
    Unsupported,
)


class GatewayCarrier(HttpCarrier):
    kind = "http"

    def __init__(self, account: GatewayAccount, out: HttpOut, where: Where) -> None:
        super().__init__(account, out, where)
        self._account = account
        self._terms = account.terms(
            tells=account.receipt is not None, is_repeatable=bool(account.key)
        )
        self._pattern = re.compile(account.ref_pattern) if account.ref_pattern else None

    @property
    def terms(self) -> Terms:
        return self._terms

    async def submit(self, sending: Sending) -> Sequence[str]:
        account = self._account
        key = {account.key: sending.id} if account.key else {}
        answer = await self._ask(account.send, values(sending), key)
        ref = self._ref(answer)
        if is_address(ref):
            return [ref]
        if self._terms.tells:
            raise OutOfReach("the carrier did not say what it calls the message", in_doubt=True)
        return [sending.id]

    async def _revoke(self, sending: Sending) -> None:
        if self._account.revoke is None:
            raise Unsupported("the carrier takes no message back")
        for ref in sending.refs:
            await self._ask(self._account.revoke, values(sending, ref), {})

    async def _mark_read(self, arrival: Arrival, typing: bool) -> None:
        if self._account.read is None:
            raise Unsupported("the carrier is not told that a message was read")
        given = {
            "ref": arrival.ref, "to": arrival.to, "from": arrival.from_, "channel": arrival.channel
        }  # fmt: skip
        await self._ask(self._account.read, given, {})

    async def _ask(
        self, asking: Asking, given: Mapping[str, str], more: Mapping[str, str]
    ) -> HttpAnswer:
        """Raises Declined, Congested, OutOfReach."""
        filled = fill(asking, given)
        headers = {**filled.headers, **more}
        answer = await self._line.ask(filled.method, filled.url, headers, filled.body)
        account, status = self._account, answer.status
        if status in account.taken or (asking is not account.send and 200 <= status < 300):
            return answer
        told = decoded(answer.body)
        why = short(gateway_words.text(told, account.reason) or f"the carrier answered {status}")
        if status in account.congested:
            raise Congested(why, patience(answer))
        if status in account.refused:
            raise self._line.refused(why)
        if 200 <= status < 300:
            raise OutOfReach(why, in_doubt=True)
        raise Declined(Problem(Code.UNKNOWN, why))

    def _ref(self, answer: HttpAnswer) -> str:
        if self._pattern is not None:
            found = self._pattern.search(answer.body.decode("utf-8", "replace"))
            return found[1] or "" if found else ""
        return gateway_words.text(decoded(answer.body), self._account.ref)

    def _greeted(self, knock: Knock) -> KnockAnswer | None:
        """Some tell by GET."""
        return None

    def _is_signed(self, knock: Knock) -> bool:
        signature = self._account.signature
        if signature is None:
            return False
        if signature.query:
            shown = knock.query.get(signature.query, "")
        else:
            shown = knock.headers.get(signature.header.lower(), "")
        expected = signature.secret
        if signature.kind != "secret":
            kind = signature.kind.removeprefix("hmac-")
            expected = mac(signature.secret, knock.body, kind, signature.encoding)
        return same(shown, signature.prefix + expected)

    def _content(self, knock: Knock) -> dict[str, Any] | None:
        """HMACs are of the body alone: then what stands in the query was said by nobody."""
        signature = self._account.signature
        if signature is None or signature.kind == "secret":
            return gateway_words.content(knock)
        return gateway_words.content(Knock(knock.method, {}, knock.headers, knock.body))

    def _told(self, content: Any) -> Iterable[Told | None]:
        minute = int(time.time() // 60)
        return gateway_words.told(self._account, content, minute)
