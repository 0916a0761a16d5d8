"""Transactions that live: which message belongs to which (RFC 3261 17.1.3, 17.2.3)."""

from collections import defaultdict
from collections.abc import Hashable

from tertulia.protocols.sip.core import Core
from tertulia.protocols.sip.fields import BRANCH_COOKIE
from tertulia.protocols.sip.flow import Flow
from tertulia.protocols.sip.machines import (
    ClientTransaction,
    ClientUser,
    ServerTransaction,
    Transaction,
)
from tertulia.protocols.sip.message import Request, Response
from tertulia.protocols.sip.verbs import Pairs

SENT_FROM = 5060
"""Port of a Via that names none."""


class _Nobody:
    def responded(self, response: Response) -> None:
        pass

    def unanswered(self, lost: bool) -> None:
        pass


_NOBODY = _Nobody()


class Transactions:
    """All of them."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self._clients: dict[Hashable, ClientTransaction] = {}
        self._servers: dict[Hashable, ServerTransaction] = {}
        self._merges: dict[Hashable, ServerTransaction] = {}
        self._flows: defaultdict[Flow, dict[ClientTransaction | ServerTransaction, None]]
        self._flows = defaultdict(dict)

    def __len__(self) -> int:
        return len(self._clients) + len(self._servers)

    def send(self, request: Request, flow: Flow, user: ClientUser, call: str) -> ClientTransaction:
        """Its topmost Via holds a branch that is new."""
        transaction = ClientTransaction(self, request, flow, user, call)
        self._clients[transaction.key] = transaction
        self._flows[flow][transaction] = None
        transaction.begin()
        return transaction

    def cancel(self, transaction: ClientTransaction, pairs: Pairs) -> None:
        """Send CANCEL; its own response matters to nobody."""
        request = transaction.cancellation(pairs)
        self.send(request, transaction.flow, _NOBODY, transaction.call)

    def of_response(self, response: Response) -> ClientTransaction | None:
        return self._clients.get((response.via.branch, response.cseq.method))

    def of_request(self, request: Request) -> ServerTransaction | None:
        """The one that the request repeats; for ACK that of its INVITE."""
        method = "INVITE" if request.method == "ACK" else request.method
        found = self._servers.get(_server_key(request, method))
        if found is None or request.method != "ACK" or _has_cookie(request):
            return found
        return found if request.to.tag == found.tag else None

    def of_cancel(self, request: Request) -> ServerTransaction | None:
        """The INVITE that a CANCEL means (RFC 3261 9.2)."""
        return self._servers.get(_server_key(request, "INVITE"))

    def is_merged(self, request: Request) -> bool:
        """Whether the same request came another way too (RFC 3261 8.2.2.2)."""
        return not request.to.tag and _merge_key(request) in self._merges

    def open(self, request: Request, flow: Flow) -> ServerTransaction:
        """For a request that repeats none."""
        key, merge_key = _server_key(request, request.method), _merge_key(request)
        transaction = ServerTransaction(self, key, merge_key, request, answer_flow(request, flow))
        self._servers[key] = transaction
        self._merges[merge_key] = transaction
        self._flows[transaction.flow][transaction] = None
        return transaction

    def lost(self, flow: Flow) -> None:
        for transaction in list(self._flows.get(flow, ())):
            transaction.lose()

    def forget(self, transaction: Transaction) -> None:
        self._clients.pop(transaction.key, None)
        if isinstance(transaction, ServerTransaction):
            self._servers.pop(transaction.key, None)
            if self._merges.get(transaction.merge_key) is transaction:
                del self._merges[transaction.merge_key]
        if isinstance(transaction, ClientTransaction | ServerTransaction):
            of_flow = self._flows.get(transaction.flow, {})
            of_flow.pop(transaction, None)
            if not of_flow:
                self._flows.pop(transaction.flow, None)


def answer_flow(request: Request, flow: Flow) -> Flow:
    """Where responses go (RFC 3261 18.2.2, RFC 3581 4)."""
    via = request.via
    if flow.reliable or via.wants_rport:
        return flow
    return flow._replace(peer=(flow.peer[0], via.port or SENT_FROM))


def _has_cookie(request: Request) -> bool:
    return request.via.branch.startswith(BRANCH_COOKIE)


def _server_key(request: Request, method: str) -> Hashable:
    via = request.via
    if via.branch.startswith(BRANCH_COOKIE):
        return (via.branch, via.host.lower(), via.port, method)
    plain = (request.call_id, request.cseq.number, request.from_.tag, request.target)
    return (*plain, str(via), method)


def _merge_key(request: Request) -> Hashable:
    cseq = request.cseq
    return (request.call_id, request.from_.tag, cseq.number, cseq.method)
