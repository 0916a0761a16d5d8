"""`python -m tertulia.app.part hub|dispatcher`: how the supervisor starts a part."""

import argparse
import sys
from pathlib import Path

import uvloop

from tertulia.app import dispatching, hub
from tertulia.app.flags import add_flags, read_settings
from tertulia.app.logs import log_to_stderr
from tertulia.app.report import Ends


def main() -> int:
    parser = argparse.ArgumentParser("tertulia.app.part")
    parser.add_argument("part", choices=("hub", "dispatcher"))
    parser.add_argument("--config", type=Path)
    parser.add_argument("--dev", action="store_true")
    parser.add_argument("--link", type=int, required=True)
    parser.add_argument("--lifeline", type=int, required=True)
    add_flags(parser)
    given = parser.parse_args()
    settings = read_settings(given)
    log_to_stderr(settings)
    ends = Ends(link=given.link, lifeline=given.lifeline)
    if given.part == "hub":
        uvloop.run(hub.serve(settings, ends, dev=given.dev))
    else:
        uvloop.run(dispatching.dispatch(settings, ends))
    return 0


if __name__ == "__main__":
    sys.exit(main())
