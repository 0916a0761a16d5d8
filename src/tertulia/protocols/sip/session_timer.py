"""Session timers (RFC 4028): who refreshes a session, and when it counts as lost."""

from collections.abc import Callable

from tertulia.protocols.sip.core import Core
from tertulia.protocols.sip.fields import MIN_SE, SESSION_EXPIRES, SUPPORTED, SessionExpires
from tertulia.protocols.sip.message import Request, Response
from tertulia.protocols.sip.stack import Preferences
from tertulia.protocols.sip.verbs import Pairs

_MARGIN = 32


class SessionTimer:
    def __init__(
        self,
        core: Core,
        preferences: Preferences,
        refresh: Callable[[], None],
        expired: Callable[[], None],
    ) -> None:
        self.seconds = 0
        """Agreed interval; 0: none."""
        self.is_ours = False
        """We refresh."""
        self._core = core
        self._least = preferences.min_expires
        self._wished = preferences.session_expires
        self._refresh = refresh
        self._expired = expired

    def wish(self) -> Pairs:
        """For an INVITE or UPDATE of ours."""
        seconds = self.seconds or self._wished
        if not seconds:
            return ()
        refresher = "" if not self.seconds else "uac" if self.is_ours else "uas"
        pair = ("Session-Expires", str(SessionExpires(seconds, refresher)))
        return (pair, ("Min-SE", str(self._least)))

    def is_too_small(self, request: Request) -> bool:
        """Refuse it with 422 and `least`."""
        asked = request.headers.read(SESSION_EXPIRES)
        return asked is not None and asked.seconds < self._least

    @property
    def least(self) -> Pairs:
        return (("Min-SE", str(self._least)),)

    def grant(self, request: Request) -> Pairs:
        """For our 2xx; from now on the timer runs."""
        asked = request.headers.read(SESSION_EXPIRES)
        able = "timer" in request.headers.read_all(SUPPORTED)
        if asked is None and not (able and self._wished):
            self.stop()
            return ()
        least = max(self._least, request.headers.read(MIN_SE) or 0)
        seconds = asked.seconds if asked else self._wished
        if self._wished:
            seconds = max(least, min(seconds, self._wished))
        refresher = (asked.refresher if asked else "") or ("uac" if able else "uas")
        self._run(seconds, refresher == "uas")
        pair = ("Session-Expires", str(SessionExpires(seconds, refresher)))
        return (("Require", "timer"), pair) if able and refresher == "uac" else (pair,)

    def settle(self, response: Response) -> None:
        """A 2xx came to our INVITE or UPDATE."""
        granted = response.headers.read(SESSION_EXPIRES)
        if granted is None or not granted.seconds:
            self.stop()
        else:
            self._run(max(granted.seconds, 2), granted.refresher != "uas")

    def rise(self, response: Response) -> bool:
        """A 422 came: whether it makes sense to ask again."""
        least = response.headers.read(MIN_SE) or 0
        if least <= max(self.seconds, self._wished):
            return False
        self._wished = self._least = least
        if self.seconds:
            self.seconds = least
        return True

    def stop(self) -> None:
        self.seconds = 0
        self._core.stop(self, "refresh", "expired")

    def fire(self, name: str) -> None:
        if name == "refresh":
            self._refresh()
        else:
            self._expired()

    def _run(self, seconds: int, is_ours: bool) -> None:
        self.seconds, self.is_ours = seconds, is_ours
        self._core.start(self, "expired", seconds - min(_MARGIN, seconds / 3))
        if is_ours:
            self._core.start(self, "refresh", seconds / 2)
        else:
            self._core.stop(self, "refresh")
