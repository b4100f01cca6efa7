"""Somebody is forgotten, by a process that may die at it; and what must hold afterwards."""

from __future__ import annotations

import os
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from faults.boundaries import Death, watch
from faults.promises import ID, NAMES, SPOILT
from faults.worker import services_over
from jobchurn import files
from jobchurn.contract import JOB_CHANGE
from jobchurn.flow.forget import Person, forget
from small_model import random_records

BLANK = b"," * (len(NAMES) - 1) + b"\n"
HEADER = (",".join(NAMES) + "\n").encode()
PERSON = 987654321000000
"""The first one's id; the others' follow."""


@dataclass(frozen=True)
class Scenario:
    """One person among others, in a file that was scored, one that waits, and a data set.

    Attributes:
        number: of the person.
        lines: raw file → its records; which are good alternates, the person's come twice.
    """

    number: int
    lines: dict[str, tuple[bytes, ...]]

    @property
    def person(self) -> str:
        return str(PERSON + self.number)

    @property
    def training(self) -> bytes:
        """What the data set of the home holds."""
        return HEADER + self.lines[self.routed][0] + self.lines[self.routed][2]

    @property
    def routed(self) -> str:
        return f"routed_{self.number}.csv"

    @property
    def waiting(self) -> str:
        return f"waiting_{self.number}.csv"

    def part(self, name: str, *, bad: bool) -> bytes:
        """What is left of a file's good, or bad, rows."""
        rows = [line for place, line in enumerate(self.lines[name]) if (place % 2 == 1) is bad]
        return HEADER + b"".join(BLANK if self.is_theirs(line) else line for line in rows)

    def is_theirs(self, line: bytes) -> bool:
        return line.startswith(self.person.encode() + b",")

    @property
    def others(self) -> Counter[int]:
        """Whose good rows are to be predicted, once each."""
        return Counter(
            int(line.partition(b",")[0])
            for lines in self.lines.values()
            for line in lines[::2]
            if not self.is_theirs(line)
        )


def scenario(number: int) -> Scenario:
    """The ``number``-th person, and people whom nobody else stands beside."""
    lines = {}
    for half, name in enumerate((f"routed_{number}.csv", f"waiting_{number}.csv")):
        rows = []
        for place, record in enumerate(random_records(JOB_CHANGE, 7, seed=2 * number + half)):
            texts = {c.name: c.write(record[c.name]) for c in JOB_CHANGE.columns}
            theirs = place in (2, 3)
            texts[ID] = str(PERSON + number if theirs else 1 + 100 * number + 10 * half + place)
            if place % 2:
                texts[SPOILT] = f"-5 of {texts[ID]}"
            rows.append((",".join(texts[name] for name in NAMES) + "\n").encode())
        lines[name] = tuple(rows)
    return Scenario(number, lines)


def attempted(
    home: Path,
    database: str,
    person: str,
    death: Death | None = None,
    plant: Callable[[], None] | None = None,
    patience: float = 30.0,
) -> tuple[int, list[str]]:
    """Let a process of its own forget somebody: how it ended, and which boundaries it met."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            trace = _forget(home, database, person, death, plant, patience)
            os.write(theirs, "\n".join(trace).encode())
            code = 0
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(theirs)
    with os.fdopen(ours) as said:
        trace = said.read().splitlines()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), trace


def _forget(home, database, person, death, plant, patience) -> list[str]:
    services = services_over(home, database, lease_seconds=5.0)
    services.store.missing()  # connects, which is no boundary
    seen = watch(services.folders.data, home.with_name(f"stash-{os.getpid()}"), death)
    if plant is not None:
        plant()
    done = forget(services, Person.of(services.contract, person), patience=patience)
    services.store.close()
    if done.left:
        raise AssertionError(done.left)
    return seen.trace


def broken(home: Path, database: str, one: Scenario) -> list[str]:
    """What does not hold once somebody is forgotten; empty where all does."""
    # Beside the data lies what a worker may bring back.
    found = [
        f"{place} still mentions them" for place in mentions(home / "data", database, one.person)
    ]
    data = home / "data"
    for name in (one.routed, one.waiting):
        for folder, bad in (("good_data", False), ("bad_data", True)):
            path = data / folder / name
            if not path.exists() or path.read_bytes() != one.part(name, bad=bad):
                found.append(f"{folder}/{name} is not what is left of it")
    if (data / "training.csv").read_bytes() != one.training.replace(one.lines[one.routed][2], b""):
        found.append("the data set is not what is left of it")
    found += [f"{path} is left over" for path in data.rglob(".*")]
    return [*found, *_broken_in_ledger(home, database, one)]


def _broken_in_ledger(home: Path, database: str, one: Scenario) -> Iterator[str]:
    with psycopg.connect(database) as connection:
        predicted = Counter(
            number
            for (number,) in connection.execute(
                f'SELECT "{ID}" FROM predictions WHERE "{ID}" = ANY(%s)', [list(one.others)]
            )
        )
        written_down = dict(
            connection.execute(
                "SELECT file, sha256_after FROM redactions WHERE file IS NOT NULL ORDER BY id"
            ).fetchall()
        )
        counted = connection.execute(
            "SELECT sum(rows_valid), sum(rows_invalid) FROM ingestion_runs WHERE file IN (%s, %s)",
            [one.routed, one.waiting],
        ).fetchone()
    if predicted != one.others:
        yield f"predicted are {predicted}, and not {one.others}"
    if counted != (8, 6):
        yield f"the ledger counts {counted}"
    for file, after in written_down.items():
        if files.sha256_of(home / file) != after:
            yield f"{file} is not as it is written down"
    for folder in ("good_data", "bad_data"):
        if f"data/{folder}/{one.routed}" not in written_down:
            yield f"nothing is written down of {folder}/{one.routed}"


def mentions(folder: Path, database: str, text: str) -> list[str]:
    """Where a text is found: in the files of a folder, and in all tables."""
    found = [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and text.encode() in path.read_bytes()
    ]
    with psycopg.connect(database) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        for (table,) in tables:
            rows = connection.execute(f'SELECT t::text FROM "{table}" AS t').fetchall()
            if any(text in row for (row,) in rows):
                found.append(table)
    return found
