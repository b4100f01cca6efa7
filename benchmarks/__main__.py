"""Every figure, one benchmark after the other, each in a process of its own.

One that fails does not keep the others from being measured; it is named at the end, and so are the
figures whose goals were missed. Ends with 1 where a benchmark failed. A missed goal is no failure.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from benchmarks.figures import FIGURES
from benchmarks.machine import ROOT
from benchmarks.results import kept


def main() -> int:
    """Measure; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and smaller; keeps nothing")
    parser.add_argument("--only", nargs="*", default=None, help="these benchmarks")
    asked = parser.parse_args()
    names = list(dict.fromkeys(figure.command for figure in FIGURES.values()))
    failed = []
    for name in names:
        if asked.only is not None and name not in asked.only:
            continue
        begun = time.monotonic()
        command = [sys.executable, "-m", f"benchmarks.{name}", *["--quick"] * asked.quick]
        print(f"\n== python -m benchmarks.{name}", flush=True)
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            failed.append(name)
        print(f"   {time.monotonic() - begun:.0f} s", flush=True)
    if not asked.quick:
        _tell()
    if failed:
        print(f"\nThese failed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def _tell() -> None:
    print("\n== what is kept in benchmarks/results.md")
    for measurement in kept().values():
        print(measurement.line)


if __name__ == "__main__":
    sys.exit(main())
