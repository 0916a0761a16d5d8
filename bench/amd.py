"""`python -m bench.amd`: how right the detection of answering machines is, and how soon.

Prints a confusion matrix for each set of greetings, and writes bench/.work/amd.json.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from statistics import median

import msgspec
from tests.media.greetings import can_speak
from tests.media.verdicts import SETS, Outcome, Summary, outcomes, summary

from bench.places import WORK
from bench.report import Row, table
from tertulia.model.amd import HUMAN, MACHINE

VERDICTS = (HUMAN, MACHINE, "none")


def main() -> None:
    options = _options()
    if not can_speak():
        sys.exit("no speech synthesis is installed: install tertulia[speech], or espeak-ng")
    rows: list[Row] = []
    for name in SETS:
        results = outcomes(name, options.size, options.seed)
        found = summary(results)
        print(f"\n## {name}: {found.size} greetings\n\n{_matrix(found)}\n\n{_wrong(results)}")
        rows += _rows(name, found)
    print(f"\n{table(rows)}")
    WORK.mkdir(exist_ok=True)
    encoded = msgspec.json.format(msgspec.json.encode(rows), indent=2)
    (WORK / "amd.json").write_bytes(encoded)
    sys.exit(any(row.met is False for row in rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.amd", description=__doc__)
    parser.add_argument("--size", type=int, default=240, help="greetings of each set (240)")
    parser.add_argument("--seed", type=int, default=0, help="for other greetings (0)")
    return parser.parse_args()


def _matrix(found: Summary) -> str:
    lines = ["| was | " + " | ".join(f"judged {each}" for each in VERDICTS) + " |"]
    lines.append("| --- |" + " --- |" * len(VERDICTS))
    for truth in (HUMAN, MACHINE):
        counts = (str(found.matrix[truth, verdict]) for verdict in VERDICTS)
        lines.append(f"| {truth} | {' | '.join(counts)} |")
    return "\n".join(lines)


def _wrong(results: Sequence[Outcome]) -> str:
    wrong = Counter(
        f"{each.greeting.kind}: {each.verdict} ({each.cause})"
        for each in results
        if each.verdict != each.truth
    )
    return "Wrong: " + ("; ".join(f"{count} × {what}" for what, count in wrong.items()) or "none")


def _rows(name: str, found: Summary) -> list[Row]:
    late = sorted(found.beeps)
    known = len(late) + found.missed_beeps
    near = late[int(0.99 * (len(late) - 1))]
    return [
        Row(name, "verdicts that are right", f"{found.right:.1%}", "≥ 95 %", found.right >= 0.95),
        Row(name, "persons taken for machines", f"{found.humans_lost:.1%}", "< 2 %",
            found.humans_lost < 0.02),
        Row(name, "verdict after the answer, median", f"{found.verdict_ms:.0f} ms", "< 2500 ms",
            found.verdict_ms < 2500),
        Row(name, "of persons, of machines", f"{found.human_ms:.0f}, {found.machine_ms:.0f} ms"),
        Row(name, "beep after it began, median", f"{median(late):.0f} ms"),
        Row(name, "99 of 100 beeps", f"{near:.0f} ms", "≤ 200 ms", near <= 200),
        Row(name, "beeps found", f"{len(late)} of {known}, {found.false_beeps} false"),
    ]  # fmt: skip


if __name__ == "__main__":
    main()
