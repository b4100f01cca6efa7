"""Staged: what ``validate_data`` leaves in a run's work folder for the steps after it.

Reasons and bad rows are written down while the file is read, however many there are; the verdict
holds no more of them than people look at. It is written last: where it is, all is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from jobchurn import files
from jobchurn.files import Reading, Sheet, Split
from jobchurn.files.route import Run
from jobchurn.quality import Judge
from jobchurn.verdict import Reason, Verdict

_VERDICT, _REPORT, _REASONS, _RUNS = "verdict.json", "report.html", "reasons.jsonl", "bad.runs"
_AT_ONCE = 65_536
_LONG = 1_000
"""In characters."""


class Findings:
    """Bad rows while they are found: their reasons, and where their bytes lie."""

    def __init__(self, reasons: IO[bytes], runs: IO[bytes]) -> None:
        self._reasons = reasons
        self._runs = runs
        self._bounds: dict[int, tuple[int, int]] = {}
        self._unended: tuple[int, int] | None = None
        self._run: Run | None = None
        self._head: int | None = None

    def begin(self, sheet: Sheet) -> None:
        """The next sheet begins, and its first record ends what came before it."""
        if not sheet.rows:
            return
        first = sheet.offset + int(sheet.starts[0])
        if self._head is None:
            self._begin_runs(first)
        self._end(first)

    @property
    def is_whole(self) -> bool:
        """Whether of all rows in doubt it is known where they end."""
        return self._unended is None

    def doubt(self, sheet: Sheet, rows: NDArray[np.int64]) -> None:
        """Rows of the sheet that may turn out to be bad."""
        places = rows - sheet.first_row
        starts = (sheet.starts[places] + sheet.offset).tolist()
        stops = (sheet.starts[places + 1] + sheet.offset).tolist()
        self._bounds.update(zip(rows.tolist(), zip(starts, stops, strict=True), strict=True))
        last = sheet.first_row + sheet.rows - 1
        if last in self._bounds:  # blank lines after it may be read with the next sheet
            self._unended = last, self._bounds[last][0]

    def settle(self, judge: Judge) -> None:
        """Write down which of the rows in doubt are bad."""
        for row, reasons in judge.bad_rows():
            self._reasons.writelines(map(line_of, reasons))
            start, stop = self._bounds[row]
            self._bad(start, stop)
        self._bounds.clear()

    def end(self, judge: Judge, reading: Reading) -> None:
        """There are no more sheets."""
        if self._head is None:
            self._begin_runs(reading.size)
        self._end(reading.size)
        self.settle(judge)
        if judge.missing:
            self._reasons.writelines(line_of(files.missing_column(name)) for name in judge.missing)
            if reading.rows:
                self._bad(self._head or 0, reading.size)
        if self._run is not None:
            self._write_run(self._run)

    def refuse(self, reason: Reason) -> None:
        """The file is refused as a whole."""
        self._reasons.write(line_of(reason))

    def _begin_runs(self, head: int) -> None:
        """The header comes first, as a run of its own."""
        self._head = head
        self._write_run((0, head))

    def _end(self, stop: int) -> None:
        """Where the row ends that was the last so far, if it is in doubt."""
        if self._unended is not None:
            row, start = self._unended
            self._bounds[row] = start, stop
            self._unended = None

    def _bad(self, start: int, stop: int) -> None:
        if self._run is not None and self._run[1] == start:
            self._run = self._run[0], stop
            return
        if self._run is not None:
            self._write_run(self._run)
        self._run = start, stop

    def _write_run(self, run: Run) -> None:
        self._runs.write(np.array(run, np.int64).tobytes())


@contextmanager
def findings(folder: Path) -> Iterator[Findings]:
    """What is found, written down in the work folder once the block ends."""
    with (
        files.written_atomically(folder / _REASONS) as reasons,
        files.written_atomically(folder / _RUNS) as runs,
    ):
        yield Findings(reasons, runs)


def line_of(reason: Reason) -> bytes:
    """A reason as a line of a file: one JSON object."""
    # A repair may be as long as a cell; of those not thousands are remembered.
    rest_of = _rest_of if len(reason.repair or "") > _LONG else _remembered_rest_of
    rest = rest_of(reason.column, reason.rule, reason.text, reason.message, reason.repair)
    return b'{"row": %b, %b' % (b"null" if reason.row is None else b"%d" % reason.row, rest)


def _rest_of(column: str | None, rule: str, text: str, message: str, repair: str | None) -> bytes:
    fields = {"column": column, "rule": rule, "text": text, "message": message, "repair": repair}
    return json.dumps(fields)[1:].encode() + b"\n"


_remembered_rest_of = lru_cache(maxsize=4096)(_rest_of)


def leave(folder: Path, verdict: Verdict, page: str) -> None:
    """Leave the report, and the verdict last."""
    files.write_atomically(folder / _REPORT, page.encode())
    files.write_atomically(folder / _VERDICT, verdict.to_json().encode())


def is_judged(folder: Path) -> bool:
    """Whether all is there."""
    return (folder / _VERDICT).exists() and (folder / _RUNS).exists()


def verdict_in(folder: Path) -> Verdict:
    """The verdict.

    Raises:
        FileNotFoundError: there is none.
    """
    return Verdict.from_json((folder / _VERDICT).read_text())


def split_in(folder: Path, sha256: str) -> Split:
    """Which bytes of the file, whose hash is given, are bad records."""
    runs = _runs_in(folder / _RUNS)
    _, head = next(runs)
    return Split(sha256, head, runs)


def _runs_in(path: Path) -> Iterator[Run]:
    with path.open("rb") as file:
        while len(numbers := np.fromfile(file, np.int64, _AT_ONCE)):
            yield from map(_run, numbers.reshape(-1, 2).tolist())


def _run(pair: list[int]) -> Run:
    return pair[0], pair[1]


def reasons_in(folder: Path) -> Path:
    """The file of the reasons."""
    return folder / _REASONS


def report_in(folder: Path) -> Path:
    """The report."""
    return folder / _REPORT
