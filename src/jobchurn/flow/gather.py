"""Gather: requests that arrive together are scored together, and kept by one commit.

The first of them waits for nothing. While it is being kept, others come; of them is the next batch.
So batches grow with the load and with the time that the disk takes, and nobody chooses their size.
Where many ask, a batch is half of them: while it is kept, the other half is read and answered.
What fails fails for those alone whose fault it is; nobody is told of what is not committed.

All of it happens on one event loop, as long as the database needs no lock that another one holds.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol

from jobchurn.errors import (
    DatabaseLocked,
    DatabaseOutdated,
    DatabaseUnreachable,
    JobchurnError,
    Overloaded,
)
from jobchurn.flow.predict import Answer, Asked, answer_of, batch_of, nothing_of
from jobchurn.flow.services import Services
from jobchurn.model import Model
from jobchurn.store import Batch, Stored

log = logging.getLogger(__name__)

FEW = 32
"""The most records of a request that is gathered; those of larger ones are a batch already."""

MOST_TOGETHER = 256
"""The most records that are scored and kept together; scoring them holds the event loop."""

ALWAYS_TOGETHER = 8
"""So many requests are kept together, if they are there, and never half of them."""

WAITING_SECONDS = 30.0
"""How long a request waits to be begun before whoever asked is told to come again."""

Watch = Callable[[str, int, int], None]
"""Told of a stage of a request's work: its name, and when it began and ended, in ns since 1970."""


class Writer(Protocol):
    """Keeps requests together: ``jobchurn.store.GatheredRequests``, or a test's."""

    async def write(self, batches: Sequence[Batch]) -> list[Stored | None]:
        """Keep all or none; ``None`` for one whose key is known."""

    def close(self) -> None:
        """Let go of whatever is waited for."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A request that is not answered yet.

    Attributes:
        asked: what it asks.
        answer: what it gets.
        since: when it came, by the event loop's clock.
        watch: is told of the stages of its work.
        context: in which it was asked.
    """

    asked: Asked
    answer: asyncio.Future[Answer]
    since: float
    watch: Watch | None
    context: contextvars.Context = field(default_factory=contextvars.copy_context)

    def fail(self, error: Exception) -> None:
        if self.answer.done():
            return
        if isinstance(error, JobchurnError):
            # One of its own: whoever raises an exception adds to its trace.
            error = type(error)(error.message, error.cure, error.details)
        self.answer.set_exception(error)

    def succeed(self, answer: Answer) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)


