"""`python -m tertulia.app.part hub|dispatcher`: how the supervisor starts a part."""

import argparse
from collections.abc import Coroutine

from tertulia.app import dispatching, hub
from tertulia.app.report import Ends
from tertulia.app.start import start
from tertulia.settings import Settings


def _hub(settings: Settings, given: argparse.Namespace) -> Coroutine[None, None, None]:
    return hub.serve(settings, Ends(given.link, given.lifeline), dev=given.dev)


def _dispatcher(settings: Settings, given: argparse.Namespace) -> Coroutine[None, None, None]:
    return dispatching.dispatch(settings, Ends(given.link, given.lifeline))


if __name__ == "__main__":
    start({"hub": _hub, "dispatcher": _dispatcher})
