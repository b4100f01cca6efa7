"""Ingesting large files: beside polars and Great Expectations, in memory, and as they grow.

Usage: ``python -m benchmarks.ingestion [--rounds 7] [--quick] [--dry]``

Figure 7 times all that happens to a file between its arrival and its publication, in a process that
has ingested one before: claim, verdict, statistics, report, reasons, and the routed rows fsynced.
polars reads the same file with its types inferred and writes it again, and fsyncs nothing. Figure 8
reads it with pandas and runs the same suite on all rows, and routes nothing. For figure 9 a new
process ingests the file and tells the most memory that it has held. Figure 13 is the greatest step
in time a row between files of 10,000, 100,000, 1,000,000 and 10,000,000 rows. After each size the
routed files are held against the raw one, row by row; ``--quick`` takes a tenth of the rows.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count, pairwise
from pathlib import Path

import pandas as pd

from benchmarks import large_files, machine, options
from benchmarks.house import House, new_house
from benchmarks.machine import ROOT
from benchmarks.measuring import Spread, by_turns, ratio
from benchmarks.peers.environments import environment
from benchmarks.results import Measurement, report
from jobchurn import quality
from jobchurn.flow import ingest
from jobchurn.settings import Settings

POLARS = "polars==2.1.0"
SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
GIGABYTE = 2**20
"""In kB, as the kernel counts memory."""


@dataclass
class Raw:
    """A file to ingest, again and again, each time as a new one."""

    house: House
    rows: int
    folder: Path
    bad: int = 0
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.path = self.folder / f"{self.rows}.csv"
        self.bad = large_files.make(self.path, self.rows, self.house.services.contract)

    def deliver(self) -> Path:
        """Put it where files arrive, with another content than ever before."""
        large_files.renumber(self.path, next(self.numbers) + self.rows)
        arriving = self.house.services.folders.raw_data / self.path.name
        shutil.copy(self.path, arriving)
        return arriving

    def ingest(self) -> float:
        """The seconds that it takes to be ingested; what was routed is thrown away."""
        return self._ingest(check=False)

    def check(self) -> None:
        """Ingest it, and look at what was routed."""
        self._ingest(check=True)

    def _ingest(self, *, check: bool) -> float:
        services = self.house.services
        self.deliver()
        begun = time.perf_counter()
        claim = ingest.read_data(services, trigger="cli")
        if claim is None:
            raise large_files.Misrouted("the file was not taken")
        run = ingest.ingest(services, claim)
        seconds = time.perf_counter() - begun
        if check:
            large_files.check(
                self.path, Path(run.good or ""), Path(run.bad or ""), rows_bad=self.bad
            )
        for path in (run.good, run.bad, run.reasons, run.report):
            Path(path or "").unlink()
        return seconds


def main() -> None:
    """Measure, and report."""
    asked = options.read(options.parser_of(__doc__, rounds=7))
    sizes = [size // 10 for size in SIZES] if asked.quick else list(SIZES)
    os.environ["SETTLE_SECONDS"] = "0"
    with new_house() as house, polars_copying() as (version, copy):
        for path in house.services.folders.raw_data.iterdir():
            path.unlink()  # what a new home has to stream
        folder = house.home / "large"
        folder.mkdir()
        raws = {size: Raw(house, size, folder) for size in sizes[:-1]}
        large = raws[sizes[-2]]
        large.check()
        versions = machine.versions("great-expectations", "pandas", "numpy") | {"polars": version}
        _report_beside_others(large, copy, asked.rounds, versions, keep=asked.keep)
        raws[sizes[-1]] = Raw(house, sizes[-1], folder)
        _report_growth(raws, max(3, asked.rounds // 2), versions, keep=asked.keep)
        _report_memory(house, raws, versions, keep=asked.keep)


def _report_beside_others(
    raw: Raw, copy: Callable[[Path], float], rounds: int, versions: dict[str, str], *, keep: bool
) -> None:
    found = by_turns(
        {"ingestion": raw.ingest, "polars": lambda: copy(raw.path)}, rounds=rounds, warm_up=1
    )
    absolute = {name: f"{Spread.of(values).median:.2f} s" for name, values in found.items()}
    report(
        Measurement("7", ratio(found["ingestion"], found["polars"]), rounds, absolute, versions),
        keep=keep,
    )
    few = max(1, rounds // 3)
    plain = by_turns(
        {"ingestion": raw.ingest, "Great Expectations": lambda: judged_plainly(raw)},
        rounds=few,
        warm_up=0,
    )
    absolute = {name: f"{Spread.of(values).median:.2f} s" for name, values in plain.items()}
    value = ratio(plain["Great Expectations"], plain["ingestion"])
    report(Measurement("8", value, few, absolute, versions), keep=keep)


def judged_plainly(raw: Raw) -> float:
    """Seconds that pandas takes to read the file, and Great Expectations to judge all its rows."""
    begun = time.perf_counter()
    frame = pd.read_csv(raw.path, dtype=str, keep_default_na=False)
    broken = [
        quality.broken_rules(column, frame[column.name].tolist())
        for column in raw.house.services.contract.columns
    ]
    if not any(broken):
        raise large_files.Misrouted("Great Expectations has found nothing")
    return time.perf_counter() - begun


def _report_growth(
    raws: dict[int, Raw], rounds: int, versions: dict[str, str], *, keep: bool
) -> None:
    sides = {f"{size:,} rows": raw.ingest for size, raw in raws.items()}
    found = by_turns(sides, rounds=rounds, warm_up=0)
    raws[max(raws)].check()
    each = {
        name: [s / raws[size].rows for s in found[name]]
        for size, name in zip(raws, sides, strict=True)
    }
    steps = [ratio(each[larger], each[smaller]) for smaller, larger in pairwise(each)]
    greatest = max(steps, key=lambda step: step.median)
    absolute = {n: f"{Spread.of(values).median * 1e6:.2f} µs a row" for n, values in each.items()}
    report(Measurement("13", greatest, rounds, absolute, versions), keep=keep)


def _report_memory(
    house: House, raws: dict[int, Raw], versions: dict[str, str], *, keep: bool
) -> None:
    sides = {f"{size:,} rows": partial(held_by, house, raws[size]) for size in sorted(raws)[-2:]}
    found = by_turns(sides, rounds=2, warm_up=0)
    few, many = found.values()
    absolute = {name: f"{max(values) / 1024:,.0f} MB" for name, values in found.items()}
    report(Measurement("9", ratio(many, few), 2, absolute, versions), keep=keep)
    most = Spread.of([value / GIGABYTE for value in many])
    report(Measurement("9b", most, 2, absolute, versions), keep=keep)


_ALONE = """
import sys
from jobchurn import wiring
from jobchurn.flow import ingest
with wiring.services() as services:
    [run] = ingest.ingest_all(services, trigger="cli")
for path in (run.good, run.bad, run.reasons, run.report):
    __import__("os").unlink(path)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def held_by(house: House, raw: Raw) -> float:
    """The most memory, in kB, that a new process holds which ingests the file."""
    raw.deliver()
    settings: Settings = house.services.settings
    environment_of = os.environ | {
        "JOBCHURN_HOME": str(settings.home),
        "POSTGRES_PORT": str(settings.postgres_port),
    }
    done = subprocess.run(
        [sys.executable, "-c", _ALONE],
        cwd=ROOT,
        env=environment_of,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


@contextmanager
def polars_copying() -> Iterator[tuple[str, Callable[[Path], float]]]:
    """A polars of its own process, which stays warm: its version, and what copies a file."""
    python = environment("polars", [POLARS]) / "python"
    script = ROOT / "benchmarks" / "peers" / "polars_copy.py"
    with subprocess.Popen(
        [str(python), str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        stdin, stdout = process.stdin, process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("polars cannot be spoken to")

        def copy(path: Path) -> float:
            stdin.write(f"{path}\n")
            stdin.flush()
            return float(stdout.readline())

        yield stdout.readline().strip(), copy
        stdin.close()


if __name__ == "__main__":
    main()
