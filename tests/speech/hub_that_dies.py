"""For a test: a process whose engine hangs. `python hub_that_dies.py FOLDER`."""

import asyncio
import sys
from pathlib import Path

from tests.speech.test_pool import pool

from tertulia.ports.speech import Utterance


async def main(folder: Path) -> None:
    (folder / "hang").touch()
    await pool(folder).say(Utterance("One. hang."), folder / "said.raw")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
