"""`python -m bench.sip [PART…]`: measures, prints a table, writes bench/.work/sip.json."""

import argparse
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import msgspec

from bench import live, machine
from bench.places import WORK, Failed, Skipped
from bench.report import Row, failed, skipped, table
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
    live.allow_files()
    machine_line = machine.describe()
    foreign, begun = machine.Others(), time.monotonic()
    found: list[Row] = []
    for part in options.parts or PARTS:
        found += _run(part, effort)
    others = foreign.share()
    print(f"\n{table(found)}\n\n{machine_line}")
    print(
        f"{time.monotonic() - begun:.0f} s. Other processes meanwhile took, of one core: "
        f"{others:.0%}"
    )
    result = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine_line,
        "others": others,
        "rows": found,
    }
    WORK.mkdir(exist_ok=True)
    (WORK / "sip.json").write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2))
    sys.exit(any(row.failed for row in found))


def _run(part: str, effort: Effort) -> list[Row]:
    try:
        server.leave_first_core()
        return PARTS[part](effort)
    except Skipped as reason:
        return [skipped(part, "", reason)]
    except Failed as reason:
        return [failed(part, "", reason)]


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
