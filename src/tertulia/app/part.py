"""`python -m tertulia.app.part hub|dispatcher`: how the supervisor starts a part."""

import argparse
import gc
import sys
from pathlib import Path

import uvloop

from tertulia.app import dispatching, hub
from tertulia.app.flags import add_flags, read_settings
from tertulia.app.logs import log_to_stderr
from tertulia.app.report import Ends
from tertulia.model.errors import TertuliaError
from tertulia.settings import SettingsError


def main() -> None:
    parser = argparse.ArgumentParser("tertulia.app.part")
    parser.add_argument("part", choices=("hub", "dispatcher"))
    parser.add_argument("--config", type=Path)
    parser.add_argument("--dev", action="store_true")
    parser.add_argument("--link", type=int, required=True)
    parser.add_argument("--lifeline", type=int, required=True)
    add_flags(parser)
    given = parser.parse_args()
    try:
        _run(given)
    except (SettingsError, TertuliaError) as error:
        sys.exit(f"tertulia: {error}")


def _run(given: argparse.Namespace) -> None:
    settings = read_settings(given)
    log_to_stderr(settings)
    ends = Ends(link=given.link, lifeline=given.lifeline)
    _collect_seldom()
    if given.part == "hub":
        uvloop.run(hub.serve(settings, ends, dev=given.dev))
    else:
        uvloop.run(dispatching.dispatch(settings, ends))


def _collect_seldom() -> None:
    """Look for garbage cycles less often, and never in what was loaded at the start.

    Requests leave hardly any cycles, but each makes enough objects to set the collector off at
    its default of 700: it took a third of the main thread's time, and most of the slowest 1 %.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


if __name__ == "__main__":
    main()
