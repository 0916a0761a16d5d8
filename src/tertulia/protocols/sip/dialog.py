"""A dialog: what both ends have to know to go on talking (RFC 3261 12)."""

from ipaddress import ip_address

from tertulia.protocols.sip.exchange import Hop
from tertulia.protocols.sip.fields import ALLOW, FROM, RECORD_ROUTE, TO, VIA, NameAddr
from tertulia.protocols.sip.flow import Flow
from tertulia.protocols.sip.headers import Headers
from tertulia.protocols.sip.message import Message, Request, Response
from tertulia.protocols.sip.stack import DialogKey
from tertulia.protocols.sip.uri import SipUri, parse_uri

_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}
_CSEQ_MAX = 2**31


class Dialog:
    """One side of it. `call_id`, tags and URIs never change; the target and sequences do."""

    def __init__(
        self, call_id: str, local: NameAddr, remote: NameAddr, target: str, routes: list[NameAddr]
    ) -> None:
        self.call_id = call_id
        self.local = local
        self.remote = remote
        self.target = target
        """URI of the other end."""
        self.routes = routes
        self.contact = ""
        """User part of our Contact."""
        self.cseq = 0
        """Of our last request."""
        self.remote_cseq = -1
        self.confirmed = False
        self.allowed: frozenset[str] = frozenset()
        """Methods that the other end takes."""
        self.rseq = -1
        """Of the last reliable provisional response that came."""
        self._hop = Hop("")
        self._direct: Flow | None = None

    @classmethod
    def answering(cls, request: Request, tag: str, flow: Flow) -> "Dialog":
        """That of a request that came in."""
        contacts = request.contacts
        target = str(contacts[0].uri) if contacts else str(request.from_.uri)
        routes = list(request.headers.read_all(RECORD_ROUTE))
        local = request.to if request.to.tag else request.to.with_tag(tag)
        dialog = cls(request.call_id, local, request.from_, target, routes)
        dialog.remote_cseq = request.cseq.number
        dialog.contact = request.uri.userinfo or ""
        dialog.learn(request, flow)
        if not routes and len(request.headers.read_all(VIA)) == 1:
            dialog._direct = flow
        return dialog

    @classmethod
    def asking(cls, request: Request, response: Response, hop: Hop, contact: str) -> "Dialog":
        """That of a request of ours and one of its responses."""
        routes = list(reversed(response.headers.read_all(RECORD_ROUTE)))
        dialog = cls(request.call_id, request.from_, response.to, request.target, routes)
        dialog.cseq = request.cseq.number
        dialog.contact = contact
        if hop.flow is not None:
            dialog.learn(response, hop.flow)
        dialog._direct = hop.flow if hop.pinned and not routes else None
        dialog.refresh(response)
        return dialog

    @property
    def key(self) -> DialogKey:
        return self.call_id, self.local.tag, self.remote.tag

    def learn(self, message: Message, flow: Flow) -> None:
        """What the other end says of itself."""
        self._hop.hint = flow
        allowed = message.headers.read_all(ALLOW)
        if allowed:
            self.allowed = frozenset(allowed)

    def settle(self, response: Response) -> None:
        """The 2xx came: routes are taken from it once more (RFC 3261 13.2.2.4)."""
        if not self.confirmed:
            self.routes = list(reversed(response.headers.read_all(RECORD_ROUTE)))
            self.confirmed = True
        self.refresh(response)

    def refresh(self, message: Message) -> None:
        """Target refresh: the Contact of a request or 2xx of INVITE or UPDATE."""
        contacts = message.contacts
        if contacts and contacts[0].uri.is_sip:
            self.target = str(contacts[0].uri.bare())
        allowed = message.headers.read_all(ALLOW)
        if allowed:
            self.allowed = frozenset(allowed)

    def next_cseq(self) -> int:
        self.cseq = self.cseq + 1 if self.cseq < _CSEQ_MAX else 1
        return self.cseq

    def is_late(self, request: Request) -> bool:
        """Whether a request comes after one that was sent later (RFC 3261 12.2.2)."""
        number = request.cseq.number
        if number < self.remote_cseq:
            return True
        self.remote_cseq = number
        return False

    def request(self, method: str, cseq: int | None = None) -> Request:
        """Without Via, Contact and body. `cseq` is told for ACK only."""
        target, routes = self.target, self.routes
        if routes and "lr" not in routes[0].uri.params:
            rest = [*routes[1:], NameAddr(parse_uri(target))]
            target, routes = str(routes[0].uri.bare()), rest
        headers = Headers([("Max-Forwards", "70")])
        for route in routes:
            headers.add("Route", route)
        headers.add("From", self.local)
        headers.add("To", self.remote)
        headers.add("Call-ID", self.call_id)
        number = self.next_cseq() if cseq is None else cseq
        headers.add("CSeq", f"{number} {method}")
        return Request(method, target, headers)

    def hop(self) -> Hop:
        """Where to send requests. It stays the same as long as the URI does, and learns."""
        uri = str(self.routes[0].uri) if self.routes else self.target
        hop = self._hop
        if hop.uri != uri:
            hop = self._hop = Hop(uri, hint=hop.hint)
            if self._direct is not None:
                hop.flow, hop.pinned = self._direct, True
            elif hop.hint is not None and _is_peer(parse_uri(uri), hop.hint):
                hop.flow = hop.hint
        return hop


def tags(request: Request) -> DialogKey:
    """Of which dialog a request that came in speaks."""
    headers = request.headers
    to, from_ = headers.read(TO), headers.read(FROM)
    return request.call_id, to.tag if to else "", from_.tag if from_ else ""


def _is_peer(uri: SipUri, flow: Flow) -> bool:
    """Whether a URI with a literal address means where a flow leads."""
    transport = (uri.param("transport") or ("tls" if uri.scheme == "sips" else "udp")).lower()
    if transport != flow.transport or "maddr" in uri.params:
        return False
    try:
        same = ip_address(uri.address) == ip_address(flow.peer[0])
    except ValueError:
        return False
    return same and (uri.port or _PORTS.get(transport)) == flow.peer[1]
