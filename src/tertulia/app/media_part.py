"""`python -m tertulia.app.media_part media`: a media worker, as the supervisor starts it.

By itself, so that the other parts load nothing of what audio needs.
"""

import argparse
from collections.abc import Coroutine

from tertulia.app.lifeline import ended
from tertulia.app.socket_servers import servers
from tertulia.app.start import start
from tertulia.dispatch.target import TargetGuard
from tertulia.media.process import prepare
from tertulia.media.worker import work
from tertulia.settings import Settings


def _media(settings: Settings, given: argparse.Namespace) -> Coroutine[None, None, None]:
    find = servers(TargetGuard(settings.webhooks.allow_networks))
    return work(settings, given.index, lambda: ended(given.lifeline), find)


if __name__ == "__main__":
    prepare()
    start({"media": _media})
