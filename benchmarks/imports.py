"""What importing each program alone takes: CPU seconds, resident memory, and the longest packages.

Usage: ``python -m benchmarks.imports [--rounds 5]``
"""

from __future__ import annotations

import argparse
import re
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from benchmarks.machine import ROOT

ENTRY_POINTS = {
    "Python alone": "pass",
    "the gate": "import jobchurn.stack.gate",
    "jobchurn --help": "import jobchurn.cli",
    "guard and keeper": "import jobchurn.cli, jobchurn.settings, jobchurn.stack.up",
    "supervisord": "import supervisor.supervisord",
    "API": "import jobchurn.api.serve",
    "web app": "import sys; sys.path.insert(0, 'webapp'); import streamlit.web.cli, frame",
    "tasks of DAGs": "from jobchurn.flow import ingest, score",
}
"""What is imported → the statement that does it."""

_LINE = re.compile(r"import time: *(?P<alone>\d+) \| *\d+ \| *(?P<package>[^.]+)")
"""A line of ``python -X importtime``: microseconds alone, cumulated, the module."""


@dataclass(frozen=True)
class Import:
    """What importing an entry point took.

    Attributes:
        seconds: CPU time of the whole process, in the median.
        megabytes: resident memory at its end, in the median.
        shares: top-level package → its share of the time, the largest first.
    """

    seconds: float
    megabytes: float
    shares: Mapping[str, float]


def imported(statement: str, rounds: int, longest: int = 4) -> Import:
    """Import in a new process, several times, and once more to see which packages took long."""
    # Not the most so far, which a new process has from its parent.
    said = "print(open('/proc/self/statm').read().split()[1])"
    seconds, memory = [], []
    for _ in range(rounds):
        begun = _children_seconds()
        done = _python("-c", f"{statement}\n{said}")
        seconds.append(_children_seconds() - begun)
        memory.append(int(done.stdout) * resource.getpagesize() / 2**20)
    spent: Counter[str] = Counter()
    for line in _python("-X", "importtime", "-c", statement).stderr.splitlines():
        if found := _LINE.match(line):
            spent[found["package"]] += int(found["alone"])
    shares = {name: us / spent.total() for name, us in spent.most_common(longest)}
    return Import(median(seconds), median(memory), shares)


def _children_seconds() -> float:
    """CPU seconds of the children that have ended: others on the machine count for little."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="imports of each")
    options = parser.parse_args()
    print(f"{'imported':<20}{'CPU s':>8}{'MB':>6}  longest")
    for name, statement in ENTRY_POINTS.items():
        found = imported(statement, options.rounds)
        longest = ", ".join(f"{package} {share:.0%}" for package, share in found.shares.items())
        print(f"{name:<20}{found.seconds:>8.2f}{found.megabytes:>6.0f}  {longest}", flush=True)


if __name__ == "__main__":
    main()
