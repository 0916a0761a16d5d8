"""The engine's side of the pipes: one order after the other, until standard input ends.

A thread of its own reads, so that the end of the hub ends the engine in the middle of a sentence,
and a Stop is heard while the engine works.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import BinaryIO

from msgspec.structs import replace

from tertulia.speech.messages import (
    HEAD,
    Answer,
    Done,
    Failed,
    Order,
    Progress,
    Ready,
    Stop,
    length,
    packed,
    request,
)

NICENESS = 10
"""Media workers have 20 ms for a tick, an engine seconds for a sentence."""

Work = Callable[[Order], Iterator[Progress]]
"""Carries out an order. OSError, ValueError or RuntimeError: that order cannot be carried out."""


def serve(load: Callable[[], Work]) -> None:
    """Load the model, then carry out orders. Does not return while the hub lives."""
    answers = _answers()
    os.nice(NICENESS)
    inbox = _Inbox()
    inbox.listen()
    try:
        work = load()
    except (OSError, ValueError, RuntimeError) as error:
        _tell(answers, Failed(_sentence(error)))
        return
    _tell(answers, Ready())
    while True:
        order = inbox.orders.get()
        _tell(answers, _carried_out(order, work, inbox, answers))


def _carried_out(order: Order, work: Work, inbox: "_Inbox", answers: BinaryIO) -> Done | Failed:
    try:
        for progress in work(order):
            _tell(answers, replace(progress, number=order.number))
            if inbox.stopped >= order.number:
                break
    except (OSError, ValueError, RuntimeError) as error:
        return Failed(_sentence(error), number=order.number)
    return Done(order.number)


def _answers() -> BinaryIO:
    """Standard output, for us alone: what a library prints goes to standard error."""
    own = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return os.fdopen(own, "wb", buffering=0)


def _tell(answers: BinaryIO, answer: Answer) -> None:
    try:
        answers.write(packed(answer))
    except BrokenPipeError:
        os._exit(0)  # the hub is gone


def _sentence(error: Exception) -> str:
    return str(error).strip() or type(error).__name__


class _Inbox:
    def __init__(self) -> None:
        self.orders: SimpleQueue[Order] = SimpleQueue()
        self.stopped = 0
        """Orders up to this number are not waited for."""

    def listen(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with open(sys.stdin.fileno(), "rb", closefd=False) as stdin:
            while len(head := stdin.read(HEAD.size)) == HEAD.size:
                message = request(stdin.read(length(head)))
                if isinstance(message, Stop):
                    self.stopped = message.number
                else:
                    self.orders.put(message)
        # Nobody is left to answer, and a model at work does not look up.
        os._exit(0)
