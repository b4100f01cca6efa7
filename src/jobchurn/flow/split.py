"""Split: a data set becomes raw files as they might arrive, some of their rows damaged on purpose.

Bytes are kept: a damaged row differs from its original in one cell, a file without a column in that
column, and nothing else is written anew. The same data and seed make the same files, byte for byte.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random

from jobchurn import files
from jobchurn.contract import Column, Contract, Violation
from jobchurn.errors import DataUnusable, InvalidRequest
from jobchurn.faults import Fault, faults_of
from jobchurn.flow.rows import readable_sheet

FILES_FOR_ALL_FAULTS = 8
"""From this many files on every fault occurs; with fewer, no file loses a column."""

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Injection:
    """One injected fault.

    Attributes:
        row: the row's number in its file, from 1; ``None`` where the column was taken out.
        fault: the fault's number.
        name: the fault's name.
        column: the column's name.
        rule: the rule that should find it.
        original: the text that was there; ``None`` where the column was taken out.
        injected: the text that is there now; ``None`` where the column was taken out.
    """

    row: int | None
    fault: int
    name: str
    column: str
    rule: str
    original: str | None = None
    injected: str | None = None


@dataclass(frozen=True)
class RawFile:
    """One of the files, and what was done to it.

    Attributes:
        file: its name.
        rows: how many there are.
        sha256: of its bytes.
        faults: what was injected, in order of rows.
    """

    file: str
    rows: int
    sha256: str
    faults: tuple[Injection, ...]


@dataclass(frozen=True)
class Manifest:
    """What was split, and what was injected where.

    Attributes:
        source: the data set's file name.
        source_sha256: of its bytes.
        seed: what decided.
        error_rate: the share of damaged rows that was asked for.
        n_files: how many files there are.
        rows: how many rows they hold together.
        files: each of them, by name.
    """

    source: str
    source_sha256: str
    seed: int
    error_rate: float
    n_files: int
    rows: int
    files: tuple[RawFile, ...]

    @property
    def injections(self) -> tuple[Injection, ...]:
        """Every injected fault."""
        return tuple(injection for raw in self.files for injection in raw.faults)

    def to_json(self) -> str:
        """The manifest as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"


def split(
    csv: Path,
    out: Path,
    n_files: int,
    error_rate: float = 0.1,
    seed: int = 0,
    *,
    contract: Contract,
) -> Manifest:
    """Put every row of a CSV file into one of ``n_files`` raw files, and damage some.

    The rows keep their order; each file has the header. From 8 files on one of them loses a
    required column, and every fault occurs at least once. Of the rows of the other files,
    ``error_rate`` are damaged, in one cell each; only rows that the contract admits are. A rate of
    0 damages nothing. The manifest is written last, beside ``out``: where it is, all is.

    Args:
        csv: the data set.
        out: the folder of the raw files, made where it is absent.
        n_files: how many files, named ``raw_000.csv`` and on.
        error_rate: the share of damaged rows, from 0 to 1.
        seed: decides which rows are damaged, and how.
        contract: what the data promises.

    Raises:
        InvalidRequest: a number cannot be used.
        DataUnusable: the data set cannot be read or has too few rows; ``out`` holds raw files of
            another split; a file cannot be written.
    """
    if n_files < 1:
        raise InvalidRequest(f"{n_files} files are too few.", "Ask for one or more.")
    if not 0 <= error_rate <= 1:
        raise InvalidRequest(
            f"An error rate of {error_rate} is no share.", "Give a number from 0 to 1."
        )
    sheet = readable_sheet(csv, contract)
    if sheet.rows < n_files:
        raise DataUnusable(
            f"{csv.name} has {sheet.rows} rows, too few for {n_files} files.",
            "Ask for fewer files, or give a larger data set.",
        )
    contents: dict[Path, bytes] = {}
    made = []
    rng = Random(seed)  # noqa: S311  (it has to be reproducible, and guards nothing)
    for name, rows, damage in _planned(sheet, n_files, error_rate, rng, contract):
        content, injections = _written(sheet, rows, damage, rng)
        contents[out / name] = content
        digest = hashlib.sha256(content).hexdigest()
        made.append(RawFile(name, len(rows), digest, injections))
    manifest = Manifest(csv.name, sheet.sha256, seed, error_rate, n_files, sheet.rows, tuple(made))
    _write_new(contents, sorted(out.glob("raw_*.csv")))
    with _unusable_if_it_fails(out):
        files.write_atomically(out.absolute().parent / MANIFEST, manifest.to_json().encode())
    return manifest


def set_aside(
    csv: Path,
    training: Path,
    rest: Path,
    share: float = 0.7,
    seed: int = 0,
    *,
    contract: Contract,
) -> int:
    """Put a share of a CSV file's rows into ``training``, all others into ``rest``.

    Rows with one id stay together, so that nobody is on both sides; rows whose structure is bad go
    to the rest. Both files have the header, and keep the order and bytes of the rows.

    Returns:
        How many rows were set aside.

    Raises:
        InvalidRequest: the share is not between 0 and 1.
        DataUnusable: the data set cannot be read or has too few rows; one of the files is there
            already with other content; one cannot be written.
    """
    if not 0 < share < 1:
        raise InvalidRequest(f"{share} is no share.", "Give a number between 0 and 1.")
    sheet = readable_sheet(csv, contract)
    groups = list(_rows_by_id(sheet, contract.id).values())
    Random(seed).shuffle(groups)  # noqa: S311
    room = round(share * sheet.rows)
    chosen: set[int] = set()
    for group in groups:
        if len(chosen) + len(group) <= room:
            chosen.update(group)
    if not 0 < len(chosen) < sheet.rows:
        raise DataUnusable(
            f"{csv.name} has too few rows to set some aside and leave some.",
            "Give a larger data set.",
        )
    rows = range(1, sheet.rows + 1)
    contents = {
        path: b"".join(
            [sheet.head, *(sheet.record(row) for row in rows if (row in chosen) is is_in)]
        )
        for path, is_in in ((training, True), (rest, False))
    }
    _write_new(contents, [path for path in contents if path.exists()])
    return len(chosen)


