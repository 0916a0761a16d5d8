"""How a part starts: its arguments, its settings and log, then its loop."""

import argparse
import gc
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path

import uvloop

from tertulia.app.flags import add_flags, read_settings
from tertulia.app.logs import log_to_stderr
from tertulia.model.errors import TertuliaError
from tertulia.settings import Settings, SettingsError

Run = Callable[[Settings, argparse.Namespace], Coroutine[None, None, None]]


def start(parts: Mapping[str, Run]) -> None:
    """Run the part that the command line names, until it ends."""
    parser = argparse.ArgumentParser("tertulia.app.part")
    parser.add_argument("part", choices=tuple(parts))
    parser.add_argument("--config", type=Path)
    parser.add_argument("--dev", action="store_true")
    parser.add_argument("--link", type=int)
    parser.add_argument("--lifeline", type=int, required=True)
    parser.add_argument("--index", type=int, default=0)
    add_flags(parser)
    given = parser.parse_args()
    try:
        settings = read_settings(given)
        log_to_stderr(settings)
        _collect_seldom()
        uvloop.run(parts[given.part](settings, given))
    except (SettingsError, TertuliaError) as error:
        sys.exit(f"tertulia: {error}")


def _collect_seldom() -> None:
    """Look for garbage cycles less often, and never in what was loaded at the start.

    Requests leave hardly any cycles, but each makes enough objects to set the collector off at
    its default of 700: it took a third of the main thread's time, and most of the slowest 1 %.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
