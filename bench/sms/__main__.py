"""`python -m bench.sms [PART…]`: measures, prints a table, writes bench/.work/sms.json."""

import argparse
from functools import partial

from bench.parts import measure
from bench.report import Row
from bench.sip.server import leave_first_core
from bench.sms import rows

TITLES = {"steady": "POST /v1/messages to an SMSC", "restart": "the same, the SMSC cut in between"}


def main() -> None:
    options = _options()
    parts = {part: partial(_run, part, options.messages) for part in TITLES}
    measure("sms", parts, options.parts)


def _run(part: str, messages: int) -> list[Row]:
    leave_first_core()
    return rows.of_messages(part, TITLES[part], messages, cuts=part == "restart")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.sms", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(TITLES)}")
    parser.add_argument("--messages", type=int, default=100_000, help="(100000)")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(TITLES):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    main()