_Damage = Fault | dict[int, Fault]
"""What is done to a file: a column taken out, or a fault for each of some rows."""


def _planned(
    sheet: files.Sheet, n_files: int, error_rate: float, rng: Random, contract: Contract
) -> Iterator[tuple[str, range, _Damage]]:
    """For each file its name, the rows of the data set that go there, and what is done to it."""
    shares = _shares(sheet.rows, n_files)
    faults = [fault for fault in faults_of(contract) if fault.column.name in sheet.columns]
    of_cells = [fault for fault in faults if not fault.takes_the_column]
    of_files: dict[int, Fault] = {}
    fewest = 0
    if error_rate > 0 and n_files >= FILES_FOR_ALL_FAULTS:
        fewest = len(of_cells)
        takers = [fault for fault in faults if fault.takes_the_column]
        # Never the first file, which is what people look at first.
        of_files = dict(zip(rng.sample(range(1, n_files), len(takers)), takers, strict=True))
    exposed = [row for i, rows in enumerate(shares) if i not in of_files for row in rows]
    wanted = max(round(error_rate * len(exposed)), fewest)
    admitted = _admitted(sheet, contract)
    candidates = [row for row in exposed if row in admitted]
    damaged = rng.sample(candidates, min(wanted, len(candidates)) if of_cells else 0)
    fault_of = {row: of_cells[i % len(of_cells)] for i, row in enumerate(damaged)}
    digits = max(len(str(n_files - 1)), 3)
    for i, rows in enumerate(shares):
        damage = of_files.get(i) or {row: fault_of[row] for row in rows if row in fault_of}
        yield f"raw_{i:0{digits}}.csv", rows, damage


def _shares(rows: int, n_files: int) -> list[range]:
    """Neighbouring rows, from 1, in ``n_files`` shares that differ by one row at most."""
    ends = [1 + rows * i // n_files for i in range(n_files + 1)]
    return [range(first, stop) for first, stop in pairwise(ends)]


def _admitted(sheet: files.Sheet, contract: Contract) -> set[int]:
    """The rows that the contract admits."""
    admitted = set(range(1, sheet.rows + 1)) - sheet.faults.keys()
    for name, cells in sheet.columns.items():
        refused = {text for text in set(cells) if not _reads(contract[name], text)}
        if refused:
            admitted -= {row for row, text in enumerate(cells, 1) if text in refused}
    return admitted


def _reads(column: Column, text: str) -> bool:
    try:
        column.read(text)
    except Violation:
        return False
    return True


def _written(
    sheet: files.Sheet, rows: range, damage: _Damage, rng: Random
) -> tuple[bytes, tuple[Injection, ...]]:
    """A file's bytes, and what was injected into it."""
    head = sheet.head
    line_end = b"\r\n" if head.endswith(b"\r\n") else head[-1:]
    records = {row: _ended(sheet.record(row), line_end) for row in rows}
    if isinstance(damage, Fault):
        place = sheet.header.index(damage.column.name)
        for row in records.keys() - sheet.faults.keys():
            records[row] = files.without(records[row], place)
        taken = Injection(None, damage.number, damage.name, damage.column.name, damage.rule)
        return b"".join([files.without(head, place), *records.values()]), (taken,)
    injections = []
    for row, fault in damage.items():
        name = fault.column.name
        cells = {name: column[row - 1] for name, column in sheet.columns.items()}
        text = fault.inject(cells, rng)
        records[row] = files.spliced(records[row], sheet.header.index(name), text)
        number = row - rows.start + 1
        injections.append(
            Injection(number, fault.number, fault.name, name, fault.rule, cells[name], text)
        )
    return b"".join([head, *records.values()]), tuple(injections)


def _ended(record: bytes, line_end: bytes) -> bytes:
    """A record with a line end, which the last one of a data set may lack."""
    return record if record.endswith((b"\r", b"\n")) else record + line_end


def _rows_by_id(sheet: files.Sheet, column: Column | None) -> Mapping[object, list[int]]:
    """Rows of sound structure by their id; by themselves where there is none."""
    sound = (row for row in range(1, sheet.rows + 1) if row not in sheet.faults)
    if column is None or column.name not in sheet.columns:
        return {row: [row] for row in sound}
    groups: dict[object, list[int]] = defaultdict(list)
    texts = sheet.columns[column.name]
    for row in sound:
        text = texts[row - 1]
        # Two spellings of a number are one id.
        groups[column.read(text) if _reads(column, text) else text].append(row)
    return groups


def _write_new(contents: Mapping[Path, bytes], existing: list[Path]) -> None:
    """Write files that are not there; those that are have to be the same, and are left alone."""
    for path in existing:
        with _unusable_if_it_fails(path):
            is_same = path in contents and path.read_bytes() == contents[path]
        if not is_same:
            raise DataUnusable(
                f"{path} is there already, with other content than would be written.",
                "Remove it first, or choose another place.",
            )
    for path, content in contents.items():
        if path not in existing:
            with _unusable_if_it_fails(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                files.write_atomically(path, content)


@contextmanager
def _unusable_if_it_fails(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataUnusable(
            f"{path} cannot be written: {error.strerror}.", "Choose another place, or make room."
        ) from error
