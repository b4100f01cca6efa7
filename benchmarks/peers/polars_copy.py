"""polars reads a CSV file and writes it again; run in an environment that has it.

For each path that comes in by standard input it does so once, and answers with the seconds.
"""

import sys
import time
from pathlib import Path

import polars as pl  # type: ignore[import-not-found,unused-ignore]  # of its own environment


def main() -> None:
    """Answer until there are no more paths."""
    for line in sys.stdin:
        path = Path(line.strip())
        copy = path.with_suffix(".polars")
        begun = time.perf_counter()
        pl.read_csv(path).write_csv(copy)
        seconds = time.perf_counter() - begun
        copy.unlink()
        print(seconds, flush=True)


if __name__ == "__main__":
    print(pl.__version__, flush=True)
    main()
