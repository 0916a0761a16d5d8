"""`python -m bench.sip [PART…]`: measures, prints a table, writes bench/.work/sip.json."""

import argparse
from collections.abc import Callable
from functools import partial

from bench.parts import measure
from bench.report import Row
from bench.sip import rows, server
from bench.sip.search import Effort

PARTS: dict[str, Callable[[Effort], list[Row]]] = {
    "webhooks": partial(rows.of_calls, told=True),
    "calls": partial(rows.of_calls, told=False),
    "agent": partial(rows.of_peer, "agent", "our SIP agent alone", server.agent),
    "sippy": partial(rows.of_peer, "sippy", "sippy, signalling alone", server.sippy),
    "outbound": rows.of_outbound,
}


def main() -> None:
    options = _options()
    effort = Effort(1000, 2, 5.0) if options.quick else Effort(options.calls, 5, 10.0)
    measure("sip", {name: partial(_run, part, effort) for name, part in PARTS.items()},
            options.parts)  # fmt: skip


def _run(part: Callable[[Effort], list[Row]], effort: Effort) -> list[Row]:
    server.leave_first_core()
    return part(effort)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.sip", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="1000 calls, two more rates of 5 s")
    parser.add_argument("--calls", type=int, default=10_000, help="at 200 a second (10000)")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    main()
