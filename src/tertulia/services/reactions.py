"""What the log and the media workers make happen to calls."""

from tertulia.model.commands import Closed, Down, Up
from tertulia.model.event import Event
from tertulia.model.events.audio import LegAudio
from tertulia.model.events.registry import find
from tertulia.model.ids import LegId
from tertulia.model.state import Member, Profile
from tertulia.services.calls import Calls
from tertulia.services.conductor import Hearings, Reactions
from tertulia.services.knocking import Knocking
from tertulia.services.legs import Legs
from tertulia.services.signalling import Signalling

_MUTES = {
    "audio:mute:on": ("muted", True), "audio:mute:off": ("muted", False),
    "audio:earmuff:on": ("earmuffed", True), "audio:earmuff:off": ("earmuffed", False),
}  # fmt: skip


class CallReactions:
    def __init__(
        self, *, calls: Calls, legs: Legs, signalling: Signalling, knocking: Knocking
    ) -> None:
        self._calls = calls
        self._legs = legs
        self._signalling = signalling
        self._knocking = knocking

    @property
    def reactions(self) -> Reactions:
        return {
            "member:joined": self._joined, "member:left": self._left,
            "conversation:deleted": self._deleted, **dict.fromkeys(_MUTES, self._muted),
        }  # fmt: skip

    @property
    def hearings(self) -> Hearings:
        return {Up: self._calls.up, Down: self._calls.down, Closed: self._closed}

    async def _joined(self, event: Event) -> None:
        if isinstance(event.became, Member):
            await self._calls.entered(event.became)

    async def _left(self, event: Event) -> None:
        if isinstance(event.became, Member):
            await self._calls.departed(event.became)
            await self._signalling.abandoned(event.became)

    async def _deleted(self, event: Event) -> None:
        if isinstance(event.became, Profile):
            await self._calls.closed(event.became.id)

    async def _closed(self, report: Closed) -> None:
        live = self._legs.live(report.leg)
        if live is not None:  # whoever ends it now need not wait for this
            live.hang_up(report.account)
        await self._knocking.lost(LegId(report.leg))
        await self._calls.gone(report)

    async def _muted(self, event: Event) -> None:
        body = body_of(event)
        live = self._legs.live(body.rtc_id) if isinstance(body, LegAudio) else None
        if live is None or live.leg.conversation_id != event.conversation_id:
            return
        setting, on = _MUTES[event.type]
        if setting == "muted":
            await self._calls.hear(live, muted=on)
        else:
            await self._calls.hear(live, earmuffed=on)


def body_of(event: Event) -> object:
    """The typed body of a stored event; None when it is blank or of another time."""
    event_type = find(event.type)
    if event_type is None or event.deleted_at is not None:
        return None
    try:
        return event_type.decoder.decode(event.body)
    except ValueError:
        return None
