"""What the benchmarks of parts have in common: each part gives rows, all together a table."""

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

import msgspec

from bench import live, machine
from bench.places import WORK, Failed, Skipped
from bench.report import Row, failed, skipped, table

Measure = Callable[[], list[Row]]


def measure(name: str, parts: Mapping[str, Measure], wanted: Iterable[str]) -> None:
    """Print a table, write bench/.work/{name}.json, and exit: with 1 when a part has failed."""
    live.allow_files()
    machine_line = machine.describe()
    foreign, begun = machine.Others(), time.monotonic()
    found: list[Row] = []
    for part in wanted or parts:
        found += _run(part, parts[part])
    others, seconds = foreign.share(), time.monotonic() - begun
    print(f"\n{table(found)}\n\n{machine_line}")
    print(f"{seconds:.0f} s. Other processes meanwhile took, of one core: {others:.0%}")
    result = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine_line,
        "others": others,
        "rows": found,
    }
    WORK.mkdir(exist_ok=True)
    (WORK / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2))
    sys.exit(any(row.failed for row in found))


def _run(part: str, measure: Measure) -> list[Row]:
    try:
        return measure()
    except Skipped as reason:
        return [skipped(part, "", reason)]
    except Failed as reason:
        return [failed(part, "", reason)]
