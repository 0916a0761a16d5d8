"""Whether a user agent can go into a request at all (RFC 3261 section 8.2): the checks that come
before any state, in the order of the RFC."""

from collections.abc import Iterable

from tertulia.protocols.sip.fields import ACCEPT, REQUIRE
from tertulia.protocols.sip.message import Request

Refusal = tuple[int, str, tuple[tuple[str, str], ...]]
"""Status, reason phrase (empty: the usual one) and further header fields."""

SCHEMES = ("sip", "sips", "tel")
_KNOWN = frozenset({"MESSAGE", "PUBLISH", "REGISTER", "SUBSCRIBE"})
"""Methods that exist, whether or not they are allowed here."""
_ACCEPTABLE = frozenset({"application/sdp", "application/*", "*/*"})


def screen(request: Request, methods: Iterable[str], extensions: Iterable[str]) -> Refusal | None:
    """Why to refuse; None: go on. `methods` and `extensions` are those that are supported here.

    An ACK is not to be answered, and a CANCEL asks for no extensions: leave both out of this.
    """
    allowed = tuple(methods)
    if request.method not in allowed:
        return 405 if request.method in _KNOWN else 501, "", (("Allow", ", ".join(allowed)),)
    if request.uri.scheme not in SCHEMES:
        return 416, "", ()
    supported = frozenset(extensions)
    missing = [each for each in request.headers.read_all(REQUIRE) if each not in supported]
    if missing:
        return 420, "", (("Unsupported", ", ".join(missing)),)
    if request.method == "INVITE" and not _takes_descriptions(request):
        return 406, "", (("Accept", "application/sdp"),)
    return None


def _takes_descriptions(request: Request) -> bool:
    """Whether the answer may hold a session description; without Accept it may (section 20.1)."""
    accepted = request.headers.read_all(ACCEPT)
    return not accepted or any(each.value.lower() in _ACCEPTABLE for each in accepted)
