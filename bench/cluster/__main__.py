"""`python -m bench.cluster [PART…]`: measures, prints a table, writes bench/.work/cluster.json.

The last part computes from what the others have measured what that means for more nodes.
"""

import argparse
from collections.abc import Callable
from functools import partial

from bench.cluster import crossing, homes, model, spreading, storing
from bench.cluster.measured import Measured, Scale
from bench.parts import measure
from bench.report import Row

PARTS: dict[str, Callable[[Scale, Measured], list[Row]]] = {
    "storing": storing.measure,
    "deliveries": crossing.measure_rate,
    "crossing": crossing.measure_delay,
    "spreading": spreading.measure,
    "homes": homes.measure,
    "model": model.measure,
}


def main() -> None:
    options = _options()
    scale = Scale(2.0, 1, 2) if options.quick else Scale(options.seconds, options.rounds, 9)
    measured = Measured()
    parts = {name: partial(part, scale, measured) for name, part in PARTS.items()}
    measure("cluster", parts, options.parts)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.cluster", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each run (8)")
    parser.add_argument("--rounds", type=int, default=3, help="of each contender (3)")
    parser.add_argument("--quick", action="store_true", help="one short round of everything")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    main()