class Gatherer:
    """Answers requests of few records. Belongs to one event loop.

    Args:
        services: the contract and the policy.
        writer: opens what keeps requests together; it is asked once, where something is kept.
        model: the model in charge, at the moment of the call.
        alone: answers one request by itself, off the event loop: one whose key is known, or that
            has to wait for another one's lock.
        most: how many requests may wait to be begun.
    """

    def __init__(
        self,
        services: Services,
        writer: Callable[[], Writer],
        model: Callable[[], Model],
        alone: Callable[[Asked], Awaitable[Answer]],
        most: int,
    ) -> None:
        self._services = services
        self._open = writer
        self._writer: Writer | None = None
        self._model = model
        self._alone = alone
        self._most = most
        self._queue: deque[_Waiting] = deque()
        self._alarm: asyncio.TimerHandle | None = None
        self._working: asyncio.Task[None] | None = None
        self._apart: dict[asyncio.Task[None], _Waiting] = {}
        self._closed = False
        self._before = 0  # how many the last batch was of: they may be about to ask again

    @property
    def waiting(self) -> int:
        """How many requests wait to be begun."""
        return len(self._queue)

    async def predict(self, asked: Asked, watch: Watch | None = None) -> Answer:
        """The answer to a request of at most :data:`FEW` records, once it is committed.

        Raises:
            Overloaded: as many wait as may, or it was not begun in time.
            NoChampion: there is no model yet.
            IdempotencyConflict: the key was used for another request.
            DatabaseUnreachable: the database does not answer.
        """
        if asked.leaves_nothing:
            return nothing_of(asked, self._model().version)
        if self._closed:
            raise _leaving()
        if len(self._queue) >= self._most:
            raise Overloaded(
                "More requests are waiting than can be served.", "Send it again in a moment."
            )
        loop = asyncio.get_running_loop()
        waiting = _Waiting(asked, loop.create_future(), loop.time(), watch)
        if not asked.records:
            self._set_apart(waiting)
        else:
            self._queue.append(waiting)
            if self._alarm is None:
                self._alarm = loop.call_later(WAITING_SECONDS, self._give_up)
            if self._working is None:
                self._working = loop.create_task(self._work(), context=contextvars.Context())
        return await waiting.answer

    async def close(self) -> None:
        """End at once: whoever is not answered yet is told to come again."""
        self._closed = True
        if self._alarm is not None:
            self._alarm.cancel()
        apart = self._apart.copy()
        tasks = [*apart, *([self._working] if self._working else [])]
        for task in tasks:
            task.cancel()
        if self._writer is not None:
            self._writer.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Of those set apart, one may not have been begun.
        for waiting in (*apart.values(), *self._queue):
            waiting.fail(_leaving())
        self._queue.clear()

    async def _work(self) -> None:
        """Answer batch after batch, until nobody waits."""
        try:
            while self._queue:
                if together := self._together():
                    await self._answer(together)
        finally:
            self._working = None

    def _together(self) -> list[_Waiting]:
        """Those that are answered next: who came first, and no key twice."""
        together: list[_Waiting] = []
        keys: set[str] = set()
        later: list[_Waiting] = []
        room = MOST_TOGETHER
        # Half of those who ask again and again, so that the halves take turns. Clients who all wait
        # for one commit ask nothing meanwhile: this process and the database would idle in turn.
        most = max(ALWAYS_TOGETHER, (self._before + len(self._queue) + 1) // 2)
        while self._queue and len(together) < most and room >= len(self._queue[0].asked.records):
            waiting = self._queue.popleft()
            if waiting.answer.done():  # whoever asked has left
                continue
            key = waiting.asked.key
            if key is not None and key in keys:
                later.append(waiting)
                continue
            if key is not None:
                keys.add(key)
            together.append(waiting)
            room -= len(waiting.asked.records)
        self._queue.extendleft(reversed(later))
        self._before = len(together)
        return together

    async def _answer(self, together: list[_Waiting]) -> None:
        """Score and keep requests, and tell each what came of it."""
        try:
            begun = time.time_ns()
            batches = self._scored(together)
            scored = time.time_ns()
            if batches:
                await self._keep(together, batches)
            stored = time.time_ns()
        except asyncio.CancelledError:
            for waiting in together:
                waiting.fail(_leaving())
            raise
        except JobchurnError as error:
            for waiting in together:
                waiting.fail(error)
            return
        for waiting in together:
            if waiting.watch is not None:
                waiting.watch("score", begun, scored)
                waiting.watch("store", scored, stored)

    def _scored(self, together: Sequence[_Waiting]) -> list[Batch]:
        """What is to be kept of each; of none where one breaks the model, and each is set apart.

        Raises:
            NoChampion: there is no model yet.
        """
        model = self._model()
        try:
            return [
                batch_of(self._services, model.version, waiting.asked, probabilities)
                for waiting, probabilities in zip(
                    together, self._scores(model, together), strict=True
                )
            ]
        except JobchurnError:
            raise
        except Exception as error:  # noqa: BLE001  (whoever it is the fault of will be told)
            log.warning("%d requests cannot be scored together: %s", len(together), error)
            for waiting in together:
                self._set_apart(waiting)
            return []

    def _scores(self, model: Model, together: Sequence[_Waiting]) -> Iterator[list[float]]:
        records = list(chain.from_iterable(waiting.asked.records for waiting in together))
        found = iter(model.probabilities(records).tolist())
        for waiting in together:
            yield [next(found) for _ in waiting.asked.records]

    async def _keep(self, together: Sequence[_Waiting], batches: Sequence[Batch]) -> None:
        """Keep requests together; where one is refused, all the others in halves.

        Raises:
            DatabaseUnreachable, DatabaseOutdated: nothing can be kept now.
        """
        try:
            if self._writer is None:
                self._writer = self._open()
            stored = await self._writer.write(batches)
        except DatabaseLocked:
            # Which of them has to wait is not known; nobody else is to wait with it.
            for waiting in together:
                self._set_apart(waiting)
        except (DatabaseUnreachable, DatabaseOutdated):
            raise
        except Exception as error:  # noqa: BLE001  (whoever it is the fault of is told)
            if len(together) == 1:
                together[0].fail(error)
                return
            log.warning("%d requests cannot be kept together: %s", len(together), error)
            half = len(together) // 2
            await self._keep(together[:half], batches[:half])
            await self._keep(together[half:], batches[half:])
        else:
            for waiting, found in zip(together, stored, strict=True):
                if found is None:
                    self._set_apart(waiting)
                else:
                    waiting.succeed(answer_of(found, self._services.contract))

    def _set_apart(self, waiting: _Waiting) -> None:
        """Answer a request by itself."""
        waiting.watch = None  # it is watched where it is answered
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._answer_alone(waiting), context=waiting.context)
        self._apart[task] = waiting
        task.add_done_callback(self._apart.pop)

    async def _answer_alone(self, waiting: _Waiting) -> None:
        try:
            waiting.succeed(await self._alone(waiting.asked))
        except asyncio.CancelledError:
            waiting.fail(_leaving())
            raise
        except Exception as error:  # noqa: BLE001  (whoever asked is told, and its door logs it)
            waiting.fail(error)

    def _give_up(self) -> None:
        """Refuse whoever has waited for too long, and look again when the next one will have."""
        self._alarm = None
        loop = asyncio.get_running_loop()
        while self._queue:
            late = self._queue[0].since + WAITING_SECONDS
            if late > loop.time():
                self._alarm = loop.call_at(late, self._give_up)
                return
            self._queue.popleft().fail(
                Overloaded(
                    f"The request was not begun within {WAITING_SECONDS:g} seconds.",
                    "Send it again later; a database that does not answer holds all of them.",
                )
            )


def _leaving() -> Overloaded:
    return Overloaded("The service is about to end.", "Send it again in a moment.")
