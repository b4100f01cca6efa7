"""Judging: a file is read once, sheet by sheet, and its verdict left in a folder as it comes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import closing
from itertools import chain
from pathlib import Path

from jobchurn import files, quality, report
from jobchurn.contract import Contract
from jobchurn.files import Reading
from jobchurn.flow import staged
from jobchurn.repeats import Rows
from jobchurn.verdict import Verdict


def judged(
    reading: Reading,
    contract: Contract,
    folder: Path,
    *,
    known_levels: Mapping[str, Collection[str]] | None = None,
) -> Verdict:
    """The verdict on a file; reasons and bad rows are written down in the folder.

    Args:
        reading: the file, of which nothing was read yet.
        contract: what is promised.
        folder: where they, and temporary files, lie.
        known_levels: column name → the values that the model in charge has seen.

    Raises:
        OSError: something cannot be read or written.
    """
    sheets = iter(reading)
    first = next(sheets)
    with staged.findings(folder) as found:
        if first.refusal is not None:
            found.refuse(first.refusal)
            for _ in sheets:
                pass
            return Verdict(rows_total=0, refusal=first.refusal)
        rows = Rows(folder)
        judge = quality.Judge(
            contract,
            first.positions,
            missing=first.missing,
            known_levels=known_levels,
            listed=report.SAMPLE,
            folder=folder,
        )
        with judge, closing(rows):
            coder = files.Coder(contract)
            for sheet in chain((first,), sheets):
                found.begin(sheet)
                if judge.is_due and found.is_whole:
                    found.settle(judge)
                cells, keys = coder.coded(sheet)
                found.doubt(sheet, judge.take(cells, sheet.rows, sheet.faults))
                rows.add(keys, judge.have_ids)
            found.end(judge, reading)
            repeats = rows.repeated(ids_recur=judge.ids_recur)
            return judge.verdict(reading.noticed.notes(repeats=repeats))
