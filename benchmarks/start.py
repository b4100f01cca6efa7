"""What the whole stack takes while there is nothing to do (figure 12), and how soon it is healthy.

Usage: ``python -m benchmarks.start [--rounds 5] [--settle 90] [--quick] [--dry]``

A real stack is started in a home of its own on free ports, everything in it, and left alone for as
many minutes as there are rounds; 5 hold a run of each DAG at least, and find no new file. Memory is
the proportional set size of ``/proc/PID/smaps_rollup``, where pages that processes share count
once. CPU time is of ``/proc/PID/stat``, with that of the children that have ended meanwhile.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

from benchmarks import machine, options
from benchmarks.measuring import Spread
from benchmarks.results import Measurement, report
from jobchurn.settings import Settings
from jobchurn.stack.record import StackFolder

SAMPLE_SECONDS = 5.0
"""Between two looks at the stack."""

LOOKS_PER_ROUND = 12
"""So that a round has a minute, and a run of the DAG that runs most often."""

ABOVE = "guard, keeper and supervisord"
"""What belongs to no program."""

MEBIBYTES = 1024
"""In a GB, as goals count them."""


def main() -> None:
    """Measure and print."""
    parser = options.parser_of(__doc__, rounds=5, quick=1)
    parser.add_argument("--settle", type=float, help="seconds before the first round; 90, quick 15")
    asked = options.read(parser)
    settle = (15 if asked.quick else 90) if asked.settle is None else asked.settle
    with tempfile.TemporaryDirectory(prefix="jobchurn-") as folder:
        # Others may enter: PostgreSQL runs as another user where we are root.
        Path(folder).chmod(0o755)
        home = Path(folder) / "home"
        environment = _environment(home)
        took = {"healthy in a new home": _seconds(environment, "up", "--detach")}
        try:
            time.sleep(settle)
            looks = [Look.at_home(home)]
            for _ in range(asked.rounds * LOOKS_PER_ROUND):
                time.sleep(SAMPLE_SECONDS)
                looks.append(Look.at_home(home))
        finally:
            took["down"] = _seconds(environment, "down")
        if not asked.quick:
            took["healthy in the same home"] = _seconds(environment, "up", "--detach")
            _seconds(environment, "down")
    _report(looks, took, asked.rounds, asked.keep)


def _environment(home: Path) -> dict[str, str]:
    """The environment of a stack in a home of its own, on ports that nobody listens on."""
    settings = {name.upper() for name in Settings.model_fields}
    kept = {name: value for name, value in os.environ.items() if name not in settings}
    names = ("API_PORT", "WEBAPP_PORT", "AIRFLOW_PORT", "POSTGRES_PORT")
    held = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ports = {name: str(one.getsockname()[1]) for name, one in zip(names, held, strict=True)}
    for one in held:
        one.close()
    return kept | ports | {"JOBCHURN_HOME": str(home)}


def _seconds(environment: Mapping[str, str], *command: str) -> float:
    """How long a command of the command line takes.

    Raises:
        SystemExit: it fails; with what it said.
    """
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "jobchurn.cli", *command],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return time.perf_counter() - begun


@dataclass(frozen=True)
class Look:
    """What the programs of a stack hold and have spent at one moment.

    Attributes:
        at: seconds of the monotonic clock.
        memory: program → PSS in GB.
        cpu: program → CPU seconds since its start, with those of its ended children.
    """

    at: float
    memory: Mapping[str, float]
    cpu: Mapping[str, float]

    @classmethod
    def at_home(cls, home: Path) -> Look:
        """Look at the stack of this home."""
        folder = StackFolder(home)
        record, guard = folder.read_record(), folder.keeper()
        if record is None or guard is None:
            raise SystemExit(f"no stack runs in {home}")
        groups = record.processes(record.supervisor().programs()).values()
        heads = {pid: name for group in groups for name, pid in group.items()}
        memory: dict[str, float] = defaultdict(float)
        cpu: dict[str, float] = defaultdict(float)
        for pid, program in _family(guard, ABOVE, heads):
            try:
                spent, held = _cpu_seconds(pid), _pss_gigabytes(pid)
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended in between
            cpu[program] += spent
            memory[program] += held
        return cls(time.monotonic(), memory, cpu)

    def cpu_since(self, former: Look, program: str | None = None) -> float:
        """CPU time since an earlier look in percent of one core: a program's, or that of all."""
        spent = _sum(self.cpu, program) - _sum(former.cpu, program)
        return 100 * spent / (self.at - former.at)


def _sum(of: Mapping[str, float], program: str | None) -> float:
    return sum(of.values()) if program is None else of[program]


def _family(pid: int, program: str, heads: Mapping[int, str]) -> Iterator[tuple[int, str]]:
    """A process and its descendants, each with the program that it belongs to."""
    program = heads.get(pid, program)
    yield pid, program
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        children = [pid for one in threads for pid in (one / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return
    for child in children:
        yield from _family(int(child), program, heads)


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process and of its children that have ended (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _pss_gigabytes(pid: int) -> float:
    rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    kibibytes = next(int(row.split()[1]) for row in rows if row.startswith("Pss:"))
    return kibibytes / MEBIBYTES / MEBIBYTES


def _report(looks: Sequence[Look], took: Mapping[str, float], rounds: int, keep: bool) -> None:
    """Print both figures, each with the share of every program; keep them if asked to."""
    first, last = looks[0], looks[-1]
    memory = [sum(look.memory.values()) for look in looks]
    minutes = pairwise(looks[::LOOKS_PER_ROUND])
    versions = machine.versions("apache-airflow-core", "streamlit", "great-expectations")
    seconds = ", ".join(f"{what} after {value:.0f} s" for what, value in took.items())
    report(
        Measurement(
            "12",
            Spread.of(memory),
            rounds,
            {
                program: f"{1024 * median(look.memory[program] for look in looks):.0f} MB"
                for program in last.memory
            },
            versions,
            (
                f"At most {max(memory):.2f} GB, while tasks ran and DAGs were read.",
                f"Data and a model made in the new home: {seconds}.",
            ),
        ),
        keep=keep,
    )
    report(
        Measurement(
            "12b",
            Spread.of([later.cpu_since(former) for former, later in minutes]),
            rounds,
            {program: f"{last.cpu_since(first, program):.1f} %" for program in last.cpu},
            versions,
            ("Each round is a minute; the DAGs ran on time, and found nothing to do.",),
        ),
        keep=keep,
    )


if __name__ == "__main__":
    main()
