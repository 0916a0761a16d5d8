"""Where the websocket servers of applications are: the guard of webhooks, for media workers."""

import re

from tertulia.dispatch.answer import Failure
from tertulia.dispatch.target import TargetGuard, parse_target
from tertulia.media.sockets import Find, NoPlace, Place

_SCHEME = re.compile(r"ws(?=s?://)", re.IGNORECASE)


def servers(guard: TargetGuard) -> Find:
    async def find(url: str) -> Place:
        if not _SCHEME.match(url):
            raise NoPlace("the address is not a ws or wss URL")
        # A websocket begins as a request by http, and the same is asked of its address.
        target = parse_target(_SCHEME.sub("http", url, count=1))
        if isinstance(target, Failure):
            raise NoPlace(target.reason)
        addresses = await guard.addresses(target)
        if isinstance(addresses, Failure):
            raise NoPlace(addresses.reason)
        return Place(
            addresses, target.host, target.port, target.authority, target.path, target.secure
        )

    return find
