"""`python -m bench.media [PART…]`: measures, prints a table, writes bench/.work/media.json."""

import argparse
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from bench import live, machine
from bench.media import rows, voice
from bench.media.capacity import Effort
from bench.media.scenes import PROTECTED, SCENES, Scene
from bench.places import WORK, Failed, Skipped
from bench.report import Row, failed, skipped, table

Part = Callable[[rows.Measured, Effort], list[Row]]


def _scene(scene: Scene) -> Part:
    return lambda measured, effort: rows.of_scene(measured, scene, effort)


PARTS: dict[str, Part] = {
    **{scene.name: _scene(scene) for scene in (*SCENES, *PROTECTED)},
    "aiortc": rows.of_aiortc,
    "delay": rows.of_delay,
    "joins": rows.of_joins,
    "speech": rows.of_speech,
}
QUICK = PARTS.keys() - {"opus-srtp", "audience-srtp"}


def main() -> None:
    options = _options()
    effort = Effort(2.0, 2) if options.quick else Effort(options.seconds, options.steps)
    live.allow_files()
    machine_line = machine.describe()
    foreign, begun = machine.Others(), time.monotonic()
    measured = rows.Measured()
    found: list[Row] = []
    for part in options.parts or [part for part in PARTS if not options.quick or part in QUICK]:
        found += _run(part, measured, effort)
    found += rows.ratios(measured)
    others = foreign.share()
    print(f"\n{table(found)}\n\n{machine_line}")
    print(
        f"Speech by {voice.spoken_by()}. {time.monotonic() - begun:.0f} s. "
        f"Other processes meanwhile took, of one core: {others:.0%}"
    )
    result = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine_line,
        "others": others,
        "rows": found,
    }
    WORK.mkdir(exist_ok=True)
    (WORK / "media.json").write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2))
    sys.exit(any(row.failed for row in found))


def _run(part: str, measured: rows.Measured, effort: Effort) -> list[Row]:
    try:
        return PARTS[part](measured, effort)
    except Skipped as reason:
        return [skipped(part, "", reason)]
    except Failed as reason:
        return [failed(part, "", reason)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.media", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="runs of 2 s, two numbers of legs")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each run (4)")
    parser.add_argument("--steps", type=int, default=4, help="numbers of legs that are tried (4)")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    main()
