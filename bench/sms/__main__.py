"""`python -m bench.sms [PART…]`: measures, prints a table, writes bench/.work/sms.json."""

import argparse
from collections.abc import Callable
from functools import partial

from bench import peers
from bench.parts import measure
from bench.report import Row
from bench.sip.server import leave_first_core
from bench.sms import rows

PARTS: dict[str, Callable[[int], list[Row]]] = {
    "steady": partial(rows.of_messages, "steady", "POST /v1/messages to an SMSC", cuts=False),
    "restart": partial(rows.of_messages, "restart", "the same, the SMSC cut in between", cuts=True),
    "carrier": partial(rows.of_client, "carrier", "our SMPP carrier alone", program=rows.ours),
    "node": partial(rows.of_client, "node", "npm smpp alone", program=peers.sms_node),
}


def main() -> None:
    options = _options()
    parts = {name: partial(_run, part, options.messages) for name, part in PARTS.items()}
    measure("sms", parts, options.parts)


def _run(part: Callable[[int], list[Row]], messages: int) -> list[Row]:
    leave_first_core()
    return part(messages)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.sms", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--messages", type=int, default=100_000, help="(100000)")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    main()
