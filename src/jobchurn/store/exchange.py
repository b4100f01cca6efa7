"""Exchanges: one connection whose answers come to the event loop, through libpq itself.

A request that waits for the database in a thread costs two changes of threads, and a query through
the driver's cursors costs as much as the rest of a request. Here a prepared statement is sent, and
the loop is told when its result has come. The connection is one of the engine's, so that the
database's URL, patience and session are those of every other query; failures are the driver's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import cast

import psycopg
from psycopg import pq
from psycopg.errors import AdminShutdown, Diagnostic, error_from_result
from psycopg.pq.abc import PGconn, PGresult
from sqlalchemy import Engine

from jobchurn.store.engine import GRACE_SECONDS, WORD_SECONDS, Driver

TRUSTED_SECONDS = 2.0
"""How long a silent connection counts as alive; after that it is asked first."""

_BINARY = 1
_ENDING = "57P"  # the server, or this session, is being ended


class Exchange:
    """One connection, for one question at a time. It belongs to one event loop.

    Args:
        engine: where the connection comes from; it is taken out of the pool for good.
        seconds: how long the server lets a statement run; its answer is awaited a little longer.
        session: a statement that is run on each new connection.
    """

    def __init__(self, engine: Engine, seconds: float, session: str) -> None:
        self._engine = engine
        self._patience = seconds + GRACE_SECONDS
        self._session = session
        self._driver: Driver | None = None
        self._socket = -1
        self._prepared: set[bytes] = set()
        self._answer: asyncio.Future[PGresult] | None = None
        self._result: PGresult | None = None
        # Whether what failed had run before, so that it may have been committed.
        self._has_run = False
        self._heard = 0.0
        self._is_ending = False

    async def ask(
        self, name: bytes, statement: bytes, parameters: Sequence[bytes | None]
    ) -> PGresult:
        """The result of a statement, which is prepared where it is new; all in binary.

        Args:
            name: of the statement, the same at each call.
            statement: in SQL, with ``$1``, ``$2`` … and every type said.
            parameters: in the server's binary form.

        Raises:
            psycopg.Error: the statement failed, or may have: with ``sqlstate`` ``None`` it is not
                known whether it was done.
        """
        try:
            return await self._asked(name, statement, parameters)
        except AdminShutdown:
            is_known = not self._has_run
            self.close()
            if not is_known:
                raise psycopg.OperationalError("the session ended while it committed") from None
            # The server ended the session in place of the statement: it was not done. That is how
            # a restart of the server is met.
        return await self._asked(name, statement, parameters)

    async def _asked(
        self, name: bytes, statement: bytes, parameters: Sequence[bytes | None]
    ) -> PGresult:
        pgconn = await self._connected()
        if name not in self._prepared:
            pgconn.send_prepare(name, statement)
            await self._result_of(pgconn, self._patience)
            self._prepared.add(name)
        pgconn.send_query_prepared(name, parameters, [_BINARY] * len(parameters), _BINARY)
        return await self._result_of(pgconn, self._patience)

    def close(self) -> None:
        """Close the connection, whatever it is waiting for; the next question opens another."""
        driver, self._driver = self._driver, None
        self._result = None
        self._prepared.clear()
        if driver is not None:
            # A connection that is lost does not know its socket any more.
            asyncio.get_running_loop().remove_reader(self._socket)
            driver.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(psycopg.OperationalError("the connection was closed"))

    async def _connected(self) -> PGconn:
        """A connection that lives, as far as can be known without asking each time."""
        if self._is_ending:
            self.close()
        if self._driver is not None and time.monotonic() - self._heard > TRUSTED_SECONDS:
            try:
                self._driver.pgconn.send_query_params(b"", None)
                await self._result_of(self._driver.pgconn, WORD_SECONDS)
            except psycopg.OperationalError:
                self.close()  # it is lost, and another is opened
        if self._driver is None:
            self._driver = await asyncio.to_thread(self._open)
            self._is_ending = False
            self._driver.add_notice_handler(self._note)
            self._socket = self._driver.fileno()
            asyncio.get_running_loop().add_reader(self._socket, self._hear)
            self._heard = time.monotonic()
        return self._driver.pgconn

    def _open(self) -> Driver:
        held = self._engine.raw_connection()
        try:
            driver = cast("Driver", held.driver_connection)
            held.detach()
        except BaseException:
            held.close()
            raise
        try:
            driver.autocommit = True
            driver.execute(self._session.encode())
        except BaseException:
            driver.close()
            raise
        return driver

    async def _result_of(self, pgconn: PGconn, patience: float) -> PGresult:
        """What the server says to what was sent last.

        Whoever is cancelled here, or waits for too long, leaves a connection that is closed: its
        next answer would be the one to the question before.
        """
        loop = asyncio.get_running_loop()
        self._answer = answer = loop.create_future()
        try:
            async with asyncio.timeout(patience):
                while pgconn.flush():
                    await _writable(pgconn.socket)
                result: PGresult = await answer
        except TimeoutError:
            self.close()
            raise psycopg.OperationalError(f"no answer within {patience:g} s") from None
        except BaseException:
            self.close()
            raise
        finally:
            self._answer = None
        self._heard = time.monotonic()
        if result.status in (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE):
            raise error_from_result(result)
        return result

    def _hear(self) -> None:
        """Something has come: a part of an answer, the whole of it, or the connection's end."""
        driver = self._driver
        if driver is None:
            return
        pgconn = driver.pgconn
        try:
            pgconn.consume_input()
            while not pgconn.is_busy():
                result = pgconn.get_result()
                if result is None:
                    self._heard_all(pgconn)
                    return
                self._take(result)
        except psycopg.Error as error:
            # Before it hangs up, the server may have said why.
            result, self._result = self._result, None
            said = result is not None and result.status == pq.ExecStatus.FATAL_ERROR
            self._lose(error_from_result(result) if result and said else error)

    def _take(self, result: PGresult) -> None:
        """Keep the result of a statement, or the error that came after it: of its commit.

        A statement has its result before it is committed, so that a commit that fails comes as a
        second result.
        """
        self._has_run = self._result is not None
        if self._result is None or result.status == pq.ExecStatus.FATAL_ERROR:
            self._result = result

    def _heard_all(self, pgconn: PGconn) -> None:
        result, self._result = self._result, None
        if pgconn.status == pq.ConnStatus.BAD:
            self._lose(
                error_from_result(result)
                if result is not None
                else psycopg.OperationalError("the connection is lost")
            )
        elif self._answer is not None and result is not None and not self._answer.done():
            self._answer.set_result(result)

    def _note(self, said: Diagnostic) -> None:
        """A word of the server's that answers nothing, such as that it ends the session."""
        self._is_ending = self._is_ending or (said.sqlstate or "").startswith(_ENDING)

    def _lose(self, error: psycopg.Error) -> None:
        """The connection is of no use any more: whoever waits is told why."""
        answer = self._answer
        if answer is not None and not answer.done():
            answer.set_exception(error)
        self.close()


async def _writable(descriptor: int) -> None:
    """Wait until more can be sent."""
    loop = asyncio.get_running_loop()
    free: asyncio.Future[None] = loop.create_future()
    loop.add_writer(descriptor, free.set_result, None)
    free.add_done_callback(lambda _: loop.remove_writer(descriptor))
    await free
