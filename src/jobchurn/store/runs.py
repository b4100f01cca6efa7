"""Runs: what checking each arrived file found, and where its rows went."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.dialects.postgresql import insert

from jobchurn.contract import Contract
from jobchurn.errors import DatabaseLocked, NotFound
from jobchurn.store.arrivals import Claim, fence
from jobchurn.store.engine import MOMENT_SECONDS, now_of, transaction
from jobchurn.store.names import decoded, decoded_json, encoded, encoded_json
from jobchurn.store.tables import Tables
from jobchurn.verdict import Verdict

_MISSING_COLUMN = "missing column"
"""The rule that a file without a required column breaks; ``files`` calls it so too."""

_NAME_BYTES = 220
"""The longest name for routed files: file systems take 255, and drafts and reasons add to it."""

_STATISTICS = (
    "rows_total",
    "rows_valid",
    "rows_invalid",
    "invalid_ratio",
    "criticality",
    "notes",
)

_REASONS = ".reasons.jsonl"
"""How the file of a bad file's reasons ends; no routed file may be named so itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of ingestion.

    Attributes:
        run_id: sorts by time of arrival.
        file: the raw file's name.
        sha256: of the raw bytes, hexadecimal.
        trigger: ``start``, ``cli`` or ``dag``.
        contract: the fingerprint of the contract that it was judged by.
        rows_total, rows_valid, rows_invalid: records of the file.
        invalid_ratio: the share of bad records, 0 to 1.
        criticality: of its faults, in words.
        duplicate_of: the run that had this content first, or ``None``.
        started_at: when it was claimed.
        finished_at: when it was published; ``None`` while it is under way.
        good, bad, reasons, report: absolute paths, or ``None``.
        notes: what was noticed and accepted.
    """

    run_id: str
    file: str
    sha256: str
    trigger: str
    contract: str
    rows_total: int
    rows_valid: int
    rows_invalid: int
    invalid_ratio: float
    criticality: str
    duplicate_of: str | None
    started_at: datetime
    finished_at: datetime | None
    good: str | None
    bad: str | None
    reasons: str | None
    report: str | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Issue:
    """How many rows of a run broke one rule; ``column`` is ``None`` for a rule about structure."""

    rule: str
    column: str | None
    rows: int


class Runs:
    """The named queries about runs."""

    def __init__(self, engine: Engine, tables: Tables, contract: Contract) -> None:
        self._engine = engine
        self._tables = tables
        self._runs = tables.runs
        self._contract = contract

    def save_statistics(self, claim: Claim, verdict: Verdict, criticality: str) -> None:
        """Keep what checking found; a repeat replaces what was kept, until the run is published.

        Raises:
            LeaseLost: another worker has taken the arrival over.
        """
        issues = self._tables.issues
        with transaction(self._engine) as connection:
            fence(connection, self._tables, claim)
            if self._is_published(connection, claim):
                return
            self._keep(
                connection,
                claim,
                rows_total=verdict.rows_total,
                rows_valid=verdict.rows_valid,
                rows_invalid=verdict.rows_invalid,
                invalid_ratio=verdict.invalid_ratio,
                criticality=str(criticality),
                notes=encoded_json(verdict.notes),
            )
            connection.execute(sa.delete(issues).where(issues.c.run_id == claim.run_id))
            if found := _issues_of(verdict):
                connection.execute(
                    sa.insert(issues),
                    [
                        {
                            "run_id": claim.run_id,
                            "rule": issue.rule,
                            "column_name": issue.column and encoded(issue.column),
                            "rows": issue.rows,
                        }
                        for issue in found
                    ],
                )

    def reserve_name(
        self, claim: Claim, name: str, is_taken: Callable[[str], bool] = lambda _: False
    ) -> str:
        """The name for the run's routed files: ``name``, or with the run's id where it is taken.

        No two runs are given one name, and a repeat is given the same.

        Args:
            claim: of the run.
            name: the name.
            is_taken: whether files of a name are there that no run here has to be known of, as
                where the database was set back, or is another one. Not asked of the run's own.

        Raises:
            LeaseLost: another worker has taken the arrival over.
        """
        marked = _marked(name, claim.run_id)
        if not name.endswith(_REASONS):
            try:
                return self._reserved(
                    claim,
                    lambda: marked if is_taken(name) else name,
                    lock_seconds=MOMENT_SECONDS,
                )
            except (sa.exc.IntegrityError, DatabaseLocked):
                pass  # another run has it, or is about to
        return self._reserved(claim, lambda: marked)

    def finish(
        self,
        claim: Claim,
        good: str | None,
        bad: str | None,
        reasons: str | None,
        report: str | None,
    ) -> Run:
        """Publish the run and close its arrival, in one transaction; a repeat changes nothing.

        A duplicate whose statistics were not saved takes those of the run that it repeats.

        Raises:
            LeaseLost: another worker has taken the arrival over.
            NotFound: nothing was found out about the file yet.
        """
        arrivals = self._tables.arrivals
        paths = {"good": good, "bad": bad, "reasons": reasons, "report": report}
        with transaction(self._engine) as connection:
            fence(connection, self._tables, claim)
            if not self._is_published(connection, claim):
                self._repeat_statistics(connection, claim)
                now = now_of(connection)
                connection.execute(
                    sa.update(self._runs)
                    .where(self._runs.c.run_id == claim.run_id)
                    .values(finished_at=now)
                    .values({name: path and encoded(path) for name, path in paths.items()})
                )
                connection.execute(
                    sa.update(arrivals)
                    .where(arrivals.c.run_id == claim.run_id)
                    .values(closed_at=now, outcome="published")
                )
            return self._get(connection, claim.run_id)

    def finished(self, limit: int | None = 100, before: str | None = None) -> list[Run]:
        """The latest published runs, the last published first.

        Args:
            limit: the most runs to answer; all where it is ``None``.
            before: a run's id; only runs that were published before it are answered.
        """
        runs = self._runs
        wanted = sa.select(runs).where(runs.c.finished_at.is_not(None))
        if before is not None:
            then = sa.select(runs.c.finished_at).where(runs.c.run_id == before).scalar_subquery()
            place = sa.tuple_(then, sa.literal(before))
            wanted = wanted.where(sa.tuple_(runs.c.finished_at, runs.c.run_id) < place)
        wanted = wanted.order_by(runs.c.finished_at.desc(), runs.c.run_id.desc()).limit(limit)
        with transaction(self._engine) as connection:
            return [run_of(row) for row in connection.execute(wanted)]

    def get(self, run_id: str) -> Run:
        """One run, published or not.

        Raises:
            NotFound: there is no such run, or nothing was found out about its file yet.
        """
        with transaction(self._engine) as connection:
            return self._get(connection, run_id)

    def issues(self, run_id: str) -> list[Issue]:
        """What was wrong in a run, the most frequent first."""
        issues = self._tables.issues
        wanted = (
            sa.select(issues.c.rule, issues.c.column_name, issues.c.rows)
            .where(issues.c.run_id == run_id)
            .order_by(issues.c.rows.desc(), issues.c.column_name, issues.c.rule)
        )
        with transaction(self._engine) as connection:
            return [
                Issue(rule, column and decoded(column), rows)
                for rule, column, rows in connection.execute(wanted)
            ]

    def _reserved(
        self, claim: Claim, chosen: Callable[[], str], lock_seconds: float | None = None
    ) -> str:
        """What the run's routed files are called, from now on as ``chosen`` if nothing before.

        Raises:
            LeaseLost: another worker has taken the arrival over.
            IntegrityError: another run's are called so.
            DatabaseLocked: they may be, before long.
        """
        arrivals = self._tables.arrivals
        own = arrivals.c.run_id == claim.run_id
        with transaction(self._engine, lock_seconds=lock_seconds) as connection:
            fence(connection, self._tables, claim)
            reserved = connection.scalar(sa.select(arrivals.c.routed_name).where(own))
            if reserved is not None:
                return decoded(reserved)
            name = chosen()
            connection.execute(sa.update(arrivals).where(own).values(routed_name=encoded(name)))
            return name

    def _is_published(self, connection: Connection, claim: Claim) -> bool:
        runs = self._runs
        published = sa.select(runs.c.run_id).where(
            runs.c.run_id == claim.run_id, runs.c.finished_at.is_not(None)
        )
        return connection.scalar(published) is not None

    def _keep(self, connection: Connection, claim: Claim, **statistics: Any) -> None:
        identity = {
            "file": encoded(claim.name),
            "sha256": claim.sha256,
            "trigger": claim.trigger,
            "contract": self._contract.fingerprint,
            "duplicate_of": claim.duplicate_of,
            "started_at": claim.started_at,
        }
        connection.execute(
            insert(self._runs)
            .values(run_id=claim.run_id, **identity, **statistics)
            .on_conflict_do_update(index_elements=["run_id"], set_=identity | statistics)
        )

    def _repeat_statistics(self, connection: Connection, claim: Claim) -> None:
        """Give a duplicate without statistics those of the run that it repeats."""
        if claim.duplicate_of is None or self._found(connection, claim.run_id) is not None:
            return
        first = self._found(connection, claim.duplicate_of)
        if first is not None:
            self._keep(connection, claim, **{name: first._mapping[name] for name in _STATISTICS})

    def _get(self, connection: Connection, run_id: str) -> Run:
        row = self._found(connection, run_id)
        if row is None:
            raise NotFound(f"Nothing is known of a run {run_id}.", "See jobchurn runs.")
        return run_of(row)

    def _found(self, connection: Connection, run_id: str) -> sa.Row[Any] | None:
        return connection.execute(
            sa.select(self._runs).where(self._runs.c.run_id == run_id)
        ).first()


def _issues_of(verdict: Verdict) -> list[Issue]:
    """How many rows broke each rule; whole-file reasons count every row."""
    rows = {(rule, column): count for (column, rule), count in verdict.broken.items()}
    for column in verdict.missing:
        rows[_MISSING_COLUMN, column] = verdict.rows_total
    if verdict.refusal is not None:
        rows[verdict.refusal.rule, verdict.refusal.column] = verdict.rows_total
    return [Issue(rule, column, count) for (rule, column), count in rows.items()]


def _marked(name: str, run_id: str) -> str:
    """The name with the run's id before its extension, no longer in bytes than it may be."""
    stem, dot, extension = name.rpartition(".")
    if not stem:
        stem, dot, extension = name, "", ""
    tail = f"-{run_id}{dot}{extension}"
    while len(os.fsencode(stem + tail)) > _NAME_BYTES:
        stem = stem[:-1]
    return stem + tail


def run_of(row: sa.Row[Any]) -> Run:
    """The run that a row of the table holds."""
    fields = dict(row._mapping)
    for name in ("file", "good", "bad", "reasons", "report"):
        fields[name] = fields[name] and decoded(fields[name])
    return Run(**fields | {"notes": tuple(decoded_json(row.notes))})
