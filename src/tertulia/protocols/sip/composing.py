"""Requests outside of dialogs as they are written: who calls whom, by which way."""

from msgspec.structs import replace

from tertulia.protocols.sip.fields import NameAddr
from tertulia.protocols.sip.headers import Headers
from tertulia.protocols.sip.message import Request
from tertulia.protocols.sip.stack import EXTENSIONS, Stack, extend, fill
from tertulia.protocols.sip.uri import SipUri, parse_uri
from tertulia.protocols.sip.verbs import Ask, Invite

ANONYMOUS = "sip:anonymous@anonymous.invalid"
_TO_LEFT_OUT = ("method",)


def identify(verb: Invite | Ask) -> str:
    """User part of our Contact; it tells nobody who withholds a number."""
    if isinstance(verb, Invite) and verb.withheld:
        return "anonymous"
    return parse_uri(verb.caller).userinfo or ""


def invitation(stack: Stack, verb: Invite) -> Request:
    """INVITE without Via and Contact. Raises Malformed."""
    caller = NameAddr(parse_uri(verb.caller), verb.display)
    shown = NameAddr(parse_uri(ANONYMOUS), "Anonymous") if verb.withheld else caller
    headers = _begun(verb.route, verb.max_forwards)
    request = _addressed(stack, "INVITE", parse_uri(verb.to), shown, headers)
    headers.add("CSeq", "1 INVITE")
    if verb.asserted:
        headers.add("P-Asserted-Identity", caller)
    if verb.withheld:
        headers.add("Privacy", "id")
    stack.describe(request)
    if not verb.body:
        offered = ", ".join(each for each in EXTENSIONS if each != "100rel")
        headers.set("Supported", offered)
    extend(request, verb.headers)
    fill(request, verb.body)
    return request


def question(stack: Stack, verb: Ask, call_id: str, cseq: int) -> Request:
    """A request of no call. Raises Malformed."""
    headers = _begun(verb.route, 70)
    target, caller = parse_uri(verb.to), NameAddr(parse_uri(verb.caller))
    request = _addressed(stack, verb.method, target, caller, headers, call_id)
    if verb.method == "REGISTER":
        headers.set("To", NameAddr(caller.uri))
        if verb.expires is not None:
            headers.add("Expires", verb.expires)
    headers.add("CSeq", f"{cseq} {verb.method}")
    stack.describe(request)
    extend(request, verb.headers)
    fill(request, verb.body, verb.content_type)
    return request


def _begun(route: tuple[str, ...], max_forwards: int) -> Headers:
    headers = Headers([("Max-Forwards", max_forwards)])
    for uri in route:
        headers.add("Route", NameAddr(_loose(parse_uri(uri))))
    return headers


def _loose(uri: SipUri) -> SipUri:
    """Proxies that we are told of route as RFC 3261 says."""
    return uri if "lr" in uri.params else replace(uri, params={**uri.params, "lr": None})


def _addressed(
    stack: Stack, method: str, to: SipUri, caller: NameAddr, headers: Headers, call_id: str = ""
) -> Request:
    target = to.bare()
    headers.add("From", caller.with_tag(stack.core.token()))
    headers.add("To", NameAddr(replace(target, params={}) if target.is_sip else target))
    headers.add("Call-ID", call_id or stack.core.token(16))
    return Request(method, target, headers)
