"""WhatsApp and Messenger, both by the Graph API: requests with a token, webhooks with an HMAC."""

from collections.abc import Iterable, Sequence
from typing import Any

from tertulia.carriers import messenger, whatsapp_in, whatsapp_out
from tertulia.carriers.accounts import MessengerAccount, WhatsAppAccount, plain
from tertulia.carriers.doors import HttpCarrier, Told, is_address
from tertulia.carriers.graph_errors import FOR_NOW, NOT_LET_IN, TOO_MUCH, problem
from tertulia.carriers.http import (
    HttpAnswer,
    HttpOut,
    Where,
    decoded,
    mac,
    objects,
    patience,
    same,
    text_at,
)
from tertulia.model.message_errors import Code
from tertulia.model.sending import Arrival, Problem, Sending
from tertulia.ports.messaging import Congested, Declined, Knock, KnockAnswer, OutOfReach, Terms

SIGNATURE = "x-hub-signature-256"


class GraphCarrier(HttpCarrier):
    """What both have in common."""

    def __init__(
        self, account: WhatsAppAccount | MessengerAccount, out: HttpOut, where: Where
    ) -> None:
        super().__init__(account, out, where)
        self._terms = account.terms()
        self._url = account.url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {account.token}"}
        self._secret = account.secret
        self._verify = account.verify

    @property
    def terms(self) -> Terms:
        return self._terms

    async def _post(self, sender: str, told: dict[str, Any]) -> Any:
        """The answer's JSON. Raises Declined, Congested, OutOfReach."""
        if not sender.isascii() or not sender.replace("_", "").isalnum():
            raise Declined(Problem(Code.SENDER, "the sender is none of this carrier's"))
        answer = await self._line.post(f"{self._url}/{sender}/messages", self._headers, told)
        if answer.status != 200:
            raise self._failure(answer)
        return decoded(answer.body)

    def _failure(self, answer: HttpAnswer) -> Exception:
        content = decoded(answer.body)
        error = content.get("error") if isinstance(content, dict) else None
        if not isinstance(error, dict):
            error = {"message": f"the carrier answered {answer.status}"}
        code, why = text_at(error, "code"), problem(error)
        if answer.status == 401 or code in NOT_LET_IN:
            return self._line.refused(why.reason)
        if code in TOO_MUCH:
            return Congested(why.reason, patience(answer))
        if code in FOR_NOW or error.get("is_transient") is True:
            return OutOfReach(why.reason)
        return Declined(why)

    def _greeted(self, knock: Knock) -> KnockAnswer | None:
        """Setting the webhook: the word that was agreed on, for which it gets its challenge."""
        if knock.method != "GET":
            return super()._greeted(knock)
        query = knock.query
        is_agreed = bool(self._verify) and same(query.get("hub.verify_token", ""), self._verify)
        if query.get("hub.mode") != "subscribe" or not is_agreed:
            return KnockAnswer(403)
        challenge = query.get("hub.challenge", "")
        if not is_address(challenge):
            return KnockAnswer(400)
        return KnockAnswer(200, challenge.encode())

    def _is_signed(self, knock: Knock) -> bool:
        expected = "sha256=" + mac(self._secret, knock.body)
        return same(knock.headers.get(SIGNATURE, ""), expected)


class WhatsAppCarrier(GraphCarrier):
    kind = "whatsapp"

    def __init__(self, account: WhatsAppAccount, out: HttpOut, where: Where) -> None:
        super().__init__(account, out, where)
        self._ids = {plain(number): each for number, each in account.numbers.items()}

    async def submit(self, sending: Sending) -> Sequence[str]:
        order = sending.order
        answer = await self._post(self._id_of(order.from_), whatsapp_out.message(order))
        refs = [text_at(each, "id") for each in objects(_listed(answer, "messages"))]
        return _taken(refs)

    async def _mark_read(self, arrival: Arrival, typing: bool) -> None:
        told: dict[str, Any] = {
            "messaging_product": "whatsapp", "status": "read", "message_id": arrival.ref,
        }  # fmt: skip
        if typing:
            told["typing_indicator"] = {"type": "text"}
        await self._post(self._id_of(arrival.to), told)

    def _id_of(self, number: str) -> str:
        return self._ids.get(plain(number), plain(number))

    def _told(self, content: Any) -> Iterable[Told | None]:
        return whatsapp_in.told(self.name, content)


class MessengerCarrier(GraphCarrier):
    kind = "messenger"

    def __init__(self, account: MessengerAccount, out: HttpOut, where: Where) -> None:
        super().__init__(account, out, where)
        self._marks = messenger.Watermarks()

    async def submit(self, sending: Sending) -> Sequence[str]:
        order = sending.order
        answer = await self._post(order.from_, messenger.message(order))
        refs = _taken([text_at(answer, "message_id")])
        self._marks.sent(order.to, refs[0])
        return refs

    async def _mark_read(self, arrival: Arrival, typing: bool) -> None:
        actions = ("mark_seen", "typing_on") if typing else ("mark_seen",)
        for action in actions:
            told = {"recipient": {"id": arrival.from_}, "sender_action": action}
            await self._post(arrival.to, told)

    def _told(self, content: Any) -> Iterable[Told | None]:
        return messenger.told(self.name, content, self._marks)


def _listed(answer: Any, name: str) -> Any:
    return answer.get(name) if isinstance(answer, dict) else None


def _taken(refs: list[str]) -> list[str]:
    found = [ref for ref in refs if is_address(ref)]
    if not found:
        raise OutOfReach("the carrier did not say what it calls the message", in_doubt=True)
    return found
