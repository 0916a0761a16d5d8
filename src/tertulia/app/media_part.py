"""`python -m tertulia.app.media_part media`: a media worker, as the supervisor starts it.

By itself, so that the other parts load nothing of what audio needs.
"""

import argparse
from collections.abc import Coroutine

from tertulia.app.lifeline import ended
from tertulia.app.start import start
from tertulia.media.process import prepare
from tertulia.media.worker import work
from tertulia.settings import Settings


def _media(settings: Settings, given: argparse.Namespace) -> Coroutine[None, None, None]:
    return work(settings, given.index, lambda: ended(given.lifeline))


if __name__ == "__main__":
    prepare()
    start({"media": _media})
