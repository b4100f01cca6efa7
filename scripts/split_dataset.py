"""Split a CSV file into raw files with injected errors: a shim over ``jobchurn.flow.split``.

Usage: ``split_dataset.py --csv F --out DIR --n_files N [--error-rate 0.1] [--seed S]``
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from jobchurn.contract import JOB_CHANGE
from jobchurn.errors import JobchurnError
from jobchurn.flow.split import MANIFEST, Manifest, split


def main(arguments: Sequence[str] | None = None) -> int:
    """Split as the arguments say; return the exit code."""
    parser = argparse.ArgumentParser(
        description="Split a CSV file into raw files, and damage some of their rows."
    )
    parser.add_argument("--csv", type=Path, required=True, help="the data set")
    parser.add_argument("--out", type=Path, required=True, help="the folder of the raw files")
    parser.add_argument(
        "--n_files", "--n-files", type=int, required=True, help="into how many files"
    )
    parser.add_argument(
        "--error-rate",
        "--error_rate",
        type=float,
        default=0.1,
        help="the share of rows to damage, from 0 to 1 (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="the same seed splits the same way (default: 0)"
    )
    options = parser.parse_args(arguments)
    try:
        manifest = split(
            options.csv,
            options.out,
            options.n_files,
            options.error_rate,
            options.seed,
            contract=JOB_CHANGE,
        )
    except JobchurnError as error:
        print(f"{error.message}\n  Cure: {error.cure}", file=sys.stderr)
        return error.exit_code
    print(told(manifest, options.out))
    return 0


def told(manifest: Manifest, out: Path) -> str:
    """A manifest in a few lines."""
    counts = Counter((i.fault, i.name, i.column) for i in manifest.injections)
    whole = [
        f"{raw.file} lacks {i.column}" for raw in manifest.files for i in raw.faults if not i.row
    ]
    lines = [
        f"{manifest.rows:,} rows of {manifest.source} in {manifest.n_files} files in {out}",
        *(
            f"  {number}  {name:<40} {n:>7,}  {column}"
            for (number, name, column), n in sorted(counts.items())
        ),
        *whole,
        f"What was injected where: {out.absolute().parent / MANIFEST}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
