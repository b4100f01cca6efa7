"""Large raw files, made of the built-in data; and whether what was routed is what came."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import IO

from jobchurn.contract import Contract
from jobchurn.errors import JobchurnError
from jobchurn.faults import Fault, faults_of
from jobchurn.synth import generate

BASE = 100_000
"""So many rows are drawn; a larger file repeats them under other ids."""

ID_DIGITS = 9
BAD = 0.01


class Misrouted(JobchurnError):
    """A row of a file is in none of the routed ones, or in the wrong one."""


def make(path: Path, rows: int, contract: Contract, seed: int = 0) -> int:
    """Write a file of so many rows, each with an id of its own; return how many are damaged.

    A hundredth of the rows have one of the faults of cells, each as often as any other.
    """
    columns = generate(min(rows, BASE), seed)
    identity = contract.id.name if contract.id is not None else ""
    names = [name for name in columns if name != identity]
    faults = [fault for fault in faults_of(contract) if not fault.takes_the_column]
    base = [
        dict(zip(names, cells, strict=True))
        for cells in zip(*(columns[n] for n in names), strict=True)
    ]
    lines = [",".join(cells.values()) for cells in base]
    chance = Random(seed)
    damaged = 0
    with path.open("w", encoding="utf-8", buffering=1 << 20) as file:
        file.write(",".join([identity, *names]) + "\n")
        for first in range(0, rows, BASE):
            here = lines[: min(BASE, rows - first)]
            bad = chance.sample(range(len(here)), round(BAD * len(here)))
            damaged += len(bad)
            here = list(here)
            for number, place in enumerate(bad):
                here[place] = _damaged(base[place], faults[number % len(faults)], chance)
            start = 10 ** (ID_DIGITS - 1) + first
            file.writelines(f"{number},{line}\n" for number, line in enumerate(here, start))
    return damaged


def _damaged(cells: dict[str, str], fault: Fault, chance: Random) -> str:
    broken = cells | {fault.column.name: fault.inject(cells, chance)}
    return ",".join(broken.values())


def renumber(path: Path, number: int) -> None:
    """Give the first row another id, so that the file is a new one, as large as it was."""
    with path.open("r+b") as file:
        file.seek(len(file.readline()))
        file.write(b"9%0*d" % (ID_DIGITS - 1, number))


def check(raw: Path, good: Path, bad: Path, *, rows_bad: int) -> None:
    """Hold the routed files against the raw one: each row in exactly one, in order, to the byte.

    Raises:
        Misrouted: they are not what they should be.
    """
    with raw.open("rb") as all_rows, good.open("rb") as good_rows, bad.open("rb") as bad_rows:
        header = next(all_rows)
        if not header == next(good_rows) == next(bad_rows):
            raise Misrouted("the header is not the same everywhere")
        found = _merged(all_rows, good_rows, bad_rows)
        if found != rows_bad or next(good_rows, None) or next(bad_rows, None):
            raise Misrouted(f"{found} rows are bad, where {rows_bad} should be; or some are left")


def _merged(raw: IO[bytes], good: Iterator[bytes], bad: Iterator[bytes]) -> int:
    """How many of the raw rows are the bad ones in turn, all others being the good ones."""
    count = 0
    next_good, next_bad = next(good, None), next(bad, None)
    for line in raw:
        if line == next_good:
            next_good = next(good, None)
        elif line == next_bad:
            next_bad = next(bad, None)
            count += 1
        else:
            raise Misrouted(f"{line!r} is neither the next good row nor the next bad one")
    return count
