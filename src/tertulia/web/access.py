"""Who sends a request: the Authorization header, checked and remembered.

A verified token is kept until it expires, with the public key that verified it: when the
application's key changes or the application goes, the token is worth nothing within a second, or at
once in the process that was told to `forget`.
"""

import binascii
import hmac
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, Protocol

from msgspec import Struct
from msgspec.structs import replace

from tertulia.model.acl import Acl, compile_acl
from tertulia.model.errors import ExpiredToken, InvalidToken
from tertulia.model.ids import ApplicationId
from tertulia.model.instant import Instant
from tertulia.model.state import Application
from tertulia.protocols import jwt

TOKENS_MAX = 10_000
APPLICATIONS_MAX = 10_000
APPLICATION_FRESH = 1.0
"""Seconds that an application is taken as last seen."""
_BASIC_MAX = 1024


class Applications(Protocol):
    """The part of the Directory that is needed here."""

    async def application(self, application_id: ApplicationId) -> Application | None: ...


class Account(Protocol):
    """The account's own credentials."""

    @property
    def api_key(self) -> str: ...

    @property
    def api_secret(self) -> str: ...


class Identity(Struct, frozen=True):
    """Whom a verified token speaks for, and what it may do."""

    application: Application
    user_name: str | None
    """None: it acts as the application."""
    jti: str
    acl: Acl | None
    expires_at: Instant

    def require(self, method: str, path: str) -> None:
        """Raises Forbidden when the token does not grant this."""
        if self.acl is not None:
            self.acl.require(method, path)


class _Seen(NamedTuple):
    application: Application
    until: float


class Access:
    """Turns credentials into identities. `monotonic` gives seconds."""

    def __init__(
        self, applications: Applications, account: Account, monotonic: Callable[[], float]
    ) -> None:
        self._applications = applications
        self._account = account
        self._monotonic = monotonic
        self._identities: OrderedDict[str, Identity] = OrderedDict()
        self._seen: OrderedDict[ApplicationId, _Seen] = OrderedDict()
        self._forgotten = 0
        """How often: a look-up that was under way meanwhile may have found what is no more."""

    async def identify(self, header: str | None, now: Instant) -> Identity:
        """Whom a bearer Authorization header speaks for.

        COMPAT: one published client spells the scheme `bearer` (wire-clients 1.6).
        """
        return await self.identify_token(_credentials(header, "bearer"), now)

    async def identify_token(self, token: str, now: Instant, *, keep: bool = True) -> Identity:
        """As `identify`, for a token that came by another way than a header.

        Without `keep` it is not remembered: a session shows its token once, and a thousand of
        them would push out, or weigh more than, all that is needed again.
        """
        known = self._identities.get(token)
        if known is None:
            return await self._verify(token, now, keep=keep)
        if known.expires_at <= now:
            del self._identities[token]
            raise ExpiredToken()
        application = await self._application(known.application.id)
        if application is known.application:
            self._touch(token)
            return known
        if application is None or application.public_key != known.application.public_key:
            self._identities.pop(token, None)
            return await self._verify(token, now)
        return self._keep(token, replace(known, application=application))

    def account(self, header: str | None) -> str:
        """The api key of a Basic Authorization header that is the account's.

        Takes the same time whichever part is wrong. An account without a secret lets nobody in.
        """
        api_key, _, api_secret = _basic(_credentials(header, "basic")).partition(b":")
        return self.secret(api_key, api_secret)

    def secret(self, api_key: bytes, api_secret: bytes) -> str:
        """As `account`, for a key and a secret that came by another way."""
        account = self._account
        is_key = hmac.compare_digest(api_key, account.api_key.encode())
        is_secret = hmac.compare_digest(api_secret, account.api_secret.encode())
        if not (is_key & is_secret) or not account.api_secret:
            raise InvalidToken("The API key or the API secret is wrong.")
        return account.api_key

    def key(self, api_key: str) -> None:
        """Raises InvalidToken unless it is the account's: a signature is to show the rest."""
        if not hmac.compare_digest(api_key.encode(), self._account.api_key.encode()):
            raise InvalidToken("The API key is wrong.")

    def forget(self, application_id: ApplicationId) -> None:
        """Look the application up again: it has changed or is gone."""
        self._forgotten += 1
        self._seen.pop(application_id, None)

    async def _verify(self, token: str, now: Instant, *, keep: bool = True) -> Identity:
        try:
            application_id = ApplicationId(jwt.peek_application_id(token))
            application = await self._application(application_id)
            if application is None:
                raise InvalidToken("The token's application does not exist.")
            claims = jwt.verify(token, _public_key(application.public_key), now=now)
        except jwt.TokenExpired:
            raise ExpiredToken() from None
        except jwt.TokenRefused as refusal:
            raise InvalidToken(str(refusal)) from None
        identity = Identity(
            application, claims.sub, claims.jti, compile_acl(claims.acl),
            Instant(claims.expires_at),
        )  # fmt: skip
        return self._keep(token, identity) if keep else identity

    def _keep(self, token: str, identity: Identity) -> Identity:
        self._identities[token] = identity
        if len(self._identities) > TOKENS_MAX:
            self._identities.popitem(last=False)
        return identity

    def _touch(self, token: str) -> None:
        if token in self._identities:
            self._identities.move_to_end(token)

    async def _application(self, application_id: ApplicationId) -> Application | None:
        now = self._monotonic()
        seen = self._seen.get(application_id)
        if seen is not None:
            if now < seen.until:
                return seen.application
            # One looks; the others go on with what was seen meanwhile.
            self._seen[application_id] = _Seen(seen.application, now + APPLICATION_FRESH)
        forgotten = self._forgotten
        found = await self._applications.application(application_id)
        if forgotten == self._forgotten:
            self._see(application_id, found, now)
        return found

    def _see(self, application_id: ApplicationId, found: Application | None, now: float) -> None:
        if found is None:
            self._seen.pop(application_id, None)
            return
        seen = self._seen.get(application_id)
        if seen is not None and seen.application == found:
            # Keep the object that identities hold, so that none needs to be made anew.
            found = seen.application
        self._seen[application_id] = _Seen(found, now + APPLICATION_FRESH)
        if len(self._seen) > APPLICATIONS_MAX:
            self._seen.popitem(last=False)


@lru_cache(maxsize=1024)
def _public_key(pem: str) -> jwt.PublicKey:
    """Raises InvalidToken: with a key that is none, no token is good."""
    try:
        return jwt.load_public_key(pem)
    except ValueError:
        raise InvalidToken("The token's application has no public key.") from None


def _credentials(header: str | None, scheme: str) -> str:
    found, _, credentials = (header or "").partition(" ")
    if found.lower() != scheme or not credentials:
        raise InvalidToken(f"An Authorization header with {scheme} credentials is required.")
    return credentials.strip()


def _basic(credentials: str) -> bytes:
    """Key and secret of Basic credentials (RFC 7617)."""
    if len(credentials) <= _BASIC_MAX:
        try:
            return binascii.a2b_base64(credentials.encode(), strict_mode=True)
        except (binascii.Error, UnicodeEncodeError):
            pass
    raise InvalidToken("The basic credentials are not base64.")
