"""Redactions: what was removed of people who asked for it, and of what had been kept long enough.

Nothing in them is personal: which file was rewritten or removed, its hash before and after, and
how many rows that concerned. The hashes of the ledger stay those of what had arrived.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from jobchurn.contract import Contract, Value
from jobchurn.errors import InvalidRequest
from jobchurn.store.engine import now_of, transaction
from jobchurn.store.names import decoded, decoded_json, encoded, encoded_json
from jobchurn.store.requests import FORGOTTEN
from jobchurn.store.tables import Tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """One removal.

    Attributes:
        rows: how many rows were emptied or removed; of a file that went as a whole, all it had.
        run_id: the run whose file or predictions it was; ``None`` where they belong to no run.
        file: the file's path below the home; ``None`` for rows of the database.
        sha256_before: of the file as it was, hexadecimal; ``None`` for rows of the database.
        sha256_after: of the file as it is; ``None`` where it is no more.
        at: when it was decided; just before the file was touched, or with the rows.
    """

    rows: int
    run_id: str | None = None
    file: str | None = None
    sha256_before: str | None = None
    sha256_after: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Removed:
    """How many predictions of a person there were, and requests of which something was kept."""

    predictions: int
    requests: int


class Redactions:
    """The named queries about redactions."""

    def __init__(self, engine: Engine, tables: Tables, contract: Contract) -> None:
        self._engine = engine
        self._tables = tables
        self._redactions = tables.redactions
        self._contract = contract

    def record(self, entries: Sequence[Redaction]) -> None:
        """Write down what is about to be done to files.

        Before it is done: whoever is killed in between repeats it, and finds it written down. An
        entry that is a file's latest one already is not written again.
        """
        with transaction(self._engine) as connection:
            for entry in entries:
                if not self._is_latest(connection, entry):
                    self._insert(connection, entry)

    def of_run(self, run_id: str) -> list[Redaction]:
        """What was removed of a run's files and predictions, the oldest first."""
        redactions = self._redactions
        wanted = sa.select(redactions).where(redactions.c.run_id == run_id)
        with transaction(self._engine) as connection:
            rows = connection.execute(wanted.order_by(redactions.c.id)).all()
        return [_redaction(row) for row in rows]

    def remove_person(
        self,
        person: Value,
        without: Callable[[Any], Any],
        mentions: Collection[str],
        *,
        dry_run: bool = False,
    ) -> Removed:
        """Remove a person's predictions, and what was kept of requests about them, at once.

        The keys of those requests stay, so that no retry brings back what was removed; the hashes
        of what they had asked go. A repeat finds nothing.

        Args:
            person: the id, canonical; ``None`` where predictions cannot bear it.
            without: given what was refused of a request, the same without the person.
            mentions: texts of which one is in whatever mentions the person.
            dry_run: count only.

        Raises:
            InvalidRequest: the contract has no id.
        """
        with transaction(self._engine, seconds=0) as connection:
            removed = self._remove_predictions(connection, person)
            requests = {number for _, number in removed if number is not None}
            requests |= self._remove_refused(connection, without, mentions)
            self._forget_what_was_asked(connection, requests)
            self._record_removal(connection, (run for run, _ in removed))
            if dry_run:
                connection.rollback()
        return Removed(len(removed), len(requests))

    def replace_notes(self, run_id: str, notes: Sequence[str]) -> None:
        """Keep other words on what was noticed in a run's file."""
        runs = self._tables.runs
        with transaction(self._engine) as connection:
            connection.execute(
                sa.update(runs).where(runs.c.run_id == run_id).values(notes=encoded_json(notes))
            )

    def _remove_predictions(
        self, connection: Connection, person: Value
    ) -> Sequence[tuple[str | None, int | None]]:
        """Of each prediction, the run and the request that it came with."""
        if self._contract.id is None:
            raise InvalidRequest("The contract has no id: nobody can be told from others.")
        if person is None:
            return []
        predictions = self._tables.predictions
        gone = connection.execute(
            sa.delete(predictions)
            .where(predictions.c[self._contract.id.name] == person)
            .returning(predictions.c.run_id, predictions.c.request_id)
        )
        return [(run, number) for run, number in gone]

    def _remove_refused(
        self, connection: Connection, without: Callable[[Any], Any], mentions: Collection[str]
    ) -> set[int]:
        requests = self._tables.requests
        shown = sa.cast(requests.c.refused, sa.Text)
        # As PostgreSQL shows it.
        spelt = (json.dumps(encoded(text), ensure_ascii=False)[1:-1] for text in mentions)
        likely = sa.select(requests.c.id, requests.c.refused).where(
            sa.or_(*(shown.contains(text, autoescape=True) for text in spelt))
        )
        changed = set()
        for number, kept in connection.execute(likely).all():
            refused = decoded_json(kept)
            if (left := without(refused)) != refused:
                connection.execute(
                    sa.update(requests)
                    .where(requests.c.id == number)
                    .values(refused=encoded_json(left))
                )
                changed.add(number)
        return changed

    def _forget_what_was_asked(self, connection: Connection, numbers: Collection[int]) -> None:
        requests = self._tables.requests
        connection.execute(
            sa.update(requests)
            .where(requests.c.id == sa.any_(sa.cast(list(numbers), sa.ARRAY(sa.BigInteger))))
            .values(fingerprint=FORGOTTEN)
        )

    def _record_removal(self, connection: Connection, runs: Iterable[str | None]) -> None:
        """One entry for each run whose predictions are gone, and one for all of no known run."""
        counted = Counter(runs)
        arrivals = self._tables.arrivals.c.run_id
        known = set(connection.scalars(sa.select(arrivals).where(arrivals.in_(list(counted)))))
        rows: Counter[str | None] = Counter()
        for run, count in counted.items():
            rows[run if run in known else None] += count
        for run, count in rows.items():
            self._insert(connection, Redaction(rows=count, run_id=run))

    def _is_latest(self, connection: Connection, entry: Redaction) -> bool:
        redactions = self._redactions
        latest = connection.execute(
            sa.select(redactions)
            .where(redactions.c.file == encoded(entry.file or ""))
            .order_by(redactions.c.id.desc())
            .limit(1)
        ).first()
        return latest is not None and (latest.sha256_before, latest.sha256_after) == (
            entry.sha256_before,
            entry.sha256_after,
        )

    def _insert(self, connection: Connection, entry: Redaction) -> None:
        connection.execute(
            sa.insert(self._redactions).values(
                at=now_of(connection),
                run_id=entry.run_id,
                file=entry.file and encoded(entry.file),
                sha256_before=entry.sha256_before,
                sha256_after=entry.sha256_after,
                rows=entry.rows,
            )
        )


def _redaction(row: sa.Row[Any]) -> Redaction:
    return Redaction(
        rows=row.rows,
        run_id=row.run_id,
        file=row.file and decoded(row.file),
        sha256_before=row.sha256_before,
        sha256_after=row.sha256_after,
        at=row.at,
    )
