"""Promises 1 and 2, held against what lies on the disk and in the database.

The oracle is independent of the code: a :class:`Delivery` knows which of its lines are good, since
it wrote them, and reads files and tables by itself.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psycopg

from faults.worker import HEARD
from jobchurn.contract import JOB_CHANGE, Role
from small_model import random_records

NAMES = [column.name for column in JOB_CHANGE.columns]
[ID] = [column.name for column in JOB_CHANGE.columns if column.role is Role.ID]
SPOILT = next(c.name for c in JOB_CHANGE.columns if c.required and c.is_numeric and c.name != ID)
REASONS = ".reasons.jsonl"


@dataclass(frozen=True)
class Delivery:
    """A raw file, and what is to become of it.

    Attributes:
        name: the file's.
        header: its first line.
        lines: its records, line ends included.
        bad: which of them are bad, by place from 0.
        first_id: the number of its first record's subject; the others follow.
    """

    name: str
    header: bytes
    lines: tuple[bytes, ...]
    bad: frozenset[int]
    first_id: int

    @property
    def content(self) -> bytes:
        return b"".join([self.header, *self.lines])

    def part(self, *, bad: bool) -> bytes | None:
        """What the file of its good, or of its bad, records holds; ``None`` for no file."""
        lines = [line for place, line in enumerate(self.lines) if (place in self.bad) is bad]
        return b"".join([self.header, *lines]) if lines else None

    @property
    def good_ids(self) -> list[int]:
        return [self.first_id + place for place in range(len(self.lines)) if place not in self.bad]


def delivery(number: int, rows: int = 7, bad: int = 2) -> Delivery:
    """The ``number``-th delivery: like no other, in name and content."""
    lines = []
    spoilt = frozenset(range(1, 1 + bad))
    for place, record in enumerate(random_records(JOB_CHANGE, rows, seed=number)):
        texts = {c.name: c.write(record[c.name]) for c in JOB_CHANGE.columns}
        texts[ID] = str(1 + number * 1000 + place)
        if place in spoilt:
            texts[SPOILT] = "-5"
        lines.append((",".join(texts[name] for name in NAMES) + "\n").encode())
    header = (",".join(NAMES) + "\n").encode()
    return Delivery(f"{number}.csv", header, tuple(lines), spoilt, 1 + number * 1000)


def broken_promises(home: Path, database: str, deliveries: list[Delivery]) -> list[str]:
    """What does not hold once everything has been taken in and scored; empty where all does."""
    data = home / "data"
    with psycopg.connect(database) as connection:
        broken = [*_left_over(data), *_unknown_files(data, connection)]
        told = (home / HEARD).read_text() if (home / HEARD).exists() else ""
        for one in deliveries:
            broken += [
                f"{one.name}: {what}"
                for what in (
                    *_routed(one, connection),
                    *_predicted(one, connection),
                    *([] if not one.bad or one.name in told else ["nobody was told of it"]),
                )
            ]
    return broken


def _left_over(data: Path):
    for folder in ("raw_data", "work"):
        for path in (data / folder).iterdir():
            yield f"{path.relative_to(data)} is left over"
    for path in data.rglob(".*"):
        yield f"{path.relative_to(data)} is left over"


def _unknown_files(data: Path, connection):
    rows = connection.execute(
        "SELECT good, bad, reasons, report FROM ingestion_runs WHERE finished_at IS NOT NULL"
    ).fetchall()
    known = {path for row in rows for path in row if path is not None}
    there = {
        str(path)
        for folder in ("good_data", "bad_data", "reports")
        for path in (data / folder).iterdir()
    }
    for path in sorted(there - known):
        yield f"{path} is in no ledger"
    for path in sorted(known - there):
        yield f"{path} is in the ledger, and not there"


def _routed(one: Delivery, connection):
    """Promise 1: each record in exactly one place, byte for byte."""
    runs = connection.execute(
        "SELECT good, bad, reasons, report FROM ingestion_runs WHERE finished_at IS NOT NULL"
        " AND duplicate_of IS NULL AND file = %s",
        [one.name],
    ).fetchall()
    if len(runs) != 1:
        yield f"{len(runs)} finished runs"
        return
    good, bad, reasons, report = runs[0]
    for path, is_bad in ((good, False), (bad, True)):
        wanted, found = one.part(bad=is_bad), _content(path)
        if found != wanted:
            kind = "bad" if is_bad else "good"
            yield f"{kind} records are {_length(found)} bytes, and not those {_length(wanted)}"
    told = (_content(reasons) or b"").splitlines()
    if len(told) != len(one.bad):
        yield f"{len(told)} reasons"
    if not (_content(report) or b"").rstrip().endswith(b"</html>"):
        yield "the report is torn"


def _predicted(one: Delivery, connection):
    """Promise 2: one prediction for each good row, and none else."""
    found = Counter(
        row[0]
        for row in connection.execute(
            f'SELECT "{ID}" FROM predictions WHERE "{ID}" BETWEEN %s AND %s',
            [one.first_id, one.first_id + len(one.lines) - 1],
        )
    )
    wanted = Counter(one.good_ids)
    if lost := wanted - found:
        yield f"{lost.total()} predictions are missing"
    if doubled := found - wanted:
        yield f"{doubled.total()} predictions too many"


def _content(path: str | None) -> bytes | None:
    if path is None:
        return None
    return Path(path).read_bytes() if Path(path).exists() else b""


def _length(content: bytes | None) -> str:
    return "no" if content is None else str(len(content))
