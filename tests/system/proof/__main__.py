"""`make events-proof`: cause every event of the catalogue, look for it at the webhook, in live
sessions and in the history, print one table. Exits with 1 unless all is as the catalogue says.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.system.proof.client_scenes import SENTENCE
from tests.system.proof.proving import prove
from tests.system.speakers import can_speak, spoken
from tests.system.tree import Tree


def main() -> None:
    if not can_speak():
        sys.exit("what is said must be understood: install tertulia[speech]")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trees: list[Tree] = []

        def plant(**environment: str) -> Tree:
            trees.append(Tree(folder, environment=environment))
            return trees[-1]

        try:
            voices = asyncio.run(spoken(folder / "said.raw"))
            proof = asyncio.run(prove(plant, folder, voices[SENTENCE]))
        finally:
            for tree in trees:
                tree.end()
    print(proof)
    sys.exit(bool(proof.faults))


if __name__ == "__main__":
    main()
