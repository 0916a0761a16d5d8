"""`python -m bench [PART…]`: measures, prints a Markdown table, writes bench/.work/result.json."""

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from bench import ingest, machine, page, rooms, sessions, start, webhooks
from bench.places import WORK, Failed, Skipped
from bench.report import Row, failed, skipped, table

PARTS: dict[str, Callable[[argparse.Namespace], list[Row]]] = {
    "ingest": lambda options: ingest.measure(options.seconds, options.rounds),
    "page": lambda options: page.measure(options.events),
    "webhooks": lambda options: webhooks.measure(2 * options.seconds),
    "rooms": lambda options: rooms.measure(options.seconds, options.rounds),
    "sessions": lambda options: sessions.measure(2 * options.seconds),
    "start": lambda options: start.measure(),
}


def main() -> None:
    options = _options()
    machine_line = machine.describe()
    rows: list[Row] = []
    others: dict[str, float] = {}
    for part in options.parts or PARTS:
        foreign = machine.Others()
        rows += _run(part, options)
        others[part] = foreign.share()
    disturbed = ", ".join(f"{part} {share:.0%}" for part, share in others.items())
    print(f"\n{table(rows)}\n\n{machine_line}")
    print(f"Other processes meanwhile took, of one core: {disturbed}")
    result = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine_line,
        "others": others,
        "rows": rows,
    }
    WORK.mkdir(exist_ok=True)
    encoded = msgspec.json.format(msgspec.json.encode(result), indent=2)
    (WORK / "result.json").write_bytes(encoded)
    sys.exit(any(row.failed for row in rows))


def _run(part: str, options: argparse.Namespace) -> list[Row]:
    try:
        return PARTS[part](options)
    except Skipped as reason:
        return [skipped(part, "", reason)]
    except Failed as reason:
        return [failed(part, "", reason)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each run (5)")
    parser.add_argument(
        "--rounds", type=int, default=2, help="of each contender in ingest and rooms (2)"
    )
    parser.add_argument("--events", type=int, default=10_000_000, help="of the page store")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    main()
