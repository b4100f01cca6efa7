"""Arrivals: which file is being worked on, by whom, and until when.

An arrival is one file as it came: a name and the hash of its content. One arrival is one run, and
of one content one arrival is open at a time. A worker holds an arrival by a lease; every take-over
raises the arrival's fencing token, and a writer whose token has been overtaken is refused
(:class:`~jobchurn.errors.LeaseLost`), so that a paused worker that wakes up does no harm.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.dialects.postgresql import insert

from jobchurn.errors import DatabaseLocked, LeaseLost, NotFound
from jobchurn.store.engine import MOMENT_SECONDS, now_of, transaction
from jobchurn.store.names import decoded, encoded
from jobchurn.store.tables import Tables
from jobchurn.verdict import StructureRule

_NOBODY = ""
"""The holder of an arrival that was released."""

_NOW = sa.func.clock_timestamp()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to work on one arrival.

    Attributes:
        run_id: the run's id; sorts by time of arrival.
        name: the raw file's name, as :func:`os.fsdecode` gives it.
        sha256: of the raw bytes, hexadecimal.
        size: of the raw file, in bytes.
        token: the fencing token; it rises with each take-over.
        attempts: how many workers have held the arrival, this one included; a failure that is
            not the file's (see :meth:`Arrivals.forgive`) begins the count anew.
        trigger: what started the run: ``start``, ``cli`` or ``dag``.
        started_at: when the arrival was first claimed.
        duplicate_of: the run that had this content first, or ``None``.
    """

    run_id: str
    name: str
    sha256: str
    size: int
    token: int
    attempts: int
    trigger: str
    started_at: datetime
    duplicate_of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A file as it came, and what has become of it.

    Attributes:
        name: the raw file's name, as :func:`os.fsdecode` gives it.
        sha256: of the raw bytes, hexadecimal.
        is_open: its run is under way: claimed, and neither published nor withdrawn.
        is_published: its run has routed these bytes, or found that another one had.
    """

    name: str
    sha256: str
    is_open: bool
    is_published: bool


class Arrivals:
    """The named queries about arrivals."""

    def __init__(self, engine: Engine, tables: Tables) -> None:
        self._engine = engine
        self._tables = tables
        self._arrivals = tables.arrivals

    def claim(
        self,
        name: str,
        sha256: str,
        size: int,
        inode: int,
        trigger: str,
        holder: str,
        lease_seconds: float,
        arrived_at: datetime | None = None,
    ) -> Claim | None:
        """Claim a file that has arrived; ``None`` while its content is in progress elsewhere.

        That is also the answer where somebody is about to claim the content, or to end with it,
        and does not come to it within a moment: whoever sleeps keeps nobody else from other files.

        Args:
            name: the file's name.
            sha256: of its content, hexadecimal.
            size: in bytes.
            inode: the file's inode number.
            trigger: what started the run.
            holder: names the worker, so that others can tell whether it lives.
            lease_seconds: how long the worker may be silent.
            arrived_at: when the file came, by its file system; where that is not known, ``None``.
        """
        arrival = {
            "name": encoded(name),
            "sha256": sha256,
            "size": size,
            "inode": inode,
            "trigger": trigger,
            "holder": holder,
            "token": 1,
            "attempts": 1,
            "lease_until": _until(lease_seconds),
            "arrived_at": arrived_at,
        }
        try:
            with transaction(self._engine, lock_seconds=MOMENT_SECONDS) as connection:
                return self._claimed(connection, sha256, arrival)
        except DatabaseLocked:
            return None

    def take_up(
        self,
        holder: str,
        lease_seconds: float,
        is_dead: Callable[[str], bool],
        trigger: str | None = None,
        besides: Collection[str] = (),
    ) -> Claim | None:
        """Take over the oldest open arrival that nobody works on; ``None`` where there is none.

        Nobody works on it where its lease has run out, where it was released, or where
        ``is_dead(its holder)``.

        Args:
            holder: names the worker that takes it over.
            lease_seconds: how long that worker may be silent.
            is_dead: whether a holder is known to work no more.
            trigger: take over only what this has started.
            besides: runs that are left where they are.
        """
        arrivals = self._arrivals
        wanted = sa.select(arrivals.c.run_id).where(_is_open(arrivals)).order_by(arrivals.c.run_id)
        if trigger is not None:
            wanted = wanted.where(arrivals.c.trigger == trigger)
        with transaction(self._engine) as connection:
            candidates = connection.scalars(wanted).all()
        for run_id in candidates:
            if run_id in besides:
                continue
            with transaction(self._engine) as connection:
                # Whoever else is looking at it just now may have it.
                row = self._locked(connection, run_id, lease_seconds, skip_locked=True)
                if row is not None and row.closed_at is None and _is_left(row, is_dead):
                    return self._taken_over(connection, run_id, holder, lease_seconds)
        return None

    def find(
        self,
        run_id: str,
        holder: str,
        lease_seconds: float,
        is_dead: Callable[[str], bool] = lambda _: False,
    ) -> Claim:
        """Resume an open run by its id, as the tasks of one workflow do: they share a holder.

        The holder who has it keeps it, and its lease is renewed. From another it is taken over,
        where that one works on it no more. What this holder itself has published is found, too:
        it may not have lived to hear of it.

        Raises:
            NotFound: no such run is open.
            LeaseLost: another holder works on it.
        """
        arrivals = self._arrivals
        with transaction(self._engine) as connection:
            row = self._locked(connection, run_id, lease_seconds)
            own = row is not None and row.holder == holder and row.outcome == "published"
            if row is None or (row.closed_at is not None and not own):
                raise NotFound(
                    f"No run {run_id} is under way.", "See jobchurn runs for those that are done."
                )
            if row.holder == holder:
                return _claim(
                    connection.execute(
                        sa.update(arrivals)
                        .where(arrivals.c.run_id == run_id)
                        .values(lease_until=_until(lease_seconds))
                        .returning(*arrivals.c)
                    ).one()
                )
            if not _is_left(row, is_dead):
                raise _lost(run_id)
            return self._taken_over(connection, run_id, holder, lease_seconds)

    def get(self, run_id: str) -> Arrival | None:
        """An arrival by its run, or ``None`` where no such run is known."""
        arrivals = self._arrivals
        wanted = sa.select(
            arrivals.c.name, arrivals.c.sha256, arrivals.c.closed_at, arrivals.c.outcome
        ).where(arrivals.c.run_id == encoded(run_id))
        with transaction(self._engine) as connection:
            row = connection.execute(wanted).first()
        if row is None:
            return None
        return Arrival(
            name=decoded(row.name),
            sha256=row.sha256,
            is_open=row.closed_at is None,
            is_published=row.outcome == "published",
        )

    def renew(self, claim: Claim, lease_seconds: float) -> None:
        """Extend the lease.

        Raises:
            LeaseLost: another worker has taken the arrival over.
        """
        self._change(claim, lease_until=_until(lease_seconds))

    def check(self, claim: Claim) -> None:
        """Make sure that the claim still holds.

        Raises:
            LeaseLost: another worker has taken the arrival over.
        """
        with transaction(self._engine) as connection:
            fence(connection, self._tables, claim)

    def release(self, claim: Claim) -> None:
        """Give the arrival back, so that the next worker may take it up at once.

        Raises:
            LeaseLost: another worker has taken the arrival over.
        """
        self._change(claim, holder=_NOBODY)

    def forgive(self, claim: Claim) -> None:
        """Count the attempts anew: what went wrong would have gone wrong with any other file.

        Raises:
            LeaseLost: another worker has taken the arrival over.
        """
        self._change(claim, attempts=0)

    def withdraw(self, claim: Claim) -> None:
        """Close the arrival without a run: its file has gone, or is another one by now.

        Raises:
            LeaseLost: another worker has taken the arrival over.
        """
        self._change(claim, closed_at=_NOW, outcome="withdrawn")

    def _change(self, claim: Claim, **values: Any) -> None:
        with transaction(self._engine) as connection:
            fence(connection, self._tables, claim)
            connection.execute(
                sa.update(self._arrivals)
                .where(self._arrivals.c.run_id == claim.run_id)
                .where(self._arrivals.c.closed_at.is_(None))
                .values(**values)
            )

    def _claimed(
        self, connection: Connection, sha256: str, arrival: Mapping[str, Any]
    ) -> Claim | None:
        """The claim of a new arrival; ``None`` where one of its content is open."""
        arrivals = self._arrivals
        now = now_of(connection)
        while True:
            # Waits for a claim of this content, or its end, that is about to be committed.
            run_id = connection.scalar(
                insert(arrivals)
                .values(run_id=_new_run_id(now), started_at=now, **arrival)
                .on_conflict_do_nothing()
                .returning(arrivals.c.run_id)
            )
            if run_id is not None:
                return self._compared(connection, run_id, sha256)
            is_open = _is_open(arrivals, sha256=sha256)
            if connection.scalar(sa.select(arrivals.c.run_id).where(is_open)):
                return None
            # Else the other one was closed just now, or the new id is taken: once more.

    def _compared(self, connection: Connection, run_id: str, sha256: str) -> Claim:
        """The new arrival's claim, marked as a duplicate where a run had its content before.

        A statement of its own: the insertion does not see a run that was published while it
        waited. A run that has not so much as looked at its file's content knows nothing of it.
        """
        arrivals, runs, issues = self._arrivals, self._tables.runs, self._tables.issues
        unread = (issues.c.run_id == runs.c.run_id) & (issues.c.rule == StructureRule.ATTEMPTS)
        first = (
            sa.select(runs.c.run_id)
            .where(runs.c.sha256 == sha256)
            .where(runs.c.finished_at.is_not(None))
            .where(runs.c.duplicate_of.is_(None))
            .where(~sa.exists().where(unread))
            .order_by(runs.c.run_id)
            .limit(1)
            .scalar_subquery()
        )
        return _claim(
            connection.execute(
                sa.update(arrivals)
                .where(arrivals.c.run_id == run_id)
                .values(duplicate_of=first)
                .returning(*arrivals.c)
            ).one()
        )

    def _locked(
        self,
        connection: Connection,
        run_id: str,
        lease_seconds: float,
        *,
        skip_locked: bool = False,
    ) -> sa.Row[Any] | None:
        """An arrival, locked for this transaction, and whether its lease has run out."""
        arrivals = self._arrivals
        expired = sa.or_(
            arrivals.c.lease_until <= _NOW,
            # So long a lease was given before the clock was set back. Should its holder live and
            # not have renewed it yet, it finds itself overtaken, and no harm is done.
            arrivals.c.lease_until > _until(2 * lease_seconds),
        ).label("expired")
        return connection.execute(
            sa.select(arrivals.c.holder, arrivals.c.closed_at, arrivals.c.outcome, expired)
            .where(arrivals.c.run_id == run_id)
            .with_for_update(key_share=True, skip_locked=skip_locked)
        ).first()

    def _taken_over(
        self, connection: Connection, run_id: str, holder: str, lease_seconds: float
    ) -> Claim:
        arrivals = self._arrivals
        return _claim(
            connection.execute(
                sa.update(arrivals)
                .where(arrivals.c.run_id == run_id)
                .values(
                    holder=holder,
                    token=arrivals.c.token + 1,
                    attempts=arrivals.c.attempts + 1,
                    lease_until=_until(lease_seconds),
                )
                .returning(*arrivals.c)
            ).one()
        )


def fence(connection: Connection, tables: Tables, claim: Claim) -> None:
    """Lock the claim's arrival until the transaction ends, so that nobody takes it over meanwhile.

    Raises:
        LeaseLost: another worker has taken the arrival over.
    """
    arrivals = tables.arrivals
    token = connection.scalar(
        sa.select(arrivals.c.token)
        .where(arrivals.c.run_id == claim.run_id)
        .with_for_update(key_share=True)
    )
    if token != claim.token:
        raise _lost(claim.run_id)


def _lost(run_id: str) -> LeaseLost:
    return LeaseLost(
        f"Another worker has run {run_id} by now.",
        "Nothing is lost, and nothing is left to do here; LEASE_SECONDS says how long a worker "
        "may be silent.",
    )


def _claim(row: sa.Row[Any]) -> Claim:
    return Claim(
        run_id=row.run_id,
        name=decoded(row.name),
        sha256=row.sha256,
        size=row.size,
        token=row.token,
        attempts=row.attempts,
        trigger=row.trigger,
        started_at=row.started_at,
        duplicate_of=row.duplicate_of,
    )


def _new_run_id(now: datetime) -> str:
    return f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def _until(seconds: float) -> sa.ColumnElement[Any]:
    return _NOW + timedelta(seconds=seconds)


def _is_open(arrivals: sa.Table, **values: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        arrivals.c.closed_at.is_(None),
        *(arrivals.c[name] == value for name, value in values.items()),
    )


def _is_left(row: sa.Row[Any], is_dead: Callable[[str], bool]) -> bool:
    """Whether nobody works on the arrival any more."""
    return row.expired or row.holder == _NOBODY or is_dead(row.holder)
