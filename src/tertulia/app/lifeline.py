"""How a part hears that it has to end: a signal, or the supervisor's death."""

import asyncio
import os
import signal


async def ended(lifeline: int) -> None:
    """`told_to_end`, for who ends at once in any case."""
    await told_to_end(lifeline)


async def told_to_end(lifeline: int) -> bool:
    """Return when SIGTERM or SIGINT comes, or when the other end of the pipe `lifeline` closes:
    False then.

    The supervisor holds that end open and never writes, so its death, however sudden, is heard.
    """
    loop = asyncio.get_running_loop()
    over: asyncio.Future[bool] = loop.create_future()

    def end(was_told: bool) -> None:
        if not over.done():
            over.set_result(was_told)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, True)
    os.set_blocking(lifeline, False)
    loop.add_reader(lifeline, end, False)
    try:
        return await over
    finally:
        loop.remove_reader(lifeline)
