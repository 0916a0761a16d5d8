"""What goes in and out of a bus, whatever carries it: who hears what, and questions with their
answers, which are words to an inbox of who asked.
"""

import asyncio
import logging
import re
from asyncio import Future, Task
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import count
from secrets import token_hex
from typing import NamedTuple

from tertulia.model.errors import TertuliaError
from tertulia.ports.cluster import Unanswered

QUESTIONS_MAX = 10_000
"""Of this node, waiting for an answer; one more is not asked."""
ANSWERS_MAX = 1_000
"""Being worked on at this node; who asks one more gets no answer from here."""
SUBJECT_MAX = 200
_SUBJECT = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")

_log = logging.getLogger(__name__)


class Parcel(NamedTuple):
    subject: str
    word: bytes
    reply: str = ""
    """Subject for an answer; empty when none is wanted."""


def checked(subject: str, word: bytes, word_max: int) -> None:
    """Raises ValueError."""
    if len(subject) > SUBJECT_MAX or _SUBJECT.fullmatch(subject) is None:
        raise ValueError(f"not a subject: {subject[:SUBJECT_MAX]!r}")
    if len(word) > word_max:
        raise ValueError(f"a word of {len(word)} octets; {word_max} are the most")


class Hearer:
    """One subscription."""

    def __init__(self, hear: Callable[[Parcel], None]) -> None:
        self._hear = hear
        self.is_over = False

    def __call__(self, parcel: Parcel) -> None:
        if not self.is_over:
            self._hear(parcel)


class Switchboard:
    def __init__(self, post: Callable[[Parcel], None]) -> None:
        self._post = post
        self._inbox = f"inbox.{token_hex(8)}."
        self._numbers = count(1)
        self._hearers: dict[str, list[Hearer]] = {}
        self._gap_listeners: list[Callable[[], None]] = []
        self._questions: dict[str, Future[bytes]] = {}
        self._answers: set[Task[None]] = set()

    @property
    def subjects(self) -> list[str]:
        """All that is heard; that of the inbox ends with `*`."""
        return [f"{self._inbox}*", *self._hearers]

    def hears(self, subject: str) -> bool:
        return subject in self._hearers or subject.startswith(self._inbox)

    def add(self, subject: str, hear: Callable[[Parcel], None]) -> Hearer:
        hearer = Hearer(hear)
        self._hearers.setdefault(subject, []).append(hearer)
        return hearer

    def remove(self, subject: str, hearer: Hearer) -> None:
        hearer.is_over = True
        hearers = self._hearers.get(subject, [])
        if hearer in hearers:
            hearers.remove(hearer)
        if not hearers:
            self._hearers.pop(subject, None)

    def arrived(self, parcel: Parcel) -> None:
        """To be called in the order in which parcels come."""
        if parcel.subject.startswith(self._inbox):
            question = self._questions.get(parcel.subject)
            if question is not None and not question.done():
                question.set_result(parcel.word)
            return
        for hearer in self._hearers.get(parcel.subject, ()):
            # A turn for each, where its bugs end nothing else.
            asyncio.get_running_loop().call_soon(hearer, parcel)

    def unanswerable(self, reply: str) -> None:
        """Nobody serves what was asked."""
        question = self._questions.get(reply)
        if question is not None and not question.done():
            question.set_exception(Unanswered("nobody serves it"))

    async def ask(self, subject: str, word: bytes, seconds: float) -> bytes:
        if len(self._questions) >= QUESTIONS_MAX:
            raise Unanswered("too many questions are waiting")
        reply = f"{self._inbox}{next(self._numbers)}"
        question: Future[bytes] = asyncio.get_running_loop().create_future()
        self._questions[reply] = question
        try:
            async with asyncio.timeout(seconds):
                self._post(Parcel(subject, word, reply))
                return await question
        except TimeoutError:
            raise Unanswered("nobody has answered") from None
        finally:
            del self._questions[reply]

    def answer(self, work: Callable[[bytes], Awaitable[bytes]], parcel: Parcel) -> None:
        """Work on what was asked."""
        if not parcel.reply or len(self._answers) >= ANSWERS_MAX:
            return
        task = asyncio.create_task(self._answer(work, parcel), name=f"answer {parcel.subject}")
        self._answers.add(task)
        task.add_done_callback(partial(self._answered, parcel.subject))

    async def _answer(self, work: Callable[[bytes], Awaitable[bytes]], parcel: Parcel) -> None:
        try:
            self._post(Parcel(parcel.reply, await work(parcel.word)))
        except TertuliaError as error:
            told = {"action": "bus_unanswered", "subject": parcel.subject, "error": str(error)}
            _log.info("a question of another node gets no answer", extra=told)

    def _answered(self, subject: str, task: Task[None]) -> None:
        self._answers.discard(task)
        if not task.cancelled() and (bug := task.exception()) is not None:
            told = {"action": "bus_answer_broken", "subject": subject}
            _log.error("an answer met a bug", exc_info=bug, extra=told)

    def on_gap(self, listener: Callable[[], None]) -> None:
        self._gap_listeners.append(listener)

    def tell_gap(self) -> None:
        for listener in self._gap_listeners:
            asyncio.get_running_loop().call_soon(listener)

    def give_up(self) -> None:
        """No answer comes any more to what was asked by now."""
        for question in self._questions.values():
            if not question.done():
                question.set_exception(Unanswered("the line was cut"))

    async def close(self) -> None:
        self.give_up()
        self._hearers.clear()
        self._gap_listeners.clear()
        for task in self._answers:
            task.cancel()
        await asyncio.gather(*self._answers, return_exceptions=True)
