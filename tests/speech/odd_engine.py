"""An engine for tests: `python odd_engine.py FOLDER [HOW]`. It does what the text says.

`die` and `hang` come true once for each file of that name in FOLDER, which is then gone.
"""

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from tertulia.ports.speech import Reading
from tertulia.speech.messages import Hear, Heard, Order, Progress, Said
from tertulia.speech.serving import Work, serve

FOLDER = Path(sys.argv[1])
HOW = sys.argv[2] if len(sys.argv) > 2 else ""


def load() -> Work:
    (FOLDER / f"{os.getpid()}.pid").touch()
    if HOW == "refuse":
        raise OSError("there is no model")
    if HOW == "crash":
        os._exit(3)
    print("what a library prints is not for the hub")
    return work


def work(order: Order) -> Iterator[Progress]:
    if isinstance(order, Hear):
        for number in range(order.skip_ms // 1000, 3):
            misbehave(f"hear {number}")
            yield Heard((number + 1) * 1000, (Reading(f"part {number}", 0.5),))
        return
    for piece in order.pieces[order.skip :]:
        if piece.text == "refuse.":
            raise ValueError("this word is not known")
        with open(order.path, "ab") as file:
            file.write(piece.text.encode())
            file.flush()
            misbehave(piece.text.rstrip("."))
            yield Said(file.tell())


def misbehave(how: str) -> None:
    try:
        (FOLDER / how).unlink()
    except FileNotFoundError:
        return
    if how.endswith("hang"):
        threading.Event().wait()
    os._exit(3)


if __name__ == "__main__":
    if HOW == "nonsense":
        os.write(1, b"\x00\x00\x00\x02\xc1\xc1")
        threading.Event().wait()
    serve(load)
