"""By which ways an endpoint is called."""

from collections.abc import Callable

from tertulia.model.ids import ApplicationId
from tertulia.model.state import Endpoint
from tertulia.model.telephone import Dial
from tertulia.protocols.sip.digest import Credentials
from tertulia.protocols.sip.grammar import Malformed
from tertulia.protocols.sip.uri import SipUri, parse_uri
from tertulia.sip.outgoing import Failure, Way
from tertulia.sip.plan import Plan, is_number, plain
from tertulia.sip.registrar import Owner, Registrar
from tertulia.sip.trunks import Trunks

Waves = list[list[Way]]
NO_TRUNK = Failure(404, "No trunk leads there")
NOT_REGISTERED = Failure(480, "Not registered")
NO_ADDRESS = Failure(484)


class Router:
    def __init__(
        self, plan: Plan, trunks: Trunks, registrar: Registrar, *, now: Callable[[], float],
        domain: Callable[[], str], is_us: Callable[[SipUri], bool],
    ) -> None:  # fmt: skip
        """`domain` is ours, as strangers see it; `is_us` knows URIs that lead to us."""
        self._plan = plan
        self._trunks = trunks
        self._registrar = registrar
        self._now = now
        self._domain = domain
        self._is_us = is_us

    def ways(self, call: Dial) -> Waves | Failure:
        to = call.to
        if to.type == "phone":
            return self._phone(to.number or "")
        if to.type == "sip":
            return self._uri(call.application_id, to)
        if to.type == "vbc" and to.extension:
            return self._user(call.application_id, to.extension)
        return NO_ADDRESS

    def softphones(self, call: Dial) -> Owner | None:
        """Whose softphones it is for, if that user has any."""
        if call.to.type == "vbc" and call.to.extension:
            return Owner(call.application_id, call.to.extension)
        uri = _read(call.to.uri or "") if call.to.type == "sip" else None
        if uri is None or uri.scheme == "tel" or not uri.user:
            return None
        is_ours = self._plan.tenant(uri.address) == call.application_id
        return Owner(call.application_id, uri.user) if is_ours else None

    def _phone(self, number: str) -> Waves | Failure:
        if not is_number(number):
            return NO_ADDRESS
        waves: Waves = []
        for trunk in self._trunks.ways(number):
            uri = trunk.uri(trunk.plan.dialled(number))
            if uri is not None:
                domain = trunk.plan.host or self._domain()
                waves.append([Way(uri, domain, trunk=trunk, credentials=trunk.credentials)])
        return waves or NO_TRUNK

    def _user(self, application_id: ApplicationId, name: str) -> Waves | Failure:
        bindings = self._registrar.bindings(Owner(application_id, name), self._now())
        if not bindings:
            return NOT_REGISTERED
        return [[Way(str(each.uri), each.flow.local[0], each.flow) for each in bindings]]

    def _uri(self, application_id: ApplicationId, to: Endpoint) -> Waves | Failure:
        uri = _read(to.uri or "")
        if uri is None:
            return NO_ADDRESS
        if uri.scheme == "tel":
            return self._phone(plain(uri.user))
        if self._plan.tenant(uri.address) == application_id:
            found = self._user(application_id, uri.user)
            if not isinstance(found, Failure):
                return found
            is_home = self._plan.knows(uri.address) or uri.address == application_id
            if is_home or self._is_us(uri):
                return found
        credentials = None
        if to.username and to.password:
            credentials = Credentials(to.username, to.password)
        return [[Way(str(uri), self._domain(), credentials=credentials)]]


def _read(text: str) -> SipUri | None:
    try:
        uri = parse_uri(text)
    except Malformed:
        return None
    return uri.bare() if uri.scheme in ("sip", "sips", "tel") else None
