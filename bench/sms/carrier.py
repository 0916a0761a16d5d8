"""Our SMPP carrier alone: no log, no API. `python -m bench.sms.carrier PORT MESSAGES`.

Prints a line of JSON: seconds, and seconds of CPU, until all receipts have come.
"""

import asyncio
import sys
import time

import msgspec
import uvloop

from tertulia.carriers.accounts import SmppAccount
from tertulia.carriers.smpp import SmppCarrier
from tertulia.model.ids import ApplicationId, MessageId
from tertulia.model.instant import Instant
from tertulia.model.sending import Arrival, Content, Order, Outcome, Sending

WINDOW = 200
TEXT = Content("text", {"text": "Your code is 123456. It is valid for ten minutes."})


class Ears:
    def __init__(self, wanted: int) -> None:
        self._left = wanted
        self.all_told = asyncio.Event()

    async def heard(self, outcome: Outcome) -> None:
        self._left -= 1
        if not self._left:
            self.all_told.set()

    async def arrived(self, arrival: Arrival) -> None:
        raise AssertionError("nobody writes to us")


def _sending(number: int) -> Sending:
    order = Order("sms", f"449{number:012}", "15550199", TEXT)
    now = Instant(0)
    return Sending(MessageId(str(number)), ApplicationId("bench"), order, now, now)


async def run(port: int, messages: int) -> None:
    account = SmppAccount(
        name="smsc", host="127.0.0.1", port=port, system_id="bench", password="bench",
        window=WINDOW,
    )  # fmt: skip
    carrier = SmppCarrier(account, now=lambda: Instant(time.time_ns() // 1_000_000))
    ears, numbers = Ears(messages), iter(range(messages))
    await carrier.start(ears)

    async def work() -> None:
        for number in numbers:
            await carrier.submit(_sending(number))

    begun, cpu = time.monotonic(), time.process_time()
    await asyncio.gather(*(work() for _ in range(WINDOW)))
    await ears.all_told.wait()
    told = {"seconds": time.monotonic() - begun, "cpu": time.process_time() - cpu}
    await carrier.close()
    print(msgspec.json.encode(told).decode())


if __name__ == "__main__":
    uvloop.run(run(int(sys.argv[1]), int(sys.argv[2])))
