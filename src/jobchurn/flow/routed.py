"""Routed rows: which rows of a judged file are bad, and where each one's bytes lie.

A raw file is gone once its run is published. Which of its rows were bad stands in the reasons
beside the bad ones; all others are good, and in each of the two files rows keep their order.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobchurn import files
from jobchurn.contract import Contract
from jobchurn.errors import NotFound
from jobchurn.files import Sheet
from jobchurn.store.runs import Run
from jobchurn.verdict import Reason, StructureRule


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the bytes of a row, or of a whole file, lie.

    Attributes:
        path: the file.
        row: the row's number in that file, from 1; ``None`` for the whole file.
        start, stop: its first byte, and the one after its last; ``None`` where it cannot be told.
        text: what stands there; ``None`` where it was not asked for.
        doubt: why it cannot be told, in words; empty where it can.
        is_empty: nothing but blank cells stand there.
    """

    path: Path
    row: int | None = None
    start: int | None = None
    stop: int | None = None
    text: str | None = None
    doubt: str = ""
    is_empty: bool = False


@dataclass(frozen=True)
class Sides:
    """Which rows of a raw file are bad.

    Attributes:
        total: how many rows it had.
        bad: the numbers of the bad ones, in order.
        reasons: why they are, and what holds for all rows.
    """

    total: int
    bad: Sequence[int]
    reasons: tuple[Reason, ...]

    def is_bad(self, row: int) -> bool:
        """Whether a row of the raw file is among the bad ones."""
        place = bisect_left(self.bad, row)
        return place < len(self.bad) and self.bad[place] == row

    def routed_row(self, row: int) -> int:
        """The number in its routed file of a row of the raw file."""
        before = bisect_left(self.bad, row)
        return before + 1 if self.is_bad(row) else row - before

    def raw_row(self, row: int, *, is_bad: bool) -> int:
        """The number in the raw file of a row of a routed one.

        Args:
            row: its number in the routed file, from 1.
            is_bad: whether that is the file of the bad rows.

        Raises:
            NotFound: the routed file has no such row.
        """
        rows = len(self.bad) if is_bad else self.total - len(self.bad)
        if not 1 <= row <= rows:
            raise no_such_row("The routed file", row, rows)
        if is_bad:
            return self.bad[row - 1]
        for bad in self.bad:
            if bad > row:
                break
            row += 1
        return row

    def reasons_of(self, row: int) -> tuple[Reason, ...]:
        """Why a row is bad; what holds for the whole file first."""
        return tuple(reason for reason in self.reasons if reason.row in (None, row))


def reasons_in(path: Path) -> tuple[Reason, ...] | None:
    """The reasons that ingestion wrote; ``None`` where they cannot be read any more."""
    try:
        lines = path.read_bytes().splitlines()
        return tuple(Reason(**json.loads(line)) for line in lines)
    except (OSError, ValueError, TypeError):  # removed, or changed by hand
        return None


def sides_of(run: Run) -> Sides | None:
    """Which rows of a published run are bad; ``None`` where that can no longer be told."""
    if run.reasons is None:
        return Sides(run.rows_total, (), ())
    reasons = reasons_in(Path(run.reasons))
    if reasons is None:
        return None
    bad: Sequence[int] = sorted({reason.row for reason in reasons if reason.row is not None})
    if any(reason.rule == StructureRule.MISSING_COLUMN for reason in reasons):
        bad = range(1, run.rows_total + 1)
    return Sides(run.rows_total, bad, reasons) if len(bad) == run.rows_invalid else None


def whole(path: Path, *, show: bool) -> Place:
    """A whole file's place."""
    try:
        content = path.read_bytes()
    except OSError as error:
        return Place(path=path, doubt=_gone(error))
    text = _text(content) if show else None
    return Place(path=path, start=0, stop=len(content), text=text)


def place_in(path: Path, contract: Contract, row: int, *, show: bool) -> Place:
    """The place of a row in a file that is not judged yet; of the whole file where it has no rows.

    Raises:
        NotFound: the file has no such row.
    """
    try:
        sheet = files.cut(path, contract)
    except OSError as error:
        return Place(path=path, row=row, doubt=_gone(error))
    if sheet.refusal is not None:
        return whole(path, show=show)
    if not 1 <= row <= sheet.rows:
        raise no_such_row(path.name, row, sheet.rows)
    return _place(path, sheet, row, show=show)


def place_of(run: Run, sides: Sides, row: int, contract: Contract, *, show: bool) -> Place:
    """The place of a row of the raw file among the good or the bad ones.

    A broken record may take in the one that follows it now, and did not before. Where the bad file
    cannot be cut again as the raw one was, that is said.
    """
    is_bad = sides.is_bad(row)
    path = Path((run.bad if is_bad else run.good) or "")
    number = sides.routed_row(row)
    try:
        sheet = files.cut(path, contract)
    except OSError as error:
        return Place(path=path, row=number, doubt=_gone(error))
    expected = len(sides.bad) if is_bad else sides.total - len(sides.bad)
    if sheet.rows != expected or (is_bad and not _fits(sheet, sides)):
        doubt = f"{expected} records were routed to it, and {sheet.rows} can be told apart"
        return Place(path=path, row=number, doubt=doubt)
    return _place(path, sheet, number, show=show)


def no_such_row(file: str, row: int, rows: int) -> NotFound:
    """What to raise where a file has no such row."""
    return NotFound(
        f"{files.printable(file)} has no row {row}.",
        f"It has {rows} rows, counted from 1 and without the header.",
    )


def _place(path: Path, sheet: Sheet, row: int, *, show: bool) -> Place:
    record = sheet.record(row)
    return Place(
        path=path,
        row=row,
        start=int(sheet.starts[row - 1]),
        stop=int(sheet.starts[row]),
        text=_text(record) if show else None,
        is_empty=not record.strip(b", \t\r\n"),
    )


def _fits(sheet: Sheet, sides: Sides) -> bool:
    """Whether the bad file's records are those whose beginnings the reasons show."""
    numbers = {row: number for number, row in enumerate(sides.bad, start=1)}
    return all(
        _begin_alike(files.shown(sheet.record(numbers[reason.row])), reason.text)
        for reason in sides.reasons
        if reason.row is not None and reason.column is None and reason.text
    )


def _begin_alike(one: str, other: str) -> bool:
    one, other = one.removesuffix("…"), other.removesuffix("…")
    return one.startswith(other) or other.startswith(one)


def _text(content: bytes) -> str:
    return content.decode(errors="backslashreplace")


def _gone(error: OSError) -> str:
    return f"it cannot be read any more: {error.strerror}"
