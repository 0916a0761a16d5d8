"""How a part hears that it has to end: a signal, or the supervisor's death."""

import asyncio
import os
import signal


async def ended(lifeline: int) -> None:
    """Return when SIGTERM or SIGINT comes, or when the other end of the pipe `lifeline` closes.

    The supervisor holds that end open and never writes, so its death, however sudden, is heard.
    """
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    os.set_blocking(lifeline, False)
    loop.add_reader(lifeline, over.set)
    try:
        await over.wait()
    finally:
        loop.remove_reader(lifeline)
