"""Fit the parameters of the built-in data set on a real CSV file.

Usage: ``fit_synth.py REAL.csv [--out PARAMETERS.json]``; by default the parameters that the package
ships are replaced. ``benchmarks/fidelity.py`` measures what they are worth.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from jobchurn import synth
from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import JobchurnError
from jobchurn.flow.rows import read_rows
from jobchurn.synth.fit import fit

SHIPPED = Path(synth.__file__).with_name("parameters.json")


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit as the arguments say; return the exit code."""
    parser = argparse.ArgumentParser(description="Fit the built-in data set on a real CSV file.")
    parser.add_argument("csv", type=Path, help="rows with known outcomes")
    parser.add_argument("--out", type=Path, default=SHIPPED, help="default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        rows = read_rows(options.csv, JOB_CHANGE)
    except JobchurnError as error:
        print(f"{error.message}\n  Cure: {error.cure}", file=sys.stderr)
        return error.exit_code
    labelled = [
        row - 1
        for row, record in rows.records.items()
        if record.get(JOB_CHANGE.outcome.name) is not None
    ]
    columns = {
        name: [cells[place] for place in labelled] for name, cells in rows.sheet.columns.items()
    }
    fitted = fit(columns, JOB_CHANGE, progress=print)
    text = json.dumps(fitted, indent=1, ensure_ascii=False)
    # Lists of weights on one line each.
    text = re.sub(r"\[[^\[\]{}]*\]", lambda found: re.sub(r"\n\s*", " ", found[0]), text)
    options.out.write_text(text + "\n", encoding="utf-8")
    print(f"{options.out}: {options.out.stat().st_size:,} bytes, from {len(labelled):,} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
